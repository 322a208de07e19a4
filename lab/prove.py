"""`make prove`: does every passing check notice when what it received is damaged? (DESIGN, rule 5)

Starts the subject once (a server, and the clients that are tried on it), runs the damages in pytest workers
(`lab.plugin.proving`), and the checks that no damage to stanzas can turn red against a fake that misbehaves in the
one way that they name (`lab.fakes`). Checks on clients name none: what a fake client turns red stands in
tests/scenarios.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from lab import catalogue
from lab import cell as cells
from lab.engines import Running, federated, started
from lab.engines.signals import interrupted_code
from lab.errors import Exit, UsageError
from lab.fakes import MISBEHAVIOURS, FakeServer
from lab.plugin.proving import Attempt, proof_of
from lab.run import Display
from lab.starting import FEDERATED_PATIENCE, peopled
from lab.subjects import Client, Subject
from lab.survey import survey
from lab.verdict import Check, Outcome

PATIENCE = 2.0  # seconds, before a damage is done
PROOF = "prove.json"


@dataclass(frozen=True)
class CheckProof:
    """One check's damages and what it made of them. `outcome` is the undamaged run's."""

    check: str
    provider: str
    outcome: Outcome
    attempts: tuple[Attempt, ...]
    cut: bool = False

    @property
    def noticed(self) -> int:
        return sum(a.noticed for a in self.attempts)

    @property
    def by_rule(self) -> int:
        """How many of them a standing rule alone noticed, which is told whatever the check is."""
        return sum(a.by_rule for a in self.attempts)

    @property
    def defect(self) -> bool:
        """It passes, and nothing turns it red by what it looks at itself, though everything was tried."""
        return self.outcome is Outcome.PASS and self.noticed == self.by_rule and not self.cut

    @property
    def errors(self) -> tuple[Attempt, ...]:
        """Damages that made the lab itself stumble."""
        return tuple(a for a in self.attempts if a.outcome == Outcome.ERROR)


@dataclass(frozen=True)
class Proof:
    """All checks' proofs; where it was interrupted, of those that had ended."""

    subject: str
    proofs: tuple[CheckProof, ...]
    missing: tuple[str, ...] = ()
    problems: tuple[str, ...] = field(default=())
    interrupted: bool = False

    @property
    def exit_code(self) -> int:
        if self.interrupted:
            return interrupted_code()
        bad = any(p.defect or p.errors for p in self.proofs) or self.missing or self.problems
        nothing = not any(p.outcome is Outcome.PASS for p in self.proofs)
        return Exit.UNEXPECTED if bad or nothing else Exit.OK

    def as_json(self) -> dict[str, Any]:
        return {
            "subject": self.subject,
            "exit": self.exit_code,
            "providers": {name: {"noticed": n, "damages": d} for name, n, d, _ in self._shares()},
            "checks": [
                {
                    **asdict(p),
                    "noticed": p.noticed,
                    "by_rule": p.by_rule,
                    "damages": len(p.attempts),
                    "defect": p.defect,
                }
                for p in self.proofs
            ],
            "missing": list(self.missing),
        }

    def _shares(self) -> Iterable[tuple[str, int, int, int]]:
        by_provider = defaultdict(list)
        for proof in self.proofs:
            if proof.outcome is Outcome.PASS:
                by_provider[proof.provider].append(proof)
        for provider, proofs in by_provider.items():
            yield provider, sum(p.noticed for p in proofs), sum(len(p.attempts) for p in proofs), len(proofs)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column("check", overflow="fold")
        for column in ("damages", "noticed"):
            table.add_column(column, justify="right")
        table.add_column("not noticed", overflow="fold")
        for proof in sorted(self.proofs, key=lambda p: p.check):
            if proof.outcome is not Outcome.PASS:
                continue
            missed = sorted({a.damage for a in proof.attempts if not a.noticed})
            style = "bold red" if proof.defect else ""
            table.add_row(
                Text(proof.check, style=style), str(len(proof.attempts)), str(proof.noticed), ", ".join(missed)
            )
        yield table
        for provider, noticed, damages, count in self._shares():
            share = noticed / damages if damages else 0
            yield Text(f"{provider}: {count} passing checks, {noticed} of {damages} damages noticed ({share:.0%})")
        if by_rule := sum(p.by_rule for p in self.proofs):
            yield Text(f"{by_rule} of the noticed ones broke a standing rule alone, not the check's own", "dim")
        others = [p for p in self.proofs if p.outcome is not Outcome.PASS]
        if others:
            names = ", ".join(f"{p.check} ({p.outcome})" for p in others)
            yield Text(f"{len(others)} checks do not pass here, so nothing can be proved of them: {names}", "dim")
        yield from self._shortcomings()

    def _shortcomings(self) -> Iterator[Text]:
        """What is wrong, a line each."""
        for proof in self.proofs:
            for attempt in proof.errors:
                yield Text(f"the lab stumbled: {proof.check}, {attempt.damage} of {attempt.what}", "bold red")
            if proof.cut and proof.noticed == proof.by_rule:
                yield Text(f"{proof.check} noticed nothing, but time was up before everything was tried", "yellow")
            if proof.defect:
                yield Text(f"nothing turns {proof.check} red: a defect of the check", "bold red")
        for problem in self.problems:
            yield Text(problem, "red")
        if self.interrupted:
            yield Text(
                f"interrupted: {len(self.missing)} of {len(self.missing) + len(self.proofs)} checks not proved"
            )
            return
        for name in self.missing:
            yield Text(f"no proof came back for {name}", "bold red")


