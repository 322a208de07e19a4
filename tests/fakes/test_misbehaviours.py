"""Each misbehaviour does what its sentence says, the fake that behaves does not, and the lab survives all of them."""

from __future__ import annotations

import re
import threading
import time

import pytest

from lab.errors import LabError, PeerError, UsageError
from lab.fakes import MISBEHAVIOURS, FakeServer
from lab.plugin import Connect
from tests.fakes import (  # noqa: F401 - importing them puts them into PROOFS
    breaking_proofs,
    planted_proofs,
    stream_proofs,
    tls_proofs,
    web_proofs,
)
from tests.fakes.connecting import connecting
from tests.fakes.proofs import PATIENCE, PROOFS

BOUND = 5.0  # seconds in which any encounter must be over


@pytest.mark.parametrize("name", MISBEHAVIOURS)
def test_the_misbehaviour_does_what_it_says(name: str) -> None:
    with FakeServer(name, patience=PATIENCE) as cell, connecting(cell) as connect:
        PROOFS[name](connect)


@pytest.mark.parametrize("name", MISBEHAVIOURS)
def test_the_fake_that_behaves_does_not(name: str) -> None:
    disproved = pytest.raises((AssertionError, pytest.fail.Exception, LabError))
    with FakeServer(patience=PATIENCE) as cell, connecting(cell) as connect, disproved:
        PROOFS[name](connect)


@pytest.mark.parametrize("name", MISBEHAVIOURS)
def test_a_session_survives(name: str) -> None:
    """Whatever it is, an encounter ends within a bound, well or with a PeerError, and leaves no thread behind."""
    threads = threading.active_count()
    began = time.monotonic()
    with FakeServer(name, patience=PATIENCE, delay=0.05) as cell, connecting(cell) as connect:
        error = encounter(connect)
        assert error is None or (error.message and error.seen)
    assert time.monotonic() - began < BOUND
    assert threading.active_count() == threads


def encounter(connect: Connect) -> PeerError | None:
    try:
        session = connect()
        session.send(f"<message to='{session.jid}' id='m'><body>?</body></message>")
        session.sentinel()
        session.expect("m")
        session.send("</stream:stream>")
        session.expect_closed()
    except PeerError as error:
        return error
    return None


def test_each_misbehaviour_has_a_sentence_and_a_proof() -> None:
    assert set(PROOFS) == set(MISBEHAVIOURS)
    for name, sentence in MISBEHAVIOURS.items():
        assert re.fullmatch(r"[a-z0-9.-]+", name)
        assert re.fullmatch(r"[A-Z][^\n]+\.", sentence), name


def test_an_unknown_misbehaviour_is_refused() -> None:
    with pytest.raises(UsageError, match="swallows-iq"):
        FakeServer("swallows-everything")
