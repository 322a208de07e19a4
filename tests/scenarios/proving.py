"""Checks of servers, proved on a cell: `python -m tests.scenarios.proving CELL MOST NAME…` damages what they receive.

A line of JSON a check: its name, its outcome, how many damages (at most MOST) were done to it, how many it noticed.
"""

from __future__ import annotations

import fnmatch
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab import catalogue
from lab.plugin.proving import proof_of
from lab.verdict import Outcome

BOUND = 300.0  # seconds for all of them
WORKERS = 4  # side by side: most of the time is waiting


@dataclass(frozen=True)
class Proved:
    """What came of a check."""

    outcome: Outcome
    damages: int
    noticed: int


def proved(cell: Path, *names: str, most: int = 1) -> dict[str, Proved]:
    """The checks of these names (with `*` in them), by name."""
    done = subprocess.run(
        [sys.executable, "-m", __name__, str(cell), str(most), *names],
        capture_output=True,
        text=True,
        check=False,
        timeout=BOUND,
    )
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    return {name: Proved(Outcome(outcome), damages, noticed) for name, outcome, damages, noticed in told}


class _Proofs:
    """A pytest plugin that keeps them."""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        proof = proof_of(report)
        if proof is not None:
            attempts = proof["attempts"]
            noticed = sum(attempt["noticed"] and not attempt["by_rule"] for attempt in attempts)
            sys.stdout.write(json.dumps([proof["check"], proof["outcome"], len(attempts), noticed]) + "\n")


def main() -> None:
    cell, most, *names = sys.argv[1:]
    chosen = [c for c in catalogue.checks() if any(fnmatch.fnmatchcase(c.name, name) for name in names)]
    extra = ["-p", "lab.plugin.proving", "--most-damages", most]
    catalogue.run(chosen, Path(cell), workers=WORKERS, plugins=[_Proofs()], extra=extra)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
