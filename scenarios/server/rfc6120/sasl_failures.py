"""RFC 6120 §6.4.5 and §6.5: every way to fail that a client can provoke, and that the stream outlives it.

§6.5.10 lets a server that will not say more answer <not-authorized/> wherever it was given credentials; so a check
takes that beside the condition that fits best, unless the requirement fixes the condition.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from secrets import token_hex

import pytest

from lab.cell import Account
from lab.plugin import Connect, Specification, Stage, impossible, require, require_equal, unsupported
from lab.wire.namespaces import SASL
from lab.wire.session import Session, StreamEnded, StreamFailed, show
from lab.wire.stream import Element
from lab.wire.transport import ConnectionLost, client_context
from scenarios.server.rfc6120._sasl import (
    Scram,
    auth,
    base64,
    challenge,
    is_sasl,
    log_in,
    offered,
    plain,
    require_failure,
    require_no_success,
    respond,
    secured,
)

RFC = Specification("RFC 6120")

GENERIC = "not-authorized"


def nobody(connect: Connect) -> Account:
    """An account that does not exist."""
    return Account(f"nobody{token_hex(6)}", connect.cell.domain, token_hex(8))


@RFC.must("6.4.5", "6.5", says="A wrong password is answered by <failure/> with <not-authorized/>.")
@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-1"])
def test_wrong_password_is_not_authorized(connect: Connect, mechanism: str) -> None:
    account = connect.account()
    session = secured(connect, offers=mechanism)
    require_failure(log_in_wrongly(connect, mechanism, account, session=session)[-1], "not-authorized")


@RFC.must("6.4.5", "6.5", says="A user who does not exist is answered by <failure/> with <not-authorized/>.")
@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-1"])
def test_unknown_user_is_not_authorized(connect: Connect, mechanism: str) -> None:
    session = secured(connect, offers=mechanism)
    require_failure(log_in_wrongly(connect, mechanism, nobody(connect), session=session)[-1], "not-authorized")


# Of SCRAM-SHA-1 the same cannot be asked: how many messages there are before the failure is nowhere said.
@RFC.should("6.5", "6.4.5", says="Nothing tells a user who does not exist from a wrong password (§6.5.10, §13.11).")
def test_unknown_user_looks_like_a_wrong_password(connect: Connect) -> None:
    known = log_in_wrongly(connect, "PLAIN", connect.account())
    unknown = log_in_wrongly(connect, "PLAIN", nobody(connect))
    steps = [[looks(answer) for answer in answers] for answers in (known, unknown)]
    require_failure(known[-1], "not-authorized")
    require_equal(steps[1], steps[0], "the answers to a user who does not exist")


def log_in_wrongly(
    connect: Connect, mechanism: str, account: Account, *, session: Session | None = None
) -> list[Element]:
    """The server's answers, in order, to an attempt with a wrong password."""
    session = session or secured(connect, offers=mechanism)
    if mechanism == "PLAIN":
        return [auth(session, mechanism, plain(account, password="wrong"))]
    scram = Scram(account)
    answers = [auth(session, mechanism, scram.first())]
    if is_sasl(answers[0], "challenge"):
        answers.append(respond(session, scram.final(challenge(answers[0]), password="wrong")))
    return answers


def looks(answer: Element) -> str:
    """What can be compared: the whole failure; of a challenge only that it is one, as salt and nonce differ."""
    return show(answer) if is_sasl(answer, "failure") else str(answer.tag)


@RFC.should("6.4.5", "6.4.3", says="The stream outlives a failure: on it, the client can authenticate rightly.")
@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-1-PLUS"])
def test_stream_outlives_a_failure(connect: Connect, mechanism: str) -> None:
    account = connect.account()
    context = client_context(connect.cell.ca, maximum=ssl.TLSVersion.TLSv1_2)  # with which we can bind the channel
    session = connect(Stage.SECURED, context=context)
    if not {mechanism, "PLAIN"} <= set(offered(session)):
        unsupported(f"both PLAIN and {mechanism}")
    require_failure(auth(session, "PLAIN", plain(account, password="wrong")))
    log_in(session, account, mechanism)


@RFC.should("6.4.5", says="At least two retries are allowed: the right password still works behind two wrong ones.")
def test_two_retries_are_allowed(connect: Connect) -> None:
    account = connect.account()
    session = secured(connect, offers="PLAIN")
    for _ in range(2):
        require_failure(auth(session, "PLAIN", plain(account, password="wrong")), "not-authorized")
    log_in(session, account)


