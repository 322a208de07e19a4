"""XEP-0163 §4.1, §5, §7.1: who may retrieve and subscribe, by access model, and when a right ends."""

from __future__ import annotations

import pytest

from lab.plugin import Connect, Specification, require, require_equal, require_error, require_result
from lab.wire.namespaces import NS, ROSTER
from lab.wire.session import Session, show
from lab.wire.stream import Element
from scenarios.server._caps import Client
from scenarios.server._contacts import appear, befriend, subscribe
from scenarios.server._pep import (
    NODE,
    OTHER,
    PROBE,
    not_notified,
    notes,
    notified,
    owner,
    owner_and_contact,
    published,
    reach,
    retrieve,
    subscription,
    with_access,
)

PEP = Specification("XEP-0163")


def _retrieves(session: Session, alice: Session, node: str, text: str) -> None:
    """The session is given the node's one item."""
    reply = retrieve(session, alice.bare_jid, node)
    require_result(reply)
    own = session.bare_jid == alice.bare_jid
    require(reply.get("from") in ({alice.bare_jid, None} if own else {alice.bare_jid}), "from the account", reply)
    items = reply.find("pubsub:pubsub/pubsub:items", NS)
    require(items is not None and items.get("node") == node, f"items of {node}", reply)
    require_equal(notes(reply), {"current": text}, "items")


def _is_refused(reply: Element, alice: Session, secret: str) -> None:
    """An error from the account, without what it protects."""
    require_error(reply)
    require_equal(reply.get("from"), alice.bare_jid, "from")
    require(secret not in show(reply), "nothing of the item", reply)


def _group(session: Session, contact: Session, group: str) -> None:
    """Put a contact into a roster group."""
    item = f"<item jid='{contact.bare_jid}'><group>{group}</group></item>"
    require_result(session.iq("set", f"<query xmlns='{ROSTER}'>{item}</query>"))


# --- presence


@PEP.must("4.1", says="A contact subscribed to the owner's presence retrieves items of presence nodes.")
def test_contact_retrieves_from_presence_node(connect: Connect) -> None:
    alice, bob = owner_and_contact(connect)
    published(alice, NODE, "for contacts")
    _retrieves(bob, alice, NODE, "for contacts")


@PEP.must("4.1", says="Being subscribed to the owner's presence is enough, with no subscription the other way.")
def test_one_way_subscriber_retrieves(connect: Connect) -> None:
    alice, bob = owner(connect), connect(label="bob")
    appear(alice)
    appear(bob)
    subscribe(bob, alice)
    published(alice, NODE, "for contacts")
    _retrieves(bob, alice, NODE, "for contacts")


@PEP.must("5", "4.1", says="Nobody else retrieves from a node of the default access model.")
def test_stranger_cannot_retrieve_from_presence_node(connect: Connect) -> None:
    alice, stranger = owner(connect), connect(label="stranger")
    published(alice, NODE, "secret")
    _is_refused(retrieve(stranger, alice.bare_jid, NODE), alice, "secret")


@PEP.must("5", "4.1", says="Whose presence the owner sees, but who may not see the owner's, retrieves nothing.")
def test_watched_contact_cannot_retrieve(connect: Connect) -> None:
    alice, bob = owner(connect), connect(label="bob")
    appear(alice)
    appear(bob)
    subscribe(alice, bob)
    published(alice, NODE, "secret")
    _is_refused(retrieve(bob, alice.bare_jid, NODE), alice, "secret")


@PEP.must("5", "4.1", says="A stranger cannot subscribe to a node of the default access model.")
def test_stranger_cannot_subscribe_to_presence_node(connect: Connect) -> None:
    alice, stranger = owner(connect), connect(label="stranger")
    published(alice, NODE, "secret")
    reply = subscription(stranger, "subscribe", alice.bare_jid, NODE, stranger.bare_jid)
    _is_refused(reply, alice, "secret")


# --- open

# Strangers subscribe with their full JIDs: to one who used the bare JID, and whose presence it does not know, a
# service may choose to send nothing (§4.3.2).


@PEP.must("5", says="Anybody retrieves from a node of the access model open.")
def test_stranger_retrieves_from_open_node(connect: Connect) -> None:
    alice, stranger = owner(connect), connect(label="stranger")
    with_access(alice, NODE, "open")
    published(alice, NODE, "for all")
    _retrieves(stranger, alice, NODE, "for all")


