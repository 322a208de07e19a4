"""A suite for reading: a table for the terminal, and the same as JSON.

What is asked for stands here; how a server did against it is the run's report.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from schemas.suites import Category, Level, Listing, Mark, Note, Place, Provider, Role, Row, Suite, chosen

WIDE = 110  # columns from which the providers' titles have room
SIGNS = {Mark.REQUIRED: "✓", Mark.NOT_REQUIRED: "✕", Mark.NOT_APPLICABLE: "N/A"}
STYLES = {Mark.REQUIRED: "green", Mark.NOT_REQUIRED: "", Mark.NOT_APPLICABLE: "dim"}
RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def as_json(
    suite: Suite, role: Role | None = None, level: Level | None = None, category: str | None = None
) -> dict[str, Any]:
    """The chosen part of a suite, for machines. None stands for any. Raises UsageError: no such category."""
    rows = suite.select(role, level, category)
    places = chosen(role, level)
    return {
        "suite": suite.name,
        "year": suite.year,
        "title": suite.title,
        "xep": suite.xep,
        "version": suite.version,
        "date": suite.date.isoformat(),
        "status": suite.status,
        "rule": suite.rule,
        "rows": [_row_as_json(row, places) for row in rows],
        "footnotes": {key: suite.footnotes[key] for key in _used(rows, places)},
        "categories": [_category_as_json(part) for part in _categories(suite, category)],
        "future_development": [_note_as_json(note) for note in suite.future],
    }


def _row_as_json(row: Row, places: tuple[Place, ...]) -> dict[str, Any]:
    cells: dict[str, dict[str, Any]] = {}
    for role, level in places:
        cells.setdefault(level, {})[role] = {
            "mark": row.marks[role, level],
            "combine": row.combine_for(role, level),
            "footnotes": list(row.footnotes[role, level]),
        }
    return {
        "id": row.id,
        "category": row.category,
        "feature": row.feature,
        "levels": cells,
        "providers": [
            {
                "id": provider.id,
                "title": provider.title,
                "role": provider.role,
                "remark": provider.remark,
                "footnotes": list(provider.footnotes),
            }
            for provider in row.providers
        ],
    }


def _category_as_json(category: Category) -> dict[str, Any]:
    return {
        "id": category.id,
        "title": category.title,
        "requires": list(category.requires),
        "specifications_of_note": [_note_as_json(note) for note in category.of_note],
    }


def _note_as_json(note: Note) -> dict[str, Any]:
    return {"text": note.text, "specifications": list(note.specifications)}


def render(suite: Suite, role: Role | None = None, level: Level | None = None, category: str | None = None) -> Page:
    """The chosen part of a suite, for the terminal. None stands for any. Raises UsageError: no such category."""
    rows = suite.select(role, level, category)
    return Page(suite, rows, chosen(role, level), category)


class Page:
    """A rich renderable: head, table, footnotes, and what the suite mentions beside its rows."""

    def __init__(self, suite: Suite, rows: tuple[Row, ...], places: tuple[Place, ...], category: str | None):
        self._suite = suite
        self._rows = rows
        self._places = places
        self._category = category
        remarks = [provider.remark for row in rows for provider in row.providers if provider.remark]
        self._notes = {key: suite.footnotes[key] for key in _used(rows, places)} | {r: r for r in remarks}
        self._numbers = {key: str(number) for number, key in enumerate(self._notes, 1)}

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        suite = self._suite
        yield Text.assemble((suite.name, "bold"), f"  {suite.title}")
        yield Text(f"{suite.xep} version {suite.version}, {suite.date}, {suite.status}", style="dim")
        yield Text(suite.rule, style="dim")
        for category in _categories(suite, self._category):
            rows = [row for row in self._rows if row.category == category.id]
            if rows:
                yield Text()
                yield self._head(category)
                yield self._table(rows, wide=options.max_width >= WIDE)
        yield from self._below()

    def _head(self, category: Category) -> Text:
        also = f"  (with every row of {', '.join(category.requires)})" if category.requires else ""
        return Text.assemble((category.title, "bold"), (also, "dim"))

    def _table(self, rows: list[Row], *, wide: bool) -> Table:
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, expand=True, header_style="dim")
        table.add_column("row", ratio=1, min_width=40 if wide else None, overflow="fold")
        for role, level in self._places:
            table.add_column(f"{level.replace('advanced', 'adv.')}\n{role}", width=6, no_wrap=True)
        table.add_column("providers", ratio=2 if wide else None, overflow="fold")
        for row in rows:
            name = Text.assemble(row.feature, "\n", (row.id, "dim"))
            cells = [self._cell(row, place) for place in self._places]
            table.add_row(name, *cells, self._providers(row, wide=wide))
        return table

    def _cell(self, row: Row, place: Place) -> Text:
        mark = row.marks[place]
        return Text(SIGNS[mark] + self._raised(row.footnotes[place]), style=STYLES[mark])

    def _providers(self, row: Row, *, wide: bool) -> Text:
        return Text("\n").join(self._provider(provider, wide=wide) for provider in row.providers)

    def _provider(self, provider: Provider, *, wide: bool) -> Text:
        notes = (*provider.footnotes, provider.remark) if provider.remark else provider.footnotes
        line = Text("see " if provider.role is Listing.SEE_ALSO else "", style="dim")
        line.append(provider.id + self._raised(notes), style="default")
        if wide and provider.title != provider.id:
            line.append(f"  {provider.title}")
        return line

    def _raised(self, keys: Iterable[str]) -> str:
        """Footnote marks, as raised numbers."""
        return " ".join(self._numbers[key] for key in keys).translate(RAISED)

    def _below(self) -> Iterator[Text | Table]:
        yield Text("\n✓ required  ✕ not required  N/A does not apply", style="dim")
        yield from _listing("", [(self._numbers[key], words) for key, words in self._notes.items()])
        notes = [note for part in _categories(self._suite, self._category) for note in part.of_note]
        yield from _listing("Of note, not asked for", [("·", _in_words(note)) for note in notes])
        if self._category is None:
            future = [("·", _in_words(note)) for note in self._suite.future]
            yield from _listing("Later suites may ask for", future)


def _listing(title: str, lines: list[tuple[str, str]]) -> Iterator[Text | Table]:
    if not lines:
        return
    if title:
        yield Text(f"\n{title}", style="bold")
    listing = Table.grid(padding=(0, 1, 0, 0))
    for sign, words in lines:
        listing.add_row(Text(sign, style="dim"), Text(words))
    yield listing


def _in_words(note: Note) -> str:
    return f"{note.text} ({', '.join(note.specifications)})"


def _categories(suite: Suite, category: str | None) -> tuple[Category, ...]:
    return suite.categories if category is None else (suite.category(category),)


def _used(rows: tuple[Row, ...], places: tuple[Place, ...]) -> tuple[str, ...]:
    """The footnotes of these cells and of their rows' providers, in the order of reading."""
    keys: dict[str, None] = {}
    for row in rows:
        for place in places:
            keys |= dict.fromkeys(row.footnotes[place])
        for provider in row.providers:
            keys |= dict.fromkeys(provider.footnotes)
    return tuple(keys)
