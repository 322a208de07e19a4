"""What the records are of: subjects, cells, and each cell's records in the order of their nights.

A cell is who was judged in whose company, by which suite. Its newest record is what the site shows as current, the
others are its history. Where the newest with checks and the newest with a campaign are two, each gives its part.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256

from lab.record import CheckResult, Header, Record
from lab.report.judgement import Judgement, judge, titled
from lab.rows import RowResult
from lab.site.history import History, history
from lab.site.names import joined, path, slug
from lab.site.reading import Read, Skipped, without_evidence
from lab.verdict import ROLES, Check, Role
from schemas.suites import Level

Key = tuple[str, ...]


@dataclass(frozen=True)
class Subject:
    """An implementation in one version. `role` is its own: both sides of a pair are clients."""

    role: str
    name: str
    version: str
    label: str = field(compare=False)

    @property
    def id(self) -> str:
        return f"{slug(self.name)}_{slug(self.version)}" if self.version else slug(self.name)

    @property
    def address(self) -> str:
        return f"{self.role}s/{self.id}.html"

    @property
    def order(self) -> tuple[str, list[int], str, str]:
        """Alphabetical as a reader sees it, versions by their numbers."""
        title = self.label.removesuffix(self.version).strip().casefold()
        return title, [int(n) for n in re.findall(r"\d{1,9}", self.version)], self.version, self.name


@dataclass(frozen=True)
class Night:
    """One record of a cell. `id` names its files; `label` is how the site calls the record's own file."""

    id: str
    label: str
    record: Record


@dataclass(frozen=True)
class Cell:
    """Who is judged (`subjects`: one, or two, of a pair or a federation), on which server (None: servers alone)."""

    suite: str
    role: Role
    subjects: tuple[Subject, ...]
    server: Subject | None
    nights: tuple[Night, ...]
    """Oldest first."""

    @property
    def id(self) -> str:
        with_ = "_with_".join(s.id for s in self.subjects)
        on = f"_on_{self.server.id}" if self.server else ""
        return joined(f"{slug(self.suite.lower())}_{with_}{on}")

    @property
    def label(self) -> str:
        on = f" on {self.server.label}" if self.server else ""
        return f"{' with '.join(s.label for s in self.subjects)}{on}"

    @property
    def address(self) -> str:
        return f"{self.subjects[0].address}#{self.id}"

    @property
    def order(self) -> tuple[object, ...]:
        places = [*self.subjects, *([self.server] if self.server else [])]
        return self.suite, ROLES.index(self.role), *(s.order for s in places)

    @cached_property
    def current(self) -> Night:
        """The newest that checked something, or else the newest."""
        checked = [n for n in self.nights if n.record.results]
        return (checked or list(self.nights))[-1]

    @cached_property
    def fuzzed(self) -> Night | None:
        """The newest with a campaign."""
        return next((n for n in reversed(self.nights) if n.record.robustness or n.record.findings), None)

    @cached_property
    def judgement(self) -> Judgement:
        record = self.current.record
        if self.fuzzed and self.fuzzed is not self.current:
            told = self.fuzzed.record
            record = replace(record, robustness=told.robustness, findings=told.findings, campaign=told.campaign)
        return judge(record)

    @cached_property
    def rows(self) -> dict[str, RowResult]:
        """The rows that the cell was tried for, now."""
        return {row.row.id: row for row in _all_rows(self.judgement)}

    @cached_property
    def rows_by_night(self) -> tuple[dict[str, dict[str, str]], ...]:
        """Of each night, what each row came to, by level."""
        return tuple(
            {
                row.row.id: {level.value: row.outcome[level].value for level in Level}
                for row in (_all_rows(judge(night.record)) if night.record.results else ())
            }
            for night in self.nights
        )

    @cached_property
    def newer(self) -> tuple[Night, ...]:
        """Nights after the current one: they checked nothing."""
        return self.nights[self.nights.index(self.current) + 1 :]

    @cached_property
    def history(self) -> History:
        return history([night.record for night in self.nights])

    @cached_property
    def by_name(self) -> dict[str, CheckResult]:
        return {result.check.name: result for result in self.current.record.results}


