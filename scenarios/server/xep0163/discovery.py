"""XEP-0163 §5, §6: what disco says of an account and its nodes, to the owner and to contacts."""

from __future__ import annotations

import pytest

from lab.plugin import Connect, Specification, require, require_equal, require_result, unsupported
from lab.wire.namespaces import DISCO_INFO, DISCO_ITEMS, NS, PUBSUB
from lab.wire.session import Session
from scenarios.server._caps import features, identities
from scenarios.server._contacts import befriend
from scenarios.server._pep import (
    NODE,
    OTHER,
    account_info,
    nodes,
    owner,
    owner_and_contact,
    publish,
    published,
    with_access,
)

PEP = Specification("XEP-0163")


@PEP.must("6.1", says="A server with PEP names the identity pubsub/pep when the owner asks its own bare JID.")
def test_account_is_a_pubsub_service(alice: Session) -> None:
    reply = alice.iq("get", f"<query xmlns='{DISCO_INFO}'/>", to=alice.bare_jid)
    # §6.1 is for a server that supports PEP, and that shows by what can be done.
    if ("pubsub", "pep") not in [i[:2] for i in identities(account_info(alice))]:
        if publish(alice, NODE, "one").get("type") != "result":
            unsupported("publishing to the own account")
        require(False, "the identity pubsub/pep", reply)
    require(reply.get("from") in {alice.bare_jid, None}, f"an answer from {alice.bare_jid}", reply)


@PEP.must("6.1", "5", says="The account lists the pubsub features that it supports, those that PEP demands included.")
@pytest.mark.parametrize(
    "feature", ["auto-create", "auto-subscribe", "filtered-notifications", "publish", "subscribe", "retrieve-items"]
)
def test_account_lists_feature(connect: Connect, feature: str) -> None:
    alice = owner(connect)
    query = account_info(alice)
    require(f"{PUBSUB}#{feature}" in features(query), f"the feature {PUBSUB}#{feature} on the account", query)


@PEP.may("6.2", says="A contact may ask the owner's bare JID, and learns that it is a pubsub service.")
def test_contact_discovers_the_service(connect: Connect) -> None:
    alice, bob = owner_and_contact(connect)
    reply = bob.iq("get", f"<query xmlns='{DISCO_INFO}'/>", to=alice.bare_jid)
    require_result(reply)
    require_equal(reply.get("from"), alice.bare_jid, "from")
    query = reply.find("disco:query", NS)
    require(query is not None and ("pubsub", "pep") in [i[:2] for i in identities(query)], "pubsub/pep", reply)


@PEP.must("5", "6.2", says="The owner finds the account's nodes by disco#items.")
def test_owner_discovers_nodes(connect: Connect) -> None:
    alice = owner(connect)
    published(alice, NODE, "one")
    reply = alice.iq("get", f"<query xmlns='{DISCO_ITEMS}'/>", to=alice.bare_jid)
    require_result(reply)
    found = [(i.get("jid"), i.get("node")) for i in reply.iterfind("items:query/items:item", NS)]
    require((alice.bare_jid, NODE) in found, f"an item with jid {alice.bare_jid} and node {NODE}", reply)


@PEP.must("5", says="Asked about one of its nodes, the account answers that it is a leaf of a pubsub service.")
def test_node_is_a_leaf(connect: Connect) -> None:
    alice = owner(connect)
    published(alice, NODE, "one")
    reply = alice.iq("get", f"<query xmlns='{DISCO_INFO}' node='{NODE}'/>", to=alice.bare_jid)
    require_result(reply)
    query = reply.find("disco:query", NS)
    require(query is not None and query.get("node") == NODE, f"a query with node {NODE}", reply)
    kinds = [] if query is None else [i[:2] for i in identities(query)]
    require(("pubsub", "leaf") in kinds, "the identity pubsub/leaf", reply)


@PEP.must("6.2", says="disco#items shows a contact the nodes that it may subscribe to.")
def test_contact_discovers_presence_node(connect: Connect) -> None:
    alice, bob = owner_and_contact(connect)
    published(alice, NODE, "one")
    seen = nodes(bob, alice.bare_jid)
    require(NODE in seen, f"the node {NODE} in disco#items for a contact", ", ".join(seen) or "no node")


@PEP.must("6.2", says="disco#items shows a contact no node that it may neither subscribe to nor retrieve from.")
@pytest.mark.parametrize("model", ["whitelist", "roster"])
def test_contact_does_not_discover_closed_node(connect: Connect, model: str) -> None:
    alice, bob = owner_and_contact(connect)
    published(alice, NODE, "open to bob")
    more = {"roster_groups_allowed": "Nobody"} if model == "roster" else {}
    with_access(alice, OTHER, model, **more)
    published(alice, OTHER, "closed to bob")
    seen = nodes(bob, alice.bare_jid)
    require(NODE in seen, f"the node {NODE}, which bob may see", ", ".join(seen) or "no node")
    require(OTHER not in seen, f"no node {OTHER}", ", ".join(seen))


@PEP.must("6.2", "5", says="disco#items shows a stranger no node of the access model presence.")
def test_stranger_does_not_discover_presence_node(connect: Connect) -> None:
    alice, stranger, friend = owner(connect), connect(label="stranger"), connect(label="friend")
    befriend(alice, friend)
    published(alice, NODE, "one")
    require(NODE in nodes(friend, alice.bare_jid), f"the node {NODE} for a contact", "it is not listed")
    seen = nodes(stranger, alice.bare_jid)
    require(NODE not in seen, f"no node {NODE} for a stranger", ", ".join(seen))
