"""What two readers may split differently: the classes of fault by which stanzas were smuggled past a server.

Known from servers that read with one parser and passed on to clients with another: bytes that swallow markup in a
lenient decoder, separators within namespace names, ends of streams and headers in the middle, doubled attributes.
"""

from __future__ import annotations

from collections.abc import Iterator

from generators.malformations.operators import Change, operator, pick, spliced
from generators.malformations.outcomes import (
    BAD_ENCODING,
    NOT_A_STANZA,
    NOT_WELL_FORMED,
    STREAM_ENDED,
    liberal,
)
from generators.malformations.proof import CLIENT, STREAM, read
from generators.malformations.tokens import attribute_of, inside, payload, tokens
from generators.source import Source
from generators.stanza import Family, Scene, Stanza
from schemas.payloads import Addressee, Carrier

_CLOSING = "RFC 6120 §8.4, §4.8.3, §11.4"


def _refused(_: Stanza, change: Change) -> bool:
    return bool(read(change.data).fault)


def _one_whole_stanza(_: Stanza, change: Change) -> bool:
    """A strict reader sees one child of the stream: more of them come from a lenient one."""
    reading = read(change.data)
    return reading.complete and reading.whole == 1 and not reading.stray


def _held(stanza: Stanza, inner: str, where: str = _CLOSING) -> Iterator[Change]:
    """`inner` as the first content of where extensions may stand."""
    tag = payload(tokens(stanza.xml), stanza.carrier)
    if tag is not None:
        start, end, new = inside(stanza.xml, tag, inner)
        yield spliced(stanza, start, end, new, tag.place, liberal(stanza, where))


