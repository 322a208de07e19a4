"""A specification that nobody wrote: XEP-9999, Greetings, with the schemas of ours that follow it."""

from __future__ import annotations

from pathlib import Path

from schemas import catalogue
from schemas.catalogue import Catalogue

OPEN = '<xs:any namespace="##other" processContents="lax" minOccurs="0" maxOccurs="unbounded"/>'

GREETINGS = """
  <xs:element name="greeting">
    <xs:complexType>
      <xs:sequence>
        <xs:element name="to" type="xs:string" minOccurs="0" maxOccurs="unbounded"/>
        <xs:any namespace="##other" processContents="lax" minOccurs="0" maxOccurs="unbounded"/>
      </xs:sequence>
      <xs:attribute name="tone" use="required">
        <xs:simpleType>
          <xs:restriction base="xs:string">
            <xs:enumeration value="warm"/><xs:enumeration value="cool"/>
          </xs:restriction>
        </xs:simpleType>
      </xs:attribute>
    </xs:complexType>
  </xs:element>
"""

# The one attribute that an iq must have, and anything else inside.
CLIENT = f"""
  <xs:element name="iq">
    <xs:complexType>
      <xs:sequence>{OPEN}</xs:sequence>
      <xs:attribute name="id" type="xs:string" use="required"/>
    </xs:complexType>
  </xs:element>
"""

WRAPPINGS = f"""
  <xs:element name="wrapping"><xs:complexType><xs:sequence>{OPEN}</xs:sequence></xs:complexType></xs:element>
"""


def schema(folder: Path, name: str, namespace: str, provider: str, declarations: str) -> None:
    """Write one schema of ours."""
    (folder / f"{name}.xsd").write_text(
        f"""<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:lab="urn:stanzalab:schemas"
    targetNamespace="{namespace}" elementFormDefault="qualified" lab:provider="{provider}" version="1.0.0">
{declarations}
</xs:schema>""",
        encoding="utf-8",
    )


def schemas(folder: Path) -> Catalogue:
    """Stanzas, greetings (XEP-9999), and wrappings (XEP-9998) that take anything."""
    folder.mkdir()
    schema(folder, "client", "jabber:client", "RFC 9999", CLIENT)
    schema(folder, "greetings", "urn:example:greetings", "XEP-9999", GREETINGS)
    schema(folder, "wrappings", "urn:example:wrappings", "XEP-9998", WRAPPINGS)
    return catalogue.load(folder)


def xep(folder: Path, *examples: str, number: int = 9999, code: str = "", subset: str = "") -> Path:
    """Write the source of a specification with these examples; `code` is its own schema."""
    shown = "\n".join(f"<example caption='Number {n}'>{text}</example>" for n, text in enumerate(examples, 1))
    path = folder / f"xep-{number}.xml"
    path.write_text(
        f"""<?xml version='1.0' encoding='UTF-8'?>
<!DOCTYPE xep SYSTEM 'xep.dtd' [ <!ENTITY % ents SYSTEM 'xep.ent'> %ents; {subset} ]>
<xep>
<header><title>Greetings</title>&LEGALNOTICE;<number>{number}</number>
<revision><version>1.2.0</version></revision><revision><version>1.0.0</version></revision></header>
<section1 topic='Use'><p>As in &xep0030;.</p>
{shown}
<code>{code}</code></section1>
</xep>""",
        encoding="utf-8",
    )
    return path


def cdata(text: str) -> str:
    return f"<![CDATA[{text}]]>"
