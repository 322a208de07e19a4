"""XEP-0313 §6.1.2, §8.4: what is peculiar to the archive of a room. What holds of any archive stands beside this."""

from __future__ import annotations

import pytest

from lab.plugin import Connect, impossible, require, require_equal, require_error, require_result
from lab.wire.namespaces import MUC_USER, NS
from lab.wire.session import Session, new_id, show
from lab.wire.stream import Element
from scenarios.server._rooms import OWNER, Room
from scenarios.server.xep0313._archive import MAM, Archive, awaited, filled, holds, room_archive, send, without

PARTICIPANT = "participant"


def _with_participant(connect: Connect, **config: str) -> tuple[Archive, Room, Session]:
    """A room's archive as its owner sees it, and a participant who is in the room."""
    archive, room = room_archive(connect, **config)
    participant = connect(label=PARTICIPANT)
    if config.get("membersonly") == "1":
        room.affiliate(participant, "member")
    room.enter(participant, PARTICIPANT)
    return archive, room, participant


def _said(archive: Archive, room: Room, *speakers: tuple[Session, str], content: str = "") -> list[str]:
    """Each says something; what they said."""
    texts = [f"{nick} {new_id()}" for _, nick in speakers]
    for (speaker, nick), text in zip(speakers, texts, strict=True):
        room.say(speaker, nick, text, content)
    archive.texts += texts
    return texts


# --- what is archived, and as what


@MAM.must(
    "6.1.2", says="A message in a room's archive is from the occupant's address who said it, and bears no 'to'."
)
def test_message_is_from_an_occupant(connect: Connect) -> None:
    archive, room, participant = _with_participant(connect)
    _said(archive, room, (archive.session, OWNER), (participant, PARTICIPANT))
    for seen in (archive, archive.seen_by(participant)):
        results = holds(seen, archive.texts).results
        senders = [result.message.get("from") for result in results]
        require_equal(senders, [room.occupant(OWNER), room.occupant(PARTICIPANT)], "'from' of the messages")
        require_equal([result.message.get("to") for result in results], [None, None], "'to' of the messages")
        require_equal({result.message.get("type") for result in results}, {"groupchat"}, "'type' of the messages")


@MAM.must("6.1.2", says="A message stands in the room's archive once, whatever the number of occupants who got it.")
def test_room_message_is_archived_once(connect: Connect) -> None:
    archive, room, participant = _with_participant(connect)
    third = connect(label="third")
    room.enter(third, "third")
    texts = _said(archive, room, (archive.session, OWNER), (participant, PARTICIPANT), (third, "third"))
    room.heard(archive.session, "third", texts[-1])
    holds(archive, texts)


@MAM.should("6.1.2", says="A change of the subject is archived.")
def test_change_of_subject_is_archived(connect: Connect) -> None:
    archive, room, participant = _with_participant(connect)
    text = f"subject {new_id()}"
    archive.session.send(f"<message type='groupchat' to='{room.jid}'><subject>{text}</subject></message>")
    participant.expect(lambda e: e.findtext("{*}subject") == text, "the room's new subject")
    _said(archive, room, (participant, PARTICIPANT))
    subjects = [result.message.findtext("c:subject", None, NS) for result in awaited(archive, 2).results]
    require_equal([subject for subject in subjects if subject], [text], "the subjects in the archive")


@MAM.must_not("6.1.2", says="What occupants say to each other alone is not in the room's archive.")
def test_private_message_is_not_archived(connect: Connect) -> None:
    archive, room, participant = _with_participant(connect)
    before = _said(archive, room, (archive.session, OWNER))
    secret = f"secret {new_id()}"
    for one, other, nick in ((archive.session, participant, PARTICIPANT), (participant, archive.session, OWNER)):
        send(one, room.occupant(nick), secret, content=f"<x xmlns='{MUC_USER}'/>")
        other.expect(lambda e: e.findtext("{*}body") == secret, "the private message")
    after = _said(archive, room, (participant, PARTICIPANT))
    holds(archive, before + after)


