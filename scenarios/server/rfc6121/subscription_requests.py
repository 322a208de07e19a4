"""RFC 6121 §3.1.1 to §3.1.4: requests for a subscription, going out and coming in, until they are answered.

What becomes of each stanza in each state is the matter of `subscription_states`.
"""

from __future__ import annotations

import pytest

from lab.plugin import Connect, Specification, require, require_equal, require_error
from lab.wire.namespaces import CLIENT
from lab.wire.session import Session, localname, new_id, parse
from scenarios.server._contacts import appear
from scenarios.server.rfc6120._stanzas import UNKNOWN, same
from scenarios.server.rfc6121._playing import (
    approved,
    ask,
    asks,
    bare,
    bring,
    is_presence,
    kept_request_of,
    request_of,
    send,
    stanza,
    two,
    user,
)
from scenarios.server.rfc6121._roster import (
    Item,
    added,
    entry,
    example,
    interested,
    is_push,
    item_xml,
    pushed,
    roster,
)
from scenarios.server.rfc6121._states import KINDS, STATES

RFC = Specification("RFC 6121")

REMOTE_WAIT = 15.0
"""Seconds for a server to find out that a domain cannot be reached: name servers are slow to give up."""


# --- requests going out (§3.1.2)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("claims", ["nothing", "full-jid"])
@RFC.must("3", "3.1.2", "3.1.5", "3.2.2", "3.3.2", says="What goes out bears the bare JID of the user, in 'from'.")
def test_bare_jid_is_stamped(claims: str, kind: str, connect: Connect, contact: Session) -> None:
    alice = user(connect)
    bring(alice, contact, STATES[{"subscribe": "none", "subscribed": "to-in"}.get(kind, "both")])
    claimed = f" from='{alice.jid}'" if claims == "full-jid" else ""
    alice.send(f"<presence type='{kind}' id='{new_id()}' to='{contact.jid}'{claimed}/>")
    got = contact.expect(
        lambda e: localname(e) == "presence" and e.get("type") == kind, f"the user's {kind!r} at the contact"
    )
    require_equal(got.get("from"), alice.bare_jid, "'from'")


@RFC.should("3.1.2", says="A request to a full JID is treated as one to the bare JID.")
def test_request_to_a_full_jid_goes_to_the_bare_jid(connect: Connect, contact: Session) -> None:
    alice = user(connect)
    send(alice, "subscribe", f"{contact.jid}/somewhere")
    got = contact.expect(is_presence("subscribe", alice.bare_jid), "the user's request")
    require_equal(got.get("to"), contact.jid, "'to'")
    require_equal(set(roster(alice)), {contact.jid}, "contacts on the roster")


@RFC.must("3.1.2", "2.2", says="A request that was sent is pushed to all interested resources, with ask='subscribe'.")
def test_request_is_pushed(connect: Connect, contact: Session) -> None:
    account = connect.account()
    alice, other = user(connect, account=account), interested(connect, account=account, label="other")
    ask(alice, contact)
    for session in (alice, other):
        pushed(session, Item(contact.jid, ask="subscribe"))


@RFC.should("2.1.2.2", says="The roster tells of a request that waits for its answer: ask='subscribe'.")
def test_roster_tells_of_a_pendingrequest_of(connect: Connect, contact: Session) -> None:
    alice = user(connect)
    ask(alice, contact)
    require_equal(entry(alice, contact.jid), Item(contact.jid, ask="subscribe"), "the item")


@pytest.mark.parametrize("first", ["roster-set", "request"])
@RFC.must("3.1.1", says="A roster set and a request to the same contact are processed in either order.")
def test_roster_set_and_request_in_either_order(first: str, connect: Connect, contact: Session) -> None:
    alice = user(connect)
    if first == "request":
        ask(alice, contact)
    added(alice, item_xml(contact.jid, "Nurse", ("Servants",)))
    if first == "roster-set":
        ask(alice, contact)
    wanted = Item(contact.jid, "Nurse", ("Servants",), ask="subscribe")
    require_equal(entry(alice, contact.jid), wanted, "the item")
    approved(alice, contact)
    contact.sentinel(alice)  # §3.1.6: delivered first, and noted then
    require_equal(
        entry(alice, contact.jid), Item(contact.jid, "Nurse", ("Servants",), subscription="to"), "the item at last"
    )


