"""Texts that one says and the other reads: on the wire, and as a client shows them."""

from __future__ import annotations

from lab.agents.agent import Matches
from lab.plugin.clients import ElementMatches
from lab.wire.namespaces import NS


def body_is(text: str) -> ElementMatches:
    """Matches messages with that body."""
    return lambda element: element.findtext("c:body", namespaces=NS) == text


def shown(text: str, sender: str = "") -> Matches:
    """Matches events that show that body; as coming from `sender` (a full JID), where it is given."""
    return lambda event: event["body"] == text and sender in {"", event["from"]}
