"""Every payload of the registry, in every use that a client has for it: what is drawn is valid, read again."""

from __future__ import annotations

import pytest

from generators import walk
from generators.allowed import ANSWERED, ANSWERED_OR_DELIVERED, ONE_WAY
from generators.compiler import shape_of
from generators.source import RandomSource, ReplaySource
from generators.stanza import Scene, Stanza
from generators.stanzas import LIMIT, Generator, client_uses
from lab.errors import UsageError
from schemas import payloads
from schemas.catalogue import Element, catalogue
from schemas.payloads import Addressee, Carrier, Party
from tests.generators.scenes import SCENE, Highest, NextToHighest, Recorded, on_stream

DRAWS = 40
ID = 'it\'s "<1>" & ]]>'
PROVIDERS = sorted({payload.provider for payload in payloads.load()})
CLIENT = "{jabber:client}"


def payload_of(stanza: Stanza, root: Element) -> Element:
    """The payload within a stanza that was read again."""
    if stanza.carrier is Carrier.STREAM:
        return root
    (within,) = (
        root.iterchildren() if stanza.carrier is not Carrier.ERROR else root[0].iterchildren(stanza.payload.element)
    )
    return within


def local_names(element: Element) -> set[str]:
    return {str(child.tag).rpartition("}")[2] for child in element.iterchildren()}


def check(stanza: Stanza) -> None:
    """All that a drawn stanza claims."""
    assert len(stanza.xml.encode()) <= LIMIT
    root = on_stream(stanza.xml)
    assert "<!" not in stanza.xml
    assert "<?" not in stanza.xml
    assert catalogue().valid(root), (stanza.xml, catalogue().mismatches(root))
    payload = payload_of(stanza, root)
    assert payload.tag == stanza.payload.element
    assert catalogue().valid(payload), (stanza.xml, catalogue().mismatches(payload))
    if stanza.use.children:
        assert local_names(payload) & set(stanza.use.children), stanza.xml
    if stanza.carrier is not Carrier.STREAM:
        assert root.get("id") == ID
        assert root.get("to", "") == stanza.to
        assert root.get("type", "") == stanza.type
        assert root.get("from") is None
        assert stanza.to in SCENE.addresses[stanza.addressee]
        assert root.tag == CLIENT + (Carrier.IQ if stanza.carrier is Carrier.ERROR else stanza.carrier)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_whatever_a_client_may_send_is_valid(provider: str) -> None:
    """Random, replayed, simplest and largest: all valid, and the same choices make the same text."""
    source = RandomSource(len(provider))
    for use in client_uses([provider]):
        generator = Generator([use], SCENE)
        check(generator.draw(ReplaySource(()), ID))
        check(generator.draw(Highest(), ID))
        check(generator.draw(NextToHighest(), ID))
        for _ in range(DRAWS):
            source.begin()
            stanza = generator.draw(source, ID)
            check(stanza)
            assert generator.draw(ReplaySource(source.choices), ID) == stanza


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_payload_is_drawn_valid_whoever_sends_it(provider: str) -> None:
    source = RandomSource(len(provider))
    for payload in payloads.of_provider(provider):
        shape = shape_of(payload.element)
        drawn = [walk.draw(shape, extreme, SCENE) for extreme in (ReplaySource(()), Highest(), NextToHighest())]
        drawn += [walk.draw(shape, source, SCENE) for _ in range(DRAWS)]
        for xml in drawn:
            root = on_stream(xml)
            assert root.tag == payload.element
            assert catalogue().valid(root), (xml[:2000], catalogue().mismatches(root))


def test_every_use_of_a_client_can_be_drawn_and_is() -> None:
    uses = client_uses()
    generator = Generator(uses, SCENE)
    assert generator.uses == uses
    source = RandomSource(0)
    drawn = {(s.payload.element, s.use) for s in (generator.draw(source, "a") for _ in range(len(uses) * 20))}
    assert drawn == {(payload.element, use) for payload, use in uses}
    carriers = {use.stanza for _, use in uses}
    assert carriers == {Carrier.IQ, Carrier.MESSAGE, Carrier.PRESENCE, Carrier.STREAM, Carrier.ERROR}
    assert all(Party.CLIENT in use.sender for _, use in uses)


def test_stanzas_are_small_on_average_and_large_now_and_then() -> None:
    generator, source = Generator(client_uses(), SCENE), RandomSource(1)
    sizes = sorted(len(generator.draw(source, "a").xml.encode()) for _ in range(4000))
    assert sum(sizes) / len(sizes) < 600
    assert sizes[2000] < 250
    assert sizes[-1] > 2000


def test_an_iq_to_a_server_must_be_answered_and_to_others_may_be_delivered() -> None:
    generator, source = Generator(client_uses(["XEP-0030", "XEP-0085"]), SCENE), RandomSource(2)
    for stanza in (generator.draw(source, "a") for _ in range(500)):
        if stanza.carrier is not Carrier.IQ or stanza.type not in ("get", "set"):
            assert stanza.allowed is ONE_WAY
        elif stanza.addressee in (Addressee.CONTACT, Addressee.COMPONENT, Addressee.OCCUPANT):
            assert stanza.allowed is ANSWERED_OR_DELIVERED
        else:
            assert stanza.allowed is ANSWERED


def test_children_are_those_of_the_use() -> None:
    """A use with no children draws none; the schema of disco#info would allow them."""
    get, result = client_uses(["XEP-0030"])[:2]
    source = RandomSource(3)
    for use, most in ((get, 0), (result, 1)):
        generator = Generator([use], SCENE)
        counts = {len(on_stream(generator.draw(source, "a").xml)[0]) for _ in range(100)}
        assert min(counts) == 0
        assert (max(counts) > 0) == bool(most)


def test_a_use_without_an_address_is_left_out() -> None:
    uses = client_uses(["XEP-0045"])
    alone = Scene("a@b/c", "b", {Addressee.SERVER: ("b",), Addressee.MUC: ("muc.b",)})
    generator = Generator([*uses, *client_uses(["XEP-0199"])], alone)
    assert set(generator.uses) < {*uses, *client_uses(["XEP-0199"])}
    assert all({Addressee.SERVER, Addressee.MUC} & set(use.to) for _, use in generator.uses if use.to)
    with pytest.raises(UsageError, match="nothing can be drawn"):
        Generator(client_uses(["XEP-0199"]), Scene("a@b/c", "b", {}))


def test_unknown_providers_are_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"(?s)no payload of XEP-00300.*nearest: .*XEP-0030"):
        client_uses(["XEP-00300"])


def test_choices_written_down_are_those_that_were_made() -> None:
    generator, source = Generator(client_uses(), SCENE), RandomSource(4)
    recorded = Recorded(source)
    for _ in range(200):
        source.begin()
        recorded.choices.clear()
        generator.draw(recorded, "a")
        assert recorded.choices == source.choices


@pytest.mark.parametrize("provider", PROVIDERS)
def test_all_that_a_schema_names_is_drawn_sooner_or_later(provider: str) -> None:
    """Each attribute and each child, of every payload of the provider."""
    for payload in payloads.of_provider(provider):
        shape, source = shape_of(payload.element), RandomSource(7)
        missing = {attribute.name for attribute in shape.attributes} | {child.name for child in shape.children}
        for _ in range(4000):
            if not missing:
                break
            root = on_stream(walk.draw(shape, source, SCENE))
            missing -= {str(name) for name in root.keys()} | {str(child.tag) for child in root}  # noqa: SIM118 - lxml
        assert not missing, payload.element
