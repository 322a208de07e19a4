"""RFC 6120 §6 between servers, the subject as the one who is called: SASL EXTERNAL with a right certificate.

Wrong certificates stand in `s2s_certificates`.
"""

from __future__ import annotations

from contextlib import suppress

import pytest

from lab.plugin import Specification, Stage, impossible, require, require_equal
from lab.plugin.federation import Remote, needs_external
from lab.wire.namespaces import NS, SASL
from lab.wire.negotiation import mechanisms, starttls
from lab.wire.s2s import ServerSession, open_server_stream
from lab.wire.session import Session, StreamEnded, StreamFailed
from lab.wire.stream import Element
from lab.wire.transport import ConnectionLost
from scenarios.server._hello import CERTIFICATE_REQUEST, ServerHello, client_hello, say_hello
from scenarios.server.rfc6120._s2s import arrives, at_proceed, expect_nothing_from, somebody, stanza, with_certificate
from scenarios.server.rfc6120._sasl import auth, base64, is_sasl, require_failure, require_success

RFC = Specification("RFC 6120")


def secured(remote: Remote) -> tuple[ServerSession, Element]:
    """A stream over TLS, brought up within the check, on which we have shown the right certificate; its features."""
    session = remote.call(Stage.OPENED)
    starttls(session, with_certificate(remote))
    return session, open_server_stream(session)


def offered(remote: Remote) -> tuple[ServerSession, Element]:
    """As `secured`, where EXTERNAL is on offer."""
    session, features = secured(remote)
    needs_external(session)
    return session, features


@RFC.should(
    "6.3.4", "6.4.1", says="EXTERNAL is offered to a server whose certificate is trusted and names its domain."
)
def test_external_is_offered_to_a_server(remote: Remote) -> None:
    _, features = secured(remote)
    require_external(remote, features)


def require_external(remote: Remote, features: Element) -> None:
    if "EXTERNAL" not in mechanisms(features):
        answer = say_hello(session := at_proceed(remote), client_hello(session.domain))
        if not (isinstance(answer, ServerHello) and CERTIFICATE_REQUEST in answer.messages):
            impossible("the server asks for no certificate, so that none is presented; another check says so")
    require("EXTERNAL" in mechanisms(features), "EXTERNAL among the mechanisms", features)


@RFC.should("6.3.4", says="Where EXTERNAL is offered to a server, it is the first mechanism of the list.")
def test_external_is_offered_to_a_server_first(remote: Remote) -> None:
    _, features = offered(remote)
    require_equal(mechanisms(features)[:1], ["EXTERNAL"], "the first mechanism")


@RFC.should("6.3.4", says="A certificate with a wildcard that covers the domain is good for EXTERNAL.")
def test_external_is_offered_for_a_wildcard(remote: Remote) -> None:
    sibling = remote.sibling("wild")
    session = remote.call(Stage.OPENED, jid=sibling)
    starttls(session, with_certificate(remote))
    require_external(remote, open_server_stream(session))


IDENTITIES = {"empty": "=", "own-domain": None}


@pytest.mark.parametrize("text", IDENTITIES.values(), ids=IDENTITIES.keys())
@RFC.must("6.3.8", "6.4.6", "13.8.4", says="EXTERNAL logs a server in, whether it names its own domain or nothing.")
def test_external_logs_a_server_in(alice: Session, remote: Remote, text: str | None) -> None:
    session, _ = offered(remote)
    require_success(auth(session, "EXTERNAL", base64(remote.domain) if text is None else text))
    open_server_stream(session)
    arrives(session, alice)


OTHERS = {
    "stranger": "stranger.example",
    "the-subject": "{domain}",
    "a-service-of-the-subject": "conference.{domain}",
    "a-user": "somebody@{remote}",
}
others = pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS.keys())


@others
@RFC.must(
    "6.3.8", "6.5", says="An identity that the server's certificate does not give it is refused: invalid-authzid."
)
def test_external_refuses_a_server_another_identity(remote: Remote, other: str) -> None:
    session, _ = offered(remote)
    answer = auth(session, "EXTERNAL", base64(other.format(domain=session.domain, remote=remote.domain)))
    # §6.5.10: who does not wish to say more says not-authorized.
    require_failure(answer, "invalid-authzid", "not-authorized")


@RFC.must_not("6.3.8", "8.1.2.2", says="A server that asked for another identity does not act as that one.")
def test_external_gives_a_server_no_other_identity(alice: Session, remote: Remote, another: Remote) -> None:
    session, _ = offered(remote)
    if (answer := auth_or_end(session, "EXTERNAL", base64(another.domain))) is not None and is_sasl(
        answer, "success"
    ):
        open_server_stream(session)
    xml, identifier = stanza("message", to=alice.jid, sender=somebody(another))
    with suppress(ConnectionLost):  # which says that nothing is taken any more
        session.send(xml)
    expect_nothing_from(alice, another, xml, identifier, "a stanza in the name of another server")


@RFC.must("13.9.1", "6.3.5", "6.4.5", says="Data of a server's that is not base64 is refused.")
@pytest.mark.parametrize("text", ["***", "ZGF0YQ=x"], ids=["other-letters", "pad-inside"])
def test_external_refuses_what_is_not_base64(remote: Remote, text: str) -> None:
    session, _ = offered(remote)
    refused(auth_or_end(session, "EXTERNAL", text))


