"""XEP-0425 (moderated message retraction): who may have a message taken back, who is told, and what is left of it.

What holds of archives and of messages that their authors take back stands in `xep0424`.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lab.plugin import (
    Connect,
    Specification,
    impossible,
    require,
    require_equal,
    require_error,
    require_result,
    unsupported,
)
from lab.wire.namespaces import ARCHIVE, MODERATE, MUC_ADMIN, NS
from lab.wire.session import Session, new_id, show
from lab.wire.stream import Element
from scenarios.server._discovery import advertises
from scenarios.server._retraction import (
    GUEST,
    OTHER,
    OWNER,
    Scene,
    announced,
    history,
    moderate,
    retract_of,
    say,
    scene,
    takes_back,
)
from scenarios.server._rooms import Room, room
from scenarios.server.xep0313._archive import Archive

XEP = Specification("XEP-0425")


def _scene(connect: Connect, **config: str) -> Scene:
    return scene(connect, MODERATE, **config)


# --- support


@XEP.must("2", says="A room that can have messages taken back by its moderators lists urn:xmpp:message-moderate:1.")
def test_support_is_advertised(connect: Connect) -> None:
    owner = connect(label="owner")
    made = room(connect, owner)
    if advertises(owner, made.jid, MODERATE):
        return
    reply = moderate(owner, made.jid, say(made, owner, OWNER).id)
    require(reply.get("type") == "error", f"{MODERATE} in disco#info, or an error", reply)
    unsupported(f"{MODERATE} on rooms")


# --- done


def _owner(at: Scene) -> tuple[Session, str]:
    return at.room.owner, OWNER


def _admin(at: Scene) -> tuple[Session, str]:
    at.room.affiliate(at.other, "admin")
    return at.other, OTHER


def _moderator(at: Scene) -> tuple[Session, str]:
    item = f"<query xmlns='{MUC_ADMIN}'><item nick='{OTHER}' role='moderator'/></query>"
    if at.room.owner.iq("set", item, to=at.room.jid).get("type") != "result":
        impossible("the room's owner cannot make a moderator")
    return at.other, OTHER


MODERATORS: dict[str, Callable[[Scene], tuple[Session, str]]] = {
    "owner": _owner,
    "admin": _admin,
    "moderator": _moderator,
}
WHO = pytest.mark.parametrize("who", MODERATORS)


def _done(at: Scene, moderator: Session, reason: str | None = None) -> None:
    require_result(moderate(moderator, at.room.jid, at.said.id, reason))


@XEP.must("3.1", "3", says="A moderator who has a message taken back gets a result, and all are told of it.")
@WHO
def test_all_are_told(who: str, connect: Connect) -> None:
    at = _scene(connect)
    moderator, _ = MODERATORS[who](at)
    _done(at, moderator)
    for session in at.present:
        announced(session, at.said.id)


@XEP.must("5", "3.1", says="That a message was taken back is said by the room itself, to all who are there.")
def test_room_itself_tells(connect: Connect) -> None:
    at = _scene(connect)
    _done(at, at.room.owner)
    for session in at.present:
        message = announced(session, at.said.id)
        require_equal((message.get("from"), message.get("type")), (at.room.jid, "groupchat"), "from, type")
        require(message.find("c:body", NS) is None, "no <body/>", message)


@XEP.must("3.1", says="In what tells of it stands <moderated/>: that this was a moderator's doing.")
def test_moderated_is_told(connect: Connect) -> None:
    at = _scene(connect)
    _done(at, at.room.owner)
    for session in at.present:
        message = announced(session, at.said.id)
        require(retract_of(message).find("moderate:moderated", NS) is not None, "<moderated/> in <retract/>", message)


@XEP.should("3.1", says="In what tells of it stands who did it: an occupant's address, or an occupant's id.")
@WHO
def test_moderator_is_named(who: str, connect: Connect) -> None:
    at = _scene(connect)
    moderator, nick = MODERATORS[who](at)
    own = _occupant_id(at, moderator, nick)
    _done(at, moderator)
    message = announced(at.guest, at.said.id)
    moderated = retract_of(message).find("moderate:moderated", NS)
    if moderated is None:
        require(False, "<moderated/>", message)
        return
    by, given = moderated.get("by"), moderated.find("occupant:occupant-id", NS)
    require(by is not None or given is not None, "by, or an occupant's id", message)
    require(by in {None, at.room.occupant(nick)}, f"by='{at.room.occupant(nick)}'", message)
    if given is not None and own:
        require_equal(given.get("id"), own, "occupant-id")


def _occupant_id(at: Scene, session: Session, nick: str) -> str:
    """The occupant id by which the room knows a session (XEP-0421); empty where it has none."""
    (identifier, here) = (new_id(), at.room.occupant(nick))
    session.send(f"<presence to='{here}' id='{identifier}'><status>{identifier}</status></presence>")
    told = at.guest.expect(
        lambda e: e.get("from") == here and e.findtext("c:status", "", NS) == identifier, f"the presence of {nick}"
    )
    found = told.find("occupant:occupant-id", NS)
    return "" if found is None else found.get("id", "")


@XEP.must("3.1", "3", says="The reason that a moderator gives is told to all, as it was given; none is made up.")
@pytest.mark.parametrize("reason", ["Not here, please: <this> & that", None], ids=["with", "without"])
def test_reason_is_told(reason: str | None, connect: Connect) -> None:
    at = _scene(connect)
    _done(at, at.room.owner, reason)
    for session in at.present:
        message = announced(session, at.said.id)
        # In which of the two namespaces it stands is told by an example alone.
        require_equal(retract_of(message).findtext("{*}reason"), reason, "reason")


@XEP.must("3.1", says="A message can be taken back whose author is not there any more.")
def test_author_may_be_gone(connect: Connect) -> None:
    at = _scene(connect)
    at.guest.send(f"<presence to='{at.room.occupant(GUEST)}' type='unavailable'/>")
    at.other.expect(
        lambda e: e.get("type") == "unavailable" and e.get("from") == at.room.occupant(GUEST), "that the guest left"
    )
    _done(at, at.room.owner)
    announced(at.other, at.said.id)


@XEP.must("3.1", says="Only the message that is named is taken back.")
def test_other_messages_stay(connect: Connect) -> None:
    at = _scene(connect)
    archive = _archive(at)
    before, behind = at.said, say(at.room, at.other, OTHER)
    _done(at, at.room.owner)
    announced(at.guest, before.id)
    require(behind.text in archive.page().bodies, f"{behind.text!r} in the archive", str(archive.page().bodies))
    at.guest.expect_nothing(
        _told(at, behind.id), takes_back(behind.id), "retraction of another message", after=at.room.owner
    )


# --- refused


AFFILIATED = {"member": "member", "outcast": "outcast"}
NOT_MODERATORS = ("participant", "author", "visitor", "outsider", *AFFILIATED)


def _no_moderator(who: str, at: Scene, connect: Connect) -> Session:
    """Somebody who may take nothing back."""
    if who == "outsider":
        return connect(label=who)
    if who == "author":
        return at.guest
    if who == "visitor":
        at.room.silence(OTHER)
    elif who in AFFILIATED:
        at.room.affiliate(at.other, AFFILIATED[who])
    return at.other


def _told(at: Scene, said: str) -> str:
    """An announcement, as it must not come."""
    moderated = f"<moderated xmlns='{MODERATE}'/>"
    return (
        f"<message type='groupchat' from='{at.room.jid}' to='{at.guest.jid}'>"
        f"<retract xmlns='{NS['retract']}' id='{said}'>{moderated}</retract></message>"
    )


def _nothing_is_told(at: Scene, said: str) -> None:
    # What the room says behind is for all, in its order.
    mark = say(at.room, at.room.owner, OWNER)
    at.room.heard(at.guest, OWNER, mark.text)
    at.guest.expect_nothing(_told(at, said), takes_back(said), "retraction of a message")


@XEP.must("3.2", "3.1", says="Who is no moderator is refused, nobody is told, and the message stays.")
@pytest.mark.parametrize("who", NOT_MODERATORS)
def test_others_are_refused(who: str, connect: Connect) -> None:
    at = _scene(connect, **({"moderatedroom": "1"} if who == "visitor" else {}))
    asker = _no_moderator(who, at, connect)
    require_error(moderate(asker, at.room.jid, at.said.id, "mine"))
    _nothing_is_told(at, at.said.id)
    bodies = _archive(at).page().bodies
    require(at.said.text in bodies, f"{at.said.text!r} in the archive", str(bodies))


@XEP.should("3.2", "3.1", says="What no message of the room has as its id is refused, and nobody is told.")
@pytest.mark.parametrize("which", ["nobodys", "of-another-room", "none"])
def test_unknown_message_is_refused(which: str, connect: Connect) -> None:
    at = _scene(connect)
    elsewhere = Room(*_elsewhere(connect, at))
    said = say(elsewhere, at.room.owner, OWNER)
    identifier = {"nobodys": new_id(), "of-another-room": said.id, "none": ""}[which]
    require_error(moderate(at.room.owner, at.room.jid, identifier))
    _nothing_is_told(at, identifier)
    bodies = Archive(at.room.owner, elsewhere.jid, "room").page().bodies
    require(said.text in bodies, f"{said.text!r} in the other room's archive", str(bodies))


def _elsewhere(connect: Connect, at: Scene) -> tuple[str, Session]:
    made = room(connect, at.room.owner)
    if not advertises(at.room.owner, made.jid, ARCHIVE):
        unsupported(f"{ARCHIVE} on rooms")
    return made.jid, at.room.owner


# --- what is left of it


def _archive(at: Scene) -> Archive:
    if not advertises(at.room.owner, at.room.jid, ARCHIVE):
        unsupported(f"{ARCHIVE} on rooms")
    return Archive(at.room.owner, at.room.jid, "room")


@XEP.should("5", says="Who comes in later is not sent a message that was taken back.")
def test_newcomer_is_not_sent_it(connect: Connect) -> None:
    at = _scene(connect)
    behind = say(at.room, at.guest, GUEST)
    _done(at, at.room.owner)
    announced(at.guest, at.said.id)
    sent = history(connect, at.room)
    if behind.text not in sent:
        unsupported("discussion history")
    require(at.said.text not in sent, f"a history without {at.said.text!r}", str(sent))


@XEP.should("5", says="The archive gives nobody what was taken back.")
def test_archive_does_not_give_it(connect: Connect) -> None:
    at = _scene(connect)
    archive = _archive(at)
    require(at.said.text in archive.page().bodies, f"{at.said.text!r} in the archive, before", "it is not there")
    _done(at, at.room.owner)
    announced(at.guest, at.said.id)
    for result in archive.page().results:
        require(at.said.text not in show(result.message), f"nothing of {at.said.text!r}", result.stanza)


def _tombstone(connect: Connect) -> tuple[Scene, Element, Element]:
    """What stands in the archive in a message's place: the message, and `<retracted/>`; else `unsupported`."""
    at = _scene(connect)
    archive = _archive(at)
    _done(at, at.room.owner, "off topic")
    announced(at.guest, at.said.id)
    messages = [result.message for result in archive.page().results if result.id == at.said.id]
    found = [(message, message.find("retract:retracted", NS)) for message in messages]
    if len(found) != 1 or found[0][1] is None:
        unsupported("tombstones in the archives of rooms")
    return at, found[0][0], found[0][1]


@XEP.should("4", says="A tombstone says that a moderator did it, and who.")
def test_tombstone_names_the_moderator(connect: Connect) -> None:
    at, message, retracted = _tombstone(connect)
    moderated = retracted.find("moderate:moderated", NS)
    named = moderated is not None and moderated.get("by") in {at.room.occupant(OWNER), at.room.owner.bare_jid}
    require(named, "<moderated/> with by in <retracted/>", message)


@XEP.should("4", says="A tombstone in a semi-anonymous room has the occupants' ids of moderator and author.")
def test_tombstone_has_occupants_ids(connect: Connect) -> None:
    at, message, retracted = _tombstone(connect)
    if not _occupant_id(at, at.guest, GUEST):
        unsupported("occupants' ids (XEP-0421)")
    inside = retracted.find("moderate:moderated/occupant:occupant-id", NS)
    require(inside is not None, "<occupant-id/> in <moderated/>", message)
    require(message.find("occupant:occupant-id", NS) is not None, "<occupant-id/> of the author", message)
