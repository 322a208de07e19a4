"""XEP-0198 §5: what is sent again when a stream is resumed: just what was not handled, in order, and then the new."""

from __future__ import annotations

import pytest

from lab.plugin import Connect, Specification, require, require_equal
from lab.wire.namespaces import NS
from lab.wire.session import Session, localname, new_id
from scenarios.server.rfc6120._stanzas import UNKNOWN, require_delivered
from scenarios.server.rfc6121._playing import is_presence
from scenarios.server.xep0198._managed import REQUEST, Managed, over_websocket, resumable, resume, tell

MANAGED = Specification("XEP-0198")
ERROR = f"<error type='cancel'><service-unavailable xmlns='{NS['stanzas']}'/></error>"


def _two(connect: Connect) -> tuple[Managed, Session]:
    """A stream that can be resumed, and somebody who sends to it."""
    return resumable(connect, online=True), connect(label="alice")


def _replayed(connect: Connect, stream: Managed, alice: Session, identifiers: list[str], handled: int) -> list[str]:
    """Resume the stream and answer which of these come then, in order."""
    resumed, _ = resume(connect, stream, handled=handled)
    alice.sentinel(resumed.session)
    return resumed.came(identifiers)


@over_websocket
@pytest.mark.parametrize("handled", [0, 1, 3, 5])
@MANAGED.must("5", says="What the client did not handle is sent again, in order; what it handled is not.")
def test_just_what_was_not_handled_is_sent_again(handled: int, connect: Connect) -> None:
    stream, alice = _two(connect)
    identifiers = tell(alice, stream.session.jid, 5)
    stream.read(*identifiers)
    claimed = stream.tally.handled_up_to(identifiers[handled - 1]) if handled else 0
    stream.cut()
    require_equal(
        _replayed(connect, stream, alice, identifiers, claimed), identifiers[handled:], "messages, in order"
    )


@pytest.mark.parametrize("more", [0, 2])
@MANAGED.should(
    "5", "4", says="What was acknowledged before the break is not sent again, nor is what <resume/> adds to it."
)
def test_acknowledged_stanzas_are_not_sent_again(more: int, connect: Connect) -> None:
    stream, alice = _two(connect)
    identifiers = tell(alice, stream.session.jid, 6)
    stream.read(*identifiers)
    stream.acknowledge(stream.tally.handled_up_to(identifiers[2]))
    stream.session.sentinel()
    claimed = stream.tally.handled_up_to(identifiers[2 + more])
    stream.cut()
    expected = identifiers[3 + more :]
    require_equal(_replayed(connect, stream, alice, identifiers, claimed), expected, "messages, in order")


@over_websocket
@MANAGED.must("5", says="What comes during the break is delivered on resumption, behind what was not handled before.")
def test_new_stanzas_come_behind_the_lost_ones(connect: Connect) -> None:
    stream, alice = _two(connect)
    lost = tell(alice, stream.session.jid, 3)
    stream.read(*lost)
    stream.cut()
    during = tell(alice, stream.session.jid, 3)
    alice.sentinel()
    resumed, _ = resume(connect, stream, handled=0)
    behind = tell(alice, stream.session.jid, 3)
    alice.sentinel(resumed.session)
    expected = [*lost, *during, *behind]
    require_equal(resumed.came(expected), expected, "messages, in order")


@MANAGED.must("5", says="What was sent again and not handled either is sent once more when the stream breaks again.")
def test_stanzas_are_sent_again_until_they_are_handled(connect: Connect) -> None:
    stream, alice = _two(connect)
    identifiers = tell(alice, stream.session.jid, 3)
    stream.read(*identifiers)
    for _ in range(2):
        stream.cut()
        stream, _ = resume(connect, stream, handled=0)
        stream.read(*identifiers)
        alice.sentinel(stream.session)
        require_equal(stream.came(identifiers), identifiers, "messages, in order")
    stream.cut()
    last, _ = resume(connect, stream)
    alice.sentinel(last.session)
    require_equal(last.came(identifiers), [], "messages")


@MANAGED.must("5", says="Many stanzas that came during a break are all delivered, in order.")
def test_many_stanzas_wait_for_the_resumption(connect: Connect) -> None:
    stream, alice = _two(connect)
    stream.cut()
    identifiers = tell(alice, stream.session.jid, 100)
    alice.sentinel()
    require_equal(_replayed(connect, stream, alice, identifiers, 0), identifiers, "messages, in order")


