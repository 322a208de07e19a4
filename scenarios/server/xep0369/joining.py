"""XEP-0369 §7.1.2, §7.1.4 and §4.6, §4.7.3: participants come, are listed, get a nick, and go."""

from __future__ import annotations

import pytest

from lab.plugin import Connect, Specification, impossible, require, require_equal, require_error, require_result
from lab.wire.namespaces import MIX, NS, PUBSUB
from lab.wire.session import Session
from scenarios.server.xep0369._channel import (
    BOTH,
    MESSAGES,
    PARTICIPANTS,
    Channel,
    change,
    channel,
    entry,
    is_change,
    joined,
    participant,
)

CHANNELS = Specification("XEP-0369")

ITEM = "pubsub:pubsub/pubsub:items/pubsub:item"
NOWHERE = "urn:xmpp:mix:nodes:stanzalab"


@pytest.fixture
def made(connect: Connect) -> Channel:
    """A channel, with nobody in it but who made it."""
    return channel(connect, connect(label="owner"))


@pytest.fixture
def hecate(connect: Connect, made: Channel) -> Session:
    """A participant who is told of all that happens."""
    session = participant(connect, "hecate")
    made.join(session, "hecate")
    session.sentinel()
    session.inbox.clear()
    return session


# --- coming


@CHANNELS.must("7.1.2", says="Who joins is told an id, the nodes that it is subscribed to, and its nick.")
def test_joining_is_answered(made: Channel, alice: Session) -> None:
    told = made.join(alice, "third witch")
    require_equal(set(told.nodes), set(BOTH), "the nodes subscribed to")
    require_equal(told.nick, "third witch", "the nick")


@CHANNELS.must("7.1.2", says="By the time that the join is answered, the participants node has the newcomer.")
def test_newcomer_is_listed(made: Channel, alice: Session, hecate: Session) -> None:
    told = made.join(alice, "third witch")
    there = made.participants(hecate)
    require_equal(there.get(told.id), (alice.bare_jid, "third witch"), "JID and nick of the newcomer's id")


@CHANNELS.must("7.1.2", says="Those subscribed to the participants node are told of the newcomer, by its JID.")
def test_newcomer_is_announced(made: Channel, alice: Session, hecate: Session) -> None:
    told = made.join(alice, "third witch")
    message = hecate.expect(is_change(made, told.id), "a notification of the newcomer")
    require_equal((message.get("to") or "").partition("/")[0], hecate.bare_jid, "the addressee")
    items = message.findall("event:event/event:items/event:item", NS)
    require_equal([entry(item) for item in items], [(alice.bare_jid, "third witch")], "JID and nick")


@CHANNELS.must_not("7.1.2", says="Who is not subscribed to the participants node is not told of newcomers.")
def test_newcomer_is_announced_to_subscribers_alone(
    made: Channel, connect: Connect, alice: Session, hecate: Session
) -> None:
    other = participant(connect, "other")
    made.join(other, "other", (MESSAGES,))
    told = made.join(alice, "third witch")
    hecate.expect(is_change(made, told.id), "a notification of the newcomer")
    made.say(hecate, "behind it")
    made.heard(other, "behind it")
    other.expect_nothing(
        change(made, told.id, alice.bare_jid, "third witch"),
        is_change(made, told.id),
        "a notification that nobody asked for",
    )


@CHANNELS.must("7.1.2", says="Nodes that do not exist are left out of the answer; the others are subscribed to.")
def test_unknown_node_is_left_out(made: Channel, alice: Session) -> None:
    told = made.join(alice, "third witch", (MESSAGES, NOWHERE, PARTICIPANTS))
    require_equal(set(told.nodes), set(BOTH), "the nodes subscribed to")


@CHANNELS.should("7.1.2", says="Who asks for nodes of which none exists gets an error, and does not join.")
def test_no_node_at_all_is_an_error(made: Channel, alice: Session, hecate: Session) -> None:
    require_error(made.ask_to_join(alice, "third witch", (NOWHERE,)))
    require(alice.bare_jid not in _jids(made, hecate), "no participant", alice.bare_jid)


@CHANNELS.may("7.1.2", says="Who asks for no node joins all the same.")
def test_joining_without_nodes(made: Channel, alice: Session, hecate: Session) -> None:
    told = made.join(alice, "third witch", ())
    require_equal(told.nodes, (), "the nodes subscribed to")
    require_equal(made.participants(hecate).get(told.id, ("", ""))[0], alice.bare_jid, "the JID of the newcomer's id")


