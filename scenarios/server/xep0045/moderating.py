"""XEP-0045 §8.2 to §8.5, §9.6 to §9.8: kicking, and lists of roles. Who may do it is a matter of `roles`."""

from __future__ import annotations

import pytest

from lab.plugin import Connect, Specification, require, require_equal, require_error, require_result
from lab.wire.namespaces import NS
from lab.wire.session import localname
from lab.wire.stream import Element
from scenarios.server.xep0045._admin import admin, change_role, item, items_of
from scenarios.server.xep0045._occupant import bare, item_of, presence_example, presence_of
from scenarios.server.xep0045._rooms import enter, gather

XEP = Specification("XEP-0045")
REASON = "Avaunt, you cullion!"


# --- kicking


@XEP.must("8.2", says="Who is kicked is sent unavailable presence: status code 307, the role none, its occupant JID.")
@pytest.mark.parametrize("affiliation", ["none", "member"])
def test_kicked_is_told(connect: Connect, affiliation: str) -> None:
    owner, guest = gather(connect, affiliation)
    require_result(change_role(owner.session, owner.room, guest.nick, "none", reason=REASON))
    presence = guest.sees(guest.jid, "unavailable", affiliation=affiliation, role="none", codes=[307])
    require_equal(presence.get("to"), guest.session.jid, "to")


@XEP.must("8.2", says="The others are told that somebody was kicked: status code 307 and the role none.")
@pytest.mark.parametrize("affiliation", ["none", "member"])
def test_kick_is_told_to_the_others(connect: Connect, affiliation: str) -> None:
    owner, guest, other = gather(connect, affiliation, "none")
    require_result(change_role(owner.session, owner.room, guest.nick, "none"))
    for occupant in (owner, other):
        occupant.sees(guest.jid, "unavailable", affiliation=affiliation, role="none", codes=[307])


@XEP.may("8.2", says="Where a reason for a kick is passed on, it is the one that was given.")
@pytest.mark.parametrize("at", ["kicked", "another"])
def test_reason_of_a_kick(connect: Connect, at: str) -> None:
    owner, guest, other = gather(connect, "none", "none")
    require_result(change_role(owner.session, owner.room, guest.nick, "none", reason=REASON))
    presence = (guest if at == "kicked" else other).sees(guest.jid, "unavailable", codes=[307])
    reason = item_of(presence).findtext("muc-user:reason", None, NS)
    require(reason in {None, REASON}, f"the reason {REASON!r}, or none", presence)


@XEP.may("8.2", says="Where it is said who kicked, it is the moderator, by nickname or bare JID.")
def test_actor_of_a_kick(connect: Connect) -> None:
    owner, guest = gather(connect, "none", whois="anyone")
    require_result(change_role(owner.session, owner.room, guest.nick, "none"))
    presence = guest.sees(guest.jid, "unavailable", codes=[307])
    actor = item_of(presence).find("muc-user:actor", NS)
    if actor is not None:
        require(actor.get("nick") in {None, owner.nick}, f"the nickname {owner.nick}", presence)
        jid = (actor.get("jid") or "").partition("/")[0]
        require(jid in {"", owner.session.bare_jid}, f"the JID {owner.session.bare_jid}", presence)


@XEP.must("8.2", says="Who was kicked may enter again at once.")
def test_kicked_enters_again(connect: Connect) -> None:
    owner, guest = gather(connect, "none")
    require_result(change_role(owner.session, owner.room, guest.nick, "none"))
    guest.sees(guest.jid, "unavailable")
    owner.sees(guest.jid, "unavailable")
    again = enter(guest.session, guest.room, guest.nick)
    owner.sees(again.jid, affiliation="none", role="participant")


@XEP.must("8.2", "19.3", says="Several are kicked by one request: it may hold many items.")
def test_several_are_kicked_at_once(connect: Connect) -> None:
    owner, *guests = gather(connect, "none", "member", "none/visitor")
    reply = admin(owner.session, owner.room, "set", *(item(nick=one.nick, role="none") for one in guests))
    require_result(reply)
    for guest in guests:
        for occupant in (owner, guest):
            occupant.sees(guest.jid, "unavailable", role="none", codes=[307])


