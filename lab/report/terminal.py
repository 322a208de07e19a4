"""A run on a terminal: the rows, then what failed and how to see it again, then the total in a line.

Signs stand beside words, so that nothing is said by colour alone; 80 columns are enough. One check in full is
`lab.report.detail`.
"""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from lab.record import CheckResult
from lab.report import words
from lab.report.judgement import Claim, Judgement, counts_of
from lab.report.visible import cut, plain, tail
from lab.rows import RowOutcome, RowResult
from lab.verdict import Expectation, Outcome
from schemas.suites import Level, Mark

IN_FULL = 12  # failures that are shown with all they have
IN_BRIEF = 60  # then a line each, up to this many
ANSWER = 400  # characters of expected and seen

STYLES: dict[str, str] = {
    Outcome.PASS: "green",
    Outcome.NON_STRICT: "yellow",
    Outcome.FAIL: "bold red",
    Outcome.CRASH: "bold red",
    Outcome.ERROR: "bold magenta",
    Outcome.UNSUPPORTED: "blue",
    Outcome.IMPOSSIBLE: "dim",
    RowOutcome.NOT_TESTED: "dim",
}


def rendered(judgement: Judgement, console: Console) -> None:
    """Print the whole report."""
    _head(judgement, console)
    _rows(judgement, console)
    _failures(judgement, console)
    _smaller(judgement, console)
    _total(judgement, console)


def sign(outcome: Outcome | RowOutcome) -> Text:
    """`✗ fail`, in its colour."""
    return Text(f"{words.SIGNS[outcome]} {outcome}", style=STYLES[outcome])


def _head(judgement: Judgement, console: Console) -> None:
    header = judgement.record.header
    name = plain(judgement.subject)
    console.print(Text.assemble((name, "bold"), f"  {header.suite}, {header.role}  {words.instant(header.started)}"))
    package = header.subject.get("package")
    if package:
        console.print(Text(plain(package), style="dim"))
    _unfinished(judgement, console)


def _unfinished(judgement: Judgement, console: Console) -> None:
    record = judgement.record
    if not record.finished:
        missing = f"{len(record.missing)} of {len(record.header.selected)} checks have no result"
        console.print(Text(f"\n!! THE RUN DID NOT FINISH: {missing}.", style="bold white on red"))


def _rows(judgement: Judgement, console: Console) -> None:
    for category, rows in judgement.categories:
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, expand=True, header_style="dim")
        table.add_column(Text(category.title, style="bold not dim"), ratio=1, overflow="fold")
        table.add_column("core", no_wrap=True)
        table.add_column("adv.", no_wrap=True)
        table.add_column("claimed", no_wrap=True)
        table.add_column("measured", no_wrap=True)
        table.add_column("passed", justify="right", no_wrap=True)
        for row in rows:
            table.add_row(*_row(judgement, row))
        console.print()
        console.print(table)
    if judgement.untried:
        others = f"{judgement.untried} further rows of {judgement.suite.name} were not part of this run."
        console.print(Text(f"\n{others}", style="dim"))


def _row(judgement: Judgement, row: RowResult) -> Iterable[Text]:
    counts = counts_of(row)
    executed = sum(n for outcome, n in counts.items() if outcome.executed)
    passed = Text(f"{counts[Outcome.PASS]}/{executed}")
    if counts[Outcome.NON_STRICT]:
        passed.append(f"\n{counts[Outcome.NON_STRICT]} non-strict", style="yellow")
    if row.partial:
        passed.append(f"\nof {sum(p.known for p in row.providers)} checks", style="dim")
    claim = judgement.claim(row)
    yield Text.assemble(row.row.feature, "\n", (row.row.id, "dim"))
    for level in Level:
        required = row.marks[level] is Mark.REQUIRED
        yield Text(words.MARKS[row.marks[level]], style="" if required else "dim")
    yield Text(claim, style="dim" if claim is Claim.UNKNOWN else "")
    yield _measured(row)
    yield passed


def _measured(row: RowResult) -> Text:
    """One outcome; two where the levels combine the providers in another way."""
    if len(set(row.outcome.values())) == 1:
        return sign(row.outcome[Level.CORE])
    return Text("\n").join(Text.assemble(sign(row.outcome[level]), f" ({level})") for level in Level)


def _failures(judgement: Judgement, console: Console) -> None:
    failures = judgement.failures
    if not failures:
        return
    known = sum(r.expectation is not Expectation.UNEXPECTED for r in failures)
    console.print(Text(f"\nFailures ({len(failures)}{f', {known} of them listed' if known else ''})", style="bold"))
    for result in failures[:IN_FULL]:
        _failure(judgement, result, console)
    rest = failures[IN_FULL:]
    if rest:
        console.print(Text("\nAnd in brief:", style="dim"))
    for result in rest[:IN_BRIEF]:
        _brief(result, result.seen or result.reason.rpartition("\n")[2], console)
    if len(rest) > IN_BRIEF:
        console.print(Text(f"  … and {len(rest) - IN_BRIEF} more; index.html shows them all", style="dim"))


