"""What every command that starts a subject shares: the cell, started or attached; the survey; the record's frame.

What is then done with the cell stands in `lab.run`, `lab.fuzz` and `lab.prove`.
"""

from __future__ import annotations

import datetime
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from heapq import merge
from operator import attrgetter
from pathlib import Path

from lab import __version__, catalogue, engines
from lab import cell as cells
from lab.campaign.outside import Outside
from lab.cell import Cell
from lab.cell import Subject as CellSubject
from lab.doap import Implemented
from lab.engines import Progress, Running, attach, started
from lab.errors import MachineError
from lab.record import Exit, Header, LogLine, Writer
from lab.subjects import Client, Subject, is_ours
from lab.subjects.expected import Side
from lab.subjects.known import Listed, listed
from lab.survey import survey
from lab.verdict import JOINT, role_in, told_apart

FUZZ_RESTARTS = 20  # times that a subject which dies of malformed stanzas is started again
FEDERATED_PATIENCE = 10.0
"""Seconds: the first stanza between two domains waits for a stream of theirs, which has to be negotiated."""
RECORD = "run.ndjson"


@contextmanager
def running(
    subject: Subject | None,
    cell_file: Path | None,
    engine: str | None,
    run_dir: Path,
    progress: Progress,
    *,
    restarts: int = engines.RESTARTS,
) -> Iterator[Running]:
    """The cell: started for this run, or (with `cell_file`) one that somebody else has running."""
    if cell_file is not None:
        with attach.attach(cell_file, progress) as attached:
            yield attached
        return
    if subject is None:
        raise MachineError("a plan needs a subject or a cell file")
    with started(subject, engine, run_dir=run_dir, progress=progress, restarts=restarts) as begun:
        yield begun


def listed_for(subject: Subject | Client | None, cell_file: Path | None, further: Sequence[Path]) -> Listed:
    """What is known to fail of whoever is tried: the subject's own list, and further ones over it.

    Raises UsageError: known before anything is started.
    """
    if not further:
        return listed(subject, subject.version if subject else "")
    version = subject.version if subject else cells.read(cell_file).subject.version if cell_file else ""
    return listed(subject, version, further)


def sides_of(
    tried: Listed, clients: Sequence[Client], server: Subject | None, peer: Subject | None
) -> tuple[Side, ...]:
    """Whose lists say what is expected: `tried` is that of who is tried; where several are, the others' own, too.

    Raises UsageError as `listed_for` does.
    """
    if peer and server:
        one, other = told_apart(server, peer)
        return Side.of(one, tried), Side.of(other, listed_for(peer, None, ()), second=True)
    judged = clients[0] if clients else server
    first = Side.of(judged.name if judged else "", tried)
    if role_in(len(clients)) not in JOINT:
        return (first,)
    second = Side.of(clients[1].name, listed_for(clients[1], None, ()), second=True)
    return (first, second, *([Side.of(server.name, listed_for(server, None, ()))] if server else []))


def surveyed(begun: Running, display: Progress) -> Cell:
    """Ask the server once how fast it is and what it claims: it decides how patient the checks are.

    A second server of the cell is asked, too, and its cell file written anew.
    """
    cell = _surveyed(begun.cell, display)
    if begun.peer is None:
        return cell
    other = _surveyed(begun.peer.cell, display)
    patient, cell = (replace(one, patience=FEDERATED_PATIENCE) for one in (other, cell))
    cells.write(patient, begun.peer.cell_file)
    return cell


def _surveyed(cell: Cell, display: Progress) -> Cell:
    display.step(f"asking {cell.subject.name} what it offers")
    seen = survey(cell)
    if seen.problem:
        display.step(f"the first login did not go through: {seen.problem}")
    return cell.measured(seen.round_trip, seen.patience, seen.advertised)


@contextmanager
def peopled(begun: Running, clients: Sequence[Client], run_dir: Path, progress: Progress) -> Iterator[Running]:
    """The same cell with these clients in it; none: as it is."""
    if not clients:
        yield begun
        return
    from lab.engines.clients import with_clients  # noqa: PLC0415 - the docker SDK is slow to load

    with with_clients(begun, clients, run_dir, progress) as cell:
        yield cell


