"""The container engine: one cell is one container, on a network of its own that has no way out.

Reached through `DOCKER_HOST` or the default socket, Docker's or Podman's. What is made here is found again by the
labels of `owners`; images are made in `images`, the engine itself is provided by `provision`.
"""

from __future__ import annotations

import signal
import threading
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import cache
from pathlib import Path

import docker
from docker.errors import APIError, DockerException, NotFound
from docker.models.containers import Container
from docker.types import CancellableStream, LogConfig
from requests.exceptions import RequestException

from lab.cell import Endpoint, Process, Transport
from lab.engines import RESTARTS, Progress, Running, cells, network, owners, turn
from lab.engines.archive import archive
from lab.engines.given import given_image
from lab.engines.images import Recipe, subject_image
from lab.engines.names import Host
from lab.engines.network import CellNetwork
from lab.engines.ports import LOOPBACK, free_ports
from lab.engines.provision import connect, engine_state, knock
from lab.engines.readiness import did_not_start, wait_until_ready
from lab.engines.server_log import ServerLog
from lab.engines.signals import ended_by_signals, uninterrupted
from lab.engines.watch import Watch
from lab.errors import LabError, MachineError, UsageError
from lab.subjects import Container as ContainerFacts
from lab.subjects import Subject, fill

_PORT_TRIES = 3  # somebody may take a port between our look and the engine's
_PORT_TAKEN = ("address already in use", "port is already allocated")
# The engine's own copy of the output is followed, not kept: it need not fill the disk.
_LOG = LogConfig(type="json-file", config={"max-size": "4m", "max-file": "2"})


class DockerEngine:
    """The engine `docker`."""

    name = "docker"

    def unavailable(self) -> str | None:
        state = engine_state()
        return None if state.reachable else f"no engine answers at {state.endpoint} ({state.problem})"

    def prepare(self, subject: Subject, progress: Progress) -> None:
        """Make the image of `subject` where there is none of just its content."""
        with engine_errors(), closing(connect()) as client:
            _image(client, subject, progress)

    @contextmanager
    def start(
        self,
        subject: Subject,
        *,
        domain: str,
        run_dir: Path,
        progress: Progress,
        restarts: int = RESTARTS,
        beside: Running | None = None,
    ) -> Iterator[Running]:
        """Run `subject` until the block is left; see `lab.engines.Engine`."""
        facts = subject.container
        if facts is None:
            raise UsageError(f"{subject.name} has no [container] in its subject.toml")
        with ExitStack() as stack:
            stack.enter_context(ended_by_signals())
            stack.enter_context(engine_errors())
            client = connect()
            stack.callback(client.close)
            owners.sweep(client, progress)
            image = _image(client, subject, progress)
            certificates = cells.certify(subject, domain, run_dir, beside)
            log = ServerLog(run_dir)
            stack.callback(log.close)
            run = uuid.uuid4().hex[:12]
            stack.callback(_remove, client, run)
            name = f"stanzalab-{subject.name}-{run}"
            with uninterrupted():
                net = _network_beside(beside) or network.create(client, name, run)
            if beside is None:
                net = stack.enter_context(network.named(net, progress))
            server = _Server(client, subject, facts, image, domain, log, run, net)
            files = _files(subject, facts, domain, certificates.server.folder, named=net.names is not None)
            watch = Watch(run_dir, log, wait=server.wait, restart=server.spawn, restarts=restarts)
            # Left in the reverse order: the container goes, then the threads find that there is nothing to read.
            stack.callback(server.drain)
            stack.callback(watch.join)
            stack.callback(_remove, client, run)
            stack.callback(watch.end)
            progress.step(f"starting {subject.title} {subject.version}")
            with uninterrupted():
                endpoints = server.first_spawn(files)
            relay = turn.start(client, subject, domain=domain, network=net.name, run=run, progress=progress)
            wait_until_ready(subject, endpoints[subject.ready.port], domain=domain, log=log, gone=server.gone)
            server.make_admin()
            running = cells.publish(
                subject,
                domain=domain,
                run_dir=run_dir,
                endpoints=endpoints,
                certificates=certificates,
                process=Process("docker", server.id),
                log=log,
                package=server.package(),
                image=subject.image or _recipe(subject).tag,
                digest=image,
                account_command=server.account_command(),
                network=net,
                authority=certificates.authority,
                turn=relay,
            )
            watch.start()
            yield running


ENGINE = DockerEngine()


def _recipe(subject: Subject) -> Recipe:
    return Recipe(subject.name, subject.version, subject.folder, str(subject.options["base"]))


