"""XEP-0191 §5: where a server has privacy lists (XEP-0016) as well, both are views of the same data."""

from __future__ import annotations

from lab.plugin import Connect, Specification, require, require_equal, require_result, unsupported
from lab.wire.namespaces import NS, PRIVACY
from lab.wire.session import Session, new_id
from lab.wire.stream import Element
from scenarios.server._contacts import appear
from scenarios.server._discovery import advertises
from scenarios.server.xep0191._blocking import block, block_list, unblock, user, written

BLOCKING = Specification("XEP-0191")

ROMEO, IAGO = "romeo@montague.example", "iago@venice.example"


def _user(connect: Connect) -> Session:
    alice = user(connect)
    if not advertises(alice, alice.domain, PRIVACY):
        unsupported(PRIVACY)
    return alice


def _query(session: Session, kind: str, content: str) -> Element:
    reply = session.iq(kind, f"<query xmlns='{PRIVACY}'>{content}</query>")
    require_result(reply)
    return reply


def _default(session: Session) -> str:
    """The name of the default list (XEP-0016 §2.3)."""
    reply = _query(session, "get", "")
    default = reply.find("privacy:query/privacy:default", NS)
    require(default is not None, "a default list", reply)
    return "" if default is None else default.get("name", "")


def _items(session: Session, name: str) -> list[Element]:
    """The items of a list, by their order (§2.3)."""
    reply = _query(session, "get", f"<list name='{name}'/>")
    found = reply.findall("privacy:query/privacy:list/privacy:item", NS)
    return sorted(found, key=lambda item: int(item.get("order", "0")))


def _denied(items: list[Element]) -> list[str]:
    """The JIDs that all is denied to."""
    return [
        item.get("value", "")
        for item in items
        if item.get("type") == "jid" and item.get("action") == "deny" and len(item) == 0
    ]


@BLOCKING.should(
    "5", says="Both protocols are over the same data: who is blocked is denied in the default privacy list."
)
def test_blocked_jid_is_denied(connect: Connect) -> None:
    alice = _user(connect)
    block(alice, ROMEO, IAGO)
    name = _default(alice)
    require_equal(sorted(_denied(_items(alice, name))), sorted([ROMEO, IAGO]), "JIDs denied in the default list")
    unblock(alice, ROMEO)
    require_equal(_denied(_items(alice, name)), [IAGO], "JIDs denied in the default list")


@BLOCKING.should(
    "5", says="Both protocols are over the same data: a change of the default privacy list is one of the block list."
)
def test_denied_jid_is_blocked(connect: Connect) -> None:
    alice = _user(connect)
    block(alice, ROMEO)
    item = f"<item type='jid' value='{IAGO}' action='deny' order='1'/>"
    _query(alice, "set", f"<list name='{_default(alice)}'>{item}</list>")
    require_equal(block_list(alice), [IAGO], "the block list")


@BLOCKING.should("5", says="Blocked JIDs come first in the privacy list.")
def test_blocked_jids_come_first(connect: Connect) -> None:
    alice = _user(connect)
    block(alice, ROMEO)
    name = _default(alice)
    others = "<item type='subscription' value='both' action='allow' order='7'/><item action='allow' order='9'/>"
    _query(alice, "set", f"<list name='{name}'>{others}</list>")
    block(alice, IAGO)
    items = _items(alice, name)
    require(items and _denied(items[:1]) == [IAGO], f"{IAGO} first", str([dict(item.attrib) for item in items]))


@BLOCKING.must_not("5", says="Resources of the user are not kept from each other, whatever is blocked.")
def test_own_resources_are_not_blocked(connect: Connect) -> None:
    account = connect.account()
    alice = user(connect, account=account)
    if not advertises(alice, alice.domain, PRIVACY):
        unsupported(PRIVACY)
    other = connect(account=account, label="other")
    for session in (alice, other):
        appear(session)
    alice.iq("set", f"<block xmlns='{NS['blocking']}'><item jid='{alice.bare_jid}'/></block>")
    identifier = new_id()
    other.send(written("message-chat", alice.jid, identifier))
    alice.expect(identifier, "a message of another own resource")
    alice.send(written("message-chat", other.jid, identifier))
    other.expect(
        lambda e: e.get("id") == identifier and e.get("type") != "error", "a message to another own resource"
    )
