"""XEP-0198 §5, §6, §7, §10: streams that cannot be resumed: unknown ones, somebody else's, closed ones."""

from __future__ import annotations

import pytest

from lab.plugin import Connect, Specification, Stage, require, require_equal, require_result
from lab.wire import negotiation
from lab.wire.namespaces import PING, STREAM_MANAGEMENT
from lab.wire.session import Session, StreamEnded, StreamFailed
from lab.wire.stream import Element
from lab.wire.transport import ConnectionLost
from scenarios.server.xep0198._counting import require_acknowledged
from scenarios.server.xep0198._managed import (
    SM,
    ask_to_resume,
    is_one_of,
    is_unavailable,
    make_resumable,
    manage,
    offered,
    over_websocket,
    resumable,
    resume,
    resumption,
    tell,
    watched,
)

MANAGED = Specification("XEP-0198")


def _authenticated(connect: Connect) -> Session:
    session = connect(Stage.AUTHENTICATED, label="bob")
    offered(session)
    return session


def _is_item_not_found(failed: Element) -> bool:
    return failed.find("{*}item-not-found") is not None


UNKNOWN = {
    "word": "no-such-stream",
    "empty": "",
    "base64": "g2gCbQAAAANhYmNtAAAACDEyMzQ1Njc4",
    "markup": "<&'\">",
    "long": "x" * 4000,
    "other-script": "поток",
    "nul-like": "%00../../etc",
}
every_unknown = pytest.mark.parametrize("previd", UNKNOWN.values(), ids=list(UNKNOWN))


@every_unknown
@MANAGED.must("5", "6", says="The resumption of a stream that the server does not know is refused by <failed/>.")
def test_unknown_stream_is_not_resumed(previd: str, connect: Connect) -> None:
    session = _authenticated(connect)
    session.send(resumption(previd, 0))
    answer = session.expect(is_one_of("resumed", "failed"), "<failed/>")
    require(answer.tag == f"{SM}failed", "<failed/>", answer)


@every_unknown
@MANAGED.should("5", says="<failed/> for a stream that the server does not know has the condition item-not-found.")
def test_unknown_stream_is_not_found(previd: str, connect: Connect) -> None:
    resumable(connect)  # who has no resumption says feature-not-implemented
    session = _authenticated(connect)
    session.send(resumption(previd, 0))
    answer = session.expect(is_one_of("resumed", "failed"), "<failed/>")
    require(answer.tag == f"{SM}failed" and _is_item_not_found(answer), "<failed/> with item-not-found", answer)


@over_websocket
@MANAGED.should(
    "5", says="Behind a refused resumption, a resource is bound and a new stream begun, without a new login."
)
def test_resource_is_bound_behind_a_refusal(connect: Connect) -> None:
    account = connect.account()
    session = connect(Stage.AUTHENTICATED, account=account, label="bob")
    offered(session)
    session.send(resumption("no-such-stream", 0))
    session.expect(is_one_of("failed"), "<failed/>")
    negotiation.bind(session)
    require_result(session.iq("get", f"<ping xmlns='{PING}'/>", to=session.domain))
    stream = manage(session, account)
    tell(session, session.bare_jid, 2)
    require_acknowledged(stream, 2)


# --- somebody else's


@MANAGED.must(
    "5", "10", says="Nobody resumes the stream of another account, whose owner loses nothing by the attempt."
)
def test_stream_of_another_account_is_not_resumed(connect: Connect) -> None:
    stream, alice = resumable(connect, online=True), connect(label="alice")
    stream.cut()
    identifiers = tell(alice, stream.session.jid, 2)
    alice.sentinel()
    _, answer = ask_to_resume(connect, stream, handled=0, account=connect.account())
    require(answer.tag == f"{SM}failed", "<failed/>", answer)
    resumed, _ = resume(connect, stream)
    resumed.read(*identifiers)


@MANAGED.must("5", "10", says="An attempt at the stream of another account leaves a connection that lives as it is.")
def test_living_stream_is_safe_from_others(connect: Connect) -> None:
    stream, alice = resumable(connect, online=True), connect(label="alice")
    _, answer = ask_to_resume(connect, stream, handled=0, account=connect.account())
    require(answer.tag == f"{SM}failed", "<failed/>", answer)
    stream.read(*tell(alice, stream.session.jid, 2))
    require_acknowledged(stream)


