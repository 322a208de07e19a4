"""The run record: all that a run saw, in one NDJSON file. Written line by line, read by every report.

    {"event": "header", "format": 1, …}      once, first: lab, suite, seed, cell, what was selected
    {"event": "check", "name": …, …}         one a check, when it ends
    {"event": "robustness", …}               one a provider that was fuzzed with (lab.robustness, as the next two)
    {"event": "finding", "name": …, …}       one a distinct fault that fuzzing found
    {"event": "campaign", "seed": …, …}      once, where there was a campaign
    {"event": "log", "at": …, "line": …}     the subject's own output
    {"event": "exit", "at": …, …}            the subject exited (and was restarted, or not)
    {"event": "footer", …}                   once, last: a record without it did not finish

`record.schema.json` beside this file is the format for other programs. Nothing measured is lost: each line
is flushed, and a reader takes what is whole.
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from operator import attrgetter
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from lab.doap import Implemented
from lab.errors import MachineError, UsageError
from lab.robustness import CampaignFacts, Found, Robustness
from lab.verdict import Check, Expectation, Keyword, Outcome, Requirement, Role

FORMAT = 1
SCHEMA = Path(__file__).with_name("record.schema.json")


@dataclass(frozen=True)
class TraceEntry:
    """As `lab.wire.trace.Entry`: epoch seconds, label of the connection, direction, text."""

    at: float
    session: str
    direction: str
    text: str


@dataclass(frozen=True)
class Strictness:
    """Where something that the subject wrote is not what our schemas say: no failure.

    `element` is the name of the element at fault (Clark notation), `seen` the first stanza that shows it, shortened;
    `count` stanzas of the check do.
    """

    element: str
    message: str
    seen: str
    count: int = 1


@dataclass(frozen=True)
class CheckResult:
    """One check's end. `started` is epoch seconds, `duration` seconds.

    For a failure, `expected` and `seen` say what the requirement asks and what came; for `unsupported`,
    `impossible` and `error`, `reason` says why.
    """

    check: Check
    outcome: Outcome
    expectation: Expectation
    started: float
    duration: float
    expected: str = ""
    seen: str = ""
    reason: str = ""
    known_reason: str = ""
    trace: tuple[TraceEntry, ...] = ()
    strictness: tuple[Strictness, ...] = ()
    blamed: str = ""
    """In a pair or a federation: the name of the subject that broke a requirement (with its version, where both have
    that name); empty where all kept to the letter, or nobody can tell who did not."""
    informational: bool = False
    """Whether the suite only mentions the provider, and no row of it asks for it."""

    @property
    def binding(self) -> bool:
        """Whether a bad outcome counts: an informational check's failure is only told. A crash is one anywhere."""
        return not self.informational or self.outcome in {Outcome.CRASH, Outcome.ERROR}

    @property
    def gates(self) -> bool:
        """Whether it turns its run red: bad and on no list, or on a list and passing."""
        return self.binding and self.expectation in {Expectation.UNEXPECTED, Expectation.FIXED}

    def to_event(self) -> dict[str, Any]:
        requirement = self.check.requirement
        return {
            "event": "check",
            "name": self.check.name,
            "role": self.check.role,
            "provider": requirement.provider,
            "version": requirement.version,
            "sections": list(requirement.sections),
            "keyword": requirement.keyword.value,
            "says": requirement.says,
            "outcome": self.outcome.value,
            "expectation": self.expectation.value,
            "started": round(self.started, 6),
            "duration": round(self.duration, 6),
            "expected": self.expected,
            "seen": self.seen,
            "reason": self.reason,
            "known_reason": self.known_reason,
            "trace": [[round(e.at, 6), e.session, e.direction, e.text] for e in self.trace],
            "strictness": [asdict(s) for s in self.strictness],
            "blamed": self.blamed,
            "informational": self.informational,
        }

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Self:
        """Raises KeyError, TypeError, ValueError where the event is not one of ours."""
        requirement = Requirement(
            provider=event["provider"],
            version=event["version"],
            sections=tuple(event["sections"]),
            keyword=Keyword(event["keyword"]),
            says=event["says"],
        )
        role: Role = event["role"]
        return cls(
            check=Check(event["name"], requirement, role),
            outcome=Outcome(event["outcome"]),
            expectation=Expectation(event["expectation"]),
            started=float(event["started"]),
            duration=float(event["duration"]),
            expected=event["expected"],
            seen=event["seen"],
            reason=event["reason"],
            known_reason=event.get("known_reason", ""),
            trace=tuple(TraceEntry(*entry) for entry in event["trace"]),
            strictness=tuple(Strictness(**one) for one in event.get("strictness", ())),
            blamed=event.get("blamed", ""),
            informational=event.get("informational", False),
        )


