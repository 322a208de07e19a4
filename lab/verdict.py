"""What a check is and what it can come to: requirement, outcome, expectation. Facts only.

Two axes (DESIGN, rule 2): the outcome is what was seen; the expectation is what the subject's list of known
failures makes of it. Rows are computed from outcomes alone (`lab.rows`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol, get_args

Role = Literal["server", "client", "pair", "federation"]
"""Who is judged: a server, a client, two clients and the server between them, or two servers with each other."""
ROLES: tuple[Role, ...] = get_args(Role)
JOINT: frozenset[Role] = frozenset({"pair", "federation"})
"""The roles in which several subjects are judged together: whoever breaks a requirement is named."""

DIRECTIONS = ("forth", "back")
"""Joint checks are done with the first subject in the first part, and with the second one there."""


def role_in(clients: int, *, peer: bool = False) -> Role:
    """Who is judged in a cell with so many clients, or with a peer of its server's."""
    if peer:
        return "federation"
    among: tuple[Role, ...] = ("server", "client", "pair")
    return among[clients]


class Named(Protocol):
    """A subject, wherever it is described."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...


class Keyword(StrEnum):
    """RFC 2119's words. REQUIRED and SHALL are MUST, RECOMMENDED is SHOULD, OPTIONAL is MAY."""

    MUST = "MUST"
    MUST_NOT = "MUST NOT"
    SHOULD = "SHOULD"
    SHOULD_NOT = "SHOULD NOT"
    MAY = "MAY"

    @property
    def binding(self) -> bool:
        """Whether missing it is a failure rather than a lack of strictness."""
        return self in {Keyword.MUST, Keyword.MUST_NOT}


class Outcome(StrEnum):
    """What a check came to."""

    PASS = "pass"  # noqa: S105 - no password
    NON_STRICT = "non-strict"  # a SHOULD was missed
    FAIL = "fail"
    UNSUPPORTED = "unsupported"  # not advertised
    IMPOSSIBLE = "impossible"  # this set-up cannot test it
    CRASH = "crash"  # the subject died
    ERROR = "error"  # the lab's own fault

    @property
    def executed(self) -> bool:
        """Whether the subject was really tried."""
        return self is not Outcome.IMPOSSIBLE

    @property
    def bad(self) -> bool:
        return self in {Outcome.FAIL, Outcome.CRASH, Outcome.ERROR}


def unexplained(outcomes: Iterable[Outcome], *, exited: bool) -> bool:
    """Whether a subject exited while checks ran, and none of them says at what."""
    return exited and Outcome.CRASH not in outcomes


class Expectation(StrEnum):
    """What the subject's `known.toml` makes of an outcome."""

    EXPECTED = "expected"
    UNEXPECTED = "unexpected"  # bad, and on no list
    KNOWN = "known"  # bad, and listed as just that
    FIXED = "fixed"  # listed, but passes: the list must be mended
    FLAKY = "flaky"  # listed as coming and going


@dataclass(frozen=True)
class Requirement:
    """One requirement of one provider, in our own words. The first of `sections` is where it stands."""

    provider: str
    version: str
    sections: tuple[str, ...]
    keyword: Keyword
    says: str


@dataclass(frozen=True)
class Check:
    """A requirement, tested. `name` is stable: `xep-0280/sent-message-is-copied`."""

    name: str
    requirement: Requirement
    role: Role = "server"
    proved_by: str = ""
    """The misbehaving fake that turns this check red, where no damage to stanzas can."""


def expectation(outcome: Outcome, listed: Outcome | None, *, flaky: bool = False) -> Expectation:
    """What to make of an outcome when the subject's list says `listed`. An `error` is never excused."""
    if outcome is Outcome.ERROR:
        return Expectation.UNEXPECTED
    if listed is None:
        return Expectation.UNEXPECTED if outcome.bad else Expectation.EXPECTED
    if flaky:
        return Expectation.FLAKY
    if outcome is listed:
        return Expectation.KNOWN
    if outcome is Outcome.PASS:
        return Expectation.FIXED
    return Expectation.UNEXPECTED if outcome.bad else Expectation.EXPECTED


def told_apart(one: Named, other: Named) -> tuple[str, str]:
    """What two subjects that are tried together are called where one is blamed: by version, if they share a name."""
    if one.name != other.name:
        return one.name, other.name
    return f"{one.name}:{one.version}", f"{other.name}:{other.version}"


def mirrored(check: str) -> str:
    """The name of the same joint check with the parts exchanged; any other name as it is.

    `xep-0184/receipt-comes-back/forth` is `xep-0184/receipt-comes-back/back`.
    """
    stem, _, direction = check.rpartition("/")
    if direction not in DIRECTIONS:
        return check
    return f"{stem}/{DIRECTIONS[1 - DIRECTIONS.index(direction)]}"


OVER_S2S = "over-s2s"
"""The last parameter of a check in which the peer is a user of another server, and not of a component."""
_CARRIED = re.compile(r"((?:rfc|xep)-[0-9]+)/((?:rfc|xep)-[0-9]+/.+)")
_BETWEEN_SERVERS = re.compile(rf"(.+)[-/]{OVER_S2S}")


def over_tcp(name: str) -> str:
    """The name of the check over TCP that this is over another transport; empty where it is none.

    `rfc-7395/rfc-6120/iq-is-answered` is RFC 7395's run of `rfc-6120/iq-is-answered`, and
    `rfc-6121/contact-is-probed/over-s2s` the run of `rfc-6121/contact-is-probed` between servers.
    """
    if between_servers := _BETWEEN_SERVERS.fullmatch(name):
        return between_servers[1]
    carried = _CARRIED.fullmatch(name)
    return carried[2] if carried else ""


def carrier(name: str) -> str:
    """What carries such a check: the slug of a provider, or `s2s`; empty over TCP."""
    if _BETWEEN_SERVERS.fullmatch(name):
        return "s2s"
    carried = _CARRIED.fullmatch(name)
    return carried[1] if carried else ""


def slug(provider: str) -> str:
    """A provider's id as it stands in names of checks and files: `RFC 6120` is `rfc-6120`."""
    return provider.lower().replace(" ", "-")


def worst(outcomes: Iterable[Outcome]) -> Outcome | None:
    """The outcome that a group of checks is known by, or None for an empty group."""
    order = [
        Outcome.CRASH,
        Outcome.FAIL,
        Outcome.ERROR,
        Outcome.NON_STRICT,
        Outcome.PASS,
        Outcome.UNSUPPORTED,
        Outcome.IMPOSSIBLE,
    ]
    return min(outcomes, key=order.index, default=None)
