"""XEP-0163 §4: who is told of a publication, where, how often, and who is not."""

from __future__ import annotations

from lab.plugin import Connect, Specification, require, require_equal, require_result, unsupported
from lab.wire.namespaces import BLOCKING, NS, PUBSUB
from lab.wire.session import Session
from scenarios.server._caps import Client
from scenarios.server._contacts import appear, befriend, disappear, subscribe
from scenarios.server._discovery import advertises
from scenarios.server._pep import (
    NODE,
    OTHER,
    PROBE,
    example,
    not_notified,
    notes,
    notified,
    owner,
    owner_and_contact,
    published,
    reach,
    retracts,
    tells_of,
)

PEP = Specification("XEP-0163")
ADDRESSES = "http://jabber.org/protocol/address"


def _contact_with_two_resources(connect: Connect) -> tuple[Session, Session, Session]:
    """An owner, available, and two sessions of a contact's account, not available."""
    alice, account = owner(connect), connect.account()
    first = connect(account=account, label="bob")
    befriend(alice, first)
    appear(alice)
    return alice, first, connect(account=account, label="bob's other")


def _owner_with_two_more(connect: Connect) -> tuple[Session, tuple[Session, Session]]:
    """An owner, available, and two more sessions of the account, not available."""
    account = connect.account()
    alice = owner(connect, account=account)
    appear(alice)
    return alice, (connect(account=account, label="second"), connect(account=account, label="third"))


def _told_at_full_jid(client: Client, publisher: Session) -> None:
    """A notification of NODE comes to the client's full JID, whatever came to the bare JID before it."""
    jid = client.session.jid
    message = client.expect(lambda e: tells_of(NODE)(e) and e.get("to") == jid, f"a notification to {jid}")
    require_equal(message.get("from"), publisher.bare_jid, "the notification's from")
    require_equal(notes(message), {"current": "one"}, "items in the notification")


# --- contacts


@PEP.must("4.3.3", "4.2", says="What is published is told to a contact whose caps ask for the node.")
def test_contact_is_notified(connect: Connect) -> None:
    alice, bob = owner_and_contact(connect)
    client = Client(bob, NODE, PROBE)
    client.appear()
    reach(alice, client)
    published(alice, NODE, "one", item="first")
    notified(client, alice, NODE, "one", item="first")
    published(alice, NODE, "two", item="second")
    notified(client, alice, NODE, "two", item="second")


@PEP.must("4.3.1", says="A notification comes from the owner's bare JID, even if a resource published it.")
def test_notification_is_from_the_bare_jid(connect: Connect) -> None:
    alice, bob = owner_and_contact(connect)
    client = Client(bob, NODE, PROBE)
    client.appear()
    reach(alice, client)
    published(alice, NODE, "one")
    message = client.expect(tells_of(NODE, "current"), "the notification")
    require_equal(message.get("from"), alice.bare_jid, "the notification's from")


@PEP.should("4.3.1", says="A notification goes to the full JID of the contact whose presence is known.")
def test_notification_is_to_the_full_jid(connect: Connect) -> None:
    alice, bob = owner_and_contact(connect)
    client = Client(bob, NODE, PROBE)
    client.appear()
    reach(alice, client)
    published(alice, NODE, "one")
    _told_at_full_jid(client, alice)


@PEP.should("4.3.1", says="A contact is told the publishing resource by a replyto address (XEP-0033).")
def test_contact_is_told_the_resource(connect: Connect) -> None:
    alice, bob = owner_and_contact(connect)
    client = Client(bob, NODE, PROBE)
    client.appear()
    reach(alice, client)
    published(alice, NODE, "one")
    message = notified(client, alice, NODE, "one")
    told = message.find(f"{{{ADDRESSES}}}addresses/{{{ADDRESSES}}}address[@type='replyto']")
    require(told is not None and told.get("jid") == alice.jid, f"a replyto address {alice.jid}", message)


@PEP.must("3", says="Notifications do not depend on the publisher's presence: an unavailable owner's are sent too.")
def test_unavailable_owner_publishes(connect: Connect) -> None:
    alice, bob = owner_and_contact(connect)
    client = Client(bob, NODE, PROBE)
    client.appear()
    reach(alice, client)
    disappear(alice)
    published(alice, NODE, "one")
    notified(client, alice, NODE, "one")


@PEP.must("4.3.3", "3", says="What a resource publishes that never was available is told to contacts, too.")
def test_resource_without_presence_publishes(connect: Connect) -> None:
    account = connect.account()
    alice, bob = owner(connect, account=account), connect(label="bob")
    befriend(alice, bob)
    appear(alice)
    client = Client(bob, NODE, PROBE)
    client.appear()
    reach(alice, client)
    silent = connect(account=account, label="alice without presence")
    published(silent, NODE, "one", item="silent")
    notified(client, silent, NODE, "one", item="silent")