@XEP.must("8.2", "8.4", says="A request for a nickname that nobody has is refused, or does nothing.")
@pytest.mark.parametrize("role", ["none", "visitor", "participant", "moderator"])
def test_role_of_nobody(connect: Connect, role: str) -> None:
    owner, guest = gather(connect, "none")
    change_role(owner.session, owner.room, "nobody", role)
    owner.is_spared(
        presence_example(guest.jid, owner.session, role=role),
        lambda e: localname(e) == "presence" and bare(e) == owner.room,
        "presence that tells of a change",
    )


# --- voice


@XEP.must("8.3", "7.4", says="Who was given a voice speaks; whom it was taken from does not.")
def test_voice_is_given_and_taken(connect: Connect) -> None:
    owner, guest = gather(connect, "none/visitor", moderatedroom=True)
    require_result(change_role(owner.session, owner.room, guest.nick, "participant", reason="A worthy witch!"))
    owner.sees(guest.jid, role="participant")
    guest.says("at last")
    owner.hears("at last", guest.jid)
    require_result(change_role(owner.session, owner.room, guest.nick, "visitor", reason="Not so worthy after all!"))
    owner.sees(guest.jid, role="visitor")
    require_error(guest.refused(guest.says("and now?")), "forbidden")


# --- lists

LISTS = {
    "moderator": ("9.8", {"owner": "owner", "guest1": "admin", "guest2": "none"}),
    "participant": ("8.5", {"guest3": "member", "guest4": "none"}),
    "visitor": ("8.5", {"guest5": "none", "guest6": "member"}),
}
"""Role -> where its list is described, and who is on it in the room of `_company`: nickname and affiliation."""
COMPANY = ("admin", "none/moderator", "member/participant", "none/participant", "none/visitor", "member/visitor")


def _told_by(reply: Element, name: str) -> dict[str, str | None]:
    return {one.get("nick", ""): one.get(name) for one in items_of(reply)}


def _listed(role: str, says: str) -> object:
    # No section has a list of visitors.
    requires = XEP.may if role == "visitor" else XEP.must
    return pytest.param(role, id=role, marks=requires(LISTS[role][0], "17.4", says=says))


@XEP.must("8.5", says="A list of a role names all who have it, and nobody else.")
@pytest.mark.parametrize(
    "role",
    [_listed(role, f"The list of those with the role {role} has them all, by nickname and role.") for role in LISTS],
)
def test_list_of_a_role(connect: Connect, role: str) -> None:
    owner, *_ = gather(connect, *COMPANY, moderatedroom=True)
    reply = admin(owner.session, owner.room, "get", item(role=role))
    require_result(reply)
    require_equal(_told_by(reply, "role"), dict.fromkeys(LISTS[role][1], role), "nicknames and roles")


# §17.4 has a MUST, but §8.5 itself SHOULD, and §9.8 MAY for the list of moderators.
@XEP.should("8.5", "17.4", says="The voice list tells each one's affiliation and full JID.")
@pytest.mark.parametrize("role", ["participant"])
def test_list_of_a_role_tells_who_they_are(connect: Connect, role: str) -> None:
    occupants = gather(connect, *COMPANY, moderatedroom=True)
    reply = admin(occupants[0].session, occupants[0].room, "get", item(role=role))
    require_result(reply)
    require_equal(_told_by(reply, "affiliation"), LISTS[role][1], "nicknames and affiliations")
    jids = {one.nick: one.session.jid for one in occupants if one.nick in LISTS[role][1]}
    require_equal(_told_by(reply, "jid"), jids, "nicknames and JIDs")


