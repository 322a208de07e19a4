"""RFC 6121 §3.1 to §3.3: subscriptions asked for, approved, cancelled and given up, as several resources see it.

What becomes of each stanza in each state is the matter of `subscription_states`; here it is who is told, of what, and
in which order.
"""

from __future__ import annotations

import pytest

from lab.cell import Account
from lab.errors import PeerError
from lab.plugin import Connect, Specification, require, require_equal, require_error
from lab.wire.namespaces import CLIENT
from lab.wire.session import Matches, Session, localname, new_id, parse
from lab.wire.stream import Element
from scenarios.server._contacts import appear, subscribe
from scenarios.server.rfc6120._stanzas import UNKNOWN, same
from scenarios.server.rfc6121._playing import (
    approve,
    approved,
    ask,
    asked,
    bare,
    bring,
    has_request,
    is_presence,
    require_state,
    send,
    stanza,
    user,
)
from scenarios.server.rfc6121._roster import (
    Item,
    added,
    change,
    entry,
    example,
    interested,
    is_push,
    item_of,
    item_xml,
    push,
    pushed,
    removal,
    roster,
)
from scenarios.server.rfc6121._states import KINDS, STATES

RFC = Specification("RFC 6121")

REMOTE_WAIT = 15.0
"""Seconds for a server to find out that a domain cannot be reached: name servers are slow to give up."""

with_component = pytest.mark.xdist_group("component")


def _two(connect: Connect, account: Account | None = None) -> tuple[Session, Session]:
    """Two sessions of one account that are told everything: available, and interested."""
    account = account or connect.account()
    return user(connect, account=account, label="first"), user(connect, account=account, label="second")


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


# --- requests going out (§3.1.2)


@with_component
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("claims", ["nothing", "full-jid"])
@RFC.must("3", "3.1.2", "3.1.5", "3.2.2", "3.3.2", says="What goes out bears the bare JID of the user, in 'from'.")
def test_bare_jid_is_stamped(claims: str, kind: str, connect: Connect, contact: Session) -> None:
    alice = user(connect)
    bring(alice, contact, STATES["to+in" if kind in {"subscribed", "subscribe"} else "both"])
    claimed = f" from='{alice.jid}'" if claims == "full-jid" else ""
    alice.send(f"<presence type='{kind}' id='{new_id()}' to='{contact.jid}'{claimed}/>")
    got = contact.expect(
        lambda e: localname(e) == "presence" and e.get("type") == kind, f"the user's {kind!r} at the contact"
    )
    require_equal(got.get("from"), alice.bare_jid, "'from'")


@with_component
@RFC.should("3.1.2", says="A request to a full JID is treated as one to the bare JID.")
def test_request_to_a_full_jid_goes_to_the_bare_jid(connect: Connect, contact: Session) -> None:
    alice = user(connect)
    send(alice, "subscribe", f"{contact.jid}/somewhere")
    got = contact.expect(is_presence("subscribe", alice.bare_jid), "the user's request")
    require_equal(got.get("to"), contact.jid, "'to'")
    require_equal(set(roster(alice)), {contact.jid}, "contacts on the roster")


@with_component
@RFC.must("3.1.2", "2.2", says="A request that was sent is pushed to all interested resources, with ask='subscribe'.")
def test_request_is_pushed(connect: Connect, contact: Session) -> None:
    account = connect.account()
    alice, other = user(connect, account=account), interested(connect, account=account, label="other")
    ask(alice, contact)
    for session in (alice, other):
        pushed(session, Item(contact.jid, ask="subscribe"))


@with_component
@RFC.should("2.1.2.2", says="The roster tells of a request that waits for its answer: ask='subscribe'.")
def test_roster_tells_of_a_pending_request(connect: Connect, contact: Session) -> None:
    alice = user(connect)
    ask(alice, contact)
    require_equal(entry(alice, contact.jid), Item(contact.jid, ask="subscribe"), "the item")


@with_component
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
    require_equal(
        entry(alice, contact.jid), Item(contact.jid, "Nurse", ("Servants",), subscription="to"), "the item at last"
    )


@with_component
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


def _request(session: Session, sender: Session) -> Element:
    return session.expect(is_presence("subscribe", sender.bare_jid), f"the request of {sender.bare_jid}")


def _asks(bob: Session, alice_jid: str, content: str = "") -> str:
    """Somebody asks, and the server has taken it in."""
    identifier = send(bob, "subscribe", alice_jid, content)
    bob.sentinel()
    return identifier


