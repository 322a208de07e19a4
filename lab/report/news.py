"""`summary.md`: only what is new in a run, as Markdown, for a step's summary on GitHub. Nothing new is one line.

New is what the list of known failures does not have, and what it has and should have no more. Rows are compared with
an earlier run, where one is given.
"""

from __future__ import annotations

from collections.abc import Iterator

from lab.record import CheckResult
from lab.report import diff_markdown, words
from lab.report.changes import Entry
from lab.report.diff import Difference
from lab.report.judgement import Judgement
from lab.report.markdown import code, text
from lab.robustness import Found
from lab.verdict import Expectation

IN_FULL = 20  # of a kind, with their evidence
IN_BRIEF = 100  # then a line each, up to this many


def rendered(judgement: Judgement, since: Difference | None = None) -> bytes:
    """The document, in UTF-8; `since` is what differs from an earlier run. Whatever a subject sent stays text."""
    return ("\n".join(_lines(judgement, since)) + "\n").encode()


def _lines(judgement: Judgement, since: Difference | None) -> Iterator[str]:
    failures = [r for r in judgement.unexpected if r.outcome.bad]
    told = judgement.told
    fixed = judgement.of(Expectation.FIXED)
    troubles = list(_troubles(judgement))
    rows = diff_markdown.rows(since) if since else []
    lost = since.lost if since else ()
    new = failures or told or fixed or judgement.unexpected_findings or troubles or rows or lost
    if not new and judgement.whole:
        yield f"**{text(judgement.subject)}**: nothing new; {_tried(judgement)}, all as expected{_flaky(judgement)}."
        return
    yield f"## {text(judgement.subject)}: {_headline(judgement, len(failures), len(told), len(fixed), len(lost))}"
    yield ""
    package = judgement.record.header.subject.get("package", "")
    yield f"{code(package)}{' ' if package else ''}{_tried(judgement)}{_flaky(judgement)}."
    if not judgement.record.finished:
        yield ""
        yield f"**The run did not finish**: {text(judgement.unfinished)}."
    yield from troubles
    if since and rows:
        yield ""
        yield f"Rows that changed since {text(words.instant(since.before.header.started))}:"
        yield from rows
    was = {change.name: str(change.before.outcome) for change in since.newly_bad} if since else {}
    yield from _listing("New failures", [_failure(judgement, r, was) for r in failures])
    informational = "New failures, informational: the suite only mentions it, and they turn no run red"
    yield from _listing(informational, [_failure(judgement, r, was) for r in told])
    yield from _listing("New findings of fuzzing", [_finding(found) for found in judgement.unexpected_findings])
    gone = [Entry(change.name, f"{change.before.outcome} → {change.after.outcome}") for change in lost]
    yield from _listing("No longer supported", gone)
    mend = "Fixed: listed as failing, but passing; mend the list (`stanzalab baseline`)"
    yield from _listing(mend, [Entry(r.check.name, "", {"listed": r.known_reason}) for r in fixed])
    flaky = [Entry(r.check.name, str(r.outcome)) for r in judgement.of(Expectation.FLAKY)]
    yield from _listing("Flaky: listed as coming and going", flaky)


def _headline(judgement: Judgement, failures: int, told: int, fixed: int, lost: int) -> str:
    findings = len(judgement.unexpected_findings)
    counts = [
        words.number(failures, "new failure") if failures else "",
        words.number(findings, "new finding") if findings else "",
        words.number(told, "informational failure") if told else "",
        f"{lost} no longer supported" if lost else "",
        f"{fixed} fixed" if fixed else "",
    ]
    said = ", ".join(part for part in counts if part)
    return said or ("not all as expected" if judgement.red or not judgement.whole else "all as expected")


def _tried(judgement: Judgement) -> str:
    """`606 checks of CS2021 and 31,204 stanzas`, and in what time."""
    record = judgement.record
    tried = [] if judgement.only_fuzzed else [words.number(len(judgement.results), "check")]
    if record.campaign:
        tried.append(words.number(record.campaign.sent, "stanza"))
    what = " and ".join(tried) or "a campaign"
    return f"{what} ({text(record.header.suite)}, {text(record.header.role)}) in {words.lasted(judgement.duration)}"


def _flaky(judgement: Judgement) -> str:
    passed, failed = judgement.flaky
    return f"; flaky: {passed} passed, {failed} failed" if passed or failed else ""


def _exits(judgement: Judgement) -> str:
    """How it exited, each time; where the record does not say, how often."""
    campaign = judgement.record.campaign
    return "; ".join(one.why for one in judgement.record.exits) or words.number(
        campaign.exits if campaign else 0, "time"
    )


def _troubles(judgement: Judgement) -> Iterator[str]:
    """What else is red: the subject's memory, its exits, and what the record lost."""
    campaign = judgement.record.campaign
    said = {
        "too much memory": campaign.memory if campaign else "",
        "the campaign ended before its time": campaign.stopped if campaign else "",
        "the subject exited": _exits(judgement) if judgement.exited else "",
        "damaged lines of the record": str(len(judgement.record.damage) or ""),
    }
    for what, seen in said.items():
        if seen:
            yield ""
            yield f"**{what}**: {code(seen)}"


def _failure(judgement: Judgement, result: CheckResult, was: dict[str, str]) -> Entry:
    requirement = result.check.requirement
    before = was.get(result.check.name)
    details = {
        "asks": f"{words.where(requirement)} {requirement.keyword}: {requirement.says}",
        "expected": result.expected,
        "seen": result.seen,
        "blamed": result.blamed,
        "reason": result.reason.rpartition("\n")[2],
        "replay": judgement.replay(result.check.name),
    }
    return Entry(result.check.name, f"{before} → {result.outcome}" if before else str(result.outcome), details)


def _finding(found: Found) -> Entry:
    details = {
        "asks": f"{found.where}: {found.says}",
        "sent": found.sent,
        "expected": found.expected,
        "seen": found.seen,
        "replay": found.replay,
    }
    return Entry(found.fingerprint, "", details)


def _listing(title: str, entries: list[Entry]) -> Iterator[str]:
    if not entries:
        return
    yield ""
    yield f"### {title}: {len(entries)}"
    yield ""
    for number, entry in enumerate(entries[:IN_BRIEF]):
        yield from diff_markdown.entry_lines(entry, brief=number >= IN_FULL)
    if len(entries) > IN_BRIEF:
        yield f"- … and {len(entries) - IN_BRIEF} more"
