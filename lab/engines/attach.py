"""A server that runs already, described by a cell file that somebody wrote by hand (docs/cell.md).

Nothing is started, stopped or watched: whether the server crashed is for its owner to see.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import lab.cell
from lab.cell import Endpoint
from lab.engines import Progress, Running
from lab.errors import MachineError, UsageError

_CONNECT = 5.0  # seconds
_LINGER = 0.25  # seconds in which a forwarded port with nothing behind it closes again


@contextmanager
def attach(cell_file: Path, progress: Progress) -> Iterator[Running]:
    """The cell of a file, its clients' port tried; it is tried alone, whoever the file names besides.

    Raises UsageError when the file is no cell, or has no port for clients; MachineError when nobody answers there.
    """
    cell = lab.cell.read(cell_file)
    transport = next((name for name in ("c2s", "c2s-direct-tls") if name in cell.endpoints), None)
    if transport is None:
        raise UsageError(
            f"{cell_file} names no port for clients",
            cause=f"it has: {', '.join(cell.endpoints) or 'no endpoints'}",
            hint="give it an endpoint c2s or c2s-direct-tls; see docs/cell.md",
        )
    endpoint = cell.endpoints[transport]
    progress.step(f"attaching to {cell.subject.name} at {endpoint.host}:{endpoint.port}")
    if why := unreachable(endpoint):
        raise MachineError(
            f"{cell.subject.name} does not answer at {endpoint.host}:{endpoint.port}",
            cause=why,
            hint=f"is it running, and is {transport} in {cell_file} right?",
        )
    yield Running(replace(cell, peer=None), cell_file, None)


def unreachable(endpoint: Endpoint) -> str | None:
    """Why not, or None. In XMPP the client speaks first: a server that says nothing is what we hope for."""
    try:
        connection = socket.create_connection((endpoint.host, endpoint.port), timeout=_CONNECT)
    except OSError as error:
        return error.strerror or str(error)
    with connection:
        connection.settimeout(_LINGER)
        try:
            return None if connection.recv(1) else "it accepts the connection and closes at once"
        except TimeoutError:
            return None
        except OSError as error:
            return error.strerror or str(error)
