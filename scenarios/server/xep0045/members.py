"""XEP-0045 §9.3 to §9.5: membership, and the list of members. Who may grant it is a matter of `affiliations`."""

from __future__ import annotations

import pytest

from lab.plugin import Connect, Specification, require, require_equal, require_error, require_result, unsupported
from lab.wire.namespaces import NS
from lab.wire.session import Session, localname
from lab.wire.stream import Element
from scenarios.server.xep0045._admin import admin, affiliated, change_affiliation, is_done, item, items_of
from scenarios.server.xep0045._occupant import bare, presence_example, presence_of, settle
from scenarios.server.xep0045._rooms import gather, refusal

XEP = Specification("XEP-0045")


def _list(session: Session, room: str) -> Element:
    return admin(session, room, "get", item(affiliation="member"))


# --- granting and revoking


@XEP.must("9.3", says="All in the room are told that somebody was made a member.")
@pytest.mark.parametrize("actor", ["owner", "admin"])
def test_membership_is_told(connect: Connect, actor: str) -> None:
    owner, admin_, guest, other = gather(connect, "admin", "none", "none")
    who = owner if actor == "owner" else admin_
    reply = change_affiliation(who.session, owner.room, guest.session.bare_jid, "member", reason="A worthy witch!")
    require_result(reply)
    for occupant in (owner, admin_, guest, other):
        occupant.sees(guest.jid, affiliation="member", role="participant")


@XEP.must("9.4", says="All in an open room are told that somebody is no member any more, who stays in the room.")
@pytest.mark.parametrize("actor", ["owner", "admin"])
def test_lost_membership_is_told(connect: Connect, actor: str) -> None:
    owner, admin_, guest, other = gather(connect, "admin", "member", "none")
    who = owner if actor == "owner" else admin_
    require_result(
        change_affiliation(who.session, owner.room, guest.session.bare_jid, "none", reason="Not so worthy")
    )
    for occupant in (owner, admin_, guest, other):
        occupant.sees(guest.jid, affiliation="none")
    other.is_spared(
        presence_example(guest.jid, other.session, "unavailable", role="none"),
        presence_of(guest.jid, "unavailable"),
        "removal of a former member from an open room",
        after=who.session,
    )


@XEP.must("9.4", says="In a members-only room who is no member any more is removed: status code 321, the role none.")
@pytest.mark.parametrize("at", ["removed", "another"])
def test_former_member_is_removed(connect: Connect, at: str) -> None:
    owner, guest, other = gather(connect, "member", "member", membersonly=True)
    require_result(change_affiliation(owner.session, owner.room, guest.session.bare_jid, "none"))
    viewer = guest if at == "removed" else other
    viewer.sees(guest.jid, "unavailable", affiliation="none", role="none", codes=[321])


@XEP.should_not(
    "9.4", says="A former member of a members-only room is not shown in it for a moment without membership."
)
@pytest.mark.parametrize("at", ["removed", "another"])
def test_former_member_is_not_shown_before_the_removal(connect: Connect, at: str) -> None:
    owner, guest, other = gather(connect, "member", "member", membersonly=True)
    require_result(change_affiliation(owner.session, owner.room, guest.session.bare_jid, "none"))
    viewer = guest if at == "removed" else other
    first = viewer.session.expect(lambda e: localname(e) == "presence" and e.get("from") == guest.jid, "the removal")
    require_equal(first.get("type"), "unavailable", "type of the first presence:")
    viewer.session.expect_nothing(presence_example(guest.jid, viewer.session), presence_of(guest.jid), "presence")


@XEP.must("9.5", says="Who was removed from the member list of a members-only room is refused from then on.")
def test_removed_member_cannot_return(connect: Connect) -> None:
    owner, guest = gather(connect, "member", membersonly=True)
    require_result(change_affiliation(owner.session, owner.room, guest.session.bare_jid, "none"))
    guest.sees(guest.jid, "unavailable")
    require_error(refusal(guest.session, guest.room, guest.nick), "registration-required")


@XEP.must(
    "9.4", "5.2.2", says="Admins and owners who are taken their affiliation are removed from a members-only room."
)
@pytest.mark.parametrize("affiliation", ["admin", "owner"])
def test_former_admin_is_removed(connect: Connect, affiliation: str) -> None:
    owner, guest, other = gather(connect, affiliation, "member", membersonly=True)
    reply = change_affiliation(owner.session, owner.room, guest.session.bare_jid, "none")
    is_done(reply, "none", before=affiliation)
    for viewer in (guest, other):
        viewer.sees(guest.jid, "unavailable", affiliation="none", role="none", codes=[321])


@XEP.must("9.5", says="A member of a members-only room who is made an admin stays in it.")
def test_promoted_member_stays(connect: Connect) -> None:
    owner, guest, other = gather(connect, "member", "member", membersonly=True)
    require_result(change_affiliation(owner.session, owner.room, guest.session.bare_jid, "admin"))
    for viewer in (guest, other):
        viewer.sees(guest.jid, affiliation="admin", role="moderator")


# --- the list


@XEP.must("9.5", says="The member list has all members, present or not, with affiliation and bare JID.")
@pytest.mark.parametrize("who", ["owner", "admin"])
def test_member_list(connect: Connect, who: str) -> None:
    owner, actor, guest, _ = gather(connect, "admin", "member", "none")
    absent = f"hecate@{connect.cell.domain}"
    require_result(change_affiliation(owner.session, owner.room, absent, "member"))
    reply = _list(owner.session if who == "owner" else actor.session, owner.room)
    require_result(reply)
    told = {one.get("jid"): one.get("affiliation") for one in items_of(reply)}
    require_equal(told, {guest.session.bare_jid: "member", absent: "member"}, "members")


