"""A TLS ClientHello made by hand, and what a server answers to it, up to TLS 1.2 (RFC 5246 §7.4).

Python's ssl neither offers what is forbidden nor says what was negotiated away; this does, and stops there: no
handshake is ever finished. Versions, suites and extensions are numbers of the IANA registries.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from lab.cell import Transport
from lab.errors import PeerError
from lab.plugin import Connect, Stage, impossible
from lab.wire.namespaces import TLS
from lab.wire.session import Session, show
from lab.wire.transport import ConnectionLost
from lab.wire.transport import Transport as TcpTransport

SSL_3_0, TLS_1_0, TLS_1_1, TLS_1_2 = 0x0300, 0x0301, 0x0302, 0x0303

# Suites that any TLS server of today may choose from, for ECDSA and for RSA keys: forward secret, AEAD or CBC.
AEAD = (0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8)
CBC = (0xC009, 0xC013, 0xC00A, 0xC014)
COMMON = AEAD + CBC

CERTIFICATE_REQUEST = 13
_SERVER_HELLO, _SERVER_HELLO_DONE = 2, 14
_ALERT, _HANDSHAKE = 21, 22
RENEGOTIATION_INFO = 0xFF01


@dataclass(frozen=True)
class ServerHello:
    """What the server chose. `messages` are the handshake types of its first flight, in order."""

    version: int
    cipher: int
    compression: int
    extensions: tuple[int, ...]
    messages: tuple[int, ...]

    def __str__(self) -> str:
        return f"a ServerHello: version {self.version:#06x}, suite {self.cipher:#06x}, compression {self.compression}"


@dataclass(frozen=True)
class Refused:
    """The server sent an alert (its description, RFC 5246 §7.2), or closed without one."""

    alert: int | None

    def __str__(self) -> str:
        return "the end of the connection" if self.alert is None else f"alert {self.alert}"


def client_hello(
    domain: str,
    *,
    version: int = TLS_1_2,
    ciphers: Sequence[int] = COMMON,
    compressions: Sequence[int] = (0,),
) -> bytes:
    """One record with a ClientHello that offers just this; extensions as browsers of the TLS 1.2 time sent them."""
    name = domain.encode()
    extensions = b"".join(
        (
            _extension(0, _vector(b"\0" + _vector(name, 2), 2)),  # server_name
            _extension(10, _vector(_numbers((0x001D, 0x0017, 0x0018)), 2)),  # x25519, P-256, P-384
            _extension(11, _vector(b"\0", 1)),  # uncompressed points
            _extension(13, _vector(_numbers((0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0203, 0x0201)), 2)),
            _extension(RENEGOTIATION_INFO, _vector(b"", 1)),
        )
    )
    body = (
        version.to_bytes(2)
        + os.urandom(32)
        + _vector(b"", 1)  # no session to resume
        + _vector(_numbers(ciphers), 2)
        + _vector(bytes(compressions), 1)
        + (_vector(extensions, 2) if version > SSL_3_0 else b"")
    )
    message = bytes([1]) + _vector(body, 3)
    return bytes([_HANDSHAKE]) + min(version, TLS_1_0).to_bytes(2) + _vector(message, 2)


def at_the_handshake(connect: Connect, over: Transport) -> Session:
    """A connection on which the server awaits a ClientHello now: behind <proceed/>, or at once over direct TLS."""
    if over == "c2s-direct-tls":
        endpoint = connect.cell.endpoint(over)
        if endpoint is None:
            impossible(f"the cell has no {over} port")
        transport = TcpTransport.connect(endpoint.host, endpoint.port, timeout=connect.cell.patience)
        return connect.adopt(
            Session(transport, domain=connect.cell.domain, patience=connect.cell.patience, trace=connect.trace)
        )
    session = connect(Stage.OPENED)
    session.send(f"<starttls xmlns='{TLS}'/>")
    answer = session.receive()
    if answer.tag != f"{{{TLS}}}proceed":
        raise PeerError("STARTTLS was refused", expected="<proceed/>", seen=show(answer))
    return session


def say_hello(session: Session, hello: bytes) -> ServerHello | Refused:
    """Send a ClientHello and read the first flight. Raises PeerError: no answer, or none that is TLS."""
    session.trace.note(session.label, f"a ClientHello made by hand: {hello.hex()}")
    try:
        session.transport.send(hello, timeout=session.patience)
        return _first_flight(session)
    except ConnectionLost:
        return Refused(None)


def _first_flight(session: Session) -> ServerHello | Refused:
    records, handshake = b"", b""
    while True:
        while len(records) >= 5 and len(records) >= 5 + int.from_bytes(records[3:5]):
            kind, size = records[0], int.from_bytes(records[3:5])
            fragment, records = records[5 : 5 + size], records[5 + size :]
            if kind == _ALERT:
                return Refused(fragment[1] if len(fragment) > 1 else None)
            if kind != _HANDSHAKE:
                raise PeerError("no TLS record came", expected="a ServerHello or an alert", seen=f"record {kind}")
            handshake += fragment
        messages = _messages(handshake)
        if messages and messages[-1][0] == _SERVER_HELLO_DONE:
            return _server_hello(messages)
        data = session.transport.receive(timeout=session.patience)
        if not data:
            return _server_hello(messages) if messages else Refused(None)
        records += data
        if records[0] not in {_ALERT, _HANDSHAKE}:
            raise PeerError("no TLS came", expected="a ServerHello or an alert", seen=repr(records[:80]))


def _messages(data: bytes) -> list[tuple[int, bytes]]:
    found = []
    while len(data) >= 4 and len(data) >= 4 + int.from_bytes(data[1:4]):
        size = int.from_bytes(data[1:4])
        found.append((data[0], data[4 : 4 + size]))
        data = data[4 + size :]
    return found


def _server_hello(messages: list[tuple[int, bytes]]) -> ServerHello:
    kind, body = messages[0]
    if kind != _SERVER_HELLO or len(body) < 38:
        raise PeerError("the handshake does not begin with a ServerHello", seen=f"handshake message {kind}")
    at = 35 + body[34]
    extensions, rest = [], body[at + 5 :]
    while len(rest) >= 4:
        extensions.append(int.from_bytes(rest[:2]))
        rest = rest[4 + int.from_bytes(rest[2:4]) :]
    return ServerHello(
        version=int.from_bytes(body[:2]),
        cipher=int.from_bytes(body[at : at + 2]),
        compression=body[at + 2],
        extensions=tuple(extensions),
        messages=tuple(kind for kind, _ in messages),
    )


def has_rsa_key(tls: ssl.SSLSocket) -> bool:
    """Whether the server's certificate holds an RSA key, so that suites with RSA can be agreed on at all."""
    der = tls.getpeercert(binary_form=True) or b""
    return isinstance(x509.load_der_x509_certificate(der).public_key(), rsa.RSAPublicKey)


def _vector(data: bytes, length_bytes: int) -> bytes:
    return len(data).to_bytes(length_bytes) + data


def _numbers(values: Sequence[int]) -> bytes:
    return b"".join(value.to_bytes(2) for value in values)


def _extension(number: int, data: bytes) -> bytes:
    return number.to_bytes(2) + _vector(data, 2)
