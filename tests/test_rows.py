"""From outcomes of checks to rows: no executed check is never green, a failure is never excused."""

from __future__ import annotations

import pytest

from lab.rows import RowOutcome, combine, judge_row, provider_outcome
from lab.verdict import Outcome
from schemas import suites
from schemas.suites import Combine, Level, Role


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([], RowOutcome.NOT_TESTED),
        ([Outcome.IMPOSSIBLE], RowOutcome.NOT_TESTED),
        ([Outcome.PASS], RowOutcome.PASS),
        ([Outcome.PASS, Outcome.IMPOSSIBLE], RowOutcome.PASS),
        ([Outcome.PASS, Outcome.NON_STRICT], RowOutcome.NON_STRICT),
        ([Outcome.PASS, Outcome.UNSUPPORTED], RowOutcome.PASS),
        ([Outcome.UNSUPPORTED, Outcome.UNSUPPORTED], RowOutcome.UNSUPPORTED),
        ([Outcome.UNSUPPORTED, Outcome.FAIL], RowOutcome.FAIL),
        ([Outcome.FAIL] * 3, RowOutcome.FAIL),
        ([Outcome.PASS, Outcome.CRASH], RowOutcome.FAIL),
        ([Outcome.PASS, Outcome.ERROR], RowOutcome.ERROR),
        ([Outcome.ERROR, Outcome.FAIL], RowOutcome.FAIL),
    ],
)
def test_checks_make_a_provider(outcomes: list[Outcome], expected: RowOutcome) -> None:
    assert provider_outcome(outcomes) is expected


def test_all_providers_are_asked_for_or_one_is_enough() -> None:
    results = [RowOutcome.PASS, RowOutcome.FAIL]
    assert combine(results, Combine.ALL) is RowOutcome.FAIL
    assert combine(results, Combine.ONE_OF) is RowOutcome.PASS
    assert combine([RowOutcome.PASS, RowOutcome.NOT_TESTED], Combine.ALL) is RowOutcome.NOT_TESTED
    assert combine([RowOutcome.UNSUPPORTED, RowOutcome.NOT_TESTED], Combine.ALL) is RowOutcome.UNSUPPORTED
    assert combine([], Combine.ALL) is RowOutcome.NOT_TESTED


def test_a_row_of_two_providers() -> None:
    row = suites.load(2021).row("im/group-chat")
    result = judge_row(row, Role.SERVER, {"XEP-0045": [Outcome.PASS]}, {"XEP-0045": 5})
    assert result.outcome[Level.CORE] is RowOutcome.NOT_TESTED
    assert result.partial
    assert [p.outcome for p in result.providers] == [RowOutcome.PASS, RowOutcome.NOT_TESTED]


def test_one_of_relaxes_only_the_level_that_says_so() -> None:
    row = suites.load(2021).row("web/web-connection-mechanisms")
    outcomes = {"RFC 7395": [Outcome.PASS], "XEP-0206": [Outcome.FAIL]}
    result = judge_row(row, Role.CLIENT, outcomes, {})
    expected = {
        level: RowOutcome.PASS if row.combine_for(Role.CLIENT, level) is Combine.ONE_OF else RowOutcome.FAIL
        for level in Level
    }
    assert dict(result.outcome) == expected
    assert RowOutcome.PASS in expected.values()
    assert set(judge_row(row, Role.SERVER, outcomes, {}).outcome.values()) == {RowOutcome.FAIL}


def test_a_row_without_checks_is_not_tested() -> None:
    for row in suites.load(2023).rows:
        result = judge_row(row, Role.SERVER, {}, {})
        assert set(result.outcome.values()) == {RowOutcome.NOT_TESTED}
