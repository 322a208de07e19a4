"""`junit.xml` and `summary.json`: red where the run is red, and well-formed whatever a subject sent."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from lxml import etree

from lab import report
from lab.errors import MachineError, UsageError
from lab.report import summary
from lab.robustness import CampaignFacts
from lab.verdict import Outcome
from tests.report import building

SCHEMA = json.loads(summary.SCHEMA.read_text("utf-8"))


def _written(tmp_path: Path, *args: object, **more: object) -> report.Written:
    path = building.record(tmp_path / "run.ndjson", *args, **more).path  # type: ignore[arg-type]
    return report.write_all(path, tmp_path / "out")


def _cases(written: report.Written) -> dict[str, str]:
    root = etree.parse(written.junit).getroot()
    return {str(c.get("name")): next((e.tag for e in c if e.tag != "properties"), "") for c in root.iter("testcase")}


def test_junit_is_red_where_the_run_is_red(tmp_path: Path) -> None:
    assert _cases(_written(tmp_path)) == {
        "the run finished": "",
        "rfc-6120/header-is-answered": "",
        "rfc-6120/unknown-iq-is-answered": "",
        "rfc-6120/dtd-is-refused": "failure",
        "rfc-6120/spoofed-from-is-refused": "skipped",
        "xep-0030/node-is-mirrored": "",
        "xep-0030/items-of-unknown-node": "failure",
        "xep-0030/info-is-answered": "",
        "xep-0115/caps-in-features": "skipped",
        "xep-0114/wrong-secret": "skipped",
        "xep-0163/huge-item": "failure",
        "xep-0163/notify": "skipped",
        "rfc-7590/old-tls": "error",
    }


def test_junit_counts_by_provider(tmp_path: Path) -> None:
    root = etree.parse(_written(tmp_path).junit).getroot()
    assert [s.get("name") for s in root] == [
        "stanzalab", "RFC 6120", "RFC 7590", "XEP-0030", "XEP-0115", "XEP-0114", "XEP-0163"
    ]  # fmt: skip
    assert [root.get(k) for k in ("tests", "failures", "errors", "skipped")] == ["13", "3", "1", "4"]
    (failure,) = root.findall("testsuite[@name='RFC 6120']/testcase[@name='rfc-6120/dtd-is-refused']/failure")
    assert "replay: make lab SERVER=prosody CHECK=rfc-6120/dtd-is-refused" in str(failure.text)
    properties = {p.get("name"): p.get("value") for p in root.findall("testsuite[1]/properties/property")}
    assert properties["subject.package"] == "prosody 13.0.1-1+deb13u1"


def test_an_unfinished_run_is_an_error_in_junit(tmp_path: Path) -> None:
    written = _written(
        tmp_path, (building.result("xep-0030/a"),), finished=False, selected=("xep-0030/a", "xep-0030/b")
    )
    assert _cases(written) == {"the run finished": "error", "xep-0030/b": "error", "xep-0030/a": ""}


def test_whatever_a_subject_sent_is_xml_and_json(tmp_path: Path) -> None:
    results = (
        building.result("rfc-6120/a", Outcome.FAIL, seen=building.HOSTILE, expected=building.HOSTILE),
        building.result("rfc-6120/b", Outcome.ERROR, reason="\ud800" + "x" * 1_000_000),
    )
    written = _written(tmp_path, results, subject={"name": building.HOSTILE})
    assert _cases(written)["rfc-6120/a"] == "failure"
    assert "⟨U+202E⟩" in written.junit.read_text("utf-8")
    data = json.loads(written.summary.read_bytes().decode("utf-8"))
    assert "<script>" in data["failures"][0]["seen"]
    assert all(path.stat().st_size < 300_000 for path in (written.html, written.junit, written.summary))


@pytest.mark.parametrize("finished", [True, False])
def test_the_summary_is_valid(tmp_path: Path, *, finished: bool) -> None:
    data = json.loads(_written(tmp_path, finished=finished).summary.read_text("utf-8"))
    Draft202012Validator.check_schema(SCHEMA)
    Draft202012Validator(SCHEMA).validate(data)
    assert (data["finished"] is not None) is finished
    assert data["counts"]["pass"] == 4
    assert (data["flaky"]["passed"], data["flaky"]["failed"]) == (0, 1)
    assert [c["name"] for c in data["flaky"]["checks"]] == ["xep-0163/notify"]
    assert data["levels"] == {"core": {"met": 1, "required": 4}, "advanced": {"met": 1, "required": 6}}
    assert {f["name"] for f in data["failures"]} >= {"rfc-6120/dtd-is-refused", "rfc-7590/old-tls"}
    rows = {row["id"]: row for row in data["rows"]}
    assert rows["core/server-extensibility"]["outcome"] == {"core": "not tested", "advanced": "not tested"}
    assert rows["core/event-publishing"]["providers"][0]["by"] == "mod_pep"
    assert rows["core/feature-broadcasts"]["advertised"] is False
    (strict,) = data["strictness"]
    assert (strict["stanzas"], strict["checks"]) == (3, ["xep-0030/info-is-answered"])


def test_reports_are_made_of_a_damaged_record(tmp_path: Path) -> None:
    path = building.write(tmp_path / "run.ndjson", building.every_kind(), finished=False)
    with path.open("ab") as file:
        file.write(b'[]\n{"event": "check"}\n{"event": "\xff"}\nnonsense')
    data = json.loads(report.write_all(path, tmp_path).summary.read_text("utf-8"))
    assert len(data["damage"]) == 4
    assert len(data["failures"]) == 5


def test_no_record(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        report.write_all(tmp_path / "none.ndjson", tmp_path)


def test_reports_that_cannot_be_written(tmp_path: Path) -> None:
    path = building.write(tmp_path / "run.ndjson", ())
    (tmp_path / "out").write_text("a file, where a folder is asked for")
    with pytest.raises(MachineError, match="cannot write the reports"):
        report.write_all(path, tmp_path / "out")


# --- robustness

SUMMARY = Draft202012Validator(SCHEMA)


def test_findings_are_cases_of_their_own_in_junit(tmp_path: Path) -> None:
    written = _written(tmp_path, (building.result("xep-0030/a"),), **building.FUZZED)
    assert _cases(written) == {
        "the run finished": "",
        "xep-0030/a": "",
        "robustness/campaign": "",
        f"robustness/{building.NEW.name}": "failure",
        f"robustness/{building.LISTED.name}": "skipped",
        f"robustness/{building.FLAKY.name}": "skipped",
    }
    root = etree.parse(written.junit).getroot()
    assert [root.get(k) for k in ("tests", "failures", "errors", "skipped")] == ["6", "1", "0", "2"]
    (failure,) = root.iter("failure")
    assert "sent: <iq type='get' id='f1'" in str(failure.text)
    assert f"replay: stanzalab replay {building.NEW.name}" in str(failure.text)
    known, flaky = root.iter("skipped")
    assert known.get("message") == f"known: {building.LISTED.known_reason}"
    assert flaky.get("message") == f"flaky: {building.FLAKY.seen}"
    suite = root.find("testsuite[@name='robustness']")
    assert suite is not None
    properties = {p.get("name"): p.get("value") for p in suite.findall("properties/property")}
    assert (properties["sent"], properties["seed"]) == ("31204", "2021")


@pytest.mark.parametrize(
    ("campaign", "tag"),
    [
        (replace(building.CAMPAIGN, stopped="the subject is gone"), "error"),
        (replace(building.CAMPAIGN, memory="256 MB"), "failure"),
        (None, "error"),
    ],
)
def test_a_campaign_that_did_not_go_well_is_a_case_that_says_so(
    tmp_path: Path, campaign: CampaignFacts | None, tag: str
) -> None:
    written = _written(tmp_path, (), findings=(building.LISTED,), campaign=campaign)
    assert _cases(written)["robustness/campaign"] == tag


def test_the_summary_of_a_campaign_is_valid(tmp_path: Path) -> None:
    data = json.loads(_written(tmp_path, **building.FUZZED).summary.read_text("utf-8"))
    SUMMARY.validate(data)
    assert data["robustness"]["campaign"]["sent"] == 31_204
    assert data["robustness"]["unexpected"] == 1
    assert [p["provider"] for p in data["robustness"]["providers"]] == [r.provider for r in building.ROBUSTNESS]
    assert [f["name"] for f in data["findings"]] == [
        building.NEW.name, building.LISTED.name, building.FLAKY.name
    ]  # fmt: skip
    assert data["findings"][1]["became"] == building.LISTED.became
    rows = {row["id"]: row["robustness"] for row in data["rows"]}
    assert rows["core/feature-discovery"] == {
        "outcome": "fail",
        "valid": 9_000,
        "malformed": 6_000,
        "findings": [building.NEW.name],
        "reasons": [],
    }
    assert rows["core/tls"]["reasons"] == [
        {"provider": "RFC 7590", "reason": "Its subject is TLS, which no stanza touches."}
    ]


def test_the_summary_without_a_campaign_or_of_half_a_campaign_is_valid(tmp_path: Path) -> None:
    without = json.loads(_written(tmp_path).summary.read_text("utf-8"))
    half = json.loads(_written(tmp_path, findings=(building.NEW,), finished=False).summary.read_text("utf-8"))
    for data in (without, half):
        SUMMARY.validate(data)
    assert without["robustness"] is None
    assert without["findings"] == []
    assert {row["robustness"] for row in without["rows"]} == {None}
    assert half["robustness"]["campaign"] is None
    assert {row["robustness"]["outcome"] for row in half["rows"]} == {"fail", "not tested"}


def test_whatever_fuzzing_sends_is_xml_and_json(tmp_path: Path) -> None:
    hostile = building.found(
        f"lives by {building.HOSTILE}",
        sent=building.HOSTILE + "x" * 1_000_000,
        seen=building.HOSTILE,
        was=building.HOSTILE,
        became=building.HOSTILE * 1_000,
        operator=building.HOSTILE,
        replay=building.HOSTILE,
    )
    campaign = replace(building.CAMPAIGN, memory=building.HOSTILE, replay=building.HOSTILE)
    written = _written(tmp_path, (), findings=(hostile,), campaign=campaign)
    assert _cases(written)[f"robustness/{hostile.name}"] == "failure"
    data = json.loads(written.summary.read_bytes().decode("utf-8"))
    SUMMARY.validate(data)
    assert "<script>" in data["findings"][0]["sent"]
    assert all(path.stat().st_size < 300_000 for path in (written.html, written.junit, written.summary))


def test_what_is_informational_is_skipped_and_a_part_of_its_own(tmp_path: Path) -> None:
    results = (building.result("xep-0030/a"), building.mentioned("xep-0077/b", Outcome.FAIL))
    written = _written(tmp_path, results, known_checks={"XEP-0030": 1, "XEP-0077": 1})
    assert _cases(written) == {"the run finished": "", "xep-0030/a": "", "xep-0077/b": "skipped"}
    data = json.loads(written.summary.read_bytes())
    Draft202012Validator(SCHEMA).validate(data)
    assert [row["id"] for row in data["rows"]] == ["core/feature-discovery"]
    (row,) = data["informational"]
    assert (row["id"], row["outcome"]["core"]) == ("informational/xep-0077", "fail")
    assert data["failures"][0]["informational"] is True


def test_a_crash_in_what_is_informational_is_red_in_junit(tmp_path: Path) -> None:
    cases = _cases(_written(tmp_path, (building.mentioned("xep-0077/b", Outcome.CRASH),)))
    assert cases == {"the run finished": "", "xep-0077/b": "failure"}
