"""RFC 6120 §5 between servers, the subject as the one who is called: STARTTLS and what surrounds it."""

from __future__ import annotations

from contextlib import suppress

import pytest

from lab.plugin import Specification, Stage, impossible, require
from lab.plugin.federation import Remote
from lab.wire.namespaces import NS, SASL, TLS
from lab.wire.negotiation import begin_tls, mechanisms, open_stream, starttls
from lab.wire.s2s import ServerSession, open_server_stream
from lab.wire.session import Session, StreamEnded, StreamFailed
from lab.wire.stream import Element
from lab.wire.transport import ConnectionLost, NoAnswer, TlsFailed
from scenarios.server._hello import CERTIFICATE_REQUEST, ServerHello, client_hello, say_hello
from scenarios.server.rfc6120._s2s import at_proceed, expect_nothing_from, is_tls, somebody, stanza, with_certificate
from scenarios.server.rfc6120._sasl import rest_of

RFC = Specification("RFC 6120")


def opened(remote: Remote) -> tuple[ServerSession, Element]:
    """A stream in clear, opened within the check, and its features."""
    session = remote.call(Stage.CONNECTED)
    return session, open_server_stream(session)


@RFC.must("5.2", "5.4.1", "13.14", says="A server is offered STARTTLS.")
def test_starttls_is_offered_to_servers(remote: Remote) -> None:
    _, features = opened(remote)
    require(features.find("tls:starttls", NS) is not None, "<starttls/> in the features", features)


@RFC.should_not("5.3.1", says="While TLS must come first, a server is offered no SASL.")
def test_nothing_that_needs_tls_is_offered_to_servers_before_it(remote: Remote) -> None:
    _, features = opened(remote)
    offer = features.find("tls:starttls", NS)
    require(offer is not None, "<starttls/> in the features", features)
    if offer is not None and offer.find("tls:required", NS) is None:
        impossible("TLS is voluntary here")
    require(features.find("sasl:mechanisms", NS) is None, "no <mechanisms/> before TLS", features)


@RFC.must_not("6.3.4", says="EXTERNAL rests on TLS's certificates, and is not offered to a server before TLS.")
def test_external_is_not_offered_before_tls(remote: Remote) -> None:
    _, features = opened(remote)
    require(len(features), "features of the stream", features)
    require("EXTERNAL" not in mechanisms(features), "no EXTERNAL before TLS", features)


@RFC.must("6.3.4", "5.4.3.3", says="A server that logs in by EXTERNAL before TLS is not let in.")
def test_external_before_tls_is_refused(alice: Session, remote: Remote, another: Remote) -> None:
    session, _ = opened(remote)
    xml, identifier = stanza("message", to=alice.jid, sender=somebody(remote))
    session.send(f"<auth xmlns='{SASL}' mechanism='EXTERNAL'>=</auth>{xml}")
    not_let_in(session)
    expect_nothing_from(alice, another, xml, identifier, "a stanza of a server that has not logged in")


def not_let_in(session: ServerSession) -> None:
    """What the subject says is no <success/>. Its silence is no welcome either: the caller sees what became of it."""
    with suppress(ConnectionLost):  # it may have ended that already
        session.send("</stream:stream>")
    came, _ = rest_of(session)
    require(b"<success" not in came, "no <success/>", repr(came))


@RFC.must("5.4.2.3", "5.4.3.3", says="<starttls/> is answered by <proceed/>, TLS, a new stream and features.")
def test_starttls_of_a_server_leads_to_tls(remote: Remote) -> None:
    session, _ = opened(remote)
    starttls(session, with_certificate(remote))
    open_server_stream(session)


@RFC.must_not("5.4.3.3", says="Over TLS, a server is not offered STARTTLS again.")
def test_starttls_is_not_offered_to_servers_over_tls(remote: Remote) -> None:
    session = remote.call(Stage.OPENED)
    starttls(session, with_certificate(remote))
    features = open_stream(session)
    require(features.find("tls:starttls", NS) is None, "no <starttls/> over TLS", features)


@RFC.must("5.4.3.1", "13.7.2", says="To a server, too, a certificate is presented that holds the domain.")
def test_certificate_shown_to_servers_is_for_the_domain(remote: Remote) -> None:
    session = at_proceed(remote)
    begin_tls(session, with_certificate(remote))
    certificate = session.transport.secured().getpeercert() or {}
    names = [name[1] for name in certificate.get("subjectAltName", ())]
    require(session.domain in names, f"a certificate for {session.domain}", f"names: {names}")


@RFC.should("5.4.3.1", says="A server's certificate is asked for, so that both sides can authenticate.")
def test_certificate_of_a_server_is_requested(remote: Remote) -> None:
    session = at_proceed(remote)
    answer = say_hello(session, client_hello(session.domain))
    if not isinstance(answer, ServerHello):
        impossible(f"no TLS 1.2, in which the request can be read: {answer}")
    asked = CERTIFICATE_REQUEST in answer.messages
    require(asked, "a CertificateRequest in the handshake", f"handshake messages {answer.messages}")


GARBAGE = {"xml": b"<presence/>", "broken-hello": b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\xff"}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE.keys())
@RFC.must("5.4.3.2", says="When a server's handshake fails, the connection ends, and no </stream> is sent.")
def test_failed_handshake_of_a_server_ends_the_connection(remote: Remote, garbage: bytes) -> None:
    session = at_proceed(remote)
    session.send_raw(garbage)
    came, ended = rest_of(session)
    require(ended, "the end of the TCP connection", f"it stays open; before: {came!r}")
    require(b"stream" not in came, "at most a TLS alert, then the end of the connection", repr(came))


@RFC.must("5.4.3.3", says="What a server sent in plain behind <starttls/> is discarded, or the stream is refused.")
def test_plain_text_behind_a_server_s_starttls_is_discarded(alice: Session, remote: Remote, another: Remote) -> None:
    session, _ = opened(remote)
    xml, identifier = stanza("message", to=alice.jid, sender=somebody(remote))
    session.send(f"<starttls xmlns='{TLS}'/>{xml}")
    try:
        answer = session.receive()
        if is_tls(answer, "proceed"):
            begin_tls(session, with_certificate(remote))
            open_server_stream(session)
            session.send(f"<auth xmlns='{SASL}' mechanism='EXTERNAL'>=</auth>")
            session.receive()
    except (TlsFailed, ConnectionLost, StreamFailed, StreamEnded, NoAnswer):
        pass  # refused: nothing comes of it
    expect_nothing_from(alice, another, xml, identifier, "a stanza from before TLS")


@RFC.must("5.3.2", "5.4.3.3", says="A server's stream from before TLS is over: without a new header nobody logs in.")
def test_server_must_open_a_stream_behind_tls(alice: Session, remote: Remote, another: Remote) -> None:
    session = at_proceed(remote)
    begin_tls(session, with_certificate(remote))
    xml, identifier = stanza("message", to=alice.jid, sender=somebody(remote))
    session.send(f"<auth xmlns='{SASL}' mechanism='EXTERNAL'>=</auth>{xml}")
    not_let_in(session)
    expect_nothing_from(alice, another, xml, identifier, "a stanza of a server that has not logged in")
