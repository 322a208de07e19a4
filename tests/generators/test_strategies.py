"""Hypothesis walks the same walk: the same choices make the same stanza, and what fails is shrunk to the smallest."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from generators import walk
from generators.compiler import shape_of
from generators.source import HypothesisSource, ReplaySource
from generators.stanza import Stanza
from generators.stanzas import Generator, client_uses
from generators.strategies import elements, stanzas
from schemas.catalogue import catalogue
from tests.generators.scenes import SCENE, Recorded, on_stream

FEW = settings(
    database=None, max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
ALL = Generator(client_uses(), SCENE)


@st.composite
def recorded(draw: st.DrawFn) -> tuple[Stanza, list[int]]:
    source = Recorded(HypothesisSource(draw))
    return ALL.draw(source, "a"), source.choices


@FEW
@given(recorded())
def test_the_same_choices_make_the_same_stanza(drawn: tuple[Stanza, list[int]]) -> None:
    stanza, choices = drawn
    assert ALL.draw(ReplaySource(choices), "a") == stanza


@FEW
@given(stanzas(ALL))
def test_what_hypothesis_draws_is_valid(stanza: Stanza) -> None:
    assert catalogue().valid(on_stream(stanza.xml)), stanza.xml


_BOTH = (Phase.generate, Phase.shrink)

SHRUNK = [
    "{http://jabber.org/protocol/disco#info}query",
    "{jabber:x:data}x",
    "{http://jabber.org/protocol/pubsub}pubsub",
    "{vcard-temp}vCard",
    "{urn:xmpp:jingle:1}jingle",
    "{jabber:client}error",
    "{urn:xmpp:mam:2}prefs",
]


def smallest(name: str, fails: Callable[[str], bool]) -> str:
    return find(
        elements(shape_of(name), SCENE),
        fails,
        # What is drawn depends on the modules that are loaded: their constants are tried. Few of so many are needed.
        settings=settings(FEW, max_examples=50_000, phases=_BOTH),
        random=Random(1),  # noqa: S311 - for tests, not for secrets
    )


@pytest.mark.parametrize("name", SHRUNK)
def test_shrinking_reaches_the_smallest_legal_instance(name: str) -> None:
    simplest = walk.draw(shape_of(name), ReplaySource(()), SCENE)
    assert smallest(name, lambda _: True) == simplest
    assert len(simplest) < 250


@pytest.mark.parametrize(
    ("name", "needle", "wanted"),
    [
        (
            "{http://jabber.org/protocol/disco#info}query",
            "<feature",
            "<query xmlns='http://jabber.org/protocol/disco#info'><feature var='a'/></query>",
        ),
        (
            "{http://jabber.org/protocol/disco#items}query",
            "node=",
            "<query xmlns='http://jabber.org/protocol/disco#items' node='a'/>",
        ),
        ("{jabber:client}body", "]]&gt;", "<body xmlns='jabber:client'>]]&gt;</body>"),
        ("{jabber:client}body", "\U0001f600", "<body xmlns='jabber:client'>\U0001f600</body>"),
        ("{jabber:client}body", "a" * 9, f"<body xmlns='jabber:client'>{'a' * 16}</body>"),
    ],
)
def test_what_fails_is_shrunk_to_what_a_person_would_write(name: str, needle: str, wanted: str) -> None:
    assert smallest(name, lambda xml: needle in xml) == wanted


@pytest.mark.parametrize(
    ("name", "needle", "longest"),
    [
        ("{http://jabber.org/protocol/pubsub}pubsub", "<publish-options", 250),
        ("{jabber:iq:roster}query", "subscription='both'", 150),
        ("{jabber:x:data}x", "<option", 250),
        ("{vcard-temp}vCard", "<PHOTO", 100),
    ],
)
def test_parts_that_do_not_matter_are_taken_away_as_wholes(name: str, needle: str, longest: int) -> None:
    """Without the walk's word for parts (BEGIN, END), dozens of children were left standing."""
    assert len(smallest(name, lambda xml: needle in xml)) <= longest