@RFC.must_not("3.1.3", says="Nobody is subscribed without the contact's word.")
def test_request_is_not_approved_by_the_server(connect: Connect) -> None:
    alice, bob = user(connect, label="alice"), user(connect, label="bob")
    _asks(bob, alice.bare_jid)
    _request(alice, bob)
    bob.expect_nothing(
        f"<presence type='subscribed' from='{alice.bare_jid}' to='{bob.bare_jid}'/>",
        is_presence("subscribed", alice.bare_jid),
        "approval that nobody gave",
        after=alice,
    )
    require_state(bob, alice.bare_jid, STATES["none+out"])


@RFC.must_not("3.1.3", "11", says="Whoever asks is told nothing of the contact's resources before it approves.")
def test_request_tells_no_presence(connect: Connect) -> None:
    alice, bob = user(connect, label="alice"), user(connect, label="bob")
    _asks(bob, alice.bare_jid)
    _request(alice, bob)
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
    _asks(bob, alice.bare_jid)
    _request(alice, bob)
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
    first, second = _two(connect)
    bob = user(connect, label="bob")
    if priority == "negative":
        second.send("<presence><priority>-1</priority></presence>")
        second.sentinel()
    _asks(bob, first.bare_jid)
    for session in (first, second):
        got = _request(session, bob)
        require_equal(got.get("from"), bob.bare_jid, "'from'")
        require_equal(bare(got.get("to")), first.bare_jid, "'to'")
        bob.sentinel(session)
        require(not any(map(is_presence("subscribe", bob.bare_jid), session.inbox)), "the request once", "twice")


@with_component
@RFC.should("3.1.3", says="A request to a full JID is treated as one to the bare JID: all resources get it.")
def test_inbound_request_to_a_full_jid_reaches_all_resources(connect: Connect, contact: Session) -> None:
    first, second = _two(connect)
    contact.send(stanza("subscribe", contact.jid, first.jid))
    for session in (first, second):
        session.expect(is_presence("subscribe", contact.jid), "the request")


@RFC.must("3.1.3", says="A request that came while nobody was available is kept whole, and delivered then.")
def test_request_is_kept_whole_for_later(connect: Connect) -> None:
    account = connect.account()
    bob = user(connect, label="bob")
    _asks(bob, account.jid, f"<status>It is me</status>{UNKNOWN}")
    alice = user(connect, account=account, label="alice")
    got = _request(alice, bob)
    require_equal(got.get("from"), bob.bare_jid, "'from'")
    require_equal(got.findtext(f"{{{CLIENT}}}status"), "It is me", "the status")
    require(any(same(child, parse(UNKNOWN)) for child in got), f"with {UNKNOWN}", got)


@RFC.must("3.1.3", says="A request that came while nobody was available comes to each new available resource.")
def test_kept_request_comes_again(connect: Connect) -> None:
    account = connect.account()
    bob = user(connect, label="bob")
    _asks(bob, account.jid)
    for label in ("first", "second"):
        _request(user(connect, account=account, label=label), bob)


@RFC.must(
    "3.1.3", says="A request waits for a resource that is available: one that is only connected does not count."
)
def test_request_waits_for_presence(connect: Connect) -> None:
    account = connect.account()
    alice, bob = interested(connect, account=account), user(connect, label="bob")
    _asks(bob, account.jid)
    appear(alice)
    _request(alice, bob)


@pytest.mark.parametrize("answer", ["subscribed", "unsubscribed"])
@RFC.must("3.1.3", says="A request comes no more once it was approved or denied.")
def test_answered_request_comes_no_more(answer: str, connect: Connect) -> None:
    account = connect.account()
    bob = user(connect, label="bob")
    _asks(bob, account.jid)
    alice = user(connect, account=account, label="alice")
    _request(alice, bob)
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
        _asks(bob, account.jid)
    alice = user(connect, account=account, label="alice")
    _request(alice, bob)
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
        _asks(asker, account.jid)
    alice = user(connect, account=account, label="alice")
    for asker in askers:
        _request(alice, asker)