@PEP.must("4.3.2", says="Each resource of a contact that asks for the node is told, at its full JID.")
def test_each_interested_resource_is_notified(connect: Connect) -> None:
    alice, first, other = _contact_with_two_resources(connect)
    clients = [Client(first, NODE, PROBE), Client(other, NODE, PROBE)]
    for client in clients:
        client.appear()
    reach(alice, *clients)
    published(alice, NODE, "one")
    for client in clients:
        _told_at_full_jid(client, alice)


@PEP.must("4.3.2", says="Each interested resource of a contact is told once.")
def test_interested_resource_is_notified_once(connect: Connect) -> None:
    alice, bob = owner_and_contact(connect)
    client = Client(bob, NODE, PROBE)
    client.appear()
    reach(alice, client)
    published(alice, NODE, "one", item="once")
    notified(client, alice, NODE, "one", item="once")
    not_notified(client, alice, NODE, "for the second time", item="once")


# --- filtering


@PEP.must("4.2", says="A contact is told nothing of nodes that its caps do not ask for.")
def test_contact_is_spared_other_nodes(connect: Connect) -> None:
    alice, bob = owner_and_contact(connect)
    client = Client(bob, NODE, PROBE)
    client.appear()
    reach(alice, client)
    published(alice, OTHER, "unwanted")
    published(alice, NODE, "wanted")
    notified(client, alice, NODE, "wanted")
    not_notified(client, alice, OTHER, "of a node that was not asked for")


@PEP.must("4.2", "4.3.2", says="A contact's resource that does not ask for the node is spared, though another asks.")
def test_uninterested_resource_is_spared(connect: Connect) -> None:
    alice, first, other = _contact_with_two_resources(connect)
    interested, uninterested = Client(first, NODE, PROBE), Client(other, OTHER, PROBE)
    interested.appear()
    uninterested.appear()
    reach(alice, interested, uninterested)
    published(alice, NODE, "one")
    notified(interested, alice, NODE, "one")
    not_notified(uninterested, alice, NODE, "at a resource that did not ask for it")


@PEP.must("4.2", says="A contact whose presence has no caps is told nothing.")
def test_contact_without_caps_is_spared(connect: Connect) -> None:
    alice, bob = owner_and_contact(connect)
    carol = connect(label="carol")
    befriend(alice, carol)
    appear(alice)
    control = Client(carol, NODE, PROBE)
    appear(bob)
    control.appear()
    reach(alice, control)
    published(alice, NODE, "one")
    notified(control, alice, NODE, "one")
    # By §4.3.2, one who is subscribed by a bare JID may be told there once, whatever its caps.
    bob.expect_nothing(
        example(alice, bob, NODE),
        lambda e: tells_of(NODE)(e) and e.get("to") != bob.bare_jid,
        "notification without caps",
        after=alice,
    )


@PEP.must("4.2", says="New caps that ask for a node bring its notifications.")
def test_interest_can_begin(connect: Connect) -> None:
    alice, bob = owner_and_contact(connect)
    client = Client(bob, PROBE)
    client.appear()
    reach(alice, client)
    client.change(NODE, OTHER)
    reach(alice, client, node=OTHER)
    published(alice, NODE, "wanted now", item="new")
    notified(client, alice, NODE, "wanted now", item="new")


@PEP.must("4.2", says="New caps that ask for a node no more end its notifications.")
def test_interest_can_end(connect: Connect) -> None:
    alice, bob = owner_and_contact(connect)
    client = Client(bob, NODE, PROBE)
    client.appear()
    reach(alice, client)
    published(alice, NODE, "wanted", item="before")
    notified(client, alice, NODE, "wanted", item="before")
    client.change(OTHER)
    reach(alice, client, node=OTHER)
    published(alice, NODE, "unwanted", item="after")
    published(alice, OTHER, "wanted", item="control")
    notified(client, alice, OTHER, "wanted", item="control")
    not_notified(client, alice, NODE, "of a node that is asked for no more", item="after")


# --- those who are no contacts


@PEP.must("4.1", "5", says="A stranger is told nothing of a presence node, whatever its caps ask for.")
def test_stranger_is_not_notified(connect: Connect) -> None:
    alice, bob = owner_and_contact(connect)
    control, stranger = Client(bob, NODE, PROBE), Client(connect(label="stranger"), NODE, PROBE)
    control.appear()
    stranger.appear()
    stranger.sentinel()
    reach(alice, control)
    published(alice, NODE, "one")
    notified(control, alice, NODE, "one")
    not_notified(stranger, alice, NODE, "to a stranger")


