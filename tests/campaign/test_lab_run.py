"""What a short campaign behind checks, and one alone, leave in the run record; and what the commands answer."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from lab import record
from lab.fakes import FakeServer
from lab.record import Record
from lab.robustness import Robust
from lab.run import SEED
from lab.verdict import Expectation
from lab.wire.namespaces import VERSION
from tests.campaign.conftest import Typed

VALIDATOR = Draft202012Validator(json.loads(record.SCHEMA.read_text("utf-8")))
BOUND = 120.0  # seconds for anything that must happen
TWICE = f"answers-once by valid {{{VERSION}}}query in iq get to server"


def read(out: Path) -> tuple[Record, dict[str, list[dict[str, Any]]]]:
    """The record, and its events by kind, each as the published schema has it."""
    events: dict[str, list[dict[str, Any]]] = {}
    for line in (out / "run.ndjson").read_text("utf-8").splitlines():
        event = json.loads(line)
        VALIDATOR.validate(event)
        events.setdefault(event["event"], []).append(event)
    return record.read(out / "run.ndjson"), events


@pytest.fixture
def fake(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """The cell file of a fake that misbehaves as the test says."""
    folder = tmp_path / "fake"
    folder.mkdir()
    with FakeServer(request.param, run_dir=folder):
        yield folder / "cell.json"


RUN = """
import sys
from pathlib import Path
from lab import catalogue, fuzz
from lab.display import ConsoleDisplay
from lab.options import err
from lab.run import Plan, run

cell, out = map(Path, sys.argv[1:])
checks = catalogue.select(year=2021, names=["rfc-6120/unserved-iq-is-answered-once-by-an-error"])
trials = fuzz.trials_of((), ["XEP-0092", "XEP-0368", "XEP-0045"])
plan = Plan(None, checks, 2021, "again", out, cell_file=cell, workers=1, trials=trials, fuzz_seconds=3.0)
with ConsoleDisplay(err) as display:
    sys.exit(run(plan, display).exit_code)
"""
"""As `stanzalab run` does it, but behind one requirement alone: the command line fuzzes behind whole rows only."""


@pytest.mark.parametrize("fake", ["answers-version-twice"], indirect=True)
def test_a_run_fuzzes_behind_its_checks(fake: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(fake), str(out)], capture_output=True, text=True, check=False, timeout=BOUND
    )
    assert done.returncode == 1, done.stderr
    seen, events = read(out)
    assert seen.finished
    assert seen.footer is not None
    assert seen.footer.exit == 1, "an unexpected finding turns a run red that passed its check"
    assert not seen.damage
    assert {result.outcome for result in seen.results} == {"pass"}
    robust = {robustness.provider: robustness for robustness in seen.robustness}
    assert set(robust) == {"XEP-0092", "XEP-0368", "XEP-0045"}
    assert robust["XEP-0092"].outcome is Robust.FAIL
    assert TWICE in robust["XEP-0092"].findings
    assert robust["XEP-0045"].outcome is Robust.NOT_TESTED
    assert robust["XEP-0045"].reason
    assert seen.campaign is not None
    assert (seen.campaign.seed, seen.campaign.stopped) == (SEED, ""), "each run sends the same"
    assert seen.campaign.sent == sum(each.valid + each.malformed for each in seen.robustness) > 0
    kinds = list(events)
    assert kinds.index("check") < kinds.index("finding") < kinds.index("robustness") < kinds.index("campaign")
    assert kinds[-1] == "footer"
    assert [f.name for f in (out / "corpus").glob("*.json")], "its corpus lies in the run's own folder"


@pytest.mark.parametrize("fake", ["answers-version-twice"], indirect=True)
def test_a_campaign_leaves_its_findings_in_record_corpus_and_reports(
    typed: Typed, fake: Path, tmp_path: Path
) -> None:
    words = ("fuzz", "--cell", str(fake), "--provider", "XEP-0092", "--stanzas", "128", "--seed", "5")
    done = typed(*words, "--shrink", "2s", "--out", "out", "--corpus", "kept")
    assert done.code == 1, done.err
    seen, events = read(tmp_path / "out")
    assert seen.finished
    found = next(finding for finding in seen.findings if finding.fingerprint == TWICE)
    assert found.expectation is Expectation.UNEXPECTED
    assert (found.confirmed, found.tries, found.shrunk, found.operator) == (3, 3, True, "")
    assert found.sent == f"<iq type='get' id='{{{{id}}}}' to='{{{{domain}}}}'><query xmlns='{VERSION}'/></iq>"
    assert any(direction == "sent" and VERSION in text for _, _, direction, text in found.trace)
    (robust,) = seen.robustness
    assert robust.outcome is Robust.FAIL
    assert TWICE in robust.findings
    assert seen.campaign is not None
    assert (seen.campaign.seed, seen.campaign.sent) == (5, 128)
    assert {event["name"] for event in events["finding"]} == {
        path.stem for path in (tmp_path / "kept" / "fake-answers-version-twice").glob("*.json")
    }
    assert found.name in done.out
    # The command that it names sends it again.
    again = typed("replay", found.name, "--cell", str(fake), "--corpus", "kept", "--out", "again")
    assert again.code == 1, again.err
    assert "1 still there, of 1" in again.out


@pytest.mark.parametrize("fake", ["dies-on-message"], indirect=True)
def test_a_server_that_is_gone_is_the_machines_exit_code_with_what_was_measured(
    typed: Typed, fake: Path, tmp_path: Path
) -> None:
    words = ("fuzz", "--cell", str(fake), "--provider", "XEP-0085", "--for", "20s", "--out", "out")
    done = typed(*words)
    assert done.code == 3, done.err
    assert "Traceback" not in done.err
    seen, _ = read(tmp_path / "out")
    assert seen.campaign is not None
    assert "no session can be opened any more" in seen.campaign.stopped
    assert seen.campaign.sent > 0
