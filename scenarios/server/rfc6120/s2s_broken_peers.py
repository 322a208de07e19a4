"""RFC 6120 §10.4.3, §4.5, §4.9 between servers: remote servers that are no good, and what becomes of stanzas."""

from __future__ import annotations

import re

import pytest

from lab.errors import PeerError
from lab.plugin import Specification, Stage, require, require_equal, unsupported
from lab.plugin.federation import Remote
from lab.plugin.judge import Missed
from lab.wire.namespaces import LAB
from lab.wire.negotiation import expect_header
from lab.wire.s2s import OFFER_DIALBACK, OFFER_EXTERNAL, OFFER_STARTTLS, is_dialback, receive_starttls, receive_stream
from lab.wire.session import Session, StreamEnded, StreamFailed, localname
from lab.wire.transport import NoAnswer
from scenarios.server.rfc6120._flood import ends_over
from scenarios.server.rfc6120._peers import HEADER, WAYS, Way, misbehave
from scenarios.server.rfc6120._s2s import (
    KINDS,
    expect_bounce,
    expect_nothing_from,
    greet,
    somebody,
    stanza,
    still_federates,
    taken,
    up_to_login,
)
from scenarios.server.rfc6120._sasl import is_sasl, rest_of

RFC = Specification("RFC 6120")

ways = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())


@ways
@RFC.must("10.4.3", says="Where no stream comes about with a remote server, the sender is told by an error.")
def test_broken_peer_is_told(alice: Session, remote: Remote, way: Way) -> None:
    identifier = greet(alice, remote)
    misbehave(remote, way)
    error = expect_bounce(alice, identifier)
    require_equal(localname(error), "message", "the stanza that comes back")


@ways
@RFC.should("10.4", "10.4.3", says="A remote server that is no good harms nobody else: the next one is reached.")
def test_broken_peer_harms_no_other(alice: Session, remote: Remote, another: Remote, way: Way) -> None:
    greet(alice, remote)
    misbehave(remote, way)
    still_federates(alice, another)


TIMEOUTS = ("closes-behind-its-header", "refuses-tls", "closes-behind-proceed", "refuses-the-login")


@pytest.mark.parametrize("way", [WAYS[name] for name in TIMEOUTS], ids=TIMEOUTS)
@RFC.must(
    "10.4.3",
    "8.3.3.17",
    says="Where the name resolves but no stream comes about, the error is remote-server-timeout.",
)
def test_broken_peer_is_a_timeout(alice: Session, remote: Remote, way: Way) -> None:
    identifier = greet(alice, remote)
    misbehave(remote, way)
    expect_bounce(alice, identifier, "remote-server-timeout")


@pytest.mark.parametrize("kind", KINDS)
@RFC.must(
    "10.4.3",
    "8.3.1",
    says="Each kind of stanza comes back from a remote server that is no good, to be read as an error.",
)
def test_each_kind_comes_back_from_a_broken_peer(alice: Session, remote: Remote, kind: str) -> None:
    identifier = greet(alice, remote, kind)
    misbehave(remote, WAYS["refuses-the-login"])
    error = expect_bounce(alice, identifier)
    require_equal(localname(error), kind, "the stanza that comes back")


@RFC.must("10.4.3", says="All that waited for a remote server comes back where it is no good.")
def test_all_that_waited_comes_back(alice: Session, remote: Remote) -> None:
    identifiers = [greet(alice, remote) for _ in range(10)]
    alice.sentinel()
    misbehave(remote, WAYS["refuses-the-login"])
    for identifier in identifiers:
        expect_bounce(alice, identifier)


SILENT = {"before-the-header": 0, "before-tls": 1, "at-the-handshake": 2, "before-the-login": 3}


