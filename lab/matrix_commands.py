"""The commands `stanzalab matrix` and `stanzalab merge`: options in, one call, output and exit code."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lab.errors import Exit, UsageError
from lab.options import (
    DEFAULT_YEAR,
    AsJson,
    Checks,
    ProvideEngine,
    Providers,
    Rows,
    Verbose,
    err,
    new_folder,
    out,
    print_json,
    provide_docker,
    seconds,
    shown,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.matrix.ledger import Ledger
    from lab.matrix.plan import Asked, Cell, Selection
    from lab.verdict import Role


def matrix(
    folder: Annotated[
        Path | None,
        typer.Argument(help="With --resume: the matrix to go on with; by default the one last worked at."),
    ] = None,
    servers: Annotated[
        list[str] | None,
        typer.Option("--servers", "-s", metavar="NAME[:VERSION],…", help="Servers; by default all of the lab's."),
    ] = None,
    clients: Annotated[
        list[str] | None,
        typer.Option(
            "--clients",
            "-c",
            metavar="NAME[:VERSION],…",
            help="Clients; by default all of the lab's; none: no client.",
        ),
    ] = None,
    pairs: Annotated[
        list[str] | None,
        typer.Option(
            "--pairs", metavar="A+B,…", help="Pairs of clients; by default each client with slixmpp; none: no pair."
        ),
    ] = None,
    federation: Annotated[
        list[str] | None,
        typer.Option(
            "--federation", metavar="A+B,…", help="Servers with each other; by default each two of them; none: alone."
        ),
    ] = None,
    year: Annotated[
        int | None,
        typer.Option("--suite", "--year", help=f"The year of the compliance suite; by default {DEFAULT_YEAR}."),
    ] = None,
    row: Rows = None,
    check: Checks = None,
    provider: Providers = None,
    fuzz_for: Annotated[
        str | None,
        typer.Option("--fuzz", metavar="TIME", help="How long to fuzz behind the checks of a cell; 0: not at all."),
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Of the fuzzing, for every cell.")] = None,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", min=1, help="Cells side by side; by default as processors and memory allow."),
    ] = None,
    limit: Annotated[str, typer.Option("--limit", metavar="TIME", help="How long a cell may take.")] = "30m",
    retries: Annotated[
        int,
        typer.Option("--retries", min=0, help="Further tries of a cell that did not start, or was not done in time."),
    ] = 1,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on with a matrix: what has a result is not run again, whatever else is."),
    ] = False,
    shard: Annotated[
        str, typer.Option("--shard", metavar="K/N", help="Only the share K of N; `stanzalab merge` joins them.")
    ] = "",
    durations: Annotated[
        Path | None,
        typer.Option(
            "--durations",
            help="A matrix folder of before, by whose times shares are balanced: the same for each share.",
        ),
    ] = None,
    out_folder: Annotated[
        Path | None, typer.Option("--out", help="The matrix's folder; by default a new one in runs/.")
    ] = None,
    provide_engine: ProvideEngine = False,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Run every server alone, with every other one, with every client and with pairs: a run each, side by side.

    Ctrl-C stops all of them, and --resume goes on. Exit codes: 0 all as expected, 1 an unexpected outcome, 3 a cell
    that could not be run to its end, 130 interrupted.
    """
    from lab.matrix import course, ledger, plan, shards, view  # noqa: PLC0415 - `stanzalab --help` answers at once
    from lab.matrix.room import room  # noqa: PLC0415

    before = _before(folder, resume=resume, out_folder=out_folder)
    if fuzz_for is not None:
        seconds(fuzz_for, "--fuzz")
    asked = plan.Asked(
        servers=tuple(plan.words_of(servers or ())),
        clients=tuple(plan.words_of(clients or ())),
        pairs=tuple(plan.words_of(pairs or ())),
        federation=tuple(plan.words_of(federation or ())),
        selection=plan.Selection(year, tuple(row or ()), tuple(check or ()), tuple(provider or ()), fuzz_for, seed),
        shard=str(shards.Shard.of(shard)) if shard else "",
        durations=ledger.durations(ledger.read(durations)) if durations else {},
    )
    if before is not None:
        asked = before.asked.with_what_is_given(asked)
    cells, selections, notes = _cells(asked)
    if provide_engine:
        _provide_engine(cells, verbose=verbose)
    place = before.folder if before else out_folder or new_folder("matrix", recorded=False)
    known = asked.durations or _timed(place)
    wanted = course.Plan(
        folder=place,
        asked=asked,
        cells=cells,
        selections=selections,
        room=room(jobs),
        limit=seconds(limit, "--limit"),
        retries=retries,
        durations={**known, **(ledger.durations(before) if before else {})},
        notes=notes,
    )
    for note in notes:
        err.print(note, markup=False, soft_wrap=True)
    done = course.run(wanted, view.MatrixDisplay(err if as_json else out, verbose=verbose, quiet=as_json))
    if as_json:
        print_json({**done.ledger.as_json(), "folder": str(place), "exit": done.exit_code, "run": done.run})
    else:
        view.report(done.ledger, out)
        out.print(f"matrix: {shown(place)}", soft_wrap=True)
    if not done.ledger.finished:
        err.print(f"interrupted; to go on: stanzalab matrix --resume {shown(place)}", markup=False, soft_wrap=True)
    raise typer.Exit(done.exit_code)


