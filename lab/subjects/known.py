"""What `known.toml` in a subject's folder lists: failures of checks, and findings of campaigns.

```toml
[[known]]
check = "xep-0280/sent-message-is-copied"
outcome = "fail"             # or non-strict, crash, unsupported, impossible
reason = "why we believe that it is the subject's fault"
versions = ["0.12"]          # optional: all versions otherwise
link = "https://…"           # optional: the subject's own issue
flaky = true                 # optional: sometimes it passes

[[finding]]
fingerprint = "answers-each-iq by valid * to contact"   # as a report gives it; * is any text, ? any character
reason = "why we believe that it is the subject's fault"
versions = ["0.12"]          # these three as above
link = "https://…"
flaky = true
```

A finding that is listed and does not show is not `fixed`: what a campaign comes upon is chance.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TypeVar

from lab.errors import UsageError
from lab.subjects.model import Subject
from lab.subjects.subject_file import Table, load_toml
from lab.verdict import Expectation

FILE_NAME = "known.toml"
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
class KnownFinding:
    """Findings that are expected of a subject, and why: those whose fingerprint fits the pattern."""

    fingerprint: str
    reason: str
    versions: tuple[str, ...] = ()
    link: str = ""
    flaky: bool = False

    def fits(self, fingerprint: str) -> bool:
        # Brackets stand for themselves: lines of logs, which fingerprints hold, are full of them.
        return fnmatchcase(fingerprint, self.fingerprint.replace("[", "[[]"))


_Entry = TypeVar("_Entry", Known, KnownFinding)


def known(subject: Subject) -> tuple[Known, ...]:
    """What is known to fail in the subject's version; empty without a `known.toml`.

    Raises UsageError for an entry without a reason, of an unknown version or outcome, or listed twice.
    """
    return _listed(subject)[0]


def known_findings(subject: Subject) -> tuple[KnownFinding, ...]:
    """What campaigns are known to find in the subject's version, as `known`. Raises UsageError."""
    return _listed(subject)[1]


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


def _listed(subject: Subject) -> tuple[tuple[Known, ...], tuple[KnownFinding, ...]]:
    file = subject.folder / FILE_NAME
    if not file.exists():
        return (), ()
    top = Table(load_toml(file), file)
    failures = [_failure(table, subject) for table in _tables(top, "known")]
    findings = [_finding(table, subject) for table in _tables(top, "finding")]
    top.done()
    return (
        _of_the_version(failures, [entry.check for entry in failures], subject),
        _of_the_version(findings, [entry.fingerprint for entry in findings], subject),
    )


def _tables(top: Table, key: str) -> Iterator[Table]:
    for number, data in enumerate(top.take(key, list, []), 1):
        yield Table(data, top.file, f"{key} {number}")


def _of_the_version(listed: Sequence[_Entry], names: Sequence[str], subject: Subject) -> tuple[_Entry, ...]:
    """Those that count for the subject's version, each name once. Raises UsageError."""
    here: dict[str, _Entry] = {}
    for name, entry in zip(names, listed, strict=True):
        if entry.versions and subject.version not in entry.versions:
            continue
        if name in here:
            file = subject.folder / FILE_NAME
            raise UsageError(f"{file}: {name} is listed twice for {subject.name}:{subject.version}")
        here[name] = entry
    return tuple(here.values())


def _failure(table: Table, subject: Subject) -> Known:
    entry = Known(
        check=table.take("check", str),
        outcome=table.choice("outcome", _OUTCOMES),
        reason=table.take("reason", str),
        versions=table.strings("versions"),
        link=table.take("link", str, ""),
        flaky=table.take("flaky", bool, False),
    )
    return _checked(entry, table, subject)


def _finding(table: Table, subject: Subject) -> KnownFinding:
    entry = KnownFinding(
        fingerprint=table.take("fingerprint", str),
        reason=table.take("reason", str),
        versions=table.strings("versions"),
        link=table.take("link", str, ""),
        flaky=table.take("flaky", bool, False),
    )
    if not entry.fingerprint.strip("*? "):
        raise table.error("fits everything: a list that excuses all findings says nothing", "fingerprint")
    return _checked(entry, table, subject)


def _checked(entry: _Entry, table: Table, subject: Subject) -> _Entry:
    table.done()
    if not entry.reason.strip():
        raise table.error("is empty", "reason")
    unknown = set(entry.versions) - set(subject.versions)
    if unknown:
        raise table.error(f"names {', '.join(sorted(unknown))}", "versions", subject.versions)
    return entry