@XEP.must("8.5", "9.8", says="A moderator is given the voice list, an admin that of moderators, too.")
@pytest.mark.parametrize(
    ("guest", "role"),
    [
        pytest.param("none/moderator", "participant", id="moderator-participants"),
        pytest.param("member/moderator", "participant", id="member-as-moderator-participants"),
        pytest.param("admin", "participant", id="admin-participants"),
        pytest.param("admin", "moderator", id="admin-moderators"),
    ],
)
def test_list_of_a_role_is_given_to(connect: Connect, guest: str, role: str) -> None:
    _owner, asker, *_ = gather(connect, guest, "none/participant", "none/visitor", moderatedroom=True)
    reply = admin(asker.session, asker.room, "get", item(role=role))
    require_result(reply)
    expected = {"guest2"} if role == "participant" else {"owner", "guest1"}
    require_equal(set(_told_by(reply, "role")), expected, "nicknames")


@XEP.must("8", "9", says="Who is no moderator is refused the lists of roles.")
@pytest.mark.parametrize("role", LISTS)
@pytest.mark.parametrize(
    "guest",
    [
        pytest.param("none/visitor", id="visitor"),
        pytest.param("none/participant", id="participant"),
        pytest.param("member/participant", id="member"),
        pytest.param("", id="outsider"),
    ],
)
def test_list_of_a_role_is_refused(connect: Connect, guest: str, role: str) -> None:
    occupants = gather(connect, *([guest] if guest else []), moderatedroom=True)
    session = occupants[1].session if guest else connect(label="outsider")
    require_error(admin(session, occupants[0].room, "get", item(role=role)), "forbidden")


@XEP.must("8.5", says="Several changes in one request are all made, and told.")
def test_voice_list_is_modified(connect: Connect) -> None:
    owner, silent, loud, other = gather(
        connect, "none/visitor", "none/participant", "none/participant", moderatedroom=True
    )
    reply = admin(
        owner.session,
        owner.room,
        "set",
        item(nick=silent.nick, role="participant"),
        item(nick=loud.nick, role="visitor", reason="Too loud"),
    )
    require_result(reply)
    for occupant in (owner, silent, loud, other):
        occupant.sees(silent.jid, role="participant")
        occupant.sees(loud.jid, role="visitor")
    listed = admin(owner.session, owner.room, "get", item(role="participant"))
    require_equal(set(_told_by(listed, "role")), {silent.nick, other.nick}, "participants")


@XEP.must("9.8", says="Several moderators are made and unmade by one request.")
def test_moderator_list_is_modified(connect: Connect) -> None:
    owner, actor, one, other = gather(connect, "admin", "none/participant", "none/moderator")
    reply = admin(
        actor.session,
        actor.room,
        "set",
        item(nick=one.nick, role="moderator"),
        item(nick=other.nick, role="participant"),
    )
    require_result(reply)
    for occupant in (owner, actor, one, other):
        occupant.sees(one.jid, role="moderator")
        occupant.sees(other.jid, role="participant")


@XEP.must("8.5", "9.8", says="A request of several changes with one that is not allowed is denied.")
@pytest.mark.parametrize("role", ["visitor", "participant"])
def test_list_with_a_change_that_is_not_allowed(connect: Connect, role: str) -> None:
    where = "visitor" if role == "participant" else "participant"
    owner, actor, guest = gather(connect, "admin", f"none/{where}", moderatedroom=True)
    reply = admin(
        actor.session, actor.room, "set", item(nick=owner.nick, role=role), item(nick=guest.nick, role=role)
    )
    require_error(reply, "not-allowed")
    actor.is_spared(
        presence_example(owner.jid, actor.session, affiliation="owner", role=role),
        presence_of(owner.jid),
        "word that an owner's role was changed",
    )


@XEP.must("17.4", says="Affiliation and role of one item are not changed by one request: bad-request.")
@pytest.mark.parametrize(
    ("affiliation", "role"),
    [("member", "moderator"), ("admin", "visitor"), ("outcast", "none")],
)
def test_affiliation_and_role_at_once(connect: Connect, affiliation: str, role: str) -> None:
    owner, guest = gather(connect, "none")
    both = item(nick=guest.nick, jid=guest.session.bare_jid, affiliation=affiliation, role=role)
    require_error(admin(owner.session, owner.room, "set", both), "bad-request")
    owner.is_spared(
        presence_example(guest.jid, owner.session, affiliation=affiliation, role=role),
        lambda e: localname(e) == "presence" and bare(e) == owner.room,
        "word of a change that was refused",
    )
