"""XEP-0388 §2.4 and §4.8: what may be sent while authentication goes on, and behind it."""

from __future__ import annotations

import pytest

from lab.errors import PeerError
from lab.plugin import Connect, Specification, require
from lab.wire import negotiation
from lab.wire.namespaces import PING, SASL, SASL2, TLS
from lab.wire.sasl2 import UserAgent
from lab.wire.session import Session, StreamEnded, StreamFailed, show
from lab.wire.transport import ConnectionLost
from scenarios.server._sasl2 import (
    Entered,
    authenticate,
    challenge,
    entered,
    goes_on,
    is_sasl2,
    message_of_plain,
    require_failure,
    respond,
    secured,
)
from scenarios.server.rfc6120._sasl import Scram

SASL2_PROFILE = Specification("XEP-0388")
MOST_ANSWERS = 5  # that a server says before it ends a connection

MECHANISM = "SCRAM-SHA-1"
AGENT = UserAgent.new().xml()


def _challenged(connect: Connect) -> tuple[Session, Scram, str]:
    """A stream on which a challenge has come and is not yet responded to; who is challenged, and by what."""
    scram = Scram(connect.account())
    session = secured(connect, scram.account, MECHANISM)
    return session, scram, challenge(authenticate(session, MECHANISM, scram.first(), AGENT))


# --- giving up


@SASL2_PROFILE.should("2.4", "2.6", "4.5", says="<abort/> ends the attempt at once, by <failure/> with <aborted/>.")
@pytest.mark.parametrize(
    "content",
    [
        pytest.param("", id="alone"),
        pytest.param("<text>I have changed my mind</text>", id="with-text"),
        pytest.param("<reason xmlns='urn:stanzalab:0'/>", id="with-another-element"),
    ],
)
def test_abort_ends_the_attempt(connect: Connect, content: str) -> None:
    session, scram, _ = _challenged(connect)
    session.send(f"<abort xmlns='{SASL2}'>{content}</abort>")
    require_failure(session.receive(), "aborted")
    goes_on(session, scram.account)


@SASL2_PROFILE.must("2.4", says="A response to an attempt that was aborted lets nobody in.")
def test_response_behind_abort_is_no_good(connect: Connect) -> None:
    session, scram, first = _challenged(connect)
    session.send(f"<abort xmlns='{SASL2}'/>")
    try:
        require_failure(session.receive())
        answer = respond(session, scram.final(first))
    except (StreamFailed, StreamEnded, ConnectionLost):
        return
    require_failure(answer)


# --- other traffic


OTHERS = {
    "message": "<message><body>Hello</body></message>",
    "presence": "<presence/>",
    "iq": f"<iq type='get' id='ping'><ping xmlns='{PING}'/></iq>",
    "starttls": f"<starttls xmlns='{TLS}'/>",
    "auth": f"<auth xmlns='{SASL}' mechanism='PLAIN'/>",
    "element-of-nobody": "<lab xmlns='urn:stanzalab:0'/>",
    "element-of-sasl2": f"<success xmlns='{SASL2}'/>",
}


@SASL2_PROFILE.must("2.4", says="Other traffic during authentication gets the client disconnected at once.")
@pytest.mark.parametrize("other", OTHERS)
def test_other_traffic_disconnects(connect: Connect, other: str) -> None:
    session, scram, first = _challenged(connect)
    # The response behind it would be right: who has not noticed the other thing lets the client in.
    session.send(f"{OTHERS[other]}<response xmlns='{SASL2}'>{scram.final(first)}</response>")
    _is_disconnected(session)


@SASL2_PROFILE.should(
    "2.4", says="Whitespace is other traffic, too: during authentication it gets the client disconnected at once."
)
@pytest.mark.parametrize("space", [pytest.param(" ", id="space"), pytest.param("\n", id="line-feed")])
def test_whitespace_disconnects(connect: Connect, space: str) -> None:
    session, scram, first = _challenged(connect)
    session.send(f"{space}<response xmlns='{SASL2}'>{scram.final(first)}</response>")
    _is_disconnected(session)


def _is_disconnected(session: Session) -> None:
    """The connection ends, whatever is said before: an error of STARTTLS or of an older SASL is a way to begin it."""
    end = "the end of the connection"
    said = "nothing"
    try:
        for _ in range(MOST_ANSWERS):
            answer = session.receive()
            said = show(answer)
            if is_sasl2(answer, "success") or is_sasl2(answer, "challenge"):
                break
    except ConnectionLost:
        return
    except (StreamFailed, StreamEnded):
        session.expect_closed(stream=False)
        return
    except PeerError as error:
        raise PeerError("the connection stays open", expected=end, seen=f"{said}, and no end behind it") from error
    raise PeerError("the server goes on", expected=end, seen=said)


# --- a second time


@SASL2_PROFILE.must("4.8", says="<authenticate/> behind a success gets a stream error.")
@pytest.mark.parametrize("bound", [pytest.param(False, id="before-bind"), pytest.param(True, id="bound")])
def test_authenticating_again_is_a_stream_error(connect: Connect, bound: bool) -> None:
    alice = entered(connect)
    if bound:
        negotiation.bind(alice.session)
    _again(alice)


@SASL2_PROFILE.must("4.8", says="<authenticate/> behind a success gets a stream error where Bind 2 was used, too.")
def test_authenticating_again_behind_bind2_is_a_stream_error(connect: Connect) -> None:
    _again(entered(connect, inline="<bind xmlns='urn:xmpp:bind:0'/>"))


def _again(alice: Entered) -> None:
    response = f"<initial-response>{message_of_plain(alice.account)}</initial-response>"
    alice.session.send(f"<authenticate xmlns='{SASL2}' mechanism='PLAIN'>{response}{AGENT}</authenticate>")
    try:
        answer = alice.session.receive()
    except StreamFailed as error:
        require(error.condition != "no defined condition", "a stream error with a condition", error.element)
        return
    require(False, "a stream error", answer)