@RFC.must("3.1.2", "3.1.3", says="A request reaches the contact with all that it holds: words, and extensions.")
def test_request_is_sent_whole(connect: Connect, contact: Session) -> None:
    alice = user(connect)
    send(alice, "subscribe", contact.jid, f"<status>It is me</status>{UNKNOWN}")
    got = contact.expect(is_presence("subscribe", alice.bare_jid), "the user's request")
    require_equal(got.findtext("{*}status"), "It is me", "the status")
    require(any(same(child, parse(UNKNOWN)) for child in got), f"with {UNKNOWN}", got)


@RFC.must("3.1.2", says="A request that cannot be routed is answered by an error from the contact.")
def test_request_to_an_unreachable_domain_is_returned(connect: Connect) -> None:
    alice = user(connect)
    nobody = f"juliet@{new_id()}.invalid"
    identifier = send(alice, "subscribe", nobody)
    got = alice.expect(
        lambda e: localname(e) == "presence" and bare(e.get("from")) == nobody,
        "an error for the request",
        timeout=REMOTE_WAIT,
    )
    require_error(got)
    require_equal(got.get("id"), identifier, "'id'")


# --- requests coming in (§3.1.3)


@RFC.must_not("3.1.3", says="Nobody is subscribed without the contact's word.")
def test_request_is_not_approved_by_the_server(connect: Connect) -> None:
    alice, bob = user(connect, label="alice"), user(connect, label="bob")
    asks(bob, alice.bare_jid)
    request_of(alice, bob)
    bob.expect_nothing(
        f"<presence type='subscribed' from='{alice.bare_jid}' to='{bob.bare_jid}'/>",
        is_presence("subscribed", alice.bare_jid),
        "approval that nobody gave",
        after=alice,
    )
    require(entry(bob, alice.bare_jid).subscription == "none", "no subscription", "one that nobody approved")


@RFC.must_not("3.1.3", "11", says="Whoever asks is told nothing of the contact's resources before it approves.")
def test_request_tells_no_presence(connect: Connect) -> None:
    alice, bob = user(connect, label="alice"), user(connect, label="bob")
    asks(bob, alice.bare_jid)
    request_of(alice, bob)
    alice.send("<presence><show>away</show></presence>")
    bob.expect_nothing(
        f"<presence from='{alice.jid}' to='{bob.bare_jid}'/>",
        lambda e: localname(e) == "presence" and e.get("from") == alice.jid,
        "presence of a resource",
        after=alice,
    )


@RFC.must_not("3.1.3", says="A request that is not approved yet adds nothing to the contact's roster.")
def test_request_adds_no_item(connect: Connect) -> None:
    alice, bob = user(connect, label="alice"), user(connect, label="bob")
    asks(bob, alice.bare_jid)
    request_of(alice, bob)
    alice.expect_nothing(
        example(alice, bob.bare_jid),
        is_push(bob.bare_jid),
        "roster push for whoever asked",
        after=bob,
    )
    require(bob.bare_jid not in roster(alice), f"no item for {bob.bare_jid}", "an item")


@pytest.mark.parametrize("priority", ["zero", "negative"])
@RFC.must("3.1.3", says="A request is delivered to all available resources, whatever their priority.")
def test_request_is_delivered_to_all_available_resources(priority: str, connect: Connect) -> None:
    first, second = two(connect)
    bob = user(connect, label="bob")
    if priority == "negative":
        second.send("<presence><priority>-1</priority></presence>")
        second.sentinel()
    asks(bob, first.bare_jid)
    for session in (first, second):
        got = request_of(session, bob)
        require_equal(got.get("from"), bob.bare_jid, "'from'")
        require_equal(bare(got.get("to")), first.bare_jid, "'to'")
        bob.sentinel(session)
        require(not any(map(is_presence("subscribe", bob.bare_jid), session.inbox)), "the request once", "twice")


@RFC.should("3.1.3", says="A request to a full JID is treated as one to the bare JID: all resources get it.")
def test_inbound_request_to_a_full_jid_reaches_all_resources(connect: Connect, contact: Session) -> None:
    first, second = two(connect)
    contact.send(stanza("subscribe", contact.jid, first.jid))
    for session in (first, second):
        session.expect(is_presence("subscribe", contact.jid), "the request")


