"""XEP-0045 §7.2.3, §7.2.4, §14.5, §17.3: who is shown the full JIDs of occupants, in whatever presence it is."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lab.plugin import Connect, Specification, require, require_equal, require_result
from lab.wire.session import localname, show
from lab.wire.stream import Element
from scenarios.server.xep0045._admin import change_affiliation, change_role
from scenarios.server.xep0045._occupant import Occupant, bare, codes_of, item_of, presence_of
from scenarios.server.xep0045._rooms import admitted, entrance, gather

XEP = Specification("XEP-0045")

VIEWERS = {
    "owner": "owner",
    "admin": "admin",
    "moderator-without-affiliation": "none/moderator",
    "member-as-moderator": "member/moderator",
    "member": "member/participant",
    "participant": "none/participant",
    "visitor": "none/visitor",
}
MODERATORS = [name for name, guest in VIEWERS.items() if guest.endswith("moderator") or guest in {"owner", "admin"}]
OTHERS = [name for name in VIEWERS if name not in MODERATORS]
KINDS = ("anyone", "moderators")


def _kick(owner: Occupant, guest: Occupant) -> None:
    require_result(change_role(owner.session, owner.room, guest.nick, "none"))


def _ban(owner: Occupant, guest: Occupant) -> None:
    require_result(change_affiliation(owner.session, owner.room, guest.session.bare_jid, "outcast"))


def _promote(owner: Occupant, guest: Occupant) -> None:
    require_result(change_role(owner.session, owner.room, guest.nick, "moderator"))


def _affiliate(owner: Occupant, guest: Occupant) -> None:
    require_result(change_affiliation(owner.session, owner.room, guest.session.bare_jid, "member"))


EVENTS: dict[str, Callable[[Occupant, Occupant], None]] = {
    "update": lambda _, guest: guest.updates("<show>away</show>"),
    "nickname": lambda _, guest: guest.updates(nick="renamed"),
    "exit": lambda _, guest: guest.leaves(),
    "kick": _kick,
    "ban": _ban,
    "role": _promote,
    "affiliation": _affiliate,
}
"""What an occupant does, or is done to it, so that the others are told of it."""
ENDS = {"exit", "kick", "ban", "nickname"}


def _told(viewer: Occupant, guest: Occupant, event: str) -> list[Element]:
    """The presences that an event brings to a viewer."""
    first = viewer.session.expect(
        presence_of(guest.jid, "unavailable" if event in ENDS else ""), f"presence that tells of the {event}"
    )
    if event != "nickname":
        return [first]
    renamed = presence_of(f"{guest.room}/renamed")
    return [first, viewer.session.expect(renamed, "presence by the new nickname")]


def _shows(presence: Element, guest: Occupant) -> None:
    require_equal(item_of(presence).get("jid"), guest.session.jid, "jid")


def _hides(stanza: Element, guest: Occupant) -> None:
    require(guest.session.bare_jid not in show(stanza), f"nothing of {guest.session.bare_jid}", stanza)


# --- on entering


@XEP.must("7.2.3", "14.5", says="In a non-anonymous room all are told a newcomer's full JID.")
@pytest.mark.parametrize("viewer", VIEWERS)
def test_newcomer_is_shown_in_a_non_anonymous_room(connect: Connect, viewer: str) -> None:
    owner, occupant = gather(connect, VIEWERS[viewer], whois="anyone")
    newcomer = admitted(connect, owner, "none", "newcomer")
    _shows(occupant.sees(newcomer.jid), newcomer)


@XEP.must("7.2.3", "17.3", says="In a non-anonymous room a newcomer is told the full JIDs of those who are there.")
def test_occupants_are_shown_to_a_newcomer(connect: Connect) -> None:
    owner, guest = gather(connect, "none", whois="anyone")
    came = entrance(connect(label="newcomer"), owner.room, "newcomer")
    for occupant in (owner, guest):
        (presence,) = [e for e in came if presence_of(occupant.jid)(e)] or [came[-1]]
        _shows(presence, occupant)


@XEP.must("7.2.3", "14.5", says="Who enters a non-anonymous room is warned by status code 100 in the own presence.")
@pytest.mark.parametrize("affiliation", ["owner", "admin", "member", "none"])
def test_newcomer_is_warned(connect: Connect, affiliation: str) -> None:
    (owner,) = gather(connect, whois="anyone")
    session = connect(label="newcomer")
    if affiliation != "none":
        require_result(change_affiliation(owner.session, owner.room, session.bare_jid, affiliation))
    came = entrance(session, owner.room, "newcomer")
    (presence,) = [e for e in came if presence_of(f"{owner.room}/newcomer")(e)] or [came[-1]]
    require({"100", "110"} <= codes_of(presence), "status codes 100 and 110", presence)


@XEP.must(
    "14.5", "7.2.3", says="Status code 100 says that all see the full JID: it is not told in a semi-anonymous room."
)
def test_no_warning_in_a_semi_anonymous_room(connect: Connect) -> None:
    (owner,) = gather(connect, whois="moderators")
    came = entrance(connect(label="newcomer"), owner.room, "newcomer")
    for presence in [e for e in came if localname(e) == "presence"]:
        require("100" not in codes_of(presence), "no status code 100", presence)


@XEP.must("7.2.4", says="In a semi-anonymous room moderators are told a newcomer's full JID.")
@pytest.mark.parametrize("viewer", MODERATORS)
def test_moderator_is_shown_the_newcomer(connect: Connect, viewer: str) -> None:
    owner, occupant = gather(connect, VIEWERS[viewer], whois="moderators")
    newcomer = admitted(connect, owner, "none", "newcomer")
    _shows(occupant.sees(newcomer.jid), newcomer)


@XEP.must_not("7.2.4", says="In a semi-anonymous room nobody but moderators is told a newcomer's JID.")
@pytest.mark.parametrize("viewer", OTHERS)
def test_newcomer_is_hidden_from(connect: Connect, viewer: str) -> None:
    owner, occupant = gather(connect, VIEWERS[viewer], whois="moderators")
    newcomer = admitted(connect, owner, "none", "newcomer")
    _hides(occupant.sees(newcomer.jid), newcomer)


@XEP.must_not(
    "7.2.4", says="In a semi-anonymous room a newcomer of no affiliation is not told who the occupants are."
)
def test_occupants_are_hidden_from_a_newcomer(connect: Connect) -> None:
    owner, *guests = gather(connect, "none", "member", "admin", whois="moderators")
    came = entrance(connect(label="newcomer"), owner.room, "newcomer")
    present = {e.get("from") for e in came if localname(e) == "presence"}
    for occupant in (owner, *guests):
        require(occupant.jid in present, f"presence of {occupant.jid}", str(present))
        for stanza in came:
            _hides(stanza, occupant)


@XEP.must("7.2.4", "8", says="In a semi-anonymous room a newcomer who is an admin is told the occupants' full JIDs.")
def test_occupants_are_shown_to_an_admin_who_enters(connect: Connect) -> None:
    owner, guest = gather(connect, "none", whois="moderators")
    session = connect(label="admin")
    require_result(change_affiliation(owner.session, owner.room, session.bare_jid, "admin"))
    came = entrance(session, owner.room, "newcomer")
    for occupant in (owner, guest):
        (presence,) = [e for e in came if presence_of(occupant.jid)(e)] or [came[-1]]
        _shows(presence, occupant)


# --- afterwards


@XEP.must("17.3", "7.2.3", says="In a non-anonymous room whatever tells of an occupant tells its full JID to all.")
@pytest.mark.parametrize("event", EVENTS)
def test_shown_to_all_on(connect: Connect, event: str) -> None:
    owner, guest, viewer = gather(connect, "none", "none/participant", whois="anyone")
    EVENTS[event](owner, guest)
    for presence in _told(viewer, guest, event):
        _shows(presence, guest)


@XEP.must(
    "17.3", "7.2.4", says="In a semi-anonymous room whatever tells of an occupant tells its full JID to moderators."
)
@pytest.mark.parametrize("event", EVENTS)
def test_shown_to_moderators_on(connect: Connect, event: str) -> None:
    owner, guest, viewer = gather(connect, "none", "none/moderator", whois="moderators")
    EVENTS[event](owner, guest)
    for presence in _told(viewer, guest, event):
        _shows(presence, guest)


@XEP.must_not(
    "7.2.4", "17.3", says="In a semi-anonymous room nothing tells an occupant's JID to who is no moderator."
)
@pytest.mark.parametrize("event", EVENTS)
def test_hidden_from_participants_on(connect: Connect, event: str) -> None:
    owner, guest, viewer = gather(connect, "none", "none/participant", whois="moderators")
    EVENTS[event](owner, guest)
    for presence in _told(viewer, guest, event):
        _hides(presence, guest)


@XEP.must_not("7.2.4", "7.4", says="In a semi-anonymous room a message does not tell who wrote it.")
@pytest.mark.parametrize("kind", ["to-all", "private"])
def test_message_hides_who_wrote_it(connect: Connect, kind: str) -> None:
    _owner, guest, viewer = gather(connect, "none", "none/participant", whois="moderators")
    if kind == "private":
        guest.whispers(viewer.nick, "guess who")
    else:
        guest.says("guess who")
    message = viewer.session.expect(
        lambda e: localname(e) == "message" and bare(e) == viewer.room and e.get("type") != "error", "the message"
    )
    require_equal(message.get("from"), guest.jid, "from")
    _hides(message, guest)


@XEP.must("17.3", says="A jid in a presence is the full JID, never the bare one.")
def test_jid_is_a_full_one(connect: Connect) -> None:
    owner, guest = gather(connect, "none", whois="anyone")
    newcomer = admitted(connect, owner, "none", "newcomer")
    for occupant in (owner, guest):
        jid = item_of(occupant.sees(newcomer.jid)).get("jid") or ""
        require_equal(jid, newcomer.session.jid, "jid")
