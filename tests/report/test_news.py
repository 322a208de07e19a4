"""`summary.md`: what is new and nothing else, short, and harmless whatever a subject sent."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab import report
from lab.record import CheckResult
from lab.verdict import Expectation, Outcome
from tests.report import building
from tests.report.building import result

A, B, C = (f"xep-0030/{name}" for name in "abc")


@pytest.fixture
def news(tmp_path: Path) -> Any:
    """What is new in a run of these results, since one of `before`."""

    def make(*results: CheckResult, before: tuple[CheckResult, ...] | None = None, **more: Any) -> str:
        path = building.write(tmp_path / "run.ndjson", results, **more)
        since = building.record(tmp_path / "before.ndjson", before) if before is not None else None
        return report.write_all(path, tmp_path, since=since).news.read_text("utf-8")

    return make


def test_nothing_new_is_one_line(news: Any) -> None:
    text = news(result(A), result(B, Outcome.FAIL, Expectation.KNOWN), before=(result(A), result(B, Outcome.FAIL)))
    assert text == "**Prosody 13.0**: nothing new; 2 checks (CS2021, server) in 12.3 s, all as expected.\n"


def test_flaky_is_counted_where_nothing_is_new(news: Any) -> None:
    flaky = (result(A, Outcome.PASS, Expectation.FLAKY), result(B, Outcome.FAIL, Expectation.FLAKY))
    assert "nothing new; 2 checks (CS2021, server) in 12.3 s, all as expected; flaky: 1 passed, 1 failed." in news(
        *flaky
    )


def test_a_new_failure_has_its_evidence(news: Any) -> None:
    bad = result(A, Outcome.FAIL, says="It is answered.", expected="an answer", seen="<none/>")
    text = news(bad, result(B, Outcome.FAIL, Expectation.KNOWN), before=(result(A), result(B, Outcome.FAIL)))
    assert text.startswith("## Prosody 13.0: 1 new failure\n")
    assert "### New failures: 1\n\n- <code>xep-0030/a</code> pass → fail\n" in text
    assert "  - asks: XEP-0030 §3.1 MUST: It is answered.\n" in text
    assert "  - expected: <code>an answer</code>\n  - seen: <code>&#60;none/&#62;</code>\n" in text
    assert "  - replay: <code>make lab SERVER=prosody CHECK=xep-0030/a</code>\n" in text
    assert "xep-0030/b" not in text


def test_rows_that_changed_are_a_table(news: Any) -> None:
    text = news(result(A, Outcome.FAIL), before=(result(A),))
    assert "Rows that changed since 2026-11-23 13:05 UTC:" in text
    assert "| <code>core/feature-discovery</code> | core | pass | **fail** (in part) |" in text


def test_without_an_earlier_run_no_row_is_said_to_have_changed(news: Any) -> None:
    text = news(result(A, Outcome.FAIL))
    assert "Rows" not in text
    assert "- <code>xep-0030/a</code> fail\n" in text


def test_what_is_no_longer_supported_is_news(news: Any) -> None:
    text = news(result(A, Outcome.UNSUPPORTED), before=(result(A),))
    assert text.startswith("## Prosody 13.0: 1 no longer supported\n")
    assert "### No longer supported: 1\n\n- <code>xep-0030/a</code> pass → unsupported\n" in text


def test_fixed_and_flaky_are_said(news: Any) -> None:
    text = news(
        result(A, Outcome.PASS, Expectation.FIXED, known_reason="until 14.0"),
        result(B, Outcome.FAIL, Expectation.FLAKY),
        result(C, Outcome.PASS, Expectation.FLAKY),
    )
    assert text.startswith("## Prosody 13.0: 1 fixed\n")
    assert (
        "mend the list (`stanzalab baseline`): 1\n\n- <code>xep-0030/a</code>\n  - listed: <code>until 14.0</code>"
        in text
    )
    assert (
        "### Flaky: listed as coming and going: 2\n\n- <code>xep-0030/b</code> fail\n- <code>xep-0030/c</code> pass"
        in text
    )
    assert "flaky: 1 passed, 1 failed" in text


def test_findings_and_troubles_of_a_campaign_are_news(news: Any) -> None:
    troubled = {**building.FUZZED, "campaign": replace(building.CAMPAIGN, memory="256 MB")}
    text = news(result(A), **troubled)
    assert "1 new finding" in text
    assert building.NEW.replay.split()[2] in text
    assert "**too much memory**: <code>256 MB</code>" in text
    assert building.LISTED.rule + "=" not in text


def test_a_run_that_did_not_finish_is_news(news: Any) -> None:
    text = news(result(A), finished=False, selected=(A, B))
    assert "**The run did not finish**: 1 of 2 checks have no result." in text


def test_it_stays_short_and_harmless(news: Any) -> None:
    hostile = (
        f"{building.HOSTILE} @somebody #1 [x](javascript:y) `z` **b** | http://a.example www.a.example\n# h\n- l"
    )
    many = [
        result(f"xep-0030/{n}", Outcome.FAIL, expected=hostile, seen=hostile * 100, reason=hostile, says=hostile)
        for n in range(150)
    ]
    text = news(*many, subject={"name": hostile, "title": hostile, "package": hostile}, **building.hostile_campaign())
    assert len(text) < 200_000
    assert "… and 50 more" in text
    assert set(re.findall(r"<(/?[a-z]+)", text)) == {"code", "/code"}
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e\u200b]", text)
    for mark in ("@", "](", "`z`", "://", "www.", "**b", "{{"):
        assert mark not in text, mark
    assert all(re.match(r"(#{2,3} |  - \w+: |- |<code>|\*\*|$)", line) for line in text.splitlines())


def test_what_is_informational_is_told_and_no_new_failure(news: Any) -> None:
    text = news(result(A), building.mentioned("xep-0077/b", Outcome.FAIL))
    assert text.startswith("## Prosody 13.0: 1 informational failure\n")
    assert "### New failures, informational: the suite only mentions it, and they turn no run red: 1\n" in text
    assert "### New failures: " not in text
