"""RFC 6120 §11.3: XML that is not well-formed, and XML that is only not namespace-well-formed."""

from __future__ import annotations

from contextlib import suppress

import pytest

from lab.errors import PeerError
from lab.plugin import Connect, Specification, Stage, require
from lab.wire.namespaces import DISCO_INFO
from lab.wire.session import Session, StreamFailed, localname, new_id, stanza_error_condition
from scenarios.server.rfc6120._streams import CONDITIONS, expect_end, expect_gone, expect_refusal, introduce

RFC = Specification("RFC 6120")

NOT_WELL_FORMED = {
    "wrong-end-tag": "<message><body>Hello</message></body>",
    "stream-closed-inside": "<message><body>Hello</stream:stream>",
    "unquoted-attribute": "<message type=chat/>",
    "attribute-without-value": "<message type/>",
    "attribute-twice": "<message type='chat' type='normal'/>",
    "less-than-in-attribute": "<message id='<'/>",
    "less-than-in-text": "<message><body>1 < 2</body></message>",
    "bare-ampersand": "<message><body>you & me</body></message>",
    "unfinished-reference": "<message><body>&amp</body></message>",
    "reference-to-nul": "<message><body>&#0;</body></message>",
    "reference-to-control": "<message><body>&#x1F;</body></message>",
    "reference-to-surrogate": "<message><body>&#xD800;</body></message>",
    "reference-beyond-unicode": "<message><body>&#x110000;</body></message>",
    "nul": "<message><body>\x00</body></message>",
    "control-character": "<message><body>\x0b</body></message>",
    "noncharacter": "<message><body>\ufffe</body></message>",
    "end-of-cdata-in-text": "<message><body>]]></body></message>",
    "name-begins-with-digit": "<message><1body/></message>",
    "end-tag-without-start": "</message>",
}

broken = pytest.mark.parametrize("xml", [pytest.param(xml, id=name) for name, xml in NOT_WELL_FORMED.items()])


@RFC.must("11.3", "4.9.1.1", says="What is not well-formed ends the stream with an error.")
@broken
def test_xml_that_is_not_well_formed_ends_the_stream(connect: Connect, xml: str) -> None:
    session = connect(Stage.SECURED)
    session.send(xml)
    expect_refusal(session, *_names())


@RFC.should(
    "4.9.3.1", "11.3", says="The error for what is not well-formed is not-well-formed rather than bad-format."
)
@pytest.mark.parametrize(
    "xml",
    [pytest.param(NOT_WELL_FORMED[name], id=name) for name in ("wrong-end-tag", "unquoted-attribute", "nul")],
)
def test_xml_that_is_not_well_formed_is_named(connect: Connect, xml: str) -> None:
    session = connect(Stage.OPENED)
    session.send(xml)
    expect_refusal(session, "not-well-formed")


@RFC.must(
    "11.3",
    "4.9.1.1",
    says="In a bound session, too, what is not well-formed ends the stream and the session.",
)
@pytest.mark.parametrize(
    "xml",
    [
        pytest.param(NOT_WELL_FORMED[name], id=name)
        for name in ("wrong-end-tag", "bare-ampersand", "control-character")
    ],
)
def test_xml_that_is_not_well_formed_ends_the_session(alice: Session, bob: Session, xml: str) -> None:
    introduce(alice, bob)
    alice.send(xml)
    expect_refusal(alice, *_names())
    expect_gone(bob, alice)


def _names() -> tuple[str, ...]:
    """§11.3 asks for the first; §4.9.3.1 lets the second stand for it, §4.9.3.22 names what breaks an encoding."""
    return ("not-well-formed", "bad-format", "restricted-xml", "unsupported-encoding", "invalid-xml")


@RFC.must_not("11.3", says="The beginning of a stanza that then proves broken is delivered to nobody.")
def test_half_a_stanza_is_not_delivered(alice: Session, bob: Session) -> None:
    identifier = new_id()
    alice.send(f"<message to='{bob.jid}' type='chat' id='{identifier}'><body>Hello</body><x></message>")
    with suppress(PeerError):  # how the stream ends is the matter of another check
        alice.sentinel()
    forbidden = f"<message id='{identifier}' type='chat'><body>Hello</body></message>"
    bob.expect_nothing(forbidden, lambda e: e.get("id") == identifier, "half a stanza")


NOT_NAMESPACE_WELL_FORMED = {
    "undeclared-prefix": "<foo:bar/>",
    "undeclared-attribute-prefix": "<bar xmlns='urn:stanzalab:0' foo:attribute='1'/>",
    "prefix-out-of-scope": "<a xmlns='urn:stanzalab:0'><foo:b xmlns:foo='urn:stanzalab:1'/><foo:c/></a>",
    "attribute-twice-by-namespace": "<bar xmlns='urn:x' xmlns:a='urn:y' xmlns:b='urn:y' a:n='1' b:n='2'/>",
    "empty-prefix-declaration": "<bar xmlns='urn:stanzalab:0' xmlns:foo=''/>",
    "two-colons": "<foo:bar:baz xmlns:foo='urn:stanzalab:0'/>",
    "no-local-name": "<foo: xmlns:foo='urn:stanzalab:0'/>",
    "xmlns-as-prefix": "<bar xmlns='urn:stanzalab:0' xmlns:xmlns='urn:stanzalab:1'/>",
    "xml-prefix-rebound": "<bar xmlns='urn:stanzalab:0' xmlns:xml='urn:stanzalab:1'/>",
}


@RFC.must(
    "11.3",
    says="What is not namespace-well-formed reaches nobody: the stream ends, or not-acceptable comes back.",
)
@pytest.mark.parametrize("payload", [pytest.param(xml, id=name) for name, xml in NOT_NAMESPACE_WELL_FORMED.items()])
def test_xml_that_is_not_namespace_well_formed(alice: Session, bob: Session, payload: str) -> None:
    identifier = new_id()
    alice.send(
        f"<message to='{bob.jid}' type='chat' id='{identifier}'><body>Hello</body>{payload}</message>"
        f"<iq type='get' id='behind' to='{alice.domain}'><query xmlns='{DISCO_INFO}'/></iq>"
    )
    lives = True
    expected = "a stream error, or the stanza error not-acceptable"
    try:
        answer = alice.receive()
        if localname(answer) != "message":
            require(False, expected, answer)
        require(stanza_error_condition(answer) == "not-acceptable", expected, answer)
    except StreamFailed as error:
        lives = False
        require(error.condition in CONDITIONS, "a defined condition", error.element)
        expect_end(alice, behind="the stream error")
    bob.expect_nothing(
        f"<message id='{identifier}'/>",
        lambda e: e.get("id") == identifier,
        "stanza that is not namespace-well-formed",
        after=alice if lives else None,
    )


@RFC.should("4.9.3.1", "11.3", says="The error for an undeclared prefix is a specific one, not bad-format.")
def test_undeclared_prefix_is_named(connect: Connect) -> None:
    session = connect(Stage.OPENED)
    session.send("<foo:bar/>")
    expect_refusal(session, "not-well-formed", "bad-namespace-prefix", "invalid-namespace")
