"""From a record to rows: only what the run was about, and nothing green that was not tried."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from lab import record as records
from lab import report
from lab.errors import UsageError
from lab.record import Exit, Record
from lab.report import summary
from lab.report.judgement import Claim, Tally, judge
from lab.robustness import CampaignFacts, Robust, Robustness
from lab.rows import RowOutcome
from lab.verdict import Expectation, Outcome
from schemas.suites import Level
from tests.report import building


def test_rows_by_their_checks(record: Record) -> None:
    rows = {r.row.id: r.outcome[Level.CORE] for r in judge(record).rows}
    assert rows == {
        "core/core-features": RowOutcome.FAIL,
        "core/tls": RowOutcome.ERROR,
        "core/feature-discovery": RowOutcome.NON_STRICT,
        "core/feature-broadcasts": RowOutcome.UNSUPPORTED,
        "core/server-extensibility": RowOutcome.NOT_TESTED,
        "core/event-publishing": RowOutcome.FAIL,
    }


def test_rows_met_are_counted_by_level(record: Record) -> None:
    judgement = judge(record)
    assert judgement.tally(Level.CORE) == Tally(1, 4)
    assert judgement.tally(Level.ADVANCED) == Tally(1, 6)


def test_a_row_tried_in_part_is_not_met(tmp_path: Path) -> None:
    results = (building.result("xep-0030/info-is-answered"),)
    judgement = judge(building.record(tmp_path / "run.ndjson", results))
    (row,) = judgement.rows
    assert row.outcome[Level.CORE] is RowOutcome.PASS
    assert row.partial
    assert judgement.tally(Level.CORE) == Tally(0, 1)


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        (("core",), 7),
        (("core/tls",), 1),
        (("core/tls", "web/web-connection-mechanisms"), 2),
    ],
)
def test_rows_that_were_asked_for_are_shown_though_nothing_was_run(
    tmp_path: Path, asked: tuple[str, ...], shown: int
) -> None:
    judgement = judge(building.record(tmp_path / "run.ndjson", (), rows=asked))
    assert len(judgement.rows) == shown
    assert {r.outcome[Level.CORE] for r in judgement.rows} == {RowOutcome.NOT_TESTED}


def test_claims(record: Record) -> None:
    judgement = judge(record)
    claims = {r.row.id: judgement.claim(r) for r in judgement.rows}
    assert claims["core/feature-discovery"] is Claim.YES
    assert claims["core/feature-broadcasts"] is Claim.NO
    assert claims["core/tls"] is Claim.UNKNOWN


def test_a_row_of_two_providers_may_be_claimed_in_part(tmp_path: Path) -> None:
    advertised = {"XEP-0398": ["account urn:xmpp:pep-vcard-conversion:0"], "XEP-0153": []}
    asked = ("im/user-avatar-compatibility",)
    judgement = judge(building.record(tmp_path / "run.ndjson", (), rows=asked, advertised=advertised))
    assert [judgement.claim(row) for row in judgement.rows] == [Claim.PARTLY]


def test_groups(record: Record) -> None:
    judgement = judge(record)
    assert [r.check.name for r in judgement.failures][-2:] == ["rfc-6120/spoofed-from-is-refused", "xep-0163/notify"]
    assert {r.check.name for r in judgement.unexpected} == {
        "rfc-6120/dtd-is-refused",
        "rfc-7590/old-tls",
        "xep-0163/huge-item",
        "xep-0030/items-of-unknown-node",
    }
    assert judgement.counts == {o: 4 if o is Outcome.PASS else 3 if o is Outcome.FAIL else 1 for o in Outcome}
    assert set(judgement.impossible) == {"the cell has no place for a component"}
    assert len(judgement.of(Expectation.FLAKY)) == 1


def test_checks_are_read_in_the_order_of_the_specification(tmp_path: Path) -> None:
    sections = {"b": "4.10", "a": "4.9.3", "c": "4.9"}
    results = tuple(building.result(f"rfc-6120/{name}", section=section) for name, section in sections.items())
    judgement = judge(building.record(tmp_path / "run.ndjson", results))
    assert [r.check.requirement.sections[0] for r in judgement.results] == ["4.9", "4.9.3", "4.10"]


def test_an_unknown_suite(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        judge(building.record(tmp_path / "run.ndjson", suite="CS1999"))
    assert "CS2021" in caught.value.hint


def test_an_unknown_check_brings_the_nearest_names(record: Record) -> None:
    with pytest.raises(UsageError) as caught:
        judge(record).find("xep-0030/info-is-answerd")
    assert "xep-0030/info-is-answered" in caught.value.hint


def test_a_check_that_the_run_did_not_reach(tmp_path: Path) -> None:
    record = building.record(
        tmp_path / "run.ndjson", finished=False, selected=("xep-0030/info-is-answered", "xep-0030/late")
    )
    with pytest.raises(UsageError, match="the run ended before"):
        judge(record).find("xep-0030/late")


def test_mismatches_with_schemas_are_of_one_kind_whatever_the_value(tmp_path: Path) -> None:
    other = replace(building.mismatch(), message="Element 'x': 'it's' is not a valid value of the atomic type 't'.")
    results = (
        building.result("xep-0030/a", strictness=(building.mismatch("it's", count=2), other)),
        building.result("xep-0030/b", strictness=(building.mismatch("b"), building.mismatch("c"))),
    )
    first, second = judge(building.record(tmp_path / "run.ndjson", results)).strictness
    assert "The value … is not an element of the set" in first.message
    assert (first.stanzas, first.checks) == (4, ("xep-0030/a", "xep-0030/b"))
    assert second.message == "Element 'x': … is not a valid value of the atomic type 't'."
    assert judge(building.record(tmp_path / "run.ndjson", results)).counts == {Outcome.PASS: 2}


# --- robustness


def _robust(tmp_path: Path, **more: object) -> dict[str, Robust]:
    judgement = judge(building.record(tmp_path / "run.ndjson", **(building.FUZZED | more)))
    return {row.row.id: judgement.robust(row).outcome for row in judgement.rows}


def test_a_row_is_as_robust_as_the_worst_of_its_providers(tmp_path: Path) -> None:
    assert _robust(tmp_path) == {
        "core/core-features": Robust.PASS,
        "core/tls": Robust.NOT_TESTED,
        "core/direct-tls": Robust.NOT_TESTED,
        "core/feature-discovery": Robust.FAIL,
        "core/feature-broadcasts": Robust.FLAKY,
        "core/server-extensibility": Robust.NOT_TESTED,
        "core/event-publishing": Robust.FAIL,  # its finding is listed: it is there all the same
    }


@pytest.mark.parametrize(
    ("first", "second", "both"),
    [
        (Robust.PASS, Robust.FAIL, Robust.FAIL),
        (Robust.FLAKY, Robust.FAIL, Robust.FAIL),
        (Robust.FLAKY, Robust.PASS, Robust.FLAKY),
        (Robust.PASS, Robust.NOT_TESTED, Robust.PASS),
        (Robust.NOT_TESTED, Robust.NOT_TESTED, Robust.NOT_TESTED),
    ],
)
def test_robustness_of_two_providers(tmp_path: Path, first: Robust, second: Robust, both: Robust) -> None:
    robustness = (
        Robustness("XEP-0398", first, valid=1, malformed=2, reason="why" if first is Robust.NOT_TESTED else ""),
        Robustness("XEP-0153", second, valid=10),
    )
    asked = ("im/user-avatar-compatibility",)
    judgement = judge(building.record(tmp_path / "run.ndjson", (), rows=asked, robustness=robustness))
    (row,) = (judgement.robust(row) for row in judgement.rows)
    assert (row.outcome, row.valid, row.malformed, row.stanzas) == (both, 11, 2, 13)
    untried = {one.provider: one.reason for one in robustness if one.outcome is Robust.NOT_TESTED}
    assert dict(row.reasons) == untried


def test_robustness_never_changes_the_conformance_of_a_row(tmp_path: Path, record: Record) -> None:
    fuzzed = judge(building.record(tmp_path / "fuzzed.ndjson", **building.FUZZED))
    before = {row.row.id: row.outcome for row in judge(record).rows}
    assert before.items() <= {row.row.id: row.outcome for row in fuzzed.rows}.items()
    assert judge(record).counts == fuzzed.counts


def test_a_record_that_ends_before_its_rows_are_told_still_fails_them(tmp_path: Path) -> None:
    more: dict[str, object] = {"robustness": (), "campaign": None, "finished": False}
    robust = _robust(tmp_path, **more)
    assert robust["core/feature-discovery"] is Robust.FAIL
    assert robust["core/feature-broadcasts"] is Robust.FLAKY
    assert robust["core/core-features"] is Robust.NOT_TESTED


def test_findings_on_no_list_come_first_and_turn_the_run_red(tmp_path: Path) -> None:
    good = (building.result("xep-0030/info-is-answered"),)
    judgement = judge(building.record(tmp_path / "run.ndjson", good, **building.FUZZED))
    assert judgement.findings == (building.NEW, building.LISTED, building.FLAKY)
    assert judgement.unexpected_findings == (building.NEW,)
    assert judgement.red
    assert judgement.whole


@pytest.mark.parametrize(
    ("campaign", "red", "whole"),
    [
        (building.CAMPAIGN, False, True),
        (replace(building.CAMPAIGN, memory="256 MB, at most 128"), True, True),
        (replace(building.CAMPAIGN, exits=1), True, True),
        (replace(building.CAMPAIGN, stopped="no session can be opened"), False, False),
        (CampaignFacts(1, 0.0, 0, 0.0), False, False),
    ],
)
def test_listed_and_flaky_findings_do_not(tmp_path: Path, campaign: CampaignFacts, *, red: bool, whole: bool) -> None:
    findings = (building.LISTED, building.FLAKY)
    judgement = judge(building.record(tmp_path / "run.ndjson", (), findings=findings, campaign=campaign))
    assert (judgement.red, judgement.whole) == (red, whole)


@pytest.mark.parametrize(("outcome", "exited"), [(Outcome.PASS, True), (Outcome.CRASH, False)])
def test_an_exit_that_no_check_tells_of_turns_the_run_red(tmp_path: Path, outcome: Outcome, *, exited: bool) -> None:
    results = (building.result("xep-0030/info-is-answered", outcome, Expectation.EXPECTED),)
    record = building.record(tmp_path / "run.ndjson", results, exits=(Exit(1.0, "signal 11", restarted=True),))
    assert judge(record).exited is exited
    assert judge(record).red is exited


def test_a_campaign_alone_shows_the_rows_that_were_fuzzed(tmp_path: Path) -> None:
    judgement = judge(building.record(tmp_path / "run.ndjson", (), **building.FUZZED))
    assert judgement.only_fuzzed
    assert {row.row.id for row in judgement.rows} == {
        "core/core-features",
        "core/tls",
        "core/direct-tls",
        "core/feature-discovery",
        "core/feature-broadcasts",
        "core/event-publishing",
    }
    assert {row.outcome[Level.CORE] for row in judgement.rows} == {RowOutcome.NOT_TESTED}
    assert judgement.not_fuzzed == {"Its subject is TLS, which no stanza touches.": ("RFC 7590", "XEP-0368")}


@pytest.mark.parametrize(
    "name",
    [
        building.FLAKY.name,
        building.FLAKY.fingerprint,
        f"robustness/{building.FLAKY.name}",
        "answers-the",
        "robustness/answers-the-s",
    ],
)
def test_a_finding_is_found_by_name_by_its_beginning_and_by_fingerprint(tmp_path: Path, name: str) -> None:
    judgement = judge(building.record(tmp_path / "run.ndjson", **building.FUZZED))
    assert judgement.find(name) == building.FLAKY


@pytest.mark.parametrize(
    ("name", "says", "hint"),
    [
        ("answers-", "more than one finding that begins with", building.NEW.name),
        ("", "no check and no finding", "the report lists"),
        ("robustness/", "no check and no finding", ""),
        (building.FLAKY.name.replace("stanzas", "stanza"), "no check and no finding", building.FLAKY.name),
    ],
)
def test_a_finding_that_is_not_there(tmp_path: Path, name: str, says: str, hint: str) -> None:
    judgement = judge(building.record(tmp_path / "run.ndjson", **building.FUZZED))
    with pytest.raises(UsageError) as caught:
        judgement.find(name)
    assert says in caught.value.message
    assert hint in caught.value.hint


def test_two_servers_with_each_other_have_no_rows(tmp_path: Path) -> None:
    other = {"name": "ejabberd", "title": "ejabberd", "version": "24.12", "role": "server"}
    results = (
        building.result("rfc-6121/text-crosses/forth", Outcome.FAIL, role="federation", blamed="ejabberd"),
        building.result("rfc-6121/text-crosses/back", Outcome.PASS, role="federation"),
    )
    path = building.write(tmp_path / "run.ndjson", results, role="federation", peers=(other,))
    judgement = judge(records.read(path))
    assert judgement.rows == ()
    assert judgement.subject.endswith(" with ejabberd 24.12")
    written = report.write_all(path, tmp_path)
    assert "ejabberd" in written.html.read_text("utf-8")
    for schema, lines in ((summary.SCHEMA, [written.summary.read_text("utf-8")]), (records.SCHEMA, _lines(path))):
        for line in lines:
            jsonschema.validate(json.loads(line), json.loads(schema.read_text("utf-8")))


def _lines(path: Path) -> list[str]:
    return path.read_text("utf-8").splitlines()


def test_the_page_of_a_pair_has_no_rows(tmp_path: Path) -> None:
    # The suites' rows are of one side.
    results = (building.result("rfc-6121/text-arrives-unchanged", Outcome.PASS, role="pair"),)
    path = building.write(tmp_path / "run.ndjson", results, role="pair")
    page = report.write_all(path, tmp_path).html.read_text("utf-8")
    assert 'id="rows"' not in page
    assert 'id="checks"' in page


TOLD = (
    building.result("xep-0030/info-is-answered"),
    building.mentioned("xep-0077/conflict-is-told", Outcome.FAIL),
    building.mentioned("xep-0077/fields-are-told", Outcome.PASS),
    building.mentioned("xep-0157/addresses-are-uris", Outcome.PASS, Expectation.FIXED),
)
"""A green run, with a failure in what the suite only mentions, and one that is listed and passes."""
MENTIONED = {"XEP-0030": 1, "XEP-0077": 2, "XEP-0157": 1}


def test_what_is_informational_has_rows_of_its_own(tmp_path: Path) -> None:
    judgement = judge(building.record(tmp_path / "run.ndjson", TOLD, known_checks=MENTIONED))
    assert [row.row.id for row in judgement.rows] == ["core/feature-discovery"]
    rows = {row.row.id: row.outcome[Level.CORE] for row in judgement.informational}
    assert rows == {"informational/xep-0077": RowOutcome.FAIL, "informational/xep-0157": RowOutcome.PASS}
    assert [(category.id, len(rows)) for category, rows in judgement.parts] == [("core", 1), ("informational", 2)]
    assert judgement.tally(Level.ADVANCED) == Tally(1, 1)


def test_what_is_informational_turns_no_run_red(tmp_path: Path) -> None:
    judgement = judge(building.record(tmp_path / "run.ndjson", TOLD, known_checks=MENTIONED))
    assert not judgement.red
    assert judgement.unexpected == ()
    assert [r.check.name for r in judgement.told] == ["xep-0077/conflict-is-told"]
    assert [r.check.name for r in judgement.failures] == ["xep-0077/conflict-is-told"]


@pytest.mark.parametrize("outcome", [Outcome.CRASH, Outcome.ERROR])
def test_a_crash_and_an_error_of_the_lab_count_wherever_they_come(tmp_path: Path, outcome: Outcome) -> None:
    results = (*TOLD, building.mentioned("xep-0157/form-is-there", outcome))
    judgement = judge(building.record(tmp_path / "run.ndjson", results, known_checks=MENTIONED))
    assert judgement.red
    assert [r.check.name for r in judgement.unexpected] == ["xep-0157/form-is-there"]


def test_only_what_has_checks_of_the_role_is_shown_as_informational(tmp_path: Path) -> None:
    asked = ("informational",)
    judgement = judge(building.record(tmp_path / "run.ndjson", (), rows=asked, known_checks={"XEP-0077": 2}))
    assert [row.row.id for row in judgement.informational] == ["informational/xep-0077"]
    assert judgement.rows == ()