@dataclass(frozen=True)
class Header:
    """What was run on what. `started` is ISO 8601 in UTC; `known_checks` counts all checks of each provider."""

    lab: str
    suite: str
    role: Role
    started: str
    seed: int
    subject: dict[str, str]
    domain: str
    engine: str
    replay: str
    """The command that runs this again; a check's own is this with `CHECK=name`."""
    selected: tuple[str, ...]
    known_checks: dict[str, int]
    rows: tuple[str, ...] = ()
    """The rows and categories that were asked for by name; empty where it was not by row."""
    provides: dict[str, str] = field(default_factory=dict)
    advertised: dict[str, list[str]] = field(default_factory=dict)
    """Provider -> what claims it; an empty list where it could be claimed and is not; absent where nothing can."""
    round_trip: float = 0.0
    patience: float = 0.0
    doap: dict[str, Implemented] = field(default_factory=dict)
    """Provider -> what the project's DOAP file says of it; empty where none was given."""
    peers: tuple[dict[str, str], ...] = ()
    """Who else is in the cell, each as `subject` and with its `role`: of a client the server, of a pair the second
    client and then the server, of a federation the other server."""


@dataclass(frozen=True)
class Footer:
    """The end of a finished run. `exit` is the exit code that the run came to."""

    finished: str
    duration: float
    counts: dict[str, int]
    exit: int


@dataclass(frozen=True)
class LogLine:
    at: float
    line: str


@dataclass(frozen=True)
class Exit:
    """The subject exited in mid-run."""

    at: float
    why: str
    restarted: bool


@dataclass(frozen=True)
class Record:
    """A record as read. `footer` is None where the run did not finish; `damage` says what could not be read."""

    path: Path
    header: Header
    results: tuple[CheckResult, ...]
    log: tuple[LogLine, ...]
    exits: tuple[Exit, ...]
    footer: Footer | None
    damage: tuple[str, ...] = ()
    robustness: tuple[Robustness, ...] = ()
    findings: tuple[Found, ...] = ()
    campaign: CampaignFacts | None = None

    @property
    def finished(self) -> bool:
        return self.footer is not None

    @property
    def missing(self) -> tuple[str, ...]:
        """Checks that were selected and have no result."""
        ended = {r.check.name for r in self.results}
        return tuple(name for name in self.header.selected if name not in ended)

    def log_of(self, result: CheckResult, *, margin: float = 0.02) -> tuple[LogLine, ...]:
        """What the subject itself said while this check ran (other checks may have run beside it)."""
        log, at = self._log_in_time, attrgetter("at")
        first = bisect_left(log, result.started - margin, key=at)
        return log[first : bisect_right(log, result.started + result.duration + margin, lo=first, key=at)]

    @cached_property
    def _log_in_time(self) -> tuple[LogLine, ...]:
        return tuple(sorted(self.log, key=attrgetter("at")))


