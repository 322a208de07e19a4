"""XEP-0163 §3, §5: publishing, nodes made on the way, their defaults, and what an owner can do with them."""

from __future__ import annotations

import pytest

from lab.plugin import (
    Connect,
    Specification,
    require,
    require_equal,
    require_error,
    require_result,
    unsupported,
)
from lab.wire.namespaces import NS, PUBSUB, PUBSUB_OWNER
from lab.wire.session import Session
from lab.wire.stream import Element
from scenarios.server._pep import (
    NODE,
    advertised,
    configure,
    configured,
    create,
    nodes,
    notes,
    owner,
    owner_and_contact,
    publish,
    published,
    refused_by_precondition,
    retracts,
    retrieve,
)

PEP = Specification("XEP-0163")


def _from_account(reply: Element, session: Session) -> None:
    """An answer of the own account: its bare JID, or no `from` at all (RFC 6120 §8.1.2.1)."""
    require(reply.get("from") in {session.bare_jid, None}, f"an answer from {session.bare_jid}", reply)


def _holds(session: Session, node: str, expected: dict[str, str]) -> None:
    """The node has just these notes, as its owner sees it."""
    reply = retrieve(session, session.bare_jid, node)
    require_result(reply)
    _from_account(reply, session)
    items = reply.find("pubsub:pubsub/pubsub:items", NS)
    require(items is not None and items.get("node") == node, f"items of the node {node}", reply)
    require_equal(notes(reply), expected, "items")


@PEP.must("3", says="The owner publishes to a request without 'to', or sent to its own bare JID.")
@pytest.mark.parametrize("addressed", [False, True], ids=["without-to", "own-bare-jid"])
def test_owner_publishes(connect: Connect, addressed: bool) -> None:
    alice = owner(connect)
    reply = publish(alice, NODE, "one", item="first", to=alice.bare_jid if addressed else None)
    require_result(reply)
    _from_account(reply, alice)
    _holds(alice, NODE, {"first": "one"})


@PEP.must("3", "5", says="Publishing to a node that does not exist creates it.")
def test_publishing_creates_the_node(connect: Connect) -> None:
    alice = owner(connect)
    require(NODE not in nodes(alice, alice.bare_jid), "no node yet on a fresh account", NODE)
    require_result(publish(alice, NODE, "one"))
    require(NODE in nodes(alice, alice.bare_jid), f"the node {NODE} behind the publication", "it is not listed")


@PEP.must("3", says="An item published without an id gets one, and the answer tells it.")
def test_item_without_id_gets_one(connect: Connect) -> None:
    alice = owner(connect)
    reply = publish(alice, NODE, "one", item=None)
    require_result(reply)
    told = reply.find(f"pubsub:pubsub/pubsub:publish[@node='{NODE}']/pubsub:item", NS)
    identifier = told.get("id") if told is not None else None
    require(identifier, "the new item's id in the answer", reply)
    _holds(alice, NODE, {identifier or "": "one"})


@PEP.must("3", says="An item published again under its id takes the place of the former one.")
def test_item_is_overwritten(connect: Connect) -> None:
    alice = owner(connect)
    published(alice, NODE, "one")
    published(alice, NODE, "two")
    _holds(alice, NODE, {"current": "two"})


@PEP.must(
    "3", "5", says="Only the owner publishes: a contact's publication is refused and leaves the node as it was."
)
def test_contact_cannot_publish(connect: Connect) -> None:
    alice, bob = owner_and_contact(connect)
    published(alice, NODE, "mine")
    reply = publish(bob, NODE, "forged", to=alice.bare_jid)
    require_error(reply)
    require_equal(reply.get("from"), alice.bare_jid, "from")
    _holds(alice, NODE, {"current": "mine"})


@PEP.must("3", "5", says="A stranger can neither publish to an account nor make a node there.")
def test_stranger_cannot_publish(connect: Connect) -> None:
    alice, stranger = owner(connect), connect(label="stranger")
    reply = publish(stranger, NODE, "forged", to=alice.bare_jid)
    require_error(reply)
    require_equal(reply.get("from"), alice.bare_jid, "from")
    require(NODE not in nodes(alice, alice.bare_jid), f"no node {NODE}", "it was made by a stranger")


# --- defaults


@PEP.must("5", says="A node's defaults: access model presence, last item on presence, notifications delivered.")
@pytest.mark.parametrize(
    ("field", "allowed"),
    [
        pytest.param(
            "access_model",
            {"presence"},
            id="access-model",
            marks=PEP.must("5", says="The default access model of a node is presence."),
        ),
        pytest.param(
            "send_last_published_item",
            {"on_sub_and_presence"},
            id="send-last-published-item",
            marks=PEP.must("4.3.4", "5", says="The default is to send the last item on subscription and presence."),
        ),
        pytest.param(
            "deliver_notifications",
            {"1", "true"},
            id="deliver-notifications",
            marks=PEP.must("5", says="The default is to deliver notifications."),
        ),
    ],
)
def test_default_of(connect: Connect, field: str, allowed: set[str]) -> None:
    alice = owner(connect)
    published(alice, NODE, "one")
    values = configured(alice, NODE, field)
    require(len(values) == 1 and values[0] in allowed, f"{field}: {' or '.join(sorted(allowed))}", ", ".join(values))


