"""XEP-0163 §4.3.3, §4.3.4: the last published item, sent to whoever becomes available or subscribes."""

from __future__ import annotations

import pytest

from lab.plugin import Connect, Specification, require_equal
from lab.wire.session import new_id
from scenarios.server._caps import Client
from scenarios.server._contacts import appear, befriend, disappear, log_out, subscribe
from scenarios.server._pep import (
    NODE,
    OTHER,
    PROBE,
    introduce,
    not_notified,
    notified,
    owner,
    owner_and_contact,
    published,
    reach,
    tells_of,
    with_access,
)

PEP = Specification("XEP-0163")


@PEP.must("4.3.3", "4.3.4", says="A contact that becomes available is sent the last item of a node it asks for.")
def test_contact_gets_last_item_on_presence(connect: Connect) -> None:
    alice, bob = owner_and_contact(connect)
    client = Client(bob, NODE, PROBE)
    introduce(alice, client)
    published(alice, NODE, "one", item="last")
    client.appear()
    notified(client, alice, NODE, "one", item="last")


@PEP.must("4.3.3", says="The last item is sent to a client whose caps the server has never seen before, too.")
def test_contact_with_new_caps_gets_last_item(connect: Connect) -> None:
    alice, bob = owner_and_contact(connect)
    published(alice, NODE, "one", item="last")
    client = Client(bob, NODE)
    client.appear()
    notified(client, alice, NODE, "one", item="last")


@PEP.must(
    "4.3.3", "4.3.4", says="A contact that logs in anew is sent the last item, though its account had it before."
)
def test_contact_gets_last_item_after_login(connect: Connect) -> None:
    alice, account = owner(connect), connect.account()
    bob = connect(account=account, label="bob")
    befriend(alice, bob)
    appear(alice)
    first = Client(bob, NODE, PROBE)
    first.appear()
    reach(alice, first)
    published(alice, NODE, "one", item="last")
    notified(first, alice, NODE, "one", item="last")
    log_out(bob)
    again = Client(connect(account=account, label="bob again"), same_as=first)
    again.appear()
    notified(again, alice, NODE, "one", item="last")


@PEP.must("4.3.4", says="A newly available resource is sent the newest item, not an older one in its place.")
def test_last_item_is_the_newest(connect: Connect) -> None:
    alice, bob = owner_and_contact(connect)
    client = Client(bob, NODE, PROBE)
    introduce(alice, client)
    published(alice, NODE, "old", item="first")
    published(alice, NODE, "new", item="second")
    client.appear()
    notified(client, alice, NODE, "new", item="second")


@PEP.must("4.3.4", says="A contact's second resource is sent the last item when it becomes available.")
def test_second_resource_of_a_contact_gets_last_item(connect: Connect) -> None:
    alice, account = owner(connect), connect.account()
    bob = connect(account=account, label="bob")
    befriend(alice, bob)
    appear(alice)
    first = Client(bob, NODE, PROBE)
    first.appear()
    reach(alice, first)
    published(alice, NODE, "one")
    other = Client(connect(account=account, label="bob's other"), same_as=first)
    other.appear()
    message = notified(other, alice, NODE, "one")
    require_equal(message.get("to"), other.session.jid, "the notification's to")


@PEP.must("4.3.4", says="A resource of the owner that becomes available is sent the last item.")
@pytest.mark.parametrize("model", ["presence", "whitelist"])
def test_owner_gets_last_item_on_presence(connect: Connect, model: str) -> None:
    account = connect.account()
    alice = owner(connect, account=account)
    first = Client(alice, NODE, PROBE)
    introduce(alice, first)
    with_access(alice, NODE, model)
    published(alice, NODE, "mine")
    other = Client(connect(account=account, label="alice's other"), same_as=first)
    other.appear()
    notified(other, alice, NODE, "mine")


@PEP.must("4.3.4", says="Sending the last item hangs on the subscriber's presence, not on the publisher's.")
def test_last_item_of_an_unavailable_owner(connect: Connect) -> None:
    alice, bob = owner_and_contact(connect)
    client = Client(bob, NODE, PROBE)
    introduce(alice, client)
    published(alice, NODE, "one")
    disappear(alice)
    client.appear()
    notified(client, alice, NODE, "one")


