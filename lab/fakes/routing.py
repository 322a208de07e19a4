"""What the fake server knows of its domain: accounts, bound resources, one component; and who gets a stanza.

In order between any two entities, as RFC 6120 §10.1 wants: everything happens at once, in one thread.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from lab.fakes import services
from lab.fakes.stanzas import Jid, error_reply, localname, serialise
from lab.wire.namespaces import CLIENT, COMPONENT
from lab.wire.stream import Element

if TYPE_CHECKING:
    from lab.fakes.client_connection import ClientConnection
    from lab.fakes.component_connection import ComponentConnection
    from lab.fakes.uploads import Uploads


class Router:
    """The domain `domain`, with room for a component at `component_domain`, and a service for `uploads`."""

    def __init__(self, domain: str, component_domain: str, uploads: Uploads) -> None:
        self.domain = domain
        self.component_domain = component_domain
        self.uploads = uploads
        self.passwords: dict[str, str] = {services.ADMIN: services.ADMIN_PASSWORD}
        self.bound: dict[str, ClientConnection] = {}  # full JID -> its connection
        self.component: ComponentConnection | None = None

    def resources(self, bare: str) -> list[ClientConnection]:
        return [c for c in self.bound.values() if c.jid and c.jid.bare == bare]

    def route(self, stanza: Element) -> None:
        """Deliver a stanza that bears both addresses, or answer it (RFC 6120 §10.4, §10.5)."""
        to = Jid.parse(stanza.get("to") or "")
        if to is None:
            self.refuse(stanza, "jid-malformed")
        elif to.domain == self.component_domain and self.component is not None:
            self.component.send(serialise(stanza, COMPONENT))
        elif to.domain == self.component_domain:
            self.refuse(stanza, "service-unavailable")
        elif to.domain == self.uploads.domain:
            self._to_uploads(stanza)
        elif to.domain != self.domain:
            self.refuse(stanza, "remote-server-not-found")
        elif not to.localpart:
            self.answer(stanza)
        elif str(to) in self.bound:
            self.bound[str(to)].send(serialise(stanza, CLIENT))
        elif localname(stanza) == "message":
            self._message_to_account(stanza, to)
        elif localname(stanza) == "presence":
            self._presence_to_account(stanza, to)
        else:
            self.answer(stanza)

    def refuse(self, stanza: Element, condition: str) -> None:
        """Answer with an error."""
        self.give_back(stanza, error_reply(stanza, condition))

    def give_back(self, stanza: Element, xml: str) -> None:
        """Send a reply to whoever sent the stanza."""
        sender = Jid.parse(stanza.get("from") or "")
        if not xml or sender is None:
            return
        if sender.domain == self.component_domain and self.component is not None:
            self.component.send(xml)
        elif str(sender) in self.bound:
            client = self.bound[str(sender)]
            client.behaviour.on_reply(client, xml)

    def answer(self, stanza: Element) -> None:
        """An iq to the server itself, or to an account, for which the server answers (§10.5.3.3)."""
        if localname(stanza) == "iq" and stanza.get("type") in {"get", "set"}:
            self.give_back(stanza, services.answer_iq(self, stanza))

    def _to_uploads(self, stanza: Element) -> None:
        if localname(stanza) == "iq" and stanza.get("type") in {"get", "set"}:
            self.give_back(stanza, self.uploads.answer_iq(stanza))

    def _message_to_account(self, stanza: Element, to: Jid) -> None:
        """To each available resource, errors to none (RFC 6121 §8.5.2.1.1); nothing is kept for later."""
        takers = [c for c in self.resources(to.bare) if c.priority is not None and c.priority >= 0]
        kind = stanza.get("type", "normal")
        if kind == "error":
            return
        if kind == "groupchat" or (not takers and kind != "headline"):
            self.refuse(stanza, "service-unavailable")
            return
        for taker in takers:
            taker.send(serialise(stanza, CLIENT))

    def _presence_to_account(self, stanza: Element, to: Jid) -> None:
        if not to.resource and stanza.get("type") not in {"error", "probe"}:
            for client in self.resources(to.bare):
                if client.priority is not None:
                    client.send(serialise(stanza, CLIENT))

    def broadcast(self, stanza: Element, sender: ClientConnection) -> None:
        """Presence to the sender's own available resources (RFC 6121 §4.2.2); there are no rosters."""
        if sender.jid is None:
            return
        for client in self.resources(sender.jid.bare):
            if client.priority is not None or client is sender:
                own = copy.copy(stanza)
                own.set("to", str(client.jid))
                client.send(serialise(own, CLIENT))
