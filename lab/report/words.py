"""The signs and words that every report uses for outcomes, rows and marks, and where a section stands on the web."""

from __future__ import annotations

import re
from datetime import datetime
from urllib.parse import quote

from lab.record import CheckResult
from lab.report.visible import cut
from lab.robustness import Found, Robust
from lab.rows import RowOutcome
from lab.verdict import Outcome, Requirement
from schemas import sections, suites
from schemas.suites import Mark

SIGNS: dict[str, str] = {
    Outcome.PASS: "✓",
    Outcome.NON_STRICT: "~",
    Outcome.FAIL: "✗",
    Outcome.UNSUPPORTED: "○",
    Outcome.IMPOSSIBLE: "-",
    Outcome.CRASH: "✗",
    Outcome.ERROR: "!",
    RowOutcome.NOT_TESTED: "·",
    Robust.FLAKY: "≈",
}
"""By outcome of a check or of a row, and by a row's robustness: all use the same words."""

MEANINGS: dict[Outcome, str] = {
    Outcome.PASS: "the requirement was met",
    Outcome.NON_STRICT: "a SHOULD was missed",
    Outcome.FAIL: "the requirement was missed",
    Outcome.UNSUPPORTED: "not advertised, so not tried",
    Outcome.IMPOSSIBLE: "this set-up cannot test it",
    Outcome.CRASH: "the subject exited while it was tried",
    Outcome.ERROR: "the lab's own fault",
}

MARKS: dict[Mark, str] = {Mark.REQUIRED: "✓", Mark.NOT_REQUIRED: "✕", Mark.NOT_APPLICABLE: "N/A"}

PART = 160  # characters of what was and what became, where they stand in a line


def where(requirement: Requirement) -> str:
    """`RFC 6120 §4.9.3.13, §4.9.2`."""
    return f"{requirement.provider} {', '.join(f'§{s}' for s in requirement.sections)}".strip()


def link(provider: str, section: str = "") -> str:
    """The specification's page; an RFC's down to the section (XEPs name their sections, they do not number them)."""
    kind, _, number = provider.replace("-", " ").partition(" ")
    if kind == "RFC":
        anchor = f"#section-{quote(section, errors='replace')}" if section else ""
        return f"https://www.rfc-editor.org/rfc/rfc{quote(number, safe='', errors='replace')}.html{anchor}"
    return f"https://xmpp.org/extensions/xep-{quote(number, safe='', errors='replace')}.html"


def title(provider: str) -> str:
    """A provider's title, where the lab knows its sections."""
    return sections.load(provider).title if provider in sections.providers() else ""


def instant(iso: str) -> str:
    """`2026-11-23 13:05 UTC`; whatever else stands there is left as it is."""
    try:
        return f"{datetime.fromisoformat(iso):%Y-%m-%d %H:%M} UTC"
    except ValueError:
        return iso


def lasted(seconds: float) -> str:
    """`740 ms`, `12.3 s`, `3 min 05 s`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds // 60:.0f} min {seconds % 60:02.0f} s"


def expectation(result: CheckResult) -> str:
    """`known`, `unexpected`; with `informational` where a failure turns nothing red for being that."""
    return result.expectation.value if result.binding else f"{result.expectation}, {suites.INFORMATIONAL}"


def number(count: int, what: str) -> str:
    """`1 check`, `3 checks`, `31,204 stanzas`."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def size(count: int) -> str:
    """Of memory, in bytes: `45.0 MB`; a dash where nobody could tell."""
    return f"{count / 1_000_000:.1f} MB" if count else "-"


def place(where: str) -> tuple[str, str]:
    """Provider and section of `RFC 6120 §8.2.3, §8.3`: the first; empty where it names no specification."""
    found = re.match(r"((?:RFC|XEP)[ -]\d+)(?: §([\d.]*\d))?", where)
    return (found[1], found[2] or "") if found else ("", "")


def broken(found: Found) -> str:
    """What is wrong with the stanza, in a line; empty for a valid one."""
    if not found.operator:
        return ""
    place = f" at {found.place}" if found.place else ""
    was, became = (cut(part, PART) or "nothing" for part in (found.was, found.became))
    change = f": was {was}, became {became}" if found.was or found.became else ""
    return f"{found.operator}{place}{change}"


def confirmed(found: Found) -> str:
    """On how many fresh sessions it showed, and with what."""
    kind = "malformed" if found.operator else "valid"
    small = ", made as small as may be" if found.shrunk else ""
    return f"{found.confirmed} of {found.tries} times on fresh sessions, with {found.provider}, {kind}{small}"
