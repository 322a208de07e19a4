"""RFC 7395 §3.3: the framed stream's namespace, and one element in each message."""

from __future__ import annotations

import pytest

from lab.plugin import Connect, Specification, Stage, proved_by, require, require_equal
from lab.wire.namespaces import CLIENT, FRAMING, STREAM
from lab.wire.negotiation import expect_header
from lab.wire.session import new_id
from scenarios.server.rfc7395._websocket import websocket

RFC = Specification("RFC 7395")

MESSAGES = 5

WRONG_OPENINGS = {
    "no-namespace": "<open to='{domain}' version='1.0'/>",
    "client-namespace": f"<open xmlns='{CLIENT}' to='{{domain}}' version='1.0'/>",
    "streams-namespace": f"<open xmlns='{STREAM}' to='{{domain}}' version='1.0'/>",
    "foreign-namespace": "<open xmlns='urn:stanzalab:framing' to='{domain}' version='1.0'/>",
}


@RFC.must("3.3.2", says="The server's stream header is an <open/> in the framed stream namespace.")
def test_header_is_in_the_framed_stream_namespace(connect: Connect) -> None:
    session = connect.websocket()
    session.send_raw(session.opening().encode())
    opened = expect_header(session)
    require_equal(opened.element.tag, f"{{{FRAMING}}}open", "the stream header")
    require_equal(opened.get("from"), session.domain, "'from'")


@pytest.mark.parametrize("wrong", WRONG_OPENINGS)
@RFC.must("3.3.2", says="An opening header in another namespace is answered with the stream error invalid-namespace.")
def test_opening_in_another_namespace_is_refused(wrong: str, connect: Connect) -> None:
    session = connect.websocket()
    session.send_raw(WRONG_OPENINGS[wrong].format(domain=session.domain).encode())
    expect_header(session)
    session.expect_stream_error("invalid-namespace")


@RFC.must("3.3.2", says="A closing header in another namespace closes nothing: it is a stream error.")
def test_closing_in_another_namespace_is_refused(connect: Connect) -> None:
    session = websocket(connect, Stage.OPENED)
    session.send_raw(b"<close xmlns='urn:stanzalab:framing'/>")
    # invalid-namespace is asked for; who takes it for no header at all says what RFC 6120 §4.9.3.24 says.
    session.expect_stream_error("invalid-namespace", "unsupported-stanza-type")


@RFC.must("3.3.3", says="Every element is sent in a message of its own: headers, features, answers, stanzas.")
@proved_by("two-in-a-message")
def test_every_element_has_its_own_message(connect: Connect) -> None:
    session = websocket(connect)
    sent = [new_id() for _ in range(MESSAGES)]
    for identifier in sent:
        session.send(f"<message to='{session.jid}' id='{identifier}'><body>one of some</body></message>")
    for identifier in sent:
        session.expect(identifier)


@RFC.must("3.3.3", says="Every message is an XML document of its own: it declares the namespaces that it uses.")
def test_every_message_declares_its_namespaces(connect: Connect) -> None:
    session = websocket(connect, Stage.AUTHENTICATED)
    features = session.features
    require(features is not None and features.tag == f"{{{STREAM}}}features", "features in their namespace", features)
    # Whatever an element left to the stream around it would be in no namespace here.
    answer = session.iq("set", "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>")
    require_equal(answer.tag, f"{{{CLIENT}}}iq", "the answer to an iq")
    spaceless = [child for child in answer.iter() if not str(child.tag).startswith("{")]
    require(not spaceless, "a namespace for every element", answer)
    require_equal(session.framed.undeclared, 0, "the number of messages with an undeclared prefix")


@RFC.must(
    "3.3.3", "3.5", says="A stream error is a document of its own as well: it declares the prefix that it uses."
)
@proved_by("undeclared-prefix")
def test_stream_error_declares_its_namespaces(connect: Connect) -> None:
    session = connect.websocket()
    session.send_raw(f"<open xmlns='{FRAMING}' to='unknown.{session.domain}' version='1.0'/>".encode())
    expect_header(session)
    session.expect_stream_error()
    require_equal(session.framed.undeclared, 0, "the number of messages with an undeclared prefix")


@RFC.must("3.3.3", says="The first character of every message is '<'.")
@proved_by("white-space-first")
def test_every_message_begins_with_its_element(connect: Connect) -> None:
    session = websocket(connect)
    session.sentinel()


@RFC.should_not("3.3.3", says="Messages have no XML declaration.")
@proved_by("xml-declarations")
def test_messages_have_no_xml_declaration(connect: Connect) -> None:
    session = websocket(connect)
    session.sentinel()
    require_equal(session.framed.declarations, 0, "the number of messages with an XML declaration")


BROKEN = {
    "unclosed": "<iq xmlns='jabber:client' type='get' id='1'><a></iq>",
    "attributes": "<iq xmlns='jabber:client' type='get' type='set' id='1'><a/></iq>",
    "ampersand": "<message xmlns='jabber:client'><body>& so on</body></message>",
}


@pytest.mark.parametrize("broken", BROKEN)
@RFC.must("3.3.3", "3.5", says="A message that is no well-formed document is a stream error, and ends the stream.")
def test_malformed_message_is_a_stream_error(broken: str, connect: Connect) -> None:
    session = websocket(connect)
    session.send_raw(BROKEN[broken].encode())
    # A lone ampersand may be taken for a reference that RFC 6120 §11.1 restricts.
    session.expect_stream_error("not-well-formed", "bad-format", "invalid-xml", "restricted-xml")
