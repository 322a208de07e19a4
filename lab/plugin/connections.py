"""The fixtures of checks: fresh accounts, sessions brought up to a stage, components, and their trace.

Whatever a check opens is closed behind it. Sessions handed out are under the eye of `make prove`; the traffic
that brings them up is not.
"""

from __future__ import annotations

import os
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from secrets import token_hex

import pytest

from lab import cell as cells
from lab.cell import Account, Cell, Transport
from lab.errors import MachineError, PeerError, UsageError
from lab.plugin.judge import impossible
from lab.wire import component, negotiation
from lab.wire.negotiation import Stage
from lab.wire.session import Session
from lab.wire.trace import Trace

CELL = pytest.StashKey[Cell]()
TRACE = pytest.StashKey[Trace]()


class Accounts:
    """Makes fresh accounts the way the cell file says; one for a worker, so that one stream registers many."""

    def __init__(self, cell: Cell) -> None:
        self._cell = cell
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
        session = self._registrar or negotiation.connect(self._cell, Stage.SECURED, label="registrar")
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


def _leave_alone(session: Session) -> None:
    """No damage is wanted."""


class Connect:
    """Opens sessions for one check: `connect()` is a fresh account, bound; `connect(Stage.SECURED)` stops there."""

    def __init__(self, cell: Cell, accounts: Accounts, trace: Trace) -> None:
        self.cell = cell
        self.trace = trace
        self.open: list[Session] = []
        self.prepare: Callable[[Session], None] = _leave_alone
        """Called with each session that is handed to a check (`make prove` puts its hooks in)."""
        self._accounts = accounts

    def account(self) -> Account:
        """A fresh account."""
        return self._accounts.fresh()

    def __call__(
        self,
        stage: Stage = Stage.BOUND,
        *,
        account: Account | None = None,
        resource: str | None = None,
        over: Transport = "c2s",
        context: ssl.SSLContext | None = None,
        mechanism: str | None = None,
        label: str = "client",
    ) -> Session:
        """A session at `stage` (see `lab.wire.negotiation.connect`); the check is `impossible` without the port."""
        if self.cell.endpoint(over) is None:
            impossible(f"the cell has no {over} port")
        if stage >= Stage.AUTHENTICATED and account is None:
            account = self.account()
        session = negotiation.connect(
            self.cell,
            stage,
            account=account,
            resource=resource,
            over=over,
            context=context,
            mechanism=mechanism,
            trace=self.trace,
            label=label,
        )
        return self.adopt(session)

    def component(self, domain: str | None = None, *, ready: bool = True) -> Session:
        """A component of XEP-0114: ready for stanzas, or (`ready=False`) a TCP connection with nothing sent."""
        if self.cell.endpoint("component") is None or self.cell.component is None:
            impossible("the cell has no place for a component")
        make = component.connect if ready else negotiation.connect_component
        return self.adopt(make(self.cell, domain=domain, trace=self.trace))

    def adopt(self, session: Session) -> Session:
        """Close this session with the check."""
        self.open.append(session)
        self.prepare(session)
        return session

    def close(self) -> None:
        for session in self.open:
            session.close()


@pytest.fixture(scope="session")
def cell(request: pytest.FixtureRequest) -> Cell:
    """The cell under test, from `--cell`."""
    path = request.config.getoption("--cell")
    if path is None:
        raise UsageError("checks need a cell", hint="pytest … --cell cell.json, or `make lab`")
    return cells.read(Path(path))


@pytest.fixture(scope="session")
def accounts(cell: Cell) -> Iterator[Accounts]:
    """Makes accounts for this worker's checks."""
    made = Accounts(cell)
    yield made
    made.close()


@pytest.fixture
def connect(request: pytest.FixtureRequest, cell: Cell, accounts: Accounts) -> Iterator[Connect]:
    """Opens sessions and closes them behind the check."""
    connector = Connect(cell, accounts, request.node.stash.setdefault(TRACE, Trace()))
    request.node.ihook.pytest_lab_connect(item=request.node, connect=connector)
    yield connector
    connector.close()


@pytest.fixture
def alice(connect: Connect) -> Session:
    """A session with a fresh account, bound, not yet available."""
    return connect(label="alice")


@pytest.fixture
def bob(connect: Connect) -> Session:
    """Another one."""
    return connect(label="bob")


@pytest.fixture
def component_session(connect: Connect) -> Session:
    """The lab's component, connected and ready for stanzas (XEP-0114). One check at a time has it."""
    return connect.component()
