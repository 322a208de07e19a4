"""Records that are damaged, unfinished, twice there or none at all: said, and the rest is shown."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from lab.errors import UsageError
from lab.record import LogLine
from lab.site.cells import Collection, gather
from lab.site.reading import read_all, sources
from lab.verdict import Outcome
from tests.report import building
from tests.site import nights


def _gathered(*named: Path) -> Collection:
    return gather(read_all(sources(named)))


def _changed(path: Path, event: str, **changes: Any) -> None:
    """The same record, with fields of the first event of that kind changed."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    first = next(line for line in lines if line["event"] == event)
    first.update(changes)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_a_record_without_an_end_is_shown_and_said(tmp_path: Path) -> None:
    nights.write(tmp_path, "a", nights.checks(1)[:2], selected=("xep-0030/more",), finished=False)
    (cell,) = _gathered(tmp_path).cells
    assert not cell.current.record.finished
    assert len(cell.by_name) == 2


def test_broken_lines_are_set_aside(tmp_path: Path) -> None:
    nights.ten_nights(tmp_path)
    (cell,) = _gathered(tmp_path).cells
    damaged = [night for night in cell.nights if night.record.damage]
    assert [night.label for night in damaged] == [f"{tmp_path.name}/night-09/run.ndjson"]
    assert len(damaged[0].record.results) == 5


@pytest.mark.parametrize(
    ("event", "changes"),
    [
        ("check", {"seen": 5}),
        ("check", {"sections": [1]}),
        ("check", {"name": ["a"]}),
        ("check", {"started": "now"}),
        ("check", {"duration": float("nan")}),
        ("check", {"outcome": "splendid"}),
        ("footer", {"duration": "long"}),
        ("finding", {"seen": None}),
        ("robustness", {"valid": "many"}),
        ("campaign", {"sent": []}),
    ],
)
def test_an_event_with_strange_fields_is_damage(tmp_path: Path, event: str, changes: dict[str, Any]) -> None:
    path = nights.write(tmp_path, "a", nights.checks(1), **building.FUZZED)
    _changed(path, event, **changes)
    (cell,) = _gathered(tmp_path).cells
    assert len(cell.current.record.damage) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": ["prosody"]},
        {"subject": {"name": 5}},
        {"subject": {"version": "1"}},
        {"peers": ["prosody"]},
        {"role": "judge"},
        {"started": 5},
        {"selected": [5]},
        {"known_checks": {"XEP-0030": "all"}},
        {"advertised": []},
        {"suite": "CS1999"},
        {"format": 99},
    ],
)
def test_a_strange_header_is_no_record(tmp_path: Path, changes: dict[str, Any]) -> None:
    good = nights.write(tmp_path, "good", nights.checks(1))
    path = nights.write(tmp_path, "strange", nights.checks(2), started=nights.at(2))
    _changed(path, "header", **changes)
    collection = _gathered(tmp_path)
    assert [cell.current.record.path for cell in collection.cells] == [good]
    assert [one.label for one in collection.skipped] == [f"{tmp_path.name}/strange/run.ndjson"]


def test_what_is_no_record_is_named(tmp_path: Path) -> None:
    record = nights.write(tmp_path, "a", nights.checks(1))
    (tmp_path / "empty.ndjson").touch()
    (tmp_path / "picture.ndjson").write_bytes(bytes(range(256)))
    (tmp_path / "exits.ndjson").touch()  # the lab's own, beside every record
    note = tmp_path / "notes.txt"
    note.write_text("no record")
    collection = _gathered(tmp_path, note)
    assert {one.label for one in collection.skipped} == {
        f"{tmp_path.name}/empty.ndjson",
        f"{tmp_path.name}/picture.ndjson",
        "notes.txt",
    }
    assert all(str(tmp_path) not in one.why for one in collection.skipped)
    assert [night.record.path for night in collection.cells[0].nights] == [record]


def test_there_must_be_something_of_a_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no"):
        sources([tmp_path / "nowhere"])


def test_a_file_is_taken_once(tmp_path: Path) -> None:
    record = nights.write(tmp_path, "a", nights.checks(1))
    (tmp_path / "latest").symlink_to("a")
    collection = _gathered(tmp_path, tmp_path / "a", record)
    assert len(collection.cells[0].nights) == 1
    assert not collection.skipped


def test_a_copy_is_named_and_left_out(tmp_path: Path) -> None:
    nights.write(tmp_path, "a", nights.checks(1))
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    collection = _gathered(tmp_path)
    assert len(collection.cells[0].nights) == 1
    assert [one.why for one in collection.skipped] == [f"it is the same record as {tmp_path.name}/a/run.ndjson"]


def test_two_records_of_one_moment_are_both_kept(tmp_path: Path) -> None:
    nights.write(tmp_path, "a", nights.checks(1))
    nights.write(tmp_path, "b", nights.checks(10))
    (cell,) = _gathered(tmp_path).cells
    assert len({night.id for night in cell.nights}) == 2


def test_a_campaign_alone_leaves_the_checks_in_place(tmp_path: Path) -> None:
    nights.write(tmp_path, "checked", nights.checks(1), started=nights.at(1))
    nights.write(tmp_path, "fuzzed", (), started=nights.at(2), **building.FUZZED)
    nights.write(tmp_path, "lost", (), started=nights.at(3), selected=("xep-0030/a",), finished=False)
    (cell,) = _gathered(tmp_path).cells
    assert cell.current.label.endswith("checked/run.ndjson")
    assert cell.fuzzed is not None
    assert cell.fuzzed.label.endswith("fuzzed/run.ndjson")
    assert [night.label.split("/")[1] for night in cell.newer] == ["fuzzed", "lost"]
    assert cell.judgement.findings
    assert cell.judgement.results


def test_times_are_compared_not_spelled(tmp_path: Path) -> None:
    for name, started in {
        "b": "2026-11-02T01:00:00+02:00",
        "a": "2026-11-01T22:30:00+00:00",
        "c": "2026-11-02T00:00:00",
        "0": "yesterday",
    }.items():
        nights.write(tmp_path, name, nights.checks(1), started=started)
    (cell,) = _gathered(tmp_path).cells
    assert [night.label.split("/")[1] for night in cell.nights] == ["0", "a", "b", "c"]


def test_evidence_is_kept_of_what_is_bad_and_now(tmp_path: Path) -> None:
    log = (LogLine(building.START + 0.003, "in its time"), LogLine(building.START + 99, "later"))
    for night in (1, 2):
        results = (
            building.result("xep-0030/a", Outcome.FAIL),
            building.result("xep-0030/b", started=building.START + 99),
        )
        nights.write(tmp_path, f"{night}", results, started=nights.at(night), log=log)
    (cell,) = _gathered(tmp_path).cells
    old, new = (night.record for night in cell.nights)
    assert [bool(r.trace) for r in old.results + new.results] == [False, False, True, False]
    assert old.log == ()
    assert [line.line for line in new.log] == ["in its time"]


def test_a_title_that_a_peer_lacks_is_taken_from_its_own_record(tmp_path: Path) -> None:
    nights.client(tmp_path, nights.SLIXMPP, {"name": "prosody", "version": "13.0"}, Outcome.PASS)
    nights.write(tmp_path, "server", nights.checks(1), subject=nights.PROSODY)
    collection = _gathered(tmp_path)
    assert [subject.label for subject in collection.subjects] == ["Prosody 13.0", "slixmpp 1.10.0"]
