"""RFC 6120 §8.1.1 to §8.1.3: the addresses and the id of stanzas, above all the sender's that cannot be forged."""

from __future__ import annotations

from secrets import token_hex
from xml.sax.saxutils import quoteattr

import pytest

from lab.plugin import Connect, Specification, require, require_equal, require_error, require_result
from lab.wire.namespaces import LAB, NS, ROSTER
from lab.wire.session import Session, StreamFailed, localname, new_id
from scenarios.server.rfc6120._stanzas import (
    UNKNOWN,
    available_bob,  # noqa: F401 - the fixture `bob` of this module
    become_available,
    deliver,
    identifier,
    require_delivered,
    require_no_copy,
    require_reply,
    share_presence,
    stanza,
)

RFC = Specification("RFC 6120")

every_kind = pytest.mark.parametrize("kind", ["message", "presence", "iq"])


@every_kind
@RFC.must("8.1.2.1", "8", says="The server adds the sender's full JID as 'from' to a stanza that has none.")
def test_from_is_stamped_with_the_full_jid(kind: str, alice: Session, bob: Session) -> None:
    sent = stanza(kind, bob.jid)
    require_delivered(deliver(alice, bob, sent), sent, alice.jid)


@every_kind
@pytest.mark.parametrize("forged", ["another-user", "another-resource", "another-domain", "the-server"])
@RFC.must(
    "8.1.2.1",
    says="A 'from' that is not the sender's is overridden by the sender's full JID, or ends the stream (§4.9.3.9).",
)
def test_forged_from_is_overridden(forged: str, kind: str, alice: Session, bob: Session, connect: Connect) -> None:
    address = {
        "another-user": bob.jid,
        "another-resource": f"{alice.bare_jid}/{token_hex(4)}",
        "another-domain": "mallory@forged.example/r",
        "the-server": alice.domain,
    }[forged]
    sent = stanza(kind, bob.jid, f"from='{address}'")
    share_presence(bob, alice)
    alice.send(sent)
    try:
        alice.sentinel()
    except StreamFailed as error:
        require_equal(error.condition, "invalid-from", "a stream error")
        bob.expect_nothing(
            sent, lambda e: e.get("id") == identifier(sent), "the forged stanza", after=connect(label="carol")
        )
        return
    got = bob.expect(identifier(sent))
    require_no_copy(alice, bob, got)
    require_delivered(got, sent, alice.jid)


@every_kind
@RFC.must("8.1.2.1", says="A 'from' that gives the sender's bare JID is overridden by the sender's full JID.")
def test_bare_from_is_made_full(kind: str, alice: Session, bob: Session) -> None:
    sent = stanza(kind, bob.jid, f"from='{alice.bare_jid}'")
    require_delivered(deliver(alice, bob, sent), sent, alice.jid)


@RFC.must(
    "8.1.2.1",
    says="An iq with a forged 'from' is answered to who really sent it, or ends the stream; never to the other.",
)
def test_forged_iq_is_not_answered_to_its_victim(alice: Session, bob: Session) -> None:
    asked = new_id()
    alice.send(
        f"<iq type='get' id='{asked}' to='{alice.domain}' from='{bob.jid}'><query xmlns='{NS['disco']}'/></iq>"
    )
    try:
        reply = alice.expect(asked)
    except StreamFailed as error:
        require_equal(error.condition, "invalid-from", "a stream error")
    else:
        require_result(reply)
        require_reply(reply, asked, alice.domain)
        require(reply.get("to") in {None, alice.jid}, f"'to' is {alice.jid}", reply)
        require(reply.find("disco:query", NS) is not None, "a disco#info query", reply)
    bob.expect_nothing(
        f"<iq type='result' id='{asked}' from='{bob.domain}' to='{bob.jid}'/>",
        lambda e: e.get("id") == asked,
        "the answer to an iq that somebody else sent",
    )


@pytest.mark.parametrize("forged", [False, True], ids=["absent", "forged"])
@RFC.must("8.1.2.1", says="A subscription request bears the sender's bare JID as 'from', whatever the sender wrote.")
def test_subscription_request_is_from_the_bare_jid(forged: bool, alice: Session, bob: Session) -> None:
    identity = new_id()
    lie = f"from='{alice.bare_jid}/{token_hex(4)}'" if forged else ""
    sent = f"<presence type='subscribe' id='{identity}' to='{bob.bare_jid}' {lie}/>"
    alice.send(sent)
    try:
        alice.sentinel()
    except StreamFailed as error:
        require(forged and error.condition == "invalid-from", "the request is taken", error.seen)
        bob.expect_nothing(sent, lambda e: e.get("type") == "subscribe", "the forged request")
        return
    request = bob.expect(lambda e: e.get("type") == "subscribe", "a subscription request")
    require(localname(request) == "presence", "a presence stanza", request)
    require(request.get("from") == alice.bare_jid, f"'from' is {alice.bare_jid}", request)
    require((request.get("to") or "").partition("/")[0] == bob.bare_jid, f"'to' is {bob.bare_jid}", request)
    require_no_copy(alice, bob, request)


