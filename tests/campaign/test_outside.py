"""What is seen of a server beside the wire: exits and crashes in the log, each told once, and its memory."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from lab import engines
from lab.campaign import outside as module
from lab.campaign.outside import MARGIN, MEMORY_FACTOR, MEMORY_LEAST, SHOWN, Outside
from lab.cell import Process

CRASHES = ("Traceback", r"CRASH \w+")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "server.log"


@pytest.fixture
def watched(tmp_path: Path, log: Path) -> Iterator[Outside]:
    log.write_text("1.0 Traceback of an earlier run\n")
    with Outside(Process(), tmp_path, log, CRASHES) as outside:
        yield outside


def write(log: Path, *lines: str, at: float = 100.0) -> None:
    with log.open("a", encoding="utf-8") as file:
        file.writelines(f"{at:.6f} {line}\n" for line in lines)


def exited(folder: Path, at: float, why: str = "exit code 139", *, restarted: bool = True) -> None:
    with (folder / engines.EXITS_FILE).open("a", encoding="utf-8") as file:
        file.write(json.dumps({"at": at, "why": why, "restarted": restarted}) + "\n")


def test_a_server_of_which_nothing_happens(watched: Outside) -> None:
    assert watched.since(0.0) is None
    assert (watched.exits, watched.gone, watched.too_much_memory()) == (0, "", None)


def test_a_crash_in_the_log_is_told_once(watched: Outside, log: Path) -> None:
    write(log, "all is well", "Traceback in mod_ping.lua:12")
    symptom = watched.since(100.0)
    assert symptom is not None
    assert (symptom.rule, symptom.place) == ("logs-no-crash", None)
    assert symptom.seen == "Traceback in mod_ping.lua:12"
    assert symptom.kind == "Traceback in mod_ping.lua:12"
    assert watched.since(100.0) is None
    write(log, "CRASH REPORT of mod_roster.lua:7")
    again = watched.since(100.0)
    assert again is not None
    assert again.kind == "CRASH REPORT of mod_roster.lua:7"


def test_a_crash_from_before_is_nobodys_now(watched: Outside, log: Path) -> None:
    write(log, "Traceback", at=100.0)
    assert watched.since(100.0 + 2 * MARGIN) is None
    assert watched.since(0.0) is None, "it was looked at, and belonged to nothing that was sent"
    write(log, "Traceback", at=100.0)
    assert watched.since(100.0 + MARGIN / 2) is not None, "a clock may be a little behind"


def test_a_line_that_is_only_partly_there_waits_for_its_end(watched: Outside, log: Path) -> None:
    with log.open("a") as file:
        file.write("100.0 Trace")
        file.flush()
        assert watched.since(100.0) is None
        file.write("back in mod_ping.lua:3")
        file.flush()
        assert watched.since(100.0) is None
        file.write("\n")
        file.flush()
        symptom = watched.since(100.0)
    assert symptom is not None
    assert symptom.seen == "Traceback in mod_ping.lua:3"


def test_lines_that_are_no_text_or_have_no_time_are_survived(watched: Outside, log: Path) -> None:
    with log.open("ab") as file:
        file.write(b"\xff\xfe\n\nTraceback without a time\n100.0 Traceback \xff\x00 \xe2\x80\xa8 in x.lua:1\n")
    symptom = watched.since(100.0)
    assert symptom is not None
    assert "\\xff" in symptom.seen
    assert "x.lua:1" in symptom.seen


def test_where_it_happened_is_read_in_the_lines_behind(watched: Outside, log: Path) -> None:
    write(
        log,
        "Traceback[c2s]: attempt to index nil",
        "stack",
        "  util/stanza.lua:521: in function",
        "  x.lua:9: in main",
    )
    symptom = watched.since(100.0)
    assert symptom is not None
    assert symptom.kind == "Traceback[c2s]: attempt to index nil util/stanza.lua:521"
    assert symptom.seen.count("\n") == 3


def test_a_crash_is_shown_shortened(watched: Outside, log: Path) -> None:
    write(log, f"Traceback in x.lua:1 {'y' * 5_000}")
    symptom = watched.since(100.0)
    assert symptom is not None
    assert len(symptom.seen) == SHOWN
    assert len(symptom.kind) <= 160


ALIKE = (
    (
        "2026-01-01 10:00:00.123 [error] <0.123.0> CRASH of a.erl:1",
        "2027-02-03T23:59:59Z [error] <0.9.1> CRASH of a.erl:1",
    ),
    ("Traceback at 0x7f12ab34 in a.lua:1", "Traceback at 0xdeadbeefcafe in a.lua:1"),
    ("Traceback of u0123456789ab@lab.test in a.lua:1", "Traceback of uffeeddccbbaa@lab.test in a.lua:1"),
    ("Traceback   in a.lua:1", "Traceback in a.lua:1"),
)


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_times_addresses_and_random_names_make_no_other_crash(
    watched: Outside, log: Path, one: str, other: str
) -> None:
    kinds = []
    for line in (one, other):
        write(log, line)
        symptom = watched.since(100.0)
        assert symptom is not None
        kinds.append(symptom.kind)
    assert kinds[0] == kinds[1]
    assert "a." in kinds[0]


def test_another_place_is_another_crash(watched: Outside, log: Path) -> None:
    kinds = set()
    for place in ("a.lua:1", "a.lua:2", "b.lua:1"):
        write(log, f"Traceback in {place}")
        symptom = watched.since(100.0)
        kinds.add(symptom.kind if symptom else "")
    assert len(kinds) == 3


def test_a_log_that_appears_later_and_one_that_nobody_has(tmp_path: Path) -> None:
    late = tmp_path / "late.log"
    with Outside(Process(), None, late, CRASHES) as outside:
        assert outside.since(0.0) is None
        write(late, "Traceback in x.lua:1")
        assert outside.since(100.0) is not None
    for file, crashes in ((None, CRASHES), (late, ())):
        with Outside(Process(), None, file, crashes) as outside:
            write(late, "Traceback in x.lua:1")
            assert outside.since(100.0) is None


def test_it_is_waited_for_until_it_is_there(watched: Outside, log: Path) -> None:
    writer = threading.Timer(0.05, write, (log, "Traceback in x.lua:1"))
    writer.start()
    symptom = watched.since(100.0, wait=20.0)
    writer.join()
    assert symptom is not None
    began = time.monotonic()
    assert watched.since(100.0, wait=0.02) is None
    assert time.monotonic() - began >= 0.02


# --- exits


def test_an_exit_is_told_once_and_before_what_the_log_says(watched: Outside, log: Path, tmp_path: Path) -> None:
    write(log, "Traceback in x.lua:1")
    exited(tmp_path, 100.0)
    symptom = watched.since(100.0)
    assert symptom is not None
    assert (symptom.rule, symptom.seen) == ("lives", "exit code 139")
    assert watched.exits == 1
    after = watched.since(100.0)
    assert after is not None
    assert after.rule == "logs-no-crash"
    exited(tmp_path, 101.0, "killed")
    second = watched.since(100.5)
    assert second is not None
    assert second.seen == "killed"
    assert watched.since(100.5) is None
    assert watched.exits == 2


def test_who_is_restarted_is_not_gone(watched: Outside, tmp_path: Path) -> None:
    exited(tmp_path, 100.0)
    assert watched.gone == ""
    exited(tmp_path, 101.0, "out of restarts", restarted=False)
    assert watched.gone == "out of restarts"


def test_exits_before_the_campaign_are_not_counted(tmp_path: Path) -> None:
    exited(tmp_path, 1.0)
    with Outside(Process(), tmp_path, None, ()) as outside:
        exited(tmp_path, 2.0)
        assert outside.exits == 1


def test_where_nobody_notes_exits_there_are_none(tmp_path: Path) -> None:
    exited(tmp_path, 100.0, restarted=False)
    with Outside(Process(), None, None, ()) as outside:
        assert (outside.since(0.0), outside.exits, outside.gone) == (None, 0, "")


# --- memory


@pytest.mark.parametrize(
    ("start", "bound"),
    [(0, MEMORY_LEAST), (2**20, MEMORY_LEAST), (MEMORY_LEAST, MEMORY_FACTOR * MEMORY_LEAST)],
)
def test_a_bound_is_some_times_what_it_began_with(watched: Outside, start: int, bound: int) -> None:
    watched.memory_start, watched.memory_peak = start, bound
    assert watched.memory_bound == bound
    assert watched.too_much_memory() is None
    watched.memory_peak = bound + 1
    symptom = watched.too_much_memory()
    assert symptom is not None
    assert symptom.rule == "keeps-its-memory"
    assert f"at most {bound // 2**20} MiB" in symptom.expected
    assert symptom.seen.startswith(f"{bound // 2**20} MiB, from {start // 2**20} MiB")


def test_memory_is_weighed_all_the_while(monkeypatch: pytest.MonkeyPatch) -> None:
    grown = threading.Event()
    looks = count(1)

    def memory(_: Process) -> int | None:
        number = next(looks)
        if number == 4:
            grown.set()
        return {1: 10, 2: 30, 3: None}.get(number, 20)

    monkeypatch.setattr(engines, "memory", memory)
    monkeypatch.setattr(module, "MEMORY_EVERY", 0.001)
    with Outside(Process(), None, None, ()) as outside:
        assert grown.wait(20.0)
    assert (outside.memory_start, outside.memory_peak) == (10, 30)
