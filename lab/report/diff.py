"""Two run records, side by side: what became worse, what better, what is otherwise. Pure: facts in, facts out.

Only what both records tried is compared: a check that one of them did not run became neither worse nor better. What
else differs between the two (the subject's build, the lab, what was selected) is said, so that nobody is misled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from lab.record import CheckResult, Header, Record
from lab.report.judgement import Judgement, judge, titled
from lab.robustness import Found
from lab.rows import RowOutcome
from lab.verdict import Expectation, Outcome
from schemas.suites import Level

_MET = {Outcome.PASS, Outcome.NON_STRICT}


@dataclass(frozen=True)
class Change:
    """One check that came to another outcome."""

    before: CheckResult
    after: CheckResult

    @property
    def name(self) -> str:
        return self.after.check.name


@dataclass(frozen=True)
class RowChange:
    """A row of the suite whose outcome at a level is another. `partial`: one record tried a part of it only."""

    row: str
    feature: str
    level: Level
    before: RowOutcome
    after: RowOutcome
    partial: bool

    @property
    def worse(self) -> bool:
        return self.after.rank > self.before.rank


@dataclass(frozen=True)
class Contrast:
    """Something else that differs between the records: what it is, and what each says."""

    what: str
    before: str
    after: str


@dataclass(frozen=True)
class Difference:
    """What differs between two records. All tuples stand in the order of the newer record, or else the older one's.

    `newly_bad` and `newly_good` are about outcomes alone; a check that the newer list calls flaky is in `flaky`,
    wherever it changed. `lost` were met and are supported no more; `changed` are the other changes. `appeared` were
    tried in the newer record only, `vanished` in the older only, `missing` were selected in the newer and have no
    result. Findings are compared where both records have a campaign; those that a list or chance excuses are told
    apart by their expectation. `troubles` is what else the newer campaign came to.
    """

    before: Record
    after: Record
    newly_bad: tuple[Change, ...]
    lost: tuple[Change, ...]
    newly_good: tuple[Change, ...]
    changed: tuple[Change, ...]
    flaky: tuple[Change, ...]
    appeared: tuple[CheckResult, ...]
    vanished: tuple[CheckResult, ...]
    missing: tuple[str, ...]
    new_findings: tuple[Found, ...]
    gone_findings: tuple[Found, ...]
    troubles: tuple[str, ...]
    rows: tuple[RowChange, ...]
    contrasts: tuple[Contrast, ...]
    same: int
    """How many checks came to the same in both."""

    @property
    def worse(self) -> bool:
        """Whether something is newly bad: a check, a finding on no list, the subject's memory or life; or is lost.

        What is informational is not meant, unless it is a crash.
        """
        unexpected = any(found.expectation is Expectation.UNEXPECTED for found in self.new_findings)
        checks = any(change.after.binding for change in (*self.newly_bad, *self.lost))
        return bool(checks or unexpected or self.troubles)

    @property
    def nothing(self) -> bool:
        """Whether all that both tried came to the same, and both tried the same."""
        return not (
            self.worse
            or self.newly_bad
            or self.lost
            or self.newly_good
            or self.changed
            or self.flaky
            or self.appeared
            or self.vanished
            or self.missing
            or self.new_findings
            or self.gone_findings
            or self.rows
        )

    @property
    def unfinished(self) -> tuple[str, ...]:
        """Which of the records did not finish, and what they lack; each a line."""
        sides = {"before": self.before, "after": self.after}
        return tuple(
            f"{side}: {record.path} did not finish; {len(record.missing)} of {len(record.header.selected)} checks "
            "have no result"
            for side, record in sides.items()
            if not record.finished
        )


def diff(before: Record, after: Record) -> Difference:
    """What differs. Raises UsageError: a record is of a suite that nobody knows."""
    older, newer = _results(before), _results(after)
    both = [Change(older[name], result) for name, result in newer.items() if name in older]
    moved = [change for change in both if change.before.outcome is not change.after.outcome]
    steady = [change for change in moved if change.after.expectation is not Expectation.FLAKY]
    judged = judge(before), judge(after)
    compared = all(judgement.fuzzed for judgement in judged)
    return Difference(
        before=before,
        after=after,
        newly_bad=_those(steady, _broken),
        newly_good=_those(steady, _mended),
        lost=_those(steady, _lost),
        changed=_those(steady, _otherwise),
        flaky=tuple(change for change in moved if change.after.expectation is Expectation.FLAKY),
        appeared=tuple(result for name, result in newer.items() if name not in older),
        vanished=tuple(r for name, r in older.items() if name not in newer and name not in after.missing),
        missing=after.missing,
        new_findings=_findings(after, than=before) if compared else (),
        gone_findings=_findings(before, than=after) if compared else (),
        troubles=tuple(_troubles(before, after)),
        rows=tuple(_rows(*judged)),
        contrasts=tuple(_contrasts(*judged)),
        same=len(both) - len(moved),
    )


def _broken(was: CheckResult, now: CheckResult) -> bool:
    return now.outcome.bad and not was.outcome.bad


def _mended(was: CheckResult, now: CheckResult) -> bool:
    """Whether a requirement is met that was missed; one that does not apply any more is not mended."""
    return was.outcome.bad and now.outcome in _MET


def _lost(was: CheckResult, now: CheckResult) -> bool:
    """Whether a requirement that was met does not even apply any more."""
    return was.outcome in _MET and now.outcome is Outcome.UNSUPPORTED


def _otherwise(was: CheckResult, now: CheckResult) -> bool:
    return not (_broken(was, now) or _mended(was, now) or _lost(was, now))


def _results(record: Record) -> dict[str, CheckResult]:
    return {result.check.name: result for result in record.results}


def _those(changes: list[Change], fits: Callable[[CheckResult, CheckResult], bool]) -> tuple[Change, ...]:
    return tuple(change for change in changes if fits(change.before, change.after))


def _findings(record: Record, *, than: Record) -> tuple[Found, ...]:
    others = {found.fingerprint for found in than.findings}
    return tuple(found for found in record.findings if found.fingerprint not in others)


def _troubles(before: Record, after: Record) -> Iterator[str]:
    """The subject's memory and its life under fuzzing, where the newer campaign says something new."""
    was, now = before.campaign, after.campaign
    if was is None or now is None:
        return
    if now.memory and not was.memory:
        yield f"too much memory: {now.memory}"
    if now.exits and not was.exits:
        yield f"the subject exited while it was fuzzed ({now.exits})"