def header_of(
    cell: Cell,
    subjects: Sequence[Subject | Client | None],
    *,
    year: int,
    seed: int,
    replay: str,
    selected: tuple[str, ...],
    rows: tuple[str, ...],
    doap: Mapping[str, Implemented] | None = None,
) -> Header:
    """The header of a run's record: what is run on what.

    `subjects` are the server (None: it is known by its cell file alone) and the clients that are tried on it, or the
    other server that is tried with it.
    """
    role = role_in(len(cell.clients), peer=cell.peer is not None)
    server, *guests = subjects
    facts = [_facts(cell.subject, server.title if server else cell.subject.name)]
    facts += [_facts(place.subject, place.title) for place in cell.clients]
    if cell.peer is not None:
        other = cells.read(cell.peer).subject
        facts.append(_facts(other, guests[0].title if guests and guests[0] else other.name))
    clients = guests if cell.clients else []
    judged, *others = facts[1:] + facts[:1] if clients else facts
    tried = clients[0] if clients else server
    if tried and not is_ours(tried):
        judged = {**judged, "folder": str(tried.folder)}  # `stanzalab baseline` finds the list there
    roles = ["client"] * (len(others) - 1) + ["server"]
    first = clients[0] if clients else None
    return Header(
        lab=__version__,
        suite=f"CS{year}",
        role=role,
        started=now(),
        seed=seed,
        subject=judged,
        domain=cell.domain,
        engine=cell.process.kind,
        replay=replay,
        selected=selected,
        rows=rows,
        known_checks=catalogue.known_checks(role),
        provides=dict(first.provides) if first else cell.provides,
        advertised=cell.advertised if role == "server" else {},
        doap=dict(doap or {}),
        round_trip=cell.round_trip,
        patience=cell.patience,
        peers=tuple({**other, "role": role_} for other, role_ in zip(others, roles, strict=False)),
    )


def _facts(subject: CellSubject, title: str) -> dict[str, str]:
    """What a record says of a subject."""
    return {
        "name": subject.name,
        "title": title,
        "version": subject.version,
        "package": subject.package,
        "image": subject.image,
        "digest": subject.digest,
    }


def copy_log(begun: Running, run_dir: Path, writer: Writer) -> None:
    """Put the subject's own output and its exits into the record: reports read nothing else.

    Where two servers are tried with each other, both, in the order of time, with the name of each.
    """
    told = [("", begun.log_file, run_dir)]
    if begun.peer is not None:
        one, other = told_apart(begun.cell.subject, begun.peer.cell.subject)
        told = [
            (f"{one}: ", begun.log_file, run_dir),
            (f"{other}: ", begun.peer.log_file, begun.peer.cell_file.parent),
        ]
    for line in merge(*(_lines(name, log) for name, log, _ in told), key=attrgetter("at")):
        writer.log(line)
    for name, _, folder in told:
        for exit_ in engines.exits(folder):
            writer.exit(Exit(exit_.at, f"{name}{exit_.why}", exit_.restarted))


def _lines(whose: str, log: Path | None) -> Iterator[LogLine]:
    if log is None or not log.exists():
        return
    # Only a line feed ends a line: a subject may print what a client sent, with every other separator in it.
    with log.open(encoding="utf-8", errors="backslashreplace", newline="\n") as lines:
        for line in lines:
            at, _, text = line.rstrip("\n").partition(" ")
            yield LogLine(float(at), f"{whose}{text}")


def now() -> str:
    """This moment, as records have it: ISO 8601 in UTC."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def seed_of(wanted: int | None) -> int:
    """The seed that was asked for, or any."""
    return random.SystemRandom().randrange(2**32) if wanted is None else wanted


def outside_of(begun: Running, subject: Subject | None, run_dir: Path) -> Outside:
    """The watch over a cell while it is fuzzed: its exits, where an engine notes them, its log and its memory."""
    process = begun.cell.process
    exits_in = None if process.kind == "attached" else run_dir
    return Outside(process, exits_in, begun.log_file, subject.crashes if subject else ())
