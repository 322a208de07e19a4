"""RFC 6121 §3.4: a request approved before it comes. Who does without may; who advertises it does it right."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.plugin import Connect, Specification, impossible, require, require_equal, unsupported
from lab.wire.session import Session
from scenarios.server.rfc6121._playing import (
    ask,
    bring,
    is_presence,
    require_state,
    send,
    stanza,
    user,
)
from scenarios.server.rfc6121._roster import (
    PRE_APPROVAL,
    Item,
    added,
    entry,
    item_of,
    item_xml,
    push,
    pushed,
    removal,
    require_item,
    roster,
)
from scenarios.server.rfc6121._states import STATES

RFC = Specification("RFC 6121")


def _user(connect: Connect) -> Session:
    """A user whose server offers pre-approval; else the check is `unsupported`."""
    session = user(connect)
    if session.features is None or session.features.find(PRE_APPROVAL) is None:
        unsupported("the stream feature of pre-approval")
    return session


def _pre_approve(session: Session, contact: Session) -> None:
    """Approve what was not asked for. That the roster tells of it is a SHOULD (§2.1.2.1), and one check's matter."""
    send(session, "subscribed", contact.jid)
    session.sentinel()


def _is_answered(session: Session, contact: Session) -> None:
    """The contact asks, and the server must say yes in the user's name."""
    contact.send(stanza("subscribe", contact.jid, session.bare_jid))
    got = contact.expect(is_presence("subscribed", session.bare_jid), "the approval")
    require_equal((got.get("from"), got.get("to")), (session.bare_jid, contact.jid), "'from' and 'to'")
    contact.sentinel(session)  # the approval may go out before the roster is written
    require_equal(entry(session, contact.jid).subscription, "from", "the subscription")


@RFC.must("3.4", says="A server that heeds pre-approvals says so in its stream features.")
def test_pre_approval_is_offered(connect: Connect, contact: Session) -> None:
    alice = user(connect)
    _pre_approve(alice, contact)
    if entry(alice, contact.jid).subscription == "from":
        impossible("any approval makes a subscription; another check says that this is a fault (§A.2.3)")
    contact.send(stanza("subscribe", contact.jid, alice.bare_jid))
    contact.sentinel(alice)
    alice.sentinel(contact)
    heeded = entry(alice, contact.jid).subscription == "from"
    features = alice.features
    offered = features is not None and features.find(PRE_APPROVAL) is not None
    require(offered or not heeded, "the feature 'sub'", features)


@pytest.mark.parametrize("before", ["unknown", "none", "none-out", "to"])
@RFC.must("3.4.2", "A.2.3", says="A pre-approval keeps the state of the roster item, or makes one, and pushes it.")
def test_pre_approval_is_pushed(before: str, connect: Connect, contact: Session) -> None:
    alice = _user(connect)
    if before == "none":
        added(alice, item_xml(contact.jid, "Nurse"))
        pushed(alice, Item(contact.jid, "Nurse"))
    elif before != "unknown":
        bring(alice, contact, STATES[before])
        alice.inbox.clear()
    was = entry(alice, contact.jid)
    send(alice, "subscribed", contact.jid)
    item = item_of(push(alice, contact.jid)[0][0])
    require_item(replace(item, approved=False), was)
    alice.sentinel()
    require(contact.jid in roster(alice), "an item for the contact", "none")


@RFC.should("2.1.2.1", "3.4.2", says="The roster tells of a pre-approval: approved='true'.")
def test_roster_tells_of_a_pre_approval(connect: Connect, contact: Session) -> None:
    alice = _user(connect)
    _pre_approve(alice, contact)
    require(entry(alice, contact.jid).approved, "an item with approved='true'", str(entry(alice, contact.jid)))


@RFC.must("3.4.2", says="A request that was pre-approved is answered by the server: 'subscribed'.")
def test_pre_approved_request_is_answered(connect: Connect, contact: Session) -> None:
    alice = _user(connect)
    _pre_approve(alice, contact)
    _is_answered(alice, contact)


@RFC.must_not("3.4.2", says="A request that was pre-approved is not delivered to the user.")
def test_pre_approved_request_is_not_delivered(connect: Connect, contact: Session) -> None:
    alice = _user(connect)
    _pre_approve(alice, contact)
    contact.send(stanza("subscribe", contact.jid, alice.bare_jid))
    alice.expect_nothing(
        f"<presence type='subscribe' from='{contact.jid}' to='{alice.bare_jid}'/>",
        is_presence("subscribe", contact.jid),
        "request that was pre-approved",
        after=contact,
    )


@pytest.mark.parametrize("by", ["unsubscribed", "removal"])
@RFC.must("3.2.2", "3.4.2", says="A pre-approval is taken back by 'unsubscribed', or with the whole item.")
def test_pre_approval_is_taken_back(by: str, connect: Connect, contact: Session) -> None:
    alice = _user(connect)
    _pre_approve(alice, contact)
    if by == "removal":
        added(alice, removal(contact.jid))
    else:
        send(alice, "unsubscribed", contact.jid)
        alice.sentinel()
    require(not entry(alice, contact.jid).approved, "an item that is not approved", "one that is")
    contact.send(stanza("subscribe", contact.jid, alice.bare_jid))
    alice.expect(is_presence("subscribe", contact.jid), "the request, to be approved")
    require_state(alice, contact.jid, STATES["none"])


@pytest.mark.parametrize("before", ["none", "none-out", "to"])
@RFC.must_not("3.2.2", says="A pre-approval that is taken back is no matter of the contact's: nothing is routed.")
def test_pre_approval_is_taken_back_silently(before: str, connect: Connect, contact: Session) -> None:
    alice = _user(connect)
    bring(alice, contact, STATES[before])
    _pre_approve(alice, contact)
    send(alice, "unsubscribed", contact.jid)
    contact.expect_nothing(
        f"<presence type='unsubscribed' from='{alice.bare_jid}' to='{contact.jid}'/>",
        is_presence("unsubscribed", alice.bare_jid),
        "cancellation of a pre-approval",
        after=alice,
    )


@RFC.must_not(
    "4.3.2", says="A probe of whoever was pre-approved, but has not asked, leaves the pre-approval as it is."
)
def test_probe_leaves_a_pre_approval_alone(connect: Connect, contact: Session) -> None:
    alice = _user(connect)
    _pre_approve(alice, contact)
    contact.send(stanza("probe", contact.jid, alice.bare_jid))
    contact.sentinel(alice)
    _is_answered(alice, contact)


@RFC.must("3.4.2", "2.1.2.1", says="A pre-approval does not become a request of the user's own.")
def test_pre_approval_asks_for_nothing(connect: Connect, contact: Session) -> None:
    alice = _user(connect)
    _pre_approve(alice, contact)
    require_state(alice, contact.jid, STATES["none"])
    ask(alice, contact)
    require_state(alice, contact.jid, STATES["none-out"])
