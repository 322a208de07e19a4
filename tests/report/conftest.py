"""Records to report on."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.record import Record
from tests.report import building


@pytest.fixture
def record(tmp_path: Path) -> Record:
    """A finished run with every outcome and every expectation."""
    return building.record(tmp_path / "run.ndjson")
