"""The commands `stanzalab replay` and `stanzalab compare`: options in, one call, output and exit code."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from lab.display import ConsoleDisplay
from lab.options import (
    DEFAULT_SERVER,
    DEFAULT_YEAR,
    AllowFuzz,
    AsJson,
    CellFile,
    ClientName,
    Engine,
    FuzzProviders,
    FuzzRows,
    Image,
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
    provide_engine_for,
    seconds,
    shown,
    subject_of,
)

if TYPE_CHECKING:
    from lab.campaign.clusters import Cluster
    from lab.campaign.compare import Outcome as Compared
    from lab.campaign.finding import Finding
    from lab.campaign.replay import Replay, Replayed

CLUSTERS = 20  # shown on the terminal; the file has all
GROUPS = 3  # of a cluster
EXAMPLE = 230  # characters of an example
SENT = 400  # characters of a finding's stanzas
OUTCOME = len("still there (3 of 3)")
STYLES = {"fixed": "green", "still there": "bold red", "changed": "yellow", "impossible": "dim"}


class ReplayDisplay(ConsoleDisplay):
    """Shows a replay: which finding is sent, then a line for each that was."""

    def __init__(self, console: Console, *, verbose: bool, quiet: bool) -> None:
        super().__init__(console, verbose=verbose, quiet=quiet)
        self._place = ""

    def replaying(self, number: int, count: int, finding: Finding) -> None:
        self._place = f"{number} of {count}"
        if self._live:
            self.step(f"replaying {self._place}: {finding.fingerprint}")

    def replayed(self, result: Replayed) -> None:
        if not self._quiet:
            line = Text.assemble(f"{self._place} ", _outcome(result), f": {result.finding.fingerprint}")
            self._console.print(line, soft_wrap=True)


class CompareDisplay(ConsoleDisplay):
    """Shows a comparison: a line that lives, or one now and then."""

    def __init__(self, console: Console, *, verbose: bool, quiet: bool) -> None:
        super().__init__(console, verbose=verbose, quiet=quiet)
        self._shown = ""

    def comparing(self, sent: int, of: int, differences: int, doing: str) -> None:
        line = f"{sent:,} of {of:,} stanzas, {differences:,} answered differently, {doing}"
        tenth = f"{doing.split(maxsplit=1)[0]} {10 * sent // of}"
        if self._live or tenth != self._shown:
            self._shown = tenth
            self.step(line)


def replay(
    finding: Annotated[
        list[str] | None,
        typer.Argument(help="A finding's file, name (its beginning will do) or fingerprint; all without one."),
    ] = None,
    server: Server = DEFAULT_SERVER,
    client: ClientName = None,
    corpus: Annotated[
        Path | None,
        typer.Option(
            "--corpus",
            help="The folder that holds the findings, or a folder of them for each subject; by default corpus/.",
        ),
    ] = None,
    cell: CellFile = None,
    allow_fuzz: AllowFuzz = None,
    engine: Engine = None,
    provide_engine: ProvideEngine = False,
    image: Image = None,
    out_folder: Out = None,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Send findings of a fuzz campaign again: which are fixed, which are still there, which have changed.

    Each is sent three times, on fresh sessions. Findings of one server may be sent to another, or to another version:
    --corpus corpus/prosody --server ejabberd. The exit code is 0 where all of them are fixed, else 1.
    """
    from lab import cell as cells  # noqa: PLC0415 - `stanzalab --help` answers at once
    from lab import replay as replaying  # noqa: PLC0415

    subject = subject_of(server, image, cell)
    tried = next(iter(clients_of(client, None)), None)
    name = subject.name if subject else cells.read(cell).subject.name if cell else ""
    name = tried.name if tried else name
    findings, said = replaying.findings_of(finding or (), corpus, name)
    console = err if as_json else out
    for line in said:
        err.print(line, markup=False, soft_wrap=True)
    if provide_engine:
        provide_engine_for(subject, engine, verbose=verbose)
    plan = replaying.Plan(
        subject=subject,
        findings=findings,
        out=out_folder or new_folder(f"replay-{name}", recorded=False),
        cell_file=cell,
        engine=engine.value if engine else None,
        allowed=allow_fuzz,
        client=tried,
    )
    with ReplayDisplay(console, verbose=verbose, quiet=as_json) as display:
        done = replaying.run(plan, display)
    if as_json:
        print_json({**done.as_json(), "damaged": list(said)})
    else:
        _print_replay(done.replay)
        out.print(f"all of it: {shown(done.file)}", soft_wrap=True)
    raise typer.Exit(done.exit_code)


