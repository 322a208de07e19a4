"""XEP-0288: one stream between two servers that carries stanzas both ways, once both ends have asked for it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from lab.plugin import Specification, premise, require_equal, unsupported
from lab.plugin.federation import Remote, needs_external
from lab.wire.namespaces import BIDI, BIDI_FEATURE, PING
from lab.wire.negotiation import Stage, starttls
from lab.wire.s2s import (
    OFFER_BIDI,
    OFFER_DIALBACK,
    OFFER_EXTERNAL,
    OFFER_STARTTLS,
    ServerSession,
    is_dialback,
    log_in_by_certificate,
    open_server_stream,
    receive_login,
    receive_starttls,
    receive_stream,
)
from lab.wire.session import Session, StreamEnded, StreamFailed, new_id
from lab.wire.stream import Element
from lab.wire.transport import ConnectionLost
from scenarios.server.rfc6120._s2s import with_certificate
from scenarios.server.xep0220._dialback import (
    arrives,
    ask_to_be_let_in,
    delivered,
    has_id,
    is_asked,
    not_delivered,
    say,
    text,
    through_or_ended,
)

XEP = Specification("XEP-0288")
ENABLE = f"<bidi xmlns='{BIDI}'/>"


def offered(features: Element | None) -> Element | None:
    """What says that streams can go both ways; some have it in the namespace of the request."""
    found = features.find(f"{{{BIDI_FEATURE}}}bidi") if features is not None else None
    return features.find(f"{{{BIDI}}}bidi") if found is None and features is not None else found


def caller(remote: Remote, *, anonymous: bool = False) -> ServerSession:
    """Our stream to a server that offers both ways, not logged in."""
    session = remote.call(Stage.SECURED, anonymous=anonymous)
    if offered(session.features) is None:
        unsupported("<bidi/> among the features for servers")
    return session


def both_ways(remote: Remote) -> ServerSession:
    """Our stream, both ways asked for, and logged in."""
    session = caller(remote)
    needs_external(session)
    session.send(ENABLE)
    log_in_by_certificate(session)
    open_server_stream(session)
    return session


def calls(remote: Remote, *, jid: str = "") -> None:
    """What could have come back is sent on a stream of the subject's own."""
    premise(
        lambda: remote.receive(Stage.CONNECTED, jid=jid), "the server opens no stream of its own, and sends nothing"
    )


# --- the subject is called


@XEP.should("2.1", says="The feature is <bidi/> in the namespace urn:xmpp:features:bidi.")
def test_feature_is_in_its_namespace(remote: Remote) -> None:
    session = remote.call(Stage.OPENED)
    starttls(session, with_certificate(remote))
    found = offered(open_server_stream(session))
    if found is None:
        unsupported("<bidi/> among the features for servers")
    require_equal(str(found.tag), f"{{{BIDI_FEATURE}}}bidi", "the feature")


@XEP.should("2.2", says="Once both ways are asked for and the peer is logged in, stanzas come on its own stream.")
def test_stanzas_come_back_on_the_callers_stream(alice: Session, remote: Remote) -> None:
    session = both_ways(remote)
    identifier = say(alice, remote.domain)
    arrives(session, alice, identifier)


@XEP.should("2.2", says="A request on a stream that goes both ways is answered on it.")
def test_request_is_answered_on_the_callers_stream(remote: Remote) -> None:
    session = both_ways(remote)
    identifier = new_id()
    session.send(
        f"<iq from='bob@{remote.domain}/home' to='{session.domain}' type='get' id='{identifier}'>"
        f"<ping xmlns='{PING}'/></iq>"
    )
    got = session.expect(has_id(identifier), "an answer on our own stream")
    require_equal(got.get("to"), f"bob@{remote.domain}/home", "whom the answer is for")


@XEP.must("2.2", says="Stanzas still go the first way, too.")
def test_stanzas_still_go_the_first_way(alice: Session, remote: Remote) -> None:
    delivered(alice, both_ways(remote), remote.domain)


@XEP.must_not("2.2", says="Before the peer is logged in, no stanza comes back, though both ways were asked for.")
def test_no_stanza_comes_before_the_login(alice: Session, remote: Remote) -> None:
    session = caller(remote)
    session.send(ENABLE)
    through_or_ended(session)
    identifier = say(alice, remote.domain)
    calls(remote)  # it has to open a stream of its own
    alice.sentinel()
    session.nothing_by_now(
        text(alice.jid, f"bob@{remote.domain}", identifier), has_id(identifier), "a stanza before the login"
    )


