"""Checks on clients, run on the fake client as it misbehaves: many side by side, for most of the time is waiting.

As a program, `python -m tests.scenarios.misbehaving CELL` reads `[["way", "check"], …]` from standard input. It forks
a few processes, each with a share of that (what they need is imported by then, and collected once in each), and
writes what came of it, one JSON object a line.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab import catalogue, subjects
from lab.engines import Running
from lab.engines.clients import with_clients
from lab.fakes import FakeServer
from lab.plugin.hooks import CHECK, event_of
from lab.record import CheckResult

FAKE = Path(__file__).parent.parent / "agents" / "clients" / "fake-client"
SHARES = 14  # processes at least; more where one check is run in more ways
BOUND = 600.0  # seconds for all of them

Way = tuple[str, str]
"""How the fake client misbehaves (its FAKE_AGENT; empty: not at all), and the name of a check."""


class Quiet:
    def step(self, text: str) -> None: ...
    def detail(self, text: str) -> None: ...


def outcomes(ways: Sequence[Way], folder: Path) -> dict[Way, CheckResult]:
    """What comes of each check as the client misbehaves, on a fake server whose files are put into `folder`."""
    with fake_cell(folder) as cell_file:
        done = subprocess.run(
            [sys.executable, "-m", __name__, str(cell_file)],
            input=json.dumps(ways),
            capture_output=True,
            text=True,
            check=False,
            timeout=BOUND,
        )
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    results = [(line["way"], CheckResult.from_event(line["event"])) for line in told]
    return {(way, result.check.name): result for way, result in results}


@contextmanager
def fake_cell(folder: Path) -> Iterator[Path]:
    """A fake server with the fake client in its cell, whose file this is."""
    with FakeServer(run_dir=folder) as cell:
        begun = Running(cell, folder / "cell.json", None)
        with with_clients(begun, [subjects.find_client(str(FAKE))], folder, Quiet()) as placed:
            yield placed.cell_file


class _Teller:
    """The plugin that has the client misbehave as is meant for each check, and writes what comes of it."""

    def __init__(self, share: Mapping[str, str], descriptor: int) -> None:
        self._share, self._descriptor = share, descriptor

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        os.environ["FAKE_AGENT"] = self._share[item.stash[CHECK].name]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        event = event_of(report)
        if event:
            way = self._share[event["name"]]
            os.write(self._descriptor, json.dumps({"way": way, "event": event}).encode() + b"\n")


def _run(share: Mapping[str, str], cell_file: Path, results: Path) -> None:
    """In a process of its own: the checks of a share, and their results into a file."""
    descriptor = os.open(results, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    chosen = [catalogue.named(name) for name in share]
    catalogue.run(chosen, cell_file, workers=0, plugins=[_Teller(share, descriptor)])


def _shares(ways: Sequence[Way]) -> list[dict[str, str]]:
    """Check -> way, for each process: no check is twice in one."""
    shares: list[dict[str, str]] = [{} for _ in range(SHARES)]
    for way, check in ways:
        free = [share for share in shares if check not in share]
        if not free:
            shares.append({})
        min(free or shares[-1:], key=len)[check] = way
    return shares


def main(cell_file: Path) -> None:
    """All shares at once."""
    ways = [(way, check) for way, check in json.load(sys.stdin)]
    catalogue.checks()  # imports whatever a run of checks needs
    shares = _shares(ways)
    files = [cell_file.parent / f"share-{number}.results" for number in range(len(shares))]
    for share, results in zip(shares, files, strict=True):
        if not os.fork():
            try:
                _run(share, cell_file, results)
            finally:
                os._exit(0)
    for _ in shares:
        os.wait()
    for results in files:
        sys.stdout.write(results.read_text("utf-8"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
