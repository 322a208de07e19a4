"""Payloads that break their schema: elements and attributes missing, added, moved, renamed, or with wrong content.

Trial and proof: each candidate place is tried, and kept when `schemas.catalogue` finds a mismatch in what was
serialised and parsed again. What a server does is left open (RFC 6120 §11.4): it need not validate.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from typing import cast

from lxml import etree

from generators.malformations.operators import Change, Proof, operator, pick, rotated
from generators.malformations.outcomes import liberal
from generators.malformations.proof import CLIENT, child, mismatched
from generators.source import Source
from generators.stanza import Family, Scene, Stanza
from schemas.catalogue import Element, catalogue

WHERE = "RFC 6120 §8.3.3.1, §11.4, §4.9.3.11"
_DECLARED = f' xmlns="{CLIENT}"'

Way = Callable[[str], str]
Edit = Callable[[Element], tuple[str, str] | None]
"""Changes an element of the tree; answers what was and became, None where there is nothing to change."""


def broken(_: Stanza, change: Change) -> bool:
    element = child(change.data)
    return element is not None and mismatched(element)


def broken_by(facet: str) -> Proof:
    """Broken, with a mismatch of that facet."""

    def proof(_: Stanza, change: Change) -> bool:
        element = child(change.data)
        if element is None or not mismatched(element):
            return False
        known = catalogue()
        return any(facet in mismatch.message for e in _elements(element) for mismatch in known.mismatches(e))

    return proof


def _parsed(stanza: Stanza) -> Element:
    return etree.fromstring(f"<x xmlns='{CLIENT}'>{stanza.xml}</x>")[0]


def _written(element: Element) -> bytes:
    """As it is sent: the stream declares the stanza's own namespace."""
    text = etree.tostring(element, encoding="unicode", with_tail=False)
    name = etree.QName(element).localname
    return text.replace(_DECLARED, "", 1).encode() if text.startswith(f"<{name}{_DECLARED}") else text.encode()


def _local(element: Element) -> str:
    return etree.QName(element).localname


def _place(element: Element) -> str:
    return "".join(f"/{_local(e)}" for e in [*reversed([*element.iterancestors()][:-1]), element])


def _elements(root: Element) -> list[Element]:
    """The element and all within, in document order."""
    return list(root.iter("*"))


def _inner(root: Element, *, stanzas: bool) -> list[Element]:
    """The payload and all within; the root itself where it is a nonza, or, if `stanzas`, a message or presence."""
    found = _elements(root)
    whole = etree.QName(root).namespace != CLIENT or (stanzas and _local(root) != "iq")
    return found if whole else found[1:]


def _edited(stanza: Stanza, number: int, edit: Edit) -> Change | None:
    """The stanza with the element of that number, in document order, edited."""
    root = _parsed(stanza)
    element = _elements(root)[number]
    place = _place(element)
    found = edit(element)
    if found is None:
        return None
    return Change(place, *found, (_written(root),), liberal(stanza, WHERE))


def each(
    source: Source, stanza: Stanza, edits: Callable[[Element], Iterable[Edit]], *, stanzas: bool = False
) -> Iterator[Change]:
    """Each edit that some element offers, beginning at a chosen one. `stanzas`: a message's own children, too."""
    root = _parsed(stanza)
    numbers = {e: n for n, e in enumerate(_elements(root))}
    offers = [(numbers[element], edit) for element in _inner(root, stanzas=stanzas) for edit in edits(element)]
    for number, edit in rotated(source, offers):
        change = _edited(stanza, number, edit)
        if change is not None:
            yield change


def attributes(element: Element) -> list[tuple[str, str]]:
    return cast("list[tuple[str, str]]", element.items())


def _children(element: Element) -> list[Element]:
    return list(element.iterchildren("*"))


def _default(namespace: str | None) -> dict[str, str]:
    """The declaration of a default namespace (lxml's stubs do not know that its prefix is None)."""
    return cast("dict[str, str]", {None: namespace} if namespace else {})


