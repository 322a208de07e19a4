"""A run record while it is being written: how many checks have ended, and how. Read on from where it was read to."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from lab.verdict import Outcome

_BAD = {outcome.value for outcome in Outcome if outcome.bad}


@dataclass(frozen=True)
class Counts:
    """Checks of a record so far. `selected` is 0 until its header is there."""

    selected: int = 0
    passed: int = 0
    failed: int = 0
    ended: int = 0


class Growth:
    """One record, looked at again and again. What is broken or half written is passed over: readers say it later."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._rest = b""
        self._selected = 0
        self._outcomes: Counter[str] = Counter()

    def look(self) -> Counts:
        """What is there by now."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                new = file.read()
        except OSError:  # not there yet
            new = b""
        self._offset += len(new)
        *lines, self._rest = (self._rest + new).split(b"\n")
        for line in lines:
            self._take(line)
        failed = sum(count for outcome, count in self._outcomes.items() if outcome in _BAD)
        return Counts(self._selected, self._outcomes[Outcome.PASS.value], failed, self._outcomes.total())

    def _take(self, line: bytes) -> None:
        if not line.startswith((b'{"event": "check"', b'{"event": "header"')):
            return  # the log of a whole run need not be parsed
        try:
            event = json.loads(line)
        except ValueError:
            return
        if event["event"] == "header":
            self._selected = len(event.get("selected", ()))
        else:
            self._outcomes[str(event.get("outcome"))] += 1
