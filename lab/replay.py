"""A replay from a subject's name to its results: load the findings, start the cell, survey, send them again.

The steps stand here; `lab.campaign.replay` does the work.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from lab import cell as cells
from lab import engines
from lab.accounts import Accounts, Comeback
from lab.campaign import corpus
from lab.campaign.client_inquiry import ClientProber
from lab.campaign.client_session import Staging, patience_of_clients
from lab.campaign.finding import Finding
from lab.campaign.narrow import Prober
from lab.campaign.replay import Listener, Outcome, Replay, casting_of, obstacle, obstacle_to_client, replay
from lab.campaign.safety import refuse_strangers
from lab.cell import Cell
from lab.engines import Running
from lab.engines.signals import interrupted_code
from lab.errors import Exit, MachineError, UsageError
from lab.starting import FUZZ_RESTARTS, outside_of, peopled, running, surveyed
from lab.subjects import Client, Subject

FILE = "replay.json"


class Display(engines.Progress, Listener, Protocol):
    """Where a replay shows what it does."""

    def done(self) -> None: ...


@dataclass(frozen=True)
class Plan:
    """What is replayed on what. `subject` is None where `cell_file` names a server that runs already."""

    subject: Subject | None
    findings: tuple[Finding, ...]
    out: Path
    cell_file: Path | None = None
    engine: str | None = None
    allowed: str | None = None
    client: Client | None = None
    """Whom they are sent to, on that server; None: to the server itself."""


@dataclass(frozen=True)
class Done:
    """What came of it: the exit code, the results, who was asked, and the file that has it all."""

    exit_code: int
    replay: Replay
    subject: cells.Subject
    file: Path

    def as_json(self) -> dict[str, Any]:
        made = self.replay
        return {
            "subject": {"name": self.subject.name, "version": self.subject.version, "package": self.subject.package},
            "wanted": made.wanted,
            "outcomes": {str(outcome): made.count(outcome) for outcome in Outcome},
            "interrupted": made.interrupted,
            "stopped": made.stopped,
            "exit_code": self.exit_code,
            "findings": [result.as_json() for result in made.results],
        }


def findings_of(
    names: Sequence[str], folder: Path | None, subject: str
) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """The findings that are meant, each once, and what is said of damaged files.

    A name is a file, a finding's name or its beginning, or a fingerprint; none at all means the whole corpus.
    `folder` holds findings, or a folder of them for each subject. Raises UsageError: no corpus, no such finding,
    nothing there.
    """
    files = [Path(name) for name in names if Path(name).is_file()]
    found = [_read(file) for file in files]
    others = [name for name in names if not Path(name).is_file()]
    said: list[str] = []
    if others or not names:
        listed, said = corpus.load(_folder(folder, subject), others)
        found += listed
    if not found:
        raise UsageError(
            f"there is no finding in {_folder(folder, subject)}",
            cause="; ".join(said),
            hint="`stanzalab fuzz` looks for some",
        )
    return tuple({finding.fingerprint: finding for finding in found}.values()), tuple(said)


def _folder(folder: Path | None, subject: str) -> Path:
    if folder is None:
        return corpus.folder_of(subject)
    inside = corpus.folder_of(subject, folder)
    return inside if inside.is_dir() and not any(folder.glob("*.json")) else folder


def _read(file: Path) -> Finding:
    try:
        return Finding.from_json(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise UsageError(
            f"{file} is no finding", cause=f"{type(error).__name__}: {error}", hint="`stanzalab fuzz` writes them"
        ) from error


def run(plan: Plan, display: Display) -> Done:
    """Replay. Raises UsageError and MachineError; Ctrl-C ends it, and what was replayed so far is answered."""
    try:
        plan.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MachineError(f"cannot write to {plan.out}", cause=str(error)) from error
    if plan.cell_file is not None:
        refuse_strangers(cells.read(plan.cell_file), plan.allowed)
    restarts = FUZZ_RESTARTS + 3 * sum(finding.rule == "lives" for finding in plan.findings)
    clients = (plan.client,) if plan.client else ()
    with (
        running(plan.subject, plan.cell_file, plan.engine, plan.out, display, restarts=restarts) as alone,
        peopled(alone, clients, plan.out, display) as begun,
    ):
        cell = surveyed(begun, display)
        cells.write(cell, plan.out / "cell.json")
        try:
            made = _replay(plan, begun, cell, display)
        finally:
            display.done()
    subject = cell.clients[0].subject if clients else cell.subject
    done = Done(_exit_code(made), made, subject, plan.out / FILE)
    try:
        done.file.write_text(json.dumps(done.as_json(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise MachineError(f"cannot write {done.file}", cause=str(error), hint="make room") from error
    return done


def _replay(plan: Plan, begun: Running, cell: Cell, display: Display) -> Replay:
    watched = None if cell.process.kind == "attached" else plan.out
    crashes = bool(plan.subject and plan.subject.crashes and begun.log_file)
    comeback = Comeback(watched)
    accounts = Accounts(cell, comeback)
    with ExitStack() as stack:
        stack.callback(accounts.close)
        outside = stack.enter_context(outside_of(begun, plan.subject, plan.out))

        def prepare(finding: Finding) -> Prober | str:
            if why := obstacle(finding, cell, exits=watched is not None, crashes=crashes):
                return why
            return Prober(casting_of(finding, cell, accounts, comeback), cell.patience, outside)

        def prepare_client(finding: Finding) -> Prober | str:
            return obstacle_to_client(finding) or prober

        if plan.client is not None:
            staging = Staging(cell, cell.clients[0], accounts, comeback)
            stack.callback(staging.close)
            prober = ClientProber(staging, patience_of_clients())
            stack.callback(prober.close)
        preparing = prepare if plan.client is None else prepare_client
        return replay(plan.findings, preparing, display, lambda: outside.gone)


def _exit_code(made: Replay) -> int:
    """0 where everything is fixed; what could not be tried is not."""
    if made.interrupted:
        return interrupted_code()
    if made.stopped:
        return Exit.MACHINE
    return Exit.OK if made.all_fixed else Exit.UNEXPECTED
