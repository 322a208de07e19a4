"""`matrix.json`: what a matrix was asked, and the state of each of its cells. Written anew, whole, as a cell changes.

The states are the matrix's own words: what a cell came to as a process. What was measured stands in its record.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path, PurePath
from typing import Any, Self

from lab.errors import Exit, MachineError, UsageError
from lab.matrix.plan import Asked, Cell, Party

FILE = "matrix.json"
FORMAT = 1
CELLS = "cells"


_NAME = re.compile(r"(?!\.+$)[\w.+-]+")  # a folder's, and nothing else


def _below(place: str) -> str:
    """A path below the matrix folder. Raises ValueError: it leads out of it."""
    if place and (PurePath(place).is_absolute() or ".." in PurePath(place).parts):
        raise ValueError(f"{place!r} is no place in a matrix folder")
    return place


class State(StrEnum):
    """How it stands with a cell, or how one try of it ended."""

    WAITING = "waiting"
    RUNNING = "running"
    EXPECTED = "as expected"  # a whole record, exit 0
    UNEXPECTED = "unexpected"  # a whole record, exit 1
    NOT_STARTED = "did not start"  # exit 3, an image that cannot be built: the machine, or the subject
    TIMED_OUT = "timed out"
    KILLED = "killed"  # by a signal that was not ours: the machine again
    BROKEN = "broken"  # any other end: another exit code, or no whole record behind 0 or 1
    INTERRUPTED = "interrupted"

    @property
    def result(self) -> bool:
        """Whether the cell was run to its end: such a one is not run again."""
        return self in {State.EXPECTED, State.UNEXPECTED}

    @property
    def again(self) -> bool:
        """Whether another try may come to something else: the machine was at fault, or was slow."""
        return self in {State.NOT_STARTED, State.TIMED_OUT, State.KILLED}

    @property
    def exit_code(self) -> int:
        """What a cell in this state makes of the matrix's own exit code."""
        codes = {State.EXPECTED: Exit.OK, State.UNEXPECTED: Exit.UNEXPECTED}
        return codes.get(self, Exit.MACHINE)


@dataclass(frozen=True)
class Attempt:
    """One try of a cell. `exit` is the process's exit code (negative: the signal), None where it has none.

    `duration` is in seconds, `record` a path below the matrix folder, empty where there is none; `reason` says why
    it came to no result; `process` is the process's id and start (epoch seconds) while it runs.
    """

    number: int
    state: State
    exit: int | None = None
    started: str = ""
    duration: float = 0.0
    record: str = ""
    reason: str = ""
    process: tuple[int, float] | None = None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Raises KeyError, TypeError, ValueError."""
        process = data["process"]
        return cls(
            **{
                **data,
                "state": State(data["state"]),
                "record": _below(data["record"]),
                "process": tuple(process) if process else None,
            }
        )


@dataclass(frozen=True)
class Entry:
    """A cell in the ledger. `words` is what the command line selects, by which a resumed matrix knows its own."""

    cell: Cell
    state: State = State.WAITING
    words: tuple[str, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    record: str = ""
    """Where its record is, below the matrix folder; empty where there is none."""
    reason: str = ""

    @property
    def exit(self) -> int | None:
        return self.attempts[-1].exit if self.attempts else None

    @property
    def duration(self) -> float:
        """Seconds of the last try."""
        return self.attempts[-1].duration if self.attempts else 0.0

    def with_attempt(self, attempt: Attempt) -> Entry:
        """This, with one more try, or with a try that has gone on."""
        kept = tuple(a for a in self.attempts if a.number != attempt.number)
        return replace(self, state=attempt.state, attempts=(*kept, attempt), reason=attempt.reason)

    def as_json(self) -> dict[str, Any]:
        cell = self.cell
        return {
            "name": cell.name,
            "role": cell.role,
            "server": asdict(cell.server),
            "clients": [asdict(party) for party in cell.clients],
            "peer": asdict(cell.peer) if cell.peer else None,
            "state": self.state,
            "exit": self.exit,
            "duration": self.duration,
            "record": self.record,
            "reason": self.reason,
            "words": list(self.words),
            "attempts": [asdict(attempt) for attempt in self.attempts],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Raises KeyError, TypeError, ValueError."""
        clients = tuple(Party(**party) for party in data["clients"])
        peer = Party(**data["peer"]) if data.get("peer") else None
        name = str(data["name"])
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a cell")
        return cls(
            cell=Cell(name, Party(**data["server"]), clients, peer),
            state=State(data["state"]),
            words=tuple(data["words"]),
            attempts=tuple(Attempt.from_json(attempt) for attempt in data["attempts"]),
            record=_below(data["record"]),
            reason=str(data["reason"]),
        )


