"""A TURN server beside the subject: what the subject hands out credentials for (XEP-0215), so that they can be tried.

coturn, in a container of its own in the cell's network. It shares a secret with the subject's settings and knows no
users: whoever comes with a name that has not expired, and its HMAC by that secret, may allocate. Where it cannot be
had, the cell is one without; nothing else hangs on it.
"""

from __future__ import annotations

from pathlib import Path

import docker
from docker.errors import APIError
from docker.types import LogConfig

from lab.cell import Endpoint, Turn
from lab.engines import Progress, owners
from lab.engines.images import Recipe, subject_image
from lab.engines.ports import LOOPBACK, free_ports
from lab.errors import MachineError
from lab.subjects import Subject

SUITE = "trixie"
RECIPE = Recipe("coturn", SUITE, Path(__file__).with_name("coturn"), SUITE)
_COMMAND = (
    *("turnserver", "-n", "--log-file=stdout", "--pidfile=/tmp/turn.pid", "--userdb=/tmp/turndb"),
    *("--use-auth-secret", "--fingerprint", "--relay-threads=1", "--min-port=49160", "--max-port=49200"),
    *("--no-cli", "--no-tls", "--no-dtls", "--no-rfc5780", "--no-multicast-peers"),
)
_TRIES = 3  # somebody may take a port between our look and the engine's


def image(client: docker.DockerClient, progress: Progress) -> str:
    """The id of the image, made where there is none; empty where it cannot be made, which is told."""
    try:
        return subject_image(client, RECIPE, progress)
    except MachineError as error:
        progress.step(f"no TURN server in the cell: {error.message}")
        progress.detail(error.cause)
        return ""


def start(
    client: docker.DockerClient, subject: Subject, *, domain: str, network: str, run: str, progress: Progress
) -> Turn | None:
    """Start it for a subject whose settings name one; None for another, or where there is no image of it.

    It is removed with all else of the run (`owners`), and not restarted.
    """
    wanted = subject.turn_of(domain)
    made = image(client, progress) if wanted else ""
    if wanted is None or not made:
        return None
    settings = (f"--listening-port={wanted.port}", f"--realm={domain}", f"--static-auth-secret={wanted.secret}")
    for left in reversed(range(_TRIES)):
        (port,) = free_ports(1)
        container = client.containers.create(
            made,
            [*_COMMAND, *settings],
            name=f"stanzalab-{run}-turn",
            labels=owners.labels(run),
            user="turnserver",
            network=network,
            ports={f"{wanted.port}/{over}": (LOOPBACK, port) for over in ("udp", "tcp")},
            mem_limit="128m",
            memswap_limit="128m",
            pids_limit=32,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            log_config=LogConfig(type="json-file", config={"max-size": "1m"}),
        )
        try:
            container.start()
        except APIError:
            container.remove(force=True)
            if not left:
                raise
        else:
            return Turn(wanted.host, wanted.port, Endpoint(LOOPBACK, port))
    return None
