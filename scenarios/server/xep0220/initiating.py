"""XEP-0220 §2.1.1: the server wants to send to us, and dialback is all that we offer."""

from __future__ import annotations

from contextlib import suppress

import pytest

from lab.plugin import Specification, require
from lab.plugin.federation import Remote
from lab.wire.namespaces import DIALBACK, NS
from lab.wire.negotiation import Stage
from lab.wire.s2s import dialback, is_dialback
from lab.wire.session import Session
from lab.wire.transport import NoAnswer
from scenarios.server.xep0220._dialback import (
    arrives,
    asks_to_be_let_in,
    comes_back,
    has_id,
    key_of,
    let_in,
    say,
    text,
)

XEP = Specification("XEP-0220")


@XEP.must("2.1.1", says="The initiating server's <db:result/> is from the sender domain, to the target domain.")
def test_result_has_both_domains(alice: Session, remote: Remote) -> None:
    say(alice, remote.domain)
    asks_to_be_let_in(remote)


@XEP.must("2.1.1", says="The initiating server's <db:result/> has the key as its text, and asks: it has no type.")
def test_result_has_a_key(alice: Session, remote: Remote) -> None:
    say(alice, remote.domain)
    _, asked = asks_to_be_let_in(remote)
    require(key_of(asked) and len(asked) == 0, "a key as the text of <db:result/>", asked)
    require(asked.get("type") is None, "no type", asked)


@XEP.must(
    "2", says="What is of dialback's namespace bears the prefix that the sender's stream header declares for it."
)
def test_prefix_is_that_of_the_header(alice: Session, remote: Remote) -> None:
    say(alice, remote.domain)
    session, asked = asks_to_be_let_in(remote)
    declared = session.header.element.nsmap if session.header else {}
    require(
        asked.prefix and declared.get(asked.prefix) == DIALBACK,
        f"a prefix that the stream header declares ({declared})",
        asked,
    )


@XEP.must_not("2.1.1", says="Before it is let in, the initiating server sends no stanza for the domain pair.")
def test_no_stanza_comes_before_authorisation(alice: Session, remote: Remote) -> None:
    identifier = say(alice, remote.domain)
    session, _ = asks_to_be_let_in(remote)
    alice.sentinel()
    session.nothing_by_now(
        text(alice.jid, f"bob@{remote.domain}", identifier), has_id(identifier), "a stanza before authorisation"
    )
    let_in(session)
    arrives(session, alice, identifier)


@XEP.must("2.1.1", says="Stanzas wait until the initiating server is let in, and then go out, in their order.")
def test_stanzas_wait_for_authorisation(alice: Session, remote: Remote) -> None:
    sent = [say(alice, remote.domain) for _ in range(5)]
    session, _ = asks_to_be_let_in(remote)
    let_in(session)
    for identifier in sent:
        arrives(session, alice, identifier)
        early = [one for one in session.inbox if one.get("id") in sent]
        require(not early, "each message behind the one before", f"first: {early[:1]}")


@XEP.must_not("2.1.1", says="What is told to be invalid is not sent: no stanza goes out for that domain pair.")
def test_no_stanza_comes_where_the_key_is_invalid(alice: Session, remote: Remote) -> None:
    identifier = say(alice, remote.domain)
    session, _ = asks_to_be_let_in(remote)
    session.send(dialback("result", session, kind="invalid"))
    with suppress(NoAnswer):  # what comes back is another check's matter
        comes_back(alice, identifier)
    session.nothing_by_now(
        text(alice.jid, f"bob@{remote.domain}", identifier), has_id(identifier), "a stanza for an invalid domain pair"
    )


@XEP.must("2.1.1", says="Where the key is told to be invalid, stanzas come back as an error.")
def test_invalid_returns_what_waits(alice: Session, remote: Remote) -> None:
    identifier = say(alice, remote.domain)
    session, _ = asks_to_be_let_in(remote)
    session.send(dialback("result", session, kind="invalid"))
    # RFC 6120 §10.4.3 and §8.3.3.17 have remote-server-timeout for that, as for all of dialback.
    comes_back(alice, identifier, "internal-server-error", "remote-server-timeout")


