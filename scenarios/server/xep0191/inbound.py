"""XEP-0191 §3.3: what somebody blocked sends is not delivered, and the answer is as if the user were offline."""

from __future__ import annotations

import pytest

from lab.plugin import Connect, Specification, require, require_equal, require_error
from lab.wire.namespaces import ROSTER
from lab.wire.session import localname, new_id
from scenarios.server._contacts import appear, disappear
from scenarios.server.xep0191._blocking import (
    MESSAGES,
    SUBSCRIPTIONS,
    address_of,
    block,
    blocked_friends,
    is_from,
    not_answered,
    not_delivered,
    settle,
    unblock,
    user,
    written,
)

BLOCKING = Specification("XEP-0191")

to_each = pytest.mark.parametrize("to", ["bare", "full"])
PRESENCES = ("available", "unavailable", *SUBSCRIPTIONS)


# --- messages


@to_each
@pytest.mark.parametrize("kind", MESSAGES)
@BLOCKING.must_not("3.3", says="No message of somebody blocked is delivered.")
def test_message_is_not_delivered(kind: str, to: str, connect: Connect) -> None:
    alice, bob = blocked_friends(connect)
    not_delivered(bob, alice, f"message-{kind}", address_of(alice, to))


@to_each
@pytest.mark.parametrize("kind", ["normal", "chat"])
@BLOCKING.should("3.3", says="A message of somebody blocked is answered by service-unavailable.")
def test_message_is_answered(kind: str, to: str, connect: Connect) -> None:
    alice, bob = blocked_friends(connect)
    identifier = not_delivered(bob, alice, f"message-{kind}", address_of(alice, to))
    answers = [e for e in bob.inbox if e.get("id") == identifier]
    require(answers, "an error", "no answer")
    require_error(answers[0], "service-unavailable")
    require_equal(answers[0].get("from"), address_of(alice, to), "'from'")


@BLOCKING.must_not("3.3", says="A message of somebody blocked is not kept for a user who is offline.")
def test_message_is_not_kept(connect: Connect) -> None:
    account = connect.account()
    alice, bob = user(connect, account=account), connect(label="bob")
    block(alice, bob.bare_jid)
    alice.close(farewell=alice.patience)
    identifier = new_id()
    bob.send(written("message-chat", account.jid, identifier))
    bob.sentinel()
    later = connect(account=account, label="later")
    later.send("<presence/>")
    later.expect_nothing(
        written("message-chat", account.jid, identifier, bob.jid),
        lambda e: e.get("id") == identifier or is_from("message", bob)(e),
        "message of somebody blocked",
    )


@BLOCKING.must_not("3.3", says="A block is in force in all sessions of the user, older and newer ones.")
def test_block_holds_in_each_session(connect: Connect) -> None:
    account = connect.account()
    alice, older = user(connect, account=account), connect(account=account, label="older")
    bob = connect(label="bob")
    block(alice, bob.bare_jid)
    newer = connect(account=account, label="newer")
    for session in (alice, older, newer):
        appear(session)
    for session in (older, newer, alice):
        not_delivered(bob, session, "message-chat", session.jid)
    not_delivered(bob, alice, "message-chat", account.jid)


@BLOCKING.must("3.3", says="Nobody but whom the user blocked is blocked.")
def test_others_are_not_blocked(connect: Connect) -> None:
    alice, bob = blocked_friends(connect)
    carol = connect(label="carol")
    identifier = new_id()
    carol.send(written("message-chat", alice.jid, identifier))
    alice.expect(identifier, "a message of somebody else")
    carol.send(written("message-chat", bob.jid, identifier))
    bob.expect(identifier, "a message to the one who is blocked, of somebody else")


# --- iq


@to_each
@pytest.mark.parametrize("kind", ["get", "set"])
@BLOCKING.must("3.3", says="A request of somebody blocked is answered by an error, and not delivered.")
def test_request_is_refused(kind: str, to: str, connect: Connect) -> None:
    alice, bob = blocked_friends(connect)
    identifier = not_delivered(bob, alice, f"iq-{kind}", address_of(alice, to))
    require_error(bob.expect(identifier, "an error"))


@to_each
@pytest.mark.parametrize("kind", ["get", "set"])
@BLOCKING.should("3.3", says="The error for a request of somebody blocked is service-unavailable.")
def test_request_is_service_unavailable(kind: str, to: str, connect: Connect) -> None:
    alice, bob = blocked_friends(connect)
    identifier = not_delivered(bob, alice, f"iq-{kind}", address_of(alice, to))
    require_error(bob.expect(identifier, "an error"), "service-unavailable")


