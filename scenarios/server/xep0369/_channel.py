"""Channels as the checks of MIX use them: made, joined by way of the user's server (XEP-0405), spoken in.

Judges only whether what a check builds upon was granted. Which namespace a server wraps its answers in is not looked
at here, but by a check of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from lab.plugin import Connect, require, require_result, unsupported
from lab.wire.namespaces import DISCO_ITEMS, MIX, MIX_PAM, NS, PUBSUB
from lab.wire.session import Matches, Session, localname, new_id
from lab.wire.stream import Element
from scenarios.server._caps import fresh_capabilities

MESSAGES = "urn:xmpp:mix:nodes:messages"
PARTICIPANTS = "urn:xmpp:mix:nodes:participants"
INFORMATION = "urn:xmpp:mix:nodes:info"
BOTH = (MESSAGES, PARTICIPANTS)


def service(connect: Connect) -> str:
    """The MIX service; the check is `unsupported` where the server has none."""
    found = connect.cell.services.get("mix")
    if found is None:
        unsupported("a MIX service")
    return found


def participant(connect: Connect, label: str) -> Session:
    """A client that is there and tells that it can do MIX (§6.7), so that its server passes on what channels send."""
    session = connect(label=label)
    capabilities = fresh_capabilities()
    session.send(f"<presence>{capabilities.caps}</presence>")
    session.sentinel()
    return session


@dataclass(frozen=True)
class Joined:
    """What a channel said to who joined: the Stable Participant ID, the nodes, the nick."""

    id: str
    nodes: tuple[str, ...]
    nick: str
    reply: Element


@dataclass(frozen=True)
class Channel:
    """A channel that `owner` made."""

    name: str
    service: str
    owner: Session

    @property
    def jid(self) -> str:
        return f"{self.name}@{self.service}"

    def ask_to_join(self, session: Session, nick: str | None, nodes: Iterable[str] = BOTH) -> Element:
        """The answer of the user's server to a wish to join."""
        wishes = "".join(f"<subscribe node='{node}'/>" for node in nodes)
        named = "" if nick is None else f"<nick>{escape(nick)}</nick>"
        join = f"<join xmlns='{MIX}'>{wishes}{named}</join>"
        wrapped = f"<client-join xmlns='{MIX_PAM}' channel={quoteattr(self.jid)}>{join}</client-join>"
        return session.iq("set", wrapped, to=session.bare_jid)

    def join(self, session: Session, nick: str, nodes: Iterable[str] = BOTH) -> Joined:
        """Join, which must be granted."""
        return joined(self.ask_to_join(session, nick, nodes))

    def ask_to_leave(self, session: Session) -> Element:
        leave = f"<leave xmlns='{MIX}'/>"
        wrapped = f"<client-leave xmlns='{MIX_PAM}' channel={quoteattr(self.jid)}>{leave}</client-leave>"
        return session.iq("set", wrapped, to=session.bare_jid)

    def leave(self, session: Session) -> None:
        require_result(self.ask_to_leave(session))

    def set_nick(self, session: Session, nick: str) -> Element:
        return session.iq("set", f"<setnick xmlns='{MIX}'><nick>{escape(nick)}</nick></setnick>", to=self.jid)

    def items(self, session: Session, node: str) -> Element:
        """The answer to a query for a node's items."""
        return session.iq("get", f"<pubsub xmlns='{PUBSUB}'><items node='{node}'/></pubsub>", to=self.jid)

    def participants(self, session: Session) -> dict[str, tuple[str, str]]:
        """Stable Participant ID -> JID and nick, by the participants node."""
        reply = self.items(session, PARTICIPANTS)
        require_result(reply)
        return {
            item.get("id", ""): entry(item) for item in reply.iterfind("pubsub:pubsub/pubsub:items/pubsub:item", NS)
        }

    def say(self, session: Session, text: str, content: str = "") -> str:
        """Speak; answers the id that the message was sent with."""
        identifier = new_id()
        body = f"<body>{escape(text)}</body>"
        session.send(f"<message to='{self.jid}' type='groupchat' id='{identifier}'>{body}{content}</message>")
        return identifier

    def heard(self, listener: Session, text: str) -> Element:
        """What the channel sends of somebody who spoke."""
        return listener.expect(self.is_said(text), f"the message {text!r} from {self.jid}")

    def is_said(self, text: str) -> Matches:
        return lambda e: (
            localname(e) == "message"
            and (e.get("from") or "").partition("/")[0] == self.jid
            and e.get("type") == "groupchat"
            and e.findtext("{*}body") == text
        )

    def nodes(self, session: Session) -> list[str]:
        """The nodes that the channel lists (§6.4)."""
        reply = session.iq("get", f"<query xmlns='{DISCO_ITEMS}' node='mix'/>", to=self.jid)
        require_result(reply)
        return [item.get("node", "") for item in reply.iterfind("items:query/items:item", NS)]


def channel(connect: Connect, owner: Session) -> Channel:
    """A new channel, by a name that nobody has used."""
    made = Channel(f"channel-{new_id()}", service(connect), owner)
    require_result(create(owner, made.service, made.name))
    return made


def create(session: Session, at: str, name: str | None) -> Element:
    named = "" if name is None else f" channel={quoteattr(name)}"
    return session.iq("set", f"<create xmlns='{MIX}'{named}/>", to=at)


def destroy(session: Session, made: Channel) -> Element:
    return session.iq("set", f"<destroy xmlns='{MIX}' channel={quoteattr(made.name)}/>", to=made.service)


def joined(reply: Element) -> Joined:
    """Read the answer to a join. The check fails where it is none, or names no Stable Participant ID.

    The channel gives the id as such (§7.1.2), the user's server before a `#` in a JID (XEP-0405 §2.7).
    """
    require_result(reply)
    join = next((e for e in reply.iter() if localname(e) == "join"), None)
    require(join is not None, "<join/> in the answer", reply)
    join = reply if join is None else join
    stable = join.get("id") or (join.get("jid") or "").partition("#")[0]
    require(stable, "a Stable Participant ID", reply)
    nodes = tuple(e.get("node", "") for e in join.iterfind("{*}subscribe"))
    return Joined(stable, nodes, join.findtext("{*}nick") or "", reply)


def entry(item: Element) -> tuple[str, str]:
    """JID and nick of a participant, from its item; as older versions of MIX have them, too."""
    there = item.find("{*}participant")
    require(there is not None, "<participant/> in the item", item)
    there = item if there is None else there
    jid, nick = (there.findtext(f"{{*}}{name}") or there.get(name) or "" for name in ("jid", "nick"))
    return jid, nick


def is_change(made: Channel, stable: str, what: str = "item") -> Matches:
    """Matches notifications that a participant was added or changed (`item`), or is gone (`retract`)."""

    def matches(element: Element) -> bool:
        found = element.iterfind(f"event:event/event:items[@node='{PARTICIPANTS}']/event:{what}", NS)
        return element.get("from") == made.jid and any(one.get("id") == stable for one in found)

    return matches


def change(made: Channel, stable: str, jid: str, nick: str) -> str:
    """A notification as it must not come."""
    who = f"<participant xmlns='{MIX}'><jid>{jid}</jid><nick>{nick}</nick></participant>"
    items = f"<items node='{PARTICIPANTS}'><item id='{stable}'>{who}</item></items>"
    return f"<message from='{made.jid}'><event xmlns='{NS['event']}'>{items}</event></message>"
