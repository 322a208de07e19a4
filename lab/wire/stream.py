"""An XMPP stream as data: bytes in, events out, no I/O (RFC 6120 §4).

`Stream.receive_data(bytes)` then `Stream.next_event()` until it answers `None` (more bytes are needed). One
object serves one connection; `restart()` begins the next stream on it (after STARTTLS and after SASL).

    state      bytes seen                       event          next state
    PROLOG     XML declaration, white space     -              PROLOG
    PROLOG     <stream:stream ...>              StreamOpened   OPEN
    OPEN       a whole child of the root        Received       OPEN
    OPEN       white space                      -              OPEN
    OPEN       </stream:stream>                 StreamClosed   CLOSED
    CLOSED     white space                      -              CLOSED
    any        anything else                    raises PeerViolation; the stream is BROKEN

The reader is strict where RFC 6120 §11.1 is (no comment, processing instruction, DTD or entity beyond the
predefined five) and bounded where a hostile peer could make it work without end: bytes in the prolog, bytes
in one stanza, depth. What we *send* is nobody's business here: a lab must be able to send anything.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import cast

from lxml import etree

from lab.errors import PeerError
from lab.wire.namespaces import STREAM

Element = etree._Element

PROLOG_BYTES = 8 * 1024
STANZA_BYTES = 16 * 1024 * 1024
DEPTH = 200


class PeerViolation(PeerError):
    """The peer sent bytes that are no XMPP stream. `condition` is the stream error that names it (§4.9.3)."""

    def __init__(self, message: str, *, condition: str = "not-well-formed", **kw: str) -> None:
        super().__init__(message, **kw)
        self.condition = condition


@dataclass(frozen=True)
class StreamOpened:
    """The peer's stream header (§4.7). `element` is the root with its attributes and no children."""

    element: Element

    def get(self, attribute: str) -> str | None:
        return self.element.get(attribute)

    @property
    def content_namespace(self) -> str | None:
        """The default namespace that the header declares (§4.8.2)."""
        return self.element.nsmap.get(None)


@dataclass(frozen=True)
class Received:
    """A whole first-level child of the stream: a stanza, features, an error, a nonza."""

    element: Element


@dataclass(frozen=True)
class StreamClosed:
    """The peer's closing tag (§4.4)."""


Event = StreamOpened | Received | StreamClosed


class State(Enum):
    PROLOG = auto()
    OPEN = auto()
    CLOSED = auto()
    BROKEN = auto()


# What may stand before the root element: an XML declaration and white space, nothing else (§11.1, §11.4).
_PROLOG = re.compile(rb"\s*(?:<\?xml\s[^<>]*\?>)?\s*<(?![!?])[^\s]")
_PROLOG_SO_FAR = re.compile(rb"\s*(?:<\?xml\s[^<>]*\?>\s*)?(?:<(?:\?(?:x(?:m(?:l(?:\s[^<>]*)?)?)?)?)?)?\Z")
_REFERENCE = re.compile(rb"&(?:(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#x[0-9a-fA-F]{1,6});)?")
_LONGEST_REFERENCE = 10


class Stream:
    """The receiving half of one XML stream. See the module's table."""

    def __init__(self, *, stanza_bytes: int = STANZA_BYTES, depth: int = DEPTH) -> None:
        self._stanza_bytes = stanza_bytes
        self._depth_limit = depth
        self.restart()

    def restart(self) -> None:
        """Forget all that was read: the next bytes begin a new stream (§4.3.3)."""
        self.state = State.PROLOG
        self._prolog = b""
        self._events: deque[Event] = deque()
        self._violation: PeerViolation | None = None
        self._root: Element | None = None
        self._depth = 0
        self._pending = 0
        self._references = _References()
        self._parser = etree.XMLPullParser(
            events=("start", "end", "comment", "pi"), resolve_entities=False, no_network=True, huge_tree=False
        )

    def receive_data(self, data: bytes) -> None:
        """Take bytes from the peer. Violations are raised by `next_event`, behind the events before them."""
        if self.state is State.BROKEN or not data:
            return
        try:
            if self.state is State.CLOSED:
                _refuse_trailing(data)
            else:
                self._feed(data)
        except PeerViolation as violation:
            self._violation = violation
            self.state = State.BROKEN

    def next_event(self) -> Event | None:
        """The next event, or None when more bytes are needed. Raises PeerViolation."""
        if self._events:
            return self._events.popleft()
        if self._violation:
            raise self._violation
        return None

    def _feed(self, data: bytes) -> None:
        if self.state is State.PROLOG:
            self._prolog += data
            if not _PROLOG.match(self._prolog):
                _check_prolog(self._prolog)
                return
            data, self._prolog = self._prolog, b""
        self._references.scan(data)
        self._pending += len(data)
        try:
            self._parser.feed(data)
        except etree.XMLSyntaxError as error:
            self._drain()
            if self.state is State.CLOSED:
                raise PeerViolation("data after the end of the stream", seen=str(error)) from error
            raise PeerViolation("the XML is not well-formed", seen=str(error)) from error
        self._drain()
        if self._pending > self._stanza_bytes:
            raise PeerViolation(f"one stanza of more than {self._stanza_bytes} bytes", condition="policy-violation")

    def _drain(self) -> None:
        events = cast("Iterator[tuple[str, Element]]", self._parser.read_events())
        for kind, element in events:
            if kind == "start":
                self._start(element)
            elif kind == "end":
                self._end(element)
            else:
                raise PeerViolation(
                    f"{'a comment' if kind == 'comment' else 'a processing instruction'} in the stream",
                    condition="restricted-xml",
                )

    def _start(self, element: Element) -> None:
        _refuse_undeclared_prefixes(element)
        self._depth += 1
        if self._depth > self._depth_limit:
            raise PeerViolation(f"elements nested deeper than {self._depth_limit}", condition="policy-violation")
        if self._root is None:
            self._root = element
            if element.tag != f"{{{STREAM}}}stream":
                raise PeerViolation(
                    "the root element is not a stream header",
                    condition="invalid-namespace",
                    expected=f"{{{STREAM}}}stream",
                    seen=str(element.tag),
                )
            self.state = State.OPEN
            self._pending = 0
            header = etree.Element(element.tag, cast("dict[str, str]", element.attrib), nsmap=cast("dict[str, str]", element.nsmap))
            self._events.append(StreamOpened(header))

    def _end(self, element: Element) -> None:
        self._depth -= 1
        root = self._root
        if root is None:
            return
        if self._depth == 1:
            _refuse_text(root.text)
            _refuse_text(element.tail)
            element.tail = root.text = None
            root.remove(element)
            self._pending = 0
            self._events.append(Received(element))
        elif self._depth == 0:
            _refuse_text(root.text)
            self.state = State.CLOSED
            self._events.append(StreamClosed())