def _rows(before: Judgement, after: Judgement) -> Iterator[RowChange]:
    older = {row.row.id: row for row in (*before.rows, *before.informational)}
    for row in (*after.rows, *after.informational):
        was = older.get(row.row.id)
        if was is None:
            continue
        for level in Level:
            if was.outcome[level] is not row.outcome[level]:
                partial = was.partial or row.partial
                yield RowChange(row.row.id, row.row.feature, level, was.outcome[level], row.outcome[level], partial)


def _contrasts(before: Judgement, after: Judgement) -> Iterator[Contrast]:
    was, now = before.record.header, after.record.header
    for what, old in _facts(was).items():
        new = _facts(now)[what]
        if old != new:
            yield Contrast(what, old or "none", new or "none")
    yield from _selections(was, now)
    if before.fuzzed is not after.fuzzed:
        said = {True: "fuzzed", False: "not fuzzed"}
        yield Contrast("campaign", said[before.fuzzed], said[after.fuzzed])


def _facts(header: Header) -> Mapping[str, str]:
    """What a reader has to know when it differs, each as it is shown."""
    subject = header.subject
    return {
        "role": header.role,
        "suite": header.suite,
        "subject": titled(subject),
        "package": subject.get("package", ""),
        "image": subject.get("image", ""),
        "digest": subject.get("digest", ""),
        "peers": ", ".join(titled(peer) for peer in header.peers),
        "engine": header.engine,
        "lab": header.lab,
    }


def _selections(was: Header, now: Header) -> Iterator[Contrast]:
    older, newer = set(was.selected), set(now.selected)
    if older != newer:
        both = len(older & newer)
        yield Contrast("selected checks", f"{len(older)}, {both} of them in both", f"{len(newer)}")
    if set(was.rows) != set(now.rows):
        yield Contrast("rows", ", ".join(was.rows) or "all", ", ".join(now.rows) or "all")
