"""XEP-0280: copies of the own account's messages are shown as what they are, and believed of nobody else."""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

import pytest

from lab.plugin.clients import Arrive, has
from lab.plugin.judge import require, require_equal
from lab.plugin.requirement import Specification
from lab.wire.namespaces import CARBONS, CHAT_STATES, CLIENT, RECEIPTS
from lab.wire.session import localname, new_id
from scenarios.client._played import FORGERS, Played, arrived, bare_of, carbon

CARBON = Specification("XEP-0280")
KINDS = pytest.mark.parametrize("kind", ["received", "sent"])


def _copying(arrive: Arrive) -> Played:
    """A client with carbons enabled, and a contact that is available."""
    played = arrived(arrive)
    played.client.does("enable-carbons")
    played.presence(played.device)
    return played


def _message(played: Played, kind: str, body: str, content: str = "") -> str:
    """A message between the contact and another resource of the own account."""
    other = f"{played.client.bare_jid}/another"
    sender, to = (played.device, other) if kind == "received" else (other, played.contact)
    return (
        f"<message xmlns='{CLIENT}' from={quoteattr(sender)} to={quoteattr(to)} type='chat' id='{new_id()}'>"
        f"<body>{body}</body>{content}</message>"
    )


@CARBON.must("2", "4", says="A client asks its own account for copies by <enable/> in an iq of type set.")
def test_client_enables_carbons(arrive: Arrive) -> None:
    played = arrived(arrive)
    played.client.does("enable-carbons")
    sent = played.client.sends(has("carbons:enable"), f"<enable xmlns='{CARBONS}'/>")
    require_equal((localname(sent), sent.get("type")), ("iq", "set"), "the stanza that enables carbons")
    to = sent.get("to")
    require(to is None or bare_of(to) == played.client.bare_jid, "no 'to', or the own bare JID", sent)


@CARBON.must("7", says="A copy of a message to another resource is shown as coming from who sent that message.")
def test_client_shows_received_copy(arrive: Arrive) -> None:
    played = _copying(arrive)
    body = f"received elsewhere {new_id()}"
    played.message(played.client.bare_jid, content=carbon("received", _message(played, "received", body)))
    event = played.client.shows("message", lambda e: e["body"] == body, "the message that was copied")
    require_equal(bare_of(event["from"]), played.contact, "the sender shown")
    require_equal(event.get("carbon", "received"), "received", "what the copy is shown as")


@CARBON.must("8", "7", says="A copy of a message that another resource sent is shown as the own account's.")
def test_client_shows_sent_copy(arrive: Arrive) -> None:
    played = _copying(arrive)
    body = f"sent elsewhere {new_id()}"
    played.message(played.client.bare_jid, content=carbon("sent", _message(played, "sent", body)))
    event = played.client.shows("message", lambda e: e["body"] == body, "the message that was copied")
    require_equal(bare_of(event["from"]), played.client.bare_jid, "the sender shown")
    require_equal(bare_of(event.get("to", played.contact)), played.contact, "the recipient shown")
    require_equal(event.get("carbon", "sent"), "sent", "what the copy is shown as")


# Who takes anybody's copies shows whatever an attacker writes as a contact's words, or as the user's own: the family
# of CVE-2017-5589 (found in a dozen clients at once), CVE-2019-16235 (Dino), CVE-2020-26547 (Monal).


@KINDS
@pytest.mark.parametrize("forger", FORGERS)
@CARBON.must("11", "7", says="A copy that does not come from the own bare JID is ignored.")
def test_client_ignores_forged_copy(arrive: Arrive, forger: str, kind: str) -> None:
    played = _copying(arrive)
    body = f"forged {new_id()}"
    played.message(played.forger(forger), content=carbon(kind, _message(played, kind, body)))
    played.shows_nothing("message", lambda e: e["body"] == body, f"a copy from {forger}")


@CARBON.must_not(
    "10.4", says="Nothing is answered to what another resource of the account has sent, no receipt either."
)
def test_client_does_not_answer_sent_copy(arrive: Arrive) -> None:
    _answers_no_copy(arrive, "sent")


@CARBON.should_not(
    "10.4", says="Nothing is answered to what another resource received, unless it is sure that only one answers."
)
def test_client_does_not_answer_received_copy(arrive: Arrive) -> None:
    _answers_no_copy(arrive, "received")


def _answers_no_copy(arrive: Arrive, kind: str) -> None:
    played = _copying(arrive)
    message = _message(played, kind, f"copied {new_id()}", f"<request xmlns='{RECEIPTS}'/>")
    played.message(played.client.bare_jid, content=carbon(kind, message))
    people = {played.contact, played.client.bare_jid}
    played.sends_nothing(
        f"<message to='{played.device}'><received xmlns='{RECEIPTS}' id='{new_id()}'/></message>",
        lambda e: localname(e) == "message" and bare_of(e.get("to", "")) in people,
        f"message in answer to a copy ({kind})",
    )


@CARBON.should_not("10.2", says="Chats are not ended (<gone/>) as the user logs out: they go on elsewhere.")
def test_client_ends_no_chat_at_logout(arrive: Arrive) -> None:
    played = _copying(arrive)
    played.message(played.device, "hello", f"<active xmlns='{CHAT_STATES}'/>")
    played.settled()
    played.client.does("send-message", to=played.contact, body="hello")
    played.client.does("disconnect")
    played.client.tap.over()
    forbidden = f"<message to='{played.device}'><gone xmlns='{CHAT_STATES}'/></message>"
    played.client.sends_nothing(forbidden, has("chatstates:gone"), "<gone/>")
