"""Casts that are alike, one a server, and the same stanzas for all of them. What comes back is not compared here."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from generators.malformations import OPERATORS
from generators.source import ReplaySource
from generators.stanza import Moment, Scene
from generators.stanzas import Generator
from lab.campaign.answers import Answer, answer_of
from lab.campaign.batch import Batch, Item, begin, begin_early, finish
from lab.campaign.cast import Cast, Casting, connected
from lab.campaign.maker import drawn
from lab.campaign.pipe import Pipe, pump
from schemas.payloads import Addressee

LINGER = 0.3  # seconds


class Troupe:
    """Casts that are alike, one a server: the same parts, with as many addresses each."""

    def __init__(self, castings: Sequence[Casting], casts: Sequence[Cast]) -> None:
        self._castings, self._casts = tuple(castings), tuple(casts)
        self.scenes = alike([cast.scenes[0] for cast in casts])
        self.sent = 0
        self.fit = True
        self._early: list[Pipe] = []
        self._generators: dict[tuple[int, str, int], Generator] = {}

    @classmethod
    def open(cls, castings: Sequence[Casting]) -> Troupe:
        casts: list[Cast] = []
        try:
            casts.extend(casting.open() for casting in castings)
        except BaseException:
            for cast in casts:
                cast.close()
            raise
        return cls(castings, casts)

    def close(self) -> None:
        self.settle()
        for cast in self._casts:
            cast.close()

    def same(self, item: Item) -> tuple[Item, ...] | None:
        """The item, drawn again from its choices in each scene; None where the scenes did not ask for the same."""
        made: list[Item] = []
        asked: list[list[int]] = []
        for number, scene in enumerate(self.scenes):
            source = _Watched(item.choices)
            generator = self._generator(item, number, scene)
            operator = OPERATORS[item.operator] if item.operator else None
            again = None if generator is None else drawn(generator, operator, source, scene, item.stanza.id)
            if again is None:
                return None
            made.append(again._replace(choices=item.choices))
            asked.append(source.asked)
        return tuple(made) if all(each == asked[0] for each in asked) else None

    def _generator(self, item: Item, number: int, scene: Scene) -> Generator | None:
        payload, use = item.stanza.payload, item.stanza.use
        key = (id(use), payload.element, number)
        if key not in self._generators:
            if not any(scene.addresses.get(addressee) for addressee in use.to or (Addressee.ACCOUNT,)):
                return None
            self._generators[key] = Generator([(payload, use)], scene)
        return self._generators[key]

    def send(self, rows: Sequence[tuple[Item, ...]], least: float) -> list[Batch]:
        """Send all rows to each server in turn; wait for what comes `least` seconds, longer for a slow server."""
        self.sent += len(rows)
        moment = rows[0][0].malformed.moment if len(rows) == 1 and rows[0][0].malformed else Moment.BOUND
        batches = []
        for number, (casting, cast) in enumerate(zip(self._castings, self._casts, strict=True)):
            items = [row[number] for row in rows]
            if moment is Moment.BOUND:
                batch = begin(cast, cast.fuzzers[0], items)
            else:
                batch = begin_early(cast, casting.early(moment), items[0])
            finish(cast, batch, casting.cell.hurried(least))
            batches.append(batch)
            if batch.early:
                _linger(cast, batch.fuzzer)
                self._early.append(batch.fuzzer)
            self.fit = self.fit and connected(cast.pipes) and (batch.sentinel or batch.early)
        return batches

    def answers(self, batches: Sequence[Batch], place: int) -> tuple[Answer, ...] | None:
        """The answers to the item at a place, a server each; None where one cannot be told."""
        found = [answer_of(cast, batch, place) for cast, batch in zip(self._casts, batches, strict=True)]
        known = tuple(answer for answer in found if answer is not None)
        return known if len(known) == len(found) else None

    def settle(self) -> None:
        """Forget what belonged to a batch that has been compared."""
        for pipe in self._early:
            pipe.close()
        self._early.clear()
        for cast in self._casts:
            cast.ledger.strays.clear()
            cast.ledger.leaks.clear()


def _linger(cast: Cast, pipe: Pipe) -> None:
    """Let what may come on a stream that no sentinel can be sent on come, until it ends; not for long."""
    deadline = time.monotonic() + LINGER
    while not pipe.closed and (left := deadline - time.monotonic()) > 0:
        pump((*cast.pipes, pipe), left)


class _Watched(ReplaySource):
    """Answers written choices, and writes down what it was asked."""

    def __init__(self, choices: Sequence[int]) -> None:
        super().__init__(choices)
        self.asked: list[int] = []

    def integer(self, most: int) -> int:
        self.asked.append(most)
        return super().integer(most)


def alike(scenes: Sequence[Scene]) -> list[Scene]:
    """The scenes with only those addressees whom all have, and of each only as many addresses as all have."""
    least = {
        addressee: min(len(scene.addresses.get(addressee, ())) for scene in scenes)
        for addressee in scenes[0].addresses
    }
    return [
        replace(scene, addresses={a: scene.addresses[a][:count] for a, count in least.items() if count})
        for scene in scenes
    ]
