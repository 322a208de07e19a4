"""RFC 7395 §3.4, §3.5, §3.7 and §3.10: how a framed stream is opened, restarted, refused and resumed."""

from __future__ import annotations

import pytest

from lab.cell import Account
from lab.errors import PeerError
from lab.plugin import Connect, Specification, Stage, impossible, proved_by, require, require_equal, unsupported
from lab.wire.namespaces import FRAMING, NS, STREAM, STREAM_MANAGEMENT, XML_LANG
from lab.wire.negotiation import authenticate, bind, expect_header, open_stream
from lab.wire.session import Session, StreamEnded, new_id, show
from lab.wire.stream import Event, StreamClosed, StreamOpened
from lab.wire.websocket import WebSocketSession
from scenarios.server.rfc7395._websocket import websocket

RFC = Specification("RFC 7395")


def opened(session: Session) -> StreamOpened:
    """The server's answer to our <open/>."""
    session.send_raw(session.opening().encode())
    return expect_header(session)


# --- opening


@pytest.mark.parametrize("attribute", ["from", "id", "version", "language"])
@RFC.must("3.4", says="The server's <open/> has the attributes of a stream header (RFC 6120 §4.7).")
def test_open_has_the_attributes_of_a_header(attribute: str, connect: Connect) -> None:
    header = opened(connect.websocket())
    if attribute == "from":
        require_equal(header.get("from"), connect.cell.domain, "'from'")
    elif attribute == "id":
        require(header.get("id"), "an id", header.element)
    elif attribute == "version":
        require((header.get("version") or "").startswith("1."), "version 1.0", header.element)
    else:
        require(header.get(XML_LANG), "xml:lang", header.element)


@RFC.must("3.4", says="Each framed stream has an id of its own, on other connections and behind a restart.")
def test_stream_ids_differ(connect: Connect) -> None:
    account = connect.account()
    session = connect.websocket()
    ids = [opened(session).get("id"), opened(connect.websocket()).get("id")]
    features = session.expect(lambda e: e.tag == f"{{{STREAM}}}features", "stream features")
    session.features = features
    authenticate(session, account)
    open_stream(session)
    ids.append(session.header.get("id") if session.header else None)
    require(all(ids) and len(set(ids)) == len(ids), "three different ids", ", ".join(str(i) for i in ids))


@RFC.must("3.4", says="Features follow the server's <open/>, as they follow any stream header.")
def test_features_follow(connect: Connect) -> None:
    session = connect.websocket()
    opened(session)
    features = session.receive()
    require_equal(features.tag, f"{{{STREAM}}}features", "the message behind <open/>")
    require(features.find("sasl:mechanisms", NS) is not None, "<mechanisms/>", features)


@RFC.must("3.4", says="The first message is an <open/>: a stanza in its place is not served.")
@proved_by("serves-before-open")
def test_stanza_before_open_is_not_served(connect: Connect) -> None:
    session = connect.websocket()
    asked = new_id()
    session.send(f"<iq type='get' id='{asked}' to='{session.domain}'><query xmlns='jabber:iq:register'/></iq>")
    session.stream.restart()
    event = _first(session)
    require(
        event is None or isinstance(event, StreamOpened | StreamClosed),
        "<open/>, <close/>, or the end of the connection",
        event if event is None or isinstance(event, str) else show(event),
    )


def _first(session: Session) -> Event | str | None:
    """The first event that comes once <open/> was sent as well; None where the connection ends."""
    try:
        session.send_raw(session.opening().encode())
        return session.next_event()
    except PeerError as error:
        if "the first message is no <open/>" in error.message:
            return error.seen
        return None


# --- errors


@RFC.must("3.5", says="An error while a stream is opened comes behind the server's <open/>, in a message of its own.")
def test_error_while_opening_comes_behind_open(connect: Connect) -> None:
    session = connect.websocket()
    session.send_raw(f"<open xmlns='{FRAMING}' to='unknown.{session.domain}' version='1.0'/>".encode())
    expect_header(session)
    session.expect_stream_error("host-unknown", "host-gone", "improper-addressing")


