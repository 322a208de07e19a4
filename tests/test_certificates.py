"""The lab's certificates in real TLS handshakes over a socket pair."""

from __future__ import annotations

import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography import x509

from lab.certificates import ID_ON_XMPP_ADDR, CertificateAuthority, ServerCertificate


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    return CertificateAuthority(tmp_path / "certificates")


def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> bytes | None:
    """The client's certificate (DER) as the server saw it. Raises ssl.SSLError as the client met it."""
    ours, theirs = socket.socketpair()
    ours.settimeout(5)
    theirs.settimeout(5)

    def serve() -> bytes | None:
        with ours, server.wrap_socket(ours, server_side=True) as tls:
            tls.sendall(b"welcome")
            seen = tls.getpeercert(binary_form=True)
            tls.recv(1)
            return seen

    with ThreadPoolExecutor(1) as pool:
        served = pool.submit(serve)
        try:
            with theirs, client.wrap_socket(theirs, server_hostname=name) as tls:
                assert tls.recv(100) == b"welcome"
        except ssl.SSLError:
            with suppress(ssl.SSLError, OSError):  # the server's view of the same failure
                served.result()
            raise
        return served.result()


def serving(certificate: ServerCertificate, trusts: Path | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.chain, certificate.key)
    if trusts:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(trusts)
    return context


def trusting(ca: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(ca)
    context.verify_flags |= ssl.VERIFY_X509_STRICT  # the default since Python 3.13
    return context


def der_utf8_string(data: bytes) -> str:
    """The text of a DER UTF8String (X.690 §8.1), read by hand: tag, length, content, nothing behind."""
    assert data[0] == 0x0C
    if data[1] < 0x80:
        length, start = data[1], 2
    else:
        start = 2 + (data[1] & 0x7F)
        length = int.from_bytes(data[2:start])
        assert length >= 0x80  # DER has the shortest form
        assert data[2] != 0
    assert len(data) == start + length
    return data[start:].decode()


@pytest.mark.parametrize("name", ["lab.test", "rooms.lab.test"])
def test_a_client_that_trusts_the_lab_accepts_the_server(authority: CertificateAuthority, name: str) -> None:
    certificate = authority.server_certificate("lab.test", "rooms.lab.test")
    assert shake_hands(serving(certificate), trusting(authority.ca), name) is None


def test_all_four_files_belong_together(authority: CertificateAuthority, tmp_path: Path) -> None:
    certificate = authority.server_certificate("lab.test", folder=tmp_path / "here")
    assert certificate.folder == tmp_path / "here"
    assert certificate.all.read_bytes() == certificate.key.read_bytes() + certificate.chain.read_bytes()
    assert certificate.ca.read_bytes() == authority.ca.read_bytes()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.all)
    shake_hands(context, trusting(certificate.ca), "lab.test")


def test_another_name_is_refused(authority: CertificateAuthority) -> None:
    certificate = authority.server_certificate("other.test")
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        shake_hands(serving(certificate), trusting(authority.ca), "lab.test")


def test_an_expired_certificate_is_refused(authority: CertificateAuthority) -> None:
    certificate = authority.server_certificate("lab.test", expired=True)
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        shake_hands(serving(certificate), trusting(authority.ca), "lab.test")


def test_another_run_is_not_trusted(authority: CertificateAuthority, tmp_path: Path) -> None:
    certificate = CertificateAuthority(tmp_path / "another").server_certificate("lab.test")
    with pytest.raises(ssl.SSLCertVerificationError, match="verify failed"):
        shake_hands(serving(certificate), trusting(authority.ca), "lab.test")


@pytest.mark.parametrize("localpart", ["juliet", "jülïet", "j" * 127, "j" * 1023])
def test_a_client_certificate_carries_the_jid(authority: CertificateAuthority, localpart: str) -> None:
    jid = f"{localpart}@lab.test"
    server = serving(authority.server_certificate("lab.test"), trusts=authority.ca)
    client = trusting(authority.ca)
    client.load_cert_chain(authority.client_certificate(jid, name="juliet"))
    der = shake_hands(server, client, "lab.test")
    assert der is not None
    names = x509.load_der_x509_certificate(der).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    (other,) = names.value.get_values_for_type(x509.OtherName)
    assert other.type_id == ID_ON_XMPP_ADDR
    assert other.type_id.dotted_string == "1.3.6.1.5.5.7.8.5"
    assert der_utf8_string(other.value) == jid


def test_a_service_certificate_names_the_service_alone(authority: CertificateAuthority, tmp_path: Path) -> None:
    file = authority.service_certificate("remote.test", folder=tmp_path / "service")
    (certificate,) = x509.load_pem_x509_certificates(file.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    (other,) = names
    assert isinstance(other, x509.OtherName)
    assert other.type_id.dotted_string == "1.3.6.1.5.5.7.8.7"  # RFC 4985
    assert other.value == bytes([0x16, 24]) + b"_xmpp-server.remote.test"
    serving_it = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving_it.load_cert_chain(file)  # key and certificate belong together


def test_a_client_without_a_certificate_is_refused_where_one_is_needed(authority: CertificateAuthority) -> None:
    server = serving(authority.server_certificate("lab.test"), trusts=authority.ca)
    with pytest.raises(ssl.SSLError, match="certificate required"):
        shake_hands(server, trusting(authority.ca), "lab.test")