def _image(client: docker.DockerClient, subject: Subject, progress: Progress) -> str:
    """The id of the image that `subject` runs in: the one that somebody gave, or our own, built where it must be."""
    if subject.image:
        return given_image(client, subject.image, progress)
    return subject_image(client, _recipe(subject), progress)


def alive(process: Process) -> str | None:
    """None while the container of a cell runs, else why not. An engine that does not answer is a reason too."""
    try:
        return _exit_of(_client().containers.get(process.id))
    except NotFound:
        return "its container was removed"
    except (LabError, DockerException, RequestException) as error:
        return f"the container engine does not answer ({error})"


def memory(process: Process) -> int | None:
    """Bytes that the container's processes use, the kernel's caches left out; None where the engine cannot say."""
    try:
        stats = _client().api.stats(process.id, stream=False, one_shot=True)["memory_stats"]
        return int(stats["usage"]) - int(stats.get("stats", {}).get("inactive_file", 0))
    except (LabError, DockerException, RequestException, KeyError):
        return None


@cache
def _client() -> docker.DockerClient:
    """One connection for all the questions of this process."""
    return connect(timeout=10)


class _Server:
    """The subject's container in this run, through all restarts."""

    def __init__(
        self,
        client: docker.DockerClient,
        subject: Subject,
        facts: ContainerFacts,
        image: str,
        domain: str,
        log: ServerLog,
        run: str,
        net: CellNetwork,
    ) -> None:
        self._client, self._subject, self._facts = client, subject, facts
        self._image, self._domain, self._log = image, domain, log
        self._run, self._network = run, net
        self._container: Container | None = None
        self._reader: threading.Thread | None = None

    @property
    def container(self) -> Container:
        assert self._container is not None  # noqa: S101 - made by `first_spawn`
        return self._container

    @property
    def id(self) -> str:
        return self.container.id or ""

    def first_spawn(self, files: bytes) -> dict[Transport, Endpoint]:
        """Make the container with `files` (a tar archive) in it, and start it; where its ports are."""
        for left in reversed(range(_PORT_TRIES)):
            transports = self._subject.ports
            endpoints = {
                transport: Endpoint(LOOPBACK, port)
                for transport, port in zip(transports, free_ports(len(transports)), strict=True)
            }
            self._container = self._create(endpoints)
            self._container.put_archive("/", files)
            try:
                self._start()
            except APIError as error:
                if left and any(words in str(error) for words in _PORT_TAKEN):
                    self._container.remove(force=True)
                    continue
                raise did_not_start(self._subject, str(error.explanation or error), self._log) from error
            break
        return endpoints

    def _create(self, endpoints: dict[Transport, Endpoint]) -> Container:
        facts = self._facts
        values = {"domain": self._domain, "version": self._subject.version, "certificates": facts.certificates}
        return self._client.containers.create(
            self._image,
            [fill(word, **values) for word in facts.command] or None,
            name=f"stanzalab-{self._subject.name}-{self._run}",
            hostname=self._subject.name,
            labels=owners.labels(self._run),
            user=facts.user or None,
            network=self._network.name,
            # Names from outside are nobody's to resolve, and whoever asks all the same does not wait for long.
            dns=[self._network.resolver],
            dns_opt=["timeout:1", "attempts:1"],
            # Ports of our own choice: those that the engine chooses change at a restart.
            ports={
                f"{port}/tcp": (LOOPBACK, endpoints[transport].port)
                for transport, port in self._subject.ports.items()
            },
            mem_limit=facts.memory,
            memswap_limit=facts.memory,
            pids_limit=facts.pids,
            cap_drop=["ALL"],
            cap_add=list(facts.capabilities),
            security_opt=["no-new-privileges"],
            tmpfs=dict(facts.tmpfs),
            log_config=_LOG,
        )

    def spawn(self) -> None:
        """Start the container again, without waiting until the subject is ready."""
        with engine_errors():
            self._start()

    def _start(self) -> None:
        knock()
        # Attached before it starts, so that no word is lost; following the engine's log instead may never end.
        output = self.container.attach(stdout=True, stderr=True, stream=True)
        self._reader = threading.Thread(target=self._copy, args=(output,), name="server.log", daemon=True)
        self._reader.start()
        self.container.start()
        self._register()

    def _register(self) -> None:
        """Tell the cell's name server where the subject's domains are now."""
        if self._network.names is None:
            return
        self.container.reload()
        address = self.container.attrs["NetworkSettings"]["Networks"][self._network.name]["IPAddress"]
        ports = self._subject.ports
        host = Host(address, ports.get("s2s"), ports.get("s2s-direct-tls"))
        served = (self._domain, *self._subject.services_of(self._domain).values())
        component = self._subject.component_of(self._domain)
        self._network.names.register(dict.fromkeys((*served, *((component.domain,) if component else ())), host))

    def wait(self) -> str:
        """Block until it exits; says how."""
        try:
            self._client.api.wait(self.id, timeout=None)
            self.drain(1.0)
            return self.gone() or "was restarted by somebody else"
        except (DockerException, RequestException) as error:
            return f"cannot be seen any more: the container engine does not answer ({error})"

    def gone(self) -> str | None:
        """How it exited, or None while it runs."""
        self.container.reload()
        return _exit_of(self.container)

    def drain(self, timeout: float = 10.0) -> None:
        """Wait until the subject's last words are in the log."""
        if self._reader is not None:
            self._reader.join(timeout)

    def make_admin(self) -> None:
        """Make the administrator's account where a command does that; raises MachineError where it fails."""
        admin = self._subject.admin
        if admin is None or not admin.command:
            return
        values = {"user": admin.localpart, "domain": self._domain, "password": admin.password}
        code, output = self._exec([fill(word, **values) for word in admin.command])
        if code != 0:
            raise MachineError(
                f"{self._subject.name} has no administrator: its command exited with code {code}",
                cause=output,
                hint=f"mend [admin] in {self._subject.folder / 'subject.toml'}",
            )

    def package(self) -> str:
        """The exact version installed, as `[container] package` prints it."""
        if not self._facts.package:
            return ""
        code, output = self._exec(list(self._facts.package))
        return output if code == 0 else ""

    def _exec(self, command: list[str]) -> tuple[int, str]:
        """Run a command in the container: its exit code and its output."""
        done = self.container.exec_run(command)
        assert isinstance(done.output, bytes)  # noqa: S101 - no stream was asked for
        return done.exit_code or 0, done.output.decode(errors="replace").strip()

    def account_command(self) -> tuple[str, ...]:
        """What makes an account when run on this machine."""
        command = self._subject.accounts.command
        if not command:
            return ()
        places = {"domain": self._domain, "user": "{user}", "password": "{password}"}
        return ("docker", "exec", self.id, *(fill(word, **places) for word in command))

    def _copy(self, output: CancellableStream[bytes]) -> None:
        rest = b""
        with suppress(OSError):  # an engine that dies ends the words too
            for chunk in output:
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    self._log.line(line)
        if rest:
            self._log.line(rest)
        # The stream's own close() shuts the socket down, but leaves it open.
        output._response.close()  # type: ignore[attr-defined]  # not in its stubs


