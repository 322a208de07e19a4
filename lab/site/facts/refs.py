"""Small facts that many pages say: a cell, a subject, a row's cell, counts of outcomes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from lab.record import Record
from lab.report.judgement import Judgement, counts_of
from lab.rows import RowOutcome, RowResult
from lab.site.cells import Cell, Night, Subject
from lab.site.names import path, slug
from lab.verdict import Outcome
from schemas.suites import Level, Mark, Suite

Facts = dict[str, Any]


def of_cell(cell: Cell) -> Facts:
    return {"id": cell.id, "label": cell.label, "href": cell.address, "suite": cell.suite, "role": cell.role}


def of_subject(subject: Subject) -> Facts:
    return {"label": subject.label, "href": subject.address, "role": subject.role}


def row_address(suite: str, row: str) -> str:
    return f"rows/{slug(suite.lower())}/{path(row)}.html"


def history_address(cell: Cell) -> str:
    return f"history/{cell.id}.html"


def counts(outcomes: Iterable[Outcome]) -> dict[str, int]:
    """Outcomes that occurred, in the order of `Outcome`."""
    seen = Counter(outcomes)
    return {outcome.value: seen[outcome] for outcome in Outcome if seen[outcome]}


def of_row(cell: Cell, row: RowResult) -> Facts:
    """What one cell came to in one row."""
    judgement = cell.judgement
    seen = counts_of(row)
    robust = judgement.robust(row) if judgement.fuzzed else None
    return {
        "outcome": {level.value: row.outcome[level].value for level in Level},
        "advertised": judgement.claim(row).value,
        "counts": {outcome.value: seen[outcome] for outcome in Outcome if seen[outcome]},
        "tried": sum(n for outcome, n in seen.items() if outcome.executed),
        "known": sum(p.known for p in row.providers),
        "partial": row.partial,
        "robustness": {
            "outcome": robust.outcome.value,
            "findings": len(robust.findings),
            "stanzas": robust.stanzas,
            "reasons": sorted({reason for _, reason in robust.reasons if reason}),
        }
        if robust
        else None,
        "badge": f"badges/{cell.id}/{path(row.row.id)}.svg",
    }


def levels(judgement: Judgement) -> list[Facts]:
    """How the rows stand that the suite requires of this role, level by level: met, required, not tried in full."""
    return [_level(judgement, level) for level in Level]


def _level(judgement: Judgement, level: Level) -> Facts:
    required = required_rows(judgement.suite, judgement, level)
    judged = {row.row.id: row for row in judgement.rows}
    tried = [judged[row] for row in required if row in judged]
    whole = [row for row in tried if not row.partial and row.outcome[level] is not RowOutcome.NOT_TESTED]
    return {
        "level": level.value,
        "met": judgement.tally(level).met,
        "required": len(required),
        "untried": len(required) - len(whole),
    }


def required_rows(suite: Suite, judgement: Judgement, level: Level) -> list[str]:
    return [row.id for row in suite.rows if row.marks[judgement.role, level] is Mark.REQUIRED]


def of_night(night: Night) -> Facts:
    """A record in a list of records."""
    record = night.record
    header = record.header
    return {
        "id": night.id,
        "file": night.label,
        "started": header.started,
        "package": header.subject.get("package", ""),
        "digest": header.subject.get("digest", ""),
        "counts": counts(r.outcome for r in record.results),
        "findings": len(record.findings),
        "unfinished": unfinished(record),
        "damage": list(record.damage),
        "data": f"records/{night.id}.json",
    }


def unfinished(record: Record) -> str:
    """What is to be said of a record without a footer; empty where there is one."""
    if record.finished:
        return ""
    if not record.missing:
        return "it has no end, though every selected check has a result"
    return f"{len(record.missing)} of {len(record.header.selected)} checks have no result"
