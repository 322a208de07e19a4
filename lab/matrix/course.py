"""A matrix from start to end: ready, then cells side by side, each tried again where the machine failed it.

Nothing leaves a cell but its run record; `matrix.json` says at any moment how it stands.
"""

from __future__ import annotations

import asyncio
import fcntl
import shutil
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from lab import __version__, record
from lab.engines import Progress
from lab.engines.signals import BY_SIGNAL, POLITE
from lab.errors import MachineError, UsageError
from lab.matrix import attempt, ledger
from lab.matrix.attempt import Brake, End
from lab.matrix.growth import Counts, Growth
from lab.matrix.ledger import CELLS, Attempt, Entry, Ledger, State
from lab.matrix.plan import Asked, Cell, Party, Selection, command
from lab.matrix.ready import make_ready
from lab.matrix.room import Room
from lab.matrix.shards import longest_first
from lab.record import Record
from lab.starting import RECORD, now
from lab.verdict import Role

OUTPUT = "output.txt"
KEPT = ("corpus", "server.log", OUTPUT)  # the last two only of a cell without a result


class Display(Progress, Protocol):
    """Where a matrix shows how it stands. `every` is how often it wants to, in seconds; None: when a cell changes."""

    every: float | None

    def begins(self, entries: Sequence[Entry]) -> None: ...
    def changed(self, entry: Entry, counts: Counts) -> None: ...
    def shows(self, entries: Mapping[str, Entry], counts: Mapping[str, Counts]) -> None: ...
    def ends(self) -> None: ...


@dataclass(frozen=True)
class Plan:
    """What is to be run, where. `durations` (cell's name -> seconds) say what to begin with; times are in seconds."""

    folder: Path
    asked: Asked
    cells: tuple[Cell, ...]
    room: Room
    limit: float
    grace: float = 60.0
    retries: int = 1
    selections: Mapping[Role, Selection] = field(default_factory=dict)
    """What is run in the cells of a role, where that is not all that was asked for."""
    durations: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def selection_of(self, cell: Cell) -> Selection:
        return self.selections.get(cell.role, self.asked.selection)


@dataclass(frozen=True)
class Done:
    """What came of it."""

    ledger: Ledger
    exit_code: int
    run: int
    """Cells that were run now; the others had their results from before."""


def run(plan: Plan, display: Display) -> Done:
    """Run a matrix, or go on with one. Raises MachineError (disk full) and UsageError (somebody is at it).

    Cells that have a whole record of just what is asked are not run again.
    """
    with _alone(plan.folder):
        before = ledger.read(plan.folder) if (plan.folder / ledger.FILE).exists() else None
        book = Ledger(
            plan.folder, __version__, started=before.started if before else now(), asked=plan.asked, notes=plan.notes
        )
        known = before.entries if before else {}
        for entry in known.values():
            _end_orphans(entry, plan.grace)
        entries = [_entry(cell, plan, known.get(cell.name)) for cell in plan.cells]
        book.note(*(entry for entry in known.values() if entry.state.result), *entries)
        waiting = longest_first([entry.cell for entry in entries if not entry.state.result], plan.durations)
        display.begins(entries)
        stopped: int = 0
        try:
            failed = make_ready(waiting, display)
            course = _Course(plan, book, display)
            stopped = asyncio.run(course.run(waiting, failed))
        except KeyboardInterrupt:  # while the subjects were made ready
            stopped = signal.SIGINT
        finally:
            display.ends()
        if stopped:
            return Done(book, BY_SIGNAL + stopped, len(waiting))
        book.note(finished=now())
        return Done(book, book.exit_code, len(waiting))


