"""Every operator, over stanzas written by hand and drawn ones: what it makes is wrong (or, in the control group, is
not) to readers that its own proof did not ask: the lab's stream, libxml2, the catalogue, canonical XML.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from generators.allowed import Reaction
from generators.malformations import OPERATORS, Operator, choosable, malform
from generators.malformations.addressing import fault_of_address
from generators.malformations.outcomes import BAD_NAMESPACES, STREAM_ENDED
from generators.malformations.proof import FOOTER, HEADER, read
from generators.malformations.specimens import SCENE, STANZAS
from generators.malformations.tokens import tokens, with_attribute
from generators.source import HypothesisSource, RandomSource, ReplaySource
from generators.stanza import Family, Malformed, Moment, Scene, Stanza
from generators.stanzas import Generator
from lab.wire.stream import Event, PeerViolation, Received, Stream
from schemas import payloads
from schemas.catalogue import Element, catalogue
from schemas.payloads import Addressee, Party

ROOT = Path(__file__).parent.parent.parent
SECTION = re.compile(r"(RFC \d{4}|XEP-\d{4}|XML 1\.0) §\d")
DRAWN = 60
DEEP = {"deep-nesting", "deep-namespaces"}  # more levels than libxml2 takes
BETWEEN = {"byte-order-mark", "text-between-stanzas"}  # the lab's own stream refuses it, servers need not

all_operators = pytest.mark.parametrize("operator", OPERATORS.values(), ids=OPERATORS)


@cache
def drawn() -> tuple[tuple[Stanza, ...], Scene]:
    """Stanzas that a client may send, over the whole registry."""
    addresses = {a: (f"{a}.lab.example",) for a in Addressee} | dict(SCENE.addresses)
    scene = Scene(SCENE.own, SCENE.domain, addresses)
    uses = [(payload, use) for payload in payloads.load() for use in payload.uses_of(Party.CLIENT)]
    generator, source = Generator(uses, scene), RandomSource(7)
    return tuple(generator.draw(source, f"d{n}") for n in range(DRAWN)), scene


def made(operator: Operator) -> Iterator[Malformed]:
    """What an operator makes of the specimens, and of drawn stanzas where it is quick."""
    source = RandomSource(1)
    for _ in range(1 if operator.heavy else 3):
        for stanza in STANZAS:
            malformed = operator.apply(source, stanza, SCENE)
            if malformed is not None:
                yield malformed
    stanzas, scene = drawn()
    for stanza in stanzas[: 5 if operator.heavy else DRAWN]:
        malformed = operator.apply(source, stanza, scene)
        if malformed is not None:
            yield malformed


def events(malformed: Malformed) -> list[Event]:
    """What the lab's own stream makes of it. Raises PeerViolation."""
    stream = Stream(depth=20_000)
    stream.receive_data(HEADER)
    for chunk in malformed.chunks:
        stream.receive_data(chunk)
    found = []
    while (event := stream.next_event()) is not None:
        found.append(event)
    return found[1:]


def received(malformed: Malformed) -> list[Element]:
    return [event.element for event in events(malformed) if isinstance(event, Received)]


@all_operators
def test_no_operator_is_dead_and_each_is_labelled(operator: Operator) -> None:
    results = list(made(operator))
    assert results, "it made nothing of any stanza"
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", operator.name)
    assert operator.summary.endswith(".")
    for malformed in results:
        assert (malformed.operator, malformed.family, malformed.moment) == (
            operator.name,
            operator.family,
            operator.moment,
        )
        assert malformed.place
        assert malformed.chunks
        assert all(malformed.chunks)
        for shown in (malformed.was, malformed.became):
            assert len(shown) <= 80
            assert shown.isprintable()
        assert SECTION.search(malformed.allowed.where)
        assert malformed.allowed.reactions


@all_operators
def test_what_the_operators_say_is_what_another_reader_finds(operator: Operator) -> None:
    for malformed in made(operator):
        if operator.valid:
            _is_the_same(malformed)
        elif operator.name in DEEP:
            assert malformed.data.count(b"</x>") >= 100
            assert b"<x>" * 99 in malformed.data or malformed.data.count(b"<x xmlns") >= 100
        elif operator.moment is not Moment.BOUND:
            assert malformed.data == malformed.base.xml.encode()
        elif operator.name in BETWEEN:
            with pytest.raises(PeerViolation, match="text between stanzas"):
                events(malformed)
        elif malformed.allowed == BAD_NAMESPACES:
            assert _libxml2_complains(malformed.data)
        elif malformed.allowed.ends_stream or malformed.allowed == STREAM_ENDED:
            with pytest.raises(PeerViolation):
                events(malformed)
        elif operator.family is Family.SCHEMA:
            _breaks_a_schema(malformed)
        else:
            assert len(received(malformed)) == (2 if operator.name == "repeated-id" else 1)


