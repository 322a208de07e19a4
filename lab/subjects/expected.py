"""Whose list of known failures says what is expected of a result.

A server's or a client's results are expected of that one alone. In a pair, whoever broke a requirement is to blame
(`CheckResult.blamed`), and only the list of that one excuses it; where nobody is to blame, any of theirs speaks. A
list names checks as they are where its subject stands first: where it stands second, `…/back` is what `…/forth` is
there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lab.subjects.known import Known, KnownFault, Listed, entry_for
from lab.verdict import Outcome, mirrored


@dataclass(frozen=True)
class Side:
    """One of those who take part, by name, and what its list says of checks."""

    name: str
    failures: Mapping[str, Known]
    faults: tuple[KnownFault, ...] = ()
    second: bool = False
    """Whether it is the second client of a pair."""

    @classmethod
    def of(cls, name: str, listed: Listed, *, second: bool = False) -> Side:
        return cls(name, {entry.check: entry for entry in listed.failures}, listed.faults, second)

    def entry(self, check: str, outcome: Outcome, seen: str = "") -> Known | None:
        name = mirrored(check) if self.second else check
        return entry_for(name, outcome, self.failures, seen=seen, faults=self.faults)


def entry(sides: Sequence[Side], check: str, outcome: Outcome, blamed: str = "", seen: str = "") -> Known | None:
    """What the lists say of a check that came to `outcome`, and that `blamed` is to blame for (empty: nobody).

    `seen` is what the check saw, as its result says it.
    """
    answering = (side for side in sides if blamed in {"", side.name})
    return next((found for side in answering if (found := side.entry(check, outcome, seen)) is not None), None)


def is_deadly(sides: Sequence[Side], check: str) -> bool:
    """Whether a list says that a check ends the subject."""
    listed = entry(sides, check, Outcome.CRASH)
    return listed is not None and listed.outcome == Outcome.CRASH
