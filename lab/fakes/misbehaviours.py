"""Every misbehaviour of the fake server: a class of a few lines each, whose docstring says what it does wrong.

First those that break whoever talks to them (a lab must survive its subjects), then those that break one rule
each, for `make prove`.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
import ssl
import warnings
from collections import deque
from collections.abc import Callable
from itertools import count

from lab.certificates import CertificateAuthority, ServerCertificate
from lab.fakes.behaviour import Behaviour
from lab.fakes.client_connection import ClientConnection
from lab.fakes.connection import Connection
from lab.fakes.stanzas import localname
from lab.wire.namespaces import SASL, TLS
from lab.wire.stream import Element

# --- peers that break those who talk to them


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


# --- STARTTLS and TLS


class NeedsNoRestart(Behaviour):
    """Goes on with the old stream after TLS and after SASL where the client opens no new one."""

    def on_restart(self, connection: Connection) -> None:
        return

    def on_data(self, connection: Connection, data: bytes) -> None:
        if b"<stream:stream" in data and connection.header is not None:
            connection.restart()
        connection.take(data)


class AcceptsPlaintextBehindStarttls(NeedsNoRestart):
    """Takes what came in plain behind <starttls/> as if it had come under TLS."""

    def __init__(self, delay: float) -> None:
        super().__init__(delay)
        self._injected: dict[Connection, bytes] = {}

    def on_data(self, connection: Connection, data: bytes) -> None:
        starttls = re.search(rb"<starttls[^>]*(/>|>\s*</starttls>)", data)
        if starttls and not connection.tls:
            data, self._injected[connection] = data[: starttls.end()], data[starttls.end() :]
        super().on_data(connection, data)

    def on_tls(self, connection: Connection, *, begun: bool) -> None:
        injected = self._injected.pop(connection, b"")
        if begun and injected:
            super().on_data(connection, injected)


class SpaceAroundProceed(Behaviour):
    """Puts a line end before <proceed/>."""

    def send(self, connection: Connection, data: bytes) -> None:
        connection.write(b"\n" + data if data.startswith(b"<proceed") else data)


class RemembersPlainFrom(Behaviour):
    """Addresses its header over TLS to whom the client claimed to be in plain."""

    def __init__(self, delay: float) -> None:
        super().__init__(delay)
        self._claimed: dict[Connection, str] = {}

    def addressee(self, connection: Connection) -> str | None:
        sender = super().addressee(connection) or self._claimed.get(connection)
        if sender:
            self._claimed[connection] = sender
        return sender


class AnswersGarbageInPlain(Behaviour):
    """Closes its stream in plain where the TLS handshake failed."""

    def __init__(self, delay: float) -> None:
        super().__init__(delay)
        self._plain: dict[Connection, socket.socket] = {}

    def on_starttls(self, connection: ClientConnection) -> None:
        # asyncio closes its own socket when a handshake fails; this one is of the same connection.
        fileno = connection.transport.get_extra_info("socket").fileno()
        self._plain[connection] = socket.socket(fileno=os.dup(fileno))
        super().on_starttls(connection)

    def on_tls(self, connection: Connection, *, begun: bool) -> None:
        with self._plain.pop(connection) as plain:
            if not begun:
                plain.sendall(b"</stream:stream>")


class AsksForNoCertificate(Behaviour):
    """Does not ask for the client's certificate in the TLS handshake."""

    def adjust(self, context: ssl.SSLContext) -> None:
        context.verify_mode = ssl.CERT_NONE


def _set_versions(context: ssl.SSLContext, minimum: ssl.TLSVersion, maximum: ssl.TLSVersion) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that they are is the point
        context.minimum_version, context.maximum_version = minimum, maximum


class Tls11(Behaviour):
    """Takes TLS 1.0 and 1.1 where the client offers nothing newer."""

    name = "tls-1.1"

    def adjust(self, context: ssl.SSLContext) -> None:
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        _set_versions(context, ssl.TLSVersion.TLSv1, ssl.TLSVersion.MAXIMUM_SUPPORTED)


class NoTls12OrNewer(Behaviour):
    """Speaks TLS 1.0 and 1.1 only."""

    name = "no-tls-1.2-or-newer"

    def adjust(self, context: ssl.SSLContext) -> None:
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        _set_versions(context, ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1)


class WeakCipher(Behaviour):
    """Speaks TLS 1.2 at most and prefers suites without encryption or without authentication to others."""

    def adjust(self, context: ssl.SSLContext) -> None:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("eNULL:aNULL:ALL:@SECLEVEL=0")
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE


class OnlyWeakCiphers(Behaviour):
    """Speaks TLS 1.2 at most, and without encryption or without authentication only."""

    def adjust(self, context: ssl.SSLContext) -> None:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("eNULL:aNULL:@SECLEVEL=0")


class WeakDirectTls(Behaviour):
    """Speaks TLS 1.2 at most on the direct TLS port."""

    def adjust_direct(self, context: ssl.SSLContext) -> None:
        super().adjust_direct(context)
        context.maximum_version = ssl.TLSVersion.TLSv1_2


