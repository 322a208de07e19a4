"""XEP-0220 §2.1.2, §2.2.1: we want to send to the server, which dials back before it lets us in."""

from __future__ import annotations

from contextlib import suppress

import pytest

from lab.cell import Cell
from lab.plugin import Specification, impossible, require, require_equal, unsupported
from lab.plugin.federation import Remote, Remotes
from lab.wire.namespaces import NS
from lab.wire.negotiation import Stage, starttls
from lab.wire.s2s import ServerSession, answer_verify, dialback, is_dialback, open_server_stream
from lab.wire.session import Session, StreamEnded, StreamFailed, new_id
from lab.wire.transport import ConnectionLost, NoAnswer, client_context
from scenarios.server.xep0220._dialback import (
    are_let_in,
    ask_to_be_let_in,
    be_through,
    caller,
    delivered,
    is_asked,
    key_of,
    not_delivered,
    require_dialback_error,
    result,
    through_or_ended,
)

XEP = Specification("XEP-0220")
NO_SUCH_DOMAIN = f"<error type='cancel'><item-not-found xmlns='{NS['stanzas']}'/></error>"


def caller_who_is_told_errors(remote: Remote, *, jid: str = "") -> ServerSession:
    """As `caller`; `unsupported` where the server does not say that it answers with dialback errors (§2.4.2)."""
    session = caller(remote, jid=jid)
    features = session.features
    if features is None or features.find("dialback:dialback/dialback:errors", NS) is None:
        unsupported("dialback errors among its features")
    return session


# --- asking the authoritative server (§2.1.2)


@XEP.must("2.1.2", says="<db:verify/> is from the target domain, to the sender domain, with the id of our stream.")
def test_verify_has_both_domains_and_the_stream_id(alice: Session, remote: Remote) -> None:
    session = caller(remote)
    ask_to_be_let_in(session)
    _, asked = is_asked(session, remote)
    seen = (asked.get("from"), asked.get("to"), asked.get("id"))
    require_equal(seen, (alice.domain, remote.domain, session.stream_id), "from, to and id")


@XEP.must("2.1.2", says="<db:verify/> has the key just as it was sent, and no type.")
def test_verify_has_the_key(remote: Remote) -> None:
    session = caller(remote)
    key = ask_to_be_let_in(session)
    _, asked = is_asked(session, remote)
    require_equal((key_of(asked), asked.get("type")), (key, None), "the key and the type")


@pytest.mark.parametrize("wrong", ["id", "sender", "target"])
@XEP.must("2.1.2", "3.1", says="An answer counts only for a request with its 'from', 'to' and 'id'.")
def test_answer_to_another_request_does_not_count(remote: Remote, wrong: str) -> None:
    session = caller(remote)
    ask_to_be_let_in(session)
    asking, asked = is_asked(session, remote)
    facts = {
        "id": {"stream_id": new_id()},
        "sender": {"sender": "someone.test"},
        "target": {"to": f"other.{session.domain}"},
    }
    answer_verify(asking, asked, "valid", **facts[wrong])
    asking.close(farewell=asking.patience)
    through_or_ended(session)
    session.nothing_by_now(
        dialback("result", session, kind="valid", sender=session.domain, to=remote.domain),
        lambda e: is_dialback(e, "result") and e.get("type") == "valid",
        "the word that the key is valid",
    )


# --- letting in (§2.2.1)


@XEP.must("2.2.1", says="Who is let in is told so: <db:result/> of type valid, from the target to the sender domain.")
def test_valid_key_is_told_so(alice: Session, remote: Remote) -> None:
    session = caller(remote)
    ask_to_be_let_in(session)
    asking, asked = is_asked(session, remote)
    answer_verify(asking, asked, "valid")
    told = session.expect(lambda e: is_dialback(e, "result"), "<db:result/>")
    seen = (told.get("type"), told.get("from"), told.get("to"))
    require_equal(seen, ("valid", alice.domain, remote.domain), "type, from and to")


@XEP.must("2.2.1", says="Once the key is known to be right, stanzas are accepted.")
def test_stanzas_are_accepted_once_verified(alice: Session, remote: Remote) -> None:
    session = caller(remote)
    are_let_in(remote, session)
    delivered(alice, session, remote.domain)


@XEP.must("2.2.1", says="Before the identity of the initiating server is verified, it may send no stanza.")
def test_stanza_without_dialback_is_not_accepted(alice: Session, remote: Remote) -> None:
    session = caller(remote)
    not_delivered(alice, session, remote.domain, lambda: through_or_ended(session))


@XEP.must("2.2.1", says="While its key is being verified, the initiating server may send no stanza.")
def test_stanza_while_verification_lasts_is_not_accepted(alice: Session, remote: Remote) -> None:
    session = caller(remote)
    ask_to_be_let_in(session)
    is_asked(session, remote)
    not_delivered(alice, session, remote.domain, lambda: through_or_ended(session))


