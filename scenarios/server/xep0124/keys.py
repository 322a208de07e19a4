"""XEP-0124 §15: key sequences. A server need not verify them, and does not say whether it does: it shows."""

from __future__ import annotations

import hashlib
from secrets import token_hex

import pytest

from lab.plugin import Connect, Specification, require_equal, unsupported
from lab.wire.bosh import BoshSession, HttpRefused
from scenarios.server.xep0124._bosh import anything, ask, post, require_terminated, until

XEP = Specification("XEP-0124")

KEYS = 12


def sequence(count: int = KEYS) -> list[str]:
    """Keys as they are to be used: K(n) first, K(1) last (§15.3)."""
    key = hashlib.sha1(token_hex(16).encode()).hexdigest()  # noqa: S324 - the protocol says SHA-1
    keys = [key]
    for _ in range(count - 1):
        key = hashlib.sha1(key.encode()).hexdigest()  # noqa: S324
        keys.append(key)
    return keys[::-1]


def keyed(connect: Connect, *, upper_case: bool = False) -> BoshSession:
    """A session that is protected by keys, the first of which is spent."""
    first, *others = sequence()
    session = connect.bosh(attributes={"newkey": first.upper() if upper_case else first})
    request = session.opening()
    session.keys = others
    session.send_raw(request.encode())
    until(session, "features")
    return session


@XEP.must("15.4", "15.1", says="A client may protect its session by keys: with the right ones it is served.")
def test_right_keys_are_served(connect: Connect) -> None:
    session = keyed(connect)
    response = until(session, "failure", ask(session, anything()))
    require_equal(response.get("type"), None, "the type of the body")


@XEP.should("15.3", says="Keys are compared without regard to case: they are hexadecimal.")
def test_case_of_keys_does_not_matter(connect: Connect) -> None:
    _need_verification(connect)
    session = keyed(connect, upper_case=True)
    response = until(session, "failure", ask(session, anything()))
    require_equal(response.get("type"), None, "the type of the body")


@pytest.mark.parametrize("wrong", ["another-key", "no-key", "same-key-again"])
@XEP.must("15.4", says="Where keys are verified, a request without the right one ends the session: item-not-found.")
def test_wrong_key_ends_the_session(wrong: str, connect: Connect) -> None:
    _need_verification(connect)
    session = keyed(connect)
    spent = session.keys[0]
    post(session, anything())
    until(session, "failure")
    key = {"another-key": sequence()[0], "no-key": None, "same-key-again": spent}[wrong]
    try:
        response = ask(session, anything(), {"key": key})
    except HttpRefused as refused:
        require_equal(refused.response.status, 404, "the HTTP status of a response without a condition")
        return
    require_terminated(response, "item-not-found")


@XEP.must("15.5", says="A client that has used its last key goes over to another sequence, by key and newkey.")
def test_another_sequence_takes_over(connect: Connect) -> None:
    _need_verification(connect)
    session = keyed(connect)
    first, *others = sequence()
    request = session.body(anything(), {"newkey": first})
    session.keys = others
    session.send_raw(request.encode())
    until(session, "failure")
    response = until(session, "failure", ask(session, anything()))
    require_equal(response.get("type"), None, "the type of the body")


def _need_verification(connect: Connect) -> None:
    """The check is not supported where a request with a wrong key is served."""
    session = keyed(connect)
    post(session, anything(), {"key": sequence()[0]})
    try:
        response = session.receive()
    except HttpRefused:
        return
    if response.get("type") != "terminate":
        unsupported("verification of keys")
