"""Records to report on, and the browser that pages are tested in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Request, sync_playwright

from lab import report
from lab.record import LogLine, Record
from tests.report import building
from tests.report.browsing import ARGUMENTS, CHROMIUM, WIDTHS


@pytest.fixture
def record(tmp_path: Path) -> Record:
    """A finished run with every outcome and every expectation."""
    return building.record(tmp_path / "run.ndjson")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    if not CHROMIUM.is_file():
        pytest.fail(f"{CHROMIUM} is not there; next: `apt-get install chromium` (`make test` does it)")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the browser said and where it went."""
    return []


@pytest.fixture
def context(browser: Browser, complaints: list[str]) -> Iterator[BrowserContext]:
    """A window that writes down every error, dialog and request; the test fails if there was one."""
    window = browser.new_context(viewport={"width": WIDTHS["desktop"], "height": 800})
    window.on("console", lambda message: complaints.append(f"console {message.type}: {message.text}"))
    window.on("weberror", lambda error: complaints.append(f"error: {error.error}"))
    window.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))

    def requested(request: Request) -> None:
        if not request.url.startswith(("file:", "data:,")):
            complaints.append(f"request: {request.url}")

    window.on("request", requested)
    yield window
    window.close()
    assert not complaints


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
