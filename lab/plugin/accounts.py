"""Fresh accounts for checks, made as the cell file says; and patience with a subject that is being restarted."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from lab import engines
from lab.cell import Account, Cell
from lab.errors import MachineError, PeerError, UsageError
from lab.wire import negotiation
from lab.wire.negotiation import Stage
from lab.wire.session import Session
from lab.wire.transport import ConnectionLost, ConnectionRefused

COMEBACK_SECONDS = 15.0  # for a subject that crashed and is being restarted by its engine
NOTICE_SECONDS = 0.5  # until the engine has seen that its subject is gone
BETWEEN_SECONDS = 0.1


@dataclass(frozen=True)
class Comeback:
    """Opens sessions, and tries again while the engine restarts a subject that exited.

    Without it, the checks behind a crash would fail for what the one before them did. `run_dir` is where the
    engine notes exits; None where nobody restarts anything.
    """

    run_dir: Path | None = None

    def open(self, connect: Callable[[], Session]) -> Session:
        """The session that `connect` opens. Raises what it raises, once there is no restart to wait for."""
        first = time.monotonic()
        while True:
            try:
                return connect()
            except (ConnectionLost, ConnectionRefused):
                waited = time.monotonic() - first
                if waited > COMEBACK_SECONDS or (waited > NOTICE_SECONDS and not self._restarting()):
                    raise
                if self.run_dir is None:
                    raise
            time.sleep(BETWEEN_SECONDS)

    def _restarting(self) -> bool:
        exits = engines.exits(self.run_dir) if self.run_dir else ()
        return bool(exits) and exits[-1].restarted and time.time() - exits[-1].at < COMEBACK_SECONDS


class Accounts:
    """Makes fresh accounts the way the cell file says; one for a worker, so that one stream registers many."""

    def __init__(self, cell: Cell, comeback: Comeback | None = None) -> None:
        self._cell = cell
        self._comeback = comeback or Comeback()
        self._given = list(cell.accounts.given)[_worker() :: _workers()]
        self._registrar: Session | None = None

    def fresh(self) -> Account:
        """An account that nobody has used. Raises PeerError, MachineError, UsageError (none left)."""
        method = self._cell.accounts.method
        if method == "given":
            if not self._given:
                raise UsageError("the cell file gives no more accounts", hint="list more, or allow registration")
            return self._given.pop()
        account = Account(f"u{token_hex(6)}", self._cell.domain, token_hex(8))
        if method == "command":
            self._run(account)
        else:
            self._register(account)
        return account

    def _run(self, account: Account) -> None:
        values = {"{user}": account.localpart, "{domain}": account.domain, "{password}": account.password}
        argv = []
        for word in self._cell.accounts.argv:
            for place, value in values.items():
                word = word.replace(place, value)  # noqa: PLW2901 - the word, filled in
            argv.append(word)
        done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
        if done.returncode:
            raise MachineError(f"the command that makes accounts failed: {argv[0]}", cause=done.stderr.strip())

    def _register(self, account: Account) -> None:
        fresh = self._registrar is None
        session = self._registrar or self._comeback.open(
            lambda: negotiation.connect(self._cell, Stage.SECURED, label="registrar")
        )
        try:
            negotiation.register(session, account)
            self._registrar = session
        except PeerError:
            self._registrar = None
            session.transport.close()
            if fresh:
                raise
            # Some servers let one stream register once only.
            self._register(account)

    def close(self) -> None:
        if self._registrar:
            self._registrar.close()
            self._registrar = None


def _worker() -> int:
    """Which of pytest-xdist's workers this process is: given accounts are shared out among them."""
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


def _workers() -> int:
    return int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
