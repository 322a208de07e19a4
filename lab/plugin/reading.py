"""What a check on clients reads, under the eye of `make prove`: what it looks at is noted, then damaged one by one.

The damage is done between the lab's record and the check, never on the wire: the client goes on as it did, and so
does the server, played or real. Were it done on the way to the server, a client whose bind or roster request is
damaged would come nowhere, and every check would turn red of it, the one that looks at nothing, too. Here only those
turn red that look (and the standing rules, which are told the same as the check). For the same reason what brings a
client online is damaged only where the check looks at it itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Protocol, cast

from lab.agents.agent import Event, Matches
from lab.agents.contract import COMMANDS
from lab.plugin import damage, damage_told, gullible
from lab.plugin.damage import Target
from lab.tap.greeting import Arrival
from lab.tap.line import Piece
from lab.wire.session import localname
from lab.wire.stream import Element, Received

INJECTED = "injected"
BELIEVED = "believes all that it is sent"
_UNTOLD = {"ready", "log", "online"}  # events that no check is about
Got = Callable[[], Iterable[Piece]]


class Plot(Protocol):
    """What `make prove` is up to in this run of a check: to observe (no target), or to do one damage."""

    target: Target | None

    @property
    def hurry(self) -> float | None: ...
    def sees(self, target: Target) -> None: ...
    def does(self) -> None: ...
    def waited(self, seconds: float) -> None: ...


class Reading:
    """One client's record and agent, as the check reads them: the reader of `lab.tap.Tap` and of `lab.agents.Agent`.

    `number` tells the clients of a check apart. `got` answers what the client was sent so far.
    """

    def __init__(self, plot: Plot, number: int, name: str) -> None:
        self._plot, self._number, self._name = plot, number, name
        self._counts: Counter[str] = Counter()
        self._places: dict[int, tuple[str, Any]] = {}  # what was told, by its identity: where it stands, and itself
        self._noted: set[str] = set()
        self.got: Got = tuple

    @property
    def hurry(self) -> float | None:
        return self._plot.hurry

    def waited(self, seconds: float) -> None:
        self._plot.waited(seconds)

    # --- the tap's record

    def passed(self, element: Element, *, by_client: bool) -> Iterable[Element]:
        event = Received(element)
        if damage.is_sentinel(event):
            return (element,)
        payload = f" {localname(element[0])}" if len(element) and isinstance(element[0].tag, str) else ""
        said = f"{damage.describe(event)}{payload} {'from' if by_client else 'to'}"
        place = self._place(said)
        target = self._plot.target
        if target is None:
            self._places[id(element)] = (place, element)
        elif target.place == place and target.damage in damage.DAMAGES:
            damaged = damage.DAMAGES[target.damage](event)
            if damaged is not None:
                self._plot.does()
                return [cast("Received", one).element for one in damaged]
        return (element,)

    def login(self, number: int, arrival: Arrival) -> Arrival:
        place = f"{self._number} login {number}"
        target = self._plot.target
        if target is None:
            return cast("Arrival", _Watched(arrival, lambda name: self._looked_at_fact(place, arrival, name)))
        name, _, wrong = target.damage.partition(": ")
        if target.place == place and name in damage_told.LOGIN_FACTS:
            damaged = damage_told.of_login(arrival, name).get(wrong)
            if damaged is not None:
                self._plot.does()
                return damaged
        return arrival

    def _looked_at_fact(self, place: str, arrival: Arrival, name: str) -> None:
        for wrong in damage_told.of_login(arrival, name):
            self._sees(f"{name}: {wrong}", place, f"what {self._name}'s login came to")

    # --- what the agent tells

    def told(self, event: Event, command: str | None) -> Iterable[Event]:
        kind = event["event"]
        answer = command is not None
        if (answer and (kind != "done" or not COMMANDS[str(command)].answers)) or kind in _UNTOLD:
            return (event,)
        if any(isinstance(value, str) and damage.is_mark(value) for value in event.values()):
            return (event,)
        # An answer that does not satisfy is asked for again: every one to that command is damaged.
        place = f"{self._number} answer {command}" if answer else self._place(f"event {kind} of")
        target = self._plot.target
        if target is None:
            self._places[id(event)] = (place, event)
        elif target.place == place:
            damaged = self._gullible(event, str(command)) if target.damage == BELIEVED else None
            if damaged is None:
                damaged = damage_told.of_told(event, answer=answer).get(target.damage)
            if damaged is not None:
                self._plot.does()
                return damaged
        return (event,)

    def _gullible(self, event: Event, command: str) -> list[Event] | None:
        """The answer with all that the client was sent in it besides; None where it has that already."""
        more = {
            name: [item for item in items if item not in event.get(name, [])]
            for name, items in gullible.answer(self.got(), command).items()
        }
        if not any(more.values()):
            return None
        return [{**event, **{name: [*event.get(name, []), *items] for name, items in more.items()}}]

    # --- what the check does with it

    def looked_at(self, told: Any) -> None:
        """The check has had this from the record, or from the agent."""
        place, thing = self._places.get(id(told), ("", None))
        if not place:
            return
        if isinstance(thing, dict):
            answer = " answer " in place
            for name in damage_told.of_told(thing, answer=answer):
                self._sees(name, place, place.partition(" ")[2] + f" {self._name}" * (not answer))
            if answer and self._gullible(thing, place.rpartition(" ")[2]) is not None:
                self._sees(BELIEVED, place, place.partition(" ")[2])
            return
        for name in damage.applicable(Received(thing)):
            self._sees(name, place, place.partition(" ")[2])

    def shown(self, kind: str, matches: Matches) -> Event | None:
        """Of an event that is not to be shown: the example to pretend that it was, if that is what is to be done."""
        place = self._place(f"no event {kind} of")
        example = next(filter(matches, gullible.events(self.got(), kind)), None)
        return example if example is not None and self._injects(place, str(example)) else None

    def sends(self, forbidden: str) -> bool:
        """Of what is not to be sent: whether to pretend that it was."""
        return self._injects(self._place("nothing of the kind from"), forbidden)

    def _injects(self, place: str, what: str) -> bool:
        target = self._plot.target
        if target is None:
            self._sees(INJECTED, place, what[:80])
            return False
        hit = target.damage == INJECTED and target.place == place
        if hit:
            self._plot.does()
        return hit

    def _place(self, what: str) -> str:
        """The place of the next one of that kind: its order among all others may be another in each run."""
        self._counts[what] += 1
        return f"{self._number} {what} {self._name} {self._counts[what]}"

    def _sees(self, name: str, place: str, what: str) -> None:
        key = f"{name} at {place}"
        if key not in self._noted:
            self._noted.add(key)
            self._plot.sees(Target(name, place, what))


class _Watched:
    """A login that tells which of its facts it was asked for."""

    def __init__(self, arrival: Arrival, asked: Callable[[str], None]) -> None:
        self._arrival, self._asked = arrival, asked

    def __getattr__(self, name: str) -> Any:
        if name in damage_told.LOGIN_FACTS:
            self._asked(name)
        return getattr(self._arrival, name)

    def __repr__(self) -> str:
        return repr(self._arrival)
