"""The tap between a client of the lab's own and a fake server: it passes on, records, changes, drops, cuts."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable

import pytest

from lab.cell import Account, Cell
from lab.errors import PeerError
from lab.tap.line import Piece
from lab.tap.relay import Relay
from lab.tap.tap import HEARD_SECONDS, Tap
from lab.wire import negotiation
from lab.wire.namespaces import NS, PING
from lab.wire.negotiation import Stage
from lab.wire.session import localname, parse
from lab.wire.stream import Element, StreamClosed
from lab.wire.transport import ConnectionLost, NoAnswer, Transport
from tests.tap.conftest import HOST, Connecting, Tapping

QUERY = "<query xmlns='jabber:iq:version'/>"


def test_stanzas_go_both_ways_and_are_kept(tapping: Tapping, connecting: Connecting, account: Account) -> None:
    tap = tapping()
    client = connecting(tap)
    assert tap.bound() == client.jid
    assert client.bare_jid == account.jid
    assert client.iq("get", f"<ping xmlns='{PING}'/>").get("type") == "result"
    asked = tap.expect(lambda e: e.find("ping:ping", NS) is not None, "a ping")
    assert asked.get("type") == "get"
    assert [localname(e) for e in tap.sent()] == ["iq", "iq"], "the bind request, and the ping"
    labels = {(entry.session, entry.direction) for entry in tap.trace.entries}
    assert {("client", "received"), ("client", "sent"), ("server", "received"), ("server", "sent")} <= labels


def test_the_clients_login_is_told(tapping: Tapping, connecting: Connecting) -> None:
    tap = tapping()
    connecting(tap, mechanism="SCRAM-SHA-1")
    (arrival,) = tap.arrivals
    assert (arrival.secured, arrival.authenticated, arrival.restarted) == (True, True, True)
    assert arrival.tried == [("SCRAM-SHA-1", True)]
    assert len(arrival.headers) == 3
    assert arrival.headers[0]["to"] == "fake.test"


def test_what_is_injected_reaches_the_side_that_it_is_for(tapping: Tapping, connecting: Connecting) -> None:
    tap = tapping()
    client = connecting(tap)
    tap.inject("<message id='forged' from='eve@fake.test'><body>boo</body></message>")
    assert client.expect("forged").findtext("{*}body") == "boo"
    tap.send_as_client(f"<iq type='get' id='ours' to='fake.test'><ping xmlns='{PING}'/></iq>")
    assert client.expect("ours").get("type") == "result"
    assert not tap.sent(lambda e: e.get("id") == "ours"), "what the tap sends in its place, the client did not send"


def test_nothing_comes_between_pieces(
    tapping: Tapping, connecting: Connecting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the server answers, which the tap passes on, stanzas are injected in pieces that are none themselves."""
    tap = tapping()
    client = connecting(tap)
    rouse = tap._rouse

    def rouse_and_dawdle() -> None:
        rouse()
        time.sleep(0.005)  # time for the tap to send what it has been handed so far, and what the server answered

    monkeypatch.setattr(tap, "_rouse", rouse_and_dawdle)
    message = "<message id='{}' from='eve@fake.test'><body>in pieces</body></message>"
    for number in range(20):
        client.send(f"<iq type='get' id='asked-{number}' to='fake.test'><ping xmlns='{PING}'/></iq>")
        data = message.format(number).encode()
        tap.inject(data[:4], data[4:40], data[40:-3], data[-3:])
    for number in range(20):
        assert client.expect(str(number)).findtext("{*}body") == "in pieces"
        assert client.expect(f"asked-{number}").get("type") == "result"


def test_a_filter_drops_and_changes(tapping: Tapping, connecting: Connecting) -> None:
    tap = tapping()
    client = connecting(tap)

    def replies_alone(element: Element) -> Iterable[Piece]:
        if element.get("id") == "dropped":
            return ()
        element.set("id", f"{element.get('id')}-changed")
        return (element, "<message id='besides'/>")

    tap.from_server = replies_alone
    client.send(f"<iq type='get' id='dropped' to='fake.test'>{QUERY}</iq>")
    client.send(f"<iq type='get' id='kept' to='fake.test'>{QUERY}</iq>")
    client.expect("kept-changed")
    client.expect("besides")
    assert not client.inbox
    other = parse(f"<iq type='get' id='other' to='fake.test'>{QUERY}</iq>", default="jabber:client")
    tap.from_client = lambda _: (other,)
    tap.from_server = lambda e: (e,)
    client.send(f"<iq type='get' id='mine' to='fake.test'>{QUERY}</iq>")
    client.expect("other")


def test_a_cut_breaks_without_a_close_and_the_client_may_come_again(tapping: Tapping, connecting: Connecting) -> None:
    tap = tapping()
    client = connecting(tap)
    tap.cut()
    with pytest.raises(ConnectionLost):
        client.receive()
    tap.over(1)
    again = connecting(tap)
    again.sentinel()
    assert len(tap.arrivals) == 2


