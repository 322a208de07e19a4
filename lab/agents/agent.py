"""One running agent: commands out, events in, over the pipes of a process (`docker exec`, or one of this machine).

What it says is checked against the contract and kept; what it does to us (rubbish, a flood, a hang, its end) becomes
an error that names it. Bounded in memory and in time.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Protocol, Self

from lab.agents.contract import ANSWERS, fault_of_event
from lab.errors import LabError, PeerError
from lab.wire.trace import Trace
from lab.wire.transport import NoAnswer

LINE_BYTES = 1024 * 1024
EVENTS = 10_000  # that nobody has asked for yet
LAST_WORDS = 30  # lines of standard error
END_SECONDS = 5.0  # for an agent to end by itself once its input is closed

Event = dict[str, Any]
Matches = Callable[[Event], bool]


class Reader(Protocol):
    """Stands between what an agent tells and the check that reads it: `make prove`, and else nobody.

    `hurry` is the longest wait in seconds once it has changed something.
    """

    @property
    def hurry(self) -> float | None: ...

    def told(self, event: Event, command: str | None) -> Iterable[Event]:
        """What the check is told in the place of an event; of an answer to a command, just one."""
        ...

    def looked_at(self, told: Event) -> None: ...
    def waited(self, seconds: float) -> None: ...


class AgentFault(LabError):
    """The agent broke the contract: neither the client's fault nor its server's."""


class AgentGone(PeerError):
    """The agent, and the client with it, ended without having been asked to."""


class CommandFailed(PeerError):
    """The client tried, and says that it did not succeed."""


class CommandUnsupported(LabError):
    """The client cannot do what was asked of it."""

    def __init__(self, command: str, reason: str = "") -> None:
        super().__init__(f"{command}{f': {reason}' if reason else ''}")
        self.command = command


class Agent:
    """An agent, started with `argv` and, besides this process's own, the `environment` of the contract.

    Every wait is at most `patience` seconds. Raises AgentFault, AgentGone and NoAnswer from any of its methods.
    """

    def __init__(
        self,
        argv: Sequence[str],
        environment: Mapping[str, str],
        *,
        patience: float,
        trace: Trace | None = None,
        label: str = "agent",
        reader: Reader | None = None,
    ) -> None:
        self.patience = patience
        self._reader = reader
        self.trace = trace or Trace()
        self.label = self.trace.label(label)
        self.client = self.version = ""
        self._changed = threading.Condition()
        self._events: deque[Event] = deque()
        self._answers: dict[int, Event] = {}
        self._asked: dict[int, str] = {}  # those that await an answer
        self._number = 0
        self._fault: AgentFault | None = None
        self._ended = False
        self._said: deque[str] = deque(maxlen=LAST_WORDS)
        try:
            self._process = subprocess.Popen(
                argv,
                env={**os.environ, **environment},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is for the lab, which then ends the agent
            )
        except OSError as error:
            raise AgentFault(f"the agent cannot be started: {argv[0]}", cause=str(error)) from error
        self._threads = [
            threading.Thread(target=work, name=f"{self.label}-{work.__name__}", daemon=True)
            for work in (self._read, self._read_errors)
        ]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- asking

    def ready(self, within: float | None = None) -> None:
        """Wait until it reads commands, so many seconds at most; `client` and `version` are known then.

        Nothing is asked of the client yet: an agent that is not ready in time is no fault of the client's.
        """
        try:
            event = self._wait(lambda: self._found("ready", lambda _: True), "the event `ready`", within)
        except NoAnswer as error:
            raise AgentFault(f"the agent does not become ready: {error.message}") from error
        self.client, self.version = event["client"], event["version"]

    def ask(self, command: str, **arguments: Any) -> Event:
        """Have the client do something; the `done` event. Raises CommandFailed, CommandUnsupported, too."""
        return self._looked_at(self._asked_for(command, arguments))

    def connect(self) -> Event:
        """As `ask("connect")`, where a client is only brought online: what it answers, no check looks at."""
        return self._asked_for("connect", {})

    def _asked_for(self, command: str, arguments: Mapping[str, Any]) -> Event:
        number = self._send(command, arguments)
        answer = self._wait(lambda: self._answers.pop(number, None), f"an answer to the command {command!r}")
        if answer["event"] == "unsupported":
            raise CommandUnsupported(command, answer.get("reason", ""))
        if answer["event"] == "failed":
            raise CommandFailed(f"the client failed to {command}", seen=answer["reason"])
        return answer

    def _send(self, command: str, arguments: Mapping[str, Any]) -> int:
        with self._changed:
            number = self._number = self._number + 1
            self._asked[number] = command
        line = json.dumps({"id": number, "command": command, **arguments}, ensure_ascii=False)
        self.trace.note(self.label, f"asked: {line}")
        self.write(line.encode() + b"\n")
        return number

    # --- what it tells

    def expect(
        self, kind: str, matches: Matches = lambda _: True, what: str = "", patience: float | None = None
    ) -> Event:
        """The next event of that kind that fits, which then counts as seen; those before it stay."""
        began = time.monotonic()
        event = self._wait(lambda: self._found(kind, matches), what or f"an event {kind!r}", patience)
        if self._reader is not None:
            self._reader.waited(time.monotonic() - began)
        return self._looked_at(event)

    def seen(self, kind: str) -> tuple[Event, ...]:
        """The events of that kind that came so far and that nobody took by `expect`."""
        with self._changed:
            return tuple(self._looked_at(event) for event in self._events if event["event"] == kind)

    def pretend(self, event: Event) -> None:
        """Put among the events what the client did not tell (`make prove`)."""
        with self._changed:
            self._events.append(event)

    def _found(self, kind: str, matches: Matches) -> Event | None:
        for event in self._events:
            if event["event"] == kind and matches(event):
                self._events.remove(event)
                return event
        return None

    def _looked_at(self, event: Event) -> Event:
        if self._reader is not None:
            self._reader.looked_at(event)
        return event

    def take(self) -> tuple[Event, ...]:
        """All events that came so far and that nobody took: they count as seen now."""
        with self._changed:
            taken = tuple(self._events)
            self._events.clear()
            return taken

    def _wait(self, found: Callable[[], Event | None], what: str, patience: float | None = None) -> Event:
        patience = self.patience if patience is None else patience
        deadline = time.monotonic() + patience
        with self._changed:
            while (event := found()) is None:
                if self._fault is not None:
                    raise self._fault
                if self._ended:
                    raise self._gone()
                now = time.monotonic()
                if self._reader is not None and self._reader.hurry is not None:
                    deadline = min(deadline, now + self._reader.hurry)
                left = deadline - now
                if left <= 0:
                    told = "; ".join(json.dumps(e, ensure_ascii=False) for e in list(self._events)[-3:])
                    raise NoAnswer(
                        f"the client's agent told nothing of it within {patience:.0f} s",
                        expected=what,
                        seen=told or "no other event",
                    )
                self._changed.wait(left)
            return event

    def _gone(self) -> AgentGone:
        code = self._process.poll()
        how = f"was killed by signal {-code}" if code is not None and code < 0 else f"exited with code {code}"
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(1.0)
        words = "\n".join(self._said)
        return AgentGone(f"the client's agent {how}", seen=f"{how}; its last words:\n{words}" if words else how)

    # --- the threads that read

    def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        with self._process.stdout as lines:
            while line := lines.readline(LINE_BYTES):
                if fault := self._take(line):
                    with self._changed:
                        self._fault = AgentFault("the agent broke the contract", cause=fault, hint="docs/clients.md")
                        self._changed.notify_all()
                    self._process.kill()
                    break
        with contextlib.suppress(subprocess.TimeoutExpired):  # it closed its output, and lives on
            self._process.wait(END_SECONDS)
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _take(self, line: bytes) -> str:
        """Keep an event; what is wrong with the line, empty where nothing is."""
        if not line.endswith(b"\n") and len(line) >= LINE_BYTES:
            return f"a line of more than {LINE_BYTES} bytes"
        text = line.decode("utf-8", "replace").strip()
        try:
            event = json.loads(line)
        except ValueError:
            return f"a line that is not JSON: {text[:200]!r}"
        self.trace.note(self.label, f"told: {text[:4000]}")
        answered = event.get("id") if isinstance(event, dict) and event.get("event") in ANSWERS else None
        with self._changed:
            command = self._asked.get(answered) if isinstance(answered, int) else None
            fault = fault_of_event(event, command) or self._keep(event, answered, command)
            self._changed.notify_all()
        return f"{fault}, in {text[:300]}" if fault else ""

    def _keep(self, event: Event, answered: int | None, command: str | None) -> str:
        """An event that is right by itself; what is wrong with it here, empty where nothing is."""
        told = (event,) if self._reader is None else tuple(self._reader.told(event, command))
        if answered is None:
            if len(self._events) >= EVENTS:
                return f"more than {EVENTS} events"
            self._events.extend(told)
        elif command is None:
            return f"an answer to command {answered}, which was not asked or is answered already"
        else:
            del self._asked[answered]
            (self._answers[answered],) = told
        return ""

    def _read_errors(self) -> None:
        assert self._process.stderr is not None  # noqa: S101 - it is a pipe
        with self._process.stderr as lines:
            while line := lines.readline(LINE_BYTES):
                self._said.append(line[:2000].decode("utf-8", "replace").rstrip())

    # --- the end

    @property
    def code(self) -> int | None:
        """Its exit code; None while it runs, negative where a signal ended it."""
        return self._process.poll()

    def write(self, line: bytes) -> None:
        """Send it any bytes: what is no command, too."""
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        try:
            self._process.stdin.write(line)
            self._process.stdin.flush()
        except OSError:
            with contextlib.suppress(subprocess.TimeoutExpired):  # it closed its input, and lives on
                self._process.wait(END_SECONDS)
            raise self._gone() from None

    def close(self) -> bool:
        """End it: its input is closed, and then it ends by itself or is killed. Whether it did so itself."""
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(END_SECONDS)
            by_itself = True
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            by_itself = False
        for thread in self._threads:
            thread.join(END_SECONDS)
        return by_itself
