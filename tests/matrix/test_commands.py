"""`stanzalab matrix` and `stanzalab merge` as a person types them: over the fake lab, and over two real servers."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import docker
import psutil
import pytest

from lab import catalogue, record
from lab.engines.owners import OWNER_LABEL
from lab.matrix import attempt
from lab.matrix.attempt import Brake, End
from tests.matrix.conftest import BOUND, until
from tests.matrix.subjects import ROOT, client, server

STANZALAB = str(Path(sys.executable).with_name("stanzalab"))
DRIVEN = (sys.executable, "-m", "tests.matrix.drive")  # the same, with the fake lab in the cells
QUICK = ("--clients", "none", "--check", "rfc-6120/unserved-iq-is-answered-once-by-an-error")


def started(*words: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        words,
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def done(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    process = started(*words, **environment)
    try:
        said, errors = process.communicate(timeout=BOUND)
    finally:
        process.kill()
    return subprocess.CompletedProcess(words, process.returncode, said, errors)


@pytest.fixture
def runs(tmp_path: Path, calls: Path, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: ARG001 - the fake lab's settings
    monkeypatch.setenv("STANZALAB_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


def named(tmp_path: Path, *behaviours: str) -> tuple[str, ...]:
    """The option that names these servers."""
    return ("--servers", ",".join(server(tmp_path, one).spec for one in behaviours))


def test_a_matrix_as_json(tmp_path: Path, runs: Path) -> None:
    seen = done(*DRIVEN, "matrix", *named(tmp_path, "behaves", "fails", "starts-the-second-time"), *QUICK, "--json")
    assert seen.returncode == 1, seen.stderr
    data = json.loads(seen.stdout)
    assert (data["exit"], data["run"]) == (1, 3)
    cells = {cell["name"]: cell for cell in data["cells"]}
    assert {name: (cell["state"], cell["exit"]) for name, cell in cells.items()} == {
        "behaves-1": ("as expected", 0),
        "fails-1": ("unexpected", 1),
        "starts-the-second-time-1": ("as expected", 0),
    }
    assert [len(cell["attempts"]) for cell in cells.values()] == [1, 1, 2]
    for cell in cells.values():
        assert cell["duration"] > 0
        assert record.read(Path(data["folder"]) / cell["record"]).finished
    assert Path(data["folder"]).parent == runs


@pytest.mark.usefixtures("runs")
def test_lines_where_nobody_watches(tmp_path: Path) -> None:
    seen = done(*DRIVEN, "matrix", *named(tmp_path, "starts-the-second-time"), *QUICK)
    assert seen.returncode == 0, seen.stderr
    assert "starts-the-second-time 1: did not start" in seen.stdout
    assert "(2nd try)" in seen.stdout
    assert "1 cell: 1 as expected" in seen.stdout
    assert "\x1b[" not in seen.stdout


def test_the_selection_reaches_each_cell(tmp_path: Path, runs: Path) -> None:
    words = ("--row", "core/tls", "--suite", "2022", "--fuzz", "0", "--seed", "3")
    seen = done(*DRIVEN, "matrix", *named(tmp_path, "behaves"), "--clients", "none", *words, "--json")
    (cell,) = json.loads(seen.stdout)["cells"]
    assert cell["words"] == ["--row", "core/tls", "--suite", "2022", "--fuzz", "0", "--seed", "3"]
    assert runs.exists()


def test_ctrl_c_stops_all_cells_and_resume_goes_on(tmp_path: Path, runs: Path, calls: Path) -> None:
    asked = (*named(tmp_path, "behaves", "waits", "waits--too", "waits--as-well"), *QUICK, "--jobs", "2")
    process = started(*DRIVEN, "matrix", *asked)
    try:
        until(lambda: len(list(calls.glob("waits*"))) >= 2 and list(calls.glob("behaves*")))
        cells = [child.pid for child in psutil.Process(process.pid).children()]
        process.send_signal(signal.SIGINT)
        said, errors = process.communicate(timeout=BOUND)
    finally:
        process.kill()
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    (folder,) = runs.iterdir()
    assert f"stanzalab matrix --resume {folder}" in errors
    assert "1 as expected, 2 interrupted" in said.replace("1 waiting, ", "")
    states = {c["name"]: c["state"] for c in json.loads((folder / "matrix.json").read_text())["cells"]}
    assert sorted(states.values()) == ["as expected", "interrupted", "interrupted", "waiting"]
    assert not any(psutil.pid_exists(pid) for pid in cells)
    for name, state in states.items():
        if state == "interrupted":
            assert record.read(folder / "cells" / name / "run.ndjson").results
    (calls / "go").touch()
    seen = done(*DRIVEN, "matrix", "--resume", "--json")
    assert seen.returncode == 0, seen.stderr
    data = json.loads(seen.stdout)
    assert (data["run"], Path(data["folder"])) == (3, folder)
    assert {c["state"] for c in data["cells"]} == {"as expected"}
    assert len(list(calls.glob("behaves-1-*"))) == 1


def test_a_second_ctrl_c_kills(tmp_path: Path, runs: Path, calls: Path) -> None:
    process = started(*DRIVEN, "matrix", *named(tmp_path, "hangs"), *QUICK)
    try:
        until(lambda: list(calls.glob("hangs*")))
        (cell,) = psutil.Process(process.pid).children()
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)  # another one: two of a kind may be taken for one
        process.communicate(timeout=BOUND)
    finally:
        process.kill()
    assert process.returncode in {130, 143}
    assert not cell.is_running()
    (folder,) = runs.iterdir()
    (entry,) = json.loads((folder / "matrix.json").read_text())["cells"]
    assert entry["state"] == "interrupted"


def test_a_matrix_that_was_killed_is_gone_on_with_and_its_cells_are_ended(
    tmp_path: Path, runs: Path, calls: Path
) -> None:
    process = started(*DRIVEN, "matrix", *named(tmp_path, "waits"), *QUICK)
    try:
        until(lambda: list(calls.glob("waits*")))
        (orphan,) = psutil.Process(process.pid).children()
    finally:
        process.kill()
        process.communicate(timeout=BOUND)
    assert orphan.is_running()
    (folder,) = runs.iterdir()
    resumed = started(*DRIVEN, "matrix", "--resume", "--json")
    try:
        until(lambda: len(list(calls.glob("waits*"))) == 2)
        assert not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE
        (calls / "go").touch()
        said, errors = resumed.communicate(timeout=BOUND)
    finally:
        resumed.kill()
    assert resumed.returncode == 0, errors
    (cell,) = json.loads(said)["cells"]
    tries = [(tried["number"], tried["state"], tried["process"]) for tried in cell["attempts"]]
    assert tries == [(1, "interrupted", None), (2, "as expected", None)]
    assert record.read(folder / "cells/waits-1/attempt-1.ndjson").results


@pytest.mark.usefixtures("runs")
def test_a_damaged_matrix_of_before_holds_no_other_up(tmp_path: Path, runs: Path) -> None:
    (runs / "old").mkdir(parents=True)
    (runs / "old" / "matrix.json").write_text("{")
    assert done(*DRIVEN, "matrix", *named(tmp_path, "behaves"), *QUICK).returncode == 0
    resumed = done(STANZALAB, "matrix", "--resume", str(runs / "old"))
    assert resumed.returncode == 2
    assert "is damaged" in resumed.stderr
    assert "stanzalab merge" in resumed.stderr


@pytest.mark.usefixtures("runs")
def test_roles_without_a_check_are_left_out_and_said(tmp_path: Path) -> None:
    one = client(tmp_path, "one").spec
    seen = done(*DRIVEN, "matrix", *named(tmp_path, "behaves"), "--clients", one, *QUICK[2:], "--json")
    data = json.loads(seen.stdout)
    assert [cell["name"] for cell in data["cells"]] == ["behaves-1"]
    assert len(data["notes"]) == 1
    assert data["notes"][0].startswith("1 client cell left out: ")
    assert data["notes"][0] in seen.stderr.replace("\n", " ")


@pytest.mark.usefixtures("runs")
def test_shares_and_their_merge(tmp_path: Path) -> None:
    servers = named(tmp_path, "behaves", "fails", "behaves--too")
    folders = [str(tmp_path / f"share-{k}") for k in (1, 2)]
    for k, folder in enumerate(folders, 1):
        seen = done(*DRIVEN, "matrix", *servers, *QUICK, "--shard", f"{k}/2", "--out", folder)
        assert seen.returncode in {0, 1}, seen.stderr
    merged = done(STANZALAB, "merge", *folders, "--out", str(tmp_path / "all"), "--json")
    assert merged.returncode == 0, merged.stderr
    cells = json.loads(merged.stdout)["cells"]
    assert sorted(cell["name"] for cell in cells) == ["behaves--too-1", "behaves-1", "fails-1"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["matrix", "--servers", "prosdy"], "prosody"),
        (["matrix", "--clients", "no-such-client"], "no-such-client"),
        (["matrix", "--pairs", "one"], "no pair"),
        (["matrix", "--federation", "prosody"], "no two servers"),
        (["matrix", "--row", "core/tsl"], "core/tls"),
        (["matrix", "--shard", "3/2"], "--shard 2/3"),
        (["matrix", "--shard", "99/99", "--clients", "none"], "has no cell"),
        (["matrix", "--limit", "soon"], "--limit"),
        (["matrix", "--fuzz", "soon"], "--fuzz"),
        (["matrix", "--resume"], "there is no matrix yet"),
        (["matrix", "--resume", "no/such/folder"], "no matrix folder"),
        (["matrix", "no/such/folder"], "--resume"),
        (["matrix", "--durations", "no/such/folder"], "no matrix folder"),
        (["merge", "no/such/folder"], "no matrix folder"),
    ],
)
@pytest.mark.usefixtures("runs")
def test_wrong_words_are_answered_with_exit_2_and_a_hint(words: list[str], said: str) -> None:
    seen = done(STANZALAB, *words)
    assert seen.returncode == 2, seen.stderr
    assert said in seen.stderr
    assert "Traceback" not in seen.stderr


@pytest.mark.usefixtures("runs")
def test_a_folder_that_holds_a_matrix_takes_no_other(tmp_path: Path) -> None:
    words = (*DRIVEN, "matrix", *named(tmp_path, "behaves"), *QUICK, "--out", str(tmp_path / "mine"))
    assert done(*words).returncode == 0
    again = done(*words)
    assert again.returncode == 2
    assert "--resume" in again.stderr


@pytest.mark.engine
def test_two_servers_really_side_by_side_and_not_again(tmp_path: Path) -> None:
    words = (STANZALAB, "matrix", "--servers", "prosody,pyjabber", "--clients", "none", "--row", "core/tls")
    first = done(*words, "--fuzz", "0", "--jobs", "2", "--json", "--out", str(tmp_path / "matrix"))
    assert first.returncode in {0, 1}, first.stderr
    cells = json.loads(first.stdout)["cells"]
    assert len(cells) == 2
    spans = []
    for cell in cells:
        seen = record.read(tmp_path / "matrix" / cell["record"])
        assert seen.finished
        assert len(seen.results) > 10
        assert {path.name for path in (tmp_path / "matrix/cells" / cell["name"]).iterdir()} == {"run.ndjson"}
        spans.append((cell["attempts"][-1]["started"], seen.footer.finished if seen.footer else ""))
    (one, other) = spans
    assert one[0] <= other[1]
    assert other[0] <= one[1]
    again = done(STANZALAB, "matrix", "--resume", str(tmp_path / "matrix"), "--json")
    assert again.returncode == first.returncode, again.stderr
    assert json.loads(again.stdout)["run"] == 0


@pytest.mark.engine
def test_a_client_really_and_not_again(tmp_path: Path) -> None:
    check = next(check.name for check in catalogue.checks() if check.role == "client")
    words = ("--servers", "prosody", "--clients", str(ROOT / "tests/agents/clients/fake-client"), "--pairs", "none")
    first = done(STANZALAB, "matrix", *words, "--check", check, "--json", "--out", str(tmp_path / "matrix"))
    (cell,) = json.loads(first.stdout)["cells"]
    assert cell["state"] == "as expected", first.stderr
    kept = record.read(tmp_path / "matrix" / cell["record"])
    assert (kept.header.role, [result.check.name for result in kept.results]) == ("client", [check])
    again = done(STANZALAB, "matrix", "--resume", str(tmp_path / "matrix"), "--json")
    assert json.loads(again.stdout)["run"] == 0


@pytest.mark.engine
def test_a_cell_that_is_killed_leaves_no_container(tmp_path: Path) -> None:
    brake = Brake()
    owners: list[int] = []

    async def killed_in_mid_run() -> End:
        def begun(pid: int, _born: float) -> None:
            owners.append(pid)
            asyncio.get_running_loop().create_task(kill())

        async def kill() -> None:
            while not any(path.stat().st_size for path in tmp_path.glob("run.ndjson")):
                await asyncio.sleep(0.05)
            assert held(owners[0])
            brake.pull(signal.SIGINT)
            brake.pull(signal.SIGINT)

        command = (STANZALAB, "run", "--server", "prosody", "--row", "core", "--out", str(tmp_path))
        return await attempt.run(command, limit=BOUND, grace=BOUND, brake=brake, begun=begun)

    end = asyncio.run(killed_in_mid_run())
    assert end.exit == -signal.SIGKILL
    assert not held(owners[0])


def held(pid: int) -> list[Any]:
    """The containers and networks that a lab process made."""
    client = docker.from_env()
    try:
        found = [
            *client.containers.list(all=True, filters={"label": OWNER_LABEL}, ignore_removed=True),
            *client.networks.list(filters={"label": OWNER_LABEL}),
        ]
        labels = [
            (one.attrs.get("Labels") or one.attrs.get("Config", {}).get("Labels"))[OWNER_LABEL] for one in found
        ]
        return [label for label in labels if label.split(" ")[2] == str(pid)]
    finally:
        client.close()
