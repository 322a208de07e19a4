"""The plugin: from what a check does to its outcome, its name and its evidence, against the fake server."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.catalogue import INI
from lab.fakes import FakeServer
from lab.plugin.hooks import event_of
from lab.record import CheckResult
from lab.verdict import Keyword, Outcome

EXAMPLES = Path(__file__).with_name("example_checks.py")


class Collector:
    def __init__(self) -> None:
        self.results: dict[str, CheckResult] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        event = event_of(report)
        if event:
            result = CheckResult.from_event(event)
            self.results[result.check.name.removeprefix("rfc-6120/")] = result


def run_examples(folder: Path, *, misbehaviour: str = "", only: tuple[str, ...] = ()) -> dict[str, CheckResult]:
    collector = Collector()
    with FakeServer(misbehaviour, run_dir=folder, patience=1.0):
        chosen = [word for name in only for word in ("--check", f"rfc-6120/{name}")]
        arguments = ["-c", str(INI), "--rootdir", str(EXAMPLES.parent), "-p", "no:xdist", *chosen]
        pytest.main([*arguments, "--cell", str(folder / "cell.json"), str(EXAMPLES)], plugins=[collector])
    return collector.results


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, CheckResult]:
    return run_examples(tmp_path_factory.mktemp("cell"))


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("passes", Outcome.PASS),
        ("misses-a-must", Outcome.FAIL),
        ("misses-a-should", Outcome.NON_STRICT),
        ("waits-in-vain", Outcome.FAIL),
        ("is-not-offered", Outcome.UNSUPPORTED),
        ("is-impossible", Outcome.IMPOSSIBLE),
        ("is-broken", Outcome.ERROR),
        ("loses-the-machine", Outcome.ERROR),
        ("cannot-even-begin", Outcome.FAIL),
        ("has-parameters/get", Outcome.PASS),
        ("has-parameters/set", Outcome.PASS),
        ("nothing-comes", Outcome.PASS),
        ("tcp-is-closed", Outcome.PASS),
    ],
)
def test_outcome(results: dict[str, CheckResult], name: str, outcome: Outcome) -> None:
    assert results[name].outcome is outcome, results[name]


def test_a_miss_says_what_was_expected_and_seen(results: dict[str, CheckResult]) -> None:
    missed = results["misses-a-must"]
    assert missed.expected == "an error: gone"
    assert missed.seen.startswith("<iq")


def test_silence_is_described(results: dict[str, CheckResult]) -> None:
    silent = results["waits-in-vain"]
    assert "never" in silent.expected
    assert "nothing" in silent.seen


def test_a_spoiled_preparation_says_so(results: dict[str, CheckResult]) -> None:
    assert results["cannot-even-begin"].seen.startswith("before the requirement could be tried")


def test_our_own_faults_carry_the_reason(results: dict[str, CheckResult]) -> None:
    assert "ZeroDivisionError" in results["is-broken"].reason
    assert "make room" in results["loses-the-machine"].reason


def test_a_parameter_may_have_its_own_requirement(results: dict[str, CheckResult]) -> None:
    assert results["has-parameters/get"].check.requirement.keyword is Keyword.MUST
    own = results["has-parameters/set"].check.requirement
    assert (own.keyword, own.sections) == (Keyword.SHOULD, ("8.2.2",))


def test_the_trace_holds_both_ways(results: dict[str, CheckResult]) -> None:
    trace = results["passes"].trace
    assert {e.direction for e in trace} >= {"sent", "received"}
    assert any("urn:xmpp:ping" in e.text for e in trace if e.direction == "sent")
    assert trace == tuple(sorted(trace, key=lambda e: e.at))


@pytest.mark.parametrize("misbehaviour", ["hangs-after-connect", "closes-at-once", "broken-xml", "billion-laughs"])
def test_a_server_that_lets_nobody_in_fails_and_is_no_error(tmp_path: Path, misbehaviour: str) -> None:
    found = run_examples(tmp_path, misbehaviour=misbehaviour, only=("passes",))
    assert found["passes"].outcome is Outcome.FAIL
    assert "before the requirement could be tried" in found["passes"].seen


@pytest.mark.parametrize(
    ("misbehaviour", "seen"),
    [("swallows-iq", "nothing within"), ("hangs-after-login", "nothing within"), ("half-a-stanza", "nothing within")],
)
def test_what_hung_is_said(tmp_path: Path, misbehaviour: str, seen: str) -> None:
    found = run_examples(tmp_path, misbehaviour=misbehaviour, only=("passes",))
    assert found["passes"].outcome is Outcome.FAIL
    assert seen in found["passes"].seen


def test_a_check_that_holds_fails_where_a_standing_rule_is_broken(tmp_path: Path) -> None:
    found = run_examples(tmp_path, misbehaviour="answers-twice", only=("passes", "misses-a-should", "nothing-comes"))
    passing = found["passes"]
    assert passing.outcome is Outcome.FAIL
    assert passing.expected.startswith("RFC 6120 §8.2.3: ")
    assert passing.seen.startswith("<iq")
    assert "answered-once" in passing.reason
    not_strict = found["misses-a-should"]
    assert not_strict.outcome is Outcome.FAIL
    assert "besides: expected an error: gone" in not_strict.reason


def test_a_check_that_fails_anyway_keeps_its_own_failure(tmp_path: Path) -> None:
    found = run_examples(tmp_path, misbehaviour="wrong-id", only=("passes", "misses-a-must"))
    for result in found.values():
        assert result.outcome is Outcome.FAIL
        assert "a result or error for the iq get" in result.expected
        assert "unasked-reply" in result.reason


def test_a_server_that_behaves_breaks_no_rule_and_no_schema(results: dict[str, CheckResult]) -> None:
    assert not [r for r in results.values() if "standing rule" in r.reason]
    assert {r.check.name: r.strictness for r in results.values() if r.strictness} == {}
