"""Lists of what is known (`known.toml`): failures, findings, and a list that is laid over the subject's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.errors import UsageError
from lab.subjects import find
from lab.subjects.known import (
    Known,
    KnownFault,
    KnownFinding,
    entry_for,
    expectation_of_finding,
    known,
    known_faults,
    known_findings,
    listed,
    not_seen,
)
from lab.verdict import Expectation, Outcome
from tests.subject_folder import subject_folder

KNOWN = """
[[known]]
check = "rfc-6120/a"
outcome = "fail"
reason = "the parser is not restarted"
link = "https://mine.example/1"

[[known]]
check = "rfc-6120/b"
outcome = "crash"
reason = "a null byte"
versions = ["1.0"]
flaky = true
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return subject_folder(tmp_path)


def test_known_failures_are_those_of_the_version(folder: Path) -> None:
    (folder / "known.toml").write_text(KNOWN)
    first = Known("rfc-6120/a", "fail", "the parser is not restarted", link="https://mine.example/1")
    assert known(find(str(folder))) == (first,)
    assert known(find(f"{folder}:1.0")) == (
        first,
        Known("rfc-6120/b", "crash", "a null byte", versions=("1.0",), flaky=True),
    )


def test_without_a_list_nothing_is_known(folder: Path) -> None:
    assert known(find(str(folder))) == ()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('reason = "a null byte"', "", "known 2.reason is missing"),
        ('reason = "a null byte"', 'reason = " "', "known 2.reason is empty"),
        ('outcome = "crash"', 'outcome = "error"', "known 2.outcome is 'error'"),
        ('versions = ["1.0"]', 'versions = ["0.9"]', "known 2.versions names 0.9"),
        ("flaky = true", 'flaky = "often"', "known 2.flaky is no bool"),
        ("flaky = true", "flakey = true", "known 2.flakey is unknown"),
        ("rfc-6120/b", "rfc-6120/a", "rfc-6120/a is listed twice"),
        ("[[known]]", "[[unknown]]", "known.toml: unknown is unknown"),
    ],
)
def test_a_wrong_entry_is_refused_by_name(folder: Path, old: str, new: str, says: str) -> None:
    (folder / "known.toml").write_text(KNOWN.replace(old, new))
    with pytest.raises(UsageError) as caught:
        known(find(f"{folder}:1.0"))
    assert str(folder / "known.toml") in caught.value.message
    assert says in caught.value.message


# --- known.toml: findings

FINDINGS = """
[[finding]]
fingerprint = "answers-once by valid {urn:a}b in iq get to *"
reason = "answers twice"
link = "https://mine.example/2"

[[finding]]
fingerprint = "lives"
reason = "a null byte"
versions = ["1.0"]
flaky = true
"""
ANSWERS_TWICE = KnownFinding(
    "answers-once by valid {urn:a}b in iq get to *", "answers twice", link="https://mine.example/2"
)


def test_known_findings_are_those_of_the_version_and_stand_beside_failures(folder: Path) -> None:
    (folder / "known.toml").write_text(KNOWN + FINDINGS)
    assert known_findings(find(str(folder))) == (ANSWERS_TWICE,)
    assert known_findings(find(f"{folder}:1.0")) == (
        ANSWERS_TWICE,
        KnownFinding("lives", "a null byte", versions=("1.0",), flaky=True),
    )
    assert len(known(find(f"{folder}:1.0"))) == 2


def test_without_a_list_no_finding_is_known(folder: Path) -> None:
    assert known_findings(find(str(folder))) == ()
    (folder / "known.toml").write_text(KNOWN)
    assert known_findings(find(str(folder))) == ()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('fingerprint = "lives"', "", "finding 2.fingerprint is missing"),
        ('fingerprint = "lives"', 'fingerprint = "*"', "finding 2.fingerprint fits everything"),
        ('fingerprint = "lives"', 'fingerprint = ""', "finding 2.fingerprint fits everything"),
        ('fingerprint = "lives"', f'fingerprint = "{ANSWERS_TWICE.fingerprint}"', "is listed twice"),
        ('reason = "a null byte"', "", "finding 2.reason is missing"),
        ('reason = "a null byte"', 'reason = " "', "finding 2.reason is empty"),
        ('versions = ["1.0"]', 'versions = ["0.9"]', "finding 2.versions names 0.9"),
        ("flaky = true", 'flaky = "often"', "finding 2.flaky is no bool"),
        ("flaky = true", 'outcome = "fail"', "finding 2.outcome is unknown"),
    ],
)
def test_a_wrong_finding_is_refused_by_name(folder: Path, old: str, new: str, says: str) -> None:
    (folder / "known.toml").write_text(FINDINGS.replace(old, new))
    with pytest.raises(UsageError) as caught:
        known_findings(find(f"{folder}:1.0"))
    assert str(folder / "known.toml") in caught.value.message
    assert says in caught.value.message
    with pytest.raises(UsageError):
        known(find(f"{folder}:1.0"))