@XEP.must("9.5", says="A room without members gives an empty list.")
def test_empty_member_list(connect: Connect) -> None:
    owner, *_ = gather(connect, "none", "admin")
    reply = _list(owner.session, owner.room)
    require_result(reply)
    require(reply.find("muc-admin:query", NS) is not None, "an empty list", reply)
    require_equal(items_of(reply), [], "items")


@XEP.must("17.4", "9.5", "10.5", "10.8", says="Items of lists of affiliations tell the bare JID.")
@pytest.mark.parametrize("affiliation", ["member", "admin", "owner"])
def test_list_of_an_affiliation_has_bare_jids(connect: Connect, affiliation: str) -> None:
    owner, member, admin_ = gather(connect, "member", "admin")
    reply = admin(owner.session, owner.room, "get", item(affiliation=affiliation))
    require_result(reply)
    expected = {"member": member, "admin": admin_, "owner": owner}[affiliation].session.bare_jid
    require_equal([one.get("jid") for one in items_of(reply)], [expected], "JIDs")


@XEP.must("9.5", says="By one request some are made members and others unmade.")
def test_member_list_is_modified(connect: Connect) -> None:
    owner, guest, former, other = gather(connect, "none", "member", "none")
    absent = f"hecate@{connect.cell.domain}"
    reply = admin(
        owner.session,
        owner.room,
        "set",
        item(jid=guest.session.bare_jid, affiliation="member"),
        item(jid=former.session.bare_jid, affiliation="none"),
        item(jid=absent, affiliation="member"),
    )
    require_result(reply)
    for occupant in (owner, guest, former, other):
        occupant.sees(guest.jid, affiliation="member")
        occupant.sees(former.jid, affiliation="none")
    members = affiliated(owner.session, owner.room, "member")
    require_equal(set(members), {guest.session.bare_jid, absent}, "members")


@XEP.should(
    "9.5", says="In a non-anonymous, members-only room a member is given the member list, in the room or not."
)
@pytest.mark.parametrize("present", [True, False], ids=["occupant", "absent"])
def test_member_is_given_the_list(connect: Connect, present: bool) -> None:
    owner, guest, other = gather(connect, "member", "member", membersonly=True, whois="anyone")
    if not present:
        guest.leaves()
        owner.sees(guest.jid, "unavailable")
    reply = _list(guest.session, owner.room)
    require_result(reply)
    members = {one.get("jid") for one in items_of(reply)}
    require_equal(members, {guest.session.bare_jid, other.session.bare_jid}, "members")


@XEP.should_not(
    "5.2.1", says="In a semi-anonymous room a member is not given the member list, which tells who they are."
)
@pytest.mark.parametrize("membersonly", [False, True], ids=["open", "members-only"])
def test_member_is_refused_the_list(connect: Connect, membersonly: bool) -> None:
    owner, guest, _ = gather(connect, "member/participant", "member", whois="moderators", membersonly=membersonly)
    require_error(_list(guest.session, owner.room))


@XEP.must("9", says="Who has no affiliation is refused the member list of a semi-anonymous room.")
@pytest.mark.parametrize(
    "guest",
    [
        pytest.param("none/participant", id="participant"),
        pytest.param("none/visitor", id="visitor"),
        pytest.param("", id="outsider"),
    ],
)
def test_member_list_is_refused(connect: Connect, guest: str) -> None:
    occupants = gather(connect, *([guest] if guest else []), whois="moderators")
    session = occupants[1].session if guest else connect(label="outsider")
    require_error(_list(session, occupants[0].room), "forbidden")


# --- invitations


def _is_invitation(room: str, element: Element) -> bool:
    return bare(element) == room and element.find("muc-user:x/muc-user:invite", NS) is not None


@XEP.should("9.5", says="Who is put on the member list of a members-only room is invited.")
def test_new_member_is_invited(connect: Connect) -> None:
    (owner,) = gather(connect, membersonly=True)
    invitee = connect(label="invitee")
    invitee.send("<presence/>")
    invitee.sentinel()
    require_result(change_affiliation(owner.session, owner.room, invitee.bare_jid, "member"))
    message = invitee.expect(lambda e: _is_invitation(owner.room, e), "an invitation to the room")
    require(message.get("type") in {None, "normal"}, "a message of type normal", message)


@XEP.must("18.1", says="Where a room tells somebody absent of a new affiliation, the message bears status code 101.")
def test_absent_user_is_told_by_the_code(connect: Connect) -> None:
    (owner,) = gather(connect, membersonly=False)
    absent = connect(label="absent")
    absent.send("<presence/>")
    absent.sentinel()
    require_result(change_affiliation(owner.session, owner.room, absent.bare_jid, "member"))
    settle(owner.room, absent)
    told = [e for e in absent.inbox if bare(e) == owner.room and localname(e) == "message"]
    told = [e for e in told if not _is_invitation(owner.room, e)]
    if not told:
        unsupported("telling who is not in the room of a new affiliation")
    codes = [status.get("code") for status in told[0].iterfind("muc-user:x/muc-user:status", NS)]
    require("101" in codes, "status code 101", told[0])