class Writer:
    """Writes a record, one flushed line an event. Raises MachineError when the disk is full."""

    def __init__(self, path: Path, header: Header) -> None:
        self.path = path
        try:
            self._file = path.open("wb", buffering=0)  # a line is on its way when it is written
        except OSError as error:
            raise MachineError(f"cannot write the run record {path}", cause=str(error)) from error
        self._write({"event": "header", "format": FORMAT, **asdict(header)})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def check(self, result: CheckResult) -> None:
        self._write(result.to_event())

    def log(self, line: LogLine) -> None:
        self._write({"event": "log", **asdict(line)})

    def exit(self, exit_: Exit) -> None:
        self._write({"event": "exit", **asdict(exit_)})

    def robustness(self, robustness: Robustness) -> None:
        self._write(robustness.to_event())

    def finding(self, found: Found) -> None:
        self._write(found.to_event())

    def campaign(self, facts: CampaignFacts) -> None:
        self._write(facts.to_event())

    def footer(self, footer: Footer) -> None:
        self._write({"event": "footer", **asdict(footer)})

    def _write(self, event: dict[str, Any]) -> None:
        left = memoryview(_line(event))
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            self._file.close()
            raise MachineError(
                f"cannot write to the run record {self.path}",
                cause=str(error),
                hint="make room and run again; what was measured so far is in that file",
            ) from error


def _line(event: dict[str, Any]) -> bytes:
    try:
        return json.dumps(event, ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError:  # a lone surrogate that a subject sent: escaped, so that the file stays UTF-8
        return json.dumps(event).encode() + b"\n"


def read(path: Path, *, lean: bool = False) -> Record:
    """Read a record. Broken lines are set aside and named in `damage`. `lean` leaves out the traces of whatever is
    not bad: half of the time, and most of the memory, of whoever reads hundreds.

    Raises UsageError where the file is none, or has no readable header.
    """
    header: Header | None = None
    footer: Footer | None = None
    results: list[CheckResult] = []
    log: list[LogLine] = []
    exits: list[Exit] = []
    damage: list[str] = []
    robustness: list[Robustness] = []
    findings: list[Found] = []
    campaign: CampaignFacts | None = None
    for number, event in _events(path, damage):
        kind = event.pop("event", None)
        try:
            if kind == "header":
                header = _header(event)
            elif kind == "check":
                results.append(CheckResult.from_event(_lean(event) if lean else event))
            elif kind == "log":
                log.append(LogLine(**event))
            elif kind == "exit":
                exits.append(Exit(**event))
            elif kind == "robustness":
                robustness.append(Robustness.from_event(event))
            elif kind == "finding":
                findings.append(Found.from_event(event))
            elif kind == "campaign":
                campaign = CampaignFacts.from_event(event)
            elif kind == "footer":
                footer = Footer(**event)
            else:
                damage.append(f"line {number}: unknown event {kind!r}")
        except (KeyError, TypeError, ValueError) as error:
            damage.append(f"line {number}: not a {kind} event ({type(error).__name__}: {error})")
    if header is None:
        raise UsageError(
            f"{path} is not a run record", cause="; ".join(damage[:3]) or "it is empty", hint="see docs/record.md"
        )
    return Record(
        path,
        header,
        tuple(results),
        tuple(log),
        tuple(exits),
        footer,
        tuple(damage),
        tuple(robustness),
        tuple(findings),
        campaign,
    )


def _events(path: Path, damage: list[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    event = json.loads(line)
                except ValueError as error:
                    damage.append(f"line {number}: not JSON ({error})")
                    continue
                if isinstance(event, dict):
                    yield number, event
                else:
                    damage.append(f"line {number}: not an object")
    except OSError as error:
        raise UsageError(f"cannot read the run record {path}", cause=str(error)) from error


def _lean(event: dict[str, Any]) -> dict[str, Any]:
    return event if Outcome(event["outcome"]).bad else event | {"trace": ()}


def _header(event: dict[str, Any]) -> Header:
    if event.pop("format", None) != FORMAT:
        raise ValueError(f"this lab reads format {FORMAT}")
    event["selected"] = tuple(event["selected"])
    event["rows"] = tuple(event.get("rows", ()))
    event["peers"] = tuple(event.get("peers", ()))
    event["doap"] = {provider: Implemented(**said) for provider, said in event.get("doap", {}).items()}
    return Header(**event)
