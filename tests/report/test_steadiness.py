"""Several runs of one subject: what wavers is told, what is listed as flaky turns nothing red."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from lab import report
from lab.errors import UsageError
from lab.record import CheckResult, Record
from lab.report.steadiness import Steadiness
from lab.verdict import Expectation, Outcome
from tests.report import building
from tests.report.building import result

A, B, C = (f"xep-0030/{name}" for name in "abc")
FAIL, PASS, SOFT = Outcome.FAIL, Outcome.PASS, Outcome.NON_STRICT


@pytest.fixture
def runs(tmp_path: Path) -> Any:
    """Makes one record of each tuple of results."""

    def make(*several: tuple[CheckResult, ...], **facts: Any) -> list[Record]:
        return [building.record(tmp_path / f"{n}.ndjson", one, **facts) for n, one in enumerate(several, 1)]

    return make


def _printed(found: Steadiness) -> str:
    console = Console(file=io.StringIO(), width=100)
    report.steadiness_on_terminal(found, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_runs_that_agree_are_steady(runs: Any) -> None:
    found = report.steadiness(runs(*[building.every_kind()] * 3))
    assert found.steady
    assert found.wavering == ()
    assert found.compared == len(building.every_kind())
    assert "in 3 runs: all the same" in _printed(found)


def test_what_wavers_is_told_with_its_runs(runs: Any) -> None:
    records = runs(
        (result(A), result(B)),
        (result(A, FAIL, seen="nothing came"), result(B)),
        (result(A), result(B)),
    )
    found = report.steadiness(records)
    assert not found.steady
    [one] = found.wavering
    assert (one.name, one.outcomes, one.seen) == (A, (PASS, FAIL, PASS), "nothing came")
    printed = _printed(found)
    assert "✓ pass: 2 of 3" in printed
    assert "✗ fail: 1 of 3 (run 2)" in printed
    assert "nothing came" in printed
    assert "2 checks of prosody 13.0 in 3 runs: 1 did not come to the same each time" in printed


def test_a_missed_should_that_comes_and_goes_wavers_too(runs: Any) -> None:
    assert not report.steadiness(runs((result(A, SOFT),), (result(A),))).steady


def test_what_is_listed_as_flaky_wavers_and_turns_nothing_red(runs: Any) -> None:
    found = report.steadiness(runs((result(A),), (result(A, FAIL, Expectation.FLAKY),)))
    assert found.steady
    assert found.wavering[0].listed
    assert "1 did not come to the same each time, 1 of them listed as flaky" in _printed(found)


def test_what_only_one_run_tried_is_not_compared(runs: Any) -> None:
    found = report.steadiness(runs((result(A), result(B, FAIL)), (result(A), result(C))))
    assert (found.compared, found.wavering) == (1, ())


def test_json_has_an_outcome_a_run_and_none_where_it_was_not_tried(runs: Any) -> None:
    said = report.steadiness_json(report.steadiness(runs((result(A),), (result(B),), (result(A, FAIL),))))
    assert said["wavering"][0]["outcomes"] == ["pass", None, "fail"]
    assert said["steady"] is False
    assert [run["checks"] for run in said["runs"]] == [1, 1, 1]
    assert json.loads(json.dumps(said)) == said


def test_markdown_lets_no_markup_of_a_subject_through(runs: Any) -> None:
    records = runs((result(A),), (result(A, FAIL, seen=building.HOSTILE),))
    written = report.steadiness_markdown(report.steadiness(records))
    assert "<script>" not in written
    assert len([line for line in written.splitlines() if A in line]) == 1


@pytest.mark.parametrize("count", [0, 1])
def test_one_run_is_not_enough(runs: Any, count: int) -> None:
    with pytest.raises(UsageError, match="nothing to be compared with"):
        report.steadiness(runs(*[(result(A),)] * count))


def test_runs_of_two_subjects_are_refused(runs: Any, tmp_path: Path) -> None:
    [one] = runs((result(A),))
    other = building.record(tmp_path / "other.ndjson", (result(A),), subject={"name": "other", "version": "2"})
    with pytest.raises(UsageError, match="not of one subject") as caught:
        report.steadiness([one, other])
    assert "other 2" in caught.value.cause
