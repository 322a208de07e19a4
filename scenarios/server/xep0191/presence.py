"""XEP-0191 §3.3, §3.4, §4: blocking makes the user unavailable to a contact, and unblocking available again."""

from __future__ import annotations

import pytest

from lab.plugin import Connect, Specification, require, require_equal
from lab.wire.namespaces import CLIENT
from lab.wire.session import Session, localname
from scenarios.server._contacts import appear, subscribe
from scenarios.server.rfc6121._playing import is_presence
from scenarios.server.rfc6121._roster import entry
from scenarios.server.xep0191._blocking import block, friends, is_from, settle, unblock, user

BLOCKING = Specification("XEP-0191")


def _watched(connect: Connect, *, resources: int = 1) -> tuple[list[Session], Session]:
    """Available resources of a user, and a contact who sees each of them."""
    account = connect.account()
    alices = [user(connect, account=account, label=f"alice {number}") for number in range(resources)]
    bob = connect(label="bob")
    appear(bob)
    appear(alices[0])
    subscribe(bob, alices[0])
    for number, session in enumerate(alices):
        session.send(f"<presence><status>{number}</status></presence>")
        bob.expect(is_presence(None, session.jid), f"presence of {session.label}")
    alices[-1].sentinel(bob)
    bob.inbox.clear()
    return alices, bob


@pytest.mark.parametrize("form", ["bare", "full"])
@BLOCKING.must("3.3", says="When a contact is blocked who may see the user, unavailable presence is sent to it.")
def test_blocked_contact_sees_the_user_leave(form: str, connect: Connect) -> None:
    (alice,), bob = _watched(connect)
    block(alice, bob.jid if form == "full" else bob.bare_jid)
    bob.expect(is_presence("unavailable", alice.jid), "unavailable presence of the user who blocks")


@BLOCKING.must("3.3", says="Each available resource of the user leaves for the contact that is blocked.")
def test_blocked_contact_sees_each_resource_leave(connect: Connect) -> None:
    alices, bob = _watched(connect, resources=3)
    block(alices[1], bob.bare_jid)
    for session in alices:
        bob.expect(is_presence("unavailable", session.jid), f"unavailable presence of {session.label}")


@BLOCKING.must("3.3", says="Each of the contacts that are blocked at once is sent unavailable presence.")
def test_each_blocked_contact_sees_the_user_leave(connect: Connect) -> None:
    (alice,), bob = _watched(connect)
    carol = connect(label="carol")
    appear(carol)
    subscribe(carol, alice)
    carol.expect(is_presence(None, alice.jid), "the presence")
    block(alice, bob.bare_jid, carol.bare_jid)
    for session in (bob, carol):
        session.expect(is_presence("unavailable", alice.jid), f"unavailable presence to {session.label}")


def _not_told(session: Session, alice: Session, what: str) -> None:
    session.expect_nothing(
        f"<presence type='unavailable' from='{alice.jid}' to='{session.bare_jid}'/>", is_from("presence", alice), what
    )


@BLOCKING.must_not("3.3", says="Who may not see the user is sent nothing when it is blocked or unblocked.")
def test_blocked_stranger_is_told_nothing(connect: Connect) -> None:
    alice, bob = user(connect), connect(label="bob")
    appear(alice)
    appear(bob)
    block(alice, bob.bare_jid)
    unblock(alice, bob.bare_jid)
    settle(alice, bob)
    _not_told(bob, alice, "presence of a user that the stranger may not see")


@BLOCKING.must_not("3.3", says="Whom the user sees, but who may not see the user, is sent nothing.")
def test_blocked_one_way_contact_is_told_nothing(connect: Connect) -> None:
    alice, bob = user(connect), connect(label="bob")
    appear(alice)
    appear(bob)
    subscribe(alice, bob)
    settle(alice, bob)
    bob.inbox.clear()
    block(alice, bob.bare_jid)
    unblock(alice, bob.bare_jid)
    settle(alice, bob)
    _not_told(bob, alice, "presence of a user that this contact may not see")


@BLOCKING.must_not("3.3", says="Blocking a contact is not shown to the others.")
def test_other_contacts_see_nothing(connect: Connect) -> None:
    (alice,), bob = _watched(connect)
    carol = connect(label="carol")
    appear(carol)
    subscribe(carol, alice)
    carol.expect(is_presence(None, alice.jid), "the presence")
    alice.sentinel(carol)
    carol.inbox.clear()
    block(alice, bob.bare_jid)
    alice.sentinel(carol)
    _not_told(carol, alice, "presence to another contact")


@pytest.mark.parametrize("form", ["bare", "full"])
@BLOCKING.must(
    "3.4", says="When a contact is unblocked who may see the user, the user's current presence is sent to it."
)
def test_unblocked_contact_sees_the_user_again(form: str, connect: Connect) -> None:
    (alice,), bob = _watched(connect)
    jid = bob.jid if form == "full" else bob.bare_jid
    block(alice, jid)
    alice.send("<presence><show>dnd</show></presence>")
    settle(alice, bob)
    bob.inbox.clear()
    unblock(alice, jid)
    presence = bob.expect(is_presence(None, alice.jid), "the presence of the user who unblocks")
    require_equal(presence.findtext(f"{{{CLIENT}}}show"), "dnd", "<show/>")


@BLOCKING.must("3.4", says="The presence of each of the user's resources is sent to a contact that is unblocked.")
def test_unblocked_contact_sees_each_resource_again(connect: Connect) -> None:
    alices, bob = _watched(connect, resources=3)
    block(alices[1], bob.bare_jid)
    settle(alices[1], bob)
    bob.inbox.clear()
    unblock(alices[1], bob.bare_jid)
    for session in alices:
        bob.expect(is_presence(None, session.jid), f"presence of {session.label}")


@BLOCKING.must_not("3.4", says="A user who is not available does not become so for a contact that is unblocked.")
def test_unblocked_contact_does_not_see_the_absent(connect: Connect) -> None:
    (alice,), bob = _watched(connect)
    alice.send("<presence type='unavailable'/>")
    bob.expect(is_presence("unavailable", alice.jid), "unavailable presence")
    block(alice, bob.bare_jid)
    unblock(alice, bob.bare_jid)
    bob.expect_nothing(
        f"<presence from='{alice.jid}' to='{bob.bare_jid}'/>",
        is_presence(None, alice.bare_jid),
        "available presence of a user who is not",
        after=alice,
    )


@BLOCKING.should("4", says="Blocking is polite: the subscriptions between user and contact stay as they are.")
def test_subscriptions_stay(connect: Connect) -> None:
    alice, bob = friends(connect)
    block(alice, bob.bare_jid)
    settle(alice, bob)
    for one, other in ((alice, bob), (bob, alice)):
        require_equal(
            entry(one, other.bare_jid).subscription, "both", f"the subscription in the roster of {one.label}"
        )


@BLOCKING.should_not("4", says="Blocking is polite: a message that tells of it is not sent.")
def test_contact_is_not_told_of_the_block(connect: Connect) -> None:
    alice, bob = friends(connect)
    block(alice, bob.bare_jid)
    settle(alice, bob)
    bob.expect_nothing(
        f"<message from='{alice.bare_jid}' to='{bob.jid}'><body>You are blocked</body></message>",
        lambda e: localname(e) == "message",
        "message that tells of the block",
    )
    require(
        not any(e.get("type") in {"unsubscribe", "unsubscribed"} for e in bob.inbox),
        "no end of a subscription",
        "one",
    )
