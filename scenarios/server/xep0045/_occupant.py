"""One session in a room: what it says there, and what it must be told.

`sees` and `hears` judge what came, for the many checks that wait for a presence or a message of a room; the rest only
reads and writes stanzas.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lab.plugin import require, require_equal
from lab.wire.namespaces import DISCO_INFO, MUC_USER, NS
from lab.wire.session import Matches, Session, localname, new_id
from lab.wire.stream import Element

AVAILABLE = ""
UNAVAILABLE = "unavailable"


@dataclass(frozen=True)
class Occupant:
    """A session that is in a room (its bare JID) by a nickname."""

    session: Session
    room: str
    nick: str

    @property
    def jid(self) -> str:
        """The occupant JID."""
        return f"{self.room}/{self.nick}"

    # --- what it sends

    def says(self, text: str, *, inside: str = "", identifier: str | None = None) -> str:
        """Say something to all (§7.4); `inside` stands beside the body. Answers the message's id."""
        identifier = identifier or new_id()
        self.session.send(
            f"<message to='{self.room}' type='groupchat' id='{identifier}'><body>{text}</body>{inside}</message>"
        )
        return identifier

    def whispers(self, nick: str, text: str, *, kind: str = "chat", inside: str = "") -> str:
        """A private message (§7.5), of the type `kind` or of none where that is empty. Answers its id."""
        identifier = new_id()
        typed = f" type='{kind}'" if kind else ""
        self.session.send(
            f"<message to='{self.room}/{nick}'{typed} id='{identifier}'><body>{text}</body>{inside}</message>"
        )
        return identifier

    def updates(self, inside: str = "", *, nick: str | None = None) -> None:
        """Presence to the own occupant JID (§7.7), or to another one: a change of the nickname (§7.6)."""
        self.session.send(f"<presence to='{self.room}/{nick or self.nick}'>{inside}</presence>")

    def leaves(self, inside: str = "") -> None:
        """Leave the room (§7.14)."""
        self.session.send(f"<presence to='{self.jid}' type='unavailable'>{inside}</presence>")

    # --- what it must be told

    def sees(
        self,
        jid: str,
        kind: str = AVAILABLE,
        *,
        affiliation: str | None = None,
        role: str | None = None,
        codes: Iterable[int] = (),
    ) -> Element:
        """The next presence of that occupant JID must be so, with these status codes among its codes.

        Whatever came is held to have one `<x/>` of muc#user with one `<item/>` that tells both affiliation and role
        (§5.1, §5.2, §7.2.2, §17.3).
        """
        presence = self.session.expect(presence_of(jid, kind), f"{kind or 'available'} presence of {jid}")
        require_equal(len(presence.findall("muc-user:x", NS)), 1, "elements <x/> of muc#user in the presence:")
        item = item_of(presence)
        told = (item.get("affiliation"), item.get("role"))
        require(all(told), "an affiliation and a role", presence)
        for seen, wanted, what in ((told[0], affiliation, "affiliation"), (told[1], role, "role")):
            require(wanted in {None, seen}, f"the {what} {wanted!r}", presence)
        wanted_codes = {str(code) for code in codes}
        require(wanted_codes <= codes_of(presence), f"status codes {', '.join(sorted(wanted_codes))}", presence)
        return presence

    def hears(self, text: str, by: str) -> Element:
        """What that occupant JID said to all must come: of type groupchat, to the full JID (§7.4)."""
        message = self.session.expect(said(text), f"{text!r} from {by}")
        require_equal(message.get("from"), by, "from")
        require_equal(message.get("to"), self.session.jid, "to")
        require_equal(message.get("type"), "groupchat", "type")
        require(message.find("delay:delay", NS) is None, "a live message, without delay", message)
        return message

    def refused(self, identifier: str) -> Element:
        """The error that must come for a message of that id."""
        return self.session.expect(
            lambda e: localname(e) == "message" and e.get("type") == "error" and e.get("id") == identifier,
            f"an error for the message {identifier!r}",
        )

    def is_spared(self, forbidden: str, matches: Matches, what: str, *, after: Session | None = None) -> None:
        """Nothing like it must come; `after` is whose stanza to the room could have caused it."""
        spared(self.room, self.session, forbidden, matches, what, after=after)


