"""RFC 6120 §10: who gets a stanza, in what order, and what becomes of one that nobody can get.

Only as far as RFC 6120 says: the finer rules of instant messaging are RFC 6121's.
"""

from __future__ import annotations

import pytest

from lab.plugin import (
    Connect,
    Specification,
    impossible,
    premise,
    require,
    require_equal,
    require_error,
    require_result,
)
from lab.wire.namespaces import CLIENT, NS, ROSTER
from lab.wire.session import Session, localname, new_id, parse, stanza_error_condition
from scenarios.server.rfc6120._stanzas import (
    UNKNOWN,
    answers,
    become_available,
    deliver,
    identifier,
    require_delivered,
    require_no_copy,
    share_presence,
    stanza,
)

RFC = Specification("RFC 6120")

every_kind = pytest.mark.parametrize("kind", ["message", "presence", "iq"])

MANY = 60
REMOTE_WAIT = 15.0
"""Seconds for a server to find out that a domain cannot be reached: name servers are slow to give up."""


def _two_clients(connect: Connect) -> tuple[Session, Session]:
    """Two available clients of one fresh account."""
    account = connect.account()
    first = connect(account=account, label="first")
    second = connect(account=account, label="second")
    become_available(first)
    become_available(second)
    return first, second


# --- order (§10.1)


@pytest.mark.parametrize("to", ["full", "bare", "both"])
@RFC.must("10.1", says="Messages to one contact come in the order sent, bare and full JID alike, each once.")
def test_messages_come_in_order(to: str, alice: Session, bob: Session) -> None:
    become_available(bob)
    sent = []
    for number in range(MANY):
        address = bob.bare_jid if to == "bare" or (to == "both" and number % 2) else bob.jid
        sent.append(f"<message type='chat' id='{new_id()}' to='{address}'><body>{number}</body></message>")
    alice.send("".join(sent))
    alice.sentinel(bob)
    got = [e for e in bob.inbox if localname(e) == "message"]
    bodies = [e.findtext(f"{{{CLIENT}}}body") for e in got]
    require_equal(bodies, [str(number) for number in range(MANY)], "bodies")


@RFC.must("10.1", says="Stanzas of all kinds to one client come in the order sent, each once.")
def test_stanzas_of_all_kinds_come_in_order(alice: Session, bob: Session) -> None:
    become_available(bob)
    share_presence(bob, alice)
    sent = [stanza(("message", "presence", "iq")[number % 3], bob.jid) for number in range(MANY)]
    alice.send("".join(sent))
    alice.sentinel(bob)
    wanted = [identifier(xml) for xml in sent]
    got = [e for e in bob.inbox if e.get("id") in wanted]
    require_equal([e.get("id") for e in got], wanted, "ids")
    for element, xml in zip(got, sent, strict=True):
        require_delivered(element, xml, alice.jid)


@RFC.must("10.1", "8.2.1", says="Many recipients addressed in turn each get their stanzas, in order and no others.")
def test_many_recipients_each_get_their_own(alice: Session, connect: Connect) -> None:
    recipients = [connect(label=f"contact {number}") for number in range(4)]
    for recipient in recipients:
        become_available(recipient)
    sent: dict[str, list[str]] = {r.jid: [] for r in recipients}
    for number in range(MANY):
        address = recipients[number % len(recipients)].jid
        sent[address].append(f"<message type='chat' id='{new_id()}' to='{address}'><body>{number}</body></message>")
    rounds = zip(*sent.values(), strict=True)
    alice.send("".join(xml for one_round in rounds for xml in one_round))
    for recipient in recipients:
        alice.sentinel(recipient)
        got = [e for e in recipient.inbox if e.findtext(f"{{{CLIENT}}}body")]
        require_equal([e.get("id") for e in got], [identifier(xml) for xml in sent[recipient.jid]], "ids")
        for element, xml in zip(got, sent[recipient.jid], strict=True):
            require_delivered(element, xml, alice.jid)


