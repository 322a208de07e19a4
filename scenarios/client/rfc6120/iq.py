"""RFC 6120 §8.2.3, §8.3, §8.4: every iq get or set is answered, once, with its id; results and errors never."""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

import pytest

from lab.plugin import require_equal, unsupported
from lab.plugin.clients import ClientUnderTest
from lab.plugin.judge import require_error
from lab.plugin.requirement import Specification
from lab.wire.namespaces import PING, STANZA_ERROR
from lab.wire.session import Session, localname, new_id, stanza_error_condition
from lab.wire.stream import Element
from lab.wire.transport import NoAnswer
from scenarios.client.rfc6120._reactions import PINGED, UNKNOWN, stranger

RFC = Specification("RFC 6120")
ERROR = f"<error type='cancel'><item-not-found xmlns='{STANZA_ERROR}'/></error>"
SENDERS = pytest.mark.parametrize("sender", ["server", "account", "nobody", "other-resource", "stranger"])
KINDS = pytest.mark.parametrize("kind", ["get", "set"])


def asked(client: ClientUnderTest, attributes: str, payload: str, identifier: str) -> Element:
    """What it answers to an iq with these attributes."""
    client.tap.inject(f"<iq {attributes} id={quoteattr(identifier)}>{payload}</iq>")
    return client.replies(identifier, f"a result or error with the id {identifier!r}")


def address(client: ClientUnderTest, sender: str) -> str:
    """The attribute `from` of an iq from such a sender: the server, the own account, or nobody in particular."""
    senders = {
        "server": client.domain,
        "account": client.bare_jid,
        "other-resource": f"{client.bare_jid}/another",
        "stranger": stranger(client),
    }
    return f"from={quoteattr(senders[sender])}" if sender in senders else ""


@RFC.must("8.2.3", says="A client answers an iq get of a contact's by a result or an error with its id.")
def test_client_answers_iq_get(client: ClientUnderTest, bob: Session) -> None:
    require_error(client.answers("get", UNKNOWN, sender=bob.jid))
    client.sentinel()  # behind a second answer, which the standing rules would blame


@RFC.must("8.2.3", says="A client answers an iq set of a contact's by a result or an error with its id.")
def test_client_answers_iq_set(client: ClientUnderTest, bob: Session) -> None:
    require_error(client.answers("set", UNKNOWN, sender=bob.jid))
    client.sentinel()  # behind a second answer, which the standing rules would blame


@SENDERS
@RFC.must("8.2.3", "8.1.2.1", says="A client answers an iq, whoever sent it; without 'from' it is the own account's.")
def test_client_answers_whoever_asks(client: ClientUnderTest, sender: str) -> None:
    asked(client, f"type='get' {address(client, sender)} to={quoteattr(client.jid)}", PINGED, new_id())


@RFC.must("8.1.1.1", "8.2.3", says="A client takes an iq without 'to' for its own, and answers it.")
def test_client_answers_an_iq_without_to(client: ClientUnderTest) -> None:
    asked(client, f"type='get' from={quoteattr(client.domain)}", PINGED, new_id())


@KINDS
@RFC.must("8.4", says="A client answers an iq whose payload it does not know by service-unavailable.")
def test_client_refuses_an_unknown_payload(client: ClientUnderTest, kind: str) -> None:
    require_error(client.answers(kind, UNKNOWN), "service-unavailable")


@RFC.should("8.3.3.19", says="Where a client says that a service is unavailable, the error's type is cancel.")
def test_client_cancels_what_is_unavailable(client: ClientUnderTest) -> None:
    try:
        reply = client.answers("get", UNKNOWN)
    except NoAnswer:
        unsupported("an answer to what it does not know")
    if stanza_error_condition(reply) != "service-unavailable":
        unsupported("the condition service-unavailable")
    require_error(reply, kind="cancel")


@pytest.mark.parametrize(
    "identifier", ["a&b<c>", 'it\'s "quoted"', "Bär-東京-😀", "x" * 300], ids=["markup", "quotes", "unicode", "long"]
)
@RFC.must("8.2.3", "8.1.3", says="A client's answer bears the very id of the request, whatever characters it has.")
def test_client_answers_with_the_very_id(client: ClientUnderTest, identifier: str) -> None:
    asked(client, f"type='get' from={quoteattr(client.domain)} to={quoteattr(client.jid)}", PINGED, identifier)


@pytest.mark.parametrize("attributes", ["type='lab'", ""], ids=["unknown", "absent"])
@RFC.must("8.2.3", says="A client answers an iq whose type is none, or is missing, by bad-request.")
def test_client_refuses_an_iq_without_a_known_type(client: ClientUnderTest, attributes: str) -> None:
    addresses = f"from={quoteattr(client.domain)} to={quoteattr(client.jid)}"
    require_error(asked(client, f"{attributes} {addresses}", UNKNOWN, new_id()), "bad-request")


@pytest.mark.parametrize("payload", ["", UNKNOWN + "<more xmlns='urn:stanzalab:0'/>"], ids=["none", "two"])
@RFC.must("8.2.3", says="A client answers a get with no payload, or with two, too: by an error.")
def test_client_answers_a_get_with_the_wrong_payload(client: ClientUnderTest, payload: str) -> None:
    require_error(client.answers("get", payload))


@pytest.mark.parametrize("kind", ["result", "error"])
@RFC.must_not(
    "8.2.3", "8.3.1", says="A client does not answer a result or an error, not even one that nobody awaits."
)
def test_client_does_not_answer_an_answer(client: ClientUnderTest, kind: str) -> None:
    identifier, sender = new_id(), stranger(client)
    content = UNKNOWN if kind == "result" else ERROR
    client.tap.inject(
        f"<iq type='{kind}' id='{identifier}' from='{sender}' to={quoteattr(client.jid)}>{content}</iq>"
    )
    require_silence(client, identifier)


@pytest.mark.parametrize("stanza", ["message", "presence"])
@RFC.must_not("8.3.1", says="A client does not answer an error by an error: that could go on for ever.")
def test_client_does_not_answer_an_error(client: ClientUnderTest, stanza: str) -> None:
    identifier, sender = new_id(), stranger(client)
    client.tap.inject(
        f"<{stanza} type='error' id='{identifier}' from='{sender}' to={quoteattr(client.jid)}>{ERROR}</{stanza}>"
    )
    client.sentinel()
    client.sends_nothing(
        f"<{stanza} type='error' id='{identifier}' to='{sender}'>{ERROR}</{stanza}>",
        lambda e: e.get("type") == "error" and e.get("to") == sender,
        "answer to an error",
    )


@RFC.must("8.4", says="A client knows a payload by its namespace, whatever prefix that has.")
def test_client_understands_a_prefixed_payload(client: ClientUnderTest) -> None:
    plain = client.answers("get", PINGED)
    prefixed = client.answers("get", f"<p:ping xmlns:p='{PING}'/>")
    require_equal(prefixed.get("type"), plain.get("type"), "the type of the answer to a ping")


def require_silence(client: ClientUnderTest, identifier: str) -> None:
    """The check fails where the client answered the iq of that id, by the time that a message behind it is shown."""
    client.sentinel()
    client.sends_nothing(
        f"<iq type='error' id='{identifier}'>{ERROR}</iq>",
        lambda e: localname(e) == "iq" and e.get("id") == identifier,
        "answer to an answer",
    )
