"""RFC 6120 §4.3.5, §4.8.4, §4.9: stream errors behind a good header, before authentication and in a bound session.

What breaks XML's own rules stands in `xml_restrictions`, `xml_well_formedness` and `encoding`.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from lxml import etree

from lab.errors import PeerError
from lab.plugin import Connect, Specification, Stage, impossible, proved_by, require, require_equal
from lab.wire.namespaces import BIND, CLIENT, SERVER, STREAM, STREAM_ERROR, XML_LANG
from lab.wire.negotiation import header
from lab.wire.session import Session, StreamEnded, StreamFailed, new_id, stream_error_condition
from lab.wire.stream import Element
from lab.wire.transport import ConnectionLost, NoAnswer
from scenarios.server.rfc6120._stanzas import available_bob  # noqa: F401 - the fixture `bob` of this module
from scenarios.server.rfc6120._streams import (
    CONDITIONS,
    expect_end,
    expect_gone,
    introduce,
    open_with,
    text_of,
)

RFC = Specification("RFC 6120")

BROKEN = "<message><body>no end tag</message>"


def over_the_header(connect: Connect) -> Session:
    session = connect(Stage.CONNECTED)
    open_with(session, header(to="unknown.invalid"))
    return session


def before_tls(connect: Connect) -> Session:
    return _broken(connect(Stage.OPENED))


def after_tls(connect: Connect) -> Session:
    return _broken(connect(Stage.SECURED))


def when_bound(connect: Connect) -> Session:
    return _broken(connect())


def _broken(session: Session) -> Session:
    session.send(BROKEN)
    return session


provoked = pytest.mark.parametrize(
    "provoke",
    [
        pytest.param(over_the_header, id="over-the-header"),
        pytest.param(before_tls, id="before-tls"),
        pytest.param(after_tls, id="after-tls"),
        pytest.param(when_bound, id="bound"),
    ],
)
Provoke = Callable[[Connect], Session]


@RFC.must(
    "4.9.2",
    "4.9.4",
    says="A stream error holds one defined condition; text and other namespaces only supplement it.",
)
@provoked
def test_stream_error_has_one_defined_condition(connect: Connect, provoke: Provoke) -> None:
    error = _error(connect, provoke)
    names = [etree.QName(child) for child in error]
    ours = [name.localname for name in names if name.namespace == STREAM_ERROR]
    conditions = [name for name in ours if name != "text"]
    require(len(conditions) == 1 and conditions[0] in CONDITIONS, "exactly one defined condition", error)
    require(ours.count("text") <= 1, "one text at most", error)
    strange = [name.text for name in names if name.namespace in {None, CLIENT, STREAM}]
    require(not strange, "application-specific conditions in a namespace of their own", error)


def _error(connect: Connect, provoke: Provoke) -> Element:
    """The stream error as it is, or the check is `impossible`: that one comes, and what it says, others judge."""
    try:
        return provoke(connect).expect_stream_error()
    except PeerError as error:
        impossible(f"there is no stream error to look at: {error}")


@RFC.should("4.9.2", says="The text of a stream error says in which language it is.")
@provoked
def test_stream_error_text_has_a_language(connect: Connect, provoke: Provoke) -> None:
    error = _error(connect, provoke)
    text = text_of(error)
    if text is None:
        impossible("this stream error came without a text")
    require(text.get(XML_LANG), "xml:lang on the text", error)


@RFC.should_not("4.9.3.21", says="undefined-condition is used only beside an application-specific condition.")
@proved_by("undefined-condition-alone")
@provoked
def test_undefined_condition_is_not_used_alone(connect: Connect, provoke: Provoke) -> None:
    error = _error(connect, provoke)
    own = [child for child in error if etree.QName(child).namespace != STREAM_ERROR]
    require(
        own or stream_error_condition(error) != "undefined-condition",
        "a condition that says something",
        error,
    )


@RFC.must("4.9.1.1", "4.9", "4.4", says="Behind a stream error the server closes its stream, then the connection.")
@pytest.mark.parametrize(
    "stage", [pytest.param(Stage.OPENED, id="before-tls"), pytest.param(Stage.BOUND, id="bound")]
)
def test_stream_error_is_followed_by_the_closing_tag(connect: Connect, stage: Stage) -> None:
    session = connect(stage)
    session.send(BROKEN)
    _error(connect, lambda _: session)
    session.expect_closed()


@RFC.must("4.9.1.1", says="A stream error ends the session: its contacts see it become unavailable.")
@pytest.mark.parametrize(
    "cause",
    [
        pytest.param(BROKEN, id="not-well-formed"),
        pytest.param("<stream:error><undefined-condition xmlns='{e}'/></stream:error></stream:stream>", id="ours"),
    ],
)
def test_stream_error_ends_the_session(alice: Session, bob: Session, cause: str) -> None:
    introduce(alice, bob)
    alice.send(cause.replace("{e}", STREAM_ERROR))
    expect_gone(bob, alice)


EARLY = [
    pytest.param(
        Stage.OPENED,
        "<message to='{to}' id='{id}' type='chat'><body>Hi</body></message>",
        id="message-before-tls",
    ),
    pytest.param(
        Stage.SECURED,
        "<message to='{to}' id='{id}' type='chat'><body>Hi</body></message>",
        id="message-before-sasl",
    ),
    pytest.param(Stage.SECURED, "<presence to='{to}' id='{id}'/>", id="presence-before-sasl"),
    pytest.param(
        Stage.SECURED,
        "<iq to='{to}' id='{id}' type='get'><x xmlns='urn:stanzalab:0'/></iq>",
        id="iq-before-sasl",
    ),
    pytest.param(
        Stage.AUTHENTICATED,
        # The bind behind it is answered by a server that has overheard the message: no need to wait for silence.
        "<message to='{to}' id='{id}' type='chat'><body>Hi</body></message>"
        f"<iq type='set' id='b'><bind xmlns='{BIND}'/></iq>",
        id="message-before-bind",
    ),
]


@RFC.must(
    "4.3.5",
    "7.1",
    "4.9.3.12",
    "13.12",
    says="A stanza to somebody before negotiation is complete is not delivered, and ends the stream.",
)
@pytest.mark.parametrize(("stage", "form"), EARLY)
def test_stanza_before_the_end_of_negotiation(connect: Connect, bob: Session, stage: Stage, form: str) -> None:
    early = connect(stage)
    identifier = new_id()
    early.send(form.format(to=bob.jid, id=identifier))
    # Before TLS, a server that insists on it may call that its policy.
    allowed = {"not-authorized"} | ({"policy-violation"} if stage < Stage.SECURED else set())
    expected = f"a stream error: {' or '.join(sorted(allowed))}"
    try:
        answer = early.receive()
    except StreamFailed as error:
        require(error.condition in allowed, expected, error.element)
        expect_end(early, behind="the stream error")
    else:
        require(False, expected, answer)
    forbidden = f"<message id='{identifier}'/>"
    bob.expect_nothing(forbidden, lambda e: e.get("id") == identifier, "stanza of an unauthenticated client")


FOREIGN = [
    pytest.param("<lab:foo xmlns:lab='urn:stanzalab:0' {address}><lab:bar/></lab:foo>", id="foreign-element"),
    pytest.param("<message xmlns='urn:stanzalab:0' {address}><body>Hello</body></message>", id="lookalike-message"),
    pytest.param("<iq xmlns='urn:stanzalab:0' type='get' {address}><x/></iq>", id="lookalike-iq"),
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
    lives = _lives(alice)
    bob.expect_nothing(
        element,
        lambda e: e.get("id") == identifier,
        "element that is no stanza",
        after=alice if lives else None,
    )


def _lives(session: Session) -> bool:
    """Whether the stream goes on; how it ends, or that it is served no more, is the matter of other checks."""
    try:
        session.sentinel()
    except (StreamFailed, StreamEnded, ConnectionLost, NoAnswer):
        return False
    return True


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


@RFC.must_not(
    "4.8.3",
    says="No client ever gets a stanza qualified by 'jabber:server', not even from one who sent it so.",
)
def test_server_namespace_does_not_reach_a_client(alice: Session, bob: Session) -> None:
    # Refused, ignored or put right: only passing it on as it is would be wrong.
    identifier = new_id()
    stanza = f"<message xmlns='{SERVER}' to='{bob.jid}' type='chat' id='{identifier}'><body>Hello</body></message>"
    alice.send(stanza)
    lives = _lives(alice)
    bob.expect_nothing(
        stanza,
        lambda e: e.get("id") == identifier and any(etree.QName(n).namespace == SERVER for n in e.iter()),
        "stanza of the namespace jabber:server",
        after=alice if lives else None,
    )
