"""From XSD to shapes: what a schema says arrives in the facts, and what shapes cannot say is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

from generators import values, walk
from generators.compiler import Shapes, shape_of
from generators.escape import content
from generators.shapes import Child, ElementShape, Group, Order, Wildcard, weight
from generators.source import RandomSource, ReplaySource
from lab.errors import UsageError
from schemas import catalogue
from tests.generators.scenes import SCENE

HEAD = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns="urn:a" targetNamespace="urn:a"
  xmlns:t="urn:stanzalab:types" xmlns:lab="urn:stanzalab:schemas" lab:provider="XEP-0000" version="1"
  elementFormDefault="qualified"><xs:import namespace="urn:stanzalab:types" schemaLocation="types.xsd"/>"""


def shapes(folder: Path, xsd: str) -> Shapes:
    """The shapes of one more schema of the namespace urn:a, beside the types with meaning."""
    types = catalogue.FOLDER / "types.xsd"
    (folder / "types.xsd").write_bytes(types.read_bytes())
    (folder / "a.xsd").write_text(f"{HEAD}{xsd}</xs:schema>", encoding="utf-8")
    return Shapes(catalogue.load(folder))


def shape(folder: Path, xsd: str) -> ElementShape:
    return shapes(folder, xsd).of("{urn:a}e")


def element(content_: str, attributes: str = "") -> str:
    return f'<xs:element name="e"><xs:complexType>{content_}{attributes}</xs:complexType></xs:element>'


def test_disco_info_is_what_its_schema_says() -> None:
    query = shape_of("{http://jabber.org/protocol/disco#info}query")
    assert query.local == "query"
    assert [a.name for a in query.attributes] == ["node"]
    assert [a.value.meaning for a in query.attributes] == ["node"]
    assert query.content is not None
    assert query.content.order is Order.FREE
    assert [child.name.rpartition("}")[2] for child in query.children] == ["identity", "feature"]
    assert query.open
    identity = query.children[0].shape
    assert {a.name for a in identity.attributes if a.required} == {"category", "type"}
    assert shape_of(query.name) is query


def test_unknown_names_are_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"(?s)no schema.*nearest: .*disco#info"):
        shape_of("{http://jabber.org/protocol/disco#inf}query")
    with pytest.raises(UsageError, match=r"(?s)xep-0030-disco-info.xsd has no element.*nearest: .*query"):
        shape_of("{http://jabber.org/protocol/disco#info}querry")
    with pytest.raises(UsageError, match="no schema"):
        shape_of("query")


def test_counts_of_children_in_no_order(tmp_path: Path) -> None:
    free = shape(
        tmp_path,
        element(
            '<xs:choice minOccurs="0" maxOccurs="unbounded">'
            '<xs:element name="one" type="t:text" lab:min="1" lab:max="1"/><xs:element name="some" lab:min="2"/>'
            '<xs:element name="few" lab:max="3"/><xs:any namespace="##other" processContents="lax"/></xs:choice>'
        ),
    )
    assert free.content is not None
    counts = [(p.least, p.most) for p in free.content.particles]
    assert counts == [(1, 1), (2, None), (0, 3), (0, None)]
    assert weight(free) == 4


def test_order_and_occurrence_are_kept(tmp_path: Path) -> None:
    ordered = shape(
        tmp_path,
        element(
            '<xs:sequence><xs:element name="a" maxOccurs="2"/><xs:choice minOccurs="0"><xs:element name="b"/>'
            '<xs:element name="c"/></xs:choice><xs:any namespace="urn:b" processContents="strict"/></xs:sequence>'
        ),
    )
    content_ = ordered.content
    assert content_ is not None
    assert content_.order is Order.SEQUENCE
    first, choice, last = content_.particles
    assert isinstance(first, Child)
    assert (first.least, first.most) == (1, 2)
    assert isinstance(choice, Group)
    assert (choice.order, choice.least, choice.most) == (Order.CHOICE, 0, 1)
    assert isinstance(last, Wildcard)
    assert last.strict
    assert last.allows("urn:b")
    assert not last.allows("urn:c")


def test_facets_of_all_steps_come_together(tmp_path: Path) -> None:
    restricted = shape(
        tmp_path,
        '<xs:simpleType name="short"><xs:restriction base="t:id"><xs:minLength value="2"/><xs:maxLength value="9"/>'
        '<xs:pattern value="[a-f]+"/></xs:restriction></xs:simpleType>'
        + element(
            "",
            '<xs:attribute name="i" use="required"><xs:simpleType><xs:restriction base="short">'
            '<xs:maxLength value="4"/>'
            '<xs:pattern value="a.*"/><xs:pattern value="b.*"/></xs:restriction></xs:simpleType></xs:attribute>'
            '<xs:attribute name="n"><xs:simpleType><xs:restriction base="xs:unsignedByte">'
            '<xs:maxInclusive value="7"/>'
            "</xs:restriction></xs:simpleType></xs:attribute>",
        ),
    )
    i, n = (next(a.value for a in restricted.attributes if a.name == name) for name in "in")
    assert (i.meaning, i.plain, i.min_length, i.max_length) == ("id", False, 2, 4)
    assert i.patterns == (("a.*", "b.*"), ("[a-f]+",))
    assert (n.meaning, n.low, n.high) == ("unsignedByte", 0, 7)
    pool = values.pool(i)
    assert pool
    assert all(2 <= len(text) <= 4 and set(text) <= set("abcdef") and text[0] in "ab" for text in pool)
    assert values.pool(n)[0] == "0"
    assert "7" in values.pool(n)