@PEP.must("5", "4.3.3", says="A stranger subscribed to an open node is told of what is published to it.")
def test_stranger_subscribes_to_open_node(connect: Connect) -> None:
    alice, stranger = owner(connect), connect(label="stranger")
    appear(stranger)
    with_access(alice, NODE, "open")
    _subscribed(stranger, alice, NODE, stranger.jid)
    published(alice, NODE, "for all", item="news")
    message = notified(Client(stranger), alice, NODE, "for all", item="news")
    require(
        message.find("{http://jabber.org/protocol/address}addresses") is None, "no replyto to a stranger", message
    )


@PEP.must_not("4.3.1", says="The publishing resource is not told to those who may not see the owner's presence.")
def test_stranger_is_not_told_the_resource(connect: Connect) -> None:
    alice, stranger = owner(connect), connect(label="stranger")
    appear(stranger)
    with_access(alice, NODE, "open")
    _subscribed(stranger, alice, NODE, stranger.jid)
    published(alice, NODE, "for all", item="news")
    message = notified(Client(stranger), alice, NODE, "for all", item="news")
    require(alice.jid not in show(message), f"a notification without {alice.jid}", message)


@PEP.must("4.3.2", "5", says="Who subscribed with a full JID gets one notification, to that JID.")
def test_full_jid_subscriber_is_told_once(connect: Connect) -> None:
    alice, stranger = owner(connect), connect(label="stranger")
    appear(stranger)
    with_access(alice, NODE, "open")
    _subscribed(stranger, alice, NODE, stranger.jid)
    published(alice, NODE, "for all", item="news")
    client = Client(stranger)
    message = notified(client, alice, NODE, "for all", item="news")
    require_equal(message.get("to"), stranger.jid, "the notification's to")
    not_notified(client, alice, NODE, "for the second time", item="news")


@PEP.must("5", says="Who unsubscribed from an open node is told no more.")
def test_unsubscribed_stranger_is_not_told(connect: Connect) -> None:
    alice, stranger = owner(connect), connect(label="stranger")
    appear(stranger)
    with_access(alice, NODE, "open")
    _subscribed(stranger, alice, NODE, stranger.jid)
    published(alice, NODE, "for all", item="before")
    client = Client(stranger)
    notified(client, alice, NODE, "for all", item="before")
    reply = subscription(stranger, "unsubscribe", alice.bare_jid, NODE, stranger.jid)
    require_result(reply)
    require_equal(reply.get("from"), alice.bare_jid, "from")
    published(alice, NODE, "for all", item="after")
    not_notified(client, alice, NODE, "to one who unsubscribed", item="after")


def _subscribed(session: Session, alice: Session, node: str, jid: str) -> None:
    reply = subscription(session, "subscribe", alice.bare_jid, node, jid)
    require_result(reply)
    require_equal(reply.get("from"), alice.bare_jid, "from")
    told = reply.find("pubsub:pubsub/pubsub:subscription", NS)
    require(
        told is not None
        and (told.get("node"), told.get("jid"), told.get("subscription")) == (node, jid, "subscribed"),
        f"a subscription of {jid} to {node}",
        reply,
    )


# --- whitelist and roster


@PEP.must("5", says="From a whitelist node the owner retrieves, and no contact who is not on the list.")
def test_whitelist_keeps_contacts_out(connect: Connect) -> None:
    alice, bob = owner_and_contact(connect)
    with_access(alice, NODE, "whitelist")
    published(alice, NODE, "secret")
    _retrieves(alice, alice, NODE, "secret")
    _is_refused(retrieve(bob, alice.bare_jid, NODE), alice, "secret")


@PEP.must("5", "4.1", says="A contact is told nothing of a whitelist node, though it asked for notifications.")
def test_whitelist_node_is_not_told_of(connect: Connect) -> None:
    alice, bob = owner_and_contact(connect)
    with_access(alice, OTHER, "whitelist")
    client = Client(bob, NODE, OTHER, PROBE)
    client.appear()
    reach(alice, client)
    published(alice, OTHER, "secret")
    published(alice, NODE, "for contacts")
    notified(client, alice, NODE, "for contacts")
    not_notified(client, alice, OTHER, "of a node that the contact may not see")