@every_kind
@RFC.must_not("8.1.1.1", says="The server does not modify a full JID in 'to' of a stanza that it delivers.")
def test_full_to_is_left_alone(kind: str, alice: Session, bob: Session) -> None:
    sent = stanza(kind, bob.jid)
    got = deliver(alice, bob, sent)
    require_equal(got.get("to"), bob.jid, "'to'")
    require_delivered(got, sent, alice.jid)


@pytest.mark.parametrize("kind", ["message", "presence"])
@RFC.must_not("8.1.1.1", says="The server does not modify a bare JID in 'to' of a stanza that it delivers.")
def test_bare_to_is_left_alone(kind: str, alice: Session, bob: Session) -> None:
    sent = stanza(kind, bob.bare_jid)
    got = deliver(alice, bob, sent)
    require_equal(got.get("to"), bob.bare_jid, "'to'")
    require_delivered(got, sent, alice.jid)


@pytest.mark.parametrize("payload", [f"<query xmlns='{ROSTER}'/>", UNKNOWN], ids=["result", "error"])
@pytest.mark.parametrize("to", ["absent", "server"])
@RFC.must("8.1.1.1", says="Where a stanza that the server makes has a 'to' at all, it is the client's full JID.")
def test_stanza_of_the_server_is_addressed_to_the_full_jid(to: str, payload: str, alice: Session) -> None:
    asked = alice.iq("get", payload, to=alice.domain if to == "server" else None)
    require(asked.get("to") in {None, alice.jid}, f"'to' is absent or {alice.jid}", asked)


@RFC.must("8.1.2.1", says="A stanza that the server sends on its own behalf is from its domain.")
def test_stanza_of_the_server_is_from_its_domain(alice: Session) -> None:
    reply = alice.iq("get", f"<query xmlns='{NS['disco']}'/>", to=alice.domain)
    require_result(reply)
    require_equal(reply.get("from"), alice.domain, "'from'")


@RFC.must(
    "8.1.2.1",
    "10.3.3",
    says="A stanza that the server sends on behalf of the account is from the bare JID or nobody.",
)
def test_stanza_of_the_account_is_from_the_bare_jid(alice: Session) -> None:
    reply = alice.iq("get", f"<query xmlns='{ROSTER}'/>")
    require_result(reply)
    require(reply.get("from") in {None, alice.bare_jid}, f"'from' is absent or {alice.bare_jid}", reply)
    require(reply.find("roster:query", NS) is not None, "a roster", reply)


IDS = {
    "markup": "<&>\"'",
    "spaces": " a  b ",
    "unicode": "идентификатор-ü-\N{GRINNING FACE}",
    "long": "x" * 1000,
}


@pytest.mark.parametrize("value", IDS.values(), ids=IDS.keys())
@RFC.must("8.1.3", "8.2.3", says="A response bears the id of its request, whatever characters that has.")
def test_response_bears_the_id_of_its_request(value: str, alice: Session) -> None:
    value += new_id()
    alice.send(f"<iq type='get' id={quoteattr(value)} to='{alice.domain}'><query xmlns='{NS['disco']}'/></iq>")
    reply = alice.expect(lambda e: localname(e) == "iq", "the answer")
    require_result(reply)
    require_reply(reply, value, alice.domain)


@pytest.mark.parametrize("value", IDS.values(), ids=IDS.keys())
@RFC.must(
    "8.1.3", "8.3.1", says="An error bears the id of the stanza that it is about, whatever characters that has."
)
def test_error_bears_the_id_of_its_cause(value: str, alice: Session) -> None:
    value += new_id()
    alice.send(f"<iq type='get' id={quoteattr(value)} to='{alice.domain}'>{UNKNOWN}</iq>")
    reply = alice.expect(lambda e: localname(e) == "iq", "the answer")
    require_error(reply)
    require_reply(reply, value, alice.domain)


@RFC.must(
    "8.1.3", "8.2.3", says="A response reaches the other client with the id of its request, and from its sender."
)
def test_response_of_a_contact_bears_the_id_of_its_request(alice: Session, bob: Session) -> None:
    become_available(alice)
    request = stanza("iq", bob.jid)
    got = deliver(alice, bob, request)
    require_delivered(got, request, alice.jid)
    response = f"<iq type='result' id='{got.get('id')}' to='{got.get('from')}'><done xmlns='{LAB}'/></iq>"
    require_delivered(deliver(bob, alice, response), response, bob.jid)
