"""Framed streams (RFC 7395) and BOSH bodies (XEP-0124) as data: documents in, events out."""

from __future__ import annotations

import pytest

from lab.wire.framing import BodyStream, FramedStream, root_of, with_namespace
from lab.wire.namespaces import CLIENT, HTTPBIND, STREAM, XBOSH
from lab.wire.session import show
from lab.wire.stream import Event, PeerViolation, Received, State, StreamClosed, StreamOpened

OPEN = b"<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' from='a.test' id='1' version='1.0' xml:lang='en'/>"
CLOSE = b"<close xmlns='urn:ietf:params:xml:ns:xmpp-framing' see-other-uri='wss://b.test/'/>"
MESSAGE = b"<message xmlns='jabber:client' to='x@a.test'><body>hi &amp; so</body></message>"
FEATURES = b"<stream:features xmlns:stream='http://etherx.jabber.org/streams'/>"


def framed(*messages: bytes) -> tuple[FramedStream, list[Event]]:
    stream = FramedStream()
    events = []
    for message in messages:
        stream.receive_data(message)
        while (event := stream.next_event()) is not None:
            events.append(event)
    return stream, events


def bodies(*documents: bytes, whole: bool = False) -> tuple[BodyStream, list[Event]]:
    stream = BodyStream(whole=whole)
    events = []
    for document in documents:
        stream.receive_data(document)
        while (event := stream.next_event()) is not None:
            events.append(event)
    return stream, events


def test_a_framed_stream_opens_carries_and_closes() -> None:
    stream, events = framed(OPEN, FEATURES, MESSAGE, CLOSE)
    opened, features, message, closed = events
    assert isinstance(opened, StreamOpened)
    assert (opened.get("from"), opened.get("id"), opened.get("version")) == ("a.test", "1", "1.0")
    assert isinstance(features, Received)
    assert features.element.tag == f"{{{STREAM}}}features"
    assert isinstance(message, Received)
    assert show(message.element).encode() == MESSAGE.replace(b"'", b'"')
    assert closed == StreamClosed()
    assert stream.state is State.CLOSED
    assert stream.last is not None
    assert stream.last.get("see-other-uri") == "wss://b.test/"


def test_a_framed_stream_may_be_closed_in_place_of_opened() -> None:
    assert framed(CLOSE)[1] == [StreamClosed()]


def test_a_framed_stream_opens_again_behind_a_restart_alone() -> None:
    stream, _ = framed(OPEN)
    stream.restart()
    stream.receive_data(OPEN)
    assert isinstance(stream.next_event(), StreamOpened)
    stream.receive_data(OPEN)
    with pytest.raises(PeerViolation, match="<open/> within a stream"):
        stream.next_event()


@pytest.mark.parametrize(
    ("message", "what"),
    [
        pytest.param(MESSAGE, "the first message is no <open/>", id="no-open"),
        pytest.param(b" " + OPEN, "the first character", id="white-space-first"),
        pytest.param(OPEN + FEATURES, "not one element", id="two-elements"),
        pytest.param(OPEN[:-2], "not one element", id="unfinished"),
        pytest.param(b"<open xmlns='urn:x'>", "not one element", id="not-closed"),
        pytest.param(b"<a:open/>", "prefix", id="undeclared-prefix"),
        pytest.param(b"<!-- x -->" + OPEN, "a comment", id="comment"),
        pytest.param(b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "not well-formed", id="dtd"),
        pytest.param(b"</lab-outer:stream>", "not well-formed", id="ends-the-wrapper"),
    ],
)
def test_what_is_no_frame_is_a_violation(message: bytes, what: str) -> None:
    stream = FramedStream()
    stream.receive_data(message)
    with pytest.raises(PeerViolation, match=what):
        stream.next_event()
    assert stream.state is State.BROKEN


def test_a_prefix_of_the_stream_that_is_not_declared_is_counted() -> None:
    stream, events = framed(OPEN, b"<stream:features/>", FEATURES)
    assert [e.element.tag for e in events if isinstance(e, Received)] == [f"{{{STREAM}}}features"] * 2
    assert stream.undeclared == 1


