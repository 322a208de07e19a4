"""Puts clients into a cell: one container (or place on this machine) each, in which agents are started as needed.

A client's container has a network of its own with no way out; its agents reach the lab at the network's gateway, and
the server only through the lab (`lab.tap`). What an agent is told stands in docs/clients.md.
"""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path

import docker
from docker.models.containers import Container

import lab.cell
from lab.agents.contract import ENVIRONMENT
from lab.cell import Cell, ClientPlace
from lab.certificates import FLAWS, CertificateAuthority
from lab.engines import Progress, Running, network, owners, venvs
from lab.engines.archive import archive
from lab.engines.docker import engine_errors
from lab.engines.images import Recipe, subject_image
from lab.engines.ports import LOOPBACK
from lab.engines.provision import connect, engine_state
from lab.engines.signals import uninterrupted
from lab.errors import MachineError, UsageError
from lab.subjects import Client, fill

_FOLDER = "/lab"  # in the container
_CA, _SERVER_CA = "ca.pem", "server-ca.pem"


@contextmanager
def with_clients(begun: Running, clients: Sequence[Client], run_dir: Path, progress: Progress) -> Iterator[Running]:
    """The same cell with these clients in it, its file written anew; they are gone when the block is left.

    Raises MachineError where one's image cannot be built, or no engine can hold it.
    """
    with ExitStack() as stack:
        folder = (run_dir / "tap").absolute()
        authority = CertificateAuthority(folder)
        places = tuple(stack.enter_context(_placed(client, begun.cell, authority.ca, progress)) for client in clients)
        cell = replace(begun.cell, clients=places, tap=certificates_of_tap(authority, begun.cell.domain))
        lab.cell.write(cell, begun.cell_file)
        yield replace(begun, cell=cell)


def prepare(client: Client, progress: Progress) -> None:
    """Make what takes long and is kept: the client's image, or its environment. Starts nothing.

    Raises MachineError where it cannot be made.
    """
    if client.engines[0] == "local" or not engine_state().reachable:
        if client.requirements:
            venvs.ensure(client.name, client.requirements, progress)
        return
    with engine_errors(), closing(connect()) as engine:
        subject_image(engine, _recipe(client), progress)


def certificates_of_tap(authority: CertificateAuthority, domain: str) -> dict[str, Path]:
    """What the tap shows: the right certificate, and the wrong ones (`lab.tap.CERTIFICATES`)."""
    made = {flaw: authority.flawed(domain, flaw, folder=authority.folder / flaw) for flaw in FLAWS}
    made["right"] = authority.server_certificate(domain, folder=authority.folder / "right")
    return {name: certificate.all for name, certificate in made.items()}


@contextmanager
def _placed(client: Client, cell: Cell, ca: Path, progress: Progress) -> Iterator[ClientPlace]:
    reasons = []
    for engine in client.engines:
        if engine == "local":
            yield _local(client, cell, ca, progress)
            return
        state = engine_state()
        if state.reachable:
            with _container(client, cell, ca, progress) as place:
                yield place
            return
        reasons.append(f"{engine}: no engine answers at {state.endpoint} ({state.problem})")
    raise MachineError(
        f"nothing on this machine can run {client.name}",
        cause="; ".join(reasons),
        hint="`stanzalab doctor` says what to install",
    )


def _local(client: Client, cell: Cell, ca: Path, progress: Progress) -> ClientPlace:
    places = {"folder": str(client.folder)}
    if client.requirements:
        places["venv"] = str(venvs.ensure(client.name, client.requirements, progress))
    else:
        places["venv"] = sys.prefix
    return ClientPlace(
        subject=lab.cell.Subject(client.name, client.version),
        argv=tuple(fill(word, **places) for word in client.command),
        host=LOOPBACK,
        ca=str(ca),
        server_ca=str(cell.ca.absolute()) if cell.ca else "",
        title=client.title,
    )


@contextmanager
def _container(client: Client, cell: Cell, ca: Path, progress: Progress) -> Iterator[ClientPlace]:
    recipe = _recipe(client)
    run = uuid.uuid4().hex[:12]
    with engine_errors(), ExitStack() as stack:
        engine = connect()
        stack.callback(engine.close)
        image = subject_image(engine, recipe, progress)
        progress.step(f"starting {client.title} {client.version}")
        stack.callback(_remove, engine, run)
        with uninterrupted():
            container, gateway = _start(engine, client, cell, image, run)
        files = {f"{_FOLDER}/{_CA}": ca.read_bytes()}
        if cell.ca:
            files[f"{_FOLDER}/{_SERVER_CA}"] = cell.ca.read_bytes()
        container.put_archive("/", archive(files, _FOLDER))
        yield ClientPlace(
            subject=lab.cell.Subject(client.name, client.version, _package(container, client), recipe.tag, image),
            argv=(
                *("docker", "exec", "--interactive"),
                *(word for name in ENVIRONMENT for word in ("--env", name)),
                *(container.id or "", *client.command),
            ),
            host=gateway,
            ca=f"{_FOLDER}/{_CA}",
            server_ca=f"{_FOLDER}/{_SERVER_CA}" if cell.ca else "",
            title=client.title,
        )


def _recipe(client: Client) -> Recipe:
    base = client.options.get("base")
    if not base:
        raise UsageError(f"{client.name}:{client.version} names no `base` for its image")
    arguments = tuple((key.upper(), str(value)) for key, value in client.options.items() if key != "base")
    return Recipe(f"client-{client.name}", client.version, client.folder, str(base), arguments)


def _start(engine: docker.DockerClient, client: Client, cell: Cell, image: str, run: str) -> tuple[Container, str]:
    """The client's container, which waits, and the address of this machine in its network."""
    name = f"stanzalab-client-{client.name}-{run}"
    gateway = network.create(engine, name, run).gateway
    facts = client.container
    container = engine.containers.run(
        image,
        ["sleep", "infinity"],
        detach=True,
        init=True,  # agents come and go: somebody has to reap what they leave
        name=name,
        hostname=client.name,
        labels=owners.labels(run),
        user=facts.user or None,
        network=name,
        dns=[LOOPBACK],
        dns_opt=["timeout:1", "attempts:1"],
        extra_hosts={cell.domain: gateway},
        mem_limit=facts.memory,
        memswap_limit=facts.memory,
        pids_limit=facts.pids,
        cap_drop=["ALL"],
        cap_add=list(facts.capabilities),
        security_opt=["no-new-privileges"],
        tmpfs=dict(facts.tmpfs),
    )
    return container, gateway


def _remove(engine: docker.DockerClient, run: str) -> None:
    with uninterrupted():
        owners.remove(engine, run)


def _package(container: Container, client: Client) -> str:
    """The exact version installed, as `[container] package` prints it."""
    if not client.container.package:
        return ""
    done = container.exec_run(list(client.container.package))
    assert isinstance(done.output, bytes)  # noqa: S101 - no stream was asked for
    return done.output.decode(errors="replace").strip() if done.exit_code == 0 else ""
