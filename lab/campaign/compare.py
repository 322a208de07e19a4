"""A comparison: the same stanzas are sent to several servers, in the same order, and their kinds of answer compared.

Stanzas are drawn once and drawn again from the same choices for each server, in casts that are alike. Where servers
differ, one stanza of each kind is sent alone to fresh casts of all of them before it is said. Nothing is judged.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import NamedTuple, Protocol

from generators.stanza import Scene
from lab.accounts import Accounts, Comeback
from lab.campaign.answers import Answer, who_ended
from lab.campaign.batch import Item
from lab.campaign.cast import Casting
from lab.campaign.clusters import Cluster, Example, Group, Status, clustered, what
from lab.campaign.differences import Candidate, Inquiry, Key, Suspicion, in_order
from lab.campaign.maker import Maker
from lab.campaign.template import Template
from lab.campaign.troupe import Troupe
from lab.cell import Cell, Transport
from lab.errors import PeerError
from schemas.robustness import Trial

BATCH = 32  # stanzas sent at once
ALONE = 6  # stanzas sent alone behind each batch
ROTATE = 640  # stanzas after which all casts are fresh again
MALFORMED = 0.5  # share of the stanzas in bulk
HURRY = 0.4  # seconds that a batch may be silent, at least; what that misses is set right when it is sent alone
CONFIRM_PATIENCE = 2.0  # seconds that a stanza alone may be silent, at most
TIMES = 2  # that a stanza is sent beside others, until its answer can be told
CHECKS = 800  # stanzas tried alone in all
REFUSALS = 4  # times in a row that no cast can be opened, after which the comparison is given up


@dataclass(frozen=True)
class Player:
    """One server of a comparison, by a name that tells it from the others. `gone` says why it will not come back."""

    name: str
    cell: Cell
    comeback: Comeback = field(default_factory=Comeback)
    gone: Callable[[], str] = str


@dataclass(frozen=True)
class Bounds:
    """Where a comparison ends: after `stanzas`, or `seconds` of sending; as many again for sending alone."""

    stanzas: int = 2_000
    seconds: float = 120.0


class Listener(Protocol):
    """Who is told of the course of a comparison."""

    def comparing(self, sent: int, of: int, differences: int, doing: str) -> None: ...


@dataclass(frozen=True)
class Outcome:
    """What came of it. `uneven` stanzas could not be made alike for all servers, and were not sent.

    `skipped` says which providers were left out, and why; `stopped` why it ended early.
    """

    servers: tuple[str, ...]
    seed: int
    clusters: tuple[Cluster, ...]
    valid: int
    malformed: int
    alike: int
    unknown: int
    uneven: int
    seconds: float
    skipped: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()
    interrupted: bool = False
    stopped: str = ""

    @property
    def sent(self) -> int:
        return self.valid + self.malformed


class _Waiting(NamedTuple):
    """A stanza that is to be sent again, since its answer could not be told so many `times`."""

    item: Item
    times: int = 0


@dataclass
class _Lane:
    """One provider's turn; `bulk` and `alone` wait to be sent again, beside others or not."""

    trial: Trial
    maker: Maker
    bulk: list[_Waiting] = field(default_factory=list)
    alone: list[_Waiting] = field(default_factory=list)


