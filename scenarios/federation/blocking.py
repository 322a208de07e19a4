"""Blocking who is over the border (XEP-0191): alice blocks, bob is blocked, alone or with all of his server."""

from __future__ import annotations

import pytest

from lab.plugin import Specification, require, require_error
from lab.plugin.border import Federation
from lab.wire.namespaces import NS, PING
from lab.wire.session import Session, new_id
from scenarios.federation._border import answered, crosses, message, quiet
from scenarios.server._contacts import appear, befriend
from scenarios.server.rfc6121._playing import is_presence
from scenarios.server.xep0191._blocking import block, unblock, user

BLOCKING = Specification("XEP-0191")

WHAT = pytest.mark.parametrize("what", ["contact", "domain"])


def users(federation: Federation, *, friends: bool = False) -> tuple[Session, Session]:
    """Alice, whose server can block, and bob, both available; friends where it is asked for."""
    with federation.here.blamed():
        alice = user(federation.here.connect)
    bob = federation.bob()
    if friends:
        befriend(alice, bob)
    appear(alice)
    appear(bob)
    if friends:
        bob.expect(is_presence(None, alice.jid), "the user's presence")
        quiet(alice, bob)
    return alice, bob


def blocked(federation: Federation, alice: Session, bob: Session, what: str) -> str:
    """Alice blocks bob, or his server. Answers what was blocked."""
    jid = bob.bare_jid if what == "contact" else bob.domain
    with federation.here.blamed():
        block(alice, jid)
    return jid


@BLOCKING.must_not("3.3", says="No message of somebody blocked is delivered from over the border.")
@WHAT
def test_message_from_abroad_is_blocked(federation: Federation, what: str) -> None:
    alice, bob = users(federation)
    blocked(federation, alice, bob, what)
    sent, identifier = message(alice.jid)
    bob.send(sent)
    # What bob sends is kept from alice: an answer of her server, the same way, shows that it was dealt with.
    bob.iq("get", f"<ping xmlns='{PING}'/>", to=federation.here.domain)
    forbidden = sent.replace("<message ", f"<message from='{bob.jid}' ")
    with federation.here.blamed():
        alice.expect_nothing(forbidden, lambda e: e.get("id") == identifier, "message of somebody blocked")


@BLOCKING.must(
    "3.3", says="A request of somebody blocked is answered over the border by an error, and not delivered."
)
@WHAT
def test_request_from_abroad_is_blocked(federation: Federation, what: str) -> None:
    alice, bob = users(federation)
    blocked(federation, alice, bob, what)
    reply = answered(bob, "get", f"<ping xmlns='{PING}'/>", alice.jid)
    with federation.here.writes():
        require_error(reply)


@BLOCKING.must(
    "3.3", says="A stanza to somebody blocked over the border is answered by not-acceptable, with <blocked/>."
)
@WHAT
def test_message_to_who_is_blocked_abroad(federation: Federation, what: str) -> None:
    alice, bob = users(federation)
    blocked(federation, alice, bob, what)
    sent, identifier = message(bob.jid)
    alice.send(sent)
    with federation.here.blamed():
        refused = alice.expect(identifier, "an error")
        require_error(refused, "not-acceptable")
        require(refused.find("c:error/{urn:xmpp:blocking:errors}blocked", NS) is not None, "<blocked/>", refused)
        forbidden = sent.replace("<message ", f"<message from='{alice.jid}' ")
        alice.sentinel()
        _spared(federation, bob, forbidden, identifier)


@BLOCKING.must("3.3", says="A contact over the border is sent unavailable presence when it is blocked.")
def test_presence_is_withdrawn_over_the_border(federation: Federation) -> None:
    alice, bob = users(federation, friends=True)
    blocked(federation, alice, bob, "contact")
    bob.expect(is_presence("unavailable", alice.jid), "unavailable presence")


@BLOCKING.must("3.4", says="A contact over the border is sent the user's presence when it is unblocked.")
def test_presence_comes_back_over_the_border(federation: Federation) -> None:
    alice, bob = users(federation, friends=True)
    jid = blocked(federation, alice, bob, "contact")
    bob.expect(is_presence("unavailable", alice.jid), "unavailable presence")
    with federation.here.blamed():
        unblock(alice, jid)
    bob.expect(is_presence(None, alice.jid), "available presence")


@BLOCKING.must("3.4", "3.5", says="Once unblocked, messages cross the border again, both ways.")
@pytest.mark.parametrize("all_", [False, True], ids=["this-one", "all"])
def test_unblocked_messages_cross_the_border(federation: Federation, all_: bool) -> None:
    alice, bob = users(federation)
    jid = blocked(federation, alice, bob, "contact")
    with federation.here.blamed():
        unblock(alice, *([] if all_ else [jid]))
    crosses(federation, alice, bob, *message(bob.jid))
    sent, identifier = message(alice.jid)
    bob.send(sent)
    alice.expect(identifier, "the message")


@BLOCKING.must("3.3", says="Nobody but whom the user blocked is blocked: others of the same server get through.")
def test_others_abroad_are_not_blocked(federation: Federation) -> None:
    alice, bob = users(federation)
    blocked(federation, alice, bob, "contact")
    carol = federation.there.connect(label="carol")
    sent, identifier = message(alice.jid)
    carol.send(sent)
    alice.expect(identifier, "the message of another one")


def _spared(federation: Federation, bob: Session, forbidden: str, identifier: str) -> None:
    """What is blocked did not cross: another user's message, behind it on the same stream, has come."""
    other = federation.here.connect(label=f"other-{new_id()}")
    bob.expect_nothing(forbidden, lambda e: e.get("id") == identifier, "message to somebody blocked", after=other)
