"""RFC 6121 §8.5 of iq and presence: who gets them, who answers for an account, and what is ignored."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from lab.plugin import Connect, Specification, premise, require, require_equal, require_error
from lab.wire.namespaces import DISCO_INFO, NS
from lab.wire.session import Session, localname, new_id
from lab.wire.stream import Element
from scenarios.server._contacts import appear, disappear, subscribe
from scenarios.server.rfc6120._stanzas import UNKNOWN, require_delivered
from scenarios.server.rfc6121._playing import bare, bring, require_state, send, stanza, user
from scenarios.server.rfc6121._roster import not_pushed
from scenarios.server.rfc6121._states import STATES

RFC = Specification("RFC 6121")

every_request = pytest.mark.parametrize("kind", ["get", "set"])


def _iq(alice: Session, kind: str, to: str) -> Element:
    return alice.iq(kind, UNKNOWN, to=to)


def _with_id(identifier: str) -> Callable[[Element], bool]:
    return lambda e: e.get("id") == identifier


# --- iq


def _address(connect: Connect, who: str) -> str:
    """An address for which the server answers, or of nobody."""
    if who == "no-account:bare":
        return f"nobody-{new_id()}@{connect.cell.domain}"
    if who == "no-account:full":
        return f"nobody-{new_id()}@{connect.cell.domain}/{new_id()}"
    account = connect.account()
    if who.startswith("online"):
        user(connect, account=account, label="bob")
    return account.jid if who.endswith("bare") else f"{account.jid}/{new_id()}"


IQS = {
    "no-account:bare": "8.5.1",
    "no-account:full": "8.5.1",
    "offline:bare": "8.5.2.2.3",
    "online:bare": "8.5.2.1.3",
    "offline:full": "8.5.3.2.3",
    "online:full": "8.5.3.2.3",
}


@every_request
@pytest.mark.parametrize(
    "who",
    [
        pytest.param(
            who, marks=RFC.must(where, says="An iq that the server cannot answer is answered by service-unavailable.")
        )
        for who, where in IQS.items()
    ],
)
def test_iq_is_service_unavailable(who: str, kind: str, stranger: Session, connect: Connect) -> None:
    to = _address(connect, who)
    reply = _iq(stranger, kind, to)
    require_error(reply, "service-unavailable")
    require_equal(reply.get("from"), to, "'from'")


@every_request
@RFC.must_not("8.5.2.1.3", says="An iq to an account is not delivered to any of its resources.")
def test_iq_to_an_account_is_not_delivered(kind: str, stranger: Session, connect: Connect) -> None:
    account = connect.account()
    resources = [user(connect, account=account, label=f"resource {number}") for number in range(2)]
    identifier = new_id()
    stranger.send(f"<iq type='{kind}' id='{identifier}' to='{account.jid}'>{UNKNOWN}</iq>")
    for session in resources:
        session.expect_nothing(
            f"<iq type='{kind}' id='{identifier}' from='{stranger.jid}' to='{account.jid}'>{UNKNOWN}</iq>",
            _with_id(identifier),
            "iq for the account",
            after=stranger,
        )


@pytest.mark.parametrize("who", ["offline", "online"])
@RFC.must(
    "8.5.2.1.3", "8.5.2.2.3", says="What the server can answer for an account, it answers: an iq result or error."
)
def test_server_answers_for_an_account(who: str, connect: Connect) -> None:
    account = connect.account()
    alice, bob = user(connect, label="alice"), user(connect, account=account, label="bob")
    subscribe(alice, bob)
    if who == "offline":
        disappear(bob)
    reply = alice.iq("get", f"<query xmlns='{DISCO_INFO}'/>", to=account.jid)
    require(reply.get("type") in {"result", "error"}, "a result or an error", reply)
    require_equal(reply.get("from"), account.jid, "'from'")
    if reply.get("type") == "result":
        require(reply.find("disco:query", NS) is not None, "what was asked for", reply)
    else:
        require_error(reply)


@every_request
@pytest.mark.parametrize("by", ["subscription", "directed-presence"])
@RFC.must("8.5.3.1", says="An iq to a resource that shares its presence with the sender is delivered to it.")
def test_iq_reaches_a_resource_that_shares_presence(by: str, kind: str, connect: Connect) -> None:
    alice, bob = user(connect, label="alice"), user(connect, label="bob")
    if by == "subscription":
        subscribe(alice, bob)
    else:
        bob.send(f"<presence to='{alice.jid}'/>")
        bob.sentinel(alice)
    identifier = new_id()
    xml = f"<iq type='{kind}' id='{identifier}' to='{bob.jid}'>{UNKNOWN}</iq>"
    alice.send(xml)
    require_delivered(bob.expect(identifier, "the iq"), xml, alice.jid)


@every_request
@RFC.should_not(
    "8.5.3.1", says="An iq of a stranger is not delivered to a resource, which would tell that it is there."
)
def test_iq_of_a_stranger_is_not_delivered(kind: str, connect: Connect, stranger: Session) -> None:
    bob = user(connect, label="bob")
    identifier = new_id()
    xml = f"<iq type='{kind}' id='{identifier}' from='{stranger.jid}' to='{bob.jid}'>{UNKNOWN}</iq>"
    stranger.send(xml)
    bob.expect_nothing(xml, _with_id(identifier), "iq of a stranger", after=stranger)


@every_request
@RFC.should("8.5.3.1", says="An iq of a stranger to a resource is answered by service-unavailable.")
def test_iq_of_a_stranger_is_service_unavailable(kind: str, connect: Connect, stranger: Session) -> None:
    bob = user(connect, label="bob")
    identifier = new_id()
    stranger.send(f"<iq type='{kind}' id='{identifier}' to='{bob.jid}'>{UNKNOWN}</iq>")
    stranger.sentinel(bob)
    if any(e.get("id") == identifier for e in bob.inbox):
        require(False, "service-unavailable, and no delivery", "the iq was delivered")
    require_error(stranger.expect(identifier, "an answer"), "service-unavailable")


@pytest.mark.parametrize("kind", ["result", "error"])
@RFC.must("8.5.3.1", says="An iq that answers is delivered to the resource, whoever sends it.")
def test_answer_is_delivered_to_a_resource(kind: str, alice: Session, bob: Session) -> None:
    for session in (alice, bob):
        appear(session)
    identifier = new_id()
    bob.send(f"<iq type='get' id='{identifier}' to='{alice.jid}'>{UNKNOWN}</iq>")
    bob.sentinel(alice)
    error = f"<error type='cancel'><service-unavailable xmlns='{NS['stanzas']}'/></error>"
    content = error if kind == "error" else UNKNOWN
    xml = f"<iq type='{kind}' id='{identifier}' to='{bob.jid}'>{content}</iq>"
    if not any(e.get("id") == identifier for e in alice.inbox):  # §8.5.3.1: the server may have answered itself
        identifier = new_id()
        xml = f"<iq type='{kind}' id='{identifier}' to='{bob.jid}'>{content}</iq>"
    bob.inbox.clear()
    alice.send(xml)
    require_delivered(bob.expect(identifier, f"the iq {kind}"), xml, alice.jid)


# --- presence


def _presence(kind: str, identifier: str, to: str, sender: str = "") -> str:
    type_ = "" if kind == "available" else f" type='{kind}'"
    return f"<presence{type_} id='{identifier}' to='{to}'{sender}><status>Hello</status></presence>"


every_presence = pytest.mark.parametrize("kind", ["available", "unavailable"])


def _available_resources(connect: Connect) -> list[Session]:
    """Resources of one account, of priorities from -1 to 1."""
    account = connect.account()
    resources = [connect(account=account, label=f"resource {number}") for number in range(3)]
    for number, session in enumerate(resources):
        session.send(f"<presence><priority>{number - 1}</priority></presence>")
        session.sentinel()
    return resources


@every_presence
@RFC.must("8.5.2.1.2", says="Presence for an account is delivered to all of its available resources.")
def test_presence_for_an_account_reaches_all_resources(kind: str, stranger: Session, connect: Connect) -> None:
    resources = _available_resources(connect)
    stranger.send(_presence(kind, new_id(), resources[0].bare_jid))
    for session in resources:
        got = session.expect(
            lambda e: localname(e) == "presence" and e.get("from") == stranger.jid, f"the presence at {session.label}"
        )
        require_equal(got.get("type"), None if kind == "available" else kind, "the type")
        require_equal(got.findtext("{*}status"), "Hello", "the status")
        stranger.sentinel(session)
        more = [e for e in session.inbox if localname(e) == "presence" and e.get("from") == stranger.jid]
        require(not more, "one stanza", more[0] if more else None)


@every_presence
@RFC.must_not("8.5.2.1.2", says="Presence for an account is delivered with its 'to' as it was, a bare JID.")
def test_presence_for_an_account_keeps_its_address(kind: str, stranger: Session, connect: Connect) -> None:
    resources = _available_resources(connect)
    stranger.send(_presence(kind, new_id(), resources[0].bare_jid))

    def fits(element: Element) -> bool:
        return localname(element) == "presence" and element.get("from") == stranger.jid

    for session in resources:
        got = premise(
            partial(session.expect, fits), "the presence is not delivered; another check says whether that is a fault"
        )
        require_equal(got.get("to"), resources[0].bare_jid, "'to'")


def _not_answered(alice: Session, identifier: str, what: str) -> None:
    alice.expect_nothing(
        f"<presence type='error' id='{identifier}' to='{alice.jid}'/>",
        lambda e: e.get("id") == identifier,
        f"answer to {what}",
    )


@every_presence
@RFC.should("8.5.2.2.2", says="Presence for an account without resources is neither answered nor kept.")
def test_presence_for_the_absent_is_ignored(kind: str, stranger: Session, connect: Connect) -> None:
    account = connect.account()
    identifier = new_id()
    stranger.send(_presence(kind, identifier, account.jid))
    _not_answered(stranger, identifier, "presence for the absent")
    later = user(connect, account=account, label="later")
    later.expect_nothing(
        f"<presence from='{stranger.jid}' to='{account.jid}'/>",
        lambda e: localname(e) == "presence" and bare(e.get("from")) == stranger.bare_jid,
        "presence that was to be ignored",
    )


@every_presence
@RFC.must("8.5.3.1", says="Presence for a resource that is there is delivered to it.")
def test_presence_for_a_resource_is_delivered(kind: str, stranger: Session, connect: Connect) -> None:
    bob = user(connect, label="bob")
    xml = _presence(kind, new_id(), bob.jid)
    stranger.send(xml)
    got = bob.expect(lambda e: localname(e) == "presence" and e.get("from") == stranger.jid, "the presence")
    require_equal((got.get("to"), got.findtext("{*}status")), (bob.jid, "Hello"), "'to' and status")


# RFC 6120 §10.5.4 has such a stanza treated as one to the bare JID (SHOULD): that is no more than a SHOULD broken.
@every_presence
@RFC.should("8.5.3.2.2", says="Presence for a resource that is not there is ignored.")
def test_presence_for_an_absent_resource_is_ignored(kind: str, stranger: Session, connect: Connect) -> None:
    bob = user(connect, label="bob")
    identifier = new_id()
    stranger.send(_presence(kind, identifier, f"{bob.bare_jid}/{new_id()}"))
    bob.expect_nothing(
        f"<presence from='{stranger.jid}' to='{bob.bare_jid}'/>",
        lambda e: localname(e) == "presence" and bare(e.get("from")) == stranger.bare_jid,
        "presence for another resource",
        after=stranger,
    )
    _not_answered(stranger, identifier, "presence for a resource that is not there")


@pytest.mark.parametrize("to", ["bare", "full"])
@pytest.mark.parametrize("kind", ["available", "unavailable", "subscribed", "unsubscribe", "unsubscribed"])
@RFC.must("8.5.1", says="Presence for nobody is ignored.")
def test_presence_for_nobody_is_ignored(kind: str, to: str, alice: Session) -> None:
    identifier = new_id()
    nobody = f"nobody-{new_id()}@{alice.domain}"
    alice.send(_presence(kind, identifier, nobody if to == "bare" else f"{nobody}/{new_id()}"))
    alice.expect_nothing(
        f"<presence type='error' id='{identifier}' from='{nobody}' to='{alice.jid}'/>",
        lambda e: localname(e) == "presence" and bare(e.get("from")) == nobody,
        "presence of nobody",
    )


@RFC.must_not("8.5.1", "3.1.2", says="A request to nobody is not approved: it is ignored, or answered by an error.")
def test_request_to_nobody_is_not_approved(connect: Connect) -> None:
    alice = user(connect)
    nobody = f"nobody-{new_id()}@{alice.domain}"
    send(alice, "subscribe", nobody)
    alice.expect_nothing(
        f"<presence type='subscribed' from='{nobody}' to='{alice.bare_jid}'/>",
        lambda e: (
            localname(e) == "presence" and bare(e.get("from")) == nobody and e.get("type") in {None, "subscribed"}
        ),
        "approval or presence of nobody",
    )


@RFC.must("8.5.1", says="A probe of nobody is ignored, or answered by 'unsubscribed'.")
def test_probe_of_nobody_is_ignored_or_unsubscribed(contact: Session, connect: Connect) -> None:
    alice = user(connect)
    nobody = f"nobody-{new_id()}@{alice.domain}"
    contact.send(stanza("probe", contact.jid, nobody))
    contact.sentinel(alice)
    contact.expect_nothing(
        f"<presence type='unavailable' from='{nobody}' to='{contact.jid}'/>",
        lambda e: localname(e) == "presence" and bare(e.get("from")) == nobody and e.get("type") != "unsubscribed",
        "another answer than 'unsubscribed'",
        after=alice,
    )


FOR_NOBODY = {"subscribed": "none-out", "unsubscribe": "from", "unsubscribed": "to"}


# RFC 6120 §10.5.4 has such a stanza treated as one to the bare JID (SHOULD): that is no more than a SHOULD broken.
@pytest.mark.parametrize("kind", FOR_NOBODY)
@RFC.should("8.5.3.2.2", says="An answer to a request, or its end, is ignored where the resource is not there.")
def test_subscription_stanza_for_an_absent_resource_is_ignored(kind: str, contact: Session, connect: Connect) -> None:
    alice = user(connect)
    state = STATES[FOR_NOBODY[kind]]
    bring(alice, contact, state)
    contact.send(stanza(kind, contact.jid, f"{alice.bare_jid}/{new_id()}"))
    contact.sentinel(alice)
    not_pushed(alice, contact.jid, "for what was to be ignored")
    require_state(alice, contact.jid, state)


@RFC.should("8.5.3.2.2", "3.1.3", says="A request to a resource that is not there is one to the account.")
def test_request_to_an_absent_resource_is_delivered(contact: Session, connect: Connect) -> None:
    alice = user(connect)
    contact.send(stanza("subscribe", contact.jid, f"{alice.bare_jid}/{new_id()}"))
    got = alice.expect(lambda e: localname(e) == "presence" and e.get("type") == "subscribe", "the request")
    require_equal((got.get("from"), bare(got.get("to"))), (contact.jid, alice.bare_jid), "'from' and 'to'")
