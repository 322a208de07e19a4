"""The trace: all that went over the wire in one check, both ways, with times. Evidence, never a verdict."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

Direction = Literal["sent", "received", "note"]

ENTRY_BYTES = 16 * 1024
TRACE_BYTES = 128 * 1024
ENTRIES = 10_000


@dataclass(frozen=True)
class Entry:
    """`at` is epoch seconds; `session` the label of the connection; `text` the bytes, decoded for reading."""

    at: float
    session: str
    direction: Direction
    text: str


@dataclass
class Trace:
    """Collects entries, bounded: what is cut is said in the entry itself."""

    entries: list[Entry] = field(default_factory=list)
    clock: Callable[[], float] = time.time
    _bytes: int = 0
    _labels: dict[str, int] = field(default_factory=dict)

    def label(self, wanted: str) -> str:
        """A label that no other connection of this trace bears: `alice`, `alice-2`, …"""
        count = self._labels[wanted] = self._labels.get(wanted, 0) + 1
        return wanted if count == 1 else f"{wanted}-{count}"

    def sent(self, session: str, data: bytes) -> None:
        self._add(session, "sent", data)

    def received(self, session: str, data: bytes) -> None:
        self._add(session, "received", data)

    def note(self, session: str, text: str) -> None:
        self._append(Entry(self.clock(), session, "note", text[:ENTRY_BYTES]))

    def _add(self, session: str, direction: Direction, data: bytes) -> None:
        room = max(min(ENTRY_BYTES, TRACE_BYTES - self._bytes), 0)
        text = data[:room].decode("utf-8", "backslashreplace")
        if len(data) > room:
            text += f" … ({len(data) - room} more bytes were not kept)"
        self._bytes += min(len(data), room)
        self._append(Entry(self.clock(), session, direction, text))

    def _append(self, entry: Entry) -> None:
        if len(self.entries) < ENTRIES:
            self.entries.append(entry)
        elif len(self.entries) == ENTRIES:
            self.entries.append(Entry(entry.at, entry.session, "note", "the trace is full: no more was kept"))
