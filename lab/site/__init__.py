"""The static site: matrix, subjects, rows, checks, nights, differences, made from run records alone.

Whoever makes one needs nothing else of this package: `build`.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.errors import UsageError
from lab.site import reading
from lab.site.cells import gather
from lab.site.writing import write

__all__ = ["Built", "build"]


@dataclass(frozen=True)
class Built:
    """What was made. `skipped` are files and why they are not in it; `damaged` and `unfinished` are records in it."""

    index: Path
    records: int
    cells: int
    pages: int
    skipped: tuple[tuple[str, str], ...]
    damaged: tuple[str, ...]
    unfinished: tuple[str, ...]


def build(named: Iterable[Path], out: Path) -> Built:
    """Make the site of these records and folders of records, in the folder `out`.

    Raises UsageError where there is no record, or `out` holds something else; MachineError where the disk is full.
    """
    names = list(named)
    with _no_collector():
        return _built(names, out)


@contextmanager
def _no_collector() -> Iterator[None]:
    """Millions of small facts are made, and no cycles: looking for some is a third of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _built(names: list[Path], out: Path) -> Built:
    collection = gather(reading.read_all(reading.sources(names)))
    if not collection.cells:
        raise UsageError(
            "there is no run record to make a site of",
            cause="; ".join(f"{one.label}: {one.why}" for one in collection.skipped[:3])
            or f"nothing in {', '.join(map(str, names)) or 'no folder'}",
            hint="`make lab` makes one; `stanzalab site FOLDER` looks for *.ndjson in it",
        )
    written = write(collection, out)
    nights = [night for cell in collection.cells for night in cell.nights]
    return Built(
        index=out / "index.html",
        records=len(nights),
        cells=len(collection.cells),
        pages=written["pages"],
        skipped=tuple((one.label, one.why) for one in collection.skipped),
        damaged=tuple(night.label for night in nights if night.record.damage),
        unfinished=tuple(night.label for night in nights if not night.record.finished),
    )
