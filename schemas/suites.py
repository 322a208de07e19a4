"""The XMPP Compliance Suites as data: which provider is asked of which role at which level.

Read from `suites/*.toml`, one file a year. What a run makes of a row (met, failed, not tested) is not known
here.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache, cached_property
from pathlib import Path

from lab.errors import UsageError
from schemas import sections, tables
from schemas.tables import Table

FOLDER = Path(__file__).parent / "suites"
INFORMATIONAL = "informational"
"""The category of what a suite only mentions: of note, or of the future. No row asks for it, and nothing gates."""
BEYOND = ("XEP-0220", "XEP-0288")
"""What no suite mentions, and federation cannot do without, or uses: told beside what is mentioned, and it gates."""


class Role(StrEnum):
    SERVER = "server"
    CLIENT = "client"


class Level(StrEnum):
    CORE = "core"
    ADVANCED = "advanced"


class Mark(StrEnum):
    """What a suite asks of one role at one level."""

    REQUIRED = "required"
    NOT_REQUIRED = "not-required"
    NOT_APPLICABLE = "N/A"


class Listing(StrEnum):
    """How a provider stands in its row; only the listed ones are asked for."""

    LISTED = "listed"
    SEE_ALSO = "see-also"


class Combine(StrEnum):
    """How many of the listed providers a row asks for."""

    ALL = "all"
    ONE_OF = "one-of"


Place = tuple[Role, Level]  # one of the four cells of a row
PLACES: tuple[Place, ...] = tuple((role, level) for level in Level for role in Role)


@dataclass(frozen=True)
class Provider:
    """A specification behind a row. `id` is `RFC 6120` or `XEP-0030`; `footnotes` are keys of the suite's."""

    id: str
    title: str
    role: Listing = Listing.LISTED
    remark: str = ""
    footnotes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """One feature line of a suite. `id` is the same in every year: `core/feature-discovery`."""

    id: str
    feature: str
    providers: tuple[Provider, ...]
    marks: Mapping[Place, Mark] = field(hash=False)
    footnotes: Mapping[Place, tuple[str, ...]] = field(hash=False)
    combine: Mapping[Place, Combine] = field(hash=False)

    @property
    def category(self) -> str:
        return self.id.partition("/")[0]

    @property
    def listed(self) -> tuple[Provider, ...]:
        """The providers that the row asks for."""
        return tuple(p for p in self.providers if p.role is Listing.LISTED)

    @property
    def measured(self) -> dict[str, tuple[str, ...]]:
        """The ids of the listed providers, each with the ids of those whose checks it is measured by.

        Those are itself, and what the suite says to see behind it: who asks for XEP-0206 asks for XEP-0124 below it.
        """
        found: dict[str, tuple[str, ...]] = {}
        last = ""
        for provider in self.providers:
            last = provider.id if provider.role is Listing.LISTED else last
            if last:
                found[last] = (*found.get(last, ()), provider.id)
        return found

    @property
    def measuring(self) -> frozenset[str]:
        """The ids of all providers whose checks this row is measured by."""
        return frozenset(name for names in self.measured.values() for name in names)

    def required(self, role: Role, level: Level) -> bool:
        return self.marks[role, level] is Mark.REQUIRED

    def combine_for(self, role: Role, level: Level) -> Combine:
        return self.combine[role, level]


@dataclass(frozen=True)
class Note:
    """A hint of the suite that no row asks for: our words, and the specifications that it names.

    `also` are those that it does not name, and that what it names stands upon, or that took its place since.
    """

    text: str
    specifications: tuple[str, ...]
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class Category:
    """`requires` names the categories whose rows must be met as well."""

    id: str
    title: str
    requires: tuple[str, ...]
    of_note: tuple[Note, ...]


@dataclass(frozen=True)
class Suite:
    """One year's suite. `rule` says when a row is met; `footnotes` maps their keys to our words."""

    year: int
    name: str
    title: str
    xep: str
    version: str
    date: datetime.date
    status: str
    supersedes: tuple[str, ...]
    superseded_by: tuple[str, ...]
    rule: str
    categories: tuple[Category, ...]
    rows: tuple[Row, ...]
    future: tuple[Note, ...]
    footnotes: Mapping[str, str] = field(hash=False)

    @cached_property
    def informational(self) -> tuple[Row, ...]:
        """A row for each specification that is mentioned, or beyond the suite, and no row of its own is measured by.

        They are required nowhere: what they come to is told, and changes no row of the suite.
        """
        asked = frozenset(name for row in self.rows for name in row.measuring)
        return tuple(_informational(name) for name in (*self._named, *BEYOND) if name not in asked)

    @cached_property
    def _named(self) -> tuple[str, ...]:
        notes = [note for category in self.categories for note in category.of_note]
        return tuple(
            dict.fromkeys(name for note in (*notes, *self.future) for name in (*note.specifications, *note.also))
        )

    @cached_property
    def mentioned(self) -> frozenset[str]:
        """The providers of the informational rows that change no exit code either: those that the suite mentions."""
        told = {provider.id for row in self.informational for provider in row.providers}
        return frozenset(told.intersection(self._named))

    def row(self, row_id: str) -> Row:
        """The row of that id, an informational one, too. Raises UsageError with the nearest ids."""
        rows = (*self.rows, *self.informational)
        for row in rows:
            if row.id == row_id:
                return row
        raise UsageError(f"{self.name} has no row {row_id!r}", hint=tables.nearest(row_id, (row.id for row in rows)))

    def category(self, category_id: str) -> Category:
        """The category of that id. Raises UsageError with the nearest ids."""
        for category in self.categories:
            if category.id == category_id:
                return category
        raise UsageError(
            f"{self.name} has no category {category_id!r}",
            hint=tables.nearest(category_id, (category.id for category in self.categories)),
        )

    def select(
        self, role: Role | None = None, level: Level | None = None, category: str | None = None
    ) -> tuple[Row, ...]:
        """The rows of a category that say something (not N/A) to a role at a level; None stands for any.

        Those that are informational are in none of them.

        Raises UsageError when there is no such category.
        """
        if category is not None:
            self.category(category)
        places = chosen(role, level)
        return tuple(
            row
            for row in self.rows
            if category in (None, row.category)
            and any(row.marks[place] is not Mark.NOT_APPLICABLE for place in places)
        )

    def rows_of(self, provider_id: str) -> tuple[Row, ...]:
        """The rows that ask for a provider, itself or below another; of one that none asks for, the informational."""
        return tuple(row for row in (*self.rows, *self.informational) if provider_id in row.measuring)


