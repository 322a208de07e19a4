"""RFC 6121 §3: who asks to see the user's presence is shown to the user, who decides."""

from __future__ import annotations

from lab.errors import PeerError
from lab.plugin.clients import Arrive
from lab.plugin.judge import require, require_equal
from lab.plugin.requirement import Specification
from lab.wire.session import localname
from lab.wire.stream import Element
from scenarios.client._played import Played, arrived, bare_of

RFC = Specification("RFC 6121")


def _asked(played: Played) -> tuple[str, str]:
    """Somebody who has asked for a subscription, and the id of the request; the user has seen it."""
    who = bare_of(played.stranger)
    identifier = played.presence(who, "subscribe")
    try:
        played.client.shows("subscription-request", lambda e: bare_of(e["from"]) == who, "the subscription request")
    except PeerError:
        played.client.does("refuse", jid=who)  # a client that knows no subscriptions says so here
        raise
    return who, identifier


def _presence(client_sent: Element, kind: str, who: str) -> bool:
    return (
        localname(client_sent) == "presence"
        and client_sent.get("type") == kind
        and bare_of(client_sent.get("to", "")) == who
    )


@RFC.must("3.1.4", says="A request for a subscription is shown to the user.")
def test_client_shows_subscription_request(arrive: Arrive) -> None:
    _asked(arrived(arrive))


@RFC.must_not("3.1.4", says="No request for a subscription is approved before the user has done so.")
def test_client_approves_nobody_by_itself(arrive: Arrive) -> None:
    played = arrived(arrive)
    who, _ = _asked(played)
    _sends_no_approval(played, who)


@RFC.must("3.1.4", says="A client approves a request by presence of type subscribed to who asked.")
def test_client_approves_subscription(arrive: Arrive) -> None:
    played = arrived(arrive)
    who, _ = _asked(played)
    played.client.does("accept", jid=who)
    sent = played.client.sends(lambda e: _presence(e, "subscribed", who), f"presence of type subscribed to {who}")
    require_equal(sent.get("to"), who, "the address of the approval")


@RFC.must("3.1.4", says="A client refuses a request by presence of type unsubscribed to who asked.")
def test_client_refuses_subscription(arrive: Arrive) -> None:
    played = arrived(arrive)
    who, _ = _asked(played)
    played.client.does("refuse", jid=who)
    sent = played.client.sends(lambda e: _presence(e, "unsubscribed", who), f"presence of type unsubscribed to {who}")
    require_equal(sent.get("to"), who, "the address of the refusal")
    _sends_no_approval(played, who)


def _sends_no_approval(played: Played, who: str) -> None:
    approval = f"<presence type='subscribed' to='{who}'/>"
    played.sends_nothing(approval, lambda e: _presence(e, "subscribed", who), "approval")


@RFC.should("3.1.4", says="An approval has an id.")
def test_client_approval_has_id(arrive: Arrive) -> None:
    sent, _ = _approval(arrived(arrive))
    require(sent.get("id"), "an approval with an id", sent)


@RFC.must_not("3.1.4", says="An approval does not have the id of the request.")
def test_client_approval_has_id_of_its_own(arrive: Arrive) -> None:
    sent, asked = _approval(arrived(arrive))
    require(sent.get("id") != asked, f"another id than that of the request, {asked!r}", sent)


def _approval(played: Played) -> tuple[Element, str]:
    who, identifier = _asked(played)
    played.client.does("accept", jid=who)
    return played.client.sends(lambda e: _presence(e, "subscribed", who), "an approval"), identifier


@RFC.must("3.1.1", says="A client asks for a subscription by presence of type subscribe to a bare JID.")
def test_client_asks_for_subscription(arrive: Arrive) -> None:
    sent = _request(arrived(arrive))
    require("/" not in sent.get("to", "/"), "a request to a bare JID", sent)


@RFC.should("3.1.1", says="A request for a subscription has an id.")
def test_client_subscription_request_has_id(arrive: Arrive) -> None:
    sent = _request(arrived(arrive))
    require(sent.get("id"), "a request with an id", sent)


def _request(played: Played) -> Element:
    who = bare_of(played.stranger)
    played.client.does("subscribe", jid=who)
    return played.client.sends(lambda e: _presence(e, "subscribe", who), f"presence of type subscribe to {who}")


@RFC.must("12", "3.3.1", says="A client ends its subscription by presence of type unsubscribe.")
def test_client_unsubscribes(arrive: Arrive) -> None:
    played = arrived(arrive)
    played.settled()
    played.client.does("unsubscribe", jid=played.contact)
    played.client.sends(
        lambda e: (
            _presence(e, "unsubscribe", played.contact)
            or (localname(e) == "iq" and e.find("{*}query/{*}item[@subscription='remove']") is not None)
        ),
        f"presence of type unsubscribe to {played.contact}, or its removal from the roster",
    )
