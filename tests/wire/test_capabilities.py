"""XEP-0390's hashes: the values of the specification's own examples, and what has no hash."""

from __future__ import annotations

import re

import pytest

from lab.wire.capabilities import caps, digest, hashes, node
from lab.wire.session import parse
from lab.wire.stream import Element
from tests.schemas.reference import shared


def _examples() -> list[tuple[Element, Element]]:
    """Each disco#info of §4.5 with the set of hashes that follows it."""
    text = (shared("reference/xeps") / "xep-0390.xml").read_text(encoding="utf-8")
    part = text[text.index("caption='disco#info payload for the simple") : text.index("topic='Use Cases'")]
    queries = re.findall(r"<query xmlns=.*?</query>", part, re.DOTALL)
    sets = re.findall(r'<c xmlns="urn:xmpp:caps">.*?</c>', part, re.DOTALL)
    return [(parse(query), parse(those)) for query, those in zip(queries, sets, strict=True)]


def test_the_examples_hashes() -> None:
    examples = _examples()
    assert len(examples) == 2
    for query, those in examples:
        assert [(name, digest(name, query)) for name, _ in hashes(those)] == list(hashes(those))


def test_a_node_names_function_and_value() -> None:
    assert node(("sha-256", "u79Z=")) == "urn:xmpp:caps#sha-256.u79Z="
    assert hashes(parse(caps([("sha-256", "a="), ("sha3-256", "b=")]))) == (("sha-256", "a="), ("sha3-256", "b="))


@pytest.mark.parametrize(
    "inside",
    [
        "<other xmlns='urn:other'/>",
        "<x xmlns='jabber:x:data' type='result'><field var='a'><value>b</value></field></x>",
        "<x xmlns='jabber:x:data'><field var='FORM_TYPE' type='hidden'><value>k</value></field><reported/></x>",
    ],
)
def test_what_has_no_hash(inside: str) -> None:
    with pytest.raises(ValueError, match=r"a form|another child"):
        digest("sha-256", parse(f"<query xmlns='http://jabber.org/protocol/disco#info'>{inside}</query>"))


def test_the_language_around_counts() -> None:
    identity = "<identity category='server' type='im'/>"
    plain = parse(f"<query xmlns='http://jabber.org/protocol/disco#info'>{identity}</query>")
    told = parse(f"<query xmlns='http://jabber.org/protocol/disco#info' xml:lang='en'>{identity}</query>")
    assert digest("sha-256", plain, "en") == digest("sha-256", told) != digest("sha-256", plain)
