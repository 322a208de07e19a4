"""XEP-0198 §5, §7: a stream that broke is resumed as it was: resource, counts, presence and roster."""

from __future__ import annotations

import pytest

from lab.plugin import Connect, Specification, require, require_equal
from lab.wire.namespaces import CLIENT, DISCO_INFO, NS, PING, ROSTER
from lab.wire.session import Matches, Session, localname, new_id
from scenarios.server._contacts import appear, befriend, disappear
from scenarios.server.rfc6121._playing import is_presence
from scenarios.server.rfc6121._roster import interested, item_xml
from scenarios.server.xep0198._counting import require_acknowledged
from scenarios.server.xep0198._managed import (
    Managed,
    make_resumable,
    message,
    over_websocket,
    resumable,
    resume,
    tell,
)

MANAGED = Specification("XEP-0198")


@over_websocket
@MANAGED.must(
    "5", says="A stream that broke is resumed: <resumed/> has its id in 'previd', and what was handled in 'h'."
)
def test_broken_stream_is_resumed(connect: Connect) -> None:
    stream = resumable(connect, online=True)
    stream.session.sentinel()
    stream.cut()
    _, answer = resume(connect, stream)
    require_equal(answer.get("previd"), stream.name, "'previd'")
    require_equal(answer.get("h"), str(stream.tally.sent_stanzas), "'h'")


@MANAGED.must("5", says="What <enabled/> says can be resumed is resumed, also where the client sent no presence.")
def test_stream_without_presence_is_resumed(connect: Connect) -> None:
    stream = resumable(connect)
    stream.cut()
    _, answer = resume(connect, stream)
    require_equal(answer.get("previd"), stream.name, "'previd'")


@pytest.mark.parametrize("count", [0, 1, 12])
@MANAGED.must(
    "5", says="'h' of <resumed/> is how many stanzas of the client were handled, zero where there were none."
)
def test_resumed_says_what_was_handled(count: int, connect: Connect) -> None:
    stream, alice = resumable(connect, online=True), connect(label="alice")
    sent = tell(stream.session, alice.jid, count)
    for identifier in sent:
        alice.expect(identifier)
    stream.cut()
    _, answer = resume(connect, stream)
    require_equal(answer.get("h"), str(count), "'h'")


@MANAGED.must("5", says="The counts go on where they were: they are not reset by the resumption.")
def test_count_goes_on_behind_a_resumption(connect: Connect) -> None:
    stream, alice = resumable(connect, online=True), connect(label="alice")
    tell(stream.session, alice.jid, 3)
    require_acknowledged(stream, 3)
    stream.cut()
    resumed, _ = resume(connect, stream)
    require_acknowledged(resumed, 3)
    tell(resumed.session, alice.jid, 2)
    require_acknowledged(resumed, 5)


@over_websocket
@MANAGED.must("5", says="A resumed stream is the same resource: its stanzas bear the full JID, and it needs no bind.")
def test_resumed_stream_is_the_same_resource(connect: Connect) -> None:
    stream, alice = resumable(connect, online=True), connect(label="alice")
    stream.cut()
    resumed, _ = resume(connect, stream)
    session = resumed.session
    (identifier,) = tell(session, alice.jid, 1)
    require_equal(alice.expect(identifier).get("from"), stream.session.jid, "'from'")
    answer = session.iq("get", f"<ping xmlns='{PING}'/>")
    require(answer.get("to") in {None, stream.session.jid}, f"'to' {stream.session.jid}", answer)
    (identifier,) = tell(alice, stream.session.jid, 1)
    session.expect(identifier, "a message to the full JID")


@MANAGED.must("5", says="A stream that was resumed is resumed again when it breaks again.")
def test_stream_is_resumed_again_and_again(connect: Connect) -> None:
    stream, alice = resumable(connect, online=True), connect(label="alice")
    for sent in (2, 4, 6):
        tell(stream.session, alice.jid, 2)
        require_acknowledged(stream, sent)
        stream.cut()
        identifiers = tell(alice, stream.session.jid, 2)
        alice.sentinel()
        stream, answer = resume(connect, stream)
        require_equal(answer.get("h"), str(sent), "'h'")
        stream.read(*identifiers)
        alice.sentinel(stream.session)
        require_equal(stream.came(identifiers), identifiers, "messages, in order")


# --- while the old connection lives


@over_websocket
@MANAGED.must("5", says="A stream is resumed though its old connection is still there.")
def test_stream_is_resumed_while_its_connection_lives(connect: Connect) -> None:
    stream, alice = resumable(connect), connect(label="alice")
    identifiers = tell(alice, stream.session.jid, 3)
    alice.sentinel(stream.session)
    resumed, answer = resume(connect, stream, handled=0)
    require_equal(answer.get("h"), str(stream.tally.sent_stanzas), "'h'")
    resumed.read(*identifiers)
    more = tell(alice, stream.session.jid, 2)
    resumed.read(*more)
    alice.sentinel(resumed.session)
    require_equal(resumed.came([*identifiers, *more]), [*identifiers, *more], "messages, in order")


@MANAGED.should("5", says="The connection that a stream had before is closed, with the stream error conflict.")
def test_old_connection_is_closed_with_conflict(connect: Connect) -> None:
    stream = resumable(connect)
    resume(connect, stream)
    stream.session.expect_stream_error("conflict")
    stream.session.expect_closed()


@MANAGED.should_not("7", "5", says="Contacts are told nothing when a stream moves to another connection.")
def test_contacts_see_nothing_of_a_moved_stream(connect: Connect) -> None:
    stream, contact = _online_with_contact(connect)
    resumed, _ = resume(connect, stream)
    _saw_nothing(resumed, contact)


