"""The commands of a regression test, as a person or a CI types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab.fakes import FakeServer
from lab.verdict import Outcome
from tests.report import building
from tests.test_runs import FEW, stanzalab

GOOD = (building.result("xep-0030/a"),)
BAD = (building.result("xep-0030/a", Outcome.FAIL, seen="nothing"),)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[str, str]:
    """The folders of a good run and of a bad one."""
    made = []
    for name, results in {"good": GOOD, "bad": BAD}.items():
        (tmp_path / name).mkdir()
        building.write(tmp_path / name / "run.ndjson", results)
        made.append(str(tmp_path / name))
    return made[0], made[1]


def test_diff_tells_by_its_exit_code_whether_something_is_newly_bad(folders: tuple[str, str]) -> None:
    good, bad = folders
    worse = stanzalab("diff", good, bad)
    assert worse.returncode == 1, worse.stderr
    assert "Newly bad (1)" in worse.stdout
    assert "\x1b[" not in worse.stdout
    better = stanzalab("diff", f"{bad}/run.ndjson", good)
    assert better.returncode == 0, better.stderr
    assert "1 newly good" in better.stdout


def test_diff_for_machines_and_for_pull_requests(folders: tuple[str, str]) -> None:
    data = json.loads(stanzalab("diff", *folders, "--json").stdout)
    assert [change["name"] for change in data["newly_bad"]] == ["xep-0030/a"]
    assert data["worse"] is True
    assert "### Newly bad: 1" in stanzalab("diff", *folders, "--markdown").stdout


def named_as(name: str, cell_file: Path) -> None:
    """Another build of the same subject: the fakes have names of their own."""
    cell = json.loads(cell_file.read_text())
    cell["subject"]["name"] = name
    cell_file.write_text(json.dumps(cell))


def test_a_bad_run_is_compared_with_the_last_good_one(tmp_path: Path) -> None:
    runs = str(tmp_path / "runs")
    good, bad = tmp_path / "good", tmp_path / "bad"
    for folder in (good, bad):
        folder.mkdir()
    with FakeServer(run_dir=good):
        first = stanzalab("run", "--cell", str(good / "cell.json"), *FEW, STANZALAB_RUNS=runs)
    assert first.returncode == 0, first.stdout
    assert "good run" not in first.stdout
    with FakeServer("swallows-iq", run_dir=bad):
        named_as(json.loads((good / "cell.json").read_text())["subject"]["name"], bad / "cell.json")
        words = ("run", "--cell", str(bad / "cell.json"), *FEW)
        second = stanzalab(*words, STANZALAB_RUNS=runs)
        alone = stanzalab(*words, STANZALAB_RUNS=str(tmp_path / "empty"))
        named = stanzalab(*words, "--against", str(bad / "none"), STANZALAB_RUNS=runs)
    assert second.returncode == 1, second.stderr
    assert "since the last good run" in second.stdout
    assert "Newly bad (1)" in second.stdout
    assert alone.returncode == 1
    assert "No good run of the same subject is kept" in " ".join(alone.stdout.split())
    assert named.returncode == 2
    assert "there is no run record" in named.stderr


def test_a_run_is_compared_with_the_record_that_is_named(tmp_path: Path) -> None:
    before = tmp_path / "before.ndjson"
    building.write(before, (building.result("xep-0030/a"),))
    record = building.write(tmp_path / "run.ndjson", BAD)
    done = stanzalab("report", str(record), "--against", str(before), STANZALAB_RUNS=str(tmp_path / "runs"))
    assert "Newly bad (1)" in done.stdout
