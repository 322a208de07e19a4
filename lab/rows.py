"""From outcomes of checks to rows of a suite, by the suite's own rule. Pure: facts in, facts out.

A row with no executed check is *not tested*, never green; a known failure still fails its row; failing
everywhere is failing, never unsupported (DESIGN, rule 2).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from lab.verdict import Outcome
from schemas.suites import Combine, Level, Mark, Role, Row


class RowOutcome(StrEnum):
    """What a row, or one provider of it, came to. The best first."""

    PASS = "pass"  # noqa: S105 - no password
    NON_STRICT = "non-strict"
    NOT_TESTED = "not tested"
    UNSUPPORTED = "unsupported"
    ERROR = "error"
    FAIL = "fail"

    @property
    def rank(self) -> int:
        return list(RowOutcome).index(self)


@dataclass(frozen=True)
class ProviderResult:
    """One provider's checks of one role. `selected` of `known` checks were asked for in this run."""

    provider: str
    outcome: RowOutcome
    counts: Mapping[Outcome, int]
    known: int

    @property
    def selected(self) -> int:
        return sum(self.counts.values())


@dataclass(frozen=True)
class RowResult:
    """A row for one role. `required` has the marks of both levels; `outcome` the result per level."""

    row: Row
    role: Role
    marks: Mapping[Level, Mark]
    outcome: Mapping[Level, RowOutcome]
    providers: tuple[ProviderResult, ...]

    @property
    def partial(self) -> bool:
        """Whether checks of this row exist that this run did not select."""
        return any(p.selected < p.known for p in self.providers)


def provider_outcome(outcomes: Iterable[Outcome]) -> RowOutcome:
    """What a provider's checks come to together."""
    seen = {o for o in outcomes if o.executed}
    if not seen:
        return RowOutcome.NOT_TESTED
    if seen & {Outcome.FAIL, Outcome.CRASH}:
        return RowOutcome.FAIL
    if Outcome.ERROR in seen:
        return RowOutcome.ERROR
    if seen == {Outcome.UNSUPPORTED}:
        return RowOutcome.UNSUPPORTED
    return RowOutcome.NON_STRICT if Outcome.NON_STRICT in seen else RowOutcome.PASS


def combine(results: Iterable[RowOutcome], how: Combine) -> RowOutcome:
    """What a row's providers come to together: the worst where all are asked for, the best where one is enough."""
    choose = max if how is Combine.ALL else min
    return choose(results, key=lambda r: r.rank, default=RowOutcome.NOT_TESTED)


def judge_row(row: Row, role: Role, outcomes: Mapping[str, Iterable[Outcome]], known: Mapping[str, int]) -> RowResult:
    """A row from the outcomes of its providers' checks.

    `outcomes` maps provider to the outcomes of this role's checks in this run, `known` to how many checks exist.
    """
    providers = []
    for provider in row.listed:
        parts = row.measured[provider.id]
        seen = [outcome for part in parts for outcome in outcomes.get(part, ())]
        counts = {o: seen.count(o) for o in Outcome if o in seen}
        exist = sum(known.get(part, 0) for part in parts)
        providers.append(ProviderResult(provider.id, provider_outcome(seen), counts, max(exist, len(seen))))
    return RowResult(
        row=row,
        role=role,
        marks={level: row.marks[role, level] for level in Level},
        outcome={level: combine((p.outcome for p in providers), row.combine_for(role, level)) for level in Level},
        providers=tuple(providers),
    )
