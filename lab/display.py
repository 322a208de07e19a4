"""Progress on long work: a live line on a terminal, plain lines elsewhere. Says nothing of verdicts' meaning."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from lab.record import CheckResult
from lab.verdict import Outcome

if TYPE_CHECKING:
    from lab.campaign.finding import Finding
    from lab.campaign.tally import Tally

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
PLAIN_SECONDS = 5.0  # between two lines about a campaign there


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
        self._said = 0.0
        self._found = 0

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

    def fuzzing(self, tallies: Sequence[Tally], elapsed: float, rate: float, doing: str) -> None:
        sent = sum(tally.sent for tally in tallies)
        found = f"{self._found} finding{'' if self._found == 1 else 's'}"
        line = f"fuzzing: {sent:,} stanzas, {rate:,.0f}/s, {found}, {doing}"
        if self._live and self._task is not None:
            self._bar.update(self._task, description=line)
        elif not self._quiet and elapsed - self._said >= PLAIN_SECONDS:
            self._said = elapsed
            self._console.print(f"{elapsed:.0f} s {line}", markup=False)

    def found(self, finding: Finding) -> None:
        self._found += 1
        if not self._quiet:
            flaky = "" if not finding.flaky else f" ({finding.confirmed} times of 3)"
            line = f"✗ found{flaky}: {finding.fingerprint}"
            self._console.print(line, markup=False, highlight=False, style="red", soft_wrap=True)


class CampaignDisplay(ConsoleDisplay):
    """Shows a campaign: on a terminal a table that lives, a line a provider; elsewhere a line now and then."""

    def __init__(self, console: Console, *, verbose: bool = False, quiet: bool = False) -> None:
        super().__init__(console, verbose=verbose, quiet=quiet)
        self._table: Live | None = None
        self._drawn = 0.0

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.done()
        super().__exit__(kind, error, trace)

    def fuzzing(self, tallies: Sequence[Tally], elapsed: float, rate: float, doing: str) -> None:
        if not self._live:
            super().fuzzing(tallies, elapsed, rate, doing)
            return
        if self._table is None:
            self._bar.stop()
            self._table = Live(console=self._console, transient=True, auto_refresh=False)
            self._table.start()
        if time.monotonic() - self._drawn > 0.1:
            self._drawn = time.monotonic()
            self._table.update(_campaign(tallies, elapsed, rate, doing), refresh=True)

    def done(self) -> None:
        if self._table is not None:
            self._table.stop()
            self._table = None
        super().done()


def _campaign(tallies: Sequence[Tally], elapsed: float, rate: float, doing: str) -> Group:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for name in ("provider", "valid", "malformed", "/s", "findings"):
        table.add_column(name, justify="left" if name == "provider" else "right", no_wrap=True)
    for tally in tallies:
        if not tally.none:
            speed = f"{tally.sent / tally.seconds:,.0f}" if tally.seconds else ""
            found = Text(str(len(tally.findings) or ""), style="bold red")
            table.add_row(tally.provider, f"{tally.valid:,}", f"{tally.malformed:,}", speed, found)
    sent = sum(tally.sent for tally in tallies)
    return Group(table, Text(f"{elapsed:.0f} s, {sent:,} stanzas, {rate:,.0f}/s, {doing}", style="bold"))
