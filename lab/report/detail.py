"""One check or one finding in full on a terminal: what is asked, expected and seen, trace, the subject's own log."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from lab.record import CheckResult, TraceEntry
from lab.report import findings, stanzas, words
from lab.report.blocks import pairs, replay, sign
from lab.report.judgement import Judgement
from lab.report.visible import pieces, plain
from lab.robustness import Found

ARROWS = {"sent": ("→", "cyan"), "received": ("←", "green"), "note": ("·", "dim")}


def rendered(judgement: Judgement, shown: CheckResult | Found, console: Console) -> None:
    """Print all that the record has of a check or a finding."""
    if isinstance(shown, Found):
        _finding(shown, console)
    else:
        _check(judgement, shown, console)


def _check(judgement: Judgement, result: CheckResult, console: Console) -> None:
    requirement = result.check.requirement
    section = requirement.sections[0] if requirement.sections else ""
    console.print(
        Text.assemble(sign(result.outcome), "  ", (result.check.name, "bold"), f"  ({words.expectation(result)})")
    )
    facts = {
        "requires": f"{requirement.keyword}: {requirement.says}",
        "stands in": f"{words.where(requirement)}, version {requirement.version}",
        "read": words.link(requirement.provider, section),
        "expected": result.expected,
        "seen": result.seen,
        "blamed": result.blamed,
        "reason": result.reason,
        "listed": result.known_reason,
        "took": words.lasted(result.duration),
    }
    pairs(facts, console, indent=0, width=9)
    replay(judgement.replay(result.check.name), console, indent=0, width=9)
    _strictness(result, console)
    _trace(result.trace, result.started, console)
    _log(judgement, result, console)


def _finding(found: Found, console: Console) -> None:
    provider, section = words.place(found.where)
    console.print(findings.head(found))
    facts = {
        "rule": f"{found.rule}: {found.says}",
        "stands in": found.where,
        "read": words.link(provider, section) if provider else "",
        "shown": words.confirmed(found),
        "operator": found.operator,
        "place": found.place,
        "expected": found.expected,
        "seen": found.seen,
        "listed": found.known_reason,
        "name": found.name,
    }
    pairs(facts, console, indent=0, width=9)
    replay(found.replay, console, indent=0, width=9)
    texts = {"What is sent": found.sent}
    if found.operator:
        texts |= {"What was": found.was, "What became of it": found.became}
    for title, text in texts.items():
        console.print(Text(f"\n{title}", style="bold"))
        for line in text.split("\n"):
            console.print(Text("    ").append_text(_visible(line) if text else Text("nothing")), soft_wrap=True)
    trace = tuple(TraceEntry(*entry) for entry in found.trace)
    _trace(trace, trace[0].at if trace else 0.0, console)


def _strictness(result: CheckResult, console: Console) -> None:
    """Only where there is some: most checks see none."""
    if not result.strictness:
        return
    console.print(Text("\nSchema strictness (no failure)", style="bold"))
    for one in result.strictness:
        times = f"  {words.number(one.count, 'stanza')}, as:"
        console.print(Text.assemble(plain(one.message), (times, "dim")), soft_wrap=True)
        console.print(Text(f"    {plain(one.seen)}"), soft_wrap=True)


def _trace(trace: Iterable[TraceEntry], started: float, console: Console) -> None:
    console.print(Text("\nTrace", style="bold"))
    found = stanzas.items(trace)
    if not found:
        console.print(Text("nothing went over the wire", style="dim"))
    for item in found:
        arrow, style = ARROWS.get(item.direction, ARROWS["note"])
        after = f"{(item.at - started) * 1000:.0f} ms"
        head = Text.assemble((f"{arrow} {plain(item.session)}", style), (f"  {item.direction}, {after}", "dim"))
        if not item.whole:
            head.append("  not well-formed, as it is", style="yellow")
        console.print(head)
        for part in stanzas.lines(item):
            laid = Text("    " + "  " * part.depth)
            console.print(laid.append_text(_visible(part.text)), soft_wrap=True)


def _visible(text: str) -> Text:
    """What cannot be seen, or would be overlooked, in reverse."""
    shown = Text()
    for piece in pieces(text, spaces=True):
        shown.append(piece.text, style="reverse" if piece.mark else "")
    return shown


def _log(judgement: Judgement, result: CheckResult, console: Console) -> None:
    log = judgement.record.log_of(result)
    console.print(Text("\nThe subject's log of that moment", style="bold"))
    if not log:
        console.print(Text("it said nothing", style="dim"))
    for line in log:
        after = f"{(line.at - result.started) * 1000:6.0f} ms  "
        console.print(Text.assemble((after, "dim"), plain(line.line)), soft_wrap=True)
