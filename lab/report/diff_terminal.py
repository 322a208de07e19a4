"""A difference between two records on a terminal: what was compared, rows, then the groups, the worst first."""

from __future__ import annotations

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from lab.report import changes
from lab.report.blocks import ANSWER, IN_BRIEF, IN_FULL, pairs, replay
from lab.report.changes import Entry, Group
from lab.report.diff import Difference
from lab.report.visible import cut, plain


def rendered(difference: Difference, console: Console) -> None:
    """Print it."""
    pairs({"before": changes.what(difference.before), "after": changes.what(difference.after)}, console, indent=0)
    for line in difference.unfinished:
        console.print(Text(f"!! {plain(line)}", style="bold white on red"))
    _contrasts(difference, console)
    _rows(difference, console)
    for group in changes.groups(difference):
        _group(group, console)
    style = "bold red" if difference.worse else "bold green"
    console.print(Text(f"\n{plain(changes.headline(difference))}", style=style))


def _contrasts(difference: Difference, console: Console) -> None:
    if difference.contrasts:
        console.print(Text("\nNot the same in both", style="bold"))
        said = {c.what: f"{cut(c.before, ANSWER)} → {cut(c.after, ANSWER)}" for c in difference.contrasts}
        pairs(said, console, width=None)


def _rows(difference: Difference, console: Console) -> None:
    if not difference.rows:
        return
    console.print(Text(f"\nRows ({len(difference.rows)})", style="bold"))
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
    for change in difference.rows:
        style = "red" if change.worse else "green"
        table.add_row(change.row, change.level, Text(changes.row_said(change), style=style))
    console.print(Padding(table, (0, 0, 0, 2)))


def _group(group: Group, console: Console) -> None:
    console.print(Text(f"\n{group.title} ({len(group.entries)})", style="bold red" if group.loud else "bold"))
    for entry in group.entries[:IN_FULL]:
        _entry(entry, console, loud=group.loud)
    for entry in group.entries[IN_FULL:IN_BRIEF]:
        _head(entry, console, loud=group.loud)
    if len(group.entries) > IN_BRIEF:
        console.print(Text(f"  … and {len(group.entries) - IN_BRIEF} more", style="dim"))


def _head(entry: Entry, console: Console, *, loud: bool) -> None:
    name = (plain(cut(entry.name, ANSWER)), "bold" if loud else "")
    line = Text.assemble(name, "  " if entry.name else "", plain(cut(entry.said, ANSWER)), overflow="fold")
    console.print(Padding(line, (0, 0, 0, 2)))


def _entry(entry: Entry, console: Console, *, loud: bool) -> None:
    _head(entry, console, loud=loud)
    details = {label: cut(text, ANSWER) for label, text in entry.details.items() if text}
    command = details.pop("replay", "")
    pairs(details, console, indent=4)
    if command:
        replay(command, console, indent=4)
