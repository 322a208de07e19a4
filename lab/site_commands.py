"""The command `stanzalab site`: options in, one call, output and exit code."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from lab.options import AsJson, err, out, print_json, shown
from lab.report.visible import plain

NAMED = 20  # files that are left out, damaged or unfinished, by name


def site(
    records: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Run records, and folders that are searched for some (*.ndjson); by default the folder of the runs."
        ),
    ] = None,
    out_folder: Annotated[
        Path, typer.Option("--out", help="The folder that the site goes to; a site that is there is replaced whole.")
    ] = Path("site"),
    as_json: AsJson = False,
) -> None:
    """Make a static site of run records: matrix, subjects, rows, checks, history over nights, differences, badges."""
    from lab import site as sites  # noqa: PLC0415 - `stanzalab --help` answers at once

    named = records or [Path(os.environ.get("STANZALAB_RUNS", "runs"))]
    built = sites.build(named, out_folder)
    if as_json:
        print_json(
            {
                "index": str(built.index),
                "records": built.records,
                "cells": built.cells,
                "pages": built.pages,
                "skipped": [{"file": file, "why": why} for file, why in built.skipped],
                "damaged": list(built.damaged),
                "unfinished": list(built.unfinished),
            }
        )
        return
    _named("left out", [f"{file}: {why}" for file, why in built.skipped])
    _named("damaged, shown as far as it is whole", built.damaged)
    _named("did not finish", built.unfinished)
    out.print(f"{built.records} records of {built.cells} cells, {built.pages} pages")
    out.print(f"site: {shown(built.index)}", soft_wrap=True)


def _named(what: str, files: tuple[str, ...] | list[str]) -> None:
    for file in files[:NAMED]:
        err.print(Text.assemble((f"{what}: ", "yellow"), plain(file)), soft_wrap=True)
    if len(files) > NAMED:
        err.print(Text(f"{what}: and {len(files) - NAMED} more", style="yellow"))
