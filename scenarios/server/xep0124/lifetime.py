"""XEP-0124 §10, §13, §16 and §19.1: pauses and inactivity, the end of a session, further streams, secure sessions."""

from __future__ import annotations

import time

from lab.plugin import Connect, Specification, premise, proved_by, require, require_equal, unsupported
from lab.plugin.judge import Missed
from lab.wire.bosh import BoshSession, HttpRefused
from lab.wire.namespaces import CLIENT
from lab.wire.session import Session, new_id
from lab.wire.stream import Element
from lab.wire.transport import ConnectionLost
from scenarios.server.xep0124._bosh import (
    TERMINATE,
    anything,
    ask,
    bound,
    create,
    created,
    message,
    number,
    pass_time,
    ping,
    post,
    require_terminated,
    seconds_or_impossible,
    until,
)

XEP = Specification("XEP-0124")

PAUSE = 1  # seconds
MOST_INACTIVITY = 5  # seconds that a check waits for


def pausing(connect: Connect) -> BoshSession:
    """A bound session that can be paused."""
    session = bound(connect)
    if session.created is None or session.created.get("maxpause") is None:
        unsupported("pausing of sessions (maxpause)")
    return session


@XEP.should("10", says="A request to pause has all requests answered at once, itself among them.")
def test_pause_has_all_requests_answered(connect: Connect) -> None:
    session = pausing(connect)
    post(session)
    post(session, "", {"pause": str(PAUSE * 10)})
    for _ in range(2):
        response = session.receive()
        require_equal(response.get("type"), None, "the type of a body")


@XEP.must_not("10", says="The response to a request to pause holds no payload.")
def test_response_to_a_pause_is_empty(connect: Connect, bob: Session) -> None:
    session = pausing(connect)
    identifier = new_id()
    bob.send(message(session.jid, identifier))
    bob.sentinel()
    require_equal(len(_paused(session)), 0, "the number of payloads")


def _paused(session: BoshSession) -> Element:
    """The response to a request to pause, or the check is `impossible`."""
    return premise(
        lambda: ask(session, "", {"pause": str(PAUSE * 10)}),
        "the request to pause is not answered at all, which is the matter of another check",
    )


@XEP.should("10", says="A session goes on behind a pause.")
def test_session_goes_on_behind_a_pause(connect: Connect) -> None:
    session = pausing(connect)
    _paused(session)
    asked = new_id()
    response = until(session, "iq", ask(session, ping(session, asked)))
    require_equal(response[0].get("id"), asked, "the id of the answer")


@XEP.should("7.2", "10", says="A server that can pause sessions says for how long at most: a number of seconds.")
def test_longest_pause_is_a_number(connect: Connect) -> None:
    session = pausing(connect)
    require(session.created is not None and number(session.created, "maxpause") > 0, "a number", session.created)


@XEP.should("10", says="A session that is inactive for longer than it may be is gone without a word.")
@proved_by("bosh-never-forgets")
def test_inactive_session_is_gone(connect: Connect) -> None:
    session, response = create(connect)
    if response.get("inactivity") is None:
        unsupported("a longest inactivity")
    if response.get("maxpause") is not None:
        until(session, "features", response)
        ask(session, "", {"pause": str(PAUSE)})
        allowed = PAUSE
    else:
        allowed = seconds_or_impossible(response, "inactivity", MOST_INACTIVITY)
    deadline = time.monotonic() + allowed + session.patience
    while time.monotonic() < deadline:  # nothing tells of the end: what is asked for is whether it has come
        pass_time(connect, 2 * allowed)
        if _is_gone(session):
            return
    raise Missed("item-not-found, once the session was inactive for too long", "a session that lives on")


def _is_gone(session: BoshSession) -> bool:
    try:
        response = ask(session, "", {"pause": str(PAUSE)})
    except HttpRefused:
        return True
    return response.get("type") == "terminate"


# --- the end


