"""How a stream comes about, up to each stage; TLS with right and wrong certificates; what is refused, and how."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from lab.cell import Account, Cell, Endpoint, Subject
from lab.certificates import CertificateAuthority
from lab.errors import LabError, PeerError, UsageError
from lab.fakes import FakeServer
from lab.plugin import Connect, Stage
from lab.wire import negotiation
from lab.wire.namespaces import CLIENT, NS, SASL, STREAM, TLS
from lab.wire.negotiation import header, mechanisms
from lab.wire.session import Session
from lab.wire.stream import Received
from lab.wire.transport import ConnectionLost, ConnectionRefused, NoAnswer, TlsFailed, client_context


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("over", ["c2s", "c2s-direct-tls"])
def test_stages(connect: Connect, stage: Stage, over: str) -> None:
    session = connect(stage, over="c2s" if over == "c2s" else "c2s-direct-tls")
    assert (session.header is not None) == (stage >= Stage.OPENED)
    assert bool(session.jid) == (stage >= Stage.BOUND)
    direct = over == "c2s-direct-tls"
    assert (session.transport.tls is not None) == (direct or stage >= Stage.SECURED)
    assert session.transport.alpn == ("xmpp-client" if direct else None)
    if stage >= Stage.OPENED:
        assert session.features is not None
        assert bool(mechanisms(session.features)) == (
            stage < Stage.AUTHENTICATED and (direct or stage > Stage.OPENED)
        )
        assert (session.features.find("bind:bind", NS) is not None) == (stage >= Stage.AUTHENTICATED)


def test_each_step_in_the_trace(connect: Connect) -> None:
    connect(label="alice")
    lines = [e for e in connect.trace.entries if e.session == "alice"]
    sent = "".join(e.text for e in lines if e.direction == "sent")
    assert sent.count("<stream:stream") == 3
    assert sent.index("<starttls") < sent.index("<auth") < sent.index("<bind")
    assert any(e.direction == "note" and e.text.startswith("TLS: TLSv1.3 ") for e in lines)


def test_header() -> None:
    assert header() == (
        f"<?xml version='1.0'?><stream:stream xmlns='{CLIENT}' xmlns:stream='{STREAM}' version='1.0' xml:lang='en'>"
    )
    bare = header(to="a", namespace="n", version=None, lang=None, attributes="x='1'", declaration="")
    assert bare == f"<stream:stream xmlns='n' xmlns:stream='{STREAM}' to='a' x='1'>"


def test_a_wanted_resource(connect: Connect) -> None:
    assert connect(resource="balcony").resource == "balcony"


@pytest.mark.parametrize("over", ["c2s", "c2s-direct-tls"])
@pytest.mark.parametrize(
    ("misbehaviour", "why"),
    [("other-name-certificate", "Hostname mismatch"), ("expired-certificate", "certificate has expired")],
)
def test_wrong_certificates(over: str, misbehaviour: str, why: str) -> None:
    with FakeServer(misbehaviour, patience=2.0) as cell, pytest.raises(TlsFailed) as caught:
        negotiation.connect(cell, Stage.SECURED, over="c2s" if over == "c2s" else "c2s-direct-tls")
    assert why in caught.value.seen


def test_an_unknown_authority(cell: Cell, tmp_path: Path) -> None:
    other = CertificateAuthority(tmp_path / "other")
    with pytest.raises(TlsFailed) as caught:
        negotiation.connect(cell, Stage.SECURED, context=client_context(other.ca))
    assert "certificate verify failed" in caught.value.seen
    session = negotiation.connect(cell, Stage.SECURED, context=client_context(None, verify=False))
    session.close()


def test_no_cipher_in_common(cell: Cell) -> None:
    context = client_context(cell.ca, maximum=ssl.TLSVersion.TLSv1_2, ciphers="eNULL:@SECLEVEL=0")
    with pytest.raises(TlsFailed):
        negotiation.connect(cell, Stage.SECURED, context=context)


def test_secured_without_tls_is_our_mistake(connect: Connect) -> None:
    with pytest.raises(LabError, match="no TLS"):
        connect(Stage.OPENED).transport.secured()


def test_what_we_got_wrong(cell: Cell) -> None:
    with pytest.raises(UsageError, match="needs an account"):
        negotiation.connect(cell, Stage.AUTHENTICATED)
    with pytest.raises(UsageError, match="no s2s endpoint"):
        negotiation.connect(cell, Stage.CONNECTED, over="s2s")
    session = negotiation.connect(cell, Stage.CONNECTED)
    with pytest.raises(UsageError, match="open the stream first"):
        negotiation.authenticate(session, Account("a", cell.domain, "b"))
    session.close()


def test_a_name_that_is_taken(connect: Connect) -> None:
    account = connect.account()
    session = connect(Stage.SECURED)
    with pytest.raises(PeerError) as caught:
        negotiation.register(session, account)
    assert caught.value.seen == "conflict"


def test_a_resource_that_is_refused(connect: Connect) -> None:
    with pytest.raises(PeerError, match="no resource was bound") as caught:
        connect(resource="x" * 2000)
    assert "bad-request" in caught.value.seen


def test_nobody_listens() -> None:
    with FakeServer() as cell:
        pass
    with pytest.raises(ConnectionRefused):
        negotiation.connect(cell, Stage.CONNECTED)


# --- a peer that says what the test tells it to


@contextmanager
def scripted(answer: Callable[[bytes], bytes | None]) -> Iterator[Cell]:
    """A server in plain that answers each chunk by `answer`, until that is None."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection, suppress(ConnectionResetError):  # the session may leave in the middle
                while data := connection.recv(65536):
                    said = answer(data)
                    if said is None:
                        return
                    connection.sendall(said)

        server = threading.Thread(target=serve)
        server.start()
        port = listening.getsockname()[1]
        yield Cell("a.test", Subject("scripted", "0"), {"c2s": Endpoint("127.0.0.1", port)}, patience=1.0)
        server.join()


