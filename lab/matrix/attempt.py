"""One try of a cell: a process of its own, with a time limit, that leaves nothing behind however it ends.

It is asked to stop as Ctrl-C asks (the lab then keeps what it measured, and takes its containers down), and killed
when it has not stopped after a while; what it had started is then removed in its stead.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import psutil
from docker.errors import DockerException
from requests.exceptions import RequestException

from lab.engines import leftovers, owners
from lab.engines.provision import connect, engine_state
from lab.errors import MachineError

KEPT = 2**16  # bytes of what it says: a flood of words fills no disk
REASON = 2_000  # characters
LAST_LINES = 5


@dataclass
class Brake:
    """What stops all cells: `stop` asks each to end, `now` kills those that are still there."""

    stop: asyncio.Event = field(default_factory=asyncio.Event)
    now: asyncio.Event = field(default_factory=asyncio.Event)
    signal: int = 0

    def pull(self, number: int) -> None:
        """A signal came: once means stop, twice means now."""
        if self.stop.is_set():
            self.now.set()
        self.signal = self.signal or number
        self.stop.set()


@dataclass(frozen=True)
class End:
    """How a process ended. `exit` is None where it could not be started; `seconds` is how long it lived."""

    exit: int | None
    seconds: float
    said: str
    timed_out: bool = False
    interrupted: bool = False
    killed: bool = False


async def run(
    command: Sequence[str], *, limit: float, grace: float, brake: Brake, begun: Callable[[int, float], None]
) -> End:
    """Run a command to its end, for `limit` seconds at most, and `grace` more once it is asked to stop.

    `begun` is told its process id and start (epoch seconds).
    """
    started = time.monotonic()
    with _tail() as (pipe, said):
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=pipe,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the matrix, which passes it on
            )
        except OSError as error:
            return End(None, time.monotonic() - started, f"{command[0]} could not be started: {error}")
        born = _born(process.pid)
        try:
            begun(process.pid, born)
            exited = asyncio.ensure_future(process.wait())
            timed_out = not await _first(exited, brake.stop, limit) and not brake.stop.is_set()
            interrupted = not exited.done() and not timed_out
            killed = False
            if not exited.done():
                _signal(process.pid, signal.SIGINT)
                killed = not await _first(exited, brake.now, grace)
            if killed:
                _signal(process.pid, signal.SIGKILL)
            code = await exited
        finally:
            if process.returncode is None:  # a fault of ours: nothing is left running for it
                _signal(process.pid, signal.SIGKILL)
                remove_leftovers(process.pid, born)
        seconds = time.monotonic() - started
        if code < 0:
            await asyncio.to_thread(remove_leftovers, process.pid, born)
        return End(code, seconds, said(), timed_out, interrupted, killed)


async def _first(exited: asyncio.Future[int], event: asyncio.Event, seconds: float) -> bool:
    """Whether the process exited before the event came, or the time was over."""
    came = asyncio.ensure_future(event.wait())
    either: set[asyncio.Future[Any]] = {exited, came}
    await asyncio.wait(either, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    came.cancel()
    return exited.done()


def _born(pid: int) -> float:
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:  # it is over already
        return time.time()


def _signal(pid: int, number: signal.Signals) -> None:
    """To the process and its workers, as a terminal does: it leads a group of its own."""
    with suppress(ProcessLookupError):
        os.killpg(pid, number)


def end_orphan(pid: int, born: float, grace: float) -> None:
    """End a cell's process that outlived its matrix, if it still lives, and what it started."""
    try:
        process = psutil.Process(pid)
        if abs(process.create_time() - born) > 1.0:
            return  # somebody else has its number by now
        _signal(pid, signal.SIGINT)
        process.wait(grace)
    except psutil.NoSuchProcess:
        return
    except psutil.TimeoutExpired:
        _signal(pid, signal.SIGKILL)
        remove_leftovers(pid, born)


def remove_leftovers(pid: int, born: float) -> None:
    """Remove the containers, networks and local subjects of a lab process that was killed.

    An engine that does not answer keeps them until the next lab finds them.
    """
    leftovers.end_all_of(pid, born)
    if not engine_state().reachable:
        return
    with suppress(MachineError, DockerException, RequestException), closing(connect()) as client:
        owners.remove_all_of(client, pid, born)


def reason(said: str) -> str:
    """Why it came to nothing, from its last words: the lab's own error, else the last lines."""
    lines = said.strip().splitlines()
    at = next((n for n in range(len(lines) - 1, -1, -1) if lines[n].startswith("error: ")), None)
    chosen = lines[at:] if at is not None else lines[-LAST_LINES:]
    text = "\n".join(chosen).removeprefix("error: ")
    return text if len(text) <= REASON else f"…{text[-REASON:]}"


@contextmanager
def _tail() -> Iterator[tuple[int, Callable[[], str]]]:
    """A pipe to write to, and what answers the last of what was written there. A child may hold the pipe open."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    kept = bytearray()

    def take() -> bool:
        try:
            new = os.read(reader, KEPT)
        except BlockingIOError:
            return False
        kept.extend(new)
        del kept[:-KEPT]
        if not new:
            loop.remove_reader(reader)
        return bool(new)

    def said() -> str:
        for _ in range(KEPT):  # what a process left in the pipe; one that still writes is not waited for
            if not take():
                break
        return kept.decode(errors="backslashreplace")

    loop = asyncio.get_running_loop()
    loop.add_reader(reader, take)
    try:
        yield writer, said
    finally:
        loop.remove_reader(reader)
        os.close(reader)
        os.close(writer)
