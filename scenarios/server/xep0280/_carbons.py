"""Copies of messages as checks use them: a user with several resources, and what came to each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from xml.sax.saxutils import quoteattr

from lab.cell import Account
from lab.plugin import Connect, Specification, require_result, unsupported
from lab.wire.namespaces import CARBONS, CLIENT, FORWARD, NS
from lab.wire.session import Matches, Session, localname, new_id
from lab.wire.stream import Element
from scenarios.server._contacts import appear
from scenarios.server._discovery import advertises

CARBON = Specification("XEP-0280")
RULES = "urn:xmpp:carbons:rules:0"

Way = Literal["received", "sent"]
WAYS: tuple[Way, ...] = ("received", "sent")


def toggle(session: Session, what: str, *, to: str | None = None) -> Element:
    """Ask for `enable` or `disable`; the reply."""
    return session.iq("set", f"<{what} xmlns='{CARBONS}'/>", to=to)


def switched_on(session: Session) -> Session:
    """A session that has enabled carbons (§4)."""
    require_result(toggle(session, "enable"))
    return session


def resource(connect: Connect, account: Account, label: str = "resource") -> Session:
    """A session that is available, and has asked for no carbons; where none are advertised, it is `unsupported`."""
    session = connect(account=account, label=label)
    if not advertises(session, session.domain, CARBONS):
        unsupported(CARBONS)
    appear(session)
    return session


@dataclass(frozen=True)
class Users:
    """A user with one resource that talks and one that is to have copies, and somebody else that it talks with."""

    account: Account
    one: Session
    copied: Session
    other: Session

    def ends(self, way: Way) -> tuple[Session, Session]:
        """Who sends and who receives, as seen from the copied resource."""
        return (self.other, self.one) if way == "received" else (self.one, self.other)


def users(connect: Connect) -> Users:
    """Three available sessions, of which one has carbons enabled: `copied`."""
    account = connect.account()
    one, copied = resource(connect, account, "one"), resource(connect, account, "copied")
    other = connect(label="other")
    appear(other)
    switched_on(copied)
    return Users(account, one, copied, other)


def message(to: str, content: str = "<body>Hello</body>", *, type_: str = "chat") -> tuple[str, str]:
    """A message as it is written, and its id. An empty type is none."""
    identifier = new_id()
    attribute = f" type='{type_}'" if type_ else ""
    return f"<message to={quoteattr(to)} id='{identifier}'{attribute}>{content}</message>", identifier


def say(sender: Session, recipient: Session, content: str = "<body>Hello</body>", *, type_: str = "chat") -> str:
    """Send a message to a session, and see it come there; answers its id."""
    xml, identifier = message(recipient.jid, content, type_=type_)
    sender.send(xml)
    recipient.expect(identifier, "the message itself")
    return identifier


def original(copy: Element, way: Way) -> Element | None:
    """The message in a copy, None where it is no copy made that way."""
    found = copy.find(f"carbons:{way}/forward:forwarded/c:message", NS)
    return found if localname(copy) == "message" else None


def is_copy(identifier: str, *ways: Way) -> Matches:
    """Matches copies of a message, made one way or (where none is given) any way."""

    def matches(element: Element) -> bool:
        inners = [original(element, way) for way in ways or WAYS]
        return any(inner is not None and inner.get("id") == identifier for inner in inners)

    return matches


def copied(there: Users, way: Way, identifier: str) -> Element:
    """The copy of a message must come to the resource that is to have it."""
    return there.copied.expect(is_copy(identifier, way), f"a copy of the message {way}")


def not_copied(session: Session, identifier: str, why: str, *, after: Session, ways: Sequence[Way] = WAYS) -> None:
    """No copy of a message may come to a session, by what `after` sent so far."""
    session.expect_nothing(example(session, identifier, ways[0]), is_copy(identifier, *ways), why, after=after)


def example(session: Session, identifier: str, way: Way) -> str:
    """A copy as it must not come."""
    return f"<message from='{session.bare_jid}' to='{session.jid}' type='chat'>{wrapped(identifier, way)}</message>"


def wrapped(identifier: str, way: Way) -> str:
    """A message wrapped up as servers do it, which no server did."""
    inner = f"<message xmlns='{CLIENT}' type='chat' id='{identifier}'><body>forbidden</body></message>"
    return f"<{way} xmlns='{CARBONS}'><forwarded xmlns='{FORWARD}'>{inner}</forwarded></{way}>"
