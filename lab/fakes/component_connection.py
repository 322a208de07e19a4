"""The fake server's side of XEP-0114: a stream for the component's name, the handshake, then stanzas."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from lab.fakes.connection import Connection
from lab.fakes.stanzas import Jid, localname, namespace
from lab.wire.component import digest
from lab.wire.namespaces import COMPONENT
from lab.wire.stream import Element, StreamOpened

if TYPE_CHECKING:
    from lab.fakes.server import FakeServer


class ComponentConnection(Connection):
    namespace = COMPONENT

    def __init__(self, server: FakeServer) -> None:
        super().__init__(server)
        self._accepted = False

    def refuses(self, header: StreamOpened) -> str:
        if header.content_namespace != COMPONENT:
            return "invalid-namespace"
        return "" if header.get("to") == self.server.component.domain else "host-unknown"

    def own_name(self) -> str:
        """Component streams bear the component's own name (XEP-0114 §3)."""
        return self.server.component.domain

    def offer(self) -> None:
        """Nothing follows the header: the component speaks next."""

    def open_stream(self, *, version: str | None = None) -> None:
        super().open_stream(version=version)

    def on_element(self, element: Element) -> None:
        if self._accepted:
            self._take_stanza(element)
        elif not self._is_right(element):
            self.fail("not-authorized")
        elif self.server.router.component is not None:
            self.fail("conflict")
        else:
            self._accepted = True
            self.server.router.component = self
            self.send("<handshake/>")

    def _is_right(self, handshake: Element) -> bool:
        right = digest(self.stream_id, self.server.component.secret)
        return handshake.tag == f"{{{COMPONENT}}}handshake" and (handshake.text or "").strip() == right

    def _take_stanza(self, stanza: Element) -> None:
        sender = Jid.parse(stanza.get("from") or "")
        if namespace(stanza) != COMPONENT or localname(stanza) not in {"message", "presence", "iq"}:
            self.fail("unsupported-stanza-type")
        elif sender is None or sender.domain != self.server.component.domain:
            self.fail("invalid-from", escape(stanza.get("from") or "no from"))
        elif stanza.get("to") is None:
            self.fail("improper-addressing")
        elif localname(stanza) == "iq" and stanza.get("type") in {"get", "set"} and len(stanza) != 1:
            self.server.router.refuse(stanza, "bad-request")
        else:
            self.server.router.route(stanza)

    def on_gone(self) -> None:
        if self.server.router.component is self:
            self.server.router.component = None