def chosen(role: Role | None, level: Level | None) -> tuple[Place, ...]:
    """The cells that a role and a level leave, in the suites' own order; None stands for any."""
    return tuple(place for place in PLACES if role in (None, place[0]) and level in (None, place[1]))


def years() -> tuple[int, ...]:
    """The years of the suites that the lab knows, oldest first."""
    return tuple(sorted(int(path.stem.removeprefix("cs")) for path in FOLDER.glob("cs*.toml")))


@cache
def load(year: int) -> Suite:
    """The suite of a year. Raises UsageError when there is none, or when its file is broken."""
    if year not in years():
        raise UsageError(
            f"there is no suite of {year}", hint=f"known years: {', '.join(str(known) for known in years())}"
        )
    return read(FOLDER / f"cs{year}.toml")


def read(path: Path) -> Suite:
    """Read a suite's file. Raises UsageError naming the file and the line or the field that is wrong."""
    top = tables.read(path)
    footnotes = top.table("footnotes")
    suite = Suite(
        year=top.number("year"),
        name=top.text("name"),
        title=top.text("title"),
        xep=top.text("xep"),
        version=top.text("version"),
        date=top.date("date"),
        status=top.text("status"),
        supersedes=top.texts("supersedes"),
        superseded_by=top.texts("superseded-by"),
        rule=top.text("rule"),
        footnotes={key: footnotes.text(key) for key in footnotes},
        categories=tuple(_category(table) for table in top.tables("category", "id")),
        rows=tuple(_row(table) for table in top.tables("row", "id")),
        future=tuple(_note(table) for table in top.tables("future", "text")),
    )
    top.done()
    _whole(suite, top)
    return suite


def _category(table: Table) -> Category:
    category = Category(
        id=table.text("id"),
        title=table.text("title"),
        requires=table.texts("requires"),
        of_note=tuple(_note(note) for note in table.tables("of-note", "text")),
    )
    table.done()
    return category


def _note(table: Table) -> Note:
    note = Note(table.text("text"), table.texts("specifications"), table.texts("also"))
    table.done()
    return note


def _row(table: Table) -> Row:
    marks = {level: table.table(level) for level in Level}
    notes, combine = table.table("footnotes"), table.table("combine")
    notes_at = {level: notes.table(level) for level in Level}
    combine_at = {level: combine.table(level) for level in Level}
    row = Row(
        id=table.text("id"),
        feature=table.text("feature"),
        providers=tuple(_provider(provider) for provider in table.tables("providers", "id")),
        marks={(role, level): marks[level].choice(role, Mark) for role, level in PLACES},
        footnotes={(role, level): notes_at[level].texts(role) for role, level in PLACES},
        combine={(role, level): combine_at[level].choice(role, Combine, Combine.ALL) for role, level in PLACES},
    )
    for part in (table, notes, combine, *marks.values(), *notes_at.values(), *combine_at.values()):
        part.done()
    if not row.listed:
        table.fail("providers", "must list one at least")
    return row


def _provider(table: Table) -> Provider:
    provider = Provider(
        id=table.text("id"),
        title=table.text("title"),
        role=table.choice("role", Listing, Listing.LISTED),
        remark=table.text("remark", ""),
        footnotes=table.texts("footnotes"),
    )
    table.done()
    return provider


def _informational(provider: str) -> Row:
    title = sections.load(provider).title if provider in sections.providers() else provider
    return Row(
        id=f"{INFORMATIONAL}/{provider.lower().replace(' ', '-')}",
        feature=title,
        providers=(Provider(provider, title),),
        marks=dict.fromkeys(PLACES, Mark.NOT_REQUIRED),
        footnotes=dict.fromkeys(PLACES, ()),
        combine=dict.fromkeys(PLACES, Combine.ALL),
    )


def _whole(suite: Suite, top: Table) -> None:
    """The parts of a suite refer to each other: ids once only, categories and footnotes that exist."""
    known = {category.id for category in suite.categories}
    seen: set[str] = set()
    for row in suite.rows:
        if row.id in seen:
            top.fail(f"row {row.id}", "stands there twice")
        if row.category not in known:
            top.fail(f"row {row.id}", f"is of an unknown category; known: {', '.join(sorted(known))}")
        keys = [key for keys in row.footnotes.values() for key in keys]
        keys += [key for provider in row.providers for key in provider.footnotes]
        for key in keys:
            if key not in suite.footnotes:
                top.fail(f"row {row.id}: footnote {key!r}", "is not in the table of footnotes")
        seen.add(row.id)
