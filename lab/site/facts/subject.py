"""A subject's page: each cell that judges it, by rows, checks and findings; and, of a server, who was tried on it."""

from __future__ import annotations

from lab.report.visible import cut
from lab.robustness import Found
from lab.site.cells import Cell, Collection, Subject
from lab.site.facts.check import BRIEF, categories_of
from lab.site.facts.matrix import in_row, required
from lab.site.facts.refs import (
    Facts,
    counts,
    history_address,
    levels,
    of_cell,
    of_night,
    of_subject,
    row_address,
)
from lab.verdict import JOINT, Check, Expectation
from schemas.suites import Role

ANSWER = 2_000  # characters of what a finding sends and shows


def of_subject_page(subject: Subject, collection: Collection) -> Facts:
    cells = collection.subjects[subject]
    return {
        "subject": of_subject(subject) | {"name": subject.name, "version": subject.version},
        "others": [
            of_subject(other)
            for other in collection.subjects
            if (other.role, other.name) == (subject.role, subject.name) and other != subject
        ],
        "cells": [_cell(cell, collection) for cell in cells],
        "guests": [
            of_cell(cell) | {"counts": counts(r.outcome for r in cell.current.record.results)}
            for cell in collection.cells
            if cell.server == subject
        ],
    }


def _cell(cell: Cell, collection: Collection) -> Facts:
    judgement = cell.judgement
    record = cell.current.record
    header = record.header
    return {
        "cell": of_cell(cell),
        "current": of_night(cell.current),
        "fuzzed": of_night(cell.fuzzed) if cell.fuzzed and cell.fuzzed is not cell.current else None,
        "newer": [of_night(night) for night in cell.newer],
        "older": len(cell.nights) - 1 - len(cell.newer),
        "history": history_address(cell),
        "engine": header.engine,
        "lab": header.lab,
        "seed": header.seed,
        "replay": header.replay,
        "subject": header.subject,
        "peers": list(header.peers),
        "duration": round(judgement.duration, 3),
        "missing": list(record.missing),
        "exits": [gone.why for gone in record.exits],
        "levels": [] if cell.role in JOINT or not record.results else levels(judgement),
        "rows": [_row(cell, row) for row in cell.rows],
        "checks": [_check(cell, name, collection) for name in _in_reading_order(cell)],
        "findings": [_finding(found) for found in judgement.findings],
        "flaky": [{"check": f.check, "broke": f.broke, "mended": f.mended} for f in cell.history.flakes],
    }


def _in_reading_order(cell: Cell) -> list[str]:
    return list(dict.fromkeys(result.check.name for result in cell.judgement.results))


def _row(cell: Cell, name: str) -> Facts:
    row = cell.rows[name].row
    return {
        "id": row.id,
        "feature": row.feature,
        "href": row_address(cell.suite, row.id),
        "required": required(row, Role(cell.role)),
        "providers": [p.id for p in row.listed],
        "result": in_row(cell, name),
    }


def _check(cell: Cell, name: str, collection: Collection) -> Facts:
    result = cell.by_name[name]
    check: Check = result.check
    usual = result.expectation in {Expectation.EXPECTED, Expectation.UNEXPECTED}
    return {
        "name": name,
        "href": collection.at[name],
        "outcome": result.outcome.value,
        "expectation": result.expectation.value,
        "unusual": "" if usual else result.expectation.value,
        "keyword": check.requirement.keyword.value,
        "provider": check.requirement.provider,
        "section": check.requirement.sections[0] if check.requirement.sections else "",
        "says": check.requirement.says,
        "categories": categories_of(check.requirement.provider, (cell.suite,)),
        "said": cut(result.seen or result.reason, BRIEF) if result.outcome.value != "pass" else "",
        "blamed": result.blamed,
    }


def _finding(found: Found) -> Facts:
    return {
        "fingerprint": cut(found.fingerprint, ANSWER),
        "name": cut(found.name, BRIEF),
        "rule": cut(found.rule, BRIEF),
        "where": cut(found.where, BRIEF),
        "says": cut(found.says, ANSWER),
        "expectation": found.expectation.value,
        "provider": found.provider,
        "sent": cut(found.sent, ANSWER),
        "expected": cut(found.expected, ANSWER),
        "seen": cut(found.seen, ANSWER),
        "known_reason": cut(found.known_reason, ANSWER),
        "confirmed": found.confirmed,
        "tries": found.tries,
        "replay": cut(found.replay, ANSWER),
    }
