"""The commands of `stanzalab subjects`: who can be tried, and whether a client's agent keeps to its contract."""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from lab.display import ConsoleDisplay
from lab.errors import Exit
from lab.options import AsJson, ProvideEngine, Verbose, err, out, print_json, provide_docker, table
from lab.report.visible import plain

if TYPE_CHECKING:
    from lab.subjects import Client, Subject

commands = typer.Typer(
    name="subjects",
    help="The servers and clients that the lab can start; and whether a client's agent keeps to its contract.",
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@commands.callback()
def list_subjects(context: typer.Context, as_json: AsJson = False) -> None:
    """List the implementations that the lab can start; `subjects check` tries a client's agent."""
    if context.invoked_subcommand is not None:
        return
    from lab import subjects as known_subjects  # noqa: PLC0415 - `stanzalab --help` answers at once

    found: list[Subject | Client] = [*known_subjects.all_subjects(), *known_subjects.all_clients()]
    if as_json:
        print_json(
            [
                {
                    "name": s.name,
                    "title": s.title,
                    "role": s.role,
                    "versions": s.versions,
                    "default": s.default,
                    "engines": s.engines,
                    "homepage": s.homepage,
                    "provides": s.provides,
                }
                for s in found
            ]
        )
        return
    listing = table("subject", "", "role", "versions (default first)", "engines")
    for s in found:
        versions = [s.default, *(v for v in s.versions if v != s.default)]
        listing.add_row(s.name, s.title, s.role, ", ".join(versions), ", ".join(s.engines))
    out.print(listing)


@commands.command()
def check(
    client: Annotated[str, typer.Argument(metavar="NAME|FOLDER", help="A client: its name, or a folder of yours.")],
    provide_engine: ProvideEngine = False,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Try a client's agent against the contract (docs/clients.md), on a fake server: step by step.

    Exit code 0: it keeps to it. 1: it does not, and each step says how.
    """
    from lab import agent_trial, subjects  # noqa: PLC0415

    subject = subjects.find_client(client)
    if provide_engine and subject.engines[0] == "docker":
        provide_docker(verbose=verbose)
    steps = []
    with (
        tempfile.TemporaryDirectory(prefix="stanzalab-check-") as folder,
        ConsoleDisplay(err, verbose=verbose, quiet=as_json) as display,
    ):
        for step in agent_trial.trial(subject, Path(folder), display):
            steps.append(step)
            if not as_json:
                mark = Text("no  ", "bold red") if step.fault else Text("ok  ", "green")
                out.print(Text.assemble(mark, (step.asks, "bold")), soft_wrap=True)
                if step.fault or step.note:
                    out.print(Text(f"    {plain(step.fault or step.note)}"), soft_wrap=True)
    if as_json:
        print_json([asdict(step) for step in steps])
    raise typer.Exit(Exit.UNEXPECTED if any(step.fault for step in steps) else Exit.OK)
