"""The last good run: which of the records that are kept a new one is to be compared with.

A record is good when its run finished and all was as expected. Only its first and its last line are looked at until
one is chosen, for a runs folder may hold hundreds.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import record as records
from lab.errors import Exit, UsageError
from lab.record import Record
from lab.verdict import Role

TAIL = 65_536  # bytes at a record's end that hold its footer: counts and a few facts


@dataclass(frozen=True)
class _Kept:
    """What is asked of a record before it is read: where it lies, who was tried, when, and with which checks."""

    path: Path
    who: tuple[str, ...]
    started: str
    selected: frozenset[str]


def last_good(record: Record, runs: Path) -> Record | None:
    """The good record in a runs folder that `record` is best compared with; None where there is none.

    It is of the same subject (name and role, among the same peers) and older. Of those, the one that tried most of
    the checks that `record` tried, so that a good run of a single check hides no good run of all; then the newest.
    """
    mine = frozenset(result.check.name for result in record.results)
    facts = {"role": record.header.role, "subject": record.header.subject, "peers": record.header.peers}
    own = record.path.resolve()
    candidates = [
        (len(kept.selected & mine), kept.started, str(kept.path))
        for kept in _good(runs)
        if kept.who == _who(facts) and kept.started <= record.header.started and kept.path.resolve() != own
    ]
    comparable = [candidate for candidate in candidates if candidate[0]]
    for _, _, path in sorted(comparable, reverse=True):
        try:
            return records.read(Path(path))
        except UsageError:  # it went, or was damaged, in between: the next best serves
            continue
    return None


def newest(runs: Path, role: Role, name: str) -> Path:
    """The newest record of checks of a subject (`prosody`, `prosody:0.12`), among whomever. Raises UsageError."""
    wanted, _, version = name.partition(":")
    found = [
        (str(header["started"]), path)
        for path, header, _ in _kept(runs)
        if (header["role"], header["subject"]["name"]) == (role, wanted)
        and version in {"", header["subject"].get("version")}
        and header["selected"]
    ]
    if not found:
        hint = f"`stanzalab run --{role} {name}` makes one, or name a record"
        raise UsageError(f"there is no run of the {role} {name} in {runs}", hint=hint)
    return max(found)[1]


def _kept(runs: Path) -> Iterator[tuple[Path, dict[str, Any], dict[str, Any]]]:
    """The records in the folders of a runs folder with first and last line; `latest` is one under another name."""
    for path in runs.glob("*/run.ndjson"):
        ends = None if path.parent.is_symlink() else _ends(path)
        if ends is not None and _is_header(ends[0]):
            yield path, *ends


def _is_header(event: Mapping[str, Any]) -> bool:
    """Whether it has what is asked of a header here; `stanzalab report` says what is wrong with others."""
    subject, selected = event.get("subject"), event.get("selected")
    named = isinstance(subject, dict) and "name" in subject and isinstance(selected, list)
    return named and event.get("event") == "header" and "role" in event and "started" in event


def _good(runs: Path) -> Iterator[_Kept]:
    """Those that finished, and had all as expected."""
    for path, header, footer in _kept(runs):
        if footer.get("event") != "footer" or footer.get("exit") != Exit.OK:
            continue
        try:
            yield _Kept(path, _who(header), str(header["started"]), frozenset(header["selected"]))
        except (KeyError, TypeError, AttributeError):
            continue


def _who(header: Mapping[str, Any]) -> tuple[str, ...]:
    """Who is judged, in what role, among whom."""
    peers = header.get("peers") or ()
    return (str(header["role"]), str(header["subject"]["name"]), *(str(peer["name"]) for peer in peers))


def _ends(path: Path) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """A file's first and last line, as JSON objects; None where they are none."""
    try:
        with path.open("rb") as file:
            first = file.readline()
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
            last = file.read().rstrip(b"\n").rpartition(b"\n")[2]
        header, footer = json.loads(first), json.loads(last)
    except (OSError, ValueError):
        return None
    return (header, footer) if isinstance(header, dict) and isinstance(footer, dict) else None
