"""XEP-0045 §5.2: the affiliations: who may give whom which, and who is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pytest

from lab.plugin import Connect, Specification, impossible, require_equal, require_error, require_result
from lab.wire.session import Session, localname, stanza_error_condition
from scenarios.server.xep0045._admin import affiliation_of, change_affiliation, is_done
from scenarios.server.xep0045._occupant import Occupant, bare, of_the_room, presence_example, settle
from scenarios.server.xep0045._rooms import admitted, gather, quiet

XEP = Specification("XEP-0045")
ALL = ("outcast", "none", "member", "admin", "owner")
WHERE = {"outcast": "9.1", "none": "9.4", "member": "9.3", "admin": "10.6", "owner": "10.3"}
"""Affiliation -> where giving it is described."""


@dataclass(frozen=True)
class Step:
    """From one affiliation to another (§5.2.2)."""

    before: str
    after: str

    @property
    def where(self) -> str:
        return {"owner": "10.4", "admin": "10.7"}.get(self.before, WHERE[self.after])

    @property
    def name(self) -> str:
        return f"{self.before}-to-{self.after}"


STEPS = [Step(before, after) for before in ALL for after in ALL if before != after]
ADMINS = [Step(b, a) for b in ("outcast", "none", "member") for a in ("outcast", "none", "member") if a != b]
"""What an admin may do, too (§5.2.1): ban members and who has no affiliation, and edit the member list."""


def _given(connect: Connect, owner: Occupant, affiliation: str) -> Session:
    """A session outside of the room, of an account with that affiliation."""
    session = connect(label="target")
    if affiliation != "none" and stanza_error_condition(
        change_affiliation(owner.session, owner.room, session.bare_jid, affiliation)
    ):
        impossible(f"the service makes nobody {affiliation}; another check says whether that is a fault")
    return session


def _param(step: Step, who: str) -> object:
    says = f"An {who} takes a user from {step.before} to {step.after}, as the lists tell."
    return pytest.param(step, id=step.name, marks=XEP.must(step.where, "5.2.2", says=says))


# --- what is granted


@XEP.must("5.2.2", says="An owner changes any affiliation to any other one.")
@pytest.mark.parametrize("step", [_param(step, "owner") for step in STEPS])
def test_owner_changes_an_affiliation(connect: Connect, step: Step) -> None:
    (owner,) = gather(connect)
    target = _given(connect, owner, step.before)
    is_done(
        change_affiliation(owner.session, owner.room, target.bare_jid, step.after), step.after, before=step.before
    )
    require_equal(affiliation_of(owner.session, owner.room, target.bare_jid), step.after, "affiliation")


@XEP.must("5.2.1", says="An admin bans and admits whoever is no admin or owner.")
@pytest.mark.parametrize("step", [_param(step, "admin") for step in ADMINS])
def test_admin_changes_an_affiliation(connect: Connect, step: Step) -> None:
    owner, admin = gather(connect, "admin")
    target = _given(connect, owner, step.before)
    require_result(change_affiliation(admin.session, owner.room, target.bare_jid, step.after))
    require_equal(affiliation_of(owner.session, owner.room, target.bare_jid), step.after, "affiliation")


ROLES = {"none": "participant", "member": "participant", "admin": "moderator"}
"""Not the role of a new owner: that of a moderator is but recommended (§10.2, §10.3)."""


def _seen(step: Step) -> object:
    says = f"All in the room are told that an occupant went from {step.before} to {step.after}."
    return pytest.param(step, id=step.name, marks=XEP.must(step.where, "5.2.2", "17.3", says=says))


@XEP.must("5.2.2", says="All in the room are told of an occupant's new affiliation, the occupant included.")
@pytest.mark.parametrize("step", [_seen(step) for step in STEPS if "outcast" not in {step.before, step.after}])
def test_change_of_affiliation_is_told(connect: Connect, step: Step) -> None:
    owner, guest, other = gather(connect, step.before, "none")
    reply = change_affiliation(owner.session, owner.room, guest.session.bare_jid, step.after)
    is_done(reply, step.after, before=step.before)
    # What role is left where an affiliation is lost is up to the service (§5.1.3).
    gained = ALL.index(step.after) > ALL.index(step.before)
    for occupant in (owner, guest, other):
        occupant.sees(guest.jid, affiliation=step.after, role=ROLES.get(step.after) if gained else None)


@XEP.must("5.2.2", says="A change of affiliation is told for each resource of the user that is in the room.")
def test_change_is_told_for_each_resource(connect: Connect) -> None:
    (owner,) = gather(connect)
    account = connect.account()
    both = [admitted(connect, owner, "none", nick, account=account) for nick in ("first", "second")]
    quiet(owner, *both)
    require_result(change_affiliation(owner.session, owner.room, account.jid, "member"))
    for occupant in (owner, *both):
        for one in both:
            occupant.sees(one.jid, affiliation="member")


# --- what is refused


@dataclass(frozen=True)
class Wish:
    """Who asks for what, and where that is refused. Guests are as of `gather`; `outsider` is not in the room."""

    actor: str
    step: Step
    where: str
    keyword: Literal["must", "should"] = "must"

    @property
    def name(self) -> str:
        affiliation, _, role = self.actor.partition("/")
        return f"{affiliation if affiliation != 'none' else role}-{self.step.name}"


ANYBODY = ("outsider", "none/visitor", "none/participant", "none/moderator", "member/participant")
FOR_ADMINS = [Step("none", "outcast"), Step("outcast", "none"), Step("none", "member"), Step("member", "none")]
FOR_OWNERS = [Step("none", "admin"), Step("none", "owner")]
OVER_ADMINS = [
    *(Step("member", after) for after in ("admin", "owner")),
    *(Step("admin", after) for after in ("owner", "member", "none")),
    *(Step("owner", after) for after in ("admin", "member", "none")),
]
WISHES = [
    # §9: who is no admin changes nothing. §10.3 to §10.8: who is no owner makes and unmakes no admins and owners.
    *(Wish(actor, step, "9") for actor in ANYBODY for step in FOR_ADMINS),
    *(Wish(actor, step, WHERE[step.after]) for actor in ANYBODY for step in FOR_OWNERS),
    *(Wish("admin", step, step.where) for step in (*FOR_OWNERS, *OVER_ADMINS)),
]
BANS = [
    # §9.1: to ban an owner is not allowed. Of one's equals the table alone speaks (§5.2.2), which has no keyword.
    Wish("admin", Step("owner", "outcast"), "9.1"),
    Wish("admin", Step("admin", "outcast"), "5.2.2", keyword="should"),
]


def _wishing(connect: Connect, wish: Wish) -> tuple[Occupant, Session, Session]:
    """The owner, who asks, and an account that has the affiliation from which the step goes."""
    if wish.actor == "outsider":
        (owner,) = gather(connect)
        return owner, connect(label="outsider"), _given(connect, owner, wish.step.before)
    owner, actor = gather(connect, wish.actor)
    return owner, actor.session, _given(connect, owner, wish.step.before)


def _each(wishes: list[Wish], says: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "wish",
        [
            pytest.param(
                wish,
                id=wish.name,
                marks=(XEP.must if wish.keyword == "must" else XEP.should)(
                    wish.where, "5.2.2", says=f"{says}: {wish.name.replace('-', ' ')}."
                ),
            )
            for wish in wishes
        ],
    )


@XEP.must("9", says="Whoever may not change an affiliation is refused, and it stays.")
@_each([*WISHES, *BANS], "Refused, and the affiliation stays")
def test_change_of_affiliation_is_refused(connect: Connect, wish: Wish) -> None:
    owner, session, target = _wishing(connect, wish)
    reply = change_affiliation(session, owner.room, target.bare_jid, wish.step.after)
    require_error(reply)
    of_the_room(reply, owner.room)
    require_equal(affiliation_of(owner.session, owner.room, target.bare_jid), wish.step.before, "affiliation")


@XEP.must("9", says="The error for who may not change an affiliation is forbidden.")
@_each(
    [wish for wish in WISHES if wish.step in {Step("none", "member"), *FOR_OWNERS, Step("owner", "none")}],
    "Refused with forbidden",
)
def test_refused_change_of_affiliation_is_forbidden(connect: Connect, wish: Wish) -> None:
    owner, session, target = _wishing(connect, wish)
    require_error(change_affiliation(session, owner.room, target.bare_jid, wish.step.after), "forbidden")


@XEP.must("9.1", says="An admin who would ban an owner is refused with not-allowed.")
def test_ban_of_an_owner_is_not_allowed(connect: Connect) -> None:
    owner, admin = gather(connect, "admin")
    require_error(change_affiliation(admin.session, owner.room, owner.session.bare_jid, "outcast"), "not-allowed")


@XEP.must("9", "5.2.2", says="A change that was refused is told to nobody in the room.")
@pytest.mark.parametrize("affiliation", ["outcast", "member", "admin", "owner"])
def test_refused_change_is_not_told(connect: Connect, affiliation: str) -> None:
    owner, actor, target = gather(connect, "none", "none")
    require_error(change_affiliation(actor.session, owner.room, target.session.bare_jid, affiliation))
    settle(owner.room, actor.session)
    owner.is_spared(
        presence_example(target.jid, owner.session, affiliation=affiliation),
        lambda e: localname(e) == "presence" and bare(e) == owner.room,
        "word of a change that was refused",
    )


@XEP.must_not("5.2.2", "9", says="Nobody gives oneself an affiliation.")
@pytest.mark.parametrize("affiliation", ["member", "admin", "owner"])
@pytest.mark.parametrize("actor", ["none/participant", "none/moderator"], ids=["participant", "moderator"])
def test_nobody_promotes_oneself(connect: Connect, actor: str, affiliation: str) -> None:
    owner, guest = gather(connect, actor)
    require_error(change_affiliation(guest.session, owner.room, guest.session.bare_jid, affiliation))
    require_equal(affiliation_of(owner.session, owner.room, guest.session.bare_jid), "none", "affiliation")
