"""The lab's own certificate authority, one a run, and what it signs: right certificates, and wrong ones on purpose.

Files only: who presents them, and who verifies, is others' work. Keys lie unprotected in the run's folder:
nothing outside the lab trusts the authority.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# RFC 6120 §13.7.1.4: the otherName that holds a JID in a subjectAltName.
ID_ON_XMPP_ADDR = x509.ObjectIdentifier("1.3.6.1.5.5.7.8.5")
# RFC 4985: the otherName that holds a service's SRV name.
ID_ON_DNS_SRV = x509.ObjectIdentifier("1.3.6.1.5.5.7.8.7")
FLAWS = ("expired", "wrong-name", "untrusted")
"""Ways for a certificate to be wrong: it was valid once, it is another domain's, a stranger signed it."""

_KEY = "ca-key.pem"
_VALID_FOR = datetime.timedelta(days=30)


@dataclass(frozen=True)
class ServerCertificate:
    """A folder as servers want it: `key.pem`, `chain.pem`, `all.pem` (key, then chain) and `ca.pem`."""

    folder: Path

    @property
    def key(self) -> Path:
        return self.folder / "key.pem"

    @property
    def chain(self) -> Path:
        return self.folder / "chain.pem"

    @property
    def all(self) -> Path:
        return self.folder / "all.pem"

    @property
    def ca(self) -> Path:
        return self.folder / "ca.pem"


class CertificateAuthority:
    """Signs what one run needs. `ca` is the file to trust."""

    def __init__(self, folder: Path, *, made: trustme.CA | None = None) -> None:
        """Make a new authority (or take one that is `made`); `folder` is made where missing and gets `ca.pem`."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.ca = folder / "ca.pem"
        self._ca = made or trustme.CA(organization_name="Stanzalab")
        self._ca.cert_pem.write_to_path(self.ca)
        self._ca.private_key_pem.write_to_path(folder / _KEY)

    @classmethod
    def of(cls, existing: Path, folder: Path) -> CertificateAuthority:
        """The authority that was made in the folder `existing`; what it signs from now on goes to `folder`."""
        certificate, key = ((existing / name).read_bytes() for name in ("ca.pem", _KEY))
        return cls(folder, made=trustme.CA.from_pem(certificate, key))

    def server_certificate(self, *names: str, folder: Path | None = None, expired: bool = False) -> ServerCertificate:
        """A certificate whose subjectAltName has a dNSName for each of `names` (RFC 6120 §13.7.1.2).

        It goes into `folder`, or into one called like the first name. An `expired` one was valid until yesterday.
        """
        now = datetime.datetime.now(datetime.UTC)
        until = now - datetime.timedelta(days=1) if expired else now + _VALID_FOR
        leaf = self._ca.issue_cert(
            *names,
            common_name=names[0],
            organization_name="Stanzalab",
            not_before=until - 2 * _VALID_FOR,
            not_after=until,
        )
        made = ServerCertificate(folder or self.folder / names[0])
        made.folder.mkdir(parents=True, exist_ok=True)
        leaf.private_key_pem.write_to_path(made.key)
        made.chain.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
        leaf.private_key_and_cert_chain_pem.write_to_path(made.all)
        self._ca.cert_pem.write_to_path(made.ca)
        return made

    def flawed(self, domain: str, flaw: str, *, folder: Path) -> ServerCertificate:
        """A certificate for `domain` that nobody is to believe: `flaw` is one of `FLAWS`."""
        if flaw == "untrusted":
            return CertificateAuthority(folder / "stranger").server_certificate(domain, folder=folder)
        name = f"other.{domain}" if flaw == "wrong-name" else domain
        return self.server_certificate(name, folder=folder, expired=flaw == "expired")

    def client_certificate(self, jid: str, *, name: str) -> Path:
        """A PEM file `name.pem` with key and certificate of a client that is `jid` (RFC 6120 §13.7.1.3).

        For SASL EXTERNAL: the bare JID stands in the subjectAltName as an id-on-xmppAddr.
        """
        file = self.folder / f"{name}.pem"
        file.write_bytes(
            self._named(x509.OtherName(ID_ON_XMPP_ADDR, _der(UTF8_STRING, jid)), ExtendedKeyUsageOID.CLIENT_AUTH)
        )
        return file

    def service_certificate(self, domain: str, *, folder: Path) -> Path:
        """A PEM file with key and certificate of a server whose only name is an SRV-ID (RFC 4985, §13.7.1.2.1)."""
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "srv-id.pem"
        named = x509.OtherName(ID_ON_DNS_SRV, _der(IA5_STRING, f"_xmpp-server.{domain}"))
        file.write_bytes(self._named(named, ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH))
        return file

    def _named(self, name: x509.OtherName, *usages: x509.ObjectIdentifier) -> bytes:
        """Key and certificate, in PEM, with this name alone, of a kind that trustme cannot make."""
        issuer = x509.load_pem_x509_certificate(self._ca.cert_pem.bytes())
        issuer_key = serialization.load_pem_private_key(self._ca.private_key_pem.bytes(), password=None)
        assert isinstance(issuer_key, ec.EllipticCurvePrivateKey)  # noqa: S101 - what trustme.CA makes
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.UTC)
        issuer_id = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Stanzalab")]))
            .issuer_name(issuer.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _VALID_FOR)
            .not_valid_after(now + _VALID_FOR)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_id), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.SubjectAlternativeName([name]), critical=False)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .sign(issuer_key, hashes.SHA256())
        )
        return key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ) + certificate.public_bytes(serialization.Encoding.PEM)


UTF8_STRING, IA5_STRING = 0x0C, 0x16  # tags of X.690 §8.23


def _der(tag: int, text: str) -> bytes:
    """`text` as a DER string of that type (X.690 §8.1.3 for the length)."""
    data = text.encode()
    if len(data) < 0x80:
        return bytes([tag, len(data)]) + data
    length = len(data).to_bytes((len(data).bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(length)]) + length + data
