"""RFC 6121 §2, §5, before a server that no server is: the tap plays it alone; it is silent, or says odd things."""

from __future__ import annotations

import pytest

from lab.agents.agent import CommandFailed
from lab.errors import PeerError
from lab.plugin.clients import Arrive, ClientUnderTest, has
from lab.plugin.judge import impossible, require, unsupported
from lab.plugin.requirement import Specification
from lab.tap.script import Script, answer, asks_for
from lab.wire.namespaces import BIND, NS, ROSTER
from lab.wire.session import new_id
from lab.wire.stream import Element
from lab.wire.transport import NoAnswer
from scenarios.client._played import bare_of

RFC = Specification("RFC 6121")
VERSIONING = "<ver xmlns='urn:xmpp:features:rosterver'/>"


def online(arrive: Arrive, server: Script) -> ClientUnderTest:
    """A client online before that server; see `comes_online`."""
    client = arrive(online=False, alone=server)
    comes_online(client)
    return client


def comes_online(client: ClientUnderTest) -> None:
    """The check is `impossible` where the client waits for what the server does not say."""
    try:
        client.connects()
    except (CommandFailed, NoAnswer):
        impossible(f"{client.place.title} does not become available before this server")


@RFC.should("5.2.2", "12", says="A client shows a message whose server has answered none of its questions yet.")
def test_client_shows_a_message_before_a_silent_server(arrive: Arrive) -> None:
    server = Script()
    server.when(lambda e: e.get("type") in {"get", "set"} and not has("bind:bind")(e))
    client = online(arrive, server)
    body = f"in silence {new_id()}"
    client.tap.inject(
        f"<message from='somebody@{client.domain}/lab' to='{client.jid}' type='chat'><body>{body}</body></message>"
    )
    client.shows("message", lambda e: e["body"] == body, f"the message {body!r}")


@pytest.mark.parametrize("value", ["remove", "lab-unknown"])
@RFC.must("2.1.2.5", says="In a roster result, a client ignores any 'subscription' but none, to, from and both.")
def test_client_ignores_an_odd_subscription(arrive: Arrive, value: str) -> None:
    server = Script()
    client = arrive(online=False, alone=server)
    good, odd = (f"{name}-{new_id()}@{client.domain}" for name in ("good", "odd"))
    items = f"<item jid='{odd}' subscription='{value}'/><item jid='{good}' subscription='both'/>"
    server.when(asks_for("roster:query"), answer(f"<query xmlns='{ROSTER}'>{items}</query>"))
    comes_online(client)
    try:
        client.sentinel()
    except PeerError:
        ends = client.agent.seen("offline")
        require(not ends, "a client that stays online, whatever an item says", str(ends))
        raise
    shown = {bare_of(contact["jid"]): contact for contact in client.does("roster")["contacts"]}
    if not client.sent(asks_for("roster:query")):
        unsupported(f"{client.place.title} asks for no roster")
    require(good in shown, f"{good} on the roster shown", str(list(shown)))
    subscription = shown.get(odd, {}).get("subscription", "none")
    # A library may hand on what stands there, as long as it takes it for nothing else.
    require(subscription in {"none", value}, f"no subscription of {odd} shown", subscription)


@RFC.must_not("2.6.2", says="A client does not tell a server that offers no roster versions the one that it got.")
def test_client_keeps_an_unasked_roster_version(arrive: Arrive) -> None:
    # Another server of the same domain may have told it, which is not there any more.
    server = Script(f"<bind xmlns='{BIND}'/>{VERSIONING}", f"<bind xmlns='{BIND}'/>")
    server.when(asks_for("roster:query"), answer(f"<query xmlns='{ROSTER}' ver='lab-$connection'/>"))
    client = online(arrive, server)
    client.does("roster")
    client.does("disconnect")
    client.tap.over()
    before = len(client.sent(asks_for("roster:query")))
    comes_online(client)
    client.does("roster")
    asked = client.sent(asks_for("roster:query"))[before:]
    for get in asked or unsupported(f"{client.place.title} asks for no roster when it comes again"):
        # That it sends an empty one, as it knows none, is another check's.
        require(not _version(get), "a roster get without the version that it was told", get)


def _version(get: Element) -> str | None:
    query = get.find("roster:query", NS)
    return None if query is None else query.get("ver")