def _libxml2_complains(data: bytes) -> bool:
    """Of a namespace, or of all: after some warnings lxml forgets to raise what libxml2 has found."""
    parser = etree.XMLParser()
    try:
        etree.fromstring(HEADER + data + FOOTER, parser)
    except etree.XMLSyntaxError:
        return True
    log = cast("Iterable[etree._LogEntry]", parser.error_log)
    return any(e.level >= etree.ErrorLevels.ERROR and "absolute" not in e.message for e in log)


def _is_the_same(malformed: Malformed) -> None:
    (element,) = received(malformed)
    (wanted,) = received(malformed._replace(chunks=(malformed.base.xml.encode(),)))
    assert canonical(element) == canonical(wanted)
    assert malformed.data != malformed.base.xml.encode() or len(malformed.chunks) > 1
    assert malformed.allowed == malformed.base.allowed


def canonical(element: Element) -> str:
    return str(etree.canonicalize(etree.tostring(element, encoding="unicode"), rewrite_prefixes=True))


def _breaks_a_schema(malformed: Malformed) -> None:
    (element,) = received(malformed)
    known = catalogue()
    found = [mismatch for e in element.iter("*") for mismatch in known.mismatches(e)]
    namespaces = {str(e.tag)[1:].partition("}")[0] for e in element.iter("*") if "}" in str(e.tag)}
    unknown = {n for n in namespaces if not known.knows(n)} or any("}" not in str(e.tag) for e in element.iter("*"))
    assert found or unknown
    assert not known.mismatches(received(malformed._replace(chunks=(malformed.base.xml.encode(),)))[0])


def test_there_are_enough_operators_of_each_family() -> None:
    counts = Counter(operator.family for operator in OPERATORS.values() if not operator.valid)
    assert counts.total() >= 50
    assert counts[Family.BYTES] >= 50
    assert counts[Family.SCHEMA] >= 20
    assert counts[Family.PROTOCOL] >= 30
    assert len({operator.summary for operator in OPERATORS.values()}) == len(OPERATORS)


@all_operators
def test_the_same_choices_make_the_same_bytes(operator: Operator) -> None:
    for stanza in STANZAS:
        source = RandomSource(3)
        source.begin()
        first = operator.apply(source, stanza, SCENE)
        assert operator.apply(ReplaySource(source.choices), stanza, SCENE) == first


@all_operators
def test_nothing_that_must_end_the_stream_may_be_delivered(operator: Operator) -> None:
    for malformed in made(operator):
        allowed = malformed.allowed
        if operator.family is Family.BYTES and read(malformed.data).fault:
            assert not allowed.permits(Reaction.DELIVERY)
            assert not allowed.permits(Reaction.RESULT)
        if operator.moment in {Moment.OPENED, Moment.SECURED}:
            assert not allowed.permits(Reaction.DELIVERY)


def test_a_reply_is_never_answered_by_the_own_server() -> None:
    for name in ("unrequested-result", "unrequested-error", "error-without-error", "result-with-two-payloads"):
        results = [m for m in made(OPERATORS[name]) if m.base.addressee is Addressee.SERVER]
        assert results
        for malformed in results:
            assert not malformed.allowed.permits(Reaction.ERROR), name
            assert not malformed.allowed.permits(Reaction.RESULT), name


def test_a_request_without_a_type_is_a_bad_request_to_the_server() -> None:
    malformed = OPERATORS["iq-without-type"].apply(ReplaySource([]), STANZAS[0], SCENE)
    assert malformed is not None
    assert (
        malformed.data == b"<iq id='s1' to='lab.example'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>"
    )
    assert malformed.allowed.errors == {"bad-request"}
    assert malformed.allowed.must_answer


def test_an_operator_that_does_not_fit_makes_nothing() -> None:
    message = next(stanza for stanza in STANZAS if stanza.carrier == "message")
    assert OPERATORS["iq-without-id"].apply(ReplaySource([]), message, SCENE) is None
    assert OPERATORS["split-within-characters"].apply(ReplaySource([]), STANZAS[0], SCENE) is None


