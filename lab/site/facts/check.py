"""A check's page: the requirement, every subject's outcome side by side, and the evidence of each that failed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

from lab.record import CheckResult
from lab.report import words
from lab.report.page import latest
from lab.report.visible import cut
from lab.site.cells import Cell, Collection
from lab.site.facts.matrix import SUITES
from lab.site.facts.refs import Facts, counts, of_cell, row_address
from lab.verdict import Check

ANSWER = 4_000  # characters of expected, seen, reasons
BRIEF = 300  # and where they stand in a table
PAGE, LEAST, MOST = 400_000, 1_500, 48_000  # characters of traces: of a page, of one failure


def of_check(check: Check, cells: Sequence[Cell], collection: Collection) -> Facts:
    requirement = check.requirement
    bad = [cell for cell in cells if cell.by_name[check.name].outcome.bad]
    room = min(max(PAGE // max(len(bad), 1), LEAST), MOST)
    return {
        "name": check.name,
        "role": check.role,
        "provider": requirement.provider,
        "provider_title": words.title(requirement.provider),
        "version": requirement.version,
        "sections": [{"number": s, "href": words.link(requirement.provider, s)} for s in requirement.sections],
        "link": words.link(requirement.provider),
        "keyword": requirement.keyword.value,
        "says": requirement.says,
        "rows": [
            row if row["id"] in collection.rows[row["suite"]] else row | {"href": ""}
            for row in rows_of(requirement.provider, collection.suites)
        ],
        "counts": counts(cell.by_name[check.name].outcome for cell in cells),
        "outcomes": [outcome_of(cell, check.name) for cell in cells],
        "failures": [_evidence(cell, cell.by_name[check.name], room) for cell in bad],
    }


def rows_of(provider: str, suites: Iterable[str]) -> list[Facts]:
    """The rows that ask for a provider, in each of these suites."""
    return [row for name in suites for row in _rows_of(provider, name)]


@cache
def _rows_of(provider: str, suite: str) -> tuple[Facts, ...]:
    return tuple(
        {"id": row.id, "feature": row.feature, "suite": suite, "href": row_address(suite, row.id)}
        for row in SUITES[suite].rows_of(provider)
    )


def categories_of(provider: str, suites: Iterable[str]) -> list[str]:
    """The categories of those rows."""
    return sorted({row["id"].partition("/")[0] for row in rows_of(provider, suites)})


def outcome_of(cell: Cell, name: str) -> Facts:
    """One cell's outcome of a check, and since when it is that."""
    result = cell.by_name[name]
    history = cell.history
    since = history.since.get(name, 0)
    flake = next((f for f in history.flakes if f.check == name), None)
    return {
        "cell": of_cell(cell),
        "outcome": result.outcome.value,
        "expectation": result.expectation.value,
        "said": cut(result.seen or result.reason, BRIEF) if result.outcome.value != "pass" else "",
        "blamed": result.blamed,
        "since": cell.nights[since].record.header.started if since else "",
        "flaky": {"broke": flake.broke, "mended": flake.mended} if flake else None,
    }


def _evidence(cell: Cell, result: CheckResult, room: int) -> Facts:
    items, left_out = latest(result.trace, room)
    lines, left = [], room // 4
    log = cell.current.record.log_of(result)
    for line in log:
        if left <= 0:
            break
        lines.append({"at": line.at, "line": cut(line.line, left)})
        left -= len(line.line)
    return {
        "cell": of_cell(cell),
        "outcome": result.outcome.value,
        "expectation": result.expectation.value,
        "started": result.started,
        "expected": cut(result.expected, ANSWER),
        "seen": cut(result.seen, ANSWER),
        "reason": cut(result.reason, ANSWER),
        "known_reason": cut(result.known_reason, ANSWER),
        "blamed": result.blamed,
        "replay": cell.judgement.replay(result.check.name),
        "record": cell.current.label,
        "trace": [
            {"at": i.at, "session": i.session, "direction": i.direction, "text": i.text, "whole": i.whole}
            for i in items
        ],
        "log": lines,
        "left_out": left_out + sum(len(line.line) for line in log[len(lines) :]),
    }


def checks_of(collection: Collection) -> list[Facts]:
    """Every check in a line: what the subjects came to is counted, and not weighed."""
    return [
        {
            "name": name,
            "href": collection.at[name],
            "role": check.role,
            "provider": check.requirement.provider,
            "section": check.requirement.sections[0] if check.requirement.sections else "",
            "keyword": check.requirement.keyword.value,
            "says": check.requirement.says,
            "categories": categories_of(check.requirement.provider, collection.suites),
            "counts": counts(cell.by_name[name].outcome for cell in cells),
        }
        for name, (check, cells) in collection.checks.items()
    ]
