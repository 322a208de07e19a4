"""Presence subscriptions over the border (RFC 6121 §3): asked for, approved, refused, cancelled, given up."""

from __future__ import annotations

import pytest

from lab.plugin import Specification, require, require_equal
from lab.plugin.border import Federation, Side
from lab.wire.session import Session
from scenarios.federation._border import friends, quiet
from scenarios.server._contacts import appear, disappear
from scenarios.server.rfc6121._playing import is_presence, send, user
from scenarios.server.rfc6121._roster import Item, entry, interested, is_push, item_of

IM = Specification("RFC 6121")


def users(federation: Federation) -> tuple[Session, Session]:
    """Both available and told of changes of their rosters, and strangers to each other."""
    return user(federation.here.connect, label="alice"), user(federation.there.connect, label="bob")


def asked(alice: Session, bob: Session) -> None:
    """Alice has asked for bob's presence, and bob was told. Her roster's pushes of that are read."""
    send(alice, "subscribe", bob.bare_jid)
    bob.expect(is_presence("subscribe", alice.bare_jid), "the request")
    alice.expect(is_push(bob.bare_jid), "the push of the request")


def approved(alice: Session, bob: Session) -> None:
    """Alice has asked, bob has approved, and both were told."""
    asked(alice, bob)
    send(bob, "subscribed", alice.bare_jid)
    alice.expect(is_presence("subscribed", bob.bare_jid), "the approval")
    alice.expect(is_push(bob.bare_jid), "the push of the approval")
    bob.expect(is_push(alice.bare_jid), "the push of the approval")
    alice.expect(is_presence(None, bob.jid), "the presence that follows the approval")


def told(side: Side, session: Session, wanted: Item) -> None:
    """A push must say so, whatever others do: the fault of the session's own server, which knows all it needs."""
    fits = is_push(wanted.jid)
    with side.blamed():
        session.expect(lambda e: fits(e) and item_of(e[0][0]) == wanted, f"a roster push of {wanted}")


def stands(side: Side, session: Session, contact: Session, subscription: str, *, ask: str = "") -> None:
    """The roster must say so of the contact: the fault of the session's own server, as it was told all it needs."""
    with side.blamed():
        item = entry(session, contact.bare_jid)
        require_equal((item.subscription, item.ask), (subscription, ask), "subscription and ask:")


@IM.must("3.1.2", "3.1.3", says="A request for a subscription crosses the border, from the bare JID, with its words.")
def test_request_crosses_the_border(federation: Federation) -> None:
    alice, bob = users(federation)
    send(alice, "subscribe", bob.bare_jid, "<status>It is me</status>")
    request = bob.expect(is_presence("subscribe", alice.bare_jid), "the request")
    with federation.here.writes():
        require_equal(request.get("from"), alice.bare_jid, "the sender of the request")
    require(request.find("{*}status") is not None, "what the user wrote", request)
    told(federation.here, alice, Item(bob.bare_jid, ask="subscribe"))
    stands(federation.there, bob, alice, "none")


@IM.must("3.1.5", "3.1.6", says="An approval crosses the border, and both rosters say so: to here, from there.")
def test_approval_crosses_the_border(federation: Federation) -> None:
    alice, bob = users(federation)
    asked(alice, bob)
    send(bob, "subscribed", alice.bare_jid)
    told(federation.there, bob, Item(alice.bare_jid, subscription="from"))
    approval = alice.expect(is_presence("subscribed", bob.bare_jid), "the approval")
    with federation.there.writes():
        require_equal(approval.get("from"), bob.bare_jid, "the sender of the approval")
    told(federation.here, alice, Item(bob.bare_jid, subscription="to"))
    stands(federation.here, alice, bob, "to")
    stands(federation.there, bob, alice, "from")


@IM.must("3.1.5", says="Behind an approval, the contact's presence comes over the border.")
def test_presence_follows_an_approval(federation: Federation) -> None:
    alice, bob = users(federation)
    asked(alice, bob)
    send(bob, "subscribed", alice.bare_jid)
    alice.expect(is_presence("subscribed", bob.bare_jid), "the approval")
    alice.expect(is_presence(None, bob.jid), "the presence of the contact who approved")


@IM.must(
    "3.2.2", "3.2.3", says="A request that is denied over the border leaves no subscription, and the user is told."
)
def test_denial_crosses_the_border(federation: Federation) -> None:
    alice, bob = users(federation)
    asked(alice, bob)
    send(bob, "unsubscribed", alice.bare_jid)
    alice.expect(is_presence("unsubscribed", bob.bare_jid), "the denial")
    told(federation.here, alice, Item(bob.bare_jid))
    stands(federation.here, alice, bob, "none")
    stands(federation.there, bob, alice, "none")


@IM.must("3.1.5", "3.1.6", says="Two requests and two approvals over the border make a subscription of type both.")
def test_mutual_subscription_over_the_border(federation: Federation) -> None:
    alice, bob = users(federation)
    approved(alice, bob)
    send(bob, "subscribe", alice.bare_jid)
    alice.expect(is_presence("subscribe", bob.bare_jid), "the request")
    told(federation.there, bob, Item(alice.bare_jid, subscription="from", ask="subscribe"))
    send(alice, "subscribed", bob.bare_jid)
    told(federation.here, alice, Item(bob.bare_jid, subscription="both"))
    bob.expect(is_presence("subscribed", alice.bare_jid), "the approval")
    told(federation.there, bob, Item(alice.bare_jid, subscription="both"))
    bob.expect(is_presence(None, alice.jid), "the presence of the user who approved")


