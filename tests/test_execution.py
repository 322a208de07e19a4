"""Which checks run side by side, and which one at a time behind them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from lab import catalogue
from lab.execution import execute
from lab.subjects.expected import Side
from lab.subjects.known import Known, Listed
from lab.verdict import Check

DEADLY = "rfc-6120/get-is-answered-once-by-a-result"
BUSY = "rfc-6120/endless-data-is-given-up/text-bound"
OTHER = "rfc-6120/set-is-answered-once-by-a-result"
SIDES = [Side.of("fake", Listed((Known(DEADLY, "crash", "it dies"),)))]


@pytest.mark.parametrize("ends", [pytest.ExitCode.OK, pytest.ExitCode.INTERRUPTED])
def test_what_others_would_suffer_from_runs_behind_them_one_at_a_time(
    monkeypatch: pytest.MonkeyPatch, ends: pytest.ExitCode
) -> None:
    ran: list[tuple[list[str], int]] = []

    def run(
        part: Sequence[Check], _: Path, *, workers: int, plugins: Sequence[object], extra: Sequence[str]
    ) -> pytest.ExitCode:
        assert (len(plugins), extra) == (1, ())
        ran.append(([check.name for check in part], workers))
        return ends

    monkeypatch.setattr(catalogue, "run", run)
    nobody: Any = None
    done = execute(
        [catalogue.named(name) for name in (BUSY, OTHER, DEADLY)],
        cell_file=Path("cell.json"),
        writer=nobody,
        sides=SIDES,
        listener=nobody,
        gone=lambda: None,
        workers=4,
    )
    assert done.interrupted == (ends is pytest.ExitCode.INTERRUPTED)
    assert ran == [([OTHER], 4), ([BUSY, DEADLY], 0)][: 1 if done.interrupted else 2]