@PEP.must("4.1", "5", says="Directed presence with caps makes no contact of a stranger.")
def test_directed_presence_opens_nothing(connect: Connect) -> None:
    alice, bob = owner_and_contact(connect)
    control, stranger = Client(bob, NODE, PROBE), Client(connect(label="stranger"), NODE, PROBE)
    control.appear()
    stranger.session.send(f"<presence to='{alice.bare_jid}'>{stranger.capabilities.caps}</presence>")
    stranger.sentinel()
    reach(alice, control)
    published(alice, NODE, "one")
    notified(control, alice, NODE, "one")
    not_notified(stranger, alice, NODE, "to a stranger")


@PEP.must("4.1", "5", says="Whose presence the owner sees, but who may not see the owner's, is told nothing.")
def test_watched_contact_is_not_notified(connect: Connect) -> None:
    alice, bob = owner_and_contact(connect)
    carol = connect(label="carol")
    appear(carol)
    subscribe(alice, carol)
    disappear(carol)
    control, watched = Client(bob, NODE, PROBE), Client(carol, NODE, PROBE)
    control.appear()
    watched.appear()
    watched.sentinel()
    reach(alice, control)
    published(alice, NODE, "one")
    notified(control, alice, NODE, "one")
    not_notified(watched, alice, NODE, "to one who may not see the owner's presence")


@PEP.must_not("4.3.3", says="A contact whom the owner blocked (XEP-0191) is told nothing.")
def test_blocked_contact_is_not_notified(connect: Connect) -> None:
    alice, bob = owner_and_contact(connect)
    carol = connect(label="carol")
    befriend(alice, carol)
    appear(alice)
    if not advertises(alice, alice.domain, BLOCKING):
        unsupported(BLOCKING)
    blocked, control = Client(bob, NODE, PROBE), Client(carol, NODE, PROBE)
    blocked.appear()
    control.appear()
    reach(alice, blocked, control)
    require_result(alice.iq("set", f"<block xmlns='{BLOCKING}'><item jid='{bob.bare_jid}'/></block>"))
    published(alice, NODE, "one")
    notified(control, alice, NODE, "one")
    # No sentinel comes from an owner who blocks: the server's own must do, behind the other contact's notification.
    bob.expect_nothing(example(alice, bob, NODE), tells_of(NODE), "notification to a blocked contact")


# --- the owner's own resources


@PEP.must("4.3.3", "4.2", says="The publishing resource is told of what it published if its caps ask for the node.")
def test_publishing_resource_is_notified(connect: Connect) -> None:
    alice = owner(connect)
    client = Client(alice, NODE, PROBE)
    client.appear()
    reach(alice, client)
    published(alice, NODE, "mine", item="own")
    notified(client, alice, NODE, "mine", item="own")


@PEP.must("4.3.3", "4.2", says="Each available resource of the owner that asks for the node is told.")
def test_other_resources_of_the_owner_are_notified(connect: Connect) -> None:
    alice, others = _owner_with_two_more(connect)
    clients = [Client(session, NODE, PROBE) for session in others]
    for client in clients:
        client.appear()
    reach(alice, *clients)
    published(alice, NODE, "mine")
    for client in clients:
        notified(client, alice, NODE, "mine")


@PEP.must("4.2", says="A resource of the owner that does not ask for the node is spared.")
def test_uninterested_resource_of_the_owner_is_spared(connect: Connect) -> None:
    alice, (first, other) = _owner_with_two_more(connect)
    interested, uninterested = Client(first, NODE, PROBE), Client(other, OTHER, PROBE)
    interested.appear()
    uninterested.appear()
    reach(alice, interested, uninterested)
    published(alice, NODE, "mine")
    notified(interested, alice, NODE, "mine")
    not_notified(uninterested, alice, NODE, "at a resource that did not ask for it")


# --- retraction


@PEP.may("5", says="A retraction that asks for notifications is told to contacts, by the item's id.")
def test_retraction_is_notified(connect: Connect) -> None:
    alice, bob = owner_and_contact(connect)
    if not retracts(alice):
        unsupported("pubsub#delete-items")
    client = Client(bob, NODE, PROBE)
    client.appear()
    reach(alice, client)
    published(alice, NODE, "one", item="gone")
    notified(client, alice, NODE, "one", item="gone")
    reply = alice.iq(
        "set", f"<pubsub xmlns='{PUBSUB}'><retract node='{NODE}' notify='1'><item id='gone'/></retract></pubsub>"
    )
    require_result(reply)
    message = client.expect(
        lambda e: e.find(f"event:event/event:items[@node='{NODE}']/event:retract", NS) is not None,
        f"the notification that an item of {NODE} was retracted",
    )
    require_equal(message.get("from"), alice.bare_jid, "the notification's from")
    require(message.get("type") != "error", "a notification, not an error", message)
    retracted = [r.get("id") for r in message.iterfind("event:event/event:items/event:retract", NS)]
    require_equal(retracted, ["gone"], "retracted items")