KINDS = {
    "message": "<message type='chat' id='{id}' to='{to}'><body>Hello</body>{unknown}</message>",
    "message-without-body": "<message type='chat' id='{id}' to='{to}'>{unknown}</message>",
    "headline": "<message type='headline' id='{id}' to='{to}'><body>Hello</body></message>",
    "message-error": "<message type='error' id='{id}' to='{to}'>{error}</message>",
    "presence": "<presence id='{id}' to='{to}'><status>Hello</status></presence>",
    "iq-result": "<iq type='result' id='{id}' to='{to}'>{unknown}</iq>",
    "iq-error": "<iq type='error' id='{id}' to='{to}'>{error}</iq>",
}


@pytest.mark.parametrize("written", KINDS.values(), ids=list(KINDS))
@MANAGED.must("5", says="A stanza of any kind is counted and, where it was not handled, sent again as it was.")
def test_stanza_of_each_kind_is_sent_again(written: str, connect: Connect) -> None:
    stream, alice = resumable(connect, online=True), connect(label="alice")
    (before,) = tell(alice, stream.session.jid, 1)
    identifier = new_id()
    xml = written.format(id=identifier, to=stream.session.jid, unknown=UNKNOWN, error=ERROR)
    alice.send(xml)
    (behind,) = tell(alice, stream.session.jid, 1)
    alice.sentinel(stream.session)
    came = [before, identifier, behind]
    require_equal(stream.came(came), came, "stanzas, in order")
    # What is not counted by both sides alike shows in what is sent again.
    claimed = stream.tally.handled_up_to(before)
    stream.cut()
    resumed, _ = resume(connect, stream, handled=claimed)
    alice.sentinel(resumed.session)
    require_equal(resumed.came(came), [identifier, behind], "stanzas, in order")
    got = next(e for e in resumed.session.inbox if e.get("id") == identifier)
    require_delivered(got, xml, alice.jid)


@pytest.mark.parametrize("written", KINDS.values(), ids=list(KINDS))
@MANAGED.must("5", "4", says="A stanza of any kind that was handled is not sent again.")
def test_handled_stanza_of_each_kind_is_not_sent_again(written: str, connect: Connect) -> None:
    stream, alice = resumable(connect, online=True), connect(label="alice")
    identifier = new_id()
    xml = written.format(id=identifier, to=stream.session.jid, unknown=UNKNOWN, error=ERROR)
    alice.send(xml)
    (behind,) = tell(alice, stream.session.jid, 1)
    alice.sentinel(stream.session)
    require_equal(stream.came([identifier, behind]), [identifier, behind], "stanzas, in order")
    claimed = stream.tally.handled_up_to(identifier)
    stream.cut()
    require_equal(_replayed(connect, stream, alice, [identifier, behind], claimed), [behind], "stanzas")


@MANAGED.must("5", says="An answer of the server's that was lost is sent again, under the id of the request.")
def test_answer_of_the_server_is_sent_again(connect: Connect) -> None:
    stream = resumable(connect, online=True)
    answer = stream.session.iq("get", f"<query xmlns='{NS['disco']}'/>", to=stream.session.domain)
    before = stream.tally.handled_up_to(answer.get("id", "")) - 1
    stream.cut()
    resumed, _ = resume(connect, stream, handled=before)
    again = resumed.session.expect(answer.get("id", ""), "the answer")
    require(localname(again) == "iq" and again.get("type") == answer.get("type"), "the same answer", again)
    require(again.find("disco:query", NS) is not None, "what was asked for", again)


@MANAGED.must("5", says="Elements of stream management are not counted: they shift nothing of what is sent again.")
def test_acknowledgements_do_not_count_as_stanzas(connect: Connect) -> None:
    stream, alice = _two(connect)
    identifiers = []
    for _ in range(4):
        identifiers += tell(alice, stream.session.jid, 1)
        stream.read(identifiers[-1])
        stream.session.send(REQUEST)  # so that an <a/> lies between each two
        stream.session.sentinel()
    claimed = stream.tally.handled_up_to(identifiers[1])
    stream.cut()
    require_equal(_replayed(connect, stream, alice, identifiers, claimed), identifiers[2:], "messages, in order")


@MANAGED.must_not("5", says="A message is delivered to a broken stream, or to another resource, and not to both.")
def test_message_during_the_break_goes_to_its_resource(connect: Connect) -> None:
    account = connect.account()
    stream = resumable(connect, account=account, online=True)
    other, alice = connect(account=account, label="other"), connect(label="alice")
    other.send("<presence/>")
    stream.session.expect(is_presence(None, other.jid), "the presence of the other resource")
    stream.session.sentinel()
    stream.cut()
    identifiers = tell(alice, stream.session.jid, 2)
    alice.sentinel()
    resumed, _ = resume(connect, stream)
    for session in (resumed.session, other):
        alice.sentinel(session)
    came = [e.get("id", "") for session in (resumed.session, other) for e in session.inbox]
    require_equal(
        sorted(one for one in came if one in identifiers), sorted(identifiers), "messages at both resources"
    )
