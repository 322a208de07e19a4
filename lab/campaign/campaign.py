"""A campaign: batch after batch against one cell, provider by provider, until its time or its number is at an end.

Stanzas that others may stand beside go in pipelined batches on several sessions, the next sent before the last is
judged; those that may end a stream go alone. What a batch shows is looked into at once, within a share of the time.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from generators.stanza import Moment
from lab.accounts import Accounts, Comeback
from lab.agents.agent import AgentFault
from lab.campaign.batch import Batch, begin, begin_early, finish
from lab.campaign.cast import Cast, Casting, connected
from lab.campaign.course import REFUSALS, SLICE, Bounds, Course, Listener
from lab.campaign.inquiry import Inquiry
from lab.campaign.judge import judge
from lab.campaign.maker import Maker, spends
from lab.campaign.narrow import LOG_SECONDS
from lab.campaign.outside import Outside
from lab.campaign.tally import Outcome, Tally
from lab.cell import Cell, Transport
from lab.errors import PeerError
from schemas.robustness import Trial

FUZZERS = 2  # sessions that take turns, so that the server always has something to do
ROTATE = 4_000  # stanzas after which a cast is dismissed: rosters, archives and nodes grow
PADDING = b" " * 24 * 1024
SETTLE = 0.3  # seconds that a missing answer is waited for; whether it is missing, is looked into
ALONE = 0.35  # share of the time for stanzas that are sent alone
MALFORMED = 0.4  # share of the stanzas in bulk


@dataclass
class _Lane:
    """One provider's turn."""

    trial: Trial
    maker: Maker
    tally: Tally
    bulk_seconds: float = 0.0
    alone_seconds: float = 0.0


