"""Where an answer depends on the transport: same names, different outcomes."""

from __future__ import annotations

from dataclasses import replace

from lab.record import CheckResult
from lab.report.transports import differences
from lab.verdict import Check, Expectation, Keyword, Outcome, Requirement, carrier, over_tcp

ASKED = Requirement("RFC 6120", "2011-03", ("8.2.3",), Keyword.MUST, "An iq is answered.")


def result(name: str, outcome: Outcome) -> CheckResult:
    return CheckResult(Check(name, replace(ASKED)), outcome, Expectation.EXPECTED, 0.0, 0.0)


def test_a_name_tells_the_check_over_tcp_and_who_carries_it() -> None:
    assert over_tcp("rfc-7395/rfc-6120/iq-is-answered/nobody") == "rfc-6120/iq-is-answered/nobody"
    assert carrier("xep-0206/xep-0030/info-is-answered") == "xep-0206"
    assert over_tcp("rfc-7395/stream-ids-differ") == carrier("rfc-7395/stream-ids-differ") == ""
    assert over_tcp("rfc-6120/xep-0030") == ""
    assert over_tcp("rfc-6121/a/over-s2s") == "rfc-6121/a"
    assert over_tcp("rfc-6121/a/b:c-over-s2s") == "rfc-6121/a/b:c"
    assert carrier("rfc-6121/a/b:c-over-s2s") == "s2s"


def test_only_outcomes_that_differ_are_told() -> None:
    results = [
        result("rfc-6120/same", Outcome.FAIL),
        result("rfc-7395/rfc-6120/same", Outcome.FAIL),
        result("rfc-6120/differs", Outcome.PASS),
        result("rfc-7395/rfc-6120/differs", Outcome.FAIL),
        result("xep-0206/rfc-6120/differs", Outcome.PASS),
        result("rfc-7395/own", Outcome.FAIL),
    ]
    (difference,) = differences(results)
    assert difference.outcomes == {"TCP": Outcome.PASS, "rfc-7395": Outcome.FAIL, "xep-0206": Outcome.PASS}
    assert str(difference) == "rfc-6120/differs: pass over TCP, fail over rfc-7395, pass over xep-0206"


def test_what_was_not_really_tried_is_no_difference() -> None:
    tried = [result("rfc-6120/a", Outcome.PASS)]
    for outcome in (Outcome.IMPOSSIBLE, Outcome.ERROR):
        assert differences([*tried, result("rfc-7395/rfc-6120/a", outcome)]) == ()
