"""A fake server that behaves, and sessions to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.cell import Cell
from lab.fakes import FakeServer
from lab.plugin import Connect
from tests.fakes.connecting import connecting


@pytest.fixture
def cell() -> Iterator[Cell]:
    with FakeServer(patience=2.0) as running:
        yield running


@pytest.fixture
def connect(cell: Cell) -> Iterator[Connect]:
    with connecting(cell) as connector:
        yield connector
