"""Who is told by a tap of what passes: an observer, as it happens, and a reader, before a check sees the record."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from lab.tap.greeting import Arrival
from lab.tap.line import Piece
from lab.wire.stream import Element


class Reader(Protocol):
    """Stands between the tap's record and the check that reads it: `make prove`, and else nobody.

    What it changes is what the check is told, never what goes over the wire. `hurry` is the longest wait in seconds
    once it has changed something; it is told how long each wait was that was not in vain.
    """

    @property
    def hurry(self) -> float | None: ...

    def passed(self, element: Element, *, by_client: bool) -> Iterable[Element]:
        """What the check is told to have passed in the place of an element."""
        ...

    def login(self, number: int, arrival: Arrival) -> Arrival:
        """What the check is told of the connection of that number (from 0)."""
        ...

    def looked_at(self, told: Element) -> None: ...
    def waited(self, seconds: float) -> None: ...


class Observer(Protocol):
    """Is told of each first-level element that a client sends, and of whatever reaches it, in order."""

    def from_client(self, element: Element, jid: str) -> None: ...
    def to_client(self, piece: Piece) -> None: ...
