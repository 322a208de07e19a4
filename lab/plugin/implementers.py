"""The fixtures of the lab for somebody's own tests of their own server: `pytest -p lab.plugin.implementers`.

    pytest -p lab.plugin.implementers --cell=cell.json      a server that runs (docs/cell.md)
    pytest -p lab.plugin.implementers --server=prosody      the lab starts it once, with --image an image of yours

(With an equals sign: pytest takes a path behind a space for one of tests, until it has read its configuration.)

Tests need not say which requirement they test, and have no outcome but pytest's own: `unsupported` and `impossible`
skip. What went over the wire stands below each failure. `examples/my-server` is a project to copy.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from lab.engines import started
from lab.errors import LabError, UsageError
from lab.plugin.connections import (
    TRACE,
    accounts,
    alice,
    bob,
    cell,
    comeback,
    component_session,
    connect,
)
from lab.plugin.hooks import Hooks
from lab.plugin.judge import Impossible, Unsupported
from lab.subjects import find
from lab.wire.trace import Trace

__all__ = ["accounts", "alice", "bob", "cell", "cell_file", "comeback", "component_session", "connect"]

WORKER_CELL = "stanzalab_cell"  # what a worker of pytest-xdist is told: one server serves them all


class _Quiet:
    """What an engine says while it works is of no interest between tests; what goes wrong is an error."""

    def step(self, text: str) -> None:
        """A step was begun."""

    def detail(self, text: str) -> None:
        """A line of a build."""


class _Server:
    """The server under test: that of a cell file, or one that is started when the first test needs it."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._left = ExitStack()
        self._file: Path | None = None

    def cell_file(self) -> Path:
        """Raises UsageError where nobody said which server, MachineError where it does not start."""
        if self._file is None:
            self._file = self._found()
        return self._file

    def _found(self) -> Path:
        told = getattr(self._config, "workerinput", {}).get(WORKER_CELL) or self._config.getoption("--cell")
        if told:
            return Path(told)
        wanted = self._config.getoption("--server")
        if not wanted:
            raise UsageError("which server is to be tested?", hint="pytest … --cell=cell.json, or --server=prosody")
        subject = find(wanted, image=self._config.getoption("--image"))
        folder = Path(tempfile.mkdtemp(prefix="stanzalab-"))
        self._left.callback(shutil.rmtree, folder, ignore_errors=True)
        return self._left.enter_context(started(subject, None, run_dir=folder, progress=_Quiet())).cell_file

    def close(self) -> None:
        self._left.close()


SERVER = pytest.StashKey[_Server]()


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    pluginmanager.add_hookspecs(Hooks)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("stanzalab")
    group.addoption("--cell", metavar="FILE", help="the cell file of the server under test")
    group.addoption("--server", metavar="NAME[:VERSION]", help="start this server, or the one that a folder holds")
    group.addoption("--image", metavar="IMAGE", help="with --server: run this image in place of the lab's")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--cell") and config.getoption("--server"):
        raise pytest.UsageError("--cell and --server do not go together: a cell file names a server that runs")
    config.stash[SERVER] = _Server(config)


def pytest_unconfigure(config: pytest.Config) -> None:
    if SERVER in config.stash:
        config.stash[SERVER].close()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """A worker of pytest-xdist is about to start: its server is everybody's."""
    try:
        node.workerinput[WORKER_CELL] = str(node.config.stash[SERVER].cell_file())
    except LabError as error:
        pytest.exit(str(error), returncode=error.exit_code)


@pytest.fixture(scope="session")
def cell_file(pytestconfig: pytest.Config) -> Path:
    """The cell file of the server under test; the server is started if it has to be."""
    try:
        return pytestconfig.stash[SERVER].cell_file()
    except LabError as error:
        pytest.exit(str(error), returncode=error.exit_code)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Skip what this set-up cannot test, and show what went over the wire below a failure."""
    report = yield
    if call.excinfo is not None and isinstance(call.excinfo.value, Unsupported | Impossible):
        report.outcome = "skipped"
        path, line, _ = item.location
        report.longrepr = (path, (line or 0) + 1, f"Skipped: {call.excinfo.value}")
    elif report.failed and TRACE in item.stash:
        report.sections.append(("what went over the wire", _readable(item.stash[TRACE])))
    return report


def _readable(trace: Trace) -> str:
    """A line for each entry; characters that a terminal would obey are spelled out."""
    start = trace.entries[0].at if trace.entries else 0.0
    lines = (f"{e.at - start:8.3f} {e.session:10} {e.direction:8} {e.text}" for e in trace.entries)
    return "\n".join("".join(c if c.isprintable() else ascii(c)[1:-1] for c in line) for line in lines)
