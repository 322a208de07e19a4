"""XEP-0045 §5.1: the roles: which one a newcomer gets, what each may do, and who may change whose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from lab.plugin import Connect, Specification, require, require_equal, require_error, require_result
from lab.wire.namespaces import NS
from lab.wire.session import localname
from scenarios.server.xep0045._admin import change_affiliation, change_role
from scenarios.server.xep0045._configuration import Value
from scenarios.server.xep0045._occupant import Occupant, bare, item_of, of_the_room, presence_example, presence_of
from scenarios.server.xep0045._rooms import entrance, gather

XEP = Specification("XEP-0045")

ROOMS: dict[str, dict[str, Value]] = {
    "moderated": {"moderatedroom": True},
    "unmoderated": {"moderatedroom": False},
    "members-only": {"membersonly": True},
    "open": {"membersonly": False},
}
DEFAULT_ROLES = {
    ("moderated", "none"): "visitor",
    ("moderated", "member"): "participant",
    ("moderated", "admin"): "moderator",
    ("moderated", "owner"): "moderator",
    ("unmoderated", "none"): "participant",
    ("unmoderated", "member"): "participant",
    ("unmoderated", "admin"): "moderator",
    ("unmoderated", "owner"): "moderator",
    ("members-only", "member"): "participant",
    ("members-only", "admin"): "moderator",
    ("members-only", "owner"): "moderator",
    ("open", "none"): "participant",
    ("open", "member"): "participant",
    ("open", "admin"): "moderator",
    ("open", "owner"): "moderator",
}
"""Kind of room and affiliation -> the role of who enters (§5.1.2)."""


@XEP.should("5.1.2", says="Who enters gets the role that goes with the affiliation in that kind of room.")
@pytest.mark.parametrize(("room", "affiliation"), [pytest.param(*key, id="-".join(key)) for key in DEFAULT_ROLES])
def test_default_role(connect: Connect, room: str, affiliation: str) -> None:
    (owner,) = gather(connect, **ROOMS[room])
    session = connect(label="newcomer")
    if affiliation != "none":
        require_result(change_affiliation(owner.session, owner.room, session.bare_jid, affiliation))
    came = entrance(session, owner.room, "newcomer")
    (own,) = [e for e in came if presence_of(f"{owner.room}/newcomer")(e)] or [came[-1]]
    told = (item_of(own).get("affiliation"), item_of(own).get("role"))
    require_equal(told, (affiliation, DEFAULT_ROLES[room, affiliation]), "affiliation and role")


# --- privileges


def _hears(guest: Occupant, owner: Occupant) -> None:
    owner.says("to all")
    guest.hears("to all", owner.jid)


def _is_told_of_presence(guest: Occupant, owner: Occupant) -> None:
    owner.updates("<show>away</show>")
    guest.sees(owner.jid, affiliation="owner")


def _broadcasts(guest: Occupant, owner: Occupant) -> None:
    guest.updates("<show>dnd</show>")
    presence = owner.sees(guest.jid)
    require_equal(presence.findtext("c:show", None, NS), "dnd", "show")


def _speaks(guest: Occupant, owner: Occupant) -> None:
    guest.says("to all")
    owner.hears("to all", guest.jid)


PRIVILEGES: dict[str, tuple[Callable[[Occupant, Occupant], None], tuple[str, ...]]] = {
    "receive-messages": (_hears, ("visitor", "participant", "moderator")),
    "receive-presence": (_is_told_of_presence, ("visitor", "participant", "moderator")),
    "broadcast-presence": (_broadcasts, ("participant", "moderator")),
    "send-messages-to-all": (_speaks, ("participant", "moderator")),
}
"""What the roles may do (§5.1.1), and which of them; not what "configuration settings MAY modify"."""


@XEP.should("5.1.1", says="As rooms come, each role may do what it is meant to in a moderated room.")
@pytest.mark.parametrize(
    ("privilege", "role"),
    [
        pytest.param(privilege, role, id=f"{privilege}-{role}")
        for privilege, (_, roles) in PRIVILEGES.items()
        for role in roles
    ],
)
def test_role_may(connect: Connect, privilege: str, role: str) -> None:
    owner, guest = gather(connect, f"none/{role}", moderatedroom=True)
    PRIVILEGES[privilege][0](guest, owner)


# --- who may change whose role


@dataclass(frozen=True)
class Change:
    """Who changes whose role: affiliation and role of both (§5.1.3), the new role, and how it is refused."""

    actor: str
    target: str
    role: str
    conditions: tuple[str, ...] = ()


MODERATOR, MEMBER_MODERATOR, PARTICIPANT, VISITOR = (
    "none/moderator",
    "member/moderator",
    "none/participant",
    "none/visitor",
)

ALLOWED = {
    "moderator-grants-voice": ("8.3", Change(MODERATOR, VISITOR, "participant")),
    "member-moderator-grants-voice": ("8.3", Change(MEMBER_MODERATOR, VISITOR, "participant")),
    "admin-grants-voice": ("8.3", Change("admin", VISITOR, "participant")),
    "owner-grants-voice": ("8.3", Change("owner", VISITOR, "participant")),
    "member-moderator-revokes-voice": ("8.4", Change(MEMBER_MODERATOR, PARTICIPANT, "visitor")),
    "admin-revokes-voice": ("8.4", Change("admin", PARTICIPANT, "visitor")),
    "admin-revokes-voice-of-a-member": ("8.4", Change("admin", "member/participant", "visitor")),
    "owner-revokes-voice": ("8.4", Change("owner", PARTICIPANT, "visitor")),
    "owner-revokes-voice-of-a-member": ("8.4", Change("owner", "member/participant", "visitor")),
    "moderator-kicks-a-visitor": ("8.2", Change(MODERATOR, VISITOR, "none")),
    "moderator-kicks-a-participant": ("8.2", Change(MODERATOR, PARTICIPANT, "none")),
    "member-moderator-kicks-a-participant": ("8.2", Change(MEMBER_MODERATOR, PARTICIPANT, "none")),
    "admin-kicks-a-participant": ("8.2", Change("admin", PARTICIPANT, "none")),
    "admin-kicks-a-member": ("8.2", Change("admin", "member/participant", "none")),
    "admin-kicks-a-moderator": ("8.2", Change("admin", MODERATOR, "none")),
    "owner-kicks-a-participant": ("8.2", Change("owner", PARTICIPANT, "none")),
    "owner-kicks-a-moderator": ("8.2", Change("owner", MODERATOR, "none")),
    "owner-kicks-an-admin": ("8.2", Change("owner", "admin", "none")),
    "admin-makes-a-participant-moderator": ("9.6", Change("admin", PARTICIPANT, "moderator")),
    "admin-makes-a-visitor-moderator": ("9.6", Change("admin", VISITOR, "moderator")),
    "owner-makes-a-member-moderator": ("9.6", Change("owner", "member/participant", "moderator")),
    "owner-makes-a-visitor-moderator": ("9.6", Change("owner", VISITOR, "moderator")),
    "admin-revokes-moderator": ("9.7", Change("admin", MODERATOR, "participant")),
    "admin-revokes-moderator-of-a-member": ("9.7", Change("admin", MEMBER_MODERATOR, "participant")),
    "admin-makes-a-moderator-visitor": ("9.7", Change("admin", MODERATOR, "visitor")),
    "owner-revokes-moderator": ("9.7", Change("owner", MODERATOR, "participant")),
    "owner-makes-a-moderator-visitor": ("9.7", Change("owner", MODERATOR, "visitor")),
}
"""What is done: where it stands, and who changes whose role. Whoever acts has the higher affiliation."""
OF_A_TABLE = {"admin-kicks-a-moderator", "owner-kicks-a-moderator", "owner-kicks-an-admin"}
"""What the table of §5.1.3 has, and not the text: §8.2 is of participants and visitors."""

NOT_ALLOWED = ("not-allowed",)
EITHER = ("forbidden", "not-allowed")
REFUSED = {
    # §8: who is no moderator
    "participant-grants-voice": ("8", Change(PARTICIPANT, VISITOR, "participant")),
    "visitor-grants-voice": ("8", Change(VISITOR, "none/visitor", "participant")),
    "member-grants-voice": ("8", Change("member/participant", VISITOR, "participant")),
    "participant-revokes-voice": ("8", Change(PARTICIPANT, PARTICIPANT, "visitor")),
    "visitor-revokes-voice": ("8", Change(VISITOR, PARTICIPANT, "visitor")),
    "participant-kicks": ("8", Change(PARTICIPANT, VISITOR, "none")),
    "visitor-kicks": ("8", Change(VISITOR, PARTICIPANT, "none")),
    "member-kicks": ("8", Change("member/participant", PARTICIPANT, "none")),
    # §9: who is no admin
    "participant-makes-a-moderator": ("9", Change(PARTICIPANT, PARTICIPANT, "moderator")),
    "visitor-makes-a-moderator": ("9", Change(VISITOR, PARTICIPANT, "moderator")),
    "moderator-makes-a-moderator": ("9", Change(MODERATOR, PARTICIPANT, "moderator")),
    "member-moderator-makes-a-moderator": ("9", Change(MEMBER_MODERATOR, PARTICIPANT, "moderator")),
    # §8.2: who has the lower affiliation
    "moderator-kicks-an-admin": ("8.2", Change(MODERATOR, "admin", "none", NOT_ALLOWED)),
    "moderator-kicks-an-owner": ("8.2", Change(MODERATOR, "owner", "none", NOT_ALLOWED)),
    "member-moderator-kicks-an-admin": ("8.2", Change(MEMBER_MODERATOR, "admin", "none", NOT_ALLOWED)),
    "member-moderator-kicks-an-owner": ("8.2", Change(MEMBER_MODERATOR, "owner", "none", NOT_ALLOWED)),
    "admin-kicks-an-owner": ("8.2", Change("admin", "owner", "none", NOT_ALLOWED)),
    # §8.4, §8.5: an affiliation at or above one's own, and admins and owners by anyone
    "moderator-revokes-voice-of-a-member": ("8.4", Change(MODERATOR, "member/participant", "visitor", NOT_ALLOWED)),
    "moderator-revokes-voice-of-an-admin": ("8.4", Change(MODERATOR, "admin", "visitor", NOT_ALLOWED)),
    "moderator-revokes-voice-of-an-owner": ("8.4", Change(MODERATOR, "owner", "visitor", NOT_ALLOWED)),
    "member-moderator-revokes-voice-of-a-member": (
        "8.4",
        Change(MEMBER_MODERATOR, "member/participant", "visitor", NOT_ALLOWED),
    ),
    "admin-revokes-voice-of-an-admin": ("8.4", Change("admin", "admin", "visitor", NOT_ALLOWED)),
    "admin-revokes-voice-of-an-owner": ("8.4", Change("admin", "owner", "visitor", NOT_ALLOWED)),
    "owner-revokes-voice-of-an-admin": ("8.4", Change("owner", "admin", "visitor", NOT_ALLOWED)),
    "owner-revokes-voice-of-an-owner": ("8.4", Change("owner", "owner", "visitor", NOT_ALLOWED)),
    # §9.7: admins and owners stay moderators
    "admin-revokes-moderator-of-an-admin": ("9.7", Change("admin", "admin", "participant", NOT_ALLOWED)),
    "admin-revokes-moderator-of-an-owner": ("9.7", Change("admin", "owner", "participant", NOT_ALLOWED)),
}
"""What is refused: where it stands, who changes whose role, and the error where it is `not-allowed`."""
FORBIDDEN = {name: entry for name, entry in REFUSED.items() if entry[0] in {"8", "9"}}
"""What is refused with `forbidden` (§8, §9): the same error for whatever is asked by who may ask nothing."""
SHOULD_BE_REFUSED = {
    # §5.1.3 says SHOULD NOT; §9 would say forbidden, §9.7 not-allowed
    # §8.2 says that such a one cannot be kicked, and goes on to say MUST of admins and owners
    "moderator-kicks-a-member": Change(MODERATOR, "member/participant", "none", EITHER),
    "moderator-revokes-moderator-of-an-admin": Change(MODERATOR, "admin", "participant", EITHER),
    "moderator-revokes-moderator-of-an-owner": Change(MODERATOR, "owner", "participant", EITHER),
    "moderator-revokes-moderator-of-a-member": Change(MODERATOR, MEMBER_MODERATOR, "participant", EITHER),
}


def _scene(connect: Connect, change: Change) -> tuple[Occupant, Occupant, Occupant]:
    """Who acts, on whom, and one who looks on, in a moderated room."""
    _, actor, target, third = gather(connect, change.actor, change.target, "member", moderatedroom=True)
    return actor, target, third


def _does(where: str, what: str, name: str) -> pytest.MarkDecorator:
    requires = XEP.should if name in OF_A_TABLE else XEP.must
    return requires(where, "5.1.3", says=f"{what}: {name.replace('-', ' ')}.")


def _affiliation(guest: str) -> str:
    return guest.partition("/")[0]


@XEP.must("5.1.3", says="A role that may be changed is changed, and all occupants are told.")
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(change, id=name, marks=_does(where, "Done, and told to all", name))
        for name, (where, change) in ALLOWED.items()
    ],
)
def test_role_is_changed(connect: Connect, change: Change) -> None:
    actor, target, third = _scene(connect, change)
    require_result(change_role(actor.session, actor.room, target.nick, change.role))
    kicked = change.role == "none"
    for occupant in (actor, target, third):
        occupant.sees(
            target.jid,
            "unavailable" if kicked else "",
            affiliation=_affiliation(change.target),
            role=change.role,
            codes=[307] if kicked else (),
        )


def _is_refused(connect: Connect, change: Change) -> None:
    actor, target, third = _scene(connect, change)
    reply = change_role(actor.session, actor.room, target.nick, change.role)
    require_error(reply, *change.conditions)
    of_the_room(reply, actor.room)
    third.is_spared(
        presence_example(target.jid, third.session, "unavailable" if change.role == "none" else "", role=change.role),
        lambda e: localname(e) == "presence" and bare(e) == third.room,
        "word of a change that was refused",
        after=actor.session,
    )


@XEP.must("8", says="A role that may not be changed stays as it is.")
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(change, id=name, marks=_does(where, "Refused, and told to nobody", name))
        for name, (where, change) in REFUSED.items()
    ],
)
def test_role_change_is_refused(connect: Connect, change: Change) -> None:
    _is_refused(connect, change)


@XEP.must("8", says="The error for who is no moderator, or no admin where one is needed, is forbidden.")
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(change, id=name, marks=_does(where, "Refused with forbidden", name))
        for name, (where, change) in FORBIDDEN.items()
    ],
)
def test_refused_change_of_role_is_forbidden(connect: Connect, change: Change) -> None:
    actor, target, _ = _scene(connect, change)
    require_error(change_role(actor.session, actor.room, target.nick, change.role), "forbidden")


@XEP.should("5.1.3", "8.2", says="A moderator does not remove, or take the status of, one with a higher affiliation.")
@pytest.mark.parametrize("change", [pytest.param(change, id=name) for name, change in SHOULD_BE_REFUSED.items()])
def test_higher_affiliation_is_safe(connect: Connect, change: Change) -> None:
    _is_refused(connect, change)


@XEP.must("8", "9", says="Who is not in the room, and is no admin, changes nobody's role.")
@pytest.mark.parametrize("role", ["none", "visitor", "participant", "moderator"])
def test_outsider_changes_no_role(connect: Connect, role: str) -> None:
    owner, guest = gather(
        connect, "none/visitor" if role == "participant" else "none/participant", moderatedroom=True
    )
    outsider = connect(label="outsider")
    require_error(change_role(outsider, owner.room, guest.nick, role))
    owner.is_spared(
        presence_example(guest.jid, owner.session, "unavailable" if role == "none" else "", role=role),
        lambda e: localname(e) == "presence" and bare(e) == owner.room,
        "word of a change that was refused",
        after=outsider,
    )


# §10.3 but recommends that a new owner be a moderator.
@XEP.must("5.1.3", says="Who is made an admin in the room is a moderator by that; a member has a voice.")
@pytest.mark.parametrize(("affiliation", "role"), [("member", "participant"), ("admin", "moderator")])
def test_affiliation_brings_its_role(connect: Connect, affiliation: str, role: str) -> None:
    owner, guest, other = gather(connect, "none", "none", moderatedroom=True)
    require_result(change_affiliation(owner.session, owner.room, guest.session.bare_jid, affiliation))
    for occupant in (owner, guest, other):
        presence = occupant.sees(guest.jid, affiliation=affiliation)
        require(item_of(presence).get("role") == role, f"the role {role}", presence)


@XEP.must("8", "9", says="The error for who is not in the room, and is no admin, is forbidden.")
@pytest.mark.parametrize("role", ["none", "moderator"])
def test_outsider_is_forbidden_to_change_a_role(connect: Connect, role: str) -> None:
    owner, guest = gather(connect, "none/participant", moderatedroom=True)
    require_error(change_role(connect(label="outsider"), owner.room, guest.nick, role), "forbidden")
