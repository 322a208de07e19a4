"""What a run record comes to: its rows judged, its checks in the groups that every report shows.

Facts in, facts out. What a report looks like is not known here, nor how a check came to its outcome.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from lab.errors import UsageError
from lab.record import CheckResult, Record
from lab.report import robustness, strictness, transports
from lab.report.robustness import RowRobustness
from lab.robustness import Found
from lab.rows import RowOutcome, RowResult, judge_row
from lab.verdict import JOINT, Check, Expectation, Outcome, slug, unexplained
from schemas import suites
from schemas.suites import Category, Combine, Level, Mark, Role, Row, Suite

MET = {RowOutcome.PASS, RowOutcome.NON_STRICT}
MENTIONED = Category(suites.INFORMATIONAL, "Informational: what the suite only mentions", (), ())
FINDING = "robustness/"
"""Stands before a finding's name where checks have names too."""


class Claim(StrEnum):
    """What a server advertises of a row."""

    YES = "yes"
    PARTLY = "partly"
    NO = "no"
    UNKNOWN = "-"  # there is no way to advertise it, or nobody looked


@dataclass(frozen=True)
class Tally:
    """How many of the rows that a level requires are met. Rows that were tried in part only are not."""

    met: int
    required: int


@dataclass(frozen=True)
class Judgement:
    """A record, judged. `rows` are those that the run was about; `untried` counts the role's other ones.

    `informational` are those of what the suite only mentions: told beside the rows, and part of no tally.
    """

    record: Record
    suite: Suite
    role: Role
    rows: tuple[RowResult, ...]
    untried: int
    informational: tuple[RowResult, ...] = ()

    @property
    def subject(self) -> str:
        """Who was tried, as a reader knows it: `Prosody 13.0`, `slixmpp 1.17 on Prosody 13.0`, `A 1 with B 2`."""
        header = self.record.header
        named = [titled(header.subject), *map(titled, header.peers)]
        if len(named) == 1 or header.role == "federation":
            return " with ".join(named)
        return f"{' with '.join(named[:-1])} on {named[-1]}"

    @cached_property
    def results(self) -> tuple[CheckResult, ...]:
        """Every result, in the order of the specifications: by provider as the rows have them, then by section."""
        rows = (*self.rows, *self.informational)
        providers = list(dict.fromkeys(p.provider for row in rows for p in row.providers))
        return tuple(sorted(self.record.results, key=lambda r: _reading_order(r.check, providers)))

    @cached_property
    def providers(self) -> dict[str, tuple[CheckResult, ...]]:
        """Provider -> its results."""
        found: dict[str, list[CheckResult]] = defaultdict(list)
        for result in self.results:
            found[result.check.requirement.provider].append(result)
        return {provider: tuple(results) for provider, results in found.items()}

    @cached_property
    def failures(self) -> tuple[CheckResult, ...]:
        """Bad outcomes; those that turn the run red first, then those on no list."""
        bad = [r for r in self.results if r.outcome.bad]
        return tuple(sorted(bad, key=lambda r: (not r.gates, r.expectation is not Expectation.UNEXPECTED)))

    @cached_property
    def unexpected(self) -> tuple[CheckResult, ...]:
        """The checks that turn the run red: bad and on no list, or on a list and passing."""
        return tuple(r for r in self.results if r.gates)

    @cached_property
    def told(self) -> tuple[CheckResult, ...]:
        """The informational failures that are on no list: they turn nothing red."""
        return tuple(r for r in self.results if r.expectation is Expectation.UNEXPECTED and not r.gates)

    @cached_property
    def findings(self) -> tuple[Found, ...]:
        """What fuzzing found; what is on no list first."""
        return robustness.ordered(self.record.findings)

    @cached_property
    def unexpected_findings(self) -> tuple[Found, ...]:
        """The findings that turn the run red."""
        return tuple(found for found in self.findings if found.expectation is Expectation.UNEXPECTED)

    @property
    def red(self) -> bool:
        """Whether something is not as expected: too much memory in a campaign, or an exit of the subject, too."""
        campaign = self.record.campaign
        fat = campaign is not None and bool(campaign.memory)
        return fat or self.exited or bool(self.unexpected or self.unexpected_findings)

    @property
    def exited(self) -> bool:
        """Whether the subject exited in a campaign, or between checks: where one of them says so, that is judged."""
        if self.record.campaign is not None and self.record.campaign.exits:
            return True
        return unexplained((r.outcome for r in self.results), exited=bool(self.record.exits))

    @property
    def whole(self) -> bool:
        """Whether all was done that was to be done, and that was something."""
        campaign = self.record.campaign
        sent = campaign is not None and campaign.sent > 0
        return self.record.finished and not (campaign and campaign.stopped) and bool(self.results or sent)

    @property
    def fuzzed(self) -> bool:
        """Whether there was a campaign, as far as it came."""
        return bool(self.record.campaign or self.record.robustness or self.record.findings)

    @property
    def only_fuzzed(self) -> bool:
        """Whether there was a campaign and nothing else: no check was asked for."""
        return self.fuzzed and not self.results and not self.record.header.selected

    @property
    def unfinished(self) -> str:
        """What is to be said of a run that did not finish; empty where it did."""
        if self.record.finished:
            return ""
        if self.only_fuzzed:
            return "the campaign was interrupted; what was found by then is here"
        return f"{len(self.record.missing)} of {len(self.record.header.selected)} checks have no result"

    @property
    def unconfirmed(self) -> int:
        """Symptoms that did not show again, or that there was no time to look into."""
        return sum(one.unconfirmed for one in self.record.robustness)

    @property
    def avoided(self) -> int:
        """Stanzas of the campaign that were not sent, as they are like one that is known to break the subject."""
        return sum(one.avoided for one in self.record.robustness)

    def robust(self, row: RowResult) -> RowRobustness:
        """What the campaign says of a row; it has no part in the row's outcome."""
        return robustness.of_providers((p.provider for p in row.providers), self.record)

    @cached_property
    def not_fuzzed(self) -> dict[str, tuple[str, ...]]:
        """Reason -> the providers that the campaign, for that reason, sent nothing for."""
        return robustness.untried(self.record)

    def of(self, kind: Outcome | Expectation) -> tuple[CheckResult, ...]:
        """The results of one outcome or one expectation."""
        return tuple(r for r in self.results if kind in (r.outcome, r.expectation))

    @property
    def flaky(self) -> tuple[int, int]:
        """Of the checks that are listed as coming and going: how many passed this time, and how many failed."""
        outcomes = [result.outcome for result in self.of(Expectation.FLAKY)]
        return sum(o in {Outcome.PASS, Outcome.NON_STRICT} for o in outcomes), sum(o.bad for o in outcomes)

    @cached_property
    def counts(self) -> dict[Outcome, int]:
        """Outcomes that occurred, in the order of `Outcome`."""
        seen = Counter(r.outcome for r in self.results)
        return {outcome: seen[outcome] for outcome in Outcome if seen[outcome]}

    @cached_property
    def impossible(self) -> dict[str, tuple[CheckResult, ...]]:
        """Reason -> the checks that it made impossible; the commonest first."""
        found: dict[str, list[CheckResult]] = defaultdict(list)
        for result in self.of(Outcome.IMPOSSIBLE):
            found[result.reason].append(result)
        return {reason: tuple(rs) for reason, rs in sorted(found.items(), key=lambda f: -len(f[1]))}

    @cached_property
    def by_transport(self) -> tuple[transports.Difference, ...]:
        """Where the outcome of a check depends on the transport that it was run over."""
        return transports.differences(self.results)

    @cached_property
    def strictness(self) -> tuple[strictness.Kind, ...]:
        """Where what the subject wrote is not what our schemas say: no failures."""
        return strictness.kinds(self.results)

    @property
    def categories(self) -> tuple[tuple[Category, tuple[RowResult, ...]], ...]:
        """The rows by category, those that hold any."""
        found = ((c, tuple(r for r in self.rows if r.row.category == c.id)) for c in self.suite.categories)
        return tuple((category, rows) for category, rows in found if rows)

    @property
    def parts(self) -> tuple[tuple[Category, tuple[RowResult, ...]], ...]:
        """As `categories`, and behind them what is informational."""
        return (*self.categories, (MENTIONED, self.informational)) if self.informational else self.categories

    @property
    def duration(self) -> float:
        """How long the run took, in seconds; of a run that did not finish, as far as is known."""
        if self.record.footer:
            return self.record.footer.duration
        ends = [r.started + r.duration for r in self.results]
        checking = max(ends) - min(r.started for r in self.results) if ends else 0.0
        return checking + (self.record.campaign.seconds if self.record.campaign else 0.0)

    def tally(self, level: Level) -> Tally:
        """How the required rows of a level stand."""
        required = [r for r in self.rows if r.marks[level] is Mark.REQUIRED]
        return Tally(sum(r.outcome[level] in MET and not r.partial for r in required), len(required))

    def claim(self, row: RowResult) -> Claim:
        """What is advertised of a row, by the row's own way of combining its providers."""
        advertised = self.record.header.advertised
        claims = [bool(advertised[p.provider]) for p in row.providers if p.provider in advertised]
        enough = any if row.row.combine_for(self.role, Level.CORE) is Combine.ONE_OF else all
        if not claims:
            return Claim.UNKNOWN
        if enough(claims):
            return Claim.YES
        return Claim.PARTLY if any(claims) else Claim.NO

    def replay(self, check: str) -> str:
        """The command that runs one check alone again."""
        return f"{self.record.header.replay} CHECK={check}"

    def find(self, name: str) -> CheckResult | Found:
        """The result of a check; or a finding, by its name, the beginning of it, or its fingerprint.

        Raises UsageError with the nearest names.
        """
        for result in self.results:
            if result.check.name == name:
                return result
        if name in self.record.missing:
            raise UsageError(f"{name} was selected, but the run ended before it did")
        finding = name.removeprefix(FINDING)
        exact = [found for found in self.findings if finding in (found.name, found.fingerprint)]
        begun = exact or [found for found in self.findings if finding and found.name.startswith(finding)]
        if len(begun) == 1:
            return begun[0]
        names = [r.check.name for r in self.results] + [found.name for found in self.findings]
        close = [found.name for found in begun[:4]] or difflib.get_close_matches(name, names, n=4, cutoff=0.4)
        hint = f"did you mean {', '.join(close)}?" if close else "the report lists the checks of the run"
        what = "more than one finding that begins with" if begun else "no check and no finding"
        raise UsageError(f"{self.record.path} has {what} {name!r}", hint=hint)