@pytest.mark.parametrize("moment", ["while-opening", "within-the-stream"])
@RFC.must("3.5", "3.6", says="Behind a stream error the server closes its stream, by <close/>.")
def test_stream_is_closed_behind_an_error(moment: str, connect: Connect) -> None:
    session = failed(connect, moment)
    event = session.next_event()
    require(isinstance(event, StreamClosed), "<close/>", show(event))


@pytest.mark.parametrize("moment", ["while-opening", "within-the-stream"])
@RFC.must("3.6", "3.5", says="A server that has closed its stream begins the closing handshake of the WebSocket.")
@proved_by("no-close-frame")
def test_server_begins_the_closing_handshake(moment: str, connect: Connect) -> None:
    session = failed(connect, moment)
    closed = session.socket.wait_until_closed(timeout=session.patience)
    require(closed is not None, "a close frame", "the end of the TCP connection without one")


def failed(connect: Connect, moment: str) -> WebSocketSession:
    """A session whose stream the server has just ended with an error."""
    if moment == "while-opening":
        session = connect.websocket()
        session.send_raw(f"<open xmlns='{FRAMING}' to='unknown.{session.domain}' version='1.0'/>".encode())
        expect_header(session)
    else:
        session = websocket(connect)
        session.send_raw(b"<iq xmlns='jabber:client' type='get' id='1'><a></iq>")
    try:
        session.expect_stream_error()
    except StreamEnded:
        impossible("the server ends this stream without an error, which is the matter of another check")
    return session


# --- restarts


@RFC.must("3.7", says="Behind authentication a new stream is opened by <open/> on both sides, without <close/>.")
def test_stream_is_restarted_by_open(connect: Connect) -> None:
    session = websocket(connect, Stage.OPENED)
    account = connect.account()
    authenticate(session, account)
    session.stream.restart()
    header = opened(session)
    require_equal(header.get("from"), session.domain, "'from'")
    features = session.receive()
    require(features.find("bind:bind", NS) is not None, "features with <bind/>", features)
    bound = bind(session)
    require(bound.startswith(f"{account.jid}/"), f"a resource of {account.jid}", f"bound as {bound}")


# --- stream management


def enabled(connect: Connect, account: Account) -> tuple[WebSocketSession, str]:
    """A bound session that can be resumed, and the id to resume it by."""
    session = websocket(connect, Stage.AUTHENTICATED, account=account)
    features = session.features
    if features is None or features.find("sm:sm", NS) is None:
        unsupported("stream management")
    bind(session)
    session.send(f"<enable xmlns='{STREAM_MANAGEMENT}' resume='true'/>")
    answer = session.receive()
    require_equal(answer.tag, f"{{{STREAM_MANAGEMENT}}}enabled", "the answer to <enable/>")
    resumption = answer.get("id")
    if answer.get("resume") not in {"true", "1"} or not resumption:
        unsupported("resumption of streams")
    return session, resumption


@RFC.may("3.6", "3.10", says="Stream management can be used over WebSocket: what is sent is acknowledged.")
def test_stream_management_counts_stanzas(connect: Connect) -> None:
    session, _ = enabled(connect, connect.account())
    session.send(f"<message to='{session.jid}'><body>counted</body></message>")
    session.send(f"<r xmlns='{STREAM_MANAGEMENT}'/>")
    answer = session.expect(lambda e: e.tag == f"{{{STREAM_MANAGEMENT}}}a", "an acknowledgement")
    require_equal(answer.get("h"), "1", "the number of stanzas handled")


@RFC.should("3.6", says="A session that can be resumed lives on for a while when its WebSocket breaks.")
def test_broken_session_can_be_resumed(connect: Connect) -> None:
    account = connect.account()
    session, resumption = enabled(connect, account)
    session.abandon()
    again = websocket(connect, Stage.AUTHENTICATED, account=account, label="again")
    again.send(f"<resume xmlns='{STREAM_MANAGEMENT}' h='0' previd='{resumption}'/>")
    answer = again.receive()
    require_equal(answer.tag, f"{{{STREAM_MANAGEMENT}}}resumed", "the answer to <resume/>")
    require_equal(answer.get("previd"), resumption, "the stream resumed")
