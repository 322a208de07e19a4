"""XEP-0191 §6: which addresses each form of a blocked JID stands for. The other domain is the lab's component."""

from __future__ import annotations

import pytest

from lab.plugin import Connect, Specification, impossible, require, require_equal
from lab.wire.session import Session, new_id
from scenarios.server._contacts import appear
from scenarios.server.xep0191._blocking import block, not_delivered, unblock, user, written

BLOCKING = Specification("XEP-0191")

SENDERS = (
    "domain",
    "domain/one",
    "domain/two",
    "romeo@domain",
    "romeo@domain/one",
    "romeo@domain/two",
    "iago@domain/one",
)
MATCHES = {
    "full": ("romeo@domain/one", {"romeo@domain/one"}),
    "bare": ("romeo@domain", {"romeo@domain", "romeo@domain/one", "romeo@domain/two"}),
    "domain-resource": ("domain/one", {"domain/one"}),
    "domain": ("domain", set(SENDERS)),
}
"""Form -> the JID that is blocked, and those of `SENDERS` that it stands for. `domain` is the component's."""


@pytest.fixture
def component(connect: Connect) -> Session:
    return connect.component()


def _who_gets_through(component: Session, alice: Session) -> set[str]:
    """Those of `SENDERS` whose message is delivered."""
    domain = component.jid
    sent = {new_id(): sender for sender in SENDERS}
    for identifier, sender in sent.items():
        address = sender.replace("domain", domain)
        component.send(
            f"<message from='{address}' to='{alice.jid}' id='{identifier}'><body>{sender}</body></message>"
        )
    witness = new_id()
    # A sentinel of somebody who is surely not blocked comes from another stream: let the server go through this one.
    component.send(
        f"<iq type='get' from='watch@{domain}/{witness}' to='{component.domain}' id='{witness}'>"
        f"<ping xmlns='urn:xmpp:ping'/></iq>"
    )
    component.expect(witness, "the server's answer to the component")
    alice.sentinel()
    return {sent[e.get("id", "")] for e in alice.inbox if e.get("id") in sent}


def _everybody_gets_through(component: Session, alice: Session) -> None:
    if _who_gets_through(component, alice) != set(SENDERS):
        impossible("not all messages of the component are delivered before anybody is blocked")
    alice.inbox.clear()


@pytest.mark.xdist_group("component")
@pytest.mark.parametrize("form", list(MATCHES))
@BLOCKING.should(
    "6", says="A blocked JID stands for itself, for its resources, or for all of its domain, as its form is."
)
def test_jid_matches_by_its_form(form: str, component: Session, connect: Connect) -> None:
    alice = user(connect)
    appear(alice)
    jid, blocked = MATCHES[form]
    _everybody_gets_through(component, alice)
    block(alice, jid.replace("domain", component.jid))
    require_equal(sorted(_who_gets_through(component, alice)), sorted(set(SENDERS) - blocked), "who gets through")


@pytest.mark.xdist_group("component")
@BLOCKING.should("6", says="When one of several forms that match is unblocked, the others still block.")
def test_other_forms_still_block(component: Session, connect: Connect) -> None:
    alice = user(connect)
    appear(alice)
    domain = component.jid
    _everybody_gets_through(component, alice)
    block(alice, f"romeo@{domain}", f"romeo@{domain}/one", f"iago@{domain}")
    unblock(alice, f"romeo@{domain}")
    expected = set(SENDERS) - {"romeo@domain/one", "iago@domain/one"}
    require_equal(sorted(_who_gets_through(component, alice)), sorted(expected), "who gets through")


@BLOCKING.should("6", says="Where one resource of a contact is blocked, only that one is.")
def test_only_that_resource_is_blocked(connect: Connect) -> None:
    alice, account = user(connect), connect.account()
    appear(alice)
    one, other = connect(account=account, label="bob"), connect(account=account, label="bob's other")
    block(alice, one.jid)
    not_delivered(one, alice, "message-chat", alice.jid)
    identifier = new_id()
    other.send(written("message-chat", alice.jid, identifier))
    alice.expect(identifier, "the message of the other resource")
    alice.send(written("message-chat", other.jid, identifier))
    other.expect(identifier, "the message to the other resource")
    alice.send(written("message-chat", one.jid, refused := new_id()))
    alice.expect(lambda e: e.get("id") == refused and e.get("type") == "error", "an error for the blocked resource")
    one.sentinel()
    require(not any(e.get("id") == refused for e in one.inbox), "no message to the blocked resource", "one")


@BLOCKING.should(
    "6", says="However a JID is spelt, it matches who bears it: addresses are compared as RFC 7622 has it."
)
def test_spelling_does_not_matter(connect: Connect) -> None:
    alice, bob = user(connect), connect(label="bob")
    appear(alice)
    block(alice, bob.bare_jid.upper())
    not_delivered(bob, alice, "message-chat", alice.jid)