@RFC.must("3.1.3", says="A request that came while nobody was available is kept whole, and delivered then.")
def test_request_is_kept_whole_for_later(connect: Connect) -> None:
    account = connect.account()
    bob = user(connect, label="bob")
    asks(bob, account.jid, f"<status>It is me</status>{UNKNOWN}")
    alice = user(connect, account=account, label="alice")
    got = request_of(alice, bob)
    require_equal(got.get("from"), bob.bare_jid, "'from'")
    require_equal(got.findtext(f"{{{CLIENT}}}status"), "It is me", "the status")
    require(any(same(child, parse(UNKNOWN)) for child in got), f"with {UNKNOWN}", got)


@RFC.must("3.1.3", says="A request that came while nobody was available comes to each new available resource.")
def test_kept_request_comes_again(connect: Connect) -> None:
    account = connect.account()
    bob = user(connect, label="bob")
    asks(bob, account.jid)
    for label in ("first", "second"):
        request_of(user(connect, account=account, label=label), bob)


@RFC.must(
    "3.1.3", says="A request waits for a resource that is available: one that is only connected does not count."
)
def test_request_waits_for_presence(connect: Connect) -> None:
    account = connect.account()
    alice, bob = interested(connect, account=account), user(connect, label="bob")
    asks(bob, account.jid)
    appear(alice)
    request_of(alice, bob)


@pytest.mark.parametrize("answer", ["subscribed", "unsubscribed"])
@RFC.must("3.1.3", says="A request comes no more once it was approved or denied.")
def test_answered_request_comes_no_more(answer: str, connect: Connect) -> None:
    account = connect.account()
    bob = user(connect, label="bob")
    asks(bob, account.jid)
    alice = user(connect, account=account, label="alice")
    kept_request_of(alice, bob)
    send(alice, answer, bob.bare_jid)
    alice.sentinel()
    later = user(connect, account=account, label="later")
    later.expect_nothing(
        f"<presence type='subscribe' from='{bob.bare_jid}' to='{later.bare_jid}'/>",
        is_presence("subscribe", bob.bare_jid),
        "request that was answered",
    )


@RFC.must_not("3.1.3", says="Of several requests of one user, one is delivered when a resource becomes available.")
def test_repeated_request_is_delivered_once(connect: Connect) -> None:
    account = connect.account()
    bob = user(connect, label="bob")
    for _ in range(3):
        asks(bob, account.jid)
    alice = user(connect, account=account, label="alice")
    kept_request_of(alice, bob)
    alice.expect_nothing(
        f"<presence type='subscribe' from='{bob.bare_jid}' to='{alice.bare_jid}'/>",
        is_presence("subscribe", bob.bare_jid),
        "second request",
        after=bob,
    )


@RFC.must("3.1.3", says="Requests of several users are all kept.")
def test_requests_of_several_users_are_kept(connect: Connect) -> None:
    account = connect.account()
    askers = [user(connect, label=f"asker {number}") for number in range(3)]
    for asker in askers:
        asks(asker, account.jid)
    alice = user(connect, account=account, label="alice")
    for asker in askers:
        request_of(alice, asker)


@RFC.must(
    "3.1.3",
    "A.1",
    "12",
    says="A request is noted beside an item that the user made: the item stays, and can be approved.",
)
def test_request_leaves_an_item_of_the_users_alone(connect: Connect) -> None:
    alice, bob = user(connect, label="alice"), user(connect, label="bob")
    added(alice, item_xml(bob.bare_jid, "Bob", ("Friends",)))
    asks(bob, alice.bare_jid)
    request_of(alice, bob)
    wanted = Item(bob.bare_jid, "Bob", ("Friends",))
    require_equal(entry(alice, bob.bare_jid), wanted, "the item")
    send(alice, "subscribed", bob.bare_jid)
    bob.expect(is_presence("subscribed", alice.bare_jid), "the approval")
    require_equal(
        entry(alice, bob.bare_jid), Item(bob.bare_jid, "Bob", ("Friends",), subscription="from"), "the item then"
    )
