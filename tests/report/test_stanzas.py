"""Traces cut into stanzas: nothing lost, nothing altered, nothing too broken."""

from __future__ import annotations

import time
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.record import TraceEntry
from lab.report.stanzas import items, lines
from tests.report import building


def _received(*fragments: str) -> list[TraceEntry]:
    return [TraceEntry(float(at), "alice", "received", text) for at, text in enumerate(fragments)]


def _texts(*fragments: str) -> list[str]:
    return [item.text for item in items(_received(*fragments))]


def test_several_stanzas_in_one_fragment() -> None:
    assert _texts("<a/><b>x</b><c><d/></c>") == ["<a/>", "<b>x</b>", "<c><d/></c>"]


def test_a_stanza_in_many_fragments_bears_the_time_of_its_end() -> None:
    (item,) = items(_received("<me", "ssage><bo", "dy>hi</body></message>"))
    assert (item.text, item.at, item.whole) == ("<message><body>hi</body></message>", 2.0, True)


def test_a_stream_from_header_to_end() -> None:
    found = items(building.traffic())
    assert [(i.direction, i.text[:12]) for i in found] == [
        ("note", "connected to"),
        ("sent", "<?xml versio"),
        ("received", "<?xml versio"),
        ("received", "<stream:feat"),
        ("sent", "<iq type='ge"),
        ("received", "<iq type='re"),
        ("sent", "</stream:str"),
    ]
    assert all(item.whole for item in found)


def test_a_child_element_a_line() -> None:
    (item,) = items(_received("<iq><q a='1>2'><f/><g>x &amp; y</g></q></iq>"))
    assert [(line.depth, line.text) for line in lines(item)] == [
        (0, "<iq>"),
        (1, "<q a='1>2'>"),
        (2, "<f/>"),
        (2, "<g>x &amp; y</g>"),
        (1, "</q>"),
        (0, "</iq>"),
    ]


@pytest.mark.parametrize(
    "broken",
    [
        "<a><b></a>",
        "</a>",
        "<a b='1>",
        "<a <b/>",
        "no markup",
        "<!DOCTYPE x [<!ENTITY a 'b'>]><x/>",
        "<a>&<</a>",
        "<a><!-- </a>",
        "<",
        "<>",
        "<a>",
        "<?xml",
        "<a>x]]></a",
    ],
)
def test_broken_xml_is_shown_as_it_is(broken: str) -> None:
    found = items(_received(broken))
    assert "".join(item.text for item in found) == broken
    assert not all(item.whole for item in found)
    for item in found:
        if not item.whole:
            assert [line.text for line in lines(item)] == [item.text]


def test_after_a_broken_stanza_the_next_stream_is_read_again() -> None:
    assert _texts("<a><b></stream:stream>", "<?xml version='1.0'?><stream:stream><c/>") == [
        "<a><b>",
        "</stream:stream>",
        "<?xml version='1.0'?><stream:stream>",
        "<c/>",
    ]


MARKUP = (
    "<a>|</a>|<b x='|'|\"|>|/>|<c/>|<stream:stream>|</stream:stream>|<?xml?>|<!--|-->|<![CDATA[|]]>|&amp;| |\n|text|<"
)
markup = st.lists(st.sampled_from([*MARKUP.split("|"), "é", "\ud800"])).map("".join)


def test_deep_nesting_is_not_set_in_without_end() -> None:
    (item,) = items(_received("<a>" * 5_000 + "</a>" * 5_000))
    assert max(line.depth for line in lines(item)) == 20


@given(st.lists(st.tuples(st.sampled_from(["alice", "bob"]), st.sampled_from(["sent", "received", "note"]), markup)))
def test_nothing_is_lost_or_altered(entries: list[tuple[str, str, str]]) -> None:
    trace = [TraceEntry(float(at), *entry) for at, entry in enumerate(entries)]
    was: dict[tuple[str, str], str] = defaultdict(str)
    now: dict[tuple[str, str], str] = defaultdict(str)
    for entry in trace:
        was[entry.session, entry.direction] += entry.text
    for item in items(trace):
        now[item.session, item.direction] += item.text
        assert "".join(line.text for line in lines(item)) == item.text
    assert {k: v for k, v in now.items() if v} == {k: v for k, v in was.items() if v}


@pytest.mark.parametrize(
    "hostile", ["<", "<!--", "<a '", "<a>", "</a>", "<a b='", "]]>", "<![CDATA[", "<\"'", "<a x='<' "]
)
def test_hostile_text_takes_no_more_than_one_pass(hostile: str) -> None:
    text = hostile * (400_000 // len(hostile))
    start = time.process_time()
    found = items(_received(text))
    for item in found:
        lines(item)
    assert "".join(item.text for item in found) == text
    assert time.process_time() - start < 5
