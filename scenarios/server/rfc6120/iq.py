"""RFC 6120 §8.2.3, §10.3.3 and §8.4 for iq: one reply with the request's id, errors for what cannot be served.

Who gets an iq that is addressed to somebody stands in `routing`; what errors look like in `stanza_errors`.
"""

from __future__ import annotations

import pytest

from lab.plugin import Specification, on_every_transport, require, require_equal, require_error, require_result
from lab.wire.namespaces import LAB, NS, ROSTER
from lab.wire.session import Session, localname, new_id
from scenarios.server.rfc6120._stanzas import (
    UNKNOWN,
    answers,
    available_bob,  # noqa: F401 - the fixture `bob` of this module
    become_available,
    deliver,
    require_delivered,
    require_reply,
)

RFC = Specification("RFC 6120")

pytestmark = on_every_transport


get_and_set = pytest.mark.parametrize("kind", ["get", "set"])
targets = pytest.mark.parametrize("to", ["nobody", "server", "own-account"])


def address(to: str, session: Session) -> str:
    """The 'to' attribute that means `to`, as it is written."""
    return {"nobody": "", "server": f"to='{session.domain}'", "own-account": f"to='{session.bare_jid}'"}[to]


def repliers(to: str, session: Session) -> tuple[str | None, ...]:
    """Who may be named as the sender of a reply to an iq addressed so (§8.1.2.1)."""
    return (session.domain,) if to == "server" else (None, session.bare_jid)


@RFC.must("8.2.3", says="An iq get that can be served is answered by exactly one result with its id.")
def test_get_is_answered_once_by_a_result(alice: Session) -> None:
    asked = new_id()
    replies = answers(alice, f"<iq type='get' id='{asked}' to='{alice.domain}'><query xmlns='{NS['disco']}'/></iq>")
    require_equal(len(replies), 1, "the number of replies")
    require_result(replies[0])
    require_reply(replies[0], asked, alice.domain)
    require(replies[0].find("disco:query", NS) is not None, "a disco#info query", replies[0])
    require_equal(len(replies[0]), 1, "the number of child elements of the result")


@RFC.must("8.2.3", says="An iq set that can be served is answered by exactly one result with its id.")
def test_set_is_answered_once_by_a_result(alice: Session) -> None:
    asked = new_id()
    item = f"<query xmlns='{ROSTER}'><item jid='{new_id()}@{alice.domain}'/></query>"
    replies = answers(alice, f"<iq type='set' id='{asked}'>{item}</iq>")
    require_equal(len(replies), 1, "the number of replies")
    require_result(replies[0])
    require_reply(replies[0], asked, None, alice.bare_jid)


@get_and_set
@targets
@RFC.must("8.2.3", says="An iq that cannot be served is answered by exactly one error with its id.")
def test_unserved_iq_is_answered_once_by_an_error(to: str, kind: str, alice: Session) -> None:
    asked = new_id()
    replies = answers(alice, f"<iq type='{kind}' id='{asked}' {address(to, alice)}>{UNKNOWN}</iq>")
    require_equal(len(replies), 1, "the number of replies")
    require_error(replies[0])
    require_reply(replies[0], asked, *repliers(to, alice))


@get_and_set
@targets
@RFC.must(
    "8.4", "10.3.3", "10.5.1", says="An iq whose payload the server does not know is refused as service-unavailable."
)
def test_unknown_payload_is_refused_as_service_unavailable(to: str, kind: str, alice: Session) -> None:
    asked = new_id()
    alice.send(f"<iq type='{kind}' id='{asked}' {address(to, alice)}>{UNKNOWN}</iq>")
    reply = alice.expect(asked)
    require_error(reply, "service-unavailable")
    require_reply(reply, asked, *repliers(to, alice))


