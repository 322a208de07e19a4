"""The session against a fake server: what waits find, pass over, miss, and say of it."""

from __future__ import annotations

import time
from collections.abc import Iterable

import pytest
from lxml import etree

from lab.errors import PeerError
from lab.fakes import FakeServer
from lab.plugin import Connect, Stage
from lab.wire.namespaces import CLIENT, LAB, PING
from lab.wire.session import (
    Session,
    StreamEnded,
    StreamFailed,
    localname,
    new_id,
    parse,
    show,
    stanza_error_condition,
    stream_error_condition,
)
from lab.wire.stream import Event, PeerViolation, Received
from lab.wire.transport import ConnectionLost, NoAnswer
from tests.fakes.connecting import connecting

SHORT = 0.2  # seconds to wait for what never comes


@pytest.fixture
def alice(connect: Connect) -> Session:
    return connect(label="alice")


@pytest.fixture
def bob(connect: Connect) -> Session:
    return connect(label="bob")


def ids(session: Session) -> list[str | None]:
    return [element.get("id") for element in session.inbox]


def say(sender: Session, recipient: Session, *identifiers: str) -> None:
    for identifier in identifiers:
        sender.send(f"<message to='{recipient.jid}' id='{identifier}'/>")


def test_who_a_session_is(alice: Session) -> None:
    assert alice.jid == f"{alice.bare_jid}/{alice.resource}"
    assert alice.bare_jid.endswith("@fake.test")
    assert repr(alice) == f"<Session alice {alice.jid}>"


def test_expect_passes_over_and_keeps_the_order(alice: Session, bob: Session) -> None:
    say(alice, bob, "1", "2", "3", "4")
    assert bob.expect("3").get("id") == "3"
    assert ids(bob) == ["1", "2"]
    assert bob.expect(lambda e: localname(e) == "message").get("id") == "1"
    assert bob.receive().get("id") == "2"
    assert bob.receive().get("id") == "4"
    assert ids(bob) == []


def test_expect_finds_in_the_inbox_what_came_before(alice: Session, bob: Session) -> None:
    say(alice, bob, "1", "2")
    alice.sentinel(bob)
    assert ids(bob) == ["1", "2"]
    assert bob.expect("2", timeout=0).get("id") == "2"


def test_expect_says_what_was_awaited_and_what_came(alice: Session, bob: Session) -> None:
    say(alice, bob, "1", "2")
    with pytest.raises(NoAnswer) as caught:
        bob.expect("3", timeout=SHORT)
    assert caught.value.expected == "a stanza with id '3'"
    assert 'id="1"' in caught.value.seen
    assert 'id="2"' in caught.value.seen
    assert ids(bob) == ["1", "2"]
    with pytest.raises(NoAnswer) as caught:
        bob.expect(lambda _: False, "a miracle", timeout=SHORT)
    assert caught.value.expected == "a miracle"
    assert caught.value.seen == "nothing within 0.2 s"


def test_a_wait_is_as_long_as_it_says(alice: Session) -> None:
    began = time.monotonic()
    with pytest.raises(NoAnswer):
        alice.receive(timeout=SHORT)
    assert SHORT <= time.monotonic() - began < SHORT + 0.5


def test_a_trickle_does_not_prolong_a_wait(alice: Session, bob: Session) -> None:
    say(alice, bob, *(str(n) for n in range(50)))
    alice.sentinel(bob)
    say(alice, bob, *(str(n) for n in range(50)))
    began = time.monotonic()
    with pytest.raises(NoAnswer):
        bob.expect("never", timeout=SHORT)
    assert time.monotonic() - began < SHORT + 0.5


def test_iq(alice: Session) -> None:
    assert alice.iq("get", f"<ping xmlns='{PING}'/>", to="fake.test").get("type") == "result"
    error = alice.iq("get", "<x xmlns='urn:x'/>", to="fake.test", attributes=" xml:lang='de'")
    assert stanza_error_condition(error) == "service-unavailable"


