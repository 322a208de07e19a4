"""A campaign over the fake client with six planted faults finds all six; over the one that behaves, nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab import record, subjects
from lab.campaign.clients import ClientCampaign
from lab.campaign.corpus import load
from lab.campaign.course import Bounds
from lab.campaign.finding import CONFIRMATIONS, Finding
from lab.campaign.tally import Outcome, Tally
from lab.cell import Cell
from lab.engines import Running
from lab.engines.clients import with_clients
from lab.fakes import FakeServer
from lab.machine import crowd
from lab.robustness import Robust
from lab.verdict import Expectation
from lab.wire.namespaces import CHAT_STATES, DISCO_INFO, DISCO_ITEMS
from schemas.robustness import trial_of_client
from tests.campaign.conftest import Typed
from tests.scenarios.misbehaving import FAKE, Quiet

SEED = 2
PROVIDERS = ("RFC 6120", "XEP-0030", "XEP-0085", "XEP-0280")

FAULTS = {
    "dies on a payload": "lives=exited with code 3: Traceback (most recent call last): it is planted",
    "hangs": f"answers-the-sentinel=stuck by valid {{{CHAT_STATES}}}composing in message chat to contact",
    "answers twice": f"answers-once by valid {{{DISCO_ITEMS}}}query in iq get to contact",
    "never answers": f"answers-each-iq by valid {{{DISCO_INFO}}}query in iq get to contact",
    "ends its session": f"keeps-the-stream by valid {{{CHAT_STATES}}}paused in message chat to contact",
    "believes a forged sender": "shows-who-sent-it=message by forged-copy",
}


class Told:
    """Nobody looks on."""

    def fuzzing(self, tallies: Sequence[Tally], elapsed: float, rate: float, doing: str) -> None:
        assert elapsed >= 0 <= rate
        assert tallies
        assert doing

    def found(self, finding: Finding) -> None:
        assert not finding.shrunk


@contextmanager
def peopled(folder: Path) -> Iterator[Cell]:
    """A fake server with the fake client in its cell."""
    with FakeServer(run_dir=folder) as cell:
        begun = Running(cell, folder / "cell.json", None)
        with with_clients(begun, [subjects.find_client(str(FAKE))], folder, Quiet()) as placed:
            yield placed.cell


def campaign(folder: Path, providers: Sequence[str], bounds: Bounds, *, patience: float) -> Outcome:
    trials = [trial_of_client(provider) for provider in providers]
    with peopled(folder) as cell:
        made = ClientCampaign(
            cell, cell.clients[0], trials, SEED, bounds, Told(), corpus=folder / "corpus", patience=patience
        )
        return made.run()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("planted")


@pytest.fixture(scope="module")
def outcome(folder: Path) -> Outcome:
    bounds = Bounds(seconds=120.0, shrink=0.0, findings=len(FAULTS))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FAKE_AGENT", "planted-faults")
        return campaign(folder, PROVIDERS, bounds, patience=min(1.0 * crowd(), 4.0))


def test_it_finds_what_was_planted_and_nothing_else(outcome: Outcome) -> None:
    assert {finding.fingerprint for finding in outcome.findings} == set(FAULTS.values())
    assert not outcome.stopped


@pytest.mark.parametrize("fault", FAULTS)
def test_each_is_confirmed_by_one_stanza(outcome: Outcome, fault: str) -> None:
    finding = next(f for f in outcome.findings if f.fingerprint == FAULTS[fault])
    assert finding.confirmed == CONFIRMATIONS
    assert finding.subject == "fake-client"
    (template,) = finding.templates
    told = "forwarded" if template.operator else template.element.rpartition("}")[2]
    assert any(entry.direction == "sent" and told in entry.text for entry in finding.trace)


def test_the_last_words_of_a_process_are_its_evidence(outcome: Outcome) -> None:
    (dead,) = (finding for finding in outcome.findings if finding.rule == "lives")
    assert "it is planted" in dead.seen


def test_the_corpus_keeps_them(outcome: Outcome, folder: Path) -> None:
    kept, said = load(folder / "corpus")
    assert said == []
    assert {finding.fingerprint for finding in kept} == {finding.fingerprint for finding in outcome.findings}


@pytest.mark.parametrize("provider", [*PROVIDERS, "RFC 6121", "XEP-0163", "XEP-0313", "XEP-0184"])
def test_nothing_is_found_in_a_client_that_behaves(tmp_path: Path, provider: str) -> None:
    """2,000 stanzas in all."""
    outcome = campaign(tmp_path, [provider], Bounds(seconds=300.0, stanzas=300), patience=10.0)
    assert [(f.fingerprint, f.text, f.seen) for f in outcome.findings] == []
    (tally,) = outcome.tallies
    assert outcome.sent >= 300
    assert tally.valid
    assert tally.malformed


def test_what_the_command_finds_is_in_record_corpus_and_report_and_is_replayed(
    typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "fake"
    folder.mkdir()
    monkeypatch.setenv("FAKE_AGENT", "planted-faults")
    with FakeServer(run_dir=folder):
        on = ("--cell", str(folder / "cell.json"), "--client", str(FAKE))
        words = ("--provider", "XEP-0030", "--stanzas", "24", "--seed", "2", "--shrink", "3s")
        done = typed("fuzz", *on, *words, "--out", "out", "--corpus", "kept")
        assert done.code == 1, done.err
        seen = record.read(tmp_path / "out" / "run.ndjson")
        twice = next(found for found in seen.findings if found.fingerprint == FAULTS["answers twice"])
        assert (seen.header.role, seen.header.subject["name"]) == ("client", "fake-client")
        assert (twice.expectation, twice.confirmed, twice.shrunk) == (Expectation.UNEXPECTED, 3, True)
        assert (
            twice.sent == f"<iq type='get' id='{{{{id}}}}' to='{{{{contact}}}}'><query xmlns='{DISCO_ITEMS}'/></iq>"
        )
        assert "--client fake-client:1" in twice.replay
        assert seen.robustness[0].outcome is Robust.FAIL
        assert twice.name in done.out

        again = typed("replay", twice.name, *on, "--corpus", "kept/fake-client", "--out", "again")
        assert again.code == 1, again.err
        assert "1 still there, of 1" in again.out
        monkeypatch.setenv("FAKE_AGENT", "")
        mended = typed("replay", twice.name, *on, "--corpus", "kept", "--out", "mended")
        assert mended.code == 0, mended.err
        assert "1 fixed, of 1" in mended.out
        other = typed("replay", twice.name, "--cell", on[1], "--corpus", "kept/fake-client", "--out", "other")
        assert "it was found in a client" in other.out


@pytest.mark.parametrize(
    ("way", "why"),
    [("rubbish", "the agent broke the contract: "), ("exits", "the client comes online no more: ")],
)
def test_a_client_that_cannot_be_fuzzed_stops_it_with_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, why: str
) -> None:
    monkeypatch.setenv("FAKE_AGENT", way)
    outcome = campaign(tmp_path, ["XEP-0199"], Bounds(seconds=60.0), patience=2.0)
    assert outcome.stopped.startswith(why)
    assert (outcome.sent, outcome.findings) == (0, ())
