"""XEP-0045 §10.1: creating a room: locked until it is configured, as an instant or as a reserved one."""

from __future__ import annotations

import pytest

from lab.plugin import Connect, Specification, require, require_equal, require_error, require_result, unsupported
from lab.wire.namespaces import NS
from lab.wire.session import Session, stanza_error_condition
from scenarios.server._caps import form_type
from scenarios.server.xep0045._admin import affiliation_of, change_affiliation
from scenarios.server.xep0045._configuration import (
    FORM_TYPE,
    ask_for_form,
    cancel,
    configuration,
    configure,
    filled,
    form_of,
    submit,
    unlock,
)
from scenarios.server.xep0045._occupant import Occupant, codes_of, item_of, presence_of
from scenarios.server.xep0045._rooms import enter, entrance, fresh_room, refusal

XEP = Specification("XEP-0045")


def _new(alice: Session, connect: Connect) -> Occupant:
    """The creator of a room that is not configured yet."""
    return enter(alice, fresh_room(connect), "alice")


def _is_locked(creator: Occupant, other: Session) -> bool:
    return stanza_error_condition(refusal(other, creator.room, "other")) != ""


@XEP.must("10.1.1", says="The creator's presence tells of the creation: status codes 201 and 110, owner, moderator.")
def test_creation_is_told(alice: Session, connect: Connect) -> None:
    room = fresh_room(connect)
    came = entrance(alice, room, "alice")
    (presence,) = [e for e in came if presence_of(f"{room}/alice")(e)] or [came[-1]]
    require({"201", "110"} <= codes_of(presence), "status codes 201 and 110", presence)
    require_equal(item_of(presence).get("affiliation"), "owner", "affiliation")
    require_equal(item_of(presence).get("role"), "moderator", "role")


@XEP.must("10.1.1", "10", says="Who creates a room is on its owner list, by the bare JID, alone.")
def test_creator_is_the_owner(alice: Session, connect: Connect) -> None:
    creator = _new(alice, connect)
    require_result(unlock(alice, creator.room))
    require_equal(affiliation_of(alice, creator.room, alice.bare_jid), "owner", "affiliation")


# --- instant rooms


@XEP.must("10.1.2", "10.1.1", says="An empty form, submitted, unlocks the room, and others enter.")
def test_instant_room_is_unlocked(alice: Session, bob: Session, connect: Connect) -> None:
    creator = _new(alice, connect)
    reply = unlock(alice, creator.room)
    require_result(reply)
    require_equal(reply.get("from"), creator.room, "from")
    guest = enter(bob, creator.room, "bob")
    creator.sees(guest.jid, affiliation="none")


@XEP.must("10.1.1", "7.2.10", says="Who was refused by a locked room is let in once it is unlocked.")
def test_unlocked_room_lets_in(alice: Session, bob: Session, connect: Connect) -> None:
    creator = _new(alice, connect)
    if not _is_locked(creator, bob):
        unsupported("locking a room until it is configured; another check says whether that is a fault")
    require_result(unlock(alice, creator.room))
    guest = enter(bob, creator.room, "bob")
    creator.sees(guest.jid)


@XEP.must("10.1.1", "10.2", says="Nobody but the creator configures a new room.")
@pytest.mark.parametrize("kind", ["get", "set"])
def test_others_do_not_configure_a_new_room(alice: Session, bob: Session, connect: Connect, kind: str) -> None:
    creator = _new(alice, connect)
    reply = ask_for_form(bob, creator.room) if kind == "get" else unlock(bob, creator.room)
    require_error(reply, "forbidden", "item-not-found")


# --- reserved rooms


@XEP.must("10.1.3", "10.1.1", says="The creator of a room is sent a configuration form, with the FORM_TYPE for it.")
def test_form_is_sent(alice: Session, connect: Connect) -> None:
    creator = _new(alice, connect)
    reply = ask_for_form(alice, creator.room)
    require_result(reply)
    require_equal(reply.get("from"), creator.room, "from")
    form = form_of(reply)
    if form is None:
        query = reply.find("muc-owner:query", NS)
        require(query is not None and len(query) == 0, "a form, or an empty query", reply)
        return
    require_equal(form.get("type"), "form", "type of the form:")
    require_equal(form_type(form), FORM_TYPE, "FORM_TYPE")


@XEP.must("10.1.3", "10.1.1", says="A room whose creator submits the form is as it says, and others enter.")
def test_reserved_room_is_configured(alice: Session, bob: Session, connect: Connect) -> None:
    creator = _new(alice, connect)
    reply = configure(alice, creator.room, roomname="A dark cave", membersonly=True)
    require_result(reply)
    require_error(refusal(bob, creator.room, "bob"), "registration-required")
    require_result(change_affiliation(alice, creator.room, bob.bare_jid, "member"))
    guest = enter(bob, creator.room, "bob")
    creator.sees(guest.jid, affiliation="member")


@XEP.must("10.1.3", "7.2.10", says="A room stays locked while its creator only looks at the form.")
def test_room_is_locked_while_the_form_is_out(alice: Session, bob: Session, connect: Connect) -> None:
    creator = _new(alice, connect)
    require_result(ask_for_form(alice, creator.room))
    require_error(refusal(bob, creator.room, "bob"), "item-not-found")


@XEP.must("10.1.3", "10.1.1", says="Where the creator cancels the configuration, the room is destroyed.")
def test_cancelled_room_is_destroyed(alice: Session, connect: Connect) -> None:
    creator = _new(alice, connect)
    require_result(ask_for_form(alice, creator.room))
    require_result(cancel(alice, creator.room))
    creator.sees(creator.jid, "unavailable", role="none")
    came = entrance(connect(label="later"), creator.room, "bob")
    (presence,) = [e for e in came if presence_of(f"{creator.room}/bob")(e)] or [came[-1]]
    require("201" in codes_of(presence), "status code 201: the room is a new one", presence)


@XEP.must("10.1.3", says="Where the creator leaves before the room is configured, the room is destroyed.")
@pytest.mark.parametrize("how", ["leaves", "unavailable-to-all"])
def test_deserted_room_is_destroyed(alice: Session, connect: Connect, how: str) -> None:
    creator = _new(alice, connect)
    if how == "leaves":
        creator.leaves()
    else:
        alice.send("<presence type='unavailable'/>")
    creator.sees(creator.jid, "unavailable", role="none")
    came = entrance(connect(label="later"), creator.room, "bob")
    (presence,) = [e for e in came if presence_of(f"{creator.room}/bob")(e)] or [came[-1]]
    require("201" in codes_of(presence), "status code 201: the room is a new one", presence)


@XEP.must(
    "10.1.3", says="A configuration that violates a policy, as a blank password does, is refused with not-acceptable."
)
def test_unacceptable_configuration(alice: Session, connect: Connect) -> None:
    creator = _new(alice, connect)
    values = filled(configuration(alice, creator.room), {"passwordprotectedroom": True, "roomsecret": ""})
    reply = submit(alice, creator.room, values)
    if not stanza_error_condition(reply):
        require_result(reply)
        unsupported("refusing a room with a blank password")
    require_error(reply, "not-acceptable")
