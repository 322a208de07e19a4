"""XEP-0114 §3: stream headers and the handshake."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Callable
from secrets import token_hex

import pytest

from lab.errors import PeerError
from lab.plugin import Connect, Specification, impossible, require, require_equal
from lab.wire.component import digest, open_component_stream, shake_hands
from lab.wire.namespaces import COMPONENT, LAB, STREAM
from lab.wire.negotiation import expect_header, header
from lab.wire.session import Session, StreamEnded, StreamFailed
from lab.wire.stream import Element
from lab.wire.transport import ConnectionLost, NoAnswer
from scenarios.server._contacts import leave
from scenarios.server.rfc6120._stanzas import (
    identifier,
    require_delivered,
    stanza,
)
from scenarios.server.xep0114._component import every_kind, salted, secret

XEP = Specification("XEP-0114")
RFC = Specification("RFC 6120")

pytestmark = pytest.mark.xdist_group("component")


# --- stream headers


@XEP.must("3", says="The server answers the header of a component that it serves with its own, and an id in it.")
def test_header_is_answered(connect: Connect) -> None:
    session = connect.component(ready=False)
    stream_id = open_component_stream(session)
    require(stream_id, "a stream id", "none")
    if session.header is None:
        raise PeerError("no stream header")
    require_equal(session.header.element.tag, f"{{{STREAM}}}stream", "the root element")
    require_equal(session.header.content_namespace, COMPONENT, "the content namespace")
    require_equal(session.header.get("from"), session.jid, "'from'")


@XEP.must("3", says="Each stream has an id of its own: it is the salt of the handshake.")
def test_stream_ids_differ(connect: Connect) -> None:
    ids = []
    for _ in range(3):
        session, stream_id = salted(connect)
        ids.append(stream_id)
        leave(session)
    require(len(set(ids)) == len(ids) and all(ids), "three different ids", ", ".join(ids))


@pytest.mark.parametrize("name", ["unknown", "user", "server"])
@XEP.must(
    "3", says="A name that is not served gets a stream error, inside a stream that the server opens and closes."
)
def test_unserved_name_is_refused(name: str, connect: Connect) -> None:
    domain = connect.cell.domain
    target = {"unknown": f"{token_hex(4)}.{domain}", "user": f"romeo@{domain}", "server": domain}[name]
    session = connect.component(target, ready=False)
    stream_id = open_component_stream(session)
    try:
        answer = _answer_to_a_name(session, digest(stream_id, secret(connect)))
    except StreamFailed:
        session.expect_closed()
        return
    leave(session)  # at once: a name of the server's own takes stanzas away from all others
    if name == "unknown" and answer.tag == f"{{{COMPONENT}}}handshake":
        impossible("the server serves any name to whoever knows the secret")
    require(False, "a stream error", answer)


def _answer_to_a_name(session: Session, handshake: str) -> Element:
    """What the server sends before the handshake, or, as nothing says that it has to refuse so early, behind it."""
    try:
        return session.receive(timeout=0.5)
    except NoAnswer:
        session.send(f"<handshake>{handshake}</handshake>")
        return session.receive()


@XEP.must("3", says="A namespace that is not supported on the port gets an invalid-namespace stream error.")
def test_unsupported_namespace_is_refused(connect: Connect) -> None:
    session = connect.component(ready=False)
    session.send(header(to=session.jid, namespace=f"{LAB}:component", version=None, lang=None))
    expect_header(session)
    session.expect_stream_error("invalid-namespace")
    session.expect_closed()


# --- the handshake


@XEP.must("3", says="The right handshake is acknowledged with an empty handshake element.")
def test_right_handshake_is_acknowledged(connect: Connect) -> None:
    session, stream_id = salted(connect)
    session.send(f"<handshake>{digest(stream_id, secret(connect))}</handshake>")
    answer = session.receive()
    require(answer.tag == f"{{{COMPONENT}}}handshake", "<handshake/>", answer)
    require(len(answer) == 0 and not (answer.text or "").strip(), "an empty <handshake/>", answer)


WRONG: dict[str, Callable[[str, str], str]] = {
    "wrong-secret": lambda salt, _: digest(salt, "not the secret"),
    "secret-alone": lambda _, secret: digest("", secret),
    "secret-in-clear": lambda _, secret: secret,
    "other-order": lambda salt, secret: digest(secret, salt),
    "base64": lambda salt, secret: b64encode(bytes.fromhex(digest(salt, secret))).decode(),
    "another-hash": lambda salt, secret: hashlib.sha256((salt + secret).encode()).hexdigest(),
    "cut-short": lambda salt, secret: digest(salt, secret)[:-1],
    "empty": lambda _salt, _secret: "",
}

each_wrong = pytest.mark.parametrize("wrong", WRONG)


@each_wrong
@XEP.must("3", says="After a handshake that is not valid the server closes the stream and the connection.")
def test_wrong_handshake_ends_the_connection(wrong: str, connect: Connect) -> None:
    session, salt = salted(connect)
    session.send(f"<handshake>{WRONG[wrong](salt, secret(connect))}</handshake>")
    _expect_the_end(session)


def _expect_the_end(session: Session) -> None:
    """Wait for the closing tag and the end of the connection; a stream error may come first, an answer may not."""
    try:
        answer = session.receive()
    except StreamFailed:
        session.expect_closed()
    except StreamEnded:
        session.expect_closed(stream=False)
    else:
        require(False, "the end of the stream", answer)


@XEP.should("3", says="A handshake that is not valid gets a not-authorized stream error.")
def test_wrong_handshake_is_not_authorized(connect: Connect) -> None:
    session, salt = salted(connect)
    session.send(f"<handshake>{WRONG['wrong-secret'](salt, secret(connect))}</handshake>")
    session.expect_stream_error("not-authorized")
    session.expect_closed()


@XEP.must("3", says="A handshake that was valid on another stream is not valid on this one.")
def test_handshake_of_another_stream_is_not_valid(connect: Connect) -> None:
    first, salt = salted(connect)
    shake_hands(first, salt, secret(connect))
    leave(first)
    second, _ = salted(connect)
    second.send(f"<handshake>{digest(salt, secret(connect))}</handshake>")
    _expect_the_end(second)


@every_kind
@XEP.must("3", says="A stanza sent before the handshake is not delivered.")
def test_stanza_before_the_handshake_is_not_delivered(kind: str, bob: Session, connect: Connect) -> None:
    session, _ = salted(connect)
    sent = stanza(kind, bob.jid, f"from='ghost@{session.jid}'")
    session.send(sent)
    # With a wrong handshake behind it the server must end this stream, and has looked at the stanza by then.
    session.send("<handshake>wrong</handshake>")
    _end_of(session)
    carol = connect(label="carol")
    bob.expect_nothing(sent, lambda e: e.get("id") == identifier(sent), "a stanza of nobody known", after=carol)


def _end_of(session: Session) -> None:
    try:
        while True:
            session.receive()
    except (StreamFailed, StreamEnded, ConnectionLost):
        return


@XEP.must("3", says="Nothing is delivered to a component before its handshake.")
def test_nothing_is_delivered_before_the_handshake(alice: Session, connect: Connect) -> None:
    session, stream_id = salted(connect)
    early = stanza("message", session.jid)
    alice.send(early)
    alice.sentinel()
    shake_hands(session, stream_id, secret(connect))
    late = stanza("message", session.jid)
    alice.send(late)
    # The server itself may ask the component something as soon as it is there.
    got = session.expect(lambda e: e.get("id") in {identifier(early), identifier(late)}, "what was sent behind")
    require(got.get("id") == identifier(late), "only what was sent after the handshake", got)
    require_delivered(got, late, alice.jid, namespace=COMPONENT)
