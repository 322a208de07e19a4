"""Broken data files: the file, the place and the field are named, and nothing is guessed."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.errors import UsageError
from schemas import sections, suites

SUITE = (suites.FOLDER / "cs2021.toml").read_text(encoding="utf-8")
SECTIONS = """
provider = "XEP-9999"
title = "Of nothing"
version = "1.0"
date = "2026-11-30"

[[section]]
number = "3"
title = "Requirements"
must = 7
should = 2
may = 1

[[section]]
number = "5"
title = "Implementation Notes"
must = 1
should = 1
may = 0
why = "other-role"
none = "What the other party does."
"""


@pytest.mark.parametrize(
    ("was", "became", "named"),
    [
        ('feature = "TLS"', 'feature = "TLS', "line"),
        ('feature = "TLS"\n', "", "row core/tls: feature is missing"),
        ('feature = "TLS"', "feature = 5", "row core/tls: feature must be a text"),
        ('feature = "TLS"', 'faeture = "TLS"\nfeature = "TLS"', "row core/tls: faeture is not a field here"),
        ('id = "core/tls"', 'id = "core/direct-tls"', "row core/direct-tls stands there twice"),
        ('id = "core/tls"', 'id = "cor/tls"', "row cor/tls is of an unknown category"),
        ('server = "required", client = "N/A"', 'server = "yes", client = "N/A"', "core: server is 'yes'"),
        ('server = "required", client = "N/A"', 'server = "required"', "core: client is missing"),
        ('footnotes = ["precis"]', 'footnotes = ["prcis"]', "core/core-features: footnote 'prcis'"),
        ('role = "see-also"', 'role = "see"', "providers XEP-0124: role is 'see'; known: listed, see-also"),
        ('combine.core = { client = "one-of" }', 'combine.cor = { client = "one-of" }', "combine: cor is not"),
        ("date = 2020-11-24", 'date = "soon"', "date must be a date"),
        ("year = 2021", "year = -1", "year must be a whole number"),
        ('supersedes = ["XEP-0423"]', 'supersedes = "XEP-0423"', "supersedes must be a list of texts"),
    ],
)
def test_a_broken_suite(was: str, became: str, named: str, tmp_path: Path) -> None:
    assert was in SUITE
    path = tmp_path / "cs2099.toml"
    path.write_text(SUITE.replace(was, became, 1), encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        suites.read(path)
    assert "cs2099.toml" in caught.value.message
    assert named in str(caught.value)
    assert str(path) in caught.value.hint


@pytest.mark.parametrize(
    ("was", "became", "named"),
    [
        ("must = 7", "must = seven", "line"),
        ("must = 7\n", "", "section 3: must is missing"),
        ("must = 7", "must = true", "section 3: must must be a whole number"),
        ('number = "3"', 'number = "5"', "section 5 stands there twice"),
        ('why = "other-role"', 'why = "invisible"', "section 5: why is 'invisible'; known: not-visible"),
        ('why = "other-role"\n', "", "section 5: why and none"),
        ('title = "Requirements"', 'title = "Requirements"\nnote = "?"', "section 3: note is not a field"),
    ],
)
def test_broken_sections(was: str, became: str, named: str, tmp_path: Path) -> None:
    assert was in SECTIONS
    path = tmp_path / "xep-9999.toml"
    path.write_text(SECTIONS.replace(was, became, 1), encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        sections.load_file(path)
    assert "xep-9999.toml" in caught.value.message
    assert named in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        suites.read(tmp_path / "cs1999.toml")
