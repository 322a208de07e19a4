"""Watches a client through the tap: every stanza that it sends is held against the standing rules and the schemas.

An answer must answer something that reached the client, and just once. Where what reached it cannot be read (bytes
that are no stanzas), nothing is said of answers any more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from lab.cell import Cell
from lab.plugin.strictness import Strictnesses
from lab.record import Strictness
from lab.standing import IQ, Fault, fault, faults_of_client, kind_of
from lab.tap.line import Piece, element_of
from lab.wire.namespaces import STREAM, STREAM_MANAGEMENT
from lab.wire.stream import Element
from schemas.catalogue import catalogue

FAULTS = 10  # of one check that are kept, one of a rule


class ClientWatch:
    """The observer of a tap. `faults` and `strictness` are what it found; it is called in the tap's thread."""

    def __init__(self, cell: Cell) -> None:
        self._strictness = Strictnesses(catalogue(), None)
        self._domain = cell.domain
        self._faults: dict[str, Fault] = {}
        self._asked: Counter[tuple[str, str]] = Counter()  # (who asked, id) -> how many answers it may have yet
        self._former: Counter[tuple[str, str]] = Counter()  # the same of the session before
        self._legible = True

    @property
    def faults(self) -> tuple[Fault, ...]:
        return tuple(self._faults.values())

    @property
    def strictness(self) -> tuple[Strictness, ...]:
        return self._strictness.found

    def from_client(self, element: Element, jid: str) -> None:
        """Judge what the client sent."""
        self._strictness.look(element)
        if not kind_of(element):
            return
        self._blame(faults_of_client(element, jid))
        if kind_of(element) == IQ and element.get("type") in {"result", "error"}:
            self._judge_answer(element, jid)

    def to_client(self, piece: Piece) -> None:
        """Take note of what is to be answered."""
        element = element_of(piece)
        if element is None:
            self._legible = False
        elif element.tag == f"{{{STREAM}}}features":  # a new session: its ids are its own
            self._former, self._asked = self._asked, Counter()
        elif element.tag == f"{{{STREAM_MANAGEMENT}}}resumed":  # the old one, whose answers may come again
            self._asked += Counter({asked: max(left, 0) + 1 for asked, left in self._former.items()})
        elif kind_of(element) == IQ and element.get("type") not in {"result", "error"}:  # a wrong type is refused
            self._asked[element.get("from", ""), element.get("id", "")] += 1

    def _judge_answer(self, answer: Element, jid: str) -> None:
        if not self._legible:
            return
        identifier, to = answer.get("id", ""), answer.get("to")
        # Without a 'to', or with one's own account or server in it, whoever has no other address had asked.
        own = {"", jid.partition("/")[0], self._domain}
        names = own if to is None or to in own else {to}
        asked = next(((name, identifier) for name in names if (name, identifier) in self._asked), None)
        if asked is None:
            known = any(number == identifier for _, number in self._asked)
            self._blame((fault("reply-to" if known else "unasked-reply", answer),))
            return
        self._asked[asked] -= 1
        if self._asked[asked] < 0:
            self._blame((fault("answered-once", answer),))

    def _blame(self, faults: Iterable[Fault]) -> None:
        for one in faults:
            if len(self._faults) < FAULTS:
                self._faults.setdefault(one.rule, one)