@XEP.should("13", says="A request to terminate is answered, by a body of that type or an empty one.")
def test_termination_is_acknowledged(connect: Connect) -> None:
    session = bound(connect)
    response = ask(session, "", TERMINATE)
    require_equal(len(response), 0, "the number of payloads")
    require(response.get("type") in {None, "terminate"}, "type terminate, or none", response)
    require_equal(response.get("condition"), None, "the condition")


@XEP.should("13", says="The oldest request is answered by the body that terminates, the others by empty ones.")
def test_oldest_request_is_answered_with_the_end(connect: Connect) -> None:
    session = bound(connect)
    post(session)
    post(session, "", TERMINATE)
    oldest, newest = session.receive(), session.receive()
    require_equal(oldest.get("type"), "terminate", "the type of the response to the oldest request")
    require_equal(len(newest), 0, "the number of payloads in the response to the other one")


@XEP.must("13", says="The payloads of a request to terminate are forwarded: the last words are heard.")
def test_last_words_are_forwarded(connect: Connect, bob: Session) -> None:
    session = bound(connect, "alice")
    identifier = new_id()
    post(session, message(bob.jid, identifier), TERMINATE)
    require_equal(bob.expect(identifier).get("from"), session.jid, "the sender")


@XEP.must("13", says="A session that was terminated is over: it serves nothing any more, and its presence is gone.")
def test_terminated_session_is_over(connect: Connect, bob: Session) -> None:
    session = bound(connect, "alice")
    bob.send("<presence/>")
    post(session, f"<presence xmlns='{CLIENT}' to='{bob.jid}'/>")
    bob.expect(lambda e: e.get("from") == session.jid, "presence of the client on BOSH")
    post(session, "", TERMINATE)
    gone = bob.expect(lambda e: e.get("from") == session.jid, "unavailable presence of the client that is gone")
    require_equal(gone.get("type"), "unavailable", "the type of the presence")
    again = connect.bosh(label="again")
    again.created, again.rid = session.created, session.rid
    try:
        response = ask(again, ping(session, new_id()))
    except HttpRefused as refused:
        require_equal(refused.response.status, 404, "the HTTP status of a response without a condition")
        return
    require_terminated(response, "item-not-found")


# --- further streams


@XEP.must("16.3", "16.2", says="Without 'stream' in the session a request with 'to' is an empty one like others.")
def test_request_for_another_stream_is_an_empty_one(connect: Connect) -> None:
    session = bound(connect)
    if session.created is not None and session.created.get("stream") is not None:
        unsupported("sessions of one stream alone: the server has several in one")
    post(session, "", {"to": session.domain, "xml:lang": "en"})
    asked = new_id()
    post(session, ping(session, asked))
    response = until(session, "iq")
    require_equal(response[0].get("id"), asked, "the id of the answer")


# --- secure sessions


@XEP.should("19.1", says="A session that began under TLS takes no request that comes without.")
@proved_by("bosh-takes-plain-requests")
def test_secure_session_takes_no_plain_request(connect: Connect) -> None:
    session = created(connect)
    response = _in_clear(connect, session, anything())
    served = response is not None and response.get("type") is None
    require(not served, "no answer in clear", response)


@XEP.should_not("19.1", says="A request in clear does not end the session that began under TLS.")
@proved_by("bosh-plain-requests-terminate")
def test_plain_request_does_not_end_a_secure_session(connect: Connect) -> None:
    session = created(connect)
    payload = anything()
    _in_clear(connect, session, payload)
    response = ask(session, payload)  # the same once more, if that was taken; otherwise the first of this rid
    require_equal(response.get("type"), None, "the type of the body")


def _in_clear(connect: Connect, session: BoshSession, payload: str) -> Element | None:
    """The answer to the next request of this session, sent without TLS; None where the server gives none."""
    spy = connect.bosh(over="bosh-plain", label="in-clear")
    spy.created, spy.rid = session.created, session.rid
    try:
        return ask(spy, payload)
    except (HttpRefused, ConnectionLost):
        return None
