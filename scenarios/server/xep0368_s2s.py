"""XEP-0368 between servers: direct TLS to the subject's port for servers, and from it to a domain that has only that.

What RFC 6120 asks of any stream between servers is asked here once more where direct TLS might make a difference.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from lab.certificates import FLAWS
from lab.errors import PeerError
from lab.plugin import Specification, Stage, require, require_equal, unsupported
from lab.plugin.federation import Remote, Remotes, needs_external
from lab.wire.namespaces import NS, SASL, SERVER, TLS
from lab.wire.s2s import (
    OFFER_DIALBACK,
    OFFER_EXTERNAL,
    ServerSession,
    open_server_stream,
    receive_login,
    receive_stream,
)
from lab.wire.session import Session, StreamEnded, StreamFailed
from lab.wire.transport import ConnectionLost, NoAnswer, TlsFailed, client_context
from scenarios.server.rfc6120._s2s import (
    arrives,
    end_of,
    expect_bounce,
    expect_nothing_from,
    greet,
    is_tls,
    require_no_login,
    somebody,
    stanza,
    still_federates,
)
from scenarios.server.rfc6120._sasl import auth, is_sasl, require_success

XEP = Specification("XEP-0368")


@pytest.fixture
def direct(remotes: Remotes) -> Remote:
    """A remote server that is found by XEP-0368's records alone."""
    return remotes(direct=True)


# --- the lab calls


def called(remote: Remote, *alpn: str, certificate: Path | None = None) -> ServerSession:
    """TLS at once to the subject's port for it, with our right certificate, unless told otherwise."""
    context = client_context(remote.ca, certificate=certificate or remote.certificate, alpn=alpn)
    return remote.call(Stage.CONNECTED, over="s2s-direct-tls", context=context)


@XEP.must("3", says="TLS begins at once on this port, and a server's stream opens within it.")
def test_server_stream_opens_within_tls(remote: Remote) -> None:
    session = called(remote, "xmpp-server")
    open_server_stream(session)  # what its header says of 'from' and 'to' is RFC 6120's matter
    require_server_s(session)


def require_server_s(session: ServerSession) -> None:
    """The content namespace is that of servers; it may stand at each stanza instead (RFC 6120 §4.8.2)."""
    namespace = session.header.content_namespace if session.header else ""
    require(namespace in {SERVER, None}, f"the content namespace {SERVER}", namespace)


@XEP.must_not("3", says="STARTTLS is not offered to a server within direct TLS.")
def test_starttls_is_not_offered_to_a_server(remote: Remote) -> None:
    features = open_server_stream(called(remote, "xmpp-server"))
    require(features.find("tls:starttls", NS) is None, "no <starttls/> in the features", features)


@XEP.must_not("3", says="STARTTLS is not used within direct TLS: a server that asks for it gets no <proceed/>.")
def test_starttls_is_refused_to_a_server(remote: Remote) -> None:
    session = called(remote, "xmpp-server")
    open_server_stream(session)
    session.send(f"<starttls xmlns='{TLS}'/></stream:stream>")
    came = end_of(session)
    require(not any(is_tls(one, "proceed") for one in came), "no <proceed/>", came[0] if came else "")


@XEP.must(
    "3", "6", says="A server logs in by EXTERNAL over direct TLS as over STARTTLS, and its stanzas are delivered."
)
def test_server_logs_in_over_direct_tls(alice: Session, remote: Remote) -> None:
    session = called(remote, "xmpp-server")
    open_server_stream(session)
    needs_external(session)
    require_success(auth(session, "EXTERNAL", "="))
    open_server_stream(session)
    arrives(session, alice)


@XEP.must("3", says="The certificate shown to a server is one for the domain, as for STARTTLS.")
def test_certificate_shown_to_a_server_is_for_the_domain(remote: Remote) -> None:
    session = called(remote, "xmpp-server")
    certificate = session.transport.secured().getpeercert() or {}
    names = [name[1] for name in certificate.get("subjectAltName", ())]
    require(session.domain in names, f"a certificate for {session.domain}", f"names: {names}")
    open_server_stream(session)


