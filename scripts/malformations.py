"""Writes docs/malformations.md from the operators; with --check, only says whether it drifted (exit 1: it did)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from generators.allowed import Allowed, Reaction
from generators.malformations import OPERATORS, Operator
from generators.malformations.specimens import SCENE, STANZAS
from generators.source import RandomSource
from generators.stanza import Malformed, Moment

PAGE = Path(__file__).parent.parent / "docs" / "malformations.md"

INTRODUCTION = """\
# Malformations

Generated from `generators/malformations/` by `scripts/malformations.py`; `make test` finds a page that has drifted.

Each operator makes a valid stanza wrong in one way and proves it, after it was serialised, by a parser, a schema or a
look at what was parsed again. What is allowed comes from the text of the RFCs; where the text leaves a doubt, it is
allowed. "As before" is what may follow the valid stanza: a reply, its delivery, or nothing.

*heavy*: much to read, drawn seldom. *spoils*: only by name, for the session may have another address behind it.
*tls*, *sasl*, *bind*: sent before TLS, before authentication, before a resource is bound.
"""

TITLES = {
    "bytes": "Bytes: what is no XML, no UTF-8, or too much of it",
    "schema": "Schema: payloads that break their schema",
    "protocol": "Protocol: stanzas that break the rules of stanzas",
    "valid": "Control group: nothing is wrong, and nothing may be noticed",
}
_MOMENTS = {Moment.OPENED: "tls", Moment.SECURED: "sasl", Moment.AUTHENTICATED: "bind"}
DRAWS = 12


def page() -> str:
    parts = [INTRODUCTION]
    for key, title in TITLES.items():
        chosen = [o for o in OPERATORS.values() if (o.valid and key == "valid") or (not o.valid and o.family == key)]
        lines = [f"## {title}", "", f"{len(chosen)} operators.", ""]
        lines += ["| operator | what it does | what is allowed | where |", "|---|---|---|---|"]
        lines += [_row(operator) for operator in chosen]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _row(operator: Operator) -> str:
    made = list(_made(operator))
    where = "; ".join(dict.fromkeys(malformed.allowed.where for malformed in made))
    marks = [word for word, holds in (("heavy", operator.heavy), ("spoils", operator.spoils)) if holds]
    marks += [_MOMENTS[operator.moment]] if operator.moment in _MOMENTS else []
    name = f"`{operator.name}`" + "".join(f" *{mark}*" for mark in marks)
    summary = operator.summary.replace("<", "&lt;").replace("|", "\\|")
    if operator.valid:
        return f"| {name} | {summary} | as before | as with the stanza |"
    return f"| {name} | {summary} | {'; '.join(dict.fromkeys(_said(made)))} | {where} |"


def _made(operator: Operator) -> Iterator[Malformed]:
    source = RandomSource(0)
    for stanza in STANZAS:
        for _ in range(1 if operator.heavy else DRAWS):
            malformed = operator.apply(source, stanza, SCENE)
            if malformed is not None:
                yield malformed


def _said(made: list[Malformed]) -> Iterator[str]:
    """What is allowed, in words: alone, or beside what the valid stanza may get."""
    if all(malformed.allowed.reactions >= malformed.base.allowed.reactions for malformed in made):
        more = {r for malformed in made for r in malformed.allowed.reactions - malformed.base.allowed.reactions}
        yield ", ".join(["as before", *(_word(r, made[0].allowed) for r in Reaction if r in more)])
        return
    for malformed in made:
        yield ", ".join(_word(r, malformed.allowed) for r in Reaction if r in malformed.allowed.reactions)


def _word(reaction: Reaction, allowed: Allowed) -> str:
    conditions = allowed.errors if reaction is Reaction.ERROR else frozenset[str]()
    word = str(reaction).replace("-", " ")
    return f"{word} ({' or '.join(sorted(conditions))})" if conditions else word


def main() -> int:
    if "--check" in sys.argv:
        return int(PAGE.read_text(encoding="utf-8") != page())
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
