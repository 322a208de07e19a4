"""Checks on a client that look at one thing each, or at nothing; run by tests, never by a lab run."""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

from lab.plugin import Specification, require, require_equal
from lab.plugin.clients import ClientUnderTest
from lab.wire.namespaces import STANZA_ERROR
from lab.wire.session import localname, new_id

RFC = Specification("RFC 6120")
UNKNOWN = "<lab xmlns='urn:stanzalab:0'/>"


@RFC.must("8.2.3", says="A check that looks at nothing.")
def test_client_is_not_looked_at(client: ClientUnderTest) -> None:
    client.sentinel()


@RFC.must("8.2.3", says="A check that looks at an answer's type alone.")
def test_client_type_is_looked_at(client: ClientUnderTest) -> None:
    require_equal(client.answers("get", UNKNOWN).get("type"), "error", "type")


@RFC.must("8.2.3", says="A check that looks at what is shown, from whom, and what.")
def test_client_event_is_looked_at(client: ClientUnderTest) -> None:
    sender = f"somebody@{client.domain}/lab"
    client.tap.inject(f"<message from='{sender}' to={quoteattr(client.jid)} type='chat'><body>hello</body></message>")
    event = client.shows("message", lambda e: e["body"] == "hello", "the message")
    require_equal(event["from"], sender, "sender")


@RFC.must_not("8.3.1", says="A check that looks at what is not shown.")
def test_client_silence_is_looked_at(client: ClientUnderTest) -> None:
    sender = f"somebody@{client.domain}/lab"
    client.tap.inject(f"<message from='{sender}' type='error'><body>came back</body></message>")
    client.shows_nothing("message", lambda e: e["body"] == "came back", "an error as a message")


@RFC.must_not("8.3.1", says="A check that looks at what is not sent.")
def test_client_restraint_is_looked_at(client: ClientUnderTest) -> None:
    sender, error = f"somebody@{client.domain}/lab", f"<error type='cancel'><gone xmlns='{STANZA_ERROR}'/></error>"
    client.tap.inject(f"<message from='{sender}' type='error' id='{new_id()}'>{error}</message>")
    client.sentinel()
    client.sends_nothing(
        f"<message to='{sender}' type='error'>{error}</message>",
        lambda e: localname(e) == "message" and e.get("to") == sender,
        "answer to an error",
    )


@RFC.must("5.4.3.3", says="A check that looks at what a login came to.")
def test_client_login_is_looked_at(client: ClientUnderTest) -> None:
    require(client.tap.arrivals[0].secured, "TLS", "none")


@RFC.must("8.2.3", says="A check that looks at what a command brought.")
def test_client_answer_is_looked_at(client: ClientUnderTest) -> None:
    contact = f"contact@{client.domain}"
    client.tap.inject(
        f"<iq type='set' id='{new_id()}' to={quoteattr(client.jid)}><query xmlns='jabber:iq:roster'>"
        f"<item jid='{contact}' subscription='both'/></query></iq>"
    )
    client.tap.inject(
        f"<iq type='set' id='{new_id()}' from='eve@{client.domain}' to={quoteattr(client.jid)}>"
        f"<query xmlns='jabber:iq:roster'><item jid='forged@{client.domain}' subscription='both'/></query></iq>"
    )
    client.sentinel()
    jids = [one["jid"] for one in client.does("roster")["contacts"]]
    require(contact in jids, contact, str(jids))
    require(f"forged@{client.domain}" not in jids, "no forged contact", str(jids))
