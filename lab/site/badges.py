"""Badges: small SVG files that say one thing of one subject, with nothing loaded from anywhere.

`CS2021 Core: 9 of 12 rows` says how far one subject is; it says nothing of any other.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from lab.report import words
from lab.report.judgement import MET
from lab.report.visible import cut, plain
from lab.rows import RowOutcome
from lab.site.cells import Cell
from lab.site.facts.refs import levels
from lab.site.names import path
from lab.verdict import JOINT
from schemas.suites import Level, Mark, Role

MOST = 60  # characters of either half
COLOURS = {"met": "#17754a", "partly": "#56616b", "missed": "#bd2431"}
_NARROW, _WIDE, _USUAL = "ijl.,:;'|!()[]1ftr ", "mwMW@%…", 6.6  # pixels of an 11 pixel sans serif


@dataclass(frozen=True)
class Badge:
    """`label` on grey, `says` on a colour that repeats what the words say already."""

    address: str
    label: str
    says: str
    title: str
    colour: str


def of_cell(cell: Cell) -> Iterator[Badge]:
    """A badge for each level, and one for each row that the cell was tried for."""
    if not cell.current.record.results or cell.role in JOINT:
        return
    where = f" on {cell.server.label}" if cell.server else ""
    for level in levels(cell.judgement):
        says = f"{level['met']} of {level['required']} rows"
        if level["untried"]:
            says += f", {level['untried']} not tested in full"
        kind = "met" if level["met"] == level["required"] else "partly"
        label = f"{cell.suite} {level['level'].capitalize()}{where}"
        yield _badge(cell, level["level"], label, says, COLOURS[kind])
    for row in cell.rows.values():
        role = Role(cell.role)
        level_asked = Level.CORE if row.row.marks[role, Level.CORE] is Mark.REQUIRED else Level.ADVANCED
        outcome = row.outcome[level_asked]
        kind = "met" if outcome in MET and not row.partial else "missed" if outcome is RowOutcome.FAIL else "partly"
        says = f"{words.SIGNS[outcome]} {outcome}{' (in part)' if row.partial else ''}"
        yield _badge(cell, path(row.row.id), f"{row.row.feature}{where}", says, COLOURS[kind])


def _badge(cell: Cell, name: str, label: str, says: str, colour: str) -> Badge:
    label, says = cut(plain(label), MOST), cut(plain(says), MOST)
    return Badge(f"badges/{cell.id}/{name}.svg", label, says, f"{plain(cell.label)}: {label}: {says}", colour)


def width(text: str) -> int:
    """About how wide a text is, in pixels; the badge stretches it to just that."""
    return round(sum(_pixels(character) for character in text))


def _pixels(character: str) -> float:
    if unicodedata.east_asian_width(character) in "WF" or character in _WIDE:
        return 10.5
    return 3.9 if character in _NARROW else _USUAL
