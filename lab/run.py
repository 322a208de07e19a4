"""One lab run, from a subject's name to its run record and reports: start the cell, survey, check, report.

The steps stand here in the order in which they happen; each is done by the floor that owns it.
"""

from __future__ import annotations

import datetime
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lab import __version__, catalogue, engines, report
from lab import cell as cells
from lab.cell import Cell
from lab.engines import Progress, Running, attach
from lab.errors import Exit as ExitCode
from lab.errors import LabError, MachineError
from lab.execution import Execution, Listener, execute
from lab.record import Exit, Footer, Header, LogLine, Writer
from lab.subjects import Subject
from lab.subjects.known import known
from lab.survey import survey
from lab.verdict import Check, Expectation

INTERRUPTED = 130  # as shells say it: 128 + SIGINT
DOMAIN = "lab.test"
RECORD = "run.ndjson"
NOTICE_SECONDS = 3.0  # until the engine has noticed that its subject exited


class Display(Progress, Listener, Protocol):
    """Where a run shows what it does: steps of the engine, then each result (or proof)."""

    def checking(self, count: int) -> None: ...
    def proved(self, name: str, damages: int, noticed: int) -> None: ...
    def done(self) -> None: ...


@dataclass(frozen=True)
class Plan:
    """What is to be run. `subject` is None where `cell_file` names a server that runs already."""

    subject: Subject | None
    checks: tuple[Check, ...]
    year: int
    replay: str
    out: Path
    cell_file: Path | None = None
    engine: str | None = None
    workers: int = 4
    seed: int | None = None
    rows: tuple[str, ...] = ()
    """The rows and categories that were asked for by name: they are reported even where they have no check."""


@dataclass(frozen=True)
class Run:
    """What came of it: the exit code, and where things lie."""

    exit_code: int
    record: Path
    execution: Execution


def run(plan: Plan, display: Display) -> Run:
    """Run a plan. Raises UsageError and MachineError; whatever was measured by then is in the record."""
    started = time.monotonic()
    plan.out.mkdir(parents=True, exist_ok=True)
    listed = known(plan.subject) if plan.subject else ()
    record_path = plan.out / RECORD
    with _running(plan, display) as running:
        cell = _surveyed(running, display)
        cell_file = plan.out / "cell.json"
        cells.write(cell, cell_file)
        with Writer(record_path, _header(plan, cell)) as writer:
            display.checking(len(plan.checks))
            try:
                execution = execute(
                    plan.checks,
                    cell_file=cell_file,
                    writer=writer,
                    known=listed,
                    listener=display,
                    gone=lambda: _gone(cell, plan.out),
                    workers=min(plan.workers, len(plan.checks)) if plan.workers > 1 else 0,
                )
            finally:
                display.done()
                _copy_log(running, plan.out, writer)
            exit_code = _exit_code(execution)
            if exit_code in {ExitCode.OK, ExitCode.UNEXPECTED}:
                writer.footer(_footer(execution, time.monotonic() - started, exit_code))
    if execution.problems:
        raise LabError("pytest itself stumbled over the checks", cause="\n".join(execution.problems))
    if execution.stopped:
        report.write_all(record_path, plan.out)
        raise MachineError(
            f"the run was given up after {len(execution.results)} of {len(plan.checks)} checks",
            cause=execution.stopped,
            hint=f"what was measured is kept: stanzalab report {record_path}",
        )
    return Run(exit_code, record_path, execution)


@contextmanager
def _running(plan: Plan, display: Progress) -> Iterator[Running]:
    """The cell: started for this run, or one that somebody else has running."""
    if plan.cell_file is not None:
        with attach.attach(plan.cell_file, display) as running:
            yield running
        return
    subject = plan.subject
    if subject is None:
        raise MachineError("a plan needs a subject or a cell file")
    with started(subject, plan.engine, run_dir=plan.out, progress=display) as running:
        yield running


@contextmanager
def started(
    subject: Subject, engine: str | None, *, run_dir: Path, progress: Progress, restarts: int = engines.RESTARTS
) -> Iterator[Running]:
    """The subject, running in the engine that is wanted or the first that works, under the domain it can serve."""
    chosen = engines.choose(subject, engine)
    domain = subject.local.domain if subject.local and chosen.name == "local" else ""
    with chosen.start(
        subject, domain=domain or DOMAIN, run_dir=run_dir, progress=progress, restarts=restarts
    ) as running:
        yield running


def _surveyed(running: Running, display: Progress) -> Cell:
    """Ask the server once how fast it is and what it claims: it decides how patient the checks are."""
    display.step(f"asking {running.cell.subject.name} what it offers")
    seen = survey(running.cell)
    if seen.problem:
        display.step(f"the first login did not go through: {seen.problem}")
    return running.cell.measured(seen.round_trip, seen.patience, seen.advertised)


def _header(plan: Plan, cell: Cell) -> Header:
    subject = cell.subject
    return Header(
        lab=__version__,
        suite=f"CS{plan.year}",
        role="server",
        started=_now(),
        seed=plan.seed if plan.seed is not None else random.SystemRandom().randrange(2**32),
        subject={
            "name": subject.name,
            "title": plan.subject.title if plan.subject else subject.name,
            "version": subject.version,
            "package": subject.package,
            "image": subject.image,
            "digest": subject.digest,
        },
        domain=cell.domain,
        engine=cell.process.kind,
        replay=plan.replay,
        selected=tuple(check.name for check in plan.checks),
        rows=plan.rows,
        known_checks=catalogue.known_checks("server"),
        provides=cell.provides,
        advertised=cell.advertised,
        round_trip=cell.round_trip,
        patience=cell.patience,
    )


def _footer(execution: Execution, duration: float, exit_code: int) -> Footer:
    counts = Counter(result.outcome.value for result in execution.results)
    return Footer(_now(), round(duration, 3), dict(counts), exit_code)


def _exit_code(execution: Execution) -> int:
    """0 all as expected, 1 an unexpected outcome or nothing run (DESIGN, exit codes); 3 the subject was lost."""
    if execution.interrupted:
        return INTERRUPTED
    if execution.stopped:
        return ExitCode.MACHINE
    unexpected = {Expectation.UNEXPECTED, Expectation.FIXED}
    if not execution.results:
        return ExitCode.UNEXPECTED
    return ExitCode.UNEXPECTED if any(r.expectation in unexpected for r in execution.results) else ExitCode.OK


def _gone(cell: Cell, run_dir: Path) -> str | None:
    """Why the subject will not come back, or None. One that the engine restarts, or is about to, is not gone."""
    deadline = time.monotonic() + NOTICE_SECONDS
    while True:
        exits = engines.exits(run_dir)
        if exits:
            return None if exits[-1].restarted else f"the subject is gone for good: {exits[-1].why}"
        why = engines.alive(cell.process)
        if why is None or time.monotonic() > deadline:
            return why
        time.sleep(0.1)


def _copy_log(running: Running, run_dir: Path, writer: Writer) -> None:
    """Put the subject's own output and its exits into the record: reports read nothing else."""
    if running.log_file and running.log_file.exists():
        # Only a line feed ends a line: a subject may print what a client sent, with every other separator in it.
        with running.log_file.open(encoding="utf-8", errors="backslashreplace", newline="\n") as lines:
            for line in lines:
                at, _, text = line.rstrip("\n").partition(" ")
                writer.log(LogLine(float(at), text))
    for exit_ in engines.exits(run_dir):
        writer.exit(Exit(exit_.at, exit_.why, exit_.restarted))


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
