"""XEP-0388 §2.6: success, failure, and what they do to the stream and to what was asked for inline."""

from __future__ import annotations

import pytest

from lab.cell import Account
from lab.plugin import Connect, Specification, require, require_equal
from lab.wire import negotiation, sasl2
from lab.wire.namespaces import BIND2, NS
from lab.wire.negotiation import mechanisms as old_mechanisms
from lab.wire.sasl2 import UserAgent
from lab.wire.session import Session, new_id
from lab.wire.stream import Element
from scenarios.server._sasl2 import (
    authenticate,
    challenge,
    enter,
    entered,
    features_behind,
    goes_on,
    is_sasl2,
    message_of_plain,
    offered_inline,
    require_failure,
    require_success,
    respond,
    secured,
)
from scenarios.server.rfc6120._sasl import Scram, base64
from scenarios.server.rfc6120.sasl_failures import nobody
from scenarios.server.xep0198._managed import Managed, resumable, resumption

SASL2_PROFILE = Specification("XEP-0388")

MECHANISM = "SCRAM-SHA-1"
AGENT = UserAgent.new().xml()


# --- success


def _answer(session: Session, account: Account, mechanism: str) -> Element:
    """What comes of a right login."""
    if mechanism == "PLAIN":
        return authenticate(session, mechanism, message_of_plain(account), AGENT)
    scram = Scram(account)
    return respond(session, scram.final(challenge(authenticate(session, mechanism, scram.first(), AGENT))))


@SASL2_PROFILE.must("2.6.1", says="Success names the account, by its bare JID where no resource is bound.")
@pytest.mark.parametrize("mechanism", ["PLAIN", MECHANISM])
def test_success_names_the_account(connect: Connect, mechanism: str) -> None:
    account = connect.account()
    session = secured(connect, account, mechanism)
    answer = _answer(session, account, mechanism)
    require_equal(require_success(answer), account.jid, "the authorization identifier")


@SASL2_PROFILE.must("2.6.1", says="What SASL says along with success, SCRAM's proof, is in <additional-data/>.")
def test_success_carries_the_proof(connect: Connect) -> None:
    scram = Scram(connect.account())
    session = secured(connect, scram.account, MECHANISM)
    answer = respond(session, scram.final(challenge(authenticate(session, MECHANISM, scram.first(), AGENT))))
    require_success(answer)
    data = answer.find("sasl2:additional-data", NS)
    proof = sasl2.decode(data).decode() if data is not None else ""
    require_equal(proof, f"v={base64(scram.server_signature)}", "the server's proof")


@SASL2_PROFILE.must("2.6.1", says="Success is followed at once by features of the stream that is authenticated now.")
@pytest.mark.parametrize("mechanism", ["PLAIN", MECHANISM])
def test_features_follow_success(connect: Connect, mechanism: str) -> None:
    account = connect.account()
    session = secured(connect, account, mechanism)
    answer = _answer(session, account, mechanism)
    require_success(answer)
    features = features_behind(session)
    require(features.find("bind:bind", NS) is not None, "bind among the features", features)
    done = sasl2.offered(features) is None and not old_mechanisms(features)
    require(done, "no authentication among the features", features)
    require(features.find("tls:starttls", NS) is None, "no STARTTLS among the features", features)


@SASL2_PROFILE.must(
    "2.6.1", says="No stream restart is needed: the same stream binds a resource and carries stanzas."
)
def test_stream_goes_on(connect: Connect) -> None:
    account, bob = connect.account(), connect(label="bob")
    session = entered(connect, account, label="alice").session
    resource = f"resource-{new_id()}"
    require_equal(negotiation.bind(session, resource), f"{account.jid}/{resource}", "the JID")
    identifier = new_id()
    session.send(f"<message to='{bob.jid}' type='chat' id='{identifier}'><body>Hello</body></message>")
    require_equal(bob.expect(identifier).get("from"), session.jid, "'from' as a contact sees it")
    bob.send(f"<message to='{session.jid}' type='chat' id='{identifier}-back'><body>Hello</body></message>")
    require_equal(session.expect(f"{identifier}-back").get("from"), bob.jid, "'from' of the answer")


# --- failure


