"""A suite as the terminal and as machines read it."""

from __future__ import annotations

import json

import pytest
from rich.console import Console

from lab.errors import UsageError
from lab.report.suite import as_json, render
from schemas import suites
from schemas.suites import Level, Role


def _lines(width: int, **chosen: Role | Level | str) -> list[str]:
    console = Console(width=width, force_terminal=False)
    with console.capture() as capture:
        console.print(render(suites.load(2021), **chosen))  # type: ignore[arg-type]
    return capture.get().splitlines()


@pytest.mark.parametrize("width", [80, 140])
def test_every_row_stands_on_one_page(width: int) -> None:
    lines = _lines(width)
    page = "".join(line.strip() for line in lines)
    assert all(len(line) <= width for line in lines)
    for row in suites.load(2021).rows:
        assert row.id.partition("/")[2][:20] in page
        assert all(provider.id in page for provider in row.providers)


@pytest.mark.parametrize("width", [80, 140])
def test_footnotes_are_numbered_and_below(width: int) -> None:
    lines = _lines(width, category="core")
    (publishing,) = (line for line in lines if line.startswith("Event publishing"))
    assert "✓³" in publishing
    assert any(line.startswith("1 RFC 7622") for line in lines)
    assert any(line.startswith("2 For a server") for line in lines)


def test_titles_where_there_is_room() -> None:
    assert any("XEP-0030  Service Discovery" in line for line in _lines(140, category="core"))
    assert not any("Service Discovery" in line for line in _lines(80, category="core"))


def test_one_role_and_level() -> None:
    page = "\n".join(_lines(80, role=Role.CLIENT, level=Level.CORE, category="core"))
    assert "core/server-extensibility" not in page
    assert "core/feature-broadcasts" in page
    assert "adv." not in page


def test_a_remark_is_a_note() -> None:
    assert any(line.endswith("recommended for old bookmarks alone") for line in map(str.strip, _lines(80)))


def test_json_of_everything() -> None:
    data = json.loads(json.dumps(as_json(suites.load(2021))))
    assert len(data["rows"]) == 35
    assert data["suite"] == "CS2021"
    assert [category["id"] for category in data["categories"]] == ["core", "web", "im", "mobile", "av"]
    assert set(data["footnotes"]) == set(suites.load(2021).footnotes)
    by_id = {row["id"]: row for row in data["rows"]}
    web = by_id["web/web-connection-mechanisms"]
    assert web["levels"]["core"]["client"] == {
        "mark": "required",
        "combine": "one-of",
        "footnotes": ["one-of"],
    }
    assert [provider["role"] for provider in web["providers"]] == ["listed", "listed", "see-also"]


def test_json_of_a_part() -> None:
    data = as_json(suites.load(2021), Role.SERVER, Level.ADVANCED, "core")
    assert {row["category"] for row in data["rows"]} == {"core"}
    assert {tuple(row["levels"]) for row in data["rows"]} == {("advanced",)}
    assert set(data["footnotes"]) == {"precis", "accepts-direct-tls", "pubsub-on-account"}


def test_an_unknown_category() -> None:
    with pytest.raises(UsageError, match="nearest: mobile"):
        render(suites.load(2021), category="mobil")
