"""What is run in the cells of each role: of what was chosen, that which has checks of the role.

A matrix is asked for once, for servers, clients and pairs; a row or a specification need not have checks of all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from lab import catalogue
from lab.errors import UsageError
from lab.matrix.plan import Selection
from lab.verdict import Role

LISTS = {"rows": "rows", "checks": "names", "providers": "providers"}  # of a selection -> of the catalogue


def chosen(
    selection: Selection, roles: Iterable[Role], *, default_year: int
) -> tuple[dict[Role, Selection], tuple[str, ...]]:
    """The selection of each role that has one, and what a reader has to know: what a role is not asked.

    Raises UsageError where a word selects nothing in any role, or nothing is selected at all.
    """
    year = selection.year or default_year
    roles = tuple(dict.fromkeys(roles))
    found: dict[Role, Selection] = {}
    notes: list[str] = []
    refused: list[UsageError] = []
    asked: set[str] = set()
    for role in roles:
        own = {name: _of_role(role, year, name, getattr(selection, name)) for name in LISTS}
        asked |= {word for words in own.values() for word in words}
        rows, checks, providers = (tuple(own[name]) for name in LISTS)
        dropped = [word for name in LISTS for word in getattr(selection, name) if word not in own[name]]
        try:
            # A list of which nothing is left is not the same as no list.
            wanted = {LISTS[name]: own[name] or getattr(selection, name) for name in LISTS}
            catalogue.select(role=role, year=year, **wanted)
        except UsageError as error:
            refused.append(error)
            continue
        found[role] = replace(selection, rows=rows, checks=checks, providers=providers)
        if dropped:
            notes.append(f"{role} cells have no check of {', '.join(dropped)}")
    for name, option in LISTS.items():
        for word in getattr(selection, name):
            if word not in asked:
                catalogue.select(role=roles[0], year=year, **{option: (word,)})  # raises, and says what is near
    if not found:
        raise refused[0]
    return found, tuple(notes)


def _of_role(role: Role, year: int, name: str, words: Iterable[str]) -> list[str]:
    """Those of the words that select a check of the role."""
    kept = []
    for word in words:
        try:
            catalogue.select(role=role, year=year, **{LISTS[name]: (word,)})
        except UsageError:
            continue
        kept.append(word)
    return kept
