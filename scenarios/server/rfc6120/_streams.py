"""Streams as the stream checks of RFC 6120 handle them: places where a header is due, refusals, pairs of contacts.

No check stands here.
"""

from __future__ import annotations

from enum import StrEnum

import pytest

from lab.cell import Account
from lab.errors import PeerError
from lab.plugin import Connect, Stage, premise, require
from lab.wire.namespaces import STREAM, STREAM_ERROR
from lab.wire.negotiation import authenticate, bind, expect_header, header, starttls
from lab.wire.session import Session, StreamFailed, localname, show, stream_error_condition
from lab.wire.stream import Element, StreamClosed, StreamOpened
from lab.wire.transport import ConnectionLost, NoAnswer, client_context

FEATURES = f"{{{STREAM}}}features"

CONDITIONS = {
    "bad-format",
    "bad-namespace-prefix",
    "conflict",
    "connection-timeout",
    "host-gone",
    "host-unknown",
    "improper-addressing",
    "internal-server-error",
    "invalid-from",
    "invalid-namespace",
    "invalid-xml",
    "not-authorized",
    "not-well-formed",
    "policy-violation",
    "remote-connection-failed",
    "reset",
    "resource-constraint",
    "restricted-xml",
    "see-other-host",
    "system-shutdown",
    "undefined-condition",
    "unsupported-encoding",
    "unsupported-feature",
    "unsupported-stanza-type",
    "unsupported-version",
}
"""The defined conditions of stream errors (RFC 6120 §4.9.3)."""


class Where(StrEnum):
    """The three places of a client's way in where a stream header is due (§4.3.3)."""

    BEFORE_TLS = "before-tls"
    AFTER_TLS = "after-tls"
    AFTER_SASL = "after-sasl"


everywhere = pytest.mark.parametrize("where", [pytest.param(where, id=where.value) for where in Where])


def before_header(connect: Connect, where: Where, account: Account | None = None) -> Session:
    """A session that has come just so far that the next thing to send is a stream header."""
    if where is Where.BEFORE_TLS:
        return connect(Stage.CONNECTED)
    if where is Where.AFTER_TLS:
        session = connect(Stage.OPENED)
        starttls(session, client_context(connect.cell.ca))
    else:
        session = connect(Stage.SECURED)
        authenticate(session, account or connect.account())
    return session


def next_header(session: Session, *, attributes: str = "", lang: str | None = "en") -> str:
    """The header that is due; on a restart without an XML declaration, which has a check of its own."""
    declaration = "" if session.header else "<?xml version='1.0'?>"
    return header(to=session.domain, lang=lang, attributes=attributes, declaration=declaration)


def open_with(session: Session, text: str | bytes) -> StreamOpened:
    """Send a stream header, as written, and answer the one that comes back."""
    session.stream.restart()
    session.send_raw(text if isinstance(text, bytes) else text.encode())
    return expect_header(session)


def expect_features(session: Session) -> Element:
    """The stream features, which come first behind the header (§4.3.2)."""
    features = session.receive()
    require(features.tag == FEATURES, "stream features behind the stream header", features)
    session.features = features
    return features


def bound_with(connect: Connect, text: str, *, label: str = "alice") -> Session:
    """A fresh account's session, bound, whose last stream header is `text`."""
    session = connect(Stage.SECURED, label=label)
    authenticate(session, connect.account())
    open_with(session, text)
    expect_features(session)
    bind(session)
    return session


def expect_refusal(session: Session, *conditions: str) -> Element:
    """A stream error, then the stream's end (§4.9.1.1); any defined condition will do where none is given.

    That the end is a closing tag and not only a lost connection has a check of its own.
    """
    error = session.expect_stream_error(*conditions)
    condition = stream_error_condition(error)
    require(condition in CONDITIONS, "one of the defined conditions (§4.9.3)", error)
    expect_end(session, behind="the stream error")
    return error


def expect_end(session: Session, *, behind: str) -> None:
    """Wait for the closing tag, or for the end of the connection; nothing else may come before it."""
    try:
        event = session.next_event()
    except ConnectionLost:
        return
    except NoAnswer as error:
        error.expected = f"the end of the stream behind {behind}"
        raise
    if not isinstance(event, StreamClosed):
        raise PeerError(f"more came behind {behind}", expected="the end of the stream", seen=show(event))


def refused_header(session: Session, text: str | bytes, *conditions: str) -> Element:
    """Send an unacceptable stream header: a header comes back (§4.9.1.2), and next the stream error."""
    open_with(session, text)
    return refused_at_once(session, *conditions)


def refused_at_once(session: Session, *conditions: str) -> Element:
    """As `expect_refusal`, but anything else that comes first is the end of the wait."""
    expected = f"a stream error: {' or '.join(conditions) or 'any condition'}"
    try:
        answer = session.receive()
    except StreamFailed as error:
        require(error.condition in (conditions or CONDITIONS), expected, error.element)
        expect_end(session, behind="the stream error")
        return error.element
    require(False, expected, answer)
    return answer


def text_of(error: Element) -> Element | None:
    """The descriptive text of a stream error."""
    return error.find(f"{{{STREAM_ERROR}}}text")


def introduce(alice: Session, bob: Session) -> None:
    """Make both available, and bob a contact who sees alice (by directed presence: no roster is needed).

    That presence reaches somebody who is not available himself is a requirement of its own (§10.5.4). So is that
    it reaches anybody: where it does not, nobody can be shown to see the end of a session.
    """
    bob.send("<presence/>")
    bob.sentinel()
    alice.send(f"<presence/><presence to='{bob.jid}'/>")
    premise(
        lambda: bob.expect(
            lambda e: localname(e) == "presence" and e.get("from") == alice.jid and e.get("type") is None
        ),
        "directed presence is not delivered; another check says whether that is a fault",
    )


def expect_gone(bob: Session, alice: Session) -> None:
    """Bob sees alice's session end: unavailable presence from her full JID."""
    bob.expect(
        lambda e: localname(e) == "presence" and e.get("from") == alice.jid and e.get("type") == "unavailable",
        f"unavailable presence of {alice.jid}",
    )


__all__ = [
    "CONDITIONS",
    "FEATURES",
    "Where",
    "before_header",
    "bound_with",
    "everywhere",
    "expect_end",
    "expect_features",
    "expect_gone",
    "expect_refusal",
    "header",
    "introduce",
    "next_header",
    "open_with",
    "refused_at_once",
    "refused_header",
    "text_of",
]
