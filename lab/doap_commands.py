"""The command `stanzalab doap`: options in, one call, output and exit code."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from lab.errors import MachineError, UsageError
from lab.options import newest_record, out, record_in, runs_folder, shown


def doap(
    record: Annotated[
        Path | None, typer.Argument(help="A run record, or the folder of a run; by default the newest run's.")
    ] = None,
    server: Annotated[
        str | None, typer.Option("--server", "-s", metavar="NAME[:VERSION]", help="The newest run of this server.")
    ] = None,
    client: Annotated[
        str | None, typer.Option("--client", "-c", metavar="NAME[:VERSION]", help="The newest run of this client.")
    ] = None,
    out_file: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write this file.")] = None,
) -> None:
    """Write the list of specifications that a run's measurements support, as DOAP (XEP-0453).

    `complete` is what every check was run of, and holds; `partial` what some checks hold of; what was not tried, or
    holds nowhere, is left out. `stanzalab run --doap FILE` is the other way round: it holds a file against a run.
    """
    from lab import report  # noqa: PLC0415 - `stanzalab --help` answers at once
    from lab.history import newest  # noqa: PLC0415

    asked = [("record", record), ("server", server), ("client", client)]
    named = [name for name, value in asked if value is not None]
    if len(named) > 1:
        raise UsageError(f"{' and '.join(named)} do not go together", hint="name one run")
    if server is not None:
        path = newest(runs_folder(), "server", server)
    elif client is not None:
        path = newest(runs_folder(), "client", client)
    else:
        path = record_in(record) if record else newest_record()
    text = report.claimable(report.load(path))
    if out_file is None:
        sys.stdout.write(text)
        return
    try:
        out_file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise MachineError(f"cannot write {out_file}", cause=str(error)) from error
    out.print(f"{shown(out_file)}: written, from {shown(path)}", markup=False, soft_wrap=True)