@XEP.must("2.2", says="Only what the peer is logged in for comes back: stanzas to another domain do not.")
def test_stanza_for_another_domain_does_not_come_back(alice: Session, remote: Remote) -> None:
    session = both_ways(remote)
    other = remote.sibling("other")
    identifier = say(alice, other)
    calls(remote, jid=other)
    alice.sentinel()
    session.nothing_by_now(
        text(alice.jid, f"bob@{other}", identifier), has_id(identifier), "a stanza for another domain"
    )


@XEP.must("2.2", says="Where the peer did not ask for both ways, no stanza comes back on its stream.")
def test_without_the_request_nothing_comes_back(alice: Session, remote: Remote) -> None:
    caller(remote).close()
    session = remote.call()
    identifier = say(alice, remote.domain)
    incoming = remote.receive()
    arrives(incoming, alice, identifier)
    session.nothing_by_now(
        text(alice.jid, f"bob@{remote.domain}", identifier), has_id(identifier), "a stanza on a one-way stream"
    )


@XEP.must_not("2.2", says="A key is not verified on the stream on which it came.")
def test_key_is_not_verified_on_the_same_stream(remote: Remote) -> None:
    session = caller(remote, anonymous=True)
    session.send(ENABLE)
    key = ask_to_be_let_in(session)
    is_asked(session, remote)
    session.nothing_by_now(
        f"<db:verify from='{session.domain}' to='{remote.domain}' id='{session.stream_id}'>{key}</db:verify>",
        lambda e: is_dialback(e, "verify"),
        "<db:verify/> on the stream of the key",
    )


# --- the subject calls


def called(alice: Session, remote: Remote, offers: str, certificate: Path | None = None) -> tuple[ServerSession, str]:
    """The server's stream to us, who offer both ways, logged in; and the id of the message that made it call."""
    caller(remote).close()  # does the server know of it at all?
    identifier = say(alice, remote.domain)
    session = remote.receive(offers=offers + OFFER_BIDI, certificate=certificate)
    if not session.both_ways:
        unsupported("asking for both ways on a stream of its own")
    return session, identifier


OFFERS = pytest.mark.parametrize(
    "offers",
    [pytest.param(OFFER_EXTERNAL + OFFER_DIALBACK, id="external"), pytest.param(OFFER_DIALBACK, id="dialback")],
)


@OFFERS
@XEP.should("2.2", says="The server that calls asks for both ways before it logs in.")
def test_request_comes_before_the_login(alice: Session, remote: Remote, offers: str) -> None:
    session, identifier = called(alice, remote, offers)
    arrives(session, alice, identifier)


@OFFERS
@XEP.must("2.2", says="Stanzas that come back on the stream of the server that called are accepted.")
def test_stanzas_come_back_on_the_servers_stream(alice: Session, remote: Remote, offers: str) -> None:
    session, identifier = called(alice, remote, offers)
    arrives(session, alice, identifier)
    delivered(alice, session, remote.domain)


@XEP.must("2.2", says="What comes back is accepted only from the domain that was called.")
def test_stanza_of_another_domain_is_not_accepted(alice: Session, remote: Remote) -> None:
    session, identifier = called(alice, remote, OFFER_EXTERNAL + OFFER_DIALBACK, remote.certificate_of(remote.domain))
    arrives(session, alice, identifier)
    not_delivered(alice, session, remote.sibling("other"), lambda: answered_or_ended(session))


@XEP.must("2.1", "2.2", says="TLS comes before both ways: the server that calls asks for TLS first.")
def test_tls_comes_first(alice: Session, remote: Remote) -> None:
    caller(remote).close()
    identifier = say(alice, remote.domain)
    session = remote.receive(Stage.CONNECTED)
    receive_stream(session, OFFER_STARTTLS + OFFER_BIDI)
    receive_starttls(session, remote.certificate, remote.ca)
    receive_stream(session, OFFER_EXTERNAL + OFFER_DIALBACK + OFFER_BIDI)
    receive_login(session)
    if not session.both_ways:
        unsupported("asking for both ways on a stream of its own")
    arrives(session, alice, identifier)


def answered_or_ended(session: ServerSession) -> None:
    """The server is through with what we sent on this stream: it answers a request behind it, or ends the stream."""
    identifier = new_id()
    session.send(
        f"<iq from='{session.jid}' to='{session.domain}' type='get' id='{identifier}'><ping xmlns='{PING}'/></iq>"
    )
    with suppress(StreamEnded, StreamFailed, ConnectionLost):
        session.expect(has_id(identifier), "an answer to a request behind it")
