"""XEP-0045 §7.2.5 to §7.2.10: who is not let in, by which error, and that nobody hears of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

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
from lab.wire.session import Session, localname, stanza_error_condition
from scenarios.server.xep0045._admin import change_affiliation
from scenarios.server.xep0045._configuration import PREFIX, Value, configuration, configure, offered, values_of
from scenarios.server.xep0045._occupant import (
    Occupant,
    bare,
    codes_of,
    message_example,
    presence_example,
    said,
    spared,
)
from scenarios.server.xep0045._rooms import admitted, created, enter, fresh_room, gather, password, refusal

XEP = Specification("XEP-0045")
LOCKED: dict[str, Value] = {"passwordprotectedroom": True, "roomsecret": "sesame"}
MANY = 12
"""Occupants that a check is ready to fill a room with."""


@dataclass(frozen=True)
class Refusal:
    """A room that refuses a session: how it is set up, the error, and what the session says on entering."""

    config: dict[str, Value]
    conditions: tuple[str, ...]
    inside: str = ""
    affiliation: str = ""
    nick: str = "newcomer"


REFUSALS = {
    "no-password": Refusal(LOCKED, ("not-authorized",)),
    "wrong-password": Refusal(LOCKED, ("not-authorized",), password("open")),
    "empty-password": Refusal(LOCKED, ("not-authorized",), password("")),
    "password-in-other-case": Refusal(LOCKED, ("not-authorized",), password("Sesame")),
    "not-a-member": Refusal({"membersonly": True}, ("registration-required",)),
    "banned": Refusal({}, ("forbidden",), affiliation="outcast"),
    "banned-with-the-password": Refusal(LOCKED, ("forbidden",), password("sesame"), "outcast"),
    "banned-from-a-members-only-room": Refusal(
        {"membersonly": True}, ("forbidden", "registration-required"), "", "outcast"
    ),
    "nickname-in-use": Refusal({}, ("conflict",), nick="owner"),
    "nickname-in-use-by-a-member": Refusal({}, ("conflict",), affiliation="member", nick="owner"),
}
SECTION = {
    "no-password": "7.2.5",
    "wrong-password": "7.2.5",
    "empty-password": "7.2.5",
    "password-in-other-case": "7.2.5",
    "not-a-member": "7.2.6",
    "banned": "7.2.7",
    "banned-with-the-password": "7.2.7",
    "banned-from-a-members-only-room": "7.2.7",
    "nickname-in-use": "7.2.8",
    "nickname-in-use-by-a-member": "7.2.8",
}


def _refused(connect: Connect, case: Refusal) -> tuple[Occupant, Session]:
    """A room's owner, and a session that the room has reason to refuse."""
    (owner,) = gather(connect, **case.config)
    session = connect(label="newcomer")
    if case.affiliation:
        require_result(change_affiliation(owner.session, owner.room, session.bare_jid, case.affiliation))
    return owner, session


def _each(says: Callable[[Refusal], str]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "case",
        [
            pytest.param(case, id=name, marks=XEP.must(SECTION[name], says=says(case)))
            for name, case in REFUSALS.items()
        ],
    )


@XEP.must("7.2.5", says="Who may not enter is told so by the error for it.")
@_each(lambda case: f"Who may not enter is told so by an error: {' or '.join(case.conditions)}.")
def test_refused_with_the_error_for(connect: Connect, case: Refusal) -> None:
    owner, session = _refused(connect, case)
    answer = refusal(session, owner.room, case.nick, inside=case.inside)
    require_error(answer, *case.conditions)
    require_equal(answer.get("to"), session.jid, "to")


@XEP.must("7.2.5", says="Access is denied: nobody is told of one who was refused.")
@_each(lambda _: "Access is denied: nobody in the room is told of who was refused.")
def test_nobody_is_told_of_who_is_refused(connect: Connect, case: Refusal) -> None:
    owner, session = _refused(connect, case)
    require_error(refusal(session, owner.room, case.nick, inside=case.inside))
    owner.is_spared(
        presence_example(f"{owner.room}/{case.nick}", owner.session),
        lambda e: localname(e) == "presence" and bare(e) == owner.room,
        "presence of who was refused",
        after=session,
    )


