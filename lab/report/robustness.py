"""What a campaign says of each row: the worst of the row's providers, beside its conformance and never part of it.

Facts in, facts out, as `lab.report.judgement`, which holds them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lab.record import Record
from lab.robustness import Found, Robust, Robustness
from lab.verdict import Expectation

WORST_FIRST = (Robust.FAIL, Robust.FLAKY, Robust.PASS, Robust.NOT_TESTED)


@dataclass(frozen=True)
class RowRobustness:
    """A row's robustness: the stanzas that were sent for its providers, the findings, and why nothing was sent.

    `reasons` are pairs of provider and reason, of each provider that was not tried.
    """

    outcome: Robust
    valid: int
    malformed: int
    findings: tuple[Found, ...]
    reasons: tuple[tuple[str, str], ...]

    @property
    def stanzas(self) -> int:
        return self.valid + self.malformed


def ordered(findings: Iterable[Found]) -> tuple[Found, ...]:
    """Those on no list first, then the listed ones, then those that come and go."""
    last = (Expectation.KNOWN, Expectation.FLAKY)
    places = {expectation: place for place, expectation in enumerate(last, 1)}
    return tuple(sorted(findings, key=lambda found: places.get(found.expectation, 0)))


def of_providers(providers: Iterable[str], record: Record) -> RowRobustness:
    """What a record's campaign says of these providers together."""
    told = [one for provider in providers for one in _of_provider(provider, record)]
    named = {fingerprint for one in told for fingerprint in one.findings}
    return RowRobustness(
        outcome=min((one.outcome for one in told), key=WORST_FIRST.index, default=Robust.NOT_TESTED),
        valid=sum(one.valid for one in told),
        malformed=sum(one.malformed for one in told),
        findings=ordered(found for found in record.findings if found.fingerprint in named),
        reasons=tuple((one.provider, one.reason) for one in told if one.outcome is Robust.NOT_TESTED),
    )


def _of_provider(provider: str, record: Record) -> Sequence[Robustness]:
    """What the campaign says of a provider; from its findings alone where the record ends before that."""
    told = [one for one in record.robustness if one.provider == provider]
    if told:
        return told
    found = [found for found in record.findings if found.provider == provider]
    if not found:
        return [Robustness(provider, Robust.NOT_TESTED, reason="It was no part of the campaign.")]
    outcome = Robust.FLAKY if all(one.flaky for one in found) else Robust.FAIL
    return [Robustness(provider, outcome, findings=tuple(one.fingerprint for one in found))]


def untried(record: Record) -> dict[str, tuple[str, ...]]:
    """Reason -> the providers for which, for that reason, nothing was sent."""
    found: dict[str, tuple[str, ...]] = {}
    for one in record.robustness:
        if one.outcome is Robust.NOT_TESTED:
            found[one.reason] = (*found.get(one.reason, ()), one.provider)
    return found
