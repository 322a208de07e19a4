"""The control group: other ways to write the same stanza, which must be taken just like it.

Proved by canonical XML: a reader that knows namespaces sees no difference, however it was cut and quoted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lxml import etree

from generators.malformations.operators import Change, operator, pick
from generators.malformations.proof import canonical, read
from generators.malformations.tokens import Tag, Tokens, element_end, tokens
from generators.source import Source
from generators.stanza import Family, Scene, Stanza

LEAST_LIMIT = 10_000
"""Bytes that every server must take in one stanza (RFC 6120 §13.12)."""


def _same(stanza: Stanza, change: Change) -> bool:
    try:
        return read(change.data).complete and canonical(change.data.strip()) == canonical(stanza.xml.encode())
    except etree.XMLSyntaxError:
        return False


def _rewritten(stanza: Stanza, place: str, became: str, *chunks: bytes) -> Iterator[Change]:
    if b"".join(chunks) != stanza.xml.encode() or len(chunks) > 1:
        yield Change(place, "", became, chunks, stanza.allowed)


def _replaced(stanza: Stanza, edits: list[tuple[int, int, str]]) -> bytes:
    """The stanza with each `(from, to)` replaced; they may not overlap."""
    xml = stanza.xml
    for start, end, new in sorted(edits, reverse=True):
        xml = xml[:start] + new + xml[end:]
    return xml.encode()


@operator(Family.BYTES, "The stanza in two writes.", _same, valid=True)
def split_in_two(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    data = stanza.xml.encode()
    if len(data) > 1:
        at = 1 + source.integer(len(data) - 2)
        yield from _rewritten(stanza, f"byte {at}", f"{at} bytes, then the rest", data[:at], data[at:])


@operator(Family.BYTES, "The stanza byte by byte, a write each.", _same, valid=True, heavy=True)
def split_at_every_byte(_: Source, stanza: Stanza, __: Scene) -> Iterator[Change]:
    data = stanza.xml.encode()
    yield from _rewritten(stanza, "every byte", f"{len(data)} writes", *(data[n : n + 1] for n in range(len(data))))


@operator(Family.BYTES, "Each character of several bytes cut in two.", _same, valid=True)
def split_within_characters(_: Source, stanza: Stanza, __: Scene) -> Iterator[Change]:
    data = stanza.xml.encode()
    cuts = [n for n in range(1, len(data)) if data[n] & 0xC0 == 0x80]
    if cuts:
        parts = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
        yield from _rewritten(stanza, "within characters", f"{len(parts)} writes", *parts)


@operator(Family.BYTES, "Text in CDATA sections.", _same, valid=True)
def text_as_cdata(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    """A section for each text, or two that divide it."""
    edits = []
    for text in tokens(stanza.xml).texts:
        plain = _plain(stanza.xml[text.start : text.end])
        if "]]>" not in plain and "\r" not in plain:
            middle = source.integer(len(plain))
            sections = (part for part in (plain[:middle], plain[middle:]) if part)
            edits.append((text.start, text.end, "".join(f"<![CDATA[{part}]]>" for part in sections)))
    yield from _rewritten(stanza, "all texts", "CDATA sections", _replaced(stanza, edits))


_REFERENCE = re.compile(r"&(?:#x([0-9a-fA-F]+)|#([0-9]+)|(amp|lt|gt|quot|apos));")
_NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}


def _plain(text: str) -> str:
    return _REFERENCE.sub(lambda m: chr(int(m[1], 16)) if m[1] else chr(int(m[2])) if m[2] else _NAMED[m[3]], text)


@operator(Family.BYTES, "Characters as references, decimal or hexadecimal.", _same, valid=True)
def characters_as_references(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    found = tokens(stanza.xml)
    way = pick(source, ("&#{};", "&#x{:x};", "&#x{:X};", "&#0{};", "&#x000{:x};"))
    spans = [(text.start, text.end) for text in found.texts]
    spans += [(a.value_start, a.value_end) for a in found.attributes if not a.declares]
    edits = [(a, b, "".join(way.format(ord(c)) for c in _plain(stanza.xml[a:b]))) for a, b in spans]
    yield from _rewritten(stanza, "all texts and values", way.format(0x41), _replaced(stanza, edits))


@operator(Family.BYTES, "The other quotes around each value.", _same, valid=True)
def other_quotes(_: Source, stanza: Stanza, __: Scene) -> Iterator[Change]:
    edits = []
    for a in tokens(stanza.xml).attributes:
        old = stanza.xml[a.value_end]
        new = '"' if old == "'" else "'"
        value = stanza.xml[a.value_start : a.value_end].replace(new, "&quot;" if new == '"' else "&apos;")
        edits.append((a.value_start - 1, a.value_end + 1, f"{new}{value}{new}"))
    yield from _rewritten(stanza, "all values", "the other quotes", _replaced(stanza, edits))


@operator(Family.BYTES, "White space within tags.", _same, valid=True)
def white_space_in_tags(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    space = pick(source, (" ", "\n", "\t", "\r\n", " \n\t "))
    edits = []
    for tag in tokens(stanza.xml).tags:
        end = tag.end - 1 if stanza.xml[tag.end - 2] != "/" else tag.end - 2
        edits.append((end, end, space))
        edits += [(a.start, a.start, space) for a in tag.attributes]
        edits += [(a.value_start - 1, a.value_start - 1, space) for a in tag.attributes]
    yield from _rewritten(stanza, "all tags", "more white space", _replaced(stanza, edits))


@operator(Family.BYTES, "The attributes of each element in reverse order.", _same, valid=True)
def attributes_in_reverse(_: Source, stanza: Stanza, __: Scene) -> Iterator[Change]:
    edits = []
    for tag in tokens(stanza.xml).openings:
        written = [stanza.xml[a.start : a.end] for a in tag.attributes]
        edits += [(a.start, a.end, new) for a, new in zip(tag.attributes, reversed(written), strict=True)]
    yield from _rewritten(stanza, "all elements", "the reverse order", _replaced(stanza, edits))


@operator(Family.BYTES, "Namespace declarations that change nothing.", _same, valid=True)
def redundant_declarations(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    tag = pick(source, tokens(stanza.xml).openings)
    kinds = ("xmlns:a='urn:stanzalab:0'", "xmlns:c='jabber:client'", "xmlns:stream='urn:stanzalab:0'")
    declaration = f" {pick(source, kinds)}"
    yield from _rewritten(
        stanza, tag.place, declaration, _replaced(stanza, [(tag.name_end, tag.name_end, declaration)])
    )


@operator(Family.BYTES, "A prefix for the payload's namespace (RFC 6120 §8.4).", _same, valid=True)
def prefixed_payload(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    found = tokens(stanza.xml)
    roots = [n for n, tag in enumerate(found.tags) if tag.kind != "end" and tag.depth == 1 and _declares(found, n)]
    if roots:
        prefix = pick(source, ("p", "stream", "xmpp.-_1"))
        edits = _prefixed(found, pick(source, roots), prefix)
        yield from _rewritten(stanza, "the payload", f"{prefix}:", _replaced(stanza, edits))


def _declares(found: Tokens, number: int) -> bool:
    """Whether this element declares a default namespace, and none within it does."""
    within = [tag for tag in _subtree(found, number) if any(a.name == "xmlns" for a in tag.attributes)]
    return within == [found.tags[number]] and ":" not in found.tags[number].name


def _subtree(found: Tokens, number: int) -> list[Tag]:
    end = element_end(found.tags, number)
    return [tag for tag in found.tags[number:] if tag.end <= end]


def _prefixed(found: Tokens, number: int, prefix: str) -> list[tuple[int, int, str]]:
    edits = []
    for tag in _subtree(found, number):
        if ":" not in tag.name:
            start = tag.name_end - len(tag.name)
            edits.append((start, start, f"{prefix}:"))
    declaration = next(a for a in found.tags[number].attributes if a.name == "xmlns")
    edits.append((declaration.start, declaration.start + len("xmlns"), f"xmlns:{prefix}"))
    return edits


@operator(Family.BYTES, "Empty elements as a start tag and an end tag.", _same, valid=True)
def empty_in_long_form(_: Source, stanza: Stanza, __: Scene) -> Iterator[Change]:
    empty = [tag for tag in tokens(stanza.xml).tags if tag.kind == "empty"]
    edits = [(tag.end - 2, tag.end, f"></{tag.name}>") for tag in empty]
    yield from _rewritten(stanza, "all empty elements", "the long form", _replaced(stanza, edits))


@operator(
    Family.BYTES, "White space before the stanza, as keepalives are (RFC 6120 §4.6.1, §11.7).", _same, valid=True
)
def white_space_before(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    space = pick(source, (" ", "\n", "\t", "\r\n", " " * 100))
    yield from _rewritten(stanza, "before the stanza", repr(space), (space + stanza.xml).encode())


@operator(
    Family.PROTOCOL, "A stanza as large as any server must take (RFC 6120 §13.12).", _same, valid=True, heavy=True
)
def size_just_under_limit(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    """White space in its first tag counts, and is read by nobody."""
    room = LEAST_LIMIT - source.integer(15) - len(stanza.xml.encode())
    tag = tokens(stanza.xml).tags[0]
    if room > 0:
        padded = _replaced(stanza, [(tag.name_end, tag.name_end, " " * room)])
        yield from _rewritten(stanza, tag.place, f"{len(padded)} bytes", padded)
