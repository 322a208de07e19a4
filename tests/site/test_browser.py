"""The site in a real browser: it fits a phone and a desk, filters stand in the address, nothing hostile runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.report.browsing import CONTRAST
from tests.site import nights

pytestmark = pytest.mark.browser

WIDTHS = {"phone": 390, "desktop": 1280}
CELL = "cs2021_prosody_13.0"
KINDS = (
    "index.html",
    "clients.html",
    "pairs.html",
    "federation.html",
    "checks.html",
    "history.html",
    "records.html",
    "diff.html",
    f"history/{CELL}.html",
    "servers/prosody_13.0.html",
    "servers/ejabberd_24.12.html",
    "clients/slixmpp_1.10.0.html",
    "rows/cs2021/core/feature-discovery.html",
    f"checks/{nights.REGRESSION}.html",
)


def _record(night: int) -> str:
    return f"{CELL}_202611{night:02}T020000"


def _shown(page: Page) -> list[str]:
    shown = page.locator("[data-item]:not([hidden])")
    names: list[str] = shown.evaluate_all("found => found.map(item => item.querySelector('a').textContent.trim())")
    return names


def _open_all(page: Page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach(fold => { fold.open = true; })")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS.keys())
def test_every_kind_of_page_fits_and_can_be_read(
    context: BrowserContext, made: Path, width: int, scheme: str
) -> None:
    page = context.new_page()
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    for kind in KINDS:
        page.goto((made / kind).as_uri())
        _open_all(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, kind
        assert page.evaluate(CONTRAST) == [], kind
        for landmark in ("banner", "navigation", "main", "contentinfo"):
            assert page.get_by_role(landmark).count() == 1, (kind, landmark)


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS.keys())
def test_hostile_content_runs_nothing_and_fits(context: BrowserContext, attacked: Path, width: int) -> None:
    page = context.new_page()
    page.set_viewport_size({"width": width, "height": 800})
    seen = ""
    for path in sorted(attacked.rglob("*.html")):
        page.goto(path.as_uri())
        _open_all(page)
        assert page.evaluate("window.pwned") is None, path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        assert page.locator("img:not([src$='.svg']), iframe, object, embed, base").count() == 0
        names = page.locator("*").evaluate_all("found => found.flatMap(node => node.getAttributeNames())")
        assert not [name for name in names if name.startswith("on") or name == "style"]
        text = page.locator("body").inner_text()
        assert not {"\u202e", "\x1b", "\x07", "\ufeff", "\ufffd"} & set(text), path
        seen += text
    assert "<script>window.pwned=1</script>" in seen
    assert "{{ 7*7 }}" in seen
    assert "U+202E" in seen


def test_hostile_records_can_be_compared(context: BrowserContext, attacked: Path) -> None:
    page = context.new_page()
    page.goto((attacked / "diff.html").as_uri())
    server = page.get_by_label("First record").locator("optgroup").first.locator("option")
    page.get_by_label("First record").select_option(server.nth(1).get_attribute("value"))
    page.get_by_label("Second record").select_option(server.nth(0).get_attribute("value"))
    expect(page.get_by_role("status")).to_contain_text("newly failing")
    assert page.evaluate("window.pwned") is None
    text = page.locator("#differences").inner_text()
    assert "<script>window.pwned=1</script>" in text
    assert "⟨U+202E⟩" in text
    assert page.locator("#differences script, #differences img").count() == 0
    link = page.locator("#differences a.name").first
    link.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("rfc-6120/")
    assert page.evaluate("window.pwned") is None


def test_a_badge_of_a_hostile_name_runs_nothing(context: BrowserContext, attacked: Path) -> None:
    page = context.new_page()
    for path in sorted(attacked.glob("badges/**/*.svg"))[:6]:
        page.goto(path.as_uri())
        assert page.evaluate("window.pwned") is None
        assert page.locator("script, image, foreignObject").count() == 0


def test_a_script_that_got_in_all_the_same_would_not_run(browser: Browser, made: Path, tmp_path: Path) -> None:
    """The last wall alone: the policy, with a page's escaping taken away on purpose."""
    page = browser.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    html = (made / "index.html").read_text("utf-8")
    broken = tmp_path / "index.html"
    broken.write_text(
        html.replace("</main>", "<script>window.pwned = 1</script><img src='x' onerror='window.pwned = 1'></main>")
    )
    page.goto(broken.as_uri())
    assert page.evaluate("window.pwned") is None
    assert any("Content Security Policy" in line for line in said)
    page.close()