def merge(
    folders: Annotated[list[Path], typer.Argument(help="Matrix folders: the shares of one matrix, say.")],
    out_folder: Annotated[
        Path | None, typer.Option("--out", help="The folder of the merged matrix, new or empty; by default in runs/.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Put the cells of several matrix folders together in a new one.

    Of a cell that is in several, the newest finished record counts, and the others are kept beside it. What is no
    record is set aside, and said. The folders themselves stay as they are.
    """
    from lab.matrix import merge as merging  # noqa: PLC0415 - `stanzalab --help` answers at once
    from lab.matrix import view  # noqa: PLC0415

    done = merging.merge(folders, out_folder or new_folder("matrix", recorded=False))
    for line in done.said:
        err.print(line, markup=False, soft_wrap=True)
    if as_json:
        print_json({**done.ledger.as_json(), "folder": str(done.ledger.folder), "said": list(done.said)})
    else:
        view.report(done.ledger, out)
        out.print(f"{done.records} records are in {shown(done.ledger.folder)}", markup=False, soft_wrap=True)
    raise typer.Exit(Exit.OK)


def _before(folder: Path | None, *, resume: bool, out_folder: Path | None) -> Ledger | None:
    """The matrix that is gone on with. Raises UsageError where the words do not fit together, or there is none."""
    from lab.matrix import ledger  # noqa: PLC0415

    if not resume:
        if folder is not None:
            raise UsageError(f"what is {folder} for?", hint="--resume FOLDER goes on with a matrix")
        if out_folder is not None and (out_folder / ledger.FILE).exists():
            raise UsageError(f"there is a matrix in {out_folder}", hint=f"go on with it: --resume {out_folder}")
        return None
    if out_folder is not None:
        raise UsageError("a matrix that is gone on with stays where it is", hint="leave --out away")
    found = folder or ledger.newest(_runs())
    if found is None:
        raise UsageError("there is no matrix yet", hint="`make matrix` makes one, or name a matrix folder")
    return ledger.read(found)


def _cells(asked: Asked) -> tuple[tuple[Cell, ...], dict[Role, Selection], tuple[str, ...]]:
    """The cells of a matrix, or of a share of it; what is run in those of each role; what was left out.

    Raises UsageError where nothing is left.
    """
    from lab.matrix import chosen, plan, shards, view  # noqa: PLC0415

    clients = plan.clients_of(asked.clients)
    servers = plan.servers_of(asked.servers)
    federation = plan.federation_of(asked.federation, servers)
    cells = plan.planned(servers, clients, plan.pairs_of(asked.pairs, clients), federation)
    selections, notes = chosen.chosen(asked.selection, (cell.role for cell in cells), default_year=DEFAULT_YEAR)
    left_out = Counter(cell.role for cell in cells if cell.role not in selections)
    notes += tuple(
        f"{view.counted(number, f'{role} cell')} left out: nothing that is selected is a check of theirs"
        for role, number in left_out.items()
    )
    kept = tuple(cell for cell in cells if cell.role in selections)
    if asked.shard:
        kept = shards.share(kept, shards.Shard.of(asked.shard), asked.durations)
        if not kept:
            raise UsageError(f"the share {asked.shard} has no cell", cause=f"there are {len(cells)} in all")
    return kept, selections, notes


def _timed(place: Path) -> dict[str, float]:
    """How long cells took in the newest matrix but `place`; nothing where that cannot be told: it is but an order."""
    from lab.matrix import ledger  # noqa: PLC0415

    old = ledger.newest(_runs(), but=place)
    try:
        return ledger.durations(ledger.read(old)) if old else {}
    except UsageError:
        return {}


def _provide_engine(cells: Sequence[Cell], *, verbose: bool) -> None:
    """Install and start Docker where a subject wants it and none answers."""
    from lab import subjects  # noqa: PLC0415

    engines = {
        *(subjects.find(one.spec).engines[0] for cell in cells for one in (cell.server, cell.peer) if one),
        *(subjects.find_client(client.spec).engines[0] for cell in cells for client in cell.clients),
    }
    if os.environ.get("LAB_ENGINE") != "local" and "docker" in engines:
        provide_docker(verbose=verbose)


def _runs() -> Path:
    return Path(os.environ.get("STANZALAB_RUNS", "runs"))
