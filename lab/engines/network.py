"""A cell's network: a bridge without a way out, in which the lab answers for names (`lab.engines.names`).

Containers reach this machine at the network's gateway; the lab reaches them through ports published on loopback.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import docker
from docker.models.networks import Network

from lab.engines import Progress, owners
from lab.engines.names import NameServer, name_server
from lab.engines.ports import LOOPBACK


@dataclass(frozen=True)
class CellNetwork:
    """`gateway` is this machine's address in it; `names` answers there, None where nobody may listen."""

    name: str
    gateway: str
    names: NameServer | None = None

    @property
    def resolver(self) -> str:
        """Where containers ask for names. Whoever asks on loopback learns at once that nobody answers."""
        return self.gateway if self.names else LOOPBACK


def create(engine: docker.DockerClient, name: str, run: str) -> CellNetwork:
    """A network without names; it is removed with what else bears the label of `run`."""
    network: Network = engine.networks.create(
        name,
        driver="bridge",
        # Without masquerading nothing in the cell has a way out, while published ports still work.
        options={"com.docker.network.bridge.enable_ip_masquerade": "false"},
        labels=owners.labels(run),
    )
    network.reload()
    return CellNetwork(name, str(network.attrs["IPAM"]["Config"][0]["Gateway"]))


@contextmanager
def named(network: CellNetwork, progress: Progress) -> Iterator[CellNetwork]:
    """The same network with a name server in it, until the block is left; without one where none may listen."""
    with ExitStack() as stack:
        try:
            names = stack.enter_context(name_server(network.gateway))
        except OSError as error:
            # Ports below 1024 are root's on most machines, and an engine on another machine has no gateway here.
            progress.detail(f"no name server for the cell, so no federation: {network.gateway}:53: {error}")
            names = None
        yield CellNetwork(network.name, network.gateway, names)
