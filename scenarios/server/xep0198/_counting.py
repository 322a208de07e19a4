"""What the server says that it has handled, held against what was sent to it."""

from __future__ import annotations

from lab.plugin import require
from lab.plugin.judge import Missed
from scenarios.server.xep0198._managed import REQUEST, Managed, is_one_of

ROUNDS = 20
"""Requests in a row for a server that does not handle at once what it has read."""


def acknowledged(stream: Managed) -> int:
    """Ask what is handled; answers the `h` of the next `<a/>`."""
    session = stream.session
    session.send(REQUEST)
    answer = session.expect(is_one_of("a"), "<a/>")
    handled = answer.get("h", "")
    require(handled.isdecimal() and handled.isascii(), "a number in 'h'", answer)
    return int(handled)


def require_acknowledged(stream: Managed, expected: int | None = None) -> None:
    """The check fails unless just `expected` stanzas (or as many as were sent) are handled in the end.

    Acknowledgements that nobody asked for are allowed at any time, and a server may be busy with what it has read:
    less than expected is asked for again.
    """
    expected = stream.tally.sent_stanzas if expected is None else expected
    handled = -1
    for _ in range(ROUNDS):
        handled = acknowledged(stream)
        if handled >= expected:
            break
    if handled != expected:
        raise Missed(f"h='{expected}'", f"h='{handled}'")
