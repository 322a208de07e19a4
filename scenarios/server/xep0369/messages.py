"""XEP-0369 §7.1.6, §7.2, §4.7.1 and §4.7.2: what is said in a channel, to whom it goes, and where it is kept."""

from __future__ import annotations

import pytest

from lab.plugin import Connect, Specification, require, require_equal, require_error, require_result, unsupported
from lab.wire.namespaces import MIX, NS
from lab.wire.session import Session, localname, new_id
from lab.wire.stream import Element
from scenarios.server.xep0313._archive import Archive, paging
from scenarios.server.xep0369._channel import (
    MESSAGES,
    PARTICIPANTS,
    Channel,
    Joined,
    channel,
    joined,
    participant,
)

CHANNELS = Specification("XEP-0369")


@pytest.fixture
def made(connect: Connect) -> Channel:
    """A channel, with nobody in it."""
    return channel(connect, connect(label="owner"))


@pytest.fixture
def witch(connect: Connect) -> Session:
    """Who speaks."""
    return participant(connect, "witch")


@pytest.fixture
def told(made: Channel, witch: Session) -> Joined:
    """What the channel said when the witch joined."""
    return made.join(witch, "third witch")


@pytest.fixture
def hecate(connect: Connect, made: Channel) -> Session:
    """Who listens."""
    session = participant(connect, "hecate")
    made.join(session, "hecate")
    return session


# --- distribution


@CHANNELS.must("7.1.6", says="What a participant says goes to all, from the channel with the speaker's id.")
def test_message_goes_to_all(made: Channel, witch: Session, told: Joined, hecate: Session) -> None:
    made.say(witch, "Harpier cries")
    for listener in (hecate, witch):
        message = made.heard(listener, "Harpier cries")
        require_equal(message.get("from"), f"{made.jid}/{told.id}", "'from'")


@CHANNELS.must("7.1.6", says="Each message says, by MIX, the nick and the JID of who spoke.")
@pytest.mark.usefixtures("told")
def test_message_says_who_spoke(made: Channel, witch: Session, hecate: Session) -> None:
    made.say(witch, "Harpier cries")
    message = made.heard(hecate, "Harpier cries")
    says = message.find("mix:mix", NS)
    require(says is not None, f"<mix/> of {MIX}", message)
    told_of = (says.findtext("mix:nick", "", NS), says.findtext("mix:jid", "", NS)) if says is not None else ("", "")
    require_equal(told_of, ("third witch", witch.bare_jid), "nick and JID")


@CHANNELS.must("7.1.6", says="The nick in a message is the one that the speaker has then.")
@pytest.mark.usefixtures("told")
def test_message_has_the_new_nick(made: Channel, witch: Session, hecate: Session) -> None:
    require_result(made.set_nick(witch, "top witch"))
    made.say(witch, "Harpier cries")
    message = made.heard(hecate, "Harpier cries")
    require_equal(_nick(message), "top witch", "the nick")


def _nick(message: Element) -> str:
    """The speaker's nick, in whichever version of MIX it is said."""
    nicks = [e.text or "" for e in message.iter() if localname(e) == "nick"]
    return nicks[0] if nicks else ""


@CHANNELS.must("7.1.6", says="A message bears the id that it has in the archive, and not the speaker's.")
@pytest.mark.usefixtures("told")
def test_message_has_the_archive_s_id(made: Channel, witch: Session, hecate: Session) -> None:
    sent = made.say(witch, "Harpier cries")
    message = made.heard(hecate, "Harpier cries")
    require(message.get("id") not in {None, sent}, "an id that is not the speaker's", message)
    page = Archive(hecate, made.jid, "room").page(within=paging())
    require_equal(page.ids, [message.get("id")], "ids in the archive")


@CHANNELS.must("7.1.6", says="Nick and JID in a message are the speaker's, whatever the speaker says of it.")
@pytest.mark.usefixtures("told")
def test_forged_speaker_is_not_passed_on(made: Channel, witch: Session, hecate: Session) -> None:
    forged = f"<mix xmlns='{MIX}'><nick>hecate</nick><jid>{hecate.bare_jid}</jid></mix>"
    made.say(witch, "Harpier cries", forged)
    message = made.heard(hecate, "Harpier cries")
    texts = [e.text for e in message.iter() if localname(e) in {"nick", "jid"}]
    require(hecate.bare_jid not in texts and "hecate" not in texts, "nothing of the forged speaker", message)


@CHANNELS.must_not("4.7.2", says="Who is not subscribed to the messages is not sent any.")
def test_messages_are_for_subscribers(made: Channel, connect: Connect, witch: Session, hecate: Session) -> None:
    other = participant(connect, "other")
    made.join(other, "other", (PARTICIPANTS,))
    made.join(witch, "third witch")
    made.say(witch, "Harpier cries")
    made.heard(hecate, "Harpier cries")
    other.expect_nothing(
        f"<message from='{made.jid}/1' type='groupchat'><body>Harpier cries</body></message>",
        made.is_said("Harpier cries"),
        "a message that nobody asked for",
        after=witch,
    )


