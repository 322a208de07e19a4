"""A stanza's text as tags and texts with their places, so that an operator can cut in at a byte.

For what the generators write (well-formed, no CDATA, no comment): a reader of anything else is `proof`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

_TAG = re.compile(r"""<(/?)([^\s/>]+)((?:[^<>"']|"[^"]*"|'[^']*')*?)(/?)>""")
_ATTRIBUTE = re.compile(r"""([^\s=]+)\s*=\s*("[^"]*"|'[^']*')""")


class Attribute(NamedTuple):
    """An attribute: `start` is its name's first character, `end` is behind the closing quote."""

    name: str
    start: int
    end: int
    value_start: int
    value_end: int
    place: str

    @property
    def declares(self) -> bool:
        """Whether it is a namespace declaration."""
        return self.name == "xmlns" or self.name.startswith("xmlns:")


class Tag(NamedTuple):
    """A tag: `kind` is start, end or empty, `name_end` is behind its name, `depth` 0 for the stanza's own."""

    kind: str
    name: str
    start: int
    end: int
    name_end: int
    attributes: tuple[Attribute, ...]
    depth: int
    place: str


class Text(NamedTuple):
    """Character data that is not empty."""

    start: int
    end: int
    place: str


class Tokens(NamedTuple):
    """What a stanza consists of, in the order in which it stands."""

    tags: tuple[Tag, ...]
    texts: tuple[Text, ...]

    @property
    def openings(self) -> tuple[Tag, ...]:
        """Start tags and empty-element tags: those that may have attributes."""
        return tuple(tag for tag in self.tags if tag.kind != "end")

    @property
    def attributes(self) -> tuple[Attribute, ...]:
        return tuple(a for tag in self.tags for a in tag.attributes)


@lru_cache(maxsize=64)
def tokens(xml: str) -> Tokens:
    """The tags and texts of a well-formed element."""
    tags: list[Tag] = []
    texts: list[Text] = []
    path: list[str] = []
    behind = 0
    for found in _TAG.finditer(xml):
        closing, name, inner, empty = found.groups()
        if path and found.start() > behind:
            texts.append(Text(behind, found.start(), "/" + "/".join(path)))
        behind = found.end()
        if closing:
            place = "/" + "/".join(path)
            path.pop()
            tags.append(Tag("end", name, found.start(), found.end(), found.end(2), (), len(path), place))
            continue
        place = "/".join(("", *path, name))
        attributes = _attributes(inner, found.start(3), place) if inner else ()
        kind = "empty" if empty else "start"
        tags.append(Tag(kind, name, found.start(), found.end(), found.end(2), attributes, len(path), place))
        if not empty:
            path.append(name)
    return Tokens(tuple(tags), tuple(texts))


def _attributes(inner: str, offset: int, place: str) -> tuple[Attribute, ...]:
    return tuple(
        Attribute(
            found[1],
            offset + found.start(),
            offset + found.end(),
            offset + found.start(2) + 1,
            offset + found.end(2) - 1,
            f"{place}/@{found[1]}",
        )
        for found in _ATTRIBUTE.finditer(inner)
    )


def element_end(tags: tuple[Tag, ...], number: int) -> int:
    """Behind which character the element ends that `tags[number]` begins."""
    tag = tags[number]
    if tag.kind == "empty":
        return tag.end
    return next(t.end for t in tags[number + 1 :] if t.kind == "end" and t.depth == tag.depth)


def payload(found: Tokens, carrier: str) -> Tag | None:
    """Where extensions may be put: in an iq's child, or in any other stanza itself. None where there is none."""
    depth = 1 if carrier == "iq" else 0
    return next((tag for tag in found.openings if tag.depth == depth), None)


def inside(xml: str, tag: Tag, inner: str) -> tuple[int, int, str]:
    """What to put where (from, to) so that `inner` becomes the first content of an element."""
    if tag.kind == "start":
        return tag.end, tag.end, inner
    return xml.rindex("/", tag.start, tag.end), tag.end, f">{inner}</{tag.name}>"


def with_attribute(xml: str, name: str, value: str | None) -> str:
    """The element with an attribute of its own (not escaped) added or replaced; taken away where `value` is None."""
    tag = tokens(xml).tags[0]
    attribute = next((a for a in tag.attributes if a.name == name), None)
    new = "" if value is None else f' {name}="{value}"'
    if attribute is None:
        return f"{xml[: tag.name_end]}{new}{xml[tag.name_end :]}"
    return f"{xml[: attribute.start].rstrip()}{new}{xml[attribute.end :]}"


def attribute_of(xml: str, name: str) -> str:
    """An attribute of the element itself, as it is written; empty where it is absent."""
    found = next((a for a in tokens(xml).tags[0].attributes if a.name == name), None)
    return xml[found.value_start : found.value_end] if found else ""