# --- presence, roster and the rest of the state


def _online_with_contact(connect: Connect) -> tuple[Managed, Session]:
    """A stream that is available and can be resumed, and a contact who sees that."""
    account = connect.account()
    bob, carol = connect(account=account, label="bob"), connect(label="carol")
    befriend(bob, carol)
    appear(carol)
    bob.send("<presence><status>here</status></presence>")
    carol.expect(is_presence(None, bob.jid), "the presence")
    bob.sentinel(carol)  # behind what a probe brings, too
    carol.inbox.clear()
    return make_resumable(bob, account), carol


def _saw_nothing(resumed: Managed, contact: Session) -> None:
    contact.expect_nothing(
        f"<presence type='unavailable' from='{resumed.session.jid}' to='{contact.jid}'/>",
        lambda e: localname(e) == "presence" and e.get("from") == resumed.session.jid,
        "presence of a stream that was resumed",
        after=resumed.session,
    )


@over_websocket
@MANAGED.should(
    "7", "5", says="A stream that broke is unfinished, not over: contacts do not see it leave, or come again."
)
def test_contacts_see_nothing_of_a_break(connect: Connect) -> None:
    stream, contact = _online_with_contact(connect)
    stream.cut()
    resumed, _ = resume(connect, stream)
    _saw_nothing(resumed, contact)


@MANAGED.should("7", says="While a stream is broken, its presence is told to a contact who comes.")
def test_broken_stream_is_still_present(connect: Connect) -> None:
    stream, contact = _online_with_contact(connect)
    disappear(contact)
    contact.inbox.clear()
    stream.cut()
    contact.send("<presence/>")
    presence = contact.expect(is_presence(None, stream.session.jid), "the presence of the broken stream")
    require_equal(presence.findtext(f"{{{CLIENT}}}status"), "here", "the status")


@MANAGED.should(
    "7", "5", says="The presence that a stream had is retained: behind its resumption it is sent to whoever asks."
)
def test_presence_is_kept(connect: Connect) -> None:
    stream, contact = _online_with_contact(connect)
    stream.cut()
    resume(connect, stream)
    disappear(contact)
    contact.inbox.clear()
    contact.send("<presence/>")
    presence = contact.expect(is_presence(None, stream.session.jid), "the presence of the resumed stream")
    require_equal(presence.findtext(f"{{{CLIENT}}}status"), "here", "the status")


@MANAGED.must("5", says="Presence of contacts that changes during the break is sent when the stream is resumed.")
def test_presence_of_contacts_comes_behind_the_break(connect: Connect) -> None:
    stream, contact = _online_with_contact(connect)
    stream.session.sentinel()
    stream.cut()
    contact.send("<presence><show>away</show></presence>")
    contact.sentinel()
    resumed, _ = resume(connect, stream)
    resumed.session.expect(
        lambda e: is_presence(None, contact.jid)(e) and e.findtext(f"{{{CLIENT}}}show") == "away",
        "the contact's presence of during the break",
    )


@MANAGED.must("5", says="Changes of the roster during the break, and behind it, are pushed to the resumed stream.")
def test_roster_is_pushed_to_a_resumed_stream(connect: Connect) -> None:
    account = connect.account()
    session = interested(connect, account=account, label="bob")
    other = interested(connect, account=account, label="other")
    appear(session)
    stream = make_resumable(session, account)
    stream.cut()
    during, behind = f"during-{new_id()}@{session.domain}", f"behind-{new_id()}@{session.domain}"

    def added(jid: str) -> None:
        other.iq("set", f"<query xmlns='{ROSTER}'>{item_xml(jid)}</query>")

    added(during)
    resumed, _ = resume(connect, stream)
    added(behind)
    for jid in (during, behind):
        resumed.session.expect(_is_push_of(jid), f"the push of {jid}")


def _is_push_of(jid: str) -> Matches:
    return lambda e: e.get("type") == "set" and e.find(f"roster:query/roster:item[@jid='{jid}']", NS) is not None


@MANAGED.must("5", says="A request that comes during the break is delivered, and the resumed stream answers it.")
def test_iq_during_the_break_is_delivered(connect: Connect) -> None:
    stream, contact = _online_with_contact(connect)
    stream.cut()
    identifier = new_id()
    contact.send(f"<iq type='get' id='{identifier}' to='{stream.session.jid}'><query xmlns='{DISCO_INFO}'/></iq>")
    contact.sentinel()
    resumed, _ = resume(connect, stream)
    request = resumed.session.expect(identifier, "the request")
    require_equal(request.get("from"), contact.jid, "'from'")
    resumed.session.send(f"<iq type='result' id='{identifier}' to='{contact.jid}'><query xmlns='{DISCO_INFO}'/></iq>")
    answer = contact.expect(identifier, "the answer")
    require_equal(answer.get("type"), "result", "the type")
    require_equal(answer.get("from"), stream.session.jid, "'from'")


@MANAGED.must(
    "5", says="What a client sent before the break and was not told of is told by 'h', and so not sent twice."
)
def test_client_learns_what_to_send_again(connect: Connect) -> None:
    stream, alice = resumable(connect, online=True), connect(label="alice")
    identifiers = tell(stream.session, alice.jid, 4)
    alice.expect(identifiers[-1])
    stream.cut()
    resumed, answer = resume(connect, stream)
    handled = int(answer.get("h") or 0)
    lost = identifiers[handled:]
    resumed.session.send_together(message(alice.jid, identifier) for identifier in lost)
    resumed.session.sentinel(alice)
    came = [e.get("id") for e in alice.inbox if e.get("id") in identifiers]
    require_equal(came, identifiers[:-1], "messages besides the last, once each and in order")
