"""Misbehaviours of the fake server that break whoever talks to it: a lab must survive its subjects.

Each is a class of a few lines, whose docstring says what it does wrong. Those that break one rule, for `make prove`,
lie beside: `tls_misbehaviours`, `stream_misbehaviours`, `web_misbehaviours`.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable

from lab.certificates import CertificateAuthority, ServerCertificate
from lab.fakes.behaviour import Behaviour
from lab.fakes.client_connection import ClientConnection
from lab.fakes.connection import Connection
from lab.fakes.stanzas import localname
from lab.wire.stream import Element


class ClosesAtOnce(Behaviour):
    """Closes each connection as soon as it is there."""

    def on_connect(self, connection: Connection) -> None:
        connection.drop()


class HangsAfterConnect(Behaviour):
    """Accepts connections and never says anything."""

    def on_data(self, connection: Connection, data: bytes) -> None:
        return


class HangsAfterLogin(Behaviour):
    """Reads on, but answers nothing any more once a resource is bound."""

    def on_data(self, connection: Connection, data: bytes) -> None:
        if not (isinstance(connection, ClientConnection) and connection.jid):
            connection.take(data)


class Floods(Behaviour):
    """Sends messages without end once a resource is bound."""

    def on_bound(self, connection: ClientConnection) -> None:
        self.on_writable(connection)

    def on_writable(self, connection: Connection) -> None:
        if not connection.ended and not connection.paused:
            connection.send("<message type='headline'><body>flood</body></message>" * 100)
            asyncio.get_running_loop().call_soon(self.on_writable, connection)


class BrokenXml(Behaviour):
    """Sends XML that is not well-formed in the place of the stream features."""

    def on_header(self, connection: Connection) -> None:
        connection.open_stream()
        connection.send("<stream:features><starttls></stream:features>")


class BillionLaughs(Behaviour):
    """Sends a DTD whose entities expand to gigabytes before its stream header."""

    def on_header(self, connection: Connection) -> None:
        laughs = "".join(f"<!ENTITY l{n} '{f'&l{n - 1};' * 10}'>" for n in range(1, 10))
        connection.send(f"<?xml version='1.0'?><!DOCTYPE l [<!ENTITY l0 'ha'>{laughs}]><l>&l9;</l>")


class OtherNameCertificate(Behaviour):
    """Shows a certificate, of the right authority, that is of another name."""

    def certificate(self, authority: CertificateAuthority, domain: str) -> ServerCertificate:
        return authority.server_certificate(f"not-{domain}")


class ExpiredCertificate(Behaviour):
    """Shows a certificate that was valid until yesterday."""

    def certificate(self, authority: CertificateAuthority, domain: str) -> ServerCertificate:
        return authority.server_certificate(domain, expired=True)


class SwallowsIq(Behaviour):
    """Never answers an iq, and never passes one on."""

    def on_stanza(self, connection: ClientConnection, stanza: Element) -> None:
        if localname(stanza) != "iq":
            connection.take_stanza(stanza)


class AnswersTwice(Behaviour):
    """Sends each answer to an iq twice."""

    def on_reply(self, connection: ClientConnection, xml: str) -> None:
        connection.send(xml + xml)


class WrongId(Behaviour):
    """Answers an iq with another id than it had."""

    def on_reply(self, connection: ClientConnection, xml: str) -> None:
        connection.send(re.sub(r" id=(['\"])", r" id=\1wrong-", xml, count=1))


class DiesOnMessage(Behaviour):
    """Dies, with all connections and ports, when a message comes."""

    def on_stanza(self, connection: ClientConnection, stanza: Element) -> None:
        if localname(stanza) == "message":
            connection.server.die()
        else:
            connection.take_stanza(stanza)


class HalfAStanza(Behaviour):
    """Stops in the middle of an answer and falls silent, the connection open."""

    def on_reply(self, connection: ClientConnection, xml: str) -> None:
        connection.send(xml[: len(xml) // 2])
        connection.ended = True


class Slow(Behaviour):
    """Sends and closes right, but each time only after a delay."""

    def __init__(self, delay: float) -> None:
        super().__init__(delay)
        self._waiting: dict[Connection, deque[Callable[[], None]]] = {}

    def send(self, connection: Connection, data: bytes) -> None:
        self._later(connection, lambda: connection.write(data))

    def drop(self, connection: Connection) -> None:
        self._later(connection, connection.close_transport)

    def _later(self, connection: Connection, act: Callable[[], None]) -> None:
        # A queue for each connection: two timers for the same moment may go off in any order.
        waiting = self._waiting.setdefault(connection, deque())
        waiting.append(act)
        asyncio.get_running_loop().call_later(self.delay, self._act, waiting)

    @staticmethod
    def _act(waiting: deque[Callable[[], None]]) -> None:
        waiting.popleft()()
