"""The report on a terminal of 80 columns, without colour."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from lab import report
from lab.errors import UsageError
from lab.record import Exit, Record
from lab.verdict import Expectation, Outcome
from tests.report import building


def _printed(record: Record, check: str = "") -> list[str]:
    console = Console(file=io.StringIO(), width=80)
    if check:
        report.show(record, check, console)
    else:
        report.terminal(record, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def _flat(lines: list[str]) -> str:
    return " ".join(" ".join(lines).split())


def test_it_fits_and_has_no_colour(record: Record) -> None:
    lines = _printed(record)
    assert "\x1b" not in "".join(lines)
    assert all(len(line) <= 80 for line in lines if "replay" not in line)


def test_rows_come_before_failures_before_the_total(record: Record) -> None:
    page = _flat(_printed(record))
    places = [
        page.index(part) for part in ("core/event-publishing", "Failures (5", "required rows met", "12 checks in")
    ]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("row", "parts"),
    [
        ("Core features", ["✓", "✓", "-", "✗ fail", "2/4"]),
        ("Feature discovery", ["✓", "✓", "yes", "~ non-strict", "2/3"]),
        ("Feature broadcasts", ["✕", "✓", "no", "○ unsupported", "0/1"]),
        ("Server Extensibility", ["✓", "✓", "-", "· not tested", "0/0"]),
    ],
)
def test_a_row_has_marks_claim_outcome_and_counts(record: Record, row: str, parts: list[str]) -> None:
    (line,) = (line for line in _printed(record) if line.startswith(row))
    assert [part.strip() for part in line.removeprefix(row).split("  ") if part.strip()] == parts


def test_a_failure_has_its_evidence(record: Record) -> None:
    page = _flat(_printed(record))
    assert "✗ fail rfc-6120/dtd-is-refused" in page
    assert "RFC 6120 §11.1 MUST NOT: a document type declaration is answered with a stream error" in page
    assert "expected a stream error restricted-xml, and the end of the stream" in page
    assert "<body>hello</body></message>" in page
    assert "replay make lab SERVER=prosody CHECK=rfc-6120/dtd-is-refused" in page


def test_listed_failures_say_why(record: Record) -> None:
    page = _flat(_printed(record))
    assert "rfc-6120/spoofed-from-is-refused (known)" in page
    assert "listed https://issues.example/1234: accepted on purpose until 14.0" in page
    assert "xep-0163/notify (flaky)" in page


def test_what_is_no_failure_is_said_too(record: Record) -> None:
    page = _flat(_printed(record))
    assert "Not strict (a SHOULD was missed): 1" in page
    assert "mend the list: 1 ✓ pass xep-0030/items-of-unknown-node" in page
    assert "1 check: the cell has no place for a component" in page
    assert "4 unexpected" in page


def test_strictness_is_shown_apart_from_failures(record: Record) -> None:
    page = _flat(_printed(record))
    assert (
        "Schema strictness: 3 stanzas of 1 kind (no failures) Element '{jabber:client}iq', attribute 'type'" in page
    )
    assert "The value … is not an element of the set. (1 check, as xep-0030/info-is-answered)" in page
    one = _flat(_printed(record, "xep-0030/info-is-answered"))
    assert "Schema strictness (no failure)" in one
    assert "The value 'it's' is not" in one
    assert "Schema strictness" not in _flat(_printed(record, "rfc-6120/dtd-is-refused"))


def test_a_run_that_did_not_finish_says_so_loudly(tmp_path: Path) -> None:
    late = ("xep-0030/late", "rfc-6120/dtd-is-refused")
    page = _flat(_printed(building.record(tmp_path / "run.ndjson", finished=False, selected=late)))
    assert page.count("THE RUN DID NOT FINISH: 1 of 2 checks have no result.") == 2
    assert "without a result: 1 xep-0030/late" in page


def test_damage_and_exits_are_said(tmp_path: Path) -> None:
    path = building.write(
        tmp_path / "run.ndjson", building.every_kind(), exits=(Exit(1.0, "signal 11", restarted=True),)
    )
    path.write_text(path.read_text("utf-8") + '{"event": "check", "na', encoding="utf-8")
    page = _flat(_printed(report.load(path)))
    assert "The subject exited: 1 signal 11 (restarted)" in page
    assert "Damaged lines of the record: 1 line" in page


def test_a_good_run_is_short(tmp_path: Path) -> None:
    results = tuple(building.result(f"xep-0030/c{n}") for n in range(3))
    lines = _printed(building.record(tmp_path / "run.ndjson", results))
    assert len(lines) < 15
    assert lines[-1] == "3 checks in 12.3 s: 3 pass; all as expected"


def test_a_run_of_nothing_is_not_green(tmp_path: Path) -> None:
    lines = _printed(building.record(tmp_path / "run.ndjson", ()))
    assert lines[-1].endswith("nothing was run; not all was run")


def test_hundreds_of_failures_stay_compact(tmp_path: Path) -> None:
    results = tuple(building.result(f"rfc-6120/c{n}", Outcome.FAIL, seen="x" * 5_000) for n in range(300))
    lines = _printed(building.record(tmp_path / "run.ndjson", results))
    assert len(lines) < 300
    assert any("228 more; index.html shows them all" in line for line in lines)


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    results = (
        building.result(
            "rfc-6120/a",
            Outcome.FAIL,
            expected="[bold]x[/bold]",
            seen=building.HOSTILE,
            trace=building.traffic(answer=building.HOSTILE),
        ),
    )
    record = building.record(tmp_path / "run.ndjson", results)
    for page in (_flat(_printed(record)), _flat(_printed(record, "rfc-6120/a"))):
        assert not {"\x1b", "\x07", "\u202e", "\ud800", "\x00"} & set(page)
        assert "⟨U+202E⟩" in page
        assert "[bold]x[/bold]" in page


def test_one_check_in_full(record: Record) -> None:
    lines = _printed(record, "rfc-6120/dtd-is-refused")
    page = _flat(lines)
    assert "https://www.rfc-editor.org/rfc/rfc6120.html#section-11.1" in page
    assert "→ alice sent, 5 ms" in page
    assert "← alice received, 8 ms" in page
    assert "        <identity category='server' type='im' name='Lab'/>" in lines
    assert "3 ms c2s55: Client connected" in page


def test_one_check_without_traffic(record: Record) -> None:
    page = _flat(_printed(record, "xep-0114/wrong-secret"))
    assert "nothing went over the wire" in page
    assert "reason the cell has no place for a component" in page


def test_an_unknown_check(record: Record) -> None:
    with pytest.raises(UsageError):
        _printed(record, "xep-0030/nothing")


def test_colour_where_there_is_a_terminal(record: Record) -> None:
    console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system="standard", _environ={})
    report.terminal(record, console)
    assert isinstance(console.file, io.StringIO)
    assert "\x1b[" in console.file.getvalue()


def test_a_known_failure_alone_is_as_expected(tmp_path: Path) -> None:
    known = replace(building.result("xep-0030/a", Outcome.FAIL), expectation=Expectation.KNOWN)
    lines = _printed(building.record(tmp_path / "run.ndjson", (known,)))
    assert lines[-1] == "1 check in 12.3 s: 1 fail; all as expected"
