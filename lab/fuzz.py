"""A campaign from a subject's name to its run record: start the cell, survey, fuzz, report. Also what a lab run adds.

The steps stand here; `lab.campaign` does the work.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lab import cell as cells
from lab import engines
from lab.campaign import corpus
from lab.campaign.campaign import Campaign
from lab.campaign.clients import ClientCampaign
from lab.campaign.course import Bounds, Listener
from lab.campaign.finding import CONFIRMATIONS, Finding
from lab.campaign.safety import refuse_strangers
from lab.campaign.tally import Outcome, Tally
from lab.cell import Cell
from lab.engines import Running
from lab.engines.signals import interrupted_code
from lab.errors import Exit, UsageError
from lab.record import Footer, Writer
from lab.robustness import CampaignFacts, Found, Robust, Robustness
from lab.starting import (
    FUZZ_RESTARTS,
    RECORD,
    copy_log,
    header_of,
    listed_for,
    now,
    outside_of,
    peopled,
    running,
    seed_of,
    surveyed,
)
from lab.subjects import Client, Subject
from lab.subjects.known import KnownFinding, expectation_of_finding, not_seen
from lab.verdict import Expectation
from schemas import robustness, suites
from schemas.robustness import Trial
from schemas.suites import Role, Row
from schemas.tables import nearest

LEFT_LYING = "answers-the-sentinel=stuck by "  # how fingerprints of stanzas that are left lying begin


class Display(engines.Progress, Listener, Protocol):
    """Where a campaign shows what it does."""

    def done(self) -> None: ...


@dataclass(frozen=True)
class Plan:
    """What is to be fuzzed. `subject` is None where `cell_file` names a server that runs already."""

    subject: Subject | None
    trials: tuple[Trial, ...]
    rows: tuple[str, ...]
    year: int
    bounds: Bounds
    out: Path
    replay: str
    corpus: Path = corpus.FOLDER
    cell_file: Path | None = None
    engine: str | None = None
    seed: int | None = None
    allowed: str | None = None
    known: tuple[Path, ...] = ()
    """Further lists of known findings, laid over the subject's own."""
    client: Client | None = None
    """Who is fuzzed on that server; None: the server itself."""


@dataclass(frozen=True)
class Fuzzed:
    """What came of it."""

    exit_code: int
    record: Path
    outcome: Outcome
    corpus: Path


def rows_of(year: int, wanted: Sequence[str] = (), role: Role = Role.SERVER) -> tuple[Row, ...]:
    """The rows that a suite asks of a role; those that `wanted` names (rows or categories), if any.

    Informational ones are among these where they are named. Raises UsageError where it names none of them.
    """
    suite = suites.load(year)
    if not wanted:
        return suite.select(role)
    rows = (*suite.select(role), *suite.informational)
    for name in wanted:
        if not any(name in (row.id, row.category) for row in rows):
            suite.row(name)  # says which there are
            raise UsageError(f"{suite.name} asks nothing of {role}s in the row {name}")
    return tuple(row for row in rows if {row.id, row.category} & set(wanted))


def trials_of(rows: Sequence[Row], providers: Sequence[str] = (), role: Role = Role.SERVER) -> tuple[Trial, ...]:
    """How the providers of some rows are tried, each once; those that `providers` names, if any.

    Raises UsageError: nobody knows such a provider.
    """
    for name in providers:
        if name not in robustness.providers():
            raise UsageError(f"no provider {name!r}", hint=nearest(name, robustness.providers()))
    listed = list(dict.fromkeys(provider.id for row in rows for provider in row.listed))
    trial = robustness.trial if role is Role.SERVER else robustness.trial_of_client
    return tuple(trial(provider) for provider in (providers or listed))


def trials_behind(
    year: int, rows: Sequence[str], providers: Sequence[str], tried: Set[str], role: Role = Role.SERVER
) -> tuple[Trial, ...]:
    """What a short campaign behind checks tries: the rows asked for, or those with a provider that was checked."""
    if rows or providers:
        return trials_of(rows_of(year, rows, role), providers, role)
    return trials_of([row for row in rows_of(year, role=role) if tried & row.measuring], role=role)


def fuzz(plan: Plan, display: Display) -> Fuzzed:
    """Run a campaign. Raises UsageError and MachineError; whatever was found by then is in the corpus.

    Nobody connects to a server of a cell file before it is known that it may be fuzzed.
    """
    if all(trial.none for trial in plan.trials):
        raise UsageError(
            "there is nothing to fuzz with",
            cause="; ".join(f"{trial.provider}: {trial.none}" for trial in plan.trials),
            hint="`stanzalab suite` lists the rows, and who provides them",
        )
    known = listed_for(plan.client or plan.subject, plan.cell_file, plan.known).findings
    started = time.monotonic()
    plan.out.mkdir(parents=True, exist_ok=True)
    record = plan.out / RECORD
    if plan.cell_file is not None:
        refuse_strangers(cells.read(plan.cell_file), plan.allowed)
    clients = (plan.client,) if plan.client else ()
    with (
        running(plan.subject, plan.cell_file, plan.engine, plan.out, display, restarts=FUZZ_RESTARTS) as alone,
        peopled(alone, clients, plan.out, display) as begun,
    ):
        cell = surveyed(begun, display)
        cells.write(cell, plan.out / "cell.json")
        seed = seed_of(plan.seed)
        header = header_of(
            cell, (plan.subject, *clients), year=plan.year, seed=seed, replay=plan.replay, selected=(), rows=plan.rows
        )
        folder = corpus.folder_of((cell.clients[0].subject if clients else cell.subject).name, plan.corpus)
        with Writer(record, header) as writer:
            try:
                outcome, exit_code = campaign(
                    begun,
                    cell,
                    plan.subject,
                    plan.trials,
                    bounds=plan.bounds,
                    seed=seed,
                    run_dir=plan.out,
                    folder=folder,
                    known=known,
                    replay=plan.replay,
                    writer=writer,
                    listener=display,
                    client=plan.client,
                )
            finally:
                display.done()
                copy_log(begun, plan.out, writer)
            if not outcome.interrupted:
                writer.footer(Footer(now(), round(time.monotonic() - started, 3), {}, exit_code))
    return Fuzzed(interrupted_code() if outcome.interrupted else exit_code, record, outcome, folder)


