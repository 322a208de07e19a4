"""The block list as a client handles it, and stanzas between a user and somebody blocked. Commands must succeed."""

from __future__ import annotations

from lab.cell import Account
from lab.plugin import Connect, require, require_result, unsupported
from lab.wire.namespaces import BLOCKING, NS
from lab.wire.session import Matches, Session, localname, new_id
from lab.wire.stream import Element
from scenarios.server._contacts import appear, befriend
from scenarios.server._discovery import advertises

ERROR = f"<error type='cancel'><service-unavailable xmlns='{NS['stanzas']}'/></error>"
PAYLOAD = "<query xmlns='urn:stanzalab:0'/>"


def user(connect: Connect, *, account: Account | None = None, label: str = "alice") -> Session:
    """A session of a server that says that it can block, not available; else the check is `unsupported`."""
    session = connect(account=account, label=label)
    if not advertises(session, session.domain, BLOCKING):
        unsupported(BLOCKING)
    return session


def friends(connect: Connect) -> tuple[Session, Session]:
    """A user and a contact with a subscription of type `both`, both available and having seen each other."""
    alice, bob = user(connect), connect(label="bob")
    befriend(alice, bob)
    appear(alice)
    appear(bob)
    for one, other in ((alice, bob), (bob, alice)):
        one.expect(is_from("presence", other), f"the presence of {other.label}")
    alice.sentinel(bob)
    bob.sentinel(alice)
    for one in (alice, bob):
        one.inbox.clear()
    return alice, bob


def blocked_friends(connect: Connect) -> tuple[Session, Session]:
    """A user, and a contact whom the user has blocked; both are available."""
    alice, bob = friends(connect)
    block(alice, bob.bare_jid)
    settle(alice, bob)
    for session in (alice, bob):
        session.inbox.clear()
    return alice, bob


def address_of(session: Session, to: str) -> str:
    """The full JID, or the bare one."""
    return session.jid if to == "full" else session.bare_jid


# --- commands


def items(*jids: str) -> str:
    return "".join(f"<item jid='{jid}'/>" for jid in jids)


def ask_to_block(session: Session, *jids: str) -> Element:
    """Send the command (§3.3); answers the reply."""
    return session.iq("set", f"<block xmlns='{BLOCKING}'>{items(*jids)}</block>")


def block(session: Session, *jids: str) -> None:
    """Block, and see that it was accepted."""
    require_result(ask_to_block(session, *jids))


def unblock(session: Session, *jids: str) -> None:
    """Unblock these (§3.4), or all where none is named (§3.5), and see that it was accepted."""
    require_result(session.iq("set", f"<unblock xmlns='{BLOCKING}'>{items(*jids)}</unblock>"))


def block_list(session: Session) -> list[str]:
    """The JIDs on the list (§3.2), in order. The session is told of changes from then on."""
    reply = session.iq("get", f"<blocklist xmlns='{BLOCKING}'/>")
    require_result(reply)
    found = reply.find("blocking:blocklist", NS)
    require(found is not None, "<blocklist/>", reply)
    return [] if found is None else [item.get("jid", "") for item in found.iterfind("blocking:item", NS)]


def pushed(session: Session, name: str) -> Element:
    """The next push of a change; it is acknowledged. `name` is that of the command."""
    push = session.expect(
        lambda e: localname(e) == "iq" and e.get("type") == "set" and e.find(f"blocking:{name}", NS) is not None,
        f"a push of <{name}/>",
    )
    to = f" to='{push.get('from')}'" if push.get("from") else ""
    session.send(f"<iq type='result' id='{push.get('id')}'{to}/>")
    return push


# --- stanzas

MESSAGES = ("normal", "chat", "headline", "groupchat", "error")
SUBSCRIPTIONS = ("subscribe", "subscribed", "unsubscribe", "unsubscribed")


def written(kind: str, to: str, identifier: str, sender: str = "") -> str:
    """A stanza such as `message-chat`, `presence-available`, `iq-get`; `sender` is for what must not come."""
    name, _, type_ = kind.partition("-")
    typed = "" if (name, type_) == ("presence", "available") else f" type='{type_}'"
    if type_ == "error":
        content = ERROR
    else:
        content = {"message": "<body>Hello</body>", "presence": "<status>Hello</status>", "iq": PAYLOAD}[name]
    return f"<{name}{typed} id='{identifier}' to='{to}'{f' from={sender!r}' if sender else ''}>{content}</{name}>"


def is_from(name: str, sender: Session) -> Matches:
    """Matches stanzas of a name that come from an account or one of its resources."""

    def matches(element: Element) -> bool:
        return localname(element) == name and (element.get("from") or "").partition("/")[0] == sender.bare_jid

    return matches


def settle(one: Session, other: Session) -> None:
    """Let the server go through all that either sent, and what it made of it for the other.

    A message of one to the other would be blocked, so that it cannot be the sentinel.
    """
    one.sentinel()
    other.sentinel()
    one.sentinel()


def not_delivered(sender: Session, recipient: Session, kind: str, to: str) -> str:
    """Send a stanza, which must not reach the recipient. Answers its id."""
    identifier = new_id()
    sender.send(written(kind, to, identifier))
    settle(sender, recipient)
    recipient.expect_nothing(
        written(kind, to, identifier, sender.jid),
        lambda e: e.get("id") == identifier or is_from(kind.partition("-")[0], sender)(e),
        f"{kind.replace('-', ' of type ')} of somebody blocked",
    )
    return identifier


def not_answered(sender: Session, kind: str, identifier: str, claimed: str) -> None:
    """The sender must not be told anything of a stanza, in whatever name."""
    name = kind.partition("-")[0]
    sender.expect_nothing(
        f"<{name} type='error' id='{identifier}' from='{claimed}' to='{sender.jid}'>{ERROR}</{name}>",
        lambda e: e.get("id") == identifier,
        f"answer to a {kind.replace('-', ' of type ')}",
    )
