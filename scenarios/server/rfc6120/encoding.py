"""RFC 6120 §11.6: UTF-8 and nothing else; what is broken or of another encoding ends the stream."""

from __future__ import annotations

import pytest

from lab.cell import Cell
from lab.plugin import Connect, Specification, Stage, impossible, require, require_equal, require_error
from lab.wire.negotiation import header
from lab.wire.session import Session, StreamEnded, StreamFailed, new_id
from lab.wire.transport import ConnectionLost
from scenarios.server.rfc6120._stanzas import (
    available_bob,  # noqa: F401 - the fixture `bob` of this module
    deliver,
)
from scenarios.server.rfc6120._streams import (
    CONDITIONS,
    expect_features,
    expect_refusal,
    open_with,
    refused_header,
)

RFC = Specification("RFC 6120")

BROKEN = {
    "lone-continuation-byte": b"\x80",
    "overlong-form": b"\xc0\xaf",
    "surrogate": b"\xed\xa0\x80",
    "beyond-unicode": b"\xf5\x80\x80\x80",
    "truncated-sequence": b"\xe2\x82",
    "latin-1": "Grüezi".encode("latin-1"),
    "byte-ff": b"\xff",
}

broken = pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in BROKEN.items()])


@RFC.must("11.6", "11.3", says="Bytes that are no UTF-8 end the stream with an error.")
@broken
def test_broken_utf8_ends_the_stream(connect: Connect, text: bytes) -> None:
    session = connect(Stage.SECURED)
    session.send_raw(b"<message><body>" + text + b"</body></message>")
    # The first are what §11.6 and §11.3 ask for; a stanza that was let through would end in not-authorized.
    expect_refusal(session, "unsupported-encoding", "not-well-formed", "bad-format", "invalid-xml")


@RFC.must("11.6", "4.9.1.1", says="In a bound session, broken UTF-8 ends the session and is delivered to nobody.")
@broken
def test_broken_utf8_is_not_delivered(alice: Session, bob: Session, text: bytes) -> None:
    identifier = new_id()
    message = f"<message to='{bob.jid}' type='chat' id='{identifier}'><body>{{}}</body></message>"
    start, end = message.encode().split(b"{}")
    alice.send_raw(start + text + end)
    try:
        alice.sentinel()
    except (StreamFailed, StreamEnded, ConnectionLost):
        bob.expect_nothing(message.format("broken"), lambda e: e.get("id") == identifier, "message")
    else:
        require(False, "the end of the session", "an answer to what was sent behind the broken bytes")


@RFC.should(
    "11.6",
    "11.3",
    "4.9.3.22",
    says="The error for bytes that are no UTF-8 is unsupported-encoding or not-well-formed.",
)
@pytest.mark.parametrize(
    "text", [pytest.param(BROKEN["latin-1"], id="latin-1"), pytest.param(b"\x80", id="lone-byte")]
)
def test_broken_utf8_is_named(connect: Connect, text: bytes) -> None:
    session = connect(Stage.SECURED)
    session.send_raw(b"<message><body>" + text + b"</body></message>")
    expect_refusal(session, "unsupported-encoding", "not-well-formed")


def declared(name: str, domain: str) -> bytes:
    return header(to=domain, declaration=f"<?xml version='1.0' encoding='{name}'?>").encode()


@RFC.must(
    "11.6",
    "4.9.1.2",
    says="UTF-8 that is declared to be of another encoding is refused with a stream error, or read as what it is.",
)
@pytest.mark.parametrize("name", ["ISO-8859-1", "UTF-16", "x-stanzalab"])
def test_other_declared_encoding_is_refused_or_ignored(connect: Connect, cell: Cell, name: str) -> None:
    # Nobody is bound to detect by its declaration what the bytes do not show.
    session = connect(Stage.CONNECTED)
    open_with(session, declared(name, cell.domain))
    try:
        expect_features(session)
    except StreamFailed as error:
        require(error.condition in CONDITIONS, "a defined condition", error.element)


@RFC.must("11.6", "4.9.1.2", says="A stream that is UTF-16 is refused with a stream error.")
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("mark", [pytest.param("\ufeff", id="marked"), pytest.param("", id="unmarked")])
def test_utf16_is_refused(connect: Connect, cell: Cell, encoding: str, mark: str) -> None:
    text = mark + header(to=cell.domain, declaration="<?xml version='1.0' encoding='UTF-16'?>")
    refused_header(connect(Stage.CONNECTED), text.encode(encoding))


