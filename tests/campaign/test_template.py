"""Templates: whom a stanza names becomes a blank, all else stays byte for byte, and others can send it."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import Any

import pytest

from generators.allowed import ANSWERED
from generators.malformations import OPERATORS
from generators.source import RandomSource
from generators.stanza import Family, Moment, Scene
from generators.stanzas import Generator, client_uses
from lab.campaign.batch import Item
from lab.campaign.maker import drawn
from lab.campaign.template import Template
from schemas.payloads import Addressee, Carrier
from tests.campaign.making import CONTACT, DOMAIN, ENDS, OWN, SCENE, malformed, stanza, valid

THERE = Scene(
    "mallory@elsewhere.example/phone",
    "elsewhere.example",
    {
        Addressee.SERVER: ("elsewhere.example",),
        Addressee.ACCOUNT: ("", "mallory@elsewhere.example"),
        Addressee.CONTACT: ("eve@elsewhere.example/desk", "eve@elsewhere.example"),
    },
)


def saying(xml: str, identifier: str = "f1") -> Item:
    """A message of this text."""
    base = stanza(identifier, carrier=Carrier.MESSAGE, addressee=Addressee.CONTACT)
    return Item(base._replace(xml=xml), None, (1, 2))


def test_the_longest_address_is_a_blank_first() -> None:
    named = (
        f"<message id='f1' to='{CONTACT}'><x>{OWN} romeo@{DOMAIN} juliet@{DOMAIN} {DOMAIN} a@{DOMAIN}</x></message>"
    )
    template = Template.of(saying(named), SCENE)
    assert template.text == (
        "<message id='{{id}}' to='{{contact}}'><x>{{own}} {{own-bare}} {{contact-1}} {{domain}} a@{{domain}}</x>"
        "</message>"
    )
    assert (template.to, template.id, template.addressee) == ("{{contact}}", "{{id}}", "contact")


@pytest.mark.parametrize(("to", "blank"), [(CONTACT, "{{contact}}"), (f"juliet@{DOMAIN}", "{{contact-1}}")])
def test_a_contact_stays_full_or_bare(to: str, blank: str) -> None:
    template = Template.of(valid(addressee=Addressee.CONTACT, to=to), SCENE)
    assert template.to == blank
    again = template.item(THERE, "f9")
    whom = THERE.addresses[Addressee.CONTACT]["-" in blank]
    assert again.stanza.to == whom
    assert again.text == f"<iq type='get' id='f9' to='{whom}'><ping xmlns='urn:xmpp:ping'/></iq>"
    assert again.id == "f9"


def test_in_the_scene_that_it_is_of_the_same_stanza_comes_back() -> None:
    item = valid(addressee=Addressee.CONTACT, choices=(3, 1))
    again = Template.of(item, SCENE).item(SCENE, "f1")
    assert (again.text, again.choices, again.allowed) == (item.text, (3, 1), item.allowed)
    assert again.malformed is None


def test_an_id_that_is_part_of_what_is_wrong_stays() -> None:
    changed = malformed(stanza(), ANSWERED, identifier="f1 other", chunks=(b"<iq id='f1 other' to='lab.test'/>",))
    template = Template.of(changed, SCENE)
    assert template.text == "<iq id='f1 other' to='{{domain}}'/>"
    assert template.item(THERE, "f9").id == "f1 other"
    taken = malformed(stanza(), ANSWERED, identifier="", chunks=(b"<iq to='lab.test'/>",))
    assert Template.of(taken, SCENE).item(THERE, "f9").id == ""
    respelled = malformed(stanza(), ANSWERED, chunks=(b"<iq id='&#x66;1'/>",))
    assert Template.of(respelled, SCENE).item(THERE, "f9").id == "f1"
    assert Template.of(respelled, SCENE).item(THERE, "f9").text == "<iq id='&#x66;1'/>"


def test_bytes_that_are_no_text_are_kept() -> None:
    data = b"<message id='f1'>\xff\xfe\x00\xed\xa0\x80</message>"
    item = malformed(stanza(), ENDS, chunks=(data,), was="\ud800 lab.test", became="f1\x00")
    template = Template.of(item, SCENE)
    assert b64decode(template.chunks[0]) == data.replace(b"f1", b"{{id}}")
    assert template.item(THERE, "f1").chunks == (data,)
    assert "\\xff\\xfe" in template.text
    assert (template.was, template.became) == ("? {{domain}}", "{{id}}\x00")
    json.dumps(template.as_json()).encode("ascii")


def test_chunks_are_kept_but_for_cuts_within_an_address() -> None:
    item = malformed(stanza(), ANSWERED, chunks=(b"<iq id='f1'", b" ", b"to='lab.", b"test'/>", b""))
    template = Template.of(item, SCENE)
    assert [b64decode(chunk) for chunk in template.chunks] == [b"<iq id='{{id}}'", b" ", b"to='{{domain}}'/>", b""]
    assert template.item(THERE, "f77").chunks == (b"<iq id='f77'", b" ", b"to='elsewhere.example'/>", b"")
    every = malformed(stanza(), ANSWERED, chunks=tuple(bytes([c]) for c in b"<a to='lab.test' id='f1'/>"))
    assert len(Template.of(every, SCENE).chunks) == len("<a to=''") + len(" id=''/>") + 2


def test_who_is_named_in_another_encoding_cannot_be_named_by_others() -> None:
    base = stanza()
    assert Template.can_be_of(valid())
    assert Template.can_be_of(malformed(base, ENDS))
    assert not Template.can_be_of(malformed(base, ENDS, chunks=(base.xml.encode("utf-16"),)))
    assert not Template.can_be_of(malformed(base, ENDS, chunks=(base.xml.replace(DOMAIN, "&#108;ab.test").encode(),)))
    # Cut in two it is named all the same; and where nobody is named, or something else is wrong, nothing is missing.
    assert Template.can_be_of(malformed(base, ENDS, chunks=(base.xml[:30].encode(), base.xml[30:].encode())))
    assert Template.can_be_of(malformed(stanza(to=""), ENDS, chunks=(b"<iq/>",)))
    assert Template.can_be_of(malformed(base, ENDS, family=Family.PROTOCOL, chunks=(b"<iq/>",)))


def every_operator() -> list[Item]:
    """What each operator makes of some stanza, in this scene."""
    generator = Generator(client_uses(["XEP-0030", "RFC 6121"]), SCENE)
    source = RandomSource(1)
    items = []
    for operator in OPERATORS.values():
        for _ in range(40):
            source.begin()
            item = drawn(generator, operator, source, SCENE, "f1x0")
            if item is not None:
                items.append(item)
                break
    return items


def test_what_every_operator_makes_survives_the_file_and_is_the_same_again() -> None:
    items = every_operator()
    assert len(items) > 0.9 * len(OPERATORS)
    for item in items:
        template = Template.of(item, SCENE)
        read = Template.from_json(json.loads(json.dumps(template.as_json())))
        assert read == template
        again = read.item(SCENE, "f1x0")
        assert again.malformed is not None
        assert item.malformed is not None
        assert again.malformed.data == item.malformed.data, item.operator
        assert (again.id, again.operator, again.allowed) == (item.id, item.operator, item.allowed)
        assert again.malformed.moment is item.malformed.moment
        if Template.can_be_of(item) and item.stanza.to:
            assert DOMAIN not in read.text, item.operator


DAMAGE: dict[str, Any] = {
    "no base64": {"chunks": ["<iq/>"]},
    "half a base64": {"chunks": ["PGlxLz"]},
    "chunks that are no list": {"chunks": 7},
    "a chunk that is no text": {"chunks": [None]},
    "a carrier that is none": {"carrier": "pigeon"},
    "an addressee that is none": {"addressee": "everybody"},
    "a reaction that is none": {"reactions": ["applause"]},
    "reactions that are none": {"reactions": [[]]},
    "a family that is none": {"operator": "nul", "family": "music"},
    "a moment that is none": {"operator": "nul", "family": "bytes", "moment": "never"},
    "an address that is no text": {"to": 5},
    "one field more": {"colour": "red"},
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_data_is_refused_when_it_is_read(damage: str) -> None:
    data = {**Template.of(valid(), SCENE).as_json(), **DAMAGE[damage]}
    with pytest.raises((KeyError, TypeError, ValueError)):
        Template.from_json(data)


def test_what_is_missing_or_no_template_at_all_is_refused() -> None:
    data = Template.of(valid(), SCENE).as_json()
    for name in ("element", "chunks", "reactions", "where"):
        with pytest.raises(TypeError):
            Template.from_json({key: value for key, value in data.items() if key != name})
    others: list[Any] = [["a", "list"], "a text", None]
    for other in others:
        with pytest.raises(TypeError):
            Template.from_json(other)


def test_when_it_is_sent_is_kept() -> None:
    early = malformed(stanza(), ENDS, moment=Moment.SECURED)
    again = Template.of(early, SCENE).item(THERE, "f2")
    assert again.malformed is not None
    assert again.malformed.moment is Moment.SECURED


def test_a_text_that_looks_like_a_blank_of_nobody_stays() -> None:
    item = saying("<message id='f1'>{{room}} {{nobody}} {{</message>")
    template = Template.of(item, SCENE)
    assert template.item(THERE, "f2").text == "<message id='f2'>{{room}} {{nobody}} {{</message>"
