"""RFC 6121 §4: presence that a client sends, and presence that it shows."""

from __future__ import annotations

from lab.errors import PeerError
from lab.plugin.clients import Arrive
from lab.plugin.judge import require, require_equal, unsupported
from lab.plugin.requirement import Specification
from lab.wire.session import localname
from lab.wire.stream import Element
from scenarios.client._played import Played, arrived, bare_of

RFC = Specification("RFC 6121")


def _is_broadcast(element: Element, kind: str | None = None) -> bool:
    return localname(element) == "presence" and element.get("to") is None and element.get("type") == kind


@RFC.must("4.2.1", says="A client signals that it is available by presence without a type, to nobody in person.")
def test_client_sends_initial_presence(arrive: Arrive) -> None:
    client = arrived(arrive).client  # which waits for just that
    require(client.sent(_is_broadcast), "presence without a type, to nobody in person", "none")


def _comes(played: Played) -> None:
    """The contact becomes available and is shown so."""
    played.presence(played.device, None, "<show>away</show><status>At the window</status>")
    try:
        event = played.client.shows(
            "presence", lambda e: bare_of(e["from"]) == played.contact and e["available"], "the contact's presence"
        )
    except PeerError:
        played.client.does("roster")  # a client that knows no contacts says so here
        raise
    require_equal(event.get("show", "away"), "away", "the availability shown")
    require_equal(event.get("status", "At the window"), "At the window", "the status shown")


@RFC.must("12", "4.7.1", says="Presence of a contact without a type is shown as its availability.")
def test_client_shows_available_contact(arrive: Arrive) -> None:
    _comes(arrived(arrive))


@RFC.must("12", "4.7.1", says="Presence of type unavailable is shown as a contact that is not available.")
def test_client_shows_unavailable_contact(arrive: Arrive) -> None:
    played = arrived(arrive)
    _comes(played)
    played.presence(played.device, "unavailable")
    played.client.shows(
        "presence",
        lambda e: bare_of(e["from"]) == played.contact and not e["available"],
        "the contact's going away",
    )


@RFC.should("4.5.4", says="Presence of type unavailable from a contact's bare JID stands for all its resources.")
def test_client_takes_bare_unavailable_for_all(arrive: Arrive) -> None:
    played = arrived(arrive)
    _comes(played)
    played.presence(played.contact, "unavailable")
    played.client.shows(
        "presence",
        lambda e: bare_of(e["from"]) == played.contact and not e["available"],
        "the contact's going away",
    )


@RFC.should_not("4.7.1", says="Presence of type error is not shown as availability.")
def test_client_shows_no_availability_for_error(arrive: Arrive) -> None:
    played = arrived(arrive)
    error = "<error type='cancel'><remote-server-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
    played.presence(played.device, "error", error)
    played.shows_nothing(
        "presence",
        lambda e: bare_of(e["from"]) == played.contact and e["available"],
        "availability of a contact whose presence is an error",
    )


@RFC.must("4.7.2.1", "4.7.2.3", says="What the user says of the own presence is sent, each once, in its own element.")
def test_client_sends_presence(arrive: Arrive) -> None:
    client = arrived(arrive).client
    client.does("send-presence", show="dnd", status="1 < 2", priority=-5)
    sent = client.sends(
        lambda e: _is_broadcast(e) and e.findtext("{*}show") is not None,
        "presence with a <show/>, to nobody in person",
    )
    for name, value in (("show", "dnd"), ("status", "1 < 2"), ("priority", "-5")):
        texts = [child.text for child in sent.iterchildren(f"{{*}}{name}")]
        require(texts == [value], f"<{name}/> with {value!r}, once", sent)


@RFC.should_not("4.7.1", says="A client sends no presence of type probe: that is a server's.")
def test_client_sends_no_probe(arrive: Arrive) -> None:
    played = arrived(arrive)
    played.presence(played.device)
    played.sends_nothing(
        f"<presence type='probe' to='{played.contact}'/>",
        lambda e: localname(e) == "presence" and e.get("type") == "probe",
        "presence of type probe",
    )


@RFC.should("4.5.1", says="Before it ends its session, a client becomes unavailable by presence of that type.")
def test_client_says_that_it_goes(arrive: Arrive) -> None:
    client = arrived(arrive).client
    client.does("disconnect")
    client.tap.over()
    gone = client.sent(lambda e: _is_broadcast(e, "unavailable"))
    require(gone, "presence of type unavailable before the end of the stream", "none")


@RFC.must_not("4.5.1", says="Presence of type unavailable has neither <show/> nor <priority/>.")
def test_client_unavailable_presence_has_no_show(arrive: Arrive) -> None:
    client = arrived(arrive).client
    client.does("send-presence", show="away", priority=5)
    client.does("disconnect")
    client.tap.over()
    gone = client.sent(lambda e: _is_broadcast(e, "unavailable"))
    if not gone:
        unsupported(f"{client.place.title} sends no unavailable presence")
    for presence in gone:
        extra = [name for name in ("show", "priority") if presence.find(f"{{*}}{name}") is not None]
        require(not extra, "unavailable presence without <show/> and <priority/>", presence)
