"""Leaf values: simplest first, nasty ones soon, always what their type accepts, and escaped where they must be."""

from __future__ import annotations

import re
import unicodedata

import pytest
from lxml import etree

from generators import addresses, escape, patterns, texts, values, walk, words
from generators.compiler import TYPES, shape_of
from generators.shapes import Value
from generators.source import RandomSource, ReplaySource
from generators.stanza import Scene
from schemas.catalogue import catalogue
from tests.generators.scenes import SCENE


def plain(meaning: str) -> Value:
    return Value(meaning, "here", plain=True)


def drawn(meaning: str, count: int, seed: int = 1) -> list[str]:
    """Values as they are written in an attribute, read again."""
    draw, source = values.drawing(plain(meaning), escape.attribute), RandomSource(seed)
    known = walk.addresses_of(SCENE)
    return [etree.fromstring(f"<a v='{draw(source.integer, known)}'/>").get("v", "") for _ in range(count)]


@pytest.mark.parametrize(
    ("meaning", "simplest"),
    [
        ("text", "a"),
        ("id", "a"),
        ("node", "a"),
        ("jid", "lab.test"),
        ("fullJid", "lab.test/a"),
        ("domain", "lab.test"),
        ("language", ""),
        ("base64", ""),
        ("boolean", "false"),
        ("mechanism", "A"),
        ("dateTime", "1970-01-01T00:00:00Z"),
    ],
)
def test_no_choice_at_all_is_the_simplest(meaning: str, simplest: str) -> None:
    draw = values.drawing(plain(meaning), escape.attribute)
    assert draw(ReplaySource(()).integer, walk.addresses_of(SCENE)) == simplest


def test_every_meaning_has_words_of_its_own() -> None:
    """A type that is added to types.xsd must be known here, or it would be drawn as any text."""
    types = etree.parse(catalogue().file(TYPES).path).getroot().findall("{*}simpleType")
    known = {*words.WORDS, *words.OPEN, *addresses.MEANINGS}
    assert {t.get("name") for t in types} - known == {"port"}, "port is a number, by its range"


@pytest.mark.parametrize("name", sorted(texts.NASTY))
def test_each_class_of_nasty_text_shows_up_soon(name: str) -> None:
    seen = {text for seed in range(4) for text in drawn("text", 500, seed)}
    assert seen & {text.replace("\r\n", "\n") for text in texts.NASTY[name]} or seen & set(texts.NASTY[name])


def test_long_runs_show_up_and_are_rare() -> None:
    lengths = [len(text.encode()) for text in drawn("text", 8000)]
    assert max(lengths) > 1000
    assert max(lengths) <= texts.LONGEST * 4
    assert sum(lengths) / len(lengths) < 60


def test_normalisation_pairs_and_planes_are_among_the_texts() -> None:
    every = texts.all_texts()
    assert any(unicodedata.normalize("NFC", text) != text for text in every)
    assert any(unicodedata.normalize("NFD", text) != text for text in every)
    assert any(ord(c) > 0xFFFF for text in every for c in text)
    assert any(unicodedata.bidirectional(c) in ("R", "AL") for text in every for c in text)
    assert any(ord(c) & 0xFFFE == 0xFFFE for text in every for c in text), "a non-character of another plane"


@pytest.mark.parametrize("text", texts.all_texts())
def test_texts_come_back_from_both_places(text: str) -> None:
    root = etree.fromstring(f"<a v='{escape.attribute(text)}'>{escape.content(text)}</a>")
    assert root.get("v") == text
    assert (root.text or "") == text
    assert etree.fromstring(f"<a v=\"{escape.anywhere(text)}\" w='{escape.anywhere(text)}'/>").values() == [
        text,
        text,
    ]


def test_addresses_are_mostly_the_scenes() -> None:
    named = {address for values_ in SCENE.addresses.values() for address in values_}
    seen = drawn("jid", 4000)
    assert 0.6 < sum(address in named or address.startswith("romeo@lab.test") for address in seen) / 4000 < 0.9
    assert named - {""} <= set(seen)


def test_addresses_keep_the_lengths_of_their_parts() -> None:
    for address in {*drawn("jid", 6000), *drawn("fullJid", 6000)}:
        bare, _, resource = address.partition("/")
        local, _, domain = bare.rpartition("@")
        assert all(len(part.encode()) <= 1023 for part in (local, domain, resource)), address
        assert domain
    lengths = {len(a.partition("@")[0].encode()) for a in drawn("jid", 6000) if "@" in a.partition("/")[0]}
    assert 1023 in lengths


@pytest.mark.parametrize("local", addresses.LOCALPARTS)
def test_localparts_are_legal(local: str) -> None:
    assert not set(local) & set("\"&'/:<>@ ")
    assert 1 <= len(local.encode()) <= 1023


def test_the_same_choices_make_the_same_text_in_another_scene() -> None:
    renamed = {
        to: tuple(f"{to}{place}@b.c" if address else "" for place, address in enumerate(known))
        for to, known in SCENE.addresses.items()
    }
    other = Scene("a@b.c/d", "b.c", renamed)
    query = shape_of("{http://jabber.org/protocol/disco#items}query")
    source = RandomSource(9)
    for _ in range(300):
        source.begin()
        one = etree.fromstring(walk.draw(query, source, SCENE))
        two = etree.fromstring(walk.draw(query, ReplaySource(source.choices), other))
        assert [e.tag for e in one.iter()] == [e.tag for e in two.iter()]
        assert [sorted(e.attrib) for e in one.iter()] == [sorted(e.attrib) for e in two.iter()]


def test_numbers_reach_the_ends_of_their_range() -> None:
    assert words.integers(0, 65535)[0] == "0"
    assert {"0", "1", "65534", "65535"} <= set(words.integers(0, 65535))
    assert words.integers(5, 9)[0] == "5"
    assert all(5 <= int(number) <= 9 for number in words.integers(5, 9))
    assert str(10**30) in words.integers(None, None)


@pytest.mark.parametrize(
    ("pattern", "simplest"),
    [
        ("[^/]+/[\\s\\S]+", None),
        ("(image|video)/.+", "image/a"),
        ("a{2}b{1,3}c?", "aab"),
        ("[a-c\\-]*|x", ""),
        ("\\d{4}-\\d{2}", "0000-00"),
        ("[^a]\\.\\\\", None),
    ],
)
def test_samples_match_their_pattern(pattern: str, simplest: str | None) -> None:
    found = patterns.samples(pattern, 30)
    assert all(re.fullmatch(pattern, text) for text in found)
    assert simplest is None or found[0] == simplest


@pytest.mark.parametrize("pattern", ["[a-z-[aeiou]]", "\\p{L}", "(a", "a)", "[a", "a{x}", "*"])
def test_patterns_beyond_what_is_read_are_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        patterns.samples(pattern, 1)