class _References:
    """Finds references to entities that XMPP forbids, across any split of the bytes (§11.1).

    libxml2 falls silent at an undefined entity instead of raising, so it must never see one.
    """

    def __init__(self) -> None:
        self._tail = b""
        self._in_cdata = False

    def scan(self, data: bytes) -> None:
        data = self._tail + data
        at = 0
        while True:
            if self._in_cdata:
                end = data.find(b"]]>", at)
                if end < 0:
                    self._tail = data[max(at, len(data) - 2) :]
                    return
                at, self._in_cdata = end + 3, False
            cdata = data.find(b"<![CDATA[", at)
            stop = len(data) if cdata < 0 else cdata
            open_at = self._check(data, at, stop)
            if cdata < 0:
                self._tail = data[open_at:] if open_at is not None else _cdata_prefix(data[at:])
                return
            at, self._in_cdata = cdata + 9, True

    def _check(self, data: bytes, start: int, stop: int) -> int | None:
        """Check the references in data[start:stop]; answers where an unfinished one begins."""
        at = data.find(b"&", start, stop)
        while at >= 0:
            found = _REFERENCE.match(data, at, stop)
            assert found is not None  # noqa: S101 - the pattern begins with the byte that was found
            if found.end() == at + 1:
                if b";" not in data[at:stop] and stop - at < _LONGEST_REFERENCE and stop == len(data):
                    return at
                raise PeerViolation(
                    "a reference to an entity that is not predefined",
                    condition="restricted-xml",
                    seen=data[at : at + 20].decode("utf-8", "replace"),
                )
            at = data.find(b"&", found.end(), stop)
        return None


def _cdata_prefix(data: bytes) -> bytes:
    """The end of `data` that may be the beginning of a CDATA section."""
    for length in range(min(8, len(data)), 0, -1):
        if b"<![CDATA[".startswith(data[-length:]):
            return data[-length:]
    return b""


def _check_prolog(prolog: bytes) -> None:
    if len(prolog) > PROLOG_BYTES:
        raise PeerViolation("no stream header within the first bytes", seen=f"{len(prolog)} bytes")
    if not _PROLOG_SO_FAR.match(prolog):
        restricted = b"<!" in prolog or b"<?" in prolog
        raise PeerViolation(
            "something other than an XML declaration before the stream header",
            condition="restricted-xml" if restricted else "not-well-formed",
            seen=prolog[:80].decode("utf-8", "backslashreplace"),
        )


def _refuse_trailing(data: bytes) -> None:
    if data.strip():
        raise PeerViolation("data after the end of the stream", seen=data[:80].decode("utf-8", "backslashreplace"))


def _refuse_text(text: str | None) -> None:
    if text and not text.isspace():
        raise PeerViolation("text between stanzas", condition="bad-format", seen=text[:80])


def _refuse_undeclared_prefixes(element: Element) -> None:
    """libxml2 takes an undeclared prefix for a part of the name; namespaces in XML do not (§4.8.5)."""
    names = [str(element.tag), *map(str, element.attrib)] if element.attrib else [str(element.tag)]
    for name in names:
        if ":" in name and name[0] != "{":
            raise PeerViolation(
                "a prefix that no namespace was declared for", condition="bad-namespace-prefix", seen=name
            )
