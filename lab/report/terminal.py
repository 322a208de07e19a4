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
from lab.report import claims, findings, words
from lab.report.blocks import ANSWER, IN_BRIEF, IN_FULL, in_a_line, listed, pairs, replay, sign
from lab.report.judgement import MENTIONED, Claim, Judgement, counts_of
from lab.report.visible import cut, plain, tail
from lab.rows import RowResult
from lab.verdict import Expectation, Outcome
from schemas.suites import Level, Mark

WIDE = 100  # columns from which a row's columns need not stand close to each other


def rendered(judgement: Judgement, console: Console) -> None:
    """Print the whole report."""
    _head(judgement, console)
    _rows(judgement, console)
    _failures(judgement, console)
    findings.rendered(judgement, console)
    _smaller(judgement, console)
    _total(judgement, console)


def _head(judgement: Judgement, console: Console) -> None:
    header = judgement.record.header
    name = plain(judgement.subject)
    console.print(Text.assemble((name, "bold"), f"  {header.suite}, {header.role}  {words.instant(header.started)}"))
    package = header.subject.get("package")
    if package:
        console.print(Text(plain(package), style="dim"))
    _unfinished(judgement, console)


def _unfinished(judgement: Judgement, console: Console) -> None:
    if judgement.unfinished:
        console.print(Text(f"\n!! THE RUN DID NOT FINISH: {judgement.unfinished}.", style="bold white on red"))


def _rows(judgement: Judgement, console: Console) -> None:
    close = judgement.fuzzed and console.width < WIDE
    for category, rows in judgement.parts:
        asked = category is not MENTIONED
        table = Table(box=None, padding=(0, 1 if close else 2, 0, 0), pad_edge=False, expand=True, header_style="dim")
        table.add_column(Text(category.title, style="bold not dim"), ratio=1, overflow="fold")
        for column in (*(("core", "adv.") if asked else ()), "claimed", "measured"):
            table.add_column(column, no_wrap=True)
        if not judgement.only_fuzzed:
            table.add_column("passed", justify="right", no_wrap=True)
        if judgement.fuzzed:
            table.add_column("robust", no_wrap=True)
        for row in rows:
            table.add_row(*_row(judgement, row, asked=asked))
        console.print()
        console.print(table)
    if judgement.untried:
        others = f"{judgement.untried} further rows of {judgement.suite.name} were not part of this run."
        console.print(Text(f"\n{others}", style="dim"))


def _row(judgement: Judgement, row: RowResult, *, asked: bool) -> Iterable[Text]:
    claim = judgement.claim(row)
    yield Text.assemble(row.row.feature, "\n", (row.row.id, "dim"))
    for level in Level if asked else ():
        required = row.marks[level] is Mark.REQUIRED
        yield Text(words.MARKS[row.marks[level]], style="" if required else "dim")
    yield Text(claim, style="dim" if claim is Claim.UNKNOWN else "")
    yield _measured(row)
    if not judgement.only_fuzzed:
        yield _passed(row)
    if judgement.fuzzed:
        yield findings.of_row(judgement.robust(row))


def _passed(row: RowResult) -> Text:
    counts = counts_of(row)
    executed = sum(n for outcome, n in counts.items() if outcome.executed)
    passed = Text(f"{counts[Outcome.PASS]}/{executed}")
    if counts[Outcome.NON_STRICT]:
        passed.append(f"\n{counts[Outcome.NON_STRICT]} non-strict", style="yellow")
    if row.partial:
        passed.append(f"\nof {sum(p.known for p in row.providers)} checks", style="dim")
    return passed


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
    if not result.gates:
        name.append(f"  ({words.expectation(result)})", style="yellow")
    console.print()
    console.print(name)
    says = Text.assemble((f"{words.where(requirement)} {requirement.keyword}: ", "dim"), plain(requirement.says))
    console.print(Padding(says, (0, 0, 0, 2)))
    lines = {
        "expected": cut(result.expected, ANSWER),
        "seen": cut(result.seen, ANSWER),
        "blamed": result.blamed,
        "reason": tail(result.reason, ANSWER),
        "listed": cut(result.known_reason, ANSWER),
    }
    pairs(lines, console)
    replay(judgement.replay(result.check.name), console)


def _brief(result: CheckResult, said: str, console: Console) -> None:
    in_a_line(sign(result.outcome), result.check.name, said, console)


def _smaller(judgement: Judgement, console: Console) -> None:
    """What is no failure, and still has to be known."""
    record = judgement.record
    _group("Not strict (a SHOULD was missed)", judgement.of(Outcome.NON_STRICT), console)
    _group("Fixed: listed as failing, but passing; mend the list", judgement.of(Expectation.FIXED), console)
    passed, failed = judgement.flaky
    flaky = f"Flaky: listed as coming and going ({passed} passed, {failed} failed)"
    _group(flaky, judgement.of(Expectation.FLAKY), console)
    if record.header.doap:
        said = (f"{one.provider}: {'; '.join(one.remarks)}" for one in claims.claims(judgement) if one.remarks)
        listed("Claimed otherwise than measured", tuple(said), console)
    listed("Selected, but without a result", record.missing, console)
    said = (f"{n} {'check' if n == 1 else 'checks'}: {why}" for why, n in _reasons(judgement))
    listed("Impossible in this set-up", tuple(said), console)
    listed("Where the answer depends on the transport", tuple(map(str, judgement.by_transport)), console)
    _strictness(judgement, console)
    findings.smaller(judgement, console)
    exits = (f"{e.why}{' (restarted)' if e.restarted else ''}" for e in record.exits)
    listed("The subject exited", tuple(exits), console)
    listed("Damaged lines of the record", record.damage, console)


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


def _total(judgement: Judgement, console: Console) -> None:
    console.print()
    for level in Level:
        tally = judgement.tally(level)
        if tally.required and not judgement.only_fuzzed:
            said = f"{level.capitalize()}: {tally.met} of {tally.required} required rows met"
            console.print(Text(said, style="green" if tally.met == tally.required else "red"))
    _unfinished(judgement, console)
    good = judgement.whole and not judgement.red
    console.print(Text(_total_line(judgement), style="bold green" if good else "bold red"))


def _total_line(judgement: Judgement) -> str:
    """How many checks and stanzas, in what time; the outcomes; what is unexpected; the findings."""
    campaign = judgement.record.campaign
    tried = [] if judgement.only_fuzzed else [words.number(len(judgement.results), "check")]
    if campaign:
        tried.append(words.number(campaign.sent, "stanza"))
    line = f"{' and '.join(tried) or 'a campaign'} in {words.lasted(judgement.duration)}"
    if not judgement.only_fuzzed:
        counts = ", ".join(f"{n} {outcome}" for outcome, n in judgement.counts.items()) or "nothing was run"
        line += f": {counts}"
    parts = [line]
    if judgement.unexpected:
        parts.append(f"{len(judgement.unexpected)} unexpected")
    if judgement.told:
        parts.append(f"{len(judgement.told)} informational")
    if judgement.fuzzed:
        parts.append(findings.counted(judgement))
    if campaign and campaign.memory:
        parts.append("too much memory")
    if judgement.exited:
        parts.append("the subject exited")
    if not judgement.red:
        parts.append("all as expected" if judgement.whole else "not all was run")
    return "; ".join(parts)
