"""Makes the stanzas of a campaign: which use, which operator, and the draw itself, from one seed.

Uses and operators take turns, in an order that the seed shuffles, so that a short campaign tries each of them; the
details are drawn, and their choices kept.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import count, islice
from typing import NamedTuple

from generators.compiler import shape_of
from generators.malformations import OPERATORS, Operator
from generators.source import RandomSource, Source
from generators.stanza import Family, Moment, Scene
from generators.stanzas import Generator
from lab.campaign import incoming
from lab.campaign.batch import Item
from schemas.payloads import Carrier, Payload, Use

SOLO = {"{urn:ietf:params:xml:ns:xmpp-bind}bind", "{urn:ietf:params:xml:ns:xmpp-session}session"}
"""Payloads that change the session itself: sent alone, like every nonza."""

NEVER = {"{jabber:iq:register}query"}
"""Payloads that may take away the account that sends them: what would follow says nothing of the server."""


SPENT = {("{urn:xmpp:blocking}block", "item"), ("{http://jabber.org/protocol/muc#owner}query", "destroy")}
"""Payloads, and what they hold, behind which a cast is of no more use: who would answer is blocked, or is no more."""

CLIENTS_ONLY = {
    "authentication-again",
    "bind-again",
    "malformed-from",
    "payload-without-stanza",
    "spoofed-from",
    "stanza-in-wrong-namespace",
    "stanza-of-servers",
    "stanza-without-namespace",
    "starttls-again",
    "words-of-a-server",
}
"""Operators that are about the streams of clients: a component's namespace and its senders are others."""

ENDING = {
    "authentication-again",
    "payload-without-stanza",
    "spoofed-from",
    "stanza-in-wrong-namespace",
    "stanza-of-servers",
    "stanza-without-namespace",
    "starttls-again",
    "unknown-stanza",
    "words-of-a-server",
}
"""Operators for whose stanzas servers end the stream, as they may: a batch would break off there."""


class Plan(NamedTuple):
    """What is to be drawn: a use of a payload, malformed by `operator` (None: valid)."""

    payload: Payload
    use: Use
    operator: Operator | None

    @property
    def solo(self) -> bool:
        """Whether it is sent on a session of its own, since the stream may not go on behind it."""
        if self.use.stanza is Carrier.STREAM or self.payload.element in SOLO or spends(self.payload, self.use):
            return True
        operator = self.operator
        if operator is None:
            return False
        return (
            (operator.family is Family.BYTES and not operator.valid)
            or operator.heavy
            or operator.spoils
            or operator.name in ENDING
            or operator.moment is not Moment.BOUND
        )


def spends(payload: Payload, use: Use) -> bool:
    """Whether a fresh cast is needed behind it."""
    return any((payload.element, child) in SPENT for child in use.children or ())


_KINDS = ("valid", "malformed", "alone")
TRIES = 8  # plans for one item: an operator may not fit what was drawn
OFTEN = 0.2  # share of the turns of a heavy operator that it takes


