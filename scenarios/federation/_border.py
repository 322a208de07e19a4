"""Two users with the border between them, as checks use them: available, friends, and what comes from whom."""

from __future__ import annotations

from lab.plugin import require_equal
from lab.plugin.border import Federation
from lab.wire.session import Matches, Session, localname, new_id
from lab.wire.stream import Element
from scenarios.server._contacts import appear, befriend


def strangers(federation: Federation) -> tuple[Session, Session]:
    """Both available, and neither in the other's roster."""
    alice, bob = federation.alice(), federation.bob()
    appear(alice)
    appear(bob)
    return alice, bob


def friends(federation: Federation) -> tuple[Session, Session]:
    """A subscription of type `both`, both available, each having seen the other; nothing else is left of it."""
    alice, bob = federation.alice(), federation.bob()
    befriend(alice, bob)
    appear(alice)
    appear(bob)
    for one, other in ((alice, bob), (bob, alice)):
        one.expect(is_from("presence", other.jid), f"the presence of {other.jid}")
    quiet(alice, bob)
    return alice, bob


def quiet(alice: Session, bob: Session) -> None:
    """Whatever was on its way between the two has come, and is forgotten."""
    alice.sentinel(bob)
    bob.sentinel(alice)
    for session in (alice, bob):
        session.sentinel()
        session.inbox.clear()


def is_from(kind: str, sender: str, *, typed: str | None = None) -> Matches:
    """Matches stanzas of a kind and a type (None: of none) from just that JID."""
    return lambda e: localname(e) == kind and e.get("from") == sender and e.get("type") == typed


def message(to: str, content: str = "<body>hello</body>", *, typed: str = "chat", more: str = "") -> tuple[str, str]:
    """A message as it is written, and its id; `more` is put into the start tag. An empty type is none."""
    identifier = new_id()
    kind = f" type='{typed}'" if typed else ""
    return f"<message to='{to}' id='{identifier}'{kind}{more}>{content}</message>", identifier


def crosses(federation: Federation, alice: Session, bob: Session, xml: str, identifier: str) -> Element:
    """Alice sends a stanza, and bob gets it, from her full JID. Answers it as it came."""
    alice.send(xml)
    came = bob.expect(identifier, f"what {alice.jid} sent to {bob.jid}")
    with federation.here.writes():  # the sender's server stamps it (RFC 6120 §8.1.2.1)
        require_equal(came.get("from"), alice.jid, "the sender")
    return came


def answered(session: Session, kind: str, payload: str, to: str) -> Element:
    """An iq to the other side, and its answer, which must come from where it was sent to: see `Session.iq`."""
    reply = session.iq(kind, payload, to=to)
    require_equal(reply.get("from"), to, "the sender of the answer")
    return reply
