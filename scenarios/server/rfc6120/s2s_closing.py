"""RFC 6120 §4.4, §4.9 between servers: streams that are closed, by either side, with and without an error."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest

from lab.plugin import Specification, Stage, impossible, require, require_equal
from lab.plugin.federation import Remote
from lab.wire.namespaces import LAB, STREAM_ERROR, TLS
from lab.wire.s2s import ServerSession
from lab.wire.session import Session, StreamEnded
from lab.wire.transport import ConnectionLost, NoAnswer
from scenarios.server.rfc6120._s2s import (
    arrives,
    end_of,
    expect_nothing_from,
    greet,
    is_stream_error,
    is_tls,
    somebody,
    stanza,
    taken,
)
from scenarios.server.rfc6120._streams import refused_at_once

RFC = Specification("RFC 6120")

CLOSE = "</stream:stream>"
STAGES = {"before-tls": Stage.OPENED, "before-login": Stage.SECURED, "logged-in": Stage.AUTHENTICATED}
stages = pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES.keys())


@stages
@RFC.must("4.4", says="A server whose peer closes its stream closes its own, then the connection.")
def test_closing_of_a_server_is_answered_by_closing(remote: Remote, stage: Stage) -> None:
    session = remote.call(stage)
    session.send(CLOSE)
    session.expect_closed()


@RFC.must("4.4", says="What a server sent before its closing tag is still processed.")
def test_stanza_before_a_server_s_closing_tag_is_delivered(alice: Session, remote: Remote) -> None:
    outgoing = remote.call()
    xml, identifier = stanza("message", to=alice.jid, sender=somebody(remote))
    outgoing.send(xml + CLOSE)
    got = alice.expect(identifier)
    require_equal(got.get("from"), somebody(remote), "'from' of the message")


@RFC.must_not("11.3", "4.4", says="What a server sends behind its closing tag belongs to no stream: nobody gets it.")
def test_stanza_behind_a_server_s_closing_tag_is_not_delivered(
    alice: Session, remote: Remote, another: Remote
) -> None:
    outgoing = remote.call()
    xml, identifier = stanza("message", to=alice.jid, sender=somebody(remote))
    outgoing.send(CLOSE + xml)
    outgoing.expect_closed(stream=False)
    expect_nothing_from(alice, another, xml, identifier, "a stanza from behind the closing tag")


@RFC.must("4.4", says="A server that took our closing tag closes the stream that it has opened, and the connection.")
def test_calling_server_answers_the_closing_tag(alice: Session, remote: Remote) -> None:
    incoming = taken(alice, remote)
    incoming.send(CLOSE)
    incoming.expect_closed()


@RFC.should("10.4", "10.4.1", says="Behind a stream that the peer has closed, the next stanza opens a new one.")
def test_closed_stream_is_opened_anew(alice: Session, remote: Remote) -> None:
    incoming = taken(alice, remote)
    incoming.send(CLOSE)
    incoming.expect_closed()
    incoming.abandon()
    reached_again(alice, remote)


@RFC.should("10.4", "10.4.1", says="Behind a connection that was lost, the next stanza opens a new one.")
def test_lost_connection_is_opened_anew(alice: Session, remote: Remote) -> None:
    incoming = taken(alice, remote)
    incoming.abandon()
    alice.sentinel()
    reached_again(alice, remote)


RECONNECTED = 65.0
"""Seconds: who connects again should wait for up to 60 before it does (§3.3)."""


def reached_again(alice: Session, remote: Remote) -> None:
    """A stanza of alice's comes on a new stream of the subject's. One that the loss overtook may be lost."""
    until = time.monotonic() + RECONNECTED
    while True:
        greet(alice, remote)
        try:
            second = remote.receive()
            break
        except NoAnswer:
            if time.monotonic() > until:
                raise
    identifier = greet(alice, remote)
    require_equal(second.expect(identifier).get("from"), alice.jid, "'from' of the message on the new stream")


CONDITIONS = {
    "connection-timeout": "<connection-timeout {ns}/>",
    "conflict": "<conflict {ns}/>",
    "internal-server-error": "<internal-server-error {ns}/>",
    "policy-violation": "<policy-violation {ns}/><text {ns} xml:lang='en'>Enough</text>",
    "reset": "<reset {ns}/>",
    "resource-constraint": "<resource-constraint {ns}/>",
    "see-other-host": "<see-other-host {ns}>nowhere.remote.test:1</see-other-host>",
    "system-shutdown": "<system-shutdown {ns}/>",
    "undefined-condition": "<undefined-condition {ns}/><lab-is-tired xmlns='" + LAB + "'/>",
}
STAYS = {name: text for name, text in CONDITIONS.items() if name != "see-other-host"}
conditions = pytest.mark.parametrize("condition", CONDITIONS.values(), ids=CONDITIONS.keys())


def stream_error(condition: str) -> str:
    inner = condition.format(ns=f"xmlns='{STREAM_ERROR}'")
    return f"<stream:error>{inner}</stream:error>{CLOSE}"


@conditions
@RFC.must("4.9.1.1", says="A server that is sent a stream error closes its stream, and the connection.")
def test_stream_error_of_the_peer_ends_the_stream(alice: Session, remote: Remote, condition: str) -> None:
    incoming = taken(alice, remote)
    incoming.send(stream_error(condition))
    incoming.expect_closed()


# Behind see-other-host it is the other host that is to be called (§4.9.3.19).
@pytest.mark.parametrize("condition", STAYS.values(), ids=STAYS.keys())
@RFC.should("10.4", "4.9.1.1", says="Behind a stream error of the peer's, the next stanza opens a new stream.")
def test_server_calls_again_behind_a_stream_error(alice: Session, remote: Remote, condition: str) -> None:
    incoming = taken(alice, remote)
    incoming.send(stream_error(condition))
    incoming.expect_closed(stream=False)
    incoming.abandon()
    reached_again(alice, remote)


@conditions
@RFC.must("4.9.1.1", says="A server that is called and then sent a stream error closes its stream, too.")
def test_stream_error_of_the_caller_ends_the_stream(remote: Remote, condition: str) -> None:
    outgoing = remote.call()
    outgoing.send(stream_error(condition))
    outgoing.expect_closed()


BROKEN = {
    "mismatched-tags": "<message to='{to}' from='{of}'><body>Hello</message>",
    "attribute-twice": "<message to='{to}' to='{to}' from='{of}'/>",
    "comment": "<message to='{to}' from='{of}'><!-- comment --><body>Hello</body></message>",
    "processing-instruction": "<message to='{to}' from='{of}'><?lab it?><body>Hello</body></message>",
    "entity-reference": "<message to='{to}' from='{of}'><body>&stanzalab;</body></message>",
}


@pytest.mark.parametrize("xml", BROKEN.values(), ids=BROKEN.keys())
@RFC.must(
    "11.3", "11.1", "4.9.1.1", says="What is no well-formed, unrestricted XML ends a server's stream by an error."
)
def test_broken_xml_of_a_server_ends_the_stream(alice: Session, remote: Remote, xml: str) -> None:
    outgoing = remote.call()
    # The closing tag is answered where the fault was overlooked: no need to wait for silence.
    outgoing.send(xml.format(to=alice.jid, of=somebody(remote)) + CLOSE)
    refused_at_once(outgoing)


@RFC.should("11.3", says="A server's stream with a prefix that is not bound is ended, which is preferable.")
def test_unbound_prefix_of_a_server_ends_the_stream(alice: Session, remote: Remote) -> None:
    outgoing = remote.call()  # a stanza error, not-acceptable, is right as well
    outgoing.send(f"<message to='{alice.jid}' from='{somebody(remote)}'><lab:unbound/></message>{CLOSE}")
    refused_at_once(outgoing)


@pytest.mark.parametrize("xml", ["<lab:strange xmlns:lab='" + LAB + "'/>", "<pubsub/>"], ids=["namespace", "name"])
@RFC.must(
    "4.8.4", "4.9.1.1", says="A first-level element that a server does not know ends the stream, or is passed over."
)
def test_unknown_element_of_a_server_does_no_harm(alice: Session, remote: Remote, xml: str) -> None:
    outgoing = remote.call()
    following, identifier = stanza("message", to=alice.jid, sender=somebody(remote))
    outgoing.send(xml + following + CLOSE)
    if not any(is_stream_error(one) for one in end_of(outgoing)):  # by which condition is another check's matter
        alice.expect(identifier)


@RFC.must("4.9.1.1", "4.4", says="Behind its stream error the server closes the stream and the connection.")
def test_stream_error_to_a_server_is_followed_by_the_end(remote: Remote) -> None:
    outgoing = remote.call()
    outgoing.send("<message><body>no end tag</message>")
    try:
        outgoing.expect_stream_error()
    except (StreamEnded, ConnectionLost):
        impossible("the stream ends without an error; another check judges that")
    with suppress(ConnectionLost):
        outgoing.send(CLOSE)  # whoever closed first may wait for that (§4.4)
    outgoing.expect_closed()


@RFC.must("5.4.2.2", "5.4.2.1", says="STARTTLS inside TLS is a failure, and the end.")
def test_second_starttls_of_a_server_is_refused(remote: Remote) -> None:
    session = remote.call(Stage.SECURED)
    session.send(f"<starttls xmlns='{TLS}'/>")
    no_second_tls(session)


def no_second_tls(session: ServerSession) -> None:
    came = end_of(session)
    refused = came and (is_tls(came[0], "failure") or is_stream_error(came[0]))
    require(refused, "<failure/>, or a stream error", came[0] if came else "the end alone")


@RFC.should("4.9.1.1", says="A stream error of the subject's ends nothing but its stream: the peer calls again.")
def test_server_is_served_again_behind_its_mistake(alice: Session, remote: Remote) -> None:
    outgoing = remote.call()
    outgoing.send("<message><body>no end tag</message>")
    refused_at_once(outgoing)
    arrives(remote.call(), alice)
