"""How many cells run at once."""

from __future__ import annotations

from lab.matrix.plan import Cell, Party
from lab.matrix.room import Room, need, room

BIG, SMALL, TINY = (Cell(f"{size}", Party("x:1", "x", "1", size * 2**20)) for size in (4_000, 500, 10))


def test_no_more_cells_than_jobs() -> None:
    two = Room(2, need(BIG) * 10)
    assert two.next([SMALL, TINY], []) is SMALL
    assert two.next([TINY], [SMALL]) is TINY
    assert two.next([TINY], [SMALL, BIG]) is None
    assert two.next([], [SMALL]) is None


def test_the_first_that_fits_goes_beside_those_that_run() -> None:
    narrow = Room(8, need(SMALL) + need(TINY))
    assert narrow.next([BIG, TINY], [SMALL]) is TINY
    assert narrow.next([BIG], [SMALL]) is None


def test_a_cell_that_is_too_big_runs_alone() -> None:
    assert Room(8, 1).next([BIG], []) is BIG
    assert Room(8, 1).next([TINY], [BIG]) is None


def test_this_machine_bears_a_cell_at_least_and_as_many_as_somebody_says() -> None:
    assert room().jobs >= 1
    assert room().memory > 0
    assert room(5).next([BIG] * 5, [BIG] * 4) is BIG
