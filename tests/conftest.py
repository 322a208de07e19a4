"""Settings of the lab's own tests, and the browser that pages are tested in."""

from __future__ import annotations

import gc
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.report.browsing import ARGUMENTS, CHROMIUM, WIDTHS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Request

# A shell that runs the tests in the background has them ignore SIGINT, and their children with them: with a handler
# here, children get the default again, and Ctrl-C can be tested.
signal.signal(signal.SIGINT, signal.default_int_handler)


# Drawing is slow where the machine has other work, and says nothing of a strategy then.
settings.register_profile("crowded", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("crowded")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """What a test with an engine left open fails that test, and not the one in which it happens to be seen."""
    if item.get_closest_marker("engine") is not None:
        gc.collect()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - half a second that most tests do without

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
