"""XEP-0484 §3.5 and §3.6: how a token gives way to the next one, and how a client ends it."""

from __future__ import annotations

import pytest

from lab.plugin import Connect, Specification, impossible, require
from lab.wire import negotiation
from lab.wire.sasl2 import encode
from scenarios.server._sasl2 import authenticate, require_failure
from scenarios.server.xep0386._bound import talks
from scenarios.server.xep0484._tokens import (
    PLAIN,
    Token,
    asking,
    client,
    given,
    is_refused,
    lets_in,
    offering,
    played,
    token_in,
    using,
)

TOKENS = Specification("XEP-0484")

ENDED = "invalidate='true'"
ENDING = pytest.mark.parametrize("word", ["true", "1"])


# --- rotation


def _rotated(connect: Connect, token: Token) -> Token:
    """The token that a server gives, unasked, to who uses an old one; `impossible` where it is not due."""
    there = lets_in(connect, token)
    if there.find("fast:token") is None:
        impossible("no token is due for rotation as soon as it is used, with this server's settings")
    return token_in(there.success, token.client)


@TOKENS.must("3.5", says="A token given unasked, in place of one that was used, is a new one, and lets in.")
def test_rotated_token_lets_in(connect: Connect) -> None:
    token = given(connect)
    new = _rotated(connect, token)
    require(new.secret != token.secret, "another token", new.secret)
    lets_in(connect, new)


@TOKENS.must_not("3.5", says="A token is not ended by the one that is to follow it, until that one is used.")
def test_rotation_leaves_the_old_token(connect: Connect) -> None:
    token = given(connect)
    _rotated(connect, token)
    lets_in(connect, token)


@TOKENS.must("3.5", says="Once the new token is used, the one before it is refused.")
def test_used_rotated_token_ends_the_old_one(connect: Connect) -> None:
    token = given(connect)
    new = _rotated(connect, token)
    lets_in(connect, new)
    is_refused(connect, token)


@TOKENS.must("3.5", says="Once a token is used, an earlier one of the same client, used before, is refused.")
def test_used_token_ends_earlier_ones(connect: Connect) -> None:
    who = client(connect)
    first = given(connect, who)
    lets_in(connect, first)
    second = given(connect, who)
    lets_in(connect, first)  # not ended until the second one is used
    third = given(connect, who)
    lets_in(connect, third)
    is_refused(connect, first)
    is_refused(connect, second)


@TOKENS.should("3.5", says="A token that was never used is ended by the next one that is given.")
def test_unused_token_is_ended_by_the_next(connect: Connect) -> None:
    who = client(connect)
    first = given(connect, who)
    second = given(connect, who)
    is_refused(connect, first)
    lets_in(connect, second)


@TOKENS.must_not("3.5", says="Tokens of one client do not end those of another one of the account.")
def test_tokens_of_another_client_stay(connect: Connect) -> None:
    who = client(connect)
    other = type(who)(who.account, client(connect).agent)
    mine, theirs = given(connect, who), given(connect, other)
    lets_in(connect, theirs)
    lets_in(connect, mine)
    lets_in(connect, theirs)


# --- the client ends it


@TOKENS.must("3.6", says="A token used with 'invalidate' lets in once more, and is refused from then on.")
@ENDING
@pytest.mark.parametrize("used", [pytest.param(False, id="new"), pytest.param(True, id="used")])
def test_token_is_ended(connect: Connect, used: bool, word: str) -> None:
    token = given(connect)
    if used:
        lets_in(connect, token)
    lets_in(connect, token, attributes=f"invalidate='{word}'")
    is_refused(connect, token)


@TOKENS.must("3.6", says="A token is ended at once; the session that ended it goes on.")
def test_session_goes_on_behind_the_end(connect: Connect) -> None:
    token, bob = given(connect), connect(label="bob")
    there = lets_in(connect, token, attributes="invalidate='true'")
    is_refused(connect, token)
    negotiation.bind(there.session)
    talks(there.session, bob)


@TOKENS.must_not("3.6", says="Who ends a token is not given a new one, unless it asks.")
@ENDING
def test_no_new_token_at_the_end(connect: Connect, word: str) -> None:
    token = given(connect)
    there = lets_in(connect, token, attributes=f"invalidate='{word}'")
    require(there.find("fast:token") is None, "no <token/>", there.success)


@TOKENS.must("3.6", says="Who ends a token and asks for a new one is given it, and gets in by it alone.")
def test_token_is_exchanged(connect: Connect) -> None:
    token = given(connect)
    there = lets_in(connect, token, attributes="invalidate='true'", inline=asking())
    new = token_in(there.success, token.client)
    is_refused(connect, token)
    lets_in(connect, new)


@TOKENS.must("3.6", says="Only who proves to have the token can end it.")
def test_failed_attempt_ends_nothing(connect: Connect) -> None:
    token = given(connect)
    session = offering(connect, token.client, PLAIN)
    forged = encode(played(session, token, secret="no-token").initial())
    inner = f"{token.client.agent.xml()}{using(ENDED)}"
    require_failure(authenticate(session, PLAIN, forged, inner))
    lets_in(connect, token)


@TOKENS.must_not("3.6", says="'invalidate' that says no ends nothing.")
@pytest.mark.parametrize("word", ["false", "0"])
def test_no_is_no_end(connect: Connect, word: str) -> None:
    token = given(connect)
    lets_in(connect, token, attributes=f"invalidate='{word}'")
    lets_in(connect, token)


@TOKENS.must("3.6", says="The end of a token is not the end of the client's others, on other installations.")
def test_tokens_of_other_clients_outlive_it(connect: Connect) -> None:
    who = client(connect)
    other = type(who)(who.account, client(connect).agent)
    mine, theirs = given(connect, who), given(connect, other)
    lets_in(connect, mine, attributes="invalidate='true'")
    lets_in(connect, theirs)
    is_refused(connect, mine)