@PEP.must("4.3.4", says="Sending the last item does not ask that the owner be connected.")
def test_last_item_of_an_offline_owner(connect: Connect) -> None:
    alice, bob = owner_and_contact(connect)
    client = Client(bob, NODE, PROBE)
    introduce(alice, client)
    published(alice, NODE, "one")
    log_out(alice)
    client.appear()
    notified(client, alice, NODE, "one")


@PEP.should("4.3.4", "4.1", says="A new contact, available already, is sent the last item of a node it asks for.")
def test_new_contact_gets_last_item(connect: Connect) -> None:
    # §4.3.4 says MUST of new subscribers, but §5 that with implicit ones it comes to sending on presence; the SHOULD
    # for a subscription without new presence is that of XEP-0060 §12.10.
    alice, bob, carol = owner(connect), connect(label="bob"), connect(label="carol")
    befriend(alice, carol)
    appear(alice)
    known = Client(carol, NODE, PROBE)
    introduce(alice, known)
    published(alice, NODE, "one")
    client = Client(bob, same_as=known)
    client.appear()
    client.sentinel()
    subscribe(bob, alice)
    subscribe(alice, bob)
    notified(client, alice, NODE, "one")


@PEP.must_not("4.3.3", says="Presence that follows the initial one brings the last item no second time.")
def test_later_presence_brings_no_item(connect: Connect) -> None:
    alice, bob = owner_and_contact(connect)
    client = Client(bob, NODE, PROBE)
    introduce(alice, client)
    published(alice, NODE, "one", item="last")
    client.appear()
    notified(client, alice, NODE, "one", item="last")
    reach(alice, client)
    # What came on the initial presence, once or oftener, is not judged here.
    bob.inbox[:] = [e for e in bob.inbox if not tells_of(NODE)(e)]
    bob.send(f"<presence><show>away</show>{client.capabilities.caps}</presence>")
    bob.sentinel()
    mark = new_id()
    published(alice, PROBE, mark, item=mark)
    notified(client, alice, PROBE, mark, item=mark)
    not_notified(client, alice, NODE, "on presence that was not the initial one", item="last")


@PEP.must_not("4.2", "4.3.3", says="The last item is kept from a resource whose caps do not ask for the node.")
def test_uninterested_contact_gets_no_last_item(connect: Connect) -> None:
    alice, bob = owner_and_contact(connect)
    client = Client(bob, OTHER, PROBE)
    introduce(alice, client)
    published(alice, NODE, "unwanted")
    published(alice, OTHER, "wanted")
    client.appear()
    notified(client, alice, OTHER, "wanted")
    not_notified(client, alice, NODE, "of a node that was not asked for")


@PEP.must_not("5", "4.1", says="The last item of a whitelist node is kept from contacts.")
def test_last_item_of_whitelist_node_is_kept(connect: Connect) -> None:
    alice, bob = owner_and_contact(connect)
    client = Client(bob, NODE, OTHER, PROBE)
    introduce(alice, client)
    with_access(alice, NODE, "whitelist")
    published(alice, NODE, "secret")
    published(alice, OTHER, "for contacts")
    client.appear()
    notified(client, alice, OTHER, "for contacts")
    not_notified(client, alice, NODE, "of a node that the contact may not see")


@PEP.must_not(
    "5", "4.1", says="The last item of a presence node is kept from a stranger who sends directed presence."
)
def test_stranger_gets_no_last_item(connect: Connect) -> None:
    alice, bob = owner_and_contact(connect)
    control = Client(bob, NODE, PROBE)
    introduce(alice, control)
    published(alice, NODE, "for contacts")
    stranger = Client(connect(label="stranger"), same_as=control)
    stranger.session.send(f"<presence to='{alice.bare_jid}'>{stranger.capabilities.caps}</presence>")
    stranger.sentinel()
    control.appear()
    notified(control, alice, NODE, "for contacts")
    not_notified(stranger, alice, NODE, "to a stranger")