def test_malform_picks_what_fits_and_takes_turns() -> None:
    source, seen = RandomSource(5), Counter[str]()
    for _ in range(150):
        for stanza in STANZAS:
            malformed = malform(source, stanza, SCENE)
            assert malformed is not None
            seen[malformed.operator] += 1
    assert len(seen) > 100
    assert {OPERATORS[name] for name in seen} <= set(choosable())
    assert not any(OPERATORS[name].valid or OPERATORS[name].spoils for name in seen)


@pytest.mark.parametrize("moment", [Moment.OPENED, Moment.SECURED, Moment.AUTHENTICATED])
def test_each_moment_of_a_negotiation_has_operators(moment: Moment) -> None:
    malformed = malform(RandomSource(0), STANZAS[0], SCENE, moment=moment)
    assert malformed is not None
    assert malformed.moment is moment
    assert malformed.data == STANZAS[0].xml.encode()


@st.composite
def malformed_by_hypothesis(draw: st.DrawFn) -> tuple[Stanza, Malformed | None]:
    operator = draw(st.sampled_from([o for o in OPERATORS.values() if not o.heavy]))
    stanza = draw(st.sampled_from(STANZAS))
    return stanza, operator.apply(HypothesisSource(draw), stanza, SCENE)


@settings(max_examples=25, deadline=None, database=None)
@given(malformed_by_hypothesis())
def test_hypothesis_draws_malformations_too(drawn_by: tuple[Stanza, Malformed | None]) -> None:
    stanza, malformed = drawn_by
    assert malformed is None or (malformed.base is stanza and SECTION.search(malformed.allowed.where))


def test_what_a_stream_may_not_hold_is_a_fault_to_the_proof() -> None:
    faults = [
        b"<!---->",
        b"<?x?>",
        b"<!DOCTYPE a>",
        b"<a>&b;</a>",
        b"<a></b>",
        b"\xff",
        b"<a:b/>",
        b"</stream:stream>x",
    ]
    assert all(read(data).fault for data in faults)
    whole = read(b"<a><b c='1' d='2'/></a> <e/>")
    assert (whole.complete, whole.whole, whole.depth, whole.attributes) == (True, 2, 2, 2)
    assert not read(b"<a>").complete
    assert read(b"<a/>x").stray


@pytest.mark.parametrize(
    "address",
    [
        "juliet@example.com",
        "juliet@example.com/foo bar",
        "juliet@example.com/foo@bar",
        "foo\\20bar@example.com",
        "fu\u00dfball@example.com",
        "\u03c0@example.com",
        "king@example.com/\u265a",
        "example.com",
        "a.example.com/b@example.net",
        "[::1]",
        "example.com.",
    ],
)
def test_addresses_of_rfc_7622_are_no_malformed_ones(address: str) -> None:
    assert not fault_of_address(address)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "@a",
        "a@",
        "a/",
        "/a",
        '"juliet"@example.com',
        "foo bar@example.com",
        "@example.com/",
        "henry\u2163@a",
        "\u265a@example.com",
        "a@b@c",
        "a@.b",
        "a" * 1024,
        "a@b/" + "\u00e9" * 512,
        "juliet@",
        "a\u0085@b",
    ],
)
def test_what_rfc_7622_forbids_is_found(address: str) -> None:
    assert fault_of_address(address)


def test_tokens_know_their_places() -> None:
    xml = "<iq id='1'><a b=\"x>y\" c='/>'>t<d/></a></iq>"
    found = tokens(xml)
    assert [(tag.kind, tag.name, tag.depth, tag.place) for tag in found.tags] == [
        ("start", "iq", 0, "/iq"),
        ("start", "a", 1, "/iq/a"),
        ("empty", "d", 2, "/iq/a/d"),
        ("end", "a", 1, "/iq/a"),
        ("end", "iq", 0, "/iq"),
    ]
    assert [xml[a.value_start : a.value_end] for a in found.attributes] == ["1", "x>y", "/>"]
    assert [xml[text.start : text.end] for text in found.texts] == ["t"]
    assert with_attribute(xml, "id", None).startswith("<iq><a")
    assert with_attribute(xml, "to", "b").startswith("<iq to=\"b\" id='1'>")


def test_the_page_of_malformations_is_up_to_date() -> None:
    done = subprocess.run([sys.executable, ROOT / "scripts" / "malformations.py", "--check"], check=False)
    assert done.returncode == 0, "run scripts/malformations.py"