# §13.9.4 makes it a MUST that there is a limit at all: by stream, address or time, of any size. No number of answers
# on one stream shows that there is none.
@RFC.should("6.4.5", "13.9.4", says="No more than five retries are allowed on one stream.")
def test_no_more_than_five_retries_are_allowed(connect: Connect) -> None:
    account = connect.account()
    answered = failures_before_the_end(connect, account, 7)
    require(answered <= 6, "the end of the stream by the sixth retry", f"{answered} wrong passwords were answered")


@RFC.must(
    "6.4.5",
    says="When too many retries end the stream, a stream error says so (policy-violation, in the main).",
)
def test_too_many_retries_end_in_a_stream_error(connect: Connect) -> None:
    account = connect.account()
    session = secured(connect, offers="PLAIN")
    require_failure(auth(session, "PLAIN", plain(account, password="wrong")))
    for retries in range(30):
        try:
            require_failure(auth(session, "PLAIN", plain(account, password="wrong")))
        except StreamFailed as error:
            fits = error.condition in {"policy-violation", "not-authorized"}
            require(fits, "policy-violation, or not-authorized", error.element)
            return
        except (StreamEnded, ConnectionLost) as error:
            if retries == 0:
                impossible("there are no retries here: see rfc-6120/two-retries-are-allowed")
            error.expected = "a stream error before the end"
            raise
    impossible("30 retries are answered here: see rfc-6120/no-more-than-five-retries-are-allowed")


def failures_before_the_end(connect: Connect, account: Account, limit: int) -> int:
    """How many wrong passwords are answered on one stream before the server ends it, `limit` at the most."""
    session = secured(connect, offers="PLAIN")
    for answered in range(limit):
        try:
            require_failure(auth(session, "PLAIN", plain(account, password="wrong")))
        except (StreamFailed, StreamEnded, ConnectionLost):
            return answered
    return limit


def wrong(character: str) -> Callable[[str], str]:
    """Put a character that base64 does not have in the middle of an encoded message."""
    return lambda text: f"{text[:6]}{character}{text[6:]}"


@RFC.must(
    "13.9.1",
    "6.5",
    "6.3.5",
    says="Base64 with a character outside its alphabet is rejected, not read around it.",
)
@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(wrong("*"), id="asterisk"),
        pytest.param(wrong("\n"), id="line-feed"),
        pytest.param(wrong(" "), id="space"),
        pytest.param(wrong("\u00e9"), id="letter-beyond-ascii"),
        pytest.param(lambda text: f"{text}-_", id="url-alphabet"),
    ],
)
def test_character_outside_base64_is_rejected(connect: Connect, spoil: Callable[[str], str]) -> None:
    require_incorrect_encoding(connect, spoil)


@RFC.must("13.9.1", "6.5", says="Base64 with a pad anywhere but at its end is rejected.")
@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda text: f"=AAA{text}", id="first"),
        pytest.param(wrong("="), id="inside"),
        pytest.param(lambda text: f"{base64('one')[:3]}={text}", id="between-blocks"),
    ],
)
def test_pad_inside_base64_is_rejected(connect: Connect, spoil: Callable[[str], str]) -> None:
    require_incorrect_encoding(connect, spoil)


def require_incorrect_encoding(connect: Connect, spoil: Callable[[str], str]) -> None:
    """Right credentials in wrong base64 are refused: who reads around it would let them in."""
    account = connect.account()
    session = secured(connect, offers="PLAIN")
    answer = auth(session, "PLAIN", spoil(plain(account)))
    require_failure(answer, "incorrect-encoding", "malformed-request", GENERIC)


@RFC.must("6.5", "13.9.1", "6.4.5", says="A response that is no base64 fails the handshake: <incorrect-encoding/>.")
def test_response_that_is_no_base64_fails(connect: Connect) -> None:
    account = connect.account()
    session = secured(connect, offers="SCRAM-SHA-1")
    challenge(auth(session, "SCRAM-SHA-1", Scram(account).first()))
    require_failure(respond(session, "!!!!"), "incorrect-encoding", "malformed-request", GENERIC)


@RFC.must(
    "6.3.8", "6.5", says="An authorization identity that the client may not assume is refused: <invalid-authzid/>."
)
@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-1"])
def test_identity_of_another_is_refused(connect: Connect, mechanism: str) -> None:
    account, other = connect.account(), connect.account()
    session = secured(connect, offers=mechanism)
    require_failure(as_another(session, mechanism, account, other.jid), "invalid-authzid", GENERIC)


@RFC.must(
    "6.3.8",
    says="An authorization identity of another domain, or none that is a JID, is refused: <invalid-authzid/>.",
)
@pytest.mark.parametrize(
    "authzid", [pytest.param("{0}@elsewhere.example", id="other-domain"), pytest.param("@@", id="no-jid")]
)
def test_impossible_identity_is_refused(connect: Connect, authzid: str) -> None:
    account = connect.account()
    session = secured(connect, offers="PLAIN")
    answer = as_another(session, "PLAIN", account, authzid.format(account.localpart))
    require_failure(answer, "invalid-authzid", GENERIC)