@RFC.must("10.1", says="A request is processed after the ones before it on the stream, and sees what they did.")
def test_later_request_sees_what_earlier_ones_did(alice: Session) -> None:
    contacts = [f"{new_id()}@{alice.domain}" for _ in range(10)]
    asked = [new_id() for _ in contacts]
    last = new_id()
    sets = "".join(
        f"<iq type='set' id='{one}'><query xmlns='{ROSTER}'><item jid='{jid}'/></query></iq>"
        for one, jid in zip(asked, contacts, strict=True)
    )
    alice.send(f"{sets}<iq type='get' id='{last}'><query xmlns='{ROSTER}'/></iq>")
    for one in asked:
        require_result(alice.expect(one))
    roster = alice.expect(last)
    require_result(roster)
    items = {item.get("jid") for item in roster.iterfind("roster:query/roster:item", NS)}
    require(items == set(contacts), f"a roster of {len(contacts)} contacts", roster)


# --- no 'to' (§10.3)


@RFC.must("10.3.1", "10.3", says="A message without 'to' is treated as one to the sender's bare JID.")
def test_message_to_nobody_goes_to_the_own_account(alice: Session) -> None:
    become_available(alice)
    asked = new_id()
    alice.send(f"<message type='chat' id='{asked}'><body>Note to self</body>{UNKNOWN}</message>")
    got = alice.expect(asked)
    require(got.get("to") in {None, alice.bare_jid}, f"'to' is absent or {alice.bare_jid}", got)
    if "to" in got.attrib:
        del got.attrib["to"]
    require_delivered(
        got, f"<message type='chat' id='{asked}'><body>Note to self</body>{UNKNOWN}</message>", alice.jid
    )
    require_no_copy(alice, alice, got)


def _subscribe(subscriber: Session, contact: Session) -> None:
    """Let `subscriber` see the presence of `contact`; both are available."""
    subscriber.send(f"<presence type='subscribe' to='{contact.bare_jid}'/>")
    contact.expect(
        lambda e: e.get("type") == "subscribe" and (e.get("from") or "").startswith(subscriber.bare_jid),
        "a subscription request",
    )
    contact.send(f"<presence type='subscribed' to='{subscriber.bare_jid}'/>")
    subscriber.expect(lambda e: e.get("from") == contact.jid and e.get("type") is None, "the contact's presence")


@RFC.must("10.3.2", says="Presence without 'to' is broadcast to those who are subscribed to it, and to nobody else.")
def test_presence_to_nobody_is_broadcast(alice: Session, bob: Session, connect: Connect) -> None:
    stranger = connect(label="stranger")
    for session in (alice, bob, stranger):
        become_available(session)
    _subscribe(alice, bob)
    asked = new_id()
    sent = f"<presence id='{asked}'><show>dnd</show><status>Busy</status>{UNKNOWN}</presence>"
    bob.send(sent)
    got = alice.expect(lambda e: e.findtext(f"{{{CLIENT}}}show") == "dnd", "the contact's new presence")
    require(got.tag == f"{{{CLIENT}}}presence" and got.get("type") is None, "available presence", got)
    require(got.get("from") == bob.jid, f"'from' is {bob.jid}", got)
    require((got.get("to") or alice.jid).startswith(alice.bare_jid), f"'to' is {alice.bare_jid}", got)
    require_equal(got.findtext(f"{{{CLIENT}}}status"), "Busy", "the status")
    require(got.find("lab:unheard-of/lab:detail", NS) is not None, f"with {UNKNOWN}", got)
    bob.sentinel(alice)
    again = [e for e in alice.inbox if e.findtext(f"{{{CLIENT}}}show") == "dnd"]
    require(not again, "the presence once", again[0] if again else None)
    stranger.expect_nothing(
        f"<presence from='{bob.jid}' to='{stranger.jid}'><show>dnd</show></presence>",
        lambda e: (e.get("from") or "").startswith(bob.bare_jid) and localname(e) == "presence",
        "presence for which there is no subscription",
        after=alice,
    )


# --- the server's own addresses (§10.5)


@pytest.mark.parametrize("to", ["domain", "resource"])
@RFC.must("10.5.1", "10.5.2", says="An iq to the server, or to a resource of it, is handled or refused.")
def test_iq_to_the_server_is_handled_or_refused(to: str, alice: Session) -> None:
    target = alice.domain if to == "domain" else f"{alice.domain}/{new_id()}"
    replies = answers(alice, stanza("iq", target))
    require_equal(len(replies), 1, "the number of replies")
    require_error(replies[0])
    require(replies[0].get("from") in {target, alice.domain}, f"'from' is {target}", replies[0])
    require(replies[0].get("to") in {None, alice.jid}, f"'to' is {alice.jid}", replies[0])


