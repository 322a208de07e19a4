"""RFC 6121 §3.1.5 to §3.3: subscriptions approved, cancelled and given up, as several resources see it.

What becomes of each stanza in each state is the matter of `subscription_states`; here it is who is told, of what, and
in which order.
"""

from __future__ import annotations

import pytest

from lab.errors import PeerError
from lab.plugin import Connect, Specification, premise, require, require_equal
from lab.wire.session import Matches, Session, localname, new_id, parse
from lab.wire.stream import Element
from scenarios.server._contacts import subscribe
from scenarios.server.rfc6120._stanzas import UNKNOWN, same
from scenarios.server.rfc6121._playing import (
    approve,
    approved,
    ask,
    asked,
    asks,
    bare,
    bring,
    has_request,
    is_presence,
    request_of,
    require_state,
    send,
    stanza,
    two,
    user,
)
from scenarios.server.rfc6121._roster import (
    Item,
    change,
    interested,
    is_push,
    item_of,
    push,
    pushed,
    removal,
    roster,
)
from scenarios.server.rfc6121._states import STATES

RFC = Specification("RFC 6121")


def _with_another(connect: Connect) -> tuple[Session, Session]:
    """A user, and another session of the account that is interested in the roster, and not available."""
    account = connect.account()
    return user(connect, account=account), interested(connect, account=account, label="other")


def _in_order(session: Session, first: Matches, then: Matches, what: str) -> None:
    """The check fails unless both came to the session, and `first` before `then`."""
    came: list[str] = []

    def note(element: Element) -> bool:
        if first(element) or then(element):
            came.append(f"a {localname(element)} of type {element.get('type')}")
        return first(element)

    try:
        session.expect(note, what)
    except PeerError as error:
        error.expected = f"{what}, at {session.label}"
        error.seen = f"only {came[0]}" if came else error.seen
        raise
    require(len(came) == 1, f"{what}, at {session.label}", ", then ".join(came))
    session.expect(then, what)


# --- approval (§3.1.5, §3.1.6)


@RFC.must(
    "3.1.5", "2.2", says="An approval is pushed to all interested resources of who gave it: subscription 'from'."
)
def test_approval_is_pushed_to_who_gave_it(connect: Connect, contact: Session) -> None:
    alice, other = _with_another(connect)
    asked(alice, contact)
    approve(alice, contact)
    for session in (alice, other):
        pushed(session, Item(contact.jid, subscription="from"))


@RFC.must("3.1.5", says="Behind an approval the current presence of each available resource is sent.")
def test_approval_is_followed_by_presence(connect: Connect, contact: Session) -> None:
    first, second = two(connect)
    first.send(f"<presence><show>away</show><status>Out</status><priority>3</priority>{UNKNOWN}</presence>")
    first.sentinel()
    asked(first, contact)
    approve(first, contact)
    shown = {s.jid: contact.expect(is_presence(None, s.jid), f"presence of {s.jid}") for s in (first, second)}
    got = shown[first.jid]
    require_equal([got.findtext(f"{{*}}{name}") for name in ("show", "status")], ["away", "Out"], "what it says")
    require(any(same(child, parse(UNKNOWN)) for child in got), f"with {UNKNOWN}", got)
    require(shown[second.jid].find("{*}show") is None, "the second resource's own presence", shown[second.jid])
    for one in shown.values():
        require_equal(bare(one.get("to")), contact.jid, "'to'")


@RFC.must("3.1.6", "2.2", says="An approval is delivered to all interested resources, and then pushed to them.")
def test_approval_is_delivered_before_the_push(connect: Connect, contact: Session) -> None:
    alice, other = _with_another(connect)
    ask(alice, contact)
    for session in (alice, other):
        pushed(session, Item(contact.jid, ask="subscribe"))
    contact.send(stanza("subscribed", contact.jid, alice.bare_jid))
    told = is_presence("subscribed", contact.jid)
    for session in (alice, other):
        _in_order(session, told, is_push(contact.jid), "the approval, and then the roster push")
        require_state(session, contact.jid, STATES["to"])


@pytest.mark.parametrize("before", ["none-out", "from-out"])
@RFC.must("3.1.6", says="The push behind an approval has the subscription 'to', or 'both' where it was 'from'.")
def test_approval_is_pushed_to_who_asked(before: str, connect: Connect, contact: Session) -> None:
    alice = user(connect)
    bring(alice, contact, STATES[before])
    approved(alice, contact)
    pushed(alice, Item(contact.jid, subscription="both" if before == "from-out" else "to"))


