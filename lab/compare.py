"""A comparison from servers' names to its result: start all of them side by side, survey, send, write down.

The steps stand here; `lab.campaign.compare` does the work.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from lab import cell as cells
from lab import engines, subjects
from lab.accounts import Comeback
from lab.campaign.clusters import by_status
from lab.campaign.compare import Bounds, Comparison, Listener, Outcome, Player
from lab.campaign.safety import refuse_strangers
from lab.engines.signals import interrupted_code
from lab.errors import Exit, MachineError, UsageError
from lab.starting import FUZZ_RESTARTS, running, seed_of, surveyed
from lab.subjects import Subject
from schemas.robustness import Trial

FILE = "compare.json"
FORMAT = 1


class Display(engines.Progress, Listener, Protocol):
    """Where a comparison shows what it does."""

    def done(self) -> None: ...


@dataclass(frozen=True)
class Server:
    """One of the servers, by a name that no other has. `subject` is None where `cell_file` names one that runs."""

    name: str
    subject: Subject | None = None
    cell_file: Path | None = None


@dataclass(frozen=True)
class Plan:
    """What is compared, and how."""

    servers: tuple[Server, ...]
    trials: tuple[Trial, ...]
    bounds: Bounds
    out: Path
    engine: str | None = None
    seed: int | None = None
    allowed: str | None = None


@dataclass(frozen=True)
class Done:
    """What came of it, and the file that has it all."""

    exit_code: int
    outcome: Outcome
    file: Path
    cells: tuple[cells.Cell, ...] = field(repr=False)

    def as_json(self) -> dict[str, Any]:
        outcome = self.outcome
        return {
            "format": FORMAT,
            "servers": [
                {"name": name, "version": cell.subject.version, "package": cell.subject.package}
                for name, cell in zip(outcome.servers, self.cells, strict=True)
            ],
            "seed": outcome.seed,
            "seconds": round(outcome.seconds, 3),
            "valid": outcome.valid,
            "malformed": outcome.malformed,
            "alike": outcome.alike,
            "different": {str(status): count for status, count in by_status(outcome.clusters).items()},
            "unknown": outcome.unknown,
            "uneven": outcome.uneven,
            "skipped": list(outcome.skipped),
            "lacking": list(outcome.lacking),
            "interrupted": outcome.interrupted,
            "stopped": outcome.stopped,
            "clusters": [cluster.as_json(outcome.servers) for cluster in outcome.clusters],
        }


def servers_of(names: Sequence[str]) -> tuple[Server, ...]:
    """The servers that are meant: subjects as `lab.subjects.find` takes them, or cell files (`.json`).

    One that is named twice is compared with itself. Raises UsageError: unknown, or fewer than two.
    """
    words = [word.strip() for name in names for word in name.split(",") if word.strip()]
    if len(words) < 2:
        raise UsageError(
            "a comparison takes two servers at least",
            cause=f"named: {', '.join(words) or 'none'}",
            hint="--servers prosody,ejabberd",
        )
    made: list[Server] = []
    for word in words:
        if word.endswith(".json"):
            made.append(Server(_free(cells.read(Path(word)).subject.name, made), cell_file=Path(word)))
        else:
            subject = subjects.find(word)
            several = sum(other.partition(":")[0] == word.partition(":")[0] for other in words) > 1
            name = f"{subject.name}:{subject.version}" if several else subject.name
            made.append(Server(_free(name, made), subject))
    return tuple(made)


def _free(name: str, made: Sequence[Server]) -> str:
    taken = {server.name for server in made}
    return next(f for n in range(1, len(made) + 2) if (f := f"{name} ({n})" if n > 1 else name) not in taken)


def run(plan: Plan, display: Display) -> Done:
    """Compare. Raises UsageError and MachineError; Ctrl-C ends it, and what was found so far is answered.

    Differences are information: the exit code is 0, but where it was interrupted or given up.
    """
    seed = seed_of(plan.seed)
    players: list[Player] = []
    try:
        plan.out.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            players.extend(_start(server, plan, stack, display) for server in plan.servers)
            try:
                outcome = Comparison(players, plan.trials, seed, plan.bounds, display).run()
            finally:
                display.done()
        exit_code = interrupted_code() if outcome.interrupted else Exit.MACHINE if outcome.stopped else Exit.OK
        done = Done(exit_code, outcome, plan.out / FILE, tuple(player.cell for player in players))
        done.file.write_text(json.dumps(done.as_json(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise MachineError(f"cannot write to {plan.out}", cause=str(error), hint="make room") from error
    return done


def _start(server: Server, plan: Plan, stack: ExitStack, display: Display) -> Player:
    """A server in a folder of its own, until `stack` is left."""
    if server.cell_file is not None:
        refuse_strangers(cells.read(server.cell_file), plan.allowed)
    folder = plan.out / re.sub(r"[^\w.-]+", "-", server.name)
    folder.mkdir(parents=True, exist_ok=True)
    begun = stack.enter_context(
        running(server.subject, server.cell_file, plan.engine, folder, display, restarts=FUZZ_RESTARTS)
    )
    cell = surveyed(begun, display)
    cells.write(cell, folder / "cell.json")
    watched = None if cell.process.kind == "attached" else folder

    def gone() -> str:
        return engines.gone_for_good(engines.exits(watched))

    return Player(server.name, cell, Comeback(watched), gone)