@PEP.must("5", says="The access models open, roster and whitelist are there besides presence.")
@pytest.mark.parametrize("model", ["presence", "open", "roster", "whitelist"])
def test_access_model_is_supported(connect: Connect, model: str) -> None:
    # §5 demands the models; how they are asked for, by create-and-configure or by config-node, is RECOMMENDED.
    alice, config = owner(connect), {"pubsub#access_model": model}
    if advertised(alice, "create-and-configure"):
        require_result(create(alice, NODE, config))
    elif advertised(alice, "config-node"):
        require_result(create(alice, NODE))
        require_result(configure(alice, NODE, config))
    else:
        unsupported("pubsub#create-and-configure, or pubsub#config-node")
    require_equal(configured(alice, NODE, "access_model"), [model], "pubsub#access_model")


# --- nodes and items


@PEP.must("5", "3", says="The owner can create a node before anything is published to it.")
def test_owner_creates_a_node(connect: Connect) -> None:
    alice = owner(connect)
    reply = create(alice, NODE)
    require_result(reply)
    _from_account(reply, alice)
    require(NODE in nodes(alice, alice.bare_jid), f"the node {NODE} in disco#items", "it is not listed")
    _holds(alice, NODE, {})


@PEP.must("5", says="Creating a node that is there is refused with conflict.")
def test_node_is_created_once(connect: Connect) -> None:
    alice = owner(connect)
    require_result(create(alice, NODE))
    reply = create(alice, NODE)
    require_error(reply, "conflict")
    _from_account(reply, alice)


@PEP.must("5", says="The owner can delete a node; it is gone, and so are its items.")
def test_owner_deletes_a_node(connect: Connect) -> None:
    alice = owner(connect)
    published(alice, NODE, "one")
    reply = alice.iq("set", f"<pubsub xmlns='{PUBSUB_OWNER}'><delete node='{NODE}'/></pubsub>")
    require_result(reply)
    _from_account(reply, alice)
    require(NODE not in nodes(alice, alice.bare_jid), f"no node {NODE}", "it is still listed")
    require_error(retrieve(alice, alice.bare_jid, NODE), "item-not-found")


@PEP.must("5", says="Nobody but the owner can delete a node.")
def test_contact_cannot_delete_a_node(connect: Connect) -> None:
    alice, bob = owner_and_contact(connect)
    published(alice, NODE, "one")
    reply = bob.iq("set", f"<pubsub xmlns='{PUBSUB_OWNER}'><delete node='{NODE}'/></pubsub>", to=alice.bare_jid)
    require_error(reply)
    require_equal(reply.get("from"), alice.bare_jid, "from")
    _holds(alice, NODE, {"current": "one"})


@PEP.may("5", "3", says="An item can be retracted; it is gone from the node.")
def test_owner_retracts_an_item(connect: Connect) -> None:
    alice = owner(connect)
    if not retracts(alice):
        unsupported("pubsub#delete-items")
    published(alice, NODE, "one", item="gone")
    reply = alice.iq("set", f"<pubsub xmlns='{PUBSUB}'><retract node='{NODE}'><item id='gone'/></retract></pubsub>")
    require_result(reply)
    _from_account(reply, alice)
    _holds(alice, NODE, {})


@PEP.must("5", says="The list of a node's affiliations names its owner as owner (XEP-0060 §8.9.1.2).")
def test_owner_is_affiliated_as_owner(connect: Connect) -> None:
    alice = owner(connect)
    if not advertised(alice, "modify-affiliations"):
        unsupported("pubsub#modify-affiliations")
    published(alice, NODE, "one")
    reply = alice.iq("get", f"<pubsub xmlns='{PUBSUB_OWNER}'><affiliations node='{NODE}'/></pubsub>")
    require_result(reply)
    listed = {
        a.get("jid"): a.get("affiliation")
        for a in reply.iterfind("pubsub-owner:pubsub/pubsub-owner:affiliations/pubsub-owner:affiliation", NS)
    }
    require_equal(listed.get(alice.bare_jid), "owner", f"the affiliation of {alice.bare_jid}")


# --- publish-options


@PEP.should("3", says="With publish-options, the node that a publication creates is configured as they say.")
def test_publish_options_configure_a_new_node(connect: Connect) -> None:
    alice = owner(connect)
    if not advertised(alice, "publish-options"):
        unsupported("pubsub#publish-options")
    options = {"pubsub#persist_items": "true", "pubsub#access_model": "whitelist"}
    require_result(publish(alice, NODE, "secret", options=options))
    _holds(alice, NODE, {"current": "secret"})
    require_equal(configured(alice, NODE, "access_model"), ["whitelist"], "pubsub#access_model")


@PEP.should("3", says="A publication whose publish-options the node does not meet is refused, and nothing published.")
def test_publish_options_are_preconditions(connect: Connect) -> None:
    alice = owner(connect)
    if not advertised(alice, "publish-options"):
        unsupported("pubsub#publish-options")
    published(alice, NODE, "for contacts")
    reply = publish(alice, NODE, "secret", options={"pubsub#access_model": "whitelist"})
    refused_by_precondition(reply)
    _holds(alice, NODE, {"current": "for contacts"})
