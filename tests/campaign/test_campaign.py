"""Whole campaigns against fakes: where they end, that nothing found is lost, that a seed fixes what is sent."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab.campaign import campaign as campaigns
from lab.campaign import corpus
from lab.campaign.batch import Batch, Item, begin
from lab.campaign.campaign import PADDING, Campaign, _Lane
from lab.campaign.cast import Cast
from lab.campaign.course import REFUSALS, Bounds
from lab.campaign.finding import Finding
from lab.campaign.outside import Outside
from lab.campaign.pipe import Pipe
from lab.campaign.tally import Outcome, Tally
from lab.cell import Account, AccountMaking, Cell
from lab.errors import MachineError, UsageError
from lab.fakes import FakeServer
from lab.fuzz import leaves_lying
from lab.subjects.known import KnownFinding
from lab.wire.namespaces import VERSION
from schemas.payloads import Addressee
from schemas.robustness import Trial, trial

SEED = 3
TWICE = f"answers-once by valid {{{VERSION}}}query in iq get to server"


def ignore(_: Any) -> None:
    """Nobody wants to know."""


class Told:
    """Writes down what it is told, and does something then."""

    def __init__(
        self, on_found: Callable[[Finding], None] = ignore, on_doing: Callable[[str], None] = ignore
    ) -> None:
        self._on_found, self._on_doing = on_found, on_doing
        self.findings: list[Finding] = []
        self.doings: list[str] = []

    def fuzzing(self, tallies: Sequence[Tally], elapsed: float, rate: float, doing: str) -> None:
        assert elapsed >= 0 <= rate
        self.doings.append(doing)
        self._on_doing(doing)

    def found(self, finding: Finding) -> None:
        self.findings.append(finding)
        self._on_found(finding)


class Noted(Campaign):
    """Notes what is drawn: operator, payload, addressee and choices of each stanza that was sent."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.noted: list[tuple[object, ...]] = []

    def _end(self, lane: _Lane, cast: Cast, batch: Batch) -> None:
        stanzas = [(i.operator, i.stanza.payload.element, i.stanza.addressee, i.choices) for i in batch.items]
        self.noted += [(lane.tally.provider, len(batch.items) > 1, *stanza) for stanza in stanzas]
        super()._end(lane, cast, batch)


def only(provider: str, *to: Addressee) -> Trial:
    """A provider's stanzas to some addressees."""
    uses = tuple(
        (payload, replace(use, to=tuple(a for a in use.to if a in to)))
        for payload, use in trial(provider).uses
        if set(to) & set(use.to)
    )
    return Trial(provider, uses, trial(provider).over)


PINGS = (only("XEP-0199", Addressee.SERVER, Addressee.ACCOUNT),)
VERSIONS = (only("XEP-0092", Addressee.SERVER),)


def campaign(
    trials: Sequence[Trial],
    bounds: Bounds,
    *,
    server: FakeServer | None = None,
    told: Told | None = None,
    folder: Path | None = None,
    seed: int = SEED,
    change: Callable[[Cell], Cell] = lambda cell: cell,
) -> tuple[Outcome, Noted]:
    with ExitStack() as stack:
        cell = change(stack.enter_context(server or FakeServer(patience=2.0)))
        outside = stack.enter_context(Outside(cell.process, None, None, ()))
        made = Noted(cell, trials, outside, seed, bounds, told or Told(), None, folder)
        return made.run(), made


@pytest.mark.parametrize("most", [1, 70, 150])
def test_it_sends_just_as_many_stanzas_as_it_may(most: int) -> None:
    outcome, made = campaign(PINGS, Bounds(stanzas=most))
    assert outcome.sent == len(made.noted) == most
    assert (outcome.stopped, outcome.interrupted, outcome.findings) == ("", False, ())
    assert outcome.rate > 0