@MAM.should_not("6.1.2", "6.1", says="A message that the room does not let through is not archived.")
def test_rejected_message_is_not_archived(connect: Connect) -> None:
    archive, room, visitor = _with_participant(connect, moderatedroom="1")
    room.silence(PARTICIPANT)
    (identifier,) = send(visitor, room.jid, "rejected", kind="groupchat")
    answer = visitor.expect(
        lambda e: e.findtext("{*}body") == "rejected" or e.get("id") == identifier, "the message, or an error"
    )
    if answer.get("type") != "error":
        impossible("the room let the message of a visitor through")
    holds(archive, _said(archive, room, (archive.session, OWNER)))


@MAM.should_not("6.1.2", "6.1", says="A message to a room from somebody who is not in it is not archived.")
def test_message_from_outside_is_not_archived(connect: Connect) -> None:
    archive, room = room_archive(connect)
    stranger = connect(label="stranger")
    (identifier,) = send(stranger, room.jid, "from outside", kind="groupchat")
    require_error(stranger.expect(identifier, "an error"))
    holds(archive, _said(archive, room, (archive.session, OWNER)))


# --- who may ask


@MAM.must("6.1.2", "8.1", says="Who may not enter a room for members is refused its archive.")
def test_stranger_is_refused_the_archive_of_members(connect: Connect) -> None:
    archive, room, participant = _with_participant(connect, membersonly="1")
    _said(archive, room, (archive.session, OWNER), (participant, PARTICIPANT))
    _is_refused(archive, connect(label="stranger"))


@MAM.must("6.1.2", "8.1", says="Who is banned from a room is refused its archive.")
def test_outcast_is_refused(connect: Connect) -> None:
    archive, room, participant = _with_participant(connect)
    _said(archive, room, (archive.session, OWNER), (participant, PARTICIPANT))
    room.affiliate(participant, "outcast")
    _is_refused(archive, participant)


@MAM.must("6.1.2", "8.1", says="Who was a member, and is no more, is refused the archive of a room for members.")
def test_former_member_is_refused(connect: Connect) -> None:
    archive, room, participant = _with_participant(connect, membersonly="1")
    _said(archive, room, (archive.session, OWNER), (participant, PARTICIPANT))
    room.affiliate(participant, "none")
    _is_refused(archive, participant)


def _is_refused(archive: Archive, asking: Session) -> None:
    seen = archive.seen_by(asking)
    asking.inbox.clear()  # what was said while one was in the room
    reply = seen.refused()
    require_error(reply)
    for text in archive.texts:
        without(seen, text, reply)


@pytest.mark.parametrize("who", ["stranger", "outcast"])
@MAM.should("8.1", says="The error for who may not see a room's archive is forbidden.")
def test_refusal_of_a_room_is_forbidden(who: str, connect: Connect) -> None:
    if who == "stranger":
        archive, asking = room_archive(connect, membersonly="1")[0], connect(label="stranger")
    else:
        archive, room, asking = _with_participant(connect)
        room.affiliate(asking, "outcast")
    require_error(archive.seen_by(asking).refused(), "forbidden")


@MAM.must("6.1.2", says="A member who is in a room for members is shown its archive.")
def test_member_is_answered(connect: Connect) -> None:
    archive, room, participant = _with_participant(connect, membersonly="1")
    _said(archive, room, (archive.session, OWNER), (participant, PARTICIPANT))
    holds(archive.seen_by(participant), archive.texts)


@MAM.should("6.1.2", says="What was said before one came is in the archive that one is shown.")
def test_later_occupant_is_shown_all(connect: Connect) -> None:
    archive = filled(connect, "room", 3)
    later = connect(label="later")
    Room(archive.jid, archive.session).enter(later, "later")
    holds(archive.seen_by(later), archive.texts)


# --- who said it


def _jids(result: Element) -> list[str]:
    """The real addresses that a message in an archive tells (XEP-0045 §7.2.3)."""
    items = result.iterfind("muc-user:x/muc-user:item", NS)
    return [(item.get("jid") or "").partition("/")[0] for item in items if item.get("jid")]


@MAM.must_not("6.1.2", says="In a semi-anonymous room, who is no moderator is not told who said a thing.")
def test_participant_is_not_told_real_addresses(connect: Connect) -> None:
    archive, room, participant = _with_participant(connect, whois="moderators")
    _said(archive, room, (archive.session, OWNER))
    (result,) = holds(archive.seen_by(participant), archive.texts).results
    require(
        archive.session.bare_jid not in show(result.stanza), "nothing of the speaker's own address", result.stanza
    )


