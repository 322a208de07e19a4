"""The commands of a regression test: `diff`, `flaky`, `baseline`. Options in, one call, output and exit code."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from lab.errors import Exit, UsageError
from lab.options import AsJson, newest_record, out, print_json, record_in, shown

if TYPE_CHECKING:
    from lab.baseline import Baseline
    from lab.record import Record
    from lab.subjects import Client, Subject

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


def flaky(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run records, or the folders of runs.")],
    as_json: AsJson = False,
    as_markdown: AsMarkdown = False,
) -> None:
    """Say which checks did not come to the same in all of these runs of one subject, and how long each run took.

    The exit code is 1 where one wavers that the subject's list does not have as flaky.
    """
    from lab import report  # noqa: PLC0415

    found = report.steadiness(report.load(record_in(path)) for path in runs)
    if as_json:
        print_json(report.steadiness_json(found))
    elif as_markdown:
        sys.stdout.write(report.steadiness_markdown(found))
    else:
        report.steadiness_on_terminal(found, out)
    raise typer.Exit(Exit.OK if found.steady else Exit.UNEXPECTED)


def baseline(
    record: Annotated[
        list[Path] | None, typer.Argument(help="Run records, or folders of runs; by default the newest run's.")
    ] = None,
    server: Annotated[
        str | None,
        typer.Option(
            "--server", "-s", metavar="FOLDER", help="The subject's folder; by default the record names it."
        ),
    ] = None,
    out_file: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE", help="Write this file, to be laid over the subject's list (run --known)."
        ),
    ] = None,
    ours: Annotated[
        bool, typer.Option("--ours", help="Write into the lab's own list of one of its subjects.")
    ] = False,
    findings: Annotated[bool, typer.Option("--findings", help="List what fuzzing found, too.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write a subject's list of known failures (known.toml) from what runs of it saw.

    Entries that still hold stay as they are, with their reasons and comments; what no longer fails is taken out, what
    fails and is on no list is added, to be judged by a person. Of several records, a check that fails in some and not
    in others is flaky. What was not run keeps its entry. An error is never listed: it is the lab's own fault.
    """
    from lab import report  # noqa: PLC0415 - `stanzalab --help` answers at once
    from lab.baseline import mend  # noqa: PLC0415
    from lab.subjects import known, known_file  # noqa: PLC0415

    records = [report.load(record_in(path)) for path in record or [newest_record()]]
    subject = _subject_of(records[0], server)
    target = _target(records[0], subject, out_file, ours=ours)
    version = records[0].header.subject.get("version", "")
    versions = subject.versions if subject else ()
    laid_over = subject is not None and target.resolve() != (subject.folder / known.FILE_NAME).resolve()
    if target.exists():
        known.read(target, version, versions, over=laid_over)  # what is wrong in it is said before it is changed
    file = known_file.load(target)
    below = known.listed(subject, version) if laid_over else None
    done = mend(file, records, versions=versions, below=below, findings=findings)
    if not (dry_run or done.nothing):
        known_file.save(file, target)
    unfinished = [str(one.path) for one in records if not one.finished]
    if as_json:
        print_json(
            {"file": str(target), "written": not (dry_run or done.nothing), "unfinished": unfinished, **asdict(done)}
        )
        return
    for path in unfinished:
        out.print(Text(f"!! {path} did not finish; what it has is used", style="bold yellow"))
    _print_baseline(done)
    what = "would be written" if dry_run else "as it was" if done.nothing else "written"
    out.print(f"{shown(target)}: {what}", markup=False, soft_wrap=True)


def _subject_of(record: Record, server: str | None) -> Subject | Client | None:
    """Who was tried, as the lab can start it; None for a server that it knows by a cell file alone."""
    from lab import subjects  # noqa: PLC0415

    header = record.header
    name, version = header.subject.get("name", ""), header.subject.get("version", "")
    server_judged = header.role in {"server", "federation"}
    find = subjects.find if server_judged else subjects.find_client
    named = server.partition(":")[0] if server else header.subject.get("folder", "")
    if not named:
        every = subjects.all_subjects() if server_judged else subjects.all_clients()
        ours = any(subject.name == name and version in subject.versions for subject in every)
        return find(f"{name}:{version}") if ours else None
    found = find(f"{named}:{version}" if version else named)
    if found.name != name:
        raise UsageError(
            f"{record.path} is of {name!r}",
            cause=f"{named} is {found.name!r}",
            hint="--server names the right folder",
        )
    return found


def _target(record: Record, subject: Subject | Client | None, out_file: Path | None, *, ours: bool) -> Path:
    """The file that is written. Raises UsageError where nobody said which."""
    from lab.subjects import is_ours, known  # noqa: PLC0415

    if out_file is not None:
        return out_file
    if subject is None:
        raise UsageError(
            f"nobody knows where the list of {record.header.subject.get('name', '?')} is kept",
            cause="the lab does not start it",
            hint="--out known.toml; `stanzalab run --cell … --known known.toml` reads it",
        )
    if is_ours(subject) and not ours:
        raise UsageError(
            f"{subject.name} is one of the lab's own subjects, and so is its list",
            hint="--out known.toml writes one of yours, which `stanzalab run --known known.toml` lays over it; "
            "--ours writes the lab's",
        )
    return subject.folder / known.FILE_NAME


def _print_baseline(done: Baseline) -> None:
    """What was done, a line each; what stays only counted."""
    from lab.report.visible import plain  # noqa: PLC0415

    for title, names, style in (
        ("added", done.added, "red"),
        ("removed", done.removed, "green"),
        ("changed", done.changed, "yellow"),
    ):
        for name in names:
            out.print(Text.assemble((f"{title:8}", style), plain(name)), soft_wrap=True)
    for one in done.flaky:
        said = f"{one.check}: passed {one.passed}, failed {one.failed}"
        out.print(Text.assemble(("flaky   ", "yellow"), plain(said)), soft_wrap=True)
    counts = {name: len(getattr(done, name)) for name in ("added", "removed", "changed", "kept")}
    untried = f", {len(done.untried)} left alone (not tried, or not seen)" if done.untried else ""
    out.print(", ".join(f"{count} {name}" for name, count in counts.items()) + untried)
