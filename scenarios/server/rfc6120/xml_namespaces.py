"""RFC 6120 §4.8.5: prefixes and declarations, as they come out at the other end.

What is not namespace-well-formed stands in `xml_well_formedness`; elements of foreign namespaces in `stream_errors`.
"""

from __future__ import annotations

from contextlib import suppress

import pytest
from lxml import etree

from lab.cell import Cell
from lab.plugin import Connect, Specification, require, require_equal
from lab.wire.namespaces import CLIENT, DISCO_INFO
from lab.wire.negotiation import header
from lab.wire.session import Session, StreamEnded, StreamFailed, new_id, parse, show
from lab.wire.stream import Element
from lab.wire.transport import ConnectionLost, NoAnswer
from scenarios.server.rfc6120._stanzas import (
    available_bob,  # noqa: F401 - the fixture `bob` of this module
    become_available,
    deliver,
    same,
)
from scenarios.server.rfc6120._streams import CONDITIONS, bound_with

RFC = Specification("RFC 6120")

PAYLOADS = {
    "prefixed": "<p:x xmlns:p='urn:stanzalab:0' plain='1'><p:y>text</p:y></p:x>",
    "prefixed-attribute": "<x xmlns='urn:stanzalab:0' xmlns:m='urn:stanzalab:meta' m:flag='1' flag='2'/>",
    "mixed": "<x xmlns='urn:stanzalab:0'><q:y xmlns:q='urn:stanzalab:1'><z/></q:y></x>",
    "shadowed-prefix": "<p:x xmlns:p='urn:stanzalab:0'><p:y xmlns:p='urn:stanzalab:1'/><p:z/></p:x>",
    "shadowed-default": "<x xmlns='urn:stanzalab:0'><x xmlns='urn:stanzalab:1'/><x/></x>",
    "two-prefixes": "<a:x xmlns:a='urn:stanzalab:0' xmlns:b='urn:stanzalab:0'><b:x/><a:x/></a:x>",
    "undeclared-default": "<x xmlns='urn:stanzalab:0'><y xmlns=''/></x>",
    "prefix-called-stream": "<stream:x xmlns:stream='urn:stanzalab:0'/>",
    "inner-default-under-prefix": "<p:x xmlns:p='urn:stanzalab:0'><y xmlns='urn:stanzalab:1'><p:z/></y></p:x>",
    "xml-attributes": "<x xmlns='urn:stanzalab:0' xml:lang='de' xml:space='preserve'> y </x>",
    "escaped-name": "<x xmlns='urn:stanzalab:0?a=1&amp;b=%3C'><y/></x>",
}


def payload_of(message: Element, tag: object) -> Element | None:
    return next((child for child in message if child.tag == tag), None)


def require_payload(alice: Session, bob: Session, start: str, payload: str) -> None:
    """Send a message with `start` in its start tag; the payload must arrive with the same expanded names."""
    stanza = f"<message to='{bob.jid}' type='chat' id='{new_id()}'{start}><body>Hello</body>{payload}</message>"
    sent = parse(stanza, default=CLIENT)[1]
    message = deliver(alice, bob, stanza)
    require_equal(message.get("from"), alice.jid, "'from' of the message")
    require_equal(message.findtext(f"{{{CLIENT}}}body"), "Hello", "body of the message")
    seen = payload_of(message, sent.tag)
    require(seen is not None and same(seen, sent), f"the payload with the same names: {show(sent)}", message)


@RFC.must(
    "4.8.5",
    says="Payloads are delivered in the namespaces that they were sent in, however these were declared.",
)
@pytest.mark.parametrize("payload", [pytest.param(payload, id=name) for name, payload in PAYLOADS.items()])
def test_payload_keeps_its_namespaces(alice: Session, bob: Session, payload: str) -> None:
    require_payload(alice, bob, "", payload)


@RFC.must("11.3", "4.8.5", says="A prefix that a stanza declares in its own start tag is declared where it is used.")
@pytest.mark.parametrize(
    "payload",
    [
        pytest.param("<p:x><p:y/></p:x>", id="element"),
        pytest.param("<x xmlns='urn:stanzalab:1' p:flag='1'/>", id="attribute"),
    ],
)
def test_prefix_declared_by_the_stanza(alice: Session, bob: Session, payload: str) -> None:
    require_payload(alice, bob, " xmlns:p='urn:stanzalab:0'", payload)