@IM.must(
    "3.3.2", "3.3.3", says="Who gives a subscription up over the border sees the contact leave; the contact is told."
)
def test_unsubscription_crosses_the_border(federation: Federation) -> None:
    alice, bob = users(federation)
    approved(alice, bob)
    send(alice, "unsubscribe", bob.bare_jid)
    told(federation.here, alice, Item(bob.bare_jid))
    bob.expect(is_presence("unsubscribe", alice.bare_jid), "the word that the user gave it up")
    told(federation.there, bob, Item(alice.bare_jid))
    alice.expect(is_presence("unavailable", bob.bare_jid), "unavailable presence of the contact")
    stands(federation.here, alice, bob, "none")
    stands(federation.there, bob, alice, "none")


@IM.must("3.2.2", "3.2.3", says="A subscription that the contact cancels over the border ends on both sides.")
def test_cancellation_crosses_the_border(federation: Federation) -> None:
    alice, bob = users(federation)
    approved(alice, bob)
    send(bob, "unsubscribed", alice.bare_jid)
    told(federation.there, bob, Item(alice.bare_jid))
    alice.expect(is_presence("unavailable", bob.jid), "unavailable presence of the contact's resource")
    alice.expect(is_presence("unsubscribed", bob.bare_jid), "the cancellation")
    told(federation.here, alice, Item(bob.bare_jid))
    stands(federation.here, alice, bob, "none")
    stands(federation.there, bob, alice, "none")


@IM.must("3.2.3", "3.3.3", says="Of a subscription of type both, each half ends alone over the border.")
@pytest.mark.parametrize("ended", ["unsubscribe", "unsubscribed"])
def test_half_of_a_subscription_ends(federation: Federation, ended: str) -> None:
    alice, bob = friends(federation)
    send(alice, ended, bob.bare_jid)
    bob.expect(is_presence(ended, alice.bare_jid), f"the presence of type {ended}")
    # What follows it comes from the same server: a message behind it shows that it was dealt with.
    quiet(alice, bob)
    stands(federation.here, alice, bob, "from" if ended == "unsubscribe" else "to")
    stands(federation.there, bob, alice, "to" if ended == "unsubscribe" else "from")


@IM.must("2.5.2", says="A contact that is removed from the roster is told so over the border, both ways.")
def test_removal_crosses_the_border(federation: Federation) -> None:
    alice, bob = friends(federation)
    alice.iq("set", f"<query xmlns='jabber:iq:roster'><item jid='{bob.bare_jid}' subscription='remove'/></query>")
    for kind in ("unsubscribe", "unsubscribed"):
        bob.expect(is_presence(kind, alice.bare_jid), f"the presence of type {kind}")
    bob.expect(is_presence("unavailable", alice.jid), "unavailable presence of the user")
    quiet(alice, bob)
    stands(federation.there, bob, alice, "none")


@IM.must("3.1.3", says="A request over the border for one who is offline is kept until that one comes.")
def test_request_is_kept_for_who_is_offline(federation: Federation) -> None:
    alice = user(federation.here.connect, label="alice")
    account = federation.there.connect.account()
    send(alice, "subscribe", account.jid)
    alice.iq("get", "<ping xmlns='urn:xmpp:ping'/>", to=federation.there.domain)  # behind it, the same way
    with federation.there.blamed():
        bob = user(federation.there.connect, account=account, label="bob")
        bob.expect(is_presence("subscribe", alice.bare_jid), "the request that was kept")


@IM.must("3.1.6", says="An approval over the border stands in the roster of one who was offline when it came.")
def test_approval_reaches_who_is_offline(federation: Federation) -> None:
    account = federation.here.connect.account()
    alice = user(federation.here.connect, account=account, label="alice")
    bob = user(federation.there.connect, label="bob")
    asked(alice, bob)
    disappear(alice)
    alice.close(farewell=alice.patience)
    send(bob, "subscribed", account.jid)
    bob.iq("get", "<ping xmlns='urn:xmpp:ping'/>", to=federation.here.domain)  # behind it, the same way
    again = interested(federation.here.connect, account=account, label="alice again")
    item = entry(again, bob.bare_jid)  # nothing shows that the approval was ever sent: nobody is named
    require_equal((item.subscription, item.ask), ("to", ""), "subscription and ask:")
    appear(again)
    again.expect(is_presence(None, bob.jid), "the presence of the contact")


@IM.should("3.1.3", says="A request over the border of one who is subscribed already is approved by the server.")
def test_request_again_is_approved_by_the_server(federation: Federation) -> None:
    alice, bob = users(federation)
    approved(alice, bob)
    quiet(alice, bob)
    send(alice, "subscribe", bob.bare_jid)
    # The user's own server may know that this is nothing new, and not pass it on (§A.3.1 leaves that open).
    alice.sentinel(bob)
    bob.sentinel(alice)
    stands(federation.here, alice, bob, "to")
    forbidden = f"<presence type='subscribe' from='{alice.bare_jid}' to='{bob.bare_jid}'/>"
    with federation.there.blamed():
        bob.expect_nothing(forbidden, is_presence("subscribe", alice.bare_jid), "request again", after=alice)
