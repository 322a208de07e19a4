"""What the tests of the matrix share: the fake lab's folder, and a course through cells of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from lab.matrix import course
from lab.matrix.course import Done, Plan
from lab.matrix.growth import Counts
from lab.matrix.ledger import Entry
from lab.matrix.plan import Asked, Cell
from lab.matrix.room import Room
from tests.matrix.subjects import FAKE

ASKED = Asked()
BOUND = 300.0  # seconds for anything that must happen


def until(happened: Callable[[], Any]) -> None:
    deadline = time.monotonic() + BOUND
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


class Remembered:
    """A display that remembers what it was told."""

    every: float | None = None

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.changes: list[tuple[Entry, Counts]] = []

    def step(self, text: str) -> None:
        self.steps.append(text)

    def detail(self, text: str) -> None: ...

    def begins(self, entries: Sequence[Entry]) -> None: ...

    def changed(self, entry: Entry, counts: Counts) -> None:
        self.changes.append((entry, counts))

    def shows(self, entries: Mapping[str, Entry], counts: Mapping[str, Counts]) -> None: ...

    def ends(self) -> None: ...


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder where each call of the fake lab leaves a file; the lab's own cache is kept out of it."""
    folder = tmp_path / "calls"
    folder.mkdir()
    monkeypatch.setenv("FAKE_LAB", str(folder))
    monkeypatch.setenv("STANZALAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("lab.matrix.plan.STANZALAB", FAKE)
    return folder


@pytest.fixture
def run(tmp_path: Path, calls: Path) -> Callable[..., Done]:  # noqa: ARG001 - the fake lab's settings
    """Run a matrix of these cells, in the folder `matrix`."""

    def run(
        *cells: Cell,
        asked: Asked = ASKED,
        retries: int = 1,
        limit: float = BOUND,
        jobs: int = 2,
        display: Remembered | None = None,
    ) -> Done:
        wanted = Plan(tmp_path / "matrix", asked, cells, Room(jobs, 2**50), limit=limit, grace=BOUND, retries=retries)
        return course.run(wanted, display or Remembered())

    return run
