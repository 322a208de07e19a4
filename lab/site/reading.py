"""Run records from files and folders, each kept as small as the site needs it.

Evidence (traces, the subject's log) stays for bad outcomes only: the site shows no other, and two hundred records
must fit into memory. What is no record, or is the same one again, is named and passed over.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from functools import cache
from math import isfinite
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeVar

from lab import record as records
from lab.errors import UsageError
from lab.record import CheckResult, Header, LogLine, Record
from lab.report import judgement
from lab.verdict import ROLES

PATTERN = "*.ndjson"
NO_RECORD = {"exits.ndjson"}  # what else a run leaves in its folder under such a name
MARGIN = 0.02  # seconds before and after a check, as `Record.log_of` takes them
NUMBER = (int, float)
LINES = 400  # of the log, that are kept of one check's time

Fact = TypeVar("Fact")


@dataclass(frozen=True)
class Source:
    """A file, and how the site calls it: as it was named, without the machine's own folders above."""

    path: Path
    label: str


@dataclass(frozen=True)
class Skipped:
    """A file that is not in the site, and why."""

    label: str
    why: str


@dataclass(frozen=True)
class Read:
    """A record as it was read, and how the site calls its file."""

    label: str
    record: Record


def sources(named: Iterable[Path]) -> list[Source]:
    """The files that these names stand for: a folder for every `*.ndjson` in it. A file is taken once.

    Raises UsageError where there is nothing of a name.
    """
    found: dict[Path, Source] = {}
    for name in named:
        if name.is_dir():
            top = name.resolve()
            paths = sorted(path for path in name.rglob(PATTERN) if path.name not in NO_RECORD and path.is_file())
            inside = [(path, f"{top.name}/{path.relative_to(name).as_posix()}") for path in paths]
        elif name.exists():
            inside = [(name, name.name)]
        else:
            raise UsageError(f"there is no {name}", hint="name run records, or folders that hold some")
        for path, label in inside:
            found.setdefault(path.resolve(), Source(path, label))
    return list(found.values())


def read_all(files: Iterable[Source]) -> Iterator[Read | Skipped]:
    """Each file in turn."""
    for file in files:
        try:
            record = records.read(file.path, lean=True)
            _require_sound(record.header)
            judgement.judge(replace(record, results=(), findings=(), robustness=()))  # a suite that the lab knows
        except UsageError as error:
            why = f"{error.message} ({error.cause})" if error.cause else error.message
            yield Skipped(file.label, why.replace(str(file.path), "it"))
        else:
            yield Read(file.label, _small(record))


def without_evidence(record: Record) -> Record:
    """The same, of a record that is not the newest of its cell."""
    return replace(record, results=tuple(replace(r, trace=()) if r.trace else r for r in record.results), log=())


def _require_sound(header: Header) -> None:
    """The record's reader takes a header's fields as they come. Raises UsageError."""
    facts: dict[str, Any] = vars(header)
    texts = [facts[name] for name in ("lab", "suite", "started", "domain", "engine", "replay")]
    subjects = [facts["subject"], *facts["peers"]]
    sound = (
        facts["role"] in ROLES
        and all(isinstance(text, str) for text in (*texts, *facts["selected"], *facts["rows"]))
        and all(isinstance(s, dict) and s.get("name") for s in subjects)
        and all(isinstance(text, str) for s in subjects for text in s.values())
        and all(isinstance(facts[name], dict) for name in ("known_checks", "advertised", "provides"))
        and all(isinstance(n, int) for n in facts["known_checks"].values())
    )
    if not sound:
        raise UsageError("its header is not as docs/record.md has it")


def _small(record: Record) -> Record:
    damage = list(record.damage)
    results = _sound("check", record.results, damage)
    log = sorted((line for line in record.log if _is_number(line.at)), key=attrgetter("at"))
    footer = _sound("footer", (record.footer,) if record.footer else (), damage)
    campaign = _sound("campaign", (record.campaign,) if record.campaign else (), damage)
    times = [line.at for line in log]
    kept: dict[int, LogLine] = {}
    small = []
    for result in results:
        trace = tuple(filter(_is_sound, result.trace))
        if result.outcome.bad:
            first = bisect_left(times, result.started - MARGIN)
            last = bisect_right(times, result.started + result.duration + MARGIN)
            kept |= {place: log[place] for place in range(first, min(last, first + LINES))}
        small.append(replace(result, trace=trace, strictness=()))
    return Record(
        path=record.path,
        header=record.header,
        results=tuple(small),
        log=_sound("log", tuple(kept[place] for place in sorted(kept)), damage),
        exits=_sound("exit", record.exits, damage),
        footer=footer[0] if footer else None,
        robustness=_sound("robustness", record.robustness, damage),
        findings=_sound("finding", record.findings, damage),
        campaign=campaign[0] if campaign else None,
        damage=tuple(damage),
    )


def _sound(kind: str, facts: tuple[Fact, ...], damage: list[str]) -> tuple[Fact, ...]:
    """Those whose fields are what they should be: the record's reader takes them as they come."""
    sound = tuple(fact for fact in facts if _is_sound(fact))
    if len(sound) < len(facts):
        damage.append(f"{len(facts) - len(sound)} {kind} events with fields that are not what they should be")
    return sound


def _is_number(value: object) -> bool:
    return isinstance(value, NUMBER)


def _is_sound(fact: object) -> bool:
    if isinstance(fact, CheckResult):
        requirement = fact.check.requirement
        parts = (fact.check, requirement)
        if not all(map(_is_sound, parts)) or not all(isinstance(s, str) for s in requirement.sections):
            return False
    kind: Any = type(fact)
    values: list[tuple[Any, Any]] = [(getattr(fact, name), kinds) for name, kinds in _plain_fields(kind)]
    return all(isinstance(value, kinds) and (kinds is not NUMBER or isfinite(value)) for value, kinds in values)


@cache
def _plain_fields(kind: Any) -> tuple[tuple[str, tuple[type, ...]], ...]:
    """The fields of a dataclass that are texts and numbers. (Annotations are texts here, in every module.)"""
    known: dict[object, tuple[type, ...]] = {"str": (str,), "float": NUMBER, "int": NUMBER, "bool": (bool,)}
    return tuple((f.name, known[f.type]) for f in fields(kind) if f.type in known)
