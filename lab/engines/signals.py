"""A polite end: what a lab started is taken down also when it is told to go by a signal."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

POLITE = (signal.SIGTERM, signal.SIGHUP)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """While the block runs, SIGTERM and SIGHUP unwind it as Ctrl-C does; the exit code is 128 + the signal.

    Handlers that somebody else has set stay. Outside the main thread nobody may set any: nothing is done there.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ours = [number for number in POLITE if signal.getsignal(number) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, _unwind)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def _unwind(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
