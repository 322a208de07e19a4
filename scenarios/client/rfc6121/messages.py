"""RFC 6121 §5: messages of every type are shown, and what is no message is not shown as one."""

from __future__ import annotations

import pytest

from lab.plugin.clients import Arrive
from lab.plugin.judge import require, require_equal, unsupported
from lab.plugin.requirement import Specification
from lab.wire.namespaces import CHAT_STATES, CLIENT, STANZA_ERROR
from lab.wire.session import new_id
from lab.wire.stream import Element
from scenarios.client._played import Played, arrived, bare_of

CORE = Specification("RFC 6120")
RFC = Specification("RFC 6121")
ERROR = f"<error type='cancel'><service-unavailable xmlns='{STANZA_ERROR}'/></error>"


@pytest.mark.parametrize("kind", ["chat", "normal", "headline"])
@RFC.should(
    "5.2.2", "12", says="Messages of type chat, normal and headline are shown, with their text and their sender."
)
def test_client_shows_message(arrive: Arrive, kind: str) -> None:
    played = arrived(arrive)
    body = f"{new_id()}: 1 < 2 & ünïcode 🦜"
    played.message(played.device, body, kind=kind)
    event = played.client.shows("message", lambda e: e["body"] == body, f"the message of type {kind}")
    require_equal(bare_of(event["from"]), played.contact, "the sender shown")
    require_equal(event.get("type", kind), kind, "the type shown")


@pytest.mark.parametrize("kind", ["none", "unknown"])
@RFC.must("5.2.2", says="A message without a type, or of a type that is not known, is treated as one of type normal.")
def test_client_takes_other_types_for_normal(arrive: Arrive, kind: str) -> None:
    played = arrived(arrive)
    body, normal = f"other {new_id()}", f"normal {new_id()}"
    played.message(played.device, body, kind=None if kind == "none" else "lab-unknown")
    played.message(played.device, normal, kind="normal")
    played.settled()
    if not any(event["body"] == normal for event in played.client.agent.seen("message")):
        unsupported(f"{played.client.place.title} shows no message of type normal")
    event = played.client.shows("message", lambda e: e["body"] == body, "the message of another type")
    require_equal(event.get("type", "normal"), "normal", "the type shown")


@RFC.should_not(
    "5.2.2", says="A message of type error is not shown as if its sender had written what came back in it."
)
def test_client_shows_no_error_as_message(arrive: Arrive) -> None:
    played = arrived(arrive)
    body = f"sent before {new_id()}"
    played.message(played.device, body, ERROR, kind="error")
    played.shows_nothing("message", lambda e: e["body"] == body, "a message of type error as a message")


@CORE.must_not("8.3.1", says="A message of type error is not answered by another.")
def test_client_does_not_answer_a_message_of_type_error(arrive: Arrive) -> None:
    played = arrived(arrive)
    played.message(played.device, "sent before", ERROR, kind="error")
    played.sends_nothing(
        f"<message type='error' to='{played.device}'>{ERROR}</message>",
        lambda e: e.get("type") == "error" and bare_of(e.get("to", "")) == played.contact,
        "error to the sender of an error",
    )


@RFC.should_not("5.2.3", says="A message that has no body is not shown as one that has.")
def test_client_shows_no_message_without_body(arrive: Arrive) -> None:
    played = arrived(arrive)
    sender = f"{played.contact}/typing"
    played.message(sender, content=f"<active xmlns='{CHAT_STATES}'/>")
    played.shows_nothing("message", lambda e: e["from"] == sender, "a message without a body")


@RFC.may("5.2.3", says="Of the bodies of a message in several languages, one is shown.")
def test_client_shows_one_of_several_bodies(arrive: Arrive) -> None:
    played = arrived(arrive)
    mark = new_id()
    others = f"<body xml:lang='cs'>{mark} česky</body><body xml:lang='de'>{mark} deutsch</body>"
    played.message(played.device, f"{mark} english", others)
    played.client.shows("message", lambda e: mark in e["body"], "one of the bodies of the message")
    played.shows_nothing("message", lambda e: mark in e["body"], "another body of the same message")


@pytest.mark.parametrize("kind", ["chat", "normal"])
@RFC.must("5.2.2", "12", says="A client sends a message with its text, to whom it is for, and with its type.")
def test_client_sends_message(arrive: Arrive, kind: str) -> None:
    played = arrived(arrive)
    body = f'{new_id()}: 1 < 2 & "ünïcode" 🦜'
    played.client.does("send-message", to=played.contact, body=body, type=kind)
    sent = played.client.sends(lambda e: e.findtext(f"{{{CLIENT}}}body") == body, f"a message with the body {body!r}")
    require_equal(bare_of(sent.get("to", "")), played.contact, "the address")
    require_equal(sent.get("type", "normal"), kind, "the type")


@CORE.must("11.3", says="A text with the end of a CDATA section in it (]]>) is sent as well-formed XML.")
def test_client_escapes_end_of_cdata(arrive: Arrive) -> None:
    played = arrived(arrive)
    body = f"{new_id()} a[b[0]]> 1"
    played.client.does("send-message", to=played.contact, body=body)
    played.client.sends(lambda e: e.findtext(f"{{{CLIENT}}}body") == body, f"a message with the body {body!r}")


@RFC.must_not("5.2.5", says="A message has one <thread/> or none.")
def test_client_message_has_one_thread(arrive: Arrive) -> None:
    sent = _sent_message(arrived(arrive))
    require(len(sent.findall("{*}thread")) < 2, "a message with one <thread/> at most", sent)


@RFC.should(
    "5.1", "5.2.1", says="The first message to a contact goes to its bare JID, whichever resource is available."
)
def test_client_begins_chat_with_bare_jid(arrive: Arrive) -> None:
    played = arrived(arrive)
    played.presence(played.device)
    sent = _sent_message(played)
    require_equal(sent.get("to"), played.contact, "the address")


def _sent_message(played: Played) -> Element:
    body = f"hello {new_id()}"
    played.client.does("send-message", to=played.contact, body=body)
    return played.client.sends(lambda e: e.findtext(f"{{{CLIENT}}}body") == body, f"a message with the body {body!r}")
