"""The local engine with real processes: a good subject, subjects that misbehave, labs that are interrupted."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

import lab.cell
from lab.engines import alive, choose, exits, leftovers, ports, venvs
from lab.engines.local import ENGINE
from lab.engines.ports import free_ports
from lab.errors import MachineError, UsageError
from lab.subjects import Subject, find
from tests.engines.fakes import Remembered, fake_subject, say, until

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _own_cache(cache: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.delenv("LAB_ENGINE", raising=False)
    if request.function is not test_pyjabber_serves:  # it is large: kept in the user's own cache
        monkeypatch.setenv("STANZALAB_CACHE", str(cache))


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    return tmp_path / "run"


def processes_of(folder: Path) -> list[psutil.Process]:
    """All processes that any lab with its cache in `folder` started and that live."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(leftovers.MARK, "").startswith(str(folder)):
                found.append(process)
        except psutil.Error:
            continue  # somebody else's, or gone meanwhile
    return found


def test_runs_a_subject_and_leaves_nothing(tmp_path: Path, run_dir: Path, cache: Path) -> None:
    subject = fake_subject(tmp_path)
    with ENGINE.start(subject, domain="lab.test", run_dir=run_dir, progress=Remembered()) as running:
        cell = lab.cell.read(running.cell_file)
        assert cell == running.cell
        assert say(cell.endpoints["c2s"], b"HELLO") == b"READY"
        assert alive(cell.process) is None
        assert cell.services == {"muc": "rooms.lab.test"}
        assert cell.component == lab.cell.Component("bridge.lab.test", "hush")
        assert cell.admin == lab.cell.Account("root", "lab.test", "toor")
        assert cell.accounts.method == "command"
        assert cell.accounts.argv[1:] == ("add.py", "{user}", "lab.test", "{password}")
        assert cell.provides == {"RFC 6120": "a dozen lines"}
        assert cell.ca is not None
        assert "BEGIN CERTIFICATE" in cell.ca.read_text()
        assert len(cell.client_certificates) == 2
        port = cell.endpoints["c2s"].port
        assert (run_dir / "subject/etc/greeting").read_text() == f"lab.test 1 {port} bitter"
    assert alive(cell.process) == "its process is gone"
    assert say(cell.endpoints["c2s"], b"HELLO") == b""
    assert processes_of(cache) == []
    assert list((cache / "running").iterdir()) == []
    assert exits(run_dir) == ()  # being stopped is no exit to report


def test_each_line_of_the_subject_has_its_time_of_arrival(tmp_path: Path, run_dir: Path) -> None:
    before = time.time()
    with ENGINE.start(fake_subject(tmp_path), domain="lab.test", run_dir=run_dir, progress=Remembered()) as running:
        assert running.log_file is not None
        line = running.log_file.read_text().splitlines()[0]
    match = re.fullmatch(r"(\d+\.\d{6}) a fake server, well", line)
    assert match
    assert before <= float(match[1]) <= time.time()


def test_a_subject_that_exits_at_start_is_reported_with_its_log(tmp_path: Path, run_dir: Path, cache: Path) -> None:
    began = time.monotonic()
    with (
        pytest.raises(MachineError) as caught,
        ENGINE.start(
            fake_subject(tmp_path, "exits", within=30), domain="lab.test", run_dir=run_dir, progress=Remembered()
        ),
    ):
        pytest.fail("it did not start")
    assert "it exited with code 3" in caught.value.cause
    assert "no such setting: frobnicate" in caught.value.cause
    assert str(run_dir / "server.log") in caught.value.hint
    assert time.monotonic() - began < 10  # the 30 s are not waited for
    assert list((cache / "running").iterdir()) == []


def test_a_failed_start_shows_the_last_30_lines(tmp_path: Path, run_dir: Path) -> None:
    with (
        pytest.raises(MachineError) as caught,
        ENGINE.start(
            fake_subject(tmp_path, "talks-and-exits"), domain="lab.test", run_dir=run_dir, progress=Remembered()
        ),
    ):
        pytest.fail("it did not start")
    lines = caught.value.cause.splitlines()
    assert lines[-1] == "line 99"
    assert "line 70" in lines
    assert "line 69" not in lines


@pytest.mark.parametrize(
    ("way", "why"), [("never-listens", "cannot be reached"), ("closes", "accepts and closes at once")]
)
def test_a_subject_that_never_answers_is_ended(
    tmp_path: Path, run_dir: Path, cache: Path, way: str, why: str
) -> None:
    with (
        pytest.raises(MachineError) as caught,
        ENGINE.start(
            fake_subject(tmp_path, way, within=0.7), domain="lab.test", run_dir=run_dir, progress=Remembered()
        ),
    ):
        pytest.fail("it did not start")
    assert "not ready after 0.7 s" in caught.value.cause
    assert why in caught.value.cause
    assert processes_of(cache) == []