@pytest.mark.parametrize("known", [True, False])
def test_where_stanzas_are_known_to_be_left_lying_spaces_push_them(
    monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    paddings: set[bytes] = set()

    def noted(cast: Cast, fuzzer: Pipe, items: Sequence[Item], *, padding: bytes = b"") -> Batch:
        paddings.add(padding)
        return begin(cast, fuzzer, items, padding=padding)

    monkeypatch.setattr(campaigns, "begin", noted)
    listed = [KnownFinding("answers-the-sentinel=stuck by *" if known else "lives", "theirs")]
    with FakeServer(patience=2.0) as cell, Outside(cell.process, None, None, ()) as outside:
        bounds = Bounds(stanzas=70)
        outcome = Campaign(cell, PINGS, outside, SEED, bounds, Told(), left_lying=leaves_lying(listed)).run()
    assert (outcome.sent, outcome.findings) == (70, ())
    assert paddings == {PADDING if known else b""}


def test_it_ends_when_its_time_is_up() -> None:
    outcome, _ = campaign(PINGS, Bounds(seconds=0.2))
    assert 0.2 <= outcome.sending_seconds < 5.0
    assert outcome.sent > 0


def test_no_time_is_nothing_sent() -> None:
    assert campaign(PINGS, Bounds(seconds=0.0))[0].sent == 0


def test_the_same_seed_sends_the_same_and_another_sends_others() -> None:
    first, second, other = (
        campaign(PINGS, Bounds(stanzas=64), seed=seed)[1].noted for seed in (SEED, SEED, SEED + 1)
    )
    assert first == second
    assert first != other
    assert len({str(stanza) for stanza in first}) > 32


def test_valid_and_malformed_take_turns_and_are_counted(tmp_path: Path) -> None:
    told = Told()
    outcome, made = campaign([*PINGS, *VERSIONS], Bounds(stanzas=300), told=told, folder=tmp_path / "corpus")
    assert {tally.provider for tally in outcome.tallies} == {"XEP-0199", "XEP-0092"}
    for tally in outcome.tallies:
        assert min(tally.valid, tally.malformed) > 10
        assert len(tally.operators) > 5
        assert len(tally.payloads) == 1
        assert tally.answers.total() >= tally.sent - tally.answers["delivery"]
    assert any(bulk for _, bulk, *_ in made.noted)
    assert any(not bulk for _, bulk, *_ in made.noted), "some are sent alone"
    assert "preparing" in told.doings
    assert "sending XEP-0199" in told.doings
    assert not (tmp_path / "corpus").exists(), "where nothing is found, nothing is kept"


def test_it_ends_with_so_many_findings(tmp_path: Path) -> None:
    told, server = Told(), FakeServer("answers-twice")
    bounds = Bounds(findings=1, shrink=0.0)
    outcome, _ = campaign([*VERSIONS, *PINGS], bounds, server=server, told=told, folder=tmp_path)
    # What waited by then is looked into all the same.
    assert list(outcome.findings) == told.findings
    assert all(finding.rule == "answers-once" for finding in outcome.findings)
    assert 1 <= len(outcome.findings) < 8
    assert "shrinking answers-once" not in told.doings


# --- ends that nobody planned


def interrupt(_: Any) -> None:
    raise KeyboardInterrupt


def test_ctrl_c_keeps_what_was_found(tmp_path: Path) -> None:
    told, server = Told(on_found=interrupt), FakeServer("answers-version-twice")
    outcome, _ = campaign(VERSIONS, Bounds(), server=server, told=told, folder=tmp_path)
    assert outcome.interrupted
    (finding,) = outcome.findings
    assert finding.fingerprint == TWICE
    assert [kept.fingerprint for kept in corpus.load(tmp_path)[0]] == [TWICE]
    assert outcome.sent > 0
    gc.collect()  # a connection that was left open would be complained of


@pytest.mark.parametrize(
    "when", ["preparing", "sending XEP-0092", "narrowing down answers-once", "shrinking answers-once"]
)
def test_ctrl_c_at_any_time_ends_it_in_order(tmp_path: Path, when: str) -> None:
    def at(doing: str) -> None:
        if doing == when:
            raise KeyboardInterrupt

    told, server = Told(on_doing=at), FakeServer("answers-version-twice")
    bounds = Bounds(stanzas=128, shrink=5.0)
    outcome, _ = campaign(VERSIONS, bounds, server=server, told=told, folder=tmp_path)
    assert outcome.interrupted
    assert told.doings[-1] == when
    assert len(outcome.findings) == len(list(tmp_path.glob("*.json"))) == when.startswith("shrinking")
    gc.collect()


def test_a_server_that_dies_stops_it_with_a_reason() -> None:
    outcome, _ = campaign(
        [only("XEP-0085", Addressee.CONTACT)], Bounds(), server=FakeServer("dies-on-message", patience=0.5)
    )
    assert outcome.stopped.startswith("no session can be opened any more: nobody listens")
    assert not outcome.interrupted
    assert outcome.sent > 0


def test_what_was_found_before_a_server_died_is_kept(tmp_path: Path) -> None:
    """Versions are answered twice until then; the first message is the last."""
    server = FakeServer("answers-version-twice")

    def die(_: Finding) -> None:
        server._loop.call_soon_threadsafe(server.die)  # in its own thread

    told = Told(on_found=die)
    outcome, _ = campaign(VERSIONS, Bounds(), server=server, told=told, folder=tmp_path)
    assert "no session can be opened" in outcome.stopped
    assert TWICE in [finding.fingerprint for finding in outcome.findings]
    assert TWICE in [finding.fingerprint for finding in corpus.load(tmp_path)[0]]
    assert not outcome.findings[0].shrunk


def test_a_server_that_takes_no_session_at_all_stops_it(tmp_path: Path) -> None:
    with FakeServer(run_dir=tmp_path) as gone:
        pass
    told = Told()
    outcome, _ = campaign(PINGS, Bounds(), told=told, change=lambda _: gone)
    assert "nobody listens" in outcome.stopped
    assert outcome.sent == 0
    assert told.doings.count("sending XEP-0199") == REFUSALS


def test_a_full_disk_ends_it_and_leaves_nothing_open(tmp_path: Path) -> None:
    (tmp_path / "corpus").write_text("a file is in the way")
    server = FakeServer("answers-version-twice")
    with pytest.raises(MachineError, match="cannot keep a finding"):
        campaign(VERSIONS, Bounds(), server=server, folder=tmp_path / "corpus")
    gc.collect()


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No worker of pytest-xdist's: those share what a cell gives."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    monkeypatch.delenv("PYTEST_XDIST_WORKER_COUNT", raising=False)


def given(server: FakeServer, count: int) -> Callable[[Cell], Cell]:
    """A cell that gives so many accounts, and lets nobody make others."""
    accounts = tuple(Account(f"user{number}", server.domain, "secret") for number in range(count))
    server.router.passwords.update({account.localpart: account.password for account in accounts})
    return lambda cell: replace(cell, accounts=AccountMaking("given", given=accounts))


@pytest.mark.usefixtures("alone")
def test_accounts_that_run_out_stop_it_with_a_reason_and_what_was_done_is_told(tmp_path: Path) -> None:
    server = FakeServer("answers-version-twice")
    outcome, _ = campaign(VERSIONS, Bounds(), server=server, folder=tmp_path, change=given(server, 8))
    assert "no more accounts" in outcome.stopped
    assert outcome.sent > 0


@pytest.mark.usefixtures("alone")
def test_too_few_accounts_to_begin_with_are_wrong_usage() -> None:
    server = FakeServer()
    with pytest.raises(UsageError, match="no more accounts"):
        campaign(PINGS, Bounds(), server=server, change=given(server, 2))


# --- transports


@pytest.mark.parametrize(("provider", "over"), [("XEP-0114", "component"), ("XEP-0368", "c2s-direct-tls")])
def test_components_and_direct_tls_have_lanes_of_their_own(provider: str, over: str) -> None:
    outcome, made = campaign([trial(provider)], Bounds(stanzas=200))
    assert [(f.fingerprint, f.text, f.seen) for f in outcome.findings] == []
    (tally,) = outcome.tallies
    assert (tally.over, tally.sent, len(made.noted)) == (over, 200, 200)
    assert min(tally.valid, tally.malformed) > 20


def test_a_transport_that_a_cell_has_not_is_said_and_the_rest_is_tried() -> None:
    def without(cell: Cell) -> Cell:
        return replace(cell, endpoints={"c2s": cell.endpoints["c2s"]}, component=None)

    outcome, _ = campaign([trial("XEP-0114"), trial("XEP-0368"), *PINGS], Bounds(stanzas=10), change=without)
    component, direct, pings = outcome.tallies
    assert component.none == "The cell has no component port."
    assert direct.none == "The cell has no c2s-direct-tls port."
    assert (component.sent, direct.sent, pings.sent) == (0, 0, 10)


def test_where_there_is_nothing_to_try_nothing_is_sent() -> None:
    outcome, _ = campaign([trial("XEP-0368")], Bounds(), change=lambda c: replace(c, endpoints={}))
    assert (outcome.sent, outcome.findings, outcome.rate) == (0, (), 0.0)
    assert outcome.tallies[0].none
