"""XEP-0484 §3.1, §3.3 and §3.4: FAST as it is offered, tokens as they are given, and what they open."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from lab.plugin import Connect, Specification, Stage, require, require_equal, unsupported
from lab.wire import negotiation, sasl2
from lab.wire.namespaces import FAST, NS
from lab.wire.negotiation import open_stream
from lab.wire.sasl import HashedToken
from lab.wire.session import Session
from scenarios.server._contacts import appear
from scenarios.server._sasl2 import (
    authenticate,
    enter,
    is_sasl2,
    message_of_plain,
    offered_inline,
    require_failure,
    secured,
)
from scenarios.server.rfc6120._streams import Where, before_header, expect_features, open_with
from scenarios.server.xep0313._archive import DATE_TIME
from scenarios.server.xep0386._bound import talks, wish
from scenarios.server.xep0484._tokens import (
    MECHANISMS,
    PLAIN,
    asking,
    client,
    given,
    is_refused,
    lets_in,
    offering,
    token_in,
    use,
)

TOKENS = Specification("XEP-0484")

each_mechanism = pytest.mark.parametrize("mechanism", MECHANISMS)


# --- the offer


def _listed(connect: Connect) -> tuple[list[str], Session]:
    """The mechanisms in the offer, which is read within the check, and the stream that has it."""
    who = client(connect)
    offering(connect, who)
    session = before_header(connect, Where.AFTER_TLS)
    session.sender = who.account.jid
    open_with(session, session.opening())
    features = expect_features(session)
    offer = offered_inline(session, "fast:fast", "FAST")
    names = [(m.text or "").strip() for m in offer.iterfind("fast:mechanism", NS)]
    require(names and all(names), "at least one mechanism in <fast/>", features)
    return names, session


@TOKENS.must("3.1", says="FAST is offered inline in SASL2, with the mechanisms that take a token, each once.")
def test_offer_has_mechanisms(connect: Connect) -> None:
    names, _ = _listed(connect)
    require_equal(sorted(set(names)), sorted(names), "mechanisms, each once")


@TOKENS.should("3.1", says="There is a mechanism that binds the channel, and one that does not.")
@pytest.mark.parametrize("binds", [pytest.param(True, id="binding"), pytest.param(False, id="not-binding")])
def test_offer_is_for_all_clients(connect: Connect, binds: bool) -> None:
    names = [name for name in _listed(connect)[0] if name.startswith("HT-")]
    if not names:
        unsupported("a mechanism of the HT family")
    require(any(name.endswith("-NONE") != binds for name in names), "such a mechanism", ", ".join(names))


# --- a token


@TOKENS.must("3.3", says="Who asks for a token along with the password is given one, with an expiry to come.")
@each_mechanism
def test_token_is_given(connect: Connect, mechanism: str) -> None:
    token = given(connect, mechanism=mechanism)
    require(DATE_TIME.fullmatch(token.expiry), "an expiry in the DateTime profile of XEP-0082", token.expiry)
    require(datetime.fromisoformat(token.expiry) > datetime.now(UTC), "an expiry that is to come", token.expiry)


@TOKENS.must("3.3", says="Each token is a new one: neither a client nor another account is given the same twice.")
def test_tokens_are_unique(connect: Connect) -> None:
    who = client(connect)
    secrets = [given(connect, who).secret, given(connect, who).secret, given(connect).secret]
    require_equal(len(set(secrets)), 3, "different tokens")


@TOKENS.must_not("3.3", says="Nobody is given a token without a proof of who it is.")
def test_no_token_without_authentication(connect: Connect) -> None:
    who = client(connect)
    offering(connect, who)
    session = secured(connect, who.account, "PLAIN")
    wrong = message_of_plain(who.account, password="wrong")
    failure = authenticate(session, "PLAIN", wrong, f"{who.agent.xml()}{asking()}")
    require_failure(failure)
    require(failure.find("fast:token", NS) is None, "no <token/> with a failure", failure)


@TOKENS.must_not("3.3", says="A token asked for along with a wrong password is not given later, unasked.")
def test_no_token_for_an_attempt_that_failed(connect: Connect) -> None:
    who = client(connect)
    offering(connect, who)
    session = secured(connect, who.account, "PLAIN")
    wrong = message_of_plain(who.account, password="wrong")
    require_failure(authenticate(session, "PLAIN", wrong, f"{who.agent.xml()}{asking()}"))
    there = enter(session, who.account, agent=who.agent)
    require(there.find("fast:token") is None, "no <token/>, as this attempt asked for none", there.success)


# --- its use


@TOKENS.must("3.1", "3.4", says="A token lets in, in one round trip, and the server proves that it knows it.")
@each_mechanism
def test_token_lets_in(connect: Connect, mechanism: str) -> None:
    there = lets_in(connect, given(connect, mechanism=mechanism))
    bob = connect(label="bob")
    negotiation.bind(there.session)
    talks(there.session, bob)


@TOKENS.must("3.4", says="A token lets in again and again, until something ends it.")
def test_token_lets_in_again(connect: Connect) -> None:
    token = given(connect)
    for _ in range(3):
        lets_in(connect, token)


@TOKENS.must("3.4", says="What is asked for inline is done along with a token, too: a resource is bound.")
def test_resource_is_bound_by_token(connect: Connect) -> None:
    token, bob = given(connect), connect(label="bob")
    there = lets_in(connect, token, inline=wish(tag="Stanzalab"))
    there.has("bind2:bound", "<bound/>")
    appear(bob)
    talks(there.session, bob)


@TOKENS.may("3.4", says="A count may go with the token, and be raised each time.")
@pytest.mark.parametrize("counts", [pytest.param((1, 2, 3), id="one-by-one"), pytest.param((7, 1000), id="by-leaps")])
def test_count_is_taken(connect: Connect, counts: tuple[int, ...]) -> None:
    token = given(connect)
    for count in counts:
        lets_in(connect, token, attributes=f"count='{count}'")


@TOKENS.must("3.4", says="A wrong token is refused, and the right one still works.")
def test_wrong_token_is_refused(connect: Connect) -> None:
    token = given(connect)
    is_refused(connect, token, secret=f"{token.secret}x")
    lets_in(connect, token)


@TOKENS.must("3.4", says="The token of one account is no good for another.")
def test_token_of_another_is_refused(connect: Connect) -> None:
    mine, other = given(connect), given(connect)
    is_refused(connect, mine, secret=other.secret)


@TOKENS.must("3.4", says="A password is no token.")
def test_password_is_no_token(connect: Connect) -> None:
    token = given(connect)
    is_refused(connect, token, secret=token.client.account.password)


@TOKENS.must("3.4", says="A token is good for its mechanism alone: by another one it is refused.")
@pytest.mark.parametrize(
    ("own", "other"),
    [
        pytest.param(own, other, id=f"{own[11:].lower()}-used-as-{other[11:].lower()}")
        for own in MECHANISMS
        for other in MECHANISMS
        if own != other
    ],
)
def test_token_is_of_one_mechanism(connect: Connect, own: str, other: str) -> None:
    token = given(connect, mechanism=own)
    is_refused(connect, token, mechanism=other)


@TOKENS.must("3.4", says="A token that binds the channel is refused where the binding is another connection's.")
@pytest.mark.parametrize("mechanism", [name for name in MECHANISMS if name != PLAIN])
def test_binding_of_another_connection_is_refused(connect: Connect, mechanism: str) -> None:
    token = given(connect, mechanism=mechanism)
    session = offering(connect, token.client, mechanism)
    elsewhere = HashedToken(mechanism, token.client.account.localpart, token.secret, binding=b"another connection")
    forged = sasl2.encode(elsewhere.initial())
    answer = authenticate(session, mechanism, forged, f"{token.client.agent.xml()}<fast xmlns='{FAST}'/>")
    require_failure(answer)


# --- no more steps, and TLS


@TOKENS.must_not("4.2", says="A token is enough: nothing more is asked of who has one, and no challenge comes.")
def test_nothing_more_is_asked(connect: Connect) -> None:
    _, _, answer = use(connect, given(connect))
    require(is_sasl2(answer, "success"), "<success/> at once", answer)


@TOKENS.must("4.2", says="Who is refused with a token gets in by the password, on the same stream.")
def test_password_works_behind_a_refused_token(connect: Connect) -> None:
    token = given(connect)
    session, _, answer = use(connect, token, secret="no-token")
    require_failure(answer)
    there = enter(session, token.client.account, agent=token.client.agent, inline=asking())
    token_in(there.success, token.client)


@TOKENS.must("6", says="FAST is for secure connections: before TLS it is not offered.")
def test_nothing_is_offered_before_tls(connect: Connect) -> None:
    who = client(connect)
    offering(connect, who)
    session = connect(Stage.CONNECTED)
    session.sender = who.account.jid
    features = open_stream(session)
    require(not list(features.iter(f"{{{FAST}}}fast")), "no FAST before TLS", features)
    require(features.find("tls:starttls", NS) is not None, "STARTTLS, by which it can be had", features)
