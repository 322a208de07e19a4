"""Providing an engine: what is asked of the machine, and what the user is told; apt-get and dockerd are fakes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lab.engines import provision
from lab.engines.provision import EngineState, apt_install, connect, engine_state, ensure_engine
from lab.errors import Exit, MachineError
from tests.engines.fakes import Remembered

NOTHING_HERE = EngineState(
    endpoint="unix:///var/run/docker.sock",
    version="",
    problem="[Errno 2] No such file or directory",
    dockerd=False,
    root=False,
    distribution="debian",
    apt=True,
)


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Put a shell script on PATH, before everything else."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))

    def write(name: str, script: str) -> None:
        file = tmp_path / name
        file.write_text(f'#!/bin/sh\necho "$(basename $0) $*" >> "$CALLS"\n{script}\n')
        file.chmod(0o755)

    return write


def calls(tmp_path: Path) -> list[str]:
    return [" ".join(line.split()[:2]) for line in (tmp_path / "calls").read_text().splitlines()]


@pytest.mark.engine
def test_an_engine_that_answers_is_left_as_it_is() -> None:
    progress = Remembered()
    ensure_engine(progress)
    assert progress.steps == []
    state = engine_state()
    assert state.reachable
    assert state.version


def test_an_engine_that_the_user_chose_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    for ask in (lambda: ensure_engine(Remembered()), connect):
        with pytest.raises(MachineError) as caught:
            ask()
        assert caught.value.exit_code == Exit.MACHINE
        assert "No such file" in caught.value.cause
        assert f"unix://{tmp_path}/none.sock" in caught.value.hint


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        (NOTHING_HERE, "apt-get install --no-install-recommends docker.io iptables debootstrap"),
        (replace(NOTHING_HERE, dockerd=True), "systemctl start docker"),
        (replace(NOTHING_HERE, problem="[Errno 13] Permission denied"), "usermod -aG docker"),
        (replace(NOTHING_HERE, distribution="fedora", apt=False, root=True), "podman.socket"),
    ],
)
def test_who_cannot_be_helped_is_told_what_to_do(
    facts: EngineState, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(provision, "engine_state", lambda: facts)
    with pytest.raises(MachineError) as caught:
        ensure_engine(Remembered())
    assert told in caught.value.hint
    assert "LAB_ENGINE=local" in caught.value.hint


def test_missing_package_lists_are_fetched(tmp_path: Path, program: Callable[[str, str], None]) -> None:
    program("apt-get", f'[ "$1" = update ] && touch {tmp_path}/lists; [ -e {tmp_path}/lists ]')
    apt_install(("a-package",), Remembered())
    assert calls(tmp_path) == ["apt-get install", "apt-get update", "apt-get install"]


def test_lists_that_are_there_are_not_fetched_again(tmp_path: Path, program: Callable[[str, str], None]) -> None:
    program("apt-get", "exit 0")
    apt_install(("a-package",), Remembered())
    assert calls(tmp_path) == ["apt-get install"]


def test_what_apt_says_is_shown(program: Callable[[str, str], None]) -> None:
    program("apt-get", "echo E: Unable to locate package; exit 100")
    with pytest.raises(MachineError, match="could not install a-package") as caught:
        apt_install(("a-package",), Remembered())
    assert "Unable to locate package" in caught.value.cause


def test_docker_is_installed_and_its_failure_shown(
    tmp_path: Path, program: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setenv("STANZALAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(provision, "engine_state", lambda: replace(NOTHING_HERE, root=True))
    monkeypatch.setattr(provision, "DAEMON_LOG", tmp_path / "dockerd.log")
    program("apt-get", "exit 0")
    for service in ("systemctl", "service"):
        program(service, "exit 1")
    program("dockerd", "echo failed to start daemon: no iptables; exit 1")
    progress = Remembered()
    with pytest.raises(MachineError, match="the Docker daemon does not start") as caught:
        ensure_engine(progress)
    assert caught.value.cause == "failed to start daemon: no iptables"
    assert "installing docker.io, iptables, debootstrap with apt-get" in progress.steps
    assert calls(tmp_path)[0] == "apt-get install"
    assert calls(tmp_path)[-1] == "dockerd"
