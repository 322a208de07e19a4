"""XEP-0191 §3.3: what a user sends to somebody blocked goes nowhere, and is answered by not-acceptable."""

from __future__ import annotations

import pytest

from lab.plugin import Connect, Specification, impossible, premise, require, require_equal, require_error
from lab.wire.namespaces import BLOCKING_ERRORS
from lab.wire.session import Session, new_id, stanza_error_condition
from lab.wire.stream import Element
from scenarios.server.xep0191._blocking import (
    MESSAGES,
    SUBSCRIPTIONS,
    address_of,
    blocked_friends,
    is_from,
    not_answered,
    settle,
    unblock,
    written,
)

BLOCKING = Specification("XEP-0191")
CORE = Specification("RFC 6120")

KINDS = (
    *(f"message-{kind}" for kind in MESSAGES if kind != "error"),
    "presence-available",
    *(f"presence-{kind}" for kind in SUBSCRIPTIONS),
    "iq-get",
    "iq-set",
)
UNANSWERABLE = ("message-error", "iq-result", "iq-error")
"""An error for an error, or for an answer, is nothing that RFC 6120 §8.3.1 and §8.2.3 allow."""

APPROVAL = "presence-subscribed"
"""Where nobody waits for it, it is a pre-approval, or ignored without a word (RFC 6121 §3.4.2): nothing to refuse."""

to_each = pytest.mark.parametrize("to", ["bare", "full"])


def _refused(connect: Connect, kind: str, to: str) -> tuple[Session, Session, Element]:
    """Send a stanza to somebody blocked; user, contact, and the error."""
    alice, bob = blocked_friends(connect)
    identifier, address = new_id(), address_of(bob, to)
    alice.send(written(kind, address, identifier))

    def answers(element: Element) -> bool:
        """Which id and 'from' an error bears is RFC 6120's matter, and RFC 6121's: by its §3.1.2, a request for a
        subscription to a full JID is as one to the bare JID.
        """
        places = {address, bob.bare_jid}
        return element.get("id") == identifier or (element.get("type") == "error" and element.get("from") in places)

    return alice, bob, alice.expect(answers, f"an error for the {kind}")


@to_each
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != APPROVAL])
@BLOCKING.must("3.3", says="A stanza to somebody blocked is answered by not-acceptable.")
def test_stanza_is_refused(kind: str, to: str, connect: Connect) -> None:
    _, _, answer = _refused(connect, kind, to)
    require_error(answer, "not-acceptable")


@pytest.mark.parametrize("kind", ["message-chat", "presence-available", "iq-get"])
@BLOCKING.must("3.3", says="The error for a stanza to somebody blocked has the condition <blocked/> besides.")
def test_refusal_says_that_it_is_blocked(kind: str, connect: Connect) -> None:
    _, _, answer = premise(
        lambda: _refused(connect, kind, "bare"), "the stanza is not refused; another check judges that"
    )
    if stanza_error_condition(answer) != "not-acceptable":
        impossible("the stanza is not refused by not-acceptable; another check judges that")
    require(answer.find(f"{{*}}error/{{{BLOCKING_ERRORS}}}blocked") is not None, "<blocked/> in the error", answer)


@to_each
@pytest.mark.parametrize("kind", [*KINDS, *UNANSWERABLE])
@BLOCKING.must_not("3.3", says="A stanza to somebody blocked is not routed.")
def test_stanza_is_not_routed(kind: str, to: str, connect: Connect) -> None:
    alice, bob = blocked_friends(connect)
    identifier, (name, _, type_) = new_id(), kind.partition("-")
    alice.send(written(kind, address_of(bob, to), identifier))
    settle(alice, bob)
    bob.expect_nothing(
        written(kind, address_of(bob, to), identifier, alice.jid),
        lambda e: e.get("id") == identifier or (is_from(name, alice)(e) and e.get("type", "available") == type_),
        f"{name} of type {type_} of the user who blocks",
    )


@pytest.mark.parametrize("kind", UNANSWERABLE)
@CORE.must_not("8.3.1", "8.2.3", says="What is sent to somebody blocked and is an answer itself is not answered.")
def test_answer_to_somebody_blocked_is_not_answered(kind: str, connect: Connect) -> None:
    # XEP-0191 §3.3 has an error for any stanza; that none may be answered so is RFC 6120's to say.
    alice, bob = blocked_friends(connect)
    identifier = new_id()
    alice.send(written(kind, bob.jid, identifier))
    settle(alice, bob)
    not_answered(alice, kind, identifier, bob.jid)


@BLOCKING.must_not("3.3", says="Presence that the user broadcasts is not routed to somebody blocked.")
def test_broadcast_presence_is_not_routed(connect: Connect) -> None:
    alice, bob = blocked_friends(connect)
    alice.send("<presence><show>away</show></presence>")
    alice.send("<presence type='unavailable'/>")
    settle(alice, bob)
    bob.expect_nothing(
        f"<presence from='{alice.jid}' to='{bob.bare_jid}'><show>away</show></presence>",
        is_from("presence", alice),
        "presence of the user who blocks",
    )


@BLOCKING.must_not("3.3", says="When the user leaves, or comes again, somebody blocked is not told.")
def test_login_is_not_told(connect: Connect) -> None:
    alice, bob = blocked_friends(connect)
    alice.send("<presence type='unavailable'/>")
    alice.send("<presence/>")
    settle(alice, bob)
    bob.expect_nothing(
        f"<presence from='{alice.jid}' to='{bob.bare_jid}'/>",
        is_from("presence", alice),
        "presence of the user who blocks",
    )


@BLOCKING.must("3.3", says="Other stanzas of the user's are routed, to others and to the own server.")
def test_other_stanzas_are_routed(connect: Connect) -> None:
    alice, bob = blocked_friends(connect)
    carol = connect(label="carol")
    identifier = new_id()
    alice.send(written("message-chat", carol.jid, identifier))
    require_equal(carol.expect(identifier).get("from"), alice.jid, "'from'")
    alice.sentinel()
    bob.sentinel()


@BLOCKING.must("3.4", says="Once unblocked, stanzas of the user's reach whom was blocked.")
def test_stanzas_are_routed_again(connect: Connect) -> None:
    alice, bob = blocked_friends(connect)
    unblock(alice, bob.bare_jid)
    for kind in ("message-chat", "iq-get"):
        identifier = new_id()
        alice.send(written(kind, bob.jid, identifier))
        require_equal(bob.expect(identifier, f"the {kind}").get("from"), alice.jid, "'from'")
