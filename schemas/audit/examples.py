"""From a block of text to XML: is an example well-formed, what had to be taken away to make it so, or why is it not.

Nothing is repaired in silence: whatever was done to a text before it could be parsed is said with the example.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from enum import StrEnum
from xml.sax.saxutils import quoteattr

from lxml import etree

from schemas.audit import sources
from schemas.audit.sources import Block, Source

CLIENT = "jabber:client"
STREAMS = "http://etherx.jabber.org/streams"
STANZA_NAMESPACES = frozenset({CLIENT, "jabber:server", "jabber:component:accept"})
STANZAS = frozenset({"message", "presence", "iq"})

Element = etree._Element


class Form(StrEnum):
    """What an example's text is."""

    WELL_FORMED = "well-formed"
    SALVAGED = "salvaged"
    NOT_XML = "not XML"
    MALFORMED = "malformed"


@dataclass(frozen=True)
class Example:
    """One example.

    `how` says what was done to the text before it was judged; `problem` is the parser's message where it, or a part
    of it, is malformed, on the source's line `problem_line`. `roots` are its outermost elements.
    """

    provider: str
    number: int
    title: str
    line: int
    form: Form
    how: tuple[str, ...] = ()
    problem: str = ""
    problem_line: int = 0
    roots: tuple[Element, ...] = field(default=(), repr=False, compare=False)

    @property
    def parsed(self) -> bool:
        return self.form in {Form.WELL_FORMED, Form.SALVAGED}

    def line_of(self, element: Element) -> int:
        """The source's line on which an element of the example stands."""
        return self.line + max(sources.line(element), 1) - 1


def read(source: Source) -> Iterator[Example]:
    """Every example of a source, numbered by its order as the published pages number them."""
    prefixes = _prefixes(source.examples)
    for number, block in enumerate(source.examples, 1):
        parsed = _parsed(block.text, prefixes)
        line = block.line + parsed.line - 1 if parsed.line else 0
        yield Example(
            source.provider,
            number,
            block.title,
            block.line,
            parsed.form,
            parsed.how,
            placed(parsed.problem, block.line),
            line,
            parsed.roots,
        )


@dataclass(frozen=True)
class _Parsed:
    form: Form
    how: tuple[str, ...] = ()
    problem: str = ""
    line: int = 0
    roots: tuple[Element, ...] = ()


def _parsed(text: str, prefixes: Mapping[str, str]) -> _Parsed:
    """What a text is, as it stands or else after as few steps of salvage as make it so."""
    if not _TAG.search(text):
        return _Parsed(Form.NOT_XML)
    how: list[str] = []
    declared: dict[str, str] = {}
    # A transcript of both ways may nest its stream headers so that it parses, but nobody means it so.
    transcript = len(re.findall(r"<stream:stream\b", text)) > 1
    roots = None if transcript else _parse(text, declared)
    for name, step in _SALVAGES:
        if isinstance(roots, tuple):
            break
        changed = step(text)
        if changed != text:
            text = changed
            how.append(name)
            roots = None if transcript else _parse(text, declared)
    if roots is None:
        roots = _parse(text, declared)
    while isinstance(roots, etree.XMLSyntaxError) and (prefix := _undeclared(roots)) in prefixes.keys() - declared:
        declared[prefix] = prefixes[prefix]
        how.append(f"prefix {prefix} declared as in another example")
        roots = _parse(text, declared)
    if isinstance(roots, etree.XMLSyntaxError):
        return _in_parts(text, roots, tuple(how), declared)
    if not roots:
        return _Parsed(Form.NOT_XML)
    return _Parsed(Form.SALVAGED if how else Form.WELL_FORMED, tuple(how), roots=roots)


def _in_parts(text: str, error: etree.XMLSyntaxError, how: tuple[str, ...], declared: Mapping[str, str]) -> _Parsed:
    """Of several pieces with blank lines between them, those that are well-formed each by itself."""
    problem, line = error.msg or "", error.lineno or 1
    roots: list[Element] = []
    pieces = good = before = 0
    parts = re.split(r"(?<=\n)(?=[ \t]*\n)", text)
    for piece in parts if len(parts) <= _MOST_PARTS else ():
        if _TAG.search(piece):
            pieces += 1
            parsed = _parse("\n" * before + piece, declared)
            if not isinstance(parsed, etree.XMLSyntaxError):
                good += 1
                roots += parsed
        before += piece.count("\n")
    if not roots:
        return _Parsed(Form.MALFORMED, (), problem, line)
    return _Parsed(Form.SALVAGED, (*how, f"{good} of {pieces} parts read"), problem, line, tuple(roots))