@MANAGED.must_not("10", says="A stream is not resumed before authentication, though its id is known.")
def test_stream_is_not_resumed_before_authentication(connect: Connect) -> None:
    stream = resumable(connect, online=True)
    stream.cut()
    thief = connect(Stage.SECURED, label="thief")
    try:
        thief.send(resumption(stream.name, stream.tally.handled))
        answer = thief.expect(is_one_of("resumed", "failed"), "<failed/>, or the end of the stream")
        require(answer.tag == f"{SM}failed", "<failed/>, or the end of the stream", answer)
    except StreamFailed:
        pass  # what comes before authentication may end the stream
    resume(connect, stream)


# --- what is over


@over_websocket
@MANAGED.must("5", "7", says="A stream that was closed is over: it is not resumed.")
def test_closed_stream_is_not_resumed(connect: Connect) -> None:
    stream = resumable(connect, online=True)
    stream.session.close(farewell=stream.session.patience)
    _, answer = ask_to_resume(connect, stream)
    require(answer.tag == f"{SM}failed", "<failed/>", answer)


@MANAGED.must("7", says="When a client closes its stream, unavailable presence is sent on its behalf, at once.")
def test_closed_stream_is_unavailable(connect: Connect) -> None:
    account, bob, carol = watched(connect)
    stream = make_resumable(bob, account)
    bob.sentinel()
    stream.session.close(farewell=bob.patience)
    carol.expect(is_unavailable(bob.jid), "unavailable presence")


# --- requests that say nothing, or too much


BROKEN = {
    "no-previd": "h='0'",
    "no-h": "previd='{name}'",
    "neither": "",
    "h-word": "previd='{name}' h='none'",
    "h-negative": "previd='{name}' h='-1'",
    "h-empty": "previd='{name}' h=''",
}


@pytest.mark.parametrize("attributes", BROKEN.values(), ids=list(BROKEN))
@MANAGED.must(
    "6", "5", says="A resumption that lacks its stream or its count is refused by <failed/>, or ends the stream."
)
def test_broken_resumption_is_refused(attributes: str, connect: Connect) -> None:
    stream = resumable(connect, online=True)
    stream.cut()
    session = connect(Stage.AUTHENTICATED, account=stream.account, label="again")
    session.send(f"<resume xmlns='{STREAM_MANAGEMENT}' {attributes.format(name=stream.name)}/>")
    try:
        answer = session.expect(is_one_of("resumed", "failed"), "<failed/>, or a stream error")
    except (StreamFailed, StreamEnded, ConnectionLost):
        return  # misuse may end the stream
    require(answer.tag == f"{SM}failed", "<failed/>, or the end of the stream", answer)


@MANAGED.should(
    "6", says="A resumption that says that more was handled than was sent ends the stream, or is refused."
)
def test_resumption_with_too_high_a_count_is_refused(connect: Connect) -> None:
    stream = resumable(connect, online=True)
    stream.session.sentinel()
    stream.cut()
    session = connect(Stage.AUTHENTICATED, account=stream.account, label="again")
    session.send(resumption(stream.name, stream.tally.handled + 1000))
    session.jid = stream.session.jid
    try:
        answer = session.expect(is_one_of("resumed", "failed"), "<failed/>, or a stream error")
        if answer.tag == f"{SM}resumed":
            session.expect_stream_error("undefined-condition")
    except StreamFailed as error:
        require_equal(error.condition, "undefined-condition", "the stream error")


@MANAGED.must("6", "5", says="A resumption asked for when a resource is bound is answered, or ends the stream.")
def test_resumption_behind_bind_is_answered(connect: Connect) -> None:
    stream = resumable(connect, online=True)
    stream.cut()
    session = connect(account=stream.account, label="again")
    session.send(resumption(stream.name, stream.tally.handled))
    try:
        session.expect(is_one_of("resumed", "failed"), "<resumed/>, <failed/>, or a stream error")
    except (StreamFailed, StreamEnded, ConnectionLost):
        return  # misuse may end the stream
