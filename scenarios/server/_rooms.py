"""Rooms (XEP-0045) as a means to an end: made, configured, entered, spoken in.

Nothing here judges: where a room cannot be had, the check is impossible, and others say whether that is a fault.
"""

from __future__ import annotations

from dataclasses import dataclass

from lab.plugin import Connect, impossible
from lab.wire.namespaces import MUC, MUC_ADMIN, MUC_OWNER
from lab.wire.session import Session, localname, new_id
from lab.wire.stream import Element
from scenarios.server._forms import submit

CONFIG = "http://jabber.org/protocol/muc#roomconfig"
OWNER = "owner"
"""The nickname of whoever makes a room."""


@dataclass(frozen=True)
class Room:
    """A room that `owner` made, and is in. `jid` is bare."""

    jid: str
    owner: Session

    def occupant(self, nick: str) -> str:
        return f"{self.jid}/{nick}"

    def enter(self, session: Session, nick: str) -> None:
        """Go in, available as clients are, without a history, and wait for the own presence."""
        here = self.occupant(nick)
        session.send(f"<presence/><presence to='{here}'><x xmlns='{MUC}'><history maxstanzas='0'/></x></presence>")
        presence = session.expect(
            lambda e: localname(e) == "presence" and e.get("from") in {here, self.jid}, f"own presence in {self.jid}"
        )
        if presence.get("type") == "error":
            impossible(f"{session.label} cannot enter the room")

    def affiliate(self, session: Session, affiliation: str) -> None:
        """The owner gives an account an affiliation (XEP-0045 §9)."""
        self._change(f"affiliation='{affiliation}' jid='{session.bare_jid}'")

    def silence(self, nick: str) -> None:
        """The owner takes an occupant's voice away (XEP-0045 §8.4): only a moderated room knows what that is."""
        self._change(f"role='visitor' nick='{nick}'")

    def give_voice(self, nick: str) -> None:
        """The owner lets a visitor speak (XEP-0045 §8.3)."""
        self._change(f"role='participant' nick='{nick}'")

    def _change(self, item: str) -> None:
        reply = self.owner.iq("set", f"<query xmlns='{MUC_ADMIN}'><item {item}/></query>", to=self.jid)
        if reply.get("type") != "result":
            impossible(f"the room's owner cannot change this: {item}")

    def say(self, speaker: Session, nick: str, text: str, content: str = "") -> Element:
        """Say something to all, which is not said elsewhere; answers what comes back to the speaker."""
        speaker.send(
            f"<message type='groupchat' id='{new_id()}' to='{self.jid}'><body>{text}</body>{content}</message>"
        )
        return self.heard(speaker, nick, text)

    def heard(self, listener: Session, nick: str, text: str) -> Element:
        """What an occupant said, as it comes to another one."""
        return listener.expect(
            lambda e: e.get("from") == self.occupant(nick) and e.findtext("{*}body") == text,
            f"the message {text!r} of {nick} from the room",
        )


def room(connect: Connect, owner: Session, **config: str) -> Room:
    """A new room, with fields of `muc#roomconfig` by their short names."""
    service = connect.cell.services.get("muc")
    if service is None:
        impossible("the cell has no room service")
    made = Room(f"{new_id()}@{service}", owner)
    made.enter(owner, OWNER)
    form = submit(CONFIG, {f"muc#roomconfig_{field}": value for field, value in config.items()})
    if owner.iq("set", f"<query xmlns='{MUC_OWNER}'>{form}</query>", to=made.jid).get("type") != "result":
        impossible(f"a room could not be made with {config}")
    return made
