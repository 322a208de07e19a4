"""What the wire does not show of a server: its exits, crashes in its log, its memory."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from lab import engines
from lab.campaign.judge import Symptom
from lab.cell import Process

MEMORY_EVERY = 1.0  # seconds between two looks
MEMORY_FACTOR = 6  # times what the server used at the beginning
MEMORY_LEAST = 256 * 2**20  # bytes that it may always use
SHOWN = 800  # characters of a crash that are shown
BEHIND = 40  # lines of the log that belong to a crash, its own among them
MORE = 0.03  # seconds in which the rest of them is written
MARGIN = 0.05  # seconds by which a log line may be stamped too early


_FRAME = re.compile(
    r"(?P<file>[\w./-]+\.(?:c|erl|ex|go|java|js|lua|mjs|py|rs))\b[^\w\n]{0,4}(?:line)?\W{0,2}(?P<line>\d+)"
)
"""A place in a source file, as languages print it: `util/stanza.lua:521`, `(mod_vcard.erl, line 432)`."""


class Outside:
    """Watches a subject while stanzas are sent to it. `run_dir` is where its engine notes exits, if it does."""

    def __init__(self, process: Process, run_dir: Path | None, log_file: Path | None, crashes: Iterable[str]) -> None:
        self._process, self._run_dir, self._log_file = process, run_dir, log_file
        self._crashes = [re.compile(pattern) for pattern in crashes]
        self._offset = log_file.stat().st_size if log_file and log_file.exists() else 0
        self._lines: list[tuple[float, str, str]] = []  # when, what it is known by, what it says
        self._told = 0.0
        self._before = len(self._exits())
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._weigh, name="memory", daemon=True)
        self.memory_start = 0
        self.memory_peak = 0

    def __enter__(self) -> Self:
        self.memory_start = self.memory_peak = engines.memory(self._process) or 0
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(timeout=5.0)

    def _weigh(self) -> None:
        while not self._over.wait(MEMORY_EVERY):
            self.memory_peak = max(self.memory_peak, engines.memory(self._process) or 0)

    @property
    def memory_bound(self) -> int:
        """What the server may use, in bytes."""
        return max(MEMORY_LEAST, MEMORY_FACTOR * self.memory_start)

    def since(self, moment: float, *, wait: float = 0.0) -> Symptom | None:
        """An exit, or a crash in the log, since `moment` (epoch seconds); each is told once.

        `wait` is how many seconds it may take until the log has what happened by now.
        """
        deadline = time.monotonic() + wait
        while (symptom := self._news(moment - MARGIN)) is None and time.monotonic() < deadline:
            self._over.wait(0.01)
        return symptom

    def _news(self, moment: float) -> Symptom | None:
        exits = [exit_ for exit_ in self._exits() if exit_.at >= moment]
        if len(exits) > 0 and exits[-1].at > self._told:
            self._told = exits[-1].at
            return Symptom("lives", None, "the process lives", exits[-1].why, exits[-1].why)
        self._read()
        lines, self._lines = self._lines, []
        for at, gist, text in lines:
            if at >= moment:
                return Symptom("logs-no-crash", None, "no crash in the log", text[:SHOWN], gist, telling=True)
        return None

    def _exits(self) -> tuple[engines.SubjectExit, ...]:
        return engines.exits(self._run_dir)

    @property
    def exits(self) -> int:
        """How often the subject exited since this began to watch."""
        return len(self._exits()) - self._before

    @property
    def gone(self) -> str:
        """Why the subject will not come back; empty while it lives, or is being restarted."""
        return engines.gone_for_good(self._exits())

    def too_much_memory(self) -> Symptom | None:
        if self.memory_peak <= self.memory_bound:
            return None
        mib = 2**20
        return Symptom(
            "keeps-its-memory",
            None,
            f"at most {self.memory_bound // mib} MiB ({MEMORY_FACTOR} times what it began with)",
            f"{self.memory_peak // mib} MiB, from {self.memory_start // mib} MiB at the beginning",
        )

    def _read(self) -> None:
        """Take the crashes that were appended to the log, each with the lines behind it."""
        lines = self._appended()
        places = [n for n, (_, text) in enumerate(lines) if any(p.search(text) for p in self._crashes)]
        if places and len(lines) - places[-1] < BEHIND and not _FRAME.search(lines[places[-1]][1]):
            self._over.wait(MORE)  # where it happened is said in the lines that are just being written
            lines += self._appended()
        for n in places:
            at, text = lines[n]
            behind = [line for _, line in lines[n + 1 : n + BEHIND]]
            self._lines.append((at, gist_of(text, behind), "\n".join([text, *behind])))

    def _appended(self) -> list[tuple[float, str]]:
        """The whole lines that were appended to the log since it was last read: when, and what."""
        if not self._crashes or self._log_file is None or not self._log_file.exists():
            return []
        with self._log_file.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
        whole, newline, _ = data.rpartition(b"\n")
        self._offset += len(whole) + len(newline)
        found = (line.partition(" ") for line in whole.decode("utf-8", "backslashreplace").split("\n") if line)
        return [(_number(at), text) for at, _, text in found]


def gist_of(line: str, behind: Iterable[str] = ()) -> str:
    """What is the same each time of a crash: no addresses, no times, no random names; and where it happened.

    The place is in the line itself, or in the lines `behind` it: the first, but Python prints the innermost last.
    """
    said = re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.,\d]*\S*|<\d+\.\d+\.\d+>", "", line)
    said = " ".join(re.sub(r"\b\w*[0-9a-f]{8,}\w*\b|0x[0-9a-f]+", "…", said).split())[:160]
    if _FRAME.search(line):
        return said
    frames = [found for text in behind if (found := _FRAME.search(text))]
    frame = frames[-1 if "most recent call last" in line else 0] if frames else None
    # The last two parts of its path: the rest is where this machine keeps things.
    return f"{said} {'/'.join(frame['file'].split('/')[-2:])}:{frame['line']}" if frame else said


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