def as_another(session: Session, mechanism: str, account: Account, authzid: str) -> Element:
    """The last answer to right credentials that ask to act as `authzid`."""
    if mechanism == "PLAIN":
        return auth(session, mechanism, plain(account, authzid=authzid))
    scram = Scram(account, gs2=f"n,a={authzid},")
    answer = auth(session, mechanism, scram.first())
    return respond(session, scram.final(challenge(answer))) if is_sasl(answer, "challenge") else answer


@RFC.must("6.4.5", "6.5", says="A mechanism that the server does not know is answered by <invalid-mechanism/>.")
def test_unknown_mechanism_is_invalid(connect: Connect) -> None:
    session = connect(Stage.SECURED)
    require_failure(auth(session, "X-STANZALAB", base64("data")), "invalid-mechanism")


@RFC.must(
    "6.4.5",
    "6.5",
    says="An <auth/> that names no mechanism fails: <invalid-mechanism/> or <malformed-request/>.",
)
@pytest.mark.parametrize(
    "attribute", [pytest.param("", id="no-attribute"), pytest.param(" mechanism=''", id="empty-attribute")]
)
def test_auth_without_mechanism_fails(connect: Connect, attribute: str) -> None:
    session = connect(Stage.SECURED)
    session.send(f"<auth xmlns='{SASL}'{attribute}/>")
    try:
        answer = session.receive()
    except StreamFailed as error:
        # A server that validates may take it for wrong XML (§4.9.3.9), or for a wrong element (§4.9.3.1).
        fits = error.condition in {"invalid-xml", "bad-format"}
        require(fits, "<failure/>, or a stream error about wrong XML", error.element)
        return
    require_failure(answer, "invalid-mechanism", "malformed-request")


@RFC.must("6.4.5", "6.5", says="Data that are no message of the mechanism fail the handshake: <malformed-request/>.")
@pytest.mark.parametrize(
    ("mechanism", "content"),
    [
        pytest.param("PLAIN", base64("nothing that separates"), id="plain-without-nul"),
        pytest.param("PLAIN", "=", id="plain-empty"),
        pytest.param("PLAIN", base64("\0\0"), id="plain-all-empty"),
        pytest.param("PLAIN", base64(b"\0\xff\xfe\0\xff"), id="plain-no-utf-8"),
        pytest.param("SCRAM-SHA-1", base64("nothing like it"), id="scram-first"),
        pytest.param("SCRAM-SHA-1", base64("n,,n=user"), id="scram-without-nonce"),
    ],
)
def test_malformed_message_fails(connect: Connect, mechanism: str, content: str) -> None:
    session = secured(connect, offers=mechanism)
    require_failure(auth(session, mechanism, content), "malformed-request", "incorrect-encoding", GENERIC)


@RFC.must(
    "6.4.2",
    "6.4.3",
    says="A zero-length initial response is `=`: it is data, and no request for a challenge.",
)
def test_equals_sign_is_an_empty_response(connect: Connect) -> None:
    session = secured(connect, offers="PLAIN")
    answer = auth(session, "PLAIN", "=")
    require(not is_sasl(answer, "challenge"), "a failure, as an empty message is none of PLAIN", answer)
    require_failure(answer, "malformed-request", "incorrect-encoding", GENERIC)


@RFC.must("6.4.3", "6.3.1", says="A <response/> outside of any handshake authenticates nobody.")
def test_response_without_handshake_fails(connect: Connect) -> None:
    account = connect.account()
    session = secured(connect, offers="PLAIN")
    session.send(f"<response xmlns='{SASL}'>{plain(account)}</response>")
    require_no_success(session)  # how to answer what must not be sent is not said


@RFC.must("13.8.3", "6.3.4", "6.3.1", says="A password is not taken while TLS protects nothing: the login fails.")
def test_plain_is_refused_before_tls(connect: Connect) -> None:
    account = connect.account()
    session = connect(Stage.OPENED)
    if "PLAIN" in offered(session):
        unsupported("TLS before PLAIN as mandatory: see rfc-6120/plain-is-not-offered-before-tls")
    session.send(f"<auth xmlns='{SASL}' mechanism='PLAIN'>{plain(account)}</auth>")
    try:
        answer = session.receive()
    except StreamFailed as error:
        fits = error.condition in {"policy-violation", "not-authorized", "unsupported-stanza-type"}
        require(fits, "<failure/>, or a stream error of policy", error.element)
        return
    require_failure(answer, "encryption-required", "invalid-mechanism", "mechanism-too-weak", GENERIC)