@pytest.mark.parametrize("to", ["nobody", "server"])
@pytest.mark.parametrize(
    "kind", ["type='request'", "type=''", "type='GET'", ""], ids=["other", "empty", "upper-case", "missing"]
)
@RFC.must("8.2.3", says="An iq of no type, or of one that is not defined, is refused as bad-request.")
def test_iq_of_undefined_type_is_a_bad_request(kind: str, to: str, alice: Session) -> None:
    asked = new_id()
    alice.send(f"<iq {kind} id='{asked}' {address(to, alice)}><query xmlns='{NS['disco']}'/></iq>")
    reply = alice.expect(asked)
    require_error(reply, "bad-request")
    require_reply(reply, asked, *repliers(to, alice), alice.domain)


@RFC.must("8.2.3", says="An iq without an id is answered, by a response whose id is empty or not there.")
def test_iq_without_id_is_answered_without_one(alice: Session) -> None:
    alice.send(f"<iq type='get' to='{alice.domain}'>{UNKNOWN}</iq>")
    reply = alice.expect(lambda e: localname(e) == "iq", "an answer to the iq without an id")
    require(reply.get("type") in {"result", "error"}, "a result or error", reply)
    require(reply.get("from") in {None, alice.domain}, f"'from' is {alice.domain}", reply)
    require(not reply.get("id"), "an empty id, or none", reply)
    require_error(reply)


@get_and_set
@pytest.mark.parametrize("to", ["nobody", "server"])
@pytest.mark.parametrize("payload", ["", f"{UNKNOWN}<other xmlns='{LAB}'/>"], ids=["none", "two"])
@RFC.must(
    "8.2.3", "8.4", "8.3.1", says="An iq get or set without just one child element has no meaning, and is refused."
)
def test_iq_without_just_one_payload_is_refused(payload: str, to: str, kind: str, alice: Session) -> None:
    asked = new_id()
    replies = answers(alice, f"<iq type='{kind}' id='{asked}' {address(to, alice)}>{payload}</iq>")
    require_equal(len(replies), 1, "the number of replies")
    require_error(replies[0])
    require_reply(replies[0], asked, *repliers(to, alice), alice.domain)


UNASKED = {
    "result": "",
    "result-with-payload": UNKNOWN,
    "error": f"<error type='cancel'><item-not-found xmlns='{NS['stanzas']}'/></error>",
    "error-with-payload": f"{UNKNOWN}<error type='cancel'><item-not-found xmlns='{NS['stanzas']}'/></error>",
}


@targets
@pytest.mark.parametrize("what", UNASKED)
@RFC.must_not(
    "8.2.3", "10.3.3", says="The server does not answer a result or error, not even one that nobody awaits."
)
def test_response_is_not_answered(what: str, to: str, alice: Session) -> None:
    asked = new_id()
    kind = what.partition("-")[0]
    alice.send(f"<iq type='{kind}' id='{asked}' {address(to, alice)}>{UNASKED[what]}</iq>")
    error = f"<error type='cancel'><service-unavailable xmlns='{NS['stanzas']}'/></error>"
    alice.expect_nothing(
        f"<iq type='error' id='{asked}' from='{alice.domain}'>{error}</iq>",
        lambda e: e.get("id") == asked,
        "an answer to a response",
    )


@pytest.mark.parametrize("to", ["nobody", "own-account"])
@RFC.must("10.3.3", "10.5.3.2", says="An iq to nobody, or to the own account, is handled on the account's behalf.")
def test_iq_to_the_own_account_is_handled_on_its_behalf(to: str, alice: Session) -> None:
    contact = f"{new_id()}@{alice.domain}"
    require_result(alice.iq("set", f"<query xmlns='{ROSTER}'><item jid='{contact}' name='Nurse'/></query>"))
    asked = new_id()
    alice.send(f"<iq type='get' id='{asked}' {address(to, alice)}><query xmlns='{ROSTER}'/></iq>")
    reply = alice.expect(asked)
    require_result(reply)
    require_reply(reply, asked, None, alice.bare_jid)
    items = [(item.get("jid"), item.get("name")) for item in reply.iterfind("roster:query/roster:item", NS)]
    require(items == [(contact, "Nurse")], f"the roster with {contact} alone", reply)


