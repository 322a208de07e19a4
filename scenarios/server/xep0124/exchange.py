"""XEP-0124 §5, §6, §8, §11 and §12: requests and responses, what is held and for how long, polling."""

from __future__ import annotations

import time

import pytest

from lab.plugin import Connect, Specification, proved_by, require, require_equal, unsupported
from lab.wire.bosh import BoshSession, HttpRefused
from lab.wire.namespaces import HTTPBIND
from lab.wire.session import Session, new_id
from lab.wire.stream import Element
from scenarios.server.xep0124._bosh import (
    anything,
    ask,
    bound,
    create,
    created,
    message,
    number,
    ping,
    post,
    require_terminated,
    until,
)

XEP = Specification("XEP-0124")

WAIT = 1  # seconds that a held request is to wait


# --- HTTP


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded"], ids=["plain", "form"])
@XEP.should("5", says="The Content-Type of requests is ignored: constrained clients cannot choose it.")
def test_content_type_of_requests_is_ignored(kind: str, connect: Connect) -> None:
    session = connect.bosh()
    session.content_type = ("Content-Type", kind)
    session.send_raw(session.opening().encode())
    response = session.receive()
    require(response.get("sid"), "a session", response)


@XEP.should("5", says="HTTP headers that nobody specified are ignored.")
def test_unknown_headers_are_ignored(connect: Connect) -> None:
    session = connect.bosh()
    session.content_type = ("X-Stanzalab", "text/xml")
    session.send_raw(session.opening().encode())
    response = session.receive()
    require(response.get("sid"), "a session", response)


@XEP.should_not("5", says="Responses do not use chunked transfer coding.")
@proved_by("bosh-chunked")
def test_responses_are_not_chunked(connect: Connect) -> None:
    session = created(connect)
    coding = session.last.header("transfer-encoding") if session.last else None
    require(coding is None, "no Transfer-Encoding", coding)


@XEP.must("8", says="Every valid request is answered with HTTP status 200 and a <body/>.")
def test_requests_are_answered_with_a_body(connect: Connect) -> None:
    session = bound(connect)
    response = until(session, "iq", ask(session, ping(session, new_id())))
    require_equal(response.tag, f"{{{HTTPBIND}}}body", "the root of the response")
    require_equal(response.get("type"), None, "the type of the body")


# --- bodies


@XEP.must("6", says="One <body/> may hold several payloads: all of them are served, in their order.")
def test_several_payloads_in_a_body(connect: Connect, bob: Session) -> None:
    session = bound(connect, "alice")
    sent = [new_id() for _ in range(3)]
    post(session, "".join(message(bob.jid, identifier) for identifier in sent))
    came = [bob.expect(lambda e: e.get("from") == session.jid, "a message of three").get("id") for _ in sent]
    require_equal(came, sent, "the order of the messages")


BROKEN = {
    "unclosed": "<body xmlns='{ns}' rid='{rid}' sid='{sid}'><a></body>",
    "no-xml": "not XML at all",
    "another-element": "<envelope xmlns='{ns}' rid='{rid}' sid='{sid}'/>",
    "another-namespace": "<body xmlns='urn:stanzalab:bosh' rid='{rid}' sid='{sid}'/>",
    "no-rid": "<body xmlns='{ns}' sid='{sid}'/>",
    "rid-no-number": "<body xmlns='{ns}' sid='{sid}' rid='next'/>",
}


@pytest.mark.parametrize("broken", BROKEN)
@XEP.should("17.2", "6", says="A request that is no <body/> with a rid is refused as a bad request.")
def test_request_that_is_no_body_is_refused(broken: str, connect: Connect) -> None:
    session = created(connect)
    text = BROKEN[broken].format(ns=HTTPBIND, rid=session.rid + 1, sid=session.sid)
    stranger = connect.bosh(label="stranger")
    stranger.send_raw(text.encode())
    try:
        response = stranger.receive()
    except HttpRefused as refused:
        status = refused.response.status
        require(status in {400, 404}, "bad-request, or HTTP status 400", f"HTTP status {status}")
        return
    require_terminated(response, "bad-request", "item-not-found", "policy-violation")


# --- holding


@XEP.should("8", says="A request is held until there is something to send: it comes in the response to that request.")
def test_held_request_brings_what_comes(connect: Connect, bob: Session) -> None:
    session = bound(connect, "alice")
    post(session)
    bob.sentinel()  # the server has had time to answer at once, if it does
    identifier = new_id()
    bob.send(message(session.jid, identifier))
    response = session.receive()
    require(
        len(response) and response[0].get("id") == identifier, "the message, in the response held for it", response
    )


