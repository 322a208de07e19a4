"""The command line: options in, one call, output and exit code. What a command does stands on its own floor."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from lab import __version__
from lab.compare_commands import compare, replay
from lab.display import ConsoleDisplay
from lab.doap_commands import doap
from lab.errors import Exit, LabError
from lab.fuzz_commands import fuzz
from lab.matrix_commands import matrix, merge
from lab.options import (
    DEFAULT_SERVER,
    DEFAULT_YEAR,
    Against,
    AsJson,
    Checks,
    ClientName,
    ClientNames,
    Engine,
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
    newest_record,
    out,
    peer_of,
    print_json,
    print_reports,
    provide_docker,
    provide_engine_for,
    table,
)
from lab.regression_commands import baseline, diff, flaky
from lab.run_commands import attach, run
from lab.schema_commands import commands as schema_commands
from lab.site_commands import site
from lab.subject_commands import commands as subject_commands
from lab.verdict import Role as CheckRole
from lab.verdict import role_in
from schemas.suites import Level, Role

app = typer.Typer(
    name="stanzalab",
    help="A lab for XMPP servers: checks and fuzzes them, row by row of the XMPP Compliance Suites.",
    epilog="Exit codes: 0 all as expected, 1 an unexpected outcome or finding, 2 wrong usage or nothing selected, "
    "3 the machine or a subject would not start, 130 interrupted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(schema_commands)
app.add_typer(subject_commands)


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        out.print(__version__)
        raise typer.Exit


# In the order in which --help lists them.
for command in (run, attach, fuzz, replay, compare, diff, flaky, baseline, doap, matrix, merge, site):
    app.command()(command)


@app.command()
def checks(
    year: Year = DEFAULT_YEAR,
    row: Rows = None,
    check: Checks = None,
    provider: Providers = None,
    role: Annotated[CheckRole, typer.Option("--role", help="Who is judged.")] = "server",
    as_json: AsJson = False,
) -> None:
    """List the checks: name, section, keyword, requirement."""
    from lab import catalogue  # noqa: PLC0415

    selected = catalogue.select(role=role, year=year, rows=row or (), names=check or (), providers=provider or ())
    if as_json:
        print_json(
            [
                {
                    "name": c.name,
                    "provider": c.requirement.provider,
                    "version": c.requirement.version,
                    "section": c.requirement.sections[0],
                    "sections": c.requirement.sections,
                    "keyword": c.requirement.keyword,
                    "role": c.role,
                    "rows": catalogue.rows_of(c.requirement.provider, year),
                    "says": c.requirement.says,
                    "proved_by": c.proved_by,
                }
                for c in selected
            ]
        )
        return
    listing = table("check", "§", "", "requirement")
    for c in selected:
        listing.add_row(c.name, c.requirement.sections[0], c.requirement.keyword, c.requirement.says)
    out.print(listing)
    out.print(f"{len(selected)} checks")


@app.command()
def suite(
    year: Year = DEFAULT_YEAR,
    role: Annotated[Role | None, typer.Option("--role", help="Only what is asked of this role.")] = None,
    level: Annotated[Level | None, typer.Option("--level", help="Only what is asked at this level.")] = None,
    category: Annotated[
        str | None, typer.Option("--category", help="Only this category: core, web, im, mobile, av.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print a compliance suite: rows, marks, providers, footnotes."""
    from lab.report import suite as view  # noqa: PLC0415
    from schemas import suites  # noqa: PLC0415

    chosen = suites.load(year)
    if as_json:
        print_json(view.as_json(chosen, role, level, category))
    else:
        out.print(view.render(chosen, role, level, category))


