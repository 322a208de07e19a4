"""XEP-0223 (persistent storage of private data via PubSub): publish-options are honoured, and nobody else is told."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from lab.plugin import Connect, Specification, impossible, require, require_equal, require_error, require_result
from lab.wire.namespaces import PUBSUB
from lab.wire.session import Session, show
from scenarios.server import _pep
from scenarios.server._caps import Client, features, identities
from scenarios.server._contacts import appear, befriend, log_out
from scenarios.server._discovery import info
from scenarios.server._pep import NODE, PROBE, configured, notes, publish, retrieve, with_publish_options

XEP = Specification("XEP-0223")

PRIVATE = {"pubsub#persist_items": "true", "pubsub#access_model": "whitelist"}
"""How a node is configured for private data (§2)."""
SECRET = "secret of one account alone"


def _owner(connect: Connect) -> Session:
    return with_publish_options(connect(label="alice"))


def _owner_and_contact(connect: Connect) -> tuple[Session, Session]:
    alice, bob = _pep.owner_and_contact(connect)
    return with_publish_options(alice), bob


def _keep(session: Session, text: str, *, item: str | None = "current") -> None:
    """Publish with the options of private data."""
    require_result(_pep.found(lambda: publish(session, NODE, text, item=item, options=PRIVATE)))


def _holds(session: Session, expected: Mapping[str, str]) -> None:
    reply = retrieve(session, session.bare_jid, NODE)
    require_result(reply)
    require_equal(notes(reply), expected, "items of the node")


# --- support


@XEP.must("5", says="PEP and publish-options are told of together, by the account or by the server.")
def test_support_is_advertised(connect: Connect) -> None:
    alice = _pep.owner(connect)
    told = [info(alice, entity) for entity in (alice.bare_jid, alice.domain)]
    both = [
        ("pubsub", "pep") in [i[:2] for i in identities(query)] and f"{PUBSUB}#publish-options" in features(query)
        for query in told
    ]
    require(any(both), f"identity pubsub/pep and feature {PUBSUB}#publish-options in one place", show(told[0]))


# --- storing


@XEP.must("3", says="Private data for which there is no node yet make one.")
@pytest.mark.parametrize("item", ["current", None], ids=["item-id", "no-item-id"])
def test_node_is_created(item: str | None, connect: Connect) -> None:
    alice = _owner(connect)
    require(NODE not in _pep.nodes(alice, alice.bare_jid), "no node yet on a fresh account", NODE)
    _keep(alice, SECRET, item=item)
    reply = retrieve(alice, alice.bare_jid, NODE)
    require_result(reply)
    require_equal(list(notes(reply).values()), [SECRET], "what is stored")


@XEP.must("2", says="The node is as the publish-options ask: items persist, and only the owner has access.")
def test_node_is_configured(connect: Connect) -> None:
    alice = _owner(connect)
    _keep(alice, SECRET)
    require_equal(configured(alice, NODE, "access_model"), ["whitelist"], "pubsub#access_model")
    persist = configured(alice, NODE, "persist_items")
    require(persist in (["1"], ["true"]), "pubsub#persist_items: true", str(persist))


@XEP.must("2", "3", says="Whatever access model the options ask for, the new node has it.")
@pytest.mark.parametrize("model", ["open", "presence", "roster", "whitelist"])
def test_access_model_of_the_options(model: str, connect: Connect) -> None:
    alice = _owner(connect)
    reply = publish(alice, NODE, SECRET, options=PRIVATE | {"pubsub#access_model": model})
    if reply.get("type") == "error" and model != "whitelist":
        impossible(f"the server makes no node of the access model {model}; XEP-0163's checks say whether it must")
    require_result(reply)
    require_equal(configured(alice, NODE, "access_model"), [model], "pubsub#access_model")


@XEP.must("3", says="Further data are published with the same options, or with none, and the node stays as it is.")
@pytest.mark.parametrize("options", [PRIVATE, None], ids=["same-options", "no-options"])
def test_further_data_are_stored(options: Mapping[str, str] | None, connect: Connect) -> None:
    alice = _owner(connect)
    _keep(alice, "one")
    require_result(publish(alice, NODE, "two", options=options))
    _holds(alice, {"current": "two"})
    require_equal(configured(alice, NODE, "access_model"), ["whitelist"], "pubsub#access_model")


@XEP.must("3", says="A client may make the node before, as it wants it.")
def test_node_made_before_is_used(connect: Connect) -> None:
    alice = _owner(connect)
    if not _pep.made(alice, NODE, PRIVATE):
        impossible("no node for private data could be made")
    _keep(alice, SECRET)
    _holds(alice, {"current": SECRET})


@XEP.must("2", says="Private data outlive the session in which they were stored.")
def test_data_outlive_the_session(connect: Connect) -> None:
    account = connect.account()
    alice = with_publish_options(connect(account=account, label="alice"))
    appear(alice)
    _keep(alice, SECRET)
    log_out(alice)
    _holds(connect(account=account, label="alice again"), {"current": SECRET})


@XEP.must("2", says="Each item is data of its own: with room for several, one does not push out another.")
def test_items_are_kept_beside_each_other(connect: Connect) -> None:
    alice = _owner(connect)
    if not _pep.made(alice, NODE, PRIVATE | {"pubsub#max_items": "10"}):
        impossible("no node with room for several items could be made")
    expected = {f"item-{n}": f"text {n}" for n in range(5)}
    for identifier, text in expected.items():
        _keep(alice, text, item=identifier)
    _keep(alice, "changed", item="item-3")
    _holds(alice, expected | {"item-3": "changed"})


# --- preconditions


@XEP.must("3", "2", says="Where others have access to the node, private data are refused, and not stored.")
@pytest.mark.parametrize("model", ["open", "presence", "roster"])
def test_node_that_others_read_is_refused(model: str, connect: Connect) -> None:
    alice = _owner(connect)
    _pep.with_access(alice, NODE, model)
    _pep.published(alice, NODE, "public")
    reply = publish(alice, NODE, SECRET, options=PRIVATE)
    _pep.refused_by_precondition(reply)
    kept = retrieve(alice, alice.bare_jid, NODE)  # of roster nodes some servers show nothing to their owner
    require(SECRET not in show(kept), "nothing of what was refused", kept)
    require_equal(configured(alice, NODE, "access_model"), [model], "pubsub#access_model")


@XEP.must("3", "2", says="Where the node does not keep its items, private data are refused.")
def test_node_that_forgets_is_refused(connect: Connect) -> None:
    alice = _owner(connect)
    if not _pep.made(alice, NODE, PRIVATE | {"pubsub#persist_items": "false"}):
        impossible("no node could be made that does not keep its items")
    if configured(alice, NODE, "persist_items") not in (["0"], ["false"]):
        impossible("the server makes no node that does not keep its items")
    _pep.refused_by_precondition(publish(alice, NODE, SECRET, options=PRIVATE))


@XEP.must("3", says="What is refused is not told to those who ask for the node.")
def test_what_is_refused_is_not_told(connect: Connect) -> None:
    alice, bob = _owner_and_contact(connect)
    client = Client(bob, NODE, PROBE)
    client.appear()
    _pep.reach(alice, client)
    _pep.published(alice, NODE, "public", item="public")
    _pep.notified(client, alice, NODE, "public", item="public")
    _pep.refused_by_precondition(publish(alice, NODE, SECRET, item="secret", options=PRIVATE))
    _pep.not_notified(client, alice, NODE, "of what was refused", item="secret")


# --- nobody else


@XEP.must("2", says="Neither a contact nor a stranger retrieves private data, or subscribes to them.")
@pytest.mark.parametrize("who", ["contact", "stranger"])
def test_data_are_private(who: str, connect: Connect) -> None:
    alice, bob = _owner_and_contact(connect) if who == "contact" else (_owner(connect), connect(label="bob"))
    _keep(alice, SECRET)
    reply = retrieve(bob, alice.bare_jid, NODE)
    require(SECRET not in show(reply), "nothing of the data", reply)
    require_error(reply)
    require_error(_pep.subscription(bob, "subscribe", alice.bare_jid, NODE, bob.bare_jid))


@XEP.must("2", says="Neither a contact nor a stranger asks for one item of private data by its id.")
@pytest.mark.parametrize("who", ["contact", "stranger"])
def test_single_item_is_private(who: str, connect: Connect) -> None:
    alice, bob = _owner_and_contact(connect) if who == "contact" else (_owner(connect), connect(label="bob"))
    _keep(alice, SECRET)
    asked = f"<pubsub xmlns='{PUBSUB}'><items node='{NODE}'><item id='current'/></items></pubsub>"
    reply = bob.iq("get", asked, to=alice.bare_jid)
    require(SECRET not in show(reply), "nothing of the data", reply)
    require_error(reply)


@XEP.must("2", says="A contact publishes nothing into private data, nor takes anything out of them.")
def test_contact_changes_nothing(connect: Connect) -> None:
    alice, bob = _owner_and_contact(connect)
    _keep(alice, SECRET)
    require_error(publish(bob, NODE, "forged", to=alice.bare_jid))
    taken = f"<pubsub xmlns='{PUBSUB}'><retract node='{NODE}'><item id='current'/></retract></pubsub>"
    require_error(bob.iq("set", taken, to=alice.bare_jid))
    _holds(alice, {"current": SECRET})


@XEP.must("2", says="No contact is told of private data: not as they are stored, nor changed, nor taken back.")
def test_contact_is_not_told(connect: Connect) -> None:
    alice, bob = _owner_and_contact(connect)
    client = Client(bob, NODE, PROBE)
    client.appear()
    _pep.reach(alice, client)
    _keep(alice, SECRET)
    _keep(alice, "changed")
    if _pep.retracts(alice):
        require_result(_pep.retract(alice, NODE, "current"))
    _pep.not_notified(client, alice, NODE, "of private data to a contact")


@XEP.must("2", says="No contact is sent the last item of private data as it becomes available.")
def test_contact_is_not_sent_the_last_item(connect: Connect) -> None:
    alice, bob = _owner_and_contact(connect)
    client = Client(bob, NODE, PROBE)
    _pep.introduce(alice, client)
    _keep(alice, SECRET)
    client.appear()
    client.sentinel()
    _pep.not_notified(client, alice, NODE, "of private data to a contact that comes later")


@XEP.must("2", says="A contact that is made later has no access either.")
def test_later_contact_has_no_access(connect: Connect) -> None:
    alice, bob = _owner(connect), connect(label="bob")
    _keep(alice, SECRET)
    befriend(alice, bob)
    appear(alice)
    reply = retrieve(bob, alice.bare_jid, NODE)
    require(SECRET not in show(reply), "nothing of the data", reply)
    require_error(reply)


# --- the own resources


@XEP.must("3", says="The account's own resources are told of private data, as they ask for them.")
def test_own_resource_is_told(connect: Connect) -> None:
    alice, other = _pep.owner_and_resource(connect, NODE)
    with_publish_options(alice)
    _keep(alice, SECRET, item="first")
    _pep.notified(other, alice, NODE, SECRET, item="first")
    _keep(alice, "another", item="second")
    _pep.notified(other, alice, NODE, "another", item="second")


@XEP.must("2", says="Another resource of the account retrieves private data.")
def test_own_resource_retrieves(connect: Connect) -> None:
    account = connect.account()
    alice = with_publish_options(connect(account=account, label="alice"))
    _keep(alice, SECRET)
    _holds(connect(account=account, label="alice's other"), {"current": SECRET})
