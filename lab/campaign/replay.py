"""Replay: findings are sent again, each on fresh sessions, and held against what was seen when they were found.

Knows no engine: findings go in, and whoever can send them; what came goes out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from lab.accounts import Accounts, Comeback
from lab.campaign.cast import SERVICES, Casting
from lab.campaign.finding import CONFIRMATIONS, Finding, fingerprint, trace
from lab.campaign.narrow import Prober, Trial
from lab.cell import Cell, Transport
from lab.errors import LabError
from lab.record import TraceEntry
from schemas import robustness
from schemas.payloads import Addressee

_BLANK = re.compile(r"\{\{([a-z]+)(?:-\d+)?\}\}")
_ROOMS = (Addressee.ROOM, Addressee.OCCUPANT)
_OUTSIDE = {
    "lives": "nobody can tell whether an attached server exits",
    "logs-no-crash": "the log of this server is not seen, or nobody says what a crash looks like in it",
}
"""Rules that the wire does not show, with what is said where nothing else shows them either."""


class Outcome(StrEnum):
    """What became of a finding."""

    FIXED = "fixed"  # no symptom in any try
    THERE = "still there"  # the same fingerprint in one try at least
    CHANGED = "changed"  # another symptom
    IMPOSSIBLE = "impossible"  # this cell lacks what it needs


@dataclass(frozen=True)
class Replayed:
    """One finding, sent again. `times` of `tries` showed what the outcome says; `instead` is another fingerprint.

    `reason` says why it was impossible.
    """

    finding: Finding
    outcome: Outcome
    times: int = 0
    tries: int = 0
    expected: str = ""
    seen: str = ""
    instead: str = ""
    reason: str = ""
    trace: tuple[TraceEntry, ...] = ()

    def as_json(self) -> dict[str, Any]:
        finding = self.finding
        return {
            "name": finding.name,
            "fingerprint": finding.fingerprint,
            "found_in": f"{finding.subject}:{finding.version}",
            "outcome": self.outcome.value,
            "times": self.times,
            "tries": self.tries,
            "rule": finding.rule,
            "where": finding.where,
            "sent": finding.text,
            "expected": self.expected,
            "seen": self.seen,
            "instead": self.instead,
            "reason": self.reason,
            "trace": [[e.at, e.session, e.direction, e.text] for e in self.trace],
        }


@dataclass(frozen=True)
class Replay:
    """All that was replayed, of `wanted` findings; `stopped` says why the rest was not."""

    results: tuple[Replayed, ...]
    wanted: int
    interrupted: bool = False
    stopped: str = ""

    def count(self, outcome: Outcome) -> int:
        return sum(result.outcome is outcome for result in self.results)

    @property
    def all_fixed(self) -> bool:
        return len(self.results) == self.wanted == self.count(Outcome.FIXED)


class Listener(Protocol):
    """Who is told of the course of a replay."""

    def replaying(self, number: int, count: int, finding: Finding) -> None: ...
    def replayed(self, result: Replayed) -> None: ...


Preparing = Callable[[Finding], Prober | str]
"""Who sends a finding: a prober with the cast that it needs, or the reason why there can be none."""


def replay(findings: Sequence[Finding], prepare: Preparing, listener: Listener, gone: Callable[[], str]) -> Replay:
    """Send all findings again, until Ctrl-C. `gone` says why the subject will not come back, empty while it may."""
    results: list[Replayed] = []
    interrupted, stopped = False, ""
    try:
        for number, finding in enumerate(findings, 1):
            if why := gone():
                stopped = f"the subject is gone for good: {why}"
                break
            listener.replaying(number, len(findings), finding)
            prober = prepare(finding)
            if isinstance(prober, str):
                result = Replayed(finding, Outcome.IMPOSSIBLE, reason=prober)
            else:
                result = again(finding, prober)
            results.append(result)
            listener.replayed(result)
    except KeyboardInterrupt:
        interrupted = True
    except LabError as error:
        stopped = error.message
    return Replay(tuple(results), len(findings), interrupted, stopped)


def again(finding: Finding, prober: Prober) -> Replayed:
    """Send one finding again, as often as it was to be confirmed. Raises MachineError, UsageError: no accounts."""
    same: list[tuple[str, str, Trial]] = []
    other: dict[str, list[tuple[str, str, Trial]]] = {}
    for _ in range(CONFIRMATIONS):
        trial = prober.probe(finding.templates)
        if left := _unfilled(trial):
            return Replayed(finding, Outcome.IMPOSSIBLE, reason=f"this cell has no {left}")
        found = {fingerprint(s, trial.items): s for s in reversed(trial.symptoms)}
        if symptom := found.get(finding.fingerprint):
            same.append((symptom.expected, symptom.seen, trial))
        elif trial.symptoms:
            first = trial.symptoms[0]
            other.setdefault(fingerprint(first, trial.items), []).append((first.expected, first.seen, trial))
    if same:
        return _result(finding, Outcome.THERE, same)
    if other:
        # What came most often, should there be several.
        name = max(other, key=lambda each: len(other[each]))
        return _result(finding, Outcome.CHANGED, other[name], instead=name)
    return Replayed(finding, Outcome.FIXED, 0, CONFIRMATIONS)


def _result(
    finding: Finding, outcome: Outcome, shown: Sequence[tuple[str, str, Trial]], instead: str = ""
) -> Replayed:
    expected, seen, trial = shown[-1]
    return Replayed(
        finding, outcome, len(shown), CONFIRMATIONS, expected, seen, instead, trace=tuple(trace(trial.log))
    )


def obstacle(finding: Finding, cell: Cell, *, exits: bool, crashes: bool) -> str:
    """Why a finding cannot be sent to this cell, or not be judged there; empty where it can.

    `exits` and `crashes` say whether the subject's exits, and crashes in its log, are seen.
    """
    if finding.role != "server":
        return "it was found in a client: --client names one"
    if not {"lives": exits, "logs-no-crash": crashes}.get(finding.rule, True):
        return _OUTSIDE[finding.rule]
    over = _over(finding)
    if cell.endpoint(over) is None:
        return f"this cell has no {over} port"
    for addressee in sorted(_addressees(finding)):
        service = "muc" if addressee in _ROOMS else SERVICES.get(addressee, "")
        if service and service not in cell.services:
            return f"this cell has no {addressee}"
        if addressee is Addressee.COMPONENT and cell.component is None:
            return "this cell has no component"
    return ""


def obstacle_to_client(finding: Finding) -> str:
    """Why a finding cannot be sent to a client; empty where it can."""
    return "" if finding.role == "client" else "it was found in a server"


def casting_of(finding: Finding, cell: Cell, accounts: Accounts, comeback: Comeback) -> Casting:
    """The cast that a finding needs."""
    return Casting(cell, accounts, comeback, _over(finding), _addressees(finding))


def _over(finding: Finding) -> Transport:
    over: Transport = robustness.trial(finding.provider).over  # type: ignore[assignment] # the data's test knows them
    return over


def _addressees(finding: Finding) -> frozenset[Addressee]:
    """Whom a finding's stanzas are addressed to, or name."""
    named = {Addressee(template.addressee) for template in finding.templates}
    return frozenset(named.union(*(set(_named(t.text + t.to)) for t in finding.templates)))


def _named(text: str) -> Iterator[Addressee]:
    """The addressees whose blanks stand in a text."""
    known = {str(addressee): addressee for addressee in Addressee}
    for name in _BLANK.findall(text):
        if name in known:
            yield known[name]


def _unfilled(trial: Trial) -> str:
    """An addressee whose blank was left as it was: nobody in the cast has its part (no room was made, say)."""
    return next((str(addressee) for item in trial.items for addressee in _named(item.text)), "")
