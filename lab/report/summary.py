"""A run in one JSON document: rows, counts, and all but the trace of every finding and every check that is not green.

`summary.schema.json` beside this file is its format.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lab.record import CheckResult
from lab.report import words
from lab.report.claims import Claimed, claims
from lab.report.judgement import Claim, Judgement, counts_of
from lab.report.visible import cut
from lab.robustness import Found
from lab.rows import RowResult
from lab.verdict import Expectation, Outcome
from schemas.suites import Level

FORMAT = 1
SCHEMA = Path(__file__).with_name("summary.schema.json")
ANSWER = 16_000  # characters of expected and seen
CLAIMED = {Claim.YES: True, Claim.NO: False}


def rendered(judgement: Judgement) -> bytes:
    """The document, in UTF-8; a lone surrogate that a subject sent becomes `?`."""
    return f"{json.dumps(as_json(judgement), indent=2, ensure_ascii=False)}\n".encode("utf-8", "replace")


def as_json(judgement: Judgement) -> dict[str, Any]:
    """The document as data."""
    record = judgement.record
    header, footer = record.header, record.footer
    tallies = {level.value: judgement.tally(level) for level in Level}
    return {
        "format": FORMAT,
        "lab": header.lab,
        "suite": header.suite,
        "role": header.role,
        "subject": header.subject,
        "engine": header.engine,
        "seed": header.seed,
        "started": header.started,
        "finished": footer.finished if footer else None,
        "exit": footer.exit if footer else None,
        "duration": round(judgement.duration, 3),
        "replay": header.replay,
        "levels": {level: {"met": tally.met, "required": tally.required} for level, tally in tallies.items()},
        "counts": {outcome.value: judgement.counts.get(outcome, 0) for outcome in Outcome},
        "expectations": {expectation.value: len(judgement.of(expectation)) for expectation in Expectation},
        "rows": [_row(judgement, row) for row in judgement.rows],
        "informational": [_row(judgement, row) for row in judgement.informational],
        "claims": [_claim(one) for one in claims(judgement)],
        "failures": [_check(judgement, r) for r in judgement.failures],
        "non_strict": [_check(judgement, r) for r in judgement.of(Outcome.NON_STRICT)],
        "fixed": [_check(judgement, r) for r in judgement.of(Expectation.FIXED)],
        "flaky": _flaky(judgement),
        "unsupported": [_check(judgement, r) for r in judgement.of(Outcome.UNSUPPORTED)],
        "impossible": [
            {"reason": reason, "checks": [r.check.name for r in results]}
            for reason, results in judgement.impossible.items()
        ],
        "by_transport": [
            {"check": one.check, "outcomes": {over: outcome.value for over, outcome in one.outcomes.items()}}
            for one in judgement.by_transport
        ],
        "strictness": [
            {
                "element": kind.element,
                "message": kind.message,
                "stanzas": kind.stanzas,
                "checks": list(kind.checks),
                "seen": cut(kind.seen, ANSWER),
            }
            for kind in judgement.strictness
        ],
        "robustness": _robustness(judgement),
        "findings": [_finding(found) for found in judgement.findings],
        "missing": list(record.missing),
        "exits": [{"at": e.at, "why": e.why, "restarted": e.restarted} for e in record.exits],
        "damage": list(record.damage),
    }


def _flaky(judgement: Judgement) -> dict[str, Any]:
    """What is listed as coming and going, both directions counted."""
    passed, failed = judgement.flaky
    return {
        "passed": passed,
        "failed": failed,
        "checks": [_check(judgement, r) for r in judgement.of(Expectation.FLAKY)],
    }


def _row(judgement: Judgement, row: RowResult) -> dict[str, Any]:
    header, counts = judgement.record.header, counts_of(row)
    claim = judgement.claim(row)
    return {
        "id": row.row.id,
        "category": row.row.category,
        "feature": row.row.feature,
        "marks": {level.value: row.marks[level].value for level in Level},
        "outcome": {level.value: row.outcome[level].value for level in Level},
        "advertised": None if claim is Claim.UNKNOWN else CLAIMED.get(claim, "partly"),
        "partial": row.partial,
        "counts": {outcome.value: n for outcome, n in counts.items()},
        "robustness": _row_robustness(judgement, row),
        "providers": [
            {
                "id": p.provider,
                "outcome": p.outcome.value,
                "counts": {outcome.value: n for outcome, n in p.counts.items()},
                "known": p.known,
                "by": header.provides.get(p.provider, ""),
                "advertised": header.advertised.get(p.provider),
            }
            for p in row.providers
        ],
    }


def _claim(one: Claimed) -> dict[str, Any]:
    return {
        "provider": one.provider,
        "version": one.version,
        "wire": None if one.wire is None else list(one.wire),
        "doap": asdict(one.file) if one.file else None,
        "measured": one.measured.value,
        "held": one.held,
        "tried": one.tried,
        "known": one.known,
        "remarks": list(one.remarks),
    }


def _check(judgement: Judgement, result: CheckResult) -> dict[str, Any]:
    requirement = result.check.requirement
    return {
        "name": result.check.name,
        "provider": requirement.provider,
        "version": requirement.version,
        "sections": list(requirement.sections),
        "link": words.link(requirement.provider, requirement.sections[0] if requirement.sections else ""),
        "keyword": requirement.keyword.value,
        "says": requirement.says,
        "outcome": result.outcome.value,
        "expectation": result.expectation.value,
        "informational": result.informational,
        "expected": cut(result.expected, ANSWER),
        "seen": cut(result.seen, ANSWER),
        "blamed": result.blamed,
        "reason": cut(result.reason, ANSWER),
        "known_reason": result.known_reason,
        "duration": round(result.duration, 6),
        "replay": judgement.replay(result.check.name),
    }


def _row_robustness(judgement: Judgement, row: RowResult) -> dict[str, Any] | None:
    if not judgement.fuzzed:
        return None
    robust = judgement.robust(row)
    return {
        "outcome": robust.outcome.value,
        "valid": robust.valid,
        "malformed": robust.malformed,
        "findings": [found.name for found in robust.findings],
        "reasons": [{"provider": provider, "reason": reason} for provider, reason in robust.reasons],
    }


def _robustness(judgement: Judgement) -> dict[str, Any] | None:
    """The campaign as a whole, and what it says of each provider; null where there was none."""
    if not judgement.fuzzed:
        return None
    providers = [one.to_event() for one in judgement.record.robustness]
    campaign = judgement.record.campaign.to_event() if judgement.record.campaign else None
    for event in (*providers, campaign or {}):
        event.pop("event", None)
    return {"campaign": campaign, "providers": providers, "unexpected": len(judgement.unexpected_findings)}


def _finding(found: Found) -> dict[str, Any]:
    event = found.to_event()
    for key in ("event", "trace"):
        del event[key]
    return event | {key: cut(event[key], ANSWER) for key in ("expected", "seen", "sent", "was", "became")}
