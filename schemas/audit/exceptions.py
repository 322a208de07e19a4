"""What may mismatch, and why: the entries of `exceptions.toml`. One that matches nothing any more is stale."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from schemas import tables
from schemas.tables import Table

FILE = Path(__file__).parent / "exceptions.toml"


class Why(StrEnum):
    """The kinds of reason that excuse an example."""

    ELISION = "elision"  # something was left out for brevity
    PLACEHOLDER = "placeholder"  # a word stands where a value belongs
    EXAMPLE_BUG = "example-bug"  # the example breaks the prose of its own or the other specification
    OLDER_VERSION = "older-version"  # written for an earlier version of what it uses
    DELIBERATE = "deliberate"  # the example shows what is wrong
    FRAGMENT = "fragment"  # a part, shown without what must stand around it


@dataclass(frozen=True)
class Listed:
    """A mismatch that is accepted: `element` (Clark notation) is the one at fault in the example of that number."""

    provider: str
    example: int
    element: str
    why: Why
    reason: str

    @property
    def key(self) -> tuple[str, int, str]:
        return self.provider, self.example, self.element

    def __str__(self) -> str:
        return f"{self.provider} example {self.example} {self.element}"


@dataclass(frozen=True)
class ListedDrift:
    """What a specification's own schema declares and ours leaves out on purpose.

    `attribute` is empty where it is the element itself.
    """

    namespace: str
    element: str
    attribute: str
    reason: str

    @property
    def key(self) -> tuple[str, str, str]:
        return self.namespace, self.element, self.attribute

    def __str__(self) -> str:
        return f"drift {self.namespace} {self.element}" + (f" @{self.attribute}" if self.attribute else "")


@dataclass(frozen=True)
class Exceptions:
    mismatches: tuple[Listed, ...] = ()
    drifts: tuple[ListedDrift, ...] = ()


def read(path: Path = FILE) -> Exceptions:
    """Read the file. Raises UsageError naming the entry and field that are wrong."""
    top = tables.read(path)
    mismatches: list[Listed] = []
    for table in top.tables("mismatch", "element"):
        mismatches += _mismatches(table)
    drifts = tuple(_drift(table) for table in top.tables("drift", "element"))
    top.done()
    keys = [entry.key for entry in mismatches] + [drift.key for drift in drifts]
    for twice in {key for key in keys if keys.count(key) > 1}:
        top.fail("", f"{' '.join(map(str, twice))} is listed twice")
    return Exceptions(tuple(mismatches), drifts)


def _mismatches(table: Table) -> list[Listed]:
    provider, element = table.text("xep"), table.text("element")
    why, reason = table.choice("why", Why), table.text("reason")
    numbers = table.numbers("examples")
    if not numbers:
        table.fail("examples", "is missing: say the numbers of the examples, such as [3, 4]")
    table.done()
    return [Listed(provider, number, element, why, reason) for number in numbers]


def _drift(table: Table) -> ListedDrift:
    drift = ListedDrift(
        table.text("namespace"), table.text("element"), table.text("attribute", ""), table.text("reason")
    )
    table.done()
    return drift
