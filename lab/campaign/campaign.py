"""A campaign: batch after batch against one cell, provider by provider, until its time or its number is at an end.

Stanzas that others may stand beside go in pipelined batches on several sessions, the next sent before the last is
judged; those that may end a stream go alone. What a batch shows is looked into at once, within a share of the time.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import cycle
from pathlib import Path
from typing import Protocol

from generators.allowed import Reaction
from generators.stanza import Family, Moment, Scene
from lab.accounts import Accounts, Comeback
from lab.campaign import corpus
from lab.campaign.batch import Batch, Item, begin, begin_early, finish, must_answer
from lab.campaign.cast import Cast, Casting, connected
from lab.campaign.finding import Finding, fingerprint, trace
from lab.campaign.judge import Symptom, judge
from lab.campaign.maker import Maker
from lab.campaign.narrow import Confirmed, Prober, narrow
from lab.campaign.outside import Outside
from lab.campaign.shrink import shrink
from lab.campaign.tally import Outcome, Tally
from lab.campaign.template import Template
from lab.cell import Cell, Transport
from lab.errors import LabError, MachineError, PeerError
from schemas.robustness import Trial

BATCH = 64  # stanzas sent at once
FUZZERS = 2  # sessions that take turns, so that the server always has something to do
SLICE = 0.4  # seconds for one provider, before the next has its turn
ROTATE = 4_000  # stanzas after which a cast is dismissed: rosters, archives and nodes grow
PADDING = b" " * 24 * 1024
ALONE = 0.35  # share of the time for stanzas that are sent alone
NARROWING = 0.5  # share of the time for looking into symptoms; and at least so many seconds:
NARROWING_LEAST = 5.0
SUSPICIONS = 200  # that wait to be looked into, at most
AVOID_AFTER = 2  # repetitions of a finding that costs time, after which its like is not sent any more
MALFORMED = 0.4  # share of the stanzas in bulk
LIKELY = 3  # unanswered items of a batch that are tried alone first
REFUSALS = 4  # times in a row that no session can be opened, after which the campaign is given up

COSTLY = {
    "answers-each-iq",
    "answers-what-was-sent",
    "answers-the-sentinel",
    "answers-others",
    "keeps-the-stream",
    "speaks-xmpp",
    "lives",
}
"""Rules whose breaking costs a session, or a wait."""


class Listener(Protocol):
    """Who is told of the course of a campaign."""

    def fuzzing(self, tallies: Sequence[Tally], elapsed: float, rate: float, doing: str) -> None: ...
    def found(self, finding: Finding) -> None: ...


@dataclass(frozen=True)
class Bounds:
    """Where a campaign ends: after `seconds` or `stanzas`, whichever is first; `shrink` is seconds for a finding."""

    seconds: float = 60.0
    stanzas: int | None = None
    shrink: float = 10.0
    findings: int = 100


@dataclass
class _Lane:
    """One provider's turn."""

    trial: Trial
    maker: Maker
    tally: Tally
    bulk_seconds: float = 0.0
    alone_seconds: float = 0.0


@dataclass(frozen=True)
class _Suspicion:
    """What a batch showed; `likely` are its items without an answer, who may have caused it."""

    symptom: Symptom
    templates: tuple[Template, ...]
    items: tuple[Item, ...]
    likely: tuple[int, ...]
    scene: Scene
    lane: _Lane


