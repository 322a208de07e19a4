"""XEP-0045 §7.14, §17.3: leaving a room, of one's own will or by falling silent, and what becomes of the room."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lab.plugin import Connect, Specification, require, require_equal, require_result
from lab.wire.namespaces import NS
from lab.wire.session import localname
from scenarios.server.xep0045._admin import affiliation_of, change_affiliation
from scenarios.server.xep0045._occupant import Occupant, bare, codes_of, presence_example, presence_of, settle
from scenarios.server.xep0045._rooms import admitted, enter, entrance, gather

XEP = Specification("XEP-0045")
AFFILIATIONS = ("owner", "admin", "member", "none")


@XEP.must("7.14", says="Who leaves is told so: by the own occupant JID, with status code 110 and the role none.")
@pytest.mark.parametrize("affiliation", AFFILIATIONS)
def test_leaving_is_confirmed(connect: Connect, affiliation: str) -> None:
    _owner, guest = gather(connect, affiliation)
    guest.leaves()
    presence = guest.sees(guest.jid, "unavailable", affiliation=affiliation, role="none", codes=[110])
    require_equal(presence.get("to"), guest.session.jid, "to")


@XEP.must("7.14", "17.3", says="The others are told of who leaves, with its affiliation and the role none.")
@pytest.mark.parametrize("affiliation", AFFILIATIONS)
def test_leaving_is_told(connect: Connect, affiliation: str) -> None:
    owner, guest, other = gather(connect, affiliation, "none")
    guest.leaves()
    for occupant in (owner, other):
        presence = occupant.sees(guest.jid, "unavailable", affiliation=affiliation, role="none")
        require("110" not in codes_of(presence), "no status code 110", presence)
        for code in ("301", "303", "307", "321", "322"):
            require(code not in codes_of(presence), f"no status code {code}", presence)


@XEP.may("7.14", "17.3", says="A word of farewell in the status of who leaves is passed on.")
def test_farewell_is_passed_on(connect: Connect) -> None:
    owner, guest = gather(connect, "none")
    guest.leaves("<status>gone where the goblins go</status>")
    for occupant in (owner, guest):
        presence = occupant.sees(guest.jid, "unavailable")
        require_equal(presence.findtext("c:status", None, NS), "gone where the goblins go", "status")


def _unavailable(guest: Occupant) -> None:
    guest.session.send("<presence type='unavailable'/>")


def _closes(guest: Occupant) -> None:
    guest.session.close()


def _breaks(guest: Occupant) -> None:
    guest.session.abandon()


@XEP.must("7.14", says="Who becomes unavailable to all, or goes offline, has left the room.")
@pytest.mark.parametrize(
    "how",
    [
        pytest.param(_unavailable, id="unavailable-to-all"),
        pytest.param(_closes, id="closing-the-stream"),
        pytest.param(_breaks, id="losing-the-connection"),
    ],
)
def test_going_offline_leaves(connect: Connect, how: Callable[[Occupant], None]) -> None:
    owner, guest = gather(connect, "none")
    how(guest)
    owner.sees(guest.jid, "unavailable", affiliation="none", role="none")


@XEP.must("7.14", "7.2.2", says="Who has left is no more among those that a newcomer is told of.")
def test_newcomer_does_not_find_who_left(connect: Connect) -> None:
    owner, guest = gather(connect, "none")
    guest.leaves()
    owner.sees(guest.jid, "unavailable")
    came = entrance(connect(label="newcomer"), owner.room, "newcomer")
    present = {e.get("from") for e in came if localname(e) == "presence"} - {owner.room}
    require_equal(present, {owner.jid, f"{owner.room}/newcomer"}, "occupants")


@XEP.must("7.14", says="Who has left enters again like anybody.")
@pytest.mark.parametrize("nick", ["guest1", "another"])
def test_leaving_and_entering_again(connect: Connect, nick: str) -> None:
    owner, guest = gather(connect, "none")
    guest.leaves()
    guest.sees(guest.jid, "unavailable")
    again = enter(guest.session, guest.room, nick)
    owner.sees(again.jid, affiliation="none", role="participant")
    again.says("me again")
    owner.hears("me again", again.jid)


@XEP.must("17.3", says="Unavailable presence of one who is not in the room is ignored in silence.")
@pytest.mark.parametrize("nick", ["guest1", "nobody"], ids=["nickname-of-another", "nickname-of-nobody"])
def test_unavailable_from_outside_is_ignored(connect: Connect, nick: str) -> None:
    owner, _guest = gather(connect, "none")
    session, jid = connect(label="stranger"), f"{owner.room}/{nick}"
    session.send(f"<presence to='{jid}' type='unavailable'/>")
    owner.is_spared(
        presence_example(jid, owner.session, "unavailable", role="none"),
        presence_of(jid, "unavailable"),
        "word that somebody has left",
        after=session,
    )
    session.expect_nothing(
        presence_example(jid, session, "unavailable", role="none"),
        lambda e: localname(e) == "presence" and bare(e) == owner.room,
        "answer to unavailable presence from outside",
    )


@XEP.must("7.14", says="Where the last one leaves a temporary room, the room is gone.")
def test_temporary_room_ends_with_its_last_occupant(connect: Connect) -> None:
    owner, guest = gather(connect, "none", persistentroom=False)
    for occupant in (owner, guest):
        occupant.leaves()
        occupant.sees(occupant.jid, "unavailable")
    session = connect(label="later")
    came = entrance(session, owner.room, "later")
    (presence,) = [e for e in came if presence_of(f"{owner.room}/later")(e)] or [came[-1]]
    require("201" in codes_of(presence), "status code 201: the room is a new one", presence)


@XEP.must("10", "7.14", says="A persistent room stays when the last one leaves, and its owner its owner.")
def test_persistent_room_stays(connect: Connect) -> None:
    (owner,) = gather(connect, persistentroom=True, roomname="The cave")
    owner.leaves()
    owner.sees(owner.jid, "unavailable")
    settle(owner.room, owner.session)
    session = connect(label="later")
    came = entrance(session, owner.room, "later")
    (presence,) = [e for e in came if presence_of(f"{owner.room}/later")(e)] or [came[-1]]
    require("201" not in codes_of(presence), "no status code 201", presence)
    require_equal(affiliation_of(owner.session, owner.room, owner.session.bare_jid), "owner", "affiliation")


@XEP.must("7.14", says="A temporary room stays as long as somebody is in it, its creator or not.")
def test_temporary_room_stays_without_its_creator(connect: Connect) -> None:
    owner, guest = gather(connect, "none", persistentroom=False)
    owner.leaves()
    guest.sees(owner.jid, "unavailable")
    guest.says("I keep it")
    guest.hears("I keep it", guest.jid)
    again = enter(owner.session, owner.room, owner.nick)
    guest.sees(again.jid, affiliation="owner", role="moderator")


@XEP.must("5.2", says="An affiliation lasts from one visit to the next, whatever the nickname or the resource.")
@pytest.mark.parametrize("affiliation", ["owner", "admin", "member"])
def test_affiliation_lasts(connect: Connect, affiliation: str) -> None:
    (owner,) = gather(connect)
    account = connect.account()
    guest = admitted(connect, owner, affiliation, "guest", account=account)
    owner.sees(guest.jid, affiliation=affiliation)
    guest.leaves()
    owner.sees(guest.jid, "unavailable")
    again = enter(connect(account=account, label="other"), owner.room, "another")
    owner.sees(again.jid, affiliation=affiliation)


@XEP.should("5.1", says="In a moderated room a role lasts from one visit to the next.")
def test_voice_lasts_in_a_moderated_room(connect: Connect) -> None:
    owner, guest = gather(connect, "none/participant", moderatedroom=True)
    guest.leaves()
    owner.sees(guest.jid, "unavailable")
    again = enter(guest.session, guest.room, guest.nick)
    owner.sees(again.jid, role="participant")


@XEP.must("5.2", says="Affiliations are given to who is not in the room, and hold on entering.")
@pytest.mark.parametrize("affiliation", ["owner", "admin", "member"])
def test_affiliation_is_given_in_absence(connect: Connect, affiliation: str) -> None:
    (owner,) = gather(connect)
    session = connect(label="guest")
    require_result(change_affiliation(owner.session, owner.room, session.bare_jid, affiliation))
    require_equal(affiliation_of(owner.session, owner.room, session.bare_jid), affiliation, "affiliation")
    guest = enter(session, owner.room, "guest")
    owner.sees(guest.jid, affiliation=affiliation)
