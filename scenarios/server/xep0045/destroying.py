"""XEP-0045 §10.9: the end of a room. Who may end it is a matter of `configuring`."""

from __future__ import annotations

import pytest

from lab.plugin import Connect, Specification, require, require_equal, require_error, require_result
from lab.wire.namespaces import NS
from lab.wire.session import localname, stanza_error_condition
from lab.wire.stream import Element
from scenarios.server.xep0045._configuration import destroy
from scenarios.server.xep0045._discovery import items
from scenarios.server.xep0045._occupant import (
    Occupant,
    bare,
    codes_of,
    item_of,
    message_example,
    presence_example,
    presence_of,
    settle,
    told_of,
)
from scenarios.server.xep0045._rooms import created, fresh_room, gather, refusal, service_of

XEP = Specification("XEP-0045")
VENUE = "darkcave@chat.venue.example"
REASON = "Macbeth doth come"


def _removed(occupant: Occupant) -> Element:
    """The occupant must be told of the end: unavailable presence of its own, with `<destroy/>`. Answers that."""
    presence = occupant.session.expect(presence_of(occupant.jid, "unavailable"), "the word that the room is no more")
    ends = told_of(presence).findall("muc-user:destroy", NS)
    require_equal(len(ends), 1, "elements <destroy/>:")
    return ends[0]


@XEP.must("10.9", says="An owner destroys a room: the request is answered, and every occupant is told.")
@pytest.mark.parametrize("persistent", [True, False], ids=["persistent", "temporary"])
def test_room_is_destroyed(connect: Connect, persistent: bool) -> None:
    owner, *guests = gather(connect, "none", "member", "none/visitor", persistentroom=persistent)
    reply = destroy(owner.session, owner.room)
    require_result(reply)
    require_equal(reply.get("from"), owner.room, "from")
    for occupant in (owner, *guests):
        _removed(occupant)


@XEP.must("10.9", says="An owner who is not in the room destroys it as well, and one who did not create it.")
@pytest.mark.parametrize("who", ["absent", "other-owner"])
def test_room_is_destroyed_by(connect: Connect, who: str) -> None:
    owner, guest, other = gather(connect, "none", "owner", persistentroom=True)
    if who == "absent":
        owner.leaves()
        for occupant in (owner, guest, other):
            occupant.sees(owner.jid, "unavailable")
    require_result(destroy((owner if who == "absent" else other).session, owner.room))
    _removed(guest)


@XEP.must("10.9", says="The other venue and the reason that the owner gave are passed on to every occupant.")
@pytest.mark.parametrize("what", ["venue", "reason", "both"])
def test_venue_and_reason_are_passed_on(connect: Connect, what: str) -> None:
    owner, guest = gather(connect, "none")
    venue, reason = (VENUE if what != "reason" else ""), (REASON if what != "venue" else "")
    require_result(destroy(owner.session, owner.room, f"<reason>{reason}</reason>" if reason else "", jid=venue))
    for occupant in (owner, guest):
        end = _removed(occupant)
        require_equal(end.get("jid") or "", venue, "jid")
        require_equal(end.findtext("muc-user:reason", None, NS) or "", reason, "reason")


@XEP.must("10.9", "17.3", "7.14", says="The word of the end tells each occupant the role none, as any leaving does.")
def test_end_tells_the_role(connect: Connect) -> None:
    owner, guest = gather(connect, "none")
    require_result(destroy(owner.session, owner.room))
    presence = guest.session.expect(presence_of(guest.jid, "unavailable"), "the end")
    require_equal(item_of(presence).get("role"), "none", "role")


@XEP.should_not("10.9", says="Each occupant is told of the own removal alone, and not of all the others'.")
def test_others_are_not_told_one_by_one(connect: Connect) -> None:
    owner, guest, other = gather(connect, "none", "none")
    require_result(destroy(owner.session, owner.room))
    for occupant, one in ((guest, other), (other, guest)):
        occupant.session.expect(presence_of(occupant.jid, "unavailable"), "the own removal")
        occupant.session.expect_nothing(
            presence_example(one.jid, occupant.session, "unavailable", role="none"),
            presence_of(one.jid, "unavailable"),
            "removal of another occupant",
        )


@XEP.must(
    "10.9", says="A room that was destroyed is gone, with its members: who enters makes a new one, or is refused."
)
@pytest.mark.parametrize("persistent", [True, False], ids=["persistent", "temporary"])
def test_destroyed_room_is_gone(connect: Connect, persistent: bool) -> None:
    owner, guest = gather(connect, "admin", persistentroom=persistent, membersonly=True)
    require_result(destroy(owner.session, owner.room))
    _removed(guest)
    session = connect(label="later")
    answer = refusal(session, owner.room, "later")
    if stanza_error_condition(answer):
        require_error(answer)
        return
    require("201" in codes_of(answer), "status code 201: the room is a new one", answer)
    require_equal(item_of(answer).get("affiliation"), "owner", "affiliation")


@XEP.must("10.9", says="Nothing that is sent to a destroyed room reaches who was in it.")
def test_destroyed_room_is_silent(connect: Connect) -> None:
    owner, guest, other = gather(connect, "none", "none")
    require_result(destroy(owner.session, owner.room))
    for occupant in (guest, other):
        _removed(occupant)
    connect(label="later")  # a room takes a moment to end, in which what is sent to it may be lost with it
    guest.says("is anybody there?")  # that it is answered by an error: SHOULD (§17.2)
    settle(owner.room, guest.session)
    other.session.expect_nothing(
        message_example(guest.jid, other.session, "is anybody there?"),
        lambda e: localname(e) == "message" and bare(e) == owner.room,
        "message of a room that was destroyed",
    )


@XEP.should("6.3", "10.9", says="A room that was destroyed is not listed any more.")
def test_destroyed_room_is_not_listed(connect: Connect) -> None:
    owner, *_ = gather(connect, publicroom=True, persistentroom=True)
    other = created(owner.session, fresh_room(connect), publicroom=True)
    require_result(destroy(owner.session, owner.room))
    rooms = [jid for jid, _ in items(owner.session, service_of(connect))]
    require(other.room in rooms, f"the room {other.room}, which shows that the list is there", str(rooms))
    require(owner.room not in rooms, "no room that was destroyed", owner.room)
