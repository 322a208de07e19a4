"""The suites' data: whole by themselves, and equal to the XEPs' tables where these are at hand."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from lab.errors import UsageError
from schemas import suites
from schemas.suites import PLACES, Combine, Level, Listing, Mark, Note, Role, Suite
from tests.schemas.reference import shared

YEARS = (2021, 2022, 2023)
Reference = dict[str, Any]


@pytest.fixture(params=YEARS)
def suite(request: pytest.FixtureRequest) -> Suite:
    return suites.load(request.param)


def test_the_three_years_are_known() -> None:
    assert suites.years() == YEARS


def test_thirty_five_rows_each_marked_for_both_roles_and_levels(suite: Suite) -> None:
    assert len(suite.rows) == 35
    assert len({row.id for row in suite.rows}) == 35
    for row in suite.rows:
        assert set(row.marks) == set(row.combine) == set(row.footnotes) == set(PLACES), row.id


def test_ids_are_category_and_slug(suite: Suite) -> None:
    assert [category.id for category in suite.categories] == ["core", "web", "im", "mobile", "av"]
    for row in suite.rows:
        slug = re.sub(r"[^a-z0-9]+", "-", row.feature.lower()).strip("-")
        assert row.id == f"{row.category}/{slug}"


def test_ids_are_the_same_in_every_year() -> None:
    ids = {tuple(row.id for row in suites.load(year).rows) for year in YEARS}
    assert len(ids) == 1


def test_providers_are_well_formed(suite: Suite) -> None:
    for row in suite.rows:
        assert row.listed, row.id
        for provider in row.providers:
            assert re.fullmatch(r"RFC \d{4}|XEP-\d{4}", provider.id), row.id
            assert provider.id not in provider.title or provider.title == provider.id


def test_every_footnote_is_used(suite: Suite) -> None:
    used = {key for row in suite.rows for keys in row.footnotes.values() for key in keys}
    used |= {key for row in suite.rows for provider in row.providers for key in provider.footnotes}
    assert used == set(suite.footnotes)


def test_reading_a_row() -> None:
    row = suites.load(2021).row("web/web-connection-mechanisms")
    assert row.category == "web"
    assert row.required(Role.SERVER, Level.CORE)
    assert row.combine_for(Role.SERVER, Level.CORE) is Combine.ALL
    assert row.combine_for(Role.CLIENT, Level.CORE) is Combine.ONE_OF
    assert [provider.id for provider in row.listed] == ["RFC 7395", "XEP-0206"]
    assert row.providers[-1].role is Listing.SEE_ALSO


def test_a_row_that_is_not_required() -> None:
    row = suites.load(2021).row("core/event-publishing")
    assert not row.required(Role.SERVER, Level.CORE)
    assert row.required(Role.SERVER, Level.ADVANCED)


def test_select_leaves_out_what_does_not_apply() -> None:
    suite = suites.load(2021)
    assert suite.select() == suite.rows
    assert len(suite.select(category="core")) == 7
    for_clients = [row.id for row in suite.select(Role.CLIENT, category="core")]
    assert "core/server-extensibility" not in for_clients
    assert "core/event-publishing" in for_clients
    assert all(
        row.marks[Role.SERVER, Level.CORE] is not Mark.NOT_APPLICABLE for row in suite.select(Role.SERVER, Level.CORE)
    )


def test_rows_of_a_provider() -> None:
    suite = suites.load(2023)
    assert [row.id for row in suite.rows_of("XEP-0198")] == [
        "im/stream-management",
        "mobile/stream-management",
    ]
    (web,) = suite.rows_of("XEP-0124")  # only a see-also, and what XEP-0206 is measured by besides itself
    assert web.measured == {"RFC 7395": ("RFC 7395",), "XEP-0206": ("XEP-0206", "XEP-0124")}
    assert web.measuring == {"RFC 7395", "XEP-0206", "XEP-0124"}


@pytest.mark.parametrize(
    ("ask", "hint"),
    [
        (lambda: suites.load(2021).row("core/feature-discvery"), "core/feature-discovery"),
        (lambda: suites.load(2021).row("Feature-Discovery"), "core/feature-discovery"),
        (lambda: suites.load(2021).select(category="cor"), "core"),
        (lambda: suites.load(2020), "2021, 2022, 2023"),
    ],
)
def test_an_unknown_name_gets_the_nearest_ones(ask: Callable[[], object], hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        ask()
    assert hint in caught.value.hint


def differences(suite: Suite, reference: Reference) -> list[str]:
    """Where our data and the reference's JSON do not say the same, one line each."""
    found: list[str] = []
    meant: dict[str, str] = {}  # our footnote -> the reference's text of it

    def hold(where: str, ours: object, theirs: object) -> None:
        if ours != theirs:
            found.append(f"{where}: {ours!r} here, {theirs!r} there")

    def hold_notes(where: str, keys: tuple[str, ...], notes: list[Reference]) -> None:
        hold(f"{where}: how many footnotes", len(keys), len(notes))
        for key, note in zip(keys, notes, strict=False):
            hold(f"{where}: what {key} means", meant.setdefault(key, note["text"]), note["text"])

    def hold_asides(where: str, ours: tuple[Note, ...], theirs: list[Reference]) -> None:
        hold(where, [note.specifications for note in ours], [_named(note) for note in theirs])

    for key, theirs in (
        ("name", reference["shortname"]),
        ("title", reference["title"]),
        ("xep", f"XEP-{reference['xep']}"),
        ("version", reference["version"]),
        ("status", reference["status"]),
        ("supersedes", tuple(reference["supersedes"])),
        ("superseded_by", tuple(reference["superseded_by"])),
    ):
        hold(key, getattr(suite, key), theirs)
    hold("date", suite.date.isoformat(), reference["date"])
    hold_asides("future", suite.future, reference["future_development"])

    tables = reference["suites"]
    hold("categories", [(c.id, c.title) for c in suite.categories], [(t["category"], t["topic"]) for t in tables])
    for category, table in zip(suite.categories, tables, strict=False):
        hold(f"{category.id}: requires", bool(category.requires), bool(table["intro"]))
        hold_asides(f"{category.id}: of note", category.of_note, table["specifications_of_note"])

    rows = [(table["category"], row) for table in tables for row in table["rows"]]
    hold("rows", [(r.category, r.feature) for r in suite.rows], [(c, r["feature"]) for c, r in rows])
    for ours, (_, theirs) in zip(suite.rows, rows, strict=False):
        for role, level in PLACES:
            where, cell = f"{ours.id}: {level} {role}", theirs["levels"][f"{level}_{role}"]
            notes = cell.get("footnotes", [])
            one_of = any(note.get("key") == "onlyone" for note in notes)
            hold(where, str(ours.marks[role, level]), cell["mark"])
            hold(f"{where}: combine", ours.combine_for(role, level), Combine.ONE_OF if one_of else Combine.ALL)
            hold_notes(where, ours.footnotes[role, level], notes)
        per_level = Combine.ONE_OF in ours.combine.values()
        hold(f"{ours.id}: combine", "per-level" if per_level else "all", theirs["combine"])
        hold(f"{ours.id}: providers", [p.id for p in ours.providers], [p["id"] for p in theirs["providers"]])
        for provider, other in zip(ours.providers, theirs["providers"], strict=False):
            where = f"{ours.id}: {provider.id}"
            label = provider.id if provider.title == provider.id else f"{provider.title} ({provider.id})"
            hold(f"{where}: title", label, other["title"])
            hold(f"{where}: role", str(provider.role), other["role"])
            hold(f"{where}: has a remark", bool(provider.remark), "remark" in other)
            hold_notes(where, provider.footnotes, other.get("footnotes", []))
    hold("footnotes that mean the same", len(set(meant.values())), len(meant))
    return found