# --- known.toml: faults

FAULTS = """
[[fault]]
checks = "xep-0163/*"
seen = "<iq *>Database [failure]<*"
reason = "a transaction is given up"
link = "https://mine.example/3"

[[fault]]
checks = "rfc-*"
seen = "*<gone*"
reason = "it forgets"
versions = ["1.0"]
"""
GIVEN_UP = KnownFault(
    "xep-0163/*", "<iq *>Database [failure]<*", "a transaction is given up", link="https://mine.example/3"
)
FAILURE = "<iq type='error'>\n<text>Database [failure]</text></iq>"


def test_known_faults_are_those_of_the_version(folder: Path) -> None:
    (folder / "known.toml").write_text(KNOWN + FAULTS)
    assert known_faults(find(str(folder))) == (GIVEN_UP,)
    assert [fault.checks for fault in known_faults(find(f"{folder}:1.0"))] == ["xep-0163/*", "rfc-*"]
    own = folder / "own.toml"
    own.write_text('[[fault]]\nchecks = "*"\nseen = "*mine*"\nreason = "r"\n')
    subject = find(str(folder))
    assert [fault.reason for fault in listed(subject, subject.version, [own]).faults] == ["r", GIVEN_UP.reason]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('seen = "*<gone*"', "", "fault 2.seen is missing"),
        ('seen = "*<gone*"', 'seen = "*"', "fault 2.seen fits everything"),
        ('checks = "rfc-*"', "", "fault 2.checks is missing"),
        ('reason = "it forgets"', 'reason = ""', "fault 2.reason is empty"),
        ('reason = "it forgets"', 'reason = "r"\noutcome = "crash"', "fault 2.outcome is unknown"),
        ('checks = "rfc-*"\nseen = "*<gone*"', f'checks = "xep-0163/*"\nseen = "{GIVEN_UP.seen}"', "is listed twice"),
    ],
)
def test_a_wrong_fault_is_refused_by_name(folder: Path, old: str, new: str, says: str) -> None:
    (folder / "known.toml").write_text(FAULTS.replace(old, new))
    with pytest.raises(UsageError) as caught:
        known_faults(find(f"{folder}:1.0"))
    assert says in caught.value.message


def test_a_fault_is_known_by_what_is_seen_over_whichever_transport() -> None:
    assert GIVEN_UP.fits("xep-0163/a", Outcome.FAIL, FAILURE)
    assert GIVEN_UP.fits("rfc-7395/xep-0163/a", Outcome.FAIL, FAILURE)
    assert not GIVEN_UP.fits("xep-0060/a", Outcome.FAIL, FAILURE)
    assert not GIVEN_UP.fits("xep-0163/a", Outcome.FAIL, "<iq><text>Database f</text></iq>")
    assert not GIVEN_UP.fits("xep-0163/a", Outcome.CRASH, FAILURE), "who dies is not excused"


def test_a_check_that_is_listed_by_name_needs_no_fault() -> None:
    always, soft = Known("xep-0163/a", "fail", "always"), Known("xep-0163/b", "non-strict", "soft")
    names = {entry.check: entry for entry in (always, soft)}
    flaky = Known("xep-0163/b", "fail", GIVEN_UP.reason, link=GIVEN_UP.link, flaky=True)
    assert entry_for("xep-0163/a", Outcome.FAIL, names, seen=FAILURE, faults=[GIVEN_UP]) is always
    assert entry_for("xep-0163/b", Outcome.FAIL, names, seen=FAILURE, faults=[GIVEN_UP]) == flaky
    assert entry_for("xep-0163/b", Outcome.FAIL, names, seen="else", faults=[GIVEN_UP]) is soft
    assert entry_for("xep-0163/c", Outcome.PASS, names, seen="", faults=[GIVEN_UP]) is None


