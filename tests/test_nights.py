"""Ten simulated nights of one server, with planted regressions, fixes and flakes: each is named, and nothing else."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from lab import report
from lab.baseline import Flaky, mend
from lab.history import last_good
from lab.record import CheckResult, Footer, Record, Writer
from lab.subjects.known_file import KnownFile
from lab.verdict import Expectation, Outcome, expectation
from tests.report import building
from tests.report.building import result

NIGHTS = range(1, 11)
STEADY = [f"xep-0030/steady-{n}" for n in range(40)]
KNOWN, FLAKY, BREAKS, BLINKS, LOST, MENDED = (
    f"xep-0030/{name}" for name in ("known", "flaky", "breaks", "blinks", "lost", "mended")
)
LISTED = {KNOWN: False, MENDED: False, FLAKY: True}
BAD = {
    KNOWN: set(NIGHTS),
    FLAKY: {2, 3, 7},
    BREAKS: {4, 5, 6},  # a regression, and its fix
    BLINKS: {8},  # a flake that is on no list
    MENDED: {1, 2, 3, 4},  # listed, and fixed in the fifth night
}


def outcome(check: str, night: int) -> Outcome:
    if check == LOST and night >= 9:
        return Outcome.UNSUPPORTED
    return Outcome.FAIL if night in BAD.get(check, ()) else Outcome.PASS


def results(night: int) -> tuple[CheckResult, ...]:
    """A night's results, in any order: checks run side by side."""
    found = []
    for check in [*STEADY, *BAD, LOST]:
        seen = outcome(check, night)
        listed = Outcome.FAIL if check in LISTED else None
        found.append(result(check, seen, expectation(seen, listed, flaky=LISTED.get(check, False))))
    random.Random(night).shuffle(found)  # noqa: S311 - an order, no secret
    return tuple(found)


@pytest.fixture
def nights(tmp_path: Path) -> dict[int, Record]:
    made = {}
    for night in NIGHTS:
        (tmp_path / str(night)).mkdir()
        found, started = results(night), f"2026-11-{night:02}T01:17:00+00:00"
        path = tmp_path / str(night) / "run.ndjson"
        with Writer(path, building.header(found, started=started)) as writer:
            for one in found:
                writer.check(one)
            red = any(r.expectation in {Expectation.UNEXPECTED, Expectation.FIXED} for r in found)
            writer.footer(Footer(started, 1.0, {}, int(red)))
        made[night] = report.load(path)
    return made


def test_each_night_names_what_was_planted_and_nothing_else(nights: dict[int, Record]) -> None:
    seen = {}
    for night in NIGHTS[1:]:
        found = report.diff(nights[night - 1], nights[night])
        groups = {
            "bad": found.newly_bad,
            "good": found.newly_good,
            "lost": found.lost,
            "flaky": found.flaky,
            "changed": found.changed,
        }
        seen[night] = {kind: [change.name for change in changes] for kind, changes in groups.items() if changes}
        assert found.same == len(results(night)) - sum(map(len, groups.values()))
        assert not found.appeared + found.vanished
    assert seen == {
        2: {"flaky": [FLAKY]},
        3: {},
        4: {"bad": [BREAKS], "flaky": [FLAKY]},
        5: {"good": [MENDED]},
        6: {},
        7: {"good": [BREAKS], "flaky": [FLAKY]},
        8: {"bad": [BLINKS], "flaky": [FLAKY]},
        9: {"good": [BLINKS], "lost": [LOST]},
        10: {},
    }


def test_a_red_night_is_compared_with_the_last_green_one(nights: dict[int, Record], tmp_path: Path) -> None:
    exits = {night: record.footer.exit for night, record in nights.items() if record.footer}
    assert [night for night in NIGHTS if not exits[night]] == [1, 2, 3]  # from the fifth on, the list is to be mended
    for night in (4, 5, 6, 10):
        found = last_good(nights[night], tmp_path)
        assert found is not None
        assert found.path == nights[3].path


def test_the_list_of_all_nights_knows_what_comes_and_goes(nights: dict[int, Record]) -> None:
    file = KnownFile("")
    for check, flaky in LISTED.items():
        file.add(
            "known", {"check": check, "outcome": "fail", "reason": "theirs", **({"flaky": True} if flaky else {})}
        )
    done = mend(file, list(nights.values()))
    assert sorted(done.added) == sorted([BREAKS, BLINKS])
    assert done.changed == [MENDED]
    assert done.removed == []
    assert set(done.flaky) == {Flaky(FLAKY, 7, 3), Flaky(BREAKS, 7, 3), Flaky(BLINKS, 9, 1), Flaky(MENDED, 6, 4)}
    newest = KnownFile(file.text)
    assert mend(newest, [nights[10]]).nothing