def test_a_port_that_accepts_and_closes_at_first_is_waited_for(tmp_path: Path, run_dir: Path) -> None:
    with ENGINE.start(
        fake_subject(tmp_path, "proxy-first"), domain="lab.test", run_dir=run_dir, progress=Remembered()
    ) as running:
        assert say(running.cell.endpoints["c2s"], b"HELLO") == b"READY"


@pytest.mark.parametrize("way", ["ignores-term", "has-a-child"])
def test_what_ignores_term_is_killed(tmp_path: Path, run_dir: Path, cache: Path, way: str) -> None:
    with ENGINE.start(fake_subject(tmp_path, way), domain="lab.test", run_dir=run_dir, progress=Remembered()):
        assert len(processes_of(cache)) == (2 if way == "has-a-child" else 1)
    assert processes_of(cache) == []


def has_exited(run_dir: Path, times: int) -> Callable[[], bool]:
    return lambda: len(exits(run_dir)) == times


def test_a_subject_that_dies_is_restarted_three_times(tmp_path: Path, run_dir: Path) -> None:
    with ENGINE.start(fake_subject(tmp_path), domain="lab.test", run_dir=run_dir, progress=Remembered()) as running:
        cell, endpoint = running.cell, running.cell.endpoints["c2s"]
        for died, words in enumerate([b"DIE", b"CRASH", b"DIE"], 1):
            say(endpoint, words)
            until(has_exited(run_dir, died), f"exit {died} noted")
            until(lambda: say(endpoint, b"HELLO") == b"READY", "the restarted subject answers")
            assert alive(cell.process) is None
        say(endpoint, b"DIE")
        until(has_exited(run_dir, 4), "the last exit noted")
        assert alive(cell.process) == "its process is gone"
        assert say(endpoint, b"HELLO") == b""
    assert [exit_.why for exit_ in exits(run_dir)] == [
        "exited with code 7",
        "was killed by SIGSEGV",
        "exited with code 7",
        "exited with code 7",
    ]
    assert [exit_.restarted for exit_ in exits(run_dir)] == [True, True, True, False]
    assert running.log_file is not None
    log = running.log_file.read_text()
    assert log.count(" lab: subject exited with code 7, restarted\n") == 2
    assert " lab: subject was killed by SIGSEGV, restarted\n" in log
    assert " lab: subject exited with code 7, not restarted again\n" in log


@pytest.fixture
def lab_process(tmp_path: Path, run_dir: Path) -> Iterator[subprocess.Popen[str]]:
    """A lab in a process of its own, its subject ready."""
    subject = fake_subject(tmp_path)
    with _drive(subject, run_dir) as process:
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(2)] == ["starting\n", "ready\n"]
        yield process
        process.kill()


def _drive(subject: Subject, run_dir: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.engines.drive", str(subject.folder), str(run_dir)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_lab_leaves_nothing(
    lab_process: subprocess.Popen[str], cache: Path, number: signal.Signals
) -> None:
    assert len(processes_of(cache)) == 1
    lab_process.send_signal(number)
    _, errors = lab_process.communicate(timeout=20)
    assert lab_process.returncode == (-number if number == signal.SIGINT else 128 + number)
    assert ("KeyboardInterrupt" in errors) == (number == signal.SIGINT)
    assert processes_of(cache) == []
    assert list((cache / "running").iterdir()) == []


def test_ctrl_c_while_a_subject_starts_leaves_nothing(tmp_path: Path, run_dir: Path, cache: Path) -> None:
    with _drive(fake_subject(tmp_path, "never-listens", within=60), run_dir) as process:
        until(lambda: len(processes_of(cache)) == 1, "the subject runs")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert processes_of(cache) == []
    assert list((cache / "running").iterdir()) == []


def test_what_a_killed_lab_left_is_ended_at_the_next_start(
    lab_process: subprocess.Popen[str], tmp_path: Path, cache: Path
) -> None:
    lab_process.kill()
    lab_process.wait()
    (leftover,) = processes_of(cache)
    (record,) = (cache / "running").iterdir()
    progress = Remembered()
    with ENGINE.start(fake_subject(tmp_path), domain="lab.test", run_dir=tmp_path / "next", progress=progress):
        assert not leftover.is_running() or leftover.status() == psutil.STATUS_ZOMBIE
        assert not record.exists()
    assert any("a lab that is gone" in detail for detail in progress.details)


