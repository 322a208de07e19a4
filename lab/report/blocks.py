"""What the reports on a terminal are put together from: signs, pairs of label and text, a thing in a line, a list."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from lab.report import words
from lab.report.visible import cut, plain
from lab.robustness import Robust
from lab.rows import RowOutcome
from lab.verdict import Outcome

IN_FULL = 12  # of a kind, that are shown with all they have
IN_BRIEF = 60  # then a line each, up to this many
ANSWER = 400  # characters of expected and seen

STYLES: dict[str, str] = {
    Outcome.PASS: "green",
    Outcome.NON_STRICT: "yellow",
    Outcome.FAIL: "bold red",
    Outcome.CRASH: "bold red",
    Outcome.ERROR: "bold magenta",
    Outcome.UNSUPPORTED: "blue",
    Outcome.IMPOSSIBLE: "dim",
    RowOutcome.NOT_TESTED: "dim",
    Robust.FLAKY: "yellow",
}


def sign(outcome: Outcome | RowOutcome | Robust, said: str = "") -> Text:
    """`✗ fail`, in its colour; with another word than its own, if there is one."""
    return Text(f"{words.SIGNS[outcome]} {said or outcome}", style=STYLES[outcome])


def pairs(said: Mapping[str, str], console: Console, *, indent: int = 2, width: int | None = 8) -> None:
    """Label and text, a pair a line; those without a text are left out."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True, width=width)
    grid.add_column(overflow="fold")
    for label, text in said.items():
        if text:
            grid.add_row(label, Text(plain(text, lines=True)))
    console.print(Padding(grid, (0, 0, 0, indent)))


def replay(command: str, console: Console, *, indent: int = 2, width: int = 8) -> None:
    """Unwrapped, so that it can be copied whole from a narrow terminal and from a log."""
    label = " " * indent + "replay".ljust(width + 2)
    console.print(Text.assemble((label, "dim"), plain(command)), soft_wrap=True)


def in_a_line(mark: Text, name: str, said: str, console: Console) -> None:
    """One thing, in one line and no more."""
    line = Text.assemble("  ", mark, "  ", plain(name), "  ", (plain(cut(said, 200)), "dim"))
    line.truncate(console.width, overflow="ellipsis")
    console.print(line, no_wrap=True)


def listed(title: str, lines: tuple[str, ...], console: Console) -> None:
    """Nothing where there is nothing."""
    if lines:
        console.print(Text(f"\n{title}: {len(lines)}", style="bold"))
        for line in lines[:IN_FULL]:
            console.print(Padding(Text(plain(cut(line, ANSWER)), overflow="fold"), (0, 0, 0, 2)))
        if len(lines) > IN_FULL:
            console.print(Text(f"  … and {len(lines) - IN_FULL} more", style="dim"))
