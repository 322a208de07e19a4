"""RFC 7395 §3.1, §3.2, §3.8 and §3.9: the subprotocol, the kinds of messages, ping frames, TLS."""

from __future__ import annotations

import pytest
from wsproto.events import BytesMessage, Event, Ping, TextMessage

from lab.cell import Transport
from lab.errors import PeerError
from lab.plugin import Connect, Specification, Stage, proved_by, require, require_equal
from lab.wire.namespaces import NS, PING, TLS
from lab.wire.negotiation import mechanisms, open_stream
from lab.wire.session import Session, StreamEnded, StreamFailed, new_id
from lab.wire.transport import ConnectionLost
from lab.wire.websocket import HandshakeRefused
from lab.wire.within_http import host_of
from scenarios.server.rfc7395._websocket import text_frame, websocket

RFC = Specification("RFC 7395")

WEBSOCKETS: tuple[Transport, ...] = ("websocket", "websocket-plain")
each_port = pytest.mark.parametrize("over", WEBSOCKETS, ids=["tls", "plain"])


# --- the subprotocol


@pytest.mark.parametrize("offered", [["xmpp"], ["xmpp", "x-lab"], ["x-lab", "xmpp"]], ids=["alone", "first", "last"])
@RFC.must("3.1", says="A server to which 'xmpp' is offered among the subprotocols says 'xmpp' in its reply.")
@proved_by("no-subprotocol")
def test_xmpp_is_agreed_on(offered: list[str], connect: Connect) -> None:
    session = connect.websocket(subprotocols=None)
    place = connect.cell.endpoints["websocket"]
    session.socket.shake_hands(
        host_of(connect.cell, "websocket"), place.path, timeout=session.patience, subprotocols=offered
    )
    require_equal(session.socket.subprotocol, "xmpp", "the subprotocol agreed on")


@pytest.mark.parametrize("offered", [[], ["x-lab"]], ids=["none", "another"])
@RFC.must("3.1", says="Without 'xmpp' among what the client offers no XMPP connection comes about.")
@proved_by("always-says-xmpp")
def test_nothing_but_xmpp_is_agreed_on(offered: list[str], connect: Connect) -> None:
    session = connect.websocket(subprotocols=None)
    place = connect.cell.endpoints["websocket"]
    try:
        session.socket.shake_hands(
            host_of(connect.cell, "websocket"), place.path, timeout=session.patience, subprotocols=offered
        )
    except (HandshakeRefused, ConnectionLost):
        return
    require(session.socket.subprotocol is None, "a refusal, or no subprotocol", str(session.socket.subprotocol))


@RFC.must("3.4", "3.1", says="The first message is the client's: until it comes, the server sends none.")
@proved_by("speaks-first")
def test_server_waits_for_the_first_message(connect: Connect) -> None:
    session = connect.websocket()
    # Frames arrive in order: what a server had to say on its own comes before the pong.
    session.socket.ping(timeout=session.patience)
    require_equal(session.socket.waiting, 0, "the number of messages before the client's <open/>")


# --- messages


@RFC.must("3.2", says="Every message of the server is of the text type.")
@proved_by("binary-messages")
def test_messages_are_text(connect: Connect) -> None:
    session = connect.websocket()
    open_stream(session)
    require_equal(session.socket.closed, None, "the close frame")


@RFC.must("3.2", says="A text message that is not UTF-8 is no part of the protocol: the server ends the connection.")
@proved_by("reads-any-encoding")
def test_message_that_is_not_utf8_ends_the_connection(connect: Connect) -> None:
    session = websocket(connect)
    wrong = f"<message to='{session.jid}' id='1' xmlns='jabber:client'><body>".encode() + b"\xff\xfe</body></message>"
    session.trace.sent(session.label, wrong)
    session.transport.send(text_frame(wrong), timeout=session.patience)
    _require_the_end(session)


def _require_the_end(session: Session) -> None:
    """The check fails unless the server ends the stream, or the WebSocket, and serves nothing before."""
    try:
        answer = session.receive()
    except (StreamFailed, StreamEnded, ConnectionLost):
        return
    require(False, "the end of the connection", answer)


@RFC.must(
    "3.2", says="A binary message is no part of the protocol: the server ends the connection, or passes it over."
)
@proved_by("hangs-on-binary-messages")
def test_binary_message_does_not_hang_the_server(connect: Connect) -> None:
    session = websocket(connect)
    message = (
        f"<iq type='get' id='{new_id()}' to='{session.domain}' xmlns='jabber:client'><ping xmlns='{PING}'/></iq>"
    )
    session.send_frames(message, BytesMessage(message.encode()))
    try:
        session.sentinel()
    except (StreamFailed, StreamEnded, ConnectionLost):
        return


@RFC.must("3.3.3", "3.2", says="A message of several WebSocket frames, which all must read (RFC 6455 §5.4), is one.")
@pytest.mark.parametrize("between", [False, True], ids=["alone", "ping-between"])
def test_fragmented_message_is_one(between: bool, connect: Connect) -> None:
    session = websocket(connect)
    asked = new_id()
    text = f"<iq type='get' id='{asked}' to='{session.domain}' xmlns='jabber:client'><ping xmlns='{PING}'/></iq>"
    third = len(text) // 3
    parts = [
        TextMessage(text[:third], message_finished=False),
        TextMessage(text[third : 2 * third], message_finished=False),
        TextMessage(text[2 * third :]),
    ]
    frames: list[Event] = []
    for part in parts:
        frames += [part, Ping(b"between")] if between and part.message_finished is False else [part]
    session.send_frames(text, *frames)
    answer = session.expect(asked)
    require(answer.get("type") in {"result", "error"}, "an answer to the iq", answer)


@RFC.may(
    "3.8", says="Ping frames may be used to see whether the connection is alive: the server answers with a pong."
)
@pytest.mark.parametrize("stage", [Stage.CONNECTED, Stage.BOUND], ids=["before-the-stream", "within-the-stream"])
@proved_by("no-pong")
def test_ping_frame_is_answered(stage: Stage, connect: Connect) -> None:
    session = websocket(connect, stage)
    try:
        session.socket.ping(b"are you there", timeout=session.patience)
    except PeerError as error:
        error.expected = "a pong frame with the same data"
        raise
    require_equal(session.socket.pongs, [b"are you there"], "the pong frames")


# --- TLS


@each_port
@RFC.must_not("3.9", says="STARTTLS is not offered over WebSocket, with or without TLS below it.")
def test_starttls_is_not_offered(over: Transport, connect: Connect) -> None:
    session = connect.websocket(over=over)
    features = open_stream(session)
    require(len(features), "features of the stream", features)
    require(features.find("tls:starttls", NS) is None, "no <starttls/> in the features", features)


@RFC.must("3.9", says="TLS begins at the WebSocket layer, with wss: <starttls/> gets no <proceed/>.")
def test_starttls_is_refused(connect: Connect) -> None:
    session = websocket(connect, Stage.OPENED)
    session.send(f"<starttls xmlns='{TLS}'/>")
    try:
        answer = session.receive()
    except StreamFailed as error:
        require(error.condition != "no defined condition", "a failure, or a stream error", error.element)
        return
    except StreamEnded:
        return
    require_equal(answer.tag, f"{{{TLS}}}failure", "the answer to <starttls/>")


@RFC.must("3.9", says="With wss, TLS is there before the stream, which offers authentication at once.")
def test_authentication_is_offered_at_once(connect: Connect) -> None:
    features = open_stream(connect.websocket())
    require(mechanisms(features), "<mechanisms/> in the features", features)
