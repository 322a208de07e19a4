"""Shrinking: a drawn stanza becomes the smallest that still shows the fault, in its time, whatever a server does."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from types import SimpleNamespace

import pytest

from generators.malformations import OPERATORS
from generators.source import RandomSource, ReplaySource
from generators.stanzas import Generator
from lab.campaign import shrink as module
from lab.campaign.batch import Item
from lab.campaign.finding import Finding, fingerprint
from lab.campaign.judge import Symptom
from lab.campaign.maker import drawn
from lab.campaign.narrow import Prober, Trial, filled
from lab.campaign.pipe import Logged
from lab.campaign.shrink import shrink
from lab.campaign.template import Template
from lab.errors import PeerError
from schemas.payloads import Addressee
from schemas.robustness import trial
from tests.campaign.making import SCENE

SECONDS = 60.0  # more than it ever takes here
MISSING = Symptom("answers-each-iq", 0, "an answer", "nothing")
DISCO = "http://jabber.org/protocol/disco#info"
LOG = [Logged(1.0, "fuzzer", "sent", b"<smaller/>")]


class Server(Prober):
    """Shows the symptom for each stanza whose text says so; `faults` changes what it does at a try."""

    def __init__(
        self,
        wrong: Callable[[str], bool],
        faults: Callable[[int], Symptom | None] = lambda _: MISSING,
    ) -> None:
        self._wrong, self._faults = wrong, faults
        self.tried: list[str] = []

    def probe(self, templates: Sequence[Template], *, hurry: bool = False) -> Trial:
        assert not hurry
        (template,) = templates
        self.tried.append(template.text)
        shown = self._faults(len(self.tried)) if self._wrong(template.text) else None
        return Trial((shown,) if shown else (), (filled(template, SCENE),), LOG)


def has_node(text: str) -> bool:
    return " node=" in text


def large(wrong: Callable[[str], bool], operator: str = "", least: int = 200) -> Item:
    """A drawn disco#info request that shows the fault, and is far from the smallest."""
    uses = [
        (payload, use)
        for payload, use in trial("XEP-0030").uses
        if payload.namespace == DISCO and "get" in use.types and Addressee.SERVER in use.to
    ]
    generator, source = Generator(uses, SCENE), RandomSource(11)
    for number in range(5_000):
        source.begin()
        item = drawn(generator, OPERATORS[operator] if operator else None, source, SCENE, f"f{number}")
        if item is not None and len(item.text) >= least and wrong(Template.of(item, SCENE).text):
            return item
    pytest.fail("nothing like it was drawn")


def found_with(item: Item) -> Finding:
    return Finding(
        fingerprint(MISSING, [item]),
        MISSING.rule,
        "expected before",
        "seen before",
        "XEP-0030",
        (Template.of(item, SCENE),),
        3,
        "fake",
        "0",
        7,
    )


def test_a_valid_stanza_shrinks_to_the_smallest_that_shows_it() -> None:
    item = large(has_node)
    finding = found_with(item)
    server = Server(lambda text: has_node(text) and "to server" in finding.fingerprint)
    smaller = shrink(server, finding, item, SCENE, seconds=SECONDS)
    assert smaller is not None
    assert re.fullmatch(
        rf"<iq type='get' id='\{{\{{id\}}\}}' to='\{{\{{domain\}}\}}'><query xmlns='{DISCO}' node='[^']?'/></iq>",
        smaller.text,
    ), smaller.text
    assert smaller.shrunk
    assert (smaller.fingerprint, smaller.confirmed) == (finding.fingerprint, 3)
    assert (smaller.expected, smaller.seen) == (MISSING.expected, MISSING.seen)
    assert [entry.text for entry in smaller.trace] == ["<smaller/>"]
    assert len(server.tried) == len(set(server.tried)), "nothing is sent twice"


