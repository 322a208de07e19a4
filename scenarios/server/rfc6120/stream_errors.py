"""RFC 6120 §4.3.5, §4.8.4, §4.9: stream errors behind a good header, before authentication and in a bound session.

What breaks XML's own rules stands in `xml_restrictions`, `xml_well_formedness` and `encoding`.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from lxml import etree

from lab.plugin import Connect, Specification, Stage, impossible, require, require_equal
from lab.wire.namespaces import CLIENT, STREAM, STREAM_ERROR, XML_LANG
from lab.wire.negotiation import header
from lab.wire.session import Session, StreamFailed, new_id, stream_error_condition
from lab.wire.stream import Element
from scenarios.server.rfc6120._streams import (
    CONDITIONS,
    expect_gone,
    expect_refusal,
    introduce,
    refused_header,
    text_of,
)

RFC = Specification("RFC 6120")

BROKEN = "<message><body>no end tag</message>"


def over_the_header(connect: Connect) -> Element:
    return refused_header(connect(Stage.CONNECTED), header(to="unknown.invalid"))


def before_tls(connect: Connect) -> Element:
    session = connect(Stage.OPENED)
    session.send(BROKEN)
    return expect_refusal(session)


def after_tls(connect: Connect) -> Element:
    session = connect(Stage.SECURED)
    session.send(BROKEN)
    return expect_refusal(session)


def when_bound(connect: Connect) -> Element:
    session = connect()
    session.send("<message><!-- comment --></message>")
    return expect_refusal(session)


provoked = pytest.mark.parametrize(
    "provoke",
    [
        pytest.param(over_the_header, id="over-the-header"),
        pytest.param(before_tls, id="before-tls"),
        pytest.param(after_tls, id="after-tls"),
        pytest.param(when_bound, id="bound"),
    ],
)
Provoke = Callable[[Connect], Element]


@RFC.must(
    "4.9.2",
    "4.9.4",
    says="A stream error holds one defined condition; text and other namespaces only supplement it.",
)
@provoked
def test_stream_error_has_one_defined_condition(connect: Connect, provoke: Provoke) -> None:
    error = provoke(connect)
    names = [etree.QName(child) for child in error]
    ours = [name.localname for name in names if name.namespace == STREAM_ERROR]
    conditions = [name for name in ours if name != "text"]
    require(len(conditions) == 1 and conditions[0] in CONDITIONS, "exactly one defined condition", error)
    require(ours.count("text") <= 1, "one text at most", error)
    strange = [name.text for name in names if name.namespace in {None, CLIENT, STREAM}]
    require(not strange, "application-specific conditions in a namespace of their own", error)


@RFC.should("4.9.2", says="The text of a stream error says in which language it is.")
@provoked
def test_stream_error_text_has_a_language(connect: Connect, provoke: Provoke) -> None:
    error = provoke(connect)
    text = text_of(error)
    if text is None:
        impossible("this stream error came without a text")
    require(text.get(XML_LANG), "xml:lang on the text", error)


@RFC.should_not("4.9.3.21", says="undefined-condition is used only beside an application-specific condition.")
@provoked
def test_undefined_condition_is_not_used_alone(connect: Connect, provoke: Provoke) -> None:
    error = provoke(connect)
    own = [child for child in error if etree.QName(child).namespace != STREAM_ERROR]
    require(
        own or stream_error_condition(error) != "undefined-condition",
        "a condition that says something",
        error,
    )


@RFC.must(
    "4.9.1.1", "4.9", "4.4", says="Behind a stream error the server closes its stream, then the connection."
)
@pytest.mark.parametrize(
    "stage", [pytest.param(Stage.OPENED, id="before-tls"), pytest.param(Stage.BOUND, id="bound")]
)
def test_stream_error_is_followed_by_the_closing_tag(connect: Connect, stage: Stage) -> None:
    session = connect(stage)
    session.send(BROKEN)
    error = session.expect_stream_error()
    require(stream_error_condition(error) in CONDITIONS, "a defined condition", error)
    session.expect_closed()


@RFC.must("4.9.1.1", says="A stream error ends the session: its contacts see it become unavailable.")
@pytest.mark.parametrize(
    "cause",
    [
        pytest.param(BROKEN, id="not-well-formed"),
        pytest.param("<message><!-- comment --></message>", id="restricted-xml"),
        pytest.param(
            "<stream:error><undefined-condition xmlns='{e}'/></stream:error></stream:stream>", id="ours"
        ),
    ],
)
def test_stream_error_ends_the_session(alice: Session, bob: Session, cause: str) -> None:
    introduce(alice, bob)
    alice.send(cause.replace("{e}", STREAM_ERROR))
    expect_gone(bob, alice)


STANZAS = [
    pytest.param("<message to='{to}' id='{id}' type='chat'><body>Too early</body></message>", id="message"),
    pytest.param("<presence to='{to}' id='{id}'/>", id="presence"),
    pytest.param("<iq to='{to}' id='{id}' type='get'><query xmlns='urn:stanzalab:0'/></iq>", id="iq"),
]


@RFC.must(
    "4.3.5",
    "4.9.3.12",
    "13.12",
    says="A stanza to somebody before the end of negotiation: not delivered, not-authorized.",
)
@pytest.mark.parametrize("form", STANZAS)
@pytest.mark.parametrize(
    "stage",
    [
        pytest.param(Stage.OPENED, id="before-tls"),
        pytest.param(Stage.SECURED, id="before-sasl"),
        pytest.param(Stage.AUTHENTICATED, id="before-bind"),
    ],
)
def test_stanza_before_the_end_of_negotiation(
    connect: Connect, bob: Session, stage: Stage, form: str
) -> None:
    early = connect(stage)
    identifier = new_id()
    stanza = form.format(to=bob.jid, id=identifier)
    early.send(stanza)
    expect_refusal(early, "not-authorized")
    bob.expect_nothing(stanza, lambda e: e.get("id") == identifier, "stanza of an unauthenticated client")


FOREIGN = [
    pytest.param("<lab:foo xmlns:lab='urn:stanzalab:0' {address}><lab:bar/></lab:foo>", id="foreign-element"),
    pytest.param(
        "<message xmlns='urn:stanzalab:0' {address}><body>Hello</body></message>", id="lookalike-message"
    ),
    pytest.param("<iq xmlns='urn:stanzalab:0' type='get' {address}><x/></iq>", id="lookalike-iq"),
    pytest.param(
        "<message xmlns='jabber:server' {address}><body>Hello</body></message>", id="server-namespace"
    ),
    pytest.param("<message xmlns='' {address}><body>Hello</body></message>", id="no-namespace"),
    pytest.param("<note {address}><body>Hello</body></note>", id="unknown-name"),
]


@RFC.must_not(
    "4.8.4",
    "4.8.3",
    says="First-level elements that are no stanzas reach nobody: ignored, or a stream error.",
)
@pytest.mark.parametrize("form", FOREIGN)
def test_what_is_no_stanza_is_not_delivered(alice: Session, bob: Session, form: str) -> None:
    identifier = new_id()
    element = form.format(address=f"from='{alice.jid}' to='{bob.jid}' id='{identifier}'")
    alice.send(element)
    lives = True
    try:
        alice.sentinel()
    except StreamFailed as error:
        lives = False
        require(error.condition in CONDITIONS, "a defined condition", error.element)
    bob.expect_nothing(
        element,
        lambda e: e.get("id") == identifier,
        "element that is no stanza",
        after=alice if lives else None,
    )


@RFC.should(
    "4.8.4",
    "4.9.3.24",
    says="A server that closes the stream over such elements says unsupported-stanza-type.",
)
@pytest.mark.parametrize("form", FOREIGN)
def test_what_is_no_stanza_is_ignored_or_named(alice: Session, form: str) -> None:
    alice.send(form.format(address=f"to='{alice.domain}'"))
    try:
        alice.sentinel()
    except StreamFailed as error:
        require_equal(error.condition, "unsupported-stanza-type", "condition")