def _renamed(element: Element, tag: str) -> Element:
    """The element under another name, its namespace declared as the default."""
    namespace = etree.QName(tag).namespace
    new = etree.Element(tag, dict(attributes(element)), nsmap=_default(namespace))
    new.text, new.tail = element.text, element.tail
    new.extend(_children(element))
    parent = element.getparent()
    assert parent is not None  # noqa: S101 - every element here stands in a stanza or in the wrapper
    parent.replace(element, new)
    return new


@operator(Family.SCHEMA, "An attribute that must stand there does not.", broken)
def missing_attribute(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    def without(name: str) -> Edit:
        return lambda e: (f"{name}={str(e.attrib.pop(name))!r}", "")

    return each(source, stanza, lambda e: [without(name) for name, _ in attributes(e)])


@operator(Family.SCHEMA, "A child that must stand there does not.", broken)
def missing_child(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    def without(number: int) -> Edit:
        def edit(element: Element) -> tuple[str, str]:
            gone = _children(element)[number]
            element.remove(gone)
            return f"<{_local(gone)}/>", ""

        return edit

    return each(source, stanza, lambda e: [without(n) for n in range(len(_children(e)))], stanzas=True)


@operator(Family.SCHEMA, "An attribute that no schema knows.", broken)
def unknown_attribute(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    name = pick(source, ("stanzalab", "id2", "xmlns.x", "TYPE"))

    def edit(element: Element) -> tuple[str, str]:
        element.set(name, "1")
        return "", f'{name}="1"'

    return each(source, stanza, lambda _: [edit])


@operator(Family.SCHEMA, "A child that no schema knows, in the namespace of its parent.", broken)
def unknown_child(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    at_end = source.integer(1)

    def edit(element: Element) -> tuple[str, str]:
        namespace = etree.QName(element).namespace
        new = etree.Element(f"{{{namespace}}}stanzalab" if namespace else "stanzalab")
        element.insert(len(element) if at_end else 0, new)
        return "", "<stanzalab/>"

    return each(source, stanza, lambda _: [edit])


@operator(Family.SCHEMA, "A child that may stand there once stands there twice.", broken)
def repeated_child(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    times = 1 + source.integer(3)

    def again(number: int) -> Edit:
        def edit(element: Element) -> tuple[str, str]:
            found = _children(element)[number]
            for _ in range(times):
                found.addnext(copy.deepcopy(found))
            return f"<{_local(found)}/>", f"<{_local(found)}/>" * (times + 1)

        return edit

    return each(source, stanza, lambda e: [again(n) for n in range(len(_children(e)))], stanzas=True)


@operator(Family.SCHEMA, "A child stands within its sibling, within itself, or beside its parent.", broken)
def misplaced_child(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    way = pick(source, ("within its sibling", "within itself", "beside its parent"))

    def moved(number: int) -> Edit:
        def edit(element: Element) -> tuple[str, str] | None:
            children = _children(element)
            found = children[number]
            parent = element.getparent()
            others = [c for c in children if c is not found]
            if way == "within itself":
                found.append(copy.deepcopy(found))
            elif way == "within its sibling" and others:
                others[0].append(found)
            elif way == "beside its parent" and parent is not None:
                element.addnext(found)
            else:
                return None
            return f"<{_local(found)}/>", way

        return edit

    return each(source, stanza, lambda e: [moved(n) for n in range(len(_children(e)))], stanzas=True)


@operator(Family.SCHEMA, "An element within the payload bears another name.", broken)
def renamed_element(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    way: Way = pick(source, (str.upper, str.title, lambda n: f"{n}s", lambda n: n[:-1] or "x", lambda n: f"{n}-"))

    def edit(element: Element) -> tuple[str, str]:
        name, namespace = _local(element), etree.QName(element).namespace
        new = _renamed(element, f"{{{namespace}}}{way(name)}" if namespace else way(name))
        return name, _local(new)

    return each(source, stanza, lambda _: [edit])


@operator(Family.SCHEMA, "An attribute bears another name.", broken)
def renamed_attribute(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    way: Way = pick(source, (str.upper, str.title, lambda n: f"{n}s", lambda n: f"x{n}"))

    def renamed(name: str) -> Edit:
        def edit(element: Element) -> tuple[str, str]:
            element.set(way(name), str(element.attrib.pop(name)))
            return name, way(name)

        return edit

    return each(source, stanza, lambda e: [renamed(n) for n, _ in attributes(e) if not n.startswith("{")])


@operator(Family.SCHEMA, "An attribute stands in the namespace of its element.", broken)
def qualified_attribute(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    """Unprefixed attributes are in no namespace: `p:node` is another attribute than `node`."""

    def qualified(name: str) -> Edit:
        def edit(element: Element) -> tuple[str, str] | None:
            namespace = etree.QName(element).namespace
            if namespace is None:
                return None
            element.set(f"{{{namespace}}}{name}", str(element.attrib.pop(name)))
            return name, f"{{{namespace}}}{name}"

        return edit

    return each(source, stanza, lambda e: [qualified(n) for n, _ in attributes(e) if not n.startswith("{")])


@operator(Family.SCHEMA, "An attribute is written as a child.", broken)
def attribute_as_child(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    def moved(name: str) -> Edit:
        def edit(element: Element) -> tuple[str, str]:
            namespace = etree.QName(element).namespace
            new = etree.SubElement(element, f"{{{namespace}}}{name}" if namespace else name)
            value = element.get(name, "")
            del element.attrib[name]
            new.text = value
            return f'{name}="{value}"', f"<{name}>{value}</{name}>"

        return edit

    return each(source, stanza, lambda e: [moved(n) for n, _ in attributes(e) if not n.startswith("{")])


@operator(Family.SCHEMA, "An element within the payload stands in another namespace.", broken)
def wrong_namespace(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    namespace = pick(source, ("urn:stanzalab:0", CLIENT, "jabber:server", "urn:xmpp:ping"))

    def edit(element: Element) -> tuple[str, str] | None:
        was = etree.QName(element).namespace
        if was == namespace:
            return None
        _renamed(element, f"{{{namespace}}}{_local(element)}")
        return was or "", namespace

    return each(source, stanza, lambda _: [edit])


@operator(Family.SCHEMA, "Text where only elements may stand, or nothing.", broken)
def mixed_text(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    text, at_end = pick(source, ("x", "&", "\u00a0", "0", "]]", "<x/>")), source.integer(1)

    def edit(element: Element) -> tuple[str, str] | None:
        children = _children(element)
        if (element.text or "").strip():
            return None
        if at_end and children:
            children[-1].tail = text
        else:
            element.text = text
        return "", text

    return each(source, stanza, lambda _: [edit])


@operator(Family.SCHEMA, "An element where only text may stand.", broken)
def element_in_text(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    whole = source.integer(1)

    def edit(element: Element) -> tuple[str, str] | None:
        if not element.text or len(element):
            return None
        was = element.text
        new = etree.SubElement(element, "{urn:stanzalab:0}x", nsmap=_default("urn:stanzalab:0"))
        if whole:
            new.text, element.text = element.text, None
        return was, f"<x>{was}</x>" if whole else f"{was}<x/>"

    return each(source, stanza, lambda _: [edit])


@operator(Family.SCHEMA, "Two children stand in the wrong order.", broken)
def swapped_children(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    def swapped(number: int) -> Edit:
        def edit(element: Element) -> tuple[str, str] | None:
            children = _children(element)
            first, second = children[number], children[number + 1]
            if first.tag == second.tag:
                return None
            element.insert(element.index(first), second)
            return f"<{_local(first)}/><{_local(second)}/>", f"<{_local(second)}/><{_local(first)}/>"

        return edit

    return each(source, stanza, lambda e: [swapped(n) for n in range(len(_children(e)) - 1)], stanzas=True)
