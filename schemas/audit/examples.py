"""From a block of text to XML: is an example well-formed, what had to be taken away to make it so, or why is it not.

Nothing is repaired in silence: whatever was done to a text before it could be parsed is said with the example.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

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
    """One example. `how` says what was done to a salvaged one; `problem` is the parser's message of a malformed one,
    on the source's line `problem_line`. `roots` are its outermost elements."""

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
    for number, block in enumerate(source.examples, 1):
        yield _example(source.provider, number, block)


def _example(provider: str, number: int, block: Block) -> Example:
    def made(form: Form, **facts: object) -> Example:
        return Example(provider, number, block.title, block.line, form, **facts)  # type: ignore[arg-type]

    if "<" not in block.text:
        return made(Form.NOT_XML)
    text = block.text
    how: list[str] = []
    roots = _parse(text)
    for name, step in _SALVAGES:
        if not isinstance(roots, etree.XMLSyntaxError):
            break
        changed = step(text)
        if changed != text:
            text, how = changed, [*how, name]
            roots = _parse(text)
    if isinstance(roots, etree.XMLSyntaxError):
        line = block.line + (roots.lineno or 1) - 1
        return made(Form.MALFORMED, problem=roots.msg or "", problem_line=line)
    if not roots:
        return made(Form.NOT_XML)
    return made(Form.SALVAGED if how else Form.WELL_FORMED, how=tuple(how), roots=roots)


def _parse(text: str) -> tuple[Element, ...] | etree.XMLSyntaxError:
    """Parse as the content of a client's stream: `jabber:client` by default, and the prefix `stream`."""
    wrapped = f"<stream xmlns='{CLIENT}' xmlns:stream='{STREAMS}'>{text}</stream>"
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        root = etree.fromstring(wrapped.encode("utf-8", "replace"), parser)
    except etree.XMLSyntaxError as error:
        return error
    return tuple(child for child in root if isinstance(child.tag, str))


def _without_declarations(text: str) -> str:
    return re.sub(r"<\?xml\b[^>]*\?>", "", text)


def _without_speakers(text: str) -> str:
    """Transcripts mark the lines of client and server, or of two peers: `C:`, `S:`, `I:`, `R:`, `S1:`, `CC:`."""
    return re.sub(r"^([ \t]*)[A-Z]{1,2}\d?: ?(?=\s*<)", r"\1", text, flags=re.MULTILINE)


def _with_open_streams_closed(text: str) -> str:
    opened = len(re.findall(r"<stream:stream\b[^>]*(?<!/)>", text))
    closed = len(re.findall(r"</stream:stream\s*>", text))
    if closed > opened:
        return "<stream:stream>" * (closed - opened) + text
    return text + "</stream:stream>" * (opened - closed)


# In this order, each only where the one before did not suffice. Line breaks stay, so that lines can be said.
_SALVAGES: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("XML declaration left out", _without_declarations),
    ("marks of who speaks left out", _without_speakers),
    ("open stream closed", _with_open_streams_closed),
)


def is_stanza(element: Element) -> bool:
    """Whether an element is a message, presence or iq of a client's, server's or component's stream."""
    name = etree.QName(element)
    return name.localname in STANZAS and name.namespace in STANZA_NAMESPACES
