"""What a campaign found, on a terminal: each finding, the campaign in a line or two, what was not fuzzed.

One finding in full is `lab.report.detail`.
"""

from __future__ import annotations

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from lab.report import words
from lab.report.blocks import ANSWER, IN_BRIEF, IN_FULL, in_a_line, listed, pairs, replay, sign
from lab.report.judgement import Judgement
from lab.report.robustness import RowRobustness
from lab.report.visible import cut, plain
from lab.robustness import Found, Robust
from lab.verdict import Expectation


def of_row(row: RowRobustness) -> Text:
    """A row's cell: outcome, and how many findings, or else stanzas."""
    cell = sign(row.outcome)
    if row.findings:
        cell.append(f"\n{words.number(len(row.findings), 'finding')}", style="not bold")
    elif row.stanzas:
        cell.append(f"\n{row.stanzas:,} sent", style="dim")
    return cell


def counted(judgement: Judgement) -> str:
    """`3 findings, 1 unexpected`."""
    found = words.number(len(judgement.findings), "finding") if judgement.findings else "no findings"
    unexpected = len(judgement.unexpected_findings)
    return f"{found}, {unexpected} unexpected" if unexpected else found


def rendered(judgement: Judgement, console: Console) -> None:
    """Print the findings, then the campaign; nothing where there was none."""
    if judgement.findings:
        _findings(judgement.findings, console)
    if judgement.record.campaign:
        _campaign(judgement, console)


def head(found: Found) -> Text:
    """`✗ finding  fingerprint  (known)`: the name is the same for files, and harder to read."""
    line = Text.assemble(mark(found), "  ", (plain(found.fingerprint), "bold"))
    if found.expectation is Expectation.KNOWN:
        line.append(f"  ({found.expectation})", style="yellow")
    return line


def mark(found: Found) -> Text:
    flaky = found.expectation is Expectation.FLAKY
    return sign(Robust.FLAKY if flaky else Robust.FAIL, "flaky" if flaky else "finding")


def _findings(findings: tuple[Found, ...], console: Console) -> None:
    known = sum(found.expectation is Expectation.KNOWN for found in findings)
    console.print(Text(f"\nFindings ({len(findings)}{f', {known} of them listed' if known else ''})", style="bold"))
    for found in findings[:IN_FULL]:
        _finding(found, console)
    rest = findings[IN_FULL:]
    if rest:
        console.print(Text("\nAnd in brief:", style="dim"))
    for found in rest[:IN_BRIEF]:
        in_a_line(mark(found), found.fingerprint, found.seen, console)
    if len(rest) > IN_BRIEF:
        console.print(Text(f"  … and {len(rest) - IN_BRIEF} more; index.html shows them all", style="dim"))


def _finding(found: Found, console: Console) -> None:
    console.print()
    console.print(head(found))
    rule = Text.assemble((f"{plain(found.where)} {plain(found.rule)}: ", "dim"), plain(found.says))
    console.print(Padding(rule, (0, 0, 0, 2)))
    said = {
        "sent": cut(found.sent, ANSWER),
        "wrong": words.broken(found),
        "expected": cut(found.expected, ANSWER),
        "seen": cut(found.seen, ANSWER),
        "shown": words.confirmed(found),
        "listed": cut(found.known_reason, ANSWER),
    }
    pairs(said, console)
    replay(found.replay, console)


def _campaign(judgement: Judgement, console: Console) -> None:
    campaign = judgement.record.campaign
    if campaign is None:
        return
    took = (
        f"{words.number(campaign.sent, 'stanza')} in {words.lasted(campaign.seconds)}, {campaign.rate:,.0f} a second"
    )
    parts = [took, f"seed {campaign.seed}"]
    if campaign.memory_peak:
        parts.append(f"memory {words.size(campaign.memory_start)}, at most {words.size(campaign.memory_peak)}")
    if campaign.exits:
        parts.append(f"the subject exited {words.number(campaign.exits, 'time')}")
    if judgement.unconfirmed:
        parts.append(f"{words.number(judgement.unconfirmed, 'symptom')} unconfirmed")
    if judgement.avoided:
        parts.append(f"{words.number(judgement.avoided, 'stanza')} like those of findings not sent")
    console.print(Text.assemble(("\nCampaign: ", "bold"), "; ".join(parts)))
    for label, said in {"memory": campaign.memory, "stopped": campaign.stopped}.items():
        if said:
            console.print(Padding(Text(f"{label}: {plain(cut(said, ANSWER))}", style="bold red"), (0, 0, 0, 2)))
    if campaign.replay:
        replay(campaign.replay, console, width=6)


def smaller(judgement: Judgement, console: Console) -> None:
    """What is no finding, and still has to be known."""
    campaign = judgement.record.campaign
    listed("Listed findings, not seen this time", campaign.not_seen if campaign else (), console)
    reasons = (f"{', '.join(providers)}: {reason}" for reason, providers in judgement.not_fuzzed.items())
    listed("Not fuzzed", tuple(reasons), console)