@dataclass
class Campaign(Course[_Lane]):
    """`run` does all. `corpus` is the folder that findings are kept in, None for nowhere."""

    BATCH = 64
    NARROWING = 0.75
    NARROWING_LEAST = 10.0

    cell: Cell
    trials: Sequence[Trial]
    outside: Outside
    seed: int
    bounds: Bounds
    listener: Listener
    run_dir: Path | None = None
    corpus: Path | None = None
    left_lying: bool = False
    """Whether the server is known to leave a long token lying: it costs a wait each time that it is met."""

    def __post_init__(self) -> None:
        self._comeback = Comeback(self.run_dir)
        self._accounts = Accounts(self.cell, self._comeback)
        self._lanes = [self._lane(number, trial) for number, trial in enumerate(self.trials)]
        self._casts: dict[Transport, Cast] = {}
        self._sent: dict[Transport, int] = {}
        self._turn = 0
        self._inquiry = Inquiry(self.cell, self.outside, self.seed, self.corpus, self.listener.found, self._tell)
        self._inquiry.left_lying = self.left_lying
        self._random = random.Random(self.seed)  # noqa: S311 - for tests, not for secrets

    def _outcome(self, *, interrupted: bool) -> Outcome:
        return replace(
            super()._outcome(interrupted=interrupted),
            memory=self.outside.too_much_memory(),
            memory_start=self.outside.memory_start,
            memory_peak=self.outside.memory_peak,
            exits=self.outside.exits,
        )

    # --- sending

    def _lane(self, number: int, trial: Trial) -> _Lane:
        over: Transport = trial.over  # type: ignore[assignment] # the data's test knows the transports
        none = trial.none or ("" if self.cell.endpoint(over) else f"The cell has no {over} port.")
        maker = Maker(trial.uses, self.seed + number, f"f{number:x}{self.seed % 0xFFFF:x}x")
        return _Lane(trial, maker, Tally(trial.provider, over, none))

    def _slice(self, lane: _Lane) -> None:
        began = time.monotonic()
        lane.tally.turns += 1
        inquired = self._inquiry.seconds
        try:
            self._bulk(lane, began + SLICE * (1 - ALONE))
            lane.bulk_seconds += time.monotonic() - began
            while self._has_time_alone(lane, began) and not self._over():
                started = time.monotonic()
                self._alone(lane)
                lane.alone_seconds += time.monotonic() - started
            self._refusals = 0
        except PeerError as error:
            self._dismiss(lane.tally.over)
            self._failed(error)
        if lane.tally.over == "component":
            # There is one such address, and whoever is asked there must answer: nobody would, until the next turn.
            self._dismiss(lane.tally.over)
        self._sending += time.monotonic() - began - (self._inquiry.seconds - inquired)
        self._tell(f"sending {lane.tally.provider}")
        self._inquire()

    @staticmethod
    def _has_time_alone(lane: _Lane, began: float) -> bool:
        """Whether another stanza may be sent alone in this turn; where nothing goes in bulk, it is all there is."""
        if not lane.maker.has_bulk:
            return time.monotonic() - began < SLICE
        return lane.alone_seconds <= ALONE * (lane.bulk_seconds + lane.alone_seconds)

    def _failed(self, error: PeerError | AgentFault) -> None:
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
        self._mend(lane, cast)

    def _next_batch(self, lane: _Lane, cast: Cast) -> Batch | None:
        self._turn += 1
        place = self._turn % len(cast.fuzzers)
        items = []
        for _ in range(self._left):
            malformed = self._random.random() < MALFORMED
            item = lane.maker.bulk(cast.scenes[place], malformed=malformed)
            if item is None:
                continue
            if self._inquiry.avoids(item):
                lane.tally.avoided += 1
                continue
            items.append(item)
        if not items:
            return None
        self._begun += len(items)
        self._sent[lane.tally.over] = self._sent.get(lane.tally.over, 0) + len(items)
        return begin(cast, cast.fuzzers[place], items, padding=self._padding)

    def _alone(self, lane: _Lane) -> None:
        """One stanza on a session of its own: the cast's first, or one that has come only so far."""
        cast = self._cast(lane)
        item = lane.maker.alone(cast.scenes[0])
        if item is None:
            lane.alone_seconds += SLICE
            return
        if self._inquiry.avoids(item):
            lane.tally.avoided += 1
            return
        self._begun += 1
        if item.malformed is not None and item.malformed.moment is not Moment.BOUND:
            pipe = self._casting(lane).early(item.malformed.moment)
            self._end(lane, cast, begin_early(cast, pipe, item))
            pipe.close()
            return
        self._end(lane, cast, begin(cast, cast.fuzzers[0], [item], padding=self._padding))
        if spends(item.stanza.payload, item.stanza.use):
            self._dismiss(lane.tally.over)
        else:
            self._mend(lane, cast)

    def _end(self, lane: _Lane, cast: Cast, batch: Batch) -> None:
        """Wait for a batch, count it, and write down what it shows."""
        began = time.time() - (time.monotonic() - batch.began)
        finish(cast, batch, self.cell.patience, settle=SETTLE)
        lane.tally.count(batch)
        symptoms = judge(cast, batch)
        unusual = bool(symptoms) or (batch.ended and len(batch.items) > 1)
        if outside := self.outside.since(began, wait=LOG_SECONDS if unusual else 0.0):
            symptoms.insert(0, outside)
        scene = cast.scenes[0 if batch.early else cast.fuzzers.index(batch.fuzzer)]
        if symptoms:
            self._inquiry.suspect(symptoms, batch, scene, lane.tally, self._casting(lane))
        elif batch.ended and len(batch.items) > 1:
            operator = self._inquiry.who_ended(batch, scene, self._casting(lane))
            for each in self._lanes:
                each.maker.part(operator)

    @property
    def _padding(self) -> bytes:
        """Once it is found that a server leaves lying what nothing follows, that need not be found again."""
        return PADDING if self._inquiry.left_lying else b""

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

    def _mend(self, lane: _Lane, cast: Cast) -> None:
        """Where streams ended, others take their places."""
        if not cast.witnessed:
            self._dismiss(lane.tally.over)
        elif not connected(cast.pipes):
            self._casting(lane).renew(cast)

    def _leave(self) -> None:
        for cast in self._casts.values():
            cast.close()

    def _dismiss(self, over: Transport) -> None:
        cast = self._casts.pop(over, None)
        if cast is not None:
            cast.close()
