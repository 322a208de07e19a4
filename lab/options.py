"""What the commands share: options, consoles, a folder for a run, tables and JSON."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from lab.display import ConsoleDisplay
from lab.errors import Exit, UsageError

if TYPE_CHECKING:
    from lab.report import Difference
    from lab.subjects import Client, Subject

DEFAULT_YEAR = 2021
DEFAULT_SERVER = "pyjabber"

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h)?")
_UNITS = {"s": 1, "m": 60, "h": 3600, None: 1}

out = Console(highlight=False, emoji=False)
err = Console(stderr=True, highlight=False, emoji=False)


class EngineChoice(StrEnum):
    DOCKER = "docker"
    LOCAL = "local"


Server = Annotated[
    str,
    typer.Option(
        "--server", "-s", metavar="NAME[:VERSION]", help="A subject, its version, or a folder that holds one."
    ),
]
ClientName = Annotated[
    str | None,
    typer.Option(
        "--client",
        "-c",
        metavar="NAME[:VERSION]",
        help="Try this client, on that server (or a folder that holds one).",
    ),
]
ClientNames = Annotated[
    str | None, typer.Option("--clients", metavar="A,B", help="Try these two clients with each other.")
]
PeerName = Annotated[
    str | None,
    typer.Option("--peer", metavar="NAME[:VERSION]", help="Try the server with this other one, over the border."),
]
Year = Annotated[int, typer.Option("--suite", "--year", help="The year of the compliance suite.")]
Rows = Annotated[
    list[str] | None,
    typer.Option("--row", help="Only this row's checks, or this category's (repeatable): core/tls, informational."),
]
Checks = Annotated[
    list[str] | None,
    typer.Option("--check", help="Only this check, by name or by pattern (repeatable): 'rfc-6120/iq-*'."),
]
Providers = Annotated[
    list[str] | None,
    typer.Option("--provider", help="Only this specification (repeatable): 'RFC 6120'."),
]
FuzzProviders = Annotated[
    list[str] | None,
    typer.Option("--provider", help="Only this specification, whatever the rows (repeatable): XEP-0045."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]
Out = Annotated[
    Path | None, typer.Option("--out", help="Where the run's files go; by default a new folder in runs/.")
]
Engine = Annotated[
    EngineChoice | None, typer.Option("--engine", envvar="LAB_ENGINE", help="Force one engine.", show_default=False)
]
ProvideEngine = Annotated[
    bool,
    typer.Option(
        "--provide-engine", help="Where no container engine answers, install and start Docker (Debian, root)."
    ),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show build output, details, and each result.")]
AllowFuzz = Annotated[
    str | None,
    typer.Option(
        "--allow-fuzz",
        metavar="DOMAIN",
        help="Fuzz a server that is not on this machine: its domain, typed in full. It may break.",
    ),
]
Corpus = Annotated[
    Path | None,
    typer.Option("--corpus", help="Where findings are kept, in a folder for each server; by default corpus/."),
]
FuzzRows = Annotated[
    list[str] | None,
    typer.Option(
        "--row", help="Only the specifications behind this row, or this category (repeatable): core/tls, im."
    ),
]
Against = Annotated[
    Path | None,
    typer.Option(
        "--against",
        metavar="RECORD",
        help="Compare with this run; by default, where it failed, with the last good one.",
    ),
]
KnownFiles = Annotated[
    list[Path] | None,
    typer.Option("--known", metavar="FILE", help="A further known.toml, laid over the subject's own (repeatable)."),
]
DoapFile = Annotated[
    Path | None,
    typer.Option("--doap", metavar="FILE", help="The project's DOAP file: what it claims is set beside what holds."),
]
Image = Annotated[
    str | None,
    typer.Option("--image", metavar="IMAGE", help="Run this container image, set up as the subject's own is."),
]
CellFile = Annotated[
    Path | None, typer.Option("--cell", help="A cell file of a server that runs already (docs/cell.md).")
]


def clients_of(client: str | None, clients: str | None) -> tuple[Client, ...]:
    """The clients that are meant: one, or the two of a pair. Raises UsageError."""
    from lab import subjects  # noqa: PLC0415 - `stanzalab --help` answers at once

    if client is not None and clients is not None:
        raise UsageError("--client and --clients do not go together", hint="a pair is named by --clients alone")
    if client is not None:
        return (subjects.find_client(client),)
    if clients is None:
        return ()
    names = [name.strip() for name in clients.split(",")]
    if len(names) != 2 or not all(names):
        raise UsageError(f"--clients {clients!r} is no pair", hint="--clients slixmpp,profanity")
    return tuple(subjects.find_client(name) for name in names)


def peer_of(peer: str | None, server: Subject | None, clients: Sequence[Client]) -> Subject | None:
    """The server that is tried with the first one. Raises UsageError where the two cannot stand in one cell."""
    from lab import subjects  # noqa: PLC0415 - `stanzalab --help` answers at once

    if peer is None:
        return None
    if clients:
        raise UsageError("--peer and clients do not go together", hint="servers are tried with each other alone")
    if server is None:
        raise UsageError("--peer and --cell do not go together", hint="the lab starts both servers: --server, --peer")
    found = subjects.find(peer)
    for one in (server, found):
        if "docker" not in one.engines:
            raise UsageError(
                f"{one.name} runs in a local process, which joins no other server's network",
                hint="two servers that run in containers: --server prosody --peer ejabberd",
            )
    return found


def subject_of(server: str, image: str | None, cell: Path | None) -> Subject | None:
    """Who is to be started; None where a cell file names a server that runs already. Raises UsageError."""
    from lab import subjects  # noqa: PLC0415 - `stanzalab --help` answers at once

    if cell is None:
        return subjects.find(server, image=image)
    if image is not None:
        raise UsageError("--image and --cell do not go together", cause=f"the server of {cell} runs already")
    return None


def provide_engine_for(subject: Subject | None, engine: EngineChoice | None, *, verbose: bool) -> None:
    """Install and start Docker where the subject wants it and none answers."""
    if subject is not None and engine != EngineChoice.LOCAL and subject.engines[0] == "docker":
        provide_docker(verbose=verbose)


def provide_docker(*, verbose: bool) -> None:
    from lab.engines.provision import ensure_engine  # noqa: PLC0415

    with ConsoleDisplay(err, verbose=verbose) as display:
        ensure_engine(display)


def runs_folder() -> Path:
    """Where runs are kept."""
    return Path(os.environ.get("STANZALAB_RUNS", "runs"))


def new_folder(name: str, *, recorded: bool = True) -> Path:
    """A folder of its own for a run, and `runs/latest` beside it, which is the newest that leaves a run record."""
    runs = runs_folder()
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    base = re.sub(r"[^\w.-]", "-", name)
    folder = next(f for n in range(1000) if not (f := runs / f"{stamp}-{base}{f'-{n}' if n else ''}").exists())
    folder.mkdir(parents=True)
    if recorded:
        latest = runs / "latest"
        latest.unlink(missing_ok=True)
        latest.symlink_to(folder.name)
    return folder


def newest_record() -> Path:
    record = runs_folder() / "latest" / "run.ndjson"
    if not record.exists():
        raise UsageError("there is no run yet", hint="`make lab` makes one, or name a record")
    return record


def record_in(path: Path) -> Path:
    """The run record that a path means: itself, or the one in that folder."""
    return path / "run.ndjson" if path.is_dir() else path


def readable(path: Path | None) -> None:
    """See that a record which will be needed later can be read now. Raises UsageError."""
    if path is not None and not record_in(path).is_file():
        raise UsageError(f"there is no run record {path}", hint="name a run.ndjson, or the folder that holds one")


def shown(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def seconds(text: str, option: str) -> float:
    """A duration: `90`, `60s`, `10m`, `1h`. Raises UsageError."""
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise UsageError(f"{option} {text!r} is no time", hint=f"{option} 90, {option} 60s, {option} 10m")
    return float(found[1]) * _UNITS[found[2]]


def table(*columns: str) -> Table:
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def print_json(data: Any) -> None:
    sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False) + "\n")


def print_reports(
    record: Path, folder: Path, *, as_json: bool, findings: Path | None = None, against: Path | None = None
) -> None:
    """Make the reports of a run record, and print one of them; `findings` is where those of a campaign are kept.

    A run that is not as expected, or that lost something, is compared with the last good one, or with `against`.
    """
    from lab import report  # noqa: PLC0415 - `stanzalab --help` answers at once
    from lab.history import last_good  # noqa: PLC0415

    loaded = report.load(record)
    reference = report.load(record_in(against)) if against else last_good(loaded, runs_folder())
    written = report.write_all(record, folder, since=reference)
    if as_json:
        sys.stdout.write(written.summary.read_text(encoding="utf-8"))
        return
    report.terminal(loaded, out)
    difference = report.diff(reference, loaded) if reference else None
    unexpected = loaded.footer is not None and loaded.footer.exit == Exit.UNEXPECTED and bool(loaded.header.selected)
    if against or unexpected or (difference is not None and difference.worse):
        _print_since(difference)
    if findings is not None:
        out.print(f"findings: {shown(findings)}", soft_wrap=True)
    out.print(f"report: {shown(written.html)}", soft_wrap=True)


def _print_since(difference: Difference | None) -> None:
    """What changed since the last good run, or that there is none."""
    from lab import report  # noqa: PLC0415

    if difference is None:
        where = shown(runs_folder())
        said = f"\nNo good run of the same subject is kept in {where} to compare with (--against RECORD names one)."
        out.print(said, markup=False)
        return
    out.rule("since the last good run", align="left", style="dim")
    report.difference(difference, out)
    out.print()