@XEP.must("7.2.5", says="Access is denied: who was refused hears nothing of the room.")
@_each(lambda _: "Access is denied: who was refused is sent neither presence nor messages of the room.")
def test_refused_hears_nothing(connect: Connect, case: Refusal) -> None:
    owner, session = _refused(connect, case)
    require_error(refusal(session, owner.room, case.nick, inside=case.inside))
    owner.says("among us")
    owner.hears("among us", owner.jid)
    spared(
        owner.room,
        session,
        message_example(owner.jid, session, "among us"),
        lambda e: bare(e) == owner.room and localname(e) in {"message", "presence"},
        "something of a room that one was not let into",
        after=owner.session,
    )


# --- passwords


@XEP.must("7.2.5", says="Who gives the password is let in.")
@pytest.mark.parametrize("affiliation", ["none", "member", "admin"])
def test_password_opens_the_room(connect: Connect, affiliation: str) -> None:
    (owner,) = gather(connect, **LOCKED)
    newcomer = admitted(connect, owner, affiliation, "newcomer", inside=password("sesame"))
    owner.sees(newcomer.jid, affiliation=affiliation)


@XEP.must("7.2.5", says="After the password was changed, the old one is refused and the new one lets in.")
def test_changed_password(connect: Connect) -> None:
    (owner,) = gather(connect, **LOCKED)
    require_result(configure(owner.session, owner.room, passwordprotectedroom=True, roomsecret="cauldron"))
    session = connect(label="newcomer")
    require_error(refusal(session, owner.room, "newcomer", inside=password("sesame")), "not-authorized")
    newcomer = enter(session, owner.room, "newcomer", inside=password("cauldron"))
    owner.sees(newcomer.jid)


# --- members only


@XEP.must("7.2.6", says="Members, admins and owners are let into a members-only room.")
@pytest.mark.parametrize("affiliation", ["member", "admin", "owner"])
def test_members_only_room_lets_in(connect: Connect, affiliation: str) -> None:
    (owner,) = gather(connect, membersonly=True)
    newcomer = admitted(connect, owner, affiliation, "newcomer")
    owner.sees(newcomer.jid, affiliation=affiliation)


@XEP.must("9.5", "7.2.6", says="Who was removed from the member list is refused by a members-only room from then on.")
def test_former_member_is_refused(connect: Connect) -> None:
    (owner,) = gather(connect, membersonly=True)
    session = connect(label="former")
    require_result(change_affiliation(owner.session, owner.room, session.bare_jid, "member"))
    require_result(change_affiliation(owner.session, owner.room, session.bare_jid, "none"))
    require_error(refusal(session, owner.room, "former"), "registration-required")


# --- bans


@XEP.must("7.2.7", "5.2", says="A ban is on the bare JID: no resource of it is let in.")
def test_ban_holds_for_every_resource(connect: Connect) -> None:
    (owner,) = gather(connect)
    account = connect.account()
    require_result(change_affiliation(owner.session, owner.room, account.jid, "outcast"))
    for label in ("first", "second"):
        require_error(refusal(connect(account=account, label=label), owner.room, label), "forbidden")


@XEP.must("7.2.7", "9.2", says="Who is not banned any more is let in.")
def test_pardoned_is_let_in(connect: Connect) -> None:
    (owner,) = gather(connect)
    session = connect(label="pardoned")
    require_result(change_affiliation(owner.session, owner.room, session.bare_jid, "outcast"))
    require_error(refusal(session, owner.room, "pardoned"), "forbidden")
    require_result(change_affiliation(owner.session, owner.room, session.bare_jid, "none"))
    pardoned = enter(session, owner.room, "pardoned")
    owner.sees(pardoned.jid, affiliation="none")


# --- nicknames