@CHANNELS.must("7.1.2", "4.7.3", says="Without a nick nobody joins: it is mandatory unless configured otherwise.")
def test_joining_without_a_nick_is_rejected(made: Channel, alice: Session, hecate: Session) -> None:
    reply = made.ask_to_join(alice, None)
    if reply.get("type") == "result" and joined(reply).nick:
        impossible("the channel makes up a nick for who brings none")
    require_error(reply)
    require(alice.bare_jid not in _jids(made, hecate), "no participant", alice.bare_jid)


@CHANNELS.should("7.1.2", says="A participant changes what it is subscribed to, and is told what it has now.")
def test_subscriptions_are_changed(made: Channel, alice: Session, hecate: Session) -> None:
    made.join(alice, "third witch", (PARTICIPANTS,))
    wish = f"<subscribe node='{MESSAGES}'/><unsubscribe node='{PARTICIPANTS}'/>"
    reply = alice.iq("set", f"<update-subscription xmlns='{MIX}'>{wish}</update-subscription>", to=made.jid)
    require_result(reply)
    update = reply.find("mix:update-subscription", NS)
    nodes = [e.get("node") for e in update.iterfind("mix:subscribe", NS)] if update is not None else []
    require_equal(nodes, [MESSAGES], "the nodes subscribed to")
    made.say(hecate, "behind it")
    made.heard(alice, "behind it")


# --- the participant's id


@CHANNELS.must_not("4.6", says="A Stable Participant ID has none of the characters by which JIDs are divided.")
def test_id_has_no_separators(made: Channel, alice: Session) -> None:
    told = made.join(alice, "third witch")
    require(not set(told.id) & set("#/@"), "an id without #, / and @", told.id)


@CHANNELS.must_not("4.6", says="Two participants have two ids, and one who comes later does not get a gone one's.")
def test_ids_are_not_shared(made: Channel, alice: Session, bob: Session, hecate: Session) -> None:
    first = made.join(alice, "third witch").id
    made.leave(alice)
    second = made.join(bob, "third witch").id
    require(first != second, "another id for another participant", second)
    require(len(made.participants(hecate)) == 2, "two participants", str(made.participants(hecate)))


@CHANNELS.must_not("4.6", says="A participant's id does not change with the nick, nor by joining again.")
def test_id_is_stable(made: Channel, alice: Session, hecate: Session) -> None:
    told = made.join(alice, "third witch")
    require_result(made.set_nick(alice, "top witch"))
    require_equal(_id_of(made, hecate, alice), told.id, "the id behind a change of the nick")
    made.ask_to_join(alice, "first witch")
    require_equal(_id_of(made, hecate, alice), told.id, "the id behind a second join")


def _id_of(made: Channel, listener: Session, session: Session) -> str:
    ids = [stable for stable, (jid, _) in made.participants(listener).items() if jid == session.bare_jid]
    require_equal(len(ids), 1, f"how often {session.label} is a participant")
    return ids[0]


def _jids(made: Channel, listener: Session) -> list[str]:
    return [jid for jid, _ in made.participants(listener).values()]


# --- the participants node


@CHANNELS.must("4.7.3", says="The node holds one item for each participant, named by the id, with the real JID.")
def test_node_holds_the_participants(made: Channel, alice: Session, hecate: Session) -> None:
    told = made.join(alice, "third witch")
    there = made.participants(hecate)
    expected = {(hecate.bare_jid, "hecate"), (alice.bare_jid, "third witch")}
    require_equal(set(there.values()), expected, "JIDs and nicks")
    require_equal(there[told.id][0], alice.bare_jid, "the JID of the newcomer's id")


@CHANNELS.must("7.1.2", "4.7.3", says="A participant's item says JID and nick in elements of this version of MIX.")
def test_item_is_of_this_version(made: Channel, hecate: Session) -> None:
    reply = made.items(hecate, PARTICIPANTS)
    require_result(reply)
    jids = [e.text for e in reply.iterfind(f"{ITEM}/mix:participant/mix:jid", NS)]
    nicks = [e.text for e in reply.iterfind(f"{ITEM}/mix:participant/mix:nick", NS)]
    require((jids, nicks) == ([hecate.bare_jid], ["hecate"]), "<participant/> with <jid/> and <nick/>", reply)


