"""Fresh accounts for checks, made as the cell file says; and patience with a subject that is being restarted."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import TypeVar

from lab import engines
from lab.cell import Account, Cell
from lab.errors import LabError, MachineError, PeerError, UsageError
from lab.wire import administration, negotiation
from lab.wire.negotiation import Stage
from lab.wire.session import Session
from lab.wire.transport import ConnectionLost, ConnectionRefused, NoAnswer

COMEBACK_SECONDS = 20.0  # for a subject that crashed and is being restarted, or that is kept busy for a while
NOTICE_SECONDS = 0.5  # until the engine has seen that its subject is gone
COMMAND_SECONDS = 2.0  # … where a command has failed, which is no server's doing: then there is no hurry
BETWEEN_SECONDS = 0.1
FRUITLESS = 2  # waits in vain after which a subject is taken to hang for good


T = TypeVar("T")


class CommandFailed(MachineError):
    """The command that makes accounts. It may have found no server that runs."""


@dataclass
class Comeback:
    """Opens sessions, and tries again while a subject is restarted by its engine, or hangs and may come back.

    Without it, the checks behind a crash or a hang would fail for what the one before them did. `run_dir` is where
    the engine notes exits; None where nobody restarts anything.
    """

    run_dir: Path | None = None
    fruitless: int = 0

    def open(self, connect: Callable[[], T]) -> T:
        """What `connect` opens or makes. Raises what it raises, once there is nothing more to wait for."""
        first = time.monotonic()
        while True:
            try:
                opened = connect()
            except (ConnectionLost, ConnectionRefused, NoAnswer, CommandFailed) as error:
                if not self._may_come_back(error, time.monotonic() - first):
                    raise
            else:
                self.fruitless = 0
                return opened
            time.sleep(BETWEEN_SECONDS)

    def _may_come_back(self, error: LabError, waited: float) -> bool:
        exits = engines.exits(self.run_dir)
        if engines.gone_for_good(exits) or self.fruitless >= FRUITLESS:
            return False
        if waited > COMEBACK_SECONDS:
            self.fruitless += 1
            return False
        if isinstance(error, NoAnswer):
            return True
        notice = COMMAND_SECONDS if isinstance(error, CommandFailed) else NOTICE_SECONDS
        restarting = bool(exits) and time.time() - exits[-1].at < COMEBACK_SECONDS
        return restarting or (self.run_dir is not None and waited < notice)


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
            self._comeback.open(lambda: self._run(account))
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
            raise CommandFailed(f"the command that makes accounts failed: {argv[0]}", cause=done.stderr.strip())

    def _register(self, account: Account) -> None:
        """In-band, or by the administrator; a session that has made one account makes more."""
        if self._registrar is not None:
            try:
                self._make(self._registrar, account)
            except PeerError:  # some servers let one stream register once only
                self._registrar.transport.close()
            else:
                return
        self._registrar = None
        self._registrar = self._comeback.open(lambda: self._registered(account))

    def _registered(self, account: Account) -> Session:
        """A new session by which `account` has been made, and more can be."""
        if self._by_admin:
            session = negotiation.connect(self._cell, Stage.BOUND, account=self._cell.admin, label="admin")
        else:
            session = negotiation.connect(self._cell, Stage.SECURED, label="registrar")
        try:
            self._make(session, account)
        except BaseException:
            session.transport.close()
            raise
        return session

    def _make(self, session: Session, account: Account) -> None:
        make = administration.add_user if self._by_admin else negotiation.register
        make(session, account)

    @property
    def _by_admin(self) -> bool:
        return self._cell.accounts.method == "ad-hoc"

    def close(self) -> None:
        if self._registrar:
            self._registrar.close()
            self._registrar = None


def _worker() -> int:
    """Which of pytest-xdist's workers this process is: given accounts are shared out among them."""
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


def _workers() -> int:
    return int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
