"""What the commands share: where a run's files go, and which run is the newest."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import options
from lab.errors import UsageError


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STANZALAB_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


def test_each_run_has_a_folder_of_its_own(runs: Path) -> None:
    made = [options.new_folder("prosody:13.0 & more") for _ in range(3)]
    assert len(set(made)) == 3
    assert all(folder.is_dir() and folder.parent == runs and ":" not in folder.name for folder in made)
    assert (runs / "latest").resolve() == made[-1].resolve()


def test_a_replay_behind_a_run_does_not_hide_its_record(runs: Path) -> None:
    with pytest.raises(UsageError, match="there is no run yet"):
        options.newest_record()
    (options.new_folder("prosody") / "run.ndjson").write_text("{}\n", encoding="utf-8")
    replayed = options.new_folder("replay-prosody", recorded=False)
    assert options.newest_record() == runs / "latest" / "run.ndjson"
    assert replayed.is_dir()


@pytest.mark.parametrize(("text", "seconds"), [("90", 90.0), ("60s", 60.0), ("1.5m", 90.0), ("1h", 3600.0)])
def test_a_duration(text: str, seconds: float) -> None:
    assert options.seconds(text, "--for") == seconds


@pytest.mark.parametrize("text", ["", "soon", "-1", "10 days", "1m30s"])
def test_what_is_no_duration_is_said_with_the_option(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        options.seconds(text, "--for")
    assert "--for" in caught.value.message
    assert "--for 90" in caught.value.hint
