"""What checks of vCards, avatars and bookmarks are written with: pictures, leaves of a vCard, bookmarks both ways."""

from __future__ import annotations

import hashlib
import zlib

import pytest

from lab.wire.session import parse
from scenarios.server._bookmarks import Room, native_rooms, room_list, rooms_in
from scenarios.server._vcard import Picture, card, decoded, photo, picture
from scenarios.server.xep0049 import canonical
from scenarios.server.xep0054 import leaves
from scenarios.server.xep0215 import NAME, TURN, UTC_TIME
from scenarios.server.xep0363.slots import ADDRESS

VCARD = "<vCard xmlns='vcard-temp'>{}</vCard>"
ROOM = Room("a&b@rooms.example", 'The "Play" & more', True, "<Puck>", "it's")


def _result(vcard: str) -> str:
    return f"<iq type='result' id='1'>{VCARD.format(vcard)}</iq>"


def test_picture_is_a_png_of_its_size() -> None:
    image = picture(40)
    assert image.data.startswith(b"\x89PNG\r\n\x1a\n")
    begin = image.data.index(b"IDAT")
    length = int.from_bytes(image.data[begin - 4 : begin], "big")
    assert len(zlib.decompress(image.data[begin + 4 : begin + 4 + length])) == 40 * 41
    assert image.hash == hashlib.sha1(image.data, usedforsecurity=False).hexdigest()
    assert picture(40).data != image.data


def test_photo_is_read_whatever_its_white_space() -> None:
    image = picture()
    folded = "\n  ".join((image.base64[:50], image.base64[50:]))
    reply = parse(
        _result(f"<PHOTO><TYPE> image/png </TYPE><BINVAL>\n{folded}</BINVAL></PHOTO>"), default="jabber:client"
    )
    assert photo(reply) == Picture(image.data, "image/png")


@pytest.mark.parametrize("content", ["", "<PHOTO/>", "<PHOTO><BINVAL> </BINVAL></PHOTO>", "<FN>J</FN>"])
def test_no_photo(content: str) -> None:
    assert photo(parse(_result(content), default="jabber:client")) is None


def test_vcard_that_an_error_sends_back_is_none() -> None:
    reply = parse(_result("<FN>J</FN>").replace("result", "error"), default="jabber:client")
    assert card(reply) is None


def test_what_is_no_base64_is_handed_back() -> None:
    assert decoded("not base64!") == b"notbase64!"


def test_leaves_do_not_depend_on_order() -> None:
    one = parse(VCARD.format("<N><GIVEN> J </GIVEN><FAMILY>C</FAMILY></N><TEL><HOME/><NUMBER>1</NUMBER></TEL>"))
    other = parse(VCARD.format("<TEL><NUMBER>1</NUMBER><HOME/></TEL><N><FAMILY>C</FAMILY><GIVEN>J</GIVEN></N>"))
    assert sorted(leaves(one)) == sorted(leaves(other))
    assert ("vCard/TEL/HOME", "") in list(leaves(one))
    assert sorted(leaves(one)) != sorted(leaves(parse(VCARD.format("<TEL><WORK/><NUMBER>1</NUMBER></TEL>"))))


def test_canonical_form_keeps_what_means_something() -> None:
    plain = "<a xmlns='urn:a' x='1' y='2'><b xmlns='urn:b'>  t </b></a>"
    prefixed = "<n:a xmlns:n='urn:a' xmlns:m='urn:b' y='2' x='1'><m:b>  t </m:b></n:a>"
    assert canonical(parse(plain)) == canonical(parse(prefixed))
    for other in (plain.replace("  t ", "t"), plain.replace("urn:b", "urn:c"), plain.replace("x='1'", "x='2'")):
        assert canonical(parse(other)) != canonical(parse(plain))


def test_rooms_are_written_and_read_in_a_list() -> None:
    rooms = {ROOM, Room("plain@rooms.example")}
    assert rooms_in(parse(room_list(rooms))) == rooms
    assert rooms_in(None) == set()


def test_rooms_are_written_and_read_as_items() -> None:
    item = f"<item id='a&amp;b@rooms.example'>{ROOM.native('<extensions/>')}</item>"
    space = "http://jabber.org/protocol/pubsub"
    reply = (
        f"<iq type='result'><pubsub xmlns='{space}'><items node='urn:xmpp:bookmarks:1'>{item}</items></pubsub></iq>"
    )
    assert native_rooms(parse(reply, default="jabber:client")) == {ROOM}


@pytest.mark.parametrize("written", ["true", "1"])
def test_booleans_are_either_way(written: str) -> None:
    storage = f"<storage xmlns='storage:bookmarks'><conference jid='a@b' autojoin='{written}'/></storage>"
    assert rooms_in(parse(storage)) == {Room("a@b", autojoin=True)}


@pytest.mark.parametrize(
    ("url", "right"),
    [
        ("https://upload.example/a/tr%C3%A8s%20cool.jpg", True),
        ("https://upload.example:5281/a/b?v=1", True),
        ("http://upload.example/a", False),
        ("https://upload.example/très", False),
        ("https://upload.example/a b", False),
        ("https://upload.example/100%", False),
        ("https://upload.example/a#b", False),
    ],
)
def test_address(url: str, right: bool) -> None:
    assert bool(ADDRESS.fullmatch(url)) is right


def test_forms_of_external_services() -> None:
    assert UTC_TIME.fullmatch("2026-11-30T00:33:21Z")
    assert not UTC_TIME.fullmatch("2026-11-30T00:33:21+01:00")
    assert all(NAME.fullmatch(host) for host in ("turn.example", "localhost", "xn--rume-loa.example"))
    assert not any(NAME.fullmatch(host) for host in ("", "turn.example:3478", "a b", ".example"))
    assert TURN.fullmatch("1796000000:alice")
    assert not TURN.fullmatch("alice:1796000000")
