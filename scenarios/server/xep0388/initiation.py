"""XEP-0388 §2.2, §2.3 and §4.4: <authenticate/>: mechanisms, identities, user agents, encoding."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lab.plugin import Connect, Specification, require, require_equal
from lab.wire import sasl2
from lab.wire.namespaces import NS
from lab.wire.sasl2 import UserAgent
from lab.wire.session import localname, show
from lab.wire.stream import Element
from scenarios.server._contacts import appear
from scenarios.server._sasl2 import (
    authenticate,
    challenge,
    entered,
    features_behind,
    goes_on,
    is_sasl2,
    message_of_plain,
    require_failure,
    require_success,
    respond,
    secured,
)
from scenarios.server.rfc6120._sasl import Scram

SASL2_PROFILE = Specification("XEP-0388")

# RFC 6120 §6.5.10 lets a server that will not say more answer so.
GENERIC = "not-authorized"
AGENT = UserAgent.new()


# --- mechanisms


@SASL2_PROFILE.must("2.3", says="A mechanism that was not announced fails, and the stream outlives it.")
@pytest.mark.parametrize(
    "mechanism",
    [
        pytest.param("STANZALAB-1", id="unknown"),
        pytest.param("plain", id="in-small-letters"),
        pytest.param("", id="empty"),
        pytest.param("PLAIN SCRAM-SHA-1", id="two-at-once"),
    ],
)
def test_mechanism_not_announced_fails(connect: Connect, mechanism: str) -> None:
    account = connect.account()
    session = secured(connect, account, "PLAIN")
    answer = authenticate(session, mechanism, message_of_plain(account), AGENT.xml())
    require_failure(answer, "invalid-mechanism", "malformed-request", GENERIC)
    goes_on(session, account)


# --- identities


@SASL2_PROFILE.should("2.3", "4.4", says="An authorization identity that is the stream's 'from' is taken.")
@pytest.mark.parametrize(
    "spell",
    [
        pytest.param(lambda jid: jid, id="as-it-is"),
        pytest.param(lambda jid: jid.upper(), id="in-capitals"),
    ],
)
def test_identity_of_the_stream_is_taken(connect: Connect, spell: Callable[[str], str]) -> None:
    account = connect.account()
    session = secured(connect, account, "PLAIN")
    answer = authenticate(session, "PLAIN", message_of_plain(account, authzid=spell(account.jid)), AGENT.xml())
    require_equal(require_success(answer), account.jid, "the authorization identifier")


@SASL2_PROFILE.must(
    "2.3", "4.4", says="An authorization identity that is not the stream's 'from' fails, even one's own."
)
@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-1"])
def test_identity_unlike_from_fails(connect: Connect, mechanism: str) -> None:
    account, other = connect.account(), connect.account()
    session = secured(connect, account, mechanism, sender=other.jid)
    if mechanism == "PLAIN":
        answer = authenticate(session, mechanism, message_of_plain(account, authzid=account.jid), AGENT.xml())
    else:
        scram = Scram(account, gs2=f"n,a={account.jid},")
        answer = authenticate(session, mechanism, scram.first(), AGENT.xml())
        if is_sasl2(answer, "challenge"):
            answer = respond(session, scram.final(challenge(answer)))
    require_failure(answer, "invalid-authzid", "malformed-request", GENERIC)


@SASL2_PROFILE.must("2.3", "4.4", says="An authorization identity of another account fails.")
@pytest.mark.parametrize("names", ["nobody", "other"])
def test_identity_of_another_fails(connect: Connect, names: str) -> None:
    account, other = connect.account(), connect.account()
    session = secured(connect, account, "PLAIN", sender=other.jid if names == "other" else None)
    answer = authenticate(session, "PLAIN", message_of_plain(account, authzid=other.jid), AGENT.xml())
    require_failure(answer, "invalid-authzid", "malformed-request", GENERIC)


# --- the user agent


@SASL2_PROFILE.may("2.3", says="A client may say as much or as little of itself as it likes: it gets in.")
@pytest.mark.parametrize(
    "agent",
    [
        pytest.param(None, id="nothing"),
        pytest.param(UserAgent(), id="empty"),
        pytest.param(UserAgent(software="Stanzalab"), id="software-alone"),
        pytest.param(UserAgent(device="a machine & more"), id="device-alone"),
        pytest.param(UserAgent.new(), id="all"),
        pytest.param(UserAgent(id=UserAgent.new().id.upper()), id="id-in-capitals"),
    ],
)
def test_user_agent_is_optional(connect: Connect, agent: UserAgent | None) -> None:
    account = connect.account()
    session = secured(connect, account, "PLAIN")
    answer = authenticate(session, "PLAIN", message_of_plain(account), agent.xml() if agent else "")
    require_equal(require_success(answer), account.jid, "the authorization identifier")
    features_behind(session)


@SASL2_PROFILE.must_not("2.3", says="What a client says of itself is told to nobody else.")
def test_user_agent_is_told_to_nobody(connect: Connect) -> None:
    account, bob = connect.account(), connect(label="bob")
    agent = UserAgent(UserAgent.new().id, "Software of alice", "Device of alice")
    alice = entered(connect, account, agent=agent, inline="<bind xmlns='urn:xmpp:bind:0'/>", label="alice").session
    appear(bob)
    alice.send(
        f"<presence/><presence to='{bob.jid}'/><message to='{bob.jid}' type='chat'><body>Hello</body></message>"
    )
    alice.sentinel(bob)
    secrets = (agent.id, agent.software, agent.device)
    bob.expect_nothing(
        f"<presence from='{alice.jid}' to='{bob.jid}'>{agent.xml()}</presence>",
        lambda element: any(secret in show(element) for secret in secrets),
        "word of the client's user agent",
        after=alice,
    )


# --- encoding


@SASL2_PROFILE.should_not("2.2", says="The server's base64 has no whitespace in it.")
def test_base64_of_the_server_has_no_whitespace(connect: Connect) -> None:
    account = connect.account()
    session = secured(connect, account, "SCRAM-SHA-1")
    scram = Scram(account)
    first = authenticate(session, "SCRAM-SHA-1", scram.first(), AGENT.xml())
    _require_dense(first)
    success = respond(session, scram.final(challenge(first)))
    require_success(success)
    data = success.find("sasl2:additional-data", NS)
    require(data is not None, "the server's proof in <additional-data/>", success)
    if data is not None:
        _require_dense(data)


def _require_dense(element: Element) -> None:
    """Base64 as the one right encoding of its data, and not empty."""
    text = element.text or ""
    dense = bool(text) and not any(c.isspace() for c in text) and sasl2.encode(sasl2.decode(element)) == text
    require(dense, f"base64 without whitespace in <{localname(element)}/>", element)


@SASL2_PROFILE.should("2.2", says="PLAIN has no data to go with success, so <additional-data/> is not there.")
def test_success_of_plain_has_no_data(connect: Connect) -> None:
    account = connect.account()
    session = secured(connect, account, "PLAIN")
    answer = authenticate(session, "PLAIN", message_of_plain(account), AGENT.xml())
    require_success(answer)
    require(answer.find("sasl2:additional-data", NS) is None, "no <additional-data/>", answer)


@SASL2_PROFILE.should("2.6.2", "2.2", says="What is no base64 fails (RFC 6120 §6.5.5), and the stream outlives it.")
@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda text: f"{text[:6]}*{text[6:]}", id="asterisk"),
        pytest.param(lambda text: f"{text[:6]}={text[6:]}", id="pad-inside"),
        pytest.param(lambda text: f"{text}-_", id="url-alphabet"),
    ],
)
def test_bad_base64_fails(connect: Connect, spoil: Callable[[str], str]) -> None:
    account = connect.account()
    session = secured(connect, account, "PLAIN")
    answer = authenticate(session, "PLAIN", spoil(message_of_plain(account)), AGENT.xml())
    require_failure(answer, "incorrect-encoding", "malformed-request", GENERIC)
    goes_on(session, account)