def test_a_malformed_stanza_shrinks_around_what_is_wrong_with_it() -> None:
    def wrong(text: str) -> bool:
        return "<!--" in text

    item = large(wrong, "comment", 120)
    smaller = shrink(Server(wrong), found_with(item), item, SCENE, seconds=SECONDS)
    assert smaller is not None
    template = smaller.templates[0]
    assert template.operator == "comment"
    assert "<!---->" in template.text
    assert len(template.text) < 130
    assert template.choices == item.choices, "whoever wants the first stanza again finds how it was drawn"


def test_some_content_that_matters_is_kept() -> None:
    def wrong(text: str) -> bool:
        return any(c.isalpha() and not c.isascii() for c in text)

    item = large(wrong)
    smaller = shrink(Server(wrong), found_with(item), item, SCENE, seconds=SECONDS)
    assert smaller is not None
    node = re.search(r" node='([^']*)'", smaller.text)
    assert node is not None
    assert wrong(node[1])
    assert len(node[1]) <= 4


def test_where_not_even_its_own_choices_show_it_there_is_nothing_smaller() -> None:
    item = large(has_node)
    assert shrink(Server(lambda _: False), found_with(item), item, SCENE, seconds=SECONDS) is None


def test_the_same_rule_broken_in_another_way_is_not_it() -> None:
    item = large(has_node)
    other = Symptom(MISSING.rule, 0, "", "", "stuck")
    assert shrink(Server(has_node, lambda _: other), found_with(item), item, SCENE, seconds=SECONDS) is None


def test_another_stanza_is_not_it() -> None:
    """What also shows the symptom, but would be known by another name, is another finding."""
    item = large(has_node)
    finding = found_with(item)
    elsewhere = Finding(
        **{**vars(finding), "fingerprint": f"{MISSING.rule} by valid {{urn:x}}other in iq get to server"}
    )
    assert shrink(Server(has_node), elsewhere, item, SCENE, seconds=SECONDS) is None


def test_a_server_that_shows_it_now_and_then_leaves_what_was_seen() -> None:
    item = large(has_node)
    finding = found_with(item)
    server = Server(has_node, lambda number: MISSING if number % 3 else None)
    smaller = shrink(server, finding, item, SCENE, seconds=SECONDS)
    assert smaller is not None
    assert has_node(smaller.text)
    assert len(smaller.text) <= len(finding.text)
    first_only = Server(has_node, lambda number: MISSING if number == 1 else None)
    kept = shrink(first_only, finding, item, SCENE, seconds=SECONDS)
    assert kept is not None
    assert kept.text == finding.text


def test_when_its_time_is_up_nothing_more_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second goes by with each try."""
    item = large(has_node)
    server = Server(has_node)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: float(len(server.tried))))
    smaller = shrink(server, found_with(item), item, SCENE, seconds=2.0)
    assert len(server.tried) == 3
    assert smaller is not None
    assert len(smaller.text) <= len(found_with(item).text)


def test_no_time_is_no_try(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter(range(10**9))
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: float(next(now))))
    item, server = large(has_node), Server(has_node)
    assert shrink(server, found_with(item), item, SCENE, seconds=0.0) is None
    assert server.tried == []


class Gone(Server):
    """Nobody can be reached any more after some tries."""

    left = 0

    def probe(self, templates: Sequence[Template], *, hurry: bool = False) -> Trial:
        if len(self.tried) == self.left:
            raise PeerError("nobody listens")
        return super().probe(templates, hurry=hurry)


def test_a_server_that_goes_away_is_said_but_what_was_seen_before_is_kept() -> None:
    item = large(has_node)
    with pytest.raises(PeerError, match="nobody listens"):
        shrink(Gone(has_node), found_with(item), item, SCENE, seconds=SECONDS)
    later = Gone(has_node)
    later.left = 3
    smaller = shrink(later, found_with(item), item, SCENE, seconds=SECONDS)
    assert smaller is not None
    assert len(later.tried) == 3
    assert len(smaller.text) < len(item.text)


def test_written_choices_make_the_same_stanza_again() -> None:
    item = large(has_node)
    generator = Generator([(item.stanza.payload, item.stanza.use)], SCENE)
    again = drawn(generator, None, ReplaySource(item.choices), SCENE, item.id)
    assert again is not None
    assert again.text == item.text