@app.command()
def coverage(
    provider: Providers = None,
    gaps: Annotated[
        bool, typer.Option("--gaps", help="Only the sections with neither a check nor a reason.")
    ] = False,
    role: Annotated[Role, typer.Option("--role", help="Whose checks.")] = Role.SERVER,
    as_json: AsJson = False,
) -> None:
    """List every section that says MUST or SHOULD, with its checks or the reason why it has none."""
    from lab.coverage import coverages  # noqa: PLC0415

    found = coverages(provider or (), role.value)
    if as_json:
        print_json([c.as_json() for c in found])
    elif gaps:
        for c in found:
            for line in c.gaps:
                out.print(f"{c.provider} §{line.section.number} {line.section.title}", markup=False)
    else:
        for c in found:
            out.print(c if provider else c.total())
    raise typer.Exit(Exit.UNEXPECTED if gaps and any(c.gaps for c in found) else Exit.OK)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="The name of a check, or of a finding (its beginning will do).")],
    record: Annotated[
        Path | None, typer.Option("--record", help="A run record; by default the newest run's.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show one check or one finding of a run in full: requirement, expected, seen, trace, the server's own log."""
    from lab import report  # noqa: PLC0415

    loaded = report.load(record or newest_record())
    if as_json:
        print_json(report.find(loaded, name).to_event())
    else:
        report.show(loaded, name, out)


@app.command(name="report")
def report_command(
    record: Annotated[Path | None, typer.Argument(help="A run record; by default the newest run's.")] = None,
    out_folder: Annotated[
        Path | None, typer.Option("--out", help="The folder that they go to; by default the record's own.")
    ] = None,
    against: Against = None,
    as_json: AsJson = False,
) -> None:
    """Make the reports again from a run record: terminal, index.html, junit.xml, summary.json, summary.md."""
    path = record or newest_record()
    print_reports(path, out_folder or path.parent, as_json=as_json, against=against)


@app.command()
def prove(
    server: Server = DEFAULT_SERVER,
    client: ClientName = None,
    clients: ClientNames = None,
    peer: PeerName = None,
    year: Year = DEFAULT_YEAR,
    row: Rows = None,
    check: Checks = None,
    provider: Providers = None,
    engine: Engine = None,
    provide_engine: ProvideEngine = False,
    workers: Annotated[int, typer.Option("--workers", "-n", min=1, help="Checks that run side by side.")] = 4,
    most: Annotated[int, typer.Option("--most", min=1, help="Damages to one check, at most.")] = 40,
    out_folder: Out = None,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Prove that the checks can fail: damage what each passing check received, and see whether it notices.

    With --client, the checks of that client are proved: what is damaged is what the check is told that the client
    sent and showed. With --clients, those of a pair; with --peer, those of two servers with each other.
    """
    from lab import catalogue, subjects  # noqa: PLC0415
    from lab import prove as proving  # noqa: PLC0415

    tried = clients_of(client, clients)
    subject = subjects.find(server)
    other = peer_of(peer, subject, tried)
    role = role_in(len(tried), peer=other is not None)
    selected = catalogue.select(role=role, year=year, rows=row or (), names=check or (), providers=provider or ())
    if provide_engine:
        provide_engine_for(subject, engine, verbose=verbose)
    name = "-".join(
        ["prove", subject.name, subject.version, *(c.name for c in tried), *([other.name] if other else [])]
    )
    folder = out_folder or new_folder(name, recorded=False)
    with ConsoleDisplay(err if as_json else out, verbose=verbose, quiet=as_json) as display:
        proof = proving.prove(
            subject,
            selected,
            out=folder,
            engine=engine.value if engine else None,
            workers=workers,
            most=most,
            display=display,
            clients=tried,
            peer=other,
        )
    if as_json:
        print_json(proof.as_json())
    else:
        out.print(proof)
    raise typer.Exit(proof.exit_code)


@app.command()
def doctor(provide_engine: ProvideEngine = False, as_json: AsJson = False, verbose: Verbose = False) -> None:
    """Say what works on this machine, and what to do about the rest."""
    from lab.doctor import examine  # noqa: PLC0415

    if provide_engine:
        provide_docker(verbose=verbose)
    findings = examine()
    if as_json:
        print_json([f.as_json() for f in findings])
    else:
        for f in findings:
            mark = Text("ok  ", "green") if f.works else Text("no  ", "yellow")
            out.print(Text.assemble(mark, (f.what, "bold"), f": {f.seen}"))
            if f.advice:
                out.print(f"    {f.advice}", markup=False)
    raise typer.Exit(Exit.OK if all(f.works or not f.needed for f in findings) else Exit.MACHINE)


def main() -> None:
    """The entry point: errors of the lab become a message and an exit code, never a traceback."""
    try:
        app()
    except LabError as error:
        err.print(Text.assemble(("error: ", "bold red"), error.message), soft_wrap=True)
        if error.cause:
            err.print(f"  why: {error.cause}", markup=False, soft_wrap=True)
        if error.hint:
            err.print(f"  next: {error.hint}", markup=False, soft_wrap=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        err.print("interrupted; what was measured is in the run record")
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(0)