@XEP.must("3", says="Where ALPN is used for servers, the protocol is xmpp-server and no other that is on offer.")
@pytest.mark.parametrize("order", ["first", "last"])
def test_alpn_of_a_server_agrees_on_nothing_else(remote: Remote, order: str) -> None:
    names = ["xmpp-server", "x-stanzalab"]
    session = called(remote, *(names if order == "first" else names[::-1]))
    require(session.transport.alpn in {"xmpp-server", None}, "xmpp-server", str(session.transport.alpn))
    open_server_stream(session)
    require_server_s(session)


@XEP.may("3", says="ALPN is the caller's to use or not: without it, a server's stream works all the same.")
def test_server_stream_works_without_alpn(remote: Remote) -> None:
    try:
        session = called(remote)
    except (TlsFailed, ConnectionLost):
        unsupported("servers that do not name xmpp-server by ALPN")
    open_server_stream(session)
    needs_external(session)
    require_success(auth(session, "EXTERNAL", "="))


# That a wrong name ends the attempt is a SHOULD (RFC 6120 §6.4.6).
@pytest.mark.parametrize("flaw", [flaw for flaw in FLAWS if flaw != "wrong-name"])
@XEP.must_not("3", "6", says="A wrong certificate logs no server in over direct TLS.")
def test_wrong_certificate_logs_no_server_in(alice: Session, remote: Remote, another: Remote, flaw: str) -> None:
    require_no_login(lambda: called(remote, "xmpp-server", certificate=remote.flawed(flaw)))
    xml, identifier = stanza("message", to=alice.jid, sender=somebody(remote))
    expect_nothing_from(alice, another, xml, identifier, "a stanza of a server with a wrong certificate")


@XEP.should("3", says="Both ports for servers are one service: what comes over either is delivered.")
def test_both_ports_for_servers_are_one_service(alice: Session, remote: Remote) -> None:
    first = remote.call(over="s2s-direct-tls")
    arrives(first, alice)
    first.close(farewell=first.patience)  # of streams for the same domains, one may be all that is allowed
    arrives(remote.call(), alice)


# --- the subject calls


def taken(alice: Session, direct: Remote) -> tuple[ServerSession, str]:
    """The subject's connection to a domain with XEP-0368's records alone, and the id of what alice sends."""
    identifier = greet(alice, direct)
    return follows_records(direct, Stage.CONNECTED), identifier


def follows_records(direct: Remote, stage: Stage = Stage.AUTHENTICATED, *, jid: str = "") -> ServerSession:
    """The subject's stream to a domain with XEP-0368's records alone; that it heeds them nobody has to promise."""
    try:
        return direct.receive(stage, jid=jid)
    except NoAnswer:
        unsupported("the records of direct TLS: a domain that has no others is not called")


@XEP.must("3", "5", says="A domain that has only records of direct TLS is called by them, with TLS at once.")
def test_records_of_direct_tls_are_followed(alice: Session, direct: Remote) -> None:
    session, identifier = taken(alice, direct)
    receive_stream(session, OFFER_EXTERNAL + OFFER_DIALBACK)
    require_equal(session.header.get("to") if session.header else None, direct.domain, "'to' of the initial header")
    receive_login(session)
    got = session.expect(identifier)
    require_equal(got.get("from"), alice.jid, "'from' of the message")


@XEP.must_not("3", says="Within direct TLS, the calling server does not ask for STARTTLS, though it were offered.")
def test_starttls_is_not_asked_for(alice: Session, direct: Remote) -> None:
    session, _ = taken(alice, direct)
    receive_stream(session, f"<starttls xmlns='{TLS}'/>{OFFER_EXTERNAL}")
    with suppress(StreamEnded, StreamFailed, ConnectionLost):  # who has no other way in may leave
        asked = session.receive()
        require(not is_tls(asked, "starttls"), "the login, not <starttls/>", asked)


@XEP.should("3", says="The calling server names xmpp-server by ALPN.")
def test_caller_names_xmpp_server(alice: Session, direct: Remote) -> None:
    session, _ = taken(alice, direct)
    require_equal(session.transport.alpn, "xmpp-server", "the application protocol")
    receive_stream(session, OFFER_EXTERNAL)
    require_equal(session.header.get("to") if session.header else None, direct.domain, "'to' of the initial header")


