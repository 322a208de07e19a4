"""One process of a cell: its limit, how it is stopped, and that nothing of it is left."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from lab.engines import leftovers
from lab.matrix import attempt
from lab.matrix.attempt import Brake, End, reason
from tests.matrix.conftest import BOUND, until
from tests.matrix.subjects import ROOT

# Its own subject runs in a session of its own, marked as the lab marks it; then it waits for ever.
LAB_WITH_A_SUBJECT = """
import os, subprocess, sys, time
from lab.engines import leftovers
record = leftovers.new_record()
subject = subprocess.Popen(
    [sys.executable, "-c", "import time; time.sleep(600)"],
    env={**os.environ, leftovers.MARK: str(record)}, start_new_session=True,
)
leftovers.note(record, subject.pid)
print(subject.pid, flush=True)
open(sys.argv[1], "w").write(str(subject.pid))
time.sleep(600)
"""


@pytest.fixture
def deaf() -> Iterator[None]:
    """Processes that are started ignore SIGINT, from their first moment on."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, before)


def run(*command: str, limit: float = BOUND, grace: float = BOUND, brake: Brake | None = None) -> End:
    async def all_of_it() -> End:
        return await attempt.run(
            command, limit=limit, grace=grace, brake=brake or Brake(), begun=lambda _pid, _born: None
        )

    return asyncio.run(all_of_it())


def lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_an_exit_code_and_last_words() -> None:
    end = run("sh", "-c", "echo one; echo two >&2; exit 7")
    assert (end.exit, end.said) == (7, "one\ntwo\n")
    assert not end.timed_out
    assert not end.interrupted


def test_a_flood_of_words_is_cut_to_the_last() -> None:
    end = run(sys.executable, "-c", "print('x' * 3_000_000); print('the end')")
    assert end.said.endswith("the end\n")
    assert len(end.said) <= attempt.KEPT


def test_words_that_are_no_text() -> None:
    assert run("printf", r"\377\376").said == "\\xff\\xfe"


def test_a_child_that_holds_the_pipe_open_holds_nobody_up() -> None:
    end = run("sh", "-c", "sleep 600 & echo $!")
    psutil.Process(int(end.said)).kill()
    assert end.exit == 0


def test_a_process_that_is_not_done_in_time_is_asked_to_stop() -> None:
    end = run(sys.executable, "-c", "import time; time.sleep(600)", limit=0.5)
    assert end.timed_out
    assert not end.killed
    assert end.exit not in {0, None}


@pytest.mark.usefixtures("deaf")
def test_one_that_does_not_stop_is_killed() -> None:
    end = run(sys.executable, "-c", "import time; time.sleep(600)", limit=0.2, grace=0.2)
    assert (end.exit, end.timed_out, end.killed) == (-signal.SIGKILL, True, True)


@pytest.mark.usefixtures("deaf")
def test_what_a_killed_lab_had_started_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STANZALAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")  # no engine: that is no reason to leave it
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    others = leftovers.new_record()  # of a lab that lives: this one
    other = subprocess.Popen(["sleep", "600"], env={leftovers.MARK: str(others), "PATH": "/bin:/usr/bin"})
    leftovers.note(others, other.pid)
    brake = Brake()

    async def killed_when_its_subject_runs() -> End:
        def begun(_pid: int, _born: float) -> None:
            asyncio.get_running_loop().create_task(kill())

        async def kill() -> None:
            while not (tmp_path / "subject").exists() or not (tmp_path / "subject").read_text():
                await asyncio.sleep(0.05)
            brake.pull(signal.SIGINT)
            brake.pull(signal.SIGINT)

        command = (sys.executable, "-c", LAB_WITH_A_SUBJECT, str(tmp_path / "subject"))
        return await attempt.run(command, limit=BOUND, grace=BOUND, brake=brake, begun=begun)

    try:
        end = asyncio.run(killed_when_its_subject_runs())
        assert (end.exit, end.killed, end.interrupted) == (-signal.SIGKILL, True, True)
        assert not lives(int((tmp_path / "subject").read_text()))
        assert other.poll() is None, "another lab's subject was ended, too"
        assert others.exists()
    finally:
        other.kill()
        other.wait()


@pytest.mark.usefixtures("deaf")
def test_a_process_that_outlived_its_matrix_is_ended() -> None:
    process = subprocess.Popen(["sleep", "600"], start_new_session=True)
    born = psutil.Process(process.pid).create_time()
    attempt.end_orphan(process.pid, born - 60, grace=0.1)  # another process had that number then
    assert process.poll() is None
    attempt.end_orphan(process.pid, born, grace=0.1)
    assert process.wait(BOUND) == -signal.SIGKILL
    attempt.end_orphan(process.pid, born, grace=0.1)  # gone already


def test_a_fault_of_ours_leaves_no_process() -> None:
    begun = []

    def fails(pid: int, _born: float) -> None:
        begun.append(pid)
        raise RuntimeError("a fault of ours")

    async def all_of_it() -> End:
        return await attempt.run(["sleep", "600"], limit=BOUND, grace=BOUND, brake=Brake(), begun=fails)

    with pytest.raises(RuntimeError, match="a fault of ours"):
        asyncio.run(all_of_it())
    until(lambda: not lives(begun[0]))


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("", ""),
        ("one\ntwo\n", "one\ntwo"),
        ("\n".join("abcdefgh"), "d\ne\nf\ng\nh"),
        ("error: old\nmore\nerror: new\n  why: so\n", "new\n  why: so"),
        ("error: " + "x" * 5_000, "…" + "x" * attempt.REASON),
    ],
)
def test_why_it_came_to_nothing_is_in_its_last_words(said: str, why: str) -> None:
    assert reason(said) == why