def _print_replay(made: Replay) -> None:
    listing = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    listing.add_column("finding", no_wrap=True)  # cut short: the beginning of a name will do
    listing.add_column("outcome", no_wrap=True, min_width=OUTCOME + 2)
    for result in made.results:
        listing.add_row(Text(result.finding.name), _outcome(result))
    out.print(listing)
    for result in made.results:
        if result.outcome == "fixed":
            continue
        out.print()
        out.print(Text.assemble(_outcome(result), f": {result.finding.fingerprint}"), soft_wrap=True)
        for word, text in (
            ("instead", result.instead),
            ("why", result.reason),
            ("sent", _sent(result.finding)),
            ("expected", result.expected),
            ("seen", _short(result.seen, SENT)),
        ):
            if text:
                out.print(f"  {word}: {text}", markup=False, soft_wrap=True)
    counts = [f"{made.count(o)} {o}" for o in dict.fromkeys(result.outcome for result in made.results)]
    out.print(f"{', '.join(counts) or 'nothing was replayed'}, of {made.wanted}")
    if made.interrupted:
        out.print(f"interrupted: {len(made.results)} of {made.wanted} were replayed")
    if made.stopped:
        out.print(
            f"given up after {len(made.results)} of {made.wanted}: {made.stopped}", markup=False, soft_wrap=True
        )


def _sent(finding: Finding) -> str:
    """The stanza; of a sequence how long it is, and its last."""
    last = _short(finding.templates[-1].text, SENT)
    return last if len(finding.templates) == 1 else f"{len(finding.templates)} stanzas in a row, the last is {last}"


def _outcome(result: Replayed) -> Text:
    often = f" ({result.times} of {result.tries})" if result.times else ""
    return Text(f"{result.outcome}{often}", STYLES[result.outcome])


