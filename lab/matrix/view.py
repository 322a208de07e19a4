"""A matrix on a terminal: a table that lives while somebody watches, a line a change elsewhere.

Names are the subjects' own, and words the cells': nothing of them is trusted.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from lab.matrix.growth import Counts, Growth
from lab.matrix.ledger import Entry, Ledger, State
from lab.report.visible import cut, plain

SHOWN = 300  # characters of a reason
EVERY = 0.25  # seconds between two drawings of a live table
STYLES = {
    State.WAITING: "dim",
    State.RUNNING: "cyan",
    State.EXPECTED: "green",
    State.UNEXPECTED: "bold red",
    State.INTERRUPTED: "yellow",
}
FAILED = "bold yellow"  # all other states: nothing is known of the subject
SIGNS = {
    State.WAITING: "·",
    State.RUNNING: "▸",
    State.EXPECTED: "✓",
    State.UNEXPECTED: "✗",
    State.INTERRUPTED: "-",
}


class MatrixDisplay:
    """Shows a matrix as it runs; `quiet` shows nothing."""

    def __init__(self, console: Console, *, verbose: bool = False, quiet: bool = False) -> None:
        self._console, self._verbose, self._quiet = console, verbose, quiet
        self._live = Live(console=console, transient=True, auto_refresh=False) if console.is_terminal else None
        self._live = None if quiet else self._live
        self.every = EVERY if self._live else None
        self._entries: tuple[Entry, ...] = ()
        self._counts: dict[str, Counts] = {}
        self._began: dict[str, float] = {}
        self._step = ""

    def begins(self, entries: Sequence[Entry]) -> None:
        self._entries = tuple(entries)
        before = sum(entry.state.result for entry in entries)
        if before:
            self._say(f"{before} of {counted(len(entries), 'cell')} are done already, and are not run again")
        if self._live:
            self._live.start()

    def step(self, text: str) -> None:
        self._step = text
        if self._live:
            self._draw()
        else:
            self._say(text)

    def detail(self, text: str) -> None:
        if self._verbose:
            self._say(text)

    def changed(self, entry: Entry, counts: Counts) -> None:
        """A cell began, or ended: a line, as it scrolls away above a live table, too."""
        name = entry.cell.name
        self._step = ""
        if entry.state is State.RUNNING:
            self._began[name] = time.monotonic()
            self._counts.pop(name, None)
        else:
            self._counts[name] = counts
        if not self._live or entry.state is not State.RUNNING:
            self._say(line(entry, counts))

    def shows(self, entries: Mapping[str, Entry], counts: Mapping[str, Counts]) -> None:
        self._entries = tuple(entries.values())
        self._counts |= counts
        if self._live:
            self._draw()

    def ends(self) -> None:
        if self._live:
            self._live.stop()

    def _draw(self) -> None:
        if self._live:
            now = time.monotonic()
            seconds = {name: now - began for name, began in self._began.items()}
            # Those that run stand first: a table that is longer than the terminal is cut at its end.
            entries = sorted(self._entries, key=lambda entry: entry.state is not State.RUNNING)
            drawn = table(entries, self._counts, seconds)
            foot = Text(plain(self._step) or totals(self._entries), style="bold")
            self._live.update(Group(drawn, foot), refresh=True)

    def _say(self, text: str) -> None:
        if not self._quiet:
            self._console.print(Text(plain(text)), soft_wrap=True)


def table(entries: Iterable[Entry], counts: Mapping[str, Counts], seconds: Mapping[str, float]) -> Table:
    """A line a cell. `seconds` says how long those have run that run."""
    made = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    made.add_column("cell", overflow="fold")
    made.add_column("", no_wrap=True)
    for name in ("seconds", "passed", "failed", "of"):
        made.add_column(name, justify="right", no_wrap=True)
    for entry in entries:
        count = counts.get(entry.cell.name, Counts())
        lasted = seconds.get(entry.cell.name, 0.0) if entry.state is State.RUNNING else entry.duration
        made.add_row(
            Text(plain(str(entry.cell))),
            state(entry),
            f"{lasted:.0f}" if lasted else "",
            str(count.passed) if count.ended else "",
            Text(str(count.failed or "") if count.ended else "", style="bold red"),
            str(count.selected or ""),
        )
    return made


def state(entry: Entry) -> Text:
    """A cell's state, with the number of its try where that is not the first."""
    sign = SIGNS.get(entry.state, "!")
    return Text(f"{sign} {entry.state}{_try(entry)}", style=STYLES.get(entry.state, FAILED))


def line(entry: Entry, counts: Counts) -> str:
    """A cell's state in a line."""
    said = f"{entry.cell}: {entry.state}{_try(entry)}"
    if entry.state not in {State.RUNNING, State.WAITING}:
        said += f", {entry.duration:.0f} s"
    if counts.ended:
        said += f", {counts.passed} passed, {counts.failed} failed of {counts.selected}"
    why = entry.reason.strip().splitlines()
    return f"{said}: {cut(why[0], SHOWN)}" if why else said


def report(ledger: Ledger, console: Console) -> None:
    """A matrix that has ended: the table, why cells came to nothing, and the totals."""
    entries = tuple(ledger.entries.values())
    counts = {entry.cell.name: Growth(ledger.folder / entry.record).look() for entry in entries if entry.record}
    console.print(table(entries, counts, {}))
    for entry in entries:
        if entry.reason:
            console.print()
            console.print(Text.assemble((plain(str(entry.cell)), "bold"), ": ", state(entry)))
            console.print(Text(cut(plain(entry.reason, lines=True), SHOWN * 4)), soft_wrap=True)
        for tried in entry.attempts[:-1]:
            why = tried.reason.strip().splitlines()
            said = f"{entry.cell.name}, try {tried.number}: {tried.state}, {tried.duration:.0f} s"
            console.print(Text(plain(f"{said}{f': {why[0]}' if why else ''}"), style="dim"), soft_wrap=True)
    for note in ledger.notes:
        console.print(Text(plain(note), style="yellow"), soft_wrap=True)
    console.print(Text(totals(entries), style="bold"))


def totals(entries: Sequence[Entry]) -> str:
    """How many cells came to what."""
    found = Counter(entry.state for entry in entries)
    parts = [f"{found[state]} {state}" for state in State if found[state]]
    return f"{counted(len(entries), 'cell')}: {', '.join(parts)}"


def _try(entry: Entry) -> str:
    """` (2nd try)`, where it is not the first."""
    number = len(entry.attempts)
    if number < 2 or entry.state is State.WAITING:
        return ""
    teens = 10 <= number % 100 < 20
    ending = "th" if teens else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f" ({number}{ending} try)"


def counted(number: int, noun: str) -> str:
    """`1 cell`, `2 cells`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