@pytest.mark.parametrize("service", ["muc", "pubsub", "upload", "proxy"])
@RFC.must("10.5", says="A stanza to a service of the server's own is routed to that service.")
def test_stanza_to_a_local_service_is_routed_there(service: str, alice: Session, connect: Connect) -> None:
    address = connect.cell.services.get(service)
    if address is None:
        impossible(f"the cell names no {service} service")
    reply = alice.iq("get", f"<query xmlns='{NS['disco']}'/>", to=address)
    require_result(reply)
    require(reply.get("from") == address, f"'from' is {address}", reply)
    require(reply.find("disco:query/disco:identity", NS) is not None, "the service's identity", reply)


# --- accounts (§10.5.3)


@RFC.must("10.5.3.1", says="A message to no such user is ignored, or refused as service-unavailable.")
def test_message_to_no_such_user_is_ignored_or_refused(alice: Session) -> None:
    sent = stanza("message", f"nobody-{new_id()}@{alice.domain}")
    alice.send(sent)
    condition = f"<error type='cancel'><item-not-found xmlns='{NS['stanzas']}'/></error>"
    alice.expect_nothing(
        f"<message type='error' id='{identifier(sent)}'>{condition}</message>",
        lambda e: e.get("id") == identifier(sent) and stanza_error_condition(e) != "service-unavailable",
        "another answer than service-unavailable",
    )


@RFC.should("10.5.3.1", says="Presence to no such user is ignored.")
def test_presence_to_no_such_user_is_ignored(alice: Session) -> None:
    sent = stanza("presence", f"nobody-{new_id()}@{alice.domain}")
    alice.send(sent)
    alice.expect_nothing(
        f"<presence type='error' id='{identifier(sent)}'/>",
        lambda e: e.get("id") == identifier(sent),
        "an answer to presence for nobody",
    )


@RFC.should("10.5.3.2", says="A message to an account is delivered to one of its available clients at least.")
def test_message_to_an_account_reaches_a_client(alice: Session, connect: Connect) -> None:
    first, second = _two_clients(connect)
    sent = stanza("message", first.bare_jid)
    alice.send(sent)
    alice.sentinel(first)
    alice.sentinel(second)
    got = [[e for e in s.inbox if e.get("id") == identifier(sent)] for s in (first, second)]
    require(got[0] or got[1], "the message at one client at least", "none has it")
    for copies in got:
        require(len(copies) <= 1, "one copy for a client", str(len(copies)))
        for message in copies:
            require_delivered(message, sent, alice.jid)


@RFC.must("10.5.3.2", says="A message to an account without clients is kept for later, or refused.")
def test_message_to_an_absent_user_is_kept_or_refused(alice: Session, connect: Connect) -> None:
    account = connect.account()
    sent = stanza("message", account.jid)
    replies = answers(alice, sent)
    if replies:
        require_equal(len(replies), 1, "the number of replies")
        require_error(replies[0], "service-unavailable")
        require(replies[0].get("from") == account.jid, f"'from' is {account.jid}", replies[0])
        return
    bob = connect(account=account, label="bob")
    become_available(bob)
    got = bob.expect(identifier(sent))
    require_delivered(got, sent, alice.jid)
    require_no_copy(alice, bob, got)


@RFC.should("10.5.3.2", says="Presence to an account is delivered to its available clients.")
def test_presence_to_an_account_reaches_its_clients(alice: Session, connect: Connect) -> None:
    clients = _two_clients(connect)
    sent = stanza("presence", clients[0].bare_jid)
    alice.send(sent)
    for session in clients:
        got = session.expect(identifier(sent))
        require(localname(got) == "presence" and got.get("type") is None, "available presence", got)
        require(got.get("from") == alice.jid, f"'from' is {alice.jid}", got)
        require((got.get("to") or "").startswith(session.bare_jid), f"'to' is {session.bare_jid}", got)
        require_equal(got.findtext(f"{{{CLIENT}}}status"), "Hello", "the status")
        require(got.find("lab:unheard-of/lab:detail", NS) is not None, f"with {UNKNOWN}", got)
        require_no_copy(alice, session, got)


