"""SASL as we play it: the RFCs' own examples, scramp's server side, channel binding over real TLS, and liars."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from socket import socketpair

import pytest
import scramp
from scramp import ScramClient, ScramMechanism

from lab.cell import Account
from lab.certificates import CertificateAuthority, ServerCertificate
from lab.errors import PeerError, UsageError
from lab.fakes.authentication import bindings
from lab.wire import sasl
from lab.wire.transport import client_context

ACCOUNT = Account("user", "a.test", "pencil")

# RFC 5802 §5 and RFC 7677 §3: the nonces there, so that each message comes out as printed.
EXAMPLES = {
    "SCRAM-SHA-1": (
        "fyko+d2lbbFgONRv9qkxdawL",
        "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
        "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
        "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
    ),
    "SCRAM-SHA-256": (
        "rOprNGfwEbeRWgbNEkqO",
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
    ),
}


def scram_with_nonce(name: str, nonce: str, monkeypatch: pytest.MonkeyPatch) -> sasl.Scram:
    def client(*args: object, **kw: object) -> ScramClient:
        return ScramClient(*args, c_nonce=nonce, **kw)

    monkeypatch.setattr(sasl, "ScramClient", client)
    return sasl.Scram(name, ACCOUNT)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_of_the_rfcs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    nonce, server_first, client_final, server_final = EXAMPLES[name]
    scram = scram_with_nonce(name, nonce, monkeypatch)
    assert scram.initial() == f"n,,n=user,r={nonce}".encode()
    assert scram.respond(server_first.encode()) == client_final.encode()
    scram.finish(server_final.encode())


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("proof", [b"v=AAAA", b"e=invalid-proof", b"", None, b"\xff", b"nonsense"])
def test_a_server_without_the_right_proof_is_refused(
    name: str, proof: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    nonce, server_first, _, _ = EXAMPLES[name]
    scram = scram_with_nonce(name, nonce, monkeypatch)
    scram.initial()
    scram.respond(server_first.encode())
    with pytest.raises(PeerError):
        scram.finish(proof)


def test_the_proof_may_come_in_a_last_challenge(monkeypatch: pytest.MonkeyPatch) -> None:
    nonce, server_first, _, server_final = EXAMPLES["SCRAM-SHA-1"]
    scram = scram_with_nonce("SCRAM-SHA-1", nonce, monkeypatch)
    scram.initial()
    scram.respond(server_first.encode())
    assert scram.respond(server_final.encode()) == b""
    scram.finish(None)


def test_an_empty_last_challenge_is_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    nonce, server_first, _, _ = EXAMPLES["SCRAM-SHA-1"]
    scram = scram_with_nonce("SCRAM-SHA-1", nonce, monkeypatch)
    scram.initial()
    scram.respond(server_first.encode())
    with pytest.raises(PeerError, match="no proof"):
        scram.respond(b"")


def test_success_at_once_is_no_proof() -> None:
    scram = sasl.Scram("SCRAM-SHA-256", ACCOUNT)
    scram.initial()
    with pytest.raises(PeerError, match="no proof"):
        scram.finish(None)
    with pytest.raises(PeerError):
        scram.finish(b"v=AAAA")


@pytest.mark.parametrize(
    "challenge",
    [
        b"",
        b"\xff",
        b"nonsense",
        b"r=other,s=QSXCR+Q6sek8bf92,i=4096",
        b"e=unknown-user",
        b"r=n,s=!,i=4096",
        b"r=n,s=AA==,i=1",
    ],
)
def test_a_wrong_first_message_of_the_server(challenge: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    scram = scram_with_nonce("SCRAM-SHA-1", "n", monkeypatch)
    scram.initial()
    with pytest.raises(PeerError, match="SCRAM message is wrong"):
        scram.respond(challenge)


def serve(
    name: str, binding: tuple[str, bytes] | None = None, password: str = ACCOUNT.password
) -> scramp.core.ScramServer:
    mechanism = ScramMechanism(name)
    info = mechanism.make_auth_info(password)
    return mechanism.make_server(lambda _: info, channel_binding=binding)


def play(client: sasl.Mechanism, server: scramp.core.ScramServer) -> None:
    server.set_client_first((client.initial() or b"").decode())
    server.set_client_final(client.respond(str(server.get_server_first()).encode()).decode())
    client.finish(str(server.get_server_final()).encode())


@pytest.mark.parametrize("name", ["SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"])
@pytest.mark.parametrize("account", [ACCOUNT, Account("us=er,é", "a.test", "pencil é")])
def test_against_another_implementation(name: str, account: Account) -> None:
    play(sasl.mechanism(name, account), serve(name, password=account.password))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> ServerCertificate:
    return CertificateAuthority(tmp_path_factory.mktemp("ca")).server_certificate("a.test")


@contextmanager
def tls_pair(
    certificate: ServerCertificate, maximum: ssl.TLSVersion
) -> Iterator[tuple[ssl.SSLSocket, ssl.SSLSocket]]:
    """A client's and a server's end of one TLS connection."""
    settings = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    settings.load_cert_chain(certificate.all)
    ours, theirs = socketpair()
    accepted: list[ssl.SSLSocket] = []
    server = threading.Thread(target=lambda: accepted.append(settings.wrap_socket(theirs, server_side=True)))
    server.start()
    client = client_context(certificate.ca, maximum=maximum).wrap_socket(ours, server_hostname="a.test")
    server.join()
    with client, accepted[0]:
        yield client, accepted[0]


@pytest.mark.parametrize("name", ["SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"])
@pytest.mark.parametrize(
    ("maximum", "kind"), [(ssl.TLSVersion.TLSv1_2, "tls-unique"), (ssl.TLSVersion.TLSv1_3, "tls-server-end-point")]
)
def test_channel_binding(name: str, maximum: ssl.TLSVersion, kind: str, certificate: ServerCertificate) -> None:
    with tls_pair(certificate, maximum) as (ours, theirs):
        der = ssl.PEM_cert_to_DER_cert(certificate.chain.read_text())
        theirs_data = bindings(theirs, der)[kind]
        assert sasl.channel_binding(ours) == (kind, theirs_data)
        client = sasl.mechanism(name, ACCOUNT, tls=ours)
        assert (client.initial() or b"").startswith(f"p={kind},".encode())
        play(sasl.mechanism(name, ACCOUNT, tls=ours), serve(name, (kind, theirs_data)))
        with pytest.raises(scramp.ScramException, match="bindings don't match"):
            play(sasl.mechanism(name, ACCOUNT, tls=ours), serve(name, (kind, b"of somebody in the middle")))


def test_choose(certificate: ServerCertificate) -> None:
    everything = list(sasl.PREFERENCE)
    endpoint = ["tls-server-end-point"]
    with tls_pair(certificate, ssl.TLSVersion.TLSv1_2) as (ours, _):
        assert sasl.choose(everything, None, ours) == "SCRAM-SHA-256-PLUS"  # tls-unique is the default there
        assert sasl.choose(everything, ["tls-unique"], ours) == "SCRAM-SHA-256-PLUS"
        assert sasl.choose(everything, endpoint, ours) == "SCRAM-SHA-256"
    with tls_pair(certificate, ssl.TLSVersion.TLSv1_3) as (ours, _):
        assert sasl.choose(everything, None, ours) == "SCRAM-SHA-256"
        assert sasl.choose(everything, endpoint, ours) == "SCRAM-SHA-256-PLUS"
        assert sasl.choose(["SCRAM-SHA-1", "SCRAM-SHA-1-PLUS"], endpoint, ours) == "SCRAM-SHA-1-PLUS"
        assert sasl.choose(everything, ["tls-exporter"], ours) == "SCRAM-SHA-256"
    assert sasl.choose(everything, endpoint, None) == "SCRAM-SHA-256"
    assert sasl.choose(["PLAIN", "EXTERNAL"], None, None) == "PLAIN"
    with pytest.raises(PeerError) as caught:
        sasl.choose(["DIGEST-MD5"], None, None)
    assert caught.value.seen == "DIGEST-MD5"


def test_plain() -> None:
    assert sasl.mechanism("PLAIN", ACCOUNT).initial() == b"\0user\0pencil"
    plain = sasl.mechanism("PLAIN", ACCOUNT, authzid="other@a.test")
    assert plain.initial() == b"other@a.test\0user\0pencil"
    assert plain.respond(b"") == b"other@a.test\0user\0pencil"
    plain.finish(None)
    plain.finish(b"")


def test_external() -> None:
    assert sasl.mechanism("EXTERNAL", ACCOUNT).initial() == b""
    external = sasl.mechanism("EXTERNAL", ACCOUNT, authzid="user@a.test")
    assert external.initial() == b"user@a.test"
    assert external.respond(b"") == b"user@a.test"
    external.finish(None)


@pytest.mark.parametrize("step", [lambda m: m.respond(b"?"), lambda m: m.finish(b"!")])
def test_plain_has_no_data_of_the_server(step: Callable[[sasl.Mechanism], object]) -> None:
    with pytest.raises(PeerError, match="PLAIN has no"):
        step(sasl.mechanism("PLAIN", ACCOUNT))


def test_a_mechanism_that_the_lab_does_not_play() -> None:
    with pytest.raises(UsageError) as caught:
        sasl.mechanism("DIGEST-MD5", ACCOUNT)
    assert "SCRAM-SHA-256-PLUS" in caught.value.hint


@pytest.mark.parametrize("name", ["SCRAM-SHA-1-PLUS", "SCRAM-NONE", "SCRAM-SHA-7"])
def test_scram_that_cannot_be_played(name: str) -> None:
    """-PLUS without TLS, or a hash that nobody has: our mistake, not the peer's."""
    with pytest.raises(UsageError):
        sasl.mechanism(name, ACCOUNT)
