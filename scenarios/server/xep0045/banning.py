"""XEP-0045 §9.1, §9.2: bans, and the list of them. Who may ban whom is a matter of `affiliations`."""

from __future__ import annotations

import pytest

from lab.plugin import Connect, Specification, impossible, require, require_equal, require_error, require_result
from lab.wire.namespaces import NS
from lab.wire.session import stanza_error_condition
from scenarios.server.xep0045._admin import admin, affiliated, affiliation_of, change_affiliation, item, items_of
from scenarios.server.xep0045._occupant import codes_of, item_of
from scenarios.server.xep0045._rooms import created, fresh_room, gather, refusal

XEP = Specification("XEP-0045")
REASON = "Treason"


@XEP.must("9.1", says="Who is banned is removed from the room: status code 301, affiliation outcast, role none.")
@pytest.mark.parametrize("guest", ["none/participant", "none/moderator", "member", "admin"])
def test_banned_is_removed(connect: Connect, guest: str) -> None:
    owner, occupant = gather(connect, guest)
    reply = change_affiliation(owner.session, owner.room, occupant.session.bare_jid, "outcast", reason=REASON)
    require_result(reply)
    presence = occupant.sees(occupant.jid, "unavailable", affiliation="outcast", role="none", codes=[301])
    require_equal(presence.get("to"), occupant.session.jid, "to")


@XEP.must(
    "9.1", says="The others are told that somebody was banned: status code 301, affiliation outcast, role none."
)
@pytest.mark.parametrize("guest", ["none/participant", "member"])
def test_ban_is_told_to_the_others(connect: Connect, guest: str) -> None:
    owner, occupant, other = gather(connect, guest, "none")
    require_result(change_affiliation(owner.session, owner.room, occupant.session.bare_jid, "outcast"))
    for viewer in (owner, other):
        viewer.sees(occupant.jid, "unavailable", affiliation="outcast", role="none", codes=[301])


@XEP.must("9.1", says="A ban removes every session of the banned user, whatever the nickname.")
def test_ban_removes_every_nickname(connect: Connect) -> None:
    owner, guest = gather(connect, "none")
    account = connect.account()
    sessions = {nick: connect(account=account, label=nick) for nick in ("first", "second")}
    for nick, session in sessions.items():
        require(refusal(session, owner.room, nick).get("type") is None, "to be let in", nick)
    require_result(change_affiliation(owner.session, owner.room, account.jid, "outcast"))
    for nick in sessions:
        guest.sees(f"{owner.room}/{nick}", "unavailable", affiliation="outcast", role="none", codes=[301])


@XEP.may("9.1", says="Where a reason for a ban is passed on, it is the one that was given.")
@pytest.mark.parametrize("at", ["banned", "another"])
def test_reason_of_a_ban(connect: Connect, at: str) -> None:
    owner, guest, other = gather(connect, "none", "none")
    require_result(change_affiliation(owner.session, owner.room, guest.session.bare_jid, "outcast", reason=REASON))
    presence = (guest if at == "banned" else other).sees(guest.jid, "unavailable", codes=[301])
    reason = item_of(presence).findtext("muc-user:reason", None, NS)
    require(reason in {None, REASON}, f"the reason {REASON!r}, or none", presence)


@XEP.must("9.1", says="Nobody bans oneself: an admin or owner who tries is refused with conflict.")
@pytest.mark.parametrize("guest", ["admin", "owner"])
def test_nobody_bans_oneself(connect: Connect, guest: str) -> None:
    owner, occupant = gather(connect, guest)
    reply = change_affiliation(occupant.session, owner.room, occupant.session.bare_jid, "outcast")
    require_error(reply, "conflict")
    require_equal(affiliation_of(owner.session, owner.room, occupant.session.bare_jid), guest, "affiliation")


@XEP.must("9.1", "9.2", says="A ban is on the bare JID, also where a full one is given, or that is refused.")
def test_ban_of_a_full_jid(connect: Connect) -> None:
    (owner,) = gather(connect)
    session = connect(label="banned")
    done = not stanza_error_condition(change_affiliation(owner.session, owner.room, session.jid, "outcast"))
    reply = admin(owner.session, owner.room, "get", item(affiliation="outcast"))
    require_result(reply)
    require_equal([one.get("jid") for one in items_of(reply)], [session.bare_jid] if done else [], "the ban list")


# --- the list


@XEP.must("9.2", says="The ban list has all who are banned, with affiliation and bare JID.")
@pytest.mark.parametrize("who", ["owner", "admin"])
def test_ban_list(connect: Connect, who: str) -> None:
    owner, actor = gather(connect, "admin")
    jids = {f"{name}@{connect.cell.domain}" for name in ("earl", "thane", "knight")}
    for jid in jids:
        require_result(change_affiliation(owner.session, owner.room, jid, "outcast", reason=REASON))
    session = owner.session if who == "owner" else actor.session
    reply = admin(session, owner.room, "get", item(affiliation="outcast"))
    require_result(reply)
    require_equal({one.get("jid") for one in items_of(reply)}, jids, "banned JIDs")
    require_equal({one.get("affiliation") for one in items_of(reply)}, {"outcast"}, "affiliations")


