"""A session that is written to and read from without waiting, so that many stanzas are under way at once.

A `Pipe` takes over a session that `lab.wire.negotiation` brought up. What comes is handed to its `receive`; the
stream's end is remembered in `end`. Nothing is judged here.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from lab.errors import PeerError
from lab.wire.namespaces import STREAM
from lab.wire.session import Session, show, stream_error_condition
from lab.wire.stream import Element, PeerViolation, StreamClosed
from lab.wire.transport import ConnectionLost

LOG_ENTRIES = 400
LOG_BYTES = 32 * 1024  # of one entry


@dataclass(frozen=True)
class End:
    """How a stream ended. `condition` is its stream error's, empty without one; `orderly` with a closing tag.

    `violation` says what the peer sent that was no XMPP stream, empty where it kept to the protocol.
    """

    condition: str = ""
    orderly: bool = False
    violation: str = ""
    seen: str = ""
    limit: bool = False
    """What came was no fault of the server's, but more than we read: deeper, larger."""


@dataclass(frozen=True)
class Logged:
    """A piece of what went over the wire: epoch seconds, whose connection, `sent` or `received`, bytes."""

    at: float
    label: str
    direction: str
    data: bytes


class Pipe:
    """`receive` is called with each element that comes, in the order of arrival."""

    def __init__(self, session: Session, *, log: list[Logged] | None = None) -> None:
        self.session = session
        self.label = session.label
        self.jid = session.jid
        self.receive: Callable[[Element], None] = _overlook
        self.end: End | None = None
        self._out = bytearray()
        self._chunks: list[bytes] = []
        self._condition = ""
        self._seen = ""
        self._orderly = False
        self._log = log

    @property
    def closed(self) -> bool:
        return self.end is not None

    @property
    def wants_to_write(self) -> bool:
        return bool(self._out or self._chunks) and not self.closed

    def write(self, data: bytes) -> None:
        """Queue bytes, behind all that was queued before."""
        self._note("sent", data)
        if self._chunks:
            self._chunks.append(data)
        else:
            self._out += data
        self.flush()

    def write_apart(self, chunks: Sequence[bytes]) -> None:
        """Queue bytes, one write (and so one TLS record, and one TCP segment) a chunk."""
        self._note("sent", b"".join(chunks))
        self._chunks.extend(chunks)
        self.flush()

    def flush(self) -> None:
        """Write what the peer takes now."""
        try:
            while not self.closed:
                if not self._out:
                    if not self._chunks:
                        return
                    self._out += self._chunks.pop(0)
                # One record at most, so that the same call can be repeated where TLS wants that.
                taken = self.session.transport.try_send(bytes(self._out[: 16 * 1024]))
                if not taken:
                    return
                del self._out[:taken]
        except ConnectionLost:
            # What the server said before it closed may still lie there to be read.
            self._out.clear()
            self._chunks.clear()
            self.read()

    def read(self) -> bool:
        """Take what has come; whether there was anything."""
        found = False
        try:
            while not self.closed:
                data = self.session.transport.try_receive()
                if data is None:
                    return found
                found = True
                if not data:
                    self._close()
                    return True
                self._note("received", data)
                self._take(data)
        except ConnectionLost as error:
            self._close(seen=error.seen)
        except PeerViolation as error:
            if error.condition == "policy-violation":
                self._close(seen=f"{error.message}: {error.seen}", limit=True)
            else:
                self._close(violation=error.message, seen=error.seen)
        except PeerError as error:
            self._close(seen=f"{error.message}: {error.seen}")
        return found

    def _take(self, data: bytes) -> None:
        stream = self.session.stream
        stream.receive_data(data)
        while (event := stream.next_event()) is not None:
            if isinstance(event, StreamClosed):
                # The peer may wait for our closing tag before it closes the connection (RFC 6120 §4.4).
                self._orderly = True
                self._close()
                return
            if event.element.tag == f"{{{STREAM}}}error":
                self._condition = stream_error_condition(event.element)
                self._seen = show(event.element)
            else:
                self.receive(event.element)

    def _close(self, *, violation: str = "", seen: str = "", limit: bool = False) -> None:
        self.end = End(self._condition, self._orderly, violation, self._seen or seen, limit)
        self.session.transport.close()

    def close(self) -> None:
        """Say farewell, and go; never raises."""
        if not self.closed:
            self._out.clear()
            self.session.close()
            self.end = End(seen="closed by us")

    def _note(self, direction: str, data: bytes) -> None:
        if self._log is not None and len(self._log) < LOG_ENTRIES:
            self._log.append(Logged(time.time(), self.label, direction, data[:LOG_BYTES]))


def pump(pipes: Iterable[Pipe], timeout: float) -> None:
    """Write and read whatever can be, waiting up to `timeout` seconds for something to happen."""
    open_ = {pipe.session.transport.fileno(): pipe for pipe in pipes if not pipe.closed}
    if not open_:
        time.sleep(min(timeout, 0.01))
        return
    writing = [number for number, pipe in open_.items() if pipe.wants_to_write]
    readable, writable, _ = select.select(list(open_), writing, [], timeout)
    for number in writable:
        open_[number].flush()
    for number in readable:
        open_[number].read()


def _overlook(element: Element) -> None:
    """Nobody awaits anything on this pipe."""
