"""Schema strictness of a whole run: the mismatches of all checks, one of a kind. No failures, shown apart from them.

Two mismatches are of one kind where they differ only in the value that the schema complains of.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from lab.record import CheckResult

# libxml2 quotes the value as it is, quotes inside included.
_VALUE = re.compile(r"(The value )'.*?'( (?:is|has) )|(: )'.*?'( is not a valid value)", re.DOTALL)


@dataclass(frozen=True)
class Kind:
    """A mismatch, how many stanzas show it in which checks, and one of them. `element` is in Clark notation."""

    element: str
    message: str
    stanzas: int
    checks: tuple[str, ...]
    seen: str


def kinds(results: Iterable[CheckResult]) -> tuple[Kind, ...]:
    """Every kind of mismatch of these checks, the commonest first."""
    found: dict[tuple[str, str], Kind] = {}
    for result in results:
        name = result.check.name
        for one in result.strictness:
            key = one.element, without_value(one.message)
            before = found.get(key, Kind(*key, 0, (), one.seen))
            checks = before.checks if name in before.checks else (*before.checks, name)
            found[key] = Kind(*key, before.stanzas + one.count, checks, before.seen)
    return tuple(sorted(found.values(), key=lambda kind: (-len(kind.checks), -kind.stanzas)))


def without_value(message: str) -> str:
    """The message, with an ellipsis for the value."""
    return _VALUE.sub(r"\1\3…\2\4", message)