@XEP.must("7.2.8", says="A nickname is free again once its owner has left.")
def test_nickname_is_free_after_its_owner_left(connect: Connect) -> None:
    owner, guest = gather(connect, "none")
    session = connect(label="newcomer")
    require_error(refusal(session, owner.room, guest.nick), "conflict")
    guest.leaves()
    owner.sees(guest.jid, "unavailable")
    newcomer = enter(session, owner.room, guest.nick)
    owner.sees(newcomer.jid)


@XEP.must("7.2.8", says="Who was refused for the nickname is let in by another one.")
def test_other_nickname_is_let_in(connect: Connect) -> None:
    owner, guest = gather(connect, "none")
    session = connect(label="newcomer")
    require_error(refusal(session, owner.room, guest.nick), "conflict")
    newcomer = enter(session, owner.room, "another")
    guest.sees(newcomer.jid)


# --- the room is full


def _full(connect: Connect) -> Occupant:
    """The owner of a room that is full, with as few occupants as the service lets a room be limited to."""
    owner = created(connect(label="owner"), fresh_room(connect))
    form = configuration(owner.session, owner.room)
    if f"{PREFIX}maxusers" not in values_of(form):
        unsupported(f"{PREFIX}maxusers in a room's configuration")
    options = offered(form, "maxusers")
    limits = sorted(int(one) for one in options if one.isdigit()) if options else [2]
    if not limits or limits[0] > MANY:
        impossible(f"no limit up to {MANY} occupants is offered")
    require_result(configure(owner.session, owner.room, maxusers=str(limits[0])))
    account = connect.account()
    for number in range(1, limits[0]):
        enter(connect(account=account, label="crowd"), owner.room, f"crowd{number}")
    return owner


@XEP.should(
    "7.2.9", says="Who would be one too many is refused with service-unavailable, or another one has to leave."
)
def test_full_room_refuses(connect: Connect) -> None:
    owner = _full(connect)
    answer = refusal(connect(label="late"), owner.room, "late")
    if answer.get("type") != "error":  # "alternatively, the room could kick an idle user"
        owner.session.expect(
            lambda e: localname(e) == "presence" and e.get("type") == "unavailable" and bare(e) == owner.room,
            "word of who had to leave for the newcomer",
        )
        return
    require_error(answer, "service-unavailable")


@XEP.must("7.2.9", says="A full room still lets in an admin or an owner.")
@pytest.mark.parametrize("affiliation", ["admin", "owner"])
def test_full_room_lets_in(connect: Connect, affiliation: str) -> None:
    owner = _full(connect)
    newcomer = admitted(connect, owner, affiliation, "late")
    owner.sees(newcomer.jid, affiliation=affiliation)


# --- the room is not there yet


@XEP.must("7.2.10", "10.1.1", says="A room that its creator has not configured yet lets nobody in: item-not-found.")
def test_locked_room_refuses(alice: Session, bob: Session, connect: Connect) -> None:
    room = fresh_room(connect)
    enter(alice, room, "alice")
    require_error(refusal(bob, room, "bob"), "item-not-found")


@XEP.should(
    "17.2", says="A message to a room that is not there, or not configured yet, is refused with item-not-found."
)
@pytest.mark.parametrize("kind", ["not-there", "locked"])
def test_message_to_no_room(alice: Session, bob: Session, connect: Connect, kind: str) -> None:
    room = fresh_room(connect)
    if kind == "locked":
        enter(alice, room, "alice")
        if stanza_error_condition(refusal(bob, room, "bob")) == "":
            unsupported("locking a room until it is configured; another check says whether that is a fault")
    identifier = Occupant(bob, room, "bob").says("is anybody there?")
    answer = bob.expect(
        lambda e: e.get("id") == identifier or said("is anybody there?")(e), "an answer of the service"
    )
    # §7.4 has not-acceptable for whoever speaks in a room without being in it.
    require_error(answer, "item-not-found", *(["not-acceptable"] if kind == "locked" else []))
    require_equal(codes_of(answer), set(), "status codes:")
    require(bare(answer) == room, f"an answer of {room}", answer)
