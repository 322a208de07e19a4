"""The fixtures of checks: sessions brought up to a stage, components, and their trace.

Whatever a check opens is closed behind it. Sessions handed out are under the eye of `make prove`; the traffic
that brings them up is not.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import pytest

from lab import cell as cells
from lab.accounts import Accounts, Comeback
from lab.cell import Account, Cell, Transport
from lab.errors import UsageError
from lab.plugin.judge import impossible
from lab.plugin.standing import Watch
from lab.wire import component, negotiation, within_http
from lab.wire.bosh import BoshSession
from lab.wire.http import Header, Response
from lab.wire.namespaces import COMPONENT
from lab.wire.negotiation import Stage
from lab.wire.session import Session, StreamFailed
from lab.wire.trace import Trace
from lab.wire.websocket import SUBPROTOCOL, WebSocketSession

TRACE = pytest.StashKey[Trace]()
CONNECT = pytest.StashKey[list["Connect"]]()
"""What a check opens sessions with: one for each server of its cell."""

S = TypeVar("S", bound=Session)

FAREWELL = 1.0  # seconds: there is one component address, and the next check needs it


def _leave_alone(session: Session) -> None:
    """No damage is wanted."""


class Connect:
    """Opens sessions for one check: `connect()` is a fresh account, bound; `connect(Stage.SECURED)` stops there."""

    def __init__(self, cell: Cell, accounts: Accounts, trace: Trace, comeback: Comeback) -> None:
        self.cell = cell
        self.trace = trace
        self.watch = Watch(cell)
        """Holds whatever these sessions receive against the standing rules."""
        self.over: Transport = "c2s"
        """What sessions go over, where a check does not say."""
        self.open: list[Session] = []
        self.prepare: Callable[[Session], None] = _leave_alone
        """Called with each session that is handed to a check (`make prove` puts its hooks in)."""
        self._accounts = accounts
        self._comeback = comeback

    def account(self) -> Account:
        """A fresh account."""
        return self._accounts.fresh()

    def __call__(
        self,
        stage: Stage = Stage.BOUND,
        *,
        account: Account | None = None,
        resource: str | None = None,
        over: Transport | None = None,
        context: ssl.SSLContext | None = None,
        mechanism: str | None = None,
        sender: str = "",
        label: str = "client",
    ) -> Session:
        """A session at `stage` (see `lab.wire.negotiation.connect`); the check is `impossible` without the port.

        It goes over the check's own transport, unless it says `over` which.
        """
        over = over or self.over
        self._need(over)
        if stage >= Stage.AUTHENTICATED and account is None:
            account = self.account()
        return self.adopt(
            self._comeback.open(
                lambda: negotiation.connect(
                    self.cell,
                    stage,
                    account=account,
                    resource=resource,
                    over=over,
                    context=context,
                    mechanism=mechanism,
                    sender=sender,
                    trace=self.trace,
                    label=label,
                    observer=self.watch,
                )
            )
        )

    def component(self, domain: str | None = None, *, ready: bool = True) -> Session:
        """A component of XEP-0114: ready for stanzas, or (`ready=False`) a TCP connection with nothing sent."""
        if self.cell.endpoint("component") is None or self.cell.component is None:
            impossible("the cell has no place for a component")
        if not ready:
            return self.adopt(
                negotiation.connect_component(self.cell, domain=domain, trace=self.trace, observer=self.watch)
            )
        deadline = time.monotonic() + self.cell.patience
        while True:
            try:
                return self.adopt(component.connect(self.cell, domain=domain, trace=self.trace, observer=self.watch))
            except StreamFailed as error:
                # The component of the check before may still be on its way out.
                if error.condition != "conflict" or time.monotonic() > deadline:
                    raise
            time.sleep(0.02)

    def websocket(
        self,
        *,
        over: Transport = "websocket",
        subprotocols: Sequence[str] | None = (SUBPROTOCOL,),
        label: str = "client",
    ) -> WebSocketSession:
        """A WebSocket, its handshake done and no stream on it; with `subprotocols` None not even the handshake."""
        self._need(over)
        return self._adopted(
            within_http.websocket(
                self.cell, over, subprotocols=subprotocols, trace=self.trace, label=label, observer=self.watch
            )
        )

    def bosh(
        self,
        *,
        over: Transport = "bosh",
        attributes: Mapping[str, str | None] | None = None,
        label: str = "client",
    ) -> BoshSession:
        """A BOSH session with nothing sent yet, whose events are whole bodies (see `lab.wire.bosh`)."""
        self._need(over)
        return self._adopted(
            within_http.bosh(
                self.cell,
                over,
                whole=True,
                attributes=attributes,
                trace=self.trace,
                label=label,
                observer=self.watch,
            )
        )

    def http(
        self,
        path: str,
        *,
        method: str = "GET",
        body: bytes = b"",
        headers: Sequence[Header] = (),
        authority: str | None = None,
    ) -> Response:
        """The response to a request on the HTTPS port (see `lab.wire.within_http.request`)."""
        self._need("https")
        return within_http.request(
            self.cell, "https", method, path, body=body, headers=headers, authority=authority, trace=self.trace
        )

    def _need(self, over: Transport) -> None:
        if self.cell.endpoint(over) is None:
            impossible(f"the cell has no {over} port")

    def adopt(self, session: Session) -> Session:
        """Close this session with the check."""
        return self._adopted(session)

    def _adopted(self, session: S) -> S:
        self.open.append(session)
        self.prepare(session)
        return session

    def close(self) -> None:
        for session in self.open:
            session.close(farewell=FAREWELL if session.namespace == COMPONENT else 0.0)


@pytest.fixture(scope="session")
def cell_file(request: pytest.FixtureRequest) -> Path:
    """The cell file of the server under test, from `--cell`."""
    path = request.config.getoption("--cell")
    if path is None:
        raise UsageError("checks need a cell", hint="pytest … --cell cell.json, or `make lab`")
    return Path(path)


@pytest.fixture(scope="session")
def cell(cell_file: Path) -> Cell:
    """The cell under test."""
    return cells.read(cell_file)


@pytest.fixture(scope="session")
def comeback(cell_file: Path, cell: Cell) -> Comeback:
    """Patience with a subject that its engine restarts."""
    return Comeback(None if cell.process.kind == "attached" else cell_file.parent)


@pytest.fixture(scope="session")
def accounts(cell: Cell, comeback: Comeback) -> Iterator[Accounts]:
    """Makes accounts for this worker's checks."""
    made = Accounts(cell, comeback)
    yield made
    made.close()


@pytest.fixture
def connect(request: pytest.FixtureRequest, cell: Cell, accounts: Accounts, comeback: Comeback) -> Iterator[Connect]:
    """Opens sessions and closes them behind the check.

    Its parameter is what they go over, for checks that are marked for several transports (`on_every_transport`).
    """
    connector = connector_of(request, cell, accounts, comeback)
    connector.over = getattr(request, "param", "c2s")
    yield connector
    connector.close()


def connector_of(request: pytest.FixtureRequest, cell: Cell, accounts: Accounts, comeback: Comeback) -> Connect:
    """What opens sessions on one server of a check's cell; whoever asks for it closes it."""
    connector = Connect(cell, accounts, request.node.stash.setdefault(TRACE, Trace()), comeback)
    request.node.stash.setdefault(CONNECT, []).append(connector)
    request.node.ihook.pytest_lab_connect(item=request.node, connect=connector)
    return connector


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