def test_filters_stand_in_the_address(context: BrowserContext, made: Path) -> None:
    page = context.new_page()
    page.goto((made / "checks.html").as_uri())
    assert len(_shown(page)) == 18
    page.get_by_role("checkbox", name="fail").check()
    page.get_by_label("Role").select_option("client")
    assert _shown(page) == ["xep-0115/poisoned-hash-is-not-believed"]
    assert page.evaluate("location.hash") == "#outcome=fail&role=client"
    expect(page.locator("output")).to_have_text("1 of 18 checks")
    page.reload()
    assert _shown(page) == ["xep-0115/poisoned-hash-is-not-believed"]
    expect(page.get_by_label("Role")).to_have_value("client")
    page.get_by_role("checkbox", name="fail").uncheck()
    page.get_by_role("searchbox").fill("WRONG-NAME")
    assert _shown(page) == ["rfc-6120/wrong-name-is-refused"]
    page.get_by_role("searchbox").fill("no such words")
    expect(page.get_by_text("Nothing fits.")).to_be_visible()
    assert page.evaluate("location.hash") == "#text=no+such+words&role=client"


def test_categories_are_a_filter_too(context: BrowserContext, made: Path) -> None:
    page = context.new_page()
    page.goto(f"{(made / 'checks.html').as_uri()}#category=im")
    federation = ["rfc-6121/text-crosses/back", "rfc-6121/text-crosses/forth"]
    assert _shown(page) == [*federation, "xep-0085/state-is-shown", "xep-0184/receipt-is-sent"]
    expect(page.get_by_label("Category")).to_have_value("im")


def test_the_matrix_is_filtered_by_outcome(context: BrowserContext, made: Path) -> None:
    page = context.new_page()
    page.goto(f"{(made / 'index.html').as_uri()}#outcome=not+tested")
    assert _shown(page) == ["TLS", "Direct TLS", "Server Extensibility"]
    page.evaluate("location.hash = 'text=disco'")
    expect(page.locator("output")).to_have_text("1 of 7 rows")
    assert _shown(page) == ["Feature discovery"]


def test_the_difference_shows_the_planted_regression(context: BrowserContext, made: Path) -> None:
    page = context.new_page()
    page.goto((made / "diff.html").as_uri())
    expect(page.get_by_role("status")).to_have_text("Choose two records.")
    page.get_by_label("First record").select_option(_record(6))
    page.get_by_label("Second record").select_option(_record(7))
    expect(page.get_by_role("status")).to_have_text("1 newly failing, 1 fixed; 3 the same.")
    failing = page.get_by_role("region", name="Newly failing")
    expect(failing.get_by_role("link")).to_have_text([nights.REGRESSION])
    expect(failing.get_by_role("cell")).to_have_text(["✓pass", f"✗fail{nights.SEEN}"])
    rows = page.get_by_role("region", name="Rows that differ")
    expect(rows.get_by_role("rowheader")).to_have_text(["core/event-publishing", "core/feature-discovery"])
    assert page.evaluate("location.hash") == f"#a={_record(6)}&b={_record(7)}"
    page.reload()
    expect(page.get_by_role("status")).to_have_text("1 newly failing, 1 fixed; 3 the same.")
    page.get_by_role("button", name="Swap").click()
    expect(page.get_by_role("region", name="Fixed").get_by_role("link")).to_have_text([nights.REGRESSION])
    assert page.evaluate("location.hash") == f"#a={_record(7)}&b={_record(6)}"
    page.get_by_label("Text").fill("notify")
    expect(page.locator("#differences tbody tr:visible")).to_have_count(1)
    assert page.evaluate("location.hash").endswith("&text=notify")


