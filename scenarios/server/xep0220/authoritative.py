"""XEP-0220 §2.2.2: somebody got a key in the server's name, and we ask the server whether it is right."""

from __future__ import annotations

import pytest

from lab.plugin import Specification, require_equal
from lab.plugin.federation import Remote, Remotes
from lab.wire.negotiation import Stage
from lab.wire.s2s import ServerSession, dialback, is_dialback
from lab.wire.session import Session, new_id
from lab.wire.stream import Element
from scenarios.server.xep0220._dialback import (
    arrives,
    asks_to_be_let_in,
    be_through,
    delivered,
    key_of,
    let_in,
    require_dialback_error,
    say,
)

XEP = Specification("XEP-0220")


def given(alice: Session, remote: Remote) -> tuple[ServerSession, str, str]:
    """A stream that the server wants to be let in on, its id, and the key."""
    say(alice, remote.domain)
    session, asked = asks_to_be_let_in(remote)
    return session, session.stream_id, key_of(asked)


def ask(asking: ServerSession, stream_id: str, key: str, *, sender: str = "", to: str = "") -> Element:
    """The server's answer to `<db:verify/>`."""
    asking.send(dialback("verify", asking, key, stream_id=stream_id, sender=sender, to=to))
    answer = asking.expect(
        lambda e: is_dialback(e, "verify") and e.get("id") == stream_id, f"an answer to <db:verify id='{stream_id}'/>"
    )
    pair = (to or asking.domain, sender or asking.jid)
    require_equal((answer.get("from"), answer.get("to")), pair, "the request's domains, swapped")
    return answer


@XEP.must("2.2.2", says="The authoritative server says that its own key is valid.")
def test_own_key_is_valid(alice: Session, remote: Remote) -> None:
    _, stream_id, key = given(alice, remote)
    answer = ask(remote.call(Stage.SECURED), stream_id, key)
    require_equal(answer.get("type"), "valid", "the type of the answer")


@XEP.must("2.2.2", says="The answer's 'from' and 'to' are the request's, swapped, and its 'id' is the request's.")
def test_answer_has_the_attributes_of_the_request(alice: Session, remote: Remote) -> None:
    _, stream_id, key = given(alice, remote)
    ask(remote.call(Stage.SECURED), stream_id, key)


@XEP.must("2.2.2", says="A whole dialback lets the server in: its key is asked about, is valid, and stanzas follow.")
def test_server_is_let_in_by_its_own_word(alice: Session, remote: Remote) -> None:
    identifier = say(alice, remote.domain)
    session, asked = asks_to_be_let_in(remote)
    answer = ask(remote.call(Stage.SECURED), session.stream_id, key_of(asked))
    require_equal(answer.get("type"), "valid", "the type of the answer")
    let_in(session)
    arrives(session, alice, identifier)


@pytest.mark.parametrize("wrong", ["made-up", "empty", "shortened", "of-another-stream"])
@XEP.must("2.2.2", says="A key that is not the one for this stream is invalid.")
def test_other_key_is_invalid(alice: Session, remote: Remote, remotes: Remotes, wrong: str) -> None:
    _, stream_id, key = given(alice, remote)
    match wrong:
        case "made-up":
            key = new_id() * 6
        case "empty":
            key = ""
        case "shortened":
            key = key[:-1]
        case _:
            _, _, key = given(alice, remotes())
    answer = ask(remote.call(Stage.SECURED), stream_id, key)
    require_equal(answer.get("type"), "invalid", "the type of the answer")


@XEP.must("2.2.2", says="A key is for one stream: with another stream's id, it is invalid.")
def test_key_with_another_id_is_invalid(alice: Session, remote: Remote) -> None:
    _, _, key = given(alice, remote)
    answer = ask(remote.call(Stage.SECURED), new_id(), key)
    require_equal(answer.get("type"), "invalid", "the type of the answer")


@XEP.must("2.2.2", says="A key is for one receiving domain: when another one asks, it is invalid.")
def test_key_of_another_domain_is_invalid(alice: Session, remote: Remote, remotes: Remotes) -> None:
    _, stream_id, key = given(alice, remote)
    answer = ask(remotes().call(Stage.SECURED), stream_id, key)
    require_equal(answer.get("type"), "invalid", "the type of the answer")


@XEP.should("2.5", "2.2.2", says="About a domain that is not here, the answer is an error: item-not-found.")
def test_unknown_domain_is_an_error(remote: Remote) -> None:
    asking = remote.call(Stage.SECURED)
    require_dialback_error(ask(asking, new_id(), "key", to="nowhere.test"), "item-not-found")


@XEP.must_not("2.2.2", says="A request about a domain that is not here does not end the stream.")
def test_unknown_domain_does_not_end_the_stream(remote: Remote) -> None:
    asking = remote.call(Stage.SECURED)
    asking.send(dialback("verify", asking, "key", stream_id=new_id(), to="nowhere.test"))
    be_through(asking)


@XEP.must("2.2.2", says="Requests come in any number on one stream, and each is answered with its own id.")
def test_each_request_is_answered(alice: Session, remote: Remote) -> None:
    _, stream_id, key = given(alice, remote)
    asking = remote.call(Stage.SECURED)
    ids = [new_id() for _ in range(4)]
    for identifier in (*ids, stream_id):
        asking.send(dialback("verify", asking, key, stream_id=identifier))
    seen = {}
    for _ in range(5):
        answer = asking.expect(lambda e: is_dialback(e, "verify"), "an answer to each <db:verify/>")
        require_equal((answer.get("from"), answer.get("to")), (alice.domain, remote.domain), "the domains, swapped")
        seen[answer.get("id")] = answer.get("type")
    require_equal(seen, {**dict.fromkeys(ids, "invalid"), stream_id: "valid"}, "the answers by id")


@XEP.must("2.2.2", says="Keys can be asked about on a stream that is logged in, too, and stanzas go on there.")
def test_request_on_a_stream_that_is_logged_in(alice: Session, remote: Remote) -> None:
    _, stream_id, key = given(alice, remote)
    asking = remote.call()
    require_equal(ask(asking, stream_id, key).get("type"), "valid", "the type of the answer")
    delivered(alice, asking, remote.domain)
