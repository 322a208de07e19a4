"""A lock between labs on one machine: two that want the same image or the same engine wait for each other.

The lock belongs to the process and goes with it, however it ends. Nothing here says what is locked.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from lab.engines import Progress
from lab.engines.cache import cache_folder


@contextmanager
def only_one_lab(what: str, progress: Progress) -> Iterator[None]:
    """Hold the lock called `what`; says so while another lab has it."""
    with (cache_folder("locks") / f"{what.replace('/', '-')}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.detail(f"another lab is at {what}; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
