"""RFC 6120 §6.3.4, §6.3.8 and §13.7: SASL EXTERNAL with the client certificates that the cell file names.

Two accounts have one, `external` and `external-too`; every check may find them registered already.
"""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lab.cell import Account
from lab.errors import PeerError
from lab.plugin import Connect, Specification, Stage, impossible, require, unsupported
from lab.wire.namespaces import SASL
from lab.wire.negotiation import bind, open_stream, register, starttls
from lab.wire.session import Session, StreamEnded, StreamFailed
from lab.wire.stream import Element
from lab.wire.transport import ConnectionLost, NoAnswer, TlsFailed, client_context
from scenarios.server._hello import CERTIFICATE_REQUEST, ServerHello, at_the_handshake, client_hello, say_hello
from scenarios.server.rfc6120._sasl import (
    auth,
    base64,
    is_sasl,
    offered,
    require_failure,
    require_no_success,
    require_success,
    secure,
)

RFC = Specification("RFC 6120")

ID_ON_XMPP_ADDR = x509.ObjectIdentifier("1.3.6.1.5.5.7.8.5")


def certified(connect: Connect) -> tuple[Account, Path]:
    """An account of the server with its client certificate."""
    if not connect.cell.client_certificates:
        impossible("the cell has no client certificates")
    localpart, certificate = min(connect.cell.client_certificates.items())
    return existing(connect, localpart), certificate


def existing(connect: Connect, localpart: str) -> Account:
    """The account of that name, registered by whichever check comes first."""
    account = Account(localpart, connect.cell.domain, "never used: certificates alone")
    if connect.cell.accounts.method != "in-band":
        impossible("the accounts with certificates can only be made in-band")
    try:
        _register(connect, account)
    except PeerError:  # by several checks at once, over which a server may stumble: now it is there
        _register(connect, account)
    return account


def _register(connect: Connect, account: Account) -> None:
    try:
        register(connect(Stage.SECURED, label="registrar"), account)
    except PeerError as error:
        if error.seen != "conflict":
            raise


def with_certificate(connect: Connect, certificate: Path) -> Session:
    """A secured stream on which the client has shown a certificate. Raises what the server's refusal comes to."""
    return connect(Stage.SECURED, context=client_context(connect.cell.ca, certificate=certificate), label="certified")


def external(session: Session, content: str) -> Element:
    """The answer to EXTERNAL; the check is `unsupported` where it is not on offer."""
    if "EXTERNAL" not in offered(session):
        unsupported("the SASL mechanism EXTERNAL")
    return auth(session, "EXTERNAL", content)


@RFC.should(
    "6.3.4",
    "13.8.4",
    says="EXTERNAL is offered to a client whose certificate is trusted and names an account.",
)
def test_external_is_offered_to_a_trusted_certificate(connect: Connect) -> None:
    _, certificate = certified(connect)
    session = connect(Stage.CONNECTED)
    open_stream(session)
    secure_with(session, connect, certificate)
    if "EXTERNAL" not in offered(session) and not _asks_for_certificates(connect):
        impossible("the server asks for no certificate, so that none is presented; another check says so")
    require("EXTERNAL" in offered(session), "EXTERNAL among the mechanisms", session.features)


def _asks_for_certificates(connect: Connect) -> bool:
    session = at_the_handshake(connect, "c2s")
    answer = say_hello(session, client_hello(session.domain))
    return isinstance(answer, ServerHello) and CERTIFICATE_REQUEST in answer.messages


@RFC.should("6.3.4", says="Where EXTERNAL is offered, it is the first mechanism of the list.")
def test_external_is_listed_first(connect: Connect) -> None:
    _, certificate = certified(connect)
    session = connect(Stage.CONNECTED)
    open_stream(session)
    secure_with(session, connect, certificate)
    names = offered(session)
    if "EXTERNAL" not in names:
        unsupported("the SASL mechanism EXTERNAL")
    require(names[0] == "EXTERNAL", "EXTERNAL as the first mechanism", ", ".join(names))