@pytest.mark.parametrize("kind", ["result", "error"])
@BLOCKING.must("3.3", says="An iq of somebody blocked that asks for nothing is dropped: not delivered, not answered.")
def test_answer_is_dropped(kind: str, connect: Connect) -> None:
    alice, bob = blocked_friends(connect)
    identifier = not_delivered(bob, alice, f"iq-{kind}", alice.jid)
    not_answered(bob, f"iq-{kind}", identifier, alice.jid)


# --- presence


@to_each
@pytest.mark.parametrize("kind", PRESENCES)
@BLOCKING.must_not("3.3", says="No presence of somebody blocked is delivered, nor a request for a subscription.")
def test_presence_is_not_delivered(kind: str, to: str, connect: Connect) -> None:
    alice, bob = blocked_friends(connect)
    not_delivered(bob, alice, f"presence-{kind}", address_of(alice, to))


@pytest.mark.parametrize("kind", [*PRESENCES, "probe"])
@BLOCKING.must_not("3.3", says="Presence of somebody blocked is not answered, by an error or otherwise.")
def test_presence_is_not_answered(kind: str, connect: Connect) -> None:
    alice, bob = blocked_friends(connect)
    identifier = new_id()
    bob.send(written(f"presence-{kind}", alice.bare_jid, identifier))
    settle(bob, alice)
    bob.expect_nothing(
        f"<presence type='error' id='{identifier}' from='{alice.bare_jid}' to='{bob.jid}'/>",
        lambda e: e.get("id") == identifier or is_from("presence", alice)(e),
        "presence of the user who blocks",
    )


@BLOCKING.must_not("3.3", says="Neither the user nor somebody blocked is told when the latter comes online.")
def test_somebody_blocked_comes_unseen(connect: Connect) -> None:
    alice, bob = blocked_friends(connect)
    disappear(bob)
    settle(bob, alice)
    for session in (alice, bob):
        session.inbox.clear()
    appear(bob)
    settle(bob, alice)
    for one, other in ((alice, bob), (bob, alice)):
        one.expect_nothing(
            f"<presence from='{other.jid}' to='{one.bare_jid}'/>",
            is_from("presence", other),
            f"presence of {other.label}",
        )


@BLOCKING.must_not("3.3", says="A blocked stranger's request for a subscription is not delivered, now or later.")
def test_request_for_a_subscription_is_not_kept(connect: Connect) -> None:
    account = connect.account()
    alice, bob = user(connect, account=account), connect(label="bob")
    alice.iq("get", f"<query xmlns='{ROSTER}'/>")
    appear(alice)
    block(alice, bob.bare_jid)
    identifier = not_delivered(bob, alice, "presence-subscribe", alice.bare_jid)
    not_answered(bob, "presence-subscribe", identifier, alice.bare_jid)
    alice.close(farewell=alice.patience)
    later = connect(account=account, label="later")
    later.iq("get", f"<query xmlns='{ROSTER}'/>")
    later.send("<presence/>")
    later.expect_nothing(
        written("presence-subscribe", account.jid, identifier, bob.bare_jid),
        lambda e: localname(e) == "presence" and e.get("type") == "subscribe",
        "request of somebody blocked",
    )


# --- once unblocked


WAYS = {"named": "3.4", "all": "3.5"}


@pytest.mark.parametrize(
    "way",
    [
        pytest.param(way, marks=BLOCKING.must(where, says="Once unblocked, stanzas are delivered again."))
        for way, where in WAYS.items()
    ],
)
def test_stanzas_are_delivered_again(way: str, connect: Connect) -> None:
    alice, bob = blocked_friends(connect)
    unblock(alice, *([bob.bare_jid] if way == "named" else []))
    for kind in ("message-chat", "message-normal", "iq-get", "presence-available"):
        identifier = new_id()
        bob.send(written(kind, alice.jid, identifier))
        alice.expect(is_from(kind.partition("-")[0], bob), f"the {kind} of somebody unblocked")


@BLOCKING.must_not("3.3", says="What was sent while it was blocked is not delivered later, when it is unblocked.")
def test_unblocking_brings_nothing_back(connect: Connect) -> None:
    alice, bob = blocked_friends(connect)
    identifier = new_id()
    bob.send(written("message-chat", alice.bare_jid, identifier))
    settle(bob, alice)
    unblock(alice, bob.bare_jid)
    alice.expect_nothing(
        written("message-chat", alice.bare_jid, identifier, bob.jid),
        lambda e: e.get("id") == identifier,
        "message of the time of the block",
        after=bob,
    )
