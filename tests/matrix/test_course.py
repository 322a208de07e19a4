"""A matrix from start to end, over a lab that behaves, crashes, hangs, writes rubbish, half a record or nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lab import record
from lab.errors import MachineError, UsageError
from lab.matrix import course, ledger
from lab.matrix.attempt import End
from lab.matrix.course import Done
from lab.matrix.ledger import Attempt, State
from lab.matrix.plan import Asked, Cell, Selection
from tests.matrix.conftest import Remembered
from tests.matrix.fake_lab import header, party, result
from tests.matrix.subjects import alone, client, server

Run = Callable[..., Done]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_record_is_all_that_leaves_a_cell(tmp_path: Path, run: Run) -> None:
    done = run(*alone(server(tmp_path, "behaves"), server(tmp_path, "fails")))
    assert done.exit_code == 1
    assert {name: entry.state for name, entry in done.ledger.entries.items()} == {
        "behaves-1": State.EXPECTED,
        "fails-1": State.UNEXPECTED,
    }
    for entry in done.ledger.entries.values():
        assert names(tmp_path / "matrix" / "cells" / entry.cell.name) == {"run.ndjson"}
        assert record.read(tmp_path / "matrix" / entry.record).finished
        assert entry.duration > 0


def test_a_client_and_a_pair_are_cells_as_a_server_is(tmp_path: Path, run: Run) -> None:
    behaves, first, second = server(tmp_path, "behaves"), client(tmp_path, "first"), client(tmp_path, "second")
    done = run(Cell("one", behaves, (first,)), Cell("two", behaves, (first, second)), Cell("none", behaves), jobs=3)
    assert done.exit_code == 0
    kept = record.read(tmp_path / "matrix" / "cells" / "two" / "run.ndjson")
    assert (kept.header.role, kept.header.subject["name"]) == ("pair", "first")
    assert [peer["name"] for peer in kept.header.peers] == ["second", "behaves"]


@pytest.mark.parametrize(
    ("behaviour", "state", "tries", "said"),
    [
        ("fails-to-start", State.NOT_STARTED, 2, "it would not start\n  why: it is a fake"),
        ("is-killed", State.KILLED, 2, "SIGKILL"),
        ("writes-half-a-record", State.BROKEN, 1, "its record has no end"),
        ("writes-nothing", State.BROKEN, 1, "it left no record"),
        ("writes-rubbish", State.BROKEN, 1, "is not a run record"),
        ("floods", State.EXPECTED, 1, ""),
    ],
)
def test_a_bad_cell_harms_no_other(
    tmp_path: Path, run: Run, behaviour: str, state: State, tries: int, said: str
) -> None:
    done = run(*alone(server(tmp_path, behaviour), server(tmp_path, "behaves")))
    bad, good = done.ledger.entries.values()
    assert good.state is State.EXPECTED
    assert bad.state is state
    assert len(bad.attempts) == tries
    assert said in bad.reason
    assert done.exit_code == (0 if state is State.EXPECTED else 3)
    assert ledger.read(tmp_path / "matrix").entries == done.ledger.entries


def test_what_a_bad_cell_said_is_kept_with_its_server_s_log(tmp_path: Path, run: Run) -> None:
    run(*alone(server(tmp_path, "is-killed")), retries=0)
    assert names(tmp_path / "matrix" / "cells" / "is-killed-1") == {"run.ndjson", "server.log"}
    run(*alone(server(tmp_path, "fails-to-start")), retries=0)
    assert "it would not start" in (tmp_path / "matrix/cells/fails-to-start-1/output.txt").read_text()


def test_a_retry_is_kept_and_shown_as_one(tmp_path: Path, run: Run) -> None:
    display = Remembered()
    done = run(*alone(server(tmp_path, "starts-the-second-time")), display=display)
    (entry,) = done.ledger.entries.values()
    assert done.exit_code == 0
    assert [tried.state for tried in entry.attempts] == [State.NOT_STARTED, State.EXPECTED]
    assert [tried.exit for tried in entry.attempts] == [3, 0]
    states = [entry.state for entry, _ in display.changes]
    assert states == [State.RUNNING, State.NOT_STARTED, State.RUNNING, State.EXPECTED]


def test_each_try_s_record_is_kept(tmp_path: Path, run: Run) -> None:
    done = run(*alone(server(tmp_path, "is-killed")), retries=2)
    (entry,) = done.ledger.entries.values()
    folder = tmp_path / "matrix" / "cells" / "is-killed-1"
    assert names(folder) >= {"attempt-1.ndjson", "attempt-2.ndjson", "run.ndjson"}
    assert [Path(tried.record).name for tried in entry.attempts] == [
        "attempt-1.ndjson",
        "attempt-2.ndjson",
        "run.ndjson",
    ]
    assert all(record.read(tmp_path / "matrix" / tried.record).results for tried in entry.attempts)


def test_a_try_without_a_record_does_not_hide_the_one_before(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cell,) = alone(server(tmp_path, "is-killed"))
    run(cell, retries=0)
    (tmp_path / "cells").mkdir()
    monkeypatch.setattr("lab.matrix.plan.STANZALAB", ("false",))
    done = run(cell, retries=0)
    (entry,) = done.ledger.entries.values()
    assert [tried.state for tried in entry.attempts] == [State.KILLED, State.BROKEN]
    assert entry.record == "cells/is-killed-1/run.ndjson" == entry.attempts[0].record
    assert record.read(tmp_path / "matrix" / entry.record).results


def test_a_command_that_is_not_there_is_said(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.matrix.plan.STANZALAB", (str(tmp_path / "none"),))
    done = run(*alone(server(tmp_path, "behaves")), retries=0)
    (entry,) = done.ledger.entries.values()
    assert entry.state is State.NOT_STARTED
    assert str(tmp_path / "none") in entry.reason


def test_a_subject_that_cannot_be_made_ready_fails_its_own_cells_alone(tmp_path: Path, run: Run, calls: Path) -> None:
    lacking = server(tmp_path, "lacking", requirements='"./no-such-package"')
    display = Remembered()
    done = run(*alone(lacking, server(tmp_path, "behaves")), display=display)
    bad, good = done.ledger.entries.values()
    assert (bad.state, good.state) == (State.NOT_STARTED, State.EXPECTED)
    assert "could not be installed" in bad.reason
    assert not list(calls.glob("lacking*"))
    assert done.exit_code == 3
    assert any("making lacking 1 ready" in step for step in display.steps)


def test_cells_go_on_where_a_matrix_ended(tmp_path: Path, run: Run, calls: Path) -> None:
    cells = alone(server(tmp_path, "behaves"), server(tmp_path, "fails"), server(tmp_path, "starts-the-second-time"))
    first = run(*cells, retries=0)
    assert (first.exit_code, first.run) == (3, 3)
    second = run(*cells, retries=0)
    assert (second.exit_code, second.run) == (1, 1)
    third = run(*cells, retries=0)
    assert (third.exit_code, third.run) == (1, 0)
    assert names(calls) == {"behaves-1-1", "fails-1-1", "starts-the-second-time-1-1", "starts-the-second-time-1-2"}
    tries = third.ledger.entries["starts-the-second-time-1"].attempts
    assert [tried.number for tried in tries] == [1, 2]


def test_another_selection_is_run_again_and_the_old_record_kept(tmp_path: Path, run: Run, calls: Path) -> None:
    cells = alone(server(tmp_path, "behaves"))
    run(*cells)
    done = run(*cells, asked=Asked(selection=Selection(rows=("core/tls",))))
    assert done.run == 1
    assert names(calls) == {"behaves-1-1", "behaves-1-2"}
    assert names(tmp_path / "matrix/cells/behaves-1") == {"attempt-1.ndjson", "run.ndjson"}


@pytest.mark.parametrize("changed", ["lab", "version"])
def test_a_record_of_another_lab_or_of_another_version_is_no_result(tmp_path: Path, run: Run, changed: str) -> None:
    cells = alone(server(tmp_path, "behaves"))
    run(*cells)
    path = tmp_path / "matrix/cells/behaves-1/run.ndjson"
    first, *rest = path.read_text().splitlines(keepends=True)
    event = json.loads(first)
    if changed == "lab":
        event["lab"] = "0.0.0"
    else:
        event["subject"]["version"] = "0"
    path.write_text("".join([json.dumps(event) + "\n", *rest]))
    assert run(*cells).run == 1


def test_a_cell_whose_end_the_ledger_did_not_see_is_known_by_its_record(tmp_path: Path, run: Run) -> None:
    cells = alone(server(tmp_path, "fails"))
    run(*cells)
    path = tmp_path / "matrix" / "matrix.json"
    data = json.loads(path.read_text())
    data["cells"][0]["state"] = data["cells"][0]["attempts"][0]["state"] = "running"
    data["cells"][0]["attempts"][0]["exit"] = None
    path.write_text(json.dumps(data))
    done = run(*cells)
    assert (done.run, done.exit_code) == (0, 1)
    assert done.ledger.entries["fails-1"].attempts[0].state is State.UNEXPECTED


def test_results_of_cells_that_are_not_asked_for_any_more_stay(tmp_path: Path, run: Run) -> None:
    one, other = alone(server(tmp_path, "behaves"), server(tmp_path, "fails"))
    run(one, other)
    done = run(one)
    assert set(done.ledger.entries) == {"behaves-1", "fails-1"}


def test_a_full_disk_is_said_and_stops_all_cells(tmp_path: Path, run: Run, calls: Path) -> None:
    class Filling(Remembered):
        """The disk is full from the moment when the first cell has begun."""

        def changed(self, entry: ledger.Entry, counts: object) -> None:
            place = tmp_path / "matrix" / f".{ledger.FILE}.tmp"
            if not place.is_symlink():
                place.symlink_to("/dev/full")

    with pytest.raises(MachineError, match=r"cannot write .*matrix.json") as caught:
        run(*alone(server(tmp_path, "waits"), server(tmp_path, "behaves")), display=Filling())
    assert "No space left" in caught.value.cause
    assert "--resume" in caught.value.hint
    (tmp_path / "matrix" / f".{ledger.FILE}.tmp").unlink(missing_ok=True)
    (calls / "go").touch()
    done = run(*alone(server(tmp_path, "waits"), server(tmp_path, "behaves")))
    assert done.exit_code == 0


def test_two_at_one_folder_is_one_too_many(tmp_path: Path, run: Run) -> None:
    with course._alone(tmp_path / "matrix"), pytest.raises(UsageError, match="another stanzalab is at"):
        run(*alone(server(tmp_path, "behaves")))


def partial(path: Path) -> None:
    with record.Writer(path, header(party("x:1"), (), 0)) as writer:
        writer.check(result("first"))


def test_what_a_cell_measured_until_its_time_was_over_is_kept(tmp_path: Path) -> None:
    partial(tmp_path / "run.ndjson")
    trying = Attempt(1, State.RUNNING, record="cells/x/run.ndjson")
    tried = course._judged(trying, End(130, 61.0, "", timed_out=True), tmp_path)
    assert (tried.state, tried.record) == (State.TIMED_OUT, trying.record)
    assert "not done after 61 s" in tried.reason
    killed = course._judged(trying, End(-9, 90.0, "", timed_out=True, killed=True), tmp_path)
    assert (killed.state, killed.record) == (State.TIMED_OUT, trying.record)
    assert "killed" in killed.reason


def test_a_cell_that_was_done_just_as_its_time_was_over_has_its_result(tmp_path: Path) -> None:
    with record.Writer(tmp_path / "run.ndjson", header(party("x:1"), (), 0)) as writer:
        writer.footer(record.Footer("", 1.0, {}, 0))
    tried = course._judged(Attempt(1, State.RUNNING), End(0, 60.0, "", timed_out=True), tmp_path)
    assert tried.state is State.EXPECTED


def test_an_exit_code_that_its_record_does_not_share_is_no_result(tmp_path: Path) -> None:
    with record.Writer(tmp_path / "run.ndjson", header(party("x:1"), (), 0)) as writer:
        writer.footer(record.Footer("", 1.0, {}, 1))
    tried = course._judged(Attempt(1, State.RUNNING), End(0, 60.0, ""), tmp_path)
    assert tried.state is State.BROKEN
    assert "its record says 1" in tried.reason


def test_a_cell_that_is_not_done_in_time_is_tried_again(tmp_path: Path, run: Run) -> None:
    done = run(*alone(server(tmp_path, "waits")), limit=3.0)
    (slow,) = done.ledger.entries.values()
    assert [tried.state for tried in slow.attempts] == [State.TIMED_OUT, State.TIMED_OUT]
    assert done.exit_code == 3
