"""A cell over its nights: what began to fail, what was fixed, what comes and goes. Facts in, facts out.

A check is compared with the last night that judged it. It *holds* (pass, non-strict) or *fails* (fail, crash); what
is unsupported, impossible or the lab's own error is neither, and is told apart. It is *flaky* where it went both
ways, and either came back after one night or turned three times: each of its turns is then a flake, and no longer a
regression or a repair.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby

from lab.record import Record
from lab.verdict import Outcome

HOLDS = {Outcome.PASS, Outcome.NON_STRICT}
FAILS = {Outcome.FAIL, Outcome.CRASH}
JUDGED = HOLDS | FAILS


class Turn(StrEnum):
    """What a change is."""

    BROKEN = "newly failing"
    FIXED = "fixed"
    FLAKY = "flaky"
    OTHER = "changed otherwise"


@dataclass(frozen=True)
class Change:
    """One check, from one night to the next that tried it."""

    check: str
    turn: Turn
    was: Outcome
    became: Outcome


@dataclass(frozen=True)
class Flake:
    """How often a flaky check began to fail, and how often it came back."""

    check: str
    broke: int
    mended: int


@dataclass(frozen=True)
class History:
    """`changes` and `found` (fingerprints never seen before) are by night, as the nights are; the first has
    none of either.

    `since` is the place of the night from which on a check has the outcome that it has now.
    """

    changes: tuple[tuple[Change, ...], ...]
    found: tuple[tuple[str, ...], ...]
    flakes: tuple[Flake, ...]
    since: dict[str, int]

    def of(self, night: int, turn: Turn) -> tuple[Change, ...]:
        return tuple(change for change in self.changes[night] if change.turn is turn)


def history(nights: Sequence[Record]) -> History:
    """The nights of one cell, oldest first."""
    tried: dict[str, list[tuple[int, Outcome]]] = {}
    for place, night in enumerate(nights):
        for name, outcome in {r.check.name: r.outcome for r in night.results}.items():
            tried.setdefault(name, []).append((place, outcome))
    changes: list[list[Change]] = [[] for _ in nights]
    flakes, since = [], {}
    for name in sorted(tried):
        sequence = tried[name]
        flake = _flake(name, [outcome for _, outcome in sequence])
        if flake:
            flakes.append(flake)
        since[name] = sequence[-1][0]
        for place, outcome in reversed(sequence):
            if outcome is not sequence[-1][1]:
                break
            since[name] = place
        for place, change in _changes(name, sequence, flaky=flake is not None):
            changes[place].append(change)
    return History(tuple(map(tuple, changes)), _found(nights), tuple(flakes), since)


def _changes(name: str, sequence: list[tuple[int, Outcome]], *, flaky: bool) -> list[tuple[int, Change]]:
    found = []
    before = judged = sequence[0][1]
    for place, outcome in sequence[1:]:
        if {outcome, judged} <= JUDGED and (outcome in FAILS) is not (judged in FAILS):
            turn = Turn.FLAKY if flaky else Turn.BROKEN if outcome in FAILS else Turn.FIXED
            found.append((place, Change(name, turn, judged, outcome)))
        elif outcome is not before:
            found.append((place, Change(name, Turn.OTHER, before, outcome)))
        before = outcome
        judged = outcome if outcome in JUDGED else judged
    return found


def _flake(name: str, outcomes: list[Outcome]) -> Flake | None:
    verdicts = [outcome in FAILS for outcome in outcomes if outcome in JUDGED]
    runs = [(failing, len(list(nights))) for failing, nights in groupby(verdicts)]
    if len(runs) < 3 or not (len(runs) > 3 or any(length == 1 for _, length in runs[1:-1])):
        return None
    turns = [failing for failing, _ in runs[1:]]
    return Flake(name, sum(turns), len(turns) - sum(turns))


def _found(nights: Sequence[Record]) -> tuple[tuple[str, ...], ...]:
    seen: set[str] = set()
    by_night: list[tuple[str, ...]] = []
    fuzzed = False
    for night in nights:
        new = {found.fingerprint for found in night.findings} - seen
        by_night.append(tuple(sorted(new)) if fuzzed else ())
        seen |= new
        fuzzed = fuzzed or bool(night.robustness or night.findings)
    return tuple(by_night)
