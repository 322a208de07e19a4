"""The Docker engine with a real engine and a real Prosody: cells come up, go away, and leave nothing behind."""

from __future__ import annotations

import hmac
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

import docker
import pytest

import lab.cell
from lab.cell import Process
from lab.engines import alive, choose, exits, owners
from lab.engines.docker import ENGINE
from lab.engines.owners import OWNER_LABEL, RUN_LABEL, lives, owner
from lab.errors import MachineError
from lab.subjects import Subject, fill, find
from lab.wire import turn
from tests.engines.fakes import Remembered, say, until

pytestmark = pytest.mark.engine
ROOT = Path(__file__).parents[2]
LEFT = 3
"""What a cell of Prosody's is to the engine: a network, the server, and the TURN server beside it."""


@pytest.fixture(autouse=True)
def _no_choice_of_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAB_ENGINE", raising=False)


@pytest.fixture
def client() -> Iterator[docker.DockerClient]:
    client = docker.from_env()
    yield client
    client.close()


@pytest.fixture
def prosody() -> Subject:
    return find("prosody")


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    return folder


def left_by(client: docker.DockerClient, pid: int) -> list[str]:
    """Containers and networks that the lab process `pid` owns."""
    everything = [
        *((each.name, each.labels) for each in client.containers.list(all=True, ignore_removed=True)),
        *((each.name, each.attrs["Labels"] or {}) for each in client.networks.list()),
    ]
    return [str(name) for name, labels in everything if labels.get(OWNER_LABEL, "").split(" ")[2:3] == [str(pid)]]


def greeting(subject: Subject) -> bytes:
    return fill(subject.ready.send, domain="lab.test").encode()


def test_a_cell_comes_up_and_leaves_nothing(prosody: Subject, run_dir: Path, client: docker.DockerClient) -> None:
    with choose(prosody).start(prosody, domain="lab.test", run_dir=run_dir, progress=Remembered()) as running:
        cell = lab.cell.read(running.cell_file)
        assert cell == running.cell
        assert alive(cell.process) is None
        assert b"stream" in say(cell.endpoints["c2s"], greeting(prosody))
        assert {endpoint.host for endpoint in cell.endpoints.values()} == {"127.0.0.1"}
        within_http = {"websocket", "websocket-plain", "bosh", "bosh-plain"}
        assert set(cell.endpoints) == set(prosody.ports) | within_http
        assert cell.subject.package.startswith("13.0.")
        assert cell.subject.digest.startswith("sha256:")
        container = client.containers.get(cell.process.id)
        limits = container.attrs["HostConfig"]
        assert limits["Memory"] == 512 * 2**20
        assert limits["PidsLimit"] == 64
        assert limits["CapDrop"] == ["ALL"]
        assert limits["SecurityOpt"] == ["no-new-privileges"]
        assert limits["Binds"] is None
        assert running.log_file is not None
        assert "Prosody version 13.0" in running.log_file.read_text()
    assert alive(cell.process) == "its container was removed"
    assert left_by(client, os.getpid()) == []
    assert exits(run_dir) == ()  # being stopped is no exit to report


def test_a_cell_has_the_turn_server_that_its_subject_names(prosody: Subject, run_dir: Path) -> None:
    with ENGINE.start(prosody, domain="lab.test", run_dir=run_dir, progress=Remembered()) as running:
        place = running.cell.turn
        assert place is not None
        assert (place.host, place.port, place.reached.host) == ("turn.lab.test", 3478, "127.0.0.1")
        name = str(int(time.time()) + 600)
        digest = hmac.digest(b"turn-secret", name.encode(), "sha1")
        for over in ("udp", "tcp"):
            allocate = partial(turn.allocate, place.reached.host, place.reached.port, name, over=over, patience=20.0)
            assert allocate(b64encode(digest).decode())[0]
            with pytest.raises(turn.Refused, match="401"):
                allocate("another password")


def test_a_cell_has_no_way_out(prosody: Subject, run_dir: Path, client: docker.DockerClient) -> None:
    with ENGINE.start(prosody, domain="lab.test", run_dir=run_dir, progress=Remembered()) as running:
        container = client.containers.get(running.cell.process.id)
        (network,) = container.attrs["NetworkSettings"]["Networks"]
        options = client.networks.get(network).attrs["Options"]
        assert options["com.docker.network.bridge.enable_ip_masquerade"] == "false"
        code, output = container.exec_run(["getent", "ahostsv4", "example.org"])
        assert code != 0, output


def test_a_subject_that_dies_is_restarted_on_the_same_ports(
    prosody: Subject, run_dir: Path, client: docker.DockerClient
) -> None:
    with ENGINE.start(prosody, domain="lab.test", run_dir=run_dir, progress=Remembered()) as running:
        client.containers.get(running.cell.process.id).kill()
        until(lambda: bool(exits(run_dir)), "the exit is noted")
        endpoint = running.cell.endpoints["c2s"]
        until(lambda: b"stream" in say(endpoint, greeting(prosody)), "it answers again")
        assert alive(running.cell.process) is None
        assert running.log_file is not None
        log = running.log_file.read_text()
    (exit_,) = exits(run_dir)
    assert exit_.why == "was killed by SIGKILL"
    assert exit_.restarted
    assert "lab: subject was killed by SIGKILL, restarted" in log
    assert log.count("Hello and welcome to Prosody") == 2


def test_a_broken_configuration_is_shown_with_the_subjects_words(
    tmp_path: Path, run_dir: Path, client: docker.DockerClient
) -> None:
    folder = tmp_path / "prosody"
    shutil.copytree(find("prosody").folder, folder)
    (folder / "prosody.cfg.lua.j2").write_text("this is not Lua\n")
    with (
        pytest.raises(MachineError) as caught,
        ENGINE.start(find(str(folder)), domain="lab.test", run_dir=run_dir, progress=Remembered()),
    ):
        pytest.fail("it cannot start")
    assert "prosody:13.0 did not start" in caught.value.message
    assert "exited with code 1" in caught.value.cause
    assert "syntax error" in caught.value.cause
    assert left_by(client, os.getpid()) == []