@SASL2_PROFILE.must(
    "2.6.2", says="A wrong password ends in <failure/> with <not-authorized/>, a condition of SASL's."
)
@pytest.mark.parametrize("mechanism", ["PLAIN", MECHANISM])
@pytest.mark.parametrize("who", ["known", "unknown"])
def test_wrong_password_is_not_authorized(connect: Connect, who: str, mechanism: str) -> None:
    account = connect.account() if who == "known" else nobody(connect)
    session = secured(connect, account, mechanism)
    if mechanism == "PLAIN":
        answer = authenticate(session, mechanism, message_of_plain(account, password="wrong"), AGENT)
    else:
        scram = Scram(account)
        answer = authenticate(session, mechanism, scram.first(), AGENT)
        if is_sasl2(answer, "challenge"):
            answer = respond(session, scram.final(challenge(answer), password="wrong"))
    require_failure(answer, "not-authorized")


@SASL2_PROFILE.must("2.6.2", says="A SCRAM response that is no base64, or none of SCRAM's, ends in <failure/>.")
@pytest.mark.parametrize(
    "content", [pytest.param("!!!!", id="no-base64"), pytest.param(base64("nonsense"), id="nonsense")]
)
def test_bad_response_fails(connect: Connect, content: str) -> None:
    scram = Scram(connect.account())
    session = secured(connect, scram.account, MECHANISM)
    challenge(authenticate(session, MECHANISM, scram.first(), AGENT))
    require_failure(respond(session, content), "incorrect-encoding", "malformed-request", "not-authorized")
    goes_on(session, scram.account)


@SASL2_PROFILE.must("2.6.2", says="A failure ends the attempt, not the stream: on it, the right password works.")
@pytest.mark.parametrize("mechanism", ["PLAIN", MECHANISM])
def test_stream_outlives_a_failure(connect: Connect, mechanism: str) -> None:
    account = connect.account()
    session = secured(connect, account, mechanism, "PLAIN")
    require_failure(authenticate(session, "PLAIN", message_of_plain(account, password="wrong"), AGENT))
    if mechanism == "PLAIN":
        answer = authenticate(session, mechanism, message_of_plain(account), AGENT)
    else:
        scram = Scram(account)
        answer = respond(session, scram.final(challenge(authenticate(session, mechanism, scram.first(), AGENT))))
    require_equal(require_success(answer), account.jid, "the authorization identifier")
    features_behind(session)


@SASL2_PROFILE.must("2.6.2", says="A response that nobody asked for lets nobody in.")
def test_response_without_a_challenge_fails(connect: Connect) -> None:
    account = connect.account()
    session = secured(connect, account, "PLAIN")
    require_failure(respond(session, message_of_plain(account)))
    goes_on(session, account)


# --- what was asked for along with an attempt that failed


@SASL2_PROFILE.must_not("2.6.2", says="A resource asked for in an attempt that failed is not bound, then or later.")
def test_bind_of_a_failed_attempt_is_not_done(connect: Connect) -> None:
    account = connect.account()
    session = secured(connect, account, "PLAIN")
    offered_inline(session, "bind2:bind", "Bind 2")
    wish = f"{AGENT}<bind xmlns='{BIND2}'><tag>failed</tag></bind>"
    failure = authenticate(session, "PLAIN", message_of_plain(account, password="wrong"), wish)
    require_failure(failure)
    require(failure.find("bind2:bound", NS) is None, "no <bound/>", failure)
    alice = enter(session, account)
    require_equal(session.jid, account.jid, "the authorization identifier, with no resource")
    require(alice.find("bind2:bound") is None, "no <bound/>", alice.success)
    require(
        session.features is not None and session.features.find("bind:bind", NS) is not None, "bind", session.features
    )


@SASL2_PROFILE.must_not("2.6.2", says="No stream is resumed by an attempt that failed: it still can be, afterwards.")
def test_stream_of_a_failed_attempt_is_not_resumed(connect: Connect) -> None:
    account = connect.account()
    probe = secured(connect, account, "PLAIN")
    offered_inline(probe, "sm:sm", "stream resumption")
    stream = resumable(connect, account=account)
    stream.cut()
    wish = f"{AGENT}{resumption(stream.name, stream.tally.handled)}"
    failure = authenticate(probe, "PLAIN", message_of_plain(account, password="wrong"), wish)
    require_failure(failure)
    require(failure.find("sm:resumed", NS) is None, "no <resumed/>", failure)
    _resumed(connect, stream)


def _resumed(connect: Connect, stream: Managed) -> Session:
    """A stream resumed by SASL2, <success/> read and nothing behind it."""
    session = secured(connect, stream.account, "PLAIN")
    offered_inline(session, "sm:sm", "stream resumption")
    wish = f"{AGENT}{resumption(stream.name, stream.tally.handled)}"
    answer = authenticate(session, "PLAIN", message_of_plain(stream.account), wish)
    require_success(answer)
    require(answer.find("sm:resumed", NS) is not None, "<resumed/>", answer)
    return session
