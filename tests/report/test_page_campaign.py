"""The page of a campaign in a real browser: a column for robustness, findings, and no checks."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from lab import report
from tests.report import building

pytestmark = pytest.mark.browser


def test_a_row_has_a_column_for_robustness(context: BrowserContext, fuzzed: str) -> None:
    page = context.new_page()
    page.goto(fuzzed)
    row = page.get_by_role("row").filter(has_text="Feature discovery")
    expect(row.get_by_role("cell")).to_have_text(
        ["✓", "✓", "yes", "~non-strict", "✗fail 15,000 stanzas", "2 of 3, 1 non-strict"]
    )
    expect(page.get_by_role("row").filter(has_text="Direct TLS")).to_contain_text("Its subject is TLS")
    expect(page.get_by_role("columnheader", name="Robust")).to_have_count(1)
    expect(page.get_by_role("banner")).to_contain_text("3 findings, 1 not as expected")
    expect(page.get_by_role("banner")).to_contain_text("1 of 4 required rows met")


def test_without_a_campaign_the_page_says_nothing_of_robustness(context: BrowserContext, address: str) -> None:
    page = context.new_page()
    page.goto(address)
    expect(page.get_by_role("columnheader", name="Robust")).to_have_count(0)
    expect(page.get_by_role("heading", name="Findings")).to_have_count(0)
    expect(page.get_by_role("banner")).not_to_contain_text("findings")


def test_a_finding_is_folded_and_has_all_that_is_known(context: BrowserContext, fuzzed: str) -> None:
    page = context.new_page()
    page.goto(fuzzed)
    section = page.get_by_role("region", name="Findings")
    expect(section.locator(".finding > summary .outcome")).to_have_text(["✗finding", "✗finding", "≈flaky"])
    expect(section).to_contain_text("31,204 stanzas in 1 min 00 s (612 a second while sending, seed 2021)")
    expect(section).to_contain_text("lives by *")
    expect(section).to_contain_text("Its subject is TLS, which no stanza touches. (RFC 7590, XEP-0368)")
    finding = section.locator(".finding").nth(1)
    expect(finding.locator(".inside")).to_be_hidden()
    finding.locator("> summary").click()
    expect(finding.locator("pre.sent")).to_have_text(
        "<iq type='set' id='f2'><vCard xmlns='vcard-temp'U+200B/></iq>\n<presence/>"
    )
    expect(finding.locator(".pairs")).to_contain_text("attribute-renamed at vCard/@xmlns")
    expect(finding.locator(".pairs")).to_contain_text(building.LISTED.known_reason)
    expect(finding.locator(".pairs")).to_contain_text("3 of 3 times on fresh sessions, with XEP-0163, malformed")
    expect(finding.get_by_role("link", name="RFC 6120 §8.1, §8.3")).to_have_attribute(
        "href", "https://www.rfc-editor.org/rfc/rfc6120.html#section-8.1"
    )
    expect(finding.locator(".command code")).to_have_text(building.LISTED.replay)
    assert finding.locator(".trace li").count() == 7


def test_a_tick_leads_to_its_finding_through_a_filter(context: BrowserContext, fuzzed: str) -> None:
    page = context.new_page()
    page.goto(f"{fuzzed}#outcome=pass")
    expect(page.locator(".finding")).to_have_count(3)
    page.locator(f".strip a[title='{building.NEW.fingerprint}']").click()
    finding = page.locator(f"[id='robustness/{building.NEW.name}']")
    expect(finding).to_have_attribute("open", "")
    expect(finding).to_be_in_viewport()


def test_a_campaign_alone_has_no_checks(context: BrowserContext, only_fuzzed: str) -> None:
    page = context.new_page()
    page.goto(f"{only_fuzzed}#robustness/{building.FLAKY.name}")
    expect(page.locator(f"[id='robustness/{building.FLAKY.name}']")).to_have_attribute("open", "")
    expect(page.get_by_role("heading", name="Checks")).to_have_count(0)
    expect(page.get_by_role("banner")).not_to_contain_text("checks")
    expect(page.get_by_role("banner")).to_contain_text("31,204 stanzas in 1 min 00 s")
    row = page.get_by_role("row").filter(has_text="Feature discovery")
    expect(row.get_by_role("cell")).to_have_text(["✓", "✓", "yes", "·not tested", "✗fail 15,000 stanzas"])
    page.locator(f"[id='robustness/{building.FLAKY.name}'] .copy").click()
    assert page.evaluate("getSelection().toString()") == building.FLAKY.replay


def test_a_page_of_a_hundred_findings_is_small(tmp_path: Path) -> None:
    trace = tuple((e.at, e.session, e.direction, e.text) for e in building.traffic(answer=building.REPLY * 500))
    findings = tuple(building.found(f"lives by x{n}", sent="<iq/>" * 20_000, trace=trace) for n in range(100))
    path = building.write(tmp_path / "run.ndjson", (), findings=findings, campaign=building.CAMPAIGN)
    assert report.write_all(path, tmp_path).html.stat().st_size < 5_000_000
