"""What starts a subject and knows whether it lives: the interface of every engine, and the choice of one.

Engines know no XMPP. What they share stands in `cells` (certificates and the cell file), `server_log`,
`readiness` and `watch`; the engines themselves in `docker`, `local` and `attach`.
"""

from __future__ import annotations

import importlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from lab.cell import Cell, Process
from lab.errors import MachineError, UsageError
from lab.subjects import Subject

if TYPE_CHECKING:
    from lab.engines.network import CellNetwork  # it needs the docker SDK, which is slow to load

EXITS_FILE = "exits.ndjson"
RESTARTS = 3
DOMAIN = "lab.test"
PEER_DOMAIN = "other.test"
PEER_FOLDER = "peer"
"""Where the second server of a cell has its files, in the folder of the first one."""


class Progress(Protocol):
    """Where an engine says what it does. `step` is for everybody, `detail` for `-v` only."""

    def step(self, text: str) -> None: ...
    def detail(self, text: str) -> None: ...


@dataclass(frozen=True)
class Running:
    """A cell that answers. `log_file` has the subject's own output, None where nobody can see it.

    `network` is where containers stand, None where there are none; `peer` is a second server there, if there is one.
    """

    cell: Cell
    cell_file: Path
    log_file: Path | None
    network: CellNetwork | None = None
    peer: Running | None = None


@dataclass(frozen=True)
class SubjectExit:
    """The subject exited in mid-run. `at` is in epoch seconds; `restarted`: the engine tried again."""

    at: float
    why: str
    restarted: bool


class Engine(Protocol):
    """One way to run a subject.

    `unavailable` says why the engine cannot work on this machine, in one line, or None when it can. `start`
    yields when the subject is ready, with `run_dir/cell.json` written; the subject is gone when the block is
    left. A subject that exits is started again, `restarts` times at most. With `beside`, it joins the network of a
    cell that runs already, and shares its authority: raises UsageError where the engine, or that cell, has none.
    Raises MachineError with the last 30 lines of its log when it does not start. `prepare` makes what takes long and
    is kept (an image, an environment), and starts nothing; raises MachineError where it cannot be made.
    """

    name: str

    def unavailable(self) -> str | None: ...

    def prepare(self, subject: Subject, progress: Progress) -> None: ...

    def start(
        self,
        subject: Subject,
        *,
        domain: str,
        run_dir: Path,
        progress: Progress,
        restarts: int = RESTARTS,
        beside: Running | None = None,
    ) -> AbstractContextManager[Running]: ...


def choose(subject: Subject, wanted: str | None = None) -> Engine:
    """The engine for a subject: `wanted`, else `LAB_ENGINE`, else the first of the subject's that works here.

    Raises UsageError where the subject does not run in the wanted engine, MachineError where none works.
    """
    wanted = wanted or os.environ.get("LAB_ENGINE") or None
    if wanted is not None and wanted not in subject.engines:
        raise UsageError(
            f"{subject.name} does not run in the engine {wanted!r}",
            cause=f"it runs in: {', '.join(subject.engines)}",
            hint=f"LAB_ENGINE={subject.engines[0]}, or none",
        )
    reasons = []
    for name in (wanted,) if wanted else subject.engines:
        engine = _engine(name)
        why = engine.unavailable()
        if why is None:
            return engine
        reasons.append(f"{name}: {why}")
    raise MachineError(
        f"nothing on this machine can run {subject.name}",
        cause="; ".join(reasons),
        hint="`stanzalab doctor` says what to install; `make lab SERVER=pyjabber` needs no container engine",
    )


@contextmanager
def started(
    subject: Subject, engine: str | None, *, run_dir: Path, progress: Progress, restarts: int = RESTARTS
) -> Iterator[Running]:
    """The subject, running in the engine that is wanted or the first that works, under the domain it can serve."""
    chosen = choose(subject, engine)
    domain = subject.local.domain if subject.local and chosen.name == "local" else ""
    with chosen.start(
        subject, domain=domain or DOMAIN, run_dir=run_dir, progress=progress, restarts=restarts
    ) as begun:
        yield begun


@contextmanager
def federated(begun: Running, peer: Subject | None, engine: str | None, progress: Progress) -> Iterator[Running]:
    """The same cell with a second server beside the first, under `PEER_DOMAIN`; None: as it is.

    Raises MachineError where no names resolve in the cell: the two would not find each other.
    """
    if peer is None:
        yield begun
        return
    if begun.cell.federation is None:
        raise MachineError(
            "the two servers would not find each other: nobody answers for names in the cell",
            cause="the lab's name server may not listen on port 53 of the cell's network",
            hint="run the lab as root, on the machine of the container engine",
        )
    folder = begun.cell_file.parent / PEER_FOLDER
    folder.mkdir(exist_ok=True)
    starting = choose(peer, engine).start(peer, domain=PEER_DOMAIN, run_dir=folder, progress=progress, beside=begun)
    with starting as other:
        yield replace(begun, cell=replace(begun.cell, peer=other.cell_file), peer=other)


def alive(process: Process) -> str | None:
    """None while the subject lives (or nobody can tell), else why not."""
    if process.kind == "attached":
        return None
    reason: str | None = importlib.import_module(f"lab.engines.{process.kind}").alive(process)
    return reason


def memory(process: Process) -> int | None:
    """How many bytes of memory the subject uses now; None where nobody can tell."""
    if process.kind == "attached":
        return None
    used: int | None = importlib.import_module(f"lab.engines.{process.kind}").memory(process)
    return used


def exits(run_dir: Path | None) -> tuple[SubjectExit, ...]:
    """Every exit of the subject in this run so far: it may live again, restarted, and yet have crashed.

    Where nobody notes them, `run_dir` is None.
    """
    if run_dir is None or not (run_dir / EXITS_FILE).exists():
        return ()
    lines = (run_dir / EXITS_FILE).read_text(encoding="utf-8").splitlines()
    return tuple(SubjectExit(**json.loads(line)) for line in lines)


def gone_for_good(seen: Sequence[SubjectExit]) -> str:
    """Why a subject with these exits will not come back; empty while it lives, or is being restarted."""
    return seen[-1].why if seen and not seen[-1].restarted else ""


def exit_since(at: float, run_dir: Path, *, within: float) -> SubjectExit | None:
    """The subject's first exit since `at` (epoch seconds), waited for so many seconds; None where there is none.

    Where no engine watches the subject, or it is gone for good, nothing is waited for.
    """
    deadline = time.monotonic() + within
    while True:
        seen = exits(run_dir)
        for exit_ in seen:
            if exit_.at >= at:
                return exit_
        if gone_for_good(seen) or time.monotonic() >= deadline or not (run_dir / EXITS_FILE).exists():
            return None
        time.sleep(0.02)


def _engine(name: str) -> Engine:
    # Imported when asked for: the docker SDK is slow to load, and of no use to a local process.
    engine: Engine = importlib.import_module(f"lab.engines.{name}").ENGINE
    return engine
