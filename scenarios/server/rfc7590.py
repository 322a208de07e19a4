"""RFC 7590: TLS as the best current practice wants it (RFC 7525, which §1 and §3 make binding for XMPP).

What Python's ssl can say is tried with it; what it never offers is tried with a ClientHello made by hand. The lab
issues the certificates, so key lengths and signatures are not judged.
"""

from __future__ import annotations

import ssl
from contextlib import suppress
from typing import Any

import pytest

from lab.cell import Transport
from lab.plugin import (
    Connect,
    Specification,
    Stage,
    impossible,
    proved_by,
    require,
    require_equal,
    require_error,
    unsupported,
)
from lab.wire.namespaces import BIND, NS
from lab.wire.negotiation import mechanisms, open_stream, starttls
from lab.wire.session import StreamEnded, StreamFailed, localname, new_id
from lab.wire.transport import ConnectionLost, TlsFailed, client_context
from scenarios.server._hello import (
    AEAD,
    CBC,
    COMMON,
    RENEGOTIATION_INFO,
    SSL_3_0,
    TLS_1_0,
    TLS_1_1,
    Refused,
    ServerHello,
    at_the_handshake,
    client_hello,
    has_rsa_key,
    say_hello,
)
from scenarios.server.rfc6120._sasl import auth, log_in, offered, plain, require_failure

RFC = Specification("RFC 7590")

OLD = (*CBC, 0x002F, 0x0035, 0x000A)  # what TLS 1.0 and SSL 3.0 had: CBC, static RSA among them
NULL = (0x0001, 0x0002, 0x003B, 0xC001, 0xC006, 0xC00B, 0xC010)
ANONYMOUS = (0x0034, 0x003A, 0x006C, 0x006D, 0x00A6, 0x00A7, 0xC018, 0xC019)
RC4 = (0x0004, 0x0005, 0xC002, 0xC007, 0xC00C, 0xC011)
EXPORT = (0x0003, 0x0006, 0x0008, 0x000B, 0x000E, 0x0011, 0x0014, 0x0009, 0x000C, 0x000F, 0x0012, 0x0015)
STATIC_RSA = (0x002F, 0x0035, 0x003C, 0x003D, 0x009C, 0x009D)
DEFLATE = 1


def answer_to(connect: Connect, over: Transport = "c2s", **offer: Any) -> ServerHello | Refused:
    """What the server answers to a hello that offers just this."""
    session = at_the_handshake(connect, over)
    return say_hello(session, client_hello(session.domain, **offer))


def hello_of(connect: Connect, **offer: Any) -> ServerHello:
    """The server's hello; the check is `impossible` where it speaks no TLS 1.2, in which all can be read."""
    answer = answer_to(connect, **offer)
    if isinstance(answer, Refused):
        impossible(f"no TLS 1.2 is agreed on with what the lab can offer: {answer}")
    return answer


@RFC.must("1", "3", says="TLS 1.2 is supported, or what is newer (RFC 7525 §3.1.1).")
@proved_by("no-tls-1.2-or-newer")
def test_tls_1_2_is_supported(connect: Connect) -> None:
    session = connect(Stage.SECURED, context=client_context(connect.cell.ca, minimum=ssl.TLSVersion.TLSv1_2))
    version = session.transport.secured().version()
    require(version in {"TLSv1.2", "TLSv1.3"}, "TLS 1.2 or newer", str(version))


@RFC.must_not("1", "3", says="SSL 3.0 is not negotiated (RFC 7525 §3.1.1).")
@proved_by("echoes-any-hello")
def test_ssl_3_0_is_refused(connect: Connect) -> None:
    answer = answer_to(connect, version=SSL_3_0, ciphers=OLD)
    require(isinstance(answer, Refused), "an alert, or the end of the connection", str(answer))


@RFC.should_not("1", "3", says="TLS 1.0 and TLS 1.1 are not negotiated (RFC 7525 §3.1.1).")
@proved_by("tls-1.1")
@pytest.mark.parametrize("version", [pytest.param(TLS_1_0, id="tls-1.0"), pytest.param(TLS_1_1, id="tls-1.1")])
def test_tls_before_1_2_is_refused(connect: Connect, version: int) -> None:
    answer = answer_to(connect, version=version, ciphers=OLD)
    require(isinstance(answer, Refused), "an alert, or the end of the connection", str(answer))


@RFC.must_not("1", "3", says="Suites without encryption, with RC4, or below 112 bits are refused (RFC 7525 §4.1).")
@proved_by("echoes-any-hello")
@pytest.mark.parametrize(
    "ciphers",
    [
        pytest.param(NULL, id="no-encryption"),
        pytest.param(RC4, id="rc4"),
        pytest.param(EXPORT, id="less-than-112-bits"),
    ],
)
def test_forbidden_suite_is_refused(connect: Connect, ciphers: tuple[int, ...]) -> None:
    answer = answer_to(connect, ciphers=ciphers)
    require(isinstance(answer, Refused), "an alert, or the end of the connection", str(answer))


@RFC.should("3.4", says="Authenticated connections are preferred: suites without a certificate are refused.")
@proved_by("echoes-any-hello")
def test_anonymous_suite_is_refused(connect: Connect) -> None:
    answer = answer_to(connect, ciphers=ANONYMOUS)
    require(isinstance(answer, Refused), "an alert, or the end of the connection", str(answer))


@RFC.should_not("1", "3", says="Suites with static RSA, which have no forward secrecy, are refused (RFC 7525 §4.1).")
@proved_by("echoes-any-hello")
def test_static_rsa_is_refused(connect: Connect) -> None:
    if not has_rsa_key(connect(Stage.SECURED).transport.secured()):
        impossible("the server's certificate holds no RSA key, which these suites need")
    answer = answer_to(connect, ciphers=STATIC_RSA)
    require(isinstance(answer, Refused), "an alert, or the end of the connection", str(answer))


