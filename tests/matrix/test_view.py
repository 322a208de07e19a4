"""A matrix on a terminal, rendered to text: states, tries, counts, and names that are hostile."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import pytest
from rich.console import Console

from lab.matrix import view
from lab.matrix.growth import Counts, Growth
from lab.matrix.ledger import Attempt, Entry, Ledger, State
from lab.matrix.plan import Asked, Cell, Party
from lab.record import Writer
from lab.verdict import Outcome
from tests.matrix.fake_lab import header, result

HOSTILE = "[bold]x[/bold]\x1b]0;title\x07\x1b[2J\u202eevil\r\nnext [link=file:///x]here"


def cell(name: str = "prosody", version: str = "13.0") -> Cell:
    return Cell(f"{name}-{version}", Party(f"{name}:{version}", name, version))


def entry(state: State, *, name: str = "prosody", tries: int = 1, reason: str = "") -> Entry:
    attempts = [Attempt(n, State.NOT_STARTED, 3, duration=2.0, reason="no engine") for n in range(1, tries)]
    last = Attempt(tries, state, 0, duration=33.4, reason=reason)
    return Entry(cell(name), state, attempts=(*attempts, last), reason=reason)


def rendered(entries: Sequence[Entry], counts: dict[str, Counts], *, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(view.table(entries, counts, {}))
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]  # it is the StringIO from above


def test_a_line_a_cell() -> None:
    text = rendered([entry(State.UNEXPECTED)], {"prosody-13.0": Counts(20, 17, 2, 19)})
    line = next(line for line in text.splitlines() if "prosody" in line)
    assert line.split() == ["prosody", "13.0", "✗", "unexpected", "33", "17", "2", "20"]


@pytest.mark.parametrize("state", State)
def test_every_state_has_a_sign_and_a_word(state: State) -> None:
    assert str(state) in rendered([entry(state)], {})
    assert str(state) in view.line(entry(state), Counts())


@pytest.mark.parametrize(
    ("tries", "said"), [(1, ""), (2, "2nd try"), (3, "3rd try"), (4, "4th try"), (12, "12th try"), (21, "21st try")]
)
def test_a_retry_is_shown_as_one(tries: int, said: str) -> None:
    text = rendered([entry(State.EXPECTED, tries=tries)], {})
    assert said in text
    assert ("try" in text) is bool(said)


@pytest.mark.parametrize("width", [40, 80, 200])
def test_hostile_names_and_words_stay_text(width: int) -> None:
    hostile = Entry(
        Cell("x", Party("x", HOSTILE, HOSTILE)), State.BROKEN, reason=HOSTILE, attempts=(Attempt(1, State.BROKEN),)
    )
    for text in (rendered([hostile], {}, width=width), whole([hostile], width=width)):
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "\x07" not in text
        assert "\r" not in text
        assert "⟨U+202E⟩" in text.replace("\n", "").replace(" ", "")
    assert "[bold]" in whole([hostile], width=200)


def whole(entries: Sequence[Entry], *, width: int = 100, terminal: bool = False) -> str:
    book = Ledger(Path("none"), "0", "", Asked(), {e.cell.name: e for e in entries}, notes=("2 cells are left out",))
    console = Console(file=io.StringIO(), width=width, force_terminal=terminal)
    view.report(book, console)
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]  # it is the StringIO from above


def test_the_end_says_why_cells_came_to_nothing_and_which_were_tried_again() -> None:
    text = whole(
        [entry(State.EXPECTED, tries=2), entry(State.TIMED_OUT, name="slow", reason="not done after 60 s\nmore")]
    )
    assert "slow 13.0: ! timed out" in text
    assert "not done after 60 s\nmore" in text
    assert "prosody-13.0, try 1: did not start, 2 s: no engine" in text
    assert "2 cells are left out" in text
    assert "2 cells: 1 as expected, 1 timed out" in text


def shown(*, terminal: bool, quiet: bool = False) -> str:
    console = Console(file=io.StringIO(), width=100, force_terminal=terminal)
    display = view.MatrixDisplay(console, quiet=quiet)
    waiting = Entry(cell())
    running = waiting.with_attempt(Attempt(1, State.RUNNING))
    done = running.with_attempt(Attempt(1, State.EXPECTED, 0, duration=12.0))
    display.begins([waiting])
    display.step("making prosody 13.0 ready")
    display.detail("a detail")
    display.changed(running, Counts())
    display.shows({"prosody-13.0": running}, {"prosody-13.0": Counts(20, 5, 1, 6)})
    display.changed(done, Counts(20, 19, 1, 20))
    display.shows({"prosody-13.0": done}, {})
    display.ends()
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]  # it is the StringIO from above


def test_plain_lines_where_nobody_watches() -> None:
    assert shown(terminal=False).splitlines() == [
        "making prosody 13.0 ready",
        "prosody 13.0: running",
        "prosody 13.0: as expected, 12 s, 19 passed, 1 failed of 20",
    ]


def test_a_table_that_lives_where_somebody_does() -> None:
    text = shown(terminal=True)
    assert "making prosody 13.0 ready" in text
    assert "▸ running" in text
    assert "1 cell: 1 running" in text
    assert "prosody 13.0: as expected, 12 s, 19 passed, 1 failed of 20" in text


@pytest.mark.parametrize("terminal", [True, False])
def test_a_quiet_display_says_nothing(*, terminal: bool) -> None:
    assert shown(terminal=terminal, quiet=True) == ""


def test_a_growing_record_is_read_on(tmp_path: Path) -> None:
    path = tmp_path / "run.ndjson"
    growth = Growth(path)
    assert growth.look() == Counts()
    with Writer(path, header({"name": "x", "version": "1"}, (), 0)) as writer:
        assert growth.look() == Counts(selected=2)
        writer.check(result("first"))
        assert growth.look() == Counts(2, 1, 0, 1)
        writer.check(result("second", Outcome.CRASH))
        writer.check(result("third", Outcome.UNSUPPORTED))
        assert growth.look() == Counts(2, 1, 1, 3)


def test_of_a_broken_record_what_is_whole_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "run.ndjson"
    with Writer(path, header({"name": "x", "version": "1"}, (), 0)) as writer:
        writer.check(result("first"))
    whole_file = path.read_bytes()
    path.write_bytes(b"\xff\x00\n" + whole_file + b'{"event": "check", "outc')
    growth = Growth(path)
    assert growth.look() == Counts(2, 1, 0, 1)
    with path.open("ab") as file:
        file.write(b'ome": "fail"}\n{"event": "check"}\n{"event": "check" rubbish\n')
    assert growth.look() == Counts(2, 1, 1, 3)
