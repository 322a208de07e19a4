"""Damages to what a check received: an event in, what the check sees instead out. Pure, one function a damage.

`make prove` replays a passing check with one of them at a time (DESIGN, rule 5). A damage answers None where it
would change nothing: a stanza without an id has no id to change. `DAMAGES` are those of stanzas and streams, whoever
sent them; what a client's agent tells, and what the tap knows of a login, are damaged field by field
(`lab.plugin.damage_told`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass

from lxml import etree

from lab.wire.namespaces import CLIENT, HTTPBIND, LAB, SASL, STANZA_ERROR, STREAM_ERROR, XBOSH, XML_LANG
from lab.wire.session import localname
from lab.wire.stream import Element, Event, Received, StreamClosed, StreamOpened

Damage = Callable[[Event], list[Event] | None]

STRANGER = "mallory@stranger.invalid/lab"
WRONG_NAMESPACE = "urn:stanzalab:damaged"
STANZA_TYPES = {
    "iq": {"result": "error", "error": "result", "get": "set", "set": "get"},
    "message": {"error": "normal"},
    "presence": {"error": "unavailable", "unavailable": "available"},
}
CONDITION_NAMESPACES = (STANZA_ERROR, STREAM_ERROR, SASL)
BODY_ATTRIBUTES = (
    *("type", "sid", "wait", "requests", "hold", "ver", "polling", "inactivity", "maxpause", "condition"),
    *(f"{{{XBOSH}}}{name}" for name in ("version", "restartlogic")),
)
MORE = 100_000
OTHER_CONDITION = {STANZA_ERROR: "gone", STREAM_ERROR: "reset", SASL: "temporary-auth-failure"}


@dataclass(frozen=True)
class Target:
    """One damage: its name, the place of what it hits among all that the check received, and what that is."""

    damage: str
    place: str
    what: str


def dropped(_: Event) -> list[Event] | None:
    """It never came."""
    return []


def duplicated(event: Event) -> list[Event] | None:
    """It came twice."""
    return [event, Received(deepcopy(event.element))] if isinstance(event, Received) else None


def id_changed(event: Event) -> list[Event] | None:
    """It bears another id."""
    return _attribute(event, "id", lambda value: f"{value}-damaged" if value else None)


def from_changed(event: Event) -> list[Event] | None:
    """It comes from a stranger."""
    wrong = "stranger.invalid" if isinstance(event, StreamOpened) else STRANGER
    return _attribute(event, "from", lambda _: wrong)


def to_changed(event: Event) -> list[Event] | None:
    """It is meant for a stranger."""
    return _attribute(event, "to", lambda value: STRANGER if value else None)


def type_changed(event: Event) -> list[Event] | None:
    """Its type is another one of its kind: a result is an error, an error a result."""
    if not isinstance(event, Received):
        return None
    kinds = STANZA_TYPES.get(localname(event.element))
    if kinds is None:
        return None
    return _attribute(event, "type", lambda value: kinds.get(value or "", "error"))


def version_changed(event: Event) -> list[Event] | None:
    """The stream header has another version."""
    return _attribute(event, "version", lambda _: "0.9") if isinstance(event, StreamOpened) else None


def language_gone(event: Event) -> list[Event] | None:
    """The stream header says no language."""
    if not isinstance(event, StreamOpened):
        return None
    return _attribute(event, XML_LANG, lambda _: None)


def payload_gone(event: Event) -> list[Event] | None:
    """The first child is missing."""

    def change(element: Element) -> bool:
        if len(element) == 0:
            return False
        element.remove(element[0])
        return True

    return _changed(event, change)


def payload_emptied(event: Event) -> list[Event] | None:
    """The first child has lost its own children and text."""

    def change(element: Element) -> bool:
        if len(element) == 0 or not (len(element[0]) or (element[0].text or "").strip()):
            return False
        child = element[0]
        tail, attributes = child.tail, list(child.attrib.items())
        child.clear()
        child.tail = tail
        for name, value in attributes:
            child.set(name, value)
        return True

    return _changed(event, change)


def namespace_changed(event: Event) -> list[Event] | None:
    """The payload (or, of an element that is no stanza, the element itself) is in a foreign namespace."""

    def change(element: Element) -> bool:
        stanza = localname(element) in STANZA_TYPES
        if stanza and len(element) == 0:
            return False
        _move(element[0] if stanza else element, WRONG_NAMESPACE)
        return True

    return _changed(event, change)


def condition_swapped(event: Event) -> list[Event] | None:
    """Another defined condition stands where the condition was."""
    if isinstance(event, StreamClosed):
        return [StreamClosed("undefined-condition")] if event.condition else None

    def change(element: Element) -> bool:
        for node in element.iter(*(f"{{{ns}}}*" for ns in CONDITION_NAMESPACES)):
            name = etree.QName(node)
            parent = node.getparent()
            if name.localname == "text" or parent is None or localname(parent) not in {"error", "failure"}:
                continue
            other = OTHER_CONDITION[name.namespace or ""]
            node.tag = f"{{{name.namespace}}}{other if name.localname != other else 'undefined-condition'}"
            return True
        return False

    return _changed(event, change)


def error_type_changed(event: Event) -> list[Event] | None:
    """A stanza error asks for something else to be done."""

    def change(element: Element) -> bool:
        error = element.find("{*}error")
        if error is None or error.get("type") is None:
            return False
        error.set("type", "wait" if error.get("type") != "wait" else "cancel")
        return True

    return _changed(event, change)


def text_changed(event: Event) -> list[Event] | None:
    """The first text in it says something else."""

    def change(element: Element) -> bool:
        for node in element.iter():
            if (node.text or "").strip():
                node.text = f"damaged {node.text}"
                return True
        return False

    return _changed(event, change)


def attribute_changed(event: Event) -> list[Event] | None:
    """The first attribute below the stanza (not the error's type) has another value."""

    def change(element: Element) -> bool:
        for node in element.iterdescendants():
            if node.attrib and localname(node) != "error":
                name = node.attrib.keys()[0]
                node.set(name, f"damaged-{node.get(name)}")
                return True
        return False

    return _changed(event, change)


def attributes_gone(event: Event) -> list[Event] | None:
    """The first element below the stanza that has any (not the error) has none."""

    def change(element: Element) -> bool:
        for node in element.iterdescendants():
            if node.attrib and localname(node) != "error":
                node.attrib.clear()
                return True
        return False

    return _changed(event, change)


def _body_changed(name: str) -> Damage:
    """An attribute of a <body/> of BOSH has another value: more, where it is a number."""

    def damage(event: Event) -> list[Event] | None:
        if not isinstance(event, Received) or event.element.tag != f"{{{HTTPBIND}}}body":
            return None

        def other(value: str | None) -> str | None:
            if value is None:
                return "terminate" if name == "type" else None
            return str(int(value) + MORE) if value.isascii() and value.isdigit() else f"damaged-{value}"

        return _attribute(event, name, other)

    return damage


DAMAGES: dict[str, Damage] = {
    "dropped": dropped,
    "duplicated": duplicated,
    "id changed": id_changed,
    "from changed": from_changed,
    "to changed": to_changed,
    "type changed": type_changed,
    "version changed": version_changed,
    "language gone": language_gone,
    "payload gone": payload_gone,
    "payload emptied": payload_emptied,
    "namespace changed": namespace_changed,
    "condition swapped": condition_swapped,
    "error type changed": error_type_changed,
    "text changed": text_changed,
    "attribute changed": attribute_changed,
    "attributes gone": attributes_gone,
    **{f"body {name.rpartition('}')[2]} changed": _body_changed(name) for name in BODY_ATTRIBUTES},
}


def applicable(event: Event) -> Iterator[str]:
    """The damages that would change this event."""
    if is_sentinel(event):
        return
    for name, damage in DAMAGES.items():
        if damage(event) is not None:
            yield name


def is_sentinel(event: Event) -> bool:
    """Whether this is the lab's own sentinel, or the answer to it: no check is judged by those."""
    if not isinstance(event, Received):
        return False
    element = event.element
    marks = (element.get("id"), element.findtext(f"{{{CLIENT}}}body"))
    return any(is_mark(text or "") for text in marks) or element.find(f"{{{LAB}}}sentinel") is not None


def is_mark(text: str) -> bool:
    """Whether this is the id or the body of a sentinel."""
    return text.startswith("sentinel-")


def describe(event: Event) -> str:
    """An event in a few words."""
    if isinstance(event, StreamOpened):
        return "stream header"
    if isinstance(event, StreamClosed):
        return "stream close"
    kind = event.element.get("type")
    return f"<{localname(event.element)}{f' {kind}' if kind else ''}>"


def _attribute(event: Event, name: str, change: Callable[[str | None], str | None]) -> list[Event] | None:
    if isinstance(event, StreamClosed):
        return None

    def apply(element: Element) -> bool:
        before = element.get(name)
        after = change(before)
        if before == after:
            return False
        if after is None:
            del element.attrib[name]
        else:
            element.set(name, after)
        return True

    if isinstance(event, StreamOpened):
        element = deepcopy(event.element)
        return [StreamOpened(element)] if apply(element) else None
    return _changed(event, apply)


def _changed(event: Event, change: Callable[[Element], bool]) -> list[Event] | None:
    if not isinstance(event, Received):
        return None
    element = deepcopy(event.element)
    return [Received(element)] if change(element) else None


def _move(element: Element, namespace: str) -> None:
    """Put an element and those of its descendants that share its namespace into another one."""
    old = etree.QName(element).namespace
    for node in element.iter(f"{{{old}}}*" if old else "*"):
        node.tag = f"{{{namespace}}}{localname(node)}"
