"""Several run records of one subject: which checks did not come to the same in all. Pure: facts in, facts out.

A check that comes and goes says little about the subject, and turns a run red that found nothing. Records are looked
at one after the other, for ten of them do not fit into the memory of a small machine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from lab.errors import UsageError
from lab.record import CheckResult, Record
from lab.verdict import Expectation, Outcome

FORMAT = 1


@dataclass(frozen=True)
class Run:
    """One of the records, without its results. `duration` in seconds, 0 where it did not finish."""

    path: str
    started: str
    duration: float
    checks: int
    unexpected: int
    finished: bool

    @property
    def pace(self) -> float:
        """Checks per second, the start of the cell among them."""
        return self.checks / self.duration if self.duration else 0.0


@dataclass(frozen=True)
class Wavering:
    """A check that came to several outcomes. `outcomes` has one a run, None where it has no result there."""

    name: str
    outcomes: tuple[Outcome | None, ...]
    listed: bool
    """The subject's list has it as flaky."""
    seen: str
    """What was seen in the last run that it did not pass."""

    @property
    def counts(self) -> Counter[Outcome]:
        return Counter(outcome for outcome in self.outcomes if outcome is not None)

    def said(self, outcome: Outcome) -> str:
        """`fail: 2 of 10 (runs 3, 7)`; what it came to most often has no numbers of runs."""
        runs = [str(number) for number, one in enumerate(self.outcomes, 1) if one is outcome]
        usual = self.counts.most_common(1)[0][0]
        where = "" if outcome is usual else f" ({'runs' if len(runs) > 1 else 'run'} {', '.join(runs)})"
        return f"{outcome}: {len(runs)} of {sum(self.counts.values())}{where}"


@dataclass(frozen=True)
class Steadiness:
    """What came of it. `compared` is how many checks have a result in two runs at least."""

    subject: str
    runs: tuple[Run, ...]
    compared: int
    wavering: tuple[Wavering, ...]

    @property
    def steady(self) -> bool:
        """Whether nothing wavers that is not listed as flaky."""
        return all(one.listed for one in self.wavering)

    @property
    def headline(self) -> str:
        listed = sum(one.listed for one in self.wavering)
        among = f", {listed} of them listed as flaky" if listed else ""
        what = f"{len(self.wavering)} did not come to the same each time{among}" if self.wavering else "all the same"
        return f"{self.compared:,} checks of {self.subject} in {len(self.runs)} runs: {what}"


@dataclass
class _Seen:
    """What the runs so far came to with one check: run number, from 0 -> outcome."""

    outcomes: dict[int, Outcome] = field(default_factory=dict)
    listed: bool = False
    seen: str = ""

    def take(self, number: int, result: CheckResult) -> None:
        self.outcomes[number] = result.outcome
        self.listed |= result.expectation is Expectation.FLAKY
        if result.outcome is not Outcome.PASS:
            self.seen = result.seen or result.reason


def steadiness(records: Iterable[Record]) -> Steadiness:
    """Compare them all, in their order. Raises UsageError: fewer than two, or not all of one subject."""
    runs: list[Run] = []
    checks: dict[str, _Seen] = {}
    whose: list[str] = []
    for number, record in enumerate(records):
        whose.append(_whose(record))
        if whose[-1] != whose[0]:
            raise UsageError(
                "these runs are not of one subject",
                cause=f"{runs[0].path} is of {whose[0]}, {record.path} of {whose[-1]}",
                hint="`stanzalab diff` compares two runs of any kind",
            )
        runs.append(_run(record))
        for result in record.results:
            checks.setdefault(result.check.name, _Seen()).take(number, result)
    if len(runs) < 2:
        raise UsageError("one run has nothing to be compared with", hint="name two run records, or more")
    several = {name: seen for name, seen in checks.items() if len(seen.outcomes) > 1}
    wavering = tuple(
        Wavering(name, tuple(seen.outcomes.get(number) for number in range(len(runs))), seen.listed, seen.seen)
        for name, seen in several.items()
        if len(set(seen.outcomes.values())) > 1
    )
    return Steadiness(whose[0], tuple(runs), len(several), wavering)


def _run(record: Record) -> Run:
    return Run(
        path=str(record.path),
        started=record.header.started,
        duration=record.footer.duration if record.footer else 0.0,
        checks=len(record.results),
        unexpected=sum(r.expectation in {Expectation.UNEXPECTED, Expectation.FIXED} for r in record.results),
        finished=record.finished,
    )


def _whose(record: Record) -> str:
    """`prosody 13.0`, among its peers: `slixmpp 1.17 with prosody 13.0`."""
    everybody = [record.header.subject, *record.header.peers]
    return " with ".join(f"{one.get('name', '?')} {one.get('version', '')}".strip() for one in everybody)


def as_json(found: Steadiness) -> dict[str, Any]:
    """The same as data."""
    return {
        "format": FORMAT,
        "subject": found.subject,
        "compared": found.compared,
        "steady": found.steady,
        "runs": [
            {
                "path": run.path,
                "started": run.started,
                "duration": run.duration,
                "checks": run.checks,
                "checks_per_second": round(run.pace, 1),
                "unexpected": run.unexpected,
                "finished": run.finished,
            }
            for run in found.runs
        ],
        "wavering": [
            {
                "name": one.name,
                "listed": one.listed,
                "outcomes": [outcome.value if outcome else None for outcome in one.outcomes],
                "seen": one.seen,
            }
            for one in found.wavering
        ],
    }
