"""Which record of the runs folder is the last good one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab.history import last_good
from lab.record import CheckResult, Footer, Record, Writer, read
from tests.report import building
from tests.report.building import result

A, B = result("xep-0030/a"), result("xep-0030/b")
OTHER = {"name": "ejabberd", "version": "1"}


def kept(
    runs: Path, name: str, day: int, *, code: int = 0, checks: tuple[CheckResult, ...] = (A, B), **more: Any
) -> Path:
    """A finished record in a runs folder."""
    (runs / name).mkdir(parents=True)
    started = f"2026-11-{day:02}T00:00:00+00:00"
    path = runs / name / "run.ndjson"
    with Writer(path, building.header(checks, started=started, **more)) as writer:
        for check in checks:
            writer.check(check)
        writer.footer(Footer(started, 1.0, {}, code))
    return path


@pytest.fixture
def now(tmp_path: Path) -> Record:
    """The run that is compared."""
    return read(kept(tmp_path, "now", 23, code=1))


def _chosen(now: Record, runs: Path) -> str | None:
    found = last_good(now, runs)
    return found.path.parent.name if found else None


def test_there_is_none(now: Record, tmp_path: Path) -> None:
    assert last_good(now, tmp_path / "no-such-folder") is None
    assert last_good(now, tmp_path) is None


def test_it_is_the_newest_that_was_all_as_expected(now: Record, tmp_path: Path) -> None:
    kept(tmp_path, "old", 20)
    kept(tmp_path, "good", 21)
    kept(tmp_path, "bad", 22, code=1)
    kept(tmp_path, "later", 24)
    kept(tmp_path, "interrupted", 22, code=3)
    assert _chosen(now, tmp_path) == "good"


def test_it_is_not_the_run_itself_under_any_name(tmp_path: Path) -> None:
    good = read(kept(tmp_path, "itself", 23))
    (tmp_path / "latest").symlink_to("itself")
    assert last_good(good, tmp_path) is None


@pytest.mark.parametrize(
    "more", [{"subject": OTHER}, {"role": "client"}, {"peers": (OTHER,)}, {"role": "client", "peers": (OTHER,)}]
)
def test_it_is_of_the_same_subject_in_the_same_role_among_the_same_peers(
    now: Record, tmp_path: Path, more: dict[str, Any]
) -> None:
    kept(tmp_path, "other", 22, **more)
    assert last_good(now, tmp_path) is None
    client = read(kept(tmp_path, "client", 23, code=1, role="client", peers=(OTHER,)))
    kept(tmp_path, "same", 21, role="client", peers=({**OTHER, "version": "2"},))
    assert last_good(client, tmp_path) is not None


def test_a_run_of_a_part_does_not_hide_one_of_all(now: Record, tmp_path: Path) -> None:
    kept(tmp_path, "all", 20)
    kept(tmp_path, "part", 22, checks=(A,))
    kept(tmp_path, "none-of-them", 22, checks=(result("xep-0030/c"),))
    assert _chosen(now, tmp_path) == "all"


def test_what_is_no_whole_record_is_passed_over(now: Record, tmp_path: Path) -> None:
    kept(tmp_path, "good", 20)
    for number, text in enumerate(("", "{", "[]\n[]\n", '{"event": "header"}\n{"event": "footer", "exit": 0}\n')):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "run.ndjson").write_text(text)
    (tmp_path / "half").mkdir()
    building.write(tmp_path / "half" / "run.ndjson", (A, B), finished=False)
    assert _chosen(now, tmp_path) == "good"
