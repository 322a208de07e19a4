"""RFC 6120 §8.4, §11: what a client must understand, and what it must leave alone, in the stanzas that it gets."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from xml.sax.saxutils import quoteattr

import pytest

from lab.plugin import Specification, require, unsupported
from lab.plugin.clients import ClientUnderTest
from lab.plugin.judge import require_error
from lab.wire.namespaces import CLIENT, LAB, SERVER
from lab.wire.session import localname, new_id
from scenarios.client.rfc6120._reactions import STRANGER, goes_on, reaction, require_stream_error, stranger

RFC = Specification("RFC 6120")
FOREIGN = "urn:stanzalab:other-stanzas"


def addressed(client: ClientUnderTest) -> str:
    """The attributes of a chat message to the client from somebody."""
    return f"type='chat' id='{new_id()}' from='{stranger(client)}' to={quoteattr(client.jid)}"


def require_shown(client: ClientUnderTest, pieces: Sequence[str | bytes], body: str) -> None:
    """The check fails unless the client shows a message of that text."""
    client.tap.inject(*pieces)
    event = client.shows("message", lambda e: e["body"] == body, f"the message {body!r}, shown")
    require(event["from"].startswith(f"{STRANGER}-"), "the sender shown", str(event))


WRITTEN = {
    "cdata": ("<![CDATA[<b>7 & 8</b>]]>", "<b>7 & 8</b>"),
    "cdata-in-parts": ("one <![CDATA[&amp;]]> two<![CDATA[]]>", "one &amp; two"),
    "decimal-reference": ("&#66;&#228;r", "Bär"),
    "hexadecimal-reference": ("&#x1F600; and &#xE4;", "😀 and ä"),
    "predefined-entities": ("&lt;&gt;&amp;&apos;&quot;", "<>&'\""),
    "four-byte-characters": ("𝄞 😀 𠜎", "𝄞 😀 𠜎"),
    "zero-width-no-break-space": ("no\ufeffbreak", "no\ufeffbreak"),
    "greater-than-as-it-is": ("a > b ' \"", "a > b ' \""),
}
"""Ways to write a text that XML has and XMPP does not prohibit: as sent, and what it says."""


@pytest.mark.parametrize("way", WRITTEN)
@RFC.must("11.1", "11.6", says="A client reads all of XML that XMPP does not prohibit: CDATA, character references.")
def test_client_reads_a_text(client: ClientUnderTest, way: str) -> None:
    written, text = WRITTEN[way]
    require_shown(client, [f"<message {addressed(client)}><body>{written}</body></message>"], text)


@RFC.must("11.3", "11.1", says="A client takes a tag as XML allows it to be written: white space, either quotes.")
def test_client_reads_tags_as_xml_has_them(client: ClientUnderTest) -> None:
    attributes = addressed(client).replace("'", '"').replace(" ", "\n\t ")
    require_shown(client, [f"<message\n {attributes}\t><body\n>tags</body ></message\n>"], "tags")


@RFC.must("11.6", "11.3", says="A client puts together what comes in pieces, of a tag or of one character.")
def test_client_puts_pieces_together(client: ClientUnderTest) -> None:
    data = f"<message {addressed(client)}><body>Bär 😀</body></message>".encode()
    cuts = [0, 4, data.index("ä".encode()) + 1, data.index("😀".encode()) + 2, len(data) - 3, len(data)]
    require_shown(client, [data[a:b] for a, b in pairwise(cuts)], "Bär 😀")


@RFC.must("11.6", "11.3", says="A client takes white space between stanzas, which keeps connections alive.")
def test_client_takes_white_space_between_stanzas(client: ClientUnderTest) -> None:
    message = f"<message {addressed(client)}><body>behind white space</body></message>"
    require_shown(client, [" ", "\n\n \t", message], "behind white space")


UNKNOWN_PARTS = {
    "element-before": ("", f"<lab xmlns='{LAB}'><body>not this</body></lab><body>known</body>"),
    "element-behind": ("", f"<body>known</body><lab xmlns='{LAB}'><body>not this</body></lab>"),
    "attribute": (f"xmlns:lab='{LAB}' lab:body='not this'", "<body>known</body>"),
    "prefixed-element": (f"xmlns:lab='{LAB}'", "<lab:body>not this</lab:body><body>known</body>"),
}


@pytest.mark.parametrize("part", UNKNOWN_PARTS)
@RFC.must("8.4", says="A client leaves out what it does not understand of a message, and shows the rest.")
def test_client_ignores_what_it_does_not_know(client: ClientUnderTest, part: str) -> None:
    attributes, children = UNKNOWN_PARTS[part]
    require_shown(client, [f"<message {addressed(client)} {attributes}>{children}</message>"], "known")
    client.shows_nothing("message", lambda e: "not this" in e["body"], "a text in a namespace that it does not know")


def unknown_message(client: ClientUnderTest) -> str:
    """Send it a message with nothing in it that it can know, and wait until it has seen that; whose it is."""
    sender = stranger(client)
    client.tap.inject(
        f"<message id='{new_id()}' from='{sender}' to={quoteattr(client.jid)}><lab xmlns='{LAB}'/></message>"
    )
    client.sentinel()
    return sender


@RFC.must("8.4", says="A client ignores a message with nothing in it that it knows, or returns an error.")
def test_client_takes_an_unknown_message(client: ClientUnderTest) -> None:
    sender = unknown_message(client)
    client.sends_nothing(
        f"<message to='{sender}'><body>What is that?</body></message>",
        lambda e: localname(e) == "message" and e.get("to") == sender and e.get("type") != "error",
        "answer but an error",
    )


@RFC.should("8.4", says="The error for a message with nothing in it that a client knows is service-unavailable.")
def test_client_says_that_a_message_is_unknown(client: ClientUnderTest) -> None:
    sender = unknown_message(client)
    answers = client.sent(lambda e: e.get("to") == sender and e.get("type") == "error")
    if not answers:  # §8.4: "it MUST either ignore the entire stanza or return a stanza error"
        unsupported("an error for a message that it does not know")
    require_error(answers[0], "service-unavailable")


NAMESPACES = [
    pytest.param(SERVER, id="jabber-server"),
    pytest.param(  # no content namespace: §4.8.4 says that it is no stanza, and what a server makes of it
        FOREIGN,
        id="unknown",
        marks=RFC.should_not("4.8.4", says="A client takes no element for a message that only looks like one."),
    ),
]


@pytest.mark.parametrize("namespace", NAMESPACES)
@RFC.must("4.8.3", says="A client takes no message in another content namespace than jabber:client for one.")
def test_client_takes_no_foreign_message(client: ClientUnderTest, namespace: str) -> None:
    body = f"foreign-{new_id()}"
    if goes_on(client, f"<message xmlns='{namespace}' {addressed(client)}><body>{body}</body></message>"):
        client.shows_nothing("message", lambda e: e["body"] == body, "a message in a namespace that is not XMPP's")


@RFC.should_not("4.8.5", says="A client takes no stanza whose jabber:client has a prefix: it ignores it, or closes.")
def test_client_takes_no_prefixed_stanza(client: ClientUnderTest) -> None:
    body = f"prefixed-{new_id()}"
    message = f"<foo:message xmlns:foo='{CLIENT}' {addressed(client)}><foo:body>{body}</foo:body></foo:message>"
    if goes_on(client, message):
        client.shows_nothing("message", lambda e: e["body"] == body, "a stanza with a prefix")


PROHIBITED = {
    "comment": "<!-- a comment -->",
    "processing-instruction": "<?lab an instruction?>",
    "document-type": "<!DOCTYPE lab [<!ENTITY lab 'a text'>]>",
    "entity-reference": "<message><body>&nbsp;</body></message>",
}


@pytest.mark.parametrize("feature", PROHIBITED)
@RFC.must("11.1", says="A client closes the stream with an error where it gets a feature of XML that XMPP prohibits.")
def test_client_closes_at_prohibited_xml(client: ClientUnderTest, feature: str) -> None:
    require_stream_error(client, reaction(client, PROHIBITED[feature]))


NO_XML = {
    "tags-crossed": "<message><body>crossed</message></body>",
    "attribute-twice": "<message id='1' id='2'><body>twice</body></message>",
    "bare-ampersand": "<message><body>7 & 8</body></message>",
}


@pytest.mark.parametrize("fault", NO_XML)
@RFC.must("11.3", says="A client closes the stream with an error where what it gets is not well-formed.")
def test_client_closes_at_what_is_no_xml(client: ClientUnderTest, fault: str) -> None:
    require_stream_error(client, reaction(client, NO_XML[fault]))


@RFC.must_not("11.3", says="A client does not accept a prefix that nobody declared: not-acceptable, or it closes.")
def test_client_takes_no_undeclared_prefix(client: ClientUnderTest) -> None:
    body = f"undeclared-{new_id()}"
    if goes_on(client, f"<message {addressed(client)}><body>{body}</body><lab:lab/></message>", may=False):
        client.shows_nothing("message", lambda e: e["body"] == body, "a message that is not namespace-well-formed")
        require(False, "a stream error, or not-acceptable", "nothing: it went on")