@RFC.must(
    "13.8.4",
    "13.7.1.4",
    "13.7.2.2.1",
    says="EXTERNAL, where offered, logs the client in as the JID that stands as XmppAddr in its trusted certificate.",
)
def test_external_logs_in_as_the_certificate_says(connect: Connect) -> None:
    account, certificate = certified(connect)
    session = with_certificate(connect, certificate)
    require_success(external(session, "="))
    open_stream(session)
    bound = bind(session)
    require(bound.startswith(f"{account.jid}/"), f"a resource of {account.jid}", f"bound as {bound}")


@RFC.must("6.3.8", says="EXTERNAL with the certificate's own bare JID as authorization identity is let in.")
def test_external_takes_the_own_jid_as_authzid(connect: Connect) -> None:
    account, certificate = certified(connect)
    session = with_certificate(connect, certificate)
    require_success(external(session, base64(account.jid)))
    open_stream(session)
    bound = bind(session)
    require(bound.startswith(f"{account.jid}/"), f"a resource of {account.jid}", f"bound as {bound}")


@RFC.must(
    "6.3.8",
    "6.5",
    says="EXTERNAL with the JID of another as authorization identity is refused: <invalid-authzid/>.",
)
def test_external_refuses_the_jid_of_another(connect: Connect) -> None:
    _, certificate = certified(connect)
    other = connect.account()
    session = with_certificate(connect, certificate)
    # §6.5.10: who does not wish to say more says not-authorized.
    require_failure(external(session, base64(other.jid)), "invalid-authzid", "not-authorized")


@RFC.must("6.3.1", "6.4.5", "3.4", says="EXTERNAL without a client certificate is a failure.")
def test_external_without_certificate_fails(connect: Connect) -> None:
    account = connect.account()
    session = connect(Stage.SECURED)
    require_failure(auth(session, "EXTERNAL", base64(account.jid)))


@RFC.must_not(
    "13.7.2.2.3",
    "13.7.2.2.2",
    "13.7.2",
    says="The JID in a certificate that no trusted authority has signed is not taken for the client's identity.",
)
@pytest.mark.parametrize("issuer", ["self-signed", "unknown-authority"])
def test_untrusted_certificate_authenticates_nobody(connect: Connect, issuer: str, tmp_path: Path) -> None:
    account = connect.account()
    certificate = tmp_path / "client.pem"
    certificate.write_bytes(untrusted(account.jid, by_authority=issuer == "unknown-authority"))
    try:
        session = with_certificate(connect, certificate)
    except (TlsFailed, ConnectionLost, StreamFailed, StreamEnded, NoAnswer):
        return  # turned away before SASL: sub-case 3 of §13.7.2.2.1 allows that
    session.send(f"<auth xmlns='{SASL}' mechanism='EXTERNAL'>=</auth>")
    require_no_success(session)


@RFC.must("13.7.2.2.1", "6.3.4", says="A client without a certificate can still log in with its password.")
def test_password_still_works_without_certificate(connect: Connect) -> None:
    account = connect.account()
    session = secure(connect)
    if "EXTERNAL" not in offered(session):
        unsupported("the SASL mechanism EXTERNAL")
    answer = auth(session, "PLAIN", base64(f"\0{account.localpart}\0{account.password}"))
    require(is_sasl(answer, "success"), "<success/>", answer)


def secure_with(session: Session, connect: Connect, certificate: Path) -> None:
    """STARTTLS with a client certificate, and the stream opened over it."""
    starttls(session, client_context(connect.cell.ca, certificate=certificate))
    open_stream(session)


def untrusted(jid: str, *, by_authority: bool) -> bytes:
    """Key and certificate of a client that claims to be `jid`, signed by itself or by an authority nobody knows."""
    key, issuer_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Nobody's client")])
    authority = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Nobody's authority")])
    now = datetime.datetime.now(datetime.UTC)
    text = jid.encode()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(authority if by_authority else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.OtherName(ID_ON_XMPP_ADDR, bytes([0x0C, len(text)]) + text)]  # DER: a short UTF8String
            ),
            critical=False,
        )
        .sign(issuer_key if by_authority else key, hashes.SHA256())
    )
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ) + certificate.public_bytes(serialization.Encoding.PEM)
