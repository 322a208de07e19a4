"""What a wildcard lets in: what nobody knows, or a payload of the registry that travels inside others.

How often it lets anything in is the walk's to say.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from generators import escape, values
from generators.addresses import Addresses
from generators.compiler import shape_of
from generators.shapes import ElementShape, Wildcard
from generators.values import Ask
from lab.errors import UsageError
from schemas import payloads
from schemas.catalogue import catalogue
from schemas.payloads import Carrier, Party

NAMESPACE = "urn:stanzalab:0"
"""The lab's own: no schema declares anything in it."""

Writer = Callable[[Ask, Addresses, list[str], int], None]
"""Adds an element's text to a list, piece by piece; the number is how deep it may still go."""

_KNOWN = 3  # of five elements, so many nobody knows; but none where only known ones may stand


def element(wildcard: Wildcard, named: frozenset[str], writer: Callable[[ElementShape], Writer]) -> Writer:
    """One element that a wildcard allows, but none of the `named` ones: they are counted where they stand by name.

    `writer` makes the function that writes a shape.
    """
    unknown = wildcard.allows(NAMESPACE) and not wildcard.strict
    inside = tuple(n for n in _inside_others() if wildcard.allows(_namespace(n)) and n not in named)
    known = inside if unknown or inside else _declared(wildcard)
    text = values.any_text(escape.content)
    last = len(known) - 1
    most = (_KNOWN - 1 if unknown else -1) + (2 if known else 0)
    if most < 0:
        raise UsageError("a wildcard stands where no schema has anything for it", hint="widen its namespaces")

    def write(ask: Ask, addresses: Addresses, out: list[str], depth: int) -> None:
        kind = ask(most)
        if not unknown or (kind >= _KNOWN and depth > 0):
            writer(shape_of(known[ask(last)]))(ask, addresses, out, depth)
        elif kind == 0:
            out.append(f"<x xmlns='{NAMESPACE}'/>")
        elif kind == 1:
            out.append(f"<x xmlns='{NAMESPACE}'>{text(ask, addresses)}</x>")
        else:
            out.append(
                f"<l:x xmlns:l='{NAMESPACE}'{attribute(ask, addresses)}>"
                f"<l:y/>{text(ask, addresses)}<z xmlns=''/></l:x>"
            )

    return write


def attribute(ask: Ask, addresses: Addresses) -> str:
    """An attribute of a namespace that nobody knows, declared where it stands."""
    return f" xmlns:a='{NAMESPACE}' a:b='{values.any_text(escape.attribute)(ask, addresses)}'"


def named(local: str, wildcard: Wildcard) -> str | None:
    """The payload of that local name that travels inside others and that a wildcard allows, if there is one."""
    found = [name for name in _inside_others() if name.endswith(f"}}{local}") and wildcard.allows(_namespace(name))]
    return found[0] if found else None


@cache
def _inside_others() -> tuple[str, ...]:
    return tuple(
        payload.element
        for payload in payloads.load()
        if any(use.stanza is Carrier.PAYLOAD for use in payload.uses_of(Party.CLIENT))
        and catalogue().declares(payload.element)
    )


def _declared(wildcard: Wildcard) -> tuple[str, ...]:
    files = [file for namespace, file in sorted(catalogue().files.items()) if wildcard.allows(namespace)]
    return tuple(name for file in files for name in sorted(file.elements))


def _namespace(name: str) -> str:
    return name[1:].partition("}")[0]
