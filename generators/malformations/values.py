"""Values that their type does not allow: another type, out of range, not in the list, empty, too long.

As in `schema`, the catalogue proves it: what no facet forbids is no malformation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from generators.malformations.operators import Change, operator, pick
from generators.malformations.schema import Edit, Way, attributes, broken, broken_by, each
from generators.source import Source
from generators.stanza import Family, Scene, Stanza
from schemas.catalogue import Element


def _values(source: Source, stanza: Stanza, new: Callable[[str], str | None]) -> Iterator[Change]:
    """Each attribute's value and each text, as `new` has it; None where it has nothing to say."""

    def of_attribute(name: str) -> Edit:
        def edit(element: Element) -> tuple[str, str] | None:
            was = element.get(name, "")
            became = new(was)
            if became is None or became == was:
                return None
            element.set(name, became)
            return f'{name}="{was}"', f'{name}="{became}"'

        return edit

    def of_text(element: Element) -> tuple[str, str] | None:
        was = element.text or ""
        became = new(was)
        if became is None or became == was:
            return None
        element.text = became
        return was, became

    def edits(element: Element) -> list[Edit]:
        found = [of_attribute(name) for name, _ in attributes(element)]
        return found if len(element) else [*found, of_text]

    return each(source, stanza, edits)


@operator(Family.SCHEMA, "A value of another type: text for a number, a date that is none, and their like.", broken)
def wrong_type(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    kinds = (
        "x",
        "1.5",
        "-1",
        "NaN",
        "0x10",
        "١٢",
        "1e3",
        "2026-02-30T25:61:00Z",
        "2026-01-01",
        "=",
        "\u00e9",
        "a b",
        "@",
    )
    kind = pick(source, kinds)
    return _values(source, stanza, lambda was: kind if was else None)


@operator(Family.SCHEMA, "A number beyond the range of its type.", broken)
def out_of_range(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    kinds = ("-1", "65536", "4294967296", "-2147483649", "18446744073709551616", "-9223372036854775809", "9" * 400)
    kind = pick(source, kinds)
    return _values(source, stanza, lambda was: kind if was.lstrip("-").isdecimal() else None)


@operator(Family.SCHEMA, "A word that is not among the defined ones.", broken_by("'enumeration'"))
def undefined_value(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    way: Way = pick(
        source, (lambda v: f"{v}s", str.upper, str.title, lambda v: f" {v}", lambda _: "stanzalab", lambda v: v[:-1])
    )
    return _values(source, stanza, lambda was: way(was) if was else None)


@operator(Family.SCHEMA, "Nothing where a value must stand.", broken)
def empty_value(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    kind = pick(source, ("", " ", "\n\t"))
    return _values(source, stanza, lambda was: kind if was else None)


@operator(Family.SCHEMA, "A value longer than its type allows.", broken)
def too_long(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    """Addresses have 3071 bytes at most (RFC 7622 §3.1), mechanisms and tags far less."""
    length = pick(source, (3_100, 6_000))
    return _values(source, stanza, lambda was: (was * (length // len(was) + 1))[:length] if was else None)
