"""XEP-0363 §2, §7, §8: files over HTTPS, to the address of a slot and from there."""

from __future__ import annotations

from secrets import token_bytes

import pytest

from lab.plugin import Connect, Specification, proved_by, require, require_equal, unsupported
from lab.wire.http import Header, Response
from lab.wire.namespaces import UPLOAD_PURPOSE
from scenarios.server._caps import features
from scenarios.server._discovery import info
from scenarios.server.xep0363 import _upload
from scenarios.server.xep0363._upload import Slot, fetch, odd_names, put, refused, slot, stored, told

XEP = Specification("XEP-0363")

ORIGIN = "https://web-client.example"
CONTENTS: dict[str, tuple[str, str, bytes]] = {
    "text": ("note.txt", "text/plain", b"Wherefore art thou?\r\n\tRomeo\n"),
    "every-byte": ("bytes.bin", "application/octet-stream", bytes(range(256)) * 4),
    "one-byte": ("one.txt", "text/plain", b"!"),
    "image": ("dot.png", "image/png", b"\x89PNG\r\n\x1a\n" + bytes(64)),
    "page": ("page.html", "text/html", b"<script>alert(1)</script>"),
    "large": ("large.bin", "application/octet-stream", token_bytes(1024) * 200),
}
"""Name, media type and bytes of some files."""
CONTENT = CONTENTS["text"][2]
WRONG = {"less": CONTENT[:-1], "more": CONTENT + b"!", "much": CONTENT * 100, "none": b""}
"""Bytes of another number."""


def _is_there(connect: Connect, where: Slot, content: bytes) -> Response:
    """The file is had at its address, byte by byte."""
    response = fetch(connect, where)
    require_equal(response.status, 200, "the status of the file")
    require(response.body == content, f"the {len(content)} bytes that were sent", told(response))
    return response


def _is_not_there(connect: Connect, where: Slot, content: bytes) -> None:
    response = fetch(connect, where)
    require(refused(response), "no such file (4xx)", told(response))
    require(content not in response.body, "nothing of the file", told(response))


# --- there and back


@XEP.must("4", "7", says="A file put to its slot is had from there, byte by byte.")
@pytest.mark.parametrize("which", CONTENTS)
@proved_by("upload-spoils-files")
def test_file_comes_back(which: str, connect: Connect) -> None:
    name, kind, content = CONTENTS[which]
    where = slot(connect(label="alice"), connect, content, name, kind)
    stored(connect, where, content, kind)
    _is_there(connect, where, content)


@XEP.must("4", says="The addresses of files with odd names lead to them.")
@odd_names
@proved_by("upload-spoils-files")
def test_file_of_an_odd_name_comes_back(name: str, connect: Connect) -> None:
    alice = connect(label="alice")
    reply = _upload.ask(alice, _upload.service(alice, connect), name, len(CONTENT), "text/plain")
    if reply.get("type") == "error":
        unsupported("files of that name")
    where = _upload.granted(reply)
    stored(connect, where, CONTENT)
    _is_there(connect, where, CONTENT)


@XEP.must("7", says="A file whose media type the client never said is taken.")
@proved_by("upload-spoils-files")
def test_untyped_file_is_taken(connect: Connect) -> None:
    where = slot(connect(label="alice"), connect, CONTENT, kind=None)
    stored(connect, where, CONTENT, kind=None)
    _is_there(connect, where, CONTENT)


@XEP.should("2", says="Whoever knows the address has the file, as often as they like, and says not who they are.")
@proved_by("upload-serves-once")
def test_file_is_had_by_anybody(connect: Connect) -> None:
    where = slot(connect(label="alice"), connect, CONTENT)
    stored(connect, where, CONTENT)
    for _ in range(3):
        _is_there(connect, where, CONTENT)


@XEP.must("7", says="Files of several slots, of one name even, are apart from each other.")
@proved_by("upload-spoils-files")
def test_slots_are_apart(connect: Connect) -> None:
    alice, bob = connect(label="alice"), connect(label="bob")
    contents = [b"first of Alice's", b"second of Alice's", b"one of Bob's"]
    slots = [slot(session, connect, content) for session, content in zip((alice, alice, bob), contents, strict=True)]
    for where, content in zip(slots, contents, strict=True):
        stored(connect, where, content)
    for where, content in zip(slots, contents, strict=True):
        _is_there(connect, where, content)


# --- what is refused


@XEP.must("7", says="A file of another size than the slot was asked for is rejected, and not to be had.")
@pytest.mark.parametrize(
    "content", [CONTENT[:-1], CONTENT + b"!", CONTENT * 100, b""], ids=["less", "more", "much", "none"]
)
@proved_by("upload-takes-any-size")
def test_file_of_another_size_is_rejected(content: bytes, connect: Connect) -> None:
    where = slot(connect(label="alice"), connect, CONTENT)
    response = put(connect, where, content)
    require(refused(response), "a rejection (4xx)", told(response))
    _is_not_there(connect, where, CONTENT)


@XEP.must("7", says="A slot whose file was of the wrong size takes none of it.")
@proved_by("upload-takes-any-size")
def test_rejected_file_leaves_nothing(connect: Connect) -> None:
    where = slot(connect(label="alice"), connect, CONTENT)
    response = put(connect, where, b"!" * (len(CONTENT) + 1))
    require(refused(response), "a rejection (4xx)", told(response))
    after = fetch(connect, where)
    require(refused(after) and b"!!" not in after.body, "no such file (4xx)", told(after))


