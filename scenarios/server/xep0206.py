"""XEP-0206: what XMPP adds to BOSH: its versions and restarts, what a <body/> holds, stream errors."""

from __future__ import annotations

from base64 import b64encode

import pytest

from lab.plugin import Connect, Specification, Stage, require, require_equal, unsupported
from lab.wire.bosh import BoshSession
from lab.wire.namespaces import CLIENT, NS, STREAM, XBOSH
from lab.wire.negotiation import authenticate, bind, mechanisms, open_stream
from lab.wire.session import Session, new_id
from lab.wire.stream import Element
from scenarios.server.xep0124._bosh import RESTART, anything, ask, bound, create, message, ping, post, until

XEP = Specification("XEP-0206")

TRUE = {"true", "1"}


# --- session creation


@XEP.should("4", "3", says="The session creation response bears the version of XMPP, or a later one does.")
def test_response_has_the_version_of_xmpp(connect: Connect) -> None:
    session, response = create(connect)
    version = response.get(f"{{{XBOSH}}}version")
    if version is None:
        response = until(session, "features", response)
        version = response.get(f"{{{XBOSH}}}version")
    require((version or "").startswith("1."), "xmpp:version='1.0'", response)


@XEP.must("4", says="Support for stream restarts is advertised by xmpp:restartlogic in the creation response.")
def test_restarts_are_advertised(connect: Connect) -> None:
    account = connect.account()
    session, response = create(connect)
    advertised = response.get(f"{{{XBOSH}}}restartlogic")
    until(session, "features", response)
    authenticate_by_hand(session, account.localpart, account.password)
    post(session, "", {**RESTART, "to": session.domain})
    features = until(session, "features")
    require(features.find("stream:features/bind:bind", NS) is not None, "a restart, to tell of", features)
    require(advertised in TRUE, "xmpp:restartlogic='true', as restarts are supported", response)


@XEP.should("4", "2", says="The stream's features are forwarded: a complete element in the streams namespace.")
def test_features_are_forwarded(connect: Connect) -> None:
    session, response = create(connect)
    response = until(session, "features", response)
    require_equal(response[0].tag, f"{{{STREAM}}}features", "the features")
    require(mechanisms(response[0]), "<mechanisms/> in the features", response)


@XEP.should_not("2", says="TLS is not offered within BOSH: it belongs below HTTP.")
def test_starttls_is_not_offered(connect: Connect) -> None:
    session, response = create(connect)
    features = until(session, "features", response)
    require(len(features[0]), "features of the stream", features)
    require(features[0].find("tls:starttls", NS) is None, "no <starttls/> in the features", features)


@XEP.should_not("4", says="Stream compression is not offered within BOSH: it belongs to HTTP.")
@pytest.mark.parametrize("when", ["before-login", "behind-login"])
def test_compression_is_not_offered(when: str, connect: Connect) -> None:
    session = connect(Stage.CONNECTED, over="bosh")
    features = open_stream(session)
    if when == "behind-login":
        authenticate(session, connect.account())
        features = open_stream(session)
    require(len(features), "features of the stream", features)
    offered = features.find("{http://jabber.org/features/compress}compression")
    require(offered is None, "no <compression/> in the features", features)


# --- payloads


@XEP.should("2", says="Stanzas in a <body/> are qualified by jabber:client.")
def test_stanzas_are_in_their_namespace(connect: Connect) -> None:
    session = bound(connect)
    response = until(session, "iq", ask(session, ping(session, new_id())))
    require_equal(response[0].tag, f"{{{CLIENT}}}iq", "the answer to an iq")


@XEP.should("2", says="A <body/> may hold several stanzas of all kinds: they are served in their order.")
def test_stanzas_of_all_kinds_in_one_body(connect: Connect, bob: Session) -> None:
    session = bound(connect, "alice")
    there, asked = new_id(), new_id()
    presence = f"<presence xmlns='{CLIENT}' to='{bob.jid}' id='{there}'/>"
    post(session, message(bob.jid, there) + presence + ping(session, asked))
    came = [bob.expect(lambda e: e.get("from") == session.jid, "a stanza of two").tag for _ in range(2)]
    require_equal(came, [f"{{{CLIENT}}}message", f"{{{CLIENT}}}presence"], "the order of the stanzas")
    response = until(session, "iq")
    require_equal(response[0].get("id"), asked, "the id of the answer")


# --- login


