"""XMPP over WebSocket (RFC 7395): the opening handshake, one message for each element, the closing handshake.

`WebSocket` is the connection (frames by wsproto), `WebSocketSession` the entity's session on it. Whatever a check
wants to send, it can: any event of wsproto, and any bytes below it.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Iterable, Sequence
from xml.sax.saxutils import quoteattr

from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    Pong,
    RejectConnection,
    Request,
    TextMessage,
)
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from lab.errors import LabError, PeerError, UsageError
from lab.wire.framing import FramedStream, with_namespace
from lab.wire.namespaces import FRAMING
from lab.wire.session import Observer, Session
from lab.wire.trace import Trace
from lab.wire.transport import ConnectionLost, NoAnswer, Transport

SUBPROTOCOL = "xmpp"
NORMAL_CLOSURE = 1000
ANSWER_SECONDS = 1.0  # for a pong, or our half of the closing handshake, to be taken


class HandshakeRefused(PeerError):
    """The server answered the opening handshake with an HTTP status of another kind."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(f"the WebSocket handshake was refused with HTTP status {status}", expected="status 101")


class WebSocket:
    """One connection, on a transport that is there already; what is no message is told to the trace as a note."""

    def __init__(self, transport: Transport, trace: Trace, label: str) -> None:
        self.transport = transport
        self.accepted: AcceptConnection | None = None
        self.pongs: list[bytes] = []
        self.closed: CloseConnection | None = None
        """The close frame that came."""
        self._trace, self._label = trace, label
        self._frames = WSConnection(ConnectionType.CLIENT)
        self._parts: list[str] = []
        self._messages: deque[bytes] = deque()
        self._closing = self._ended = False

    @property
    def subprotocol(self) -> str | None:
        """What the server agreed to."""
        return self.accepted.subprotocol if self.accepted else None

    def shake_hands(
        self,
        host: str,
        path: str,
        *,
        timeout: float,
        subprotocols: Sequence[str] = (SUBPROTOCOL,),
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        """The opening handshake (RFC 6455 §4.1). Raises HandshakeRefused, PeerError, ConnectionLost, NoAnswer."""
        extra = [(name.encode(), value.encode()) for name, value in headers]
        asked = Request(host=host, target=path, subprotocols=list(subprotocols), extra_headers=extra)
        self.send_event(asked, timeout=timeout)
        deadline = time.monotonic() + timeout
        while self.accepted is None:
            if self._ended:
                raise ConnectionLost("the peer closed the connection in the WebSocket handshake")
            self._pump(deadline)

    def send(self, data: bytes, *, timeout: float) -> None:
        """One text message, in one frame."""
        self.send_event(TextMessage(data.decode()), timeout=timeout)

    def send_event(self, event: Event, *, timeout: float) -> None:
        """Any frame: BytesMessage, a TextMessage that is not finished, Ping, CloseConnection, …"""
        if not isinstance(event, TextMessage):
            self._note(f"sends {type(event).__name__}")
        try:
            data = self._frames.send(event)
        except LocalProtocolError as error:
            if self.closed is not None:
                raise ConnectionLost("the peer has closed the WebSocket", seen=str(error)) from error
            raise UsageError("this cannot be sent in a WebSocket now", cause=str(error)) from error
        self._closing = self._closing or isinstance(event, CloseConnection)
        self.transport.send(data, timeout=timeout)

    def receive(self, *, timeout: float) -> bytes:
        """The next message, or b"" when the peer has closed, by frame or without.

        Raises NoAnswer, ConnectionLost, and PeerError where the peer breaks WebSocket's rules or sends binary data.
        """
        deadline = time.monotonic() + timeout
        while not self._messages:
            if self.closed is not None or self._ended:
                return b""
            self._pump(deadline)
        return self._messages.popleft()

    def ping(self, payload: bytes = b"lab", *, timeout: float) -> None:
        """Send a ping frame and wait for its pong; messages that come before it stay to be received.

        Raises NoAnswer, ConnectionLost where the peer closes in place of answering.
        """
        self.send_event(Ping(payload), timeout=timeout)
        deadline = time.monotonic() + timeout
        while payload not in self.pongs:
            if self.closed is not None or self._ended:
                raise ConnectionLost("the peer closed the WebSocket before it answered a ping")
            self._pump(deadline)

    def wait_until_closed(self, *, timeout: float) -> CloseConnection | None:
        """The close frame that comes, or None where the connection ends without. Messages before it are passed over.

        Raises NoAnswer where neither comes.
        """
        deadline = time.monotonic() + timeout
        while self.closed is None and not self._ended:
            self._pump(deadline)
        return self.closed

    def wait_for_the_end(self, *, timeout: float) -> None:
        """Wait until the peer has ended the TCP connection, too. Raises NoAnswer."""
        deadline = time.monotonic() + timeout
        with contextlib.suppress(ConnectionLost):  # reset is ended as well
            while not self._ended and (left := deadline - time.monotonic()) > 0:
                self._ended = not self.transport.receive(timeout=left)
            if not self._ended:
                raise NoAnswer("the peer goes on sending behind the end of the WebSocket")

    @property
    def waiting(self) -> int:
        """How many messages have come and were not received yet."""
        return len(self._messages)

    def _pump(self, deadline: float) -> None:
        """Read once, and take what it brings."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise NoAnswer("nothing came over the WebSocket in time")
        data = self.transport.receive(timeout=left)
        if not data:
            self._ended = True
            return
        try:
            self._frames.receive_data(data)
            for event in self._frames.events():
                self._take(event)
        except RemoteProtocolError as error:
            raise PeerError("the peer broke the rules of WebSocket (RFC 6455)", seen=str(error)) from error

    def _take(self, event: Event) -> None:
        match event:
            case AcceptConnection():
                self.accepted = event
                self._note(f"WebSocket: agreed on the subprotocol {event.subprotocol or '(none)'}")
            case RejectConnection():
                self._note(f"WebSocket: refused with HTTP status {event.status_code}")
                raise HandshakeRefused(event.status_code)
            case TextMessage():
                self._parts.append(event.data)
                if event.message_finished:
                    self._messages.append("".join(self._parts).encode())
                    self._parts = []
            case BytesMessage():
                expected = "text messages alone (RFC 7395 §3.2)"
                raise PeerError("a binary WebSocket message came", expected=expected, seen=repr(bytes(event.data)))
            case Ping():
                self._answer(event.response())
            case Pong():
                self.pongs.append(bytes(event.payload))
                self._note("received Pong")
            case CloseConnection():
                self.closed = event
                self._note(f"received CloseConnection, code {event.code} {event.reason or ''}".rstrip())
                if not self._closing:
                    self._answer(event.response())
            case _:
                self._note(f"received {type(event).__name__}")

    def _answer(self, event: Event) -> None:
        with contextlib.suppress(PeerError):  # who sent it may be gone already
            self.send_event(event, timeout=ANSWER_SECONDS)

    def _note(self, text: str) -> None:
        self._trace.note(self._label, text)


class WebSocketSession(Session):
    """A session whose stanzas are WebSocket messages. `socket` sends any frame; `send_raw` any text message."""

    def __init__(
        self,
        transport: Transport,
        *,
        domain: str,
        patience: float,
        trace: Trace | None = None,
        label: str = "session",
        observer: Observer | None = None,
    ) -> None:
        super().__init__(transport, domain=domain, patience=patience, trace=trace, label=label, observer=observer)
        self.framed = FramedStream()
        self.stream = self.framed
        self.socket = WebSocket(transport, self.trace, self.label)

    def opening(self) -> str:
        """The <open/> that begins a stream or the next one (RFC 7395 §3.4, §3.7)."""
        return f"<open xmlns='{FRAMING}' to={quoteattr(self.domain)} version='1.0' xml:lang='en'/>"

    def closing(self) -> str:
        return f"<close xmlns='{FRAMING}'/>"

    def dressed(self, xml: str) -> str:
        """As a document of its own, with all its namespaces (RFC 7395 §3.3.3)."""
        return with_namespace(xml)

    def send_together(self, stanzas: Iterable[str]) -> None:
        for stanza in stanzas:
            self.send(stanza)

    def send_frames(self, xml: str, *frames: Event) -> None:
        """Send `xml` as these frames, for checks of frames: trace and observer take it for what it says."""
        self.trace.sent(self.label, xml.encode())
        try:
            for frame in frames:
                self.socket.send_event(frame, timeout=self.patience)
        finally:
            if self.observer is not None:
                self.observer.sent(self, xml.encode())

    def _transmit(self, data: bytes) -> None:
        self.socket.send(data, timeout=self.patience)

    def _fetch(self, timeout: float) -> bytes:
        return self.socket.receive(timeout=timeout)

    def close(self, *, farewell: float = 0.0) -> None:
        try:
            if self.header is not None and self.socket.closed is None:
                self.send_raw(self.closing().encode())
                self.socket.send_event(CloseConnection(NORMAL_CLOSURE), timeout=self.patience)
            deadline = time.monotonic() + farewell
            while (left := deadline - time.monotonic()) > 0 and self._fetch(left):
                continue
        except LabError as error:
            self.trace.note(self.label, f"closing: {error.message}")
        finally:
            self.transport.close()