@RFC.must(
    "3.1.3", "12", says="A request is noted beside an item that the user made: the item stays, and can be approved."
)
def test_request_leaves_an_item_of_the_users_alone(connect: Connect) -> None:
    alice, bob = user(connect, label="alice"), user(connect, label="bob")
    added(alice, item_xml(bob.bare_jid, "Bob", ("Friends",)))
    _asks(bob, alice.bare_jid)
    _request(alice, bob)
    wanted = Item(bob.bare_jid, "Bob", ("Friends",))
    require_equal(entry(alice, bob.bare_jid), wanted, "the item")
    send(alice, "subscribed", bob.bare_jid)
    bob.expect(is_presence("subscribed", alice.bare_jid), "the approval")
    require_equal(
        entry(alice, bob.bare_jid), Item(bob.bare_jid, "Bob", ("Friends",), subscription="from"), "the item then"
    )


# --- approval (§3.1.5, §3.1.6)


@with_component
@RFC.must(
    "3.1.5", "2.2", says="An approval is pushed to all interested resources of who gave it: subscription 'from'."
)
def test_approval_is_pushed_to_who_gave_it(connect: Connect, contact: Session) -> None:
    account = connect.account()
    alice, other = user(connect, account=account), interested(connect, account=account, label="other")
    asked(alice, contact)
    approve(alice, contact)
    for session in (alice, other):
        pushed(session, Item(contact.jid, subscription="from"))


@with_component
@RFC.must("3.1.5", says="Behind an approval the current presence of each available resource is sent.")
def test_approval_is_followed_by_presence(connect: Connect, contact: Session) -> None:
    first, second = _two(connect)
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


@with_component
@RFC.must("3.1.6", "2.2", says="An approval is delivered to all interested resources, and then pushed to them.")
def test_approval_is_delivered_before_the_push(connect: Connect, contact: Session) -> None:
    account = connect.account()
    alice, other = user(connect, account=account), interested(connect, account=account, label="other")
    ask(alice, contact)
    for session in (alice, other):
        pushed(session, Item(contact.jid, ask="subscribe"))
    contact.send(stanza("subscribed", contact.jid, alice.bare_jid))
    told = is_presence("subscribed", contact.jid)
    for session in (alice, other):
        _in_order(session, told, is_push(contact.jid), "the approval, and then the roster push")
        require_state(session, contact.jid, STATES["to"])


@with_component
@pytest.mark.parametrize("before", ["none+out", "from+out"])
@RFC.must("3.1.6", says="The push behind an approval has the subscription 'to', or 'both' where it was 'from'.")
def test_approval_is_pushed_to_who_asked(before: str, connect: Connect, contact: Session) -> None:
    alice = user(connect)
    bring(alice, contact, STATES[before])
    approved(alice, contact)
    pushed(alice, Item(contact.jid, subscription="both" if before == "from+out" else "to"))


@RFC.must(
    "3.1.6", "4.2.3", says="Behind the approval, presence of the contact's resources comes to all available ones."
)
def test_presence_comes_behind_the_approval(connect: Connect) -> None:
    first, second = _two(connect)
    contacts = _two(connect)
    _asks(first, contacts[0].bare_jid)
    _request(contacts[0], first)
    send(contacts[0], "subscribed", first.bare_jid)
    for session in (first, second):
        for contact in contacts:
            session.expect(is_presence(None, contact.jid), f"presence of {contact.jid}")


# --- cancelling (§3.2)


@with_component
@pytest.mark.parametrize("before", ["from", "both"])
@RFC.must("3.2.2", says="Who is cancelled is told that each resource is unavailable, and then of the cancellation.")
def test_cancellation_follows_unavailable_presence(before: str, connect: Connect, contact: Session) -> None:
    first, second = _two(connect)
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


@with_component
@pytest.mark.parametrize("before", ["from", "both"])
@RFC.must("3.2.2", "2.2", says="A cancellation is pushed to all interested resources: 'none', or 'to'.")
def test_cancellation_is_pushed_to_who_cancelled(before: str, connect: Connect, contact: Session) -> None:
    account = connect.account()
    alice, other = user(connect, account=account), interested(connect, account=account, label="other")
    bring(alice, contact, STATES[before])
    alice.sentinel(other)
    other.inbox.clear()
    send(alice, "unsubscribed", contact.jid)
    for session in (alice, other):
        pushed(session, Item(contact.jid, subscription="to" if before == "both" else "none"))


@with_component
@pytest.mark.parametrize("before", ["none", "none+out", "to"])
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


@with_component
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


