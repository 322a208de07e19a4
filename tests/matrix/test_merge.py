"""Several matrices made one: shares, one cell twice, damaged records, a full disk. The sources stay as they were."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lab import record
from lab.errors import UsageError
from lab.matrix import ledger
from lab.matrix.course import Done
from lab.matrix.ledger import State
from lab.matrix.merge import merge
from lab.matrix.plan import Cell
from tests.matrix.fake_lab import header, result
from tests.matrix.subjects import alone, client, server

Run = Callable[..., Done]


def write(path: Path, *, finished: str = "", name: str = "prosody", code: int = 0) -> Path:
    """A record, with an end where `finished` says when."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with record.Writer(path, header({"name": name, "version": "1"}, (), 0)) as writer:
        writer.check(result("first"))
        if finished:
            writer.footer(record.Footer(finished, 1.0, {"pass": 1}, code))
    return path


def content(*folders: Path) -> dict[Path, str]:
    files = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_shares_are_put_together(tmp_path: Path, run: Run) -> None:
    run(*alone(server(tmp_path, "behaves"), server(tmp_path, "is-killed")), retries=1)
    (tmp_path / "matrix").rename(tmp_path / "one")
    run(*alone(server(tmp_path, "fails")))
    (tmp_path / "matrix").rename(tmp_path / "two")
    before = content(tmp_path / "one", tmp_path / "two")
    done = merge([tmp_path / "one", tmp_path / "two"], tmp_path / "out")
    assert done.said == ()
    assert done.records == 3
    assert content(tmp_path / "one", tmp_path / "two") == before
    kept = ledger.read(tmp_path / "out")
    assert {name: entry.state for name, entry in kept.entries.items()} == {
        "behaves-1": State.EXPECTED,
        "is-killed-1": State.KILLED,
        "fails-1": State.UNEXPECTED,
    }
    assert kept.exit_code == 3
    assert (tmp_path / "out/cells/is-killed-1/attempt-1.ndjson").exists()
    assert all(record.read(tmp_path / "out" / entry.record) for entry in kept.entries.values())


def test_a_merged_matrix_is_gone_on_with(tmp_path: Path, run: Run, calls: Path) -> None:
    cells = alone(server(tmp_path, "behaves"), server(tmp_path, "fails"))
    for name, cell in zip(("one", "two"), cells, strict=True):
        run(cell)
        (tmp_path / "matrix").rename(tmp_path / name)
    merge([tmp_path / "one", tmp_path / "two"], tmp_path / "matrix")
    assert run(*cells).run == 0
    assert len(list(calls.iterdir())) == 2


def test_of_one_cell_twice_the_newest_finished_record_counts(tmp_path: Path) -> None:
    older = write(tmp_path / "a/cells/x-1/run.ndjson", finished="2026-11-23T00:00:00+00:00")
    newer = write(tmp_path / "b/cells/x-1/run.ndjson", finished="2026-11-24T00:00:00+00:00", code=1)
    unfinished = write(tmp_path / "c/cells/x-1/run.ndjson")
    again = write(tmp_path / "d/cells/x-1/run.ndjson", finished="2026-11-24T00:00:00+00:00", code=1)
    done = merge([tmp_path / name for name in "abcd"], tmp_path / "out")
    folder = tmp_path / "out/cells/x-1"
    assert (folder / "run.ndjson").read_bytes() == newer.read_bytes() == again.read_bytes()
    others = {(folder / f"other-{n}.ndjson").read_bytes() for n in (1, 2)}
    assert others == {older.read_bytes(), unfinished.read_bytes()}
    assert not (folder / "other-3.ndjson").exists()
    twice = [line for line in done.said if line.startswith("x-1 is in")]
    assert len(twice) == 2
    assert any("the first is newer" in line for line in twice)
    assert any("the first is finished" in line for line in twice)
    assert done.ledger.entries["x-1"].state is State.UNEXPECTED


def test_a_damaged_record_is_set_aside_and_said_and_the_rest_is_merged(tmp_path: Path) -> None:
    write(tmp_path / "a/cells/good/run.ndjson", finished="2026-11-23T00:00:00+00:00")
    bad = write(tmp_path / "a/cells/bad/run.ndjson")
    bad.write_bytes(b"\x00\xff" * 100)
    lines = write(tmp_path / "a/cells/a-broken-line/run.ndjson", finished="2026-11-23T00:00:00+00:00")
    lines.write_text(lines.read_text().replace('{"event": "check"', '{"event: "check"'))
    done = merge([tmp_path / "a"], tmp_path / "out")
    assert done.records == 2
    assert (tmp_path / "out/damaged/bad-1.ndjson").read_bytes() == bad.read_bytes()
    assert any("bad/run.ndjson is not a run record" in line and "set aside" in line for line in done.said)
    assert any("a-broken-line/run.ndjson, line 2" in line for line in done.said)
    assert done.ledger.entries["bad"].state is State.BROKEN
    assert done.ledger.entries["good"].state is State.EXPECTED


