"""XEP-0198 §9.2: a stream resumed along with the login, by SASL2 (XEP-0388)."""

from __future__ import annotations

from lab.plugin import Connect, Specification, require, require_equal
from lab.wire.namespaces import NS, STREAM
from scenarios.server._sasl2 import (
    authenticate,
    features_behind,
    message_of_plain,
    offered_inline,
    require_success,
    secured,
)
from scenarios.server.xep0198._inline import AGENT, resumed_by_login, resuming
from scenarios.server.xep0198._managed import resumable, resumption, tell
from scenarios.server.xep0386._bound import talks

MANAGED = Specification("XEP-0198")


@MANAGED.must("9.2", says="<resume/> along with the login is answered in the success, by <resumed/> of that stream.")
def test_stream_is_resumed_by_login(connect: Connect) -> None:
    stream, alice = resumable(connect, online=True), connect(label="alice")
    stream.cut()
    _, answer = resumed_by_login(connect, stream)
    resumed = answer.find("sm:resumed", NS)
    told = (resumed.get("previd"), resumed.get("h")) if resumed is not None else None
    require_equal(told, (stream.name, str(stream.tally.sent_stanzas)), "'previd' and 'h'")
    require(answer.find("sm:failed", NS) is None, "no <failed/>", answer)
    alice.sentinel()


@MANAGED.must("9.2", says="A stream resumed along with the login is the old one: what was lost on it comes.")
def test_stream_resumed_by_login_has_what_was_lost(connect: Connect) -> None:
    stream, alice = resumable(connect, online=True), connect(label="alice")
    stream.cut()
    identifiers = tell(alice, stream.session.jid, 3)
    alice.sentinel()
    resumed, _ = resumed_by_login(connect, stream)
    resumed.read(*identifiers)
    require_equal(resumed.came(identifiers), identifiers, "messages, in order")
    talks(resumed.session, alice)


@MANAGED.must_not("9.2", says="No features follow a success by which a stream is resumed: the stream goes on.")
def test_no_features_follow_resumption_by_login(connect: Connect) -> None:
    stream = resumable(connect)
    stream.cut()
    resumed, _ = resumed_by_login(connect, stream)
    resumed.session.sentinel()
    came = [e for e in resumed.session.inbox if e.tag == f"{{{STREAM}}}features"]
    require(not came, "no features behind <resumed/>", came[0] if came else None)


@MANAGED.must("9.2.1", says="A resumption that fails is told by <failed/> in the success.")
def test_failed_resumption_is_told(connect: Connect) -> None:
    stream = resumable(connect)
    stream.cut()
    session, answer = resuming(connect, stream, "", previd=f"no-{stream.name}")
    require(answer.find("sm:failed", NS) is not None, "<failed/> in the success", answer)
    require(answer.find("sm:resumed", NS) is None, "no <resumed/>", answer)
    require_equal(require_success(answer), stream.account.jid, "the authorization identifier")
    features_behind(session)


@MANAGED.must("9.2.1", says="The stream of somebody else is not resumed by a login: <failed/>, and nothing of it.")
def test_stream_of_another_is_notresumed_by_login(connect: Connect) -> None:
    stream, mallory = resumable(connect), connect.account()
    stream.cut()
    session = secured(connect, mallory, "PLAIN", label="mallory")
    offered_inline(session, "sm:sm", "stream resumption")
    asked = f"{AGENT}{resumption(stream.name, stream.tally.handled)}"
    answer = authenticate(session, "PLAIN", message_of_plain(mallory), asked)
    require_equal(require_success(answer), mallory.jid, "the authorization identifier")
    require(answer.find("sm:failed", NS) is not None, "<failed/> in the success", answer)
    require(answer.find("sm:resumed", NS) is None, "no <resumed/>", answer)
