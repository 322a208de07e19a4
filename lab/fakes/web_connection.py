"""One HTTP connection to the fake server (frames by h11): host-meta, BOSH, files, the way to a WebSocket."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import h11

from lab.fakes import uploads
from lab.fakes.websocket_peer import WebSocketPeer

if TYPE_CHECKING:
    from lab.fakes.server import FakeServer

WEBSOCKET_PATH, BOSH_PATH = "/xmpp-websocket", "/http-bind"
HOST_META = "/.well-known/host-meta"


class WebConnection(asyncio.Protocol):
    """Serves one request after another; `tls` is whether it came under TLS."""

    def __init__(self, server: FakeServer, *, tls: bool) -> None:
        self.server = server
        self.tls = tls
        self.transport: asyncio.Transport
        self._h11 = h11.Connection(our_role=h11.SERVER)
        self._request: h11.Request | None = None
        self._body = bytearray()
        self._websocket: WebSocketPeer | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.server.web_connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.server.web_connections.discard(self)
        if self._websocket is not None:
            self._websocket.gone()

    def data_received(self, data: bytes) -> None:
        self.server.log(f"received {data[:500]!r}")
        if self._websocket is not None:
            self._websocket.data_received(data)
            return
        try:
            self._h11.receive_data(data)
            self._take_events()
        except h11.RemoteProtocolError as error:
            self.server.log(f"HTTP: {error}")
            self.close()

    def _take_events(self) -> None:
        while (event := self._h11.next_event()) is not h11.NEED_DATA and event is not h11.PAUSED:
            if isinstance(event, h11.Request):
                self._request, self._body = event, bytearray()
                if any(name.lower() == b"upgrade" for name, _ in event.headers):
                    self._websocket = WebSocketPeer(self, list(event.headers.raw_items()), event.target.decode())
                    return
            elif isinstance(event, h11.Data):
                self._body += event.data
            elif isinstance(event, h11.EndOfMessage):
                self._serve()
            else:  # the end of the connection
                return

    def _serve(self) -> None:
        request = self._request
        path = request.target.decode().partition("?")[0] if request else ""
        if request and request.method == b"POST" and path == BOSH_PATH:
            self.server.bosh.take(self, bytes(self._body))
        elif request and request.method == b"GET" and path.startswith(HOST_META):
            self._host_meta(as_json=path.endswith(".json"))
        elif request and path.startswith(uploads.PATH):
            self._upload(request, path)
        else:
            self.respond(404, "not here", {"Content-Type": "text/plain"})

    def _host_meta(self, *, as_json: bool) -> None:
        port = self.transport.get_extra_info("sockname")[1]
        links = {
            "urn:xmpp:alt-connections:websocket": f"wss://{self.server.domain}:{port}{WEBSOCKET_PATH}",
            "urn:xmpp:alt-connections:xbosh": f"https://{self.server.domain}:{port}{BOSH_PATH}",
        }
        document = self.server.behaviour.host_meta(links, as_json=as_json)
        if document is None:
            self.respond(404, "not here", {"Content-Type": "text/plain"})
        else:
            self.respond(200, document.body, {"Content-Type": document.content_type, **document.headers})

    def _upload(self, request: h11.Request, path: str) -> None:
        headers = {name.decode().lower(): value.decode("latin-1") for name, value in request.headers}
        kind, authorization = headers.get("content-type", uploads.OCTETS), headers.get("authorization", "")
        put = uploads.Put(path, bytes(self._body), kind, authorization)
        answer = self.server.uploads.serve(request.method.decode(), put)
        more = self.server.behaviour.upload_headers()
        self.respond(answer.status, answer.content, {"Content-Type": answer.kind, **more})

    def respond_bosh(self, body: str, content: str = "") -> None:
        """A response of BOSH's, with the media type that the session asked for."""
        kind = self.server.behaviour.content_type(content)
        self.respond(200, body, {"Content-Type": kind, **self.server.behaviour.http_headers()})

    def respond(self, status: int, body: str | bytes, headers: dict[str, str]) -> None:
        """Answer the request; the next one may come."""
        data = body.encode() if isinstance(body, str) else body
        if "Transfer-Encoding" not in headers:
            headers = {**headers, "Content-Length": str(len(data))}
        events = [h11.Response(status_code=status, headers=list(headers.items())), h11.Data(data), h11.EndOfMessage()]
        try:
            self.write(b"".join(self._h11.send(event) or b"" for event in events))
            if self._h11.our_state is h11.DONE and self._h11.their_state is h11.DONE:
                self._h11.start_next_cycle()
                self._take_events()
            else:
                self.close()
        except h11.LocalProtocolError:  # who asked is gone
            self.close()

    def write(self, data: bytes | None) -> None:
        if data and not self.transport.is_closing():
            self.server.log(f"sent {data[:500]!r}")
            self.transport.write(data)

    def close(self) -> None:
        self.transport.close()
