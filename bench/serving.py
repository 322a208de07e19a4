"""A server for a benchmark to talk to, gone when the block is left."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from lab import subjects
from lab.cell import Cell
from lab.display import ConsoleDisplay
from lab.engines import started


@contextmanager
def served(server: str) -> Iterator[Cell]:
    """The cell of `server` (`prosody`, `prosody:0.12`), running."""
    with (
        tempfile.TemporaryDirectory() as folder,
        ConsoleDisplay(Console(stderr=True)) as display,
        started(subjects.find(server), None, run_dir=Path(folder), progress=display) as running,
    ):
        display.done()
        yield running.cell