def _named(note: Reference) -> tuple[str, ...]:
    """The specifications that an entry of a list names, those of the list below it too."""
    return (*note["ids"], *(name for item in note.get("items", []) for name in _named(item)))


def _reference(year: int) -> Reference:
    text = (shared("reference/suites") / f"cs{year}.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def test_the_data_says_what_the_xeps_say(suite: Suite) -> None:
    assert differences(suite, _reference(suite.year)) == []


def _row(reference: Reference, feature: str) -> Reference:
    return next(row for table in reference["suites"] for row in table["rows"] if row["feature"] == feature)


PLANTED: dict[str, Callable[[Reference], object]] = {
    "a mark": lambda r: _row(r, "Direct TLS")["levels"]["core_server"].update(mark="required"),
    "N/A": lambda r: _row(r, "Encryption")["levels"]["core_server"].update(mark="not-required"),
    "a row less": lambda r: r["suites"][0]["rows"].pop(),
    "a row's name": lambda r: _row(r, "TLS").update(feature="SSL"),
    "a provider less": lambda r: _row(r, "Group Chat")["providers"].pop(),
    "another provider": lambda r: _row(r, "Chat States")["providers"][0].update(id="XEP-0022"),
    "a provider's title": lambda r: _row(r, "Chat States")["providers"][0].update(title="States (XEP-0085)"),
    "a provider's role": lambda r: _row(r, "Web Connection Mechanisms")["providers"][2].update(role="listed"),
    "a remark": lambda r: _row(r, "Private XML Storage")["providers"][0].pop("remark"),
    "combine": lambda r: _row(r, "Call Setup").update(combine="per-level"),
    "a footnote less": lambda r: _row(r, "File Upload")["levels"]["core_server"].pop("footnotes"),
    "a footnote's meaning": lambda r: _row(r, "File Upload")["levels"]["core_server"]["footnotes"][0].update(
        text="something else"
    ),
    "one-of": lambda r: _row(r, "Web Connection Mechanisms")["levels"]["core_client"]["footnotes"][0].pop("key"),
    "of note": lambda r: r["suites"][2]["specifications_of_note"].pop(),
    "future": lambda r: r["future_development"][1]["items"].pop(0),
    "version": lambda r: r.update(version="9.9"),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_the_comparison_notices_a_planted_difference(planted: str, suite: Suite) -> None:
    reference = copy.deepcopy(_reference(suite.year))
    PLANTED[planted](reference)
    assert differences(suite, reference) != []


def test_what_a_suite_only_mentions_has_informational_rows(suite: Suite) -> None:
    assert {"XEP-0077", "XEP-0157", "XEP-0386", "XEP-0388", "XEP-0390", "XEP-0425", "XEP-0433"} <= suite.mentioned
    asked = {name for row in suite.rows for name in row.measuring}
    assert not suite.mentioned & asked
    assert [row.id for row in suite.rows_of("XEP-0077")] == ["informational/xep-0077"]
    for row in suite.informational:
        assert row not in suite.select()
        assert not any(row.required(role, level) for role, level in PLACES)