@pytest.mark.parametrize("steps", SILENT.values(), ids=SILENT.keys())
@RFC.should("10.4", "10.1", says="While one remote server says nothing more, stanzas to another are on their way.")
def test_silent_peer_holds_nobody_up(alice: Session, remote: Remote, another: Remote, steps: int) -> None:
    greet(alice, remote)
    session = remote.receive(Stage.CONNECTED)
    if steps >= 1:
        receive_stream(session, None if steps == 1 else OFFER_STARTTLS)
    if steps == 2:
        session.receive()
        session.send("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
    if steps >= 3:
        receive_starttls(session, remote.certificate, remote.ca)
        receive_stream(session, None)
    still_federates(alice, another)


@RFC.must("10.4.3", "10.1", says="A remote server that takes its time gets what was sent, all of it, in its order.")
def test_slow_peer_gets_all(alice: Session, remote: Remote, another: Remote) -> None:
    identifiers = [greet(alice, remote) for _ in range(5)]
    still_federates(alice, another)
    session = remote.receive()
    session.expect(identifiers[-1])
    came = [e.get("id") for e in session.inbox if e.get("id") in identifiers]
    require_equal(came, identifiers[:-1], "the messages before the last")


# --- a stream goes one way


PLACES = {"before-tls": Stage.OPENED, "before-login": Stage.SECURED, "logged-in": Stage.AUTHENTICATED}
SENDERS = {"own": "somebody@{remote}/r", "third": "somebody@{another}/r", "subject": "{domain}"}


@pytest.mark.parametrize(
    ("place", "sender"),
    [
        pytest.param(stage, address, id=f"{place}-{sender}")
        for sender, address in SENDERS.items()
        for place, stage in PLACES.items()
        # Who has logged the subject in may be taken at its word: that a stream goes one way is no MUST (§4.5).
        if (place, sender) != ("logged-in", "own")
    ],
)
@RFC.must_not(
    "4.5", "8.1.2.2", says="A stanza on the stream that the subject has opened, which goes one way, is not delivered."
)
def test_stanza_on_the_subject_s_stream_is_not_delivered(
    alice: Session, remote: Remote, another: Remote, place: Stage, sender: str
) -> None:
    session = taken(alice, remote, place)
    named = sender.format(remote=remote.domain, another=another.domain, domain=alice.domain)
    xml, identifier = stanza("message", to=alice.jid, sender=named)
    session.send(xml)
    # What is called for next shows that the subject has read it, and does not depend on what it thought of it.
    settle(session)
    expect_nothing_from(alice, another, xml, identifier, "a stanza on the wrong stream")


def settle(session: Session) -> None:
    """Close, and wait until the subject has: all that we sent has been read."""
    try:
        session.send("</stream:stream>")
        session.expect_closed(stream=False)
    except NoAnswer:
        pass  # it stays open; the sentinel goes another way in any case
    except PeerError:
        pass  # it was closed over the stanza


@RFC.should_not(
    "4.5", "10.4.3", says="An answer on the subject's own stream is none: it comes on a stream of the peer's."
)
def test_answer_on_the_subject_s_stream_is_not_delivered(alice: Session, remote: Remote, another: Remote) -> None:
    session = taken(alice, remote)
    identifier = greet(alice, remote, "iq")
    session.expect(identifier)
    forged = f"<iq type='result' id='{identifier}' from='{somebody(remote)}' to='{alice.jid}'/>"
    session.send(forged)
    settle(session)
    expect_nothing_from(alice, another, forged, identifier, "an answer on the wrong stream")


# --- what the subject has to notice itself


NOTICED = (
    "other-stream-namespace",
    "header-that-is-not-well-formed",
    "header-with-a-document-type",
    "features-that-are-not-well-formed",
)
CLOSED = re.compile(rb"</(\w+:)?stream\s*>")
noticed = pytest.mark.parametrize("way", [WAYS[name] for name in NOTICED], ids=NOTICED)


@noticed
@RFC.must(
    "4.9.1.1", "11.3", "11.1", "4.8.1", says="A peer's stream that is no XMPP stream is ended by the calling server."
)
def test_calling_server_ends_a_broken_stream(alice: Session, remote: Remote, way: Way) -> None:
    greet(alice, remote)
    session = remote.receive(Stage.CONNECTED)
    way(session, remote)
    came, ended = rest_of(session)
    # Whoever closed first may wait with the connection (§4.4).
    require(ended or CLOSED.search(came), "the end of the stream", f"it stays open; before: {came!r}")


@noticed
@RFC.must(
    "4.9.1.1", "11.3", says="The error that a calling server sends stands in its own stream, which is open already."
)
def test_error_of_the_calling_server_is_in_its_stream(alice: Session, remote: Remote, way: Way) -> None:
    greet(alice, remote)
    session = remote.receive(Stage.CONNECTED)
    way(session, remote)
    session.expect_stream_error()


@RFC.must("5.4.3.3", says="What the peer said before TLS is forgotten: its features over TLS are what counts.")
def test_features_from_before_tls_are_forgotten(alice: Session, remote: Remote) -> None:
    greet(alice, remote)
    session = remote.receive(Stage.CONNECTED)
    receive_stream(session, OFFER_STARTTLS + OFFER_EXTERNAL)
    receive_starttls(session, remote.certificate, remote.ca)
    receive_stream(session, OFFER_DIALBACK)
    try:
        asked = session.receive()
    except (StreamFailed, StreamEnded):
        return  # no dialback: so nothing is on offer
    require(not is_sasl(asked, "auth"), "no login by a mechanism that is not on offer any more", asked)


@RFC.should("4.3.2", says="A feature that the calling server does not know keeps it from no other: it goes on.")
def test_unknown_feature_is_passed_over(alice: Session, remote: Remote) -> None:
    session = up_to_login(alice, remote, f"<lab xmlns='{LAB}'/>{OFFER_EXTERNAL}{OFFER_DIALBACK}")
    asked = session.receive()
    require(is_sasl(asked, "auth") or is_dialback(asked, "result"), "the subject's login", asked)


ENDLESS = {"header": HEADER[:-1] + " lab='", "features": HEADER + "<stream:features><lab>"}


@pytest.mark.overloads
@pytest.mark.parametrize("start", ENDLESS.values(), ids=ENDLESS.keys())
@RFC.should(
    "13.12", says="A peer that never comes to an end is given up: the calling server limits what it remembers."
)
def test_endless_peer_is_given_up(alice: Session, remote: Remote, another: Remote, start: str) -> None:
    greet(alice, remote)
    session = remote.receive(Stage.CONNECTED)
    expect_header(session)
    session.send(start)
    try:
        ends_over(session, "x")
    except Missed as missed:
        unsupported(f"a limit for what a peer says before its first stanza: {missed.seen}")
    still_federates(alice, another)
