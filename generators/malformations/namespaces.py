"""Payloads whose namespace is nearly right, or none: names that an exact reader does not know (RFC 6120 §8.4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from generators.allowed import Allowed, Reaction
from generators.malformations.operators import Change, operator, pick, rotated, spliced
from generators.malformations.outcomes import INVALID, for_the_server, is_request, liberal
from generators.malformations.proof import child
from generators.malformations.tokens import Attribute, tokens
from generators.source import Source
from generators.stanza import Family, Scene, Stanza
from schemas.catalogue import catalogue

_NEAR: tuple[Callable[[str], str], ...] = (
    lambda uri: f"{uri}x",
    lambda uri: f"{uri}/",
    str.swapcase,
    lambda uri: f" {uri}",
    lambda uri: f"{uri}&#10;",
    lambda uri: uri[:-1],
    lambda uri: uri.replace(":", "&#xff1a;"),
)


def _unknown(_: Stanza, change: Change) -> bool:
    """No payload of the stanza is in a namespace that a schema describes."""
    element = child(change.data)
    if element is None or not len(element):
        return False
    return not any(catalogue().knows(str(c.tag)[1:].partition("}")[0]) for c in element)


def _bare(_: Stanza, change: Change) -> bool:
    element = child(change.data)
    return element is not None and any("}" not in str(e.tag) for e in element.iter("*"))


def _declarations(stanza: Stanza) -> list[Attribute]:
    return [a for tag in tokens(stanza.xml).openings if tag.depth for a in tag.attributes if a.name == "xmlns"]


@operator(Family.SCHEMA, "The payload in a namespace that is nearly its own.", _unknown)
def payload_in_near_namespace(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    """An iq that is not understood is refused (§8.4, §10.3.3): a result would say that it was."""
    way = pick(source, _NEAR)
    where = "RFC 6120 §8.4, §10.3.3"
    allowed = liberal(stanza, where)
    if is_request(stanza) and for_the_server(stanza):
        allowed = Allowed(frozenset({Reaction.ERROR, Reaction.STREAM_ERROR}), where, stream_errors=INVALID)
    for declaration in _declarations(stanza):
        start, end = declaration.value_start, declaration.value_end
        yield spliced(stanza, start, end, way(stanza.xml[start:end]), declaration.place, allowed)


@operator(Family.SCHEMA, "An element of the payload in no namespace.", _bare)
def element_without_namespace(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    allowed = liberal(stanza, "RFC 6120 §8.4, §8.3.3.1")
    for tag in rotated(source, [tag for tag in tokens(stanza.xml).openings if tag.depth and ":" not in tag.name]):
        declaration = next((a for a in tag.attributes if a.name == "xmlns"), None)
        if declaration is None:
            yield spliced(stanza, tag.name_end, tag.name_end, ' xmlns=""', tag.place, allowed)
        else:
            yield spliced(stanza, declaration.value_start, declaration.value_end, "", declaration.place, allowed)
