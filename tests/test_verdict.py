"""The two axes: what an outcome is, and what a list of known failures makes of it."""

from __future__ import annotations

import pytest

from lab.verdict import Expectation, Keyword, Outcome, expectation, slug, worst


@pytest.mark.parametrize(
    ("outcome", "listed", "flaky", "expected"),
    [
        (Outcome.PASS, None, False, Expectation.EXPECTED),
        (Outcome.FAIL, None, False, Expectation.UNEXPECTED),
        (Outcome.CRASH, None, False, Expectation.UNEXPECTED),
        (Outcome.NON_STRICT, None, False, Expectation.EXPECTED),
        (Outcome.UNSUPPORTED, None, False, Expectation.EXPECTED),
        (Outcome.FAIL, Outcome.FAIL, False, Expectation.KNOWN),
        (Outcome.PASS, Outcome.FAIL, False, Expectation.FIXED),
        (Outcome.CRASH, Outcome.FAIL, False, Expectation.UNEXPECTED),
        (Outcome.FAIL, Outcome.CRASH, False, Expectation.UNEXPECTED),
        (Outcome.IMPOSSIBLE, Outcome.FAIL, False, Expectation.EXPECTED),
        (Outcome.PASS, Outcome.FAIL, True, Expectation.FLAKY),
        (Outcome.FAIL, Outcome.FAIL, True, Expectation.FLAKY),
    ],
)
def test_a_list_makes_something_of_an_outcome(
    outcome: Outcome, listed: Outcome | None, flaky: bool, expected: Expectation
) -> None:
    assert expectation(outcome, listed, flaky=flaky) is expected


@pytest.mark.parametrize("listed", [None, *Outcome])
@pytest.mark.parametrize("flaky", [False, True])
def test_an_error_is_never_excused(listed: Outcome | None, flaky: bool) -> None:
    assert expectation(Outcome.ERROR, listed, flaky=flaky) is Expectation.UNEXPECTED


def test_only_must_binds() -> None:
    assert [k for k in Keyword if k.binding] == [Keyword.MUST, Keyword.MUST_NOT]


def test_worst_of_a_group() -> None:
    assert worst([]) is None
    assert worst([Outcome.PASS, Outcome.NON_STRICT]) is Outcome.NON_STRICT
    assert worst([Outcome.PASS, Outcome.FAIL, Outcome.ERROR]) is Outcome.FAIL


def test_slug() -> None:
    assert slug("RFC 6120") == "rfc-6120"