def test_a_sound_record_counts_where_another_share_has_a_damaged_one(tmp_path: Path) -> None:
    write(tmp_path / "a/cells/x-1/run.ndjson").write_bytes(b"nothing")
    write(tmp_path / "b/cells/x-1/run.ndjson", finished="2026-11-23T00:00:00+00:00")
    done = merge([tmp_path / "a", tmp_path / "b"], tmp_path / "out")
    assert done.ledger.entries["x-1"].state is State.EXPECTED
    assert (tmp_path / "out/damaged/x-1-1.ndjson").read_bytes() == b"nothing"


@pytest.mark.parametrize("damage", ["{", '{"format": 2}', '{"format": 1}', "[]", '{"format": 1, "cells": [{}]}'])
def test_without_a_sound_ledger_the_records_count_all_the_same(tmp_path: Path, run: Run, damage: str) -> None:
    run(*alone(server(tmp_path, "fails")))
    (tmp_path / "matrix" / "matrix.json").write_text(damage)
    done = merge([tmp_path / "matrix"], tmp_path / "out")
    assert done.ledger.entries["fails-1"].state is State.UNEXPECTED
    assert any("matrix.json" in line for line in done.said)


def test_a_cell_is_known_by_its_record_alone(tmp_path: Path, run: Run) -> None:
    behaves, one, two = server(tmp_path, "behaves"), client(tmp_path, "one"), client(tmp_path, "two")
    run(Cell("behaves-1+one-1", behaves, (one,)), Cell("behaves-1+one-1+two-1", behaves, (one, two)))
    (tmp_path / "matrix" / "matrix.json").unlink()
    found = merge([tmp_path / "matrix"], tmp_path / "out").ledger.entries
    for name, clients in (("behaves-1+one-1", ["one"]), ("behaves-1+one-1+two-1", ["one", "two"])):
        cell = found[name].cell
        assert cell.server.name == "behaves"
        assert [party.name for party in cell.clients] == clients


@pytest.mark.parametrize("name", ["../../escaped", "/escaped", "..", "a/b", ""])
def test_a_ledger_does_not_lead_out_of_its_folder(tmp_path: Path, run: Run, name: str) -> None:
    run(*alone(server(tmp_path, "behaves")))
    path = tmp_path / "matrix" / "matrix.json"
    data = json.loads(path.read_text())
    data["cells"][0]["name"] = name
    path.write_text(json.dumps(data))
    with pytest.raises(UsageError, match="damaged"):
        ledger.read(tmp_path / "matrix")
    data["cells"][0] |= {"name": "behaves-1", "record": f"../{name}"}
    path.write_text(json.dumps(data))
    with pytest.raises(UsageError, match="damaged"):
        ledger.read(tmp_path / "matrix")


def test_matrices_that_were_asked_for_something_else_are_said(tmp_path: Path, run: Run) -> None:
    for name, behaviour in (("one", "behaves"), ("two", "fails")):
        run(*alone(server(tmp_path, behaviour)))
        (tmp_path / "matrix").rename(tmp_path / name)
    book = ledger.read(tmp_path / "two")
    replace(book, asked=replace(book.asked, servers=("another",))).write()
    assert any(
        "not asked for the same" in line
        for line in merge([tmp_path / "one", tmp_path / "two"], tmp_path / "out").said
    )


def test_what_cannot_be_merged_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no matrix folder"):
        merge([tmp_path / "empty"], tmp_path / "out")
    with pytest.raises(UsageError, match="no matrix folder"):
        merge([tmp_path / "none"], tmp_path / "out")
    write(tmp_path / "a/cells/x-1/run.ndjson")
    with pytest.raises(UsageError, match="is not empty"):
        merge([tmp_path / "a"], tmp_path / "a")
    (tmp_path / "hollow/cells").mkdir(parents=True)
    with pytest.raises(UsageError, match="nothing to merge"):
        merge([tmp_path / "hollow"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_full_disk_is_said_and_leaves_the_sources_and_nothing_else(tmp_path: Path) -> None:
    big = write(tmp_path / "a/cells/x-1/run.ndjson")
    with big.open("ab") as file:
        file.write(b'{"event": "log", "at": 1.0, "line": "' + b"x" * 200_000 + b'"}\n')
    before = content(tmp_path / "a")
    stanzalab = Path(sys.executable).with_name("stanzalab")
    # No file may grow beyond so many blocks: to the command, a disk without room.
    done = subprocess.run(
        ["sh", "-c", f"ulimit -f 100; exec {stanzalab} merge a --out out"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert "cannot write out" in done.stderr
    assert "next: make room" in done.stderr
    assert "Traceback" not in done.stderr
    assert content(tmp_path / "a") == before
    assert {path.name for path in tmp_path.iterdir()} == {"a"}
