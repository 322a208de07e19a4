"""Messages that are taken back (XEP-0424), by their authors or by a room's moderators (XEP-0425).

Nothing here judges: it says things, asks for them to be taken back, and tells what came of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from xml.sax.saxutils import escape

from lab.plugin import Connect, impossible, unsupported
from lab.wire.namespaces import FALLBACK, HINTS, MODERATE, NS, RETRACT
from lab.wire.session import Matches, Session, localname, new_id
from lab.wire.stream import Element
from scenarios.server._discovery import advertises
from scenarios.server._rooms import OWNER, Room, room
from scenarios.server.xep0045._occupant import is_subject

GUEST = "guest"
"""The nickname of a participant."""
OTHER = "other"
"""The nickname of another one."""
FULL = f"<fallback xmlns='{FALLBACK}' for='{RETRACT}'/><body>/me took something back</body><store xmlns='{HINTS}'/>"
"""What may stand in a retraction besides (XEP-0424 §3)."""

SEARCHES = 4
"""A server may look through its archives for what is taken back: it is waited for so many times as long."""


@dataclass(frozen=True)
class Said:
    """What somebody said in a room. `id` is the one that the room gave to it (XEP-0359)."""

    text: str
    id: str


@dataclass(frozen=True)
class Scene:
    """A room with its owner, a guest who said something, and another participant."""

    room: Room
    guest: Session
    other: Session
    said: Said

    @property
    def present(self) -> tuple[Session, Session, Session]:
        return self.room.owner, self.guest, self.other


def scene(connect: Connect, *features: str, **config: str) -> Scene:
    """The check is `unsupported` where rooms do not have the features."""
    owner = connect(label="owner")
    made = room(connect, owner, **config)
    for feature in features:
        if not advertises(owner, made.jid, feature):
            unsupported(f"{feature} on rooms")
    guest, other = connect(label=GUEST), connect(label=OTHER)
    for session in (owner, guest, other):
        session.patience *= SEARCHES
    made.enter(guest, GUEST)
    made.enter(other, OTHER)
    if "moderatedroom" in config:
        made.give_voice(GUEST)
    return Scene(made, guest, other, say(made, guest, GUEST))


def say(made: Room, speaker: Session, nick: str) -> Said:
    """Say something that is not said elsewhere; all others who are there may have it in their inboxes."""
    text = f"said {new_id()}"
    message = made.say(speaker, nick, text)
    given = [i.get("id", "") for i in message.iterfind("sid:stanza-id", NS) if i.get("by") == made.jid]
    if len(given) != 1:
        unsupported("ids that the room gives to messages")
    return Said(text, given[0])


def retraction(said: str, content: str = FULL) -> str:
    """What stands in a message that takes another one back, by its id."""
    return f"<retract xmlns='{RETRACT}' id='{said}'/>{content}"


def moderate(session: Session, room_jid: str, said: str, reason: str | None = None) -> Element:
    """Ask a room to take a message back (XEP-0425 §3). Answers the reply."""
    told = "" if reason is None else f"<reason>{escape(reason)}</reason>"
    asked = f"<moderate xmlns='{MODERATE}' id='{said}'><retract xmlns='{RETRACT}'/>{told}</moderate>"
    return session.iq("set", asked, to=room_jid)


def takes_back(said: str) -> Matches:
    """Matches messages that take the one with this id back."""

    def matches(element: Element) -> bool:
        retract = element.find("retract:retract", NS)
        return localname(element) == "message" and retract is not None and retract.get("id") == said

    return matches


def announced(session: Session, said: str) -> Element:
    """The message by which a room says that one was taken back."""
    return session.expect(takes_back(said), f"a message that takes {said!r} back")


def retract_of(message: Element) -> Element:
    """The `<retract/>` of a message that has one."""
    found = message.find("retract:retract", NS)
    if found is None:
        impossible("a message without <retract/>")
    return found


def history(connect: Connect, made: Room) -> list[str]:
    """What a newcomer is sent of what was said before: the bodies."""
    newcomer, nick = connect(label="newcomer"), f"newcomer-{new_id()}"
    newcomer.send(f"<presence to='{made.occupant(nick)}'><x xmlns='{NS['muc']}'/></presence>")
    # The subject ends what a room sends to a newcomer (XEP-0045 §7.1).
    newcomer.expect(is_subject, "the room's subject")
    return [e.findtext("c:body", "", NS) for e in newcomer.inbox if localname(e) == "message"]


__all__ = [
    "FULL",
    "GUEST",
    "OTHER",
    "OWNER",
    "SEARCHES",
    "Said",
    "Scene",
    "announced",
    "history",
    "moderate",
    "retract_of",
    "retraction",
    "say",
    "scene",
    "takes_back",
]
