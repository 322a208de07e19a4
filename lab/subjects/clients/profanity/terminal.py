"""What an agent of a terminal program is built on: the lab's lines, and a program in a pseudo-terminal of its own.

One thread, one loop: the lab's commands are carried out one after the other, and whatever the program tells meanwhile
is told on. Nothing here knows a program.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import selectors
import shutil
import signal
import struct
import sys
import tempfile
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

PATIENCE = 20.0  # seconds for the program to show what it was asked for
TICK = 0.05  # seconds between two looks at what tells nothing by itself
CHUNK = 65536


class Failed(Exception):
    """It was tried, and did not succeed: the reason."""


class Unsupported(Exception):
    """The program cannot do that, or not with these arguments: why."""


class Ended(Exception):
    """The lab closed the agent's standard input: nobody waits for an answer any more."""


def tell(event: str, **facts: Any) -> None:
    """One event to the lab. What is None is left out."""
    line = {"event": event, **{name: value for name, value in facts.items() if value is not None}}
    sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def log(text: str) -> None:
    tell("log", text=text)


class Program:
    """A program in a pseudo-terminal. It ends with its `end`, at the latest."""

    def __init__(self, argv: list[str], env: dict[str, str], rows: int, columns: int) -> None:
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            try:
                os.execvpe(argv[0], argv, env)  # noqa: S606 - it takes this process's place
            finally:
                os._exit(127)
        self._running = True

    def read(self) -> bytes:
        """What it painted; nothing where it has ended."""
        try:
            return os.read(self.terminal, CHUNK)
        except OSError:  # EIO: the other side of the terminal is closed
            return b""

    def type(self, keys: str) -> None:
        data = keys.encode()
        while data:
            data = data[os.write(self.terminal, data) :]

    def running(self) -> bool:
        if self._running:
            pid, _ = os.waitpid(self.pid, os.WNOHANG)
            self._running = pid == 0
        return self._running

    def end(self) -> None:
        """Kill it if it still runs."""
        if self.running():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self._running = False
        os.close(self.terminal)


class TerminalAgent:
    """The contract's lines. Who drives a program inherits it, and fills in `commands` and `leave`."""

    commands: ClassVar[dict[str, tuple[str, str]]] = {}
    """Command -> the method that does it, and the arguments that it takes: the method's too (`kind` for `type`)."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="agent-"))
        self._selector = selectors.DefaultSelector()
        self._lines: list[bytes] = []
        self._rest = b""
        self._closed = False
        self.watch(sys.stdin.fileno(), self._read_lab)

    program: Program | None = None

    def keys(self, keys: str) -> None:
        """Type these."""
        if self.program is None:
            raise Failed("the program has ended")
        self.program.type(keys)

    def leave(self) -> None:
        """Log out in order if need be, within two seconds."""

    # --- the loop

    def watch(self, descriptor: int, reads: Callable[[], None]) -> None:
        self._selector.register(descriptor, selectors.EVENT_READ, reads)

    def unwatch(self, descriptor: int) -> None:
        self._selector.unregister(descriptor)

    def turn(self, seconds: float | None) -> None:
        """Take in whatever comes next, or return after so many seconds."""
        for key, _ in self._selector.select(seconds):
            if key.fd in self._selector.get_map():  # a reader before it may have closed this one
                key.data()

    def until(self, seen: Callable[[], Any], what: str, seconds: float = PATIENCE, *, slowly: bool = False) -> Any:
        """Take in what comes until `seen` gives something. Raises Failed when it does not in time.

        `slowly`: to look costs something, so that it is not done at everything that comes.
        """
        deadline = time.monotonic() + seconds
        while not (found := seen()):
            if self._closed:
                raise Ended
            if time.monotonic() > deadline:
                raise Failed(f"not seen within {seconds:.0f} s: {what}")
            pause = time.monotonic() + TICK
            self.turn(TICK)
            while slowly and not self._closed and (left := pause - time.monotonic()) > 0:
                self.turn(left)
        return found

    def _read_lab(self) -> None:
        data = os.read(sys.stdin.fileno(), CHUNK)
        if not data:
            self._closed = True
            self.unwatch(sys.stdin.fileno())
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._lines += lines

    # --- the commands

    def run(self) -> int:
        """Carry out commands until the lab closes standard input."""
        try:
            while True:
                while not self._lines and not self._closed:
                    self.turn(None)
                if not self._lines:
                    break
                self._answer(self._lines.pop(0))
        except (Ended, BrokenPipeError):
            pass
        finally:
            with contextlib.suppress(Failed, Ended, BrokenPipeError):
                self.leave()
            shutil.rmtree(self.home, ignore_errors=True)
        return 0

    def _answer(self, line: bytes) -> None:
        try:
            command = json.loads(line)
            number, name = command.pop("id"), command.pop("command")
        except (ValueError, AttributeError, KeyError, TypeError):
            log(f"no command: {line[:200].decode('utf-8', 'replace')}")
            return
        try:
            if name not in self.commands:
                raise Unsupported(f"there is no command {name!r}")
            method, known = self.commands[name]
            if strange := set(command) - set(known.split()):
                raise Unsupported(f"cannot be asked for: {', '.join(sorted(strange))}")
            arguments = {"kind" if word == "type" else word: value for word, value in command.items()}
            tell("done", id=number, **(getattr(self, method)(**arguments) or {}))
        except Unsupported as why:
            tell("unsupported", id=number, reason=str(why))
        except Failed as why:
            tell("failed", id=number, reason=str(why))


def bare(jid: str) -> str:
    return jid.partition("/")[0]