@RFC.must(
    "3.1.6", "4.2.3", says="Behind the approval, presence of the contact's resources comes to all available ones."
)
def test_presence_comes_behind_the_approval(connect: Connect) -> None:
    first, second = two(connect)
    contacts = two(connect)
    asks(first, contacts[0].bare_jid)
    request_of(contacts[0], first)
    send(contacts[0], "subscribed", first.bare_jid)
    for session in (first, second):
        for contact in contacts:
            session.expect(is_presence(None, contact.jid), f"presence of {contact.jid}")


# --- cancelling (§3.2)


@pytest.mark.parametrize("before", ["from", "both"])
@RFC.must("3.2.2", says="Who is cancelled is told that each resource is unavailable, and then of the cancellation.")
def test_cancellation_follows_unavailable_presence(before: str, connect: Connect, contact: Session) -> None:
    first, second = two(connect)
    bring(first, contact, STATES[before])
    first.send(f"<presence type='unsubscribed' id='{new_id()}' to='{contact.jid}'/>")
    told: list[tuple[str | None, str | None]] = []

    def note(element: Element) -> bool:
        if localname(element) == "presence":
            told.append((element.get("type"), element.get("from")))
        return element.get("type") == "unsubscribed"

    got = contact.expect(note, "the cancellation")
    require_equal(got.get("from"), first.bare_jid, "'from'")
    wanted = {("unavailable", first.jid), ("unavailable", second.jid)}
    require_equal(set(told[:-1]) & wanted, wanted, "unavailable presence before the cancellation")


@pytest.mark.parametrize("before", ["from", "both"])
@RFC.must("3.2.2", "2.2", says="A cancellation is pushed to all interested resources: 'none', or 'to'.")
def test_cancellation_is_pushed_to_who_cancelled(before: str, connect: Connect, contact: Session) -> None:
    alice, other = _with_another(connect)
    bring(alice, contact, STATES[before])
    alice.sentinel(other)
    other.inbox.clear()
    send(alice, "unsubscribed", contact.jid)
    for session in (alice, other):
        pushed(session, Item(contact.jid, subscription="to" if before == "both" else "none"))


@pytest.mark.parametrize("before", ["none", "none-out", "to"])
@RFC.must_not("3.2.2", "11", says="Who was never subscribed is not told of resources by a cancellation.")
def test_cancellation_of_nothing_tells_no_presence(before: str, connect: Connect, contact: Session) -> None:
    alice = user(connect)
    bring(alice, contact, STATES[before])
    send(alice, "unsubscribed", contact.jid)
    contact.expect_nothing(
        f"<presence type='unavailable' from='{alice.jid}' to='{contact.jid}'/>",
        lambda e: localname(e) == "presence" and e.get("from") == alice.jid,
        "presence for whoever is not subscribed",
        after=alice,
    )


@RFC.must("3.2.2", "4.5.2", "11", says="Who was cancelled is told no more of the user's presence.")
def test_cancelled_contact_is_told_no_more(connect: Connect, contact: Session) -> None:
    alice = user(connect)
    bring(alice, contact, STATES["from"])
    send(alice, "unsubscribed", contact.jid)
    contact.expect(is_presence("unsubscribed", alice.bare_jid), "the cancellation")
    alice.sentinel(contact)
    contact.inbox.clear()
    alice.send("<presence><show>away</show></presence>")
    contact.expect_nothing(
        f"<presence from='{alice.jid}' to='{contact.jid}'/>",
        is_presence(None, alice.jid),
        "presence for a former contact",
        after=alice,
    )


@pytest.mark.parametrize("before", ["to", "both"])
@RFC.must("3.2.3", "2.2", says="A cancellation is delivered to all interested resources, and then pushed to them.")
def test_cancellation_is_delivered_before_the_push(before: str, connect: Connect, contact: Session) -> None:
    alice, other = _with_another(connect)
    bring(alice, contact, STATES[before])
    contact.sentinel(other)
    other.inbox.clear()
    contact.send(stanza("unsubscribed", contact.jid, alice.bare_jid))
    told = is_presence("unsubscribed", contact.jid)
    for session in (alice, other):
        _in_order(session, told, is_push(contact.jid), "the cancellation, and then the roster push")
        require_state(session, contact.jid, STATES["from" if before == "both" else "none"])


@RFC.must("3.2.3", says="Behind a cancellation the contact's resources are told to be unavailable.")
def test_cancellation_makes_resources_unavailable(connect: Connect) -> None:
    alice, bob = user(connect, label="alice"), user(connect, label="bob")
    subscribe(alice, bob)
    premise(
        lambda: alice.expect(is_presence(None, bob.jid)),
        "no presence comes behind the approval; another check says whether that is a fault",
    )
    send(bob, "unsubscribed", alice.bare_jid)
    alice.expect(is_presence("unavailable", bob.jid), f"unavailable presence of {bob.jid}")
    alice.expect(is_presence("unsubscribed", bob.bare_jid), "the cancellation")