def test_the_difference_fits_a_phone(context: BrowserContext, made: Path) -> None:
    page = context.new_page()
    page.set_viewport_size({"width": WIDTHS["phone"], "height": 800})
    page.goto(f"{(made / 'diff.html').as_uri()}#a={_record(1)}&b=cs2021_ejabberd_24.12_20261110T020000")
    expect(page.get_by_role("status")).to_contain_text("only in the second")
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDTHS["phone"]
    assert page.evaluate(CONTRAST) == []


def test_a_record_that_is_not_there_is_not_chosen(context: BrowserContext, made: Path) -> None:
    page = context.new_page()
    page.goto(f"{(made / 'diff.html').as_uri()}#a=../../site&b=%3Cscript%3E")
    expect(page.get_by_role("status")).to_have_text("Choose two records.")


def test_a_night_leads_to_its_difference(context: BrowserContext, made: Path) -> None:
    page = context.new_page()
    page.goto((made / "history.html").as_uri())
    line = page.get_by_role("listitem").filter(has_text="10 nights")
    expect(line).to_contain_text(f"1 newly failing {nights.REGRESSION}")
    page.get_by_role("link", name="Prosody 13.0", exact=True).click()
    night = page.locator(f"[id='{_record(7)}']")
    expect(night.get_by_role("heading", name="Newly failing")).to_be_visible()
    night.get_by_role("link", name="compare with the night before").click()
    expect(page.get_by_role("region", name="Newly failing")).to_contain_text(nights.REGRESSION)


def test_a_cell_leads_to_the_evidence(context: BrowserContext, made: Path) -> None:
    page = context.new_page()
    page.goto((made / "index.html").as_uri())
    page.get_by_role("row").filter(has_text="Feature discovery").get_by_role("link").last.click()
    expect(page.locator(".card:target")).to_contain_text("Prosody 13.0")
    page.get_by_role("table").get_by_role("link", name=nights.REGRESSION).click()
    fold = page.locator(f"[id='{CELL}']")
    fold.locator("summary").click()
    expect(fold.locator(".trace li")).to_have_count(7)
    expect(fold.locator(".log")).to_contain_text("c2s55: Client connected")
    expect(fold.get_by_text(f"make lab SERVER=prosody CHECK={nights.REGRESSION}")).to_be_visible()


def test_a_failing_check_of_a_subject_opens_its_evidence(context: BrowserContext, made: Path) -> None:
    page = context.new_page()
    page.goto((made / "servers/prosody_13.0.html").as_uri())
    page.locator("li.fail").get_by_role("link", name=nights.REGRESSION).click()
    expect(page.locator(f"[id='{CELL}']")).to_have_attribute("open", "")


def test_the_first_column_stays(context: BrowserContext, made: Path) -> None:
    page = context.new_page()
    page.set_viewport_size({"width": WIDTHS["phone"], "height": 800})
    page.goto((made / "index.html").as_uri())
    head = page.get_by_role("rowheader").first
    region = page.get_by_role("region", name="Core Compliance Suite, CS2021")
    region.focus()
    assert region.evaluate("region => region.scrollWidth > region.clientWidth")
    before = head.bounding_box()
    region.evaluate("region => { region.scrollLeft = 200; }")
    assert region.evaluate("region => region.scrollLeft") > 0
    assert before is not None
    assert head.bounding_box() == before


def test_keys_are_enough(context: BrowserContext, made: Path) -> None:
    page = context.new_page()
    page.goto((made / "index.html").as_uri())
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('main').contains(document.activeElement)")


def test_all_but_filters_and_differences_is_there_without_javascript(browser: Browser, made: Path) -> None:
    window = browser.new_context(java_script_enabled=False)
    page = window.new_page()
    page.goto((made / "index.html").as_uri())
    expect(page.locator(".filter")).to_be_hidden()
    expect(page.locator("[data-item]")).to_have_count(7)
    page.goto((made / f"checks/{nights.REGRESSION}.html").as_uri())
    page.locator(f"[id='{CELL}'] summary").click()
    expect(page.locator(f"[id='{CELL}'] .trace")).to_be_visible()
    page.goto((made / "diff.html").as_uri())
    expect(page.get_by_text("needs JavaScript")).to_be_visible()
    expect(page.locator(".choose")).to_be_hidden()
    window.close()
