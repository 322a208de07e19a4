"""One batch: stanzas sent at once on one session, a sentinel behind them, and all that came of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from generators.allowed import Allowed, Reaction
from generators.stanza import Malformed, Stanza
from lab.campaign.cast import Cast, Seen
from lab.campaign.pipe import Pipe, pump

STEP = 0.05  # seconds that one look waits at most
LINGER = 0.15  # seconds in which a stream that must end may still do so behind an answered sentinel


class Item(NamedTuple):
    """A stanza to be sent, as drawn or malformed, with the choices that make it again."""

    stanza: Stanza
    malformed: Malformed | None
    choices: tuple[int, ...]

    @property
    def id(self) -> str:
        return self.malformed.id if self.malformed else self.stanza.id

    @property
    def operator(self) -> str:
        return self.malformed.operator if self.malformed else ""

    @property
    def allowed(self) -> Allowed:
        return self.malformed.allowed if self.malformed else self.stanza.allowed

    @property
    def chunks(self) -> tuple[bytes, ...]:
        return self.malformed.chunks if self.malformed else (self.stanza.xml.encode(),)

    @property
    def text(self) -> str:
        return b"".join(self.chunks).decode("utf-8", "backslashreplace")


class Finished(Protocol):
    """What came of stanzas that were sent at once, to a server or to a client."""

    @property
    def items(self) -> Sequence[Item]: ...
    @property
    def seen(self) -> Sequence[Seen]: ...
    @property
    def sentinel(self) -> bool: ...
    @property
    def ended(self) -> bool: ...
    @property
    def took(self) -> float: ...


@dataclass
class Batch:
    """What was sent on `fuzzer`, and what came. `seen` has an entry an item."""

    fuzzer: Pipe
    items: Sequence[Item]
    seen: list[Seen] = field(default_factory=list)
    mark: str = ""
    witness_marks: tuple[str, ...] = ()
    sentinel: bool = False
    witnesses: bool = False
    early: bool = False
    """Sent before the stream was ready for stanzas: there can be no sentinel behind it."""
    closed_by_us: bool = False
    began: float = 0.0
    took: float = 0.0

    @property
    def ended(self) -> bool:
        return self.fuzzer.closed


def begin(cast: Cast, fuzzer: Pipe, items: Sequence[Item], *, padding: bytes = b"") -> Batch:
    """Send all items, and a sentinel behind them; and behind that white space, which a stream may have (§4.6.1)."""
    batch = Batch(fuzzer, items, [cast.ledger.expect(item.id) if item.id else Seen() for item in items])
    batch.began = time.monotonic()
    plain: list[bytes] = []
    for item in items:
        chunks = item.chunks
        if len(chunks) == 1:
            plain.append(chunks[0])
        else:
            if plain:
                fuzzer.write(b"".join(plain))
                plain = []
            fuzzer.write_apart(chunks)
    if plain:
        fuzzer.write(b"".join(plain))
    batch.mark = cast.ping(fuzzer)
    if padding:
        fuzzer.write(padding)
    return batch


def begin_early(cast: Cast, pipe: Pipe, item: Item) -> Batch:
    """Send one item on a connection that is not ready for stanzas yet."""
    batch = Batch(pipe, (item,), [cast.ledger.expect(item.id) if item.id else Seen()], early=True)
    cast.listen(pipe)
    batch.began = time.monotonic()
    pipe.write_apart(item.chunks)
    return batch


def finish(cast: Cast, batch: Batch, patience: float, *, settle: float | None = None) -> None:
    """Wait until all that must come has come, or the stream ended, or `patience` (seconds) is at its end.

    With `settle`, answers that are missing behind an answered sentinel are waited for no longer than that.

    Where a sentinel is not answered, our stream is closed then: what waits for the rest of an unfinished element
    has all that will come, and must end.
    """
    _await(cast, batch, patience, settle)
    if not batch.ended and not batch.sentinel and len(batch.items) == 1:
        batch.fuzzer.write(b"</stream:stream>")
        batch.closed_by_us = True
        _await(cast, batch, patience, settle)
    batch.took = time.monotonic() - batch.began


def _await(cast: Cast, batch: Batch, patience: float, settle: float | None) -> None:
    deadline = time.monotonic() + patience
    settled = False
    while not _complete(cast, batch):
        now = time.monotonic()
        if settle is not None and not settled and batch.sentinel and batch.witnesses:
            deadline, settled = min(deadline, now + settle), True
        if now >= deadline:
            break
        pump((*cast.pipes, batch.fuzzer) if batch.early else cast.pipes, min(STEP, deadline - now))


def _complete(cast: Cast, batch: Batch) -> bool:
    marks = cast.ledger.marks
    batch.sentinel = batch.sentinel or batch.mark in marks
    if not (_was_read_early(batch) if batch.early else batch.sentinel or batch.ended):
        return False
    if not batch.witness_marks:
        # Behind the fuzzer's own sentinel, so that whatever the server passed on is on its way before theirs.
        batch.witness_marks = (cast.ping(cast.contact), cast.ping(cast.bystander))
    batch.witnesses = all(mark in marks for mark in batch.witness_marks)
    if not batch.witnesses:
        return False
    if batch.ended or batch.early:
        return True
    if any(item.allowed.ends_stream for item in batch.items):
        return time.monotonic() - batch.began > LINGER
    return _answered(batch)


def _was_read_early(batch: Batch) -> bool:
    """Without a sentinel, only an answer or the end shows that the server has read it."""
    if batch.ended:
        return True
    item, seen = batch.items[0], batch.seen[0]
    if item.allowed.ends_stream:
        return False  # only the end will do; where it does not come, that was waited for long enough
    return bool(seen.replies) or not must_answer(item)


def _answered(batch: Batch) -> bool:
    return all(s.replies or not must_answer(item) for item, s in zip(batch.items, batch.seen, strict=True))


def must_answer(item: Item) -> bool:
    """Whether a reply must come: silence is not allowed, and whoever it is delivered to answers it."""
    allowed = item.allowed
    return bool(item.id) and not allowed.permits(Reaction.SILENCE) and not allowed.ends_stream
