"""Sites to look at."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import site
from tests.site import hostile, nights


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of three servers, two clients, a pair and ten nights."""
    folder = tmp_path_factory.mktemp("site")
    site.build([nights.everything(folder / "runs")], folder / "site")
    return folder / "site"


@pytest.fixture(scope="session")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of records in which everything that a subject says is an attack."""
    folder = tmp_path_factory.mktemp("hostile")
    site.build([hostile.records(folder / "runs")], folder / "site")
    return folder / "site"
