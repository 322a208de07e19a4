"""In what order cells are run, and which are a machine's share. Decided from names and known durations alone.

A share is a function of the cells, the number of shares and the durations: machines that are told the same agree,
without a word between them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Self

from lab.errors import UsageError
from lab.matrix.plan import Cell


@dataclass(frozen=True)
class Shard:
    """Share `number` (from 1) of `count`."""

    number: int
    count: int

    @classmethod
    def of(cls, text: str) -> Self:
        """What `2/3` means. Raises UsageError."""
        found = re.fullmatch(r"([1-9]\d*)/([1-9]\d*)", text.strip())
        if found is None or int(found[1]) > int(found[2]):
            raise UsageError(f"--shard {text!r} is no share", hint="the second of three: --shard 2/3")
        return cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


def longest_first(cells: Sequence[Cell], durations: Mapping[str, float]) -> tuple[Cell, ...]:
    """The order to run them in, so that no long one is left for the end. `durations`: cell's name -> seconds.

    One that nobody has timed may be the longest: such come first, in the order that they are in.
    """
    return tuple(sorted(cells, key=lambda cell: -durations.get(cell.name, float("inf"))))


def share(cells: Sequence[Cell], shard: Shard, durations: Mapping[str, float]) -> tuple[Cell, ...]:
    """The cells of one share, in the order that they are in; the shares are disjoint, and together all cells.

    Balanced by `durations` (cell's name -> seconds; one that is not known counts as their mean), each cell going to
    the share with least to do. Where none is known this is round-robin over the names.
    """
    known = [durations[cell.name] for cell in cells if cell.name in durations]
    middling = fmean(known) if known else 1.0
    weights = {cell.name: durations.get(cell.name, middling) for cell in cells}
    loads = [(0.0, 0, number) for number in range(1, shard.count + 1)]
    mine = set()
    for name in sorted(weights, key=lambda name: (-weights[name], name)):
        load, count, number = min(loads)
        loads[number - 1] = (load + weights[name], count + 1, number)
        if number == shard.number:
            mine.add(name)
    return tuple(cell for cell in cells if cell.name in mine)
