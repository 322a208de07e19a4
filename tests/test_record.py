"""The run record: what is written is read again; what is broken is set aside, and nothing else is lost."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from lab.errors import MachineError, UsageError
from lab.record import CheckResult, Exit, Footer, Header, LogLine, Strictness, TraceEntry, Writer, read
from lab.robustness import CampaignFacts, Found, Robust, Robustness
from lab.verdict import Check, Expectation, Keyword, Outcome, Requirement

HEADER = Header(
    lab="0",
    suite="CS2021",
    role="server",
    started="2026-01-01T00:00:00+00:00",
    seed=1,
    subject={"name": "s", "title": "S", "version": "1", "package": "", "image": "", "digest": ""},
    domain="lab.test",
    engine="local",
    replay="make lab SERVER=s",
    selected=("rfc-6120/one", "rfc-6120/two"),
    known_checks={"RFC 6120": 2},
)


def result(name: str = "rfc-6120/one", seen: str = "") -> CheckResult:
    requirement = Requirement("RFC 6120", "2011-03", ("8.2.3",), Keyword.MUST, "An iq is answered.")
    return CheckResult(
        check=Check(name, requirement),
        outcome=Outcome.FAIL,
        expectation=Expectation.UNEXPECTED,
        started=100.0,
        duration=0.5,
        expected="an answer",
        seen=seen,
        trace=(TraceEntry(100.1, "alice", "sent", "<iq/>"),),
        strictness=(Strictness("{jabber:client}iq", "no id", "<iq/>", 2),),
    )


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "run.ndjson"
    footer = Footer("2026-01-01T00:01:00+00:00", 60.0, {"fail": 1}, 1)
    with Writer(path, HEADER) as writer:
        writer.check(result(seen="\x00 <b> \u202e"))
        writer.log(LogLine(100.2, "hello"))
        writer.log(LogLine(300.0, "later"))
        writer.exit(Exit(100.3, "code 1", restarted=True))
        writer.footer(footer)
    record = read(path)
    assert record.header == HEADER
    assert record.results == (result(seen="\x00 <b> \u202e"),)
    assert record.footer == footer
    assert record.exits == (Exit(100.3, "code 1", restarted=True),)
    assert record.log_of(record.results[0]) == (LogLine(100.2, "hello"),)
    assert record.missing == ("rfc-6120/two",)
    assert not record.damage


def test_who_reads_hundreds_can_do_without_the_traces_of_what_is_good(tmp_path: Path) -> None:
    path = tmp_path / "run.ndjson"
    good = replace(result("rfc-6120/two"), outcome=Outcome.PASS)
    with Writer(path, HEADER) as writer:
        writer.check(result())
        writer.check(good)
    assert read(path, lean=True).results == (result(), replace(good, trace=()))


FOUND = Found(
    fingerprint="lives by nul",
    name="lives-by-nul-0",
    rule="lives",
    where="the lab",
    says="The server's process lives.",
    expected="a process",
    seen="signal 11",
    sent="<iq>\x00\u202e</iq>",
    provider="RFC 6120",
    confirmed=2,
    tries=3,
    expectation=Expectation.FLAKY,
    replay="stanzalab replay lives-by-nul-0",
    operator="nul",
    place="iq",
    became="\x00",
    trace=((100.0, "fuzzer", "sent", "<iq>\x00"),),
)
ROBUSTNESS = (
    Robustness("RFC 6120", Robust.FLAKY, valid=3, malformed=4, operators=2, findings=("lives by nul",)),
    Robustness("RFC 7590", Robust.NOT_TESTED, reason="TLS"),
)
CAMPAIGN = CampaignFacts(7, 60.0, 7, 0.5, memory_start=1, memory_peak=2, exits=1, not_seen=("lives by *",))


def test_a_campaign_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "run.ndjson"
    with Writer(path, HEADER) as writer:
        writer.finding(FOUND)
        for one in ROBUSTNESS:
            writer.robustness(one)
        writer.campaign(CAMPAIGN)
    record = read(path)
    assert record.findings == (FOUND,)
    assert record.findings[0].flaky
    assert record.robustness == ROBUSTNESS
    assert record.campaign == CAMPAIGN
    assert not record.damage


@pytest.mark.parametrize(
    ("event", "without", "change"),
    [
        (FOUND.to_event(), "trace", {}),
        (FOUND.to_event(), "", {"expectation": "hoped"}),
        (FOUND.to_event(), "", {"trace": [["noon", "fuzzer", "sent", "<iq/>"]]}),
        (FOUND.to_event(), "", {"surprise": 1}),
        (ROBUSTNESS[0].to_event(), "findings", {}),
        (ROBUSTNESS[0].to_event(), "", {"outcome": "unsupported"}),
        (CAMPAIGN.to_event(), "seed", {}),
        (CAMPAIGN.to_event(), "", {"not_seen": None}),
    ],
)
def test_a_broken_event_of_a_campaign_is_set_aside(
    tmp_path: Path, event: dict[str, object], without: str, change: dict[str, object]
) -> None:
    path = tmp_path / "run.ndjson"
    with Writer(path, HEADER) as writer:
        writer.check(result())
    broken = {key: value for key, value in event.items() if key != without} | change
    with path.open("ab") as file:
        file.write(json.dumps(broken).encode() + b"\n")
    record = read(path)
    assert len(record.damage) == 1
    assert f"line 3: not a {event['event']} event" in record.damage[0]
    assert (record.findings, record.robustness, record.campaign) == ((), (), None)
    assert record.results


def test_records_from_before_strictness_are_read() -> None:
    event = result().to_event()
    del event["strictness"]
    assert CheckResult.from_event(event) == replace(result(), strictness=())


def test_a_lone_surrogate_does_not_stop_the_record(tmp_path: Path) -> None:
    path = tmp_path / "run.ndjson"
    with Writer(path, HEADER) as writer:
        writer.check(result(seen="\ud800"))
        writer.check(result("rfc-6120/two"))
    path.read_bytes().decode("utf-8")
    assert [r.check.name for r in read(path).results] == ["rfc-6120/one", "rfc-6120/two"]


def test_no_footer_means_not_finished(tmp_path: Path) -> None:
    path = tmp_path / "run.ndjson"
    with Writer(path, HEADER) as writer:
        writer.check(result())
    assert not read(path).finished


def test_broken_lines_are_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "run.ndjson"
    with Writer(path, HEADER) as writer:
        writer.check(result())
    with path.open("ab") as file:
        file.write(b'{"event": "check", "name": "half\n[1]\n{"event": "nonsense"}\n\xff\xfe\n')
        file.write(json.dumps({"event": "check", "name": "x"}).encode() + b"\n")
        file.write(json.dumps(result("rfc-6120/two").to_event()).encode() + b"\n{")
    record = read(path)
    assert [r.check.name for r in record.results] == ["rfc-6120/one", "rfc-6120/two"]
    assert len(record.damage) == 6
    assert "line 3" in record.damage[0]


@pytest.mark.parametrize(
    "content", ["", "not json\n", '{"event": "footer"}\n', '{"event": "header", "format": 99}\n']
)
def test_what_has_no_header_is_no_record(tmp_path: Path, content: str) -> None:
    path = tmp_path / "run.ndjson"
    path.write_text(content)
    with pytest.raises(UsageError, match="not a run record"):
        read(path)


def test_a_missing_record_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        read(tmp_path / "none")


def test_a_full_disk_is_said() -> None:
    with pytest.raises(MachineError) as caught:
        Writer(Path("/dev/full"), HEADER)
    assert "No space left" in caught.value.cause
    assert caught.value.hint