@with_component
@pytest.mark.parametrize("before", ["to", "both"])
@RFC.must("3.2.3", "2.2", says="A cancellation is delivered to all interested resources, and then pushed to them.")
def test_cancellation_is_delivered_before_the_push(before: str, connect: Connect, contact: Session) -> None:
    account = connect.account()
    alice, other = user(connect, account=account), interested(connect, account=account, label="other")
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
    alice.expect(is_presence(None, bob.jid), "presence of the contact")
    send(bob, "unsubscribed", alice.bare_jid)
    alice.expect(is_presence("unavailable", bob.jid), f"unavailable presence of {bob.jid}")
    alice.expect(is_presence("unsubscribed", bob.bare_jid), "the cancellation")


# --- unsubscribing (§3.3)


@with_component
@pytest.mark.parametrize("before", ["to", "both"])
@RFC.must(
    "3.3.2", "2.2", says="An unsubscribe is pushed to all interested resources of who sent it: 'none', or 'from'."
)
def test_unsubscribe_is_pushed_to_who_sent_it(before: str, connect: Connect, contact: Session) -> None:
    account = connect.account()
    alice, other = user(connect, account=account), interested(connect, account=account, label="other")
    bring(alice, contact, STATES[before])
    alice.sentinel(other)
    other.inbox.clear()
    send(alice, "unsubscribe", contact.jid)
    for session in (alice, other):
        pushed(session, Item(contact.jid, subscription="from" if before == "both" else "none"))


@with_component
@pytest.mark.parametrize("before", ["from", "from+out", "both"])
@RFC.must("3.3.3", "2.2", says="An unsubscribe is delivered to all interested resources, and then pushed to them.")
def test_unsubscribe_is_delivered_before_the_push(before: str, connect: Connect, contact: Session) -> None:
    account = connect.account()
    alice, other = user(connect, account=account), interested(connect, account=account, label="other")
    bring(alice, contact, STATES[before])
    contact.sentinel(other)
    other.inbox.clear()
    contact.send(stanza("unsubscribe", contact.jid, alice.bare_jid))
    told = is_presence("unsubscribe", contact.jid)
    after = {"from": "none", "from+out": "none+out", "both": "to"}[before]
    for session in (alice, other):
        _in_order(session, told, is_push(contact.jid), "the unsubscribe, and then the roster push")
        require_state(session, contact.jid, STATES[after])


@with_component
@RFC.must("3.3.3", says="Who unsubscribed is told that each of the contact's resources is unavailable.")
def test_unsubscribe_is_answered_by_unavailable_presence(connect: Connect, contact: Session) -> None:
    first, second = _two(connect)
    bring(first, contact, STATES["from"])
    contact.send(stanza("unsubscribe", contact.jid, first.bare_jid))
    for session in (first, second):
        contact.expect(is_presence("unavailable", session.jid), f"unavailable presence of {session.jid}")


@RFC.must("3.3.3", says="A request that is taken back before it was answered is forgotten.")
def test_request_taken_back_is_forgotten(connect: Connect) -> None:
    account = connect.account()
    bob = user(connect, label="bob")
    _asks(bob, account.jid)
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


@with_component
@pytest.mark.parametrize("before", REMOVED)
@RFC.must("2.5.2", says="The removal of a contact ends each subscription that there is, and the contact is told.")
def test_removal_ends_subscriptions(before: str, connect: Connect, contact: Session) -> None:
    alice = user(connect)
    bring(alice, contact, STATES[before])
    change(alice, removal(contact.jid))
    for kind in REMOVED[before]:
        got = contact.expect(is_presence(kind, alice.bare_jid), f"{kind!r} for the user")
        require_equal(got.get("from"), alice.bare_jid, "'from'")
        require_equal(got.get("to"), contact.jid, "'to'")
    stanza_ = push(alice, contact.jid)
    require_equal(item_of(stanza_[0][0]).subscription, "remove", "the subscription pushed")
    require(contact.jid not in roster(alice), "no item", "an item")


@RFC.must("2.5.2", "3.2.3", "3.3.3", says="A contact on the same server loses what it had when it is removed.")
def test_removal_changes_the_local_contacts_roster(connect: Connect) -> None:
    alice, bob = user(connect, label="alice"), user(connect, label="bob")
    subscribe(alice, bob)
    subscribe(bob, alice)
    change(alice, removal(bob.bare_jid))
    for kind in ("unsubscribe", "unsubscribed"):
        bob.expect(is_presence(kind, alice.bare_jid), f"{kind!r} of {alice.bare_jid}")
    require_state(bob, alice.bare_jid, STATES["none"])