@XEP.must("9.2", says="A room that has banned nobody gives an empty list.")
def test_empty_ban_list(connect: Connect) -> None:
    (owner,) = gather(connect)
    reply = admin(owner.session, owner.room, "get", item(affiliation="outcast"))
    require_result(reply)
    require(reply.find("muc-admin:query", NS) is not None, "an empty list", reply)
    require_equal(items_of(reply), [], "items")


@XEP.should_not("9.2", "17.4", says="Items of the ban list have no nickname and no role.")
@pytest.mark.parametrize("name", ["nick", "role"])
def test_ban_list_has_no(connect: Connect, name: str) -> None:
    owner, guest = gather(connect, "none")
    require_result(change_affiliation(owner.session, owner.room, guest.session.bare_jid, "outcast"))
    reply = admin(owner.session, owner.room, "get", item(affiliation="outcast"))
    require_equal([one.get("jid") for one in items_of(reply)], [guest.session.bare_jid], "banned JIDs")
    require_equal([one.get(name) for one in items_of(reply)], [None], name)


@XEP.must("9.2", says="By one request some are banned and others pardoned, and who is banned is removed.")
def test_ban_list_is_modified(connect: Connect) -> None:
    owner, guest, other = gather(connect, "none", "none")
    pardoned = f"thane@{connect.cell.domain}"
    require_result(change_affiliation(owner.session, owner.room, pardoned, "outcast"))
    reply = admin(
        owner.session,
        owner.room,
        "set",
        item(jid=pardoned, affiliation="none"),
        item(jid=guest.session.bare_jid, affiliation="outcast"),
        item(jid=f"earl@{connect.cell.domain}", affiliation="outcast"),
    )
    require_result(reply)
    for viewer in (guest, other):
        viewer.sees(guest.jid, "unavailable", affiliation="outcast", role="none", codes=[301])
    banned = affiliated(owner.session, owner.room, "outcast")
    require_equal(set(banned), {guest.session.bare_jid, f"earl@{connect.cell.domain}"}, "banned JIDs")


@XEP.must("9.2", says="A request with one ban that is not allowed is denied.")
def test_list_with_a_ban_that_is_not_allowed(connect: Connect) -> None:
    owner, actor = gather(connect, "admin")
    reply = admin(
        actor.session,
        owner.room,
        "set",
        item(jid=f"earl@{connect.cell.domain}", affiliation="outcast"),
        item(jid=owner.session.bare_jid, affiliation="outcast"),
    )
    require_error(reply)
    require_equal(affiliation_of(owner.session, owner.room, owner.session.bare_jid), "owner", "affiliation")


@XEP.should(
    "9.2", says="A request with one ban that is not allowed changes nothing, and says conflict or not-allowed."
)
def test_list_is_applied_as_a_whole(connect: Connect) -> None:
    owner, actor = gather(connect, "admin")
    reply = admin(
        actor.session,
        owner.room,
        "set",
        item(jid=f"earl@{connect.cell.domain}", affiliation="outcast"),
        item(jid=owner.session.bare_jid, affiliation="outcast"),
    )
    require_error(reply, "conflict", "not-allowed")
    require_equal(affiliated(owner.session, owner.room, "outcast"), [], "banned JIDs")


@XEP.must("8", "9", says="Who is no admin is refused the ban list.")
@pytest.mark.parametrize(
    "guest",
    [
        pytest.param("none/visitor", id="visitor"),
        pytest.param("none/participant", id="participant"),
        pytest.param("none/moderator", id="moderator"),
        pytest.param("member/participant", id="member"),
        pytest.param("", id="outsider"),
    ],
)
def test_ban_list_is_refused(connect: Connect, guest: str) -> None:
    occupants = gather(connect, *([guest] if guest else []), whois="moderators")
    session = occupants[1].session if guest else connect(label="outsider")
    require_error(admin(session, occupants[0].room, "get", item(affiliation="outcast")), "forbidden")


@XEP.should("9.2", says="A ban of a domain holds for all of its users.")
def test_domain_is_banned(connect: Connect) -> None:
    # The owner is of that domain, too: a room that lasts only while somebody is in it would be gone.
    owner = created(connect(label="owner"), fresh_room(connect), persistentroom=True)
    require_result(change_affiliation(owner.session, owner.room, connect.cell.domain, "outcast"))
    answer = refusal(connect(label="newcomer"), owner.room, "newcomer")
    if "201" in codes_of(answer):
        impossible("the room went with its owner, and a new one was made")
    require_error(answer, "forbidden")
