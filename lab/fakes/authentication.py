"""SASL as the fake server plays it: PLAIN and SCRAM, sans I/O (RFC 6120 §6, RFC 4616, RFC 5802)."""

from __future__ import annotations

import ssl
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from scramp import ScramException, ScramMechanism

SCRAM = ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1")
MECHANISMS = (*SCRAM, "PLAIN")

PasswordOf = Callable[[str], str | None]
"""Local part -> password; None where nobody is called so."""


class Refused(Exception):
    """Authentication failed with this condition (RFC 6120 §6.5)."""

    def __init__(self, condition: str) -> None:
        super().__init__(condition)
        self.condition = condition


@dataclass(frozen=True)
class Challenge:
    data: bytes


@dataclass(frozen=True)
class Success:
    """`localpart` has proved who it is; `data` goes with the success where the mechanism has any."""

    localpart: str
    data: bytes | None = None


class Exchange(Protocol):
    def respond(self, data: bytes | None) -> Challenge | Success:
        """The answer to the initial response (None: there was none) or to a response. Raises Refused."""
        ...


class PlainExchange:
    def __init__(self, password_of: PasswordOf, *, domain: str, checks: bool) -> None:
        self._password_of = password_of
        self._domain = domain
        self._checks = checks

    def respond(self, data: bytes | None) -> Challenge | Success:
        if data is None:
            return Challenge(b"")
        try:
            authzid, localpart, password = data.decode().split("\0")
        except ValueError:
            raise Refused("malformed-request") from None
        if not localpart or not password:
            raise Refused("malformed-request")
        if self._checks and self._password_of(localpart) != password:
            raise Refused("not-authorized")
        if authzid not in {"", f"{localpart}@{self._domain}"}:
            raise Refused("invalid-authzid")
        return Success(localpart)


class ScramExchange:
    """scramp's server side. Without `checks`, a wrong proof is as good as a right one."""

    def __init__(
        self, name: str, password_of: PasswordOf, *, tls: ssl.SSLObject | None, certificate: bytes, checks: bool
    ) -> None:
        self._mechanism = ScramMechanism(name)
        self._password_of = password_of
        self._tls = tls
        self._certificate = certificate
        self._checks = checks
        self._localpart = ""
        self._begun = False

    def respond(self, data: bytes | None) -> Challenge | Success:
        if data is None:
            return Challenge(b"")
        try:
            message = data.decode()
            return self._finish(message) if self._begun else self._begin(message)
        except UnicodeDecodeError:
            raise Refused("malformed-request") from None
        except ScramException as error:
            reason = error.server_error.value if error.server_error else "other-error"
            raise Refused("malformed-request" if reason == "other-error" else "not-authorized") from error

    def _begin(self, message: str) -> Challenge:
        flag, _, rest = message.partition(",")
        if not rest.startswith(",") and rest.startswith("a="):
            raise Refused("invalid-authzid")  # acting as another identity is not for this server
        self._server = self._mechanism.make_server(self._auth_info, channel_binding=self._binding(flag))
        self._server.set_client_first(message)
        self._begun = True
        return Challenge(str(self._server.get_server_first()).encode())

    def _finish(self, message: str) -> Success:
        try:
            self._server.set_client_final(message)
        except ScramException:
            if self._checks:
                raise
            return Success(self._localpart)
        return Success(self._localpart, str(self._server.get_server_final()).encode())

    def _auth_info(self, localpart: str) -> tuple[bytes, bytes, bytes, int] | None:
        self._localpart = localpart
        password = self._password_of(localpart)
        if password is None:
            return None
        info: tuple[bytes, bytes, bytes, int] = self._mechanism.make_auth_info(password)
        return info

    def _binding(self, flag: str) -> tuple[str, bytes] | None:
        """The binding that the client asks for, if we have it: else the first one that we have."""
        if self._tls is None:
            return None
        ours = bindings(self._tls, self._certificate)
        name = flag.removeprefix("p=") if flag.removeprefix("p=") in ours else next(iter(ours))
        return name, ours[name]


def exchange(
    name: str, password_of: PasswordOf, *, domain: str, tls: ssl.SSLObject | None, certificate: bytes, checks: bool
) -> Exchange:
    """The server's side of a mechanism; `certificate` is our own, in DER. Raises Refused for an unknown one."""
    if name == "PLAIN":
        return PlainExchange(password_of, domain=domain, checks=checks)
    if name in SCRAM and (tls is not None or not name.endswith("-PLUS")):
        return ScramExchange(name, password_of, tls=tls, certificate=certificate, checks=checks)
    raise Refused("invalid-mechanism")


def bindings(tls: ssl.SSLObject | ssl.SSLSocket, certificate: bytes) -> dict[str, bytes]:
    """The channel bindings of a connection (RFC 5929): `tls-unique` only below TLS 1.3."""
    digest = hashes.Hash(x509.load_der_x509_certificate(certificate).signature_hash_algorithm or hashes.SHA256())
    digest.update(certificate)
    ours = {"tls-server-end-point": digest.finalize()}
    unique = tls.get_channel_binding("tls-unique") if tls.version() != "TLSv1.3" else None
    if unique:
        ours["tls-unique"] = unique
    return ours


def decode(text: str | None) -> bytes | None:
    """Base64 as SASL in XMPP has it: nothing for none, `=` for empty (§6.4.2). Raises Refused."""
    text = (text or "").strip()
    if not text:
        return None
    if text == "=":
        return b""
    try:
        return b64decode(text, validate=True)
    except ValueError:
        raise Refused("incorrect-encoding") from None
