"""One check in full on a terminal: requirement, expected and seen, the trace, the subject's own log."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lab.record import CheckResult
from lab.report import stanzas, words
from lab.report.judgement import Judgement
from lab.report.terminal import sign
from lab.report.visible import pieces, plain

ARROWS = {"sent": ("→", "cyan"), "received": ("←", "green"), "note": ("·", "dim")}


def rendered(judgement: Judgement, result: CheckResult, console: Console) -> None:
    """Print all that the record has of a check."""
    requirement = result.check.requirement
    section = requirement.sections[0] if requirement.sections else ""
    console.print(Text.assemble(sign(result.outcome), "  ", (result.check.name, "bold"), f"  ({result.expectation})"))
    facts = {
        "requires": f"{requirement.keyword}: {requirement.says}",
        "stands in": f"{words.where(requirement)}, version {requirement.version}",
        "read": words.link(requirement.provider, section),
        "expected": result.expected,
        "seen": result.seen,
        "reason": result.reason,
        "listed": result.known_reason,
        "took": words.lasted(result.duration),
    }
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for label, said in facts.items():
        if said:
            grid.add_row(label, Text(plain(said, lines=True)))
    console.print(grid)
    console.print(Text.assemble(("replay     ", "dim"), plain(judgement.replay(result.check.name))), soft_wrap=True)
    _strictness(result, console)
    _trace(result, console)
    _log(judgement, result, console)


def _strictness(result: CheckResult, console: Console) -> None:
    """Only where there is some: most checks see none."""
    if not result.strictness:
        return
    console.print(Text("\nSchema strictness (no failure)", style="bold"))
    for one in result.strictness:
        times = f"  {words.number(one.count, 'stanza')}, as:"
        console.print(Text.assemble(plain(one.message), (times, "dim")), soft_wrap=True)
        console.print(Text(f"    {plain(one.seen)}"), soft_wrap=True)


def _trace(result: CheckResult, console: Console) -> None:
    console.print(Text("\nTrace", style="bold"))
    found = stanzas.items(result.trace)
    if not found:
        console.print(Text("nothing went over the wire", style="dim"))
    for item in found:
        arrow, style = ARROWS.get(item.direction, ARROWS["note"])
        after = f"{(item.at - result.started) * 1000:.0f} ms"
        head = Text.assemble((f"{arrow} {plain(item.session)}", style), (f"  {item.direction}, {after}", "dim"))
        if not item.whole:
            head.append("  not well-formed, as it is", style="yellow")
        console.print(head)
        for line in stanzas.lines(item):
            text = Text("    " + "  " * line.depth)
            for piece in pieces(line.text, spaces=True):
                text.append(piece.text, style="reverse" if piece.mark else "")
            console.print(text, soft_wrap=True)


def _log(judgement: Judgement, result: CheckResult, console: Console) -> None:
    log = judgement.record.log_of(result)
    console.print(Text("\nThe subject's log of that moment", style="bold"))
    if not log:
        console.print(Text("it said nothing", style="dim"))
    for line in log:
        after = f"{(line.at - result.started) * 1000:6.0f} ms  "
        console.print(Text.assemble((after, "dim"), plain(line.line)), soft_wrap=True)
