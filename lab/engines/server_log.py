"""The subject's own output: each line with the time of its arrival, in `server.log`. What it means is not judged."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import IO

FILE_NAME = "server.log"
_LONGEST = 64 * 1024  # bytes of one line; a subject that floods without a line end fills no memory


class ServerLog:
    """Appends lines as `EPOCH.MICROSECONDS TEXT`, from any thread."""

    def __init__(self, run_dir: Path) -> None:
        self.path = run_dir / FILE_NAME
        self.lost = 0  # lines that the disk had no room for
        self._lock = threading.Lock()
        self._file = self.path.open("ab", buffering=0)

    def copy(self, stream: IO[bytes]) -> None:
        """Copy lines until the stream ends, and close it. A full disk loses lines, but never stops the subject."""
        with stream:
            while line := stream.readline(_LONGEST):
                self.line(line)

    def line(self, data: bytes) -> None:
        """Append one line of output as it came."""
        stamped = b"%.6f %s\n" % (time.time(), data.rstrip(b"\r\n"))
        with self._lock:
            try:
                self._file.write(stamped)
            except (OSError, ValueError):  # no room, or closed while a leftover of the subject still talked
                self.lost += 1

    def note(self, text: str) -> None:
        """Append a line of the lab's own."""
        self.line(f"lab: {'; '.join(text.splitlines())}".encode())

    def tail(self, lines: int = 30) -> str:
        """The last lines, without their times."""
        text = self.path.read_text(encoding="utf-8", errors="replace")
        return "\n".join(line.partition(" ")[2] for line in text.splitlines()[-lines:])

    def close(self) -> None:
        with self._lock:
            self._file.close()
