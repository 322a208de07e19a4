"""What `known.toml` in a subject's folder lists: failures of checks, faults that come and go, findings of campaigns.

```toml
[[known]]
check = "xep-0280/sent-message-is-copied"
outcome = "fail"             # or non-strict, crash, unsupported, impossible
reason = "why we believe that it is the subject's fault"
versions = ["0.12"]          # optional: all versions otherwise
link = "https://…"           # optional: the subject's own issue
flaky = true                 # optional: sometimes it passes

[[fault]]                    # what now and then fails any of many checks, and is known by what is seen
checks = "xep-0163/*"        # * is any text, ? any character
seen = "*<text*>Database failure</text>*"
reason = "why we believe that it is the subject's fault"
versions = ["0.12"]          # these two as above
link = "https://…"

[[finding]]
fingerprint = "answers-each-iq by valid * to contact"   # as a report gives it; * and ? as above
reason = "why we believe that it is the subject's fault"
versions = ["0.12"]          # these three as above
link = "https://…"
flaky = true
```

A check that fails as a fault does is `flaky`, where the list does not speak of it by name. A finding that is listed
and does not show is not `fixed`: what a campaign comes upon is chance.

A file of somebody's own (`stanzalab run --known FILE`) is laid over the subject's. There, `outcome = "pass"` says
that a failure which the subject's list has is none here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Protocol, TypedDict, TypeVar

from lab.errors import UsageError
from lab.subjects.subject_file import Table, load_toml
from lab.verdict import Expectation, Outcome, over_tcp

FILE_NAME = "known.toml"
PASS = "pass"  # noqa: S105 - no password
_OUTCOMES = ("fail", "non-strict", "crash", "unsupported", "impossible")


@dataclass(frozen=True)
class Known:
    """A failure that is expected of a subject, and why. No `versions` means all of them."""

    check: str
    outcome: str
    reason: str
    versions: tuple[str, ...] = ()
    link: str = ""
    flaky: bool = False


@dataclass(frozen=True)
class KnownFault:
    """What now and then goes wrong in a subject, in whichever check comes upon it: what that has seen says so."""

    checks: str
    seen: str
    reason: str
    versions: tuple[str, ...] = ()
    link: str = ""

    def fits(self, check: str, outcome: Outcome, seen: str) -> bool:
        """Whether a check failed of it, over whichever transport."""
        if outcome is not Outcome.FAIL or not _like(seen, self.seen):
            return False
        return _like(check, self.checks) or _like(over_tcp(check), self.checks)


@dataclass(frozen=True)
class KnownFinding:
    """Findings that are expected of a subject, and why: those whose fingerprint fits the pattern."""

    fingerprint: str
    reason: str
    versions: tuple[str, ...] = ()
    link: str = ""
    flaky: bool = False

    def fits(self, fingerprint: str) -> bool:
        return _like(fingerprint, self.fingerprint)


_Entry = TypeVar("_Entry", Known, KnownFault, KnownFinding)


class Implementation(Protocol):
    """Whoever has a list: a server or a client, in one version."""

    @property
    def folder(self) -> Path: ...
    @property
    def version(self) -> str: ...
    @property
    def versions(self) -> tuple[str, ...]: ...


@dataclass(frozen=True)
class Listed:
    """What counts for a subject's version: of its own list, and of those that were laid over it."""

    failures: tuple[Known, ...] = ()
    findings: tuple[KnownFinding, ...] = ()
    faults: tuple[KnownFault, ...] = ()


def known(subject: Implementation) -> tuple[Known, ...]:
    """What is known to fail in the subject's version; empty without a `known.toml`.

    Raises UsageError for an entry without a reason, of an unknown version or outcome, or listed twice.
    """
    return _own(subject).failures


def known_findings(subject: Implementation) -> tuple[KnownFinding, ...]:
    """What campaigns are known to find in the subject's version, as `known`. Raises UsageError."""
    return _own(subject).findings


def known_faults(subject: Implementation) -> tuple[KnownFault, ...]:
    """What is known to come and go in the subject's version, as `known`. Raises UsageError."""
    return _own(subject).faults


def listed(subject: Implementation | None, version: str, further: Sequence[Path] = ()) -> Listed:
    """The subject's own list with further files laid over it, the last one on top.

    `subject` is None where nobody knows it but by a cell file: its versions are not checked then. Raises UsageError
    as `known` does, and where there is no such file.
    """
    found = _own(subject) if subject else Listed()
    for file in further:
        over = read(file, version, subject.versions if subject else (), over=True)
        above = {entry.fingerprint for entry in over.findings}
        # The further file's findings come first: the first one that fits gives the reason.
        findings = (*over.findings, *(entry for entry in found.findings if entry.fingerprint not in above))
        found = Listed(_laid_over(found.failures, over.failures), findings, (*over.faults, *found.faults))
    return found


def entry_for(
    check: str, outcome: Outcome, known: Mapping[str, Known], *, seen: str = "", faults: Iterable[KnownFault] = ()
) -> Known | None:
    """What a list (check -> entry) says of a check that came to `outcome`, and that has `seen` this.

    Over another transport it may fail as it is listed for over TCP, and needs no entry of its own. What its name does
    not explain may be one of the faults.
    """
    own = known.get(check)
    if own and (own.flaky or own.outcome == outcome):
        return own
    below = known.get(over_tcp(check)) if own is None and outcome.bad else None
    if below and below.outcome == outcome:
        return below
    fault = next((fault for fault in faults if fault.fits(check, outcome, seen)), None)
    return Known(check, outcome, fault.reason, link=fault.link, flaky=True) if fault else own


