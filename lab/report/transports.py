"""Where an answer depends on what carries XMPP: checks that came to different outcomes over several transports."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lab.record import CheckResult
from lab.verdict import Outcome, carrier, over_tcp

TCP = "TCP"


@dataclass(frozen=True)
class Difference:
    """One check. `outcomes` maps `TCP`, and the slug of each provider that carries it elsewhere, to the outcome."""

    check: str
    outcomes: dict[str, Outcome]
    results: tuple[CheckResult, ...]

    def __str__(self) -> str:
        return f"{self.check}: {', '.join(f'{outcome} over {over}' for over, outcome in self.outcomes.items())}"


def differences(results: Iterable[CheckResult]) -> tuple[Difference, ...]:
    """The checks whose outcome is not the same over all transports that they were really run over."""
    found: dict[str, dict[str, CheckResult]] = {}
    for result in results:
        if result.outcome.executed and result.outcome is not Outcome.ERROR:
            name = result.check.name
            found.setdefault(over_tcp(name) or name, {})[carrier(name) or TCP] = result
    return tuple(
        Difference(check, {over: r.outcome for over, r in runs.items()}, tuple(runs.values()))
        for check, runs in found.items()
        if len({r.outcome for r in runs.values()}) > 1
    )
