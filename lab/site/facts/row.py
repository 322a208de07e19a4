"""A row's page: what each subject came to, through which providers, its checks, and its nights."""

from __future__ import annotations

from collections.abc import Sequence

from lab.report import words
from lab.site.cells import Cell, Collection
from lab.site.facts.matrix import SUITES, category_of, in_row, required
from lab.site.facts.refs import Facts, counts, history_address, of_cell
from lab.verdict import Check
from schemas.suites import Role, Row

SIDE_BY_SIDE = 24  # cells that have a column each in a table of checks; of more, outcomes are counted


def of_row(suite_name: str, row: Row, collection: Collection) -> Facts:
    suite = SUITES[suite_name]
    return {
        "id": row.id,
        "feature": row.feature,
        "suite": suite_name,
        "suite_title": suite.title,
        "xep": suite.xep,
        "link": words.link(suite.xep),
        "category": category_of(suite, row).title,
        "providers": [
            {"id": p.id, "title": p.title, "link": words.link(p.id), "remark": p.remark} for p in row.listed
        ],
        "roles": [part for role in Role if (part := _of_role(suite_name, row, role, collection))],
    }


def _of_role(suite: str, row: Row, role: Role, collection: Collection) -> Facts | None:
    cells = [cell for cell in collection.of(role.value) if cell.suite == suite and row.id in cell.rows]
    if not cells:
        return None
    providers = row.measuring
    checks = [
        (check, tried)
        for check, tried in collection.checks.values()
        if check.role == role.value and check.requirement.provider in providers
    ]
    return {
        "role": role.value,
        "required": required(row, role),
        "subjects": [_subject(cell, row) for cell in cells],
        "side_by_side": len(cells) <= SIDE_BY_SIDE,
        "checks": [_check(check, tried, cells, collection) for check, tried in checks],
    }


def _subject(cell: Cell, row: Row) -> Facts:
    providers = cell.rows[row.id].providers
    header = cell.judgement.record.header
    return {
        "cell": of_cell(cell),
        "row": in_row(cell, row.id),
        "providers": [
            {
                "id": p.provider,
                "outcome": p.outcome.value,
                "counts": {outcome.value: n for outcome, n in p.counts.items()},
                "known": p.known,
                "by": header.provides.get(p.provider, ""),
            }
            for p in providers
        ],
        "nights": row_nights(cell, row.id),
        "history": history_address(cell),
    }


def _check(check: Check, tried: Sequence[Cell], cells: Sequence[Cell], collection: Collection) -> Facts:
    ids = {cell.id for cell in cells}
    here = [cell for cell in tried if cell.id in ids]
    outcomes = {cell.id: cell.by_name[check.name].outcome.value for cell in here}
    return {
        "name": check.name,
        "href": collection.at[check.name],
        "keyword": check.requirement.keyword.value,
        "section": check.requirement.sections[0] if check.requirement.sections else "",
        "provider": check.requirement.provider,
        "says": check.requirement.says,
        "counts": counts(cell.by_name[check.name].outcome for cell in here),
        "outcomes": [outcomes.get(cell.id) for cell in cells] if len(cells) <= SIDE_BY_SIDE else [],
    }


def row_nights(cell: Cell, row: str) -> list[Facts]:
    """What a row came to in each night that was about it, oldest first."""
    return [
        {"started": night.record.header.started, "outcome": rows[row]}
        for night, rows in zip(cell.nights, cell.rows_by_night, strict=True)
        if row in rows
    ]
