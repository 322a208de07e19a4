"""XEP-0045 §11.1, §18.1.2: occupants who are gone without having said so."""

from __future__ import annotations

import pytest

from lab.plugin import Connect, Specification, require_equal, unsupported
from lab.wire.namespaces import NS
from lab.wire.session import localname
from lab.wire.stream import Element
from scenarios.server.xep0045._occupant import Occupant, codes_of, message_example, presence_of, settle
from scenarios.server.xep0045._rooms import gather

XEP = Specification("XEP-0045")
CONDITIONS = (
    "gone",
    "item-not-found",
    "recipient-unavailable",
    "redirect",
    "remote-server-not-found",
    "remote-server-timeout",
)
"""The errors that say that somebody is not there any more (§18.1.2)."""


def _bounces(guest: Occupant, message: Element, condition: str) -> None:
    """What a server says for a client that is gone, on a message of the room."""
    guest.session.send(
        f"<message type='error' id='{message.get('id')}' to='{message.get('from')}'>"
        f"<error type='cancel'><{condition} xmlns='{NS['stanzas']}'/></error></message>"
    )


def _fails(connect: Connect, condition: str) -> tuple[Occupant, Occupant, Occupant]:
    """The owner, one who has answered a message by that error, and another one."""
    owner, guest, other = gather(connect, "none", "none")
    owner.says("is everybody there?")
    _bounces(guest, guest.hears("is everybody there?", owner.jid), condition)
    settle(owner.room, guest.session)
    return owner, guest, other


@XEP.should(
    "18.1.2", says="Who cannot be reached any more, as an error for a message says, is removed from the room."
)
@pytest.mark.parametrize("condition", CONDITIONS)
def test_ghost_is_removed(connect: Connect, condition: str) -> None:
    owner, guest, other = _fails(connect, condition)
    for occupant in (owner, other):
        occupant.sees(guest.jid, "unavailable", affiliation="none", role="none")


@XEP.must("11.1", says="Where a removal for technical reasons is told by status code 333, it is told so to all.")
def test_technical_removal_is_told_to_all(connect: Connect) -> None:
    owner, guest, other = _fails(connect, "recipient-unavailable")
    settle(owner.room, owner.session, other.session)
    seen = [
        [e for e in occupant.session.inbox if localname(e) == "presence" and presence_of(guest.jid, "unavailable")(e)]
        for occupant in (guest, owner, other)
    ]
    told = ["333" in codes_of(presence) for presences in seen for presence in presences]
    if not any(told):
        unsupported("status code 333 for removals for technical reasons")
    require_equal(told, [True, True, True], "status code 333 for the removed one, and for each of the others:")


@XEP.should("18.1.2", "17.2", says="What is said behind the removal of a ghost does not go to it any more.")
def test_ghost_hears_nothing(connect: Connect) -> None:
    owner, guest, other = _fails(connect, "recipient-unavailable")
    owner.says("now we are two")
    other.hears("now we are two", owner.jid)
    guest.is_spared(
        message_example(owner.jid, guest.session, "now we are two"),
        lambda e: localname(e) == "message" and e.findtext("c:body", None, NS) == "now we are two",
        "message for one who was gone",
        after=owner.session,
    )