@XEP.must("2.2.1", says="Who is told that the key is invalid, and has no other domain here, has the stream ended.")
def test_invalid_key_ends_the_stream(remote: Remote) -> None:
    session = caller(remote)
    ask_to_be_let_in(session)
    asking, asked = is_asked(session, remote)
    answer_verify(asking, asked, "invalid")
    try:
        told = result(session)
    except (StreamFailed, StreamEnded, ConnectionLost):
        return
    if told.get("type") == "invalid":  # an error instead leaves the stream as it is (§2.1.2)
        asking.close()
        # Who closes first may wait with the connection (RFC 6120 §4.4), or say why it closes.
        with suppress(ConnectionLost, StreamEnded, StreamFailed):
            require(None, "the end of the stream", session.receive())


@XEP.should("2.2.1", says="A server whose key is invalid is told so: <db:result/> of type invalid.")
def test_invalid_key_is_told_so(remote: Remote) -> None:
    session = caller(remote)
    ask_to_be_let_in(session)
    asking, asked = is_asked(session, remote)
    answer_verify(asking, asked, "invalid")
    told = result(session)
    if told.get("type") == "error":  # which is not to relay the result (§2.1.2)
        return
    require_equal(told.get("type"), "invalid", "the type of <db:result/>")


@XEP.must_not("2.2.1", says="Stanzas of a server whose key is invalid are not accepted.")
def test_stanza_with_an_invalid_key_is_not_accepted(alice: Session, remote: Remote) -> None:
    session = caller(remote)
    ask_to_be_let_in(session)
    asking, asked = is_asked(session, remote)
    answer_verify(asking, asked, "invalid")
    with suppress(StreamFailed, StreamEnded, ConnectionLost):  # it may have ended the stream
        result(session)
        not_delivered(alice, session, remote.domain, lambda: through_or_ended(session))


# --- what does not let in (§3.1)


@XEP.must("2.1.2", "3.1", says="An answer that comes on the stream of the one who wants to be let in does not count.")
def test_answer_on_the_callers_own_stream_does_not_count(alice: Session, remote: Remote) -> None:
    session = caller(remote)
    ask_to_be_let_in(session)
    _, asked = is_asked(session, remote)
    answer_verify(session, asked, "valid")
    not_delivered(alice, session, remote.domain, lambda: through_or_ended(session))


@pytest.mark.parametrize("name", ["result", "verify"])
@XEP.must("2.2.1", "3.1", says="A word that somebody is valid, for which nobody asked, lets nobody in.")
def test_unasked_word_does_not_count(alice: Session, remote: Remote, name: str) -> None:
    session = caller(remote)
    word = dialback("result", session, kind="valid")
    if name == "verify":
        word = dialback("verify", session, kind="valid", stream_id=session.stream_id)
    session.send(word)
    not_delivered(alice, session, remote.domain, lambda: through_or_ended(session))


@XEP.must("2.2.1", says="Who is let in for one sender domain sends no stanzas of another one.")
def test_stanza_of_another_domain_is_not_accepted(alice: Session, remote: Remote, remotes: Remotes) -> None:
    session = caller(remote)
    are_let_in(remote, session)
    not_delivered(alice, session, remotes().domain, lambda: through_or_ended(session))


@XEP.must("2.2.1", says="Who is let in for one sender domain is not let in for what lies below it.")
def test_stanza_of_a_subdomain_is_not_accepted(alice: Session, remote: Remote) -> None:
    session = caller(remote)
    are_let_in(remote, session)
    not_delivered(alice, session, remote.sibling("below"), lambda: through_or_ended(session))


# --- several domains on one stream (§2.2.1, §2.6)


@XEP.must("2.2.1", says="While another key is verified, stanzas of a domain that was let in are still accepted.")
def test_stanzas_go_on_while_another_key_is_verified(alice: Session, remote: Remote) -> None:
    session = caller(remote)
    asking = are_let_in(remote, session)
    ask_to_be_let_in(session, sender=remote.sibling("second"))
    is_asked(session, remote, jid=remote.sibling("second"), known=asking)
    delivered(alice, session, remote.domain)


@XEP.must("2.2.1", says="On a stream that was let in, requests about keys are still answered.")
def test_requests_go_on_behind_authorisation(remote: Remote) -> None:
    session = caller(remote)
    are_let_in(remote, session)
    be_through(session)


def is_let_in_besides(
    remote: Remote, session: ServerSession, asking: ServerSession, *, sender: str = "", to: str = ""
) -> None:
    """As `are_let_in`, for one more pair of domains, which a server need not take (§2.6)."""
    ask_to_be_let_in(session, sender=sender, to=to)
    try:
        asking, asked = is_asked(session, remote, jid=sender, domain=to, known=asking)
        answer_verify(asking, asked, "valid")
        told = result(session, sender=sender, to=to)
    except (StreamFailed, StreamEnded, ConnectionLost):
        unsupported("a second pair of domains: the stream is ended")
    if told.get("type") == "error":
        unsupported("a second pair of domains: it is refused by an error")
    require(told.get("type") == "valid", "<db:result/> of type valid", told)


