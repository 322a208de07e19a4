"""XEP-0045 §10.3 to §10.8: owners and admins, their lists, and the last owner. Who may make them: `affiliations`."""

from __future__ import annotations

import pytest

from lab.plugin import Connect, Specification, require, require_equal, require_error, require_result
from lab.wire.session import stanza_error_condition
from scenarios.server.xep0045._admin import (
    admin,
    affiliated,
    affiliation_of,
    change_affiliation,
    is_done,
    item,
    items_of,
)
from scenarios.server.xep0045._configuration import ask_for_form
from scenarios.server.xep0045._rooms import gather

XEP = Specification("XEP-0045")
LISTED = {"owner": "10.5", "admin": "10.8"}


def _about(says: str) -> pytest.MarkDecorator:
    """For both lists, with the section of each."""
    return pytest.mark.parametrize(
        "affiliation",
        [pytest.param(one, id=one, marks=XEP.must(where, says=f"{says} ({one})")) for one, where in LISTED.items()],
    )


# --- the lists


@XEP.must("10.5", says="The list has all, present or not, with affiliation and JID.")
@_about("An owner is given the list: all who are on it, present or not, with affiliation and JID.")
def test_owners_and_admins_are_listed(connect: Connect, affiliation: str) -> None:
    owner, guest, *_ = gather(connect, affiliation, "member", "none")
    absent = f"hecate@{connect.cell.domain}"
    is_done(change_affiliation(owner.session, owner.room, absent, affiliation), affiliation)
    reply = admin(owner.session, owner.room, "get", item(affiliation=affiliation))
    require_result(reply)
    told = {(one.get("jid") or "").partition("/")[0]: one.get("affiliation") for one in items_of(reply)}
    expected = {guest.session.bare_jid, absent, *([owner.session.bare_jid] if affiliation == "owner" else [])}
    require_equal(told, dict.fromkeys(expected, affiliation), "who is listed")


@XEP.must("10.5", says="An owner who is not in the room is given the list.")
@_about("An owner who is not in the room is given the list.")
def test_absent_owner_is_given_the_list(connect: Connect, affiliation: str) -> None:
    owner, guest = gather(connect, affiliation)
    owner.leaves()
    guest.sees(owner.jid, "unavailable")
    require(
        guest.session.bare_jid in affiliated(owner.session, owner.room, affiliation), "the list", "it is not given"
    )


ASKERS = {
    "admin": "admin",
    "member": "member/participant",
    "moderator": "none/moderator",
    "participant": "none/participant",
    "outsider": "",
}


@XEP.must(
    "10.5", "10.8", says="In a semi-anonymous room nobody but an owner is given the lists of owners and admins."
)
@pytest.mark.parametrize(
    ("affiliation", "asker"),
    [
        pytest.param(
            affiliation,
            asker,
            id=f"{affiliation}-{asker}",
            marks=XEP.must(
                where, says=f"In a semi-anonymous room the list of each {affiliation} is refused: {asker}."
            ),
        )
        for affiliation, where in LISTED.items()
        for asker in ASKERS
    ],
)
def test_list_is_refused(connect: Connect, affiliation: str, asker: str) -> None:
    guest = ASKERS[asker]
    occupants = gather(connect, *([guest] if guest else []), whois="moderators")
    session = occupants[1].session if guest else connect(label="outsider")
    require_error(admin(session, occupants[0].room, "get", item(affiliation=affiliation)), "forbidden")


@XEP.must("10.5", says="By one request some are put on the list and others taken off it, and all are told.")
@_about("By one request some are put on the list and others taken off it, and all are told.")
def test_list_is_modified(connect: Connect, affiliation: str) -> None:
    owner, gains, loses, other = gather(connect, "none", affiliation, "none")
    absent = f"hecate@{connect.cell.domain}"
    reply = admin(
        owner.session,
        owner.room,
        "set",
        item(jid=gains.session.bare_jid, affiliation=affiliation),
        item(jid=loses.session.bare_jid, affiliation="member"),
        item(jid=absent, affiliation=affiliation),
    )
    is_done(reply, affiliation)
    for occupant in (owner, gains, loses, other):
        # That a new owner is a moderator is but recommended (§10.3).
        occupant.sees(gains.jid, affiliation=affiliation, role="moderator" if affiliation == "admin" else None)
        occupant.sees(loses.jid, affiliation="member")
    listed = set(affiliated(owner.session, owner.room, affiliation)) - {owner.session.bare_jid}
    require_equal(listed, {gains.session.bare_jid, absent}, "who is listed")


@XEP.must("10.5", says="A list that one may not change is not changed, not in part either.")
@_about("Who may not change the list changes none of it by a request of several changes.")
def test_list_is_not_modified_by_an_admin(connect: Connect, affiliation: str) -> None:
    owner, actor, guest = gather(connect, "admin", "none")
    reply = admin(
        actor.session,
        owner.room,
        "set",
        item(jid=guest.session.bare_jid, affiliation=affiliation),
        item(jid=f"hecate@{connect.cell.domain}", affiliation=affiliation),
    )
    require_error(reply)
    listed = set(affiliated(owner.session, owner.room, affiliation))
    require_equal(
        listed, {owner.session.bare_jid if affiliation == "owner" else actor.session.bare_jid}, "who is listed"
    )


