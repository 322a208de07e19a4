"""Records to report on, and their pages."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import report
from lab.record import LogLine, Record
from tests.report import building


@pytest.fixture
def record(tmp_path: Path) -> Record:
    """A finished run with every outcome and every expectation."""
    return building.record(tmp_path / "run.ndjson")


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of a run with every outcome."""
    folder = tmp_path_factory.mktemp("page")
    log = (LogLine(building.START + 0.003, "c2s55: Client connected"),)
    return report.write_all(
        building.write(folder / "run.ndjson", building.every_kind(), log=log), folder
    ).html.as_uri()


@pytest.fixture(scope="session")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of a run with every outcome, and a campaign with a finding of each expectation."""
    folder = tmp_path_factory.mktemp("fuzzed")
    path = building.write(folder / "run.ndjson", building.every_kind(), **building.FUZZED)
    return report.write_all(path, folder).html.as_uri()


@pytest.fixture(scope="session")
def only_fuzzed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of a campaign alone."""
    folder = tmp_path_factory.mktemp("only-fuzzed")
    return report.write_all(building.write(folder / "run.ndjson", (), **building.FUZZED), folder).html.as_uri()