@RFC.must("6.5", "6.4.5", says="A mechanism that was not offered to a server is a failure: invalid-mechanism.")
@pytest.mark.parametrize("mechanism", ["X-STANZALAB", "PLAIN", ""], ids=["unknown", "plain", "empty"])
def test_mechanism_that_is_not_offered_is_refused_to_a_server(remote: Remote, mechanism: str) -> None:
    session, features = offered(remote)
    if mechanism in mechanisms(features):  # nothing forbids PLAIN to servers
        impossible(f"{mechanism} is on offer")
    refused(auth_or_end(session, mechanism, "="), "invalid-mechanism", "malformed-request", "not-authorized")


def auth_or_end(session: ServerSession, mechanism: str, content: str) -> Element | None:
    """The answer to <auth/>; None where the stream ended over it, which is a refusal as well."""
    try:
        return auth(session, mechanism, content)
    except (StreamFailed, StreamEnded, ConnectionLost):
        return None


def refused(answer: Element | None, *conditions: str) -> None:
    if answer is not None:
        require_failure(answer, *conditions)


@RFC.must(
    "6.4.6", "6.3.2", "4.3.3", says="Behind <success/> a server's new header is answered by a header with a new id."
)
def test_new_stream_of_a_server_follows_success(remote: Remote) -> None:
    session, _ = offered(remote)
    before = session.stream_id
    require_success(auth(session, "EXTERNAL", "="))
    open_server_stream(session)
    require(session.stream_id not in {"", before}, "a new stream id", session.stream_id)


@RFC.must(
    "6.4.1",
    "6.4.6",
    "4.3.2",
    says="Behind its login a server is sent features, with nothing more that it must negotiate.",
)
def test_features_behind_a_server_s_login(remote: Remote) -> None:
    session, _ = offered(remote)
    require_success(auth(session, "EXTERNAL", "="))
    features = open_server_stream(session)
    for name in ("sasl:mechanisms", "tls:starttls", "bind:bind"):
        require(features.find(name, NS) is None, f"no {name.partition(':')[2]} behind the login", features)


@RFC.must_not("6.3.2", "4.3.5", says="A stanza behind <success/>, with no new stream header, is not delivered.")
def test_server_must_open_a_stream_behind_success(alice: Session, remote: Remote, another: Remote) -> None:
    session, _ = offered(remote)
    require_success(auth(session, "EXTERNAL", "="))
    xml, identifier = stanza("message", to=alice.jid, sender=somebody(remote))
    session.send(xml)
    expect_nothing_from(alice, another, xml, identifier, "a stanza without a stream")


@pytest.mark.parametrize("kind", ["message", "presence", "iq"])
@pytest.mark.parametrize("stage", [Stage.OPENED, Stage.SECURED], ids=["before-tls", "before-login"])
@RFC.must_not(
    "4.9.3.12", "4.3.5", "13.12", says="Stanzas of a server that has not proved its name are not processed."
)
def test_stanza_before_a_server_s_login_is_not_delivered(
    alice: Session, remote: Remote, another: Remote, stage: Stage, kind: str
) -> None:
    # An iq is for whom alice shares her presence with (RFC 6121 §8.5.3.1).
    alice.send(f"<presence/><presence to='{somebody(remote)}'/>")
    session = remote.call(stage)
    xml, identifier = stanza(kind, to=alice.jid, sender=somebody(remote))
    session.send(xml)
    expect_nothing_from(alice, another, xml, identifier, "a stanza of a server that has not logged in")


@pytest.mark.parametrize("stage", [Stage.OPENED, Stage.SECURED], ids=["before-tls", "before-login"])
@RFC.must("4.9.3.12", "4.3.5", says="A stanza of a server that has not proved its name ends the stream by an error.")
def test_stanza_before_a_server_s_login_ends_the_stream(alice: Session, remote: Remote, stage: Stage) -> None:
    session = remote.call(stage)
    xml, _ = stanza("message", to=alice.jid, sender=somebody(remote))
    session.send(xml + "</stream:stream>")  # which is answered where the stanza was passed over
    # A 'from' that no login has told is invalid-from as well (§8.1.2.2). Before TLS, a server that insists on it may
    # call that its policy.
    policy = ["policy-violation"] if stage is Stage.OPENED else []
    session.expect_stream_error("not-authorized", "invalid-from", *policy)


@RFC.should("6.4.5", says="A server that failed may try again, and is let in, or the stream has ended.")
def test_external_can_be_tried_again(alice: Session, remote: Remote) -> None:
    session, _ = offered(remote)
    first = auth_or_end(session, "X-STANZALAB", "=")
    if first is None:
        return
    require_failure(first)
    second = auth_or_end(session, "EXTERNAL", "=")
    if second is None:
        return
    require(is_sasl(second, "success"), "<success/>", second)
    open_server_stream(session)
    arrives(session, alice)


@RFC.must("6.4.1", "6.4.6", says="A server that is logged in does not log in once more.")
def test_second_login_of_a_server_is_no_success(remote: Remote) -> None:
    session = remote.call()
    session.send(f"<auth xmlns='{SASL}' mechanism='EXTERNAL'>=</auth></stream:stream>")
    try:
        answer = session.receive()
    except (StreamFailed, StreamEnded, ConnectionLost):
        return
    require(is_sasl(answer, "failure"), "<failure/>, or the end of the stream", answer)
