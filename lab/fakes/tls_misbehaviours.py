"""Misbehaviours of the fake server in STARTTLS, TLS and ALPN: each breaks one rule, for `make prove`."""

from __future__ import annotations

import os
import re
import socket
import ssl
import warnings

from lab.fakes.behaviour import Behaviour
from lab.fakes.client_connection import ClientConnection
from lab.fakes.connection import Connection
from lab.wire.namespaces import TLS


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


class WrongAlpn(Behaviour):
    """Agrees on xmpp-server, HTTP or nonsense on the direct TLS port, and never on xmpp-client."""

    def adjust_direct(self, context: ssl.SSLContext) -> None:
        context.set_alpn_protocols(["xmpp-server", "h2", "http/1.1", "x-stanzalab"])


class DirectTlsOffersStarttls(Behaviour):
    """Offers STARTTLS in the features where TLS is there already."""

    offers_starttls_over_tls = True