def test_iq_takes_no_request_for_an_answer(alice: Session, bob: Session) -> None:
    """A peer's own request may bear the id of ours."""
    alice.send(f"<iq type='get' id='x' to='{bob.jid}'><q xmlns='urn:q'/></iq>")
    bob.sentinel()
    assert bob.iq("get", f"<ping xmlns='{PING}'/>").get("type") == "result"
    assert ids(bob) == ["x"]


def test_sentinel_to_another(alice: Session, bob: Session) -> None:
    say(alice, bob, "before")
    alice.sentinel(bob)
    assert ids(bob) == ["before"]
    assert ids(alice) == []
    alice.sentinel(alice)


def test_what_a_sentinel_sends(connect: Connect, alice: Session, bob: Session) -> None:
    alice.sentinel(bob)
    sent = [e.text for e in connect.trace.entries if e.session == "alice" and e.direction == "sent"]
    assert f"xmlns='{LAB}'" in sent[-1]


def test_expect_nothing_notices_what_is_forbidden(alice: Session, bob: Session) -> None:
    forbidden = "<message id='forbidden'/>"

    def is_it(element: etree._Element) -> bool:
        return element.get("id") == "forbidden"

    say(alice, bob, "other")
    bob.expect_nothing(forbidden, is_it, "a forbidden message", after=alice)
    bob.expect_nothing(forbidden, is_it, "a forbidden message")
    say(alice, bob, "forbidden", "behind")
    with pytest.raises(PeerError) as caught:
        bob.expect_nothing(forbidden, is_it, "a forbidden message", after=alice)
    assert caught.value.expected == "no a forbidden message"
    assert 'id="forbidden"' in caught.value.seen
    assert ids(bob) == ["other", "behind"]


def test_expect_nothing_notices_what_prove_injects(alice: Session) -> None:
    injected: list[str] = []

    def inject(_: Session, xml: str) -> bool:
        injected.append(xml)
        return True

    alice.inject = inject
    with pytest.raises(PeerError):
        alice.expect_nothing("<message id='f'/>", lambda e: e.tag == f"{{{CLIENT}}}message", "message")
    assert injected == ["<message id='f'/>"]
    assert ids(alice) == []


def test_tamper_stands_between_the_wire_and_the_check(alice: Session, bob: Session) -> None:
    def double(_: Session, event: Event) -> Iterable[Event]:
        if not isinstance(event, Received) or event.element.get("id") == "1":
            return ()
        return (event, event)

    bob.tamper = double
    say(alice, bob, "1", "2")
    assert [bob.receive().get("id"), bob.receive().get("id")] == ["2", "2"]
    with pytest.raises(NoAnswer):
        bob.receive(timeout=SHORT)


def test_a_stream_error_where_something_else_was_awaited(alice: Session) -> None:
    say(alice, alice, "1")
    alice.send("<message from='somebody@else.test'/>")
    with pytest.raises(StreamFailed) as caught:
        alice.expect("never")
    assert caught.value.condition == "invalid-from"
    assert "<invalid-from" in caught.value.seen
    assert "(before it: <message" in caught.value.seen
    assert caught.value.expected == "a stanza with id 'never'"


def test_expect_stream_error(alice: Session, bob: Session) -> None:
    say(alice, alice, "1")
    alice.send("<unknown/>")
    error = alice.expect_stream_error("bad-format", "unsupported-stanza-type")
    assert stream_error_condition(error) == "unsupported-stanza-type"
    assert ids(alice) == ["1"]
    alice.expect_closed()
    bob.send("<unknown/>")
    with pytest.raises(StreamFailed) as caught:
        bob.expect_stream_error("bad-format")
    assert caught.value.expected == "a stream error: bad-format"


def test_expect_stream_error_that_does_not_come(alice: Session, bob: Session) -> None:
    alice.patience = SHORT
    with pytest.raises(NoAnswer) as caught:
        alice.expect_stream_error()
    assert caught.value.expected == "a stream error: any condition"
    bob.send("</stream:stream>")
    with pytest.raises(StreamEnded) as ended:
        bob.expect_stream_error("bad-format")
    assert ended.value.expected == "a stream error: bad-format"


