"""The sections of each provider that say MUST or SHOULD, and why some of them have no check.

Read from `sections/*.toml`, one file a specification. Which checks a section has is known to the scenarios.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

from lab.errors import UsageError
from schemas import tables
from schemas.tables import Table

FOLDER = Path(__file__).parent / "sections"


class Why(StrEnum):
    """The kinds of reason for having no check."""

    NOT_VISIBLE = "not-visible"  # nothing of it can be seen by a peer
    OTHER_ROLE = "other-role"  # asked of whoever is not under test
    DEPLOYMENT = "deployment"  # a matter of who runs the service, or issues its certificates
    ELSEWHERE = "elsewhere"  # another section says it, and is tested
    TO_COME = "to-come"  # the lab cannot play that part yet


@dataclass(frozen=True)
class Section:
    """A section with normative words: how often each keyword stands there, its subsections not counted.

    `why` and `none` (in words) are given together, or neither.
    """

    number: str
    title: str
    must: int
    should: int
    may: int
    why: Why | None = None
    none: str = ""


@dataclass(frozen=True)
class Specification:
    """A provider at the version that the checks are written against, with its sections in document order.

    `adopts` are sections without keywords of their own that make another document's requirements binding: checks
    may stand there.
    """

    provider: str
    title: str
    version: str
    date: str
    sections: tuple[Section, ...]
    adopts: tuple[str, ...] = ()
    begun: tuple[str, ...] = ("server",)
    """The roles that have checks. Of another one, every section is to come."""

    def section(self, number: str) -> Section:
        """The section of that number. Raises UsageError with the nearest numbers."""
        for section in self.sections:
            if section.number == number:
                return section
        raise UsageError(
            f"{self.provider} has no section {number} that says MUST or SHOULD",
            hint=tables.nearest(number, (section.number for section in self.sections)),
        )


def providers() -> tuple[str, ...]:
    """The providers whose sections are listed: `RFC 6120`, `XEP-0030`."""
    return tuple(load_file(path).provider for path in sorted(FOLDER.glob("*.toml")))


def load(provider: str) -> Specification:
    """The sections of a provider. Raises UsageError: no such provider, or its file is broken."""
    path = FOLDER / f"{provider.lower().replace(' ', '-')}.toml"
    if not path.is_file():
        raise UsageError(f"no sections are listed for {provider!r}", hint=tables.nearest(provider, providers()))
    return load_file(path)


@cache
def load_file(path: Path) -> Specification:
    """Read one file. Raises UsageError naming the file, and the section and field that are wrong."""
    top = tables.read(path)
    specification = Specification(
        provider=top.text("provider"),
        title=top.text("title"),
        version=top.text("version"),
        date=top.text("date"),
        sections=tuple(_section(table) for table in top.tables("section", "number")),
        adopts=top.texts("adopts") if "adopts" in top else (),
        begun=top.texts("begun") if "begun" in top else ("server",),
    )
    top.done()
    seen: set[str] = set()
    for section in specification.sections:
        if section.number in seen:
            top.fail(f"section {section.number}", "stands there twice")
        seen.add(section.number)
    return specification


def _section(table: Table) -> Section:
    section = Section(
        number=table.text("number"),
        title=table.text("title"),
        must=table.number("must"),
        should=table.number("should"),
        may=table.number("may"),
        why=table.choice("why", Why) if "why" in table else None,
        none=table.text("none") if "none" in table else "",
    )
    table.done()
    if (section.why is None) != (not section.none):
        table.fail("why", "and none (the reason in words) come together")
    return section
