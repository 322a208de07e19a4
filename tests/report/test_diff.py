"""Two records compared: what is newly bad and good, what cannot be compared, and that nobody is misled."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from lab import report
from lab.record import CheckResult, Record
from lab.report import changes
from lab.report.diff import Difference
from lab.rows import RowOutcome
from lab.verdict import Expectation, Outcome
from tests.report import building
from tests.report.building import result


@pytest.fixture
def compared(tmp_path: Path) -> Any:
    """Compares two runs of these results."""

    def compare(
        before: tuple[CheckResult, ...], after: tuple[CheckResult, ...], *, older: Any = None, **newer: Any
    ) -> Difference:
        first = building.record(tmp_path / "before.ndjson", before, **(older or {}))
        return report.diff(first, building.record(tmp_path / "after.ndjson", after, **newer))

    return compare


def _printed(difference: Difference) -> str:
    console = Console(file=io.StringIO(), width=80)
    report.difference(difference, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def _names(changed: Any) -> list[str]:
    return [change.name for change in changed]


A, B, C, D, E = (f"xep-0030/{name}" for name in "abcde")


def test_a_record_and_itself_differ_in_nothing(compared: Any) -> None:
    found = compared(building.every_kind(), building.every_kind(), older=building.FUZZED, **building.FUZZED)
    assert found.nothing
    assert not found.worse
    assert found.same == 12
    assert "12 as before" in _printed(found)


def test_every_change_has_its_group(compared: Any) -> None:
    before = (
        result(A),
        result(B, Outcome.FAIL),
        result(C),
        result(D),
        result(E),
        result("xep-0115/gone"),
        result("xep-0115/lost"),
    )
    after = (
        result(A, Outcome.FAIL, expected="an answer", seen="none"),
        result(B),
        result(C, Outcome.UNSUPPORTED, reason="not advertised"),
        result(D, Outcome.FAIL, Expectation.FLAKY),
        result(E),
        result("xep-0163/new", Outcome.FAIL),
    )
    selected = (*(r.check.name for r in after), "xep-0115/lost")
    found = compared(before, after, selected=selected)
    assert _names(found.newly_bad) == [A]
    assert _names(found.newly_good) == [B]
    assert _names(found.lost) == [C]
    assert _names(found.flaky) == [D]
    assert [r.check.name for r in found.appeared] == ["xep-0163/new"]
    assert [r.check.name for r in found.vanished] == ["xep-0115/gone"]
    assert found.missing == ("xep-0115/lost",)
    assert found.same == 1
    assert found.worse
    page = " ".join(_printed(found).split())
    for part in ("Newly bad (1)", f"{A} pass → fail", "expected an answer", f"CHECK={A}", "Newly good (1)"):
        assert part in page


@pytest.mark.parametrize("outcome", [Outcome.FAIL, Outcome.CRASH, Outcome.ERROR])
@pytest.mark.parametrize("was", [Outcome.PASS, Outcome.NON_STRICT, Outcome.UNSUPPORTED, Outcome.IMPOSSIBLE])
def test_newly_bad_is_whatever_is_bad_and_was_not(compared: Any, was: Outcome, outcome: Outcome) -> None:
    assert _names(compared((result(A, was),), (result(A, outcome),)).newly_bad) == [A]
    back = compared((result(A, outcome),), (result(A, was),))
    assert _names(back.newly_good if was in {Outcome.PASS, Outcome.NON_STRICT} else back.changed) == [A]
    assert not back.worse


@pytest.mark.parametrize("was", [Outcome.PASS, Outcome.NON_STRICT])
def test_what_is_no_longer_supported_is_worse(compared: Any, was: Outcome) -> None:
    found = compared((result(A, was),), (result(A, Outcome.UNSUPPORTED),))
    assert _names(found.lost) == [A]
    assert not found.changed
    assert found.worse
    assert "No longer supported (1)" in _printed(found)


@pytest.mark.parametrize(
    ("was", "now"),
    [
        (Outcome.PASS, Outcome.IMPOSSIBLE),
        (Outcome.PASS, Outcome.NON_STRICT),
        (Outcome.IMPOSSIBLE, Outcome.UNSUPPORTED),
        (Outcome.UNSUPPORTED, Outcome.PASS),
    ],
)
def test_other_changes_are_said_and_are_no_worse(compared: Any, was: Outcome, now: Outcome) -> None:
    found = compared((result(A, was),), (result(A, now),))
    assert _names(found.changed) == [A]
    assert not found.worse


def test_bad_in_another_way_is_a_change(compared: Any) -> None:
    found = compared((result(A, Outcome.FAIL),), (result(A, Outcome.CRASH),))
    assert _names(found.changed) == [A]
    assert not found.worse


def test_a_listed_failure_that_is_new_is_newly_bad_and_says_that_it_is_listed(compared: Any) -> None:
    found = compared((result(A),), (result(A, Outcome.FAIL, Expectation.KNOWN, known_reason="ours"),))
    assert found.worse
    assert "pass → fail (known)" in _printed(found)


def test_what_only_one_of_them_tried_is_no_regression(compared: Any) -> None:
    found = compared((result(A),), (result(B, Outcome.FAIL),))
    assert not found.worse
    assert not found.nothing
    contrast = next(c for c in found.contrasts if c.what == "selected checks")
    assert (contrast.before, contrast.after) == ("1, 0 of them in both", "1")
    assert "Not the same in both" in _printed(found)


def test_rows_that_changed_are_told_by_level(compared: Any) -> None:
    found = compared((result(A),), (result(A, Outcome.FAIL),))
    rows = [row for row in found.rows if row.row == "core/feature-discovery"]
    assert {(row.before, row.after) for row in rows} == {(RowOutcome.PASS, RowOutcome.FAIL)}
    assert [row.level for row in rows] == ["core", "advanced"]
    assert all(row.worse and row.partial for row in rows)


def test_another_build_another_lab_and_another_peer_are_said(compared: Any) -> None:
    subject = {"name": "prosody", "title": "Prosody", "version": "0.12", "package": "prosody 0.12.3"}
    found = compared((result(A),), (result(A),), lab="0.2.0", subject=subject, peers=({"name": "slixmpp"},))
    said = {c.what: (c.before, c.after) for c in found.contrasts}
    assert said["lab"] == ("0.1.0", "0.2.0")
    assert said["subject"] == ("Prosody 13.0", "Prosody 0.12")
    assert said["package"] == ("prosody 13.0.1-1+deb13u1", "prosody 0.12.3")
    assert said["image"] == ("stanzalab/prosody:13.0", "none")
    assert said["peers"] == ("none", "slixmpp")


def test_findings_are_compared_where_both_were_fuzzed(compared: Any) -> None:
    without = {**building.FUZZED, "findings": (building.LISTED,)}
    found = compared((result(A),), (result(A),), older=without, **building.FUZZED)
    assert [f.name for f in found.new_findings] == [building.FLAKY.name, building.NEW.name]
    assert found.worse
    back = compared((result(A),), (result(A),), older=building.FUZZED, **without)
    assert len(back.gone_findings) == 2
    assert not back.worse
    alone = compared((result(A),), (result(A),), **building.FUZZED)
    assert not alone.new_findings
    assert next(c for c in alone.contrasts if c.what == "campaign").before == "not fuzzed"


def test_listed_and_flaky_findings_turn_nothing_red(compared: Any) -> None:
    none = {**building.FUZZED, "findings": ()}
    excused = {**building.FUZZED, "findings": (building.LISTED, building.FLAKY)}
    assert not compared((), (), older=none, **excused).worse


def test_memory_and_exits_of_a_campaign_are_newly_bad(compared: Any) -> None:
    troubled = replace(building.CAMPAIGN, memory="256 MB", exits=2)
    found = compared((), (), older=building.FUZZED, **{**building.FUZZED, "campaign": troubled})
    assert found.troubles == ("too much memory: 256 MB", "the subject exited while it was fuzzed (2)")
    assert found.worse


def test_a_run_that_did_not_finish_is_said(compared: Any) -> None:
    found = compared((result(A),), (result(A),), older={"finished": False}, selected=(A, B))
    (line,) = found.unfinished
    assert "before.ndjson did not finish" in line
    assert "did not finish" in " ".join(_printed(found).split())
    assert "**Not finished:**" in report.difference_markdown(found)


def test_whatever_a_subject_sent_harms_no_reader(compared: Any) -> None:
    bad = result(A, Outcome.FAIL, seen=building.HOSTILE, expected=building.HOSTILE, reason=building.HOSTILE)
    changes: dict[str, Any] = {"subject": {"name": building.HOSTILE, "version": "| x | [a](javascript:x)"}}
    found = compared((result(A),), (bad,), older=building.FUZZED, **building.hostile_campaign(), **changes)
    printed = _printed(found)
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e\u200b\ud800]", printed)
    markdown = report.difference_markdown(found)
    assert markdown.encode()
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e\u200b\ud800]", markdown)
    assert set(re.findall(r"</?([a-z]+)", markdown)) == {"code"}
    assert "](" not in markdown
    assert json.dumps(report.difference_json(found))


def test_colour_is_for_terminals(record: Record) -> None:
    assert "\x1b" not in _printed(report.diff(record, record))


@pytest.mark.parametrize("outcome", [Outcome.FAIL, Outcome.UNSUPPORTED])
def test_what_is_informational_makes_nothing_worse(compared: Any, outcome: Outcome) -> None:
    difference = compared((building.mentioned(A, Outcome.PASS),), (building.mentioned(A, outcome),))
    assert [change.name for change in (*difference.newly_bad, *difference.lost)] == [A]
    assert not difference.worse
    assert not difference.nothing
    (group,) = changes.groups(difference)
    assert not group.loud


def test_a_crash_is_worse_wherever_it_comes(compared: Any) -> None:
    difference = compared((building.mentioned(A, Outcome.PASS),), (building.mentioned(A, Outcome.CRASH),))
    assert difference.worse
