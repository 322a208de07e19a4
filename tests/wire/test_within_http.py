"""WebSocket and BOSH sessions against the fake server: login, stanzas both ways, the end, what is refused."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from wsproto.events import CloseConnection, Ping, TextMessage

from lab.cell import Cell, Transport
from lab.errors import PeerError, UsageError
from lab.fakes import FakeServer
from lab.plugin import Connect, Stage
from lab.wire.bosh import BoshSession, HttpRefused
from lab.wire.namespaces import NS
from lab.wire.negotiation import connect
from lab.wire.session import StreamEnded
from lab.wire.transport import ConnectionLost, NoAnswer, TlsFailed
from lab.wire.websocket import HandshakeRefused, WebSocketSession
from lab.wire.within_http import bosh, request, websocket
from tests.fakes.connecting import connecting

OVER: tuple[Transport, ...] = ("websocket", "websocket-plain", "bosh", "bosh-plain")
PATIENCE = 5.0


@pytest.fixture(scope="module")
def cell() -> Iterator[Cell]:
    with FakeServer(patience=PATIENCE) as running:
        yield running


@pytest.fixture
def connector(cell: Cell) -> Iterator[Connect]:
    with connecting(cell) as made:
        yield made


@pytest.mark.parametrize("over", OVER)
def test_a_login_and_stanzas_both_ways(connector: Connect, over: Transport) -> None:
    alice, bob = connector(over=over, label="alice"), connector(label="bob")
    alice.sentinel()
    alice.sentinel(bob)
    bob.sentinel(alice)
    assert alice.header is not None
    assert alice.header.get("from") == alice.domain
    assert alice.resource


@pytest.mark.parametrize("over", OVER)
def test_stages_before_the_login(connector: Connect, over: Transport) -> None:
    session = connector(Stage.SECURED, over=over)
    assert session.features is not None
    assert session.features.find("sasl:mechanisms", NS) is not None
    assert connector(Stage.CONNECTED, over=over).header is None


@pytest.mark.parametrize("over", OVER)
def test_several_stanzas_at_once(connector: Connect, over: Transport) -> None:
    session = connector(over=over)
    session.send_together(f"<message to='{session.jid}' id='{n}' type='chat'/>" for n in range(3))
    assert [session.expect(str(n)).get("from") for n in range(3)] == [session.jid] * 3


@pytest.mark.parametrize("over", ["websocket", "bosh"])
def test_the_end_of_a_session_is_seen_by_others(connector: Connect, over: Transport) -> None:
    bob, alice = connector(label="bob"), connector(over=over, label="alice")
    bob.send("<presence/>")
    bob.sentinel()
    alice.send(f"<presence to='{bob.jid}'/>")
    bob.expect(lambda e: e.get("from") == alice.jid and e.get("type") is None)
    alice.close()
    bob.expect(lambda e: e.get("from") == alice.jid and e.get("type") == "unavailable")


@pytest.mark.parametrize("over", ["websocket", "bosh"])
def test_a_stream_error_and_the_end_behind_it(connector: Connect, over: Transport) -> None:
    session = connector(over=over)
    session.send("<unheard-of xmlns='urn:stanzalab:0'/>")
    session.expect_stream_error("unsupported-stanza-type")
    session.expect_closed()


def test_the_trace_shows_what_travelled(connector: Connect) -> None:
    connector(over="bosh", label="b")
    connector(over="websocket", label="w")
    texts = {(e.session, e.direction): e.text for e in connector.trace.entries}
    assert "rid=" in texts["b", "sent"]
    assert "bind" in texts["w", "sent"]
    assert any("agreed on the subprotocol xmpp" in e.text for e in connector.trace.entries)


# --- WebSocket


def test_frames_of_all_kinds(connector: Connect) -> None:
    session = connector(over="websocket")
    assert isinstance(session, WebSocketSession)
    text = f"<message xmlns='jabber:client' to='{session.jid}' id='1' type='chat'/>"
    session.send_frames(text, TextMessage(text[:9], message_finished=False), Ping(b"between"), TextMessage(text[9:]))
    assert session.expect("1").get("from") == session.jid
    session.socket.ping(b"again", timeout=PATIENCE)
    assert session.socket.pongs == [b"between", b"again"]
    session.socket.send_event(CloseConnection(1000), timeout=PATIENCE)
    assert session.socket.wait_until_closed(timeout=PATIENCE) is not None
    session.socket.wait_for_the_end(timeout=PATIENCE)
    with pytest.raises(ConnectionLost):
        session.receive()


def test_a_handshake_that_is_refused(cell: Cell) -> None:
    with pytest.raises(HandshakeRefused) as caught:
        websocket(cell, subprotocols=["x-lab"])
    assert caught.value.status == 400


def test_a_server_that_names_no_subprotocol() -> None:
    with FakeServer("no-subprotocol") as cell, pytest.raises(PeerError, match="did not agree"):
        websocket(cell)


def test_a_pong_that_does_not_come() -> None:
    with FakeServer("no-pong") as cell:
        session = websocket(cell)
        with pytest.raises(NoAnswer):
            session.socket.ping(timeout=0.2)
        session.abandon()


def test_what_cannot_be_sent_is_our_mistake(cell: Cell) -> None:
    session = websocket(cell, subprotocols=None)
    with pytest.raises(UsageError):
        session.socket.send_event(TextMessage("too early"), timeout=PATIENCE)
    session.abandon()


# --- BOSH


def test_termination_says_why(cell: Cell) -> None:
    session = bosh(cell, attributes={"to": "elsewhere.test"})
    session.send_raw(session.opening().encode())
    with pytest.raises(StreamEnded) as caught:
        session.receive()
    assert caught.value.condition == "host-unknown"
    session.close()


def test_a_status_that_is_not_200_is_raised_once_and_for_all(cell: Cell) -> None:
    wrong = Cell(**{**cell.__dict__, "endpoints": {**cell.endpoints, "bosh": cell.endpoints["websocket"]}})
    session = bosh(wrong)
    session.send_raw(session.opening().encode())
    for _ in range(2):
        with pytest.raises(HttpRefused) as caught:
            session.receive()
        assert caught.value.response.status == 404
    session.close()


def test_a_kept_connection_that_was_closed_is_dialled_anew(connector: Connect) -> None:
    session = connector(over="bosh")
    assert isinstance(session, BoshSession)
    for kept in session._idle:
        kept.transport.abort()
    session.sentinel()
    assert session.pending <= 1


def test_keys_are_spent_one_a_request(cell: Cell) -> None:
    session = bosh(cell)
    session.keys = ["k1", "k2"]
    assert [' key="k1"' in session.body(), ' key="k2"' in session.body(), " key=" in session.body()] == [
        True,
        True,
        False,
    ]
    session.abandon()


# --- plain requests


def test_a_request_and_its_response(cell: Cell) -> None:
    response = request(cell, "https", "GET", "/.well-known/host-meta")
    assert response.status == 200
    assert response.header("Content-Type") == "application/xrd+xml"
    assert request(cell, "http", "GET", "/nowhere").status == 404


def test_a_file_is_put_for_another_host(cell: Cell) -> None:
    """TLS and the Host header say the authority, and the connection goes to the cell's port."""
    upload = f"{cell.domain}:5281"
    response = request(cell, "https", "PUT", "/upload/none/note.txt", body=b"note", authority=upload)
    assert response.status == 404
    with pytest.raises(TlsFailed):  # its certificate is not for that name
        request(cell, "https", "PUT", "/upload/none/note.txt", body=b"note", authority="elsewhere.test")


def test_no_such_endpoint(cell: Cell) -> None:
    bare = Cell(cell.domain, cell.subject, {})
    with pytest.raises(UsageError, match="no websocket endpoint"):
        connect(bare, Stage.CONNECTED, over="websocket")
