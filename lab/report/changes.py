"""What a difference between two records is shown as: groups of entries for people, a document for machines.

The terminal (`lab.report.diff_terminal`) and Markdown (`lab.report.diff_markdown`) only lay out what stands here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lab.record import CheckResult, Record
from lab.report import words
from lab.report.diff import Change, Difference, RowChange
from lab.report.visible import cut
from lab.robustness import Found
from lab.verdict import Expectation

FORMAT = 1
ANSWER = 16_000  # characters of expected and seen, in JSON


@dataclass(frozen=True)
class Entry:
    """A check or a finding: its name, what is said of it in some words, and what is shown beneath."""

    name: str
    said: str
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Group:
    """Entries of a kind. `loud` ones turn a comparison red."""

    title: str
    entries: tuple[Entry, ...]
    loud: bool = False


def groups(difference: Difference) -> tuple[Group, ...]:
    """The groups that are not empty, the worst first."""
    listed, unlisted = _by_list(difference.new_findings)
    told = [change for change in (*difference.newly_bad, *difference.lost) if not _loud(change)]
    found = (
        Group("Newly bad", tuple(_in_full(c, difference.after) for c in difference.newly_bad if _loud(c)), loud=True),
        Group("No longer supported", tuple(_brief(c) for c in difference.lost if _loud(c)), loud=True),
        Group("New findings", tuple(_finding(f) for f in unlisted), loud=True),
        Group("The subject", tuple(Entry("", trouble) for trouble in difference.troubles), loud=True),
        Group("Newly bad, informational", tuple(_in_full(c, difference.after) for c in told)),
        Group("Newly good", tuple(map(_brief, difference.newly_good))),
        Group("Changed otherwise", tuple(map(_brief, difference.changed))),
        Group("Flaky: listed as coming and going", tuple(map(_brief, difference.flaky))),
        Group("Without a result now", tuple(Entry(name, "selected") for name in difference.missing)),
        Group("Tried only now", tuple(map(_alone, difference.appeared))),
        Group("Not tried any more", tuple(map(_alone, difference.vanished))),
        Group("New findings, listed or flaky", tuple(_finding(f) for f in listed)),
        Group("Findings not seen now", tuple(_finding(f, brief=True) for f in difference.gone_findings)),
    )
    return tuple(group for group in found if group.entries)


def headline(difference: Difference) -> str:
    """The difference in a line: `2 newly bad, 1 newly good, 598 as before`."""
    listed, unlisted = _by_list(difference.new_findings)
    counts = {
        "newly bad": len(difference.newly_bad),
        "no longer supported": len(difference.lost),
        "new in fuzzing": len(unlisted),
        "newly good": len(difference.newly_good),
        "changed otherwise": len(difference.changed),
        "flaky": len(difference.flaky),
        "without a result": len(difference.missing),
        "tried only now": len(difference.appeared),
        "not tried any more": len(difference.vanished),
        "listed or flaky findings": len(listed),
        "as before": difference.same,
    }
    parts = [f"{n} {what}" for what, n in counts.items() if n] + list(difference.troubles)
    return ", ".join(parts) or "nothing was tried in both"


def what(record: Record) -> str:
    """A record in a few words: who, when, and where it lies."""
    header = record.header
    who = f"{header.subject.get('name', '?')} {header.subject.get('version', '')}".strip()
    build = header.subject.get("package") or header.subject.get("image") or ""
    return f"{who}{f' ({build})' if build else ''}, {words.instant(header.started)}, {record.path}"


def row_said(change: RowChange) -> str:
    """`pass → fail`, and whether all of the row was tried."""
    return f"{change.before} → {change.after}{' (tried in part)' if change.partial else ''}"


def as_json(difference: Difference) -> dict[str, Any]:
    """The difference as data."""
    return {
        "format": FORMAT,
        "before": _side(difference.before),
        "after": _side(difference.after),
        "worse": difference.worse,
        "same": difference.same,
        "newly_bad": [_change(c) for c in difference.newly_bad],
        "lost": [_change(c) for c in difference.lost],
        "newly_good": [_change(c) for c in difference.newly_good],
        "changed": [_change(c) for c in difference.changed],
        "flaky": [_change(c) for c in difference.flaky],
        "appeared": [{"name": r.check.name, "outcome": r.outcome.value} for r in difference.appeared],
        "vanished": [{"name": r.check.name, "outcome": r.outcome.value} for r in difference.vanished],
        "missing": list(difference.missing),
        "new_findings": [_found(f) for f in difference.new_findings],
        "gone_findings": [_found(f) for f in difference.gone_findings],
        "troubles": list(difference.troubles),
        "rows": [
            {
                "id": r.row,
                "level": r.level.value,
                "before": r.before.value,
                "after": r.after.value,
                "partial": r.partial,
            }
            for r in difference.rows
        ],
        "contrasts": [{"what": c.what, "before": c.before, "after": c.after} for c in difference.contrasts],
    }


def _by_list(findings: Iterable[Found]) -> tuple[list[Found], list[Found]]:
    """Those that a list or chance excuses, and the others."""
    found = list(findings)
    return (
        [f for f in found if f.expectation is not Expectation.UNEXPECTED],
        [f for f in found if f.expectation is Expectation.UNEXPECTED],
    )


def _loud(change: Change) -> bool:
    return change.after.binding


def _moved(change: Change) -> str:
    expectation = change.after.expectation
    said = f"{change.before.outcome} → {change.after.outcome}"
    shown = expectation in {Expectation.KNOWN, Expectation.FLAKY, Expectation.FIXED}
    return f"{said} ({expectation})" if shown else said


def _brief(change: Change) -> Entry:
    after = change.after
    seen = "" if after.outcome.executed and not after.outcome.bad else after.seen or after.reason
    return Entry(change.name, _moved(change), {"seen": seen} if seen else {})


def _alone(result: CheckResult) -> Entry:
    return Entry(result.check.name, result.outcome.value)


def _in_full(change: Change, record: Record) -> Entry:
    after = change.after
    requirement = after.check.requirement
    details = {
        "asks": f"{words.where(requirement)} {requirement.keyword}: {requirement.says}",
        "expected": after.expected,
        "seen": after.seen,
        "blamed": after.blamed,
        "reason": after.reason,
        "listed": after.known_reason,
        "replay": f"{record.header.replay} CHECK={change.name}",
    }
    return Entry(change.name, _moved(change), details)


def _finding(found: Found, *, brief: bool = False) -> Entry:
    said = "" if found.expectation is Expectation.UNEXPECTED else found.expectation.value
    details = {
        "asks": f"{found.where}: {found.says}",
        "sent": found.sent,
        "expected": found.expected,
        "seen": found.seen,
        "listed": found.known_reason,
        "replay": found.replay,
    }
    return Entry(found.fingerprint, said, {} if brief else details)


def _side(record: Record) -> dict[str, Any]:
    header = record.header
    return {
        "record": str(record.path),
        "finished": record.finished,
        "exit": record.footer.exit if record.footer else None,
        "started": header.started,
        "subject": header.subject,
        "peers": list(header.peers),
        "lab": header.lab,
        "selected": len(header.selected),
        "missing": list(record.missing),
        "damage": list(record.damage),
    }


def _change(change: Change) -> dict[str, Any]:
    after = change.after
    return {
        "name": change.name,
        "before": change.before.outcome.value,
        "after": after.outcome.value,
        "expectation": after.expectation.value,
        "expected": cut(after.expected, ANSWER),
        "seen": cut(after.seen, ANSWER),
        "reason": cut(after.reason, ANSWER),
    }


def _found(found: Found) -> dict[str, Any]:
    return {"fingerprint": found.fingerprint, "name": found.name, "expectation": found.expectation.value}
