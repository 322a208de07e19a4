"""XEP-0045 §7.6: changing the nickname."""

from __future__ import annotations

import pytest

from lab.plugin import Connect, Specification, require, require_equal, require_error
from lab.wire.namespaces import NS
from lab.wire.session import localname
from lab.wire.stream import Element
from scenarios.server.xep0045._occupant import Occupant, bare, codes_of, item_of, presence_example, presence_of, said
from scenarios.server.xep0045._rooms import enter, entrance, gather, quiet

XEP = Specification("XEP-0045")
GUESTS = {
    "admin": ("admin", "admin", "moderator"),
    "member": ("member", "member", "participant"),
    "participant": ("none", "none", "participant"),
    "moderator": ("none/moderator", "none", "moderator"),
}
"""How one is brought in, and the affiliation and role that one has then."""


def _renamed(guest: Occupant, nick: str = "renamed") -> Occupant:
    """Change the nickname; the service is done with it once the own presence by it has come."""
    guest.updates(nick=nick)
    other = Occupant(guest.session, guest.room, nick)
    other.sees(other.jid)
    return other


def _refused_change(guest: Occupant, nick: str) -> Element:
    """Ask for another nickname, and answer what comes: a presence of type error, or the word that one has it."""
    guest.updates(nick=nick)
    return guest.session.expect(
        lambda e: (
            localname(e) == "presence"
            and (e.get("type") == "error" or e.get("from") == f"{guest.room}/{nick}" or "303" in codes_of(e))
        ),
        "an answer to the wish for another nickname",
    )


@XEP.must("7.6", says="The old nickname leaves with status code 303 and the new one, for all to see.")
@pytest.mark.parametrize("at", ["oneself", "another"])
@pytest.mark.parametrize("guest", GUESTS)
def test_old_nickname_leaves(connect: Connect, guest: str, at: str) -> None:
    how, affiliation, _ = GUESTS[guest]
    _owner, occupant, other = gather(connect, how, "none")
    occupant.updates(nick="renamed")
    viewer = occupant if at == "oneself" else other
    presence = viewer.sees(occupant.jid, "unavailable", affiliation=affiliation, codes=[303])
    require_equal(item_of(presence).get("nick"), "renamed", "the new nickname in the item:")


@XEP.must(
    "7.6", "5.1", "5.2", says="The new nickname comes with the affiliation and role of the old one, for all to see."
)
@pytest.mark.parametrize("at", ["oneself", "another"])
@pytest.mark.parametrize("guest", GUESTS)
def test_new_nickname_comes(connect: Connect, guest: str, at: str) -> None:
    how, affiliation, role = GUESTS[guest]
    owner, occupant, other = gather(connect, how, "none")
    occupant.updates(nick="renamed")
    viewer = occupant if at == "oneself" else other
    presence = viewer.sees(f"{owner.room}/renamed", affiliation=affiliation, role=role)
    require_equal(presence.get("to"), viewer.session.jid, "to")


@XEP.must("7.6", "7.2.2", says="Status code 110 tells who was renamed that it is oneself, and nobody else.")
def test_renamed_knows_oneself(connect: Connect) -> None:
    owner, guest = gather(connect, "none")
    guest.updates(nick="renamed")
    jid = f"{owner.room}/renamed"
    guest.sees(jid, codes=[110])
    presence = owner.sees(jid)
    require("110" not in codes_of(presence), "no status code 110", presence)


@XEP.must("7.6", says="After a change of the nickname the occupant speaks by the new one.")
def test_renamed_speaks_by_the_new_nickname(connect: Connect) -> None:
    owner, guest = gather(connect, "none")
    renamed = _renamed(guest)
    renamed.says("a new name")
    for occupant in (owner, renamed):
        occupant.hears("a new name", renamed.jid)


@XEP.must("7.6", says="After a change of the nickname others enter to find the new one alone.")
def test_newcomer_finds_the_new_nickname(connect: Connect) -> None:
    owner, guest = gather(connect, "none")
    renamed = _renamed(guest)
    came = entrance(connect(label="newcomer"), owner.room, "newcomer")
    present = {e.get("from") for e in came if localname(e) == "presence"} - {owner.room}
    require_equal(present, {owner.jid, renamed.jid, f"{owner.room}/newcomer"}, "occupants")


@XEP.must(
    "7.6", "7.5", says="After a change of the nickname private messages go to the new one, and not to the old one."
)
def test_private_messages_follow_the_nickname(connect: Connect) -> None:
    owner, guest = gather(connect, "none")
    renamed = _renamed(guest)
    owner.whispers(renamed.nick, "to the new one")
    renamed.session.expect(said("to the new one"), "the private message")
    require_error(owner.refused(owner.whispers(guest.nick, "to the old one")), "item-not-found")


@XEP.must("7.6", "7.2.8", says="A nickname that was given up is free for others.")
def test_old_nickname_is_free(connect: Connect) -> None:
    owner, guest = gather(connect, "none")
    _renamed(guest)
    quiet(owner)
    newcomer = enter(connect(label="newcomer"), owner.room, guest.nick)
    owner.sees(newcomer.jid)


@XEP.must("7.6", says="A nickname can be changed over and over, and back.")
def test_nickname_is_changed_back(connect: Connect) -> None:
    owner, guest = gather(connect, "none")
    again = _renamed(_renamed(_renamed(guest), "once more"), guest.nick)
    again.says("back again")
    owner.hears("back again", guest.jid)


@XEP.should("17.3", says="What else a presence says that changes the nickname is passed on.")
def test_presence_of_the_new_nickname_is_passed_on(connect: Connect) -> None:
    owner, guest = gather(connect, "none")
    guest.updates("<show>xa</show><status>elsewhere</status>", nick="renamed")
    presence = owner.sees(f"{owner.room}/renamed")
    require_equal(presence.findtext("c:show", None, NS), "xa", "show")
    require_equal(presence.findtext("c:status", None, NS), "elsewhere", "status")


@XEP.must("7.6", says="A nickname that another user has is refused with conflict.")
def test_taken_nickname_is_refused(connect: Connect) -> None:
    owner, guest = gather(connect, "none")
    require_error(_refused_change(guest, owner.nick), "conflict")


@XEP.must(
    "7.6", says="Whose wish for another nickname was refused keeps the old one, and nobody is told of a change."
)
def test_refused_change_changes_nothing(connect: Connect) -> None:
    owner, guest, other = gather(connect, "none", "none")
    require_error(_refused_change(guest, other.nick))
    owner.is_spared(
        presence_example(guest.jid, owner.session, "unavailable", role="none", more="<status code='303'/>"),
        lambda e: localname(e) == "presence" and bare(e) == owner.room,
        "presence that tells of a change that was refused",
        after=guest.session,
    )
    guest.says("still me")
    owner.hears("still me", guest.jid)


@XEP.must_not("17.1", "7.6", says="No nickname is changed to one made of spaces.")
def test_nickname_cannot_become_invisible(connect: Connect) -> None:
    owner, guest = gather(connect, "none")
    guest.session.send(f"<presence to='{guest.room}/  '/>")
    owner.is_spared(
        presence_example(guest.jid, owner.session, "unavailable", role="none", more="<status code='303'/>"),
        presence_of(guest.jid, "unavailable"),
        "word that an occupant is called nothing but spaces",
        after=guest.session,
    )
    guest.says("still me")
    owner.hears("still me", guest.jid)
