"""The command `stanzalab fuzz`: options in, one call, output and exit code."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from lab.display import CampaignDisplay
from lab.options import (
    DEFAULT_SERVER,
    DEFAULT_YEAR,
    AllowFuzz,
    AsJson,
    CellFile,
    ClientName,
    Corpus,
    Engine,
    FuzzProviders,
    FuzzRows,
    Image,
    KnownFiles,
    Out,
    ProvideEngine,
    Server,
    Verbose,
    Year,
    clients_of,
    err,
    new_folder,
    out,
    print_json,
    print_reports,
    provide_engine_for,
    seconds,
    subject_of,
    table,
)
from schemas.suites import Role

if TYPE_CHECKING:
    from lab.subjects import Subject


def fuzz(
    server: Server = DEFAULT_SERVER,
    client: ClientName = None,
    year: Year = DEFAULT_YEAR,
    row: FuzzRows = None,
    provider: FuzzProviders = None,
    for_: Annotated[
        str,
        typer.Option(
            "--for", metavar="TIME", help="How long to send: 90, 60s, 10m. What that shows is looked into besides."
        ),
    ] = "60s",
    stanzas: Annotated[int | None, typer.Option("--stanzas", min=1, help="How many to send at most.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="The same seed draws the same stanzas.")] = None,
    shrink: Annotated[
        str,
        typer.Option("--shrink", metavar="TIME", help="How long each finding is made smaller; 0: not at all."),
    ] = "10s",
    corpus: Corpus = None,
    cell: CellFile = None,
    allow_fuzz: AllowFuzz = None,
    engine: Engine = None,
    provide_engine: ProvideEngine = False,
    image: Image = None,
    known: KnownFiles = None,
    out_folder: Out = None,
    list_operators: Annotated[
        bool, typer.Option("--list-operators", help="Only list the ways in which stanzas are malformed.")
    ] = False,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Fuzz a server, row by row, with stanzas from the schemas, valid and malformed; keep what breaks it.

    Every stanza is judged by the standing rules: one reply to each request, nothing to anybody else, the stream ended
    where it must be, the server alive. What breaks one is narrowed down to the stanza, confirmed three times on fresh
    sessions, made small, and kept in the corpus, for `stanzalab replay`. Ctrl-C keeps what was found.

    With --client, the client is fuzzed on that server: by somebody else through the server, where it passes that on,
    and by what stands between them where it does not. It must live, answer, keep its session, and believe nobody who
    speaks for others.

    The exit code is 1 where a finding is on no list (known.toml), or where the server exited or took too much memory.
    """
    if list_operators:
        _list_operators(as_json=as_json)
        return
    from lab import fuzz as fuzzing  # noqa: PLC0415 - `stanzalab --help` answers at once
    from lab.campaign.corpus import FOLDER  # noqa: PLC0415
    from lab.campaign.course import Bounds  # noqa: PLC0415

    tried = next(iter(clients_of(client, None)), None)
    role = Role.CLIENT if tried else Role.SERVER
    trials = fuzzing.trials_of(fuzzing.rows_of(year, row or (), role), provider or (), role)
    subject = subject_of(server, image, cell)
    if provide_engine:
        provide_engine_for(subject, engine, verbose=verbose)
    plan = fuzzing.Plan(
        subject=subject,
        trials=trials,
        rows=tuple(row or ()),
        year=year,
        bounds=Bounds(seconds=seconds(for_, "--for"), stanzas=stanzas, shrink=seconds(shrink, "--shrink")),
        out=out_folder or new_folder("-".join(["fuzz", *_named(subject), *([tried.name] if tried else [])])),
        replay=_again(server, image, client, year, row or (), provider or (), str(cell or "")),
        corpus=corpus or FOLDER,
        cell_file=cell,
        engine=engine.value if engine else None,
        seed=seed,
        allowed=allow_fuzz,
        known=tuple(known or ()),
        client=tried,
    )
    with CampaignDisplay(err if as_json else out, verbose=verbose, quiet=as_json) as display:
        done = fuzzing.fuzz(plan, display)
    kept = done.corpus if done.outcome.findings else None
    print_reports(done.record, plan.out, as_json=as_json, findings=kept)
    raise typer.Exit(done.exit_code)


def _named(subject: Subject | None) -> tuple[str, ...]:
    return (subject.name, subject.version) if subject else ("attached",)


def _again(
    server: str,
    image: str | None,
    client: str | None,
    year: int,
    rows: Sequence[str],
    providers: Sequence[str],
    cell: str,
) -> str:
    """The command that does this again, but for its seed."""
    words = ["stanzalab", "fuzz", *(["--cell", cell] if cell else ["--server", server])]
    if image:
        words += ["--image", image]
    if client:
        words += ["--client", client]
    if year != DEFAULT_YEAR:
        words += ["--suite", str(year)]
    for row in rows:
        words += ["--row", row]
    for provider in providers:
        words += ["--provider", provider]
    return shlex.join(words)


def _list_operators(*, as_json: bool) -> None:
    from generators.malformations import OPERATORS  # noqa: PLC0415

    if as_json:
        print_json(
            [{"name": o.name, "family": o.family, "summary": o.summary, "valid": o.valid} for o in OPERATORS.values()]
        )
        return
    listing = table("operator", "family", "what it does")
    for o in OPERATORS.values():
        listing.add_row(o.name, f"{o.family} (valid)" if o.valid else o.family, o.summary)
    out.print(listing)
    out.print(f"{len(OPERATORS)} operators")
