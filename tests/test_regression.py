"""The commands of a regression test, as a person or a CI types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab.verdict import Outcome
from tests.report import building
from tests.test_runs import stanzalab

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