@CHANNELS.must_not("4.7.3", says="Nobody changes the participants node by pubsub, neither others nor a participant.")
@pytest.mark.parametrize("what", ["publish", "retract"])
@pytest.mark.parametrize("who", ["stranger", "participant", "owner"])
def test_node_is_not_changed_by_pubsub(made: Channel, alice: Session, hecate: Session, who: str, what: str) -> None:
    speaker = {"stranger": alice, "participant": hecate, "owner": made.owner}[who]
    before = made.participants(hecate)
    stable = _id_of(made, hecate, hecate)
    forged = f"<participant xmlns='{MIX}'><nick>forged</nick><jid>{alice.bare_jid}</jid></participant>"
    item = f"<item id='{stable}'>{forged if what == 'publish' else ''}</item>"
    payload = f"<pubsub xmlns='{PUBSUB}'><{what} node='{PARTICIPANTS}'>{item}</{what}></pubsub>"
    require_error(speaker.iq("set", payload, to=made.jid))
    require_equal(made.participants(hecate), before, "the participants")


# --- nicks


@CHANNELS.must("4.7.3", says="No two participants have the same nick, whether by joining or by a change of it.")
@pytest.mark.parametrize("by", ["joining", "setnick"])
def test_nicks_are_different(made: Channel, alice: Session, hecate: Session, by: str) -> None:
    if by == "joining":
        made.ask_to_join(alice, "hecate")
    else:
        made.join(alice, "third witch")
        made.set_nick(alice, "hecate")
    nicks = [nick for _, nick in made.participants(hecate).values()]
    require_equal(nicks.count("hecate"), 1, "participants by the nick 'hecate'")


@CHANNELS.must("7.1.2", says="A participant sets its nick, is told the one it has now, and others are, too.")
def test_nick_is_set(made: Channel, alice: Session, hecate: Session) -> None:
    told = made.join(alice, "third witch")
    hecate.expect(is_change(made, told.id), "a notification of the newcomer")
    reply = made.set_nick(alice, "top witch")
    require_result(reply)
    nick = reply.findtext("mix:setnick/mix:nick", namespaces=NS)
    require(nick, "the nick in the answer", reply)
    message = hecate.expect(is_change(made, told.id), "a notification of the new nick")
    item = message.find("event:event/event:items/event:item", NS)
    require(item is not None and entry(item) == (alice.bare_jid, nick), f"the nick {nick!r}", message)
    require_equal(made.participants(hecate)[told.id][1], nick, "the nick in the participants node")


@CHANNELS.must("5", says="Who has not joined cannot set a nick: an error.")
def test_stranger_has_no_nick(made: Channel, alice: Session, hecate: Session) -> None:
    require_error(made.set_nick(alice, "third witch"))
    require_equal(len(made.participants(hecate)), 1, "participants")


@CHANNELS.should("7.1.4", "9", says="Nicks are normalized by the PRECIS profile for nicknames: spaces, width.")
@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        pytest.param("  third   witch ", "third witch", id="spaces"),
        pytest.param("third\u00a0witch", "third witch", id="another-space"),
        pytest.param("\uff37itch", "witch", id="fullwidth"),
    ],
)
def test_nick_is_normalized(made: Channel, alice: Session, asked: str, kept: str) -> None:
    made.join(alice, "alice")
    reply = made.set_nick(alice, asked)
    require_result(reply)
    told = reply.findtext("mix:setnick/mix:nick", "", NS)
    require_equal(told.lower(), kept, "the nick (RFC 7700 maps case, its successor does not)")


# --- going


@CHANNELS.must("7.1.2", says="Who leaves is no participant any more, and those subscribed to the node are told.")
def test_leaving_is_announced(made: Channel, alice: Session, hecate: Session) -> None:
    told = made.join(alice, "third witch")
    made.leave(alice)
    hecate.expect(is_change(made, told.id, "retract"), "a notification of who left")
    require(told.id not in made.participants(hecate), "no participant by that id", told.id)


@CHANNELS.must_not("7.1.2", says="Who left is sent nothing of what is said from then on.")
def test_who_left_hears_nothing(made: Channel, connect: Connect, hecate: Session) -> None:
    alice = participant(connect, "alice")
    made.join(alice, "third witch")
    made.say(hecate, "before")
    made.heard(alice, "before")
    made.leave(alice)
    made.say(hecate, "after")
    made.heard(hecate, "after")
    alice.expect_nothing(
        f"<message from='{made.jid}/1' type='groupchat'><body>after</body></message>",
        made.is_said("after"),
        "a message of a channel that was left",
        after=hecate,
    )


@CHANNELS.may("4.6", says="Who left joins again.")
def test_joining_again(made: Channel, alice: Session, hecate: Session) -> None:
    made.join(alice, "third witch")
    made.leave(alice)
    told = made.join(alice, "third witch")
    require_equal(made.participants(hecate).get(told.id, ("", ""))[0], alice.bare_jid, "the JID of the id")
