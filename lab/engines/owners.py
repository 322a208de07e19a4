"""Whose is a container or a network: labels that name the lab process, and the removal of what has no owner any more.

Found by label alone: what the lab did not make is never touched.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path

import docker
import psutil
from docker.errors import NotFound

from lab.engines import Progress

Filters = dict[str, str | list[str] | bool]

RUN_LABEL = "stanzalab.run"
OWNER_LABEL = "stanzalab.owner"
_CLOCK = 2.0  # seconds that a process's start may seem to move when the machine's clock is set


def labels(run: str) -> dict[str, str]:
    """What everything made for `run` by this process bears."""
    return {RUN_LABEL: run, OWNER_LABEL: owner()}


def owner() -> str:
    """This process: host, boot, process id, and its start in epoch seconds. Process ids come again, these never."""
    return f"{socket.gethostname()} {_boot()} {os.getpid()} {psutil.Process().create_time():.2f}"


def remove_all_of(client: docker.DockerClient, pid: int, started: float) -> None:
    """Remove what a lab of this machine made: the process `pid`, begun at `started` (epoch seconds), and killed."""
    for run, label in _found(client):
        if _names(label, pid, started):
            remove(client, run)


def _names(label: str, pid: int, started: float) -> bool:
    """Whether a label's owner is, or was, this process of this machine."""
    try:
        host, boot, number, began = label.split(" ")
        process_is = int(number) == pid and abs(float(began) - started) < _CLOCK
    except ValueError:
        return False  # not a label of ours
    return process_is and (host, boot) == (socket.gethostname(), _boot())


def lives(label: str) -> bool:
    """Whether the owner that a label names still runs.

    One of another host is taken to live: an engine may serve several machines, and only its own can tell.
    """
    try:
        host, boot, pid, started = label.split(" ")
        if host != socket.gethostname():
            return True
        if boot != _boot():
            return False
        return abs(psutil.Process(int(pid)).create_time() - float(started)) < _CLOCK
    except psutil.NoSuchProcess:
        return False
    except ValueError:
        return True  # not a label of ours, or one of a lab to come


def remove(client: docker.DockerClient, run: str) -> None:
    """Remove the containers and networks of `run`."""
    filters: Filters = {"label": f"{RUN_LABEL}={run}"}
    for container in client.containers.list(all=True, filters=filters, ignore_removed=True):
        with suppress(NotFound):  # another lab's sweep was quicker
            container.remove(force=True, v=True)
    for network in client.networks.list(filters=filters):
        with suppress(NotFound):
            network.remove()


def sweep(client: docker.DockerClient, progress: Progress) -> None:
    """Remove what labs left behind that were killed."""
    for run, label in _found(client):
        if not lives(label):
            progress.detail(f"removing what a lab that is gone left behind (run {run})")
            remove(client, run)


def _found(client: docker.DockerClient) -> set[tuple[str, str]]:
    """The runs that have something in the engine, each with the label of its owner."""
    filters: Filters = {"label": OWNER_LABEL}
    found = [
        *(container.labels for container in client.containers.list(all=True, filters=filters, ignore_removed=True)),
        *(network.attrs["Labels"] for network in client.networks.list(filters=filters)),
    ]
    return {(each[RUN_LABEL], each[OWNER_LABEL]) for each in found if RUN_LABEL in each}


def _boot() -> str:
    """The machine's boot, where the system names it."""
    file = Path("/proc/sys/kernel/random/boot_id")
    return file.read_text(encoding="ascii").strip() if file.exists() else "-"
