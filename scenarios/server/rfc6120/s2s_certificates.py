"""RFC 6120 §13.7, §6.3.4 between servers: certificates that are wrong in one way, shown by either side.

A server may fall back to Server Dialback, and trust DNS alone (§13.14): what is asked here is that a wrong
certificate proves nothing. In the role of the caller that is a SHOULD: its policy may be to trust whoever is there.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from lab.certificates import FLAWS
from lab.errors import PeerError
from lab.plugin import Specification, Stage, require, unsupported
from lab.plugin.federation import Remote, needs_external
from lab.wire.namespaces import SASL, SERVER
from lab.wire.negotiation import mechanisms, starttls
from lab.wire.s2s import (
    OFFER_EXTERNAL,
    OFFER_STARTTLS,
    ServerSession,
    open_server_stream,
    receive_starttls,
    receive_stream,
)
from lab.wire.session import Session
from lab.wire.transport import client_context
from scenarios.server.rfc6120._s2s import (
    arrives,
    end_of,
    expect_nothing_from,
    greet,
    require_no_login,
    somebody,
    stanza,
)
from scenarios.server.rfc6120._sasl import auth, is_sasl

RFC = Specification("RFC 6120")

WRONG_NAME = "wrong-name"
flaws = pytest.mark.parametrize("flaw", FLAWS)


@pytest.mark.parametrize("flaw", [flaw for flaw in FLAWS if flaw != WRONG_NAME])
@RFC.must_not("13.7.2", "6.3.4", says="A wrong certificate logs no server in by EXTERNAL, even where it is offered.")
def test_wrong_certificate_logs_no_server_in(alice: Session, remote: Remote, another: Remote, flaw: str) -> None:
    require_no_login(lambda: secured(remote, remote.flawed(flaw)))
    xml, identifier = stanza("message", to=alice.jid, sender=somebody(remote))
    expect_nothing_from(alice, another, xml, identifier, "a stanza of a server with a wrong certificate")


def secured(remote: Remote, certificate: Path | None, *, jid: str = "") -> ServerSession:
    """Our stream under TLS, where we show this certificate or none; the next header is not sent yet."""
    session = remote.call(Stage.OPENED, jid=jid)
    starttls(session, client_context(remote.ca, certificate=certificate))
    return session


@RFC.must_not("13.7.2", "6.4.5", says="A server without a certificate is not logged in by EXTERNAL.")
def test_no_certificate_logs_no_server_in(alice: Session, remote: Remote, another: Remote) -> None:
    xml, identifier = stanza("message", to=alice.jid, sender=somebody(remote))
    came = []
    with suppress(PeerError):  # whoever refuses the handshake, or the stream, lets nobody in
        session = secured(remote, None)
        open_server_stream(session)
        session.send(f"<auth xmlns='{SASL}' mechanism='EXTERNAL'>=</auth>{xml}</stream:stream>")
        came = end_of(session)
    require(not any(is_sasl(one, "success") for one in came), "no <success/>", came[-1] if came else "")
    expect_nothing_from(alice, another, xml, identifier, "a stanza of a server without a certificate")


# Whose name does not fit is still somebody (§4.3.6): to end the attempt is a SHOULD (§6.4.6), to keep the two apart a
# MUST (§8.1.2.2).
@RFC.should_not("13.7.2", "6.4.6", says="A certificate of a domain that the stream header does not name: no login.")
def test_wrong_name_logs_no_server_in(remote: Remote) -> None:
    require_no_login(lambda: secured(remote, remote.flawed(WRONG_NAME)))


@RFC.should_not("13.7.2", "6.4.6", says="A right certificate of one domain does not log in another domain.")
def test_certificate_of_another_domain_logs_no_server_in(remote: Remote, another: Remote) -> None:
    require_no_login(lambda: secured(remote, remote.certificate, jid=another.domain))


@RFC.must_not("8.1.2.2", "13.7.2", says="Who has the right certificate of one domain speaks for no other domain.")
def test_certificate_of_another_domain_does_not_speak_for_it(alice: Session, remote: Remote, another: Remote) -> None:
    xml, identifier = stanza("message", to=alice.jid, sender=somebody(another))
    with suppress(PeerError):  # whoever refuses the login, or ends the stream over the stanza, is right
        session = secured(remote, remote.certificate, jid=another.domain)
        open_server_stream(session)
        if is_sasl(auth(session, "EXTERNAL", "="), "success"):
            open_server_stream(session)
        session.send(xml)
    expect_nothing_from(alice, another, xml, identifier, "a stanza in the name of another server")


@flaws
@RFC.should(
    "13.7.2", "13.14", "5.4.3.1", says="A stanza goes to no server that only a wrong certificate vouches for."
)
def test_stanza_does_not_go_to_a_wrong_certificate(alice: Session, remote: Remote, flaw: str) -> None:
    greet(alice, remote)
    try:
        session = remote.receive(Stage.CONNECTED)
        receive_stream(session, OFFER_STARTTLS)
        receive_starttls(session, remote.flawed(flaw), remote.ca)
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
        unsupported("distrust of servers whose certificates are wrong: §13.7.2 leaves it to local policy")


@RFC.must("13.7.1.2.1", "6.3.4", says="A certificate that names a server's domain by an SRV-ID alone logs it in.")
def test_srv_id_logs_a_server_in(alice: Session, remote: Remote) -> None:
    session = remote.call(Stage.OPENED)
    starttls(session, client_context(remote.ca, certificate=remote.service_certificate))
    features = open_server_stream(session)
    if "EXTERNAL" not in mechanisms(features):
        needs_external(remote.call(Stage.SECURED))
        require(False, "EXTERNAL among the mechanisms", features)
    require(is_sasl(answer := auth(session, "EXTERNAL", "="), "success"), "<success/>", answer)
    open_server_stream(session)
    arrives(session, alice)
