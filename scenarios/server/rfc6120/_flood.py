"""What never comes to an end (RFC 6120 §13.12), sent until the other side gives up."""

from __future__ import annotations

from contextlib import suppress

from lab.errors import PeerError
from lab.plugin.judge import Missed
from lab.wire.session import Session
from lab.wire.transport import NoAnswer

FLOOD = 4 * 1024 * 1024
"""Bytes that are sent before it counts as without a limit."""
CHUNK = 16 * 1024


def feed(session: Session, text: str) -> None:
    """Send in chunks and look for an error behind each: a server that gives up must not be flooded on."""
    data = text.encode()
    for start in range(0, len(data), CHUNK):
        session.send_raw(data[start : start + CHUNK])
        with suppress(NoAnswer):
            session.expect(lambda _: False, "a stream error", timeout=0.001)


def ends_over(session: Session, more: str) -> bool:
    """Repeat `more` until the other side ends the stream; False where it stops reading, and so holds no more of it.

    Raises Missed where it took all.
    """
    chunk = more * (CHUNK // len(more))
    try:
        for _ in range(FLOOD // CHUNK):
            feed(session, chunk)
    except NoAnswer:
        return False
    except PeerError:
        return True
    expected = "an end to the patience of the server"
    try:
        with suppress(NoAnswer):
            session.expect(lambda _: False, expected)  # what was sent may not be read yet
    except PeerError:
        return True
    raise Missed(expected, f"{FLOOD // 1024 // 1024} MiB were taken")
