"""Addresses and stanzas, as the fake server needs them: taken apart, answered, serialised. No state."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import cast
from xml.sax.saxutils import quoteattr

from lxml import etree

from lab.wire.namespaces import STANZA_ERROR
from lab.wire.stream import Element

_XML = "{http://www.w3.org/XML/1998/namespace}"
ERROR_TYPES = {"bad-request": "modify", "jid-malformed": "modify", "not-acceptable": "modify"}


@dataclass(frozen=True)
class Jid:
    """A JID (RFC 7622). `localpart` and `resource` are empty where there is none."""

    localpart: str
    domain: str
    resource: str = ""

    @classmethod
    def parse(cls, text: str) -> Jid | None:
        """None for what is no JID. Only what the lab's traffic needs: no PRECIS but lower case."""
        bare, slash, resource = text.partition("/")
        localpart, at, domain = bare.rpartition("@")
        if not domain or (at and not localpart) or (slash and not resource) or set(localpart) & set("\"&'/:<>@ "):
            return None
        if any(len(part.encode()) > 1023 for part in (localpart, domain, resource)):
            return None
        return cls(localpart.lower(), domain.lower(), resource)

    @property
    def bare(self) -> str:
        return f"{self.localpart}@{self.domain}" if self.localpart else self.domain

    def __str__(self) -> str:
        return f"{self.bare}/{self.resource}" if self.resource else self.bare


def localname(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]  # a namespace's name may have braces, the local one never


def namespace(element: Element) -> str | None:
    return str(element.tag).rpartition("}")[0].removeprefix("{") or None


def serialise(stanza: Element, content_namespace: str) -> str:
    """A stanza as XML for a stream with that content namespace (a component's differs from a client's, §4.8.2)."""
    if namespace(stanza) != content_namespace:
        stanza = _in_namespace(stanza, namespace(stanza), content_namespace)
    return etree.tostring(stanza, encoding="unicode", with_tail=False)


def _in_namespace(element: Element, was: str | None, becomes: str) -> Element:
    """A copy in another namespace; payloads keep theirs, and all that is in them."""
    if namespace(element) != was:
        return copy.deepcopy(element)
    made = etree.Element(f"{{{becomes}}}{localname(element)}", nsmap=cast("dict[str, str]", {None: becomes}))
    for name, value in element.attrib.items():
        if not str(name).startswith("{") or str(name).startswith(_XML):  # lxml sets no name in what is no URI
            made.set(str(name), str(value))
    made.text = element.text
    for child in element:
        copied = _in_namespace(child, was, becomes)
        copied.tail = child.tail
        made.append(copied)
    return made


def error_reply(stanza: Element, condition: str) -> str:
    """The error that answers a stanza, without its payload (§8.3); empty for what no error may answer."""
    if stanza.get("type") in {"error", "result"}:
        return ""
    kind = ERROR_TYPES.get(condition, "cancel")
    content = f"<error type='{kind}'><{condition} xmlns='{STANZA_ERROR}'/></error>"
    return reply(stanza, "error", content)


def reply(stanza: Element, kind: str, content: str) -> str:
    """A stanza of type `kind` back to the sender, with the same id."""
    attributes = {
        "type": kind,
        "id": stanza.get("id"),
        "from": stanza.get("to"),
        "to": stanza.get("from"),
    }
    text = "".join(f" {name}={quoteattr(value)}" for name, value in attributes.items() if value is not None)
    name = localname(stanza)
    return f"<{name}{text}>{content}</{name}>"