ERRORS = ("item-not-found", "remote-connection-failed", "policy-violation", "not-authorized", "forbidden")


@pytest.mark.parametrize("condition", ERRORS)
@XEP.must("2.1.1", "2.5", says="Where dialback ends in an error, stanzas come back as remote-server-timeout.")
def test_error_returns_what_waits(alice: Session, remote: Remote, condition: str) -> None:
    identifier = say(alice, remote.domain)
    session, _ = asks_to_be_let_in(remote)
    error = f"<error type='cancel'><{condition} xmlns='{NS['stanzas']}'/></error>"
    session.send(dialback("result", session, error, kind="error"))
    comes_back(alice, identifier, "remote-server-timeout")


@pytest.mark.parametrize("end", ["stream", "connection"])
@XEP.must("2.1.1", says="Where the stream ends without a result, stanzas come back as remote-server-timeout.")
def test_end_without_result_returns_what_waits(alice: Session, remote: Remote, end: str) -> None:
    identifier = say(alice, remote.domain)
    session, _ = asks_to_be_let_in(remote)
    if end == "stream":
        session.close()
    else:
        session.abandon()
    comes_back(alice, identifier, "remote-server-timeout")


WRONG = ("another-sender", "another-target", "swapped")


@pytest.mark.parametrize("pair", WRONG)
@XEP.must("2.1.1", "3.1", says="A result counts only for a domain pair that was asked for on the same stream.")
def test_result_for_another_pair_does_not_count(alice: Session, remote: Remote, pair: str) -> None:
    identifier = say(alice, remote.domain)
    session, _ = asks_to_be_let_in(remote)
    sender = {"another-sender": "someone.test", "swapped": alice.domain}.get(pair, remote.domain)
    to = {"another-target": f"other.{alice.domain}", "swapped": remote.domain}.get(pair, alice.domain)
    session.send(dialback("result", session, kind="valid", sender=sender, to=to))
    session.send(dialback("result", session, kind="invalid"))
    with suppress(NoAnswer):  # what comes back is another check's matter
        comes_back(alice, identifier)
    session.nothing_by_now(
        text(alice.jid, f"bob@{remote.domain}", identifier),
        has_id(identifier),
        "a stanza for a domain pair not let in",
    )


RECONNECTED = 65.0
"""Seconds: who connects again should wait for up to 60 before it does (RFC 6120 §3.3)."""


@XEP.must("2.1.1", says="Each stream is asked for with a key of its own: an old one lets nobody in.")
def test_key_is_new_on_each_stream(alice: Session, remote: Remote) -> None:
    keys = []
    for timeout in (None, RECONNECTED):
        identifier = say(alice, remote.domain)
        session, asked = asks_to_be_let_in(remote, timeout=timeout)
        keys.append(key_of(asked))
        let_in(session)
        arrives(session, alice, identifier)
        session.close(farewell=session.patience)
    require(keys[0] != keys[1], "two keys for two streams", f"the same key twice: {keys[0]}")


@XEP.should_not("2.6.2", says="Who did not say that it knows dialback errors is sent no key for a second domain.")
def test_target_multiplexing_needs_dialback_errors(alice: Session, remote: Remote) -> None:
    first = say(alice, remote.domain)
    session, _ = asks_to_be_let_in(remote, offers="<dialback xmlns='urn:xmpp:features:dialback'/>")
    let_in(session)
    arrives(session, alice, first)
    second = remote.sibling("second")
    say(alice, second)
    remote.receive(Stage.CONNECTED, jid=second)
    session.nothing_by_now(
        dialback("result", session, "key", sender=alice.domain, to=second),
        lambda e: is_dialback(e, "result") and e.get("to") == second,
        "a key for a second target domain",
    )


@XEP.should("2.1.1", says="Once it is let in, the server goes on sending on that stream, without asking again.")
def test_stream_is_used_again(alice: Session, remote: Remote) -> None:
    first = say(alice, remote.domain)
    session, _ = asks_to_be_let_in(remote)
    let_in(session)
    arrives(session, alice, first)
    second = say(alice, remote.domain)
    arrives(session, alice, second)