@pytest.mark.parametrize(
    ("kind", "smallest"),
    [
        ('<xs:list itemType="xs:unsignedByte"/>', {""}),
        ('<xs:union memberTypes="t:date t:dateTime"/>', {"1969-07-21"}),
        ('<xs:restriction base="xs:byte"/>', {"0"}),
        ('<xs:restriction base="xs:positiveInteger"/>', {"1"}),
        ('<xs:restriction base="t:text"/>', {"a"}),
        ('<xs:restriction base="t:bareJid"/>', {"lab.test"}),
        ('<xs:restriction base="t:jid"><xs:pattern value="[^@]+@.+"/></xs:restriction>', {"romeo@lab.test"}),
        ('<xs:restriction base="t:boolean"/>', {"false"}),
        (
            '<xs:restriction base="t:id"><xs:enumeration value="z"/><xs:enumeration value="y"/></xs:restriction>',
            {"z"},
        ),
    ],
)
def test_a_value_is_drawn_for_each_kind_of_type(tmp_path: Path, kind: str, smallest: set[str]) -> None:
    valued = shape(tmp_path, f'<xs:element name="e"><xs:simpleType>{kind}</xs:simpleType></xs:element>')
    assert valued.text is not None
    root = etree.fromstring(walk.draw(valued, ReplaySource(()), SCENE))
    assert (root.text or "") in smallest
    source = RandomSource(1)
    for _ in range(200):
        text = etree.fromstring(walk.draw(valued, source, SCENE)).text or ""
        assert valued.text.accepts(text), text


def test_fixed_values_and_foreign_attributes_are_written(tmp_path: Path) -> None:
    compiled = shapes(
        tmp_path,
        '<xs:attribute name="far" type="t:text"/><xs:element name="e"><xs:complexType>'
        '<xs:attribute name="v" use="required" fixed="it\'s &lt;1&gt;"/><xs:attribute ref="far" use="required"/>'
        "</xs:complexType></xs:element>",
    )
    root = etree.fromstring(walk.draw(compiled.of("{urn:a}e"), ReplaySource(()), SCENE))
    assert dict(root.items()) == {"v": "it's <1>", "{urn:a}far": "a"}


def test_a_pattern_that_cannot_be_drawn_is_said_with_file_and_place(tmp_path: Path) -> None:
    wanted = shape(
        tmp_path,
        element(
            "",
            '<xs:attribute name="x"><xs:simpleType><xs:restriction base="xs:string"><xs:pattern value="\\p{Lu}{9}"/>'
            "</xs:restriction></xs:simpleType></xs:attribute>",
        ),
    )
    with pytest.raises(UsageError, match=r"(?s)the pattern of a.xsd: \{urn:a\}e/@x.*\\p"):
        walk.draw(wanted, ReplaySource(()), SCENE)


def test_a_type_that_nothing_satisfies_is_said_when_it_is_compiled(tmp_path: Path) -> None:
    wanted = shape(
        tmp_path,
        '<xs:element name="e"><xs:simpleType><xs:restriction base="t:hex"><xs:length value="3000"/></xs:restriction>'
        "</xs:simpleType></xs:element>",
    )
    assert wanted.text is not None
    with pytest.raises(UsageError, match=r"(?s)no value.*a.xsd: \{urn:a\}e"):
        values.drawing(wanted.text, content)


@pytest.mark.parametrize(
    ("xsd", "why"),
    [
        (
            (
                '<xs:element name="e"><xs:complexType/>'
                '<xs:unique name="u"><xs:selector xpath="i"/><xs:field xpath="."/></xs:unique></xs:element>'
            ),
            "identity constraints",
        ),
        ('<xs:element name="e" abstract="true"/>', "abstract"),
    ],
)
def test_what_shapes_cannot_say_is_refused(tmp_path: Path, xsd: str, why: str) -> None:
    with pytest.raises(UsageError, match=rf"a.xsd: \{{urn:a\}}e: {why}"):
        shape(tmp_path, xsd)


def test_an_element_that_never_ends_is_refused(tmp_path: Path) -> None:
    endless = shape(tmp_path, element('<xs:sequence><xs:element ref="e"/></xs:sequence>'))
    with pytest.raises(UsageError, match=r"no element \{urn:a\}e ends"):
        walk.draw(endless, ReplaySource(()), SCENE)


def test_a_choice_ends_by_its_lightest_alternative(tmp_path: Path) -> None:
    either = shape(
        tmp_path,
        element(
            '<xs:choice><xs:sequence><xs:element ref="e"/><xs:element ref="e"/></xs:sequence><xs:element name="i"/>'
            "</xs:choice>"
        ),
    )
    assert walk.draw(either, ReplaySource(()), SCENE) == "<e xmlns='urn:a'><i/></e>"
    source = RandomSource(5)
    deep = [walk.draw(either, source, SCENE).count("<e") for _ in range(300)]
    assert max(deep) > 8
    assert max(deep) < 2 ** (walk.DEPTH + 1)
