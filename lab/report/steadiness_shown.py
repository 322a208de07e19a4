"""How steady several runs are, on a terminal and as Markdown: the runs in a table, then each check that wavers."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from lab.report import words
from lab.report.blocks import ANSWER, STYLES, pairs
from lab.report.markdown import code, table, text
from lab.report.steadiness import Run, Steadiness
from lab.report.visible import cut, plain

COLUMNS = ("run", "started", "checks", "seconds", "a second", "unexpected")


def on_terminal(found: Steadiness, console: Console) -> None:
    """Print it."""
    shown = Table(*COLUMNS, box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for number, run in enumerate(found.runs, 1):
        shown.add_row(*(plain(cell) for cell in _cells(number, run)))
    console.print(shown)
    for one in found.wavering:
        console.print(
            Text.assemble("\n", (plain(one.name), "bold"), ("  listed as flaky" if one.listed else "", "dim"))
        )
        for outcome in one.counts:
            said = Text(f"{words.SIGNS[outcome]} {one.said(outcome)}", style=STYLES[outcome])
            console.print(Padding(said, (0, 0, 0, 2)))
        pairs({"seen": cut(one.seen, ANSWER)}, console)
    console.print(Text(f"\n{plain(found.headline)}", style="bold green" if found.steady else "bold red"))


def as_markdown(found: Steadiness) -> str:
    """The document. Whatever a subject sent stays text."""
    return "\n".join(_lines(found)) + "\n"


def _lines(found: Steadiness) -> Iterator[str]:
    yield f"## {text(found.headline)}"
    yield from table(COLUMNS, [tuple(text(cell) for cell in _cells(n, run)) for n, run in enumerate(found.runs, 1)])
    yield from table(
        ("check", "came to", "seen"),
        [
            (
                code(one.name) + (" (listed as flaky)" if one.listed else ""),
                "; ".join(text(one.said(outcome)) for outcome in one.counts),
                code(one.seen),
            )
            for one in found.wavering
        ],
    )


def _cells(number: int, run: Run) -> tuple[str, ...]:
    unfinished = "" if run.finished else " (did not finish)"
    duration, pace = (f"{run.duration:.0f}", f"{run.pace:.1f}") if run.finished else ("", "")
    started = words.instant(run.started)
    return (str(number), started + unfinished, f"{run.checks:,}", duration, pace, str(run.unexpected))