def test_an_xml_declaration_is_passed_over() -> None:
    stream, events = framed(b"<?xml version='1.0'?>\n" + OPEN, FEATURES)
    assert isinstance(events[0], StreamOpened)
    assert stream.declarations == 1


def test_whatever_follows_the_end_is_a_violation() -> None:
    stream, _ = framed(OPEN, CLOSE)
    stream.receive_data(MESSAGE)
    with pytest.raises(PeerViolation, match="after the end"):
        stream.next_event()


CREATED = (
    f"<body xmlns='{HTTPBIND}' xmlns:xmpp='{XBOSH}' xmlns:stream='{STREAM}' sid='s' from='a.test' authid='7' "
    "xmpp:version='1.0'><stream:features/></body>"
).encode()


def test_a_bosh_session_opens_with_what_is_in_its_first_body() -> None:
    _, events = bodies(f"<body xmlns='{HTTPBIND}' sid='s' from='early.test'/>".encode(), CREATED)
    opened, features = events
    assert isinstance(opened, StreamOpened)
    assert (opened.get("from"), opened.get("id"), opened.get("version")) == ("a.test", "7", "1.0")
    assert isinstance(features, Received)


def test_a_restart_shows_a_header_again_without_the_id_of_the_old_stream() -> None:
    stream, _ = bodies(CREATED)
    stream.restart()
    stream.receive_data(f"<body xmlns='{HTTPBIND}'/>".encode())
    assert stream.next_event() is None
    stream.receive_data(f"<body xmlns='{HTTPBIND}' xmlns:stream='{STREAM}'><stream:features/></body>".encode())
    opened = stream.next_event()
    assert isinstance(opened, StreamOpened)
    assert (opened.get("from"), opened.get("id")) == ("a.test", None)


def test_stanzas_left_in_the_namespace_of_bosh_are_stanzas() -> None:
    body = f"<body xmlns='{HTTPBIND}'><iq id='1'><x xmlns='urn:x'/></iq><other/></body>".encode()
    _, events = bodies(CREATED, body)
    tags = [e.element.tag for e in events if isinstance(e, Received)]
    assert tags[1:] == [f"{{{CLIENT}}}iq", f"{{{HTTPBIND}}}other"]


def test_termination_closes_the_stream_and_says_why() -> None:
    body = (
        f"<body xmlns='{HTTPBIND}' xmlns:stream='{STREAM}' type='terminate' condition='remote-stream-error'>"
        "<stream:error/></body>"
    ).encode()
    stream, events = bodies(CREATED, body)
    assert isinstance(events[-2], Received)
    assert events[-1] == StreamClosed("remote-stream-error")
    assert stream.state is State.CLOSED


def test_whole_bodies_are_events() -> None:
    _, events = bodies(CREATED, f"<body xmlns='{HTTPBIND}' type='terminate'/>".encode(), whole=True)
    assert [e.element.get("type") for e in events if isinstance(e, Received)] == [None, "terminate"]


def test_what_is_no_body_is_a_violation() -> None:
    stream = BodyStream()
    stream.receive_data(b"<html/>")
    with pytest.raises(PeerViolation, match="no <body/>"):
        stream.next_event()


@pytest.mark.parametrize(
    ("xml", "dressed"),
    [
        ("<iq/>", "<iq xmlns='jabber:client'/>"),
        ("<iq id='1'><a/></iq>", "<iq xmlns='jabber:client' id='1'><a/></iq>"),
        ("<iq xmlns='jabber:server'/>", "<iq xmlns='jabber:server'/>"),
        ("<iq id=' xmlns=1'/>", "<iq xmlns='jabber:client' id=' xmlns=1'/>"),
        ("<iq id='>'/>", "<iq xmlns='jabber:client' id='>'/>"),
        (
            "<stream:error/>",
            f"<stream:error xmlns:stream='{STREAM}'/>",
        ),
        ("not XML", "not XML"),
        ("</iq>", "</iq>"),
    ],
)
def test_a_stanza_is_given_the_namespaces_that_a_stream_would_declare(xml: str, dressed: str) -> None:
    assert with_namespace(xml) == dressed


def test_a_document_keeps_its_namespaces() -> None:
    assert show(root_of(MESSAGE)).encode() == MESSAGE.replace(b"'", b'"')
