"""The audit itself: every payload and every stanza of every example against the catalogue.

A payload is an element in a namespace that the catalogue knows, where its parent is in another one. Each is
judged by itself, so that a fault deep in a stanza is counted for the payload that it stands in, and once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from lxml import etree

from schemas.audit import drift, examples, sources
from schemas.audit.drift import Drift
from schemas.audit.examples import CLIENT, Example, Form
from schemas.audit.exceptions import Exceptions, Listed, ListedDrift
from schemas.audit.sources import Broken, Source
from schemas.catalogue import Catalogue, Mismatch, SchemaFile

AIM = 97.0  # percent of what the rows' specifications show, and of their payloads elsewhere, that must validate

Element = etree._Element


class Kind(StrEnum):
    """What was validated."""

    OWN = "own"  # a payload of the specification that the example stands in
    OTHER = "other"  # a payload of another specification
    STANZA = "stanza"


class Result(StrEnum):
    VALID = "valid"
    LISTED = "listed"
    MISMATCHED = "mismatched"


@dataclass(frozen=True)
class Finding:
    """One mismatch: where it stands, and the entry that excuses it, if there is one."""

    example: Example
    line: int
    root: str  # the payload or stanza, in Clark notation
    provider: str  # of the schema that was not met
    mismatch: Mismatch
    listed: Listed | None

    def as_json(self) -> dict[str, Any]:
        return {
            "xep": self.example.provider,
            "example": self.example.number,
            "title": self.example.title,
            "line": self.line,
            "root": self.root,
            "schema": self.provider,
            "element": self.mismatch.element,
            "message": self.mismatch.message,
            "listed": None if self.listed is None else {"why": self.listed.why, "reason": self.listed.reason},
        }


@dataclass(frozen=True)
class Judged:
    """One payload or stanza, with what is wrong in itself, and whether it is valid with all that it holds."""

    kind: Kind
    example: int
    root: str
    provider: str
    result: Result


@dataclass(frozen=True)
class Report:
    """What the audit saw of one specification."""

    source: Source
    examples: tuple[Example, ...]
    judged: tuple[Judged, ...]
    findings: tuple[Finding, ...]
    drifts: tuple[Drift, ...]
    listed_drifts: tuple[ListedDrift, ...]
    broken_schemas: tuple[Broken, ...]
    behind: tuple[SchemaFile, ...]  # schemas of ours that follow another version than the source's

    @property
    def provider(self) -> str:
        return self.source.provider

    @property
    def mismatches(self) -> tuple[Finding, ...]:
        return tuple(f for f in self.findings if f.listed is None)

    def forms(self) -> Counter[Form]:
        return Counter(example.form for example in self.examples)

    def results(self, kind: Kind) -> Counter[Result]:
        return Counter(judged.result for judged in self.judged if judged.kind is kind)

    def valid_examples(self) -> tuple[int, int]:
        """Of the examples that were parsed and hold something to judge: those without a mismatch, and all."""
        seen = {judged.example for judged in self.judged}
        bad = {finding.example.number for finding in self.findings}
        return len(seen - bad), len(seen)


@dataclass(frozen=True)
class Audit:
    """The reports of all specifications that were looked at, and what stands on the list for nothing."""

    reports: tuple[Report, ...]
    broken: tuple[Broken, ...]
    stale: tuple[str, ...]
    rows: frozenset[str] = field(default=frozenset())

    @property
    def clean(self) -> bool:
        return not (self.stale or self.broken or any(r.mismatches or r.drifts for r in self.reports))


@dataclass(frozen=True)
class Total:
    """How many of some kind validate, of how many; `has_aim` where AIM is the least that is wanted."""

    title: str
    valid: int
    of: int
    has_aim: bool

    @property
    def percent(self) -> float:
        return 100 * self.valid / self.of if self.of else 100.0

    def __str__(self) -> str:
        return f"{self.title}: {self.valid} of {self.of}" + (f" ({self.percent:.1f}%)" if self.of else "")


def run(paths: Mapping[str, Path], catalogue: Catalogue, accepted: Exceptions, rows: Iterable[str] = ()) -> Audit:
    """Audit the sources of `paths` (provider to file). `rows` are the providers of the suites' rows."""
    reports: list[Report] = []
    broken: list[Broken] = []
    for provider, path in paths.items():
        source = sources.read(provider, path)
        if isinstance(source, Broken):
            broken.append(source)
        else:
            reports.append(examine(source, catalogue, accepted))
    return Audit(tuple(reports), tuple(broken), tuple(_stale(reports, catalogue, accepted)), frozenset(rows))


def examine(source: Source, catalogue: Catalogue, accepted: Exceptions) -> Report:
    """Audit one source."""
    by_key = {entry.key: entry for entry in accepted.mismatches}
    read: list[Example] = []
    judged: list[Judged] = []
    findings: list[Finding] = []
    for example in examples.read(source):
        seen = _judge_example(example, catalogue, by_key)
        # What is there for the page is not content: where it is all that is wrong, nothing is.
        if seen.findings and (meant := examples.as_meant(example)):
            again = _judge_example(meant, catalogue, by_key)
            seen = again if len(again.findings) < len(seen.findings) else seen
        read.append(seen.example)
        judged += seen.judged
        findings += seen.findings
    drifted, broken = drift.drifts(source, catalogue)
    fine = {entry.key: entry for entry in accepted.drifts}
    return Report(
        source,
        tuple(read),
        tuple(judged),
        tuple(findings),
        tuple(d for d in drifted if d.key not in fine),
        tuple(fine[d.key] for d in drifted if d.key in fine),
        broken,
        tuple(
            file
            for file in catalogue.files.values()
            if file.provider == source.provider and source.version not in {"", file.version}
        ),
    )


