"""What the tap saw of one client: what reached it, what it sent. The observer of a tap; nothing is judged here."""

from __future__ import annotations

import copy
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from lab.standing import IQ, kind_of
from lab.tap.line import Piece, element_of
from lab.wire.namespaces import STREAM
from lab.wire.session import stream_error_condition
from lab.wire.stream import Element


@dataclass(frozen=True)
class Came:
    """A stanza that reached the client: its id, from whom it says that it is, and the element."""

    id: str
    sender: str | None
    element: Element


class Recorded:
    """`came` and `sent` grow in the tap's thread; `wait` looks at them whenever something was added.

    `replies` has what the client answered, by id: iqs of type result or error, and stanzas of type error. `condition`
    is that of a stream error which it sent; `refused` that the server sent one.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.came: list[Came] = []
        self.arrived: set[str] = set()
        self.sent: list[Element] = []
        self.replies: dict[str, list[Element]] = defaultdict(list)
        self.condition = ""
        self.refused = False

    def from_client(self, element: Element, jid: str) -> None:
        mine = copy.deepcopy(element)
        with self._changed:
            self.sent.append(mine)
            kind = mine.get("type")
            if mine.tag == f"{{{STREAM}}}error":
                self.condition = stream_error_condition(mine)
            elif kind == "error" or (kind == "result" and kind_of(mine) == IQ):
                self.replies[mine.get("id", "")].append(mine)
            self._changed.notify_all()

    def to_client(self, piece: Piece) -> None:
        element = copy.deepcopy(element_of(piece))
        with self._changed:
            if element is not None and element.tag == f"{{{STREAM}}}error":
                self.refused = True
            elif element is not None:
                identifier = element.get("id", "")
                self.came.append(Came(identifier, element.get("from"), element))
                self.arrived.add(identifier)
            self._changed.notify_all()

    def wait(self, found: Callable[[], bool], seconds: float) -> bool:
        """Whether that becomes so within so many seconds."""
        with self._changed:
            return self._changed.wait_for(found, seconds)
