"""Well-formed, and more than a server may want to take (RFC 6120 §13.12): names, values, depth, numbers, size."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from generators.malformations.operators import Change, Proof, operator, pick, spliced
from generators.malformations.outcomes import excessive
from generators.malformations.proof import Reading, read
from generators.malformations.tokens import inside, payload, tokens
from generators.source import Source
from generators.stanza import Family, Scene, Stanza

NAMESPACE = "urn:stanzalab:0"
LENGTHS = (1_024, 8_192, 40_000)  # libxml2 takes no longer name than 50,000 characters
LEAST = 100


def _measured(measure: Callable[[Reading], int]) -> Proof:
    """It is whole, well-formed, and really that much."""

    def proof(_: Stanza, change: Change) -> bool:
        reading = read(change.data)
        return reading.complete and reading.whole == 1 and measure(reading) >= LEAST

    return proof


def _large(_: Stanza, change: Change) -> bool:
    return len(change.data) > 1_000 and read(change.data).complete


def _held(stanza: Stanza, inner: str, became: str) -> Iterator[Change]:
    tag = payload(tokens(stanza.xml), stanza.carrier)
    if tag is not None:
        start, end, new = inside(stanza.xml, tag, inner)
        yield spliced(stanza, start, end, new, tag.place, excessive(stanza))._replace(became=became)


def _extended(inner: str) -> str:
    return f"<x xmlns='{NAMESPACE}'{inner}/>"


@operator(Family.BYTES, "An element with a giant name.", _measured(lambda r: r.name), heavy=True)
def giant_element_name(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    length = pick(source, LENGTHS)
    return _held(stanza, f"<{'a' * length} xmlns='{NAMESPACE}'/>", f"a name of {length} characters")


@operator(Family.BYTES, "An attribute with a giant name.", _measured(lambda r: r.name), heavy=True)
def giant_attribute_name(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    length = pick(source, LENGTHS)
    return _held(stanza, _extended(f" {'a' * length}='1'"), f"a name of {length} characters")


@operator(Family.BYTES, "A giant value.", _large, heavy=True)
def giant_value(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    length, letter = pick(source, LENGTHS), pick(source, ("a", "&lt;", "\u00e9", "\U0001f600"))
    return _held(stanza, _extended(f" a='{letter * length}'"), f"a value of {length} characters")


@operator(Family.BYTES, "A giant namespace name.", _large, heavy=True)
def giant_namespace(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    length = pick(source, LENGTHS)
    return _held(stanza, f"<x xmlns='urn:{'a' * length}'/>", f"a namespace name of {length} characters")


@operator(Family.BYTES, "Many attributes.", _measured(lambda r: r.attributes), heavy=True)
def many_attributes(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    number = pick(source, (100, 1_000, 5_000))
    return _held(stanza, _extended("".join(f" a{n}='{n}'" for n in range(number))), f"{number} attributes")


@operator(Family.BYTES, "Many namespace declarations.", _large, heavy=True)
def many_declarations(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    number = pick(source, (100, 1_000, 5_000))
    declarations = "".join(f" xmlns:a{n}='urn:stanzalab:{n}'" for n in range(number))
    return _held(stanza, _extended(declarations), f"{number} declarations")


@operator(Family.BYTES, "Elements within elements.", _measured(lambda r: r.depth), heavy=True)
def deep_nesting(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    depth = pick(source, (100, 1_000, 10_000))
    inner = f"<x xmlns='{NAMESPACE}'>{'<x>' * (depth - 1)}{'</x>' * depth}"
    return _held(stanza, inner, f"{depth} levels")


@operator(
    Family.BYTES,
    "Elements within elements, each with a namespace of its own.",
    _measured(lambda r: r.depth),
    heavy=True,
)
def deep_namespaces(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    depth = pick(source, (100, 1_000))
    inner = "".join(f"<x xmlns='urn:stanzalab:{n}'>" for n in range(depth)) + "</x>" * depth
    return _held(stanza, inner, f"{depth} levels")


@operator(Family.BYTES, "Many children.", _large, heavy=True)
def many_children(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    number = pick(source, (500, 5_000, 20_000))
    return _held(stanza, f"<x xmlns='{NAMESPACE}'>{'<x/>' * number}</x>", f"{number} children")


@operator(Family.BYTES, "Many references in one text.", _large, heavy=True)
def many_references(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    number, reference = pick(source, (500, 5_000)), pick(source, ("&#65;", "&lt;", "&#x1F600;", "&#13;"))
    return _held(stanza, f"<x xmlns='{NAMESPACE}'>{reference * number}</x>", f"{number} references")


@operator(Family.PROTOCOL, "A stanza larger than any usual limit.", _large, heavy=True)
def size_over_limit(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    """300 kB, or 1 MiB: over what servers are set to by default, and more than the 10,000 bytes they must take."""
    size = pick(source, (300_000, 1 << 20))
    return _held(stanza, f"<x xmlns='{NAMESPACE}'>{'a' * size}</x>", f"{size} more bytes")
