"""The matrix pages: rows by servers, servers by clients, rows by clients, pairs by servers, servers by servers.

Columns and lines are in alphabetical order, rows in the suite's: nothing here says that one is better than another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from lab.report.judgement import MENTIONED
from lab.site.cells import Cell, Collection, Subject
from lab.site.facts.refs import Facts, counts, of_cell, of_row, of_subject, row_address, unfinished
from schemas import suites
from schemas.suites import Category, Level, Mark, Role, Row, Suite

SUITES = {suites.load(year).name: suites.load(year) for year in suites.years()}


def rows_by(cells: Iterable[Cell], role: Role) -> list[Facts]:
    """A table for each suite: its rows, by category, against the cells of that role."""
    found = []
    for name in sorted({cell.suite for cell in cells}):
        columns = [cell for cell in cells if cell.suite == name]
        suite = SUITES[name]
        meant = {row for cell in columns for row in cell.rows}
        found.append(
            {
                "suite": name,
                "title": suite.title,
                "columns": [of_cell(cell) | _state(cell) for cell in columns],
                "categories": [
                    {"id": category.id, "title": category.title, "rows": rows}
                    for category in (*suite.categories, MENTIONED)
                    if (rows := _rows(suite, category.id, role, columns, meant))
                ],
                "untried": len([row for row in suite.select(role) if row.id not in meant]),
            }
        )
    return found


def _rows(suite: Suite, category: str, role: Role, columns: Sequence[Cell], meant: set[str]) -> list[Facts]:
    rows = [row for row in rows_of(suite, role) if row.category == category and row.id in meant]
    return [
        {
            "id": row.id,
            "feature": row.feature,
            "href": row_address(suite.name, row.id),
            "required": required(row, role),
            "providers": [p.id for p in row.listed],
            "cells": [in_row(cell, row.id) for cell in columns],
        }
        for row in rows
    ]


def rows_of(suite: Suite, role: Role | None = None) -> tuple[Row, ...]:
    """The suite's rows (that say something to that role), and behind them the informational ones."""
    return suite.select(role) + suite.informational


def category_of(suite: Suite, row: Row) -> Category:
    return MENTIONED if row.category == MENTIONED.id else suite.category(row.category)


def in_row(cell: Cell, row: str) -> Facts | None:
    """What a cell came to in a row; None where its run was not about that row."""
    return of_row(cell, cell.rows[row]) if row in cell.rows else None


def required(row: Row, role: Role) -> list[str]:
    """The levels at which a row is required."""
    return [level.value for level in Level if row.marks[role, level] is Mark.REQUIRED]


def _state(cell: Cell) -> Facts:
    """What must be known of a column before it is read."""
    record = cell.current.record
    return {
        "started": record.header.started,
        "unfinished": unfinished(record),
        "damaged": len(record.damage),
        "nights": len(cell.nights),
    }


def servers_by_clients(collection: Collection) -> Facts | None:
    """Each client on each server: counts of its checks there. None where no client was tried."""
    cells = collection.of("client")
    if not cells:
        return None
    clients = _once(cell.subjects[0] for cell in cells)
    servers = _once(cell.server for cell in cells if cell.server)
    nowhere = any(cell.server is None for cell in cells)
    return {
        "columns": [of_subject(client) for client in clients],
        "lines": [
            {
                "server": of_subject(server) if server else {"label": "no server named", "href": "", "role": ""},
                "cells": [
                    [_counted(cell) for cell in cells if cell.subjects[0] == client and cell.server == server]
                    for client in clients
                ],
            }
            for server in [*servers, *([None] if nowhere else [])]
        ],
    }


def pairs_by_servers(collection: Collection) -> Facts | None:
    """Each pair on each server: counts, and who was found to break a requirement. None where there is no pair."""
    cells = collection.of("pair")
    if not cells:
        return None
    servers = _once(cell.server for cell in cells if cell.server)
    pairs = sorted({cell.subjects for cell in cells}, key=lambda pair: [s.order for s in pair])
    return {
        "columns": [of_subject(server) for server in servers],
        "lines": [
            {
                "pair": [of_subject(client) for client in pair],
                "cells": [
                    [_counted(cell) for cell in cells if cell.subjects == pair and cell.server == server]
                    for server in servers
                ],
            }
            for pair in pairs
        ],
    }


def servers_by_servers(collection: Collection) -> Facts | None:
    """Each server with each other one, whichever was started first. None where no two were tried together."""
    cells = collection.of("federation")
    if not cells:
        return None
    servers = sorted({server for cell in cells for server in cell.subjects}, key=lambda server: server.order)
    return {
        "columns": [of_subject(server) for server in servers],
        "lines": [
            {
                "server": of_subject(one),
                "cells": [
                    [_counted(cell) for cell in cells if cell.subjects in {(one, other), (other, one)}]
                    for other in servers
                ],
            }
            for one in servers
        ],
    }


def _counted(cell: Cell) -> Facts:
    results = cell.current.record.results
    blamed = Counter(result.blamed for result in results if result.outcome.bad and result.blamed)
    return (
        of_cell(cell)
        | _state(cell)
        | {"counts": counts(r.outcome for r in results), "blamed": dict(sorted(blamed.items()))}
    )


def _once(subjects: Iterable[Subject]) -> list[Subject]:
    return sorted(set(subjects), key=lambda subject: subject.order)
