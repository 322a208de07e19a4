"""Proofs of the faults that are planted for fuzz campaigns: what triggers each, and what just does not."""

from __future__ import annotations

import pytest

from lab.plugin import Connect
from lab.wire.namespaces import DISCO_INFO, DISCO_ITEMS, PING, VERSION
from lab.wire.session import Session, stanza_error_condition
from lab.wire.stream import PeerViolation
from lab.wire.transport import NoAnswer
from tests.fakes.proofs import SHORT, proves


@proves("swallows-items-of-a-node")
def swallows(connect: Connect) -> None:
    session = connect()
    session.iq("get", f"<query xmlns='{DISCO_ITEMS}'/>", to=session.domain)
    session.iq("get", f"<query xmlns='{DISCO_ITEMS}' node='a'/>", to=session.bare_jid)
    _unanswered(session, f"<query xmlns='{DISCO_ITEMS}' node='a'/>")
    session.sentinel()


@proves("answers-version-twice")
def answers_twice(connect: Connect) -> None:
    session = connect()
    first = session.iq("get", f"<query xmlns='{VERSION}'/>", to=session.domain)
    again = session.expect(first.get("id") or "")
    assert stanza_error_condition(again) == stanza_error_condition(first) == "service-unavailable"
    session.sentinel()
    assert session.inbox == []


@proves("wrong-id-to-own-ping")
def wrong_id(connect: Connect) -> None:
    session = connect()
    session.iq("get", f"<ping xmlns='{PING}'/>", to=session.domain)
    for own in ("", f" to='{session.bare_jid}'"):
        session.send(f"<iq type='get' id='p'{own}><ping xmlns='{PING}'/></iq>")
        assert session.expect("wrong-p").get("type") == "result"


@proves("passes-on-comments")
def passes_on_comments(connect: Connect) -> None:
    alice, bob = connect(label="alice"), connect(label="bob")
    other = connect(label="other")
    alice.send(f"<message to='{bob.jid}' id='cdata'><body><![CDATA[<!--x-->]]></body></message>")
    assert bob.expect("cdata").findtext("{*}body") == "<!--x-->"
    other.send(f"<iq type='get' id='i' to='{other.domain}'><!--x--><ping xmlns='{PING}'/></iq>")
    other.expect_stream_error("restricted-xml")
    for comment in ("<!---->", "<!-- é<a/> -->"):
        alice.send(f"<message to='{bob.jid}' id='m'><body>a{comment}b</body></message>")
        alice.sentinel()
        with pytest.raises(PeerViolation) as caught:
            bob.receive()
        assert caught.value.condition == "restricted-xml"
        assert f"a{comment}b" in "".join(e.text for e in connect.trace.entries if e.session == bob.label)
        bob = connect(label="bob")


@proves("leaks-headlines")
def leaks(connect: Connect) -> None:
    alice, bob, carol = connect(label="alice"), connect(label="bob"), connect(label="carol")
    alice.send(f"<message to='{bob.jid}' id='no'><subject>a</subject></message>")
    alice.send(f"<message to='{bob.jid}' id='nor' type='headline'><body>a</body></message>")
    alice.send(f"<message to='{bob.jid}' id='m' type='headline'><subject>a</subject></message>")
    alice.sentinel(bob)
    assert [m.get("id") for m in bob.inbox] == ["no", "nor", "m"]
    assert carol.receive(timeout=SHORT).get("id") == "m"
    assert carol.inbox == []


@proves("hangs-on-accented-node")
def hangs(connect: Connect) -> None:
    session, other = connect(), connect()
    session.iq("get", f"<query xmlns='{DISCO_INFO}' node='e\u0301 2½ \U0001f600'/>", to=session.domain)
    _unanswered(session, f"<query xmlns='{DISCO_INFO}' node='é'/>")
    with pytest.raises(NoAnswer):
        session.sentinel()
    with pytest.raises(NoAnswer):
        session.expect_closed()
    other.sentinel()


@proves("planted-faults")
def all_six(connect: Connect) -> None:
    for proof in (swallows, answers_twice, wrong_id, passes_on_comments, leaks, hangs):
        proof(connect)


def _unanswered(session: Session, payload: str) -> None:
    session.patience = SHORT
    with pytest.raises(NoAnswer):
        session.iq("get", payload, to=session.domain)
