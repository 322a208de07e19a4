"""What takes long and is kept is made before the cells, one by one: images, and environments of local subjects."""

from __future__ import annotations

from collections.abc import Iterable

from lab import engines, subjects
from lab.engines import Progress
from lab.engines import clients as client_places
from lab.errors import LabError
from lab.matrix.plan import Cell, Party


def make_ready(cells: Iterable[Cell], progress: Progress) -> dict[Party, str]:
    """Make what the subjects of these cells need, each once. Answers who could not be made ready, and why."""
    cells = tuple(cells)
    failed = {}
    servers = dict.fromkeys(one for cell in cells for one in (cell.server, cell.peer) if one)
    clients = dict.fromkeys(client for cell in cells for client in cell.clients)
    for party in (*servers, *clients):
        progress.step(f"making {party} ready")
        try:
            if party in servers:
                subject = subjects.find(party.spec)
                engines.choose(subject).prepare(subject, progress)
            else:
                client_places.prepare(subjects.find_client(party.spec), progress)
        except LabError as error:
            failed[party] = str(error)
            progress.step(f"{party} cannot be made ready: {error.message}")
    return failed
