"""Each misbehaviour does what its sentence says, the fake that behaves does not, and the lab survives all of them."""

from __future__ import annotations

import re
import ssl
import threading
import time
import warnings
from base64 import b64encode

import pytest

from lab.cell import Account
from lab.errors import LabError, PeerError, UsageError
from lab.fakes import MISBEHAVIOURS, FakeServer
from lab.plugin import Connect, Stage
from lab.wire.namespaces import NS, SASL, TLS
from lab.wire.negotiation import (
    authenticate,
    begin_tls,
    bind,
    channel_bindings,
    expect_header,
    header,
    mechanisms,
    open_stream,
    starttls,
)
from lab.wire.session import Session, localname
from lab.wire.stream import PeerViolation
from lab.wire.transport import ConnectionLost, ConnectionRefused, NoAnswer, TlsFailed, client_context
from scenarios.server._hello import SSL_3_0, ServerHello, at_the_handshake, client_hello, say_hello
from tests.fakes import planted_proofs, web_proofs  # noqa: F401 - importing them puts them into PROOFS
from tests.fakes.connecting import connecting
from tests.fakes.proofs import PROOFS, SHORT, proves

PATIENCE = 1.0  # seconds
BOUND = 5.0  # seconds in which any encounter must be over


@pytest.mark.parametrize("name", MISBEHAVIOURS)
def test_the_misbehaviour_does_what_it_says(name: str) -> None:
    with FakeServer(name, patience=PATIENCE) as cell, connecting(cell) as connect:
        PROOFS[name](connect)


@pytest.mark.parametrize("name", MISBEHAVIOURS)
def test_the_fake_that_behaves_does_not(name: str) -> None:
    disproved = pytest.raises((AssertionError, pytest.fail.Exception, LabError))
    with FakeServer(patience=PATIENCE) as cell, connecting(cell) as connect, disproved:
        PROOFS[name](connect)


@pytest.mark.parametrize("name", MISBEHAVIOURS)
def test_a_session_survives(name: str) -> None:
    """Whatever it is, an encounter ends within a bound, well or with a PeerError, and leaves no thread behind."""
    threads = threading.active_count()
    began = time.monotonic()
    with FakeServer(name, patience=PATIENCE, delay=0.05) as cell, connecting(cell) as connect:
        error = encounter(connect)
        assert error is None or (error.message and error.seen)
    assert time.monotonic() - began < BOUND
    assert threading.active_count() == threads


def encounter(connect: Connect) -> PeerError | None:
    try:
        session = connect()
        session.send(f"<message to='{session.jid}' id='m'><body>?</body></message>")
        session.sentinel()
        session.expect("m")
        session.send("</stream:stream>")
        session.expect_closed()
    except PeerError as error:
        return error
    return None


def test_each_misbehaviour_has_a_sentence_and_a_proof() -> None:
    assert set(PROOFS) == set(MISBEHAVIOURS)
    for name, sentence in MISBEHAVIOURS.items():
        assert re.fullmatch(r"[a-z0-9.-]+", name)
        assert re.fullmatch(r"[A-Z][^\n]+\.", sentence), name


def test_an_unknown_misbehaviour_is_refused() -> None:
    with pytest.raises(UsageError, match="swallows-iq"):
        FakeServer("swallows-everything")


def plain(account: Account) -> str:
    message = b64encode(f"\0{account.localpart}\0{account.password}".encode()).decode()
    return f"<auth xmlns='{SASL}' mechanism='PLAIN'>{message}</auth>"


def received(connect: Connect) -> str:
    return "".join(e.text for e in connect.trace.entries if e.direction == "received")


# --- peers that break those who talk to them


@proves("closes-at-once")
def _(connect: Connect) -> None:
    with pytest.raises(ConnectionLost):
        connect(Stage.OPENED)


@proves("hangs-after-connect")
def _(connect: Connect) -> None:
    began = time.monotonic()
    with pytest.raises(NoAnswer):
        connect(Stage.OPENED)
    assert time.monotonic() - began == pytest.approx(PATIENCE, abs=0.5)


@proves("hangs-after-login")
def _(connect: Connect) -> None:
    session = connect()
    session.patience = SHORT
    with pytest.raises(NoAnswer) as caught:
        session.sentinel()
    assert "sentinel" in caught.value.expected
    with pytest.raises(NoAnswer):
        session.expect_closed()


@proves("floods")
def _(connect: Connect) -> None:
    session = connect()
    with pytest.raises(PeerError):  # of patience, or of the bound on the inbox: the machine's load decides
        session.expect("never")
    assert len(session.inbox) > 100
    session.patience = SHORT
    with pytest.raises(NoAnswer, match=r"went on sending|nothing came"):
        session.expect_closed()


@proves("broken-xml")
def _(connect: Connect) -> None:
    with pytest.raises(PeerViolation) as caught:
        connect(Stage.OPENED)
    assert caught.value.condition == "not-well-formed"


@proves("billion-laughs")
def _(connect: Connect) -> None:
    with pytest.raises(PeerViolation) as caught:
        connect(Stage.OPENED)
    assert caught.value.condition == "restricted-xml"


