"""The fake server's side of XMPP over WebSocket (RFC 7395): frames by wsproto, a `ClientConnection` behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast
from xml.sax.saxutils import quoteattr

from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    RejectConnection,
    Request,
    TextMessage,
)
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from lab.fakes.carried import CarriedTransport
from lab.fakes.client_connection import ClientConnection
from lab.wire.framing import root_of
from lab.wire.namespaces import CLIENT, FRAMING, STREAM, XML_LANG
from lab.wire.stream import PeerViolation, StreamOpened

if TYPE_CHECKING:
    from lab.fakes.connection import Connection
    from lab.fakes.web_connection import WebConnection

NOT_UTF8, NOT_TEXT, NORMAL = 1007, 1003, 1000


class WebSocketPeer:
    """One WebSocket, on an HTTP connection that asked for it."""

    def __init__(self, web: WebConnection, headers: list[tuple[bytes, bytes]], path: str) -> None:
        self.web = web
        self.behaviour = web.server.behaviour
        self._frames = WSConnection(ConnectionType.SERVER)
        self._text = ""
        self._opened = False
        self.client = ClientConnection(web.server, tls=True)
        self.client.connection_made(
            CarriedTransport(
                on_header=self._header_out,
                on_element=self._element_out,
                on_end=lambda: self._element_out(f"<close xmlns='{FRAMING}'/>"),
                on_close=lambda: self.finish(NORMAL),
            )
        )
        self._frames.initiate_upgrade_connection(self.behaviour.offered(headers), path)
        self._take_events()

    # --- in

    def data_received(self, data: bytes) -> None:
        try:
            self._frames.receive_data(data)
            self._take_events()
        except RemoteProtocolError as error:
            self.web.server.log(f"WebSocket: {error}")
            self.behaviour.on_bad_data(self, NOT_UTF8)
        except LocalProtocolError:
            return  # it is closed: what still comes is nobody's

    def gone(self) -> None:
        self.client.connection_lost(None)

    def _take_events(self) -> None:
        for event in self._frames.events():
            match event:
                case Request():
                    self._answer(event)
                case TextMessage():
                    self._text += event.data
                    if event.message_finished:
                        text, self._text = self._text, ""
                        self._message(text)
                case BytesMessage():
                    self.behaviour.on_bad_data(self, NOT_TEXT)
                case Ping():
                    self.behaviour.on_ping(self, event)
                case CloseConnection(code=code) if code == NOT_UTF8:  # wsproto's own word for what it could not read
                    self.behaviour.on_bad_data(self, NOT_UTF8)
                case CloseConnection():
                    self.send_frame(event.response())
                    self.client.connection_lost(None)
                    self.behaviour.drop(cast("Connection", self))  # who never closes does not close here
                case _:
                    pass

    def _answer(self, request: Request) -> None:
        agreed = self.behaviour.subprotocol(list(request.subprotocols))
        if agreed is None:
            self.send_frame(RejectConnection(status_code=400))
            self.web.close()
            return
        self.send_frame(AcceptConnection(subprotocol=agreed or None))
        self.behaviour.on_websocket(self)

    def _message(self, text: str) -> None:
        try:
            root = root_of(text.encode())
        except PeerViolation:
            self.stream_in(text)
            return
        if root.tag == f"{{{FRAMING}}}close":
            self.client.data_received(b"</stream:stream>")
        elif root.tag == f"{{{FRAMING}}}open":
            self._opened = True
            attributes = "".join(
                f" {name}={quoteattr(value)}"
                for name, value in ((n.replace(XML_LANG, "xml:lang"), root.get(n, "")) for n in map(str, root.keys()))
            )
            self.stream_in(f"<stream:stream xmlns='{CLIENT}' xmlns:stream='{STREAM}'{attributes}>")
        elif self._opened:
            if str(root.tag).rpartition("}")[2] == "close":  # a closing header of another namespace (RFC 7395 §3.3.2)
                self.client.fail("invalid-namespace")
            else:
                self.stream_in(text.removeprefix("<?xml version='1.0' encoding='UTF-8'?>"))
        elif str(root.tag).rpartition("}")[2] == "open":
            self.client.fail("invalid-namespace")
        else:
            self.behaviour.on_early_element(self, text)

    def stream_in(self, xml: str) -> None:
        """Hand a part of the stream to the connection behind."""
        self.client.data_received(xml.encode())

    # --- out

    def _header_out(self, header: StreamOpened) -> None:
        names = [n for n in ("from", "id", "to", "version", XML_LANG) if header.get(n) is not None]
        written = "".join(f" {n.replace(XML_LANG, 'xml:lang')}={quoteattr(header.get(n) or '')}" for n in names)
        self._element_out(f"<open xmlns='{FRAMING}'{written}/>")

    def _element_out(self, xml: str) -> None:
        for frame in self.behaviour.frames(xml):
            self.send_frame(frame)

    def send_frame(self, frame: Event) -> None:
        try:
            self.web.write(self._frames.send(frame))
        except LocalProtocolError:
            return  # closed by now

    def finish(self, code: int) -> None:
        """The connection behind is closed: so is the WebSocket; TCP behind the client's close frame."""
        self.behaviour.finish_websocket(self, code)

    def close_transport(self) -> None:
        """End the TCP connection, as behind both close frames (RFC 6455 §7.1.1)."""
        self.web.close()
