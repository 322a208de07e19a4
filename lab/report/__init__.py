"""Reports of a run, from its record alone: terminal, `index.html`, `junit.xml`, `summary.json`, `summary.md`.

Whoever reports needs nothing else of this package: `load`, `write_all`, `terminal`, `find`, `show`; and for two
records `diff`, which `difference…` shows, for more of them `steadiness`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from lab import doap
from lab import record as records
from lab.errors import MachineError, UsageError
from lab.record import CheckResult, Record
from lab.report import (
    changes,
    claims,
    detail,
    diff_markdown,
    diff_terminal,
    junit,
    news,
    page,
    steadiness_shown,
    summary,
)
from lab.report import terminal as on_terminal
from lab.report.diff import Difference, diff
from lab.report.judgement import judge
from lab.report.steadiness import Steadiness, steadiness
from lab.report.steadiness import as_json as steadiness_json
from lab.robustness import Found

__all__ = [
    "Difference",
    "Steadiness",
    "Written",
    "claimable",
    "diff",
    "difference",
    "difference_json",
    "difference_markdown",
    "find",
    "load",
    "show",
    "steadiness",
    "steadiness_json",
    "steadiness_markdown",
    "steadiness_on_terminal",
    "terminal",
    "write_all",
]

load = records.read
steadiness_markdown = steadiness_shown.as_markdown
steadiness_on_terminal = steadiness_shown.on_terminal


@dataclass(frozen=True)
class Written:
    """Where the reports are."""

    html: Path
    junit: Path
    summary: Path
    news: Path


def write_all(record_path: Path, out: Path, *, since: Record | None = None) -> Written:
    """Write the four files into the folder `out`; `since` is an earlier run, for what is new in this one.

    Raises UsageError (no record), MachineError (disk full).
    """
    judgement = judge(load(record_path))
    difference = diff(since, judgement.record) if since else None
    written = Written(out / "index.html", out / "junit.xml", out / "summary.json", out / "summary.md")
    try:
        out.mkdir(parents=True, exist_ok=True)
        _put(written.html, page.rendered(judgement).encode())
        _put(written.junit, junit.rendered(judgement))
        _put(written.summary, summary.rendered(judgement))
        _put(written.news, news.rendered(judgement, difference))
    except OSError as error:
        raise MachineError(f"cannot write the reports into {out}", cause=str(error)) from error
    return written


def _put(path: Path, content: bytes) -> None:
    """Whole or not at all: a report from before is not half overwritten."""
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_bytes(content)
    temporary.replace(path)


def terminal(record: Record, console: Console) -> None:
    """Print the report of a run."""
    on_terminal.rendered(judge(record), console)


def find(record: Record, name: str) -> CheckResult | Found:
    """The result of one check, or one finding. Raises UsageError with the nearest names."""
    return judge(record).find(name)


def show(record: Record, name: str, console: Console) -> None:
    """Print all that the record has of one check or one finding. Raises UsageError with the nearest names."""
    judgement = judge(record)
    detail.rendered(judgement, judgement.find(name), console)


def claimable(record: Record) -> str:
    """A DOAP file with what the record supports (XEP-0453). Raises UsageError where it supports nothing."""
    judgement = judge(record)
    found = claims.supported(judgement)
    if not found:
        raise UsageError(
            f"{record.path} supports no claim", cause="no check of it passed", hint="run more checks: `stanzalab run`"
        )
    return doap.written(judgement.record.header.subject.get("title") or record.header.subject.get("name", ""), found)


def difference(found: Difference, console: Console) -> None:
    """Print what differs between two records."""
    diff_terminal.rendered(found, console)


def difference_json(found: Difference) -> dict[str, Any]:
    """What differs, as data for machines."""
    return changes.as_json(found)


def difference_markdown(found: Difference) -> str:
    """What differs, as Markdown."""
    return diff_markdown.rendered(found)