@PEP.must("5", says="From a roster node, contacts in an allowed group retrieve.")
def test_roster_lets_the_group_in(connect: Connect) -> None:
    alice, bob = owner_and_contact(connect)
    _group(alice, bob, "Friends")
    with_access(alice, NODE, "roster", roster_groups_allowed="Friends")
    published(alice, NODE, "for friends")
    _retrieves(bob, alice, NODE, "for friends")


@PEP.must("5", says="From a roster node, contacts outside the allowed groups do not retrieve.")
def test_roster_keeps_others_out(connect: Connect) -> None:
    alice, bob = owner_and_contact(connect)
    _group(alice, bob, "Servants")
    with_access(alice, NODE, "roster", roster_groups_allowed="Friends")
    published(alice, NODE, "secret")
    _is_refused(retrieve(bob, alice.bare_jid, NODE), alice, "secret")


@PEP.must("7.1", says="A contact moved out of the allowed roster group loses access to the node.")
def test_leaving_the_group_ends_access(connect: Connect) -> None:
    alice, bob = owner_and_contact(connect)
    _group(alice, bob, "Friends")
    with_access(alice, NODE, "roster", roster_groups_allowed="Friends")
    published(alice, NODE, "for friends")
    _retrieves(bob, alice, NODE, "for friends")
    _group(alice, bob, "Servants")
    _is_refused(retrieve(bob, alice.bare_jid, NODE), alice, "for friends")


# --- the end of a presence subscription


@pytest.mark.parametrize(
    "ended_by",
    [
        pytest.param("owner", marks=PEP.must("7.1", says="Who lost the owner's presence retrieves no more.")),
        pytest.param("contact", marks=PEP.must("7.1", says="Who gave up the owner's presence retrieves no more.")),
    ],
)
def test_access_ends_with_the_presence_subscription(connect: Connect, ended_by: str) -> None:
    alice, bob = owner_and_contact(connect)
    appear(bob)
    published(alice, NODE, "for contacts")
    _retrieves(bob, alice, NODE, "for contacts")
    end_subscription(alice, bob, ended_by)
    _is_refused(retrieve(bob, alice.bare_jid, NODE), alice, "for contacts")


@pytest.mark.parametrize(
    "ended_by",
    [
        pytest.param("owner", marks=PEP.must("7.1", says="Who lost the owner's presence is told no more.")),
        pytest.param("contact", marks=PEP.must("7.1", says="Who gave up the owner's presence is told no more.")),
    ],
)
def test_notifications_end_with_the_presence_subscription(connect: Connect, ended_by: str) -> None:
    alice, bob = owner_and_contact(connect)
    carol = connect(label="carol")
    befriend(alice, carol)
    appear(alice)
    former, friend = Client(bob, NODE, PROBE), Client(carol, NODE, PROBE)
    former.appear()
    friend.appear()
    reach(alice, former, friend)
    end_subscription(alice, bob, ended_by)
    published(alice, NODE, "for contacts")
    notified(friend, alice, NODE, "for contacts")
    not_notified(former, alice, NODE, "to a former contact")


@PEP.must("7.1", says="A subscription that a contact made to a presence node ends with the presence subscription.")
def test_explicit_subscription_ends_too(connect: Connect) -> None:
    alice, bob = owner_and_contact(connect)
    appear(bob)
    published(alice, NODE, "for contacts", item="before")
    require_result(subscription(bob, "subscribe", alice.bare_jid, NODE, bob.bare_jid))
    end_subscription(alice, bob, "owner")
    published(alice, NODE, "secret", item="after")
    not_notified(Client(bob), alice, NODE, "to a former contact", item="after")
    _is_refused(retrieve(bob, alice.bare_jid, NODE), alice, "secret")


def end_subscription(alice: Session, bob: Session, ended_by: str) -> None:
    """The contact's subscription to the owner's presence ends, by either's will (RFC 6121 §3.2, §3.3)."""
    if ended_by == "owner":
        first, other, kind = alice, bob, "unsubscribed"
    else:
        first, other, kind = bob, alice, "unsubscribe"
    first.send(f"<presence to='{other.bare_jid}' type='{kind}'/>")
    other.expect(
        lambda e: e.get("type") == kind and (e.get("from") or "").partition("/")[0] == first.bare_jid,
        f"presence of type {kind} from {first.bare_jid}",
    )
    first.sentinel()
