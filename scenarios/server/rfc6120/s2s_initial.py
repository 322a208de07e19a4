"""RFC 6120 §4, §5, §6 between servers, the subject as the one who calls: its headers, its TLS, its login.

What it does with a peer that misbehaves stands in `s2s_broken_peers`, with wrong certificates in `s2s_certificates`.
"""

from __future__ import annotations

from base64 import b64decode

import pytest

from lab.plugin import Specification, Stage, require, require_equal
from lab.plugin.federation import Remote
from lab.wire.namespaces import NS, SASL, SERVER, STREAM, TLS, XML_LANG
from lab.wire.s2s import OFFER_EXTERNAL, OFFER_STARTTLS, ServerSession, receive_starttls, receive_stream
from lab.wire.session import Session, show
from lab.wire.stream import StreamOpened
from scenarios.server.rfc6120._s2s import all_the_way, by_now, greet, login_of, up_to_login

RFC = Specification("RFC 6120")

STAGES = {"before-tls": Stage.OPENED, "after-tls": Stage.SECURED, "after-sasl": Stage.AUTHENTICATED}
everywhere = pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES.keys())


def header_at(alice: Session, remote: Remote, stage: Stage) -> StreamOpened:
    """The subject's stream header at that point of its way in."""
    greet(alice, remote)
    session = remote.receive(Stage.CONNECTED)
    receive_stream(session, OFFER_STARTTLS)
    if stage >= Stage.SECURED:
        receive_starttls(session, remote.certificate, remote.ca)
        receive_stream(session, OFFER_EXTERNAL)
    if stage >= Stage.AUTHENTICATED:
        succeed(session)
    header = session.header
    assert header is not None
    return header


def succeed(session: ServerSession) -> None:
    """Let the subject's EXTERNAL be good, and take the stream that follows."""
    login_of(session)
    session.send(f"<success xmlns='{SASL}'/>")
    receive_stream(session, "")


@everywhere
@RFC.must("4.7.2", says="A server's initial stream header bears 'to': the domain that it wants to reach.")
def test_initial_header_is_for_the_remote_domain(alice: Session, remote: Remote, stage: Stage) -> None:
    require_equal(header_at(alice, remote, stage).get("to"), remote.domain, "'to' of the initial header")


@pytest.mark.parametrize("stage", [Stage.SECURED, Stage.AUTHENTICATED], ids=["after-tls", "after-sasl"])
@RFC.must("4.7.1", says="Once TLS protects the stream, a server's initial stream header says 'from': its domain.")
def test_initial_header_is_from_the_own_domain(alice: Session, remote: Remote, stage: Stage) -> None:
    require_equal(header_at(alice, remote, stage).get("from"), alice.domain, "'from' of the initial header")


@everywhere
@RFC.must_not("4.7.3", says="A server's initial stream header bears no id.")
def test_initial_header_has_no_id(alice: Session, remote: Remote, stage: Stage) -> None:
    header = header_at(alice, remote, stage)
    require_equal(header.get("to"), remote.domain, "'to' of the initial header")
    require_equal(header.get("id"), None, "'id' of the initial header")


@everywhere
@RFC.must("4.7.5", says="A server's initial stream header says the highest version that it supports: 1.0.")
def test_initial_header_has_the_version(alice: Session, remote: Remote, stage: Stage) -> None:
    require_equal(header_at(alice, remote, stage).get("version"), "1.0", "'version' of the initial header")


@everywhere
@RFC.should("4.7.4", says="A server's initial stream header says a language.")
def test_initial_header_has_a_language(alice: Session, remote: Remote, stage: Stage) -> None:
    language = header_at(alice, remote, stage).element.get(XML_LANG)
    require(language, "xml:lang in the initial header", "none")


@everywhere
@RFC.must("4.8.3", "4.8.2", "4.8.1", says="To another server, the content namespace is jabber:server.")
def test_initial_header_is_a_server_s(alice: Session, remote: Remote, stage: Stage) -> None:
    header = header_at(alice, remote, stage)
    require_equal(header.get("to"), remote.domain, "'to' of the initial header")
    require_equal(header.element.tag, f"{{{STREAM}}}stream", "the root element")
    # It may stand at each stanza instead (§4.8.2).
    require(header.content_namespace in {SERVER, None}, f"the content namespace {SERVER}", header.content_namespace)


@RFC.must(
    "5.3.1", "5.2", "13.14", says="Where the peer requires TLS, the calling server begins it, and sends nothing else."
)
def test_required_tls_is_begun(alice: Session, remote: Remote) -> None:
    greet(alice, remote)
    session = remote.receive(Stage.CONNECTED)
    receive_stream(session, OFFER_STARTTLS)
    asked = session.receive()
    require_equal(asked.tag, f"{{{TLS}}}starttls", "what follows the features")


@RFC.should("5.2", "13.14", says="TLS is begun where it is offered, though not required, before the login.")
def test_voluntary_tls_is_begun(alice: Session, remote: Remote) -> None:
    greet(alice, remote)
    session = remote.receive(Stage.CONNECTED)
    receive_stream(session, f"<starttls xmlns='{TLS}'/>{OFFER_EXTERNAL}")
    asked = session.receive()
    require_equal(asked.tag, f"{{{TLS}}}starttls", "what follows the features")


