"""Who may what in a room over the border (XEP-0045): refused, invited, kicked, banned, made an owner."""

from __future__ import annotations

import pytest

from lab.plugin import Specification, require, require_equal, require_error, require_result
from lab.plugin.border import Federation
from lab.wire.namespaces import CONFERENCE, MUC_USER, NS
from lab.wire.session import localname, new_id
from scenarios.federation._place import with_guest, with_room
from scenarios.server.xep0045._admin import affiliation_of, change_affiliation, change_role
from scenarios.server.xep0045._configuration import configure, destroy, unlock
from scenarios.server.xep0045._occupant import (
    UNAVAILABLE,
    Occupant,
    codes_of,
    is_subject,
    item_of,
    message_example,
    presence_of,
    said,
    told_of,
)
from scenarios.server.xep0045._rooms import enter, fresh_room, join, password, quiet, refusal, taken

MUC = Specification("XEP-0045")
DIRECT = Specification("XEP-0249")


@MUC.must("8.1", says="A moderator from abroad changes the subject, and all are told.")
def test_moderator_from_abroad_changes_the_subject(federation: Federation) -> None:
    place = with_guest(federation)
    with place.side.blamed():
        require_result(change_role(place.owner.session, place.room, "guest", "moderator"))
    quiet(place.owner, place.guest)
    text = f"about {new_id()}"
    place.guest.session.send(f"<message to='{place.room}' type='groupchat'><subject>{text}</subject></message>")
    for one in (place.owner, place.guest):
        seen = one.session.expect(is_subject, "the changed subject")
        require_equal(seen.findtext("c:subject", None, NS), text, "the subject")


@MUC.must("7.2.8", says="A nickname that another user has is refused over the border with conflict.")
def test_nickname_conflict_over_the_border(federation: Federation) -> None:
    owner = with_room(federation)
    answer = refusal(federation.alice(), owner.room, owner.nick)
    with federation.there.writes():
        require_error(answer, "conflict")


@MUC.must("8.2", says="A guest from abroad is kicked: status code 307, the role none, and the others are told.")
def test_guest_from_abroad_is_kicked(federation: Federation) -> None:
    place = with_guest(federation)
    with place.side.blamed():
        require_result(change_role(place.owner.session, place.room, "guest", "none", reason="enough"))
    with place.side.writes():
        place.guest.sees(place.guest.jid, UNAVAILABLE, role="none", codes=(307,))
        place.owner.sees(place.guest.jid, UNAVAILABLE, role="none", codes=(307,))


@MUC.must("9.1", "7.2.7", says="A guest from abroad is banned: status code 301, and may not come back.")
def test_guest_from_abroad_is_banned(federation: Federation) -> None:
    place = with_guest(federation)
    alice = place.guest.session
    with place.side.blamed():
        require_result(change_affiliation(place.owner.session, place.room, alice.bare_jid, "outcast"))
    with place.side.writes():
        place.guest.sees(place.guest.jid, UNAVAILABLE, affiliation="outcast", role="none", codes=(301,))
        require_error(refusal(alice, place.room, "again"), "forbidden")


@MUC.must("7.2.6", "9.3", says="A members-only room lets members in from abroad, and refuses others.")
def test_members_only_room_over_the_border(federation: Federation) -> None:
    owner = with_room(federation, membersonly=True)
    alice = federation.alice()
    with federation.there.writes():
        require_error(refusal(alice, owner.room, "guest"), "registration-required")
    with federation.there.blamed():
        require_result(change_affiliation(owner.session, owner.room, alice.bare_jid, "member"))
    taken(alice, owner.room)
    guest = enter(alice, owner.room, "guest")
    with federation.there.writes():
        owner.sees(guest.jid, affiliation="member")


@MUC.must("7.2.5", says="A room with a password lets in from abroad who knows it, and nobody else.")
def test_password_over_the_border(federation: Federation) -> None:
    owner = with_room(federation, passwordprotectedroom=True, roomsecret="cauldron")
    alice = federation.alice()
    with federation.there.writes():
        require_error(refusal(alice, owner.room, "guest"), "not-authorized")
        require_error(refusal(alice, owner.room, "guest", inside=password("wrong")), "not-authorized")
    enter(alice, owner.room, "guest", inside=password("cauldron"))


@MUC.must(
    "8.3", "8.4", says="A guest from abroad is given a voice, and it is taken away; what is said without is refused."
)
def test_voice_over_the_border(federation: Federation) -> None:
    place = with_guest(federation, moderatedroom=True)
    for role in ("visitor", "participant"):
        with place.side.blamed():
            require_result(change_role(place.owner.session, place.room, "guest", role))
        with place.side.writes():
            place.guest.sees(place.guest.jid, role=role)
        text = f"as {role} {new_id()}"
        identifier = place.guest.says(text)
        with place.side.writes():
            if role == "visitor":
                require_error(place.guest.refused(identifier), "forbidden")
            else:
                place.owner.hears(text, by=place.guest.jid)


@MUC.must("9.6", "9.3", says="An affiliation given to one from abroad is told to that one, and stands on the list.")
@pytest.mark.parametrize("affiliation", ["member", "admin", "owner"])
def test_affiliation_over_the_border(federation: Federation, affiliation: str) -> None:
    place = with_guest(federation)
    alice = place.guest.session
    with place.side.blamed():
        require_result(change_affiliation(place.owner.session, place.room, alice.bare_jid, affiliation))
    with place.side.writes():
        place.guest.sees(place.guest.jid, affiliation=affiliation)
    with place.side.blamed():
        require_equal(affiliation_of(place.owner.session, place.room, alice.bare_jid), affiliation, "on the list:")


