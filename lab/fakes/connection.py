"""One connection to the fake server: bytes to stream events and back, TLS under it, stream errors, the end.

What is common to clients and components stands here. All of it runs in the event loop of `lab.fakes.server`.
"""

from __future__ import annotations

import asyncio
import ssl
from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, cast
from xml.sax.saxutils import escape, quoteattr

from lab.fakes.wellformed import WellFormed
from lab.wire.namespaces import STREAM, STREAM_ERROR
from lab.wire.stream import Element, Event, PeerViolation, Received, Stream, StreamClosed, StreamOpened

if TYPE_CHECKING:
    from lab.fakes.server import FakeServer

STANZA_BYTES = 256 * 1024  # RFC 6120 §13.12 wants 10,000 at the least


class Connection(asyncio.Protocol):
    """What a server does on any stream. `ended` is set when it will neither read nor write any more."""

    namespace = ""

    def __init__(self, server: FakeServer, *, tls: bool = False) -> None:
        self.server = server
        self.behaviour = server.behaviour
        self.stream = Stream(stanza_bytes=STANZA_BYTES)
        self._well_formed = WellFormed()
        self.header: StreamOpened | None = None
        self.stream_id = ""
        self.tls = tls
        self.ended = False
        self.paused = False  # the peer takes no more for now
        self._gone = False
        self.transport: asyncio.Transport
        self._early: bytes | None = None  # what came before the TLS handshake was told to be over

    # --- asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.server.connections.add(self)
        self.behaviour.on_connect(self)

    def data_received(self, data: bytes) -> None:
        if self._early is not None:
            self._early += data
        elif not self.ended:
            self.server.log(f"received {data[:500]!r}")
            self.behaviour.on_data(self, data)

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        self.behaviour.on_writable(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.server.connections.discard(self)
        self._leave()

    # --- receiving

    def take(self, data: bytes) -> None:
        """Read bytes of the stream and do what each event asks for, up to the first fault."""
        reader = self._well_formed
        fault = reader.first_fault(data)
        violation = self._take_events(data[:fault], self._on_event)
        if violation is None and fault is not None and not self.ended and reader is self._well_formed:
            # What stands behind the fault is only asked for its name.
            violation = self._take_events(data[fault:], lambda _: None) or PeerViolation("the XML is not well-formed")
        if violation is not None:
            self.fail(violation.condition, violation.message)

    def _take_events(self, data: bytes, on_event: Callable[[Event], None]) -> PeerViolation | None:
        self.stream.receive_data(data)
        try:
            while not self.ended and (event := self.stream.next_event()) is not None:
                on_event(event)
        except PeerViolation as violation:
            return violation
        return None

    def _on_event(self, event: Event) -> None:
        match event:
            case StreamOpened():
                self.header = event
                condition = self.refuses(event)
                if condition:
                    self.fail(condition)
                else:
                    self.behaviour.on_header(self)
            case Received():
                self.on_element(event.element)
            case StreamClosed():
                self.behaviour.on_close(self)

    @abstractmethod
    def refuses(self, header: StreamOpened) -> str:
        """The stream error that a peer's header deserves; empty where it is acceptable."""

    @abstractmethod
    def offer(self) -> None:
        """What follows the own stream header."""

    @abstractmethod
    def on_element(self, element: Element) -> None:
        """A first-level element of the stream."""

    def on_gone(self) -> None:
        """The stream is no more: called once, when it ends or when the connection is lost."""

    def _leave(self) -> None:
        self.ended = True
        if not self._gone:
            self._gone = True
            self.on_gone()

    # --- sending

    def send(self, xml: str) -> None:
        self.behaviour.send(self, xml.encode())

    def write(self, data: bytes) -> None:
        if not self.transport.is_closing():
            self.server.log(f"sent {data[:500]!r}")
            self.transport.write(data)

    def open_stream(self, *, version: str | None = "1.0") -> None:
        """Send our stream header (RFC 6120 §4.7)."""
        self.stream_id = self.behaviour.stream_id()
        sender = self.behaviour.addressee(self)
        self.send(
            f"<?xml version='1.0'?><stream:stream xmlns='{self.namespace}' xmlns:stream='{STREAM}' "
            f"from={quoteattr(self.own_name())} id='{self.stream_id}'"
            + (f" to={quoteattr(sender)}" if sender else "")
            + (f" version='{version}' xml:lang='en'>" if version else ">")
        )

    def own_name(self) -> str:
        """Who we are on this stream."""
        return self.server.domain

    def fail(self, condition: str, text: str = "") -> None:
        """End the stream with an error, behind a stream header where none was sent (§4.9.1.2)."""
        if not self.stream_id:
            self.open_stream()
        explained = f"<text xmlns='{STREAM_ERROR}'>{escape(text)}</text>" if text else ""
        self.behaviour.on_error(
            self, f"<stream:error><{condition} xmlns='{STREAM_ERROR}'/>{explained}</stream:error>"
        )

    def drop(self) -> None:
        """Close the TCP connection behind all that was sent; nothing is read any more."""
        self.behaviour.drop(self)
        self._leave()

    def close_transport(self) -> None:
        self.transport.close()

    def restart(self) -> None:
        """Await a new stream on this connection (§4.3.3); what came with the old one is forgotten."""
        self.stream.restart()
        self._well_formed = WellFormed()
        self.header = None
        self.stream_id = ""

    # --- TLS

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Shake hands; whatever came in plain behind <starttls/> is forgotten (§5.4.3.3)."""
        self.transport.pause_reading()
        self._early = b""
        self.behaviour.on_restart(self)
        self.server.spawn(self._shake_hands(context))

    async def _shake_hands(self, context: ssl.SSLContext) -> None:
        try:
            secured = await asyncio.get_running_loop().start_tls(
                self.transport,
                self,
                context,
                server_side=True,
                ssl_handshake_timeout=self.server.patience,
                ssl_shutdown_timeout=1.0,
            )
        except (OSError, asyncio.CancelledError) as error:  # among them ssl.SSLError, and the server's end
            self.server.log(f"TLS failed: {error}")
            self.transport.abort()
            self.behaviour.on_tls(self, begun=False)
            return
        early, self._early = self._early, None
        if secured is None:  # the peer went away meanwhile
            self.behaviour.on_tls(self, begun=False)
            return
        self.transport = secured
        self.tls = True
        self.behaviour.on_tls(self, begun=True)
        if early:
            self.data_received(early)

    def tls_object(self) -> ssl.SSLObject | None:
        """The TLS layer, for channel binding."""
        return cast("ssl.SSLObject | None", self.transport.get_extra_info("ssl_object"))
