"""Whole runs, as a person starts them: what they leave, how they end, and that nothing measured is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from lab import cell as cells
from lab import record
from lab.fakes import FakeServer

STANZALAB = str(Path(sys.executable).parent / "stanzalab")
BOUND = 300.0  # seconds for anything that must happen
FEW = ("--check", "rfc-6120/unserved-iq-is-answered-once-by-an-error", "--workers", "1")


def stanzalab(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [STANZALAB, *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=BOUND,
        env={**os.environ, **environment},
    )


def until(happened: Callable[[], Any]) -> None:
    deadline = time.monotonic() + BOUND
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def checks_in(path: Path) -> int:
    return path.read_bytes().count(b'{"event": "check"') if path.exists() else 0


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[Path]:
    """The cell file of a fake server that behaves."""
    folder = tmp_path / "fake"
    folder.mkdir()
    with FakeServer(run_dir=folder):
        yield folder / "cell.json"


def test_a_run_leaves_a_finished_record_and_every_report(fake: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = stanzalab("run", "--cell", str(fake), "--out", str(out), *FEW)
    assert done.returncode in {0, 1}, done.stderr
    for name in ("run.ndjson", "index.html", "junit.xml", "summary.json", "cell.json"):
        assert (out / name).stat().st_size > 0
    seen = record.read(out / "run.ndjson")
    assert seen.footer is not None
    assert seen.footer.exit == done.returncode
    assert not seen.missing
    assert "core/core-features" in done.stdout or "Core features" in done.stdout
    assert str(out / "index.html") in done.stdout
    assert "\x1b[" not in done.stdout


def test_json_for_machines_is_all_that_is_printed(fake: Path, tmp_path: Path) -> None:
    done = stanzalab("run", "--cell", str(fake), "--out", str(tmp_path / "out"), "--json", *FEW)
    assert json.loads(done.stdout)


@pytest.mark.parametrize("misbehaviour", ["wrong-id", "swallows-iq", "answers-twice", "half-a-stanza"])
def test_a_bad_server_gets_a_bad_report(tmp_path: Path, misbehaviour: str) -> None:
    folder = tmp_path / "fake"
    folder.mkdir()
    with FakeServer(misbehaviour, run_dir=folder):
        done = stanzalab("run", "--cell", str(folder / "cell.json"), "--out", str(tmp_path / "out"), *FEW)
    assert done.returncode == 1, done.stderr
    seen = record.read(tmp_path / "out" / "run.ndjson")
    assert seen.finished
    assert any(r.outcome.bad for r in seen.results)
    assert not [r.check.name for r in seen.results if r.outcome == "error"]


def test_a_flood_of_stanzas_that_nobody_asked_for_stops_no_run(tmp_path: Path) -> None:
    folder = tmp_path / "fake"
    folder.mkdir()
    with FakeServer("floods", run_dir=folder):
        done = stanzalab("run", "--cell", str(folder / "cell.json"), "--out", str(tmp_path / "out"), *FEW)
    assert done.returncode in {0, 1}, done.stderr
    assert record.read(tmp_path / "out" / "run.ndjson").finished


def test_ctrl_c_keeps_what_was_measured(tmp_path: Path) -> None:
    folder, out = tmp_path / "fake", tmp_path / "out"
    folder.mkdir()
    with FakeServer("swallows-iq", run_dir=folder):
        process = subprocess.Popen(
            [STANZALAB, "run", "--cell", str(folder / "cell.json"), "--out", str(out), "--provider", "RFC 6120"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            until(lambda: checks_in(out / "run.ndjson") >= 3)
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole foreground group
            said, _ = process.communicate(timeout=BOUND)
        finally:
            process.kill()
    assert process.returncode == 130, said
    seen = record.read(out / "run.ndjson")
    assert not seen.finished
    assert len(seen.results) >= 3
    assert seen.missing
    assert "DID NOT FINISH" in said
    assert "Traceback" not in said


def test_a_full_disk_is_said_and_ends_the_run(fake: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "run.ndjson").symlink_to("/dev/full")
    done = stanzalab("run", "--cell", str(fake), "--out", str(out), *FEW)
    assert done.returncode == 3
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_server_that_is_not_there(fake: Path, tmp_path: Path) -> None:
    data = json.loads(fake.read_text())
    data["endpoints"]["c2s"]["port"] = 1
    fake.write_text(json.dumps(data))
    done = stanzalab("run", "--cell", str(fake), "--out", str(tmp_path / "out"), *FEW)
    assert done.returncode == 3
    assert "127.0.0.1:1" in done.stderr


def test_no_container_engine(tmp_path: Path) -> None:
    done = stanzalab(
        "run", "--server", "prosody", "--out", str(tmp_path), *FEW, DOCKER_HOST=f"unix://{tmp_path}/none.sock"
    )
    assert done.returncode == 3
    assert "next:" in done.stderr
    assert "Traceback" not in done.stderr


def containers(out: Path) -> list[Any]:
    """The containers of the run whose cell file lies in `out`."""
    cell_file = out / "cell.json"
    if not cell_file.exists():
        return []
    identifier = json.loads(cell_file.read_text())["process"]["id"]
    return [c for c in docker.from_env().containers.list(all=True) if c.id == identifier]


@pytest.fixture
def prosody_run(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    out = tmp_path / "out"
    process = subprocess.Popen(
        [STANZALAB, "run", "--server", "prosody", "--out", str(out), "--row", "core", "--workers", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    until(lambda: checks_in(out / "run.ndjson") >= 5)
    yield process, out
    process.kill()


@pytest.mark.engine
def test_a_server_that_crashes_is_restarted_and_the_crash_is_told(
    prosody_run: tuple[subprocess.Popen[str], Path],
) -> None:
    process, out = prosody_run
    containers(out)[0].kill()
    said, _ = process.communicate(timeout=BOUND)
    assert process.returncode == 1, said
    seen = record.read(out / "run.ndjson")
    assert seen.finished
    assert len(seen.exits) == 1
    assert seen.exits[0].restarted
    # A check that was only about to connect waits until the server is back: at most each worker's own one is lost.
    crashed = [r.check.name for r in seen.results if r.outcome == "crash"]
    assert len(crashed) <= 4, crashed
    dropped = [r for r in seen.results if r.outcome == "fail" and "connection" in r.seen]
    assert not [r.check.name for r in dropped if abs(r.started + r.duration - seen.exits[0].at) < 1.0]
    assert len(seen.results) > 100
    assert not containers(out)


@pytest.mark.engine
def test_a_server_that_is_taken_away_ends_the_run_and_loses_nothing(
    prosody_run: tuple[subprocess.Popen[str], Path],
) -> None:
    process, out = prosody_run
    containers(out)[0].remove(force=True)
    said, _ = process.communicate(timeout=BOUND)
    assert process.returncode == 3, said
    seen = record.read(out / "run.ndjson")
    assert not seen.finished
    assert len(seen.results) >= 5
    assert "given up" in said
    assert (out / "index.html").exists()


@pytest.mark.engine
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_no_container_and_tells_what_it_measured(
    prosody_run: tuple[subprocess.Popen[str], Path], number: signal.Signals
) -> None:
    process, out = prosody_run
    assert containers(out)
    # A terminal tells the whole foreground group, a supervisor the one process that it knows.
    os.killpg(process.pid, number) if number == signal.SIGINT else process.send_signal(number)
    said, _ = process.communicate(timeout=BOUND)
    assert process.returncode == 128 + number, said
    assert not containers(out)
    assert not record.read(out / "run.ndjson").finished
    assert "DID NOT FINISH" in said
    assert "Traceback" not in said
    assert (out / "index.html").exists()


def test_two_servers_are_tried_with_each_other(tmp_path: Path) -> None:
    """Twice the same one, whose image is at hand: two containers, two domains, one record of both."""
    out = tmp_path / "out"
    checks = ("--check", "rfc-6121/text-crosses-the-border-unchanged", "--workers", "1")
    done = stanzalab("run", "--server", "prosody", "--peer", "prosody", "--out", str(out), *checks)
    assert done.returncode == 0, done.stdout + done.stderr
    found = record.read(out / "run.ndjson")
    assert (found.header.role, found.header.domain) == ("federation", "lab.test")
    assert [peer["name"] for peer in found.header.peers] == ["prosody"]
    assert {result.check.name.rpartition("/")[2] for result in found.results} == {"forth", "back"}
    assert (out / "peer" / "server.log").stat().st_size > 0
    assert [line.at for line in found.log] == sorted(line.at for line in found.log)
    cell = cells.read(out / "cell.json")
    assert cell.peer is not None
    assert cells.read(cell.peer).domain == "other.test"
    assert containers(out) == []