@RFC.must("1", "3", says="Suites with forward secrecy are supported and preferred (RFC 7525 §4.1).")
@proved_by("echoes-any-hello")
def test_forward_secrecy_is_preferred(connect: Connect) -> None:
    hello = hello_of(connect, ciphers=(*STATIC_RSA, *COMMON))
    require(hello.cipher in COMMON, "a suite with ephemeral Diffie-Hellman", str(hello))


@RFC.should("1", "3", says="AES in GCM, or as good, is preferred to CBC, even where listed last (RFC 7525 §4.2).")
@proved_by("echoes-any-hello")
def test_authenticated_encryption_is_preferred(connect: Connect) -> None:
    hello = hello_of(connect, ciphers=(*CBC, *AEAD))
    require(hello.cipher in AEAD, "a suite with authenticated encryption", str(hello))


@RFC.should("1", "3", says="TLS-level compression is disabled (RFC 7525 §3.3).")
@proved_by("echoes-any-hello")
def test_compression_is_disabled(connect: Connect) -> None:
    hello = hello_of(connect, compressions=(DEFLATE, 0))
    require_equal(hello.compression, 0, "the compression method")


@RFC.should(
    "1",
    "3",
    says="Renegotiation is the secure one of RFC 5746, and the server says so (RFC 7525 §3.5).",
)
@proved_by("echoes-any-hello")
def test_renegotiation_is_secure(connect: Connect) -> None:
    # RFC 7525 says MUST to who renegotiates; who never does is asked to say the same, so that clients know.
    hello = hello_of(connect)
    require(RENEGOTIATION_INFO in hello.extensions, "renegotiation_info in the ServerHello", f"{hello.extensions}")


@RFC.should(
    "1", "3", says="TLS is required before anything else, not only offered (as strict as RFC 7525 §3.2 likes)."
)
def test_tls_is_required(connect: Connect) -> None:
    session = connect(Stage.CONNECTED)
    features = open_stream(session)
    require(features.find("tls:starttls/tls:required", NS) is not None, "<starttls/> with <required/>", features)
    require(not mechanisms(features), "no SASL mechanisms without TLS", features)


@RFC.must("3.4", says="The server's certificate lets a client authenticate it: valid, and of the domain's name.")
@proved_by("other-name-certificate")
@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_client_can_authenticate_the_server(connect: Connect, version: str) -> None:
    only = ssl.TLSVersion[version]
    session = connect(Stage.OPENED)
    try:
        starttls(session, client_context(connect.cell.ca, minimum=only, maximum=only))
    except TlsFailed as error:
        if "certificate verify failed" in error.seen.lower():
            raise
        impossible(f"no {only.name} here: {error.seen}")
    certificate = session.transport.secured().getpeercert() or {}
    names = [name[1] for name in certificate.get("subjectAltName", ())]
    require(connect.cell.domain in names, f"a certificate for {connect.cell.domain}", f"names: {names}")


@RFC.must("3.4", says="The server authenticates its clients: a wrong password opens nothing.")
def test_wrong_password_is_refused(connect: Connect) -> None:
    account = connect.account()
    session = connect(Stage.SECURED)
    if "PLAIN" not in offered(session):
        unsupported("the SASL mechanism PLAIN")
    require_failure(auth(session, "PLAIN", plain(account, password="wrong")), "not-authorized")


@RFC.must("3.4", says="The server authenticates its clients: who has not, binds no resource and reaches nobody.")
def test_client_without_authentication_reaches_nobody(connect: Connect) -> None:
    bob = connect(label="bob")
    session = connect(Stage.SECURED, label="stranger")
    mark = new_id()
    session.send(f"<message to='{bob.jid}' id='{mark}' type='chat'><body>{mark}</body></message>")
    with suppress(StreamFailed, StreamEnded, ConnectionLost):  # the stream may end over it
        require_error(session.iq("set", f"<bind xmlns='{BIND}'/>"))
    bob.expect_nothing(
        f"<message from='{session.domain}' id='{mark}' type='chat'><body>{mark}</body></message>",
        lambda e: localname(e) == "message" and mark in (e.get("id"), e.findtext("{*}body")),
        "the message of a client who has not authenticated",
    )


class Resuming(ssl.SSLContext):
    """A context that goes on with the TLS session of an earlier connection, once it has one."""

    session: ssl.SSLSession | None = None

    def wrap_socket(self, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        return super().wrap_socket(*args, **{**kwargs, "session": self.session})


@RFC.must("3.3", "3.4", says="A resumed TLS session resumes TLS alone: the stream over it asks for SASL again.")
@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_resumed_tls_session_authenticates_nobody(connect: Connect, version: str) -> None:
    context = Resuming(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(connect.cell.ca)
    context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
    try:
        first = connect(account=connect.account(), context=context, label="first")
    except TlsFailed:
        unsupported(f"{version} with a session to resume")
    context.session = first.transport.secured().session
    session = connect(Stage.OPENED, label="resumed")
    starttls(session, context)
    if not session.transport.secured().session_reused:
        unsupported("TLS session resumption")
    features = open_stream(session)
    require(mechanisms(features), "<mechanisms/> on the stream over the resumed session", features)
    require(features.find("bind:bind", NS) is None, "no <bind/> before authentication", features)
    ids = [s.header.get("id") if s.header else None for s in (first, session)]
    require(ids[1] and ids[0] != ids[1], "an id that differs from the first stream's", str(ids))
    log_in(session, connect.account())
