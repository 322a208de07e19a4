"""Watches over a running subject: notes each exit, and starts it again so that the rest of a run can be measured.

How an exit is waited for and how the subject is started again, each engine says.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from lab.engines import EXITS_FILE, RESTARTS, SubjectExit
from lab.engines.server_log import ServerLog
from lab.errors import LabError


class Watch:
    """A thread that waits for the subject's exit.

    `wait` blocks until the subject exits and says why (`exited with code 1`); `restart` starts it again on the
    same ports, quickly (it need not wait until it is ready), and raises LabError where it cannot.
    """

    def __init__(
        self,
        run_dir: Path,
        log: ServerLog,
        *,
        wait: Callable[[], str],
        restart: Callable[[], None],
        restarts: int = RESTARTS,
    ) -> None:
        self._file = run_dir / EXITS_FILE
        self._log = log
        self._wait, self._restart, self._restarts = wait, restart, restarts
        self._lock = threading.Lock()
        self._over = False
        self._thread = threading.Thread(target=self._watch, name="watch", daemon=True)

    def start(self) -> None:
        """Begin; that the file of exits is there says that somebody watches."""
        self._file.touch()
        self._thread.start()

    def end(self) -> None:
        """Exits are wanted from now on: to be called before the subject is stopped. Nothing is restarted after it."""
        with self._lock:
            self._over = True

    def join(self, timeout: float = 10.0) -> None:
        """Wait for the thread, once the subject is gone."""
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def _watch(self) -> None:
        for left in range(self._restarts, -1, -1):
            why = self._wait()
            with self._lock:
                if self._over:
                    return
                restarted = left > 0
                self._log.note(f"subject {why}, {'restarted' if restarted else 'not restarted again'}")
                self._record(SubjectExit(time.time(), why, restarted))
                if restarted:
                    try:
                        self._restart()
                    except (LabError, OSError) as error:
                        self._log.note(f"the restart failed: {error}")
                        self._record(SubjectExit(time.time(), f"{why}; the restart failed: {error}", restarted=False))
                        return

    def _record(self, exit_: SubjectExit) -> None:
        try:
            with self._file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(exit_)) + "\n")
        except OSError as error:  # a full disk must not keep the subject down
            self._log.note(f"the exit was not recorded: {error}")
