"""XEP-0124 §14 and §17.3: the order of requests, the window of their ids, requests that are sent again."""

from __future__ import annotations

from lab.plugin import Connect, Specification, require, require_equal
from lab.plugin.judge import Missed
from lab.wire.bosh import BoshSession, HttpRefused
from lab.wire.session import Session, new_id, show
from lab.wire.stream import Element
from scenarios.server.xep0124._bosh import ask, bound, message, ping, post, require_terminated

XEP = Specification("XEP-0124")


@XEP.must("14.2", "8", says="Payloads are forwarded in the order of their rids, in whatever order requests come.")
def test_requests_are_served_in_the_order_of_their_ids(connect: Connect, bob: Session) -> None:
    # A server that lets the later one wait behind the earlier, which it holds, has to serve it in a second.
    session = bound(connect, "alice", wait="1")
    first, second = new_id(), new_id()
    earlier = session.body(message(bob.jid, first))
    later = session.body(message(bob.jid, second))
    session.send_raw(later.encode())
    session.send_raw(earlier.encode())
    came = [bob.expect(lambda e: e.get("from") == session.jid, "one of two messages").get("id") for _ in range(2)]
    require_equal(came, [first, second], "the order of the messages")


@XEP.must("14.2", "17.2", says="A rid above the window ends the session: item-not-found.")
def test_rid_above_the_window_is_not_found(connect: Connect) -> None:
    session = bound(connect)
    session.rid += 1000
    _require_not_found(session, "")


@XEP.must("14.2", says="A rid above the window terminates the session: the right one does not serve any more.")
def test_session_is_gone_behind_a_rid_above_the_window(connect: Connect) -> None:
    session = bound(connect)
    right = session.rid
    session.rid += 1000
    _require_not_found(session, "")
    again = connect.bosh(label="again")
    again.created = session.created
    again.rid = right
    _require_not_found(again, ping(session, new_id()))


def _require_not_found(session: BoshSession, payload: str) -> None:
    """The check fails unless the next request is refused as item-not-found, or by its HTTP status."""
    try:
        response = ask(session, payload)
    except HttpRefused as refused:
        require_equal(refused.response.status, 404, "the HTTP status of a response without a condition")
        return
    require_terminated(response, "item-not-found")


@XEP.should_not("17.1", says="An error within a session of a client that said its version is no HTTP status.")
def test_errors_are_conditions(connect: Connect) -> None:
    session = bound(connect)
    session.rid += 1000
    response = ask(session)  # anything but status 200 is raised, and is what the check looks for
    require_equal(response.get("type"), "terminate", "the type of the body")


@XEP.should("14.3", says="A request that is sent again is answered with the response that it had.")
def test_request_sent_again_has_the_same_response(connect: Connect) -> None:
    session = bound(connect)
    asked = new_id()
    request = session.body(ping(session, asked)).encode()
    session.send_raw(request)
    first = until_answer(session, asked)
    session.send_raw(request)
    again = session.receive()
    require(_same(first, again), f"the same response: {show(first)}", again)


@XEP.should("14.3", says="A request that is sent again is not served a second time.")
def test_request_sent_again_is_served_once(connect: Connect, bob: Session) -> None:
    session = bound(connect, "alice")
    identifier, asked = new_id(), new_id()
    request = session.body(message(bob.jid, identifier) + ping(session, asked)).encode()
    session.send_raw(request)
    until_answer(session, asked)
    bob.expect(identifier)
    session.send_raw(request)
    session.receive()
    # What the same sender says behind it arrives behind a second copy (RFC 6120 §10.1).
    last = new_id()
    post(session, message(bob.jid, last))
    came = bob.expect(lambda e: e.get("id") in {identifier, last}, "the last message")
    if came.get("id") == identifier:
        raise Missed("one copy of the message", show(came))


def until_answer(session: BoshSession, asked: str) -> Element:
    """The response in which an iq is answered, which must be that to the request that held it."""
    response = session.receive()
    answered = any(child.get("id") == asked for child in response)
    require(answered, "the answer to the iq, in the response to its request", response)
    return response


def _same(one: Element, other: Element) -> bool:
    """Whether two bodies hold the same payloads."""
    return len(one) == len(other) and all(show(a) == show(b) for a, b in zip(one, other, strict=True))


@XEP.should("14.3", "17.3", says="A held request that is sent again: the first copy is answered, the second is held.")
def test_held_request_sent_again_is_held_on_the_new_connection(connect: Connect, bob: Session) -> None:
    session = bound(connect, "alice")
    request = session.body().encode()
    session.send_raw(request)
    bob.sentinel()
    session.send_raw(request)
    first = session.receive()
    recovered = first.get("type") == "error" or (first.get("type") is None and not len(first))
    require(recovered, "a recoverable error, or an empty body", first)
    identifier = new_id()
    bob.send(message(session.jid, identifier))
    second = session.receive()
    require(len(second) and second[0].get("id") == identifier, "the message, in the second response", second)
