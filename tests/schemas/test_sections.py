"""The lists of normative sections: whole, reasons in order, and equal to a count in the reference texts."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from functools import cache

import pytest

from lab.errors import UsageError
from schemas import sections, suites
from schemas.sections import Specification, Why
from schemas.suites import Listing
from tests.schemas.reference import shared

REFERENCE = re.compile(r"§([0-9.]*[0-9])")


@pytest.fixture(params=sections.providers())
def specification(request: pytest.FixtureRequest) -> Specification:
    return sections.load(request.param)


def test_every_core_provider_is_listed() -> None:
    rows = suites.load(2021).select(category="core")
    asked = {provider.id for row in rows for provider in row.providers if provider.role is Listing.LISTED}
    assert asked <= set(sections.providers())


def test_numbers_rise(specification: Specification) -> None:
    order = [[int(part) for part in section.number.split(".")] for section in specification.sections]
    assert order == sorted(order)


def test_each_section_says_must_or_should(specification: Specification) -> None:
    assert all(section.must + section.should for section in specification.sections)


def test_a_reason_is_a_sentence(specification: Specification) -> None:
    for section in specification.sections:
        assert (section.why is None) == (section.none == ""), section.number
        if section.why is not None:
            assert len(section.none.split()) > 3, section.number
            assert section.none.endswith("."), section.number


def test_what_is_said_elsewhere_is_tested_there(specification: Specification) -> None:
    """`elsewhere` names a section of the same list that has no reason of its own, or another specification."""
    for section in specification.sections:
        named = REFERENCE.findall(section.none)
        reasons = [specification.section(number).why for number in named]
        if section.why is Why.ELSEWHERE:
            assert named or "RFC 2119" in section.none, section.number
            assert set(reasons) <= {None}, section.number


def test_an_unknown_provider_or_section() -> None:
    with pytest.raises(UsageError, match=r"nearest: .*XEP-0030"):
        sections.load("XEP-0031")
    with pytest.raises(UsageError, match=r"nearest: .*4\.9\.3\.19"):
        sections.load("RFC 6120").section("4.9.3.91")


Counts = dict[str, tuple[str, int, int, int]]


@cache
def _counted(provider: str) -> Counts:
    """The reference tool's count for a provider."""
    name = provider.lower()
    file = f"rfcs/{name.replace(' ', '')}.xml" if name.startswith("rfc") else f"xeps/{name}.xml"
    tool, source = shared("tools/normative.py"), shared("reference") / file
    output = subprocess.run(
        [sys.executable, str(tool), "--json", str(source)], capture_output=True, check=True, timeout=60
    ).stdout
    (rows,) = json.loads(output).values()
    return {
        row["section"]: (re.sub(r"\s+", " ", row["title"]).strip(), row["must"], row["should"], row["may"])
        for row in rows
        if row["must"] + row["should"]
    }


def _listed(specification: Specification) -> Counts:
    return {s.number: (s.title, s.must, s.should, s.may) for s in specification.sections}


def test_the_list_says_what_the_specification_says(specification: Specification) -> None:
    assert _listed(specification) == _counted(specification.provider)


def test_the_comparison_notices_a_planted_difference(specification: Specification) -> None:
    counted = _counted(specification.provider)
    first, *others = specification.sections
    for planted in ((replace(first, must=first.must + 1), *others), tuple(others)):
        assert _listed(replace(specification, sections=planted)) != counted