@MAM.should("6.1.2", says="In a non-anonymous room everybody is told who said a thing: their full address.")
def test_everybody_is_told_real_addresses(connect: Connect) -> None:
    archive, room, participant = _with_participant(connect, whois="anyone")
    _said(archive, room, (archive.session, OWNER))
    (result,) = holds(archive.seen_by(participant), archive.texts).results
    require_equal(_jids(result.message), [archive.session.bare_jid], "the addresses of the speaker, bare")


@MAM.should("6.1.2", says="Who may see real addresses in a semi-anonymous room is told who said a thing.")
def test_moderator_is_told_real_addresses(connect: Connect) -> None:
    archive, room, participant = _with_participant(connect, whois="moderators")
    _said(archive, room, (participant, PARTICIPANT))
    (result,) = holds(archive, archive.texts).results
    require_equal(_jids(result.message), [participant.bare_jid], "the addresses of the speaker, bare")


FORGERIES = {
    "item-with-jid": "<item jid='forged@nowhere.invalid/x' affiliation='owner' role='moderator'/>",
    "item-without-jid": "<item affiliation='owner' role='moderator'/>",
    "status": "<status code='104'/>",
}


@pytest.mark.parametrize("whois", ["moderators", "anyone"])
@pytest.mark.parametrize("forgery", FORGERIES)
@MAM.must(
    "8.4", "6.1.2", says="What a speaker puts into a message as if the room told it is taken out of the archive."
)
def test_forged_information_is_taken_out(forgery: str, whois: str, connect: Connect) -> None:
    archive, room, participant = _with_participant(connect, whois=whois)
    forged = f"<x xmlns='{MUC_USER}'>{FORGERIES[forgery]}</x>"
    _said(archive, room, (participant, PARTICIPANT), content=forged)
    for seen in (archive, archive.seen_by(participant)):
        (result,) = holds(seen, archive.texts).results
        for told in result.message.iterfind("muc-user:x", NS):
            require("forged@" not in show(told), "no forged address", result.stanza)
            require(told.find("muc-user:status", NS) is None, "no forged status", result.stanza)
            claims = [item for item in told.iterfind("muc-user:item", NS) if item.get("affiliation") == "owner"]
            require(not claims, "no forged affiliation", result.stanza)


# --- with


@MAM.must_not("4.1.1", says="'with' a real address does not tell who may not know it who said what.")
def test_with_tells_no_real_address(connect: Connect) -> None:
    archive, room, participant = _with_participant(connect, whois="moderators")
    third = connect(label="third")
    room.enter(third, "third")
    _said(archive, room, (archive.session, OWNER), (third, "third"))
    seen = archive.seen_by(participant)
    name = new_id()
    awaited(archive, len(archive.texts))
    reply = participant.expect(seen.ask({"with": third.bare_jid}, name=name), "an answer to the query")
    if reply.get("type") == "error":
        require_error(reply)
    else:
        require_result(reply)
    bodies = [one.findtext("mam:result/forward:forwarded/c:message/c:body", "", NS) for one in seen.taken(name)]
    require(bodies in ([], archive.texts), "no messages, or those of all occupants", str(bodies))


@MAM.must("4.1.1", says="'with' an address that may be known brings only what its owner said.")
@pytest.mark.parametrize("whois", ["moderators", "anyone"])
def test_with_brings_messages_of_one_publisher(whois: str, connect: Connect) -> None:
    archive, room, participant = _with_participant(connect, whois=whois)
    _said(archive, room, (archive.session, OWNER))
    wanted = _said(archive, room, (participant, PARTICIPANT))
    _said(archive, room, (archive.session, OWNER))
    awaited(archive, len(archive.texts))
    page = archive.page({"with": participant.bare_jid})
    if not page.results:  # that a bare JID brings what is of a full one is SHOULD
        impossible("'with' a bare JID brings nothing; another check says whether that is a fault")
    require_equal(page.bodies, wanted, "the bodies of the messages")
