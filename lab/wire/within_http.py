"""Connections to the transports that lie on a server's HTTP ports: WebSocket and BOSH sessions, and plain requests.

TLS is begun as for direct TLS, with the domain as the server's name; the Host header names the domain, too: a cell's
address is where it happens to listen.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence

from lab.cell import Cell, Endpoint
from lab.cell import Transport as TransportName
from lab.errors import PeerError, UsageError
from lab.wire.bosh import BoshSession
from lab.wire.http import Header, HttpConnection, Response
from lab.wire.session import Observer, Session
from lab.wire.trace import Trace
from lab.wire.transport import Transport, usual_context
from lab.wire.websocket import SUBPROTOCOL, WebSocketSession

_PLAIN = "-plain"
_ALPN = "http/1.1"


def is_within_http(over: TransportName) -> bool:
    """Whether this transport lies on an HTTP port."""
    return over.removesuffix(_PLAIN) in {"websocket", "bosh"}


def dial(
    cell: Cell, over: TransportName, context: ssl.SSLContext | None = None, *, host: str | None = None
) -> Transport:
    """A connection to the port of `over`, TLS begun where it has TLS, with `host` (else the domain) as its name.

    Raises PeerError, MachineError, UsageError.
    """
    endpoint = _endpoint(cell, over)
    transport = Transport.connect(endpoint.host, endpoint.port, timeout=cell.patience)
    if over != "http" and not over.endswith(_PLAIN):
        try:
            transport.start_tls(context or usual_context(cell.ca, _ALPN), host or cell.domain, timeout=cell.patience)
        except BaseException:
            transport.close()
            raise
    return transport


def host_of(cell: Cell, over: TransportName) -> str:
    """What the Host header says for this transport."""
    return f"{cell.domain}:{_endpoint(cell, over).port}"


def within_http(
    cell: Cell,
    over: TransportName,
    *,
    context: ssl.SSLContext | None = None,
    trace: Trace | None = None,
    label: str = "client",
    observer: Observer | None = None,
) -> Session:
    """A session with nothing sent on its stream yet; over WebSocket the handshake is done."""
    if over.startswith("bosh"):
        return bosh(cell, over, context=context, trace=trace, label=label, observer=observer)
    return websocket(cell, over, context=context, trace=trace, label=label, observer=observer)


def websocket(
    cell: Cell,
    over: TransportName = "websocket",
    *,
    subprotocols: Sequence[str] | None = (SUBPROTOCOL,),
    context: ssl.SSLContext | None = None,
    trace: Trace | None = None,
    label: str = "client",
    observer: Observer | None = None,
) -> WebSocketSession:
    """A WebSocket session whose handshake is done, and which has the subprotocol that was asked for.

    With `subprotocols` None the handshake is left to the caller.
    """
    session = WebSocketSession(
        dial(cell, over, context),
        domain=cell.domain,
        patience=cell.patience,
        trace=trace,
        label=label,
        observer=observer,
    )
    if subprotocols is None:
        return session
    try:
        session.socket.shake_hands(
            host_of(cell, over), _endpoint(cell, over).path, timeout=cell.patience, subprotocols=subprotocols
        )
        agreed = session.socket.subprotocol
        if agreed not in subprotocols:
            raise PeerError(
                "the server did not agree on the subprotocol (RFC 7395 §3.1)",
                expected=" or ".join(subprotocols),
                seen=agreed or "no subprotocol",
            )
    except BaseException:
        session.transport.close()
        raise
    return session


def bosh(
    cell: Cell,
    over: TransportName = "bosh",
    *,
    whole: bool = False,
    attributes: Mapping[str, str | None] | None = None,
    context: ssl.SSLContext | None = None,
    trace: Trace | None = None,
    label: str = "client",
    observer: Observer | None = None,
) -> BoshSession:
    """A BOSH session; nothing is sent yet (see `BoshSession` for `whole` and `attributes`)."""
    return BoshSession(
        lambda: dial(cell, over, context),
        host=host_of(cell, over),
        path=_endpoint(cell, over).path,
        domain=cell.domain,
        patience=cell.patience,
        trace=trace,
        label=label,
        observer=observer,
        whole=whole,
        attributes=attributes,
    )


def request(
    cell: Cell,
    over: TransportName,
    method: str,
    path: str,
    *,
    body: bytes = b"",
    headers: Sequence[Header] = (),
    authority: str | None = None,
    trace: Trace | None = None,
    label: str = "http",
) -> Response:
    """One HTTP request on a connection of its own, and its response.

    `authority` (a host, and perhaps a port) is whom it is for, where that is not the domain: the name that TLS and
    the Host header say, and still no other address.
    """
    trace = trace or Trace()
    name = trace.label(label)
    host = None if authority is None else authority.partition(":")[0]
    connection = HttpConnection(dial(cell, over, host=host), authority or host_of(cell, over))
    try:
        trace.sent(name, f"{method} {path}\n".encode() + body)
        connection.ask(method, path, body, headers=headers, timeout=cell.patience)
        response = connection.answer(timeout=cell.patience)
        head = "".join(f"{key}: {value}\n" for key, value in response.headers)
        trace.received(name, f"{response.status}\n{head}\n".encode() + response.body)
        return response
    finally:
        connection.close()


def _endpoint(cell: Cell, over: TransportName) -> Endpoint:
    endpoint = cell.endpoint(over)
    if endpoint is None:
        raise UsageError(f"the cell has no {over} endpoint")
    return endpoint