def test_the_end_of_a_stream(alice: Session) -> None:
    say(alice, alice, "1")
    alice.send("</stream:stream>")
    alice.expect("1")
    with pytest.raises(StreamEnded):
        alice.receive()
    with pytest.raises(ConnectionLost):
        alice.receive()
    alice.close()
    alice.close()


def test_expect_closed_where_nothing_is_closed(alice: Session) -> None:
    alice.patience = SHORT
    began = time.monotonic()
    with pytest.raises(NoAnswer) as caught:
        alice.expect_closed()
    assert caught.value.expected == "the end of the connection"
    assert time.monotonic() - began < SHORT + 0.5


def test_expect_closed_of_the_connection_alone() -> None:
    with FakeServer("closes-tcp-without-stream-close", patience=2.0) as cell, connecting(cell) as connect:
        session = connect(Stage.OPENED)
        session.send("</stream:stream>")
        session.expect_closed(stream=False)


def test_close_does_not_raise_where_the_peer_is_gone() -> None:
    with FakeServer("dies-on-message", patience=2.0) as cell, connecting(cell) as connect:
        session = connect()
        session.send(f"<message to='{session.jid}'/>")
        with pytest.raises(ConnectionLost):
            session.receive()
        session.close()
        with pytest.raises(ConnectionLost):
            session.send_raw(b"x")


def test_half_close_is_seen_by_the_peer(connect: Connect) -> None:
    session = connect(Stage.OPENED)
    session.transport.half_close()
    session.expect_closed(stream=False)


def test_an_inbox_has_bounds() -> None:
    with FakeServer("floods", patience=60.0) as cell, connecting(cell) as connect:
        session = connect()
        with pytest.raises(PeerError, match="10000 stanzas that nobody awaited"):
            session.expect_stream_error()


def test_raw_bytes_go_as_they_are(connect: Connect, alice: Session) -> None:
    alice.send_raw(b"<message>\xff</message>")
    alice.expect_stream_error("not-well-formed")
    assert any("<message>\\xff</message>" in e.text for e in connect.trace.entries)


def test_an_element_is_sent_as_it_is(alice: Session) -> None:
    alice.send(parse(f"<message to='{alice.jid}' id='e'><body>&lt;é</body></message>", default=CLIENT))
    assert alice.expect("e").findtext("{*}body") == "<é"


def test_violations_come_behind_what_was_right() -> None:
    with FakeServer("broken-xml", patience=2.0) as cell, connecting(cell) as connect:
        with pytest.raises(PeerViolation) as caught:
            connect(Stage.OPENED)
        assert caught.value.condition == "not-well-formed"
        assert any(e.session.startswith("client") and "stream:stream" in e.text for e in connect.trace.entries)


def test_parse_and_show() -> None:
    element = parse("<message><disco:query/></message>", default=CLIENT)
    assert element.tag == f"{{{CLIENT}}}message"
    assert localname(element) == "message"
    assert element.getparent() is None
    assert show(element).startswith(f'<message xmlns="{CLIENT}"')


@pytest.mark.parametrize(
    ("xml", "condition"),
    [
        ("<iq type='result'/>", ""),
        ("<iq><error><stanzas:text>t</stanzas:text><stanzas:conflict/></error></iq>", "conflict"),
        ("<iq><error><conflict/></error></iq>", "no defined condition"),
    ],
)
def test_stanza_error_condition(xml: str, condition: str) -> None:
    assert stanza_error_condition(parse(xml, default=CLIENT)) == condition


@pytest.mark.parametrize(
    ("xml", "condition"),
    [
        ("<stream:error><streams:text>t</streams:text><streams:reset/></stream:error>", "reset"),
        ("<stream:error><reset xmlns='urn:other'/></stream:error>", "no defined condition"),
        ("<stream:error/>", "no defined condition"),
    ],
)
def test_stream_error_condition(xml: str, condition: str) -> None:
    assert stream_error_condition(parse(xml)) == condition


def test_ids_differ() -> None:
    assert len({new_id() for _ in range(1000)}) == 1000


def test_closing_twice_is_no_error(alice: Session) -> None:
    alice.close()
    alice.close()
    assert alice.trace.entries[-1].text.startswith("closing:")