def test_what_was_for_a_connection_that_broke_is_not_for_the_next(tapping: Tapping, connecting: Connecting) -> None:
    tap = tapping()
    connecting(tap)
    tap.cut()
    tap.inject("<message id='too-late'/>")
    tap.over()
    client = connecting(tap)
    tap.inject("<message id='in-time'/>")
    client.expect("in-time")
    assert not client.inbox


def test_a_client_may_come_again_just_as_the_tap_is_roused(
    tapping: Tapping, connecting: Connecting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are there when the tap looks, and the client's new line then reads what had roused it."""
    tap = tapping()
    there = threading.Event()
    serve = tap._connection

    def serve_and_dawdle(transport: Transport) -> None:
        serve(transport)
        there.wait(5)

    monkeypatch.setattr(tap, "_connection", serve_and_dawdle)
    connecting(tap)
    tap.cut()
    tap.over(1)
    tap._rouse()
    threading.Timer(0.3, there.set).start()
    connecting(tap).sentinel()
    tap.cut()
    tap.over(2)
    connecting(tap).sentinel()


def test_a_filter_sees_what_was_sent_so_far_and_waits_for_nobody(tapping: Tapping, connecting: Connecting) -> None:
    tap = tapping()
    client = connecting(tap)
    seen: list[tuple[int, float]] = []

    def looks(element: Element) -> Iterable[Piece]:
        begun = time.monotonic()
        seen.append((len(tap.sent()), time.monotonic() - begun))
        return (element,)

    tap.from_client = looks
    client.iq("get", f"<ping xmlns='{PING}'/>")
    (sent, seconds), *_ = seen
    assert sent == 2, "the bind request, and the ping"
    assert seconds < HEARD_SECONDS


def test_streams_are_closed_in_order(tapping: Tapping, connecting: Connecting) -> None:
    tap = tapping()
    client = connecting(tap)
    client.send("</stream:stream>")
    client.expect_closed()
    assert tap.over().restarted


def test_a_stream_ends_once_whoever_ends_it_first(tapping: Tapping, connecting: Connecting) -> None:
    tap = tapping()
    client = connecting(tap)
    tap.inject("</stream:stream>")
    assert isinstance(client.next_event(), StreamClosed)
    client.send("</stream:stream>")
    assert tap.over().closed
    sent = [entry.text for entry in tap.trace.entries if entry.direction == "sent" and entry.session == "client"]
    assert sum(text.count("</stream:stream>") for text in sent) == 1


@pytest.mark.parametrize("sent", ["<a><b></a>", "<!-- no -->", "&undefined;"])
def test_a_client_that_sends_no_xml_is_told_so_and_it_is_kept(
    tapping: Tapping, connecting: Connecting, sent: str
) -> None:
    tap = tapping()
    client = connecting(tap)
    client.send(sent)
    client.expect_stream_error("not-well-formed", "restricted-xml")
    tap.over()
    assert len(tap.faults) == 1


def test_a_wait_in_vain_says_what_came_instead(tapping: Tapping, connecting: Connecting) -> None:
    tap = tapping(patience=0.5)
    client = connecting(tap)
    client.send("<message id='instead'/>")
    tap.expect(lambda e: e.get("id") != "instead", "the bind request")
    with pytest.raises(NoAnswer) as caught:
        tap.expect(lambda e: e.get("id") == "never", "something else")
    assert caught.value.expected == "something else"


def test_a_filter_that_breaks_is_told_to_whoever_waits(tapping: Tapping, connecting: Connecting) -> None:
    tap = tapping()
    client = connecting(tap)

    def breaks(_: Element) -> Iterable[Piece]:
        raise ZeroDivisionError

    tap.from_client = breaks
    client.send("<message id='x'/>")
    tap.over()
    with pytest.raises(ZeroDivisionError):
        tap.expect(lambda e: e.get("id") == "never", "anything")


def test_leaving_the_block_ends_a_greeting_in_the_middle(
    cell: Cell, account: Account, connecting: Connecting
) -> None:
    with Tap(cell, account, HOST, patience=3600.0) as tap:
        connecting(tap, Stage.OPENED)


def test_a_server_that_is_gone_hangs_up_on_the_client(tapping: Tapping, connecting: Connecting, cell: Cell) -> None:
    cell.endpoints["c2s"] = type(cell.endpoints["c2s"])(HOST, 1)
    tap = tapping()
    with pytest.raises(PeerError):
        connecting(tap)
    assert tap.over().restarted


def test_a_relay_passes_bytes_on_untouched(cell: Cell, account: Account) -> None:
    with Relay(HOST, cell.endpoints["c2s"]) as relay:
        through = Cell(cell.domain, cell.subject, {"c2s": relay.endpoint}, ca=cell.ca)
        sessions = [negotiation.connect(through, Stage.BOUND, account=account) for _ in range(3)]
        for session in sessions:
            session.sentinel()
        sessions[0].close(farewell=30.0)
        sessions[1].sentinel()
        for session in sessions[1:]:
            session.close()
