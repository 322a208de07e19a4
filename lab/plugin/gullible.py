"""What a client would tell that believes whatever it is sent, whoever sent it: an example of what a check forbids.

A check that shows that something is *not* shown says so by a predicate. Of what such a client would tell, `make
prove` injects the first thing that the predicate forbids (DESIGN, rule 5); what it would answer stands besides what
was answered. Nothing here judges: an address is any text that looks like one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from lab.tap.line import Piece, element_of
from lab.wire.namespaces import CLIENT
from lab.wire.session import localname
from lab.wire.stream import Element

Told = dict[str, Any]


def events(pieces: Iterable[Piece], kind: str) -> Iterator[Told]:
    """The events of a kind that one could tell of what a client was sent."""
    for element in map(element_of, pieces):
        if element is None:
            continue
        for sender in _addresses(element):
            for told in _of_kind(element, kind):
                yield {"event": kind, "from": sender, **told}


def answer(pieces: Iterable[Piece], command: str) -> dict[str, list[Any]]:
    """What an answer to a command could have in it of all that a client was sent: by field."""
    read = [element for element in map(element_of, pieces) if element is not None]
    if command in {"discover", "features-of"}:
        return {"features": [f.get("var", "") for e in read for f in e.iter("{*}feature")]}
    if command == "roster":
        kept = ("jid", "name", "subscription")
        items = [item for e in read for item in e.iter("{jabber:iq:roster}item") if item.get("jid")]
        return {"contacts": [{name: i.get(name) for name in kept if i.get(name)} for i in items]}
    if command == "archive":
        inner = [m for e in read for m in e.iter(f"{{{CLIENT}}}message") if m.findtext(f"{{{CLIENT}}}body")]
        return {"messages": [{"from": m.get("from", ""), "body": m.findtext(f"{{{CLIENT}}}body")} for m in inner]}
    return {}


def _of_kind(element: Element, kind: str) -> Iterator[Told]:
    match kind:
        case "message":
            replaced = element.find(".//{*}replace")
            corrects = {"corrects": replaced.get("id", "")} if replaced is not None else {}
            for body in (*(node.text or "" for node in element.iter("{*}body")), *_values(element), ""):
                yield {"body": body, **corrects}
        case "receipt":
            yield from ({"sent": node.get("id", "")} for node in element.iter("{*}received"))
        case "nick":
            yield from ({"nick": node.text or ""} for node in element.iter("{*}nick"))
        case "presence" if localname(element) == "presence":
            yield {"available": element.get("type") != "unavailable"}
            yield {"available": True}


def _values(element: Element) -> list[str]:
    """The values of attributes in a namespace."""
    return [str(value) for name, value in element.attrib.items() if str(name).startswith("{")]


def _addresses(element: Element) -> list[str]:
    """All addresses in an element, and resources that look like one."""
    found: dict[str, None] = {}
    for node in element.iter():
        for value in map(str, node.attrib.values()):
            found |= {part: None for part in (value, value.partition("/")[2]) if "@" in part}
    return list(found)
