"""Elements as sessions and checks handle them: made from text, shown, and what an error among them says."""

from __future__ import annotations

import copy
from secrets import token_hex

from lxml import etree

from lab.wire.namespaces import NS, STREAM_ERROR
from lab.wire.stream import Element, Event, Received, StreamClosed, StreamOpened


def new_id() -> str:
    """An id that no other stanza of this run bears."""
    return token_hex(5)


def show(what: Element | Event) -> str:
    """An element, or whatever else comes on a stream, as text for people."""
    if isinstance(what, StreamClosed):
        return "</stream:stream>"
    element = what.element if isinstance(what, StreamOpened | Received) else what
    return etree.tostring(element, encoding="unicode", with_tail=False)


def parse(xml: str, *, default: str | None = None) -> Element:
    """One element from text; `default` is the namespace where the text declares none."""
    prefixes = " ".join(f'xmlns:{p}="{n}"' for p, n in NS.items())
    plain = f' xmlns="{default}"' if default else ""
    wrapper = etree.fromstring(f"<w {prefixes}{plain}>{xml}</w>", etree.XMLParser(resolve_entities=False))
    wrapper[0].tail = None
    return copy.deepcopy(wrapper[0])  # keeps the default namespace a default


def localname(element: Element) -> str:
    return etree.QName(element).localname


def stream_error_condition(error: Element) -> str:
    """The defined condition of a stream error (§4.9.3), or `no defined condition`."""
    for child in error:
        if etree.QName(child).namespace == STREAM_ERROR:
            name = localname(child)
            if name != "text":
                return name
    return "no defined condition"


def stanza_error_condition(stanza: Element) -> str:
    """The defined condition of a stanza error (§8.3.3); empty where the stanza is none."""
    error = stanza.find("{*}error")
    if error is None:
        return ""
    for child in error:
        if etree.QName(child).namespace == NS["stanzas"] and localname(child) != "text":
            return localname(child)
    return "no defined condition"