@RFC.must(
    "5.4.3.3", "4.3.3", "5.3.2", says="Behind TLS the calling server opens a new stream, without closing the old one."
)
def test_new_stream_follows_tls(alice: Session, remote: Remote) -> None:
    greet(alice, remote)
    session = remote.receive(Stage.CONNECTED)
    receive_stream(session, OFFER_STARTTLS)
    receive_starttls(session, remote.certificate, remote.ca)
    require_opened(session, remote)


@RFC.must(
    "6.4.6",
    "4.3.3",
    "6.3.2",
    says="Behind <success/> the calling server opens a new stream, without closing the old one.",
)
def test_new_stream_follows_success(alice: Session, remote: Remote) -> None:
    session = up_to_login(alice, remote)
    login_of(session)
    session.send(f"<success xmlns='{SASL}'/>")
    require_opened(session, remote)


def require_opened(session: ServerSession, remote: Remote) -> None:
    """The next thing on the connection is a stream header for us."""
    session.stream.restart()
    event = session.next_event()
    require(isinstance(event, StreamOpened), "a stream header", show(event))
    if isinstance(event, StreamOpened):
        require_equal(event.get("to"), remote.domain, "'to' of the initial header")


@RFC.should("6.3.4", "6.3.3", says="Where EXTERNAL is offered, the calling server tries it first.")
def test_external_is_tried_first(alice: Session, remote: Remote) -> None:
    dialback = "<dialback xmlns='urn:xmpp:features:dialback'><errors/></dialback>"
    session = up_to_login(alice, remote, dialback + OFFER_EXTERNAL)
    asked = session.receive()
    require_equal(asked.tag, f"{{{SASL}}}auth", "the subject's login")
    require_equal(asked.get("mechanism"), "EXTERNAL", "the mechanism")


@RFC.must("6.3.8", "6.4.2", says="EXTERNAL's initial response is empty ('='), or the domain alone, and in base64.")
def test_external_says_the_own_domain_or_nothing(alice: Session, remote: Remote) -> None:
    # §6.3.8 forbids an identity where there is none to act for; XEP-0178 §3 recommends the domain to older peers.
    asked = login_of(up_to_login(alice, remote))
    require_equal(asked.get("mechanism"), "EXTERNAL", "the mechanism")
    require(told_identity(asked.text or "") in {"", alice.domain}, f"nothing, or {alice.domain}", asked)


def told_identity(text: str) -> str:
    """What an initial response says, in words that no domain equals where it is not base64."""
    if text in {"", "="}:
        return ""
    try:
        return b64decode(text, validate=True).decode()
    except ValueError:
        return f"not base64: {text}"


@RFC.must("6.3.3", says="Of mechanisms that the calling server does not know, it tries none.")
def test_unknown_mechanism_is_not_tried(alice: Session, remote: Remote) -> None:
    offer = (
        f"<mechanisms xmlns='{SASL}'><mechanism>X-STANZALAB</mechanism><mechanism>EXTERNAL</mechanism></mechanisms>"
    )
    asked = login_of(up_to_login(alice, remote, offer))
    require_equal(asked.get("mechanism"), "EXTERNAL", "the mechanism")


@RFC.must_not("4.3.5", says="No stanza goes out before the peer has said that the stream is negotiated.")
def test_stanzas_wait_for_the_end_of_negotiation(alice: Session, remote: Remote) -> None:
    session = up_to_login(alice, remote)
    login_of(session)
    session.send(f"<success xmlns='{SASL}'/>")
    receive_stream(session, None)  # the header alone: the features are still to come
    greet(alice, remote)
    alice.sentinel()
    early = by_now(session)
    require(not early, "nothing before the features", early[0] if early else "")
    session.send("<stream:features/>")
    message = session.expect(lambda e: e.tag == f"{{{SERVER}}}message", "alice's message")
    require_equal(message.get("from"), alice.jid, "'from' of the message")


@RFC.must("4.3.5", "4.3.2", "8.1.2.2", says="Empty features end the negotiation: what has waited goes out.")
def test_stanza_goes_out_once_negotiated(alice: Session, remote: Remote) -> None:
    session, mark = all_the_way(alice, remote)
    got = session.expect(mark)
    require_equal(got.get("from"), alice.jid, "'from' of the message")
    require_equal(got.findtext("s:body", namespaces=NS), "Hello", "the body")


@RFC.should("5.4.3.1", says="The calling server shows a certificate, which its domain is in.")
def test_calling_server_shows_its_certificate(alice: Session, remote: Remote) -> None:
    session, mark = all_the_way(alice, remote)
    certificate = session.transport.secured().getpeercert() or {}
    names = [name[1] for name in certificate.get("subjectAltName", ())]
    require(alice.domain in names, f"a certificate for {alice.domain}", f"names: {names}")
    require_equal(session.expect(mark).get("from"), alice.jid, "'from' of the message")