def authenticate_by_hand(session: BoshSession, localpart: str, password: str) -> None:
    """SASL PLAIN on a session of whole bodies."""
    identity = b64encode(f"\0{localpart}\0{password}".encode()).decode()
    post(session, f"<auth xmlns='{NS['sasl']}' mechanism='PLAIN'>{identity}</auth>")
    until(session, "success")


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256"])
@XEP.must("5", says="Authentication, restart and binding work over BOSH as over TCP.")
def test_login(mechanism: str, connect: Connect) -> None:
    account = connect.account()
    session = connect(Stage.OPENED, over="bosh")
    if session.features is None or mechanism not in mechanisms(session.features):
        unsupported(f"the SASL mechanism {mechanism}")
    authenticate(session, account, mechanism)
    features = open_stream(session)
    require(features.find("bind:bind", NS) is not None, "features with <bind/> behind the restart", features)
    jid = bind(session)
    require(jid.startswith(f"{account.jid}/"), f"a resource of {account.jid}", f"bound as {jid}")


@XEP.must("5", says="A failure of SASL is told, and the session goes on.")
def test_failed_login_is_told(connect: Connect) -> None:
    session, response = create(connect)
    until(session, "features", response)
    failed = until(session, "failure", ask(session, anything()))
    require_equal(failed[0].tag, f"{{{NS['sasl']}}}failure", "the answer to <auth/>")
    require_equal(failed.get("type"), None, "the type of the body")
    again = until(session, "failure", ask(session, anything()))
    require_equal(again.get("type"), None, "the type of the body")


def authenticated(connect: Connect) -> BoshSession:
    account = connect.account()
    session, response = create(connect)
    until(session, "features", response)
    authenticate_by_hand(session, account.localpart, account.password)
    return session


@pytest.mark.parametrize("value", ["true", "1"])
@XEP.must("5", says="A restart request, its boolean written either way, is answered with the new features.")
def test_restart_brings_new_features(value: str, connect: Connect) -> None:
    session = authenticated(connect)
    post(session, "", {"xmpp:restart": value, "to": session.domain, "xml:lang": "en"})
    features = until(session, "features")
    require(features.find("stream:features/bind:bind", NS) is not None, "features with <bind/>", features)


@pytest.mark.parametrize("left_out", ["to", "xml:lang"])
@XEP.should("5", says="A restart request that lacks what it only should have is served.")
def test_restart_without_what_it_should_have(left_out: str, connect: Connect) -> None:
    session = authenticated(connect)
    attributes: dict[str, str | None] = {**RESTART, "to": session.domain}
    attributes[left_out] = None
    post(session, "", attributes)
    features = until(session, "features")
    require(features.find("stream:features/bind:bind", NS) is not None, "features with <bind/>", features)


@XEP.should("5", says="A stanza in a restart request is ignored, or served: the restart comes about all the same.")
def test_stanza_in_a_restart_request_does_no_harm(connect: Connect) -> None:
    session = authenticated(connect)
    post(session, ping(session, new_id()), {**RESTART, "to": session.domain})
    features = until(session, "features")
    require(features.find("stream:features/bind:bind", NS) is not None, "features with <bind/>", features)


# --- stream errors


PROVOCATIONS = {
    "unknown-element": "<unheard-of xmlns='urn:stanzalab:0'/>",
    "forged-sender": "<message xmlns='jabber:client' from='romeo@montague.invalid'><body>Hello</body></message>",
}


@pytest.mark.parametrize("provocation", PROVOCATIONS)
@XEP.must("2", says="A stream error ends the session as remote-stream-error, and is in the <body/> as it is.")
def test_stream_error_ends_the_session(provocation: str, connect: Connect) -> None:
    session = bound(connect)
    post(session, PROVOCATIONS[provocation])
    asked = new_id()
    post(session, ping(session, asked))
    body = _first_word(session)
    if body.get("type") is None:
        unsupported("a stream error for this: the server goes on")
    require_equal(body.get("type"), "terminate", "the type of the body")
    require_equal(body.get("condition"), "remote-stream-error", "the condition")
    error = body.find("stream:error", NS)
    require(error is not None and len(error), "<stream:error/> with its condition", body)


def _first_word(session: BoshSession) -> Element:
    """The first response that holds anything, or ends the session."""
    while True:
        body = session.receive()
        if len(body) or body.get("type") is not None:
            return body
