"""Text made fit for Markdown, as GitHub shows it: whatever a subject sent stays text, and stays on its line.

Markup is taken away by character references, which neither Markdown nor HTML reads as anything but the character.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from lab.report.visible import cut, plain

# HTML, emphasis, code, links, tables, strike-through, mathematics, mentions; addresses that would become links.
_SPECIAL = re.compile(r"[&<>\\`*_\[\]|~$@#{}\"']|:(?=//)|(?<=www)\.")


def text(said: str, most: int = 400) -> str:
    """As running text, in one line."""
    return _SPECIAL.sub(lambda found: f"&#{ord(found[0])};", plain(cut(said, most)))


def code(said: str, most: int = 400) -> str:
    """As code, in one line: no mention and no reference in it notifies anybody."""
    return f"<code>{text(said, most)}</code>" if said else ""


def table(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    """The lines of a table; cells are Markdown already. None where there are no rows."""
    if not rows:
        return []
    lines = [columns, tuple("---" for _ in columns), *rows]
    return ["", *(f"| {' | '.join(line)} |" for line in lines)]