@dataclass
class Campaign:
    """`run` does all; `findings` has what was confirmed so far, by fingerprint."""

    cell: Cell
    trials: Sequence[Trial]
    outside: Outside
    seed: int
    bounds: Bounds
    listener: Listener
    run_dir: Path | None = None
    corpus: Path | None = None
    findings: dict[str, Finding] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._comeback = Comeback(self.run_dir)
        self._accounts = Accounts(self.cell, self._comeback)
        self._lanes = [self._lane(number, trial) for number, trial in enumerate(self.trials)]
        self._casts: dict[Transport, Cast] = {}
        self._sent: dict[Transport, int] = {}
        self._turn = 0
        self._known: dict[str, Finding] = {}
        self._repeated: dict[str, int] = {}
        self._avoid: set[tuple[str, ...]] = set()
        self._fruitless: dict[str, int] = {}
        self._waiting: list[_Suspicion] = []
        self._origins: dict[str, tuple[Item, Casting]] = {}
        self._narrowing = self._sending = 0.0
        self._refusals = 0
        self._random = random.Random(self.seed)  # noqa: S311 - for tests, not for secrets
        self._stopped = ""
        self._padding = b""

    def run(self) -> Outcome:
        """Fuzz until the bounds, or Ctrl-C; what was found is kept as it is found. Raises MachineError: disk full."""
        self._began = time.monotonic()
        interrupted = False
        try:
            lanes = [lane for lane in self._lanes if not lane.tally.none]
            self._tell("preparing")
            for lane in lanes:
                lane.maker.prepare()
            self._began = time.monotonic()
            for lane in cycle(lanes):
                if self._over():
                    break
                self._slice(lane)
            while self._waiting and not self._stopped and self._may_narrow(at_the_end=True):
                self._look_into(self._waiting.pop(0))
            if self.bounds.shrink and not self._stopped:
                self._shrink_all()
        except KeyboardInterrupt:
            interrupted = True
        finally:
            for cast in self._casts.values():
                cast.close()
            self._accounts.close()
        for suspicion in self._waiting:
            suspicion.lane.tally.unconfirmed += 1
        return Outcome(
            tallies=tuple(lane.tally for lane in self._lanes),
            findings=tuple(self.findings.values()),
            seed=self.seed,
            seconds=time.monotonic() - self._began,
            sending_seconds=self._sending,
            memory=self.outside.too_much_memory(),
            memory_start=self.outside.memory_start,
            memory_peak=self.outside.memory_peak,
            exits=self.outside.exits,
            interrupted=interrupted,
            stopped=self._stopped,
        )

    # --- sending

    def _lane(self, number: int, trial: Trial) -> _Lane:
        over: Transport = trial.over  # type: ignore[assignment] # the data's test knows the transports
        none = trial.none or ("" if self.cell.endpoint(over) else f"The cell has no {over} port.")
        maker = Maker(trial.uses, self.seed + number, f"f{number:x}{self.seed % 0xFFFF:x}x")
        return _Lane(trial, maker, Tally(trial.provider, over, none))

    def _over(self) -> bool:
        if self._stopped or len(self.findings) >= self.bounds.findings:
            return True
        sent = sum(lane.tally.sent for lane in self._lanes)
        enough = self.bounds.stanzas is not None and sent >= self.bounds.stanzas
        return enough or self._elapsed >= self.bounds.seconds

    @property
    def _elapsed(self) -> float:
        return time.monotonic() - self._began

    def _slice(self, lane: _Lane) -> None:
        """One provider's turn: batches, then stanzas alone, then a look into what they showed."""
        began = time.monotonic()
        try:
            self._bulk(lane, began + SLICE * (1 - ALONE))
            middle = time.monotonic()
            lane.bulk_seconds += middle - began
            while lane.alone_seconds <= ALONE * (lane.bulk_seconds + lane.alone_seconds) and not self._over():
                started = time.monotonic()
                self._alone(lane)
                lane.alone_seconds += time.monotonic() - started
            self._refusals = 0
        except PeerError as error:
            self._dismiss(lane.tally.over)
            self._refused(error)
        self._sending += time.monotonic() - began
        self._tell(f"sending {lane.tally.provider}")
        while self._waiting and self._may_narrow() and not self._stopped:
            self._look_into(self._waiting.pop(0))

    def _refused(self, error: PeerError) -> None:
        """No session could be opened: the server is being restarted, hangs, or is gone."""
        self._refusals += 1
        if why := self.outside.gone:
            self._stopped = f"the subject is gone for good: {why}"
        elif self._refusals >= REFUSALS:
            self._stopped = f"no session can be opened any more: {error.message}"

    def _bulk(self, lane: _Lane, until: float) -> None:
        """Batches, until then: one is under way while the one before it is judged."""
        cast = self._cast(lane)
        pending: Batch | None = None
        while time.monotonic() < until and not self._over() and connected(cast.pipes) and not self._worn(lane):
            batch = self._next_batch(lane, cast)
            if pending is not None:
                self._end(lane, cast, pending)
            pending = batch
            if pending is None:
                return
            if len(cast.fuzzers) == 1:  # a component's one session cannot have two batches under way
                self._end(lane, cast, pending)
                pending = None
        if pending is not None:
            self._end(lane, cast, pending)
        if not connected(cast.pipes):
            self._dismiss(lane.tally.over)

    def _next_batch(self, lane: _Lane, cast: Cast) -> Batch | None:
        self._turn += 1
        place = self._turn % len(cast.fuzzers)
        items = []
        for _ in range(BATCH):
            malformed = self._random.random() < MALFORMED
            item = lane.maker.bulk(cast.scenes[place], malformed=malformed)
            if item is None:
                continue
            if self._avoid and self._avoided(item):
                lane.tally.avoided += 1
                continue
            items.append(item)
        if not items:
            return None
        self._sent[lane.tally.over] = self._sent.get(lane.tally.over, 0) + len(items)
        return begin(cast, cast.fuzzers[place], items, padding=self._padding)

    def _alone(self, lane: _Lane) -> None:
        """One stanza on a session of its own: the cast's first, or one that has come only so far."""
        cast = self._cast(lane)
        item = lane.maker.alone(cast.scenes[0])
        if item is None:
            lane.alone_seconds += SLICE
            return
        if self._avoided(item):
            lane.tally.avoided += 1
            return
        if item.malformed is not None and item.malformed.moment is not Moment.BOUND:
            pipe = self._casting(lane).early(item.malformed.moment)
            self._end(lane, cast, begin_early(cast, pipe, item))
            pipe.close()
            return
        self._end(lane, cast, begin(cast, cast.fuzzers[0], [item]))
        if not connected(cast.pipes):
            self._dismiss(lane.tally.over)

    def _end(self, lane: _Lane, cast: Cast, batch: Batch) -> None:
        """Wait for a batch, count it, and write down what it shows."""
        began = time.time() - (time.monotonic() - batch.began)
        finish(cast, batch, self.cell.patience)
        lane.tally.count(batch)
        if batch.ended and len(batch.items) > 1:
            self._part(lane, batch)
        symptoms = judge(cast, batch)
        if outside := self.outside.since(began):
            symptoms.insert(0, outside)
        if symptoms:
            self._suspect(lane, cast, batch, symptoms)

    def _part(self, lane: _Lane, batch: Batch) -> None:
        """The stanza that ended a stream, as it may: the first without an answer. Its like is sent alone now."""
        for item, seen in zip(batch.items, batch.seen, strict=True):
            unanswered = not seen.replies and not seen.deliveries
            if unanswered and item.malformed and item.allowed.permits(Reaction.STREAM_ERROR):
                lane.maker.part(item.operator)
                return

    # --- casts

    def _casting(self, lane: _Lane) -> Casting:
        addressees = frozenset(addressee for _, use in lane.trial.uses for addressee in use.to)
        return Casting(self.cell, self._accounts, self._comeback, lane.tally.over, addressees)

    def _cast(self, lane: _Lane) -> Cast:
        over = lane.tally.over
        if self._worn(lane):
            self._dismiss(over)
        cast = self._casts.get(over)
        if cast is None:
            every = frozenset(a for each in self._lanes for _, use in each.trial.uses for a in use.to)
            casting = Casting(self.cell, self._accounts, self._comeback, over, every)
            cast = self._casts[over] = casting.open(fuzzers=FUZZERS)
            self._sent[over] = 0
        return cast

    def _worn(self, lane: _Lane) -> bool:
        """Whether a cast has sent so much that a fresh one is due."""
        return self._sent.get(lane.tally.over, 0) > ROTATE

    def _dismiss(self, over: Transport) -> None:
        cast = self._casts.pop(over, None)
        if cast is not None:
            cast.close()

    # --- symptoms

    def _suspect(self, lane: _Lane, cast: Cast, batch: Batch, symptoms: Sequence[Symptom]) -> None:
        scene = cast.scenes[0 if batch.early else cast.fuzzers.index(batch.fuzzer)]
        for symptom in symptoms:
            blamed = [] if symptom.place is None else [batch.items[symptom.place]]
            if self._is_repeated(lane, symptom, *blamed):
                continue
            if len(self._waiting) >= SUSPICIONS or self._fruitless.get(symptom.rule, 0) > SUSPICIONS:
                lane.tally.unconfirmed += 1
                continue
            templates = tuple(Template.of(item, scene) for item in batch.items)
            likely = [n for n, seen in enumerate(batch.seen) if must_answer(batch.items[n]) and not seen.replies]
            self._waiting.append(
                _Suspicion(symptom, templates, tuple(batch.items), tuple(likely[:LIKELY]), scene, lane)
            )
            if symptom.place is None:
                break  # whatever else the batch shows may follow from it

    def _is_repeated(self, lane: _Lane, symptom: Symptom, *items: Item) -> bool:
        """Whether a finding says so already; its like is avoided when it has been seen often enough.

        What a valid stanza is known to show, is no news of a malformed one that was made from its like.
        """
        names = (fingerprint(symptom, items), fingerprint(symptom, [_valid(item) for item in items]))
        name = next((name for name in names if name in self._known), None)
        if name is None:
            return False
        lane.tally.repeated += 1
        self._repeated[name] = self._repeated.get(name, 0) + 1
        finding = self._known[name]
        if finding.rule in COSTLY and self._repeated[name] >= AVOID_AFTER:
            self._avoid.update(_key(item) for item in items)
        if lane.tally.provider != finding.provider and finding.fingerprint not in lane.tally.findings:
            lane.tally.findings.append(finding.fingerprint)
        return True

    def _avoided(self, item: Item) -> bool:
        return _key(item) in self._avoid

    def _may_narrow(self, *, at_the_end: bool = False) -> bool:
        most = max(NARROWING_LEAST, NARROWING * (self.bounds.seconds if at_the_end else self._elapsed))
        return self._narrowing < most

    def _look_into(self, suspicion: _Suspicion) -> None:
        """Narrow a suspicion down, and keep what is confirmed."""
        began = time.monotonic()
        lane, symptom = suspicion.lane, suspicion.symptom
        blamed = [] if symptom.place is None else [suspicion.items[symptom.place]]
        if self._is_repeated(lane, symptom, *blamed):
            return
        self._tell(f"narrowing down {symptom.rule}")
        casting = self._casting(lane)
        prober = Prober(casting, self.cell.patience, self.outside.since)
        try:
            confirmed = narrow(prober, suspicion.templates, symptom, suspicion.likely)
            confirmed, origin = self._simplest(prober, suspicion, confirmed)
            self._refusals = 0
        except PeerError as error:
            confirmed, origin = None, None
            self._refused(error)
        if confirmed is None:
            lane.tally.unconfirmed += 1
            self._fruitless[symptom.rule] = self._fruitless.get(symptom.rule, 0) + 1
        else:
            self._keep(lane, suspicion, confirmed, origin, casting)
        self._narrowing += time.monotonic() - began

    def _simplest(
        self, prober: Prober, suspicion: _Suspicion, confirmed: Confirmed | None
    ) -> tuple[Confirmed | None, Item | None]:
        """The valid stanza, where that shows the same; and the item that is sent, where there is just one."""
        if confirmed is None or len(confirmed.templates) > 1:
            return confirmed, None
        item = suspicion.items[suspicion.templates.index(confirmed.templates[0])]
        if item.malformed is None:
            return confirmed, item
        valid = _valid(item)
        again = narrow(prober, (Template.of(valid, suspicion.scene),), replace(confirmed.symptom, place=0))
        return (again, valid) if again else (confirmed, item)

    def _keep(
        self, lane: _Lane, suspicion: _Suspicion, confirmed: Confirmed, origin: Item | None, casting: Casting
    ) -> None:
        name = confirmed.fingerprint
        before = suspicion.symptom.place
        if before is not None:
            also = fingerprint(suspicion.symptom, [suspicion.items[before]])
        if name in self.findings:
            lane.tally.repeated += 1
        else:
            finding = Finding(
                fingerprint=name,
                rule=confirmed.symptom.rule,
                expected=confirmed.symptom.expected,
                seen=confirmed.symptom.seen,
                provider=lane.tally.provider,
                templates=confirmed.templates,
                confirmed=confirmed.times,
                subject=self.cell.subject.name,
                version=self.cell.subject.version,
                seed=self.seed,
                trace=trace(confirmed.trial.log),
            )
            self._write(finding)
            lane.tally.findings.append(name)
            if origin is not None:
                self._origins[name] = (origin, casting)
            self.listener.found(finding)
        if confirmed.symptom.rule == "answers-the-sentinel":
            # It has been found and is kept; with white space behind them, further batches are not left lying.
            self._padding = PADDING
        self._known[name] = self.findings[name]
        if before is not None:
            self._known[also] = self.findings[name]

    def _write(self, finding: Finding) -> None:
        self.findings[finding.fingerprint] = finding
        if self.corpus is not None:
            corpus.keep(finding, self.corpus)

    def _shrink_all(self) -> None:
        """Make each finding as small as may be, within its seconds."""
        for name, finding in list(self.findings.items()):
            origin = self._origins.get(name)
            if origin is None or finding.flaky or finding.rule == "lives":
                continue
            item, casting = origin
            self._tell(f"shrinking {finding.rule}")
            patience = max(0.25, min(self.cell.patience, 100 * self.cell.round_trip))
            prober = Prober(casting, patience, self.outside.since, frugal=True)
            try:
                smaller = shrink(prober, finding, item, seconds=self.bounds.shrink)
            except LabError as error:
                if isinstance(error, MachineError):
                    raise
                continue
            finally:
                prober.close()
            if smaller is not None:
                self._write(smaller)

    def _tell(self, doing: str) -> None:
        sent = sum(lane.tally.sent for lane in self._lanes)
        rate = sent / self._sending if self._sending else 0.0
        self.listener.fuzzing([lane.tally for lane in self._lanes], self._elapsed, rate, doing)


def _valid(item: Item) -> Item:
    """The item before it was malformed."""
    return Item(item.stanza, None, item.choices)


def _key(item: Item) -> tuple[str, ...]:
    """What an item is like: broken bytes are alike in every payload."""
    stanza, malformed = item.stanza, item.malformed
    if malformed is not None and malformed.family is Family.BYTES:
        return (malformed.operator,)
    return (item.operator, stanza.payload.element, stanza.carrier, stanza.type, stanza.addressee)
