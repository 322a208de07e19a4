"""XEP-0398: avatars published over PEP are in the vCard, those of the vCard in PEP, and their hash in presence."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lab.plugin import (
    Connect,
    Specification,
    impossible,
    premise,
    require,
    require_equal,
    require_result,
    unsupported,
)
from lab.wire.namespaces import AVATAR_DATA, AVATAR_METADATA, MUC, NS, VCARD
from lab.wire.session import Session, localname, new_id, stanza_error_condition
from lab.wire.stream import Element
from scenarios.server import _avatar, _pep
from scenarios.server._avatar import (
    CONVERSION,
    NO_IMAGE,
    NOT_READY,
    announces,
    hash_in,
    marked,
    presence_of,
    update,
)
from scenarios.server._caps import Client
from scenarios.server._contacts import appear, befriend, subscribe
from scenarios.server._discovery import advertises
from scenarios.server._vcard import Picture, card, decoded, fetch, photo, picture, store

XEP = Specification("XEP-0398")

OTHER_HASH = "01b87fcd030b72895ff8e88db57ec525450f000d"
BASIC = "<FN>Juliet</FN><N><GIVEN>Juliet</GIVEN></N>"
"""What a vCard cannot be without (XEP-0054 §7)."""
FAR = "https://images.example/avatar.png"


def _owner(connect: Connect) -> Session:
    """A session whose account says that it converts avatars (§2); else the check is `unsupported`."""
    alice = _pep.owner(connect)
    if not advertises(alice, alice.bare_jid, CONVERSION):
        unsupported(CONVERSION)
    return alice


def _owner_and_contact(connect: Connect) -> tuple[Session, Session]:
    """An owner, not available, and an available contact."""
    alice, bob = _owner(connect), connect(label="bob")
    befriend(alice, bob)
    appear(bob)
    return alice, bob


def _put_in_vcard(session: Session, image: Picture) -> None:
    require_result(store(session, f"{BASIC}{image.xml}"))


each_source = pytest.mark.parametrize(
    "publish",
    [pytest.param(_avatar.publish, id="from-pep"), pytest.param(_put_in_vcard, id="from-vcard")],
)
Publish = Callable[[Session, Picture], None]


def _shows(reply: Element, image: Picture) -> None:
    """The vCard in an answer has this image."""
    require_result(reply)
    seen = photo(reply)
    require(seen is not None and seen.data == image.data, f"the image {image.hash} in the vCard", reply)
    require_equal(seen.kind if seen else None, image.kind, "TYPE")


# --- discovery


@XEP.must("2", says="Who converts avatars says so by a feature of the account.")
def test_support_is_advertised(connect: Connect) -> None:
    alice = _pep.owner(connect)
    if advertises(alice, alice.bare_jid, CONVERSION):
        return
    model = "open" if _pep.advertised(alice, "publish-options") else None
    require_result(_avatar.offer(alice, picture(), model=model))
    reply = fetch(alice)
    require(photo(reply) is None, f"{CONVERSION} on the account, or no conversion", reply)
    unsupported(CONVERSION)


# --- from PEP to vCard


@XEP.must("3.1", "3", says="The image of a publication of metadata is in the vCard, with its type, for whoever asks.")
@pytest.mark.parametrize("asks", ["owner", "stranger"])
def test_published_avatar_is_in_the_vcard(asks: str, connect: Connect) -> None:
    image, alice = picture(), _owner(connect)
    _avatar.publish(alice, image)
    session = alice if asks == "owner" else connect(label="stranger")
    _shows(fetch(session, alice.bare_jid), image)


@XEP.must("3.1", says="A newer avatar takes the place of the older one in the vCard.")
def test_newer_avatar_replaces_the_older(connect: Connect) -> None:
    first, second, alice = picture(), picture(), _owner(connect)
    _avatar.publish(alice, first)
    _shows(fetch(alice), first)
    _avatar.publish(alice, second)
    _shows(fetch(alice), second)


@XEP.must("3.1", says="An avatar is put into the vCard that there is: what else stands in it stays.")
def test_rest_of_the_vcard_stays(connect: Connect) -> None:
    image, alice = picture(), _owner(connect)
    require_result(store(alice, f"{BASIC}<NICKNAME>jule</NICKNAME>"))
    _avatar.publish(alice, image)
    reply = fetch(alice)
    _shows(reply, image)
    vcard = card(reply)
    told = [None if vcard is None else vcard.findtext(f"{{{VCARD}}}{name}") for name in ("FN", "NICKNAME")]
    require_equal(told, ["Juliet", "jule"], "FN and NICKNAME")


@XEP.must("3.1", says="Of several infos in the metadata, one that points to no other place is picked.")
@pytest.mark.parametrize("order", ["published-first", "published-last"])
def test_published_image_is_picked(order: str, connect: Connect) -> None:
    image, far, alice = picture(), picture(), _owner(connect)
    infos = [_avatar.info(image), _avatar.info(far, FAR)]
    _avatar.publish(alice, image, infos=infos if order == "published-first" else infos[::-1])
    _shows(fetch(alice), image)


@XEP.should("3.1", says="The image's SHA-1 is held against its id: under a wrong one it does not get into the vCard.")
def test_wrong_id_is_noticed(connect: Connect) -> None:
    image, alice = picture(), _owner(connect)
    wrong = f"<info id='{OTHER_HASH}' bytes='{len(image.data)}' type='{image.kind}'/>"
    _avatar.offer(alice, image, item=OTHER_HASH, infos=[wrong])  # which may be refused for that
    reply = fetch(alice)
    require(photo(reply) is None, f"no image whose id is not its hash ({image.hash})", reply)


# --- from vCard to PEP (§3: MAY)


def _items(session: Session, of: Session, node: str) -> dict[str, Element]:
    """The items of a node of an account that converts from vCards to PEP, else the check is `unsupported`."""
    reply = _pep.retrieve(session, of.bare_jid, node)
    if stanza_error_condition(reply) == "item-not-found":
        unsupported("conversion from vCard to PEP")
    require_result(reply)
    return _pep.items(reply)


@XEP.must("3.2", says="The image of a vCard is published as an item of the data node, under its SHA-1.")
def test_image_of_the_vcard_is_published(connect: Connect) -> None:
    image, alice = picture(), _owner(connect)
    _put_in_vcard(alice, image)
    items = _items(alice, alice, AVATAR_DATA)
    require(image.hash in items, f"an item {image.hash}", ", ".join(items) or "no item")
    data = items[image.hash].findtext("avatar-data:data", "", NS)
    require(decoded(data) == image.data, "the image's bytes", items[image.hash])


@XEP.must("3.2", says="Metadata of it are published, with one info: its id, its size, and the type of the vCard.")
def test_metadata_of_the_vcards_image_are_published(connect: Connect) -> None:
    image, alice = picture(), _owner(connect)
    _put_in_vcard(alice, image)
    items = _items(alice, alice, AVATAR_METADATA)
    infos = [dict(i.attrib) for item in items.values() for i in item.iterfind("avatar-metadata:metadata/*", NS)]
    require_equal(len(infos), 1, "the number of infos")
    told = {name: infos[0].get(name) for name in ("id", "bytes", "type")}
    require_equal(told, {"id": image.hash, "bytes": str(len(image.data)), "type": image.kind}, "the info")


@XEP.must("3.2", says="Another image in the vCard is published in place of the former one.")
def test_another_image_of_the_vcard_is_published(connect: Connect) -> None:
    first, second, alice = picture(), picture(), _owner(connect)
    _put_in_vcard(alice, first)
    _items(alice, alice, AVATAR_METADATA)
    _put_in_vcard(alice, second)
    items = _items(alice, alice, AVATAR_METADATA)
    require(second.hash in items, f"an item {second.hash}", ", ".join(items) or "no item")
    ids = [i.get("id") for i in items[second.hash].iterfind("avatar-metadata:metadata/avatar-metadata:info", NS)]
    require_equal(ids, [second.hash], "the ids in the metadata")


@XEP.should("3.2", says="Who is subscribed to the metadata is notified of the image of a vCard.")
def test_metadata_of_the_vcards_image_are_notified(connect: Connect) -> None:
    image = picture()
    message = _notified_of_vcard(connect, image)[1]
    infos = message.iterfind("event:event/event:items/event:item/avatar-metadata:metadata/avatar-metadata:info", NS)
    require_equal([i.get("id") for i in infos], [image.hash], "the ids in the notification")


@XEP.must("3.2", says="The image is published first, and the metadata behind it.")
def test_image_is_published_before_its_metadata(connect: Connect) -> None:
    image = picture()
    client, _ = _notified_of_vcard(connect, image)
    # Whatever was told before the metadata lies in the inbox.
    before = [_pep.items(e) for e in client.session.inbox if _pep.tells_of(AVATAR_DATA)(e)]
    if any(image.hash in items for items in before):
        return
    behind = premise(
        lambda: client.expect(_pep.tells_of(AVATAR_DATA, image.hash), "the image's notification"),
        "nobody is notified of the data node, which §3.2 does not ask for",
    )
    require(False, "the image's notification before that of the metadata", behind)


def _notified_of_vcard(connect: Connect, image: Picture) -> tuple[Client, Element]:
    """A contact who asks for both nodes, and the notification of the metadata of an image in a vCard."""
    alice, bob = _pep.owner_and_contact(connect)
    if not advertises(alice, alice.bare_jid, CONVERSION):
        unsupported(CONVERSION)
    client = Client(bob, AVATAR_DATA, AVATAR_METADATA, _pep.PROBE)
    client.appear()
    _pep.reach(alice, client)
    _put_in_vcard(alice, image)
    _items(alice, alice, AVATAR_METADATA)
    return client, client.expect(_pep.tells_of(AVATAR_METADATA), "the notification of the metadata")


# --- presence


@each_source
@XEP.must("4", says="The hash of the avatar is put into available presence that says nothing of one.")
def test_hash_is_put_into_presence(publish: Publish, connect: Connect) -> None:
    image, (alice, bob) = picture(), _owner_and_contact(connect)
    publish(alice, image)
    presence = bob.expect(marked(alice), "Alice's presence")
    require_equal(hash_in(presence), image.hash, "the hash")


@each_source
@XEP.must("4", says="An update child without a photo element is overwritten by one with the hash.")
def test_empty_update_is_overwritten(publish: Publish, connect: Connect) -> None:
    image, (alice, bob) = picture(), _owner_and_contact(connect)
    publish(alice, image)
    presence = bob.expect(marked(alice, NOT_READY), "Alice's presence")
    require_equal(hash_in(presence), image.hash, "the hash")
    require_equal(len(presence.findall("vcard-update:x", NS)), 1, "the number of update children")


@each_source
@XEP.must("4", says="An empty photo element is left as it is, whatever avatar there is.")
def test_empty_photo_is_left(publish: Publish, connect: Connect) -> None:
    image, (alice, bob) = picture(), _owner_and_contact(connect)
    publish(alice, image)
    presence = bob.expect(marked(alice, NO_IMAGE), "Alice's presence")
    require_equal(hash_in(presence), "", "the photo element")


@XEP.may("4", says="A hash that the client gives may be overwritten by the right one; nothing else comes of it.")
@pytest.mark.parametrize("which", ["right", "another"])
def test_hash_of_the_client(which: str, connect: Connect) -> None:
    image, (alice, bob) = picture(), _owner_and_contact(connect)
    _avatar.publish(alice, image)
    told = image.hash if which == "right" else OTHER_HASH
    presence = bob.expect(marked(alice, announces(told)), "Alice's presence")
    require(hash_in(presence) in {told, image.hash}, f"the hash {told} or {image.hash}", presence)


@each_source
@XEP.must("4", says="The hash is put into directed presence, too, to whomever that goes.")
@pytest.mark.parametrize("target", ["full-jid", "bare-jid"])
def test_hash_is_put_into_directed_presence(target: str, publish: Publish, connect: Connect) -> None:
    image, alice = picture(), _owner(connect)
    publish(alice, image)
    appear(alice)
    stranger = connect(label="stranger")
    appear(stranger)
    to = stranger.jid if target == "full-jid" else stranger.bare_jid
    presence = stranger.expect(marked(alice, to=to), "Alice's directed presence")
    require_equal(hash_in(presence), image.hash, "the hash")


@each_source
@XEP.must("4", says="The hash is put into the presence that joins a room.")
def test_hash_is_put_into_a_join(publish: Publish, connect: Connect) -> None:
    image, alice, bob = picture(), _owner(connect), connect(label="bob")
    service = connect.cell.services.get("muc")
    if service is None:
        impossible("the cell has no MUC service")
    room = f"avatar-{new_id()}@{service}"
    publish(alice, image)
    bob.send(f"<presence to='{room}/bob'><x xmlns='{MUC}'/></presence>")
    bob.expect(_occupant(f"{room}/bob"), "Bob's own presence in the room")
    bob.iq("set", f"<query xmlns='{MUC}#owner'><x xmlns='jabber:x:data' type='submit'/></query>", to=room)
    alice.send(f"<presence to='{room}/alice'><x xmlns='{MUC}'/></presence>")
    presence = bob.expect(_occupant(f"{room}/alice"), "Alice's presence in the room")
    require_equal(hash_in(presence), image.hash, "the hash")


def _occupant(jid: str) -> Callable[[Element], bool]:
    return lambda e: localname(e) == "presence" and e.get("from") == jid and e.get("type") is None


@XEP.must("4", says="Who becomes available later is shown the hash, too.")
def test_hash_is_shown_to_who_comes_later(connect: Connect) -> None:
    image, alice, bob = picture(), _owner(connect), connect(label="bob")
    befriend(alice, bob)
    _avatar.publish(alice, image)
    is_marked = marked(alice)
    alice.sentinel()
    bob.send("<presence/>")
    presence = bob.expect(is_marked, "Alice's presence")
    require_equal(hash_in(presence), image.hash, "the hash")


@XEP.must("4", says="Who is approved later is shown the hash, too.")
def test_hash_is_shown_to_a_new_contact(connect: Connect) -> None:
    image, alice, bob = picture(), _owner(connect), connect(label="bob")
    _avatar.publish(alice, image)
    appear(alice)
    appear(bob)
    subscribe(bob, alice)
    presence = bob.expect(presence_of(alice), "Alice's presence")
    require_equal(hash_in(presence), image.hash, "the hash")


@each_source
@XEP.must("4", says="Behind another avatar, presence has the hash of that one.")
def test_hash_is_that_of_the_newest(publish: Publish, connect: Connect) -> None:
    first, second = picture(), picture()
    alice, bob = _owner_and_contact(connect)
    publish(alice, first)
    require_equal(hash_in(bob.expect(marked(alice), "Alice's presence")), first.hash, "the hash")
    publish(alice, second)
    require_equal(hash_in(bob.expect(marked(alice), "Alice's presence")), second.hash, "the hash")


@XEP.must("4", says="Where there is no avatar, or none any more, no hash is put into presence.")
@pytest.mark.parametrize("was", ["never", "disabled", "removed-from-vcard"])
def test_no_hash_without_an_avatar(was: str, connect: Connect) -> None:
    alice, bob = _owner_and_contact(connect)
    if was == "disabled":
        _avatar.publish(alice, picture())
        _avatar.disable(alice)
    elif was == "removed-from-vcard":
        _put_in_vcard(alice, picture())
        require_result(store(alice, BASIC))
    if _has_an_image(alice):  # §3 says nothing of images that are taken out of one of the two places
        impossible("there still is an avatar, in the vCard or over PEP")
    presence = bob.expect(marked(alice), "Alice's presence")
    require(not hash_in(presence), "no hash", presence)


def _has_an_image(session: Session) -> bool:
    metadata = _pep.items(_pep.retrieve(session, session.bare_jid, AVATAR_METADATA)).values()
    infos = [item.find("avatar-metadata:metadata/avatar-metadata:info", NS) for item in metadata]
    return photo(fetch(session)) is not None or any(info is not None for info in infos)


@XEP.must("4", says="What else stands in the presence is left as it is.")
def test_rest_of_the_presence_stays(connect: Connect) -> None:
    image, (alice, bob) = picture(), _owner_and_contact(connect)
    _avatar.publish(alice, image)
    rest = "<show>away</show><priority>7</priority><note xmlns='urn:stanzalab:0'>mine</note>"
    presence = bob.expect(marked(alice, rest), "Alice's presence")
    require(update(presence) is not None, "an update child", presence)
    told = [presence.findtext(f"{{*}}{name}") for name in ("show", "priority", "note")]
    require_equal(told, ["away", "7", "mine"], "show, priority and note")


# --- who may see it


@XEP.should("7", "5.2", says="An image in a node that is not open does not get into a vCard that strangers see.")
@pytest.mark.parametrize("model", ["presence", "whitelist"])
def test_closed_avatar_is_not_shown_to_strangers(model: str, connect: Connect) -> None:
    image, alice, stranger = picture(), _owner(connect), connect(label="stranger")
    _avatar.publish(alice, image, model=model)
    reply = fetch(stranger, alice.bare_jid)
    require(photo(reply) is None, f"no image of a node of the access model {model}", reply)