def _failure(judgement: Judgement, result: CheckResult, console: Console) -> None:
    requirement = result.check.requirement
    name = Text.assemble(sign(result.outcome), "  ", (result.check.name, "bold"))
    if result.expectation is not Expectation.UNEXPECTED:
        name.append(f"  ({result.expectation})", style="yellow")
    console.print()
    console.print(name)
    says = Text.assemble((f"{words.where(requirement)} {requirement.keyword}: ", "dim"), plain(requirement.says))
    console.print(Padding(says, (0, 0, 0, 2)))
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", width=8)
    grid.add_column(overflow="fold")
    lines = {
        "expected": cut(result.expected, ANSWER),
        "seen": cut(result.seen, ANSWER),
        "reason": tail(result.reason, ANSWER),
        "listed": cut(result.known_reason, ANSWER),
    }
    for label, said in lines.items():
        if said:
            grid.add_row(label, Text(plain(said, lines=True)))
    console.print(Padding(grid, (0, 0, 0, 2)))
    # Unwrapped, so that it can be copied whole from a narrow terminal and from a log.
    console.print(Text.assemble(("  replay    ", "dim"), plain(judgement.replay(result.check.name))), soft_wrap=True)


def _brief(result: CheckResult, said: str, console: Console) -> None:
    line = Text.assemble("  ", sign(result.outcome), "  ", result.check.name, "  ", (plain(cut(said, 200)), "dim"))
    line.truncate(console.width, overflow="ellipsis")
    console.print(line, no_wrap=True)


def _smaller(judgement: Judgement, console: Console) -> None:
    """What is no failure, and still has to be known."""
    record = judgement.record
    _group("Not strict (a SHOULD was missed)", judgement.of(Outcome.NON_STRICT), console)
    _group("Fixed: listed as failing, but passing; mend the list", judgement.of(Expectation.FIXED), console)
    _group("Flaky", judgement.of(Expectation.FLAKY), console)
    _list("Selected, but without a result", record.missing, console)
    said = (f"{n} {'check' if n == 1 else 'checks'}: {why}" for why, n in _reasons(judgement))
    _list("Impossible in this set-up", tuple(said), console)
    _strictness(judgement, console)
    exits = (f"{e.why}{' (restarted)' if e.restarted else ''}" for e in record.exits)
    _list("The subject exited", tuple(exits), console)
    _list("Damaged lines of the record", record.damage, console)


def _strictness(judgement: Judgement, console: Console) -> None:
    kinds = judgement.strictness
    if not kinds:
        return
    stanzas = sum(kind.stanzas for kind in kinds)
    counted = f"{words.number(stanzas, 'stanza')} of {words.number(len(kinds), 'kind')}"
    console.print(Text(f"\nSchema strictness: {counted} (no failures)", style="bold"))
    for kind in kinds[:IN_FULL]:
        checks = f"{words.number(len(kind.checks), 'check')}, as {kind.checks[0]}"
        said = Text.assemble(plain(cut(kind.message, ANSWER)), (f" ({checks})", "dim"), overflow="fold")
        console.print(Padding(said, (0, 0, 0, 2)))
    if len(kinds) > IN_FULL:
        console.print(Text(f"  … and {len(kinds) - IN_FULL} more; index.html shows them all", style="dim"))


def _reasons(judgement: Judgement) -> Iterable[tuple[str, int]]:
    return ((reason or "no reason given", len(results)) for reason, results in judgement.impossible.items())


def _group(title: str, results: tuple[CheckResult, ...], console: Console) -> None:
    if results:
        console.print(Text(f"\n{title}: {len(results)}", style="bold"))
        for result in results[:IN_BRIEF]:
            _brief(result, result.seen or result.known_reason, console)
        if len(results) > IN_BRIEF:
            console.print(Text(f"  … and {len(results) - IN_BRIEF} more", style="dim"))


def _list(title: str, lines: tuple[str, ...], console: Console) -> None:
    if lines:
        console.print(Text(f"\n{title}: {len(lines)}", style="bold"))
        for line in lines[:IN_FULL]:
            console.print(Padding(Text(plain(cut(line, ANSWER)), overflow="fold"), (0, 0, 0, 2)))
        if len(lines) > IN_FULL:
            console.print(Text(f"  … and {len(lines) - IN_FULL} more", style="dim"))


def _total(judgement: Judgement, console: Console) -> None:
    record = judgement.record
    console.print()
    for level in Level:
        tally = judgement.tally(level)
        if tally.required:
            said = f"{level.capitalize()}: {tally.met} of {tally.required} required rows met"
            console.print(Text(said, style="green" if tally.met == tally.required else "red"))
    _unfinished(judgement, console)
    counts = ", ".join(f"{n} {outcome}" for outcome, n in judgement.counts.items()) or "nothing was run"
    unexpected = len(judgement.unexpected)
    good = record.finished and not unexpected and judgement.results
    verdict = "all as expected" if good else f"{unexpected} unexpected" if unexpected else "not all was run"
    checks = "1 check" if len(judgement.results) == 1 else f"{len(judgement.results)} checks"
    line = f"{checks} in {words.lasted(judgement.duration)}: {counts}; {verdict}"
    console.print(Text(line, style="bold green" if good else "bold red"))
