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

import copy
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
_WHITE_SPACE = " \t\r\n"


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
    """The peer's closing tag (§4.4). `condition` is why, where what carries the stream says it (XEP-0124 §17.2)."""

    condition: str = ""


Event = StreamOpened | Received | StreamClosed


class State(Enum):
    PROLOG = auto()
    OPEN = auto()
    CLOSED = auto()
    BROKEN = auto()


_DECLARATION = re.compile(rb"<\?xml\s[^<>]*\?>")
_ENCODING = re.compile(rb"""encoding\s*=\s*["']([^"']*)["']""")
_REFERENCE = re.compile(rb"&(?:amp|lt|gt|quot|apos|#[0-9]{1,20}|#x[0-9a-fA-F]{1,20});")
_UNFINISHED_REFERENCE = re.compile(
    rb"&(?:#(?:[0-9]{0,20}|x[0-9a-fA-F]{0,20})|a(?:mp?|p(?:os?)?)?|lt?|gt?|q(?:u(?:ot?)?)?)?\Z"
)


class Reader:
    """The receiving half of a stream, whatever carries it: `Stream` and its kin in `lab.wire.framing`.

    Bytes in, events out in order, the first violation behind them.
    """

    def restart(self) -> None:
        """Forget all that was read: what comes next begins a new stream (§4.3.3)."""
        self.state = State.PROLOG
        self._events: deque[Event] = deque()
        self._violation: PeerViolation | None = None

    def receive_data(self, data: bytes) -> None:
        """Take bytes from the peer. Violations are raised by `next_event`, behind the events before them."""
        if self.state is State.BROKEN or not data:
            return
        try:
            if self.state is State.CLOSED:
                self._refuse(data)
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
        """Read on. Raises PeerViolation."""
        raise NotImplementedError

    def _refuse(self, data: bytes) -> None:
        """Raise PeerViolation for what comes behind the end, as far as that is one."""
        raise NotImplementedError


class Stream(Reader):
    """The receiving half of one XML stream. See the module's table."""

    def __init__(self, *, stanza_bytes: int = STANZA_BYTES, depth: int = DEPTH) -> None:
        self._stanza_bytes = stanza_bytes
        self._depth_limit = depth
        self.restart()

    def restart(self) -> None:
        super().restart()
        self._prolog: bytes | None = b""  # None once the root element has begun
        self._root: Element | None = None
        self._depth = 0
        self._pending = 0
        self._references = _References()
        self._parser = etree.XMLPullParser(
            events=("start", "end", "comment", "pi"),
            encoding="utf-8",
            resolve_entities=False,
            no_network=True,
            huge_tree=False,
        )

    def _feed(self, data: bytes) -> None:
        self._pending += len(data)
        if self._prolog is not None:
            self._prolog += data
            begun = _prolog_end(self._prolog)
            if not begun and self._pending > PROLOG_BYTES:
                raise PeerViolation(
                    "no stream header within the first bytes",
                    condition="policy-violation",
                    seen=f"{self._pending} bytes",
                )
            if not begun:
                return
            data, self._prolog = self._prolog.lstrip(), None
        forbidden = self._references.find_forbidden(data)
        try:
            self._parser.feed(data if forbidden is None else data[:forbidden])
        except etree.XMLSyntaxError as error:
            self._drain()
            if self.state is State.CLOSED:
                raise _trailing(str(error)) from error
            if "XML_PARSE_HUGE" in str(error):  # a limit of the parser's, not of XML's
                raise PeerViolation("more than we read", condition="policy-violation", seen=str(error)) from error
            raise PeerViolation("the XML is not well-formed", seen=str(error)) from error
        self._drain()
        if forbidden is not None:
            raise PeerViolation(
                "a reference to an entity that is not predefined",
                condition="restricted-xml",
                seen=data[forbidden : forbidden + 20].decode("utf-8", "replace"),
            )
        if self._pending > self._stanza_bytes:
            raise PeerViolation(f"one stanza of more than {self._stanza_bytes} bytes", condition="policy-violation")

    def _refuse(self, data: bytes) -> None:
        _refuse_trailing(data)

    def _drain(self) -> None:
        events = cast("Iterator[tuple[str, Element]]", self._parser.read_events())
        for kind, element in events:
            if self.state is State.CLOSED:
                raise _trailing(f"a {kind} event")
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
        _refuse_bad_names(element)
        self._depth += 1
        if self._depth > self._depth_limit:
            raise PeerViolation(f"elements nested deeper than {self._depth_limit}", condition="policy-violation")
        if self._root is None:
            self._root = element
            if element.tag != f"{{{STREAM}}}stream":
                raise PeerViolation(
                    "the root element is not a stream header",
                    condition="bad-format" if str(element.tag).startswith(f"{{{STREAM}}}") else "invalid-namespace",
                    expected=f"{{{STREAM}}}stream",
                    seen=str(element.tag),
                )
            self.state = State.OPEN
            self._pending = 0
            attributes = cast("dict[str, str]", element.attrib)
            header = etree.Element(element.tag, attributes, nsmap=cast("dict[str, str]", element.nsmap))
            self._events.append(StreamOpened(header))

    def _end(self, element: Element) -> None:
        self._depth -= 1
        root = self._root
        if root is None:
            return
        if self._depth == 1:
            _refuse_text(root.text)
            tail, element.tail, root.text = element.tail, None, None
            # A copy keeps the default namespace a default; taking the element itself out would rename it to ns0.
            self._events.append(Received(copy.deepcopy(element)))
            root.remove(element)
            self._pending = 0
            _refuse_text(tail)
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

    def find_forbidden(self, data: bytes) -> int | None:
        """Where in `data` the first forbidden reference stands (0 for one that began earlier), or None."""
        seen_before = len(self._tail)
        data = self._tail + data
        at = 0
        while True:
            if self._in_cdata:
                end = data.find(b"]]>", at)
                if end < 0:
                    self._tail = data[max(at, len(data) - 2) :]
                    return None
                at, self._in_cdata = end + 3, False
            cdata = data.find(b"<![CDATA[", at)
            stop = len(data) if cdata < 0 else cdata
            reference = _first_other_reference(data, at, stop)
            if cdata < 0 and reference is not None and _UNFINISHED_REFERENCE.match(data, reference):
                self._tail = data[reference:]
                return None
            if reference is not None:
                return max(reference - seen_before, 0)
            if cdata < 0:
                self._tail = _cdata_prefix(data[at:])
                return None
            at, self._in_cdata = cdata + 9, True


