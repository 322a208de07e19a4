"""What an operator is: a named way to make a stanza wrong, with its proof. The operators themselves stand beside.

An operator yields candidates, the first that its proof holds for is what it answers; so it may try and need not
know whether, say, an attribute is required.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from types import ModuleType
from typing import NamedTuple, TypeVar

from generators.allowed import Allowed
from generators.source import Source
from generators.stanza import Family, Malformed, Moment, Scene, Stanza

TRIES = 12  # candidates that are proved at most
SHOWN = 80  # characters of what stood and stands

T = TypeVar("T")


class Change(NamedTuple):
    """A candidate: what would be sent, and what is said of it. `id` is None where the stanza's own still stands."""

    place: str
    was: str
    became: str
    chunks: tuple[bytes, ...]
    allowed: Allowed
    id: str | None = None

    @property
    def data(self) -> bytes:
        return b"".join(self.chunks)


Changing = Callable[[Source, Stanza, Scene], Iterable[Change]]
Proof = Callable[[Stanza, Change], bool]


@dataclass(frozen=True)
class Operator:
    """A way to make a stanza wrong.

    `valid`: nothing is wrong with what it makes, and it must be taken like the stanza itself (the control group).
    `heavy`: it makes much to read, so that it is drawn seldom. `spoils`: the stream may go on, but the session is
    not fit for other stanzas behind it.
    """

    name: str
    family: Family
    summary: str
    changing: Changing
    proof: Proof
    valid: bool = False
    heavy: bool = False
    spoils: bool = False
    moment: Moment = Moment.BOUND

    def apply(self, source: Source, stanza: Stanza, scene: Scene) -> Malformed | None:
        """The stanza, wrong in this way and proved so; None where it cannot be made so."""
        for change in islice(self.changing(source, stanza, scene), TRIES):
            if self.proof(stanza, change):
                return Malformed(
                    stanza,
                    self.name,
                    self.family,
                    change.place,
                    shortened(change.was),
                    shortened(change.became),
                    stanza.id if change.id is None else change.id,
                    change.chunks,
                    change.allowed,
                    self.moment,
                )
        return None


def operator(
    family: Family,
    summary: str,
    proof: Proof,
    *,
    valid: bool = False,
    heavy: bool = False,
    spoils: bool = False,
    moment: Moment = Moment.BOUND,
) -> Callable[[Changing], Operator]:
    """Makes a function that yields candidates an operator; its name is the function's, with hyphens."""

    def made(changing: Changing) -> Operator:
        name = changing.__name__.replace("_", "-")
        return Operator(name, family, summary, changing, proof, valid, heavy, spoils, moment)

    return made


def operators_of(module: ModuleType) -> Iterator[Operator]:
    """The operators of a module, in the order in which they stand there."""
    for value in vars(module).values():
        if isinstance(value, Operator):
            yield value
        elif isinstance(value, tuple) and value and all(isinstance(v, Operator) for v in value):
            yield from value


def pick(source: Source, choices: Sequence[T]) -> T:
    """One of these; the first is the simplest. There must be one."""
    return choices[source.integer(len(choices) - 1)]


def rotated(source: Source, choices: Sequence[T]) -> Iterator[T]:
    """All of these, beginning at a chosen one: for trial and proof."""
    if choices:
        first = source.integer(len(choices) - 1)
        yield from choices[first:]
        yield from choices[:first]


def spliced(stanza: Stanza, start: int, end: int, new: str | bytes, place: str, allowed: Allowed) -> Change:
    """The stanza with `new` in place of its characters from `start` to `end`."""
    raw = new.encode() if isinstance(new, str) else new
    xml = stanza.xml
    data = xml[:start].encode() + raw + xml[end:].encode()
    at = f"{place} (byte {len(xml[:start].encode())})"
    return Change(at, xml[start:end], raw.decode("utf-8", "backslashreplace"), (data,), allowed)


def shortened(text: str) -> str:
    """For people: one line, nothing invisible, the middle left out."""
    if len(text) > 4 * SHOWN:
        text = f"{text[: 2 * SHOWN]}…{text[-SHOWN:]}"
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return text if len(text) <= SHOWN else f"{text[: SHOWN * 2 // 3]}…{text[-SHOWN // 4 :]}"