OPENING = f"<stream:stream xmlns='{CLIENT}' xmlns:stream='{STREAM}' id='1' version='1.0'>"
FEATURES = f"<stream:features><mechanisms xmlns='{SASL}'><mechanism>PLAIN</mechanism></mechanisms></stream:features>"


def dialogue(**answers: str) -> Callable[[bytes], bytes | None]:
    """Answers the header and, by name, the first element that was sent."""

    def answer(data: bytes) -> bytes | None:
        if b"<stream:stream" in data:
            return (OPENING + FEATURES).encode()
        said = next((text for name, text in answers.items() if f"<{name}".encode() in data), None)
        return None if said is None else said.encode()

    return answer


@contextmanager
def opened(**answers: str) -> Iterator[Session]:
    with scripted(dialogue(**answers)) as cell:
        session = negotiation.connect(cell, Stage.OPENED)
        try:
            yield session
        finally:
            session.transport.close()


def test_starttls_that_is_refused() -> None:
    refusal = f"<failure xmlns='{TLS}'/></stream:stream>"
    with opened(starttls=refusal) as session, pytest.raises(PeerError, match="STARTTLS was refused") as caught:
        negotiation.starttls(session, client_context(None))
    assert caught.value.expected == "<proceed/>"


def test_garbage_in_the_place_of_tls() -> None:
    with opened(starttls=f"<proceed xmlns='{TLS}'/>garbage garbage") as session, pytest.raises(TlsFailed):
        negotiation.starttls(session, client_context(None))


def test_a_handshake_without_an_end() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        cell = Cell("a.test", Subject("silent", "0"), {"c2s-direct-tls": Endpoint("127.0.0.1", port)}, patience=0.3)
        with pytest.raises(NoAnswer, match="TLS handshake"):
            negotiation.connect(cell, Stage.CONNECTED, over="c2s-direct-tls")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (f"<failure xmlns='{SASL}'><not-authorized/></failure>", "PLAIN failed"),
        (f"<challenge xmlns='{SASL}'>!!</challenge>", "<challenge/> is not base64"),
        (f"<challenge xmlns='{SASL}'>AAAA</challenge>", "no challenge with data"),
        (f"<success xmlns='{SASL}'>AAAA</success>", "no additional data"),
        ("<message/>", "PLAIN failed"),
    ],
)
def test_sasl_that_goes_wrong(answer: str, message: str) -> None:
    with opened(auth=answer) as session, pytest.raises(PeerError, match=message):
        negotiation.authenticate(session, Account("a", "a.test", "b"))


def test_challenges_without_end() -> None:
    challenge = f"<challenge xmlns='{SASL}'/>"
    with opened(auth=challenge, response=challenge) as session, pytest.raises(PeerError, match="has no end"):
        negotiation.authenticate(session, Account("a", "a.test", "b"))


def test_what_comes_before_a_header() -> None:
    with scripted(lambda _: b"<stream:features xmlns:stream='x'/>") as cell, pytest.raises(PeerError):
        negotiation.connect(cell, Stage.OPENED)


def test_no_features() -> None:
    with scripted(lambda _: OPENING.encode()) as cell, pytest.raises(NoAnswer) as caught:
        negotiation.connect(cell, Stage.OPENED)
    assert caught.value.expected == "stream features behind the stream header"


def test_a_connection_that_ends_in_the_middle() -> None:
    with scripted(lambda _: None) as cell, pytest.raises(ConnectionLost) as caught:
        negotiation.connect(cell, Stage.OPENED)
    assert "without closing its stream" in caught.value.message


def test_what_came_with_the_old_stream_is_forgotten() -> None:
    """A server may not speak before our new header; what it said to the old stream counts for nothing."""
    with opened(auth=f"<success xmlns='{SASL}'/><message id='early'/>") as session:
        negotiation.authenticate(session, Account("a", "a.test", "b"), "PLAIN")
        negotiation.open_stream(session)
        assert session.inbox == []
        assert not isinstance(session.stream.next_event(), Received)