def campaign(
    begun: Running,
    cell: Cell,
    subject: Subject | None,
    trials: Sequence[Trial],
    *,
    bounds: Bounds,
    seed: int,
    run_dir: Path,
    folder: Path | None,
    known: Sequence[KnownFinding],
    replay: str,
    writer: Writer,
    listener: Listener,
    client: Client | None = None,
    brief: bool = False,
) -> tuple[Outcome, int]:
    """A campaign on a cell that stands, over the server or its client, written into a run record.

    `brief`: it has no time for what is known to cost a wait. Answers its outcome, and the exit code.
    """
    exits_in = None if cell.process.kind == "attached" else run_dir
    if client is not None:
        outcome = ClientCampaign(cell, cell.clients[0], trials, seed, bounds, listener, exits_in, folder).run()
    else:
        with outside_of(begun, subject, run_dir) as outside:
            lying = brief and leaves_lying(known)
            outcome = Campaign(cell, trials, outside, seed, bounds, listener, exits_in, folder, lying).run()
    on = _options(cell, subject, client)
    founds = [_found(finding, known, folder, on) for finding in outcome.findings]
    for found in founds:
        writer.finding(found)
    for tally in outcome.tallies:
        writer.robustness(_robustness(tally, outcome))
    unseen = not_seen(known, [found.fingerprint for found in founds])
    writer.campaign(_facts(outcome, replay, unseen))
    return outcome, _exit_code(outcome, founds)


def leaves_lying(known: Sequence[KnownFinding]) -> bool:
    """Whether a list says that the server leaves some stanzas lying until more comes behind them."""
    return any(entry.fingerprint.startswith(LEFT_LYING) for entry in known)


def _exit_code(outcome: Outcome, founds: Sequence[Found]) -> int:
    if outcome.stopped:
        return Exit.MACHINE
    unexpected = any(found.expectation is Expectation.UNEXPECTED for found in founds)
    return Exit.UNEXPECTED if unexpected or outcome.memory or outcome.exits else Exit.OK


def _options(cell: Cell, subject: Subject | None, client: Client | None) -> str:
    """Who is tried on what, as commands take it."""
    server = f"{subject.name}:{subject.version}" if subject else cell.subject.name
    words = ["--server", server]
    if subject and subject.image:
        words += ["--image", subject.image]
    if client is not None:
        words += ["--client", f"{client.name}:{client.version}"]
    return shlex.join(words)


def _found(finding: Finding, listed: Sequence[KnownFinding], folder: Path | None, on: str) -> Found:
    last = finding.templates[-1]
    expectation, reason = expectation_of_finding(finding.fingerprint, listed, flaky=finding.flaky)
    where = f" --corpus {shlex.quote(str(folder))}" if folder else ""
    return Found(
        fingerprint=finding.fingerprint,
        name=finding.name,
        rule=finding.rule,
        where=last.where if finding.rule in {"reacts-as-allowed", "ends-the-stream"} else finding.where,
        says=finding.says,
        expected=finding.expected,
        seen=finding.seen,
        sent=finding.text,
        provider=finding.provider,
        confirmed=finding.confirmed,
        tries=CONFIRMATIONS,
        expectation=expectation,
        replay=f"stanzalab replay {finding.name} {on}{where}",
        operator=last.operator,
        place=last.place,
        was=last.was,
        became=last.became,
        shrunk=finding.shrunk,
        known_reason=reason,
        trace=tuple((entry.at, entry.session, entry.direction, entry.text) for entry in finding.trace),
    )


def _robustness(tally: Tally, outcome: Outcome) -> Robustness:
    flaky = {finding.fingerprint for finding in outcome.findings if finding.flaky}
    if not tally.sent:
        verdict = Robust.NOT_TESTED
    elif set(tally.findings) - flaky:
        verdict = Robust.FAIL
    else:
        verdict = Robust.FLAKY if tally.findings else Robust.PASS
    return Robustness(
        provider=tally.provider,
        outcome=verdict,
        over=tally.over,
        valid=tally.valid,
        malformed=tally.malformed,
        payloads=len(tally.payloads),
        operators=len(tally.operators),
        unconfirmed=tally.unconfirmed,
        avoided=tally.avoided,
        findings=tuple(tally.findings),
        reason=tally.none or ("" if tally.sent else _why_nothing(tally)),
    )


def _why_nothing(tally: Tally) -> str:
    if tally.turns:
        return "The cell has nobody whom it could be addressed to."
    return "The campaign ended before its turn."


def _facts(outcome: Outcome, replay: str, unseen: tuple[str, ...]) -> CampaignFacts:
    return CampaignFacts(
        seed=outcome.seed,
        seconds=round(outcome.seconds, 3),
        sent=outcome.sent,
        rate=round(outcome.rate, 1),
        memory_start=outcome.memory_start,
        memory_peak=outcome.memory_peak,
        exits=outcome.exits,
        memory=f"expected {outcome.memory.expected}, seen {outcome.memory.seen}" if outcome.memory else "",
        stopped=outcome.stopped,
        replay=replay,
        not_seen=unseen,
    )
