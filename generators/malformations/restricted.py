"""What XML has and XMPP forbids, and what belongs before a stream only (RFC 6120 §11.1, §11.5, §11.6)."""

from __future__ import annotations

from collections.abc import Iterator

from generators.malformations.operators import Change, operator, pick, spliced
from generators.malformations.outcomes import RESTRICTED, liberal
from generators.malformations.proof import read
from generators.malformations.tokens import tokens
from generators.source import Source
from generators.stanza import Family, Scene, Stanza

_BOMB = (
    "<!DOCTYPE bomb [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'>"
    "<!ENTITY c '&b;&b;&b;&b;&b;&b;&b;&b;'><!ENTITY d '&c;&c;&c;&c;&c;&c;&c;&c;'>]>"
)


def _refused(_: Stanza, change: Change) -> bool:
    return bool(read(change.data).fault)


def _stray(_: Stanza, change: Change) -> bool:
    reading = read(change.data)
    return reading.complete and reading.stray


def _before(source: Source, stanza: Stanza, *kinds: str) -> Iterator[Change]:
    """In front of the stanza, so that it has not been answered before the fault is seen."""
    yield spliced(stanza, 0, 0, pick(source, kinds), "before the stanza", RESTRICTED)


def _anywhere(source: Source, stanza: Stanza, *kinds: str) -> Iterator[Change]:
    """In front of the stanza, or within."""
    found = tokens(stanza.xml)
    sites = [(0, "before the stanza")]
    sites += [(tag.end, tag.place) for tag in found.tags if tag.kind == "start"]
    sites += [(text.end, text.place) for text in found.texts]
    at, place = pick(source, sites)
    yield spliced(stanza, at, at, pick(source, kinds), place, RESTRICTED)


@operator(Family.BYTES, "A comment.", _refused)
def comment(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    return _anywhere(source, stanza, "<!---->", "<!--x-->", "<!--<iq/>-->", "<!--]]>-->", "<!--\u00e9-->")


@operator(Family.BYTES, "A comment that is not even well-formed.", _refused)
def broken_comment(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    return _anywhere(source, stanza, "<!-- -- -->", "<!--x--->", "<!- x ->", "<!x>", "<!>")


@operator(Family.BYTES, "A processing instruction.", _refused)
def processing_instruction(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    return _anywhere(source, stanza, "<?x?>", "<?php echo 1 ?>", "<?xml-stylesheet href='a'?>", "<?x <iq/> ?>")


@operator(Family.BYTES, "A second XML declaration, within the stream.", _refused)
def xml_declaration_within(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    return _anywhere(source, stanza, "<?xml version='1.0'?>", "<?xml version='1.1'?>", "<?XML version='1.0'?>")


@operator(Family.BYTES, "A declaration of another encoding, within the stream.", _refused)
def encoding_declaration(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    kinds = [f"<?xml version='1.0' encoding='{name}'?>" for name in ("UTF-16", "ISO-8859-1", "UTF-7", "x", "UTF-8")]
    return _before(source, stanza, *kinds)


@operator(Family.BYTES, "A document type declaration.", _refused)
def document_type(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    return _before(
        source,
        stanza,
        "<!DOCTYPE iq>",
        "<!DOCTYPE iq []>",
        "<!DOCTYPE iq SYSTEM 'nowhere.dtd'>",
        "<!DOCTYPE iq [<!ELEMENT iq ANY>]>",
    )


@operator(Family.BYTES, "An internal entity, declared and used.", _refused)
def internal_entity(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    return _with_entity(source, stanza, "<!DOCTYPE iq [<!ENTITY e 'x'>]>", "<!DOCTYPE iq [<!ENTITY e '<iq/>'>]>")


@operator(Family.BYTES, "An external entity, declared and used.", _refused)
def external_entity(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    """The names lead nowhere: a server that follows them is slow, and no file of the machine is named."""
    return _with_entity(
        source,
        stanza,
        "<!DOCTYPE iq [<!ENTITY e SYSTEM 'file:///nonexistent'>]>",
        "<!DOCTYPE iq [<!ENTITY % p SYSTEM 'file:///nonexistent'> %p;]>",
    )


@operator(Family.BYTES, "Entities that unfold to thousands of characters.", _refused)
def entity_bomb(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    return _with_entity(source, stanza, _BOMB.replace("!ENTITY d", "!ENTITY e"))


def _with_entity(source: Source, stanza: Stanza, *declarations: str) -> Iterator[Change]:
    found = tokens(stanza.xml)
    sites = [text.end for text in found.texts] + [tag.end for tag in found.tags if tag.kind == "start"]
    declaration = pick(source, declarations)
    at = pick(source, sites) if sites else 0
    change = spliced(stanza, at, at, "&e;", "before the stanza", RESTRICTED)
    yield change._replace(became=declaration, chunks=(declaration.encode() + change.data,))


@operator(Family.BYTES, "A reference to an entity that nobody declared.", _refused)
def undefined_entity(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    found = tokens(stanza.xml)
    sites = [(text.end, text.place) for text in found.texts]
    sites += [(tag.end, tag.place) for tag in found.tags if tag.kind == "start"]
    sites += [(a.value_end, a.place) for a in found.attributes if not a.declares]
    if sites:
        at, place = pick(source, sites)
        reference = pick(source, ("&nbsp;", "&e;", "&AMP;", "&stream:e;", "%e;&e;"))
        yield spliced(stanza, at, at, reference, place, RESTRICTED)


@operator(Family.BYTES, "A byte order mark before the stanza: a character between two stanzas (§11.6).", _stray)
def byte_order_mark(_: Source, stanza: Stanza, __: Scene) -> Iterator[Change]:
    allowed = liberal(stanza, "RFC 6120 §11.6, §11.7, §4.9.3.1")
    yield spliced(stanza, 0, 0, "\ufeff", "before the stanza", allowed)


@operator(Family.BYTES, "Text between two stanzas, where only white space may stand.", _stray)
def text_between_stanzas(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    kinds = ("x", "&lt;", "\u00a0", "]]", "<![CDATA[x]]>", "<![CDATA[<iq/>]]>", "\u2028", "x" * 300)
    allowed = liberal(stanza, "RFC 6120 §11.7, §4.9.3.1")
    yield spliced(stanza, 0, 0, pick(source, kinds), "before the stanza", allowed)
