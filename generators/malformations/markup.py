"""Tags, attributes and references that are not well-formed XML, or not in its namespaces (RFC 6120 §11.3)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from generators.malformations.operators import Change, operator, pick, spliced
from generators.malformations.outcomes import BAD_NAMESPACES, NOT_WELL_FORMED
from generators.malformations.proof import read
from generators.malformations.tokens import Attribute, Tag, tokens
from generators.source import Source
from generators.stanza import Family, Scene, Stanza


def _refused(_: Stanza, change: Change) -> bool:
    return bool(read(change.data).fault)


def _opening(source: Source, stanza: Stanza) -> Tag:
    return pick(source, tokens(stanza.xml).openings)


def _attribute(source: Source, stanza: Stanza) -> Attribute | None:
    attributes = tokens(stanza.xml).attributes
    return pick(source, attributes) if attributes else None


def _in_tag(source: Source, stanza: Stanza, *kinds: str) -> Iterator[Change]:
    """One of these, behind the name of an element."""
    tag = _opening(source, stanza)
    yield spliced(stanza, tag.name_end, tag.name_end, " " + pick(source, kinds), tag.place, NOT_WELL_FORMED)


def _in_namespaces(source: Source, stanza: Stanza, *kinds: str) -> Iterator[Change]:
    """As `_in_tag`, for what is XML and yet not in its namespaces."""
    tag = _opening(source, stanza)
    yield spliced(stanza, tag.name_end, tag.name_end, " " + pick(source, kinds), tag.place, BAD_NAMESPACES)


def _in_text(source: Source, stanza: Stanza, *kinds: str) -> Iterator[Change]:
    """One of these where character data may stand: in a text, or behind a start tag."""
    found = tokens(stanza.xml)
    sites = [(text.end, text.place) for text in found.texts]
    sites += [(tag.end, tag.place) for tag in found.tags if tag.kind == "start"]
    if sites:
        at, place = pick(source, sites)
        yield spliced(stanza, at, at, pick(source, kinds), place, NOT_WELL_FORMED)


@operator(Family.BYTES, "An element that is never closed, though the one around it is.", _refused)
def unclosed_element(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    ends = [tag for tag in tokens(stanza.xml).tags if tag.kind == "end" and tag.depth]
    empty = [tag for tag in tokens(stanza.xml).tags if tag.kind == "empty" and tag.depth]
    if ends or empty:
        tag = pick(source, ends + empty)
        if tag.kind == "end":
            yield spliced(stanza, tag.start, tag.end, "", tag.place, NOT_WELL_FORMED)
        else:
            yield spliced(stanza, tag.end - 2, tag.end, ">", tag.place, NOT_WELL_FORMED)


@operator(Family.BYTES, "An end tag with the name of another element.", _refused)
def mismatched_end_tag(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    ends = [tag for tag in tokens(stanza.xml).tags if tag.kind == "end"]
    if ends:
        tag = pick(source, ends)
        name = pick(source, (tag.name + "x", tag.name.upper(), tag.name[:-1], "stream:stream", ""))
        yield spliced(stanza, tag.start + 2, tag.name_end, name, tag.place, NOT_WELL_FORMED)


@operator(Family.BYTES, "Two elements that overlap.", _refused)
def crossed_elements(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    """The end tags of an element and of its last child change places."""
    tags = tokens(stanza.xml).tags
    pairs = [(a, b) for a, b in pairwise(tags) if a.kind == b.kind == "end" and a.name != b.name]
    if pairs:
        a, b = pick(source, pairs)
        between = stanza.xml[a.end : b.start]
        yield spliced(stanza, a.start, b.end, f"</{b.name}>{between}</{a.name}>", a.place, NOT_WELL_FORMED)


@operator(Family.BYTES, "An end tag for which nothing was opened.", _refused)
def end_tag_too_many(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    tag = pick(source, [t for t in tokens(stanza.xml).tags if t.kind != "start"])
    if tag.depth:
        yield spliced(stanza, tag.end, tag.end, f"</{tag.name}>", tag.place, NOT_WELL_FORMED)
    else:
        # In front of the stanza: behind it, the server would have answered already.
        yield spliced(stanza, 0, 0, f"</{tag.name}>", "before the stanza", NOT_WELL_FORMED)


@operator(Family.BYTES, "The same attribute twice.", _refused)
def duplicated_attribute(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    attribute = _attribute(source, stanza)
    if attribute is not None:
        whole = stanza.xml[attribute.start : attribute.end]
        values = (whole,) if attribute.declares else (whole, f"{attribute.name}=''", f"{attribute.name}='x'")
        other = pick(source, values)
        yield spliced(stanza, attribute.start, attribute.start, f"{other} ", attribute.place, NOT_WELL_FORMED)


@operator(Family.BYTES, "The same attribute twice, by two prefixes of one namespace.", _refused)
def attribute_duplicated_by_namespace(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    uri = "urn:stanzalab:0"
    return _in_namespaces(source, stanza, f"xmlns:a='{uri}' xmlns:b='{uri}' a:x='1' b:x='2'")


@operator(Family.BYTES, "An element whose prefix stands for nothing.", _refused)
def undeclared_element_prefix(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    tags = tokens(stanza.xml).tags
    tag = pick(source, [t for t in tags if t.kind == "empty"] or list(tags))
    if tag.kind == "empty":
        at = tag.start + 1
        yield spliced(stanza, at, at, "nowhere:", tag.place, BAD_NAMESPACES)
    else:
        yield spliced(stanza, tag.start, tag.start, "<nowhere:x/>", tag.place, BAD_NAMESPACES)


@operator(Family.BYTES, "An attribute whose prefix stands for nothing.", _refused)
def undeclared_attribute_prefix(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    return _in_namespaces(source, stanza, "nowhere:x='1'", "nowhere:id='1'", "nowhere:to='a@b'")


@operator(Family.BYTES, "The prefixes xml and xmlns declared to be something else.", _refused)
def reserved_prefix(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    return _in_namespaces(
        source,
        stanza,
        "xmlns:xml='urn:stanzalab:0'",
        "xmlns:xmlns='urn:stanzalab:0'",
        "xmlns:a='http://www.w3.org/XML/1998/namespace'",
        "xmlns:a='http://www.w3.org/2000/xmlns/'",
    )


@operator(Family.BYTES, "A prefix declared to stand for no namespace.", _refused)
def prefix_without_namespace(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    return _in_namespaces(source, stanza, "xmlns:a=''", "xmlns:stream=''")


@operator(Family.BYTES, "A name with nothing before or behind its colon.", _refused)
def half_a_qualified_name(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    found = tokens(stanza.xml)
    tag = pick(source, found.openings)
    kinds = ("<stream:/>", "<:x/>", "<x :id='1'/>", "<stream:1x/>")
    at = tag.end if tag.kind == "start" else 0
    place = tag.place if at else "before the stanza"
    yield spliced(stanza, at, at, pick(source, kinds), place, BAD_NAMESPACES)


@operator(Family.BYTES, "A value without quotes.", _refused)
def unquoted_value(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    """Not of a value that holds a quote: see `mismatched_quotes`."""
    attribute = _attribute(source, stanza)
    value = stanza.xml[attribute.value_start : attribute.value_end] if attribute else "'"
    if attribute is None or "'" in value or '"' in value:
        yield from _in_tag(source, stanza, "id=1")
    else:
        start, end = attribute.value_start - 1, attribute.value_end + 1
        yield spliced(stanza, start, end, value, attribute.place, NOT_WELL_FORMED)


@operator(Family.BYTES, "A value that begins with one quote and seems to end with the other.", _refused)
def mismatched_quotes(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    """As many quotes as before: a reader that looks for the end of the tag first must not wait for it for ever."""
    attribute = _attribute(source, stanza)
    if attribute is not None:
        at = attribute.value_end
        quote = stanza.xml[at]
        other = '"' if quote == "'" else "'"
        yield spliced(stanza, at, at + 1, f"{other} x={quote}1", attribute.place, NOT_WELL_FORMED)


@operator(Family.BYTES, "A bare < within a value.", _refused)
def less_than_in_value(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    attribute = _attribute(source, stanza)
    if attribute is None:
        yield from _in_tag(source, stanza, "id='<'")
    else:
        at = attribute.value_start
        yield spliced(stanza, at, at, pick(source, ("<", "<a/>", "<!--")), attribute.place, NOT_WELL_FORMED)


@operator(Family.BYTES, "An attribute without a value.", _refused)
def attribute_without_value(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    return _in_tag(source, stanza, "checked", "checked=", "='1'", "=")


@operator(Family.BYTES, "Two attributes with nothing between them.", _refused)
def attributes_run_together(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    return _in_tag(source, stanza, "a='1'b='2'", "a='1''2'", "a=''''")


@operator(Family.BYTES, "A name that begins with what no name begins with.", _refused)
def impossible_name(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    return _in_text(source, stanza, "<1/>", "<-a/>", "<.a/>", "<a!/>", "<a\\b/>", "<a$/>", "<>", "</>", "<\u00d7/>")


@operator(Family.BYTES, "An attribute's name that no name can be.", _refused)
def impossible_attribute_name(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    return _in_tag(source, stanza, "1='1'", "-a='1'", "a/b='1'", "a!='1'", "\u00d7='1'", "''='1'")


@operator(Family.BYTES, "An ampersand that begins no reference.", _refused)
def bare_ampersand(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    return _in_text(source, stanza, "& ", "&&", "&;", "&amp ", "&1;", "& lt;")


@operator(Family.BYTES, "The end of a CDATA section where none began.", _refused)
def cdata_end_in_text(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    return _in_text(source, stanza, "]]>", "]]]>", "<![CDATA[<![CDATA[]]>]]>")


@operator(Family.BYTES, "A CDATA section that is not spelt like one.", _refused)
def misspelt_cdata(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    return _in_text(
        source, stanza, "<![cdata[x]]>", "<! [CDATA[x]]>", "<![CDATA [x]]>", "<![INCLUDE[x]]>", "<![[x]]>"
    )
