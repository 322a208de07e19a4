"""From run records to a list of known failures: what has to be added, changed, and taken out. Writes nothing itself.

    one record        what fails in it, and on no list, is added; what is listed and no longer fails is taken out
    several           of one subject in one version: what fails in some and not in others is `flaky`
    a listed fault    is what it is in whichever check it shows: none is added for it, and it stays
    a check not run   its entry stays as it is, as does one that this set-up could not try, or that does not apply
    an `error`        is never listed: it is the lab's own fault

An entry that speaks of other versions, too, keeps speaking of them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lab.errors import UsageError
from lab.record import CheckResult, Record
from lab.report.visible import cut, plain
from lab.robustness import Found
from lab.subjects.known import PASS, Known, KnownFault, KnownFinding, Listed
from lab.subjects.known_file import KnownFile
from lab.verdict import Expectation, Outcome, expectation, worst

SEEN = 160  # characters of what was seen, in a reason
NOT_JUDGED = "not judged yet"
_NOT_TRIED = {Outcome.IMPOSSIBLE, Outcome.UNSUPPORTED}
_GOOD = {Expectation.EXPECTED, Expectation.KNOWN, Expectation.FLAKY}


@dataclass(frozen=True)
class Flaky:
    """A check that comes and goes: in how many of the records it passed, and in how many it failed."""

    check: str
    passed: int
    failed: int


@dataclass
class Baseline:
    """What was done to a list: names of checks and fingerprints. `untried` are listed, and were not tried."""

    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    untried: list[str] = field(default_factory=list)
    flaky: list[Flaky] = field(default_factory=list)

    @property
    def nothing(self) -> bool:
        """Whether the list stays as it is."""
        return not (self.added or self.removed or self.changed)


def mend(
    file: KnownFile,
    records: Sequence[Record],
    *,
    versions: Sequence[str] = (),
    below: Listed | None = None,
    findings: bool = False,
) -> Baseline:
    """Make a list fit what the records saw, and say what was done.

    `versions` are all that the subject has: an entry names its own where there are several. `below` is the list that
    this one is laid over, if any. Raises UsageError where the records are of several subjects.
    """
    one = _one_subject(records)
    version = one.header.subject.get("version", "")
    done = Baseline()
    editor = _Editor(file, version, versions, done, _when(one))
    under = below or Listed()
    base = {entry.check: entry for entry in under.failures}
    seen = _seen(records)
    faults = (*_faults(editor), *under.faults)
    for entry in editor.here("known"):
        name = entry["check"]
        results = [r for r in seen.pop(name, []) if r.outcome not in _NOT_TRIED or r.outcome == entry["outcome"]]
        if results:
            _judge_entry(editor, entry, results, base.get(name))
        else:
            done.untried.append(name)
    for name, results in seen.items():
        tried = [r for r in results if r.outcome not in _NOT_TRIED]
        told = [r for r in tried if not any(fault.fits(name, r.outcome, r.seen) for fault in faults)]
        _judge_unlisted(editor, name, told, base.get(name))
    done.flaky += _flaky(records, file)
    if findings:
        _findings(editor, records, under.findings)
    return done


def _faults(editor: _Editor) -> Iterable[KnownFault]:
    return (KnownFault(entry["checks"], entry["seen"], entry["reason"]) for entry in editor.here("fault"))


def _one_subject(records: Sequence[Record]) -> Record:
    if not records:
        raise UsageError("a baseline needs a run record")
    told = {_who(record): record for record in records}
    if len(told) > 1:
        raise UsageError(
            "the records are not of one subject",
            cause="; ".join(told),
            hint="name records of the same subject and version",
        )
    return max(records, key=lambda record: record.header.started)


def _who(record: Record) -> str:
    header = record.header
    named = [f"{s.get('name', '?')} {s.get('version', '')}".strip() for s in (header.subject, *header.peers)]
    return f"{header.role} {' with '.join(named)}"


def _when(record: Record) -> str:
    """`2026-11-24 in prosody 13.0 (13.0.1-1)`: for reasons."""
    header = record.header
    build = header.subject.get("package") or header.subject.get("image") or ""
    who = f"{header.subject.get('name', '?')} {header.subject.get('version', '')}".strip()
    return plain(f"{header.started[:10]} in {who}{f' ({build})' if build else ''}")


def _seen(records: Iterable[Record]) -> dict[str, list[CheckResult]]:
    """Check -> its results in all records, the newest last; not those that are another's fault, or the lab's."""
    found: dict[str, list[CheckResult]] = defaultdict(list)
    for record in sorted(records, key=lambda record: record.header.started):
        subject = record.header.subject
        own = {"", subject.get("name"), f"{subject.get('name')}:{subject.get('version')}"}  # see verdict.told_apart
        for result in record.results:
            if result.outcome is not Outcome.ERROR and result.blamed in own:
                found[result.check.name].append(result)
    return found


def _explains(outcome: str, results: Iterable[CheckResult], *, flaky: bool) -> bool:
    """Whether an entry of that outcome makes a run of each of these results green."""
    listed = None if outcome == PASS else Outcome(outcome)
    return all(expectation(result.outcome, listed, flaky=flaky) in _GOOD for result in results)


def _failing(results: Sequence[CheckResult]) -> tuple[Outcome, bool] | None:
    """As what a check has to be listed, and whether as flaky; None where nothing of it is bad."""
    outcomes = {result.outcome for result in results}
    bad = worst(outcome for outcome in outcomes if outcome.bad)
    return (bad, len(outcomes) > 1) if bad else None


def _covered(base: Known | None, results: Sequence[CheckResult]) -> bool:
    """Whether the list below says all that there is to say."""
    if base is None:
        return _failing(results) is None
    return _explains(base.outcome, results, flaky=base.flaky)


def _judge_entry(editor: _Editor, entry: dict[str, Any], results: Sequence[CheckResult], base: Known | None) -> None:
    outcome, flaky = entry["outcome"], bool(entry.get("flaky"))
    failing = _failing(results)
    as_listed = any(result.outcome == outcome for result in results)
    if _explains(outcome, results, flaky=flaky) and (flaky or as_listed):
        editor.done.kept.append(entry["check"])
    elif failing is not None and not (outcome == PASS and _covered(base, results)):
        worst_outcome, comes_and_goes = failing
        values: dict[str, Any] = {"outcome": worst_outcome.value}
        if comes_and_goes:
            values["flaky"] = True
        if outcome == PASS:
            values["reason"] = _reason(editor, results)
        editor.change(entry, values)
    elif failing is None and base is not None and not _covered(base, results):
        editor.change(entry, {"outcome": PASS, "reason": _reason(editor, results), "flaky": None})
    else:
        editor.remove(entry)


def _judge_unlisted(editor: _Editor, name: str, results: Sequence[CheckResult], base: Known | None) -> None:
    if not results or _covered(base, results):
        return
    outcome, comes_and_goes = _failing(results) or (PASS, False)
    flaky = {"flaky": True} if comes_and_goes else {}
    editor.add(name, {"check": name, "outcome": str(outcome), "reason": _reason(editor, results), **flaky})


def _reason(editor: _Editor, results: Sequence[CheckResult]) -> str:
    """Says what was seen, and that nobody has judged it."""
    bad = [result for result in results if result.outcome.bad]
    if not bad:
        return f"passes, though the list below has it as failing; {NOT_JUDGED}"
    newest = bad[-1]
    seen = newest.seen or newest.reason.rpartition("\n")[2]
    return f"as seen on {editor.when}: {_in_a_line(seen) or newest.outcome}; {NOT_JUDGED}"


def _in_a_line(text: str) -> str:
    return cut(re.sub(r"\s+", " ", plain(text, lines=True)).strip(), SEEN)


def _flaky(records: Sequence[Record], file: KnownFile) -> Iterable[Flaky]:
    """Both directions of what is listed as flaky, or came and went."""
    listed = {entry["check"] for entry in file.entries("known") if entry.get("flaky")}
    for name, results in sorted(_seen(records).items()):
        passed = sum(result.outcome in {Outcome.PASS, Outcome.NON_STRICT} for result in results)
        failed = sum(result.outcome.bad for result in results)
        if name in listed and passed + failed:
            yield Flaky(name, passed, failed)


def _findings(editor: _Editor, records: Sequence[Record], below: Sequence[KnownFinding]) -> None:
    """Add findings that no pattern fits. None is taken out: what a campaign comes upon is chance."""
    here = [_pattern(entry["fingerprint"]) for entry in editor.here("finding")]
    found: dict[str, Found] = {one.fingerprint: one for record in records for one in record.findings}
    for fingerprint, one in found.items():
        if one.flaky or any(entry.fits(fingerprint) for entry in (*here, *below)):
            continue
        reason = f"as seen on {editor.when}: {_in_a_line(one.seen) or one.rule}; {NOT_JUDGED}"
        editor.add(fingerprint, {"fingerprint": _writable(fingerprint), "reason": reason}, kind="finding")
    for pattern in here:
        seen = any(pattern.fits(fingerprint) for fingerprint in found)
        (editor.done.kept if seen else editor.done.untried).append(pattern.fingerprint)


def _pattern(fingerprint: str) -> KnownFinding:
    return KnownFinding(fingerprint, "listed")


def _writable(fingerprint: str) -> str:
    """A lone surrogate cannot stand in a file: any character stands for it."""
    return fingerprint.encode("utf-8", "replace").decode("utf-8")


class _Editor:
    """Edits the entries of one version: those that speak of others, too, go on speaking of them."""

    def __init__(self, file: KnownFile, version: str, versions: Sequence[str], done: Baseline, when: str) -> None:
        self.done = done
        self.when = when
        self._file, self._version, self._versions = file, version, versions

    def here(self, kind: str) -> list[dict[str, Any]]:
        """The entries that count for the version."""
        entries = self._file.entries(kind)
        return [entry for entry in entries if not entry.get("versions") or self._version in entry["versions"]]

    def add(self, name: str, values: dict[str, Any], *, kind: str = "known") -> None:
        self._file.add(kind, {**values, **self._own_version()})
        self.done.added.append(name)

    def change(self, entry: dict[str, Any], values: dict[str, Any]) -> None:
        if self._others(entry):
            self._narrow(entry)
            changed = {k: v for k, v in {**entry, **values, **self._own_version()}.items() if v is not None}
            self._file.add("known", changed)
        else:
            self._file.change("known", entry, values)
        self.done.changed.append(entry["check"])

    def remove(self, entry: dict[str, Any]) -> None:
        if self._others(entry):
            self._narrow(entry)
        else:
            self._file.remove("known", entry)
        self.done.removed.append(entry["check"])

    def _narrow(self, entry: dict[str, Any]) -> None:
        self._file.change("known", entry, {"versions": self._others(entry)})

    def _others(self, entry: Mapping[str, Any]) -> list[str]:
        """The other versions that an entry speaks of."""
        return [version for version in entry.get("versions") or self._versions if version != self._version]

    def _own_version(self) -> dict[str, Any]:
        return {"versions": [self._version]} if len(self._versions) > 1 else {}
