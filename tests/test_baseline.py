"""Lists of known failures, made from run records: what is added, changed, taken out, and what stays as it was."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

import lab
from lab.baseline import Baseline, mend
from lab.errors import UsageError
from lab.record import CheckResult, Record
from lab.subjects.known import Known, KnownFinding, Listed, read
from lab.subjects.known_file import KnownFile
from lab.verdict import Outcome
from tests.report import building
from tests.report.building import result

A, B, C = (f"xep-0030/{name}" for name in "abc")
FAIL, PASS = Outcome.FAIL, Outcome.PASS
VERSIONS = ("13.0", "0.12")


@pytest.fixture
def recorded(tmp_path: Path) -> Any:
    """Makes a record of these results."""

    def make(*results: CheckResult, **more: Any) -> Record:
        number = len(list(tmp_path.iterdir()))
        return building.record(tmp_path / f"{number}.ndjson", results, **more)

    return make


def entry(check: str, outcome: str = "fail", **more: Any) -> dict[str, Any]:
    return {"check": check, "outcome": outcome, "reason": "because", **more}


def listing(*entries: dict[str, Any]) -> KnownFile:
    file = KnownFile("# The list.\n")
    for one in entries:
        file.add("known", one)
    return file


def mended(file: KnownFile, *records: Record, **more: Any) -> tuple[Baseline, list[dict[str, Any]]]:
    done = mend(file, records, **more)
    return done, tomllib.loads(file.text).get("known", [])


def test_what_fails_and_is_on_no_list_is_added_to_be_judged(recorded: Any) -> None:
    seen = "<message\n from='a'>\u202e" + "x" * 1_000
    done, (added,) = mended(listing(), recorded(result(A, FAIL, seen=seen), result(B)), versions=("13.0",))
    assert done.added == [A]
    assert (added["check"], added["outcome"]) == (A, "fail")
    assert added["reason"].startswith(
        "as seen on 2026-11-23 in prosody 13.0 (prosody 13.0.1-1+deb13u1): <message from"
    )
    assert added["reason"].endswith("; not judged yet")
    assert len(added["reason"]) < 300
    assert "\u202e" not in added["reason"]
    assert "versions" not in added
    assert "flaky" not in added


def test_an_entry_names_its_version_where_there_are_several(recorded: Any) -> None:
    _, (added,) = mended(listing(), recorded(result(A, FAIL)), versions=VERSIONS)
    assert added["versions"] == ["13.0"]


def test_a_listed_fault_is_not_added_for_the_checks_that_it_hits(recorded: Any) -> None:
    file = listing()
    file.add("fault", {"checks": "xep-0030/*", "seen": "*Database failure*", "reason": "theirs"})
    record = recorded(result(A, FAIL, seen="<text>Database failure</text>"), result(B, FAIL, seen="nothing came"))
    done, (added,) = mended(file, record, versions=("13.0",))
    assert done.added == [added["check"]] == [B]
    assert file.entries("fault"), "it stays"


def test_what_still_holds_stays_as_somebody_wrote_it(recorded: Any) -> None:
    text = (
        "# The list.\n\n# Ours, until 14.0.\n[[known]]\ncheck = 'xep-0030/a'   # single quotes\noutcome = \"fail\"\n"
        'reason = """\nbecause\n"""\nlink = "https://issues.example/1"\n'
    )
    file = KnownFile(text)
    done = mend(file, [recorded(result(A, FAIL))])
    assert done.kept == [A]
    assert done.nothing
    assert file.text == text


def test_what_no_longer_fails_is_taken_out(recorded: Any) -> None:
    done, left = mended(listing(entry(A), entry(B)), recorded(result(A), result(B, FAIL)))
    assert done.removed == [A]
    assert [one["check"] for one in left] == [B]


def test_what_misses_only_a_should_is_taken_out(recorded: Any) -> None:
    done, left = mended(listing(entry(A)), recorded(result(A, Outcome.NON_STRICT)))
    assert done.removed == [A]
    assert not left


def test_what_is_listed_as_unsupported_is_taken_out_when_it_is_supported(recorded: Any) -> None:
    file = listing(entry(A, "unsupported"), entry(B, "unsupported"))
    done, left = mended(file, recorded(result(A, Outcome.UNSUPPORTED), result(B)))
    assert (done.kept, done.removed) == ([A], [B])
    assert [one["check"] for one in left] == [A]


def test_what_was_not_tried_is_left_alone(recorded: Any) -> None:
    file = listing(entry(A), entry(B), entry(C), entry("xep-0030/d"))
    before = file.text
    unsupported = result("xep-0030/d", Outcome.UNSUPPORTED)
    done = mend(file, [recorded(result(B, Outcome.IMPOSSIBLE), result(C, Outcome.ERROR), unsupported)])
    assert done.untried == [A, B, C, "xep-0030/d"]
    assert file.text == before


def test_an_error_is_never_listed(recorded: Any) -> None:
    done, left = mended(listing(), recorded(result(A, Outcome.ERROR)))
    assert done.nothing
    assert not left


def test_another_outcome_changes_the_entry_and_keeps_its_reason(recorded: Any) -> None:
    done, (left,) = mended(listing(entry(A)), recorded(result(A, Outcome.CRASH)))
    assert done.changed == [A]
    assert (left["outcome"], left["reason"]) == ("crash", "because")


def test_what_fails_in_some_records_only_is_flaky(recorded: Any) -> None:
    records = recorded(result(A, FAIL), result(B, FAIL), result(C)), recorded(result(A), result(B), result(C))
    done, left = mended(listing(entry(B)), *records, recorded(result(A)))
    assert {one["check"]: one["flaky"] for one in left} == {A: True, B: True}
    assert [(f.check, f.passed, f.failed) for f in done.flaky] == [(A, 2, 1), (B, 1, 1)]


def test_a_flaky_entry_is_not_taken_out_because_it_passed(recorded: Any) -> None:
    done, (left,) = mended(listing(entry(A, flaky=True)), recorded(result(A)), recorded(result(A)))
    assert done.kept == [A]
    assert left["flaky"]
    assert [(f.passed, f.failed) for f in done.flaky] == [(2, 0)]


def test_other_versions_keep_their_entries(recorded: Any) -> None:
    file = listing(entry(A), entry(B, versions=["0.12"]), entry(C))
    record = recorded(result(A), result(B), result(C, Outcome.CRASH))
    done, left = mended(file, record, versions=VERSIONS)
    assert done.removed == [A]
    assert done.changed == [C]
    assert [(one["check"], one["outcome"], one.get("versions")) for one in left] == [
        (A, "fail", ["0.12"]),
        (B, "fail", ["0.12"]),
        (C, "fail", ["0.12"]),
        (C, "crash", ["13.0"]),
    ]


def test_a_list_that_is_laid_over_another_says_only_what_is_otherwise(recorded: Any) -> None:
    below = Listed((Known(A, "fail", "theirs"), Known(B, "fail", "theirs")))
    record = recorded(result(A, FAIL), result(B), result(C, FAIL))
    done, left = mended(listing(), record, below=below)
    assert done.added == [B, C]
    assert {one["check"]: one["outcome"] for one in left} == {B: "pass", C: "fail"}
    again, _ = mended(KnownFile(listing(*left).text), record, below=below)
    assert again.nothing
    back, left = mended(listing(*left), recorded(result(B, FAIL), result(C)), below=below)
    assert back.removed == [B, C]
    assert not left


def test_what_is_written_can_be_read_and_makes_the_run_green(recorded: Any, tmp_path: Path) -> None:
    file = listing()
    record = recorded(result(A, FAIL, seen=building.HOSTILE), **building.FUZZED)
    mend(file, [record], versions=VERSIONS, findings=True)
    path = tmp_path / "known.toml"
    path.write_text(file.text, encoding="utf-8")
    found = read(path, "13.0", VERSIONS)
    assert [(one.check, one.outcome) for one in found.failures] == [(A, "fail")]
    fingerprints = {one.fingerprint for one in record.findings if not one.flaky}
    assert all(any(one.fits(fingerprint) for one in found.findings) for fingerprint in fingerprints)


def test_findings_are_listed_when_it_is_asked_for_and_never_taken_out(recorded: Any) -> None:
    file = listing()
    file.add("finding", {"fingerprint": "reply-is-right=condition by *", "reason": "theirs"})
    file.add("finding", {"fingerprint": "not-seen by *", "reason": "theirs"})
    record = recorded(**building.FUZZED)
    assert mend(file, [record]).nothing
    done = mend(file, [record], findings=True)
    assert done.added == [building.NEW.fingerprint]
    assert done.kept == ["reply-is-right=condition by *"]
    assert done.untried == ["not-seen by *"]
    below = Listed((), (KnownFinding(f"{building.NEW.rule} by *", "theirs"),))
    assert mend(listing(), [record], findings=True, below=below).added == [building.LISTED.fingerprint]


@pytest.mark.parametrize("other", [{"name": "ejabberd", "version": "13.0"}, {"name": "prosody", "version": "0.12"}])
def test_records_of_several_subjects_make_no_list(recorded: Any, other: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="not of one subject"):
        mend(listing(), [recorded(result(A)), recorded(result(A), subject=other)])


# --- the text

TEXT = '''# What is known.

# Of a, at length.
# And more.
[[known]]
check = "a"
outcome = "fail"  # really
reason = """
[not a header]
# no comment
"""
# below a

# About findings.

[[finding]]
fingerprint = "f [1] *"
reason = "r"
[[ known ]]
check = "b"
outcome = "fail"
reason = "r"
# the end
'''


def test_a_text_that_nobody_edits_is_the_same_text() -> None:
    own = [path.read_text(encoding="utf-8") for path in (Path(lab.__file__).parent / "subjects").rglob("known.toml")]
    assert len(own) > 2
    for text in (TEXT, TEXT.replace("\n", "\r\n"), "", "# nothing\n", *own):
        assert KnownFile(text).text == text


def test_what_stands_between_entries_stays() -> None:
    file = KnownFile(TEXT)
    first, second = file.entries("known")
    file.remove("known", first)
    assert "Of a" not in file.text
    assert "below a" not in file.text
    assert "# What is known.\n\n# About findings.\n\n[[finding]]" in file.text
    file.change("known", second, {"flaky": True, "outcome": "crash"})
    assert tomllib.loads(file.text)["known"] == [{"check": "b", "outcome": "crash", "reason": "r", "flaky": True}]
    assert "# the end" in file.text
    file.add("finding", {"fingerprint": "new", "reason": "r"})
    assert [one["fingerprint"] for one in tomllib.loads(file.text)["finding"]] == ["f [1] *", "new"]


@pytest.mark.parametrize("head", ["", "# What is known.\n\n"])
@pytest.mark.parametrize("gone", ["a", "b", "c", "ab", "bc", "ac"])
def test_the_blank_lines_that_part_an_entry_from_others_go_with_it(head: str, gone: str) -> None:
    def written(names: str) -> str:
        entries = (f'[[known]]\ncheck = "{name}"\noutcome = "fail"\nreason = "r"\n' for name in names)
        return head + "\n".join(entries)

    file = KnownFile(written("abc"))
    for each in file.entries("known"):
        if each["check"] in gone:
            file.remove("known", each)
    assert file.text == written("".join(name for name in "abc" if name not in gone))


@pytest.mark.parametrize(
    "text", ["[[known]\n", '[[known]]\ncheck = "a"\ncheck = "b"\n', 'known = [{ check = "a" }]\n', "finding = 3\n"]
)
def test_a_text_that_cannot_be_edited_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="cannot be edited"):
        KnownFile(text)


def test_what_another_of_a_pair_is_to_blame_for_is_not_listed(recorded: Any) -> None:
    of_another, of_nobody = result(A, FAIL, role="pair", blamed="mcabber"), result(B, FAIL, role="pair")
    done, _ = mended(listing(), recorded(of_another, of_nobody, result(C, FAIL, role="pair", blamed="prosody")))
    assert sorted(done.added) == [B, C]
