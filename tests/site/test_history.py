"""Ten simulated nights, with a regression, a repair and a flake planted in them: each is named rightly."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from lab.record import Record
from lab.site import history as histories
from lab.site.cells import Cell, gather
from lab.site.history import Turn, history
from lab.site.reading import read_all, sources
from lab.verdict import Outcome
from tests.report import building
from tests.site import nights


@pytest.fixture
def cell(tmp_path: Path) -> Cell:
    nights.ten_nights(tmp_path)
    (cell,) = gather(read_all(sources([tmp_path]))).cells
    return cell


def _turns(cell: Cell, turn: Turn) -> dict[str, list[int]]:
    """Check -> the nights (from 1) in which it turned that way."""
    found: dict[str, list[int]] = {}
    for place in range(len(cell.nights)):
        for change in cell.history.of(place, turn):
            found.setdefault(change.check, []).append(place + 1)
    return found


def test_what_was_planted_is_named(cell: Cell) -> None:
    assert _turns(cell, Turn.BROKEN) == {nights.REGRESSION: [7]}
    assert _turns(cell, Turn.FIXED) == {nights.FIX: [4]}
    assert _turns(cell, Turn.FLAKY) == {nights.FLAKE: [3, 4, 6, 7]}
    assert _turns(cell, Turn.OTHER) == {nights.OFFERED: [5]}
    assert cell.history.flakes == (histories.Flake(nights.FLAKE, broke=2, mended=2),)


def test_since_when_is_known(cell: Cell) -> None:
    since = {name: place + 1 for name, place in cell.history.since.items()}
    assert since == {
        nights.REGRESSION: 7,
        nights.FIX: 4,
        nights.FLAKE: 7,
        nights.OFFERED: 5,
        nights.STEADY: 1,
    }


def test_nights_are_in_order_and_the_newest_is_current(cell: Cell) -> None:
    assert [night.record.header.started for night in cell.nights] == [nights.at(n) for n in range(1, 11)]
    assert cell.current is cell.nights[-1]
    assert cell.fuzzed is cell.current


def test_rows_over_the_nights(cell: Cell) -> None:
    row = [night["core/feature-discovery"]["core"] for night in cell.rows_by_night]
    assert row == ["pass"] * 6 + ["fail"] * 4


P, F, C, E, U, N = (
    Outcome.PASS,
    Outcome.FAIL,
    Outcome.CRASH,
    Outcome.ERROR,
    Outcome.UNSUPPORTED,
    Outcome.NON_STRICT,
)


def _nights(tmp_path: Path, outcomes: Sequence[Outcome | None]) -> list[Record]:
    return [
        building.record(tmp_path / f"{place}.ndjson", (building.result("xep-0030/a", outcome),) if outcome else ())
        for place, outcome in enumerate(outcomes)
    ]


@pytest.mark.parametrize(
    ("outcomes", "turns"),
    [
        ((P, P, F, F), {2: Turn.BROKEN}),
        ((P, C), {1: Turn.BROKEN}),
        ((F, N), {1: Turn.FIXED}),
        ((P, N), {1: Turn.OTHER}),
        ((F, C), {1: Turn.OTHER}),
        ((P, F, F, P), {1: Turn.BROKEN, 3: Turn.FIXED}),
        ((P, F, P), {1: Turn.FLAKY, 2: Turn.FLAKY}),
        ((F, P, F), {1: Turn.FLAKY, 2: Turn.FLAKY}),
        ((P, F, F, P, P, F, F), {1: Turn.FLAKY, 3: Turn.FLAKY, 5: Turn.FLAKY}),
        ((P, E, P), {1: Turn.OTHER, 2: Turn.OTHER}),
        ((P, E, F), {1: Turn.OTHER, 2: Turn.BROKEN}),
        ((P, None, F), {2: Turn.BROKEN}),
        ((P, U, F, F), {1: Turn.OTHER, 2: Turn.BROKEN}),
        ((None, F), {}),
        ((P, P), {}),
    ],
)
def test_every_way_to_turn(tmp_path: Path, outcomes: Sequence[Outcome | None], turns: dict[int, Turn]) -> None:
    told = history(_nights(tmp_path, outcomes))
    assert {place: change.turn for place, changes in enumerate(told.changes) for change in changes} == turns


def test_findings_are_new_once(tmp_path: Path) -> None:
    """The first campaign has nothing to compare with; what does not show, is not fixed."""
    campaigns = [(), (building.NEW,), (building.FLAKY, building.NEW), (building.NEW,), (building.FLAKY,)]
    told = history(
        [
            building.record(tmp_path / f"{place}.ndjson", (building.result("xep-0030/a"),), findings=findings)
            for place, findings in enumerate(campaigns)
        ]
    )
    assert told.found == ((), (), (building.FLAKY.fingerprint,), (), ())
