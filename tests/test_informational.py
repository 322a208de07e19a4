"""What a suite only mentions: its checks are chosen by row, told in the record, and make no exit code 1."""

from __future__ import annotations

import pytest

from lab import catalogue, fuzz
from lab.execution import Execution
from lab.record import CheckResult
from lab.run import _exit_code
from lab.verdict import Expectation, Outcome
from schemas import suites
from tests.report import building


@pytest.mark.parametrize(
    ("outcome", "expectation", "gates"),
    [
        (Outcome.FAIL, Expectation.UNEXPECTED, False),
        (Outcome.FAIL, Expectation.KNOWN, False),
        (Outcome.PASS, Expectation.FIXED, False),
        (Outcome.PASS, Expectation.EXPECTED, False),
        (Outcome.CRASH, Expectation.UNEXPECTED, True),
        (Outcome.CRASH, Expectation.KNOWN, False),
        (Outcome.ERROR, Expectation.UNEXPECTED, True),
    ],
)
def test_only_a_crash_and_an_error_of_the_lab_make_the_exit_code_1(
    outcome: Outcome, expectation: Expectation, gates: bool
) -> None:
    told = building.mentioned("xep-0077/a", outcome, expectation)
    assert told.gates is gates
    assert _exit_code(Execution((building.result("xep-0030/a"), told)), exited=False) == int(gates)


def test_elsewhere_a_failure_makes_the_exit_code_1() -> None:
    failed = building.result("xep-0030/a", Outcome.FAIL)
    assert _exit_code(Execution((failed,)), exited=False) == 1


def test_the_record_keeps_it_and_older_records_say_nothing_of_it() -> None:
    event = building.mentioned("xep-0077/a", Outcome.FAIL).to_event()
    assert CheckResult.from_event(event).informational
    del event["informational"]
    assert not CheckResult.from_event(event).informational


@pytest.mark.parametrize(
    ("row", "some", "others"),
    [
        ("informational", {"XEP-0077", "XEP-0390", "XEP-0425"}, {"RFC 6120", "XEP-0045"}),
        ("informational/xep-0077", {"XEP-0077"}, {"XEP-0425"}),
    ],
)
def test_checks_are_chosen_by_row(row: str, some: set[str], others: set[str]) -> None:
    chosen = {check.requirement.provider for check in catalogue.select(year=2021, rows=[row])}
    assert some <= chosen
    assert not others & chosen


def test_a_campaign_is_of_informational_rows_only_where_they_are_asked_for() -> None:
    mentioned = suites.load(2021).mentioned
    assert not mentioned & {trial.provider for trial in fuzz.trials_of(fuzz.rows_of(2021))}
    asked = fuzz.trials_of(fuzz.rows_of(2021, ["informational/xep-0077"]))
    assert [trial.provider for trial in asked] == ["XEP-0077"]
