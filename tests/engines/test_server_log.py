"""The log of a subject: times, floods, a full disk."""

from __future__ import annotations

import io
from pathlib import Path

from lab.engines.server_log import ServerLog


def test_lines_are_stamped_and_the_tail_is_without_stamps(tmp_path: Path) -> None:
    log = ServerLog(tmp_path)
    log.copy(io.BytesIO(b"one\r\ntwo\n\xff three"))
    log.note("four")
    log.close()
    assert log.tail() == "one\ntwo\n\N{REPLACEMENT CHARACTER} three\nlab: four"
    assert log.tail(1) == "lab: four"
    assert all(float(line.split()[0]) > 1e9 for line in log.path.read_bytes().splitlines())


def test_a_line_without_an_end_is_cut(tmp_path: Path) -> None:
    log = ServerLog(tmp_path)
    log.copy(io.BytesIO(b"x" * 200_000))
    log.close()
    assert [len(line) for line in log.tail().splitlines()] == [65536, 65536, 65536, 200_000 - 3 * 65536]


def test_a_full_disk_loses_lines_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "server.log").symlink_to("/dev/full")
    log = ServerLog(tmp_path)
    log.copy(io.BytesIO(b"one\ntwo\n"))
    log.close()
    log.line(b"said after the end")
    assert log.lost == 3
