"""Proofs of `lab.fakes.tls_misbehaviours`."""

from __future__ import annotations

import re
import ssl
import warnings

import pytest

from lab.plugin import Connect, Stage
from lab.wire.namespaces import NS, SASL, TLS
from lab.wire.negotiation import (
    begin_tls,
    bind,
    expect_header,
    header,
    open_stream,
    starttls,
)
from lab.wire.session import Session, localname
from lab.wire.transport import TlsFailed, client_context
from scenarios.server._hello import SSL_3_0, ServerHello, at_the_handshake, client_hello, say_hello
from tests.fakes import planted_proofs, web_proofs  # noqa: F401 - importing them puts them into PROOFS
from tests.fakes.proofs import PATIENCE, plain, proves, received


def begin_without_restart(connect: Connect) -> Session:
    session = connect(Stage.OPENED)
    starttls(session, client_context(connect.cell.ca))
    return session


@proves("needs-no-restart")
def _(connect: Connect) -> None:
    session = begin_without_restart(connect)
    session.send(plain(connect.account()))
    assert session.receive().tag == f"{{{SASL}}}success"
    assert bind(session)


@proves("accepts-plaintext-behind-starttls")
def _(connect: Connect) -> None:
    victim = connect.account()
    session = connect(Stage.OPENED)
    session.send(f"<starttls xmlns='{TLS}'/>{plain(victim)}")
    assert session.receive().tag == f"{{{TLS}}}proceed"
    begin_tls(session, client_context(connect.cell.ca))
    assert session.receive().tag == f"{{{SASL}}}success"
    open_stream(session)
    assert bind(session).startswith(victim.jid)


@proves("space-around-proceed")
def _(connect: Connect) -> None:
    connect(Stage.SECURED)
    assert re.search(r"\s<proceed", received(connect))


@proves("space-around-sasl")
def _(connect: Connect) -> None:
    connect(mechanism="SCRAM-SHA-1")
    assert re.search(r"\s<challenge [^>]+>[^<]+</challenge>\s", received(connect))
    assert re.search(r"\s<success ", received(connect))


@proves("remembers-plain-from")
def _(connect: Connect) -> None:
    session = connect(Stage.CONNECTED)
    session.send(header(to=session.domain, attributes="from='me@fake.test'"))
    expect_header(session)
    session.expect(lambda e: localname(e) == "features")
    starttls(session, client_context(connect.cell.ca))
    open_stream(session)
    assert session.header is not None
    assert session.header.get("to") == "me@fake.test"


@proves("answers-garbage-in-plain")
def _(connect: Connect) -> None:
    session = connect(Stage.OPENED)
    session.send(f"<starttls xmlns='{TLS}'/>")
    session.receive()
    session.send_raw(b"<presence/>")
    came = b""
    while data := session.transport.receive(timeout=PATIENCE):
        came += data
    assert came.endswith(b"</stream:stream>")


@proves("asks-for-no-certificate")
def _(connect: Connect) -> None:
    messages: list[int] = []
    context = client_context(connect.cell.ca)
    # CPython's own debugging aid; there is no other way to see a CertificateRequest from inside.
    context._msg_callback = lambda *call: messages.append(int(call[4]))  # type: ignore[attr-defined]
    connect(Stage.SECURED, context=context)
    assert messages
    assert 13 not in messages


def old_context(connect: Connect) -> ssl.SSLContext:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return client_context(
            connect.cell.ca,
            minimum=ssl.TLSVersion.TLSv1,
            maximum=ssl.TLSVersion.TLSv1_1,
            ciphers="DEFAULT:@SECLEVEL=0",
        )


@proves("tls-1.1")
def _(connect: Connect) -> None:
    for over in ("c2s", "c2s-direct-tls"):
        session = connect(Stage.SECURED, over=over, context=old_context(connect))
        assert session.transport.secured().version() == "TLSv1.1"
    assert connect(Stage.SECURED).transport.secured().version() == "TLSv1.3"


@proves("no-tls-1.2-or-newer")
def _(connect: Connect) -> None:
    with pytest.raises(TlsFailed):
        connect(Stage.SECURED)
    session = connect(Stage.SECURED, context=old_context(connect))
    assert session.transport.secured().version() == "TLSv1.1"


def cipher_of(session: Session) -> str:
    cipher = session.transport.secured().cipher()
    assert cipher is not None
    return cipher[0]


@proves("weak-cipher")
def _(connect: Connect) -> None:
    session = connect(Stage.SECURED, context=client_context(connect.cell.ca, ciphers="ALL:eNULL:@SECLEVEL=0"))
    assert "NULL" in cipher_of(session)
    assert "NULL" not in cipher_of(connect(Stage.SECURED))


@proves("only-weak-ciphers")
def _(connect: Connect) -> None:
    with pytest.raises(TlsFailed):
        connect(Stage.SECURED)
    session = connect(Stage.SECURED, context=client_context(connect.cell.ca, ciphers="ALL:eNULL:@SECLEVEL=0"))
    assert "NULL" in cipher_of(session)


@proves("weak-direct-tls")
def _(connect: Connect) -> None:
    assert connect(Stage.OPENED, over="c2s-direct-tls").transport.secured().version() == "TLSv1.2"
    assert connect(Stage.SECURED).transport.secured().version() == "TLSv1.3"


@proves("answers-plain-behind-proceed")
def _(connect: Connect) -> None:
    session = connect(Stage.OPENED)
    session.send(f"<starttls xmlns='{TLS}'/>")
    assert localname(session.receive()) == "proceed"
    session.expect_stream_error("invalid-namespace")


@proves("echoes-any-hello")
def _(connect: Connect) -> None:
    hello = client_hello(connect.cell.domain, version=SSL_3_0, ciphers=(0x0004, 0x0005), compressions=(1, 0))
    answer = say_hello(at_the_handshake(connect, "c2s"), hello)
    assert isinstance(answer, ServerHello)
    assert (answer.version, answer.cipher, answer.compression) == (SSL_3_0, 0x0004, 1)


@proves("wrong-alpn")
def _(connect: Connect) -> None:
    assert connect(over="c2s-direct-tls").transport.alpn is None
    context = client_context(connect.cell.ca, alpn=["xmpp-client", "xmpp-server"])
    assert connect(over="c2s-direct-tls", context=context).transport.alpn == "xmpp-server"


@proves("direct-tls-offers-starttls")
def _(connect: Connect) -> None:
    session = connect(Stage.SECURED, over="c2s-direct-tls")
    assert session.features is not None
    assert session.features.find("tls:starttls", NS) is not None
