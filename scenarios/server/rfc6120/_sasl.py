"""SASL by hand (RFC 6120 §6): one element out, its answer in, and what an answer must look like.

`lab.wire.negotiation.authenticate` plays a whole exchange rightly; here a check says each step itself, and wrongly
where it wants. No check stands here.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode
from contextlib import suppress
from dataclasses import dataclass

from lab.cell import Account
from lab.errors import PeerError
from lab.plugin import Connect, Stage, require, unsupported
from lab.wire import negotiation
from lab.wire.namespaces import SASL
from lab.wire.session import Session, StreamEnded, StreamFailed, localname, new_id, show
from lab.wire.stream import Element
from lab.wire.transport import ConnectionLost, NoAnswer, TlsFailed, client_context

CONDITIONS = frozenset(
    {
        "aborted",
        "account-disabled",
        "credentials-expired",
        "encryption-required",
        "incorrect-encoding",
        "invalid-authzid",
        "invalid-mechanism",
        "malformed-request",
        "mechanism-too-weak",
        "not-authorized",
        "temporary-auth-failure",
    }
)
"""The defined conditions of SASL failures (RFC 6120 §6.5)."""


def base64(data: bytes | str) -> str:
    """What stands in an element: `=` for empty (§6.4.2)."""
    return b64encode(data.encode() if isinstance(data, str) else data).decode() or "="


def plain(account: Account, *, password: str | None = None, authzid: str = "") -> str:
    """The message of PLAIN (RFC 4616 §2), in base64."""
    return base64(f"{authzid}\0{account.localpart}\0{account.password if password is None else password}")


def auth(session: Session, mechanism: str, content: str = "") -> Element:
    """Send an <auth/> with this content, as written; answer what comes back."""
    session.send(f"<auth xmlns='{SASL}' mechanism='{mechanism}'>{content}</auth>")
    return session.receive()


def require_no_success(session: Session) -> None:
    """Whatever is sent next, or nothing, or the end: it is no `<success/>`."""
    with suppress(StreamFailed, StreamEnded, ConnectionLost, NoAnswer):
        session.inbox.append(session.receive())
    forbid_success(session)


def forbid_success(session: Session) -> None:
    """What has come is no `<success/>`."""
    session.forbid(f"<success xmlns='{SASL}'/>", lambda element: is_sasl(element, "success"), "<success/>")


def respond(session: Session, content: str) -> Element:
    """Send a <response/> with this content, as written; answer what comes back."""
    session.send(f"<response xmlns='{SASL}'>{content}</response>")
    return session.receive()


def is_sasl(element: Element, name: str) -> bool:
    return bool(element.tag == f"{{{SASL}}}{name}")


def require_success(answer: Element, what: str = "<success/>") -> None:
    require(is_sasl(answer, "success"), what, answer)


def require_failure(answer: Element, *conditions: str) -> str:
    """The check fails unless `answer` is a SASL failure with one defined condition, one of `conditions` (any, when
    none is given). Answers the condition (§6.4.5, §6.5)."""
    wanted = f"<failure/>: {' or '.join(conditions) or 'any defined condition'}"
    require(is_sasl(answer, "failure"), wanted, answer)
    named = [localname(child) for child in answer if is_sasl(child, localname(child)) and localname(child) != "text"]
    require(len(named) == 1 and named[0] in (conditions or CONDITIONS), wanted, answer)
    return named[0]


def challenge(answer: Element) -> str:
    """The data of a challenge, as text. The check fails where `answer` is none, or not in base64 (§6.3.5)."""
    require(is_sasl(answer, "challenge"), "<challenge/>", answer)
    return decode(answer)


def decode(answer: Element) -> str:
    """The data in an element that the server sent. The check fails where it is not in the one right base64."""
    text = answer.text or ""
    if text in {"", "="}:
        return ""
    try:
        data = b64decode(text, validate=True)
        require(b64encode(data).decode() == text, "base64 with all its pads, and padding bits of zero", answer)
        return data.decode()
    except ValueError as error:
        raise PeerError("the data is not in base64", expected="base64 (RFC 4648 §4)", seen=show(answer)) from error


def secured(connect: Connect, account: Account | None = None, *, offers: str | None = None) -> Session:
    """A secured stream; the check is `unsupported` where the server does not offer the mechanism `offers` on it."""
    session = connect(Stage.SECURED, account=account)
    if offers is not None and offers not in offered(session):
        unsupported(f"the SASL mechanism {offers}")
    return session


def secure(connect: Connect) -> Session:
    """A secured stream, brought up step by step within the check: what comes after <proceed/> is judged."""
    session = connect(Stage.OPENED)
    negotiation.starttls(session, client_context(connect.cell.ca))
    negotiation.open_stream(session)
    return session


def offered(session: Session) -> list[str]:
    """The mechanisms in the last stream features."""
    return negotiation.mechanisms(session.features) if session.features is not None else []


def log_in(session: Session, account: Account, mechanism: str | None = None) -> None:
    """Show that the stream is still good: authenticate rightly on it, bind, and name the session."""
    negotiation.authenticate(session, account, mechanism)
    negotiation.open_stream(session)
    bound = negotiation.bind(session)
    require(bound.startswith(f"{account.jid}/"), f"a resource of {account.jid}", f"bound as {bound}")


def rest_of(session: Session) -> tuple[bytes, bool]:
    """All that still comes, unparsed, and whether the connection has ended behind it."""
    came = b""
    try:
        while data := session.transport.receive(timeout=session.patience):
            session.trace.received(session.label, data)
            came += data
    except NoAnswer:
        return came, False
    except (ConnectionLost, TlsFailed):
        return came, True  # ended without ceremony
    return came, True


@dataclass
class Scram:
    """A SCRAM client whose every part can be wrong (RFC 5802 §5): `gs2` is the header, `binding` what follows it."""

    account: Account
    hash: str = "sha1"
    gs2: str = "n,,"
    binding: bytes = b""

    def __post_init__(self) -> None:
        self.nonce = new_id()
        self._first_bare = f"n={self.account.localpart},r={self.nonce}"

    def first(self) -> str:
        """client-first-message, in base64."""
        return base64(self.gs2 + self._first_bare)

    def final(
        self,
        server_first: str,
        *,
        gs2: str | None = None,
        nonce: str | None = None,
        password: str | None = None,
    ) -> str:
        """client-final-message, in base64: right, unless told otherwise."""
        fields = scram_fields(server_first)
        header = (self.gs2 if gs2 is None else gs2).encode() + self.binding
        without_proof = f"c={base64(header)},r={fields['r'] if nonce is None else nonce}"
        salted = hashlib.pbkdf2_hmac(
            self.hash,
            (self.account.password if password is None else password).encode(),
            b64decode(fields["s"]),
            int(fields["i"]),
        )
        message = f"{self._first_bare},{server_first},{without_proof}".encode()
        key = hmac.digest(salted, b"Client Key", self.hash)
        signature = hmac.digest(hashlib.new(self.hash, key).digest(), message, self.hash)
        self.server_signature = hmac.digest(hmac.digest(salted, b"Server Key", self.hash), message, self.hash)
        proof = bytes(a ^ b for a, b in zip(key, signature, strict=True))
        return base64(f"{without_proof},p={base64(proof)}")


def scram_fields(message: str) -> dict[str, str]:
    """The attributes of a SCRAM message (RFC 5802 §5.1). The check fails where it has another form."""
    fields = dict(part.split("=", 1) for part in message.split(",") if "=" in part)
    require(message.count(",") + 1 == len(fields), "attributes of one letter, separated by commas", message)
    return fields


def scram_end(session: Session, answer: Element) -> Element:
    """The last answer of a SCRAM exchange: a proof that came in a challenge is answered by an empty response."""
    return respond(session, "=") if is_sasl(answer, "challenge") else answer