@XEP.may("2.6.1", "2.2.1", says="One stream may carry several sender domains, each with a key of its own.")
def test_second_sender_domain_is_let_in(alice: Session, remote: Remote) -> None:
    session = caller(remote)
    asking = are_let_in(remote, session)
    second = remote.sibling("second")
    is_let_in_besides(remote, session, asking, sender=second)
    delivered(alice, session, second)
    delivered(alice, session, remote.domain)


@XEP.may("2.6.2", says="One stream may go to several target domains, each with a key of its own.")
def test_second_target_domain_is_let_in(cell: Cell, remote: Remote) -> None:
    service = cell.services.get("muc")
    if service is None:
        impossible("the cell names no second domain of the server")
    session = caller_who_is_told_errors(remote)
    asking = are_let_in(remote, session)
    is_let_in_besides(remote, session, asking, to=service)


# --- errors (§2.5)


@XEP.must("2.2.1", "2.5", says="A target domain that is not here is answered with an error.")
def test_unknown_target_is_an_error(remote: Remote) -> None:
    session = caller_who_is_told_errors(remote)
    ask_to_be_let_in(session, to="nowhere.test")
    require_dialback_error(result(session, to="nowhere.test"))


@XEP.should("2.5", "2.2.1", says="A target domain that is not here is told by the condition item-not-found.")
def test_unknown_target_is_not_found(remote: Remote) -> None:
    session = caller_who_is_told_errors(remote)
    ask_to_be_let_in(session, to="nowhere.test")
    require_dialback_error(result(session, to="nowhere.test"), "item-not-found")


@XEP.must_not("2.2.1", says="A target domain that is not here does not end the stream.")
def test_unknown_target_does_not_end_the_stream(remote: Remote) -> None:
    session = caller(remote)
    ask_to_be_let_in(session, to="nowhere.test")
    be_through(session)


@XEP.must("2.4.2", says="A server that answers with dialback errors says so in its features: <dialback><errors/>.")
def test_errors_are_advertised(remote: Remote) -> None:
    caller(remote).close()  # the check is unsupported where it cannot be called so
    session = remote.call(Stage.OPENED, anonymous=True)
    starttls(session, client_context(remote.ca))
    features = open_server_stream(session)
    ask_to_be_let_in(session, to="nowhere.test")
    try:
        told = result(session, to="nowhere.test")
    except (StreamFailed, StreamEnded, ConnectionLost, NoAnswer):
        unsupported("dialback errors: the stream is ended instead, or nothing said")
    if told.get("type") != "error":
        unsupported("dialback errors: the key is called invalid")
    found = features.find("dialback:dialback/dialback:errors", NS)
    require(found is not None, "<dialback><errors/></dialback> in the features", features)


@XEP.must("2.5", says="Where the authoritative server has an error, the initiating one gets remote-server-not-found.")
def test_error_of_the_authoritative_server_is_told(remote: Remote) -> None:
    session = caller_who_is_told_errors(remote)
    ask_to_be_let_in(session)
    asking, asked = is_asked(session, remote)
    answer_verify(asking, asked, "error", NO_SUCH_DOMAIN)
    require_dialback_error(result(session), "remote-server-not-found")


@XEP.must_not("2.5", "2.2.1", says="Where the authoritative server has an error, the initiating one is not let in.")
def test_error_of_the_authoritative_server_lets_nobody_in(alice: Session, remote: Remote) -> None:
    session = caller(remote)
    ask_to_be_let_in(session)
    asking, asked = is_asked(session, remote)
    answer_verify(asking, asked, "error", NO_SUCH_DOMAIN)
    with suppress(StreamFailed, StreamEnded, ConnectionLost):  # it may have ended the stream
        require(result(session).get("type") != "valid", "no word that the key is valid", "type valid")
        not_delivered(alice, session, remote.domain, lambda: through_or_ended(session))


UNREACHABLE = ("remote-server-not-found", "remote-connection-failed", "remote-server-timeout")


@pytest.mark.parametrize("place", ["nothing", "gone.s1", "refused.s0"])
@XEP.must("2.5", says="Where the authoritative server cannot be reached, the initiating server gets an error.")
def test_unreachable_domain_is_an_error(remote: Remote, place: str) -> None:
    session = caller_who_is_told_errors(remote, jid=f"{place}.{remote.zone}")
    ask_to_be_let_in(session)
    require_dialback_error(result(session), *UNREACHABLE)


@pytest.mark.parametrize("end", ["stream", "connection"])
@XEP.should("2.1.2", "2.5", says="A request that the authoritative server leaves unanswered, and goes, has failed.")
def test_unanswered_request_is_an_error(remote: Remote, end: str) -> None:
    session = caller_who_is_told_errors(remote)
    ask_to_be_let_in(session)
    asking, _ = is_asked(session, remote)
    if end == "stream":
        asking.close()
    else:
        asking.abandon()
    require_dialback_error(result(session), *UNREACHABLE)
