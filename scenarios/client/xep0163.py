"""XEP-0163: a client publishes to its own account, and takes nobody's events for somebody else's."""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

import pytest

from lab.plugin.clients import Arrive, has
from lab.plugin.judge import require, require_equal
from lab.plugin.requirement import Specification
from lab.wire.namespaces import NICK, NS, PUBSUB_EVENT
from lab.wire.session import localname, new_id
from lab.wire.stream import Element
from scenarios.client._played import Played, arrived, bare_of

PEP = Specification("XEP-0163")
ADDRESSES = "http://jabber.org/protocol/address"


def _published(played: Played, nick: str) -> Element:
    played.client.does("publish-nick", nick=nick)
    return played.client.sends(
        lambda e: e.get("type") == "set" and has(f"pubsub:pubsub/pubsub:publish[@node='{NICK}']")(e),
        f"an item published to the node {NICK}",
    )


@PEP.must("3", says="A client publishes to its own account: by an iq to nobody in particular, or to its bare JID.")
def test_client_publishes_to_own_account(arrive: Arrive) -> None:
    played = arrived(arrive)
    sent = _published(played, "Romeo")
    to = sent.get("to")
    require(to is None or bare_of(to) == played.client.bare_jid, "no 'to', or the own bare JID", sent)


@PEP.must("3", says="What is published stands in one item, as its own specification has it.")
def test_client_publishes_item(arrive: Arrive) -> None:
    nick = f"Romeo & <Juliet> {new_id()}"
    sent = _published(arrived(arrive), nick)
    texts = [e.text for e in sent.iterfind("pubsub:pubsub/pubsub:publish/pubsub:item/nick:nick", NS)]
    require(texts == [nick], f"one item with the nickname {nick!r}", sent)


@PEP.should("6.1", says="Before it publishes, a client asks its own account whether that knows personal eventing.")
def test_client_discovers_own_account_before_publishing(arrive: Arrive) -> None:
    played = arrived(arrive)
    _published(played, "Romeo")
    asked = [
        localname(e) == "iq" and e.find("disco:query", NS) is not None
        for e in played.client.sent(lambda e: _is_question(e, played.client.bare_jid) or _is_publishing(e))
    ]
    require(asked[0], "disco#info of the own bare JID before the first item", "an item, and nothing asked before")


def _is_question(element: Element, account: str) -> bool:
    to = element.get("to")
    own = to is None or bare_of(to) == account
    return own and element.get("type") == "get" and has("disco:query")(element)


def _is_publishing(element: Element) -> bool:
    return element.get("type") == "set" and has("pubsub:pubsub/pubsub:publish")(element)


@PEP.should("4.2", says="A client that asks to be notified of nicknames (+notify) shows that of a contact.")
def test_client_shows_event_of_contact(arrive: Arrive) -> None:
    played = arrived(arrive)
    played.needs(f"{NICK}+notify")
    nick = f"Juliet {new_id()}"
    played.presence(played.device)
    played.message(played.contact, content=_event(nick), kind="headline")
    event = played.client.shows("nick", lambda e: e["nick"] == nick, "the nickname of the contact")
    require_equal(bare_of(event["from"]), played.contact, "whose nickname is shown")


# An event is its sender's, whoever it says that it is from: who may name another publisher may rename anybody.


@pytest.mark.parametrize("names", ["nobody", "publisher", "replyto"])
@PEP.should_not(
    "4.3.1", says="An event from a stranger is not taken for one of a contact, whoever it names as its author."
)
def test_client_ignores_event_in_contacts_name(arrive: Arrive, names: str) -> None:
    played = arrived(arrive)
    played.needs(f"{NICK}+notify")
    nick = f"Forged {new_id()}"
    publisher = f" publisher={quoteattr(played.device)}" if names == "publisher" else ""
    more = ""
    if names == "replyto":
        more = f"<addresses xmlns='{ADDRESSES}'><address type='replyto' jid={quoteattr(played.device)}/></addresses>"
    sender = bare_of(played.stranger) if names != "nobody" else f"{bare_of(played.stranger)}/{played.contact}"
    played.message(sender, content=_event(nick, publisher) + more, kind="headline")
    played.shows_nothing(
        "nick",
        lambda e: e["nick"] == nick and bare_of(e["from"]) == played.contact,
        "a stranger's event as a contact's",
    )


def _event(nick: str, attributes: str = "") -> str:
    return (
        f"<event xmlns='{PUBSUB_EVENT}'><items node='{NICK}'><item id='current'{attributes}>"
        f"<nick xmlns='{NICK}'>{nick}</nick></item></items></event>"
    )
