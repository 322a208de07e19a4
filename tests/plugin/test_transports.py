"""Checks over several transports: names, requirements, sessions; and what is known of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.catalogue import INI
from lab.fakes import FakeServer
from lab.plugin.hooks import event_of
from lab.record import CheckResult
from lab.verdict import Outcome

CHECKS = Path(__file__).with_name("transport_checks.py")


class Collector:
    def __init__(self) -> None:
        self.results: dict[str, CheckResult] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        event = event_of(report)
        if event:
            self.results[event["name"]] = CheckResult.from_event(event)


def run(folder: Path, *more: str) -> dict[str, CheckResult]:
    collector = Collector()
    with FakeServer(run_dir=folder, patience=5.0):
        arguments = ["-c", str(INI), "--rootdir", str(CHECKS.parent), "-p", "no:xdist", *more]
        pytest.main([*arguments, "--cell", str(folder / "cell.json"), str(CHECKS)], plugins=[collector])
    return collector.results


def test_each_is_run_over_each_transport_by_a_name_of_its_own(tmp_path: Path) -> None:
    results = run(tmp_path)
    own = {
        "rfc-6120/is-answered/server",
        "rfc-6120/is-answered/own-account",
        "rfc-6120/has-no-parameter",
    }
    carried = {f"{carrier}/{name}" for carrier in ("rfc-7395", "xep-0206") for name in own}
    assert set(results) == own | carried | {"rfc-6120/is-of-tcp-alone"}
    assert {name: r.outcome for name, r in results.items() if r.outcome is not Outcome.PASS} == {}
    requirement = results["rfc-7395/rfc-6120/is-answered/server"].check.requirement
    assert (requirement.provider, requirement.sections) == ("RFC 7395", ("1",))
    assert requirement.says == "Over WebSocket as over TCP (RFC 6120 §8.2.3): An iq is answered."
    assert results["rfc-6120/is-answered/server"].check.requirement.provider == "RFC 6120"


def test_one_of_them_is_chosen_by_its_name(tmp_path: Path) -> None:
    assert set(run(tmp_path, "--check", "xep-0206/rfc-6120/has-no-parameter")) == {
        "xep-0206/rfc-6120/has-no-parameter"
    }
