"""Names of files: safe, told apart, and the same each time."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from lab.site.names import path, slug
from tests.report.building import HOSTILE


def test_plain_names_stay() -> None:
    assert slug("prosody") == "prosody"
    assert slug("13.0") == "13.0"
    assert path("xep-0030/info-is-answered") == "xep-0030/info-is-answered"


def test_where_something_was_replaced_a_hash_stands() -> None:
    assert re.fullmatch(r"my-server-[0-9a-f]{10}", slug("My Server"))
    assert len({slug(name) for name in ("My Server", "my server", "my-server", "my_server", "-my-server", "")}) == 6
    assert slug(slug("My Server")) != slug("My Server")  # nobody can take another's name by writing its hash
    assert path("a/../b") != path("a/b")
    assert "." not in path("a.html/b")  # a page of a check `a` lies where this folder would
    assert "/" not in path("a/" * 3_000)


@given(st.text(st.characters(), max_size=200) | st.just(HOSTILE))
def test_any_name_is_safe(name: str) -> None:
    assert re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,71}", slug(name))
    assert ".." not in path(name).split("/")


@given(st.text(), st.text())
def test_two_names_are_two_files(one: str, other: str) -> None:
    assert (slug(one) == slug(other)) is (one == other)
    assert (path(one) == path(other)) is (one == other)
