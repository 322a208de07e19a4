"""RFC 6120 §4.4, §4.5: the end of a stream without an error, and the one connection that carries both streams."""

from __future__ import annotations

import ssl
from contextlib import suppress

import pytest

from lab.cell import Cell
from lab.errors import PeerError
from lab.plugin import Connect, Specification, Stage, impossible, proved_by, require, require_equal, require_result
from lab.wire.namespaces import DISCO_INFO
from lab.wire.negotiation import header
from lab.wire.session import Session, new_id
from lab.wire.stream import StreamClosed
from lab.wire.transport import NoAnswer
from scenarios.server.rfc6120._stanzas import (
    available_bob,  # noqa: F401 - the fixture `bob` of this module
    become_available,
)
from scenarios.server.rfc6120._streams import expect_gone, introduce, open_with

RFC = Specification("RFC 6120")

CLOSE = "</stream:stream>"


@RFC.must("4.4", says="A server whose client closes its stream closes its own, then the connection.")
@pytest.mark.parametrize(
    "stage",
    [
        pytest.param(Stage.OPENED, id="before-tls"),
        pytest.param(Stage.SECURED, id="before-sasl"),
        pytest.param(Stage.BOUND, id="bound"),
    ],
)
def test_closing_is_answered_by_closing(connect: Connect, stage: Stage) -> None:
    session = connect(stage)
    session.send(CLOSE)
    session.expect_closed()


@RFC.must("4.4", says="A stream that is closed as soon as it was opened is answered by a whole stream.")
def test_stream_opened_and_closed_at_once(connect: Connect, cell: Cell) -> None:
    session = connect(Stage.CONNECTED)
    answer = open_with(session, header(to=cell.domain) + CLOSE)
    require_equal(answer.get("from"), cell.domain, "'from' of the response header")
    session.expect_closed()


@RFC.must("4.4", says="What a client sent before its closing tag is still processed.")
def test_stanza_before_the_closing_tag_is_delivered(alice: Session, bob: Session) -> None:
    identifier = new_id()
    alice.send(f"<message to='{bob.jid}' type='chat' id='{identifier}'><body>Farewell</body></message>{CLOSE}")
    message = bob.expect(identifier)
    require_equal(message.get("from"), alice.jid, "'from' of the message")
    require_equal(message.findtext("{*}body"), "Farewell", "body of the message")


@RFC.must_not("11.3", "4.4", says="What comes behind the closing tag belongs to no stream and is not processed.")
def test_stanza_behind_the_closing_tag_is_not_delivered(alice: Session, bob: Session) -> None:
    identifier = new_id()
    stanza = f"<message to='{bob.jid}' type='chat' id='{identifier}'><body>Too late</body></message>"
    alice.send(CLOSE + stanza)
    with suppress(NoAnswer):  # that the stream ends is the matter of another check
        alice.expect_closed(stream=False)
    bob.expect_nothing(stanza, lambda e: e.get("id") == identifier, "stanza from behind the closing tag")


@RFC.must("4.4", says="The end of its stream is the end of a client's session: contacts see it become unavailable.")
def test_closing_ends_the_session(alice: Session, bob: Session) -> None:
    introduce(alice, bob)
    alice.send(CLOSE)
    expect_gone(bob, alice)


@RFC.must("4.4", says="The server that closes a stream sends TLS close_notify before it ends the connection.")
@proved_by("no-close-notify")
def test_closing_server_sends_close_notify(alice: Session) -> None:
    # The server is the one who closes: over XML that is broken.
    alice.send("<message><body>no end tag</message>")
    try:
        alice.expect_stream_error()
        while not isinstance(alice.next_event(), StreamClosed):
            pass
    except PeerError as error:
        impossible(f"the server does not close its stream: {error}")
    end = _end_of_tls(alice)
    require(end == b"", "close_notify before the end of the connection", repr(end) if end else "the end of TCP alone")


def _end_of_tls(session: Session) -> bytes | None:
    """What ends the connection: b"" for close_notify, None for the end of TCP alone; else a byte of what came."""
    tls = session.transport.secured()
    # Otherwise a truncated connection looks like an orderly end.
    setattr(tls, "suppress_ragged_eofs", False)  # noqa: B010 - typeshed does not know it
    tls.settimeout(session.patience)
    try:
        return tls.recv(1)
    except TimeoutError:
        session.send(CLOSE)  # which a server may wait for
    except (ssl.SSLEOFError, ConnectionResetError):
        return None
    try:
        return tls.recv(1)
    except TimeoutError:
        return impossible("the connection does not end")
    except (ssl.SSLEOFError, ConnectionResetError):
        return None


@RFC.must("4.5", says="A client may use one TCP connection for both streams.")
def test_one_connection_carries_both_streams(alice: Session, bob: Session) -> None:
    become_available(alice)
    identifier = new_id()
    bob.send(f"<message to='{alice.jid}' type='chat' id='{identifier}'><body>Incoming</body></message>")
    reply = alice.iq("get", f"<query xmlns='{DISCO_INFO}'/>", to=alice.domain)
    require_result(reply)
    require_equal(reply.get("from"), alice.domain, "'from' of the answer")
    message = alice.expect(identifier)
    require_equal(message.get("from"), bob.jid, "'from' of the message")
    require_equal(message.findtext("{*}body"), "Incoming", "body of the message")


@RFC.may("11.7", "11.3", says="Whitespace between stanzas is only a separator, before and after authentication.")
@pytest.mark.parametrize("space", [pytest.param(" ", id="space"), pytest.param("\n\r\n\t ", id="line-breaks")])
@pytest.mark.parametrize(
    "stage", [pytest.param(Stage.OPENED, id="before-tls"), pytest.param(Stage.BOUND, id="bound")]
)
def test_whitespace_separates_stanzas(connect: Connect, stage: Stage, space: str) -> None:
    session = connect(stage)
    for _ in range(3):
        session.send(space)
    if stage is Stage.OPENED:
        session.send(CLOSE)
        session.expect_closed()
        return
    query = f"<query xmlns='{DISCO_INFO}'/>"
    first, second = new_id(), new_id()
    session.send(
        f"{space}<iq type='get' id='{first}' to='{session.domain}'>{query}</iq>{space}"
        f"<iq type='get' id='{second}' to='{session.domain}'>{query}</iq>{space}"
    )
    for identifier in (first, second):
        reply = session.expect(identifier)
        require_result(reply)
        require_equal(reply.get("from"), session.domain, "'from' of the answer")
