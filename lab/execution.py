"""Runs selected checks with pytest on a cell that stands, and puts each outcome into the run record at once.

Knows nothing of how the cell was started. Nothing measured is lost: the record is written as checks end.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import pytest

from lab import catalogue
from lab.errors import MachineError
from lab.plugin.hooks import event_of
from lab.record import CheckResult, Writer
from lab.subjects import expected
from lab.subjects.expected import Side
from lab.verdict import Check, Expectation, Outcome, expectation

WATCH_SECONDS = 0.5  # between two looks at whether the subject is gone for good


class Listener(Protocol):
    """Who is told of each result, in the order in which they come."""

    def result(self, result: CheckResult) -> None: ...


class _Collector(catalogue.Problems):
    """The pytest plugin on the controlling side. It runs in this process; the checks may run in workers."""

    def __init__(
        self,
        writer: Writer,
        sides: Sequence[Side],
        listener: Listener,
        gone: Callable[[], str | None],
        mentioned: Set[str],
    ) -> None:
        super().__init__()
        self._mentioned = mentioned
        self._writer = writer
        self._sides = sides
        self._listener = listener
        self._gone = gone
        self._looked = 0.0
        self._session: pytest.Session
        self.results: list[CheckResult] = []
        self.stopped = ""

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        self._session = session

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        event = event_of(report)
        if event is not None:
            self._take(CheckResult.from_event(event))
        elif report.when not in {"setup", "call", "teardown"}:
            self._worker_died(report)

    def _worker_died(self, report: pytest.TestReport) -> None:
        check = catalogue.by_nodeid(report.nodeid)
        if check is not None:
            reason = f"the lab's own worker died: {report.longrepr}"
            self._take(CheckResult(check, Outcome.ERROR, Expectation.UNEXPECTED, time.time(), 0.0, reason=reason))

    def _take(self, result: CheckResult) -> None:
        listed = expected.entry(self._sides, result.check.name, result.outcome, result.blamed, result.seen)
        result = replace(
            result,
            expectation=expectation(
                result.outcome,
                Outcome(listed.outcome) if listed else None,
                flaky=listed.flaky if listed else False,
            ),
            known_reason=listed.reason if listed else "",
            informational=result.check.requirement.provider in self._mentioned,
        )
        if self.stopped:
            return
        try:
            self._writer.check(result)
        except MachineError as error:
            self._stop(str(error))
            return
        self.results.append(result)
        self._listener.result(result)
        if result.outcome.bad:
            self._stop_when_gone()

    def _stop_when_gone(self) -> None:
        if self.stopped or time.monotonic() - self._looked < WATCH_SECONDS:
            return
        self._looked = time.monotonic()
        why = self._gone()
        if why:
            self._stop(why)

    def _stop(self, why: str) -> None:
        """Give the run up; what was measured is in the record."""
        self.stopped = why
        self._session.shouldstop = why
        scheduler = self._session.config.pluginmanager.getplugin("dsession")
        if scheduler is not None:
            scheduler.shouldstop = why


@dataclass(frozen=True)
class Execution:
    """What came of it. `stopped` says why the run was given up; `interrupted` is Ctrl-C."""

    results: tuple[CheckResult, ...]
    stopped: str = ""
    interrupted: bool = False
    problems: tuple[str, ...] = ()


def execute(
    checks: Sequence[Check],
    *,
    cell_file: Path,
    writer: Writer,
    sides: Sequence[Side],
    listener: Listener,
    gone: Callable[[], str | None],
    workers: int,
    mentioned: Set[str] = frozenset(),
) -> Execution:
    """Run `checks` on the cell, in `workers` processes (0: in this one).

    `sides` are those whose lists say what is expected; `gone` says why the subject is lost; `mentioned` are the
    providers whose checks are informational (`schemas.suites`). What is listed as ending the subject, and what may
    keep it busy for long, is run behind all others, one check at a time: who is tried beside it would suffer, too.
    """
    collector = _Collector(writer, sides, listener, gone, mentioned)
    deadly = {check for check in checks if expected.is_deadly(sides, check.name)}
    code = catalogue.run_apart(
        checks, cell_file, workers=workers, also=deadly, plugins=[collector], stopped=lambda: bool(collector.stopped)
    )
    sys.stdout.flush()
    return Execution(
        tuple(collector.results),
        stopped=collector.stopped,
        interrupted=code == pytest.ExitCode.INTERRUPTED and not collector.stopped,
        problems=tuple(collector.problems),
    )
