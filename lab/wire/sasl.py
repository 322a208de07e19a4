"""SASL mechanisms as the initiating entity plays them (RFC 6120 §6, RFC 5802, RFC 4616, RFC 4422 appendix A).

And the hashed tokens of XEP-0484 (draft-schmaus-kitten-sasl-ht-09).

Sans I/O: `initial()`, then `respond(challenge)` for each challenge, then `finish(data)` on success, which
raises PeerError where the server did not prove that it knows the password. SCRAM itself is scramp's.
"""

from __future__ import annotations

import hmac
import ssl
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from scramp import ScramClient, ScramException

from lab.cell import Account
from lab.errors import PeerError, UsageError

PREFERENCE = (
    "SCRAM-SHA-256-PLUS",
    "SCRAM-SHA-1-PLUS",
    "SCRAM-SHA-256",
    "SCRAM-SHA-1",
    "PLAIN",
)


class Mechanism(Protocol):
    name: str

    def initial(self) -> bytes | None: ...
    def respond(self, challenge: bytes) -> bytes: ...
    def finish(self, data: bytes | None) -> None: ...


class Plain:
    """RFC 4616. `authzid` is the identity to act as; empty means one's own."""

    name = "PLAIN"

    def __init__(self, account: Account, *, authzid: str = "") -> None:
        self._message = f"{authzid}\0{account.localpart}\0{account.password}".encode()

    def initial(self) -> bytes:
        return self._message

    def respond(self, challenge: bytes) -> bytes:
        if challenge:
            raise PeerError("PLAIN has no challenge with data", seen=challenge.decode("utf-8", "replace"))
        return self._message

    def finish(self, data: bytes | None) -> None:
        if data:
            raise PeerError("PLAIN has no additional data with success", seen=data.decode("utf-8", "replace"))


class External:
    """RFC 4422 appendix A: the identity is the client certificate's, unless `authzid` names one."""

    name = "EXTERNAL"

    def __init__(self, *, authzid: str = "") -> None:
        self._authzid = authzid.encode()

    def initial(self) -> bytes:
        return self._authzid

    def respond(self, challenge: bytes) -> bytes:
        return self._authzid

    def finish(self, data: bytes | None) -> None:
        return


class Scram:
    """RFC 5802 and 7677, with channel binding for the -PLUS names (`tls-unique`, `tls-server-end-point`)."""

    def __init__(self, name: str, account: Account, *, binding: tuple[str, bytes] | None = None) -> None:
        self.name = name
        self._client = ScramClient(
            [name], account.localpart, account.password, channel_binding=binding if "PLUS" in name else None
        )
        self._step = 0
        self._proved = False

    def initial(self) -> bytes:
        return str(self._client.get_client_first()).encode()

    def respond(self, challenge: bytes) -> bytes:
        self._step += 1
        if self._step == 1:
            with _peer_errors():
                self._client.set_server_first(challenge.decode())
                return str(self._client.get_client_final()).encode()
        self.finish(challenge)  # some servers send their proof in a last challenge
        return b""

    def finish(self, data: bytes | None) -> None:
        if self._proved and not data:
            return
        if not data:
            raise PeerError("the server sent no proof that it knows the password (RFC 5802 §5)")
        with _peer_errors():
            self._client.set_server_final(data.decode())
        self._proved = True


BINDINGS = {
    "NONE": "",
    "UNIQ": "tls-unique",
    "ENDP": "tls-server-end-point",
    "EXPR": "tls-exporter",
}
"""How the name of a hashed token's mechanism ends -> the type of channel binding (HT §2)."""


def token_binding(name: str) -> str:
    """The channel binding type of a mechanism of the HT family, empty for none. Raises UsageError for others."""
    family, _, ending = name.rpartition("-")
    if family != "HT-SHA-256" or ending not in BINDINGS:
        raise UsageError(f"the lab plays no hashed token {name}", hint=f"known endings: {', '.join(BINDINGS)}")
    return BINDINGS[ending]