def _first_other_reference(data: bytes, start: int, stop: int) -> int | None:
    """Where in data[start:stop] the first `&` stands that begins no whole, permitted reference."""
    at = data.find(b"&", start, stop)
    while at >= 0:
        found = _REFERENCE.match(data, at, stop)
        if found is None:
            return at
        at = data.find(b"&", found.end(), stop)
    return None


def _cdata_prefix(data: bytes) -> bytes:
    """The end of `data` that may be the beginning of a CDATA section."""
    for length in range(min(8, len(data)), 0, -1):
        if b"<![CDATA[".startswith(data[-length:]):
            return data[-length:]
    return b""


def _prolog_end(prolog: bytes) -> bool:
    """Whether the root element begins in `prolog`. Raises PeerViolation for what must not stand before it.

    White space before the XML declaration is what a keepalive at the end of the stream before leaves (§4.6.1).
    """
    prolog = prolog.lstrip()
    declaration = _DECLARATION.match(prolog)
    if declaration is None and _may_become_declaration(prolog):
        return False
    if declaration is not None:
        encoding = _ENCODING.search(declaration[0])
        if encoding is not None and encoding[1].lower() != b"utf-8":
            raise _bad_prolog("an encoding other than UTF-8", "unsupported-encoding", prolog)
    rest = prolog[declaration.end() :].lstrip() if declaration else prolog
    if rest in {b"", b"<"}:
        return False
    if rest.startswith((b"\xff", b"\xfe", b"\0", b"<\0")):
        raise _bad_prolog("an encoding other than UTF-8", "unsupported-encoding", prolog)
    if rest.startswith((b"<!", b"<?")):
        raise _bad_prolog(
            "something other than an XML declaration before the stream header", "restricted-xml", prolog
        )
    if not rest.startswith(b"<"):
        raise _bad_prolog("something other than XML before the stream header", "not-well-formed", prolog)
    return True


def _may_become_declaration(prolog: bytes) -> bool:
    return (
        b"<?xml".startswith(prolog[:5])
        and (len(prolog) < 6 or prolog[5:6].isspace())
        and b">" not in prolog
        and b"<" not in prolog[1:]
    )


def _bad_prolog(message: str, condition: str, prolog: bytes) -> PeerViolation:
    return PeerViolation(message, condition=condition, seen=prolog[:80].decode("utf-8", "backslashreplace"))


def _trailing(seen: str) -> PeerViolation:
    return PeerViolation("data after the end of the stream", seen=seen)


def _refuse_trailing(data: bytes) -> None:
    if data.strip():
        raise _trailing(data[:80].decode("utf-8", "backslashreplace"))


def _refuse_text(text: str | None) -> None:
    if text and text.strip(_WHITE_SPACE):
        raise PeerViolation("text between stanzas", condition="bad-format", seen=text[:80])


def _refuse_bad_names(element: Element) -> None:
    """libxml2 takes an undeclared prefix for a part of the name; namespaces in XML do not (§4.8.5)."""
    attributes = cast("list[str]", element.keys())
    for name in (str(element.tag), *attributes):
        if ":" in name.rpartition("}")[2]:
            raise PeerViolation(
                "a prefix that no namespace was declared for", condition="bad-namespace-prefix", seen=name
            )
    if len(set(attributes)) < len(attributes):
        raise PeerViolation("two attributes of one name and namespace", seen=", ".join(attributes))
