"""The commands of a regression test: `diff`, `baseline`, `attach`. Options in, one call, output and exit code."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from lab.errors import Exit
from lab.options import AsJson, out, print_json, record_in

AsMarkdown = Annotated[bool, typer.Option("--markdown", help="Print Markdown, for a pull request or a CI summary.")]


def diff(
    before: Annotated[Path, typer.Argument(help="The older run record, or the folder of its run.")],
    after: Annotated[Path, typer.Argument(help="The newer one.")],
    as_json: AsJson = False,
    as_markdown: AsMarkdown = False,
) -> None:
    """Say what differs between two runs: what is newly bad or good, which rows changed, what else is not the same.

    The exit code is 1 where something is newly bad: a check that both runs tried, or a finding on no list.
    """
    from lab import report  # noqa: PLC0415 - `stanzalab --help` answers at once

    found = report.diff(report.load(record_in(before)), report.load(record_in(after)))
    if as_json:
        print_json(report.difference_json(found))
    elif as_markdown:
        sys.stdout.write(report.difference_markdown(found))
    else:
        report.difference(found, out)
    raise typer.Exit(Exit.UNEXPECTED if found.worse else Exit.OK)