@get_and_set
@RFC.must(
    "10.5.3.2", "8.2.3", says="An iq to another account is handled by the server, not delivered to its clients."
)
def test_iq_to_another_account_is_handled_by_the_server(kind: str, alice: Session, bob: Session) -> None:
    asked = new_id()
    sent = f"<iq type='{kind}' id='{asked}' to='{bob.bare_jid}'>{UNKNOWN}</iq>"
    alice.send(sent)
    reply = alice.expect(asked)
    require_error(reply)  # which one is another requirement
    require_reply(reply, asked, bob.bare_jid)
    bob.expect_nothing(sent, lambda e: e.get("id") == asked, "an iq that is addressed to the account", after=alice)


@get_and_set
@RFC.must("10.5.3.1", "8.2.3", says="An iq to an account that does not exist is refused as service-unavailable.")
def test_iq_to_no_such_user_is_refused(kind: str, alice: Session) -> None:
    nobody = f"nobody-{new_id()}@{alice.domain}"
    asked = new_id()
    replies = answers(alice, f"<iq type='{kind}' id='{asked}' to='{nobody}'>{UNKNOWN}</iq>")
    require_equal(len(replies), 1, "the number of replies")
    require_error(replies[0], "service-unavailable")
    require_reply(replies[0], asked, nobody)


@get_and_set
@RFC.must("8.2.3", says="An iq to a resource that is not connected is answered all the same, by one error.")
def test_iq_to_an_absent_resource_is_answered(kind: str, alice: Session, bob: Session) -> None:
    absent = f"{bob.bare_jid}/{new_id()}"
    asked = new_id()
    replies = answers(alice, f"<iq type='{kind}' id='{asked}' to='{absent}'>{UNKNOWN}</iq>")
    require_equal(len(replies), 1, "the number of replies")
    require_error(replies[0])
    require_reply(replies[0], asked, absent, bob.bare_jid)


@RFC.must("8.2.3", "10.5.4", says="Request and response pass between two clients, each once and with the same id.")
def test_request_and_response_pass_between_clients(alice: Session, bob: Session) -> None:
    become_available(alice)
    asked = new_id()
    request = f"<iq type='set' id='{asked}' to='{bob.jid}'>{UNKNOWN}</iq>"
    require_delivered(deliver(alice, bob, request), request, alice.jid)
    response = f"<iq type='result' id='{asked}' to='{alice.jid}'>{UNKNOWN}</iq>"
    require_delivered(deliver(bob, alice, response), response, bob.jid)


@RFC.must("8.2.3", "8.3.1", says="A client's error reaches who asked, with its id, type, condition and text.")
def test_error_of_a_client_reaches_who_asked(alice: Session, bob: Session) -> None:
    become_available(alice)
    asked = new_id()
    request = f"<iq type='get' id='{asked}' to='{bob.jid}'>{UNKNOWN}</iq>"
    require_delivered(deliver(alice, bob, request), request, alice.jid)
    response = (
        f"<iq type='error' id='{asked}' to='{alice.jid}'>{UNKNOWN}<error type='wait' by='{bob.bare_jid}'>"
        f"<policy-violation xmlns='{NS['stanzas']}'/>"
        f"<text xmlns='{NS['stanzas']}' xml:lang='eo'>Ne nun</text><later xmlns='{LAB}'/></error></iq>"
    )
    require_delivered(deliver(bob, alice, response), response, bob.jid)


@RFC.must("8.2.3", says="Many iqs sent without waiting are each answered, once.")
def test_pipelined_iqs_are_each_answered_once(alice: Session) -> None:
    asked = [new_id() for _ in range(30)]
    known = f"<query xmlns='{NS['disco']}'/>"
    alice.send_together(
        f"<iq type='get' id='{one}' to='{alice.domain}'>{UNKNOWN if place % 3 == 0 else known}</iq>"
        for place, one in enumerate(asked)
    )
    for place, one in enumerate(asked):
        reply = alice.expect(one)
        require_reply(reply, one, alice.domain)
        if place % 3 == 0:
            require_error(reply)
        else:
            require_result(reply)
            require(reply.find("disco:query", NS) is not None, "a disco#info query", reply)
    alice.sentinel()
    again = [e for e in alice.inbox if e.get("id") in asked]
    require(not again, "one reply to each iq", again[0] if again else None)
