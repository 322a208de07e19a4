"""The command, and the folder that a site goes to: whole or not at all, and nothing of anybody else's is lost."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from lab import site
from lab.errors import Exit, MachineError, UsageError
from tests.report import building
from tests.site import nights

STANZALAB = [sys.executable, "-c", "from lab.cli import main; main()", "site"]


def _run(*arguments: str | Path, most: int = 0) -> subprocess.CompletedProcess[str]:
    """`most`: bytes that a file may have, as on a disk that is full."""

    def limited() -> None:
        if most:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    return subprocess.run(
        [*STANZALAB, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=limited,
        timeout=300,
    )


def _files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    nights.ten_nights(tmp_path / "runs")
    return tmp_path / "runs"


def test_the_command_says_what_it_made(runs: Path, tmp_path: Path) -> None:
    done = _run(runs, "--out", tmp_path / "out")
    assert done.returncode == Exit.OK, done.stderr
    assert "10 records of 1 cells" in done.stdout
    assert "did not finish: runs/night-08/run.ndjson" in done.stderr
    assert "damaged, shown as far as it is whole: runs/night-09/run.ndjson" in done.stderr
    told = json.loads(_run(runs, "--out", tmp_path / "out", "--json").stdout)
    assert told["records"] == 10
    assert told["damaged"] == ["runs/night-09/run.ndjson"]
    assert Path(told["index"]).is_file()


def test_nothing_to_show_is_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    (tmp_path / "notes.ndjson").write_text("no record")
    for named in ("none", "notes.ndjson", "nowhere"):
        done = _run(tmp_path / named, "--out", tmp_path / "out")
        assert done.returncode == Exit.USAGE
        assert done.stderr.startswith("error: there is no")
        assert not (tmp_path / "out").exists()


def test_a_full_disk_leaves_the_old_site_whole(runs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    site.build([runs], out)
    before = _files(out)
    nights.write(runs, "more", building.every_kind(), subject=nights.EJABBERD)
    done = _run(runs, "--out", out, most=8_000)
    assert done.returncode == Exit.MACHINE, done.stderr
    assert "cannot write the site" in done.stderr
    assert _files(out) == before
    assert {path.name for path in tmp_path.iterdir()} == {"runs", "out"}


def test_a_full_disk_leaves_no_half_a_site(runs: Path, tmp_path: Path) -> None:
    done = _run(runs, "--out", tmp_path / "out", most=8_000)
    assert done.returncode == Exit.MACHINE, done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"runs"}


def test_no_place_is_the_machines_fault(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MachineError, match="cannot write the site"):
        site.build([runs], tmp_path / "file" / "out")


def test_a_new_site_replaces_the_old_one_whole(runs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (tmp_path / "other").mkdir()
    nights.write(tmp_path / "other", "a", building.every_kind(), subject=nights.EJABBERD)
    site.build([tmp_path / "other"], out)
    site.build([runs], out)
    assert [path.name for path in (out / "servers").glob("*.html")] == ["prosody_13.0.html"]
    again = tmp_path / "again"
    site.build([runs], again)
    assert _files(out) == _files(again)


def test_files_of_others_are_not_lost(runs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="not of a site") as caught:
        site.build([runs], out)
    assert "thesis.txt" in caught.value.cause
    assert _files(out) == {"thesis.txt": b"years of work"}
    with pytest.raises(UsageError, match="no folder"):
        site.build([runs], out / "thesis.txt")
