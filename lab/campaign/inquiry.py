"""From symptoms to findings: which are news, which are looked into and when, what is avoided from then on.

A fault that is known costs time each time that it is met again: batches that break off, waits for what never comes.
So what causes it is learned, as far as that pays, and not sent any more.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Literal

from generators.allowed import Reaction
from generators.stanza import Family, Moment, Scene
from lab.campaign import corpus
from lab.campaign.batch import Finished, Item, must_answer
from lab.campaign.cast import Casting
from lab.campaign.finding import Finding, fingerprint, trace
from lab.campaign.judge import Symptom
from lab.campaign.narrow import Confirmed, Prober, Trial, narrow
from lab.campaign.narrow import Outside as Seen
from lab.campaign.shrink import shrink
from lab.campaign.tally import Tally
from lab.campaign.template import Template
from lab.cell import Cell, Subject
from lab.errors import PeerError

WAITING = 200  # suspicions that wait to be looked into, at most
LIKELY = 5  # items of a batch that are tried alone first
LEARNING = 15  # times that it is looked into what else causes a fault that is known
FRUITLESS = 20  # suspicions of one rule that came to nothing, after which there is no more of them

COSTLY = {
    "answers-each-iq",
    "answers-what-was-sent",
    "answers-the-sentinel",
    "answers-others",
    "ends-the-stream",
    "keeps-the-stream",
    "speaks-xmpp",
    "passes-on-no-malformed",
    "logs-no-crash",
    "lives",
    "takes-commands",
}
"""Rules whose breaking costs a session, or a wait."""

UNSEEN = {"logs-no-crash", "lives"}
"""What is known from outside the wire: it explains whatever else is seen."""


@dataclass(frozen=True)
class Suspicion:
    """What a batch showed; `likely` are the items that may have caused it, to be tried first.

    `learning`: the fault is known, only which other stanzas cause it is not, and those are to be avoided.
    """

    symptom: Symptom
    templates: tuple[Template, ...]
    items: tuple[Item, ...]
    likely: tuple[int, ...]
    scene: Scene
    tally: Tally
    casting: Casting | None
    learning: bool = False

    @property
    def blamed(self) -> list[Item]:
        return [] if self.symptom.place is None else [self.items[self.symptom.place]]


class Inquiry:
    """Holds what is suspected and what was found. `tell` is told what is being done, `found` of each finding.

    `subject` is who is tried; the cell's own, where there is none.
    """

    role: Literal["server", "client"] = "server"

    def __init__(
        self,
        cell: Cell,
        outside: Seen,
        seed: int,
        folder: Path | None,
        found: Callable[[Finding], None],
        tell: Callable[[str], None],
        subject: Subject | None = None,
    ) -> None:
        self._subject = subject or cell.subject
        self._cell, self._outside, self._seed, self._folder = cell, outside, seed, folder
        self._found, self._tell = found, tell
        self.findings: dict[str, Finding] = {}
        self.waiting: list[Suspicion] = []
        self.seconds = 0.0
        """Spent on looking into suspicions."""
        self.left_lying = False
        """Whether a stanza was found that the server only reads to its end when more comes behind it."""
        self._known: dict[str, str] = {}  # name of a symptom -> fingerprint of the finding that says it
        self._origins: dict[str, tuple[Item, Scene, Casting | None]] = {}
        self._avoid: set[tuple[str, ...]] = set()
        self._learned: Counter[str] = Counter()
        self._fruitless: Counter[str] = Counter()

    def avoids(self, item: Item) -> bool:
        """Whether its like is known to cost more than it can tell."""
        return bool(self._avoid) and _key(item) in self._avoid

    def suspect(
        self, symptoms: Sequence[Symptom], batch: Finished, scene: Scene, tally: Tally, casting: Casting | None
    ) -> None:
        """Take the symptoms of a batch: what is no news is counted, the rest waits to be looked into."""
        for symptom in symptoms:
            blamed = [] if symptom.place is None else [batch.items[symptom.place]]
            known = self._finding_of(symptom, blamed)
            if known is not None:
                self._count(known, tally, blamed)
                if blamed or not self._may_learn(known):
                    if symptom.rule in UNSEEN:
                        return  # whatever else the batch shows follows from it
                    continue
            if len(self.waiting) >= WAITING or self._fruitless[symptom.rule] >= FRUITLESS:
                tally.unconfirmed += 1
                continue
            # What names its addressee in another encoding cannot be sent by others: its valid stanza stands in.
            items = tuple(item if Template.can_be_of(item) else _valid(item) for item in batch.items)
            templates = tuple(Template.of(item, scene) for item in items)
            self.waiting.append(
                Suspicion(
                    symptom,
                    templates,
                    items,
                    _likely(batch),
                    scene,
                    tally,
                    casting,
                    learning=known is not None,
                )
            )
            if symptom.place is None:
                return  # whatever else the batch shows may follow from it

    def look_into_next(self) -> None:
        """Narrow the next suspicion down, and keep what is confirmed. Raises PeerError: no session can be opened."""
        suspicion = self.waiting.pop(0)
        began = time.monotonic()
        try:
            self._look_into(suspicion)
        finally:
            self.seconds += time.monotonic() - began

    def give_up(self) -> None:
        """Nothing more is looked into."""
        for suspicion in self.waiting:
            suspicion.tally.unconfirmed += not suspicion.learning
        self.waiting.clear()

    def who_ended(self, batch: Finished, scene: Scene, casting: Casting | None) -> str:
        """The operator whose stanza ended the stream of a batch, as it may; empty where it is not found out."""
        began = time.monotonic()
        prober = self._prober(casting, frugal=True)
        try:
            for place in self._enders(batch):
                item = batch.items[place]
                may = item.operator and item.allowed.permits(Reaction.STREAM_ERROR)
                if may and prober.probe([Template.of(item, scene)], hurry=True).ended:
                    return item.operator
        except PeerError:
            return ""
        finally:
            prober.close()
            self.seconds += time.monotonic() - began
        return ""

    def _enders(self, batch: Finished) -> Sequence[int]:
        """The places of those that may have ended the stream of a batch, the likeliest first."""
        return _likely(batch)

    def shrink_all(self, seconds: float) -> None:
        """Make each finding as small as may be, within its seconds. Raises MachineError: the disk is full."""
        for name, finding in list(self.findings.items()):
            origin = self._origins.get(name)
            if origin is None or finding.flaky or finding.rule == "lives":
                continue
            item, scene, casting = origin
            self._tell(f"shrinking {finding.rule}")
            prober = self._prober(casting, self._cell.hurried(0.25), frugal=True)
            try:
                smaller = shrink(prober, finding, item, scene, seconds=seconds)
                if smaller is not None and smaller.templates != finding.templates:
                    smaller = _evidenced(prober, smaller)
            except PeerError:
                continue  # the server is away; what was found stays as it is
            finally:
                prober.close()
            if smaller is not None:
                self._write(smaller)

    # --- what is known

    def _finding_of(self, symptom: Symptom, blamed: Sequence[Item]) -> Finding | None:
        """The finding that says so already.

        What a valid stanza is known to show, is no news of a malformed one that was made from its like.
        """
        for name in (fingerprint(symptom, blamed), fingerprint(symptom, [_valid(item) for item in blamed])):
            if name in self._known:
                return self.findings[self._known[name]]
        return None

    def _count(self, finding: Finding, tally: Tally, blamed: Sequence[Item]) -> None:
        tally.repeated += 1
        if finding.rule in COSTLY:
            self._avoid.update(_key(item) for item in blamed)
        if finding.fingerprint not in tally.findings:
            tally.findings.append(finding.fingerprint)

    def _may_learn(self, finding: Finding) -> bool:
        if finding.rule not in COSTLY or finding.rule == "lives":
            return False
        self._learned[finding.fingerprint] += 1
        return self._learned[finding.fingerprint] <= LEARNING

    # --- looking into it

    def _prober(self, casting: Casting | None, patience: float | None = None, *, frugal: bool = False) -> Prober:
        """Who sends a suspicion again; `casting` says to whom, if nobody else knows."""
        assert casting is not None  # noqa: S101 - there is one for each suspicion of a server
        return Prober(casting, self._cell.patience if patience is None else patience, self._outside, frugal=frugal)

    def _look_into(self, suspicion: Suspicion) -> None:
        symptom, tally = suspicion.symptom, suspicion.tally
        known = self._finding_of(symptom, suspicion.blamed)
        if known is not None and suspicion.blamed:
            self._count(known, tally, suspicion.blamed)
            return
        if not suspicion.blamed and any(_key(item) in self._avoid for item in suspicion.items):
            return  # it was sent before its like began to be avoided
        self._tell(f"narrowing down {symptom.rule}")
        prober = self._prober(suspicion.casting)
        try:
            self._find(prober, suspicion, known)
        finally:
            prober.close()

    def _find(self, prober: Prober, suspicion: Suspicion, known: Finding | None) -> None:
        symptom, tally = suspicion.symptom, suspicion.tally
        if known is not None:
            self._learn(prober, suspicion)
            return
        confirmed = narrow(prober, suspicion.templates, symptom, suspicion.likely)
        confirmed, origin = self._simplest(prober, suspicion, confirmed)
        if confirmed is not None:
            self._keep(suspicion, confirmed, origin)
        elif symptom.rule == "lives":
            # Nobody may overlook that a server died, even where what killed it did so only once.
            trial = Trial((symptom,), suspicion.items, [])
            name = fingerprint(symptom, suspicion.items)
            self._keep(suspicion, Confirmed(suspicion.templates, symptom, 0, trial, name), None)
        else:
            tally.unconfirmed += 1
            self._fruitless[symptom.rule] += 1

    def _learn(self, prober: Prober, suspicion: Suspicion) -> None:
        confirmed = narrow(prober, suspicion.templates, suspicion.symptom, suspicion.likely, confirm=False)
        if confirmed is not None and len(confirmed.templates) == 1:
            self._avoid.add(_key(suspicion.items[suspicion.templates.index(confirmed.templates[0])]))

    def _simplest(
        self, prober: Prober, suspicion: Suspicion, confirmed: Confirmed | None
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

    def _keep(self, suspicion: Suspicion, confirmed: Confirmed, origin: Item | None) -> None:
        symptom, tally = confirmed.symptom, suspicion.tally
        unseen = next((s for s in confirmed.trial.symptoms if s.rule in UNSEEN), None)
        if unseen is not None:
            symptom = unseen  # a crash explains what else is seen
        name = fingerprint(symptom, confirmed.trial.items)
        if name not in self.findings:
            finding = Finding(
                fingerprint=name,
                rule=symptom.rule,
                expected=symptom.expected,
                seen=symptom.seen,
                provider=tally.provider,
                templates=confirmed.templates,
                confirmed=confirmed.times,
                subject=self._subject.name,
                version=self._subject.version,
                seed=self._seed,
                role=self.role,
                trace=trace(confirmed.trial.log),
            )
            self._write(finding)
            if origin is not None:
                self._origins[name] = (origin, suspicion.scene, suspicion.casting)
            self._found(finding)
        if name not in tally.findings:
            tally.findings.append(name)
        if origin is not None and symptom.rule in COSTLY:
            self._avoid.add(_key(origin))
        self.left_lying = self.left_lying or symptom.rule == "answers-the-sentinel"
        self._known[name] = self._known[confirmed.fingerprint] = name
        if suspicion.blamed:
            self._known[fingerprint(suspicion.symptom, suspicion.blamed)] = name

    def _write(self, finding: Finding) -> None:
        self.findings[finding.fingerprint] = finding
        if self._folder is not None:
            corpus.keep(finding, self._folder)


def _evidenced(prober: Prober, finding: Finding) -> Finding:
    """With a trace of just this stanza on a fresh cast, and of nothing that was tried before it."""
    again = prober.afresh(finding.templates)
    shown = next((s for s in again.symptoms if fingerprint(s, again.items) == finding.fingerprint), None)
    return replace(finding, seen=shown.seen, trace=trace(again.log)) if shown else finding


def _likely(batch: Finished) -> tuple[int, ...]:
    """Who may have caused what a batch shows: what stood where it broke off, or has no answer."""
    reacted = {n for n, seen in enumerate(batch.seen) if seen.replies or seen.deliveries}
    if batch.ended or not batch.sentinel:
        after = max(reacted, default=-1) + 1
        return tuple(range(after, min(after + LIKELY, len(batch.items))))
    silent = (n for n, item in enumerate(batch.items) if must_answer(item) and n not in reacted)
    return tuple(islice(silent, LIKELY))


def _valid(item: Item) -> Item:
    """The item before it was malformed."""
    return Item(item.stanza, None, item.choices)


def _key(item: Item) -> tuple[str, ...]:
    """What an item is like: broken bytes are alike in every payload, but some addressee may be handed them.

    So is what comes before its time: nobody looks into it.
    """
    stanza, malformed = item.stanza, item.malformed
    if malformed is not None and malformed.moment is not Moment.BOUND:
        return (malformed.operator, stanza.carrier)
    if malformed is not None and malformed.family is Family.BYTES:
        return (malformed.operator, stanza.carrier, stanza.addressee)
    return (item.operator, stanza.payload.element, stanza.carrier, stanza.type, stanza.addressee)
