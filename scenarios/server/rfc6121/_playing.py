"""Subscriptions as the user and a contact that the lab plays itself make them: stanzas, and the way to each state."""

from __future__ import annotations

from lab.cell import Account
from lab.plugin import Connect, impossible, premise, require
from lab.wire.session import Matches, Session, localname, new_id
from lab.wire.stream import Element
from scenarios.server._contacts import appear
from scenarios.server.rfc6121._roster import Item, entry, interested
from scenarios.server.rfc6121._states import State


def bare(jid: str | None) -> str:
    return (jid or "").partition("/")[0]


def is_presence(kind: str | None, sender: str) -> Matches:
    """Matches presence of a type (None: available) from a JID; a bare one stands for all of its resources."""

    def matches(element: Element) -> bool:
        if localname(element) != "presence" or element.get("type") != kind:
            return False
        return element.get("from") == sender or ("/" not in sender and bare(element.get("from")) == sender)

    return matches


def user(connect: Connect, *, account: Account | None = None, label: str = "user") -> Session:
    """A session that is available and interested, so that nothing of its subscriptions is kept from it."""
    session = interested(connect, account=account, label=label)
    appear(session)
    return session


def two(connect: Connect, account: Account | None = None) -> tuple[Session, Session]:
    """Two sessions of one account that are told everything: available, and interested."""
    account = account or connect.account()
    return user(connect, account=account, label="first"), user(connect, account=account, label="second")


def request_of(session: Session, sender: Session) -> Element:
    return session.expect(is_presence("subscribe", sender.bare_jid), f"the request of {sender.bare_jid}")


def kept_request_of(session: Session, sender: Session) -> Element:
    """A request that waited for the session; the check is `impossible` where none did, as another check says."""
    return premise(
        lambda: request_of(session, sender), "a request is not kept; another check says whether that is a fault"
    )


def asks(bob: Session, alice_jid: str, content: str = "") -> str:
    """Somebody asks, and the server has taken it in."""
    identifier = send(bob, "subscribe", alice_jid, content)
    bob.sentinel()
    return identifier


def stanza(kind: str, sender: str, to: str, content: str = "") -> str:
    """Presence of a type as a component sends it, who bears an address of its own (XEP-0114 §3)."""
    return f"<presence type='{kind}' id='{new_id()}' from='{sender}' to='{to}'>{content}</presence>"


def send(session: Session, kind: str, to: str, content: str = "") -> str:
    """Presence of a type from a client. Answers its id."""
    identifier = new_id()
    session.send(f"<presence type='{kind}' id='{identifier}' to='{to}'>{content}</presence>")
    return identifier


def ask(session: Session, contact: Session) -> None:
    """The user asks for the contact's presence, and the contact is told (§3.1.2)."""
    send(session, "subscribe", contact.jid)
    contact.expect(is_presence("subscribe", session.bare_jid), "the user's request")


def asked(session: Session, contact: Session) -> None:
    """The contact asks for the user's presence, and the user is told (§3.1.3)."""
    contact.send(stanza("subscribe", contact.jid, session.bare_jid))
    session.expect(is_presence("subscribe", contact.jid), "the contact's request")


def approve(session: Session, contact: Session) -> None:
    """The user approves, and the contact is told (§3.1.5)."""
    send(session, "subscribed", contact.jid)
    contact.expect(is_presence("subscribed", session.bare_jid), "the user's approval")


def approved(session: Session, contact: Session) -> None:
    """The contact approves, and the user is told (§3.1.6)."""
    contact.send(stanza("subscribed", contact.jid, session.bare_jid))
    session.expect(is_presence("subscribed", contact.jid), "the contact's approval")


def bring(session: Session, contact: Session, state: State) -> None:
    """Bring user and contact, who have nothing to do with each other yet, into a state (§A.1).

    Where it does not show, nothing can be said of it: the change that should have led there has a check of its own.
    """
    if state.subscription in {"from", "both"}:
        asked(session, contact)
        approve(session, contact)
    if state.out or state.subscription in {"to", "both"}:
        ask(session, contact)
    if state.subscription in {"to", "both"}:
        approved(session, contact)
    if state.pending_in:
        asked(session, contact)
    session.sentinel(contact)
    contact.sentinel(session)  # §3.1.6: what the contact says is delivered first, and noted then
    seen, wanted = _shown(entry(session, contact.jid)), State(state.subscription, state.out)
    if seen != wanted:
        impossible(f"the state {wanted.spoken!r} is not reached, but {seen.spoken!r}; another check judges that")
    for one in (session, contact):
        one.inbox.clear()


def require_state(session: Session, jid: str, state: State, when: str = "behind it") -> None:
    """The check fails unless the roster shows the state, as far as it shows states: no request of the contact's."""
    item = entry(session, jid)
    seen, wanted = _shown(item), State(state.subscription, state.out)
    require(seen == wanted, f"the state {wanted.spoken!r} {when}", f"{seen.spoken!r}: {item}")


def _shown(item: Item) -> State:
    return State(item.subscription, item.ask == "subscribe")


def has_request(session: Session, jid: str) -> bool:
    """Whether the user has a request of the contact's to approve: approving makes it a subscription, or nothing.

    A request shows nowhere else; the state is another one afterwards.
    """
    send(session, "subscribed", jid)
    session.sentinel()
    return entry(session, jid).subscription in {"from", "both"}


def require_request(connect: Connect, session: Session, contact: Session, state: State) -> None:
    """The check fails unless the user has a request of the contact's exactly in the states with `Pending In`.

    A server that makes a subscription of any approval shows nothing by that: another user, whom the contact never
    asked, tells it from others. That it does so is a fault under §A.2.3, and under no other table.
    """
    if state.subscription in {"from", "both"}:
        return  # whoever is subscribed asks for nothing
    seen = has_request(session, contact.jid)
    if seen and not state.pending_in:
        other = user(connect, label="other")
        bring(other, contact, state)
        seen = not has_request(other, contact.jid)
    wanted = f"{'a' if state.pending_in else 'no'} request of the contact's to approve"
    require(seen == state.pending_in, wanted, "none" if state.pending_in else "one")
