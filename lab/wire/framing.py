"""XML streams cut into documents, as data: WebSocket messages (RFC 7395), BOSH bodies (XEP-0124, XEP-0206).

Both readers are what `Stream` is for TCP: whole documents in by `receive_data`, the same events out, no I/O. What
RFC 6120 §11.1 forbids in XML is forbidden in each document, and `Stream` itself looks for it.

    FramedStream: state   message                  event          next state
                  PROLOG  <open/>                  StreamOpened   OPEN
                  PROLOG, OPEN  <close/>           StreamClosed   CLOSED
                  OPEN    any other element        Received       OPEN
    BodyStream:   PROLOG  the first <body/> with something in it  StreamOpened, then as OPEN
                  OPEN    <body>…</body>           Received for each child
                  any     <body type='terminate'>  StreamClosed behind them, CLOSED
    any           anything else                    raises PeerViolation; the stream is BROKEN
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable

from lxml import etree

from lab.wire.namespaces import CLIENT, FRAMING, HTTPBIND, STREAM, XBOSH, XML_LANG
from lab.wire.stream import (
    Element,
    Event,
    PeerViolation,
    Reader,
    Received,
    State,
    Stream,
    StreamClosed,
    StreamOpened,
)

_DECLARATION = re.compile(rb"\A<\?xml\s[^<>]*\?>\s*")
_STANZAS = ("message", "presence", "iq")
_ATTRIBUTE = r"\s+([^\s=>/]+)\s*=\s*(?:'[^']*'|\"[^\"]*\")"
_START = re.compile(rf"\s*<([^\s/>!?]+)((?:{_ATTRIBUTE})*)\s*/?>")


class _Documents(Reader):
    """What both readers share: one whole document at a time."""

    def __init__(self) -> None:
        self.restart()

    def _feed(self, data: bytes) -> None:
        self._events.extend(self._take(self._read(data)))

    def _refuse(self, data: bytes) -> None:
        raise PeerViolation("data after the end of the stream", seen=_excerpt(data))

    def _read(self, data: bytes) -> Element:
        return root_of(data)

    def _take(self, root: Element) -> Iterable[Event]:
        raise NotImplementedError


class FramedStream(_Documents):
    """The receiving half of a framed XML stream.

    `last` is the <close/> that ended it, with its attributes; `declarations` counts messages with an XML declaration,
    `undeclared` those that use the prefix `stream` without declaring it: that has a check of its own, and would hide
    what other checks want to see.
    """

    last: Element | None = None
    declarations = 0
    undeclared = 0

    def receive_data(self, data: bytes) -> None:
        self.declarations += bool(_DECLARATION.match(data))
        super().receive_data(data)

    def _read(self, data: bytes) -> Element:
        try:
            return root_of(data)
        except PeerViolation as violation:
            if violation.condition != "bad-namespace-prefix":
                raise
        root = root_of(data, outer="stream")
        self.undeclared += 1
        return root

    def _take(self, root: Element) -> Iterable[Event]:
        if root.tag == f"{{{FRAMING}}}close":
            self.last = root
            self.state = State.CLOSED
            return [StreamClosed()]
        opens = root.tag == f"{{{FRAMING}}}open"
        if opens != (self.state is State.PROLOG):
            raise PeerViolation(
                "<open/> within a stream" if opens else "the first message is no <open/>",
                condition="bad-format",
                seen=_shown(root),
            )
        self.state = State.OPEN
        return [StreamOpened(root) if opens else Received(root)]


class BodyStream(_Documents):
    """The receiving half of a BOSH session. With `whole`, each <body/> is one event, for checks of BOSH itself.

    The stream header that a connection manager does not show (XEP-0206 §3) is made up from the session creation
    response: `from`, `version`, `xml:lang`, and the stream's id where `authid` tells it.
    """

    def __init__(self, *, whole: bool = False) -> None:
        super().__init__()
        self._whole = whole
        self._told: dict[str, str] = {}

    def _take(self, root: Element) -> Iterable[Event]:
        if root.tag != f"{{{HTTPBIND}}}body":
            raise PeerViolation("the response holds no <body/>", condition="bad-format", seen=_shown(root))
        if self._whole:
            return [Received(root)]
        self._learn(root)
        events: list[Event] = []
        if self.state is State.PROLOG and len(root):
            events.append(StreamOpened(etree.Element(f"{{{STREAM}}}stream", self._told)))
            self._told.pop("id", None)
            self.state = State.OPEN
        events += [Received(_as_stanza(child)) for child in root]
        if root.get("type") == "terminate":
            self.state = State.CLOSED
            events.append(StreamClosed(root.get("condition", "")))
        return events

    def _learn(self, body: Element) -> None:
        sources = {"from": "from", "authid": "id", f"{{{XBOSH}}}version": "version", XML_LANG: XML_LANG}
        for source, target in sources.items():
            value = body.get(source)
            if value is not None:
                self._told[target] = value


def root_of(data: bytes, *, outer: str = "lab-outer") -> Element:
    """The root element of a document that RFC 6120 §11.1 lets pass. Raises PeerViolation.

    The first character is `<` (RFC 7395 §3.3.3), and there is one root element; an XML declaration is allowed.
    """
    if not data.startswith(b"<"):
        raise PeerViolation("the first character is no '<'", condition="bad-format", seen=_excerpt(data))
    stream = Stream()
    # The usual prefix is one that no document means by chance: each declares all its namespaces itself.
    stream.receive_data(f"<{outer}:stream xmlns:{outer}='{STREAM}'>".encode())
    stream.receive_data(_DECLARATION.sub(b"", data))
    roots = []
    while (event := stream.next_event()) is not None:
        if isinstance(event, Received):
            roots.append(event.element)
        elif isinstance(event, StreamClosed):
            raise PeerViolation("the XML is not well-formed", seen=_excerpt(data))
    if len(roots) != 1:
        raise PeerViolation(
            "not one element in one document", condition="bad-format", expected="one element", seen=_excerpt(data)
        )
    return roots[0]


def with_namespace(xml: str, namespace: str = CLIENT) -> str:
    """`xml` with `namespace` declared as the default one in its first start tag, unless that declares one itself.

    The prefix `stream` is declared where it is used there. What begins with no start tag is left as it is.
    """
    start = _START.match(xml)
    if start is None:
        return xml
    name, attributes = start[1], set(re.findall(_ATTRIBUTE, start[2]))
    declared = ""
    if "xmlns" not in attributes and ":" not in name:
        declared += f" xmlns='{namespace}'"
    if name.startswith("stream:") and "xmlns:stream" not in attributes:
        declared += f" xmlns:stream='{STREAM}'"
    at = start.end(1)
    return xml[:at] + declared + xml[at:]


def _as_stanza(child: Element) -> Element:
    """A payload of its own. Many connection managers leave stanzas in BOSH's namespace (XEP-0206 §2)."""
    payload = copy.deepcopy(child)
    payload.tail = None
    if payload.tag in {f"{{{HTTPBIND}}}{name}" for name in _STANZAS}:
        for node in payload.iter(f"{{{HTTPBIND}}}*"):
            node.tag = f"{{{CLIENT}}}{etree.QName(node).localname}"
    return payload


def _excerpt(data: bytes) -> str:
    return data[:200].decode("utf-8", "backslashreplace")


def _shown(element: Element) -> str:
    return etree.tostring(element, encoding="unicode", with_tail=False)[:200]