@RFC.should("11.6", "4.9.3.22", says="A stream refused for its declared encoding is refused by unsupported-encoding.")
@pytest.mark.parametrize("name", ["ISO-8859-1", "UTF-16"])
def test_other_encoding_is_named(connect: Connect, cell: Cell, name: str) -> None:
    session = connect(Stage.CONNECTED)
    open_with(session, declared(name, cell.domain))
    try:
        expect_features(session)
    except StreamFailed as error:
        require_equal(error.condition, "unsupported-encoding", "condition")
    else:
        impossible("the declaration is ignored")


TEXTS = {
    "two-bytes": "Grüezi, Ελλάδα",
    "three-bytes": "日本語 €",
    "four-bytes": "\U0001f600 \U00020bb7",
    "combining": "e\u0301 \u0301",
    "first-and-last": "\t\n\x20\x7e\x7f\u0080\u07ff\u0800\ud7ff\ue000\ufffd\U00010000\U0010fffd",
}


@RFC.must("11.6", says="Every character of Unicode that XML allows is delivered as it was sent.")
@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in TEXTS.items()])
def test_unicode_is_delivered(alice: Session, bob: Session, text: str) -> None:
    value = text.strip()  # white space in attributes is normalised
    message = deliver(
        alice,
        bob,
        f"<message to='{bob.jid}' type='chat' id='{new_id()}'><body>{text}</body>"
        f"<unheard-of xmlns='urn:stanzalab:0' attribute='{value}'/></message>",
    )
    require_equal(message.get("from"), alice.jid, "'from' of the message")
    require_equal(message.findtext("{*}body"), text, "body of the message")
    payload = message.find("{urn:stanzalab:0}unheard-of")
    require_equal(None if payload is None else payload.get("attribute"), value, "attribute of the payload")


@RFC.must(
    "11.6",
    says="U+FEFF is a zero width no-break space wherever it stands: it is delivered, not taken for a mark.",
)
def test_byte_order_mark_inside_is_a_character(alice: Session, bob: Session) -> None:
    message = deliver(
        alice,
        bob,
        f"<message to='{bob.jid}' type='chat' id='{new_id()}'><body>\ufeffone\ufefftwo\ufeff</body></message>",
    )
    require_equal(message.get("from"), alice.jid, "'from' of the message")
    require_equal(message.findtext("{*}body"), "\ufeffone\ufefftwo\ufeff", "body of the message")


@RFC.must("11.6", "11.3", says="Where the bytes are cut on their way does not matter, not even within a character.")
def test_bytes_may_come_one_by_one(alice: Session, bob: Session) -> None:
    identifier = new_id()
    alice.send(f"<message to='{bob.jid}' type='chat' id='{identifier}'><body>")
    for byte in "\U0001f600 &amp; €ü</body>".encode():
        alice.send_raw(bytes([byte]))
    alice.send("</message>")
    message = bob.expect(identifier)
    require_equal(message.get("from"), alice.jid, "'from' of the message")
    require_equal(message.findtext("{*}body"), "\U0001f600 & €ü", "body of the message")


@pytest.mark.parametrize("length", [0, 6000], ids=["short", "long"])
@pytest.mark.parametrize("missing", [1, 3], ids=["one-byte", "a-third"])
@RFC.must(
    "8.2.3", "11.6", says="A request is answered once it is there, however its bytes are cut: no more need come."
)
def test_request_cut_in_its_last_tag_is_answered(missing: int, length: int, alice: Session, bob: Session) -> None:
    identifier = new_id()
    tag = f"<lab xmlns='urn:stanzalab:0' long='{'x' * length}'/>"
    start = f"<iq type='get' id='{identifier}' to='{alice.domain}'>"
    cut = len(start) + len(tag) - (missing if missing == 1 else len(tag) // missing)
    whole = f"{start}{tag}</iq>"
    alice.send_raw(whole[:cut].encode())
    bob.sentinel()  # the server has had the time to read the first part, and to find no end in it
    alice.send_raw(whole[cut:].encode())
    reply = alice.expect(identifier)
    require_error(reply)
    require_equal(reply.get("from"), alice.domain, "'from' of the answer")