def titled(subject: Mapping[str, str]) -> str:
    """A subject of a record's header, as a reader knows it."""
    return f"{subject.get('title') or subject.get('name', '?')} {subject.get('version', '')}".strip()


def judge(record: Record) -> Judgement:
    """The rows of a record's suite that its run was about, judged. Raises UsageError: a suite nobody knows."""
    suite = _suite(record.header.suite)
    if record.header.role in JOINT:  # the suites' rows are of one side
        side = Role.CLIENT if record.header.role == "pair" else Role.SERVER
        return Judgement(record, suite, side, (), untried=0)
    known = record.header.known_checks
    role = Role(record.header.role)
    outcomes: dict[str, list[Outcome]] = defaultdict(list)
    for result in record.results:
        if result.check.role == record.header.role:
            outcomes[result.check.requirement.provider].append(result.outcome)
    rows = [row for row in suite.select(role) if _meant(row, record)]
    judged = tuple(judge_row(row, role, outcomes, known) for row in rows)
    mentioned = [row for row in suite.informational if row.measuring & set(known) and _meant(row, record)]
    told = tuple(judge_row(row, role, outcomes, known) for row in mentioned)
    return Judgement(record, suite, role, judged, len(suite.select(role)) - len(rows), told)


def _meant(row: Row, record: Record) -> bool:
    """Whether the run was about this row: asked for by name, or (nothing being asked for) one of its checks was,
    or it was fuzzed with one of its providers."""
    if record.header.rows:
        return bool({row.id, row.category} & set(record.header.rows))
    names = {*record.header.selected, *(r.check.name for r in record.results)}
    selected = {name.partition("/")[0] for name in names}
    selected |= {slug(one.provider) for one in record.robustness} | {
        slug(found.provider) for found in record.findings
    }
    return any(slug(provider) in selected for provider in row.measuring)


def _suite(name: str) -> Suite:
    known = {suites.load(year).name: year for year in suites.years()}
    if name not in known:
        raise UsageError(f"the run record is of a suite {name!r}", hint=f"known suites: {', '.join(known)}")
    return suites.load(known[name])


def _reading_order(check: Check, providers: list[str]) -> tuple[int, str, list[int], str]:
    requirement = check.requirement
    known = requirement.provider in providers
    place = providers.index(requirement.provider) if known else len(providers)
    section = [int(n) for n in re.findall(r"\d+", requirement.sections[0] if requirement.sections else "")]
    return place, requirement.provider, section, check.name


def counts_of(row: RowResult) -> Counter[Outcome]:
    """The outcomes of all checks of a row."""
    return sum((Counter(p.counts) for p in row.providers), Counter())
