"""XEP-0153 (vCard-based avatars) as far as a server is concerned: it keeps the image, and passes the hash on.

What a server adds to presence of its own accord is XEP-0398's matter.
"""

from __future__ import annotations

import textwrap

import pytest

from lab.plugin import Connect, Specification, require, require_equal, require_result
from lab.wire.session import Session
from scenarios.server._avatar import NO_IMAGE, announces, hash_in, marked
from scenarios.server._contacts import appear, befriend, log_out
from scenarios.server._vcard import Picture, fetch, photo, picture, store, with_vcard

XEP = Specification("XEP-0153")

LARGE = 130
"""Pixels of the side of a picture of some 17 kilobytes, twice what an image should have (§4.6)."""


def _with_photo(connect: Connect, image: Picture) -> Session:
    alice = with_vcard(connect(label="alice"))
    require_result(store(alice, image.xml))
    return alice


def _shows(session: Session, of: str, image: Picture) -> None:
    """The vCard has this image, byte by byte."""
    reply = fetch(session, of)
    require_result(reply)
    seen = photo(reply)
    require(seen is not None, "a photo", reply)
    require(seen is not None and seen.data == image.data, f"the {len(image.data)} bytes that were stored", reply)


# --- the image


@XEP.should("4.5", says="The photo in a vCard has the image in BINVAL and its media type in TYPE.")
@pytest.mark.parametrize("there", [True, False], ids=["user-online", "user-offline"])
def test_image_is_retrieved(there: bool, connect: Connect) -> None:
    image = picture()
    alice, bob = _with_photo(connect, image), connect(label="bob")
    if there:
        appear(alice)
    else:
        log_out(alice)
    _shows(bob, alice.bare_jid, image)
    seen = photo(fetch(bob, alice.bare_jid))
    require_equal(seen.kind if seen else None, image.kind, "TYPE")


@XEP.must("4.6", says="Images of the types png, gif and jpeg are kept, and the type with them.")
@pytest.mark.parametrize("kind", ["png", "gif", "jpeg"])
def test_image_of_each_type(kind: str, connect: Connect) -> None:
    contents = {"png": picture().data, "gif": GIF, "jpeg": JPEG}
    image = Picture(contents[kind], f"image/{kind}")
    alice = _with_photo(connect, image)
    _shows(alice, alice.bare_jid, image)
    seen = photo(fetch(alice))
    require_equal(seen.kind if seen else None, image.kind, "TYPE")


@XEP.should("5", says="An image of more than eight kilobytes is processed all the same.")
def test_large_image_is_kept(connect: Connect) -> None:
    image = picture(LARGE)
    alice = _with_photo(connect, image)
    _shows(alice, alice.bare_jid, image)


@XEP.must("4.6", says="White space in the base64 of an image is ignored: the image is the same.")
@pytest.mark.parametrize("white", ["\n", " ", "&#13;\n"], ids=["line-breaks", "spaces", "carriage-returns"])
def test_white_space_in_base64_is_ignored(white: str, connect: Connect) -> None:
    image = picture()
    alice = with_vcard(connect(label="alice"))
    lines = white.join(textwrap.wrap(image.base64, 76))
    require_result(store(alice, f"<PHOTO><TYPE>{image.kind}</TYPE><BINVAL>{white}{lines}{white}</BINVAL></PHOTO>"))
    _shows(alice, alice.bare_jid, image)


@XEP.must("4.1", says="Whoever stored a vCard with no image, or an empty one, has no image.")
@pytest.mark.parametrize("content", ["", "<PHOTO/>", "<PHOTO><BINVAL/></PHOTO>"], ids=["none", "empty", "no-data"])
def test_image_is_removed(content: str, connect: Connect) -> None:
    alice = _with_photo(connect, picture())
    require_result(store(alice, f"<FN>Juliet</FN>{content}"))
    reply = fetch(alice)
    require_result(reply)
    require(photo(reply) is None, "a vCard without an image", reply)


# --- the hash in presence


@XEP.must("4.1", says="The hash of the image that a client puts into its presence reaches who is subscribed to it.")
def test_hash_is_broadcast(connect: Connect) -> None:
    image = picture()
    alice, bob = _with_photo(connect, image), connect(label="bob")
    befriend(alice, bob)
    appear(bob)
    presence = bob.expect(marked(alice, announces(image.hash)), "Alice's presence")
    require_equal(hash_in(presence), image.hash, "the hash")


@XEP.should("4.1", says="The hash of the image in directed presence reaches whom that is for.")
def test_hash_is_in_directed_presence(connect: Connect) -> None:
    image = picture()
    alice, stranger = _with_photo(connect, image), connect(label="stranger")
    presence = stranger.expect(marked(alice, announces(image.hash), to=stranger.jid), "Alice's directed presence")
    require_equal(hash_in(presence), image.hash, "the hash")


@XEP.must("4.1", says="That there is no image, said by an empty photo element, reaches contacts as it is.")
def test_absence_of_an_image_is_broadcast(connect: Connect) -> None:
    alice, bob = with_vcard(connect(label="alice")), connect(label="bob")
    befriend(alice, bob)
    appear(bob)
    presence = bob.expect(marked(alice, NO_IMAGE), "Alice's presence")
    require_equal(hash_in(presence), "", "the photo element")


GIF = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")
JPEG = bytes.fromhex(
    "ffd8ffe000104a46494600010101004800480000ffdb004300ffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffc0000b0800010001"
    "01011100ffc40014000100000000000000000000000000000003ffc40014100100000000000000000000000000000000ffda00080101"
    "00003f0037ffd9"
)
"""One pixel each."""
