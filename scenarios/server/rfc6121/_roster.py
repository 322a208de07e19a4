"""Rosters as checks use them: asked for, changed, pushed (RFC 6121 §2). `pushed` judges, for the many that wait."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from lab.cell import Account
from lab.plugin import Connect, require, require_result
from lab.wire.namespaces import NS, ROSTER
from lab.wire.session import Matches, Session, localname
from lab.wire.stream import Element
from lab.wire.transport import NoAnswer

VERSIONING = "{urn:xmpp:features:rosterver}ver"
PRE_APPROVAL = "{urn:xmpp:features:pre-approval}sub"


@dataclass(frozen=True)
class Item:
    """What a roster item says; what is not there is told as its default (§2.1.2)."""

    jid: str
    name: str = ""
    groups: tuple[str, ...] = ()
    subscription: str = "none"
    ask: str = ""
    approved: bool = False

    def __str__(self) -> str:
        said = [f"subscription {self.subscription}", f"name {self.name!r}" if self.name else ""]
        said += [f"ask {self.ask}" if self.ask else "", "approved" if self.approved else ""]
        said += [f"in {', '.join(map(repr, self.groups))}" if self.groups else ""]
        return f"{self.jid}: {', '.join(filter(None, said))}"


def item_of(element: Element) -> Item:
    """Read an `<item/>`."""
    return Item(
        jid=element.get("jid", ""),
        name=element.get("name", ""),
        groups=tuple(sorted(group.text or "" for group in element.iterfind("roster:group", NS))),
        subscription=element.get("subscription", "none"),
        ask=element.get("ask", ""),
        approved=element.get("approved") in {"true", "1"},
    )


def item_xml(jid: str, name: str = "", groups: tuple[str, ...] = (), attributes: str = "") -> str:
    """An `<item/>` as clients send it; `attributes` is put in as written."""
    named = f" name={quoteattr(name)}" if name else ""
    inside = "".join(f"<group>{escape(group)}</group>" for group in groups)
    return f"<item jid={quoteattr(jid)}{named} {attributes}>{inside}</item>"


# --- get and set


def get(session: Session, *, ver: str | None = None) -> Element:
    """Ask for the roster (§2.1.3). Answers the reply; the session is interested from then on (§2.2)."""
    version = "" if ver is None else f" ver={quoteattr(ver)}"
    return session.iq("get", f"<query xmlns='{ROSTER}'{version}/>")


def change(session: Session, *items: str, to: str | None = None, attributes: str = "") -> Element:
    """A roster set (§2.1.5) of these items. Answers the reply."""
    return session.iq("set", f"<query xmlns='{ROSTER}'{attributes}>{''.join(items)}</query>", to=to)


def added(session: Session, item: str) -> None:
    """A roster set that must go through."""
    require_result(change(session, item))


def removal(jid: str) -> str:
    return item_xml(jid, attributes="subscription='remove'")


def roster(session: Session) -> dict[str, Item]:
    """The roster by JID. The check fails where the server does not answer with one, or names a contact twice."""
    reply = get(session)
    require_result(reply)
    require(reply.find("roster:query", NS) is not None, "a roster", reply)
    found = [item_of(e) for e in reply.iterfind("roster:query/roster:item", NS)]
    require(all(item.jid for item in found), "items with a jid", reply)
    require(len({item.jid for item in found}) == len(found), "each contact once", reply)
    return {item.jid: item for item in found}


def entry(session: Session, jid: str) -> Item:
    """The roster's item for a contact: who is not there counts as one without any subscription (§A.1)."""
    return roster(session).get(jid, Item(jid))


def require_item(seen: Item | None, wanted: Item) -> None:
    """The check fails unless the item is just that."""
    require(seen == wanted, f"a roster item {wanted}", f"a roster item {seen}" if seen else "no such item")


def interested(connect: Connect, *, account: Account | None = None, label: str = "alice") -> Session:
    """A session that asked for its roster, and has sent no presence."""
    session = connect(account=account, label=label)
    require_result(get(session))
    return session


# --- pushes


def is_push(jid: str | None = None) -> Matches:
    """Matches a roster push, of one contact where it is named."""

    def matches(element: Element) -> bool:
        if localname(element) != "iq" or element.get("type") != "set":
            return False
        items = element.findall("roster:query/roster:item", NS)
        return bool(items) and (jid is None or any(item.get("jid") == jid for item in items))

    return matches


def push(session: Session, jid: str) -> Element:
    """Wait for a roster push for a contact, judge its form (§2.1.6) and answer it. Answers the stanza."""
    stanza = session.expect(is_push(jid), f"a roster push for {jid}")
    require(stanza.get("id"), "a roster push with an id", stanza)
    require(stanza.get("from") in {None, session.bare_jid}, f"no 'from', or {session.bare_jid}", stanza)
    require(stanza.get("to") in {None, session.jid, session.bare_jid}, f"'to' is {session.jid}", stanza)
    require(len(stanza.findall("roster:query/roster:item", NS)) == 1, "one item", stanza)
    require(len(stanza) == 1 and len(stanza[0]) == 1, "a query with one item, and nothing else", stanza)
    session.send(f"<iq type='result' id={quoteattr(stanza.get('id', ''))}/>")
    return stanza


def pushed(session: Session, wanted: Item) -> Element:
    """The next roster push for the contact must be this item. Answers the stanza."""
    stanza = push(session, wanted.jid)
    require_item(item_of(stanza[0][0]), wanted)
    return stanza


def noted(session: Session, jid: str) -> None:
    """Wait for the push of a change on the way to another; that it comes is the matter of other checks."""
    with suppress(NoAnswer):
        push(session, jid)


def example(session: Session, jid: str) -> str:
    """A roster push that a server might send: what `make prove` puts in where none may come."""
    return f"<iq type='set' id='pushed' to='{session.jid}'><query xmlns='{ROSTER}'>{item_xml(jid)}</query></iq>"


def not_pushed(session: Session, jid: str, why: str) -> None:
    """No roster push for the contact may come behind what this session sent."""
    session.expect_nothing(example(session, jid), is_push(jid), f"roster push {why}")
