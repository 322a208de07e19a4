"""Bytes that are not UTF-8, and characters that no XML document may hold (RFC 6120 §11.6; XML 1.0 §2.2).

One table: the kinds, each with the bytes that show it, put into text, a value or a name.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from generators.malformations.operators import Change, Operator, operator, pick, spliced
from generators.malformations.outcomes import BAD_ENCODING, NOT_WELL_FORMED
from generators.malformations.proof import read
from generators.malformations.tokens import tokens
from generators.source import Source
from generators.stanza import Family, Scene, Stanza

_KINDS: dict[str, tuple[str, tuple[bytes, ...]]] = {
    "overlong-sequence": (
        "A character in more bytes than it needs.",
        (
            b"\xc0\xbc",  # <
            b"\xc0\x80",  # NUL, as Java writes it
            b"\xc1\xbf",
            b"\xe0\x80\xbc",
            b"\xe0\x9f\xbf",
            b"\xf0\x80\x80\xbc",
            b"\xf0\x8f\xbf\xbf",
        ),
    ),
    "lone-surrogate": (
        "Half a surrogate pair, encoded as if it were a character.",
        (b"\xed\xa0\x80", b"\xed\xaf\xbf", b"\xed\xb0\x80", b"\xed\xbf\xbf"),
    ),
    "surrogate-pair": (
        "A character beyond U+FFFF as two encoded surrogates (CESU-8).",
        (b"\xed\xa0\xbd\xed\xb8\x80", b"\xed\xaf\xbf\xed\xbf\xbf"),
    ),
    "truncated-sequence": (
        "A character whose last byte is missing.",
        (b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98", b"\xf0\x9f"),
    ),
    "lone-continuation": ("A continuation byte that continues nothing.", (b"\x80", b"\xbf", b"\xa0\xa0")),
    "beyond-unicode": (
        "A character above U+10FFFF.",
        (b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xf7\xbf\xbf\xbf"),
    ),
    "five-byte-sequence": (
        "A sequence of five or six bytes, as UTF-8 once had them.",
        (b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80"),
    ),
    "byte-fe-or-ff": ("A byte that UTF-8 never has.", (b"\xff", b"\xfe", b"\xff\xfe", b"\xfe\xff")),
    "latin-1": ("Letters in ISO 8859-1.", (b"caf\xe9 ", b"\xfcber", b"\xa7 1")),
}

_CHARACTERS: dict[str, tuple[str, tuple[bytes, ...]]] = {
    "raw-nul": ("The character NUL.", (b"\0", b"a\0b", b"\0\0\0\0")),
    "control-character": (
        "A control character that XML 1.0 does not have.",
        tuple(bytes((c,)) for c in (1, 8, 0x0B, 0x0C, 0x0E, 0x1B, 0x1F)),
    ),
    "u-fffe-or-u-ffff": ("U+FFFE or U+FFFF, which XML excludes.", (b"\xef\xbf\xbe", b"\xef\xbf\xbf")),
}


def _refused(_: Stanza, change: Change) -> bool:
    return bool(read(change.data).fault)


def _sites(stanza: Stanza) -> list[tuple[int, str]]:
    """Where a character may be put in, with the place's name: texts, values, and behind the names of elements."""
    found = tokens(stanza.xml)
    sites = [(end, text.place) for text in found.texts for end in (text.start, text.end)]
    sites += [(a.value_end, a.place) for a in found.attributes if not a.declares]
    sites += [(tag.name_end, tag.place) for tag in found.tags]
    return sites


def _inserted(
    source: Source, stanza: Stanza, _: Scene, *, sequences: tuple[bytes, ...], encoding: bool
) -> Iterator[Change]:
    at, place = pick(source, _sites(stanza))
    allowed = BAD_ENCODING if encoding else NOT_WELL_FORMED
    yield spliced(stanza, at, at, pick(source, sequences), place, allowed)


KINDS = tuple(
    Operator(name, Family.BYTES, summary, partial(_inserted, sequences=sequences, encoding=kinds is _KINDS), _refused)
    for kinds in (_KINDS, _CHARACTERS)
    for name, (summary, sequences) in kinds.items()
)


@operator(Family.BYTES, "The stanza in UTF-16, within a stream in UTF-8.", _refused)
def utf_16(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    encoding = pick(source, ("utf-16-le", "utf-16-be", "utf-16"))
    yield Change("the whole stanza", "UTF-8", encoding.upper(), (stanza.xml.encode(encoding),), BAD_ENCODING)


@operator(Family.BYTES, "A character reference to what is no character of XML.", _refused)
def reference_to_no_character(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    """NUL, a control, a surrogate, a non-character, beyond Unicode, beyond 32 bits, no number."""
    kinds = (
        "&#0;",
        "&#x1;",
        "&#xD800;",
        "&#xFFFF;",
        "&#x110000;",
        "&#4294967361;",
        "&#x;",
        "&#-65;",
        "&#65",
        "&#xG;",
    )
    sites = [site for site in _sites(stanza) if "@" in site[1] or site in _texts(stanza)]
    if sites:
        at, place = pick(source, sites)
        yield spliced(stanza, at, at, pick(source, kinds), place, NOT_WELL_FORMED)


def _texts(stanza: Stanza) -> list[tuple[int, str]]:
    return [(end, text.place) for text in tokens(stanza.xml).texts for end in (text.start, text.end)]
