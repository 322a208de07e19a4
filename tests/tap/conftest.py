"""A fake server, the tap before it, and clients of the lab's own that come through."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab.accounts import Accounts
from lab.cell import Account, Cell
from lab.certificates import CertificateAuthority
from lab.engines.clients import certificates_of_tap
from lab.fakes import FakeServer
from lab.tap.tap import Tap
from lab.wire import negotiation
from lab.wire.negotiation import Stage
from lab.wire.session import Session

PATIENCE = 30.0  # seconds, for what must come
HOST = "127.0.0.1"


@pytest.fixture
def cell(tmp_path: Path) -> Iterator[Cell]:
    with FakeServer(patience=PATIENCE) as running:
        yield replace(running, tap=certificates_of_tap(CertificateAuthority(tmp_path / "tap"), running.domain))


@pytest.fixture
def account(cell: Cell) -> Account:
    accounts = Accounts(cell)
    made = accounts.fresh()
    accounts.close()
    return made


Tapping = Callable[..., Tap]


@pytest.fixture
def tapping(cell: Cell, account: Account) -> Iterator[Tapping]:
    """Starts a tap for the account."""
    with ExitStack() as stack:

        def start(patience: float = PATIENCE, **options: Any) -> Tap:
            return stack.enter_context(Tap(cell, account, HOST, patience=patience, **options))

        yield start


Connecting = Callable[..., Session]


@pytest.fixture
def connecting(cell: Cell, account: Account, tmp_path: Path) -> Iterator[Connecting]:
    """A client of the lab's own, that comes through a tap."""
    with ExitStack() as stack:

        def connect(tap: Tap, stage: Stage = Stage.BOUND, **options: Any) -> Session:
            through = replace(cell, endpoints={"c2s": tap.endpoint, "c2s-direct-tls": tap.endpoint})
            through = replace(through, ca=tmp_path / "tap" / "ca.pem")
            session = negotiation.connect(through, stage, account=account, **options)
            stack.callback(session.close)
            return session

        yield connect
