"""How many cells this machine bears at once: by its processors, and by the memory that is free."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from lab.matrix.plan import Cell

LAB_MEMORY = 500 * 2**20  # bytes that the lab itself takes for a cell: measured, with four workers and a campaign
SPARE = 0.8  # of the free memory is given away
_CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Room:
    """So many cells at once at most, with so many bytes of memory for all of them."""

    jobs: int
    memory: int

    def next(self, waiting: Sequence[Cell], running: Iterable[Cell]) -> Cell | None:
        """The first that fits beside those that run; None: let one of them end. An idle machine takes any."""
        beside = tuple(running)
        if not beside:
            return waiting[0] if waiting else None
        if len(beside) >= self.jobs:
            return None
        left = self.memory - sum(need(cell) for cell in beside)
        return next((cell for cell in waiting if need(cell) <= left), None)


def need(cell: Cell) -> int:
    """Bytes that a cell may take: what bounds its subjects, and the lab beside them."""
    return cell.memory + LAB_MEMORY


def room(jobs: int | None = None) -> Room:
    """What this machine has; `jobs` cells at once where somebody says so, whatever it has."""
    if jobs is not None:
        return Room(jobs, sys.maxsize)
    return Room(_processors(), int(_free() * SPARE))


def _processors() -> int:
    """Those that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # not every system has it
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _free() -> int:
    """Bytes that are free, in the machine and in the container that this may run in."""
    free: int = psutil.virtual_memory().available
    try:
        bound = int((_CGROUP / "memory.max").read_text(encoding="ascii"))
        used = int((_CGROUP / "memory.current").read_text(encoding="ascii"))
    except (OSError, ValueError):  # no container, or one without a bound
        return free
    return min(free, bound - used)
