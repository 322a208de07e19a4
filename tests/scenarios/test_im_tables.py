"""The tables of RFC 6121 as data: as the RFC has them, whole, and the model that is made of them."""

from __future__ import annotations

import re
from itertools import product
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from lab.plugin import Connect
from lab.plugin.judge import Missed
from scenarios.server.rfc6121 import _sequences
from scenarios.server.rfc6121._delivery import PRESENT, RULES, TYPES
from scenarios.server.rfc6121._pair import SIDES, Pair, Step, Told, way_to
from scenarios.server.rfc6121._sequences import Search, Users, search_for_a_failure
from scenarios.server.rfc6121._states import INBOUND, KINDS, OUTBOUND, STATES, Line, Passed, State
from tests.schemas.reference import shared

ROW = re.compile(r'\|\s*"([^"]+)"\s*\|\s*([A-Z.]+)\s*(?:\[\d\])?\s*\|\s*"?([^"|]+?)"?\s*(?:\[\d\])?\s*\|')
STEPS = [Step(side, what) for side in SIDES for what in (*KINDS, "remove", "leave", "come")]


@pytest.mark.parametrize("lines", [OUTBOUND, INBOUND], ids=["outbound", "inbound"])
def test_each_stanza_has_a_line_for_each_state(lines: tuple[Line, ...]) -> None:
    assert [(one.kind, one.before) for one in lines] == list(product(KINDS, STATES.values()))


def _tables_of_the_rfc() -> list[list[tuple[str, str, str]]]:
    """The eight tables of Appendix A, in order: state, what is done with the stanza, new state."""
    file = shared("reference") / "rfcs" / "rfc6121.xml"
    parser = etree.XMLParser(resolve_entities=False, load_dtd=False, recover=True)
    figures = ["".join(map(str, a.itertext())) for a in etree.parse(str(file), parser).iter("artwork")]
    return [ROW.findall(text) for text in figures if "EXISTING STATE" in text]


def test_lines_are_those_of_the_rfc() -> None:
    """`any` stands for the RFC's MUST where its sections in words say otherwise (§3.3.3)."""
    tables = _tables_of_the_rfc()
    order = ["subscribe", "unsubscribe", "subscribed", "unsubscribed"]
    assert len(tables) == 8
    for number, table in enumerate(tables):
        lines = [one for one in (OUTBOUND if number < 4 else INBOUND) if one.kind == order[number % 4]]
        ours = []
        for one in lines:
            passed = "MUST" if one.passed in {Passed.MUST, Passed.EITHER} else str(one.passed)
            ours.append((one.before.spoken, passed, one.after.spoken if one.changes else "no state change"))
        theirs = [(was, done, "no state change" if new == "pre-approval" else new) for was, done, new in table]
        assert ours == theirs


def test_only_the_end_of_a_request_may_be_delivered_or_not() -> None:
    either = [(one.kind, one.before.pending_in) for one in (*OUTBOUND, *INBOUND) if one.passed is Passed.EITHER]
    assert either == [("unsubscribe", True)] * 3


def test_rules_cover_each_type_of_message() -> None:
    places = {(rule.present, rule.to) for rule in RULES}
    assert {present for present, _ in places} == set(PRESENT)
    assert len(RULES) == len(places) * len(TYPES) == len({rule.name for rule in RULES})
    assert all(rule.allowed and set(rule.allowed) <= set("DMAOES") for rule in RULES)


@given(st.lists(st.sampled_from(STEPS), max_size=40))
def test_sides_of_the_model_mirror_each_other(steps: list[Step]) -> None:
    pair = Pair()
    for step in steps:
        if pair.allows(step):
            pair.apply(step)
        for side in SIDES:
            mine, theirs = pair.sides[side].state, pair.sides[Pair.other(side)].state
            assert mine.out == theirs.pending_in
            assert (mine.subscription in {"to", "both"}) == (theirs.subscription in {"from", "both"})


@pytest.mark.parametrize("state", STATES.values(), ids=list(STATES))
def test_way_to_a_state_leads_there(state: State) -> None:
    pair = Pair()
    for step in way_to(state):
        assert pair.allows(step)
        pair.apply(step)
    assert pair.sides["alice"].state == state


class _Wrong(Users):
    """On no wire: fails where the model comes to a mutual subscription, as a server might that knows none."""

    played = 0

    def _play(self, step: Step, told: tuple[Told, ...]) -> None:
        type(self).played += 1
        if self._model.sides["alice"].state.subscription == "both":
            raise Missed("a mutual subscription", "none")


def test_failing_sequence_is_short_and_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four steps make a mutual subscription, and the bound on the search holds."""
    monkeypatch.setattr(_sequences, "Users", _Wrong)
    told = []
    for _ in range(2):
        search = Search(cast("Connect", None))
        with pytest.raises(Missed) as caught:
            search_for_a_failure(search)
        told.append(caught.value.expected)
    assert told[0] == told[1]
    assert told[0].count(";") == 3
    assert _Wrong.played < 2 * (12 + 20) * (12 + 4)


def test_nothing_wrong_raises_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Right(Users):
        def _play(self, step: Step, told: tuple[Told, ...]) -> None:
            return

    monkeypatch.setattr(_sequences, "Users", Right)
    search_for_a_failure(Search(cast("Connect", None)))
