"""XEP-0363 §3 to §6, §9.3: an upload service is found, and grants slots or says why not."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

import pytest

from lab.plugin import Connect, Specification, impossible, require, require_equal, require_error, unsupported
from lab.wire.namespaces import NS, UPLOAD, UPLOAD_PURPOSE
from lab.wire.session import Session, stanza_error_condition
from lab.wire.stream import Element
from scenarios.server._caps import features
from scenarios.server._discovery import info, services
from scenarios.server.xep0363 import _upload
from scenarios.server.xep0363._upload import Slot, ask, granted, odd_names, service

XEP = Specification("XEP-0363")

ADDRESS = re.compile(r"https://[A-Za-z0-9.-]+(:\d+)?(/([A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*)?(\?[!-~]*)?")
"""An https address as RFC 3986 writes it: what is not ASCII, and what means something else there, is encoded."""
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]00:00)")
RANDOM_CHARACTERS = 8  # at least, which nobody guesses; §9.3 says "long", and no number
UPLOADS = 15  # of the largest file, until a quota shows itself


def _find(connect: Connect) -> tuple[Session, str]:
    alice = connect(label="alice")
    return alice, service(alice, connect)


# --- discovery


@XEP.should("3", says="The server lists its upload service among its items, and that says what it is.")
def test_service_is_among_the_servers_items(connect: Connect) -> None:
    alice, jid = _find(connect)
    listed = services(alice, connect)
    require(jid in listed, f"the item {jid}", ", ".join(listed) or "no items")


@XEP.must("3", says="What is told of the largest file is a number of bytes, in the field max-file-size.")
def test_largest_size_is_a_number(connect: Connect) -> None:
    alice, jid = _find(connect)
    told = _largest(alice, jid)
    require(told.isascii() and told.isdigit() and int(told) > 0, "a number of bytes", told)


def _largest(session: Session, jid: str) -> str:
    told = _upload.largest(session, jid)
    if told is None:
        unsupported("max-file-size in disco#info")
    return told


@XEP.should("3", says="A file of the largest size gets a slot.")
def test_file_of_the_largest_size_gets_a_slot(connect: Connect) -> None:
    alice, jid = _find(connect)
    reply = ask(alice, jid, size=_largest(alice, jid))
    if _is_temporary(reply):
        unsupported("a quota that has room for the largest file")
    granted(reply)


def _is_temporary(reply: Element) -> bool:
    error = reply.find("{*}error")
    return error is not None and error.get("type") == "wait"


@XEP.should("3", says="Where there is a limit, disco#info tells it.")
def test_limit_is_told(connect: Connect) -> None:
    alice, jid = _find(connect)
    reply = ask(alice, jid, size=10**15)
    # Other errors may be for the number itself, or a quota.
    too_large = reply.find("{*}error/upload:file-too-large", NS) is not None
    if not too_large and stanza_error_condition(reply) != "not-acceptable":
        unsupported("a limit below a petabyte")
    require(_upload.largest(alice, jid) is not None, "max-file-size in disco#info", "it is not told")


# --- slots


@XEP.must("4", says="Who asks for a slot is given one, with an address to put the file to and one to get it from.")
@pytest.mark.parametrize("kind", [None, "image/jpeg", "application/octet-stream"], ids=["untyped", "jpeg", "octets"])
def test_slot_is_granted(kind: str | None, connect: Connect) -> None:
    alice, jid = _find(connect)
    reply = ask(alice, jid, "photo.jpg", 23456, kind)
    granted(reply)
    require_equal(reply.get("from"), jid, "from")


@odd_names
@XEP.must("4", says="Both addresses are of https, and of ASCII alone: whatever else is in a name is percent-encoded.")
def test_addresses_are_well_formed(name: str, connect: Connect) -> None:
    alice, jid = _find(connect)
    found = _slot_or_refusal(ask(alice, jid, name, 100))
    for url in (found.put, found.get):
        require(ADDRESS.fullmatch(url), "an https address of RFC 3986", url)


@odd_names
@XEP.should("4", says="The file's name stands at the end of the address to get it from.")
def test_name_is_kept(name: str, connect: Connect) -> None:
    alice, jid = _find(connect)
    found = _slot_or_refusal(ask(alice, jid, name, 100))
    require_equal(_name_at(found.get), name, "the name in the address")


@XEP.should("4", says="Above all, the ending of the file's name is kept.")
@pytest.mark.parametrize("ending", [".jpg", ".JPG", ".tar.gz", ".webm", ".a-b_c"])
def test_ending_is_kept(ending: str, connect: Connect) -> None:
    alice, jid = _find(connect)
    found = granted(ask(alice, jid, f"très cool{ending}", 100))
    require(_name_at(found.get).endswith(ending), f"a name that ends in {ending}", found.get)


def _name_at(url: str) -> str:
    return unquote(urlsplit(url).path.rpartition("/")[2])


def _slot_or_refusal(reply: Element) -> Slot:
    """The slot; where the name is not liked, there is nothing to check."""
    if reply.get("type") == "error":
        require_error(reply)
        unsupported("files of that name")
    return granted(reply)


@XEP.must("4", says="What a slot has of headers are Authorization, Cookie and Expires, each with a name and a value.")
def test_headers_are_allowed_ones(connect: Connect) -> None:
    alice, jid = _find(connect)
    for name, value in granted(ask(alice, jid)).headers:
        require(name.lower() in _upload.ALLOWED, "Authorization, Cookie or Expires", name or "no name")
        require(value, f"a value of {name}", "none")
        require("\n" not in value and "\r" not in value, "a value without line breaks", repr(value))


@XEP.should("9.3", says="Addresses have a long random part: two files of one name have different ones.")
def test_addresses_are_random(connect: Connect) -> None:
    alice, jid = _find(connect)
    first, second = (urlsplit(granted(ask(alice, jid, "same.txt", 100)).get) for _ in range(2))
    pairs = zip(f"{first.path}/{first.query}".split("/"), f"{second.path}/{second.query}".split("/"), strict=False)
    different = [one for one, other in pairs if one != other]
    longest = max(map(len, different), default=0)
    require(longest >= RANDOM_CHARACTERS, f"{RANDOM_CHARACTERS} characters that differ", first.geturl())


@XEP.must("5", says="A slot is granted for messages whether or not the request names that purpose.")
def test_message_is_the_default_purpose(connect: Connect) -> None:
    alice, jid = _find(connect)
    granted(ask(alice, jid))
    if f"{UPLOAD_PURPOSE}#message" in features(info(alice, jid)):
        granted(ask(alice, jid, inner=f"<message xmlns='{UPLOAD_PURPOSE}'/>"))


@XEP.must("5.3", "5", says="A slot is granted for each purpose that the service advertises.")
@pytest.mark.parametrize("purpose", ["message", "profile", "ephemeral", "permanent"])
def test_purpose_is_served(purpose: str, connect: Connect) -> None:
    alice, jid = _find(connect)
    if f"{UPLOAD_PURPOSE}#{purpose}" not in features(info(alice, jid)):
        unsupported(f"{UPLOAD_PURPOSE}#{purpose}")
    until = " expire-before='2999-01-01T00:00:00Z'" if purpose == "ephemeral" else ""
    granted(ask(alice, jid, inner=f"<{purpose} xmlns='{UPLOAD_PURPOSE}'{until}/>"))


# --- errors


@XEP.may("6", says="The largest size that is told for a file too large is that of disco#info.")
def test_file_too_large(connect: Connect) -> None:
    alice, jid = _find(connect)
    limit = _largest(alice, jid)
    reply = ask(alice, jid, size=int(limit) + 1)
    if reply.get("type") == "result":
        unsupported("refusing a file too large when the slot is asked for")
    require_error(reply)
    told = reply.find("{*}error/upload:file-too-large", NS)
    if told is None:
        unsupported("<file-too-large/>")
    size = told.findtext("upload:max-file-size", None, NS)
    require(size in {limit, None}, f"max-file-size {limit}", reply)


MALFORMED = {
    "no-name": f"<request xmlns='{UPLOAD}' size='1'/>",
    "no-size": f"<request xmlns='{UPLOAD}' filename='note.txt'/>",
    "nothing": f"<request xmlns='{UPLOAD}'/>",
    "size-of-letters": f"<request xmlns='{UPLOAD}' filename='note.txt' size='many'/>",
    "negative-size": f"<request xmlns='{UPLOAD}' filename='note.txt' size='-1'/>",
    "fraction": f"<request xmlns='{UPLOAD}' filename='note.txt' size='1.5'/>",
}


@XEP.should("4", says="A request that lacks its name or its size, or whose size is none, gets no slot but an error.")
@pytest.mark.parametrize("request_", MALFORMED.values(), ids=MALFORMED)
def test_malformed_request_is_refused(request_: str, connect: Connect) -> None:
    alice, jid = _find(connect)
    require_error(alice.iq("get", request_, to=jid))


@XEP.should("6", says="What would fail again if it were asked as before is an error of a permanent type.")
def test_permanent_error_has_its_type(connect: Connect) -> None:
    alice, jid = _find(connect)
    reply = alice.iq("get", MALFORMED["no-size"], to=jid)
    if reply.get("type") == "result":
        impossible("a slot is granted for a file of no size; another check judges that")
    _is_an_error_of_type(reply, "modify", "cancel")


def _is_an_error_of_type(reply: Element, *types: str) -> None:
    require_error(reply)
    error = reply.find("{*}error")
    require(error is not None and error.get("type") in types, f"an error of type {' or '.join(types)}", reply)


@pytest.mark.xdist_group("component")
@XEP.should("6", says="Who may not upload is told so by an error of a permanent type.")
def test_stranger_is_refused(connect: Connect) -> None:
    _, jid = _find(connect)
    stranger = connect.component()
    sender = f" from='stranger@{stranger.jid}'"
    asked = f"<request xmlns='{UPLOAD}' filename='note.txt' size='1'/>"
    reply = stranger.iq("get", asked, to=jid, attributes=sender)
    if reply.get("type") == "result":
        unsupported("a service for the own users alone")
    _is_an_error_of_type(reply, "auth", "cancel")


@XEP.should("6", says="Where a quota is used up, the error is temporary; when to try again is told in UTC.")
def test_quota(connect: Connect) -> None:
    alice, jid = _find(connect)
    size = _largest(alice, jid)
    for _ in range(UPLOADS):
        reply = ask(alice, jid, size=size)
        if reply.get("type") == "error":
            break
    else:
        unsupported(f"a quota below {UPLOADS} of the largest files")
    require_error(reply, kind="wait")
    require(stanza_error_condition(reply) != "not-acceptable", "another error than for a file too large", reply)
    retry = reply.find("{*}error/upload:retry", NS)
    if retry is not None:
        require(STAMP.fullmatch(retry.get("stamp", "")), "a stamp in UTC", reply)