class AnswersPlainBehindProceed(Behaviour):
    """Sends a stream error in plain behind <proceed/>."""

    def on_starttls(self, connection: ClientConnection) -> None:
        connection.send(f"<proceed xmlns='{TLS}'/>")
        connection.fail("invalid-namespace")


class EchoesAnyHello(Behaviour):
    """Answers a ClientHello behind STARTTLS by agreeing to its version, its first suite and its first compression."""

    def __init__(self, delay: float) -> None:
        super().__init__(delay)
        self._proceeding: set[Connection] = set()

    def on_starttls(self, connection: ClientConnection) -> None:
        connection.send(f"<proceed xmlns='{TLS}'/>")
        self._proceeding.add(connection)

    def on_data(self, connection: Connection, data: bytes) -> None:
        if connection not in self._proceeding:
            super().on_data(connection, data)
            return
        if data[0] & 0x80:  # SSL 2.0, in which a hello has another form
            connection.write(b"\x80\x0b\4" + bytes(2) + b"\0\2" + bytes(6))
            return
        version, rest = data[9:11], data[44 + data[43] :]
        suite, compression = rest[2:4], rest[2 + int.from_bytes(rest[:2]) + 1 :][:1]
        body = version + bytes(32) + b"\0" + suite + compression
        hello = b"\2" + len(body).to_bytes(3) + body + b"\x0e\0\0\0"  # ServerHello, ServerHelloDone
        connection.write(b"\x16" + version + len(hello).to_bytes(2) + hello)


class NoAlpn(Behaviour):
    """Ignores ALPN on the direct TLS port."""

    def adjust_direct(self, context: ssl.SSLContext) -> None:
        return


class WrongAlpn(Behaviour):
    """Agrees on xmpp-server, HTTP or nonsense on the direct TLS port, and never on xmpp-client."""

    def adjust_direct(self, context: ssl.SSLContext) -> None:
        context.set_alpn_protocols(["xmpp-server", "h2", "http/1.1", "x-stanzalab"])


class DirectTlsOffersStarttls(Behaviour):
    """Offers STARTTLS in the features where TLS is there already."""

    offers_starttls_over_tls = True


# --- SASL and bind


class OffersPlainBeforeTls(Behaviour):
    """Offers SASL mechanisms, PLAIN among them, on a connection without TLS, and takes them."""

    offers_sasl_in_plain = True
    takes_sasl_in_plain = True


class AcceptsAuthBeforeTls(Behaviour):
    """Offers no SASL mechanism without TLS, but takes any."""

    takes_sasl_in_plain = True


class AuthenticatesAnyone(Behaviour):
    """Takes any password for right."""

    checks_passwords = False


class SpaceAroundSasl(Behaviour):
    """Puts white space before and behind its elements of SASL."""

    def send(self, connection: Connection, data: bytes) -> None:
        is_sasl = f"xmlns='{SASL}'".encode() in data and not data.startswith(b"<stream:features")
        connection.write(b"\n" + data + b"\n" if is_sasl else data)


class PredictableResource(Behaviour):
    """Counts the resources that it makes: 1, 2, 3."""

    def __init__(self, delay: float) -> None:
        super().__init__(delay)
        self._numbers = count(1)

    def resource(self) -> str:
        return str(next(self._numbers))


# --- streams and their end


class SameStreamId(Behaviour):
    """Gives every stream the same id."""

    def stream_id(self) -> str:
        return "the-same"


class NeverClosesTcp(Behaviour):
    """Closes its stream, but never the TCP connection."""

    def drop(self, connection: Connection) -> None:
        return


class ClosesTcpWithoutStreamClose(Behaviour):
    """Closes the TCP connection without having closed its stream."""

    def on_error(self, connection: Connection, error: str) -> None:
        connection.send(error)
        connection.drop()

    def on_close(self, connection: Connection) -> None:
        connection.drop()


class KeepsStreamAfterError(Behaviour):
    """Sends a stream error and goes on as if nothing had happened."""

    def on_error(self, connection: Connection, error: str) -> None:
        connection.send(error)


class NoCloseNotify(Behaviour):
    """Ends the TCP connection under TLS without close_notify."""

    def drop(self, connection: Connection) -> None:
        connection.transport.abort()


class NoXmlDeclaration(Behaviour):
    """Sends no XML declaration before its stream header."""

    def send(self, connection: Connection, data: bytes) -> None:
        connection.write(data.replace(b"<?xml version='1.0'?>", b""))


class DeclaresStandalone(Behaviour):
    """Sends an XML declaration with a standalone document declaration."""

    def send(self, connection: Connection, data: bytes) -> None:
        connection.write(data.replace(b"<?xml version='1.0'?>", b"<?xml version='1.0' standalone='yes'?>"))


class BoundlessAppetite(Behaviour):
    """Takes data without end: whatever comes in large pieces is swallowed."""

    def on_data(self, connection: Connection, data: bytes) -> None:
        if len(data) < 4096:
            connection.take(data)