@XEP.should("7", says="A file of another media type than the slot was asked for is rejected.")
@proved_by("upload-takes-any-type")
def test_file_of_another_type_is_rejected(connect: Connect) -> None:
    where = slot(connect(label="alice"), connect, CONTENT, "photo.jpg", "image/jpeg")
    response = put(connect, where, CONTENT, "text/html")
    require(refused(response), "a rejection (4xx)", told(response))


@XEP.should("7", says="Before the file was put there, there is none at its address.")
@proved_by("upload-serves-empty-files")
def test_file_is_not_there_before(connect: Connect) -> None:
    where = slot(connect(label="alice"), connect, CONTENT)
    _is_not_there(connect, where, CONTENT)
    stored(connect, where, CONTENT)
    _is_there(connect, where, CONTENT)


@XEP.should("7", says="At an address that belongs to no slot a file is rejected, and there is none to get.")
@proved_by("upload-takes-any-address")
def test_address_without_a_slot(connect: Connect) -> None:
    where = slot(connect(label="alice"), connect, CONTENT)
    forged = Slot(_another(where.put), _another(where.get), where.headers)
    response = put(connect, forged, CONTENT)
    require(refused(response), "a rejection (4xx)", told(response))
    _is_not_there(connect, forged, CONTENT)
    _is_not_there(connect, where, CONTENT)


@XEP.should("7", says="The headers of one slot open no other.")
@proved_by("upload-takes-any-headers")
def test_headers_of_another_slot_do_not_fit(connect: Connect) -> None:
    alice, bob = connect(label="alice"), connect(label="bob")
    mine, other = slot(alice, connect, CONTENT), slot(bob, connect, CONTENT)
    if not mine.allowed or mine.allowed == other.allowed:
        unsupported("headers of a slot's own")
    forged = Slot(other.put, other.get, mine.headers)
    response = put(connect, forged, CONTENT)
    require(refused(response), "a rejection (4xx)", told(response))
    _is_not_there(connect, other, CONTENT)


@XEP.may("7", says="A second file for a slot is taken or rejected; what is had there is one of them, whole.")
@proved_by("upload-takes-more")
def test_slot_is_used_twice(connect: Connect) -> None:
    second = CONTENT.upper()
    where = slot(connect(label="alice"), connect, CONTENT)
    stored(connect, where, CONTENT)
    response = put(connect, where, second)
    require(response.status < 500, "taken, or a rejection (4xx)", told(response))
    after = fetch(connect, where)
    require_equal(after.status, 200, "the status of the file")
    wanted = [CONTENT] if refused(response) else [CONTENT, second]
    require(after.body in wanted, "the file that was taken", told(after))


@XEP.must_not("5.3", says="An ephemeral file is not to be had behind its time, which may be over already.")
def test_ephemeral_file_is_gone(connect: Connect) -> None:
    alice = connect(label="alice")
    jid = _upload.service(alice, connect)
    if f"{UPLOAD_PURPOSE}#ephemeral" not in features(info(alice, jid)):
        unsupported(f"{UPLOAD_PURPOSE}#ephemeral")
    over = f"<ephemeral xmlns='{UPLOAD_PURPOSE}' expire-before='2001-01-01T00:00:00Z'/>"
    reply = _upload.ask(alice, jid, size=len(CONTENT), inner=over)
    if reply.get("type") == "error":
        return
    where = _upload.granted(reply)
    put(connect, where, CONTENT)
    _is_not_there(connect, where, CONTENT)


def _another(url: str) -> str:
    """An address like this one, of which nobody knows: each letter and digit of the random parts is another one."""
    head, _, name = url.rpartition("/")
    base, _, random = head.rpartition("/")
    turned = "".join(chr(ord(c) ^ 1) if c.isascii() and c.isalnum() else c for c in random)
    return f"{base}/{''.join(c if c.isalnum() or c in '-_=' else 'x' for c in turned)}/{name}"


# --- web clients


def _allows(response: Response) -> None:
    origin = response.header("access-control-allow-origin")
    require(origin in {"*", ORIGIN}, f"Access-Control-Allow-Origin: * (or {ORIGIN})", origin or "no such header")


def _asks(method: str) -> tuple[Header, ...]:
    """What a browser asks before it sends such a request."""
    return (
        ("Origin", ORIGIN),
        ("Access-Control-Request-Method", method),
        ("Access-Control-Request-Headers", "content-type"),
    )


@XEP.should("8", says="Scripts of other origins may put and get files: the service says so when browsers ask before.")
@proved_by("upload-without-cors")
def test_preflight_is_allowed(connect: Connect) -> None:
    where = slot(connect(label="alice"), connect, CONTENT)
    response = _upload.request(connect, "OPTIONS", where.put, headers=_asks("PUT"))
    require(200 <= response.status < 300, "a status of success", told(response))
    _allows(response)
    methods = response.header("access-control-allow-methods") or "no such header"
    require("PUT" in methods.upper() or methods.strip() == "*", "Access-Control-Allow-Methods with PUT", methods)
    headers = response.header("access-control-allow-headers") or "no such header"
    fits = "content-type" in headers.lower() or headers.strip() == "*"
    require(fits, "Access-Control-Allow-Headers with Content-Type", headers)


@XEP.should("8", says="What such scripts put and get is answered with a header that lets them read it.")
@pytest.mark.parametrize("method", ["PUT", "GET"])
@proved_by("upload-without-cors")
def test_response_may_be_read(method: str, connect: Connect) -> None:
    where = slot(connect(label="alice"), connect, CONTENT)
    response = put(connect, where, CONTENT, more=(("Origin", ORIGIN),))
    require_equal(response.status, 201, "the status")
    _allows(fetch(connect, where, (("Origin", ORIGIN),)) if method == "GET" else response)
