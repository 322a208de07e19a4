"""A campaign against the fake with six planted faults finds all six, each by a stanza that a person would write.

The control: against the fake that behaves, the same campaign finds nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from lab.campaign.campaign import Campaign
from lab.campaign.corpus import load
from lab.campaign.course import Bounds
from lab.campaign.finding import CONFIRMATIONS, Finding
from lab.campaign.outside import Outside
from lab.campaign.tally import Outcome, Tally
from lab.fakes import FakeServer
from lab.machine import crowd
from lab.wire.namespaces import DISCO_INFO, DISCO_ITEMS, PING, VERSION
from schemas.robustness import trial

SEED = 2
PROVIDERS = ("RFC 6120", "XEP-0030", "XEP-0085")  # the last two have little else than what triggers a fault
DISCO = "iq type='get' id='{{id}}' to='{{domain}}'"

FAULTS = {
    "swallows an iq": (
        f"answers-each-iq by valid {{{DISCO_ITEMS}}}query in iq get to server",
        re.escape(f"<{DISCO}><query xmlns='{DISCO_ITEMS}' node='") + "[^']?'/></iq>",
    ),
    "answers twice": (
        f"answers-once by valid {{{VERSION}}}query in iq get to server",
        re.escape(f"<{DISCO}><query xmlns='{VERSION}'/></iq>"),
    ),
    "wrong id": (
        f"answers-what-was-sent by valid {{{PING}}}ping in iq get to account",
        re.escape(f"<iq type='get' id='{{{{id}}}}'><ping xmlns='{PING}'/></iq>"),
    ),
    "hangs on one attribute": (
        f"answers-the-sentinel=stuck by valid {{{DISCO_INFO}}}query in iq get to server",
        re.escape(f"<{DISCO}><query xmlns='{DISCO_INFO}' node='") + "[^'<]{1,4}'/></iq>",
    ),
    "leaks to another user": (
        "keeps-to-itself=bystander by valid {jabber:client}subject in message headline to contact",
        r"<message type='headline' id='{{id}}' to='{{contact}}'><subject>\w?</subject></message>",
    ),
    "forwards a malformed stanza": (
        "passes-on-no-malformed by comment",
        r"<message (type='\w+' )?id='{{id}}' to='{{contact}}'><!---->.{,100}</message>",
    ),
}
"""Each fault: the fingerprint that names it, and the smallest stanza (a pattern)."""

ALSO = "ends-the-stream by comment"
"""The other rule that whoever forwards a comment breaks."""


class Quiet:
    """Nobody looks on."""

    def fuzzing(self, tallies: Sequence[Tally], elapsed: float, rate: float, doing: str) -> None:
        assert elapsed >= 0 <= rate
        assert tallies
        assert doing

    def found(self, finding: Finding) -> None:
        assert not finding.shrunk


def campaign(
    misbehaviour: str, providers: Sequence[str], bounds: Bounds, folder: Path, *, patience: float
) -> Outcome:
    trials = [trial(provider) for provider in providers]
    with FakeServer(misbehaviour, run_dir=folder, patience=patience) as cell:
        log = folder / "server.log"
        with Outside(cell.process, None, log, ["^error:"]) as outside:
            return Campaign(cell, trials, outside, SEED, bounds, Quiet(), corpus=folder / "corpus").run()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("planted")


@pytest.fixture(scope="module")
def outcome(folder: Path) -> Outcome:
    bounds = Bounds(seconds=1800.0, shrink=60.0, findings=len(FAULTS) + 1)
    return campaign("planted-faults", PROVIDERS, bounds, folder, patience=0.7 * crowd())


def test_it_finds_what_was_planted_and_nothing_else(outcome: Outcome) -> None:
    wanted = {fingerprint for fingerprint, _ in FAULTS.values()}
    assert {finding.fingerprint for finding in outcome.findings} == {*wanted, ALSO}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_is_confirmed_and_as_small_as_a_person_would_write_it(outcome: Outcome, fault: str) -> None:
    fingerprint, pattern = FAULTS[fault]
    finding = next(f for f in outcome.findings if f.fingerprint == fingerprint)
    assert finding.confirmed == CONFIRMATIONS
    assert finding.shrunk
    assert len(finding.templates) == 1
    assert re.fullmatch(pattern, finding.text), finding.text
    assert finding.trace


def test_the_corpus_keeps_them(outcome: Outcome, folder: Path) -> None:
    kept, said = load(folder / "corpus")
    assert said == []
    assert {f.fingerprint: f.text for f in kept} == {f.fingerprint: f.text for f in outcome.findings}


def test_nothing_is_found_in_a_server_that_behaves(tmp_path: Path) -> None:
    providers = [*PROVIDERS, "RFC 6121", "XEP-0368", "XEP-0060", "XEP-0191"]
    outcome = campaign("", providers, Bounds(seconds=600.0, stanzas=20_000), tmp_path, patience=5.0)
    assert [(f.fingerprint, f.text, f.seen) for f in outcome.findings] == []
    assert outcome.sent >= 20_000
    assert all(tally.valid and tally.malformed for tally in outcome.tallies)