def _parse(text: str, declared: Mapping[str, str]) -> tuple[Element, ...] | etree.XMLSyntaxError:
    """Parse as a document where the text begins as one, or else as what stands in a client's stream.

    There the namespace is `jabber:client` by default, and the prefix `stream` is declared.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    document = _DOCUMENT.match(text)
    if document is not None:
        # Its declaration is left to us: text has no encoding. Line breaks stay, for the lines' sake.
        text = "\n" * document[0].count("\n") + text[document.end() :]
        try:
            return (etree.fromstring(text.encode("utf-8", "replace"), parser),)
        except etree.XMLSyntaxError as error:
            return error
    prefixes = "".join(f" xmlns:{prefix}={quoteattr(uri)}" for prefix, uri in declared.items())
    wrapped = f"<stream xmlns='{CLIENT}' xmlns:stream='{STREAMS}'{prefixes}>{text}</stream>"
    try:
        root = etree.fromstring(wrapped.encode("utf-8", "replace"), parser)
    except etree.XMLSyntaxError as error:
        return error
    return tuple(child for child in root if isinstance(child.tag, str))


def _prefixes(blocks: Iterable[Block]) -> dict[str, str]:
    """The prefixes that a source's examples declare, each with one meaning only."""
    found: dict[str, set[str]] = {}
    for block in blocks:
        for prefix, _, uri in re.findall(r"\bxmlns:([A-Za-z_][\w.-]*)=([\"'])([^\"'<&]+)\2", block.text):
            found.setdefault(prefix, set()).add(uri)
    return {prefix: uris.pop() for prefix, uris in found.items() if len(uris) == 1}


def _undeclared(error: etree.XMLSyntaxError) -> str:
    match = re.match(r"Namespace prefix (\S+) ", error.msg or "")
    return match[1] if match else ""


def placed(problem: str, line: int) -> str:
    """The parser's message, its lines counted in the source instead of in the example."""
    return re.sub(r"\bline (\d+)", lambda m: f"line {line + int(m[1]) - 1}", sources.bare(problem))


def _without_declarations(text: str) -> str:
    return re.sub(r"<\?xml\b[^<>]*\?>", "", text)


def _without_speakers(text: str) -> str:
    """Transcripts mark the lines of client and server, or of two peers: `C:`, `S:`, `I:`, `R:`, `S1:`, `CC:`."""
    return re.sub(r"^([ \t]*)[A-Z]{1,2}\d?: ?(?=\s*<)", r"\1", text, flags=re.MULTILINE)


def _with_streams_whole(text: str) -> str:
    """Each stream header ends the stream before it and is closed in the end; what was closed only is not."""
    open_ = False

    def whole(tag: re.Match[str]) -> str:
        nonlocal open_
        was_open, open_ = open_, not tag[0].startswith("</")
        if open_:
            return f"</stream:stream>{tag[0]}" if was_open else tag[0]
        return tag[0] if was_open else "\n" * tag[0].count("\n")

    text = _STREAM_TAG.sub(whole, text)
    return f"{text}</stream:stream>" if open_ else text


# In this order, each only where those before did not suffice. Line breaks stay, so that lines can be said.
_SALVAGES: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("XML declaration left out", _without_declarations),
    ("marks of who speaks left out", _without_speakers),
    ("stream opened or closed", _with_streams_whole),
)

_STREAM_TAG = re.compile(r"<stream:stream\b[^<>]*(?<!/)>|</stream:stream\s*>")
_DOCUMENT = re.compile(r"\s*<\?xml\b[^<>]*\?>(?!.*<!DOCTYPE)(?!.*<\?xml\b)", re.DOTALL)
_TAG = re.compile(r"<[A-Za-z_]")
_MOST_PARTS = 100  # the longest example has a dozen; parsing goes with the square of their number
_ELISION = re.compile(r"\s*(?=.*(?:\[|…|\.\s*\.\s*\.))(?:(?:\[[^\]]*\]|…|\.)\s*)+", re.DOTALL)
# A long word that breaks off: `qANQR1DBwU4DX7...`
_CUT_OFF = re.compile(r"(\s*[^\s.]{12,})\.{3}\s*")
_WRAPPED = re.compile(r"\s*\n\s*[A-Za-z0-9+/]+(?:\s+[A-Za-z0-9+/]+)*={0,2}\s*")


def as_meant(example: Example) -> Example | None:
    """The example as it would travel, without what is there for the page; None where there is no such thing.

    By the conventions of RFC 6120 §1.4, which the XEPs share, `...` and `[ ... ]` stand for what was left out, and
    lines are wrapped. Wrapped lines are joined only where nothing but base64 stands on them.
    """
    roots = tuple(deepcopy(root) for root in example.roots)
    cut = joined = 0
    for root in roots:
        for element in root.iter(etree.Element):
            text = element.text or ""
            if _ELISION.fullmatch(text):
                element.text, cut = None, cut + 1
            elif match := _CUT_OFF.fullmatch(text):
                element.text, cut = match[1], cut + 1
            elif _WRAPPED.fullmatch(text):
                element.text, joined = "".join(text.split()), joined + 1
        for node in root.iterdescendants():
            if _ELISION.fullmatch(node.tail or ""):
                node.tail, cut = None, cut + 1
    how = (*example.how, *["elisions left out"] * bool(cut), *["wrapped lines joined"] * bool(joined))
    return replace(example, how=how, roots=roots) if cut or joined else None


def is_stanza(element: Element) -> bool:
    """Whether an element is a message, presence or iq of a client's, server's or component's stream."""
    name = etree.QName(element)
    return name.localname in STANZAS and name.namespace in STANZA_NAMESPACES