@pytest.mark.parametrize(
    ("fingerprint", "flaky", "expected"),
    [
        ("answers-once by valid {urn:a}b in iq get to server", False, (Expectation.KNOWN, "answers twice")),
        ("answers-once by valid {urn:a}b in iq set to server", False, (Expectation.UNEXPECTED, "")),
        ("answers-once by valid {urn:a}b in iq set to server", True, (Expectation.FLAKY, "")),
        ("answers-once by valid {urn:a}b in iq get to server", True, (Expectation.FLAKY, "answers twice")),
        ("lives", False, (Expectation.FLAKY, "sometimes")),
        ("logs-no-crash=Traceback[c2s]: a.lua:7: *what?", False, (Expectation.KNOWN, "as it stands")),
        ("logs-no-crash=Traceback[c2s]: b.lua:9: *what?", False, (Expectation.KNOWN, "as it stands")),
        ("logs-no-crash=Tracebackc: a.lua:7: *what?", False, (Expectation.UNEXPECTED, "")),
        ("Lives", False, (Expectation.UNEXPECTED, "")),
    ],
)
def test_what_the_list_makes_of_a_finding(
    fingerprint: str, expected: tuple[Expectation, str], *, flaky: bool
) -> None:
    listed = (
        ANSWERS_TWICE,
        KnownFinding("lives", "sometimes", flaky=True),
        KnownFinding("logs-no-crash=Traceback[c2s]: ?.lua:*: *what?", "as it stands"),
    )
    assert expectation_of_finding(fingerprint, listed, flaky=flaky) == expected


def test_listed_findings_that_did_not_show_are_named() -> None:
    listed = (ANSWERS_TWICE, KnownFinding("lives", "sometimes"))
    assert not_seen(listed, ["answers-once by valid {urn:a}b in iq get to server"]) == ("lives",)
    assert not_seen(listed, []) == (ANSWERS_TWICE.fingerprint, "lives")


# --- a list of one's own

OVER = """
[[known]]
check = "rfc-6120/new"
outcome = "fail"
reason = "mine"

[[known]]
check = "CHECK"
outcome = "pass"
reason = "mended in my branch"

[[finding]]
fingerprint = "lives by *"
reason = "mine"
"""


def test_a_list_is_laid_over_the_subjects_own(tmp_path: Path) -> None:
    prosody = find("prosody")
    own = known(prosody)
    file = tmp_path / "known.toml"
    file.write_text(OVER.replace("CHECK", own[0].check), encoding="utf-8")
    found = listed(prosody, prosody.version, [file])
    names = {entry.check: entry.reason for entry in found.failures}
    assert own[0].check not in names
    assert names["rfc-6120/new"] == "mine"
    assert len(names) == len(own)
    assert found.findings[0].fingerprint == "lives by *"
    assert len(found.findings) == len(known_findings(prosody)) + 1
    assert listed(prosody, prosody.version).failures == own
    second = tmp_path / "second.toml"
    second.write_text(OVER.replace('"mine"', '"again"').replace("CHECK", "rfc-6120/new-2"), encoding="utf-8")
    assert listed(None, "7", [file, second]).failures[0].reason == "again"


def test_only_a_list_that_is_laid_over_another_takes_entries_back(folder: Path) -> None:
    entry = '[[known]]\ncheck = "rfc-6120/a"\noutcome = "pass"\nreason = "r"\n'
    (folder / "known.toml").write_text(entry, encoding="utf-8")
    with pytest.raises(UsageError, match="outcome is 'pass'"):
        known(find(str(folder)))
    assert listed(None, "", [folder / "known.toml"]).failures == ()


@pytest.mark.parametrize(("text", "said"), [(None, "cannot read"), ("x = 1", "is unknown"), ("[[", "is not TOML")])
def test_a_list_that_cannot_be_read_is_said(tmp_path: Path, text: str | None, said: str) -> None:
    file = tmp_path / "known.toml"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=said):
        listed(None, "", [file])


def test_what_is_known_over_tcp_is_known_over_other_transports_that_fail_alike() -> None:
    entry = Known("xep-0030/a", "fail", "because")
    other = Known("rfc-7395/xep-0030/b", "fail", "because of WebSocket")
    listed = {e.check: e for e in (entry, other)}
    assert entry_for("rfc-7395/xep-0030/a", Outcome.FAIL, listed) is entry
    assert entry_for("rfc-7395/xep-0030/b", Outcome.FAIL, listed) is other
    assert entry_for("rfc-7395/xep-0030/a", Outcome.CRASH, listed) is None
    assert entry_for("rfc-7395/xep-0030/a", Outcome.PASS, listed) is None, "it needs no mending: nobody listed it"
    assert entry_for("xep-0030/a", Outcome.PASS, listed) is entry
    assert entry_for("xep-0030/a/over-s2s", Outcome.FAIL, listed) is entry
