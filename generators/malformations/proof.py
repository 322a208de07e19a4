"""What a strict reader makes of the bytes that an operator produced: proof that they are wrong, or that they are not.

Two readers: expat, which knows namespaces and answers within microseconds, decides whether an XMPP stream may go on
behind them (RFC 6120 §11); lxml gives the elements that schemas and predicates look at.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple
from xml.parsers import expat

from lxml import etree

from schemas.catalogue import Element, catalogue

CLIENT = "jabber:client"
STREAM = "http://etherx.jabber.org/streams"
HEADER = f"<stream:stream xmlns='{CLIENT}' xmlns:stream='{STREAM}' to='lab' version='1.0'>".encode()
FOOTER = b"</stream:stream>"
_SPACE = " \t\r\n"
_SEPARATOR = "\x1f"  # stands in no XML document, so no namespace name can hold it


class Reading(NamedTuple):
    """What was read behind a stream header.

    `fault` is why a reader must end the stream (empty: it need not), `whole` how many children of the stream are
    complete, `open` how deep within an unfinished one the reader stands, `closed` whether the stream was.
    """

    fault: str
    whole: int
    open: int
    closed: bool
    stray: bool  # character data between the children
    depth: int
    attributes: int  # the most of one element
    name: int  # the length of the longest name, of an element or an attribute

    @property
    def complete(self) -> bool:
        """Well-formed, and every child of the stream has ended."""
        return not self.fault and not self.open and not self.closed


class _Restricted(Exception):
    """A feature of XML that RFC 6120 §11.1 forbids."""


def read(data: bytes) -> Reading:
    """Read bytes as they would arrive within an open stream."""
    depth = deepest = whole = attributes = name = 0
    stray = False
    fault = ""

    def start(tag: str, found: list[str]) -> None:
        nonlocal depth, deepest, attributes, name
        depth += 1
        deepest = max(deepest, depth)
        attributes = max(attributes, len(found) // 2)
        name = max(name, len(tag), *map(len, found[::2])) if found else max(name, len(tag))

    def end(_: str) -> None:
        nonlocal depth, whole
        depth -= 1
        whole += depth == 1

    def text(characters: str) -> None:
        nonlocal stray
        stray = stray or (depth == 1 and bool(characters.strip(_SPACE)))

    def restricted(*_: object) -> None:
        raise _Restricted

    parser = expat.ParserCreate("utf-8", _SEPARATOR)
    parser.ordered_attributes = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    parser.Parse(HEADER, False)
    attributes = name = 0
    parser.CommentHandler = restricted
    parser.ProcessingInstructionHandler = restricted
    parser.StartDoctypeDeclHandler = restricted
    try:
        parser.Parse(data, False)
    except expat.ExpatError as error:
        fault = str(error)
    except _Restricted:
        fault = "a feature of XML that XMPP forbids"
    return Reading(fault, whole, max(depth - 1, 0), depth == 0, stray, deepest - 1, attributes, name)


def children(data: bytes) -> list[Element]:
    """The children of the stream; none where the bytes are not whole, well-formed stanzas."""
    try:
        return list(etree.fromstring(HEADER + data + FOOTER, _reader()))
    except etree.XMLSyntaxError:
        return []


def child(data: bytes) -> Element | None:
    """The one child of the stream that the bytes are; None where they are anything else."""
    found = children(data)
    return found[0] if len(found) == 1 else None


def mismatched(element: Element) -> bool:
    """Whether a schema says that something is wrong with a stanza, its children, or a nonza."""
    known = catalogue()
    if known.declares(str(element.tag)):
        return not known.valid(element)
    return any(known.declares(str(c.tag)) and not known.valid(c) for c in element)


Canonical = Callable[[str], str]


def canonical(data: bytes) -> str:
    """What a namespace-aware reader sees, in C14N 2.0 with its own prefixes. Raises XMLSyntaxError."""
    return str(etree.canonicalize(HEADER.decode() + data.decode() + FOOTER.decode(), rewrite_prefixes=True))


@cache
def _reader() -> etree.XMLParser:
    return etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
