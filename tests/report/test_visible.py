"""What cannot be seen is named, and nothing is lost."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.report.visible import cut, pieces, plain, tail


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("a\u202eb", "a⟨U+202E⟩b"),
        ("\x00\x1b[31m", "⟨U+0000⟩⟨U+001B⟩[31m"),
        ("x\ud800y", "x⟨U+D800⟩y"),
        ("\ufffe\U0001ffff", "⟨U+FFFE⟩⟨U+1FFFF⟩"),
        ("a\nb\tc\rd", "a⏎b⇥c␍d"),
        ("Grüße 🙂 שלום", "Grüße 🙂 שלום"),
    ],
)
def test_plain(text: str, seen: str) -> None:
    assert plain(text) == seen


def test_line_feeds_and_tabs_may_stay() -> None:
    assert plain("a\n\tb\r", lines=True) == "a\n\tb␍"


def test_spaces_that_would_be_overlooked_are_marked() -> None:
    assert [(p.text, p.mark) for p in pieces(" a b  c ", spaces=True)] == [
        ("·", True),
        ("a b", False),
        ("··", True),
        ("c", False),
        ("·", True),
    ]


@given(st.text(st.characters()))
def test_nothing_hidden_is_left(text: str) -> None:
    left = {unicodedata.category(sign) for sign in plain(text)}
    assert not left & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    plain(text).encode()


@given(st.text())
def test_what_is_not_marked_is_unaltered(text: str) -> None:
    kept = "".join(p.text for p in pieces(text, lines=True) if not p.mark)
    remaining = iter(text)
    assert all(sign in remaining for sign in kept)


def test_what_is_left_out_is_said() -> None:
    assert cut("abcdef", 2) == "ab … (4 more characters)"
    assert tail("abcdef", 2) == "(4 characters before) … ef"
    assert cut("ab", 2) == tail("ab", 2) == "ab"
