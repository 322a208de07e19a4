"""Contacts: presence subscriptions between two sessions (RFC 6121 §3), as a means to an end."""

from __future__ import annotations

from lab.errors import PeerError
from lab.wire.namespaces import ROSTER
from lab.wire.session import Matches, Session, localname
from lab.wire.stream import Element
from lab.wire.transport import NoAnswer


def subscribe(watcher: Session, owner: Session) -> None:
    """`watcher` asks for the presence of `owner`, who agrees (RFC 6121 §3.1). Both must be available."""
    # Only a resource that asked for the roster is sure to be told of the approval (§3.1.6).
    watcher.iq("get", f"<query xmlns='{ROSTER}'/>")
    watcher.send(f"<presence to='{owner.bare_jid}' type='subscribe'/>")
    owner.expect(_presence("subscribe", watcher), f"the subscription request of {watcher.bare_jid}")
    owner.send(f"<presence to='{watcher.bare_jid}' type='subscribed'/>")
    # A roster push tells of it, too: that it comes behind the approval, or alone, is for the checks of §3.1.6 to say.
    approved, pushed = _presence("subscribed", owner), _pushed(owner)
    if pushed(watcher.expect(lambda e: approved(e) or pushed(e), f"the approval of {owner.bare_jid}")):
        watcher.sentinel()
        watcher.inbox[:] = [element for element in watcher.inbox if not approved(element)]


def befriend(one: Session, other: Session) -> None:
    """A subscription of type `both` between two sessions, which are unavailable before and behind."""
    with_presence = (one, other)
    for session in with_presence:
        appear(session)
    subscribe(one, other)
    subscribe(other, one)
    for session in with_presence:
        disappear(session)


def appear(session: Session) -> None:
    """Available presence without caps, and the server's word that it has seen it."""
    session.send("<presence/>")
    session.sentinel()


def disappear(session: Session) -> None:
    """Unavailable presence, and the server's word that it has seen it; the stream stays."""
    session.send("<presence type='unavailable'/>")
    session.sentinel()


def log_out(session: Session) -> None:
    """Unavailable presence, and the end of the stream on both sides; where the server does not end it, of TCP."""
    disappear(session)
    session.send("</stream:stream>")
    try:
        session.expect_closed(stream=False)
    except NoAnswer as error:
        session.trace.note(session.label, f"logging out: {error.message}")
    session.transport.close()


def leave(session: Session) -> None:
    """End a stream behind a check, a component's above all, whatever state it is in; never raises."""
    session.tamper = None
    try:
        session.send("</stream:stream>")
        session.expect_closed(stream=False)
    except PeerError as error:
        session.trace.note(session.label, f"leaving: {error.message}")
    session.transport.close()


def _pushed(owner: Session) -> Matches:
    """A roster push that has the presence of `owner` subscribed."""
    return lambda element: any(
        item.get("jid") == owner.bare_jid and item.get("subscription") in {"to", "both"}
        for item in element.iterfind(f"{{{ROSTER}}}query/{{{ROSTER}}}item")
    )


def _presence(kind: str, sender: Session) -> Matches:
    def matches(element: Element) -> bool:
        told = localname(element) == "presence" and element.get("type") == kind
        return told and (element.get("from") or "").partition("/")[0] == sender.bare_jid

    return matches