def _laid_over(below: Iterable[Known], above: Iterable[Known]) -> tuple[Known, ...]:
    entries = {entry.check: entry for entry in (*below, *above)}
    return tuple(entry for entry in entries.values() if entry.outcome != PASS)


def expectation_of_finding(
    fingerprint: str, listed: Iterable[KnownFinding], *, flaky: bool
) -> tuple[Expectation, str]:
    """What the list makes of a finding, and the reason that it gives; `flaky` says that it did not show each time.

    A flaky finding is never `unexpected`: nobody can be asked to list what comes and goes.
    """
    entry = next((entry for entry in listed if entry.fits(fingerprint)), None)
    reason = entry.reason if entry else ""
    if flaky or (entry and entry.flaky):
        return Expectation.FLAKY, reason
    return (Expectation.KNOWN if entry else Expectation.UNEXPECTED), reason


def not_seen(listed: Iterable[KnownFinding], fingerprints: Sequence[str]) -> tuple[str, ...]:
    """The patterns of the listed findings that none of these is."""
    return tuple(e.fingerprint for e in listed if not any(e.fits(fingerprint) for fingerprint in fingerprints))


def _own(subject: Implementation) -> Listed:
    file = subject.folder / FILE_NAME
    return read(file, subject.version, subject.versions) if file.exists() else Listed()


def read(file: Path, version: str, versions: Collection[str] = (), *, over: bool = False) -> Listed:
    """What a file lists for a version. `versions` are those that its entries may name: any, where there are none.

    `over`: it is laid over another, so it may take entries back. Raises UsageError.
    """
    top = Table(load_toml(file), file)
    outcomes = (*_OUTCOMES, PASS) if over else _OUTCOMES
    failures = [_failure(table, versions, outcomes) for table in _tables(top, "known")]
    findings = [_finding(table, versions) for table in _tables(top, "finding")]
    faults = [_fault(table, versions) for table in _tables(top, "fault")]
    top.done()
    return Listed(
        _of_the_version(failures, [entry.check for entry in failures], version, file),
        _of_the_version(findings, [entry.fingerprint for entry in findings], version, file),
        _of_the_version(faults, [f"{entry.checks} with {entry.seen}" for entry in faults], version, file),
    )


def _tables(top: Table, key: str) -> Iterator[Table]:
    for number, data in enumerate(top.take(key, list, []), 1):
        yield Table(data, top.file, f"{key} {number}")


def _of_the_version(entries: Sequence[_Entry], names: Sequence[str], version: str, file: Path) -> tuple[_Entry, ...]:
    """Those that count for a version, each name once. Raises UsageError."""
    here: dict[str, _Entry] = {}
    for name, entry in zip(names, entries, strict=True):
        if entry.versions and version not in entry.versions:
            continue
        if name in here:
            raise UsageError(f"{file}: {name} is listed twice for version {version}")
        here[name] = entry
    return tuple(here.values())


class _Shared(TypedDict):
    reason: str
    versions: tuple[str, ...]
    link: str


def _shared(table: Table) -> _Shared:
    """What an entry of any kind says."""
    return {
        "reason": table.take("reason", str),
        "versions": table.strings("versions"),
        "link": table.take("link", str, ""),
    }


def _failure(table: Table, versions: Collection[str], outcomes: Sequence[str]) -> Known:
    entry = Known(
        check=table.take("check", str),
        outcome=table.choice("outcome", outcomes),
        flaky=table.take("flaky", bool, False),
        **_shared(table),
    )
    return _checked(entry, table, versions)


def _finding(table: Table, versions: Collection[str]) -> KnownFinding:
    entry = KnownFinding(
        fingerprint=table.take("fingerprint", str), flaky=table.take("flaky", bool, False), **_shared(table)
    )
    _narrow(entry.fingerprint, table, "fingerprint", "findings")
    return _checked(entry, table, versions)


def _fault(table: Table, versions: Collection[str]) -> KnownFault:
    entry = KnownFault(checks=table.take("checks", str), seen=table.take("seen", str), **_shared(table))
    _narrow(entry.seen, table, "seen", "failures")
    return _checked(entry, table, versions)


def _narrow(pattern: str, table: Table, key: str, what: str) -> None:
    if not pattern.strip("*? "):
        raise table.error(f"fits everything: a list that excuses all {what} says nothing", key)


def _like(text: str, pattern: str) -> bool:
    """Whether a text fits. Brackets stand for themselves: logs, which fingerprints quote, are full of them."""
    return fnmatchcase(text, pattern.replace("[", "[[]"))


def _checked(entry: _Entry, table: Table, versions: Collection[str]) -> _Entry:
    table.done()
    if not entry.reason.strip():
        raise table.error("is empty", "reason")
    unknown = set(entry.versions) - set(versions)
    if versions and unknown:
        raise table.error(f"names {', '.join(sorted(unknown))}", "versions", tuple(versions))
    return entry
