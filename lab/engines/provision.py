"""Makes sure that a container engine answers, and that debootstrap is there where a base must be made.

On Debian or Ubuntu as root the distribution's own packages are installed and the daemon is started; anywhere
else the user is told exactly what to install. Nothing here builds an image or starts a subject.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import docker
from docker.errors import DockerException

from lab.engines import Progress
from lab.engines.locks import only_one_lab
from lab.errors import MachineError

PACKAGES = ("docker.io", "iptables", "debootstrap")
START_SECONDS = 60.0
SERVICE_SECONDS = 15.0
DAEMON_LOG = Path("/var/log/stanzalab-dockerd.log")


@dataclass(frozen=True)
class EngineState:
    """What is known of the engine. `problem` is empty when it answers; `version` is empty when it does not."""

    endpoint: str
    version: str
    problem: str
    dockerd: bool
    root: bool
    distribution: str
    apt: bool

    @property
    def reachable(self) -> bool:
        return not self.problem


def connect(timeout: float = 60.0) -> docker.DockerClient:
    """A client of the engine at `DOCKER_HOST` or the default socket; `timeout` in seconds bounds each answer.

    Raises MachineError when no engine answers.
    """
    try:
        knock()
        return docker.from_env(timeout=int(timeout))
    except (DockerException, OSError) as error:
        raise MachineError(
            "no container engine answers",
            cause=_innermost(error),
            hint=_advice(_facts(problem=_innermost(error))),
        ) from error


def knock() -> None:
    """Raises OSError where nobody listens on the engine's Unix socket.

    The SDK would say so too, but leaves a socket open each time.
    """
    scheme, _, path = _endpoint().partition("://")
    if scheme == "unix":
        with socket.socket(socket.AF_UNIX) as door:
            door.settimeout(5)
            door.connect(path)


def engine_state() -> EngineState:
    """Ask the engine, and look at the machine."""
    try:
        knock()
        client = docker.from_env(timeout=5)
    except (DockerException, OSError) as error:
        return _facts(problem=_innermost(error))
    try:
        version = client.version()
        name = next((part["Name"] for part in version.get("Components", ())), "Engine")
        return _facts(version=f"{name} {version['Version']}")
    except DockerException as error:
        return _facts(problem=_innermost(error))
    finally:
        client.close()


def ensure_engine(progress: Progress) -> None:
    """Return once an engine answers; install and start Docker where the lab may. Raises MachineError."""
    state = engine_state()
    if state.reachable:
        return
    if not _may_provide(state):
        raise MachineError("no container engine answers", cause=state.problem, hint=_advice(state))
    with only_one_lab("engine", progress):
        if engine_state().reachable:
            return
        if not state.dockerd:
            progress.step(f"installing {', '.join(PACKAGES)} with apt-get")
            apt_install(PACKAGES, progress)
        progress.step("starting the Docker daemon")
        _start(progress)


def ensure_debootstrap(progress: Progress) -> None:
    """Return once debootstrap can be run. Raises MachineError where it cannot be had."""
    if os.geteuid() != 0:
        raise MachineError(
            "a base image cannot be made here",
            cause="no image registry answers, and debootstrap has to be run by root",
            hint="run the lab once as root, or load the Debian image yourself: docker pull debian:trixie-slim",
        )
    if shutil.which("debootstrap"):
        return
    if not shutil.which("apt-get"):
        raise MachineError(
            "a base image cannot be made here",
            cause="no image registry answers, and there is no debootstrap",
            hint="install debootstrap from your distribution",
        )
    progress.step("installing debootstrap with apt-get")
    apt_install(("debootstrap", "debian-archive-keyring"), progress)


def apt_install(packages: tuple[str, ...], progress: Progress) -> None:
    """Install distribution packages, fetching the package lists where they are missing or out of date."""
    install = (
        "apt-get",
        "install",
        "--yes",
        "--no-install-recommends",
        "-o",
        "DPkg::Lock::Timeout=300",
        *packages,
    )
    first = _apt(install)
    if first.returncode == 0:
        return
    progress.detail("apt-get update")
    _apt(("apt-get", "update"))
    second = _apt(install)
    if second.returncode != 0:
        raise MachineError(
            f"apt-get could not install {', '.join(packages)}",
            cause=_last_lines(second.stdout, 15),
            hint="run `apt-get update`, then the install by hand, and mend what it says",
        )


def _apt(command: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(
        command,
        check=False,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )


def _start(progress: Progress) -> None:
    """Start the daemon as the machine does it: systemd, else the init script, else by hand."""
    if Path("/run/systemd/system").is_dir():
        _start_service(("systemctl", "start", "docker"))
    elif Path("/etc/init.d/docker").exists() and shutil.which("service"):
        _start_service(("service", "docker", "start"))
    if _answers_within(0):
        return
    progress.detail(f"no service manager started it; running dockerd, log in {DAEMON_LOG}")
    _start_by_hand()


def _start_service(command: tuple[str, ...]) -> None:
    try:
        done = subprocess.run(command, check=False, capture_output=True, timeout=START_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return
    if done.returncode == 0:
        _answers_within(SERVICE_SECONDS)


def _start_by_hand() -> None:
    """Run dockerd in a session of its own, so that it outlives the lab. Raises MachineError with its log."""
    dockerd = shutil.which("dockerd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if dockerd is None:
        raise MachineError("there is no dockerd", hint=f"install {', '.join(PACKAGES)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    pid = os.posix_spawn(
        dockerd,
        [dockerd],
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(DAEMON_LOG), flags, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if _answers_within(0.5):
            return
        if os.waitpid(pid, os.WNOHANG)[0]:
            break
    raise MachineError(
        "the Docker daemon does not start",
        cause=_last_lines(DAEMON_LOG.read_text(encoding="utf-8", errors="replace"), 10),
        hint="mend what its log says, or run with LAB_ENGINE=local",
    )


def _answers_within(seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not engine_state().reachable:
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.1)
    return True


def _may_provide(state: EngineState) -> bool:
    """Only where nobody chose another engine, and where the distribution's packages are known to serve."""
    return "DOCKER_HOST" not in os.environ and state.root and state.apt and state.distribution in {"debian", "ubuntu"}


