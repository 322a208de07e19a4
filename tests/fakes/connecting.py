"""Sessions to a fake server through the plugin's own fixtures' machinery, closed behind the test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lab.accounts import FRUITLESS, Accounts, Comeback
from lab.cell import Cell
from lab.plugin.connections import Connect
from lab.wire.trace import Trace


@contextmanager
def connecting(cell: Cell) -> Iterator[Connect]:
    hopeless = Comeback(fruitless=FRUITLESS)  # a fake that hangs does not come back: nothing is waited for
    accounts = Accounts(cell, hopeless)
    connect = Connect(cell, accounts, Trace(), hopeless)
    try:
        yield connect
    finally:
        connect.close()
        accounts.close()