@proves("other-name-certificate")
def _(connect: Connect) -> None:
    with pytest.raises(TlsFailed) as caught:
        connect(Stage.SECURED)
    assert "not valid for 'fake.test'" in caught.value.seen


@proves("expired-certificate")
def _(connect: Connect) -> None:
    with pytest.raises(TlsFailed) as caught:
        connect(Stage.SECURED)
    assert "has expired" in caught.value.seen


@proves("swallows-iq")
def _(connect: Connect) -> None:
    session = connect()
    session.patience = SHORT
    with pytest.raises(NoAnswer):
        session.iq("get", "<ping xmlns='urn:xmpp:ping'/>")
    session.sentinel(session)


@proves("answers-twice")
def _(connect: Connect) -> None:
    session = connect()
    first = session.iq("get", "<ping xmlns='urn:xmpp:ping'/>")
    again = session.expect(first.get("id") or "")
    assert again.get("type") == "result"


@proves("wrong-id")
def _(connect: Connect) -> None:
    session = connect()
    session.patience = SHORT
    with pytest.raises(NoAnswer) as caught:
        session.iq("get", "<ping xmlns='urn:xmpp:ping'/>")
    assert 'id="wrong-' in caught.value.seen


@proves("dies-on-message")
def _(connect: Connect) -> None:
    session = connect()
    with pytest.raises(ConnectionLost):
        session.sentinel(session)
    with pytest.raises(ConnectionRefused):
        connect(Stage.CONNECTED)


@proves("half-a-stanza")
def _(connect: Connect) -> None:
    session = connect()
    session.patience = SHORT
    with pytest.raises(NoAnswer):
        session.sentinel()
    assert received(connect).endswith(">") is False


@proves("slow")
def _(connect: Connect) -> None:
    session = connect()
    began = time.monotonic()
    session.sentinel()
    assert time.monotonic() - began >= 0.2
    session.send("</stream:stream>")
    session.expect_closed()


# --- STARTTLS and TLS


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


@proves("no-alpn")
def _(connect: Connect) -> None:
    assert connect(over="c2s-direct-tls").transport.alpn is None


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


# --- SASL and bind


@proves("offers-plain-before-tls")
def _(connect: Connect) -> None:
    session = connect(Stage.OPENED)
    assert session.features is not None
    assert mechanisms(session.features) == ["SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"]
    assert channel_bindings(session.features) is None
    authenticate(session, connect.account(), "PLAIN")


@proves("accepts-auth-before-tls")
def _(connect: Connect) -> None:
    session = connect(Stage.OPENED)
    assert session.features is not None
    assert mechanisms(session.features) == []
    authenticate(session, connect.account(), "SCRAM-SHA-256")


@proves("authenticates-anyone")
def _(connect: Connect) -> None:
    account = connect.account()
    liar = Account(account.localpart, account.domain, "wrong")
    connect(account=liar, mechanism="PLAIN")
    with pytest.raises(PeerError, match="no proof"):
        connect(account=liar, mechanism="SCRAM-SHA-256")


@proves("predictable-resource")
def _(connect: Connect) -> None:
    assert [connect().resource, connect().resource] == ["1", "2"]


# --- streams and their end


@proves("same-stream-id")
def _(connect: Connect) -> None:
    headers = [connect(Stage.OPENED).header, connect(Stage.SECURED).header]
    first, second = (h.get("id") for h in headers if h is not None)
    assert first == second


@proves("never-closes-tcp")
def _(connect: Connect) -> None:
    session = connect()
    session.patience = SHORT
    session.send("</stream:stream>")
    with pytest.raises(NoAnswer) as caught:
        session.expect_closed()
    assert "the stream was closed, but" in caught.value.seen


@proves("closes-tcp-without-stream-close")
def _(connect: Connect) -> None:
    session = connect()
    session.send("</stream:stream>")
    with pytest.raises(ConnectionLost) as caught:
        session.expect_closed()
    assert "</stream:stream>" in caught.value.expected


@proves("keeps-stream-after-error")
def _(connect: Connect) -> None:
    session = connect()
    session.send("<message from='somebody@else.test'/>")
    session.expect_stream_error("invalid-from")
    session.sentinel()


@proves("no-close-notify")
def _(connect: Connect) -> None:
    session = connect()
    session.send("</stream:stream>")
    session.expect_closed()
    tls = session.transport.secured()
    setattr(tls, "suppress_ragged_eofs", False)  # noqa: B010 - typeshed does not know it
    with pytest.raises(ssl.SSLEOFError):
        tls.recv(1)


def opening(connect: Connect) -> bytes:
    session = connect(Stage.CONNECTED)
    session.send(header(to=session.domain))
    return session.transport.receive(timeout=PATIENCE)


@proves("no-xml-declaration")
def _(connect: Connect) -> None:
    assert opening(connect).startswith(b"<stream:stream")


@proves("declares-standalone")
def _(connect: Connect) -> None:
    assert opening(connect).startswith(b"<?xml version='1.0' standalone='yes'?>")


@proves("boundless-appetite")
def _(connect: Connect) -> None:
    session = connect(Stage.OPENED)
    session.send("<message><body>")
    for _ in range(64):
        session.send("x" * 16384)
    with pytest.raises(NoAnswer):
        session.next_event(timeout=SHORT)
