"""Byte transports below a session: TCP, with TLS begun at once or later. Knows sockets, no XMPP.

A transport sends and receives bytes and says what TLS agreed on. Operating system errors are translated here.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from lab.errors import LabError, MachineError, PeerError

CHUNK = 64 * 1024


class ConnectionRefused(PeerError):
    """Nobody listens there (any more)."""


class ConnectionLost(PeerError):
    """The peer closed or reset the connection."""


class TlsFailed(PeerError):
    """The TLS handshake did not succeed."""


class NoAnswer(PeerError):
    """Nothing came within the time allowed."""


def client_context(
    ca: Path | None,
    *,
    alpn: Sequence[str] = (),
    certificate: Path | None = None,
    minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2,
    maximum: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED,
    ciphers: str | None = None,
    verify: bool = True,
) -> ssl.SSLContext:
    """A client's TLS settings: trusts `ca` alone, shows `certificate` (PEM with key and chain) when given."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif ca is not None:
        context.load_verify_locations(ca)
    else:
        context.load_default_certs()
    context.minimum_version = minimum
    context.maximum_version = maximum
    if ciphers:
        context.set_ciphers(ciphers)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if certificate is not None:
        context.load_cert_chain(certificate)
    return context


def usual_context(ca: Path | None, *alpn: str) -> ssl.SSLContext:
    """What most sessions use: made once for what stands in `ca`, as parsing it costs as much as half a handshake."""
    return _usual_context(ca, ca.read_bytes() if ca is not None else b"", *alpn)


@cache
def _usual_context(ca: Path | None, _content: bytes, *alpn: str) -> ssl.SSLContext:
    return client_context(ca, alpn=alpn)


class Transport:
    """A TCP connection, plain or under TLS."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @classmethod
    def connect(cls, host: str, port: int, *, timeout: float) -> Transport:
        """Raises ConnectionRefused, NoAnswer, MachineError."""
        try:
            return cls(socket.create_connection((host, port), timeout=timeout))
        except ConnectionRefusedError as error:
            raise ConnectionRefused(f"nobody listens on {host}:{port}") from error
        except TimeoutError as error:
            raise NoAnswer(f"{host}:{port} does not accept a connection within {timeout:.1f} s") from error
        except OSError as error:
            raise MachineError(f"cannot connect to {host}:{port}", cause=str(error)) from error

    def start_tls(self, context: ssl.SSLContext, server_hostname: str, *, timeout: float) -> None:
        """Begin TLS now (RFC 6120 §5.4.3). Raises TlsFailed, NoAnswer."""
        self._socket.settimeout(timeout)
        try:
            self._socket = context.wrap_socket(self._socket, server_hostname=server_hostname)
        except TimeoutError as error:
            raise NoAnswer(f"no end of the TLS handshake within {timeout:.1f} s") from error
        except (ssl.SSLError, OSError) as error:
            raise TlsFailed("the TLS handshake failed", seen=str(error)) from error

    def accept_tls(self, context: ssl.SSLContext, *, timeout: float) -> None:
        """Begin TLS now, as the server. Raises TlsFailed (the peer's alert among it), NoAnswer."""
        self._socket.settimeout(timeout)
        try:
            self._socket = context.wrap_socket(self._socket, server_side=True)
        except TimeoutError as error:
            raise NoAnswer(f"no end of the TLS handshake within {timeout:.1f} s") from error
        except (ssl.SSLError, OSError) as error:
            raise TlsFailed("the TLS handshake failed", seen=str(error)) from error

    def send(self, data: bytes, *, timeout: float) -> None:
        """Send all of `data`. Raises ConnectionLost, NoAnswer (the peer takes no more)."""
        try:
            self._socket.settimeout(timeout)
            self._socket.sendall(data)
        except TimeoutError as error:
            raise NoAnswer(f"the peer takes no more data within {timeout:.1f} s") from error
        except OSError as error:
            raise ConnectionLost("the peer closed the connection while we sent", seen=str(error)) from error

    def receive(self, *, timeout: float) -> bytes:
        """Some bytes, or b"" when the peer has closed. Raises NoAnswer, ConnectionLost (reset)."""
        try:
            self._socket.settimeout(max(timeout, 0.0005))
            return self._socket.recv(CHUNK)
        except TimeoutError as error:
            raise NoAnswer(f"nothing came within {timeout:.1f} s") from error
        except ssl.SSLEOFError:
            return b""  # closed without close_notify, as many servers do
        except ssl.SSLError as error:
            raise TlsFailed("TLS broke", seen=str(error)) from error
        except OSError as error:
            raise ConnectionLost("the connection was reset", seen=str(error)) from error

    def fileno(self) -> int:
        """For selectors; -1 once closed."""
        return self._socket.fileno()

    def try_send(self, data: bytes | memoryview) -> int:
        """How many bytes the peer takes now, without waiting. Raises ConnectionLost."""
        try:
            self._socket.setblocking(False)
            return self._socket.send(data)
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            return 0
        except OSError as error:
            raise ConnectionLost("the peer closed the connection while we sent", seen=str(error)) from error

    def try_receive(self) -> bytes | None:
        """What has come by now: None for nothing, b"" when the peer has closed. Raises ConnectionLost, TlsFailed."""
        try:
            self._socket.setblocking(False)
            return self._socket.recv(CHUNK)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return None
        except ssl.SSLEOFError:
            return b""
        except ssl.SSLError as error:
            raise TlsFailed("TLS broke", seen=str(error)) from error
        except OSError as error:
            raise ConnectionLost("the connection was reset", seen=str(error)) from error

    def half_close(self) -> None:
        """Say that we send no more, and go on reading (plain TCP only)."""
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError as error:
            raise ConnectionLost("the connection was gone already", seen=str(error)) from error

    def abort(self) -> None:
        """End the connection from another thread: whoever waits on it is woken. Never raises."""
        with contextlib.suppress(OSError):  # it is gone already
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close at once; never raises."""
        self._socket.close()

    def finish(self, seconds: float) -> None:
        """Send no more, and close once the peer has, too, or after so long; never raises.

        Where something unread is there, TCP resets a connection that is closed at once: what is on its way is lost.
        """
        deadline = time.monotonic() + seconds
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
            while (left := deadline - time.monotonic()) > 0:
                self._socket.settimeout(left)
                if not self._socket.recv(CHUNK):
                    break
        self.close()

    @property
    def tls(self) -> ssl.SSLSocket | None:
        """The TLS layer (version, cipher, certificate, ALPN), or None on a plain connection."""
        return self._socket if isinstance(self._socket, ssl.SSLSocket) else None

    @property
    def alpn(self) -> str | None:
        """The application protocol that TLS agreed on (RFC 7301)."""
        return self.tls.selected_alpn_protocol() if self.tls else None

    def secured(self) -> ssl.SSLSocket:
        """The TLS layer. Raises LabError where there is none: a mistake of ours."""
        if self.tls is None:
            raise LabError("this connection has no TLS")
        return self.tls
