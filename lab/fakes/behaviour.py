"""Where a fake server can differ from RFC 6120: one method a point, each doing the right thing here.

A misbehaviour is a subclass that overrides one or two of them; defining it registers it in `MISBEHAVIOURS`.
"""

from __future__ import annotations

import re
import ssl
from secrets import token_hex
from typing import TYPE_CHECKING, ClassVar

from wsproto.events import CloseConnection, Event, Ping, TextMessage

from lab.certificates import CertificateAuthority, ServerCertificate
from lab.errors import UsageError
from lab.fakes import uploads
from lab.fakes.host_meta import CORS, HostMeta
from lab.wire.stream import Element

if TYPE_CHECKING:
    from lab.fakes.client_connection import ClientConnection
    from lab.fakes.connection import Connection
    from lab.fakes.web_connection import WebConnection
    from lab.fakes.websocket_peer import WebSocketPeer

MISBEHAVIOURS: dict[str, str] = {}
"""Name of each misbehaviour -> what it does wrong, in one sentence."""


class Behaviour:
    """How a server behaves. `delay`, in seconds, is for misbehaviours that do something late."""

    name: ClassVar[str] = ""
    kinds: ClassVar[dict[str, type[Behaviour]]] = {}
    offers_starttls_over_tls: ClassVar[bool] = False
    offers_sasl_in_plain: ClassVar[bool] = False
    takes_sasl_in_plain: ClassVar[bool] = False
    checks_passwords: ClassVar[bool] = True

    def __init__(self, delay: float) -> None:
        self.delay = delay

    def __init_subclass__(cls) -> None:
        # `name` is only written out where a class name cannot spell it.
        cls.name = cls.__dict__.get("name") or re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()
        Behaviour.kinds[cls.name] = cls
        MISBEHAVIOURS[cls.name] = (cls.__doc__ or "").strip()

    # --- TLS

    def certificate(self, authority: CertificateAuthority, domain: str) -> ServerCertificate:
        """The server's certificate."""
        return authority.server_certificate(domain)

    def adjust(self, context: ssl.SSLContext) -> None:
        """The last word on the TLS settings, of STARTTLS and of direct TLS."""

    def adjust_direct(self, context: ssl.SSLContext) -> None:
        """The last word on the TLS settings of the direct TLS port alone (XEP-0368 §3)."""
        context.set_alpn_protocols(["xmpp-client"])

    # --- the course of a connection

    def on_connect(self, connection: Connection) -> None:
        """A client has connected (and, on the direct TLS port, shaken hands)."""

    def on_data(self, connection: Connection, data: bytes) -> None:
        """Bytes came, decrypted where there is TLS."""
        connection.take(data)

    def on_header(self, connection: Connection) -> None:
        """The peer's stream header came and is acceptable: answer with ours, and the features (§4.3)."""
        connection.open_stream()
        connection.offer()

    def on_starttls(self, connection: ClientConnection) -> None:
        """The client asks for TLS, and may have it (§5.4.2.3)."""
        connection.proceed()

    def on_tls(self, connection: Connection, *, begun: bool) -> None:
        """The TLS handshake is over: TLS has begun, or failed and the connection is closed."""

    def on_restart(self, connection: Connection) -> None:
        """TLS or SASL succeeded: only a new stream may follow (§5.3.2, §6.3.2)."""
        connection.restart()

    def on_bound(self, connection: ClientConnection) -> None:
        """A resource was bound, and the client knows."""

    def on_stanza(self, connection: ClientConnection, stanza: Element) -> None:
        """A stanza came from a client with a bound resource."""
        connection.take_stanza(stanza)

    def on_reply(self, connection: ClientConnection, xml: str) -> None:
        """The server itself answers an iq of a client with a bound resource."""
        connection.send(xml)

    def on_error(self, connection: Connection, error: str) -> None:
        """A stream error is due: send it, close the stream, close the connection (§4.9.1.1)."""
        connection.send(f"{error}</stream:stream>")
        connection.drop()

    def on_close(self, connection: Connection) -> None:
        """The peer closed its stream: close ours, then the connection (§4.4)."""
        connection.send("</stream:stream>")
        connection.drop()

    # --- WebSocket (RFC 7395), BOSH (XEP-0124) and host-meta (XEP-0156)

    def offered(self, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """The headers of a WebSocket handshake, as the server takes them."""
        return headers

    def subprotocol(self, offered: list[str]) -> str | None:
        """The subprotocol to agree on (RFC 7395 §3.1); without 'xmpp' the handshake is refused."""
        return "xmpp" if "xmpp" in offered else None

    def on_websocket(self, web: WebSocketPeer) -> None:
        """The WebSocket is there: the client speaks first (RFC 7395 §3.4)."""

    def frames(self, xml: str) -> list[Event]:
        """The frames in which an element is sent: one text message (RFC 7395 §3.3.3)."""
        return [TextMessage(xml)]

    def on_ping(self, web: WebSocketPeer, ping: Ping) -> None:
        """A ping frame came (RFC 6455 §5.5.2)."""
        web.send_frame(ping.response())

    def on_bad_data(self, web: WebSocketPeer, code: int) -> None:
        """Binary data came, or text that is not UTF-8: `code` is the close frame's (RFC 6455 §7.4.1)."""
        web.finish(code)

    def on_early_element(self, web: WebSocketPeer, xml: str) -> None:
        """Something other than <open/> came first (RFC 7395 §3.4)."""
        web.stream_in(xml)

    def finish_websocket(self, web: WebSocketPeer, code: int) -> None:
        """The stream is closed: begin the closing handshake (RFC 7395 §3.6)."""
        web.send_frame(CloseConnection(code))

    def content_type(self, asked: str) -> str:
        """The Content-Type of a BOSH response; `asked` is the client's wish, or empty (XEP-0124 §7.1)."""
        return asked or "text/xml; charset=utf-8"

    def http_headers(self) -> dict[str, str]:
        """Further headers of a BOSH response."""
        return {}

    def wait(self, asked: float) -> float:
        """How long a request is held, in seconds, when nothing comes (XEP-0124 §8)."""
        return asked

    def hold(self, asked: int) -> int:
        """How many requests are held at a time (XEP-0124 §8)."""
        return asked

    def next_held(self, held: int) -> int:
        """Which of the held requests is answered: the oldest one (XEP-0124 §8)."""
        return 0

    def inactivity(self, allowed: float) -> float:
        """After how long without a request a session is forgotten, in seconds (XEP-0124 §10)."""
        return allowed

    def on_plain_request(self, web: WebConnection) -> bool:
        """A request of a secure session came without TLS; answers whether it is served (XEP-0124 §19.1)."""
        web.close()
        return False

    def host_meta(self, links: dict[str, str], *, as_json: bool) -> HostMeta | None:
        """The answer to a request for host-meta: relation -> address (XEP-0156 §2.2). None: not found."""
        return HostMeta.of(links, as_json=as_json)

    # --- uploads (XEP-0363)

    def takes_upload(self, slot: uploads.UploadSlot | None, put: uploads.Put) -> int:
        """The status for a file that is put to an address: 201 where it is taken (XEP-0363 §7)."""
        return uploads.judged(slot, put)

    def kept_upload(self, slot: uploads.UploadSlot, content: bytes) -> bytes:
        """What is kept of a file that was taken."""
        return content

    def served_upload(self, slot: uploads.UploadSlot | None) -> uploads.Answer:
        """The answer to who wants the file at an address."""
        return uploads.served(slot)

    def upload_headers(self) -> dict[str, str]:
        """Further headers of what the upload service answers: for scripts of other origins (XEP-0363 §8)."""
        methods = {"Access-Control-Allow-Methods": "OPTIONS, HEAD, GET, PUT"}
        return {**CORS, **methods, "Access-Control-Allow-Headers": "Authorization, Content-Type"}

    # --- small things

    def send(self, connection: Connection, data: bytes) -> None:
        """Everything that is sent goes through here."""
        connection.write(data)

    def drop(self, connection: Connection) -> None:
        """Close the TCP connection behind all that was sent."""
        connection.close_transport()

    def on_writable(self, connection: Connection) -> None:
        """The peer takes data again, after a while in which it took none."""

    def addressee(self, connection: Connection) -> str | None:
        """The `to` of our stream header: who the peer says to be on this stream (§4.7.2)."""
        return connection.header.get("from") if connection.header else None

    def stream_id(self) -> str:
        """The id of a new stream: unique, and hard to guess (§4.7.3)."""
        return token_hex(8)

    def resource(self) -> str:
        """A resource for a client that wants none in particular: hard to guess (§7.6, §13.9)."""
        return token_hex(8)


def make(misbehaviour: str, *, delay: float) -> Behaviour:
    """The behaviour of that name; empty means a good one. Raises UsageError."""
    if not misbehaviour:
        return Behaviour(delay)
    kind = Behaviour.kinds.get(misbehaviour)
    if kind is None:
        raise UsageError(f"no fake misbehaves as {misbehaviour!r}", hint=f"known: {', '.join(sorted(MISBEHAVIOURS))}")
    return kind(delay)
