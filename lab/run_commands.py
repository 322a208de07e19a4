"""The commands that run checks: `run` starts a server for it, `attach` takes one that runs already."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from lab.display import ConsoleDisplay
from lab.options import (
    DEFAULT_SERVER,
    DEFAULT_YEAR,
    Against,
    AsJson,
    CellFile,
    Checks,
    ClientName,
    ClientNames,
    DoapFile,
    Engine,
    Image,
    KnownFiles,
    Out,
    PeerName,
    ProvideEngine,
    Providers,
    Rows,
    Server,
    Verbose,
    Year,
    clients_of,
    err,
    new_folder,
    out,
    peer_of,
    print_reports,
    provide_engine_for,
    readable,
    seconds,
    subject_of,
    table,
)
from lab.verdict import JOINT, role_in
from schemas.suites import Role

if TYPE_CHECKING:
    from lab.cell import Cell
    from lab.subjects import Subject

WORKERS = 6  # three a processor on the machines that we know: a check waits more than it works
Workers = Annotated[int, typer.Option("--workers", "-n", min=1, help="Checks that run side by side.")]
Seed = Annotated[
    int | None, typer.Option("--seed", help="Of the fuzzing behind the checks; by default the same in every run.")
]
FuzzFor = Annotated[
    str, typer.Option("--fuzz", metavar="TIME", help="How long to fuzz behind the checks; 0: not at all.")
]


def run(
    server: Server = DEFAULT_SERVER,
    client: ClientName = None,
    clients: ClientNames = None,
    peer: PeerName = None,
    year: Year = DEFAULT_YEAR,
    row: Rows = None,
    check: Checks = None,
    provider: Providers = None,
    cell: CellFile = None,
    engine: Engine = None,
    provide_engine: ProvideEngine = False,
    workers: Workers = WORKERS,
    seed: Seed = None,
    fuzz_for: FuzzFor = "10s",
    image: Image = None,
    known: KnownFiles = None,
    against: Against = None,
    doap: DoapFile = None,
    out_folder: Out = None,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Start a server, run the checks, fuzz it for a while, report: rows first, then each failure with its evidence.

    With --client, the client is tried (and fuzzed), on that server; with --clients, two clients with each other; with
    --peer, two servers with each other.
    Checks that are asked for by name are run alone, without fuzzing.
    """
    from lab import catalogue  # noqa: PLC0415 - `stanzalab --help` answers at once
    from lab import fuzz as fuzzing  # noqa: PLC0415
    from lab import run as lab_run  # noqa: PLC0415
    from lab.doap import read as claims_in  # noqa: PLC0415

    readable(against)
    tried_clients = clients_of(client, clients)
    subject = subject_of(server, image, cell)
    other = peer_of(peer, subject, tried_clients)
    role = role_in(len(tried_clients), peer=other is not None)
    selected = catalogue.select(role=role, year=year, rows=row or (), names=check or (), providers=provider or ())
    fuzz_seconds = 0.0 if check or role in JOINT else seconds(fuzz_for, "--fuzz")
    tried = {c.requirement.provider for c in selected}
    if provide_engine:
        provide_engine_for(subject, engine, verbose=verbose)
    words = {"CLIENT": client, "CLIENTS": clients, "PEER": peer}
    named = "".join(f" {name}={value}" for name, value in words.items() if value)
    plan = lab_run.Plan(
        subject=subject,
        checks=selected,
        year=year,
        replay=(f"make lab CELL={cell}" if cell else f"make lab SERVER={server}{f' IMAGE={image}' if image else ''}")
        + named,
        out=out_folder
        or new_folder(
            "-".join([*_named(subject), *(c.name for c in tried_clients), *(_named(other) if other else ())])
        ),
        cell_file=cell,
        engine=engine.value if engine else None,
        workers=workers,
        seed=seed,
        rows=tuple(row or ()),
        trials=fuzzing.trials_behind(year, row or (), provider or (), tried, Role(role)) if fuzz_seconds else (),
        fuzz_seconds=fuzz_seconds,
        known=tuple(known or ()),
        clients=tried_clients,
        peer=other,
        doap=claims_in(doap) if doap else {},
    )
    with ConsoleDisplay(err if as_json else out, verbose=verbose, quiet=as_json) as display:
        done = lab_run.run(plan, display)
    print_reports(done.record, plan.out, as_json=as_json, against=against)
    raise typer.Exit(done.exit_code)


def _named(subject: Subject | None) -> tuple[str, ...]:
    return (subject.name, subject.version) if subject else ("attached",)


def attach(
    cell: Annotated[Path, typer.Argument(metavar="CELL", help="The cell file of a server that runs (docs/cell.md).")],
    client: ClientName = None,
    clients: ClientNames = None,
    year: Year = DEFAULT_YEAR,
    row: Rows = None,
    check: Checks = None,
    provider: Providers = None,
    workers: Workers = WORKERS,
    seed: Seed = None,
    fuzz_for: FuzzFor = "10s",
    known: KnownFiles = None,
    against: Against = None,
    doap: DoapFile = None,
    out_folder: Out = None,
    look: Annotated[bool, typer.Option("--look", help="Only say what can be reached; run nothing.")] = False,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Check a server that you have running: say what of it can be reached, and go on as `run --cell` does.

    A cell file names its ports and how accounts are made: registered in-band, by an administrator's command
    (XEP-0133), by a program on this machine, or given.
    """
    from lab import cell as cells  # noqa: PLC0415 - `stanzalab --help` answers at once

    _print_cell(cells.read(cell), as_json=as_json)
    if look:
        return
    run(
        client=client,
        clients=clients,
        year=year,
        row=row,
        check=check,
        provider=provider,
        cell=cell,
        workers=workers,
        seed=seed,
        fuzz_for=fuzz_for,
        known=known,
        against=against,
        doap=doap,
        out_folder=out_folder,
        as_json=as_json,
        verbose=verbose,
    )


def _print_cell(cell: Cell, *, as_json: bool) -> None:
    """What a cell file names, what of it answers, and how accounts are made."""
    from lab.cell import TRANSPORTS  # noqa: PLC0415
    from lab.engines.attach import unreachable  # noqa: PLC0415

    console = err if as_json else out
    console.print(f"{cell.subject.name} {cell.subject.version}, {cell.domain}", markup=False)
    listing = table("transport", "address", "")
    for transport in TRANSPORTS:
        endpoint = cell.endpoint(transport)
        if endpoint is None:
            listing.add_row(transport, "-", Text("not named, not tested", style="dim"))
            continue
        why = unreachable(endpoint)
        said = Text(f"no: {why}", style="red") if why else Text("answers", style="green")
        listing.add_row(transport, Text(f"{endpoint.host}:{endpoint.port}"), said)
    console.print(listing)
    console.print(f"accounts: {_accounts(cell)}", markup=False)


def _accounts(cell: Cell) -> str:
    """How accounts are made, in words."""
    making = cell.accounts
    if making.method == "ad-hoc" and cell.admin is not None:
        return f"added by {cell.admin.jid} with an administrator's command (XEP-0133 §4.1)"
    if making.method == "command":
        return f"made by {making.argv[0]} on this machine, one call each"
    if making.method == "given":
        return f"{len(making.given)} given; every check takes some that no other has used"
    return "registered in-band, before login (XEP-0077)"
