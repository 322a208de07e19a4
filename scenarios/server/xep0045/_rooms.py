"""Rooms as checks use them: made, configured, and entered by as many as are wanted, at any affiliation and role.

Each check makes its own room. Nothing here judges, but that what a check needs could be prepared.
"""

from __future__ import annotations

from secrets import token_hex

from lab.cell import Account
from lab.plugin import Connect, impossible, require, require_result
from lab.wire.namespaces import MUC
from lab.wire.session import Session, localname, new_id, stanza_error_condition
from lab.wire.stream import Element
from lab.wire.transport import NoAnswer
from scenarios.server.xep0045._admin import change_affiliation, change_role
from scenarios.server.xep0045._configuration import Value, have_usual
from scenarios.server.xep0045._occupant import Occupant, asking, bare, codes_of, is_subject, item_of, settle


def service_of(connect: Connect) -> str:
    """The address of the room service, or the check is `impossible`."""
    if "muc" not in connect.cell.services:
        impossible("the cell has no room service")
    return connect.cell.services["muc"]


def fresh_room(connect: Connect) -> str:
    """The address of a room that does not exist yet."""
    return f"lab-{token_hex(6)}@{service_of(connect)}"


# --- entering


def join(room: str, nick: str, *, inside: str = "", beside: str = "") -> str:
    """The presence that asks to enter (§7.2.1); `inside` stands in the `<x/>` of MUC, `beside` next to it."""
    return f"<presence to='{room}/{nick}' id='{new_id()}'><x xmlns='{MUC}'>{inside}</x>{beside}</presence>"


def password(secret: str) -> str:
    """What goes into the join to a room with a password (§7.2.5)."""
    return f"<password>{secret}</password>"


_WITHOUT_SUBJECTS: set[str] = set()
"""Services that let the patience run out before a subject came."""


def entrance(session: Session, room: str, nick: str, *, inside: str = "", beside: str = "") -> list[Element]:
    """Enter, available as clients are, and answer all that the room sent on the way, in that order.

    Its subject comes last (§7.1). That it comes at all is a requirement of its own: where the room answers what was
    asked behind the own presence, and then nothing more comes, it has said all. Nothing says that an iq is answered
    behind a join; so the subject is waited for, but once only where a service sends none.
    """
    mark, service = f"sentinel-{new_id()}", room.partition("@")[2]
    session.send(f"<presence/>{join(room, nick, inside=inside, beside=beside)}")

    def begins(element: Element) -> bool:
        if localname(element) != "presence" or bare(element) != room:
            return is_subject(element) and bare(element) == room
        own = element.get("from") == f"{room}/{nick}" or "110" in codes_of(element)
        return element.get("type") == "error" or own

    def ends(element: Element) -> bool:
        refuses = localname(element) == "presence" and element.get("type") == "error"
        return bare(element) == room and (is_subject(element) or refuses or element.get("id") == mark)

    if not any(map(begins, session.inbox)):  # a room that is asked while it is being made may vanish again
        session.inbox.append(session.expect(begins, f"the own presence in {room}"))
    session.send(asking(room, mark))
    what = f"the subject of {room}, which ends the entrance"
    last = session.expect(ends, what)
    answered = last.get("id") == mark
    if answered and service in _WITHOUT_SUBJECTS:
        return taken(session, room)
    if answered:
        try:
            last = session.expect(ends, what)
        except NoAnswer:
            _WITHOUT_SUBJECTS.add(service)
            return taken(session, room)
    came = taken(session, room)
    require(localname(last) == "message", f"to be let into {room}", last)
    if not answered:
        session.expect(mark, f"an answer of {room} to what was sent behind")
    return [*came, last]


def enter(session: Session, room: str, nick: str, *, inside: str = "", beside: str = "") -> Occupant:
    """Enter; what came on the way is forgotten."""
    entrance(session, room, nick, inside=inside, beside=beside)
    return Occupant(session, room, nick)


def refusal(session: Session, room: str, nick: str, *, inside: str = "") -> Element:
    """Ask to enter, available, and answer the first presence of type error that comes, or the word that one is in."""
    session.send(f"<presence/>{join(room, nick, inside=inside)}")

    def decides(element: Element) -> bool:
        if localname(element) != "presence" or bare(element) != room:
            return False
        return element.get("type") == "error" or "110" in codes_of(element)

    return session.expect(decides, f"an answer of {room} to the wish to enter")


def taken(session: Session, room: str) -> list[Element]:
    """What lies in a session's inbox from a room, taken out of it."""
    found = [e for e in session.inbox if bare(e) == room]
    session.inbox[:] = [e for e in session.inbox if bare(e) != room]
    return found


def quiet(*occupants: Occupant) -> None:
    """Whatever the room sent to them so far has come, and is forgotten."""
    for occupant in occupants:
        settle(occupant.room, occupant.session)
        taken(occupant.session, occupant.room)


# --- rooms


def created(session: Session, room: str, **config: Value) -> Occupant:
    """Make a room: enter it, and configure it: a usual one but for `config`. Answers its owner.

    That the owner is answered at all is what other checks look at: where nothing is, a room as it comes will do.
    """
    owner = enter(session, room, "owner")
    try:
        require_result(have_usual(session, room, **config))
    except NoAnswer:
        if config:
            impossible("the service answers nothing to the owner's configuration, which other checks look at")
    return owner


def gather(connect: Connect, *guests: str, **config: Value) -> list[Occupant]:
    """A fresh room with its owner and `guests` in it, and nothing left in anybody's inbox. The owner comes first.

    A guest is an affiliation, or `affiliation/role`: `member`, `none/moderator`. `config` are fields of the room's
    configuration without their prefix: `membersonly=True`.
    """
    owner = created(connect(label="owner"), fresh_room(connect), **config)
    occupants = [owner]
    for guest in guests:
        occupants.append(admitted(connect, owner, guest, f"guest{len(occupants)}"))
    quiet(*occupants)
    return occupants


def admitted(
    connect: Connect, owner: Occupant, guest: str, nick: str, *, account: Account | None = None, inside: str = ""
) -> Occupant:
    """One more in the owner's room, at an affiliation and a role (see `gather`)."""
    affiliation, _, role = guest.partition("/")
    session = connect(account=account, label=affiliation if affiliation != "none" else nick)
    if affiliation != "none" and stanza_error_condition(
        change_affiliation(owner.session, owner.room, session.bare_jid, affiliation)
    ):  # owners: §10.3, the others: §5.2, RECOMMENDED
        impossible(f"the service makes nobody {affiliation}; another check says whether that is a fault")
    came = entrance(session, owner.room, nick, inside=inside)
    occupant = Occupant(session, owner.room, nick)
    own = next((e for e in came if localname(e) == "presence" and e.get("from") == occupant.jid), None)
    require(own is not None, "the own presence on entering", came[-1] if came else None)
    if role and own is not None and item_of(own).get("role") != role:
        reply = change_role(owner.session, owner.room, nick, role)
        if role == "visitor" and stanza_error_condition(reply):  # §5.1: RECOMMENDED
            impossible("the service makes nobody a visitor; another check says whether that is a fault")
        require_result(reply)
    return occupant
