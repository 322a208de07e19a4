"""The fixtures of checks on two servers with each other: a user on each, and nothing seen of what is between.

    def test_…(federation: Federation) -> None:
        alice, bob = federation.alice(), federation.bob()     # one on each side of the border
        alice.send(…)
        with federation.there.blamed():                       # what fails here is the fault of bob's server
            …
        with federation.there.writes():                       # what came is; what did not come may be either one's
            …

What gets lost on the way may have been lost by either: then nobody is named, and either one's list of known failures
may speak of it. Where an answer, or the lack of one, can be but one server's, that one is to blame.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab import cell as cells
from lab.accounts import Accounts, Comeback
from lab.cell import Cell
from lab.plugin.connections import Connect, connector_of
from lab.plugin.judge import Missed, impossible
from lab.plugin.pairs import blamed
from lab.verdict import DIRECTIONS, told_apart
from lab.wire.session import Session


@dataclass(frozen=True)
class Side:
    """One server, and what opens sessions on it. `name` is what it is called where it is blamed."""

    name: str
    connect: Connect

    @property
    def cell(self) -> Cell:
        return self.connect.cell

    @property
    def domain(self) -> str:
        return self.cell.domain

    def blamed(self) -> AbstractContextManager[None]:
        """What fails in the block is this server's fault."""
        return blamed(self.name)

    @contextmanager
    def writes(self) -> Iterator[None]:
        """What comes and is wrong is this server's fault; where nothing comes, nobody is named."""
        try:
            yield
        except Missed as error:
            if not hasattr(error, "blamed"):
                error.blamed = self.name  # type: ignore[attr-defined]  # read by the hooks
            raise

    def service(self, kind: str) -> str:
        """The address of one of its services; the check is `impossible` without it."""
        address = self.cell.services.get(kind, "")
        if not address:
            impossible(f"the cell file names no {kind} service of {self.name}")
        return address


@dataclass(frozen=True)
class Federation:
    """Two servers that reach each other: alice is on the one that is `here`, bob on the one that is `there`."""

    here: Side
    there: Side

    def alice(self) -> Session:
        """A session with a fresh account on the one side, bound, not yet available."""
        return self.here.connect(label="alice")

    def bob(self) -> Session:
        """And on the other."""
        return self.there.connect(label="bob")


def sides_in(cell_file: Path) -> list[tuple[str, Path]]:
    """The two servers of a cell file, as they are called where they are blamed, and the folder of each."""
    cell = cells.read(cell_file)
    if cell.peer is None:
        return [("", cell_file.parent)]
    names = told_apart(cell.subject, cells.read(cell.peer).subject)
    return list(zip(names, (cell_file.parent, cell.peer.parent), strict=True))


@pytest.fixture(scope="session")
def federation_cell(cell: Cell) -> Cell:
    """The cell of the second server."""
    if cell.peer is None:
        impossible("there is one server in the cell: `--peer` adds another")
    return cells.read(cell.peer)


@pytest.fixture(scope="session")
def peer_accounts(cell: Cell, federation_cell: Cell) -> Iterator[tuple[Accounts, Comeback]]:
    """Makes accounts on the second server for this worker's checks; patience with that server."""
    comeback = Comeback(cell.peer.parent if cell.peer else None)
    made = Accounts(federation_cell, comeback)
    yield made, comeback
    made.close()


@pytest.fixture(params=DIRECTIONS)
def federation(
    request: pytest.FixtureRequest,
    cell: Cell,
    accounts: Accounts,
    comeback: Comeback,
    federation_cell: Cell,
    peer_accounts: tuple[Accounts, Comeback],
) -> Iterator[Federation]:
    """Both servers; in a second turn, the second one has the first one's part."""
    names = told_apart(cell.subject, federation_cell.subject)
    sides = (
        Side(names[0], connector_of(request, cell, accounts, comeback)),
        Side(names[1], connector_of(request, federation_cell, *peer_accounts)),
    )
    first = DIRECTIONS.index(request.param)
    yield Federation(sides[first], sides[1 - first])
    for side in sides:
        side.connect.close()
