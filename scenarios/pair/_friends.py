"""Two users who see each other's presence, and what each client says that it can do."""

from __future__ import annotations

from lab.plugin.clients import ElementMatches
from lab.plugin.pairs import Pair, Side, blamed
from lab.wire.namespaces import DISCO_INFO, NS
from lab.wire.session import localname
from lab.wire.stream import Element


def befriend(pair: Pair) -> None:
    """Each sees the other's presence from now on (RFC 6121 §3.1). The tap does what users would click on.

    Whatever fails is the server's fault.
    """
    for asks, agrees in ((pair.one, pair.other), (pair.other, pair.one)):
        asks.client.tap.send_as_client(f"<presence to='{agrees.bare_jid}' type='subscribe'/>")
        agrees.gets(_presence("subscribe", asks), "the subscription request")
        agrees.client.tap.send_as_client(f"<presence to='{asks.bare_jid}' type='subscribed'/>")
        # The approval itself is only for those who asked for the roster (§3.1.6).
        asks.gets(_presence(None, agrees), "the contact's presence")


def advertises(side: Side, feature: str) -> bool:
    """Whether the client answers a discovery request, from its own server, with this feature."""
    with blamed(side.client.name):
        info = side.client.answers("get", f"<query xmlns='{DISCO_INFO}'/>")
    return any(f.get("var") == feature for f in info.iterfind("disco:query/disco:feature", NS))


def _presence(kind: str | None, sender: Side) -> ElementMatches:
    def matches(element: Element) -> bool:
        who = (element.get("from") or "").partition("/")[0]
        return localname(element) == "presence" and element.get("type") == kind and who == sender.bare_jid

    return matches