def test_a_command_that_is_not_there_is_said(tmp_path: Path, run_dir: Path, client: docker.DockerClient) -> None:
    folder = tmp_path / "prosody"
    shutil.copytree(find("prosody").folder, folder)
    file = folder / "subject.toml"
    file.write_text(file.read_text().replace("[container]", '[container]\ncommand = ["no-such-program"]'))
    with (
        pytest.raises(MachineError, match="did not start") as caught,
        ENGINE.start(find(str(folder)), domain="lab.test", run_dir=run_dir, progress=Remembered()),
    ):
        pytest.fail("it cannot start")
    assert "no-such-program" in caught.value.cause
    assert left_by(client, os.getpid()) == []


# --- labs that are interrupted ----------------------------------------------------------------------------


@pytest.fixture
def drive(run_dir: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """A lab in a process of its own; killed at the end where it still runs."""
    with ExitStack() as stack:

        def start() -> subprocess.Popen[str]:
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "tests.engines.drive", "prosody", str(run_dir)],
                    cwd=ROOT,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            stack.callback(process.kill)
            return process

        yield start


def read_until(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() == word:
            return
    pytest.fail(f"the lab ended without saying {word!r}")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_lab_leaves_nothing(
    drive: Callable[[], subprocess.Popen[str]], client: docker.DockerClient, number: signal.Signals
) -> None:
    process = drive()
    read_until(process, "ready")
    assert len(left_by(client, process.pid)) == LEFT
    process.send_signal(number)
    assert process.wait(timeout=30) != 0
    assert left_by(client, process.pid) == []


def test_a_lab_interrupted_while_it_starts_a_cell_leaves_nothing(
    drive: Callable[[], subprocess.Popen[str]], client: docker.DockerClient
) -> None:
    process = drive()
    read_until(process, "starting")
    until(lambda: bool(left_by(client, process.pid)), "something was made")
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) != 0
    assert left_by(client, process.pid) == []


def test_what_a_killed_lab_left_is_removed_by_the_next(
    drive: Callable[[], subprocess.Popen[str]], client: docker.DockerClient
) -> None:
    strangers = client.networks.create("stanzalab-test-stranger", labels={RUN_LABEL: "of-nobody"})
    try:
        process = drive()
        read_until(process, "ready")
        process.kill()
        process.wait()
        assert len(left_by(client, process.pid)) == LEFT
        progress = Remembered()
        owners.sweep(client, progress)
        assert left_by(client, process.pid) == []
        assert any("left behind" in detail for detail in progress.details)
        strangers.reload()  # raises if it was removed: it names no owner
    finally:
        strangers.remove()


def test_owners() -> None:
    host, boot, pid, started = owner().split(" ")
    assert lives(owner())
    assert not lives(f"{host} {boot} {pid} {float(started) - 60:.2f}")  # the number came again
    assert not lives(f"{host} an-earlier-boot {pid} {started}")
    assert lives(f"another-host {boot} 1 0.00")  # which only that host can tell
    assert lives("something else")


# --- engines that are not there ---------------------------------------------------------------------------


def test_an_engine_that_does_not_answer_is_said(
    prosody: Subject, run_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    assert "no.sock" in (ENGINE.unavailable() or "")
    with pytest.raises(MachineError, match="nothing on this machine can run prosody"):
        choose(prosody)
    with (
        pytest.raises(MachineError) as caught,
        ENGINE.start(prosody, domain="lab.test", run_dir=run_dir, progress=Remembered()),
    ):
        pytest.fail("there is no engine")
    assert "DOCKER_HOST" in caught.value.hint


class Between:
    """A socket that passes everything on to the real engine, until it is closed: an engine that can die.

    `watched` is set once somebody waits for a container's exit.
    """

    def __init__(self, path: Path) -> None:
        self.watched = threading.Event()
        self._sockets: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.socket(socket.AF_UNIX)
                self._sockets += [near, far]
                far.connect("/var/run/docker.sock")
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
                if b"/wait HTTP/1.1" in data:
                    self.watched.set()
            sink.shutdown(socket.SHUT_WR)

    def die(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()  # what it has just taken in is closed, too
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


@pytest.mark.skipif("DOCKER_HOST" in os.environ, reason="stands before the default socket")
def test_an_engine_that_dies_in_mid_run_is_the_machines_fault(
    prosody: Subject, run_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client: docker.DockerClient
) -> None:
    between = Between(tmp_path / "engine.sock")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/engine.sock")
    began = 0.0
    run = ""
    try:
        with (  # noqa: PT012 - what it raises, it raises when the block is left
            pytest.raises(MachineError, match="engine went away") as caught,
            ENGINE.start(prosody, domain="lab.test", run_dir=run_dir, progress=Remembered()) as running,
        ):
            run = client.containers.get(running.cell.process.id).labels[RUN_LABEL]
            # Not before the watch has asked: the SDK leaves a socket open where it finds nobody to connect to.
            assert between.watched.wait(10)
            between.die()
            began = time.monotonic()
        assert time.monotonic() - began < 20
        assert "start it again" in caught.value.hint
        assert lab.cell.read(running.cell_file) == running.cell  # what was written stays
    finally:
        between.die()
        owners.remove(client, run)
    assert left_by(client, os.getpid()) == []


def test_a_container_that_is_gone_is_not_alive() -> None:
    assert alive(Process("docker", "0" * 64)) == "its container was removed"
