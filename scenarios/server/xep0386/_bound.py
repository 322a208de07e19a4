"""Sessions bound by Bind 2, as its checks use them. No check stands here."""

from __future__ import annotations

from xml.sax.saxutils import escape

from lab.cell import Account
from lab.plugin import Connect, require, unsupported
from lab.wire.namespaces import BIND2, NS
from lab.wire.sasl2 import UserAgent
from lab.wire.session import Session, new_id
from scenarios.server._sasl2 import Entered, enter, offered_inline, secured


def wish(inner: str = "", *, tag: str | None = None) -> str:
    """<bind/> as a client asks for it (§3.2), with what is to be switched on."""
    tagged = "" if tag is None else f"<tag>{escape(tag)}</tag>"
    return f"<bind xmlns='{BIND2}'>{tagged}{inner}</bind>"


def offering(connect: Connect, account: Account, feature: str = "", *, label: str = "client") -> Session:
    """A stream that offers Bind 2, and `feature` along with it; the check is `unsupported` where it does not."""
    session = secured(connect, account, label=label)
    offer = offered_inline(session, "bind2:bind", "Bind 2")
    listed = [f.get("var") for f in offer.iterfind("bind2:inline/bind2:feature", NS)]
    if feature and feature not in listed:
        unsupported(f"{feature} inline in Bind 2")
    return session


def bound(
    connect: Connect,
    account: Account | None = None,
    inner: str = "",
    *,
    tag: str | None = None,
    agent: UserAgent | None = None,
    feature: str = "",
    label: str = "client",
) -> Entered:
    """A fresh account (or this one), bound: <bound/> and a full JID stand in the success."""
    account = account or connect.account()
    session = offering(connect, account, feature, label=label)
    there = enter(session, account, agent=agent, inline=wish(inner, tag=tag))
    there.has("bind2:bound", "<bound/>")
    require(session.resource, "a full JID as the authorization identifier", there.success)
    return there


def talks(session: Session, other: Session) -> None:
    """A message goes from a session to another one and back, by full JIDs: both are what they are called."""
    forth, back = new_id(), new_id()
    session.send(f"<message to='{other.jid}' type='chat' id='{forth}'><body>Hello</body></message>")
    came = other.expect(forth)
    require(came.get("from") == session.jid, f"a message from {session.jid}", came)
    other.send(f"<message to='{session.jid}' type='chat' id='{back}'><body>Hello</body></message>")
    came = session.expect(back)
    require(came.get("from") == other.jid, f"a message from {other.jid}", came)