@CHANNELS.must("5", says="What cannot be said is answered by a message of type error, from the channel.")
@pytest.mark.parametrize("where", ["not-joined", "no-channel"])
def test_message_that_cannot_be_said_is_an_error(
    made: Channel, connect: Connect, hecate: Session, where: str
) -> None:
    stranger = connect(label="stranger")
    place = made if where == "not-joined" else Channel(f"no-{new_id()}", made.service, made.owner)
    sent = place.say(stranger, "Harpier cries")
    error = stranger.expect(sent, "an error for the message")
    require_error(error)
    require_equal(error.get("from"), place.jid, "'from'")
    hecate.expect_nothing(
        f"<message from='{made.jid}/1' type='groupchat'><body>Harpier cries</body></message>",
        made.is_said("Harpier cries"),
        "a message of a stranger",
        after=stranger,
    )


# --- as the user's server sees it, whose part the component plays


@CHANNELS.must("7.1.2", says="A join from a user's bare JID is answered to it, with the id of the participant.")
def test_join_of_a_server_s_user(made: Channel, component_session: Session) -> None:
    user = f"hag66@{component_session.jid}"
    reply = _join(component_session, user, made)
    require_equal((reply.get("from"), reply.get("to")), (made.jid, user), "'from' and 'to'")
    join = reply.find("mix:join", NS)
    require(join is not None and join.get("id"), "<join/> with an 'id'", reply)
    require_equal(set(joined(reply).nodes), {MESSAGES, PARTICIPANTS}, "the nodes subscribed to")


@CHANNELS.must("7.1.6", says="What is said goes to the bare JIDs of the participants, wherever their servers are.")
def test_message_goes_to_bare_jids(made: Channel, component_session: Session, witch: Session) -> None:
    user = f"hag66@{component_session.jid}"
    _join(component_session, user, made)
    spoken = made.join(witch, "third witch")
    made.say(witch, "Harpier cries")
    message = made.heard(component_session, "Harpier cries")
    require_equal((message.get("from"), message.get("to")), (f"{made.jid}/{spoken.id}", user), "'from' and 'to'")


def _join(component: Session, user: str, made: Channel) -> Element:
    """Join as the server of `user` would: from its bare JID."""
    identifier = new_id()
    wishes = "".join(f"<subscribe node='{node}'/>" for node in (MESSAGES, PARTICIPANTS))
    join = f"<join xmlns='{MIX}'>{wishes}<nick>hag</nick></join>"
    component.send(f"<iq type='set' id='{identifier}' from='{user}' to='{made.jid}'>{join}</iq>")
    reply = component.expect(identifier, "the answer to the join")
    require_result(reply)
    return reply


# --- archives


@CHANNELS.must("7.2.1", "4.7.1", "4.7.2", says="What is said is archived by the channel, as it was sent to all.")
def test_message_is_archived(made: Channel, witch: Session, told: Joined, hecate: Session) -> None:
    for text in ("one", "two"):
        made.say(witch, text)
        made.heard(hecate, text)
    page = Archive(hecate, made.jid, "room").page(within=paging())
    require_equal(page.bodies, ["one", "two"], "what the archive holds")
    first = page.results[0].message
    require_equal(first.get("from"), f"{made.jid}/{told.id}", "'from' in the archive")
    require_equal(first.get("to"), None, "'to' in the archive")
    require_equal(_nick(first), "third witch", "the nick in the archive")


@CHANNELS.must("4.7.2", says="The messages node holds no items: what was said is in the archive alone.")
@pytest.mark.usefixtures("told")
def test_messages_node_holds_nothing(made: Channel, witch: Session, hecate: Session) -> None:
    made.say(witch, "Harpier cries")
    made.heard(hecate, "Harpier cries")
    reply = made.items(hecate, MESSAGES)
    if reply.get("type") == "result":
        items = reply.findall("pubsub:pubsub/pubsub:items/pubsub:item", NS)
        require(not items, "no item", reply)
    else:
        require_error(reply)


@CHANNELS.must("5", says="Who has not joined does not read the participants, nor the archive, of others: an error.")
@pytest.mark.parametrize("what", ["participants", "archive"])
@pytest.mark.usefixtures("told")
def test_stranger_reads_nothing(made: Channel, connect: Connect, witch: Session, what: str) -> None:
    stranger = connect(label="stranger")
    if what == "participants":
        reply = made.items(stranger, PARTICIPANTS)
    else:
        reply = Archive(stranger, made.jid, "room").refused()
    if reply.get("type") == "result":
        unsupported("a channel closed to those who have not joined")
    require_error(reply)
    require_equal(len(made.participants(witch)), 1, "participants")
