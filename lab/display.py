"""Progress on long work: a live line on a terminal, plain lines elsewhere. Says nothing of verdicts' meaning."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from lab.record import CheckResult
from lab.verdict import Outcome

MARKS = {
    Outcome.PASS: "✓",
    Outcome.NON_STRICT: "~",
    Outcome.FAIL: "✗",
    Outcome.UNSUPPORTED: "-",
    Outcome.IMPOSSIBLE: "o",
    Outcome.CRASH: "!",
    Outcome.ERROR: "?",
}
PLAIN_EVERY = 50  # results between two lines where nobody watches


class ConsoleDisplay:
    """Shows steps, then a bar over the checks. `verbose` shows details and each result."""

    def __init__(self, console: Console, *, verbose: bool = False, quiet: bool = False) -> None:
        self._console = console
        self._verbose = verbose
        self._quiet = quiet
        self._live = console.is_terminal and not quiet
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not self._live,
        )
        self._task: TaskID | None = None
        self._count = self._total = self._bad = 0

    def __enter__(self) -> Self:
        self._bar.start()
        self._task = self._bar.add_task("starting", total=None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def step(self, text: str) -> None:
        if self._live and self._task is not None:
            self._bar.update(self._task, description=text)
        elif not self._quiet:
            self._console.print(text, markup=False, highlight=False)

    def detail(self, text: str) -> None:
        if self._verbose:
            self._console.print(text, markup=False, highlight=False, style="dim")

    def checking(self, count: int) -> None:
        self._total = count
        if self._live and self._task is not None:
            self._bar.reset(self._task, total=count, description="checking")
        elif not self._quiet:
            self._console.print(f"running {count} checks")

    def result(self, result: CheckResult) -> None:
        mark = MARKS[result.outcome]
        line = f"{mark} {result.check.name} {result.outcome} ({result.duration * 1000:.0f} ms)"
        self._advance(line, bad=result.outcome.bad)

    def proved(self, name: str, damages: int, noticed: int) -> None:
        mark = MARKS[Outcome.PASS if noticed else Outcome.FAIL]
        self._advance(f"{mark} {name}: {noticed} of {damages} damages noticed", bad=damages > 0 and not noticed)

    def _advance(self, line: str, *, bad: bool) -> None:
        self._count += 1
        self._bad += bad
        if self._verbose:
            self._console.print(line, markup=False, highlight=False)
        if self._live and self._task is not None:
            failed = f", {self._bad} failed" if self._bad else ""
            self._bar.update(self._task, advance=1, description=f"checking{failed}")
        elif not self._verbose and not self._quiet and self._count % PLAIN_EVERY == 0:
            self._console.print(f"{self._count} of {self._total} checks, {self._bad} failed")

    def done(self) -> None:
        self._bar.stop()
