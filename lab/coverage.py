"""Traceability: every normative section of a provider, with its checks or the reason why it has none.

Joins `schemas.sections` with the catalogue (DESIGN, rule 10). A section with neither is a gap; one that has both
is a contradiction. Both make the lab's own tests fail.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from lab import catalogue
from lab.verdict import Role
from schemas import sections
from schemas.sections import Section, Specification, Why


@dataclass(frozen=True)
class Line:
    """One section and the names of its checks. `why` and `none` give the reason for having none, for this role."""

    section: Section
    checks: tuple[str, ...]
    why: Why | None = None
    none: str = ""

    @property
    def gap(self) -> bool:
        return not self.checks and self.why is None

    @property
    def contradiction(self) -> bool:
        return bool(self.checks) and self.why is not None


@dataclass(frozen=True)
class Coverage:
    """A provider's normative sections for one role. `checks` counts all its checks."""

    provider: str
    version: str
    role: Role
    lines: tuple[Line, ...]
    checks: int

    @property
    def covered(self) -> int:
        return sum(bool(line.checks) for line in self.lines)

    @property
    def reasoned(self) -> int:
        return sum(line.why is not None and not line.checks for line in self.lines)

    @property
    def gaps(self) -> tuple[Line, ...]:
        return tuple(line for line in self.lines if line.gap)

    def as_json(self) -> dict[str, Any]:
        return {
            "provider": self.provider,
            "version": self.version,
            "role": self.role,
            "checks": self.checks,
            "sections": len(self.lines),
            "covered": self.covered,
            "with_reason": self.reasoned,
            "gaps": [line.section.number for line in self.gaps],
            "lines": [
                {
                    "section": line.section.number,
                    "title": line.section.title,
                    "must": line.section.must,
                    "should": line.section.should,
                    "may": line.section.may,
                    "checks": list(line.checks),
                    "why": line.why,
                    "none": line.none,
                }
                for line in self.lines
            ],
        }

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column("§", no_wrap=True)
        table.add_column("title", ratio=2)
        table.add_column("MUST", justify="right")
        table.add_column("SHOULD", justify="right")
        table.add_column("checks, or why there is none", ratio=5)
        for line in self.lines:
            section = line.section
            if line.gap:
                what = Text("neither a check nor a reason", style="bold red")
            elif line.checks:
                what = Text("\n".join(name.partition("/")[2] for name in line.checks))
            else:
                what = Text(f"{line.why}: {line.none}", style="dim")
            table.add_row(section.number, section.title, str(section.must), str(section.should), what)
        yield Text(f"{self.provider} ({self.version}), {self.role}", style="bold")
        yield table
        yield self.total()

    def total(self) -> Text:
        gaps = f", {len(self.gaps)} with neither" if self.gaps else ""
        return Text(
            f"{self.provider}: {len(self.lines)} sections say MUST or SHOULD; {self.covered} have checks "
            f"({self.checks} in all), {self.reasoned} a reason for none{gaps}"
        )


def coverage(provider: str, role: Role = "server") -> Coverage:
    """The coverage of one provider. Raises UsageError for an unknown one."""
    specification = sections.load(provider)
    mine = [c for c in catalogue.checks() if c.requirement.provider == provider and c.role == role]
    lines = tuple(
        _line(section, tuple(c.name for c in mine if section.number in c.requirement.sections), role, specification)
        for section in specification.sections
    )
    return Coverage(provider, specification.version, role, lines, len(mine))


def _line(section: Section, checks: tuple[str, ...], role: Role, specification: Specification) -> Line:
    if role == "server" and role in specification.begun:
        return Line(section, checks, section.why, section.none)
    if checks:
        return Line(section, checks)
    return Line(section, checks, Why.TO_COME, f"Nobody has written checks of a {role}'s side of it yet.")


def coverages(providers: Sequence[str] = (), role: Role = "server") -> tuple[Coverage, ...]:
    """The coverage of some providers, or of all that have checks of the role."""
    asked = providers or [name for name in sections.providers() if _has_begun(name, role)]
    return tuple(coverage(provider, role) for provider in asked)


def _has_begun(provider: str, role: Role) -> bool:
    if role == "server":
        return role in sections.load(provider).begun
    return bool(catalogue.known_checks(role).get(provider))
