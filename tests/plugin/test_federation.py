"""Checks on two servers: their names and directions, and who is blamed. Two fake servers stand for the two."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lab import catalogue
from lab import cell as cells
from lab.catalogue import INI
from lab.fakes import FakeServer
from lab.plugin.border import sides_in
from lab.plugin.hooks import event_of
from lab.record import CheckResult
from lab.verdict import DIRECTIONS, Outcome, mirrored

FAKE = "fake-server"
EXAMPLES = Path(__file__).parent / "federation" / "example_checks.py"


class Collector:
    def __init__(self) -> None:
        self.results: dict[str, CheckResult] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if event := event_of(report):
            result = CheckResult.from_event(event)
            self.results[result.check.name.removeprefix("rfc-6120/")] = result


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, CheckResult]:
    one, other = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("other")
    collector = Collector()
    with FakeServer(run_dir=one, patience=1.0) as cell, FakeServer(run_dir=other, patience=1.0) as peer:
        named = replace(peer, subject=replace(peer.subject, name="another"))
        cells.write(named, other / "cell.json")
        cells.write(replace(cell, peer=other / "cell.json"), one / "cell.json")
        assert [name for name, _ in sides_in(one / "cell.json")] == [cell.subject.name, "another"]
        arguments = ["-c", str(INI), "--rootdir", str(EXAMPLES.parent), "-p", "no:xdist"]
        pytest.main([*arguments, "--cell", str(one / "cell.json"), str(EXAMPLES)], plugins=[collector])
    return collector.results


@pytest.mark.parametrize(
    ("name", "forth", "back"),
    [("wrong-answer", "another", FAKE), ("no-answer", "", ""), ("nothing-at-home", FAKE, "another")],
)
def test_whoever_is_at_fault_is_named(results: dict[str, CheckResult], name: str, forth: str, back: str) -> None:
    found = [results[f"{name}/{direction}"] for direction in DIRECTIONS]
    assert [result.outcome for result in found] == [Outcome.FAIL, Outcome.FAIL]
    assert [result.blamed for result in found] == [forth, back]


def test_the_direction_stands_behind_other_parameters(results: dict[str, CheckResult]) -> None:
    passed = {name for name, result in results.items() if result.outcome is Outcome.PASS}
    assert passed == {f"holds/{kind}/{direction}" for kind in ("one", "two") for direction in DIRECTIONS}
    assert not any(results[name].blamed for name in passed)


def test_each_check_of_the_catalogue_is_done_both_ways() -> None:
    names = {check.name for check in catalogue.checks() if check.role == "federation"}
    assert len(names) > 200
    assert {mirrored(name) for name in names} == names
    assert all(name.rpartition("/")[2] in DIRECTIONS for name in names)
