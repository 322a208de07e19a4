"""RFC 7395 §3.6: how a framed stream and its WebSocket are closed, and what becomes of the session."""

from __future__ import annotations

import pytest
from wsproto.events import CloseConnection

from lab.plugin import Connect, Specification, Stage, proved_by, require, require_equal
from lab.wire.session import Session, show
from lab.wire.stream import StreamClosed
from lab.wire.websocket import NORMAL_CLOSURE, WebSocketSession
from scenarios.server.rfc7395._websocket import websocket

RFC = Specification("RFC 7395")

stages = pytest.mark.parametrize("stage", [Stage.OPENED, Stage.BOUND], ids=["before-login", "within-a-session"])


def close_stream(session: WebSocketSession) -> None:
    """<close/>, and the server's."""
    session.send_raw(session.closing().encode())
    while True:
        event = session.next_event()
        if isinstance(event, StreamClosed):
            return


def close_socket(session: WebSocketSession) -> CloseConnection | None:
    """Our close frame, unless the server's has come by now, and the server's; None where it sends none."""
    if session.socket.closed is None:
        session.socket.send_event(CloseConnection(NORMAL_CLOSURE), timeout=session.patience)
    return session.socket.wait_until_closed(timeout=session.patience)


@stages
@RFC.must("3.6", says="A client's <close/> is answered with the server's.")
def test_close_is_answered_by_close(stage: Stage, connect: Connect) -> None:
    session = websocket(connect, stage)
    session.send_raw(session.closing().encode())
    event = session.next_event()
    require(isinstance(event, StreamClosed), "<close/>", show(event))


@RFC.must("3.6", says="The closing handshake of the WebSocket, which the client begins, is completed by the server.")
@proved_by("no-close-frame")
def test_closing_handshake_is_completed(connect: Connect) -> None:
    session = websocket(connect, Stage.OPENED)
    close_stream(session)
    closed = close_socket(session)
    require(closed is not None, "a close frame", "the end of the TCP connection without one")


@RFC.must("3.6", says="Behind both close frames the server ends the TCP connection (RFC 6455 §7.1.1).")
@proved_by("never-closes-tcp")
def test_tcp_connection_ends(connect: Connect) -> None:
    session = websocket(connect, Stage.OPENED)
    close_stream(session)
    close_socket(session)
    session.socket.wait_for_the_end(timeout=session.patience)


ENDS = ["close-element", "close-frame", "broken-connection"]


@pytest.mark.parametrize("how", ENDS)
@RFC.must("3.6", says="With its stream closed, or its WebSocket closed or broken, the XMPP session is over.")
def test_session_is_over(how: str, connect: Connect, bob: Session) -> None:
    session = websocket(connect, label="alice")
    bob.send("<presence/>")
    session.send(f"<presence to='{bob.jid}'/>")
    came = bob.expect(lambda e: e.get("from") == session.jid, "the presence of the client on WebSocket")
    require_equal(came.get("type"), None, "the type of the presence")
    if how == "close-element":
        session.send_raw(session.closing().encode())
    elif how == "close-frame":
        close_socket(session)
        session.abandon()
    else:
        session.abandon()
    gone = bob.expect(lambda e: e.get("from") == session.jid, "unavailable presence of the client that is gone")
    require_equal(gone.get("type"), "unavailable", "the type of the presence")