@dataclass
class Ledger:
    """All of a `matrix.json`. `note` writes it; nothing else here does."""

    folder: Path
    lab: str
    started: str
    asked: Asked
    entries: dict[str, Entry] = field(default_factory=dict)
    finished: str = ""
    notes: tuple[str, ...] = ()
    """What a reader has to know besides: cells that were left out, and why."""

    @property
    def exit_code(self) -> int:
        """0 all as expected, 1 an unexpected outcome, 3 a cell that was not run to its end."""
        return max((entry.state.exit_code for entry in self.entries.values()), default=int(Exit.OK))

    def note(self, *entries: Entry, finished: str = "") -> None:
        """Keep the state of these cells, and write the file. Raises MachineError: the disk is full."""
        self.entries |= {entry.cell.name: entry for entry in entries}
        self.finished = finished
        self.write()

    def write(self) -> None:
        """Whole or not at all. Raises MachineError."""
        content = json.dumps(self.as_json(), indent=2).encode()
        temporary = self.folder / f".{FILE}.tmp"
        try:
            temporary.write_bytes(content)
            temporary.replace(self.folder / FILE)
        except OSError as error:
            raise MachineError(
                f"cannot write {self.folder / FILE}",
                cause=str(error),
                hint=f"make room, then: stanzalab matrix --resume {self.folder}; the cells' records are whole",
            ) from error

    def as_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "lab": self.lab,
            "started": self.started,
            "finished": self.finished,
            "exit": self.exit_code if self.finished else None,
            "asked": self.asked.as_json(),
            "notes": list(self.notes),
            "cells": [entry.as_json() for entry in self.entries.values()],
        }


def read(folder: Path) -> Ledger:
    """The ledger of a matrix folder. Raises UsageError where there is none, or where it is not to be read."""
    path = folder / FILE
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["format"] != FORMAT:
            raise UsageError(f"{path} has format {data['format']!r}", cause=f"this lab reads format {FORMAT}")
        return Ledger(
            folder,
            lab=str(data["lab"]),
            started=str(data["started"]),
            asked=Asked.from_json(data["asked"]),
            entries=by_name(Entry.from_json(entry) for entry in data["cells"]),
            finished=str(data["finished"]),
            notes=tuple(data["notes"]),
        )
    except OSError as error:
        raise UsageError(
            f"{folder} is no matrix folder", cause=str(error), hint="docs/matrix.md says what one is"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{path} is damaged",
            cause=f"{type(error).__name__}: {error}",
            hint=f"its records are not: `stanzalab merge {folder}` makes a new matrix of them",
        ) from error


def by_name(entries: Iterable[Entry]) -> dict[str, Entry]:
    return {entry.cell.name: entry for entry in entries}


def durations(ledger: Ledger) -> dict[str, float]:
    """How long each cell took that came to a result: its name -> seconds."""
    return {name: entry.duration for name, entry in ledger.entries.items() if entry.state.result}


def newest(runs: Path, *, but: Path | None = None) -> Path | None:
    """The matrix folder in `runs` that was last worked at, `but` one; None where there is none."""
    files = [file for file in runs.glob(f"*/{FILE}") if but is None or file.parent.resolve() != but.resolve()]
    return max(files, key=lambda file: file.stat().st_mtime_ns).parent if files else None
