"""The local processes of all labs on this machine, each in a record file: so that none outlives its lab for long.

The record's own path stands in the environment of the subject and of all that it starts. By that mark they are
found again, also after the lab was killed, and nobody else is ever touched.
"""

from __future__ import annotations

import json
import signal
import time
import uuid
from contextlib import suppress
from pathlib import Path

import psutil

from lab.engines import Progress
from lab.engines.cache import cache_folder

MARK = "STANZALAB_PROCESS"
_PATIENCE = 3.0  # seconds for each of TERM and KILL
_CLOCK = 2.0  # seconds that a process's start may seem to move when the machine's clock is set


def new_record() -> Path:
    """A record, owned by this lab process, of a subject that is yet to be started."""
    file = cache_folder("running") / f"{uuid.uuid4().hex}.json"
    _write(file, {"owner": _identity(psutil.Process())})
    return file


def note(record: Path, pid: int) -> None:
    """The subject of `record` runs as `pid`, from now on."""
    try:
        leader = _identity(psutil.Process(pid))
    except psutil.NoSuchProcess:
        leader = [pid, 0.0]  # dead already: its exit is the watch's to tell
    _write(record, {**json.loads(record.read_text(encoding="utf-8")), "leader": leader})


def runs(record: Path) -> bool:
    """Whether the subject of `record` lives."""
    try:
        leader = json.loads(record.read_text(encoding="utf-8")).get("leader")
    except FileNotFoundError:
        return False
    return leader is not None and _lives(leader)


def memory(record: Path) -> int | None:
    """Bytes that the subject and its children hold; None where it does not live."""
    if not runs(record):
        return None
    try:
        leader = psutil.Process(int(json.loads(record.read_text(encoding="utf-8"))["leader"][0]))
        return sum(process.memory_info().rss for process in (leader, *leader.children(recursive=True)))
    except (psutil.Error, OSError):  # gone in the meantime
        return None


def end(record: Path) -> None:
    """End the subject and all that it started: TERM, after 3 s KILL. The record stays."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + _PATIENCE
        _signal(_marked(record), number)
        while (left := _marked(record)) and time.monotonic() < deadline:
            if number == signal.SIGKILL:
                _signal(left, number)  # what it started in the meantime, too
            time.sleep(0.02)


def end_all_of(pid: int, started: float) -> None:
    """End the subjects of the lab process `pid`, which began at `started` (epoch seconds) and was killed."""
    for record in cache_folder("running").glob("*.json"):
        try:
            owner = json.loads(record.read_text(encoding="utf-8"))["owner"]
        except FileNotFoundError:
            continue  # another lab has just swept it away
        if owner[0] == pid and abs(owner[1] - started) < _CLOCK:
            end(record)
            record.unlink(missing_ok=True)


def sweep(progress: Progress) -> None:
    """End the subjects whose lab is gone, and forget them."""
    for record in cache_folder("running").glob("*.json"):
        try:
            owner = json.loads(record.read_text(encoding="utf-8"))["owner"]
        except FileNotFoundError:
            continue  # another lab has just swept it away
        if not _lives(owner):
            progress.detail(f"ending what a lab that is gone left running ({record.stem})")
            end(record)
            record.unlink(missing_ok=True)


def _write(file: Path, data: dict[str, object]) -> None:
    temporary = file.with_suffix(".tmp")
    temporary.write_text(json.dumps(data), encoding="utf-8")
    temporary.replace(file)


def _identity(process: psutil.Process) -> list[float]:
    return [process.pid, process.create_time()]  # a process id alone may be another's by now


def _lives(identity: list[float]) -> bool:
    try:
        process = psutil.Process(int(identity[0]))
        return abs(process.create_time() - identity[1]) < _CLOCK and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _marked(record: Path) -> list[psutil.Process]:
    marked = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):  # gone meanwhile, a zombie, or somebody else's
            if process.environ().get(MARK) == str(record):
                marked.append(process)
    return marked


def _signal(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)