class HashedToken:
    """HT §3: the token, not a password, proves who we are, in one message; the server proves itself by another.

    `binding` is the data of the channel binding that the mechanism's name asks for, empty for -NONE.
    """

    def __init__(self, name: str, localpart: str, token: str, *, binding: bytes = b"") -> None:
        self.name = name
        self._localpart = localpart
        self._token = token.encode()
        self._binding = binding

    def initial(self) -> bytes:
        return self._localpart.encode() + b"\0" + self._hash(b"Initiator")

    def respond(self, challenge: bytes) -> bytes:
        raise PeerError(f"{self.name} has no challenge", seen=challenge.decode("utf-8", "replace"))

    def finish(self, data: bytes | None) -> None:
        if data is None or not hmac.compare_digest(data, self._hash(b"Responder")):
            raise PeerError(
                "the server sent no proof that it knows the token", expected="HMAC over Responder (HT §3.3)"
            )

    def _hash(self, role: bytes) -> bytes:
        return hmac.digest(self._token, role + self._binding, "sha256")


class _peer_errors:  # noqa: N801 - reads as a statement: `with _peer_errors():`
    def __enter__(self) -> None:
        return

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (ScramException, UnicodeDecodeError)):
            raise PeerError("the server's SCRAM message is wrong", seen=str(error)) from error


def binding_type(tls: ssl.SSLSocket) -> str:
    """The channel binding that Python's ssl can give on this connection (it has no tls-exporter)."""
    return "tls-unique" if tls.version() == "TLSv1.2" else "tls-server-end-point"


def channel_binding(tls: ssl.SSLSocket, kind: str | None = None) -> tuple[str, bytes]:
    """Name and data of a channel binding (RFC 5929 §3 and §4); without `kind` the best that we can give.

    Raises UsageError for one that Python's ssl does not give on this connection.
    """
    kind = kind or binding_type(tls)
    if kind == "tls-unique" and tls.version() == "TLSv1.2":
        return kind, tls.get_channel_binding(kind) or b""
    if kind != "tls-server-end-point":
        raise UsageError(f"the lab cannot bind to {kind} over {tls.version()}")
    der = tls.getpeercert(binary_form=True) or b""
    algorithm = x509.load_der_x509_certificate(der).signature_hash_algorithm
    if algorithm is None or algorithm.name in {"md5", "sha1"}:
        algorithm = hashes.SHA256()
    digest = hashes.Hash(algorithm)
    digest.update(der)
    return kind, digest.finalize()


def hashed_token(name: str, account: Account, token: str, *, tls: ssl.SSLSocket) -> HashedToken:
    """The mechanism of that name with a token for it, bound to this connection where the name asks for that."""
    kind = token_binding(name)
    return HashedToken(name, account.localpart, token, binding=channel_binding(tls, kind)[1] if kind else b"")


def mechanism(name: str, account: Account, *, tls: ssl.SSLSocket | None = None, authzid: str = "") -> Mechanism:
    """The mechanism of that name. Raises UsageError for one that the lab does not play."""
    if name == "PLAIN":
        return Plain(account, authzid=authzid)
    if name == "EXTERNAL":
        return External(authzid=authzid)
    if name.startswith("SCRAM-SHA"):
        try:
            return Scram(name, account, binding=channel_binding(tls) if tls and "PLUS" in name else None)
        except ScramException as error:
            raise UsageError(f"{name} cannot be played here", cause=str(error)) from error
    raise UsageError(f"the lab plays no SASL mechanism {name}", hint=f"known: EXTERNAL, {', '.join(PREFERENCE)}")


def choose(offered: list[str], channel_bindings: list[str] | None, tls: ssl.SSLSocket | None) -> str:
    """The best mechanism on offer that we can play on this connection.

    -PLUS is taken only where the server says by XEP-0440 that it knows the binding that we can give, or where
    TLS 1.2 makes it the default one.
    """
    for name in PREFERENCE:
        if name not in offered:
            continue
        if name.endswith("-PLUS") and not _can_bind(channel_bindings, tls):
            continue
        return name
    raise PeerError("no SASL mechanism in common", expected=" or ".join(PREFERENCE), seen=", ".join(offered))


def _can_bind(announced: list[str] | None, tls: ssl.SSLSocket | None) -> bool:
    if tls is None:
        return False
    ours = binding_type(tls)
    return ours in announced if announced is not None else ours == "tls-unique"