@XEP.must("3", says="The calling server names the domain that it wants by SNI.")
def test_caller_names_the_domain(alice: Session, direct: Remote) -> None:
    session, _ = taken(alice, direct)
    require_equal(session.server_name, direct.domain, "the name in SNI")
    receive_stream(session, OFFER_EXTERNAL)
    require_equal(session.header.get("to") if session.header else None, direct.domain, "'to' of the initial header")


@XEP.should("5", "3", says="Of a domain with records of both kinds, one that works is called.")
@pytest.mark.parametrize("kind", ["starttls", "direct-tls"])
def test_either_kind_of_record_is_enough(alice: Session, remotes: Remotes, kind: str) -> None:
    remote = remotes(direct=kind == "direct-tls")
    live, dead = f"{'d' if remote.direct else 's'}{remote.door.port}", "s1" if remote.direct else "d1"
    domain = remote.served(dead, live)
    xml, identifier = stanza("message", to=f"somebody@{domain}")
    alice.send(xml)
    session = follows_records(remote, jid=domain) if remote.direct else remote.receive(jid=domain)
    require_equal(session.expect(identifier).get("from"), alice.jid, "'from' of the message")


@XEP.should("3", says="A target of '.' among the records of direct TLS says that there is none: STARTTLS is used.")
def test_no_direct_tls_by_record(alice: Session, remote: Remote) -> None:
    domain = remote.served("d0", f"s{remote.door.port}")
    xml, identifier = stanza("message", to=f"somebody@{domain}")
    alice.send(xml)
    session = remote.receive(jid=domain)
    require_equal(session.expect(identifier).get("from"), alice.jid, "'from' of the message")


@XEP.must("3", "5", says="Where direct TLS is all that a domain has, and dead, the sender is told.")
@pytest.mark.parametrize("where", ["d1", "d0"], ids=["nobody-listens", "no-such-service"])
def test_dead_direct_tls_is_told(alice: Session, remote: Remote, where: str) -> None:
    xml, identifier = stanza("message", to=f"somebody@{remote.served(where)}")
    alice.send(xml)
    expect_bounce(alice, identifier)
    still_federates(alice, remote)


@pytest.mark.parametrize("flaw", FLAWS)
@XEP.should("3", "6", says="A stanza goes to no server over direct TLS that only a wrong certificate vouches for.")
def test_stanza_does_not_go_to_a_wrong_certificate(alice: Session, direct: Remote, flaw: str) -> None:
    greet(alice, direct)
    try:
        session = direct.receive(Stage.CONNECTED, certificate=direct.flawed(flaw))
        receive_stream(session, OFFER_EXTERNAL)
        asked = session.receive()
        if not is_sasl(asked, "auth"):
            unsupported("EXTERNAL as the only way in")
        session.send(f"<success xmlns='{SASL}'/>")
        receive_stream(session, "")
        got = session.receive()
    except PeerError:
        return
    if got.tag == f"{{{SERVER}}}message":
        unsupported("distrust of servers whose certificates are wrong: RFC 6120 §13.7.2 leaves it to local policy")


BROKEN = {"speaks-plain": b"<stream:stream>", "closes": b""}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN.keys())
@XEP.must(
    "3", says="Where no TLS comes about on a port of direct TLS, nothing is said in clear, and the sender is told."
)
def test_port_without_tls_is_given_up(alice: Session, remotes: Remotes, remote: Remote, text: bytes) -> None:
    plain = remotes()
    domain = plain.served(f"d{plain.door.port}")
    xml, identifier = stanza("message", to=f"somebody@{domain}")
    alice.send(xml)
    session = follows_records(plain, Stage.CONNECTED, jid=domain)
    plain.door.close()
    hello = session.transport.receive(timeout=session.patience)
    require(hello[:1] == b"\x16", "a TLS record first", repr(hello[:40]))
    session.send_raw(text)
    session.abandon()
    expect_bounce(alice, identifier)
    still_federates(alice, remote)
