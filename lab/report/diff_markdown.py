"""A difference between two records as Markdown: for a pull request, or a step's summary on GitHub."""

from __future__ import annotations

from collections.abc import Iterator

from lab.report import changes
from lab.report.changes import Entry, Group
from lab.report.diff import Difference
from lab.report.markdown import code, table, text

IN_FULL = 20  # entries of a group
IN_BRIEF = 100


def rendered(difference: Difference) -> str:
    """The document. Whatever a subject sent stays text."""
    return "\n".join(_lines(difference)) + "\n"


def _lines(difference: Difference) -> Iterator[str]:
    yield f"## {text(changes.headline(difference))}"
    yield ""
    yield f"Before: {code(changes.what(difference.before))}  "
    yield f"After: {code(changes.what(difference.after))}"
    for line in difference.unfinished:
        yield ""
        yield f"**Not finished:** {text(line)}"
    contrasts = [(text(c.what), code(c.before), code(c.after)) for c in difference.contrasts]
    yield from table(("not the same", "before", "after"), contrasts)
    yield from rows(difference)
    for group in changes.groups(difference):
        yield from _group(group)


def rows(difference: Difference) -> list[str]:
    """The rows of the suite that changed, as a table; nothing where none did."""
    return table(
        ("row", "level", "before", "after"),
        [
            (code(r.row), r.level.value, r.before.value, f"**{r.after}**{' (in part)' if r.partial else ''}")
            for r in difference.rows
        ],
    )


def _group(group: Group) -> Iterator[str]:
    yield ""
    yield f"### {group.title}: {len(group.entries)}"
    yield ""
    for number, entry in enumerate(group.entries[:IN_BRIEF]):
        yield from entry_lines(entry, brief=number >= IN_FULL)
    if len(group.entries) > IN_BRIEF:
        yield f"- … and {len(group.entries) - IN_BRIEF} more"


def entry_lines(entry: Entry, *, brief: bool = False) -> Iterator[str]:
    """A check or a finding as a point of a list, what is known of it beneath."""
    yield f"- {code(entry.name)} {text(entry.said)}".replace("-  ", "- ").rstrip()
    if not brief:
        for label, said in entry.details.items():
            if said:
                yield f"  - {label}: {text(said) if label == 'asks' else code(said)}"