@RFC.must(
    "4.8.5",
    "11.3",
    says="A stanza that uses a prefix of its stream's header is refused, or delivered with a declaration.",
)
def test_prefix_declared_by_the_stream(connect: Connect, cell: Cell, bob: Session) -> None:
    identifier = new_id()
    alice = bound_with(connect, header(to=cell.domain, attributes="xmlns:p='urn:stanzalab:0'", declaration=""))
    alice.send(f"<message to='{bob.jid}' type='chat' id='{identifier}'><body>Hello</body><p:x/></message>")
    try:
        alice.sentinel(bob)
    except StreamFailed as error:
        require(error.condition in CONDITIONS, "a defined condition", error.element)
        return
    for message in bob.inbox:
        if message.get("id") == identifier:
            require_equal(message.get("from"), alice.jid, "'from' of the message")
            require(
                payload_of(message, "{urn:stanzalab:0}x") is not None,
                "the payload, in its namespace",
                message,
            )


PREFIXED = """
<foo:message xmlns:foo='jabber:client' to='{to}' type='chat' id='{id}'><foo:body>Hello</foo:body></foo:message>
"""


@RFC.must_not(
    "4.8.5",
    says="A stanza with a prefix for the content namespace is not delivered unless that is put right.",
)
def test_prefixed_stanza_is_not_delivered_as_it_is(alice: Session, bob: Session) -> None:
    identifier = new_id()
    stanza = PREFIXED.format(to=bob.jid, id=identifier)
    alice.send(stanza)
    lives = True
    try:
        alice.sentinel()
    except (StreamFailed, StreamEnded, ConnectionLost):
        lives = False  # by which error is another check's matter

    def prefixed(element: Element) -> bool:
        ours = [e for e in element.iter() if etree.QName(e).namespace == CLIENT]
        return element.get("id") == identifier and any(e.prefix is not None for e in ours)

    bob.expect_nothing(stanza, prefixed, "stanza with a prefix", after=alice if lives else None)


@RFC.should_not(
    "4.8.5", says="A stanza with a prefix for the content namespace is not accepted: ignored, or an error."
)
def test_prefixed_stanza_is_not_accepted(alice: Session, bob: Session) -> None:
    identifier = new_id()
    alice.send(PREFIXED.format(to=bob.jid, id=identifier))
    lives = True
    try:
        alice.sentinel()
    except StreamFailed as error:
        lives = False
        require_equal(error.condition, "bad-namespace-prefix", "condition")
    bob.expect_nothing(
        f"<message id='{identifier}'/>",
        lambda e: e.get("id") == identifier,
        "stanza that should not be accepted",
        after=alice if lives else None,
    )


@RFC.must_not("4.8.5", says="What the server sends in the content namespace bears no prefix.")
def test_server_sends_no_prefixes(alice: Session, bob: Session) -> None:
    become_available(alice)
    replies = [alice.iq("get", f"<query xmlns='{DISCO_INFO}'/>", to=alice.domain)]
    with suppress(NoAnswer):  # that every request is answered is the matter of other checks
        replies.append(alice.iq("get", "<unheard-of xmlns='urn:stanzalab:0'/>", to=alice.domain))
    greeting = f"<message to='{alice.jid}' type='chat' id='{new_id()}'><body>Hello</body></message>"
    replies.append(deliver(bob, alice, greeting))
    for element in (e for reply in replies for e in reply.iter()):
        ours = etree.QName(element).namespace == CLIENT
        require(not ours or element.prefix is None, "no prefix in the content namespace", element)


@RFC.must("4.8.2", says="Stanzas may name the content namespace themselves: with or without, they mean the same.")
def test_content_namespace_may_be_repeated(alice: Session, bob: Session) -> None:
    message = deliver(
        alice,
        bob,
        f"<message xmlns='{CLIENT}' to='{bob.jid}' type='chat' id='{new_id()}'>"
        f"<body xmlns='{CLIENT}'>Hi</body></message>",
    )
    require_equal(message.get("from"), alice.jid, "'from' of the message")
    require_equal(message.findtext(f"{{{CLIENT}}}body"), "Hi", "body of the message")
