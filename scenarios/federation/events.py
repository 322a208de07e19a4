"""Personal eventing over the border (XEP-0163): bob publishes there, alice is a contact from abroad."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha1

from lab.plugin import Specification, require, require_equal, require_error, require_result, unsupported
from lab.plugin.border import Federation
from lab.wire.namespaces import AVATAR_DATA, AVATAR_METADATA, CAPS, NS
from lab.wire.session import Session
from scenarios.federation._border import strangers
from scenarios.server._caps import Client
from scenarios.server._contacts import appear, befriend, disappear
from scenarios.server._pep import (
    NODE,
    OTHER,
    PROBE,
    items,
    not_notified,
    notes,
    notified,
    owner,
    publish,
    published,
    reach,
    retract,
    retrieve,
    stored,
    subscription,
    tells_of,
    with_access,
)
from scenarios.server.rfc6121._playing import is_presence, send

PEP = Specification("XEP-0163")
CAPABILITIES = Specification("XEP-0115")
PICTURE = b"\x89PNG\r\n\x1a\nno picture at all"


def contact_and_owner(federation: Federation, *wanted: str) -> tuple[Client, Session]:
    """An available contact from abroad that is told of the nodes `wanted` by now, and the owner."""
    alice, bob = federation.alice(), owner_there(federation)
    befriend(alice, bob)
    appear(bob)
    contact = Client(alice, *wanted, PROBE)
    contact.appear()
    bob.expect(is_presence(None, alice.jid), "the contact's presence")  # caps have come by then
    reach(bob, contact)
    return contact, bob


def owner_there(federation: Federation) -> Session:
    """A user there whose server says that it does PEP."""
    with federation.there.blamed():
        return owner(federation.there.connect)


@CAPABILITIES.must("4", says="Caps in presence cross the border as the client wrote them.")
def test_caps_cross_the_border(federation: Federation) -> None:
    alice, bob = federation.alice(), federation.bob()
    befriend(alice, bob)
    appear(bob)
    bob.inbox.clear()
    client = Client(alice)
    client.appear("with caps")
    came = bob.expect(
        lambda e: is_presence(None, alice.jid)(e) and e.findtext("c:status", None, NS) == "with caps", "the presence"
    )
    caps = came.find("caps:c", NS)
    seen = None if caps is None else {name: caps.get(name) for name in ("hash", "node", "ver")}
    own = client.capabilities
    require_equal(
        seen, {"hash": own.algorithm, "node": own.node, "ver": own.ver}, f"the attributes of <c/> of {CAPS}:"
    )


@PEP.must("4.3.3", "4.2", says="What is published is told over the border to a contact whose caps ask for the node.")
def test_notification_crosses_the_border(federation: Federation) -> None:
    contact, bob = contact_and_owner(federation, NODE)
    published(bob, NODE, "hello")
    with federation.there.writes():
        notified(contact, bob, NODE, "hello")


@PEP.must("4.2", says="A contact from abroad is told nothing of nodes that its caps do not ask for.")
def test_contact_abroad_is_spared(federation: Federation) -> None:
    contact, bob = contact_and_owner(federation, NODE)
    published(bob, OTHER, "hello")
    with federation.there.blamed():
        not_notified(contact, bob, OTHER, "of a node that nobody asked for")


@PEP.must("4.3.4", "4.3.3", says="A contact from abroad that logs in is sent the last item of a node it asks for.")
def test_last_item_crosses_the_border(federation: Federation) -> None:
    contact, bob = contact_and_owner(federation, NODE)
    published(bob, NODE, "the last one")
    contact.expect(tells_of(NODE), "the notification")
    disappear(contact.session)
    contact.session.sentinel(bob)
    contact.appear()
    notified(contact, bob, NODE, "the last one")


@PEP.must("4.1", says="A contact from abroad retrieves the items of a presence node.")
def test_contact_abroad_retrieves(federation: Federation) -> None:
    alice, bob = federation.alice(), owner_there(federation)
    befriend(alice, bob)
    published(bob, NODE, "hello")
    reply = retrieve(alice, bob.bare_jid, NODE)
    with federation.there.writes():
        require_result(reply)
        require_equal(notes(reply), {"current": "hello"}, "the items:")


@PEP.must("5", "4.1", says="A stranger from abroad retrieves nothing from a presence node.")
def test_stranger_abroad_retrieves_nothing(federation: Federation) -> None:
    alice, bob = federation.alice(), owner_there(federation)
    published(bob, NODE, "hello")
    reply = retrieve(alice, bob.bare_jid, NODE)
    with federation.there.writes():
        require_error(reply)
        require_equal(notes(reply), {}, "the items:")


@PEP.must("5", says="Anybody from abroad retrieves from a node of the access model open.")
def test_open_node_is_read_from_abroad(federation: Federation) -> None:
    alice, bob = federation.alice(), owner_there(federation)
    with_access(bob, NODE, "open")
    published(bob, NODE, "hello")
    reply = retrieve(alice, bob.bare_jid, NODE)
    with federation.there.writes():
        require_equal(notes(reply), {"current": "hello"}, "the items:")


@PEP.must("5", "4.3.3", says="A stranger from abroad subscribed to an open node is told of what is published to it.")
def test_subscriber_abroad_is_notified(federation: Federation) -> None:
    alice, bob = federation.alice(), owner_there(federation)
    appear(alice)
    # By default, a node may keep its news from those of whom the server does not know that they are there.
    with_access(bob, NODE, "open", presence_based_delivery="0")
    reply = subscription(alice, "subscribe", bob.bare_jid, NODE, alice.jid)
    with federation.there.writes():
        require_result(reply)
    published(bob, NODE, "hello", item="new")
    told = alice.expect(tells_of(NODE, "new"), "the notification")
    with federation.there.writes():
        require_equal(notes(told), {"new": "hello"}, "the items:")


@PEP.must("3", "5", says="Nobody from abroad publishes to an account, contact or not.")
def test_nobody_abroad_publishes(federation: Federation) -> None:
    alice, bob = federation.alice(), owner_there(federation)
    befriend(alice, bob)
    published(bob, NODE, "hello")
    reply = publish(alice, NODE, "forged", to=bob.bare_jid)
    with federation.there.writes():
        require_error(reply)
    with federation.there.blamed():
        require_equal(notes(retrieve(bob, bob.bare_jid, NODE)), {"current": "hello"}, "the items:")


@PEP.may("5", says="A retraction is told over the border, by the item's id.")
def test_retraction_crosses_the_border(federation: Federation) -> None:
    contact, bob = contact_and_owner(federation, NODE)
    published(bob, NODE, "hello", item="gone")
    contact.expect(tells_of(NODE, "gone"), "the notification")
    with federation.there.blamed():
        gone = retract(bob, NODE, "gone")
        if gone.get("type") == "error":
            unsupported("retraction: it is refused")
        require_result(gone)
    told = contact.expect(
        lambda e: e.find("event:event/event:items/event:retract", NS) is not None,
        "the notification of the retraction",
    )
    retracted = told.find("event:event/event:items/event:retract", NS)
    with federation.there.writes():
        require(retracted is not None and retracted.get("id") == "gone", "the id of the item", told)


@PEP.must("7.1", says="A contact from abroad who gave up the owner's presence is told no more.")
def test_former_contact_abroad_is_spared(federation: Federation) -> None:
    contact, bob = contact_and_owner(federation, NODE)
    send(contact.session, "unsubscribe", bob.bare_jid)
    bob.expect(is_presence("unsubscribe", contact.session.bare_jid), "the word that the contact gave it up")
    bob.sentinel()
    published(bob, NODE, "hello")
    with federation.there.blamed():
        not_notified(contact, bob, NODE, "after the subscription ended")


@PEP.must("4.3.3", "4.2", says="A new avatar is told over the border (XEP-0084), and its data can be had there.")
def test_avatar_crosses_the_border(federation: Federation) -> None:
    contact, bob = contact_and_owner(federation, AVATAR_METADATA)
    name = sha1(PICTURE, usedforsecurity=False).hexdigest()
    data = b64encode(PICTURE).decode()
    with federation.there.blamed():
        stored(bob, AVATAR_DATA, f"<data xmlns='{AVATAR_DATA}'>{data}</data>", item=name)
        info = f"<info id='{name}' type='image/png' bytes='{len(PICTURE)}'/>"
        stored(bob, AVATAR_METADATA, f"<metadata xmlns='{AVATAR_METADATA}'>{info}</metadata>", item=name)
    told = contact.expect(tells_of(AVATAR_METADATA, name), "the avatar's metadata")
    with federation.there.writes():
        seen = items(told)[name].find("avatar-metadata:metadata/avatar-metadata:info", NS)
        require(seen is not None and seen.get("id") == name, "the avatar's id", told)
        reply = retrieve(contact.session, bob.bare_jid, AVATAR_DATA)
        found = items(reply).get(name)
        require(found is not None, "the item with the data", reply)
        text = found.findtext("avatar-data:data", "", NS) if found is not None else ""
        require_equal("".join(text.split()), data, "the data")


@PEP.must("4.1", "5", says="A stranger from abroad is told nothing of a presence node, whatever its caps ask for.")
def test_stranger_abroad_is_spared(federation: Federation) -> None:
    alice, bob = strangers(federation)
    stranger = Client(alice, NODE)
    alice.send(f"<presence to='{bob.bare_jid}'>{stranger.capabilities.caps}</presence>")
    bob.expect(is_presence(None, alice.jid), "the directed presence")
    stranger.sentinel()
    published(bob, NODE, "hello")
    with federation.there.blamed():
        not_notified(stranger, bob, NODE, "to a stranger")