@dataclass(frozen=True)
class Collection:
    """All that the site is made of. `cells` are in alphabetical order; nothing else orders them."""

    cells: tuple[Cell, ...]
    skipped: tuple[Skipped, ...]

    def of(self, role: Role) -> tuple[Cell, ...]:
        return tuple(cell for cell in self.cells if cell.role == role)

    @cached_property
    def subjects(self) -> dict[Subject, tuple[Cell, ...]]:
        """Every subject, with the cells that judge it; a server also where only clients were judged on it."""
        found: dict[Subject, list[Cell]] = defaultdict(list)
        for cell in self.cells:
            for subject in dict.fromkeys(cell.subjects):
                found[subject].append(cell)
            if cell.server:
                found.setdefault(cell.server, [])
        return {s: tuple(found[s]) for s in sorted(found, key=lambda s: (s.role != "server", s.order))}

    @cached_property
    def rows(self) -> dict[str, set[str]]:
        """Suite -> the rows that have a page: some cell was tried for them."""
        return {suite: {row for c in self.cells if c.suite == suite for row in c.rows} for suite in self.suites}

    @cached_property
    def suites(self) -> tuple[str, ...]:
        return tuple(sorted({cell.suite for cell in self.cells}))

    @cached_property
    def checks(self) -> dict[str, tuple[Check, tuple[Cell, ...]]]:
        """Name -> the check as the newest record has it, and the cells that have a result of it now."""
        newest: dict[str, tuple[datetime, Check]] = {}
        cells: dict[str, list[Cell]] = defaultdict(list)
        for cell in self.cells:
            at = when(cell.current.record.header.started)
            for name, result in cell.by_name.items():
                cells[name].append(cell)
                if name not in newest or newest[name][0] < at:
                    newest[name] = at, result.check
        return {name: (newest[name][1], tuple(cells[name])) for name in sorted(cells)}

    @cached_property
    def at(self) -> dict[str, str]:
        """Name of a check -> its page."""
        return {name: f"checks/{path(name)}.html" for name in self.checks}


def _all_rows(judgement: Judgement) -> tuple[RowResult, ...]:
    """The rows of the suite, and the informational ones, which have pages of the same kind."""
    return judgement.rows + judgement.informational


def gather(read: Iterable[Read | Skipped]) -> Collection:
    """Records put into their cells. Evidence of all but the newest of a cell is let go of while reading."""
    skipped: list[Skipped] = []
    older: dict[Key, list[Read]] = defaultdict(list)
    newest: dict[Key, Read] = {}
    titles: dict[Key, str] = {}
    for one in read:
        if isinstance(one, Skipped):
            skipped.append(one)
            continue
        key = _key(one.record.header)
        titles |= _titles(one.record.header)
        known = newest.get(key)
        if known is None:
            newest[key] = one
            continue
        newest[key], old = (one, known) if _order(one) > _order(known) else (known, one)
        older[key].append(Read(old.label, without_evidence(old.record)))
    cells = []
    for key, last in newest.items():
        kept, again = _told_apart(sorted([*older[key], last], key=_nights_order))
        skipped += again
        cells.append(_cell(kept, titles))
    return Collection(tuple(sorted(cells, key=lambda cell: cell.order)), tuple(skipped))


def when(started: str) -> datetime:
    """A header's time; what is none comes before all others."""
    try:
        at = datetime.fromisoformat(started)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _order(read: Read) -> tuple[bool, datetime, str, str]:
    """By time, but whatever checked something comes behind what did not: it is what is shown as current."""
    return bool(read.record.results), *_nights_order(read)


def _nights_order(read: Read) -> tuple[datetime, str, str]:
    return when(read.record.header.started), read.record.header.started, read.label


def _key(header: Header) -> Key:
    people = (header.subject, *header.peers)
    return (header.suite, header.role, *(part for p in people for part in _named(p)))


def _told_apart(nights: list[Read]) -> tuple[list[tuple[str, Read]], list[Skipped]]:
    """Each record with a name that no other of its cell has; one that is there twice, once."""
    kept: dict[str, Read] = {}
    again: list[Skipped] = []
    for night in nights:
        header = night.record.header
        at = when(header.started)
        stamp = f"{at:%Y%m%dT%H%M%S}" if at.year > 1 else slug(header.started)
        facts = replace(without_evidence(night.record), path=night.record.path.parent / "same")
        same = [n for s, n in kept.items() if s.startswith(stamp) and _same(n.record, facts)]
        if same:
            again.append(Skipped(night.label, f"it is the same record as {same[0].label}"))
            continue
        if stamp in kept:
            stamp = f"{stamp}-{sha256(repr(facts).encode('utf-8', 'surrogatepass')).hexdigest()[:10]}"
        kept[stamp] = night
    return list(kept.items()), again


def _same(one: Record, other: Record) -> bool:
    return replace(without_evidence(one), path=other.path) == other


def _titles(header: Header) -> dict[Key, str]:
    """What each one of a record is called; where it stands as a peer, its title may be missing."""
    return {_named(s): titled(s) for s in (header.subject, *header.peers) if s.get("title")}


def _named(subject: Mapping[str, str]) -> tuple[str, str]:
    return subject["name"], subject.get("version", "")


def _cell(nights: list[tuple[str, Read]], titles: Mapping[Key, str]) -> Cell:
    header = nights[-1][1].record.header

    def subject(facts: Mapping[str, str], role: str) -> Subject:
        return Subject(role, *_named(facts), titles.get(_named(facts)) or titled(facts))

    of_servers = header.role in {"server", "federation"}
    people = [subject(header.subject, "server" if of_servers else "client")]
    server = None
    for place, peer in enumerate(header.peers):
        usual = "server" if place == len(header.peers) - 1 else "client"
        role = "server" if peer.get("role", usual) == "server" else "client"
        if role == "server" and not of_servers:
            server = subject(peer, role)
        else:
            people.append(subject(peer, role))
    cell = Cell(header.suite, header.role, tuple(people), server, ())
    named = tuple(Night(f"{cell.id}_{stamp}", read.label, read.record) for stamp, read in nights)
    return replace(cell, nights=named)