@RFC.should("10.5.3.2", says="Presence to an account without clients is ignored.")
def test_presence_to_an_absent_user_is_ignored(alice: Session, connect: Connect) -> None:
    sent = stanza("presence", connect.account().jid)
    alice.send(sent)
    alice.expect_nothing(
        f"<presence type='error' id='{identifier(sent)}'/>",
        lambda e: e.get("id") == identifier(sent),
        "an answer to presence for an absent user",
    )


# --- full JIDs (§10.5.4)


@every_kind
@RFC.must("10.5.4", says="A stanza to a connected client's full JID is delivered to that client, and to no other.")
def test_stanza_to_a_client_reaches_that_client_alone(kind: str, alice: Session, connect: Connect) -> None:
    first, second = _two_clients(connect)
    sent = stanza(kind, second.jid)
    require_delivered(deliver(alice, second, sent), sent, alice.jid)
    first.expect_nothing(
        sent.replace(f"<{kind}", f"<{kind} from='{alice.jid}'", 1),
        lambda e: e.get("id") == identifier(sent),
        "a stanza for another client of the account",
        after=alice,
    )


@every_kind
@RFC.must("10.5.4", says="A stanza to a connected client is delivered even where that client is not available.")
def test_stanza_to_an_unavailable_client_is_delivered(kind: str, alice: Session, bob: Session) -> None:
    sent = stanza(kind, bob.jid)
    require_delivered(deliver(alice, bob, sent), sent, alice.jid)


@every_kind
@RFC.must("10.5.4", says="A client can send to its own full JID, and another client of its account can too.")
def test_clients_of_one_account_reach_each_other(kind: str, connect: Connect) -> None:
    first, second = _two_clients(connect)
    sent = stanza(kind, second.jid)
    require_delivered(deliver(first, second, sent), sent, first.jid)
    to_itself = stanza(kind, first.jid)
    require_delivered(deliver(first, first, to_itself), to_itself, first.jid)


@RFC.should("10.5.4", says="A message to a client that is not there is treated as one to its account.")
def test_message_to_an_absent_resource_goes_to_the_account(alice: Session, bob: Session) -> None:
    become_available(bob)
    sent = stanza("message", f"{bob.bare_jid}/{new_id()}")
    got = deliver(alice, bob, sent)
    # §8.1.1.1 has checks of its own (`addressing`): here any address of the account will do.
    target = got.get("to") or ""
    require(target.partition("/")[0] == bob.bare_jid, f"'to' is at {bob.bare_jid}", got)
    require_delivered(got, sent.replace(f"to='{_target(sent)}'", f"to='{target}'"), alice.jid)


def _target(xml: str) -> str:
    return parse(xml, default=CLIENT).get("to") or ""


@RFC.must_not("13.10.2", says="Errors for an account's bare JID and its full JIDs do not tell who is online.")
@pytest.mark.parametrize("state", ["online", "offline"])
def test_errors_do_not_leak_presence(state: str, alice: Session, bob: Session, connect: Connect) -> None:
    user = bob.bare_jid if state == "online" else connect.account().jid
    become_available(bob)
    to_the_account, to_a_client = premise(
        lambda: [alice.iq("get", UNKNOWN, to=to) for to in (user, f"{user}/{new_id()}")],
        "one of the two is not answered, so that there are no errors to compare; other checks say so",
    )
    require_error(to_the_account)
    require_error(to_a_client)
    seen, wanted = stanza_error_condition(to_a_client), stanza_error_condition(to_the_account)
    require(seen == wanted, f"the same condition for bare and full JID: {wanted}", to_a_client)


# --- other domains (§10.4)


@RFC.must(
    "10.4.3",
    "10.4",
    "8.3.3.16",
    says="A stanza to a domain that cannot be reached comes back as an error that says so.",
)
def test_stanza_to_an_unreachable_domain_is_returned(alice: Session) -> None:
    target = f"romeo@{new_id()}.invalid"
    sent = stanza("message", target)
    alice.send(sent)
    error = alice.expect(identifier(sent), timeout=REMOTE_WAIT)
    require(localname(error) == "message", "an error of the same kind: message", error)
    require_error(error, "remote-server-not-found", "remote-server-timeout")
    require(error.get("from") == target, f"'from' is {target}", error)
    require(error.get("to") in {None, alice.jid}, f"'to' is {alice.jid}", error)