# --- reading


def told_of(presence: Element) -> Element:
    """The `<x/>` of muc#user. The check fails where there is none."""
    x = presence.find("muc-user:x", NS)
    require(x is not None, "an <x/> of muc#user", presence)
    return presence if x is None else x


def item_of(presence: Element) -> Element:
    """The one `<item/>` of muc#user. The check fails where there are none, or more."""
    items = presence.findall("muc-user:x/muc-user:item", NS)
    require(len(items) == 1, "one <item/> of muc#user", presence)
    return items[0]


def codes_of(stanza: Element) -> set[str]:
    """The status codes of muc#user."""
    return {status.get("code", "") for status in stanza.iterfind("muc-user:x/muc-user:status", NS)}


def bare(element: Element) -> str:
    """The bare JID of the sender."""
    return (element.get("from") or "").partition("/")[0]


def presence_of(jid: str, kind: str = AVAILABLE) -> Matches:
    """Matches presence of an occupant JID, of that type."""
    return lambda e: localname(e) == "presence" and e.get("from") == jid and (e.get("type") or AVAILABLE) == kind


def said(text: str) -> Matches:
    """Matches messages with that body that are no errors."""
    return lambda e: localname(e) == "message" and e.get("type") != "error" and e.findtext("c:body", None, NS) == text


def is_subject(element: Element) -> bool:
    """Whether a message says a subject and nothing else (§7.2.15, §8.1)."""
    if localname(element) != "message" or element.get("type") != "groupchat":
        return False
    beside = [element.find(f"c:{name}", NS) for name in ("body", "thread")]
    return element.find("c:subject", NS) is not None and beside == [None, None]


def of_the_room(reply: Element, room: str) -> None:
    """An error must come from the room, or from within: that it be from who was asked is SHOULD (RFC 6120 §8.3.1)."""
    require(bare(reply) == room, f"an answer of {room}", reply)


# --- silence


def asking(room: str, mark: str) -> str:
    """A question that the room answers, whatever it is and whoever asks: behind all that was sent before."""
    return f"<iq type='get' id='{mark}' to='{room}'><query xmlns='{DISCO_INFO}'/></iq>"


def settle(room: str, *sessions: Session) -> None:
    """Each asks the room something, one after the other, and waits for the answer.

    What a session sent to the room before is dealt with then, and what the room sent to it has come.
    """
    for session in sessions:
        mark = f"sentinel-{new_id()}"
        session.send(asking(room, mark))
        session.expect(mark, f"an answer of {room} to what was sent behind")


def spared(
    room: str, listener: Session, forbidden: str, matches: Matches, what: str, *, after: Session | None = None
) -> None:
    """`listener` must not be sent anything that matches by the room, `forbidden` being an example of it.

    `after` is whose stanza to the room could have caused it.
    """
    settle(room, *([after] if after is not None else []), listener)
    listener.expect_nothing(forbidden, matches, what)


def presence_example(
    jid: str,
    to: Session,
    kind: str = AVAILABLE,
    *,
    affiliation: str = "none",
    role: str = "participant",
    more: str = "",
) -> str:
    """A presence as a room sends it."""
    typed = f" type='{kind}'" if kind else ""
    return (
        f"<presence from='{jid}' to='{to.jid}'{typed} id='{new_id()}'><x xmlns='{MUC_USER}'>"
        f"<item affiliation='{affiliation}' role='{role}'/>{more}</x></presence>"
    )


def message_example(jid: str, to: Session, text: str, *, kind: str = "groupchat", inside: str = "") -> str:
    """A message as a room sends it on."""
    return f"<message from='{jid}' to='{to.jid}' type='{kind}' id='{new_id()}'><body>{text}</body>{inside}</message>"
