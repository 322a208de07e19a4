"""Free ports on loopback for a subject to listen on."""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack

from lab.errors import MachineError

LOOPBACK = "127.0.0.1"
# Below the ports that Linux and macOS give to outgoing connections: a subject that is restarted finds its own free.
_RANGE = range(15000, 32000)
_TRIES = 500


def free_ports(count: int) -> list[int]:
    """So many different ports that nobody listens on, on loopback, now. Raises MachineError when there are none."""
    ports: list[int] = []
    with ExitStack() as held:
        for port in random.sample(_RANGE, min(_TRIES, len(_RANGE))):
            if len(ports) == count:
                break
            candidate = held.enter_context(socket.socket())
            candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                candidate.bind((LOOPBACK, port))
            except OSError:
                continue
            ports.append(port)
    if len(ports) < count:
        raise MachineError(
            f"no {count} free ports on {LOOPBACK}",
            cause=f"between {_RANGE.start} and {_RANGE.stop} only {len(ports)} of those tried are free",
            hint="end what listens there",
        )
    return ports
