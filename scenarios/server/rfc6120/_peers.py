"""Ways for a remote server to be no good: what the lab does with the subject's connection, until it has ended."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from lab.errors import PeerError
from lab.plugin import Stage
from lab.plugin.federation import Remote
from lab.wire.namespaces import LAB, SASL, SERVER, STREAM, STREAM_ERROR, TLS
from lab.wire.negotiation import expect_header
from lab.wire.s2s import OFFER_EXTERNAL, OFFER_STARTTLS, ServerSession, receive_starttls, receive_stream

CLOSE = "</stream:stream>"
FAILED_LOGIN = f"<failure xmlns='{SASL}'><not-authorized/></failure>{CLOSE}"
Way = Callable[[ServerSession, Remote], None]


def _after(text: str) -> Way:
    """The subject's header is answered with this, as written."""

    def act(session: ServerSession, _: Remote) -> None:
        expect_header(session)
        session.send(text)

    return act


def _closes(_session: ServerSession, _: Remote) -> None:
    """Not a word."""


def _refuses_tls(session: ServerSession, _: Remote) -> None:
    receive_stream(session, OFFER_STARTTLS)
    session.receive()
    session.send(f"<failure xmlns='{TLS}'/>{CLOSE}")


def _behind_proceed(text: str) -> Way:
    def act(session: ServerSession, _: Remote) -> None:
        receive_stream(session, OFFER_STARTTLS)
        session.receive()
        session.send(f"<proceed xmlns='{TLS}'/>")
        session.send(text)

    return act


def _over_tls(text: str) -> Way:
    """TLS comes about, and the header over it is answered with this, as written."""

    def act(session: ServerSession, remote: Remote) -> None:
        receive_stream(session, OFFER_STARTTLS)
        receive_starttls(session, remote.certificate, remote.ca)
        session.stream.restart()
        expect_header(session)
        session.send(text)

    return act


def _at_login(text: str) -> Way:
    """The login is answered with this, as written."""

    def act(session: ServerSession, remote: Remote) -> None:
        receive_stream(session, OFFER_STARTTLS)
        receive_starttls(session, remote.certificate, remote.ca)
        receive_stream(session, OFFER_EXTERNAL)
        session.receive()
        session.send(text)

    return act


def _behind_success(text: str) -> Way:
    """The login is good, and the header behind it is answered with this, as written."""

    def act(session: ServerSession, remote: Remote) -> None:
        _at_login(f"<success xmlns='{SASL}'/>")(session, remote)
        session.stream.restart()
        expect_header(session)
        session.send(text)

    return act


HEADER = f"<stream:stream xmlns='{SERVER}' xmlns:stream='{STREAM}' id='1' from='r' version='1.0'>"
OLD = f"<stream:stream xmlns='{SERVER}' xmlns:stream='{STREAM}' id='1'>"
REFUSAL = f"{HEADER}<stream:error><policy-violation xmlns='{STREAM_ERROR}'/></stream:error>{CLOSE}"

WAYS: dict[str, Way] = {
    "closes-at-once": _closes,
    "closes-behind-the-header": _after(""),
    "closes-behind-its-header": _after(HEADER),
    "speaks-http": _after("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
    "other-root-element": _after(f"<lab xmlns='{LAB}'/>"),
    "other-stream-namespace": _after(HEADER.replace(STREAM, LAB)),
    "other-content-namespace": _after(HEADER.replace(SERVER, LAB) + "<stream:features/>"),
    "header-that-is-not-well-formed": _after("<stream:stream from=r>"),
    "header-with-a-document-type": _after("<?xml version='1.0'?><!DOCTYPE s [<!ENTITY a 'b'>]>" + HEADER),
    "no-id": _after(HEADER.replace("id='1' ", "")),
    "no-version": _after(OLD),
    "stream-error-at-once": _after(REFUSAL),
    "no-tls": _after(f"{HEADER}<stream:features/>"),
    "features-that-are-not-well-formed": _after(f"{HEADER}<stream:features><starttls></stream:features>"),
    "refuses-tls": _refuses_tls,
    "closes-behind-proceed": _behind_proceed(""),
    "plain-behind-proceed": _behind_proceed(HEADER + "<stream:features/>"),
    "closes-over-tls": _over_tls(""),
    "stream-error-over-tls": _over_tls(REFUSAL),
    "no-login": _over_tls(f"{HEADER}<stream:features/>"),
    "closes-at-login": _at_login(""),
    "refuses-the-login": _at_login(FAILED_LOGIN),
    "answers-the-login-with-something-else": _at_login(f"<lab xmlns='{LAB}'/>{CLOSE}"),
    "broken-xml-at-login": _at_login("<success"),
    "closes-behind-success": _behind_success(""),
    "stream-error-behind-success": _behind_success(REFUSAL),
}
"""What is wrong with the remote server -> what it does with the subject's stream; then it closes the connection."""


def misbehave(remote: Remote, way: Way) -> None:
    """Take the subject's next connection, do that with it, and close: nobody listens there any more."""
    session = remote.receive(Stage.CONNECTED)
    remote.door.close()
    with suppress(PeerError):  # the subject may have had enough before we have
        way(session, remote)
        if way is not _closes:
            session.transport.finish(FAREWELL)
    session.abandon()


FAREWELL = 0.2
"""Seconds that the subject has to close, too: what is on its way to it is not to be lost."""