@dataclass
class _Seen:
    example: Example
    judged: list[Judged] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


ByKey = Mapping[tuple[str, int, str], Listed]


def _judge_example(example: Example, catalogue: Catalogue, accepted: ByKey) -> _Seen:
    seen = _Seen(example)
    for root in example.roots:
        _judge(seen, root, catalogue, accepted)
    return seen


def _judge(seen: _Seen, root: Element, catalogue: Catalogue, accepted: ByKey) -> None:
    """Judge all that stands in one outermost element, the innermost first: what an inner one was blamed for, those
    around it are not blamed for again."""
    example, found = seen.example, list[list[Finding]]()
    judgeable = list(_judgeable(root, catalogue))
    inside: dict[Element, list[Finding]] = {element: [] for element in judgeable}
    for element in reversed(judgeable):
        inner = inside[element]
        said = {f.mismatch for f in inner}
        unknown = {f.root for f in inner if not catalogue.declares(f.root)}
        file = catalogue.file(etree.QName(element).namespace or "")
        own = [
            _finding(example, element, file.provider, mismatch, accepted)
            for mismatch in _mismatches(element, catalogue)
            if mismatch not in said and mismatch.element not in unknown
        ]
        found.append(own)
        around = next((above for above in element.iterancestors() if above in inside), None)
        if around is not None:
            inside[around] += [*own, *inner]
        stanza = examples.is_stanza(element)
        kind = Kind.STANZA if stanza else Kind.OWN if file.provider == example.provider else Kind.OTHER
        # A stanza is valid only with all that it holds; a payload answers for itself.
        result = _result([*own, *inner] if stanza else own)
        seen.judged.append(Judged(kind, example.number, str(element.tag), file.provider, result))
    seen.findings.extend(finding for own in reversed(found) for finding in own)


def _judgeable(root: Element, catalogue: Catalogue) -> Iterator[Element]:
    """Stanzas and payloads in a tree, outermost first."""
    for element in root.iter(etree.Element):
        namespace = etree.QName(element).namespace or ""
        if not catalogue.knows(namespace):
            continue
        if examples.is_stanza(element):
            yield element
        elif element is root:
            # A part of a stanza, shown alone, has no namespace of its own: the client's is only our wrapping's.
            if namespace != CLIENT:
                yield element
        elif etree.QName(element.getparent()).namespace != namespace:
            yield element


def _mismatches(element: Element, catalogue: Catalogue) -> tuple[Mismatch, ...]:
    name = str(element.tag)
    if not catalogue.declares(name):
        return (Mismatch(name, f"Element '{name}': its namespace has a schema, but no such element by itself."),)
    return catalogue.mismatches(element)


def _finding(
    example: Example,
    element: Element,
    provider: str,
    mismatch: Mismatch,
    accepted: ByKey,
) -> Finding:
    culprit = next(element.iter(mismatch.element), element) if mismatch.element else element
    listed = accepted.get((example.provider, example.number, mismatch.element))
    return Finding(example, example.line_of(culprit), str(element.tag), provider, mismatch, listed)


def _result(found: list[Finding]) -> Result:
    if not found:
        return Result.VALID
    return Result.LISTED if all(f.listed for f in found) else Result.MISMATCHED


def _stale(reports: Iterable[Report], catalogue: Catalogue, accepted: Exceptions) -> Iterator[str]:
    """Entries that excuse nothing, among those of the specifications that were looked at."""
    reports = list(reports)
    seen = {report.provider for report in reports}
    used = {f.listed for report in reports for f in report.findings if f.listed}
    for entry in accepted.mismatches:
        if entry.provider in seen and entry not in used:
            yield str(entry)
    drifted = {entry for report in reports for entry in report.listed_drifts}
    for accepted_drift in accepted.drifts:
        namespace = accepted_drift.namespace
        if not catalogue.knows(namespace):
            yield f"{accepted_drift}: no schema has that namespace"
        elif catalogue.file(namespace).provider in seen and accepted_drift not in drifted:
            yield str(accepted_drift)


def totals(done: Audit) -> Iterator[Total]:
    """What validates, of how much: of the rows' specifications, where the aims stand, and of all."""
    for title, rows in (("rows' specifications", True), ("all specifications", False)):
        reports = [r for r in done.reports if not rows or r.provider in done.rows]
        shown = [r.valid_examples() for r in reports]
        yield Total(f"{title}, examples", sum(v for v, _ in shown), sum(n for _, n in shown), rows)
        for kind, what in ((Kind.OWN, "own payloads"), (Kind.STANZA, "whole stanzas")):
            counts = [r.results(kind) for r in reports]
            valid, of = sum(c[Result.VALID] for c in counts), sum(c.total() for c in counts)
            yield Total(f"{title}, {what}", valid, of, rows and kind is Kind.OWN)
        used = [j for r in done.reports for j in r.judged if j.kind is Kind.OTHER]
        used = [j for j in used if not rows or j.provider in done.rows]
        valid = sum(j.result is Result.VALID for j in used)
        yield Total(f"{title}, their payloads in others' examples", valid, len(used), rows)