class Comparison:
    """`run` does all. `players` are two or more servers that run."""

    def __init__(
        self, players: Sequence[Player], trials: Sequence[Trial], seed: int, bounds: Bounds, listener: Listener
    ) -> None:
        self._players = tuple(players)
        self._seed, self._bounds, self._listener = seed, bounds, listener
        self._accounts = [Accounts(player.cell, player.comeback) for player in players]
        self._lanes: list[_Lane] = []
        self._skipped: list[str] = []
        for number, trial in enumerate(trials):
            self._add(number, trial)
        self._troupes: dict[Transport, Troupe] = {}
        self._suspicions: dict[Key, Suspicion] = {}
        self._random = random.Random(seed)  # noqa: S311 - for tests, not for secrets
        self._valid = self._malformed = self._alike = self._uneven = 0
        self._lacking: dict[Transport, set[str]] = {}
        self._refusals = 0
        self._stopped = ""

    def run(self) -> Outcome:
        """Compare until the bounds, or Ctrl-C; what was found by then is answered."""
        interrupted = False
        began = time.monotonic()
        found: list[tuple[Status, Group]] = []
        try:
            self._tell("preparing")
            for lane in self._lanes:
                lane.maker.prepare()
            self._send(time.monotonic() + self._bounds.seconds)
            self._check(time.monotonic() + self._bounds.seconds, found)
        except KeyboardInterrupt:
            interrupted = True
        finally:
            self._dismiss()
            for accounts in self._accounts:
                accounts.close()
        found.extend((Status.UNCHECKED, left.as_seen) for left in self._suspicions.values())
        return Outcome(
            servers=tuple(player.name for player in self._players),
            seed=self._seed,
            clusters=tuple(clustered(found)),
            valid=self._valid,
            malformed=self._malformed,
            alike=self._alike,
            unknown=self._waiting,
            uneven=self._uneven,
            seconds=time.monotonic() - began,
            skipped=tuple(self._skipped),
            lacking=tuple(sorted(set.intersection(*self._lacking.values()) if self._lacking else ())),
            interrupted=interrupted,
            stopped=self._stopped,
        )

    def _add(self, number: int, trial: Trial) -> None:
        over = _over(trial)
        without = [player.name for player in self._players if not player.cell.endpoint(over)]
        if trial.none or without:
            why = trial.none or f"no {over} port in the cell of {', '.join(without)}"
            self._skipped.append(f"{trial.provider}: {why}")
        else:
            maker = Maker(trial.uses, self._seed + number, f"c{number:x}x")
            self._lanes.append(_Lane(trial, maker))

    # --- sending

    @property
    def _sent(self) -> int:
        return self._valid + self._malformed

    def _send(self, deadline: float) -> None:
        """Turn after turn, a provider each: a batch, then some stanzas alone."""
        idle = 0
        for lane in cycle(self._lanes):
            if self._enough(deadline):
                return
            before = self._sent, self._waiting
            try:
                self._bulk(lane)
                for _ in range(ALONE):
                    if not self._enough(deadline):
                        self._alone(lane)
                self._refusals = 0
            except PeerError as error:
                self._refused(error)
            idle = idle + 1 if (self._sent, self._waiting) == before else 0
            if idle > 2 * len(self._lanes) + REFUSALS:
                self._stopped = "no more stanzas can be drawn for all of these servers"
            self._tell(f"sending {lane.trial.provider}")

    @property
    def _waiting(self) -> int:
        return sum(len(lane.bulk) + len(lane.alone) for lane in self._lanes)

    def _enough(self, deadline: float) -> bool:
        if self._stopped or time.monotonic() > deadline:
            return True
        return self._sent >= self._bounds.stanzas and not self._waiting

    def _refused(self, error: PeerError) -> None:
        self._dismiss()
        self._refusals += 1
        gone = [f"{player.name}: {why}" for player in self._players if (why := player.gone())]
        if gone:
            self._stopped = f"gone for good: {'; '.join(gone)}"
        elif self._refusals >= REFUSALS:
            self._stopped = f"no session can be opened any more: {error.message}"

    def _bulk(self, lane: _Lane) -> None:
        troupe = self._troupe(lane)
        waiting, lane.bulk = lane.bulk[:BATCH], lane.bulk[BATCH:]
        for _ in range(min(BATCH - len(waiting), self._bounds.stanzas - self._sent)):
            item = lane.maker.bulk(troupe.scenes[0], malformed=self._random.random() < MALFORMED)
            if item is not None:
                waiting.append(_Waiting(item))
        self._exchange(lane, troupe, waiting)

    def _alone(self, lane: _Lane) -> None:
        troupe = self._troupe(lane)
        if lane.alone:
            self._exchange(lane, troupe, [lane.alone.pop(0)])
        elif self._sent < self._bounds.stanzas and (item := lane.maker.alone(troupe.scenes[0])) is not None:
            self._exchange(lane, troupe, [_Waiting(item)])

    def _exchange(self, lane: _Lane, troupe: Troupe, waiting: Sequence[_Waiting]) -> None:
        """Send stanzas to all servers, as one batch, and compare what comes of each."""
        rows: list[tuple[_Waiting, tuple[Item, ...]]] = []
        for each in waiting:
            row = troupe.same(each.item)
            if row is not None:
                rows.append((each, row))
            self._uneven += row is None
            self._count(each, row)
        if not rows:
            return
        batches = troupe.send([row for _, row in rows], HURRY)
        blamed = {place for batch in batches if len(rows) > 1 and (place := who_ended(batch)) is not None}
        for place, (each, row) in enumerate(rows):
            answers = troupe.answers(batches, place)
            if answers is not None:
                self._compare(lane, troupe, row, answers)
                continue
            if place in blamed:
                lane.maker.part(each.item.operator)
            again = lane.alone if place in blamed or not row[0].id or each.times >= TIMES else lane.bulk
            again.append(_Waiting(row[0], each.times + 1))
        troupe.settle()

    def _count(self, each: _Waiting, row: tuple[Item, ...] | None) -> None:
        if row is not None and not each.times:
            if each.item.malformed is None:
                self._valid += 1
            else:
                self._malformed += 1

    def _compare(self, lane: _Lane, troupe: Troupe, row: tuple[Item, ...], answers: Sequence[Answer]) -> None:
        if len({answer.kind for answer in answers}) == 1:
            self._alike += 1
            return
        example, name = _example(row[0], troupe.scenes[0], answers), what(row[0])
        suspicion = self._suspicions.setdefault((example.kinds, name), Suspicion(name))
        suspicion.add(Candidate(row[0], example, lane.trial))

    # --- sending alone, what was answered differently

    def _check(self, deadline: float, found: list[tuple[Status, Group]]) -> None:
        """Send a stanza of each kind alone; what that shows is added to `found`."""
        self._dismiss()
        inquiry = Inquiry(self._again)
        order = in_order(self._suspicions)
        for number, key in enumerate(order, 1):
            if self._stopped or inquiry.sent >= CHECKS or time.monotonic() > deadline:
                break
            found.append(inquiry.check(self._suspicions[key], key))
            del self._suspicions[key]
            self._tell(f"sending alone, {number} of {len(order)} kinds")

    def _again(self, item: Item, trial: Trial) -> Example | None:
        """What a stanza's answers are, alone on fresh casts; None where that cannot be told."""
        try:
            troupe = self._open(trial)
        except PeerError as error:
            self._refused(error)
            return None
        try:
            row = troupe.same(item)
            if row is None:
                return None
            patience = min(CONFIRM_PATIENCE, *(player.cell.patience for player in self._players))
            answers = troupe.answers(troupe.send([row], patience), 0)
            self._refusals = 0
            return None if answers is None else _example(row[0], troupe.scenes[0], answers)
        except PeerError as error:
            self._refused(error)
            return None
        finally:
            troupe.close()

    # --- casts

    def _troupe(self, lane: _Lane) -> Troupe:
        over = _over(lane.trial)
        troupe = self._troupes.get(over)
        if troupe is not None and (troupe.sent > ROTATE or not troupe.fit):
            troupe.close()
            troupe = None
        if troupe is None:
            troupe = self._troupes[over] = self._open(lane.trial)
        return troupe

    def _open(self, trial: Trial) -> Troupe:
        """Fresh casts, one a server. Raises PeerError."""
        over = _over(trial)
        wanted = frozenset(
            a for lane in self._lanes if _over(lane.trial) == over for _, use in lane.trial.uses for a in use.to
        )
        castings = [
            Casting(player.cell, accounts, player.comeback, over, wanted, even=True)
            for player, accounts in zip(self._players, self._accounts, strict=True)
        ]
        troupe = Troupe.open(castings)
        there = troupe.scenes[0].addresses
        self._lacking[over] = {str(addressee) for addressee in wanted if not there.get(addressee)}
        return troupe

    def _dismiss(self) -> None:
        for troupe in self._troupes.values():
            troupe.close()
        self._troupes.clear()

    def _tell(self, doing: str) -> None:
        differences = sum(suspicion.count for suspicion in self._suspicions.values())
        self._listener.comparing(self._sent, self._bounds.stanzas, differences, doing)


def _over(trial: Trial) -> Transport:
    over: Transport = trial.over  # type: ignore[assignment] # the data's test knows the transports
    return over


def _example(item: Item, scene: Scene, answers: Iterable[Answer]) -> Example:
    return Example(Template.of(item, scene), tuple(answers))
