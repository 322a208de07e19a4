"""XEP-0249 (Direct MUC Invitations), as far as a server has a part in it: it passes an invitation on as it is.

What §2 demands it demands of clients; of a server no sentence is.
"""

from __future__ import annotations

import pytest

from lab.plugin import Connect, Specification, require, require_equal
from lab.wire.namespaces import CONFERENCE, NS
from lab.wire.session import Session, localname, new_id
from lab.wire.stream import Element
from scenarios.server._contacts import appear, befriend

XEP = Specification("XEP-0249")
ROOM = "darkcave@chat.venue.example"
INVITATIONS = {
    "bare": {"jid": ROOM},
    "reason": {"jid": ROOM, "reason": "Hey Hecate, this is the place for all good witches!"},
    "password": {"jid": ROOM, "password": "cauldronburn", "reason": "come"},
    "continued": {"jid": ROOM, "continue": "true", "thread": "e0ffe42b28561960c6b12b944a092794b9683a38"},
}
"""What the attributes of an invitation may be (§2)."""


def _invites(alice: Session, to: str, attributes: dict[str, str], kind: str = "") -> str:
    """Send an invitation (§2). Answers the message's id."""
    identifier = new_id()
    typed = f" type='{kind}'" if kind else ""
    given = "".join(f' {name}="{value}"' for name, value in attributes.items())
    alice.send(f"<message to='{to}' id='{identifier}'{typed}><x xmlns='{CONFERENCE}'{given}/></message>")
    return identifier


def _invited(bob: Session, identifier: str) -> Element:
    return bob.expect(
        lambda e: localname(e) == "message" and e.get("id") == identifier, f"the invitation {identifier!r}"
    )


def _is_as_sent(message: Element, alice: Session, attributes: dict[str, str]) -> None:
    require_equal(message.get("from"), alice.jid, "from")
    require(message.get("type") != "error", "a message, not an error", message)
    found = message.findall("conference:x", NS)
    require_equal([dict(x.attrib) for x in found], [attributes], "the invitation:")


@XEP.may("2", says="An invitation to a full JID arrives with all of its attributes as they were given.")
@pytest.mark.parametrize("invitation", INVITATIONS)
@pytest.mark.parametrize("kind", ["", "normal"], ids=["without-type", "normal"])
def test_invitation_arrives(alice: Session, bob: Session, invitation: str, kind: str) -> None:
    appear(bob)
    attributes = INVITATIONS[invitation]
    _is_as_sent(_invited(bob, _invites(alice, bob.jid, attributes, kind)), alice, attributes)


@XEP.may("2", says="An invitation to a bare JID arrives at the one resource that is there, all as it was given.")
@pytest.mark.parametrize("invitation", INVITATIONS)
def test_invitation_to_the_account_arrives(alice: Session, bob: Session, invitation: str) -> None:
    appear(bob)
    attributes = INVITATIONS[invitation]
    _is_as_sent(_invited(bob, _invites(alice, bob.bare_jid, attributes)), alice, attributes)


@XEP.may("2", says="Between contacts an invitation arrives just so.")
def test_invitation_of_a_contact_arrives(alice: Session, bob: Session) -> None:
    befriend(alice, bob)
    for session in (alice, bob):
        appear(session)
    attributes = INVITATIONS["password"]
    _is_as_sent(_invited(bob, _invites(alice, bob.bare_jid, attributes)), alice, attributes)


@XEP.may("2", says="Several invitations arrive in their order, each once.")
def test_invitations_arrive_in_order(alice: Session, bob: Session) -> None:
    appear(bob)
    sent = [_invites(alice, bob.jid, {"jid": f"room{number}@chat.venue.example"}) for number in range(5)]
    alice.sentinel(bob)
    came = [e.get("id") for e in bob.inbox if e.find("conference:x", NS) is not None]
    require_equal(came, sent, "ids of invitations")


@XEP.may("2", says="An invitation goes to whom it is for, and to nobody else.")
def test_invitation_is_for_one(alice: Session, bob: Session, connect: Connect) -> None:
    carol = connect(label="carol")
    for session in (bob, carol):
        appear(session)
    _invited(bob, _invites(alice, bob.bare_jid, INVITATIONS["bare"]))
    carol.expect_nothing(
        f"<message from='{alice.jid}' to='{carol.jid}'><x xmlns='{CONFERENCE}' jid='{ROOM}'/></message>",
        lambda e: e.find("conference:x", NS) is not None,
        "invitation of somebody else",
        after=alice,
    )