def compare(
    servers: Annotated[
        list[str],
        typer.Option(
            "--servers",
            "-s",
            metavar="NAME[:VERSION],…",
            help="Two subjects or more, or cell files of servers that run.",
        ),
    ],
    year: Year = DEFAULT_YEAR,
    row: FuzzRows = None,
    provider: FuzzProviders = None,
    stanzas: Annotated[int, typer.Option("--stanzas", min=1, help="How many to send to each at most.")] = 2_000,
    for_: Annotated[
        str,
        typer.Option(
            "--for",
            metavar="TIME",
            help="How long to send at most, and how long again to send alone what differs: 90, 2m.",
        ),
    ] = "2m",
    seed: Annotated[int | None, typer.Option("--seed", help="The same seed draws the same stanzas.")] = None,
    allow_fuzz: AllowFuzz = None,
    engine: Engine = None,
    provide_engine: ProvideEngine = False,
    out_folder: Out = None,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Send the same stanzas, valid and malformed, to several servers, and say where their answers differ in kind.

    Result, error with its condition, stream error, closing, delivery, silence: what differs is put together by what
    each server answered, with the shortest stanza that shows it. One of each kind is sent alone to fresh sessions of
    all servers before it is said. Differences are information, and no failures: the exit code is 0.
    """
    from lab import compare as comparing  # noqa: PLC0415 - `stanzalab --help` answers at once
    from lab import fuzz as fuzzing  # noqa: PLC0415
    from lab.campaign.compare import Bounds  # noqa: PLC0415

    chosen = comparing.servers_of(servers)
    trials = fuzzing.trials_of(fuzzing.rows_of(year, row or ()), provider or ())
    if provide_engine:
        for each in chosen:
            provide_engine_for(each.subject, engine, verbose=verbose)
    plan = comparing.Plan(
        servers=chosen,
        trials=trials,
        bounds=Bounds(stanzas, seconds(for_, "--for")),
        out=out_folder or new_folder("compare-" + "-".join(each.name for each in chosen), recorded=False),
        engine=engine.value if engine else None,
        seed=seed,
        allowed=allow_fuzz,
    )
    with CompareDisplay(err if as_json else out, verbose=verbose, quiet=as_json) as display:
        done = comparing.run(plan, display)
    if as_json:
        print_json(done.as_json())
    else:
        _print_comparison(done.outcome)
        out.print(f"all of it: {shown(done.file)}", soft_wrap=True)
    raise typer.Exit(done.exit_code)


def _print_comparison(made: Compared) -> None:
    from lab.campaign.clusters import Status, by_status  # noqa: PLC0415

    told = [cluster for cluster in made.clusters if cluster.status is not Status.SEQUENCE]
    for number, cluster in enumerate(told[:CLUSTERS], 1):
        _print_cluster(number, cluster, made.servers)
    if len(told) > CLUSTERS:
        out.print(f"… and {len(told) - CLUSTERS} more such sets of answers")
    counts = by_status(made.clusters)
    out.print(
        f"{made.sent:,} stanzas ({made.malformed:,} malformed), seed {made.seed}: {made.alike:,} answered alike, "
        f"{counts[Status.ALONE]:,} differently"
    )
    if counts[Status.SEQUENCE]:
        out.print(f"{counts[Status.SEQUENCE]:,} differently in a sequence, but alike alone")
    for count, words in (
        (counts[Status.UNCHECKED], "differently, but never sent alone: there was no time, or no session"),
        (made.unknown, "whose answer could not be told in time: other stanzas ended their streams"),
        (made.uneven, "that could not be made alike for all servers, and were not sent"),
    ):
        if count:
            out.print(f"{count:,} {words}")
    for line in made.skipped:
        out.print(f"left out: {line}", markup=False)
    if made.lacking:
        out.print(f"not addressed, as not all of the servers have it: {', '.join(made.lacking)}")
    if made.interrupted:
        out.print("interrupted: this is what was seen until then")
    if made.stopped:
        out.print(f"given up: {made.stopped}", markup=False, soft_wrap=True)


def _print_cluster(number: int, cluster: Cluster, servers: tuple[str, ...]) -> None:
    width = max(len(name) for name in servers)
    unsure = ", not sent alone" if cluster.status == "unchecked" else ""
    out.print(Text(f"{number}. {cluster.count:,} stanza{'s' if cluster.count > 1 else ''}{unsure}", "bold"))
    for name, answer in zip(servers, cluster.answers, strict=True):
        out.print(Text.assemble("   ", (f"{name:<{width}}", "cyan"), f"  {answer}"), soft_wrap=True)
    summary = cluster.summary()
    lines = [f"{what} ({count:,})" for what, count in summary[:GROUPS]]
    left = len(summary) - GROUPS
    if left > 0:
        lines.append(f"and {left} more kind{'s' if left > 1 else ''}")
    for line in lines:
        out.print(Padding(Text(line), (0, 0, 0, 3)))
    out.print(Padding(Text(_short(cluster.example.text, EXAMPLE), "dim"), (0, 0, 0, 3)))
    out.print()


def _short(text: str, most: int) -> str:
    """One line of readable text, cut."""
    line = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in " ".join(text.split(" ")))
    return line if len(line) <= most else f"{line[:most]}… ({len(line):,} characters)"