@MUC.must("8.2", says="A moderator from abroad kicks a user of the room's own server.")
def test_moderator_from_abroad_kicks(federation: Federation) -> None:
    place = with_guest(federation)
    victim = enter(federation.there.connect(label="victim"), place.room, "victim")
    with place.side.blamed():
        require_result(change_role(place.owner.session, place.room, "guest", "moderator"))
    reply = change_role(place.guest.session, place.room, "victim", "none")
    with place.side.writes():
        require_result(reply)
        victim.sees(victim.jid, UNAVAILABLE, role="none", codes=(307,))


@MUC.must("7.8.2", says="An invitation by the room crosses the border, and says who invites and why.")
def test_invitation_crosses_the_border(federation: Federation) -> None:
    owner = with_room(federation)
    alice = federation.alice()
    alice.send("<presence/>")
    alice.sentinel()
    owner.session.send(
        f"<message to='{owner.room}'><x xmlns='{MUC_USER}'><invite to='{alice.bare_jid}'>"
        f"<reason>tea</reason></invite></x></message>"
    )
    invitation = alice.expect(lambda e: e.find("muc-user:x/muc-user:invite", NS) is not None, "the invitation")
    with federation.there.writes():
        require_equal(invitation.get("from"), owner.room, "the sender")
        invite = told_of(invitation).find("muc-user:invite", NS)
        require(
            invite is not None and invite.findtext("muc-user:reason", None, NS) == "tea", "the reason", invitation
        )
        inviter = invite.get("from", "") if invite is not None else ""
        require(inviter.startswith((owner.session.bare_jid, owner.room)), "who invites", invitation)


@MUC.should("7.8.2", says="A guest from abroad invites: the room passes it on, back over the border.")
def test_guest_from_abroad_invites(federation: Federation) -> None:
    place = with_guest(federation, allowinvites=True)
    carol = federation.there.connect(label="carol")
    carol.send("<presence/>")
    carol.sentinel()
    place.guest.session.send(
        f"<message to='{place.room}'><x xmlns='{MUC_USER}'><invite to='{carol.bare_jid}'/></x></message>"
    )
    invitation = carol.expect(lambda e: e.find("muc-user:x/muc-user:invite", NS) is not None, "the invitation")
    with place.side.writes():
        require_equal(invitation.get("from"), place.room, "the sender")


@DIRECT.must("2", says="A direct invitation crosses the border as it is.")
def test_direct_invitation_crosses_the_border(federation: Federation) -> None:
    owner = with_room(federation)
    alice = federation.alice()
    alice.send("<presence/>")
    alice.sentinel()
    invitation = f"<x xmlns='{CONFERENCE}' jid='{owner.room}' reason='tea'/>"
    owner.session.send(f"<message to='{alice.bare_jid}' id='direct'>{invitation}</message>")
    came = alice.expect("direct", "the invitation")
    x = came.find("conference:x", NS)
    require(
        x is not None and x.get("jid") == owner.room and x.get("reason") == "tea", "the invitation as it was", came
    )


@MUC.must("10.9", says="Who is in a room from abroad is told that it was destroyed, and why.")
def test_destruction_crosses_the_border(federation: Federation) -> None:
    place = with_guest(federation)
    with place.side.blamed():
        require_result(destroy(place.owner.session, place.room, "<reason>enough</reason>"))
    came = place.guest.session.expect(presence_of(place.guest.jid, UNAVAILABLE), "the end")
    with place.side.writes():
        told = told_of(came).find("muc-user:destroy", NS)
        require(told is not None and told.findtext("muc-user:reason", None, NS) == "enough", "the reason", came)


@MUC.must(
    "10.1.2",
    "10.1.1",
    says="One from abroad creates a room at a service that lets everybody: code 201, and it is the owner's.",
)
def test_room_is_created_from_abroad(federation: Federation) -> None:
    federation.there.service("muc")
    alice = federation.alice()
    room = fresh_room(federation.there.connect)
    alice.send(join(room, "founder"))
    own = alice.expect(
        lambda e: localname(e) == "presence" and e.get("from") in {room, f"{room}/founder"}, "an answer"
    )
    with federation.there.writes():
        if own.get("type") == "error":
            require_error(own, "not-allowed", "forbidden")  # a service may restrict who creates rooms (§7.2.11)
            return
        require("201" in codes_of(own), "status code 201", own)
        require_equal(item_of(own).get("affiliation"), "owner", "affiliation")
        require_result(unlock(alice, room))
        guest = enter(federation.bob(), room, "guest")
        require_result(configure(alice, room, roomname="of one from abroad"))
        guest.says("hello")
        Occupant(alice, room, "founder").hears("hello", by=guest.jid)


@MUC.should("7.4", "17.2", says="What one from abroad says who is not in the room is refused.")
def test_outsider_from_abroad_is_refused(federation: Federation) -> None:
    owner = with_room(federation)
    outsider = Occupant(federation.alice(), owner.room, "outsider")
    refused = outsider.refused(outsider.says(f"hello {new_id()}"))
    with federation.there.writes():
        require_error(refused, "not-acceptable", "forbidden")


@MUC.must_not("17.2", says="What one from abroad says who is not in the room is told to nobody.")
def test_words_of_an_outsider_from_abroad_are_not_told(federation: Federation) -> None:
    owner = with_room(federation)
    alice = federation.alice()
    outsider = Occupant(alice, owner.room, "outsider")
    text = f"hello {new_id()}"
    outsider.says(text)
    with federation.there.blamed():
        example = message_example(outsider.jid, owner.session, text)
        owner.is_spared(example, said(text), "message of an outsider", after=alice)
