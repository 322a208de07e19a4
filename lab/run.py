"""One lab run, from a subject's name to its run record and reports: start the cell, survey, check, report.

The steps stand here in the order in which they happen; each is done by the floor that owns it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from lab import cell as cells
from lab import engines, fuzz, report
from lab.campaign.course import Bounds
from lab.campaign.course import Listener as CampaignListener
from lab.campaign.safety import strangers
from lab.cell import Cell, Process
from lab.doap import Implemented
from lab.engines import Progress, Running
from lab.engines.signals import interrupted_code
from lab.errors import Exit as ExitCode
from lab.errors import LabError, MachineError
from lab.execution import Execution, Listener, execute
from lab.record import Footer, Header, Writer
from lab.starting import (
    RECORD,
    copy_log,
    header_of,
    listed_for,
    now,
    peopled,
    running,
    seed_of,
    sides_of,
    surveyed,
)
from lab.subjects import Client, Subject
from lab.subjects.expected import is_deadly
from lab.subjects.known import KnownFinding
from lab.verdict import Check, unexplained
from schemas import suites
from schemas.robustness import Trial

SEED = 2021  # of the short campaign, unless another is asked for: the same stanzas in every run
SHRINK_SECONDS = 2.0  # for each finding of it
NOTICE_SECONDS = 3.0  # until the engine has noticed that its subject exited


class Display(Progress, Listener, CampaignListener, Protocol):
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
    trials: tuple[Trial, ...] = ()
    """What a short campaign behind the checks is to try, on the server or on its one client; nothing where empty."""
    fuzz_seconds: float = 0.0
    known: tuple[Path, ...] = ()
    """Further lists of known failures, laid over the subject's own."""
    doap: Mapping[str, Implemented] = field(default_factory=dict)
    """What the DOAP file of who is tried says, if one was given."""
    clients: tuple[Client, ...] = ()
    """Who is tried on that server: one client, or the two of a pair; none where the server itself is."""
    peer: Subject | None = None
    """The server that is tried with that one, if any."""


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
    tried = plan.clients[0] if plan.clients else plan.subject
    known = listed_for(tried, plan.cell_file, plan.known)
    sides = sides_of(known, plan.clients, plan.subject, plan.peer)
    restarts = engines.RESTARTS + sum(is_deadly(sides, check.name) for check in plan.checks)
    record_path = plan.out / RECORD
    with (
        running(plan.subject, plan.cell_file, plan.engine, plan.out, display, restarts=restarts) as server_running,
        engines.federated(server_running, plan.peer, plan.engine, display) as both_running,
        peopled(both_running, plan.clients, plan.out, display) as cell_running,
    ):
        cell = surveyed(cell_running, display)
        cell_file = plan.out / "cell.json"
        cells.write(cell, cell_file)
        with Writer(record_path, _header(plan, cell)) as writer:
            display.checking(len(plan.checks))
            fuzzed: int = ExitCode.OK
            try:
                execution = execute(
                    plan.checks,
                    cell_file=cell_file,
                    writer=writer,
                    sides=sides,
                    listener=display,
                    gone=lambda: _gone_of(cell_running, plan.out),
                    workers=min(plan.workers, len(plan.checks)) if plan.workers > 1 else 0,
                    mentioned=suites.load(plan.year).mentioned,
                )
                if plan.trials and not execution.interrupted and not execution.stopped:
                    fuzzed = _fuzzed(plan, cell_running, cell, known.findings, writer, display)
            finally:
                display.done()
                copy_log(cell_running, plan.out, writer)
            exited = any(engines.exits(folder) for _, folder in _processes(cell_running, plan.out))
            exit_code = max(_exit_code(execution, exited=exited), fuzzed)
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


def _fuzzed(
    plan: Plan, begun: Running, cell: Cell, known: Sequence[KnownFinding], writer: Writer, display: Display
) -> int:
    """The short campaign behind the checks; its exit code. To a server on another machine nothing is sent."""
    if found := strangers(cell):
        display.step(f"no fuzzing: {', '.join(found)} is not this machine (`stanzalab fuzz --allow-fuzz` names it)")
        return ExitCode.OK
    outcome, exit_code = fuzz.campaign(
        begun,
        cell,
        plan.subject,
        plan.trials,
        bounds=Bounds(seconds=plan.fuzz_seconds, shrink=SHRINK_SECONDS),
        seed=plan.seed if plan.seed is not None else SEED,
        run_dir=plan.out,
        folder=plan.out / "corpus",
        known=known,
        replay=_fuzz_again(plan.subject, plan.clients) if plan.subject else "",
        writer=writer,
        listener=display,
        client=plan.clients[0] if plan.clients else None,
        brief=True,
    )
    return interrupted_code() if outcome.interrupted else exit_code


def _fuzz_again(subject: Subject, clients: Sequence[Client]) -> str:
    image = f" --image {subject.image}" if subject.image else ""
    client = f" --client {clients[0].name}:{clients[0].version}" if clients else ""
    return f"stanzalab fuzz --server {subject.name}:{subject.version}{image}{client}"


def _header(plan: Plan, cell: Cell) -> Header:
    return header_of(
        cell,
        (plan.subject, *plan.clients, *([plan.peer] if plan.peer else [])),
        year=plan.year,
        seed=seed_of(plan.seed),
        replay=plan.replay,
        selected=tuple(check.name for check in plan.checks),
        rows=plan.rows,
        doap=plan.doap,
    )


def _footer(execution: Execution, duration: float, exit_code: int) -> Footer:
    counts = Counter(result.outcome.value for result in execution.results)
    return Footer(now(), round(duration, 3), dict(counts), exit_code)


def _exit_code(execution: Execution, *, exited: bool) -> int:
    """0 all as expected, 1 an unexpected outcome or nothing run (DESIGN, exit codes); 3 the subject was lost.

    One that exited, and was started again, is as expected only where a check says so. What is informational is told,
    and no more (`CheckResult.gates`).
    """
    if execution.interrupted:
        return interrupted_code()
    if execution.stopped:
        return ExitCode.MACHINE
    if not execution.results or unexplained((r.outcome for r in execution.results), exited=exited):
        return ExitCode.UNEXPECTED
    return ExitCode.UNEXPECTED if any(r.gates for r in execution.results) else ExitCode.OK


def _processes(begun: Running, run_dir: Path) -> list[tuple[Process, Path]]:
    """Each server of a cell, and the folder with its exits."""
    peer = [(begun.peer.cell.process, begun.peer.cell_file.parent)] if begun.peer else []
    return [(begun.cell.process, run_dir), *peer]


def _gone_of(begun: Running, run_dir: Path) -> str | None:
    """Why one of a cell's servers will not come back, or None."""
    return next((why for process, folder in _processes(begun, run_dir) if (why := _gone(process, folder))), None)


def _gone(process: Process, run_dir: Path) -> str | None:
    """Why the subject will not come back, or None. One that the engine restarts, or is about to, is not gone."""
    deadline = time.monotonic() + NOTICE_SECONDS
    while True:
        exits = engines.exits(run_dir)
        if exits:
            gone = engines.gone_for_good(exits)
            return f"the subject is gone for good: {gone}" if gone else None
        why = engines.alive(process)
        if why is None or time.monotonic() > deadline:
            return why
        time.sleep(0.1)
