"""The site's files: every link leads somewhere, JSON says the same, nobody is set above another."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from lxml import etree, html

from lab import site
from lab.record import SCHEMA
from lab.site.pages import TOP
from lab.site.writing import OURS, POLICY
from lab.verdict import Outcome
from tests.report import building
from tests.site import nights


def _pages(folder: Path) -> Iterator[tuple[Path, html.HtmlElement]]:
    for path in sorted(folder.rglob("*.html")):
        yield path, html.document_fromstring(path.read_bytes(), parser=html.HTMLParser(encoding="utf-8"))


@pytest.fixture(params=["made", "attacked"])
def folder(request: pytest.FixtureRequest) -> Path:
    found: Path = request.getfixturevalue(request.param)
    return found


def test_every_link_leads_somewhere(folder: Path) -> None:
    ids = {path: set(page.xpath("//@id")) for path, page in _pages(folder)}
    links = 0
    for path, page in _pages(folder):
        for link in page.xpath("//@href | //@src"):
            parts = urlsplit(link)
            if parts.scheme:
                assert link.startswith(("https://www.rfc-editor.org/", "https://xmpp.org/", "data:,")), link
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.is_file(), (path, link)
            assert target.is_relative_to(folder.resolve())
            if parts.fragment and "=" not in parts.fragment:
                assert unquote(parts.fragment) in ids[folder / target.relative_to(folder.resolve())], (path, link)
            links += 1
    assert links > 300


def test_every_page_has_its_json_its_policy_and_no_script_inside(folder: Path) -> None:
    pages = list(_pages(folder))
    assert {*TOP} <= {path.name for path, _ in pages}
    for path, page in pages:
        assert isinstance(json.loads(path.with_suffix(".json").read_bytes()), dict)
        assert page.xpath("//meta[@http-equiv='Content-Security-Policy']/@content") == [POLICY]
        assert not page.xpath("//script[text()] | //style | //@style")
        assert not [name for node in page.iter(etree.Element) for name in node.attrib if name.startswith("on")]
        assert not page.xpath("//img[not(@alt)] | //iframe | //object | //embed | //base")
    assert "unsafe" not in POLICY


def test_ids_stand_once(folder: Path) -> None:
    for path, page in _pages(folder):
        ids = page.xpath("//@id")
        assert len(ids) == len(set(ids)), path


def test_tables_can_be_heard(folder: Path) -> None:
    for path, page in _pages(folder):
        for table in page.xpath("//table"):
            assert table.xpath("caption"), path
            assert not table.xpath(".//th[not(@scope)]"), path
            for line in table.xpath("tbody/tr"):
                assert line.xpath("th[@scope='row']"), path
            assert len({len(line.xpath("th | td")) for line in table.xpath(".//tr")}) == 1, path
        assert len(page.xpath("//h1")) == 1
        assert page.xpath("//html/@lang") == ["en"]


def test_only_the_sites_own_files_are_there(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} <= OURS


def _columns(page: html.HtmlElement) -> list[list[str]]:
    return [
        [" ".join(head.text_content().split()) for head in table.xpath("thead//th")[1:]]
        for table in page.xpath("//table[contains(@class, 'matrix')]")
    ]


def test_nobody_is_set_above_another(made: Path) -> None:
    """No percentage, no score, no ranking; and what stands side by side is in alphabetical order."""
    for path, page in _pages(made):
        text = page.xpath("//body")[0].text_content()
        assert not re.search(r"\d\s*(%|percent|points?\b|stars?\b)", text), path
        assert not re.search(
            r"\b(rank|ranking|score|scores|best|worst|winner|leader|grade)\b", text, re.IGNORECASE
        ), path
    for path in made.rglob("*.json"):
        said = path.read_text()
        assert not re.search(r'"[^"]*(score|rank|percent|total_)[^"]*":', said), path
    servers = html.parse(str(made / "index.html")).getroot()
    assert _columns(servers) == [["ejabberd 24.12", "Prosody 0.12", "Prosody 13.0"]]
    clients = html.parse(str(made / "clients.html")).getroot()
    assert _columns(clients) == [
        ["Profanity 0.15.0", "slixmpp 1.10.0"],
        ["Profanity 0.15.0 on Prosody 13.0", "slixmpp 1.10.0 on ejabberd 24.12", "slixmpp 1.10.0 on Prosody 13.0"],
    ]


def test_the_order_is_not_that_of_success(tmp_path: Path) -> None:
    """Whoever fails, the columns stay."""
    for failing in ("aa", "zz"):
        for name in ("zz", "aa"):
            outcome = Outcome.FAIL if name == failing else Outcome.PASS
            nights.write(tmp_path / failing, name, (building.result("xep-0030/a", outcome),), subject={"name": name})
        site.build([tmp_path / failing], tmp_path / f"site-{failing}")
        page = html.parse(str(tmp_path / f"site-{failing}" / "index.html")).getroot()
        assert _columns(page) == [["aa", "zz"]]


def test_the_matrix_says_what_the_record_says(made: Path) -> None:
    told = json.loads((made / "index.json").read_bytes())
    (table,) = told["tables"]
    assert [column["label"] for column in table["columns"]] == ["ejabberd 24.12", "Prosody 0.12", "Prosody 13.0"]
    rows = {row["id"]: row for category in table["categories"] for row in category["rows"]}
    discovery = rows["core/feature-discovery"]["cells"]
    assert [cell["outcome"]["core"] for cell in discovery] == ["non-strict", "fail", "fail"]
    assert [cell["robustness"] and cell["robustness"]["outcome"] for cell in discovery] == [None, None, "fail"]
    assert rows["core/feature-broadcasts"]["cells"][1] is None
    text = (made / "index.html").read_text()
    assert "18 run records" not in text
    assert "17 run records of 8 cells" in text
    assert "1 run did not finish" in text
    assert "1 record damaged" in text


def test_clients_and_pairs_have_their_cells(made: Path) -> None:
    clients = json.loads((made / "clients.json").read_bytes())["cells"]
    counts = {
        (line["server"]["label"], client["label"]): [cell["counts"] for cell in cells]
        for line in clients["lines"]
        for client, cells in zip(clients["columns"], line["cells"], strict=True)
    }
    assert counts == {
        ("ejabberd 24.12", "Profanity 0.15.0"): [],
        ("ejabberd 24.12", "slixmpp 1.10.0"): [{"pass": 1, "fail": 1}],
        ("Prosody 13.0", "Profanity 0.15.0"): [{"pass": 1, "unsupported": 1}],
        ("Prosody 13.0", "slixmpp 1.10.0"): [{"pass": 2}],
    }
    pairs = json.loads((made / "pairs.json").read_bytes())["cells"]
    ((cell,),) = pairs["lines"][0]["cells"]
    assert cell["blamed"] == {"profanity": 1}
    assert "profanity broke 1" in html.parse(str(made / "pairs.html")).getroot().text_content()


def test_two_servers_with_each_other_have_a_cell_whichever_stands_first(made: Path) -> None:
    told = json.loads((made / "federation.json").read_bytes())["cells"]
    assert [column["label"] for column in told["columns"]] == ["ejabberd 24.12", "Prosody 13.0"]
    (nothing, first), (second, nothing_either) = (line["cells"] for line in told["lines"])
    assert (nothing, nothing_either) == ([], [])
    assert first == second
    assert (first[0]["counts"], first[0]["blamed"]) == ({"pass": 1, "fail": 1}, {"ejabberd": 1})
    assert "ejabberd broke 1" in html.parse(str(made / "federation.html")).getroot().text_content()


def test_a_check_has_every_subject_and_the_evidence(made: Path) -> None:
    told = json.loads((made / f"checks/{nights.REGRESSION}.json").read_bytes())
    assert [(one["cell"]["label"], one["outcome"]) for one in told["outcomes"]] == [
        ("ejabberd 24.12", "pass"),
        ("Prosody 0.12", "fail"),
        ("Prosody 13.0", "fail"),
    ]
    failure = told["failures"][1]
    assert failure["expected"] == nights.EXPECTED
    assert failure["seen"] == nights.SEEN
    assert failure["replay"] == f"make lab SERVER=prosody CHECK={nights.REGRESSION}"
    assert [line["line"] for line in failure["log"]] == ["c2s55: Client connected"]
    assert len(failure["trace"]) == 7
    assert told["outcomes"][2]["since"] == nights.at(7)
    page = (made / f"checks/{nights.REGRESSION}.html").read_text()
    assert "etherx.jabber.org" in page
    assert "etherx.jabber.org" not in (made / f"checks/{nights.STEADY}.html").read_text()  # a pass shows no trace


def test_a_level_is_a_statement_on_one_subject(made: Path) -> None:
    told = json.loads((made / "servers/ejabberd_24.12.json").read_bytes())
    core = told["cells"][0]["levels"][0]
    assert core == {"level": "core", "met": 1, "required": 13, "untried": 10}
    badge = etree.parse(made / "badges/cs2021_ejabberd_24.12/core.svg").getroot()
    text = etree.tostring(badge, encoding="unicode")
    assert "CS2021 Core" in text
    assert "1 of 13 rows, 10 not tested in full" in text
    row = etree.parse(made / "badges/cs2021_ejabberd_24.12/core/core-features.svg").getroot()
    assert "✗ fail" in etree.tostring(row, encoding="unicode")


def test_badges_load_nothing_and_are_whole(folder: Path) -> None:
    found = list(folder.glob("badges/**/*.svg"))
    assert found
    for path in found:
        badge = etree.parse(path).getroot()
        names = {etree.QName(node).localname for node in badge.iter(etree.Element)}
        assert names == {"svg", "title", "rect", "path", "g", "text"}
        assert not [name for node in badge.iter(etree.Element) for name in node.attrib if "href" in name]
        assert int(badge.get("width", "0")) < 1_500


def test_history_names_the_nights(made: Path) -> None:
    told = json.loads((made / "history/cs2021_prosody_13.0.json").read_bytes())
    by_night = {
        night["started"]: {
            kind: [c["check"] for c in changes] for kind, changes in night["changes"].items() if changes
        }
        for night in told["nights"]
    }
    assert by_night[nights.at(7)] == {"newly failing": [nights.REGRESSION], "flaky": [nights.FLAKE]}
    assert by_night[nights.at(4)] == {"fixed": [nights.FIX], "flaky": [nights.FLAKE]}
    assert [night["other_build"] for night in told["nights"]].index(True) == 6
    assert told["flaky"] == [{"check": nights.FLAKE, "href": f"checks/{nights.FLAKE}.html", "broke": 2, "mended": 2}]
    text = " ".join(html.parse(str(made / "history/cs2021_prosody_13.0.html")).getroot().text_content().split())
    assert "Newly failing 1 ✓pass → ✗fail xep-0030/info-is-answered" in text
    assert "began to fail 2 times, came back 2 times" in text
    assert "did not finish: it has no end" in text


def test_addresses_stay_over_the_nights(tmp_path: Path) -> None:
    """A page that was linked to yesterday is there today."""
    nights.write(tmp_path / "runs", "1", nights.checks(1), subject=nights.PROSODY, started=nights.at(1))
    site.build([tmp_path / "runs"], tmp_path / "site")
    before = {p.relative_to(tmp_path) for p in (tmp_path / "site").rglob("*.*")}
    nights.write(tmp_path / "runs", "2", nights.checks(2), subject=nights.PROSODY, started=nights.at(2))
    nights.write(tmp_path / "runs", "3", nights.checks(2), subject=nights.EJABBERD, started=nights.at(2))
    site.build([tmp_path / "runs"], tmp_path / "site")
    after = {p.relative_to(tmp_path) for p in (tmp_path / "site").rglob("*.*")}
    assert before < after


def test_two_suites_stand_apart(tmp_path: Path) -> None:
    for suite in ("CS2021", "CS2022"):
        nights.write(tmp_path / "runs", suite, nights.checks(1), subject=nights.PROSODY, suite=suite)
    site.build([tmp_path / "runs"], tmp_path / "site")
    told = json.loads((tmp_path / "site/index.json").read_bytes())
    assert [table["suite"] for table in told["tables"]] == ["CS2021", "CS2022"]
    assert (tmp_path / "site/rows/cs2022/core/feature-discovery.html").is_file()


def test_names_are_the_records_own(made: Path) -> None:
    """What the browser compares is what the record says, by the record's own words."""
    outcomes = json.loads(SCHEMA.read_bytes())
    data = json.loads((made / "records/cs2021_prosody_13.0_20261107T020000.json").read_bytes())
    assert data["checks"][nights.REGRESSION] == ["fail", nights.SEEN]
    assert data["checks"][nights.STEADY] == ["pass"]
    assert '"non-strict"' in json.dumps(outcomes)
    script = (made / "records/cs2021_prosody_13.0_20261107T020000.js").read_text()
    assert script.startswith('stanzalab.record("cs2021_prosody_13.0_20261107T020000", {')
    assert "<" not in script


def test_what_is_informational_has_pages_and_no_part_in_a_level(tmp_path: Path) -> None:
    results = (building.result("xep-0030/a"), building.mentioned("xep-0077/b", Outcome.FAIL))
    nights.write(tmp_path / "runs", "a", results, known_checks={"XEP-0030": 1, "XEP-0077": 1})
    made = tmp_path / "site"
    site.build([tmp_path / "runs"], made)
    (table,) = json.loads((made / "index.json").read_bytes())["tables"]
    assert [category["id"] for category in table["categories"]] == ["core", "informational"]
    row = json.loads((made / "rows/cs2021/informational/xep-0077.json").read_bytes())
    assert row["roles"][0]["subjects"][0]["row"]["outcome"] == {"core": "fail", "advanced": "fail"}
    (cell,) = json.loads((made / "servers/prosody_13.0.json").read_bytes())["cells"]
    assert [row["id"] for row in cell["rows"]] == ["core/feature-discovery", "informational/xep-0077"]
    assert cell["levels"][0]["met"] == 1
    for shown in cell["rows"]:
        assert (made / shown["result"]["badge"]).is_file()