@dataclass
class _Course:
    """The cells' way through one matrix. `problem` is what the machine would not do; it stops all cells."""

    plan: Plan
    book: Ledger
    display: Display
    growing: dict[str, Growth] = field(default_factory=dict)
    brake: Brake = field(default_factory=Brake)
    problem: MachineError | None = None

    async def run(self, waiting: Sequence[Cell], failed: Mapping[Party, str]) -> int:
        """Run these cells, but those of subjects that could not be made ready. Answers the signal that stopped it.

        Raises MachineError, when all cells have ended, where the disk is full.
        """
        loop = asyncio.get_running_loop()
        for polite in (signal.SIGINT, *POLITE):
            # With a handler set, the cells' processes get the default again, also where a shell had us ignore it.
            loop.add_signal_handler(polite, self.brake.pull, polite)
        left = []
        for cell in waiting:
            why = next((failed[party] for party in cell.parties if party in failed), None)
            if why is None:
                left.append(cell)
            else:
                number = len(self.book.entries[cell.name].attempts) + 1
                self._note(cell, Attempt(number, State.NOT_STARTED, started=now(), reason=why))
        await self._all(left)
        if self.problem is not None:
            raise self.problem
        return self.brake.signal

    async def _all(self, waiting: list[Cell]) -> None:
        running: dict[asyncio.Future[None], Cell] = {}
        stop = asyncio.ensure_future(self.brake.stop.wait())
        while running or (waiting and not stop.done()):
            while not stop.done() and (cell := self.plan.room.next(waiting, running.values())) is not None:
                waiting.remove(cell)
                running[asyncio.ensure_future(self._cell(cell))] = cell
            watched: set[asyncio.Future[Any]] = {*running} if stop.done() else {*running, stop}
            done, _ = await asyncio.wait(watched, timeout=self.display.every, return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stop}:
                running.pop(task)
                task.result()
            self.display.shows(self.book.entries, {name: g.look() for name, g in self.growing.items()})
        stop.cancel()

    async def _cell(self, cell: Cell) -> None:
        try:
            for _ in range(self.plan.retries + 1):
                tried = await self._attempt(cell)
                if not tried.state.again or self.brake.stop.is_set():
                    break
            self._keep(_settled(self.book.entries[cell.name], self.plan.folder))
        except OSError as error:
            self._stop(MachineError(f"cannot keep what the cell {cell.name} left", cause=str(error)))

    async def _attempt(self, cell: Cell) -> Attempt:
        folder = self.plan.folder / CELLS / cell.name
        entry = _put_aside(self.book.entries[cell.name], self.plan.folder)
        folder.mkdir(parents=True, exist_ok=True)
        self._keep(entry)
        trying = Attempt(len(entry.attempts) + 1, State.RUNNING, started=now(), record=_place(cell))
        self.growing[cell.name] = Growth(folder / RECORD)
        end = await attempt.run(
            command(cell, self.plan.selection_of(cell), folder),
            limit=self.plan.limit,
            grace=self.plan.grace,
            brake=self.brake,
            begun=lambda pid, born: self._note(cell, replace(trying, process=(pid, born))),
        )
        tried = await asyncio.to_thread(_judged, trying, end, folder)
        _tidy(folder, end, tried)
        self._note(cell, tried)
        del self.growing[cell.name]
        return tried

    def _note(self, cell: Cell, tried: Attempt) -> None:
        entry = self.book.entries[cell.name].with_attempt(tried)
        self._keep(entry)
        growth = self.growing.get(cell.name)
        self.display.changed(entry, growth.look() if growth else Counts())

    def _keep(self, entry: Entry) -> None:
        try:
            self.book.note(entry)
        except MachineError as error:
            self._stop(error)

    def _stop(self, problem: MachineError) -> None:
        self.problem = self.problem or problem
        self.brake.stop.set()


def _judged(trying: Attempt, end: End, folder: Path) -> Attempt:
    """What a try came to. Only a whole record that says the same as the exit code is a result."""
    kept, problem = _record(folder / RECORD)
    footer = kept.footer if kept else None
    reason = attempt.reason(end.said)
    if footer is not None and end.exit == footer.exit and end.exit in {0, 1}:
        state, reason = (State.UNEXPECTED if end.exit else State.EXPECTED), ""
    elif end.timed_out:
        how = "it did not stop when it was asked to, and was killed" if end.killed else "it was stopped"
        state, reason = State.TIMED_OUT, f"not done after {end.seconds:.0f} s; {how}"
    elif end.interrupted:
        state, reason = State.INTERRUPTED, ""
    elif end.exit is None or end.exit == 3:
        state = State.NOT_STARTED
    elif end.exit < 0:
        state, reason = State.KILLED, f"killed by {_signal_name(-end.exit)}\n{reason}".strip()
    else:
        if end.exit in {0, 1}:
            said = f"its record says {footer.exit}" if footer else problem or "its record has no end"
            reason = f"exit code {end.exit}, but {said}\n{reason}".strip()
        else:
            reason = f"exit code {end.exit}\n{reason}".strip()
        state = State.BROKEN
    return replace(
        trying,
        state=state,
        exit=end.exit,
        duration=round(end.seconds, 3),
        record=trying.record if kept else "",
        reason=reason,
        process=None,
    )


