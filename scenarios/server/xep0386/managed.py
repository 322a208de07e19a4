"""XEP-0386 §3.2: stream management switched on along with the bind (XEP-0198 §9.1), and resumption before it."""

from __future__ import annotations

import pytest

from lab.plugin import Connect, Specification, require, require_equal
from lab.wire.namespaces import NS, STREAM_MANAGEMENT
from lab.wire.sasl2 import UserAgent
from scenarios.server._contacts import appear
from scenarios.server._sasl2 import authenticate, features_behind, message_of_plain, require_success, secured
from scenarios.server.xep0198._inline import resumed_by_login, resuming
from scenarios.server.xep0198._managed import (
    REQUEST,
    TRUE,
    Managed,
    Tally,
    is_one_of,
    resumable,
    resume,
    resumption,
    tell,
)
from scenarios.server.xep0386._bound import bound, talks, wish

BIND = Specification("XEP-0386")

ENABLE = f"<enable xmlns='{STREAM_MANAGEMENT}' resume='true'/>"


# --- enabling


@BIND.must("3.2", says="<enable/> along with the bind is answered in <bound/>, by <enabled/> or <failed/>.")
def test_enabled_stands_in_bound(connect: Connect) -> None:
    alice = bound(connect, inner=ENABLE, feature=STREAM_MANAGEMENT)
    within = alice.has("bind2:bound", "<bound/>")
    answers = [child for child in within if is_one_of("enabled", "failed")(child)]
    require(len(answers) == 1, "one <enabled/> or <failed/> in <bound/>", alice.success)


def _managed(connect: Connect, label: str = "bob") -> Managed:
    """A stream that is managed, and resumable, from its bind on."""
    there = bound(connect, inner=ENABLE, feature=STREAM_MANAGEMENT, label=label)
    tally = Tally(there.session)
    enabled = there.has("bind2:bound/sm:enabled", "<enabled/> in <bound/>")
    require(enabled.get("resume") in TRUE and enabled.get("id"), "a stream that can be resumed", enabled)
    return Managed(there.session, there.account, enabled, tally)


@BIND.must("3.2", says="A stream managed from its bind on counts from there what the client sends.")
def test_stanzas_are_counted_from_the_bind(connect: Connect) -> None:
    stream = _managed(connect)
    stream.session.send("<presence/>")
    stream.session.send(REQUEST)
    answer = stream.session.expect(is_one_of("a"), "<a/>")
    require_equal(answer.get("h"), str(stream.tally.sent_stanzas), "'h'")


@BIND.must("3.2", says="A stream managed from its bind on is resumed as any other, and what was lost comes again.")
def test_stream_managed_by_bind_isresumed_by_login(connect: Connect) -> None:
    stream, alice = _managed(connect), connect(label="alice")
    appear(stream.session)
    stream.cut()
    identifiers = tell(alice, stream.session.jid, 3)
    alice.sentinel()
    resumed, _ = resume(connect, stream)
    resumed.read(*identifiers)
    require_equal(resumed.came(identifiers), identifiers, "messages, in order")


@BIND.must("3.2", says="Where a stream is resumed, the bind is ignored: no <bound/>, and the JID of old.")
@pytest.mark.parametrize("tag", [pytest.param(None, id="no-tag"), pytest.param("another", id="tag")])
def test_bind_is_ignored_where_a_stream_isresumed_by_login(connect: Connect, tag: str | None) -> None:
    stream, alice = resumable(connect, online=True), connect(label="alice")
    stream.cut()
    resumed, answer = resumed_by_login(connect, stream, wish(ENABLE, tag=tag))
    require(answer.find("bind2:bound", NS) is None, "no <bound/>", answer)
    jid = require_success(answer)
    require(jid in {stream.account.jid, stream.session.jid}, f"the JID of old, {stream.session.jid}", answer)
    talks(resumed.session, alice)


@BIND.must("3.2", says="<resume/> comes first: a client that binds along with it does not end the stream of its own.")
def test_resumption_comes_before_the_bind(connect: Connect) -> None:
    account, alice, agent = connect.account(), connect(label="alice"), UserAgent.new()
    there = bound(connect, account, ENABLE, tag="Stanzalab", agent=agent, feature=STREAM_MANAGEMENT, label="bob")
    stream = Managed(there.session, account, there.has("bind2:bound/sm:enabled", "<enabled/>"))
    appear(stream.session)
    stream.cut()
    session = secured(connect, account, "PLAIN", label="again")
    asked = f"{agent.xml()}{resumption(stream.name, stream.tally.handled)}{wish(ENABLE, tag='Stanzalab')}"
    answer = authenticate(session, "PLAIN", message_of_plain(account), asked)
    require_success(answer)
    require(answer.find("sm:resumed", NS) is not None, "<resumed/>", answer)
    require(answer.find("bind2:bound", NS) is None, "no <bound/>", answer)
    session.jid = stream.session.jid
    talks(session, alice)


@BIND.must("3.2", says="Where no stream could be resumed, that is told and the bind is done: a new session.")
@pytest.mark.parametrize("inner", [pytest.param("", id="bind-alone"), pytest.param(ENABLE, id="with-management")])
def test_failed_resumption_is_followed_by_the_bind(connect: Connect, inner: str) -> None:
    stream, alice = resumable(connect), connect(label="alice")
    stream.cut()
    session, answer = resuming(connect, stream, wish(inner), previd=f"no-{stream.name}")
    require(answer.find("sm:failed", NS) is not None, "<failed/> in the success", answer)
    require(answer.find("bind2:bound", NS) is not None, "<bound/> in the success", answer)
    session.jid = require_success(answer)
    require(session.resource, "a full JID as the authorization identifier", answer)
    if inner:
        require(answer.find("bind2:bound/sm:enabled", NS) is not None, "<enabled/> in <bound/>", answer)
    features_behind(session)
    talks(session, alice)
