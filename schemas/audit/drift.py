"""Drift: what a specification's own schema declares and our schema of that namespace lacks, by name.

Only names are compared, elements and their attributes: contents differ on purpose, since ours follow the prose.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lxml import etree

from schemas.audit import sources
from schemas.audit.examples import placed
from schemas.audit.sources import Block, Broken, Source
from schemas.catalogue import XS, Catalogue

_MOST_SCHEMAS = 20  # in one block; four are the most that a specification has
_SCHEMA = re.compile(r"<((?:[A-Za-z_][\w.-]*:)?schema)\b")

Element = etree._Element


@dataclass(frozen=True)
class Drift:
    """One name that ours lacks. `attribute` is empty where the element itself is missing; `line` is the source's."""

    provider: str
    namespace: str
    element: str
    attribute: str
    line: int

    @property
    def key(self) -> tuple[str, str, str]:
        return self.namespace, self.element, self.attribute

    def __str__(self) -> str:
        what = f"attribute {self.attribute} of <{self.element}>" if self.attribute else f"element <{self.element}>"
        return f"{what} of {self.namespace}"


Names = dict[str, dict[str, int]]
"""Name of an element -> name of an attribute ("" for the element itself) -> line."""


def drifts(source: Source, catalogue: Catalogue) -> tuple[tuple[Drift, ...], tuple[Broken, ...]]:
    """What ours lack of a source's schemas, and those of its schemas that cannot be parsed.

    Only namespaces are compared whose schema of ours follows this source.
    """
    found: dict[tuple[str, str, str], Drift] = {}
    broken: list[Broken] = []
    for block in source.code:
        for schema in _schemas(source, block):
            if isinstance(schema, Broken):
                broken.append(schema)
                continue
            namespace = schema.get("targetNamespace", "")
            if not catalogue.knows(namespace) or catalogue.file(namespace).provider != source.provider:
                continue
            ours = _ours(catalogue.file(namespace).path)
            for drift in _missing(source.provider, namespace, _names(schema), ours, block.line - 1):
                found.setdefault(drift.key, drift)
    return tuple(found.values()), tuple(broken)


def _schemas(source: Source, block: Block) -> Iterator[Element | Broken]:
    end = seen = 0
    for match in _SCHEMA.finditer(block.text):
        if match.start() < end:
            continue
        close = f"</{match[1]}>"
        end = block.text.find(close, match.start()) + len(close)
        seen += 1
        if seen > _MOST_SCHEMAS:
            yield Broken(
                source.path, block.line, f"more than {_MOST_SCHEMAS} schemas in one block; the rest is not read"
            )
            return
        before = block.text.count("\n", 0, match.start())
        if end < len(close):
            yield Broken(source.path, block.line + before, f"its own schema has no {close}")
            return
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True)
        text = "\n" * before + block.text[match.start() : end]  # lines stay the block's
        try:
            yield etree.fromstring(text.encode("utf-8", "replace"), parser)
        except etree.XMLSyntaxError as error:
            line = block.line + (error.lineno or 1) - 1
            yield Broken(
                source.path, line, f"its own schema is not well-formed: {placed(error.msg or '', block.line)}"
            )


@cache
def _ours(path: Path) -> Names:
    return _names(etree.parse(path, etree.XMLParser(resolve_entities=False, no_network=True)).getroot())


def _missing(provider: str, namespace: str, theirs: Names, ours: Names, before: int) -> Iterator[Drift]:
    for element, attributes in theirs.items():
        if element not in ours:
            yield Drift(provider, namespace, element, "", attributes[""] + before)
            continue
        for attribute, line in attributes.items():
            if attribute not in ours[element]:
                yield Drift(provider, namespace, element, attribute, line + before)


def _names(schema: Element) -> Names:
    """Every element that a schema declares, at any depth, and the attributes of its type."""
    types = {t.get("name"): t for t in schema.iterchildren(f"{{{XS}}}complexType")}
    groups = {g.get("name"): g for g in schema.iterchildren(f"{{{XS}}}attributeGroup")}
    names: Names = {}
    for element in schema.iter(f"{{{XS}}}element"):
        name = element.get("name")
        if not name:
            continue
        attributes = names.setdefault(name, {})
        attributes.setdefault("", sources.line(element))
        content = element.find(f"{{{XS}}}complexType")
        holder = types.get(_local(element.get("type", ""))) if content is None else content
        if holder is not None:
            attributes.update(_attributes(holder, types, groups, frozenset()))
    return names


def _attributes(
    holder: Element, types: dict[str | None, Element], groups: dict[str | None, Element], seen: frozenset[Element]
) -> Names_:
    found: Names_ = {}
    if holder in seen:  # a schema that leads round in a circle
        return found
    seen |= {holder}
    for node in _own(holder):
        if node.tag == f"{{{XS}}}attribute" and node.get("use") != "prohibited":
            found.setdefault(_local(node.get("name") or node.get("ref") or ""), sources.line(node))
        elif node.tag == f"{{{XS}}}attributeGroup":
            group = groups.get(_local(node.get("ref", "")))
            if group is not None:
                found |= _attributes(group, types, groups, seen)
        elif node.tag in {f"{{{XS}}}extension", f"{{{XS}}}restriction"}:
            base = types.get(_local(node.get("base", "")))
            if base is not None:
                found |= _attributes(base, types, groups, seen)
    return found


Names_ = dict[str, int]


def _own(holder: Element) -> Iterator[Element]:
    """What stands in a type, without what stands in the elements declared inside it."""
    for child in holder:
        if not isinstance(child.tag, str):
            continue
        yield child
        if child.tag != f"{{{XS}}}element":
            yield from _own(child)


def _local(name: str) -> str:
    return name.rpartition(":")[2]