def _advice(state: EngineState) -> str:
    """What the user has to do, on this machine, for an engine to answer."""
    local = "or run without containers: LAB_ENGINE=local"
    if "DOCKER_HOST" in os.environ:
        return f"start the engine that DOCKER_HOST names ({state.endpoint}), or unset DOCKER_HOST, {local}"
    if "Permission denied" in state.problem:
        return f"let your user talk to Docker (`sudo usermod -aG docker $USER`, then log in again), {local}"
    if state.dockerd:
        return f"start Docker as root (`systemctl start docker`), {local}"
    if state.apt:
        return f"run as root: apt-get install --no-install-recommends {' '.join(PACKAGES)}, {local}"
    return (
        "install Docker (package `docker` or `moby-engine`) and start it, or Podman with its socket "
        f"(`systemctl start podman.socket`, DOCKER_HOST=unix:///run/podman/podman.sock), {local}"
    )


def _endpoint() -> str:
    return os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"


def _facts(version: str = "", problem: str = "") -> EngineState:
    return EngineState(
        endpoint=_endpoint(),
        version=version,
        problem=problem,
        dockerd=shutil.which("dockerd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin") is not None,
        root=os.geteuid() == 0,
        distribution=_distribution(),
        apt=shutil.which("apt-get") is not None,
    )


def _distribution() -> str:
    """`debian`, `ubuntu`, or the machine's own name where it is not said to be like one of them."""
    try:
        lines = Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    said = {key: value.strip('"') for key, _, value in (line.partition("=") for line in lines)}
    names = [said.get("ID", ""), *said.get("ID_LIKE", "").split()]
    return next((name for name in names if name in {"ubuntu", "debian"}), names[0])


def _innermost(error: BaseException) -> str:
    """The engine's SDK wraps the operating system's word several times; this is that word."""
    inner: BaseException = error
    while (below := inner.__cause__ or inner.__context__) is not None:
        inner = below
    return str(inner)


def _last_lines(text: str, count: int) -> str:
    return "\n".join(text.strip().splitlines()[-count:])
