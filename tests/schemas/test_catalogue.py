"""The schema catalogue: what it says of elements, and of schemas that are broken or hostile: file, line and cause."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

from lab.errors import UsageError
from schemas import catalogue

XS = "http://www.w3.org/2001/XMLSchema"
HEAD = (
    f'<xs:schema xmlns:xs="{XS}" xmlns:lab="{catalogue.LAB}" xmlns="urn:test:0" targetNamespace="urn:test:0"\n'
    '  elementFormDefault="qualified" lab:provider="XEP-0001" version="1.0">\n'
)
GOOD = f"""{HEAD}  <xs:element name="cart">
    <xs:complexType>
      <xs:choice minOccurs="0" maxOccurs="unbounded">
        <xs:element name="horse" type="xs:string" lab:min="1" lab:max="2"/>
        <xs:any namespace="##other" processContents="lax"/>
      </xs:choice>
      <xs:attribute name="wheels" type="xs:unsignedInt" use="required"/>
    </xs:complexType>
  </xs:element>
</xs:schema>
"""


def loaded(folder: Path, **files: str) -> catalogue.Catalogue:
    for name, text in files.items():
        (folder / f"{name}.xsd").write_text(text, encoding="utf-8")
    return catalogue.load(folder)


def element(content: str = "<horse/>", attributes: str = "wheels='4'") -> etree._Element:
    return etree.fromstring(f"<cart xmlns='urn:test:0' {attributes}>{content}</cart>")


@pytest.mark.parametrize(
    ("content", "attributes", "named"),
    [
        ("<horse/>", "wheels='4'", ""),
        ("<horse/><horse/><x xmlns='urn:other'/>", "wheels='4'", ""),
        ("<horse/>", "wheels='four'", "wheels"),
        ("<horse/>", "", "'wheels' is required"),
        ("<donkey/>", "wheels='4'", "not expected"),
        ("", "wheels='4'", "at least 1 must stand here"),
        ("<horse/><horse/><horse/>", "wheels='4'", "at most 2 must stand here"),
    ],
)
def test_what_it_says_of_an_element(tmp_path: Path, content: str, attributes: str, named: str) -> None:
    known = loaded(tmp_path, cart=GOOD)
    mismatches = known.mismatches(element(content, attributes))
    assert known.valid(element(content, attributes)) is not bool(named)
    assert bool(mismatches) is bool(named)
    assert named in " ".join(map(str, mismatches))


def test_what_no_schema_declares_is_not_judged(tmp_path: Path) -> None:
    known = loaded(tmp_path, cart=GOOD)
    assert known.mismatches(etree.fromstring("<x xmlns='urn:other'/>")) == ()
    assert not known.declares("{urn:other}x")


def test_an_unknown_namespace_is_answered_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no schema for the namespace 'urn:tset:0'") as caught:
        loaded(tmp_path, cart=GOOD).file("urn:tset:0")
    assert "urn:test:0" in caught.value.hint


@pytest.mark.parametrize(
    ("was", "became", "named"),
    [
        ("</xs:schema>", "", "cart.xsd is not a schema"),
        ('lab:provider="XEP-0001" ', "", "cart.xsd:2: targetNamespace, lab:provider and version must be said"),
        (HEAD, f'{HEAD}<xs:import namespace="urn:nobody"/>\n', "cart.xsd:3: nothing here has the imported namespace"),
        (HEAD, f'{HEAD}<xs:import namespace="urn:test:0" schemaLocation="barn.xsd"/>\n', "stands in cart.xsd"),
        (HEAD, f'{HEAD}<xs:include schemaLocation="cart.xsd"/>\n', "cart.xsd:3: xs:include"),
        ('lab:min="1"', 'lab:min="some"', "cart.xsd:6: lab:min and lab:max are whole numbers"),
        (f'<xs:schema xmlns:xs="{XS}"', f'<xs:scheme xmlns:xs="{XS}"', "cart.xsd is not a schema"),
    ],
)
def test_a_broken_schema_is_named_with_its_line(tmp_path: Path, was: str, became: str, named: str) -> None:
    assert was in GOOD
    with pytest.raises(UsageError) as caught:
        loaded(tmp_path, cart=GOOD.replace(was, became, 1))
    assert named in str(caught.value)


def test_a_schema_that_does_not_compile_is_named_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="do not compile") as caught:
        loaded(tmp_path, cart=GOOD.replace("xs:unsignedInt", "xs:wheel"))
    assert "cart.xsd:9:" in caught.value.cause


def test_one_namespace_is_one_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cart2.xsd:2: cart.xsd has the namespace urn:test:0 already"):
        loaded(tmp_path, cart=GOOD, cart2=GOOD)


def test_a_hostile_schema_reads_nothing_and_grows_nothing(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret", encoding="utf-8")
    bomb = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "ha"}">' for n in range(12))
    used = GOOD.replace("<xs:element", "&e11;&file;<xs:element", 1)
    hostile = f'<!DOCTYPE x [<!ENTITY file SYSTEM "secret">{bomb}]>{used}'
    with pytest.raises(UsageError, match=r"cart.xsd") as caught:
        loaded(tmp_path, cart=hostile)
    assert "secret" not in str(caught.value).replace(str(tmp_path), "")