def _network_beside(beside: Running | None) -> CellNetwork | None:
    """The network of a cell that runs already, where the subject is to join it."""
    if beside is None:
        return None
    if beside.network is None:
        raise UsageError(f"{beside.cell.subject.name} runs in no network that another server could join")
    return beside.network


def _remove(client: docker.DockerClient, run: str) -> None:
    """Remove all that was made for this run, also where making it was interrupted half way."""
    knock()
    with uninterrupted():
        owners.remove(client, run)


def _files(subject: Subject, facts: ContainerFacts, domain: str, certificates: Path, *, named: bool) -> bytes:
    """The subject's certificates and configuration as a tar archive, readable for whatever user it runs as."""
    files = {f"{facts.certificates}/{path.name}": path.read_bytes() for path in sorted(certificates.iterdir())}
    for template, place in subject.files.items():
        text = subject.render(
            template,
            domain=domain,
            ports=subject.ports,
            certificates=facts.certificates,
            work="/tmp",  # noqa: S108 - the container's own
            named=named,
        )
        files[place] = text.encode()
    return archive(files, facts.certificates)


def _exit_of(container: Container) -> str | None:
    """How a container exited, or None while it runs (or has not run yet)."""
    state = container.attrs["State"]
    if state["Status"] in {"running", "created", "restarting"}:
        return None
    if state.get("OOMKilled"):
        limit = container.attrs["HostConfig"]["Memory"] // 2**20
        return f"was killed by SIGKILL: out of memory, its limit is {limit} MiB"
    code = state["ExitCode"]
    if 128 < code < 128 + signal.NSIG:
        return f"was killed by {signal.Signals(code - 128).name}"
    return f"exited with code {code}"


@contextmanager
def engine_errors() -> Iterator[None]:
    """The SDK's errors, as the machine's."""
    try:
        yield
    except APIError as error:
        raise MachineError(
            "the container engine refused",
            cause=str(error.explanation or error),
            hint="`stanzalab doctor` looks at the engine",
        ) from error
    except (DockerException, RequestException, ConnectionError, FileNotFoundError) as error:
        raise MachineError(
            "the container engine went away",
            cause=str(error),
            hint="start it again; what it still holds of this run is removed at the next one",
        ) from error
