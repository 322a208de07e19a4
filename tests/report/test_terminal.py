"""The report on a terminal of 80 columns, without colour."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from lab import report
from lab.errors import UsageError
from lab.record import CheckResult, Exit, Record
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


# --- robustness


def _fuzzed(tmp_path: Path, results: tuple[CheckResult, ...] | None = None, **more: object) -> Record:
    return building.record(tmp_path / "run.ndjson", results, **(building.FUZZED | more))


@pytest.mark.parametrize(
    ("row", "parts", "below"),
    [
        ("Core features", ["✗ fail", "2/4", "✓ pass"], "1,234 sent"),
        ("TLS", ["! error", "0/1", "· not tested"], ""),
        ("Feature discovery", ["~ non-strict", "2/3", "✗ fail"], "1 finding"),
        ("Feature broadcasts", ["○ unsupported", "0/1", "≈ flaky"], "1 finding"),
    ],
)
def test_a_row_shows_its_robustness_beside_its_conformance(
    tmp_path: Path, row: str, parts: list[str], below: str
) -> None:
    lines = _printed(_fuzzed(tmp_path))
    assert all(len(line) <= 80 for line in lines if "replay" not in line)
    (number,) = (n for n, line in enumerate(lines) if line.startswith(row))
    cells = " ".join(lines[number].split())
    assert cells.endswith(" ".join(parts))
    (head,) = (line for line in lines if "claimed" in line)
    place = head.index("robust")
    assert lines[number][place:].rstrip() == parts[-1]
    assert lines[number + 1][place:].rstrip() == below


def test_without_a_campaign_nothing_is_said_of_robustness(record: Record) -> None:
    page = _flat(_printed(record))
    assert not [word for word in ("robust", "Campaign", "Findings", "findings") if word in page]


def test_findings_come_behind_failures_with_their_evidence(tmp_path: Path) -> None:
    page = _flat(_printed(_fuzzed(tmp_path)))
    places = [
        page.index(part)
        for part in (
            "Failures (5",
            "Findings (3, 1 of them listed)",
            f"✗ finding {building.NEW.fingerprint} RFC 6120 §8.2.3 answers-each-iq: A request is answered",
            f"✗ finding {building.LISTED.fingerprint} (known)",
            "wrong attribute-renamed at vCard/@xmlns: was xmlns='vcard-temp', became xmlns='vcard-temp'⟨U+200B⟩",
            "seen <iq type='error' id='f2'>",
            "shown 3 of 3 times on fresh sessions, with XEP-0163, malformed, made as small as may be",
            "listed https://issues.example/77",
            f"replay stanzalab replay {building.LISTED.name} --server prosody:13.0",
            "≈ flaky answers-the-sentinel by a sequence of stanzas RFC 6120",
            "shown 1 of 3 times on fresh sessions, with XEP-0115, valid",
            "Campaign: 31,204 stanzas in 1 min 00 s, 612 a second; seed 2021; memory 45.0 MB, at most 61.5 MB;",
            "2 symptoms unconfirmed; 5 stanzas like those of findings not sent replay stanzalab fuzz",
            "Not strict",
            "Listed findings, not seen this time: 1 lives by *",
            "Not fuzzed: 1 RFC 7590, XEP-0368: Its subject is TLS",
        )
    ]
    assert places == sorted(places)
    assert (
        "sent <iq type='get' id='f1' to='lab.example'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>"
        in page
    )


@pytest.mark.parametrize(
    ("more", "last"),
    [
        ({}, "3 findings, 1 unexpected"),
        ({"findings": (building.LISTED,)}, "1 finding; all as expected"),
        ({"findings": ()}, "no findings; all as expected"),
        ({"findings": (), "campaign": replace(building.CAMPAIGN, stopped="gone")}, "no findings; not all was run"),
        ({"findings": (), "campaign": replace(building.CAMPAIGN, memory="256 MB")}, "no findings; too much memory"),
        ({"findings": (), "campaign": replace(building.CAMPAIGN, exits=1)}, "no findings; the subject exited"),
    ],
)
def test_the_total_has_the_findings(tmp_path: Path, more: dict[str, object], last: str) -> None:
    page = _flat(_printed(_fuzzed(tmp_path, (building.result("xep-0030/a"),), **more)))
    assert page.endswith(f"rows met 1 check and 31,204 stanzas in 12.3 s: 1 pass; {last}")


def test_a_campaign_that_was_stopped_says_why(tmp_path: Path) -> None:
    campaign = replace(building.CAMPAIGN, stopped="no session can be opened any more", memory="256 MB, at most 128")
    page = _flat(_printed(_fuzzed(tmp_path, campaign=campaign)))
    assert "memory: 256 MB, at most 128 stopped: no session can be opened any more" in page


def test_a_campaign_alone_is_reported_without_checks(tmp_path: Path) -> None:
    lines = _printed(_fuzzed(tmp_path, ()))
    page = _flat(lines)
    assert not [word for word in ("passed", "required rows", "nothing was run", "checks") if word in page]
    assert lines[-1] == "31,204 stanzas in 12.3 s; 3 findings, 1 unexpected"
    (line,) = (line for line in lines if line.startswith("Feature discovery"))
    assert line.split("  ")[0] == "Feature discovery"
    assert "· not tested" in line
    assert line.rstrip().endswith("✗ fail")


def test_a_campaign_that_was_interrupted_says_so_loudly(tmp_path: Path) -> None:
    page = _flat(_printed(_fuzzed(tmp_path, (), finished=False, campaign=None, robustness=())))
    assert page.count("THE RUN DID NOT FINISH: the campaign was interrupted; what was found by then is here.") == 2
    assert page.endswith("a campaign in 0 ms; 3 findings, 1 unexpected")


def test_hundreds_of_findings_stay_compact(tmp_path: Path) -> None:
    findings = tuple(building.found(f"lives by x{n}", seen="x" * 5_000) for n in range(300))
    lines = _printed(_fuzzed(tmp_path, (), findings=findings))
    assert len(lines) < 350
    assert any("228 more; index.html shows them all" in line for line in lines)


def test_one_finding_in_full(tmp_path: Path) -> None:
    record = _fuzzed(tmp_path)
    lines = _printed(record, building.LISTED.name)
    page = _flat(lines)
    assert page.startswith(f"✗ finding {building.LISTED.fingerprint} (known) rule reply-is-right: A reply bears id")
    assert "https://www.rfc-editor.org/rfc/rfc6120.html#section-8.1" in page
    assert "operator attribute-renamed place vCard/@xmlns" in page
    assert lines[lines.index("What is sent") + 1 :][:2] == [
        "    <iq type='set' id='f2'><vCard xmlns='vcard-temp'U+200B/></iq>",
        "    <presence/>",
    ]
    assert lines[lines.index("What became of it") + 1] == "    xmlns='vcard-temp'U+200B"
    assert "← alice received, 7 ms" in page
    assert "What was" not in _printed(record, building.NEW.name)


def test_a_rule_of_the_lab_leads_to_no_specification(tmp_path: Path) -> None:
    finding = building.found("lives by x", where="the lab", operator="x", trace=())
    page = _flat(_printed(_fuzzed(tmp_path, findings=(finding,)), "lives"))
    assert "read" not in page.split()
    assert "What was nothing" in page
    assert "nothing went over the wire" in page


def test_hostile_findings_stay_text(tmp_path: Path) -> None:
    texts: dict[str, Any] = dict.fromkeys(
        ("seen", "sent", "expected", "says", "where", "place", "was", "became"), building.HOSTILE
    )
    finding = building.found(
        f"lives by {building.HOSTILE}[bold]x[/bold]",
        **texts,
        operator=building.HOSTILE,
        known_reason=building.HOSTILE,
        replay=building.HOSTILE,
        trace=((1.0, building.HOSTILE, "sent", building.HOSTILE),),
    )
    campaign = replace(building.CAMPAIGN, stopped=building.HOSTILE, not_seen=(building.HOSTILE,))
    record = _fuzzed(tmp_path, findings=(finding,), campaign=campaign)
    for page in (_flat(_printed(record)), _flat(_printed(record, finding.name))):
        assert not {"\x1b", "\x07", "\u202e", "\ud800", "\x00"} & set(page)
        assert "U+202E" in page
        assert "[bold]x[/bold]" in page


def test_what_is_informational_stands_behind_the_rows_and_is_told(tmp_path: Path) -> None:
    results = (building.result("xep-0030/a"), building.mentioned("xep-0077/b", Outcome.FAIL))
    checks = {"XEP-0030": 1, "XEP-0077": 1}
    page = _flat(_printed(building.record(tmp_path / "run.ndjson", results, known_checks=checks)))
    assert page.index("core/feature-discovery") < page.index("Informational") < page.index("informational/xep-0077")
    assert "✗ fail xep-0077/b (unexpected, informational)" in page
    assert page.endswith("1 pass, 1 fail; 1 informational; all as expected")