class Maker:
    """Makes items for one provider, without end. `seed` fixes their order and all their details.

    `together` names operators whose work may stand in a batch all the same: whoever receives it goes on.
    """

    def __init__(
        self,
        uses: Sequence[tuple[Payload, Use]],
        seed: int,
        prefix: str,
        operators: Iterable[Operator] = OPERATORS.values(),
        together: Collection[str] = (),
    ) -> None:
        operators = tuple(operators)
        self._uses = [(payload, use) for payload, use in uses if payload.element not in NEVER]
        # A source for each kind: how many of one kind are sent is a matter of time, and no matter to the others.
        self._sources = {kind: RandomSource(seed + place) for place, kind in enumerate(_KINDS)}
        self._prefix, self._ids = prefix, count()
        self._generators: dict[tuple[int, str, str], Generator] = {}
        bulk_uses = [u for u in self._uses if not Plan(*u, None).solo]
        alone_uses = [u for u in self._uses if Plan(*u, None).solo]
        self._in_bulk: list[Operator | None] = [
            o for o in operators if bulk_uses and (o.name in together or not Plan(*bulk_uses[0], o).solo)
        ]
        self._by_itself: list[Operator | None] = [o for o in operators if o not in self._in_bulk]
        if alone_uses:  # one in five of them valid
            self._by_itself += [None] * (len(self._by_itself) // 4)
        self.has_bulk = bool(bulk_uses)
        chance = {kind: random.Random(f"{seed} {kind}") for kind in _KINDS}  # noqa: S311 - for tests
        self._plans = {
            "valid": _turns(bulk_uses, chance["valid"]),
            "malformed": _plans(bulk_uses, self._in_bulk, chance["malformed"]),
            "alone": _plans(self._uses, self._by_itself, chance["alone"]),
        }

    def bulk(self, scene: Scene, *, malformed: bool) -> Item | None:
        """An item that others may stand beside; None where there is none."""
        return self._next("malformed" if malformed else "valid", scene)

    def alone(self, scene: Scene) -> Item | None:
        """An item for a session of its own."""
        return self._next("alone", scene)

    def _next(self, kind: str, scene: Scene) -> Item | None:
        for plan in islice(self._plans[kind], TRIES):
            if kind == "alone" and plan.operator is None and not plan.solo:
                continue
            item = self.make(plan, self._sources[kind], scene)
            if item is not None:
                return item
        return None

    def prepare(self) -> None:
        """Compile the shapes of all payloads: it takes a second or two, and only once a process."""
        for payload, _ in self._uses:
            shape_of(payload.element)

    def part(self, name: str) -> None:
        """An operator whose stanzas ended a stream, as they may, is sent alone from now on."""
        operator = incoming.BY_NAME.get(name)
        if operator in self._in_bulk:
            self._in_bulk.remove(operator)
            self._by_itself.append(operator)

    def make(self, plan: Plan, source: RandomSource, scene: Scene) -> Item | None:
        """Draw what a plan says; None where its operator does not fit what was drawn, or nobody can be addressed."""
        generator = self._generator(plan, scene)
        if generator is None:
            return None
        source.begin()
        return drawn(generator, plan.operator, source, scene, f"{self._prefix}{next(self._ids):x}")

    def _generator(self, plan: Plan, scene: Scene) -> Generator | None:
        key = (id(plan.use), plan.payload.element, scene.own)
        if key not in self._generators:
            if not any(scene.addresses.get(addressee) for addressee in plan.use.to):
                return None
            if len(self._generators) > 2_000:  # scenes come and go
                self._generators.clear()
            self._generators[key] = Generator([(plan.payload, plan.use)], scene)
        return self._generators[key]


def _turns(uses: Sequence[tuple[Payload, Use]], chance: random.Random) -> Iterator[Plan]:
    """Each use in its turn, valid."""
    while uses:
        for payload, use in chance.sample(uses, len(uses)):
            yield Plan(payload, use, None)


def _plans(
    uses: Sequence[tuple[Payload, Use]], operators: Sequence[Operator | None], chance: random.Random
) -> Iterator[Plan]:
    """Each operator in its turn, with whichever use has its turn then; heavy ones seldom."""
    turns = _turns(uses, chance)
    while uses and operators:
        for operator in chance.sample(operators, len(operators)):
            if operator is not None and operator.heavy and chance.random() > OFTEN:
                continue
            payload, use, _ = next(turns)
            yield Plan(payload, use, operator)


def drawn(
    generator: Generator, operator: Operator | None, source: Source, scene: Scene, identifier: str
) -> Item | None:
    """Draw one item from any source; its choices are kept where the source writes them down."""
    component = "@" not in scene.own
    if component and operator and (operator.name in CLIENTS_ONLY or operator.moment is not Moment.BOUND):
        return None
    stanza = generator.draw(source, identifier)
    if scene.account:
        stanza = incoming.addressed(stanza, operator, scene)
    elif component:  # a component says who it is: its server does not stamp what it sends (XEP-0114 §3)
        opened = f"<{stanza.carrier}"
        stanza = stanza._replace(xml=stanza.xml.replace(opened, f"{opened} from='{scene.own}'", 1))
    malformed = None
    if operator is not None:
        malformed = operator.apply(source, stanza, scene)
        if malformed is None:
            return None
    item = Item(stanza, malformed, tuple(getattr(source, "choices", ())))
    return incoming.for_client(item) if scene.account else item
