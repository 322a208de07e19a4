"""From a suspicion to a finding: the stanza, or the shortest sequence, that causes it; confirmed on fresh sessions.

Every try has a cast of its own, so nothing is owed to what was sent before.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from secrets import token_hex
from typing import Protocol

from generators.stanza import Moment, Scene
from lab.campaign.batch import Item, begin, begin_early, finish
from lab.campaign.cast import Cast, Casting
from lab.campaign.finding import CONFIRMATIONS, fingerprint
from lab.campaign.judge import Symptom, judge
from lab.campaign.pipe import Logged
from lab.campaign.template import Template
from lab.errors import PeerError
from lab.machine import crowd

TRIES = 40  # casts that one suspicion may cost
SECONDS = 4.0  # that a search may take, and on a slow server as long as so many probes take:
PROBES = 12
HURRY = 0.3  # seconds of patience while searching, at least, on a machine that is not crowded
LOG_SECONDS = 0.2  # that it may take until a log has what happened


class Outside(Protocol):
    """What is known from outside the wire: an exit, a crash in the log; see `lab.campaign.outside`."""

    def since(self, moment: float, *, wait: float = 0.0) -> Symptom | None: ...


@dataclass(frozen=True)
class Trial:
    """What one try came to: its symptoms, the items sent, and what went over the wire."""

    symptoms: tuple[Symptom, ...]
    items: tuple[Item, ...]
    log: list[Logged]
    ended: bool = False
    """Whether the stream was ended."""

    def shows(self, rule: str, kind: str) -> Symptom | None:
        """The symptom that is looked for, if it is there."""
        return next((s for s in self.symptoms if s.rule == rule and s.kind == kind), None)


@dataclass(frozen=True)
class Confirmed:
    """The shortest sequence that was found, how often (of `CONFIRMATIONS`) it showed the symptom, one such trial."""

    templates: tuple[Template, ...]
    symptom: Symptom
    times: int
    trial: Trial
    fingerprint: str


class Prober:
    """Sends templates to fresh casts. `outside` is asked after each try for what the wire does not show.

    With `frugal`, a cast that showed nothing is used again: for shrinking, where what is found is confirmed anyway.
    """

    _cast: Cast | None = None

    def __init__(self, casting: Casting, patience: float, outside: Outside, *, frugal: bool = False) -> None:
        self.casting = casting
        self.patience = patience
        self._outside = outside
        self._frugal = frugal

    def probe(self, templates: Sequence[Template], *, hurry: bool = False) -> Trial:
        """One try; in a `hurry`, with less patience, for a search whose end is confirmed.

        A server that cannot even be connected to any more is a symptom, too.
        """
        log: list[Logged] = []
        began = time.time()
        try:
            cast = self._cast or self.casting.open(log=log)
            self.casting.renew(cast, log=log)
        except PeerError as error:
            return Trial((Symptom("answers-others", None, "a new session", str(error)[:300], "refused"),), (), log)
        try:
            symptoms, items, ended = self._sent(cast, templates, log, self._haste() if hurry else self.patience)
        except PeerError as error:
            symptoms, items = [Symptom("answers-others", None, "a new session", str(error)[:300], "refused")], ()
            ended = True
        # A good batch needs no waiting: whatever a crash breaks shows on the wire, too.
        seen = self._outside.since(began, wait=LOG_SECONDS if symptoms or ended else 0.0)
        self._cast = cast if self._frugal and not symptoms and not seen and cast.witnessed else None
        if self._cast is None:
            cast.close()
        return Trial((*([seen] if seen else []), *symptoms), items, log, ended)

    def _sent(
        self, cast: Cast, templates: Sequence[Template], log: list[Logged], patience: float
    ) -> tuple[list[Symptom], tuple[Item, ...], bool]:
        items = tuple(filled(template, cast.scenes[0]) for template in templates)
        if len(items) == 1 and items[0].malformed and items[0].malformed.moment is not Moment.BOUND:
            pipe = self.casting.early(items[0].malformed.moment, log=log)
            batch = begin_early(cast, pipe, items[0])
        else:
            batch = begin(cast, cast.fuzzers[0], items)
        finish(cast, batch, patience)
        symptoms = judge(cast, batch)
        ended = batch.ended
        if batch.early:
            batch.fuzzer.close()
        return symptoms, items, ended

    def _haste(self) -> float:
        return min(self.patience, self.casting.cell.hurried(HURRY * crowd()))

    def afresh(self, templates: Sequence[Template]) -> Trial:
        """One try on a fresh cast."""
        self.close()
        return self.probe(templates)

    def close(self) -> None:
        if self._cast is not None:
            self._cast.close()
            self._cast = None


def filled(template: Template, scene: Scene) -> Item:
    return template.item(scene, f"f{token_hex(5)}")


def narrow(
    prober: Prober,
    templates: Sequence[Template],
    symptom: Symptom,
    likely: Sequence[int] = (),
    *,
    confirm: bool = True,
) -> Confirmed | None:
    """The shortest sequence that shows `symptom`, confirmed; None where it never showed again.

    `likely` are the places that are tried alone before the whole is halved: those without an answer, say. Where the
    symptom is one only `alone`, it ends there. Without `confirm`, one more time is enough.
    """
    times = CONFIRMATIONS if confirm else 1
    search = _Search(prober, symptom)
    suspects = list(templates)
    for place in likely if symptom.place is None else (symptom.place,):
        if search.shows([suspects[place]]):
            return search.confirmed([suspects[place]], times)
    if symptom.alone or not search.shows(suspects):
        return None
    return search.confirmed(search.shortest(suspects), times)


class _Search:
    """Tries subsequences, within a bound."""

    def __init__(self, prober: Prober, symptom: Symptom) -> None:
        self._prober, self._symptom = prober, symptom
        self._left = TRIES
        self._began = time.monotonic()
        self._deadline = self._began + SECONDS * crowd()

    def shows(self, templates: Sequence[Template], *, hurry: bool = True) -> Trial | None:
        if self._left <= 0 or not templates or (hurry and time.monotonic() > self._deadline):
            return None
        self._left -= 1
        trial = self._prober.probe(templates, hurry=hurry)
        if self._left == TRIES - 1:
            self._deadline = max(self._deadline, self._began + PROBES * (time.monotonic() - self._began))
        return trial if trial.shows(self._symptom.rule, self._symptom.kind) else None

    def shortest(self, suspects: list[Template]) -> list[Template]:
        """The shortest prefix that shows it; of that its last alone, or else all that cannot be left out."""
        least, most = 1, len(suspects)
        while least < most:
            middle = (least + most) // 2
            if self.shows(suspects[:middle]):
                most = middle
            else:
                least = middle + 1
        suspects = suspects[:most]
        if len(suspects) == 1 or self.shows(suspects[-1:]):
            return suspects[-1:]
        size = len(suspects) // 2
        while size:
            start = 0
            while start < len(suspects) - 1:
                rest = suspects[:start] + suspects[min(start + size, len(suspects) - 1) :]
                if self.shows(rest):
                    suspects = rest
                else:
                    start += size
            size //= 2
        return suspects

    def confirmed(self, suspects: list[Template], tries: int) -> Confirmed | None:
        times, shown = 0, None
        self._left += tries
        for _ in range(tries):
            trial = self.shows(suspects, hurry=False)
            if trial:
                times, shown = times + 1, trial
        if shown is None:
            return None
        symptom = shown.shows(self._symptom.rule, self._symptom.kind)
        assert symptom is not None  # noqa: S101 - `shows` said so
        if symptom.rule == "answers-each-iq":
            # An answer that bears another id is told better by that.
            symptom = shown.shows("answers-what-was-sent", "") or symptom
        return Confirmed(tuple(suspects), symptom, times, shown, fingerprint(symptom, shown.items))