# --- unsubscribing (§3.3)


@pytest.mark.parametrize("before", ["to", "both"])
@RFC.must(
    "3.3.2", "2.2", says="An unsubscribe is pushed to all interested resources of who sent it: 'none', or 'from'."
)
def test_unsubscribe_is_pushed_to_who_sent_it(before: str, connect: Connect, contact: Session) -> None:
    alice, other = _with_another(connect)
    bring(alice, contact, STATES[before])
    alice.sentinel(other)
    other.inbox.clear()
    send(alice, "unsubscribe", contact.jid)
    for session in (alice, other):
        pushed(session, Item(contact.jid, subscription="from" if before == "both" else "none"))


@pytest.mark.parametrize("before", ["from", "from-out", "both"])
@RFC.must("3.3.3", "2.2", says="An unsubscribe is delivered to all interested resources, and then pushed to them.")
def test_unsubscribe_is_delivered_before_the_push(before: str, connect: Connect, contact: Session) -> None:
    alice, other = _with_another(connect)
    bring(alice, contact, STATES[before])
    contact.sentinel(other)
    other.inbox.clear()
    contact.send(stanza("unsubscribe", contact.jid, alice.bare_jid))
    told = is_presence("unsubscribe", contact.jid)
    after = {"from": "none", "from-out": "none-out", "both": "to"}[before]
    for session in (alice, other):
        _in_order(session, told, is_push(contact.jid), "the unsubscribe, and then the roster push")
        require_state(session, contact.jid, STATES[after])


@RFC.must("3.3.3", says="Who unsubscribed is told that each of the contact's resources is unavailable.")
def test_unsubscribe_is_answered_by_unavailable_presence(connect: Connect, contact: Session) -> None:
    first, second = two(connect)
    bring(first, contact, STATES["from"])
    contact.send(stanza("unsubscribe", contact.jid, first.bare_jid))
    for session in (first, second):
        contact.expect(is_presence("unavailable", session.jid), f"unavailable presence of {session.jid}")


@RFC.must("3.3.3", says="A request that is taken back before it was answered is forgotten.")
def test_request_taken_back_is_forgotten(connect: Connect) -> None:
    account = connect.account()
    bob = user(connect, label="bob")
    asks(bob, account.jid)
    send(bob, "unsubscribe", account.jid)
    bob.sentinel()
    alice = user(connect, account=account, label="alice")
    alice.expect_nothing(
        f"<presence type='subscribe' from='{bob.bare_jid}' to='{alice.bare_jid}'/>",
        is_presence("subscribe", bob.bare_jid),
        "request that was taken back",
    )
    require(not has_request(alice, bob.bare_jid), "no request to approve", "one")


# --- removing an item (§2.5.2)

REMOVED = {"to": ("unsubscribe",), "from": ("unsubscribed",), "both": ("unsubscribe", "unsubscribed")}


@pytest.mark.parametrize("before", REMOVED)
@RFC.must("2.5.2", says="The removal of a contact ends each subscription that there is, and the contact is told.")
def test_removal_ends_subscriptions(before: str, connect: Connect, contact: Session) -> None:
    alice = user(connect)
    bring(alice, contact, STATES[before])
    change(alice, removal(contact.jid))
    for kind in REMOVED[before]:
        got = contact.expect(is_presence(kind, alice.bare_jid), f"{kind!r} for the user")
        require_equal(got.get("to"), contact.jid, "'to'")
    stanza_ = push(alice, contact.jid)
    require_equal(item_of(stanza_[0][0]).subscription, "remove", "the subscription pushed")
    require(contact.jid not in roster(alice), "no item", "an item")


@RFC.must("3", "2.5.2", says="What a removal sends to the contact bears the bare JID of the user, in 'from'.")
def test_removal_bears_the_bare_jid(connect: Connect, contact: Session) -> None:
    alice = user(connect)
    bring(alice, contact, STATES["both"])
    change(alice, removal(contact.jid))
    for kind in REMOVED["both"]:
        got = contact.expect(is_presence(kind, alice.bare_jid), f"{kind!r} for the user")
        require_equal(got.get("from"), alice.bare_jid, "'from'")


@RFC.must("2.5.2", "3.2.3", "3.3.3", says="A contact on the same server loses what it had when it is removed.")
def test_removal_changes_the_local_contacts_roster(connect: Connect) -> None:
    alice, bob = user(connect, label="alice"), user(connect, label="bob")
    subscribe(alice, bob)
    subscribe(bob, alice)
    change(alice, removal(bob.bare_jid))
    for kind in ("unsubscribe", "unsubscribed"):
        bob.expect(is_presence(kind, alice.bare_jid), f"{kind!r} of {alice.bare_jid}")
    require_state(bob, alice.bare_jid, STATES["none"])
