"""Whom malformed traffic may go to: loopback, and nobody else without being named in full."""

from __future__ import annotations

import ipaddress
import socket

from lab.cell import Cell
from lab.errors import UsageError


def strangers(cell: Cell) -> tuple[str, ...]:
    """The hosts of a cell's endpoints that are not on loopback, whatever their names say."""
    hosts = {endpoint.host for endpoint in cell.endpoints.values()}
    return tuple(sorted(host for host in hosts if not _is_loopback(host)))


def refuse_strangers(cell: Cell, allowed: str | None) -> None:
    """Raises UsageError where a cell is not on loopback, unless `allowed` is just its domain."""
    found = strangers(cell)
    if not found or allowed == cell.domain:
        return
    named = f"--allow-fuzz names {allowed!r}, the cell's domain is {cell.domain!r}" if allowed else ""
    raise UsageError(
        f"{cell.domain} is not on this machine: malformed stanzas are not sent to {', '.join(found)}",
        cause=named or "fuzzing may bring a server down, so only loopback and the lab's own cells are fuzzed",
        hint=f"if that server is yours to break: --allow-fuzz {cell.domain}",
    )


def _is_loopback(host: str) -> bool:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, ValueError):  # nobody has that name, or nobody can
        return False
    return all(ipaddress.ip_address(entry[4][0]).is_loopback for entry in found)