@pytest.mark.usefixtures("lab_process")
def test_the_subject_of_a_lab_that_lives_is_left_alone(tmp_path: Path, cache: Path) -> None:
    before = processes_of(cache)
    with ENGINE.start(fake_subject(tmp_path), domain="lab.test", run_dir=tmp_path / "next", progress=Remembered()):
        assert len(processes_of(cache)) == 2
    assert processes_of(cache) == before


def test_a_record_with_a_process_id_that_was_given_to_another_ends_nobody() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        record = leftovers.new_record()
        record.write_text(json.dumps({"owner": [1, 0.0], "leader": [stranger.pid, 1.0]}))
        assert not leftovers.runs(record)
        leftovers.sweep(Remembered())
        assert not record.exists()
        assert stranger.poll() is None
        stranger.communicate(b"\n")
    assert stranger.returncode == 0


def test_a_venv_is_made_once() -> None:
    progress = Remembered()
    first = venvs.ensure("once", (), progress)
    assert venvs.ensure("once", (), progress) == first
    assert len(progress.steps) == 1


def test_a_venv_that_an_interrupted_lab_left_is_made_anew() -> None:
    folder = venvs.ensure("interrupted", (), Remembered())
    (folder / "stanzalab-complete").unlink()
    (folder / "bin" / "python").unlink()
    assert venvs.ensure("interrupted", (), Remembered()) == folder
    assert (folder / "bin" / "python").exists()


def test_what_pip_cannot_install_is_reported_with_its_words(
    tmp_path: Path, run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    subject = fake_subject(tmp_path, requirements='"there-is-no-such-distribution==1"')
    with (
        pytest.raises(MachineError) as caught,
        ENGINE.start(subject, domain="lab.test", run_dir=run_dir, progress=Remembered()),
    ):
        pytest.fail("it did not start")
    assert "there-is-no-such-distribution" in caught.value.cause
    assert "PIP_INDEX_URL" in caught.value.hint


def test_the_extra_authority_is_trusted_beside_the_machines_own(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = tmp_path / "extra.pem"
    extra.write_text("an extra authority\n")
    monkeypatch.delenv("PIP_CERT", raising=False)
    monkeypatch.setenv("LAB_EXTRA_CA", str(extra))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(MachineError):
        venvs.ensure("extra", ("there-is-no-such-distribution",), Remembered())
    assert "an extra authority" in (cache / "ca-bundle.pem").read_text()


def test_a_run_folder_that_cannot_be_written_is_the_machines_fault(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file where a folder should be")
    with (
        pytest.raises(MachineError, match="cannot make ready what fake needs"),
        ENGINE.start(fake_subject(tmp_path), domain="lab.test", run_dir=tmp_path / "run", progress=Remembered()),
    ):
        pytest.fail("it did not start")


def test_ports_are_free_and_different() -> None:
    found = free_ports(5)
    assert len(set(found)) == 5


def test_a_taken_port_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = free_ports(2)
    monkeypatch.setattr(ports, "_RANGE", (first, second))
    with socket.create_server((ports.LOOPBACK, first)):
        assert free_ports(1) == [second]


def test_no_free_port_is_the_machines_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    (taken,) = free_ports(1)
    monkeypatch.setattr(ports, "_RANGE", range(taken, taken + 1))
    with (
        socket.create_server((ports.LOOPBACK, taken)),
        pytest.raises(MachineError, match="no 1 free ports"),
    ):
        free_ports(1)


def test_choose_takes_the_engine_that_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subject = fake_subject(tmp_path)
    assert choose(subject).name == "local"
    monkeypatch.setenv("LAB_ENGINE", "docker")
    with pytest.raises(UsageError, match="does not run in the engine 'docker'") as caught:
        choose(subject)
    assert caught.value.cause == "it runs in: local"


def test_pyjabber_serves(run_dir: Path) -> None:
    subject = find("pyjabber")
    assert subject.local is not None
    try:
        with ENGINE.start(subject, domain="lab.test", run_dir=run_dir, progress=Remembered()) as running:
            assert running.cell.domain == "localhost"
            assert running.cell.subject.package == "pyjabber 0.4.5"
            assert b"stream" in say(running.cell.endpoints["c2s"], subject.ready.send.encode())
    except MachineError as error:
        if "could not be installed" not in error.message:
            raise
        pytest.skip(f"pyjabber cannot be installed here: {error.cause.splitlines()[-1]}")
