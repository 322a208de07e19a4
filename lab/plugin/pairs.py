"""The fixtures of checks on pairs: two clients and the server between them; whoever breaks a requirement is named.

    def test_…(pair: Pair) -> None:
        pair.one.does("send-message", to=pair.other.jid, body="hello")
        pair.one.sends(…, "the message")          # else: the first client is to blame
        pair.other.gets(…, "the message")         # else: the server is
        pair.other.shows("message", …)            # else: the second client is

Where a step fails that no specification demands, `nobody_is_to_blame` says that all kept to the letter.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from lab.agents.agent import Event, Matches
from lab.errors import PeerError
from lab.plugin.clients import Arrivals, ClientUnderTest, ElementMatches
from lab.plugin.judge import Missed
from lab.verdict import DIRECTIONS
from lab.wire.stream import Element

LETTER = "each side kept to the letter of its specifications, and yet it does not work"


class Side:
    """One client of a pair. What fails in it is laid at its door, or at its server's."""

    def __init__(self, client: ClientUnderTest, server: str) -> None:
        self.client, self._server = client, server

    @property
    def jid(self) -> str:
        return self.client.jid

    @property
    def bare_jid(self) -> str:
        return self.client.bare_jid

    @property
    def domain(self) -> str:
        return self.client.domain

    def does(self, command: str, **arguments: Any) -> Event:
        """As `ClientUnderTest.does`; a command that fails is the client's fault."""
        with blamed(self.client.name):
            return self.client.does(command, **arguments)

    def sends(self, matches: ElementMatches, what: str) -> Element:
        """What it puts on the wire; the client's fault where it does not."""
        with blamed(self.client.name):
            return self.client.sends(matches, what)

    def gets(self, matches: ElementMatches, what: str) -> Element:
        """What its server passes on to it; the server's fault where it does not."""
        with blamed(self._server):
            return self.client.tap.reaches(matches, what)

    def shows(self, kind: str, matches: Matches, what: str) -> Event:
        """What it shows its user; the client's fault where it does not."""
        with blamed(self.client.name):
            return self.client.shows(kind, matches, what)

    def comes_online(self) -> None:
        with blamed(self.client.name):
            self.client.connects()


@dataclass(frozen=True)
class Pair:
    """Two clients, online on one server, each behind a tap of its own."""

    one: Side
    other: Side
    server: str


@contextmanager
def blamed(subject: str) -> Iterator[None]:
    """What fails in the block is this subject's fault."""
    try:
        yield
    except (PeerError, Missed) as error:
        if not hasattr(error, "blamed"):
            error.blamed = subject  # type: ignore[union-attr]  # read by the hooks
        raise


@contextmanager
def nobody_is_to_blame() -> Iterator[None]:
    """What fails in the block is no requirement of anybody's."""
    try:
        yield
    except (PeerError, Missed) as error:
        raise Missed(error.expected, f"{LETTER}: {error.seen}") from error


@pytest.fixture(params=DIRECTIONS)
def pair(request: pytest.FixtureRequest, arrive: Arrivals) -> Pair:
    """Both clients online; the second one takes the first one's part in a second turn."""
    first = DIRECTIONS.index(request.param)
    second = 1 - first
    server = arrive.server
    return Pair(side(arrive, first), side(arrive, second), server)


def side(arrive: Arrivals, which: int, **options: Any) -> Side:
    """One client, online (see `Arrivals`); where it does not come so far, it is to blame."""
    with blamed(arrive.name(which)):
        return Side(arrive(which=which, **options), arrive.server)