# --- granting and revoking


@XEP.should("10.3", "10.6", says="Where an account is named by a full JID, its bare JID gets the affiliation.")
@pytest.mark.parametrize("affiliation", ["owner", "admin"])
def test_full_jid_is_taken_for_the_bare_one(connect: Connect, affiliation: str) -> None:
    owner, guest, other = gather(connect, "none", "none")
    is_done(change_affiliation(owner.session, owner.room, guest.session.jid, affiliation), affiliation)
    for occupant in (owner, guest, other):
        occupant.sees(guest.jid, affiliation=affiliation)
    reply = admin(owner.session, owner.room, "get", item(affiliation=affiliation))
    listed = {one.get("jid") for one in items_of(reply)}
    require(guest.session.bare_jid in listed, f"{guest.session.bare_jid} in the list", str(sorted(map(str, listed))))


@XEP.should("10.4", "10.7", says="Where an account is named by a full JID, its bare JID loses the affiliation.")
@pytest.mark.parametrize("affiliation", ["owner", "admin"])
def test_full_jid_loses_the_affiliation(connect: Connect, affiliation: str) -> None:
    owner, guest = gather(connect, affiliation)
    is_done(change_affiliation(owner.session, owner.room, guest.session.jid, "none"), "none", before=affiliation)
    require_equal(affiliation_of(owner.session, owner.room, guest.session.bare_jid), "none", "affiliation")


@XEP.must("10.3", "10.2", says="Who is made an owner may do what owners may: ask for the configuration.")
def test_new_owner_is_one(connect: Connect) -> None:
    owner, guest = gather(connect, "none")
    is_done(change_affiliation(owner.session, owner.room, guest.session.bare_jid, "owner"), "owner")
    require_result(ask_for_form(guest.session, guest.room))


@XEP.must("10.4", "10.2", says="Who is no owner any more may not do what owners may; another owner still may.")
def test_former_owner_is_none(connect: Connect) -> None:
    owner, guest = gather(connect, "owner")
    reply = change_affiliation(owner.session, owner.room, guest.session.bare_jid, "none")
    if stanza_error_condition(reply):
        require_error(reply, "not-authorized")
        return
    require_result(reply)
    require_error(ask_for_form(guest.session, guest.room), "forbidden")
    require_result(ask_for_form(owner.session, owner.room))


@XEP.must("10.7", "9", says="Who is no admin any more may not do what admins may.")
def test_former_admin_is_none(connect: Connect) -> None:
    owner, guest, other = gather(connect, "admin", "none")
    require_result(change_affiliation(guest.session, owner.room, other.session.bare_jid, "member"))
    require_result(change_affiliation(owner.session, owner.room, guest.session.bare_jid, "member"))
    require_error(change_affiliation(guest.session, owner.room, other.session.bare_jid, "none"))
    require_equal(affiliation_of(owner.session, owner.room, other.session.bare_jid), "member", "affiliation")


# --- the last owner


@XEP.must("10.4", "10.5", "10", says="The last owner stays one: who gives it up is refused with conflict.")
@pytest.mark.parametrize("affiliation", ["none", "member", "admin"])
def test_last_owner_stays(connect: Connect, affiliation: str) -> None:
    owner, _ = gather(connect, "admin")
    require_error(change_affiliation(owner.session, owner.room, owner.session.bare_jid, affiliation), "conflict")
    require_equal(affiliation_of(owner.session, owner.room, owner.session.bare_jid), "owner", "affiliation")


@XEP.must("10.5", "10", says="The last owner stays one, also where a request changes others, too.")
def test_last_owner_stays_in_a_list(connect: Connect) -> None:
    owner, _ = gather(connect, "admin")
    reply = admin(
        owner.session,
        owner.room,
        "set",
        item(jid=f"hecate@{connect.cell.domain}", affiliation="member"),
        item(jid=owner.session.bare_jid, affiliation="none"),
    )
    require_error(reply, "conflict")
    require_equal(affiliation_of(owner.session, owner.room, owner.session.bare_jid), "owner", "affiliation")


@XEP.should("10.4", "10.5", "10.2", says="An owner gives up the ownership where there is another owner.")
@pytest.mark.parametrize("affiliation", ["none", "member", "admin"])
def test_owner_gives_up_where_there_is_another(connect: Connect, affiliation: str) -> None:
    owner, guest = gather(connect, "owner")
    require_result(change_affiliation(owner.session, owner.room, owner.session.bare_jid, affiliation))
    for occupant in (owner, guest):
        occupant.sees(owner.jid, affiliation=affiliation)
    require_equal(affiliation_of(guest.session, owner.room, owner.session.bare_jid), affiliation, "affiliation")
