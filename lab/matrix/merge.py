"""Several matrices made one: the shares of several machines, nights that were cut short. The sources are only read.

The same cell twice: the newest record that is finished wins, and the others are kept beside it. What is no record is
set aside. The new folder is there whole or not at all.
"""

from __future__ import annotations

import filecmp
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lab import __version__, record
from lab.errors import MachineError, UsageError
from lab.matrix import ledger
from lab.matrix.ledger import CELLS, Attempt, Entry, Ledger, State
from lab.matrix.plan import Asked, Cell, Party
from lab.record import Record
from lab.starting import RECORD, now

DAMAGED = "damaged"


@dataclass(frozen=True)
class Found:
    """A cell of a source. `kept` is None where what it left cannot be read (`problem` says why), or is nothing."""

    source: Path
    name: str
    entry: Entry | None
    kept: Record | None
    problem: str = ""

    @property
    def path(self) -> Path:
        return self.source / CELLS / self.name / RECORD

    @property
    def rank(self) -> tuple[bool, bool, str]:
        """The greatest wins: a finished record before one that is not, then the newest."""
        if self.kept is None:
            return (False, False, "")
        return (
            True,
            self.kept.footer is not None,
            self.kept.footer.finished if self.kept.footer else self.kept.header.started,
        )


@dataclass(frozen=True)
class Merged:
    """What came of it; `said` has all that is not as one would expect."""

    ledger: Ledger
    records: int
    said: tuple[str, ...]


def merge(sources: Sequence[Path], out: Path) -> Merged:
    """Put the cells of several matrix folders together, in the folder `out`, which is new or empty.

    Raises UsageError (a source is no matrix folder, `out` has something in it) and MachineError (the disk is full).
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} is not empty", hint="merge into a new folder: --out FOLDER")
    said: list[str] = []
    books = [book for source in sources if (book := _book(source, said)) is not None]
    found = [one for source in sources for one in _cells(source, books, said)]
    if not found:
        raise UsageError(
            "there is nothing to merge", cause="; ".join(said), hint="docs/matrix.md says what a matrix folder is"
        )
    partial = out.with_name(f".{out.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)  # of a merge that was killed
        book, records = _written(found, books, partial, said)
        if out.exists():
            out.rmdir()
        partial.rename(out)
    except (OSError, MachineError) as error:
        shutil.rmtree(partial, ignore_errors=True)
        cause = error.cause if isinstance(error, MachineError) else str(error)
        raise MachineError(
            f"cannot write {out}", cause=cause, hint="make room and merge again: the sources are as they were"
        ) from error
    return Merged(replace(book, folder=out), records, tuple(said))


def _book(source: Path, said: list[str]) -> Ledger | None:
    """A source's ledger; None, and said, where it has none that can be read: its records count all the same."""
    if not (source / CELLS).is_dir():
        raise UsageError(f"{source} is no matrix folder", cause=f"there is no {CELLS}/ in it")
    try:
        return ledger.read(source)
    except UsageError as error:
        said.append(f"{error.message}: {error.cause}; its records are taken without it")
        return None


def _cells(source: Path, books: Sequence[Ledger], said: list[str]) -> list[Found]:
    book = next((book for book in books if book.folder == source), None)
    entries = book.entries if book else {}
    folders = {path.name for path in (source / CELLS).iterdir() if path.is_dir()}
    found = []
    for name in (*entries, *sorted(folders - set(entries))):
        path = source / CELLS / name / RECORD
        kept, problem = None, ""
        if path.exists():
            try:
                kept = record.read(path)
                said += [f"{path}, {line}: passed over" for line in kept.damage]
            except UsageError as error:
                problem = f"{error.message}: {error.cause}"
        found.append(Found(source, name, entries.get(name), kept, problem))
    return found


def _written(found: Sequence[Found], books: Sequence[Ledger], out: Path, said: list[str]) -> tuple[Ledger, int]:
    asked = books[0].asked if books else Asked()
    if any(replace(book.asked, shard="") != replace(asked, shard="") for book in books):
        said.append("the matrices were not asked for the same; each cell's record says what was run in it")
    (out / CELLS).mkdir(parents=True)
    entries = []
    for name in dict.fromkeys(one.name for one in found):
        same = [one for one in found if one.name == name]
        for number, one in enumerate((one for one in same if one.problem), 1):
            (out / DAMAGED).mkdir(exist_ok=True)
            shutil.copyfile(one.path, out / DAMAGED / f"{name}-{number}.ndjson")
            said.append(f"{one.problem}; set aside in {DAMAGED}/")
        entries.append(_merged(same, out, said))
    book = Ledger(
        out,
        lab=books[0].lab if books else __version__,
        started=min((book.started for book in books), default=now()),
        asked=replace(asked, shard=""),
        notes=tuple(dict.fromkeys(note for book in books for note in book.notes)),
    )
    book.note(*entries, finished=now())
    return book, sum(bool(entry.record) for entry in entries)


def _merged(same: Sequence[Found], out: Path, said: list[str]) -> Entry:
    """One cell, from all the sources that have it."""
    best = max(same, key=lambda one: (*one.rank, one.entry is not None and one.entry.state.result))
    folder = out / CELLS / best.name
    if best.kept is None:
        entries = [one.entry for one in same if one.entry is not None]
        tried = next((entry for entry in entries if entry.attempts), entries[0] if entries else None)
        cell = tried.cell if tried else Cell(best.name, Party(best.name, best.name, ""))
        return Entry(
            cell,
            tried.state if tried else State.BROKEN,
            tried.words if tried else (),
            reason=tried.reason if tried else best.problem,
        )
    folder.mkdir(parents=True)
    shutil.copyfile(best.path, folder / RECORD)
    for path in sorted(best.path.parent.glob("attempt-*.ndjson")):
        shutil.copyfile(path, folder / path.name)
    others = [
        one
        for one in same
        if one is not best and one.kept is not None and not filecmp.cmp(one.path, best.path, shallow=False)
    ]
    for number, one in enumerate(others, 1):
        shutil.copyfile(one.path, folder / f"other-{number}.ndjson")
        why = "newer" if best.rank[1] == one.rank[1] else "finished"
        said.append(
            f"{best.name} is in {best.source} and in {one.source}: the first is {why}, "
            f"the other is kept as other-{number}.ndjson"
        )
    return _entry(best, best.kept)


def _entry(best: Found, kept: Record) -> Entry:
    """A cell's state, as its ledger has it; from its record alone, where that has none or did not see the end."""
    place = f"{CELLS}/{best.name}/{RECORD}"
    header, footer = kept.header, kept.footer
    if best.entry is not None and (best.entry.state.result or footer is None):
        state = State.INTERRUPTED if best.entry.state is State.RUNNING else best.entry.state
        return replace(best.entry, state=state, record=place)
    subject, *peers = [
        Party(f"{one.get('name', '')}:{one.get('version', '')}", one.get("name", ""), one.get("version", ""))
        for one in (header.subject, *header.peers)
    ]
    if header.role == "federation":
        cell = Cell(best.name, subject, peer=peers[0] if peers else None)
    else:
        parties = (
            (subject,) if header.role == "server" else (peers[-1], subject, *peers[:-1]) if peers else (subject,)
        )
        cell = Cell(best.name, parties[0], parties[1:])
    if footer is None:
        return Entry(cell, State.INTERRUPTED, record=place)
    state = State.UNEXPECTED if footer.exit else State.EXPECTED
    tried = Attempt(1, state, footer.exit, header.started, footer.duration, place)
    return Entry(cell, state, attempts=(tried,), record=place)