def _signal_name(number: int) -> str:
    return signal.Signals(number).name if number in signal.valid_signals() else f"signal {number}"


def _record(path: Path) -> tuple[Record | None, str]:
    """The record in a file, or why there is none that can be read."""
    if not path.is_file():
        return None, "it left no record"
    try:
        return record.read(path), ""
    except UsageError as error:
        return None, str(error)


def _place(cell: Cell) -> str:
    """Where a cell's record is, below the matrix folder."""
    return f"{CELLS}/{cell.name}/{RECORD}"


def _put_aside(entry: Entry, folder: Path) -> Entry:
    """The cell with the record that it has put aside, under the number of its try: the next overwrites nothing."""
    place = _place(entry.cell)
    if not entry.attempts or not (folder / place).exists():
        return entry
    owner = next((tried for tried in entry.attempts if tried.record == place), entry.attempts[-1])
    aside = f"{CELLS}/{entry.cell.name}/attempt-{owner.number}.ndjson"
    (folder / place).rename(folder / aside)
    if not owner.record:
        return entry  # what it left is no record
    attempts = tuple(replace(a, record=aside) if a == owner else a for a in entry.attempts)
    return replace(entry, attempts=attempts, record=aside)


def _settled(entry: Entry, folder: Path) -> Entry:
    """The cell with its record named: the last try's, or, where that left none, the newest before it."""
    if entry.attempts[-1].record:
        return replace(entry, record=entry.attempts[-1].record)
    entry = _put_aside(entry, folder)
    best = next((tried for tried in reversed(entry.attempts) if tried.record), None)
    if best is None:
        return replace(entry, record="")
    place = _place(entry.cell)
    (folder / best.record).rename(folder / place)
    attempts = tuple(replace(a, record=place) if a == best else a for a in entry.attempts)
    return replace(entry, attempts=attempts, record=place)


def _tidy(folder: Path, end: End, tried: Attempt) -> None:
    """Leave the record, and the findings; of a cell without a result its last words, and its server's, too."""
    if not tried.state.result and end.said.strip():
        (folder / OUTPUT).write_text(end.said, encoding="utf-8", errors="backslashreplace")
    kept = KEPT[:1] if tried.state.result else KEPT
    for path in folder.iterdir():
        if path.suffix == ".ndjson" and path.name.startswith(("run", "attempt-")):
            continue
        if path.name in kept and (path.is_file() or any(path.iterdir())):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _entry(cell: Cell, plan: Plan, before: Entry | None) -> Entry:
    """Where a cell begins: with the result that it has of before, if that is of just what is asked, else waiting."""
    words = plan.selection_of(cell).words()
    if before is None:
        return Entry(cell, words=words)
    kept, _ = _record(plan.folder / CELLS / cell.name / RECORD)
    if kept is not None and kept.footer is not None and before.words == words and _same(kept, cell):
        # From the record, as the ledger may not have seen the cell's end: its matrix was killed.
        state = State.UNEXPECTED if kept.footer.exit else State.EXPECTED
        attempts = before.attempts
        if attempts and attempts[-1].state is State.RUNNING:
            ended = replace(
                attempts[-1], state=state, exit=kept.footer.exit, duration=kept.footer.duration, process=None
            )
            attempts = (*attempts[:-1], ended)
        return replace(before, cell=cell, state=state, attempts=attempts, record=_place(cell), reason="")
    cut_short = tuple(
        replace(tried, state=State.INTERRUPTED, process=None) if tried.state is State.RUNNING else tried
        for tried in before.attempts
    )
    return Entry(cell, words=words, attempts=cut_short, record=before.record)


def _same(kept: Record, cell: Cell) -> bool:
    """Whether a record is of this lab, and of the cell's subjects in their versions."""
    said = [(one.get("name"), one.get("version")) for one in (kept.header.subject, *kept.header.peers)]
    return kept.header.lab == __version__ and sorted(said, key=repr) == sorted(
        ((party.name, party.version) for party in cell.parties), key=repr
    )


def _end_orphans(entry: Entry, grace: float) -> None:
    for tried in entry.attempts:
        if tried.process is not None:
            attempt.end_orphan(*tried.process, grace)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Nobody else is at this folder. Raises UsageError where somebody is."""
    (folder / CELLS).mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(
                f"another stanzalab is at {folder}", hint="wait until it is done, or choose another folder"
            ) from error
        yield
