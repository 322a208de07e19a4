"""A polite end: what a lab started is taken down also when it is told to go by a signal."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

POLITE = (signal.SIGTERM, signal.SIGHUP)
BY_SIGNAL = 128  # with the signal added, the exit code of whom one has ended, as shells say it

_came: list[int] = []


class Ended(KeyboardInterrupt):
    """SIGTERM or SIGHUP: whoever knows what to do at Ctrl-C does it here, too."""


def interrupted_code() -> int:
    """The exit code of a lab that is interrupted: that of the signal that did it, which is Ctrl-C's by default."""
    return BY_SIGNAL + (_came[-1] if _came else signal.SIGINT)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """While the block runs, SIGTERM and SIGHUP unwind it as Ctrl-C does; the exit code is `interrupted_code`.

    Handlers that somebody else has set stay. Outside the main thread nobody may set any: nothing is done there.
    """
    if not _in_main_thread():
        yield
        return
    ours = [number for number in POLITE if signal.getsignal(number) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, _unwind)
    try:
        yield
    except Ended:
        raise SystemExit(interrupted_code()) from None
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """A signal that comes while the block runs, Ctrl-C too, takes effect at its end; a second one at once.

    For a short block that asks somebody else to make or remove things: half way, nobody knows what there is.
    """
    if not _in_main_thread():
        yield
        return
    came: list[int] = []

    def remember(number: int, _frame: FrameType | None) -> None:
        if came:
            raise KeyboardInterrupt
        came.append(number)

    before = {number: signal.signal(number, remember) for number in (signal.SIGINT, *POLITE)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _unwind(number: int, _frame: FrameType | None) -> None:
    _came.append(number)
    raise Ended
