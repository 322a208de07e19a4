"""XEP-0184: receipts that a client asks for and shows, and those that it returns, to whom and for what."""

from __future__ import annotations

import pytest

from lab.agents.agent import CommandFailed
from lab.plugin.clients import Arrive, has
from lab.plugin.judge import require, require_equal, unsupported
from lab.plugin.requirement import Specification
from lab.wire.namespaces import CLIENT, NS, RECEIPTS, STANZA_ERROR
from lab.wire.session import localname, new_id, show
from lab.wire.stream import Element
from scenarios.client._played import Archived, Played, arrived, bare_of

RECEIPT = Specification("XEP-0184")
REQUEST = f"<request xmlns='{RECEIPTS}'/>"
ERROR = f"<error type='cancel'><service-unavailable xmlns='{STANZA_ERROR}'/></error>"


def _is_ack(element: Element) -> bool:
    return localname(element) == "message" and has("receipts:received")(element)


def _acked(played: Played) -> tuple[Element, str]:
    """The receipt for a message of the contact's, and that message's id; `unsupported` where it returns none."""
    played.available()
    asked = played.message(played.device, f"Have you got it? {new_id()}", REQUEST)
    if not played.sent(_is_ack):
        played.needs(RECEIPTS)
    return played.client.sends(_is_ack, f"a receipt for the message {asked!r}"), asked


def _acks_nothing(played: Played) -> None:
    """Behind a message that is to be acknowledged: what came before it, which is not to be, was not."""
    sent, asked = _acked(played)
    require(_id(sent) == asked, "no receipt but that of the message behind it", sent)


def _id(ack: Element) -> str | None:
    received = ack.find("receipts:received", NS)
    return None if received is None else received.get("id")


@RECEIPT.must("7", says="A message that asks for a receipt has an id.")
def test_client_receipt_request_has_id(arrive: Arrive) -> None:
    sent = _request(arrived(arrive))
    require(sent.find("receipts:request", NS) is not None, "a message with <request/>", sent)
    require(sent.get("id"), "a message with an id", sent)


def _request(played: Played) -> Element:
    body = f"Have you got it? {new_id()}"
    played.available()
    played.sent(lambda _: False)  # whatever it asks about the contact is asked by now,
    played.settled()  # and answered
    try:
        played.client.does("send-message", to=played.contact, body=body, type="chat", receipt=True)
    except CommandFailed as error:  # it need ask nobody for receipts (§5.1)
        unsupported(f"{played.client.place.title} asks a contact for no receipt: {error.seen}")
    return played.client.sends(lambda e: e.findtext(f"{{{CLIENT}}}body") == body, f"a message with the body {body!r}")


@RECEIPT.should("7", says="A client that advertises receipts returns one for a contact's message that asks for it.")
def test_client_returns_receipt(arrive: Arrive) -> None:
    _acked(arrived(arrive))


@RECEIPT.must("7", says="A receipt goes to who sent the message, and bears that message's id.")
def test_client_receipt_names_message(arrive: Arrive) -> None:
    played = arrived(arrive)
    sent, asked = _acked(played)
    require_equal(bare_of(sent.get("to", "")), played.contact, "the address of the receipt")
    require_equal(_id(sent), asked, "the id in the receipt")


@RECEIPT.should("7", says="A receipt has nothing in it but <received/>.")
def test_client_receipt_is_alone(arrive: Arrive) -> None:
    sent, _ = _acked(arrived(arrive))
    require(len(sent) == 1, "a message with <received/> alone", sent)


@RECEIPT.must_not("5.4", says="A receipt does not ask for a receipt.")
def test_client_receipt_asks_for_none(arrive: Arrive) -> None:
    sent, _ = _acked(arrived(arrive))
    require(sent.find("receipts:request", NS) is None, "a receipt without <request/>", sent)


@RECEIPT.must("6", says="A client that returns receipts says so in service discovery.")
def test_client_advertises_receipts(arrive: Arrive) -> None:
    played = arrived(arrive)
    _acked(played)
    require(RECEIPTS in played.features(), f"the feature {RECEIPTS}", "an answer without it")


@RECEIPT.should_not("7", "5", says="Messages of type error are not acknowledged: they are no content messages.")
def test_client_returns_no_receipt_for_error(arrive: Arrive) -> None:
    played = arrived(arrive)
    played.available()
    played.message(played.device, "sent before", REQUEST + ERROR, kind="error")
    _acks_nothing(played)


@RECEIPT.must_not("7", says="What asks for no receipt gets none: a plain message, a receipt.")
def test_client_returns_no_receipt_unasked(arrive: Arrive) -> None:
    played = arrived(arrive)
    played.available()
    played.message(played.device, "plain")
    played.message(played.device, content=f"<received xmlns='{RECEIPTS}' id='{new_id()}'/>")
    _acks_nothing(played)


@RECEIPT.should_not(
    "5.4", says="A receipt that asks for a receipt, as it must not, is not acknowledged: they would loop."
)
def test_client_returns_no_receipt_for_receipt(arrive: Arrive) -> None:
    played = arrived(arrive)
    played.available()
    played.message(played.device, content=f"<received xmlns='{RECEIPTS}' id='{new_id()}'/>{REQUEST}")
    _acks_nothing(played)


@RECEIPT.should_not("8", says="Who is not on the roster, and may not see the user's presence, gets no receipt.")
def test_client_returns_no_receipt_to_stranger(arrive: Arrive) -> None:
    played = arrived(arrive)
    played.message(played.stranger, "Are you there?", REQUEST)
    _acks_nothing(played)


@RECEIPT.must_not("5.5", says="A message that is read from the archive is not acknowledged (again).")
def test_client_returns_no_receipt_for_archived(arrive: Arrive) -> None:
    played = arrived(arrive)
    played.archive = (Archived(played.device, "Long ago", "2020-02-02T20:20:20Z", REQUEST),)
    played.client.does("archive", max=1)
    _acks_nothing(played)


@pytest.mark.parametrize("kind", ["chat", "normal"])
@RECEIPT.should("7", says="A receipt is shown, of whatever type the message that bears it is.")
def test_client_shows_receipt(arrive: Arrive, kind: str) -> None:
    played = arrived(arrive)
    sent = _request(played)
    played.message(played.device, content=_received(sent), kind=kind)
    event = played.client.shows("receipt", lambda _: True, "the receipt")
    require_equal(bare_of(event["from"]), played.contact, "whose receipt is shown")
    require_equal(event.get("sent", sent.get("id")), sent.get("id"), "the message that is shown as delivered")


@RECEIPT.should_not("7", says="A receipt from somebody else is not shown as one of whom the message was sent to.")
def test_client_ignores_receipt_of_another(arrive: Arrive) -> None:
    played = arrived(arrive)
    sent = _request(played)
    played.message(played.stranger, content=_received(sent))
    played.shows_nothing("receipt", lambda e: bare_of(e["from"]) == played.contact, "a stranger's receipt")


def _received(sent: Element) -> str:
    if not sent.get("id"):
        unsupported(f"no receipt can be told for what has no id: {show(sent)}")
    return f"<received xmlns='{RECEIPTS}' id='{sent.get('id')}'/>"