@operator(Family.BYTES, "A lead byte that makes a lenient decoder swallow the markup behind it.", _refused)
def lead_byte_before_markup(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    """Two, three or four bytes are promised, and a quote, < or > is the first of them."""
    found = tokens(stanza.xml)
    sites = [(tag.end - 1, tag.place) for tag in found.tags]
    sites += [(tag.start, tag.place) for tag in found.tags if tag.depth or tag.kind == "end"]
    sites += [(a.value_end, a.place) for a in found.attributes]
    at, place = pick(source, sites)
    lead = pick(source, (b"\xe1", b"\xc3", b"\xf1", b"\xeb", b"\xe1\x80", b"\xf1\x80", b"\xf1\x80\x80", b"\xfc"))
    yield spliced(stanza, at, at, lead, place, BAD_ENCODING)


@operator(Family.BYTES, "A lead byte that swallows a whole < and /, so that an end tag becomes text.", _refused)
def lead_byte_swallows_end_tag(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    """Whoever counts three bytes sees another stanza in what follows, whoever does not sees text."""
    ends = [tag for tag in tokens(stanza.xml).tags if tag.kind == "end"]
    if ends:
        tag = pick(source, ends)
        lead = pick(source, (b"\xe1", b"\xeb", b"\xef"))
        inner = lead + f"</{tag.name}>".encode() + _inner(stanza, "iq").encode()
        yield spliced(stanza, tag.start, tag.start, inner, tag.place, BAD_ENCODING)


@operator(Family.BYTES, "A namespace name that holds what parsers put between namespace and name.", _one_whole_stanza)
def separator_in_namespace(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    """Well-formed: taken for what it is, or refused; never split."""
    mark = pick(source, ("&#10;", "&#9;", " ", "|", "}", "{", "^", "!", "\u00a0", "\x7f"))
    name = pick(source, (CLIENT, STREAM, "x"))
    return _held(stanza, f"<x xmlns='urn:stanzalab:0{mark}{name}{mark}message'/>", "RFC 6120 §8.4, §11.2")


@operator(Family.BYTES, "An end tag with attributes, or with a slash at its end.", _refused)
def attributes_in_end_tag(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    ends = [tag for tag in tokens(stanza.xml).tags if tag.kind == "end"]
    if ends:
        tag = pick(source, ends)
        kind = pick(source, (" a='1'", "/", " /", " type='result'", "<", " <iq"))
        yield spliced(stanza, tag.name_end, tag.name_end, kind, tag.place, NOT_WELL_FORMED)


@operator(Family.BYTES, "White space where a tag must have none.", _refused)
def space_before_name(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    tag = pick(source, tokens(stanza.xml).tags)
    ways = ("< {}", "<\n{}") if tag.kind != "end" else ("</ {}", "< /{}", "<\n/{}", "<\0/{}")
    way = pick(source, ways).format(tag.name)
    yield spliced(stanza, tag.start, tag.name_end, way, tag.place, NOT_WELL_FORMED)


@operator(Family.BYTES, "A stream header around the stanza, which makes it no stanza.", _one_whole_stanza)
def header_around_stanza(source: Source, stanza: Stanza, scene: Scene) -> Iterator[Change]:
    """Whoever restarts at each header sees a stanza, whoever does not sees a child of something unknown (§4.8.4)."""
    head = pick(
        source,
        (
            f"<stream:stream xmlns='{CLIENT}' xmlns:stream='{STREAM}' to='{scene.domain}' version='1.0'>",
            "<stream:stream>",
            f"<stream:stream to='{scene.domain}' from='{_other(scene)}' version='1.0'>",
        ),
    )
    data = f"{head}{stanza.xml}</stream:stream>".encode()
    yield Change("around the stanza", "", f"{head}…</stream:stream>", (data,), NOT_A_STANZA)


@operator(Family.BYTES, "The stream's end, and the stanza behind it, with a new header or without.", _refused)
def stanza_behind_the_end(source: Source, stanza: Stanza, scene: Scene) -> Iterator[Change]:
    head = pick(
        source,
        (
            "",
            f"<stream:stream xmlns='{CLIENT}' xmlns:stream='{STREAM}' to='{scene.domain}' version='1.0'>",
            f"<?xml version='1.0'?><stream:stream xmlns='{CLIENT}' xmlns:stream='{STREAM}' version='1.0'>",
        ),
    )
    between = f"</stream:stream>{head}"
    yield spliced(stanza, 0, 0, between, "before the stanza", STREAM_ENDED)


@operator(Family.BYTES, "The stream's end within a stanza.", _refused)
def end_of_stream_within(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    found = tokens(stanza.xml)
    tag = pick(source, [tag for tag in found.tags if tag.kind == "start"] or [found.tags[0]])
    if tag.kind == "start":
        end = pick(source, ("</stream:stream>", f"</stream:stream><stream:stream xmlns:stream='{STREAM}'>"))
        yield spliced(stanza, tag.end, tag.end, end, tag.place, NOT_WELL_FORMED)


@operator(Family.BYTES, "Two addressees: one reader takes the first, another the last.", _refused)
def two_addressees(source: Source, stanza: Stanza, scene: Scene) -> Iterator[Change]:
    if stanza.carrier is not Carrier.STREAM:
        tag = tokens(stanza.xml).tags[0]
        other = pick(source, (_other(scene), scene.domain))
        new = f" to='{other}'" if attribute_of(stanza.xml, "to") else f" to='{other}' to='{scene.domain}'"
        at = pick(source, (tag.name_end, tag.attributes[-1].end if tag.attributes else tag.name_end))
        yield spliced(stanza, at, at, new, f"{tag.place}/@to", NOT_WELL_FORMED)


@operator(Family.BYTES, "A stanza within the stanza.", _one_whole_stanza)
def stanza_within_stanza(source: Source, stanza: Stanza, scene: Scene) -> Iterator[Change]:
    """It is content: whoever acts on it reads by name, not by depth."""
    namespace = pick(source, (CLIENT, "jabber:server"))
    name = pick(source, ("message", "iq", "presence"))
    inner = _inner(stanza, name).replace(f"<{name}", f"<{name} xmlns='{namespace}' to='{_other(scene)}'", 1)
    return _held(stanza, inner)


@operator(Family.BYTES, "Stanzas in text: in a CDATA section, or escaped.", _one_whole_stanza)
def markup_as_text(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    """Whoever passes on what was read without escaping it anew makes stanzas of it."""
    found = tokens(stanza.xml)
    root = found.tags[0].name
    markup = f"</body></{root}>{_inner(stanza, 'message')}"
    escaped = markup.replace("<", "&lt;").replace("'", "&apos;")
    quoted = f"&quot;&apos;/>&lt;/{root}>{escaped}&#10;&#13;&#9;"
    sites = [(text.end, text.place, kind) for text in found.texts for kind in (f"<![CDATA[{markup}]]>", escaped)]
    # Values that address, name or declare decide what is done: a changed one would not be the same stanza.
    sites += [
        (a.value_end, a.place, quoted) for tag in found.tags if tag.depth for a in tag.attributes if not a.declares
    ]
    if sites:
        at, place, kind = pick(source, sites)
        yield spliced(stanza, at, at, kind, place, liberal(stanza, "XML 1.0 §2.4, RFC 6120 §11.1, §11.4"))


@operator(Family.BYTES, "An element of the stream's namespace within the stanza.", _one_whole_stanza)
def stream_element_within(source: Source, stanza: Stanza, scene: Scene) -> Iterator[Change]:
    kinds = (
        "<stream:features/>",
        "<stream:error><not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
        f"<stream:stream to='{scene.domain}'></stream:stream>",
    )
    return _held(stanza, pick(source, kinds))


def _inner(stanza: Stanza, name: str) -> str:
    """A stanza that nobody may act on. Its id is its own, so that an answer to it is seen."""
    identifier = f"{stanza.id}-within" if stanza.id else "within"
    if name == "iq":
        return f"<iq type='get' id='{identifier}'><ping xmlns='urn:xmpp:ping'/></iq>"
    return (
        f"<{name} id='{identifier}'><body>within</body></{name}>"
        if name == "message"
        else f"<{name} id='{identifier}'/>"
    )


def _other(scene: Scene) -> str:
    """Somebody else's address."""
    return next((to for to in scene.addresses.get(Addressee.CONTACT, ()) if to), f"somebody@{scene.domain}")
