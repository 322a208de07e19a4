"""The history pages, the list of records, and what the browser compares: each record's outcomes, by name."""

from __future__ import annotations

from itertools import pairwise

from lab.record import Record
from lab.report import words
from lab.report.visible import cut, plain
from lab.site.cells import Cell, Collection, Night
from lab.site.facts.check import BRIEF
from lab.site.facts.matrix import SUITES, rows_of
from lab.site.facts.refs import Facts, history_address, of_cell, of_night, row_address
from lab.site.history import Turn
from lab.site.names import path

TURNS = 4  # nights with changes, that a line names
NEWEST = 30  # nights in the strip of a line; the cell's own page has all


def histories(collection: Collection) -> Facts:
    """Each cell in a line: its nights, and what changed in the newest."""
    return {"cells": [_line(cell) for cell in collection.cells]}


def _line(cell: Cell) -> Facts:
    nights = [_night(cell, place) for place in range(len(cell.nights))]
    turns = [night for night in reversed(nights) if any(night["changes"].values())]
    return of_cell(cell) | {
        "history": history_address(cell),
        "nights": nights[-NEWEST:],
        "turns": turns[:TURNS],
        "count": len(nights),
        "flaky": len(cell.history.flakes),
    }


def of_history(cell: Cell, collection: Collection) -> Facts:
    """A cell's own history: every night with what changed in it, its rows over time, what is flaky."""
    rows = dict.fromkeys(row for night in cell.rows_by_night for row in night)
    features = {row.id: row.feature for row in rows_of(SUITES[cell.suite])}
    nights = [_night(cell, place) for place in range(len(cell.nights))]
    for before, after in pairwise(nights):
        after["diff"] = f"diff.html#a={before['id']}&b={after['id']}"
    return {
        "cell": of_cell(cell),
        "nights": nights,
        "pages": {
            name: collection.at[name]
            for night in cell.history.changes
            for change in night
            if (name := change.check) in collection.at
        },
        "flaky": [
            {"check": f.check, "href": collection.at.get(f.check, ""), "broke": f.broke, "mended": f.mended}
            for f in cell.history.flakes
        ],
        "rows": [
            {
                "id": row,
                "feature": features[row],
                "href": row_address(cell.suite, row),
                "nights": [night.get(row) for night in cell.rows_by_night],
            }
            for row in features
            if row in rows
        ],
    }


def _night(cell: Cell, place: int) -> Facts:
    night = cell.nights[place]
    history = cell.history
    before = cell.nights[place - 1].record.header.subject if place else {}
    now = night.record.header.subject
    return of_night(night) | {
        "current": night is cell.current,
        "tick": _tick(cell, place),
        "changes": {
            turn.value: [
                {"check": c.check, "was": c.was.value, "became": c.became.value} for c in history.of(place, turn)
            ]
            for turn in Turn
        },
        "found": [cut(fingerprint, BRIEF) for fingerprint in history.found[place]],
        "other_build": bool(place) and any(before.get(k, "") != now.get(k, "") for k in ("package", "digest")),
    }


def _tick(cell: Cell, place: int) -> str:
    """The class of a night's tick: the worst that changed in it."""
    looks = {Turn.BROKEN: "fail", Turn.FLAKY: "flaky", Turn.OTHER: "non-strict", Turn.FIXED: "pass"}
    turns = {change.turn for change in cell.history.changes[place]}
    return next((look for turn, look in looks.items() if turn in turns), "impossible")


def records_of(collection: Collection) -> Facts:
    """Every record of the site, and what is no part of it."""
    return {
        "cells": [
            of_cell(cell)
            | {
                "nights": [
                    of_night(night) | {"current": night is cell.current, "campaign": night is cell.fuzzed}
                    for night in reversed(cell.nights)
                ]
            }
            for cell in collection.cells
        ],
        "skipped": [{"file": one.label, "why": one.why} for one in collection.skipped],
    }


def of_record(cell: Cell, night: Night, rows: dict[str, dict[str, str]]) -> Facts:
    """What the page of differences compares. Hidden characters of what a subject sent are named in it."""
    record = night.record
    return {
        "label": plain(cell.label),
        "cell": cell.id,
        "suite": cell.suite,
        "role": cell.role,
        "started": plain(words.instant(record.header.started)),
        "replay": plain(record.header.replay),
        "package": plain(record.header.subject.get("package", "")),
        "finished": record.finished,
        "damage": len(record.damage),
        "checks": _outcomes(record),
        "rows": rows,
        "findings": {plain(cut(f.fingerprint, BRIEF)): f.expectation.value for f in record.findings},
        "elsewhere": {plain(n): path(n) for r in record.results if path(n := r.check.name) != n},
    }


def _outcomes(record: Record) -> dict[str, list[str]]:
    """Name -> outcome, and what was seen where it was not a pass."""
    found = {}
    for result in record.results:
        said = "" if result.outcome.value == "pass" else plain(cut(result.seen or result.reason, BRIEF))
        found[plain(result.check.name)] = [result.outcome.value, *([said] if said else [])]
    return found


def notices(collection: Collection) -> Facts:
    """What a reader must know before any figure: what is damaged, unfinished, superseded or left out."""
    damaged: list[Facts] = []
    unfinished: list[Facts] = []
    for cell in collection.cells:
        shown = [night for night in cell.nights if night in (cell.current, cell.fuzzed) or night in cell.newer]
        for night in cell.nights:
            facts = of_night(night) | {"cell": of_cell(cell), "shown": night in shown}
            if facts["damage"]:
                damaged.append(facts)
            if facts["unfinished"]:
                unfinished.append(facts)
    for told in (damaged, unfinished):
        told.sort(key=lambda facts: not facts["shown"])
    return {
        "records": sum(len(cell.nights) for cell in collection.cells),
        "cells": len(collection.cells),
        "superseded": sum(len(cell.nights) - 1 for cell in collection.cells),
        "damaged": damaged,
        "unfinished": unfinished,
        "skipped": [{"file": one.label, "why": one.why} for one in collection.skipped],
    }