@XEP.must("8", says="A request that holds a payload is held like an empty one, and what comes next answers it.")
def test_request_with_a_payload_is_held(connect: Connect, bob: Session) -> None:
    session = bound(connect, "alice")
    there, back = new_id(), new_id()
    post(session, message(bob.jid, there))
    require_equal(bob.expect(there).get("from"), session.jid, "the sender")
    bob.send(message(session.jid, back))
    response = until(session, "message")
    require_equal(response[0].get("id"), back, "the id of what came")


@XEP.should_not("8", says="No more requests are held than 'hold' says: the next one has the one before answered.")
def test_no_more_requests_are_held_than_agreed(connect: Connect) -> None:
    session = bound(connect)
    post(session)
    post(session)
    response = session.receive()
    require_equal(response.get("type"), None, "the type of the first response")
    require_equal(len(response), 0, "the number of payloads in the first response")
    require_equal(session.pending, 1, "the number of requests that are still held")


@XEP.should_not("8", says="No request is held for longer than 'wait' says: an empty <body/> answers it.")
@proved_by("bosh-holds-for-ever")
def test_request_is_not_held_for_longer_than_agreed(connect: Connect) -> None:
    session = bound(connect, wait=str(WAIT))
    post(session)
    response = session.receive(timeout=WAIT + session.patience)
    require_equal(len(response), 0, "the number of payloads")
    require_equal(response.get("type"), None, "the type of the body")


@XEP.should("8", says="A request is not answered before something comes, or the time to wait is over.")
@proved_by("bosh-never-holds")
def test_request_is_held_as_long_as_agreed(connect: Connect) -> None:
    session, response = create(connect, wait=str(WAIT))
    agreed = number(response, "wait")
    until(session, "features", response)
    post(session)
    began = time.monotonic()
    session.receive(timeout=WAIT + session.patience)
    held = time.monotonic() - began
    require(held > agreed * 0.5, f"an answer after about {agreed} s", f"one after {held:.2f} s")


@XEP.must("8", "14.2", says="Responses come in the order of the requests: a later one is not answered first.")
@proved_by("bosh-answers-the-last-first")
def test_responses_come_in_order(connect: Connect) -> None:
    session = bound(connect)
    post(session)
    asked = new_id()
    post(session, ping(session, asked))
    # The session takes responses in the order of its requests, and would wait in vain.
    response = until(session, "iq")
    require_equal(response[0].get("id"), asked, "the id of the answer")


# --- polling


def polling_session(connect: Connect) -> tuple[BoshSession, Element]:
    session, response = create(connect, wait="0", hold="0")
    require(response.get("sid"), "a session", response)
    return session, response


@XEP.must("8", "12", says="In a polling session (wait or hold of 0) requests are answered at once.")
@proved_by("bosh-holds-for-ever")
def test_polling_session_is_answered_at_once(connect: Connect) -> None:
    session, response = polling_session(connect)
    until(session, "features", response)
    answer = ask(session)
    # Whether a request that comes so soon is one too many is asked below.
    require(answer.get("condition") in {None, "policy-violation"}, "no error but policy-violation", answer)


@XEP.should("12", says="Only empty requests are polls: one with a payload is served, however soon it comes.")
def test_request_with_a_payload_is_no_poll(connect: Connect) -> None:
    session, _ = polling_session(connect)
    answer = ask(session, anything())
    require_equal(answer.get("type"), None, "the type of the body")


@XEP.should("12", "11", says="Who polls more often than 'polling' allows is stopped: policy-violation.")
def test_polling_too_often_is_a_violation(connect: Connect) -> None:
    session, response = polling_session(connect)
    if response.get("polling") is None:
        unsupported("a shortest polling interval")
    require(number(response, "polling") > 0, "an interval above 0", response)
    until(session, "features", response)
    try:
        last = ask(session)
        if last.get("type") is None:  # who counts the creation among the polls is done by now
            last = ask(session)
    except HttpRefused as refused:
        require_equal(refused.response.status, 403, "the HTTP status")
        return
    require_terminated(last, "policy-violation")


@XEP.should("12", says="A polling session may be inactive for longer than the polling interval.")
def test_polling_sessions_may_rest_between_polls(connect: Connect) -> None:
    _, response = polling_session(connect)
    if response.get("polling") is None or response.get("inactivity") is None:
        unsupported("an interval of polling, or of inactivity")
    rests = number(response, "inactivity") > number(response, "polling")
    require(rests, "an inactivity longer than the polling interval", response)