class _Collector(catalogue.Problems):
    """Takes the proofs from the workers."""

    def __init__(self, display: Display) -> None:
        super().__init__()
        self._display = display
        self.proofs: list[CheckProof] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        proof = proof_of(report)
        if proof is None:
            return
        check = catalogue.named(proof["check"])
        attempts = tuple(Attempt(**a) for a in proof["attempts"])
        outcome = Outcome(proof["outcome"])
        self.proofs.append(CheckProof(check.name, check.requirement.provider, outcome, attempts, proof["cut"]))
        self._display.proved(check.name, len(attempts), sum(a.noticed for a in attempts))


def prove(
    subject: Subject,
    checks: Sequence[Check],
    *,
    out: Path,
    engine: str | None,
    workers: int,
    most: int,
    display: Display,
    clients: Sequence[Client] = (),
    peer: Subject | None = None,
) -> Proof:
    """Damage what each passing check receives, one thing at a time, at most `most` things to each.

    `clients` are who is tried on the server, `peer` is the server that is tried with it; none where it is alone.
    Raises UsageError, MachineError.
    """
    unknown = sorted({c.proved_by for c in checks if c.proved_by} - set(MISBEHAVIOURS))
    if unknown:
        raise UsageError(f"no fake misbehaves so: {', '.join(unknown)}", hint="see lab/fakes")
    collector = _Collector(display)
    by_damage = [c for c in checks if not c.proved_by]
    by_fake = [c for c in checks if c.proved_by]
    display.checking(len(checks))
    code = pytest.ExitCode.OK
    if by_damage:
        with (
            started(subject, engine, run_dir=out, progress=display) as server,
            federated(server, peer, engine, display) as both,
            peopled(both, clients, out, display) as running,
        ):
            cell_file = out / "cell.json"
            for cell, file in ((running.cell, cell_file), *_other(running)):
                seen = survey(cell)
                patience = PATIENCE if peer is None else FEDERATED_PATIENCE
                cells.write(cell.measured(seen.round_trip, patience, seen.advertised), file)
            proving = ["-p", "lab.plugin.proving", "--most-damages", str(most)]
            code = catalogue.run_apart(by_damage, cell_file, workers=workers, plugins=[collector], extra=proving)
    interrupted = code == pytest.ExitCode.INTERRUPTED
    for check in [] if interrupted else by_fake:
        collector.proofs.append(_by_fake(check, out, display))
    display.done()
    ended = {p.check for p in collector.proofs}
    missing = tuple(c.name for c in checks if c.name not in ended)
    tried = " and ".join(f"{client.name}:{client.version}" for client in clients)
    with_ = f" with {peer.name}:{peer.version}" if peer else ""
    named = f"{tried} on " * bool(tried) + f"{subject.name}:{subject.version}{with_}"
    proof = Proof(named, tuple(collector.proofs), missing, tuple(collector.problems), interrupted)
    (out / PROOF).write_text(json.dumps(proof.as_json(), indent=2) + "\n", encoding="utf-8")
    return proof


def _other(running: Running) -> list[tuple[cells.Cell, Path]]:
    """The second server of a cell and its cell file, if there is one."""
    return [(running.peer.cell, running.peer.cell_file)] if running.peer else []


def _by_fake(check: Check, out: Path, display: Display) -> CheckProof:
    """Run a check against the fake that behaves, where it must pass, and the one that does not."""
    fair = _outcome(check, "", out)
    wrong = _outcome(check, check.proved_by, out)
    noticed = fair is Outcome.PASS and wrong in {Outcome.FAIL, Outcome.NON_STRICT}
    display.proved(check.name, 1, int(noticed))
    attempt = Attempt(check.proved_by, f"a fake: {MISBEHAVIOURS[check.proved_by]}", wrong.value, noticed)
    return CheckProof(check.name, check.requirement.provider, fair, (attempt,))


def _outcome(check: Check, misbehaviour: str, out: Path) -> Outcome:
    """What a check comes to against a fake."""
    folder = out / f"fake-{misbehaviour or 'fair'}"
    folder.mkdir(parents=True, exist_ok=True)
    outcomes: list[Outcome] = []

    class Listener:
        def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
            event = getattr(report, "stanzalab", None)
            if event is not None:
                outcomes.append(Outcome(event["outcome"]))

    with FakeServer(misbehaviour, run_dir=folder) as cell:
        cell_file = folder / "cell.json"
        cells.write(cell.measured(0.001, PATIENCE, {}), cell_file)
        catalogue.run([check], cell_file, workers=0, plugins=[Listener()])
    return outcomes[0] if outcomes else Outcome.ERROR
