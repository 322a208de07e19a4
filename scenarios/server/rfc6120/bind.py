"""RFC 6120 §7: resource binding, the server's choice and the client's, and what goes wrong with it."""

from __future__ import annotations

import unicodedata

import pytest

from lab.errors import PeerError
from lab.plugin import (
    Connect,
    Specification,
    Stage,
    on_every_transport,
    require,
    require_equal,
    require_error,
    unsupported,
)
from lab.wire.namespaces import NS, STREAM
from lab.wire.negotiation import authenticate, open_stream, starttls
from lab.wire.session import (
    Session,
    StreamEnded,
    StreamFailed,
    localname,
    new_id,
)
from lab.wire.transport import ConnectionLost, NoAnswer, client_context
from scenarios.server.rfc6120._binding import authenticated, bind_iq, resource_of

RFC = Specification("RFC 6120")


@RFC.must("7.4", "7.2", "7.3.1", says="The features that follow authentication include <bind/>.")
@on_every_transport
def test_binding_is_offered_after_authentication(connect: Connect) -> None:
    session = connect(Stage.SECURED)
    authenticate(session, connect.account())
    features = open_stream(session)
    require(features.find("bind:bind", NS) is not None, "<bind/> in the stream features", features)


@RFC.must_not("7.4", says="No features before authentication include <bind/>, neither before TLS nor after it.")
def test_binding_is_not_offered_before_authentication(connect: Connect) -> None:
    session = connect(Stage.CONNECTED)
    plain = open_stream(session)
    starttls(session, client_context(connect.cell.ca))
    secured = open_stream(session)
    for features in (plain, secured):
        require_equal(features.tag, f"{{{STREAM}}}features", "the element behind the header")
        require(features.find("bind:bind", NS) is None, "no <bind/> in the stream features", features)


@RFC.must(
    "7.6.1",
    "7.6",
    "7.1",
    says="An empty <bind/> is answered by a result whose <jid/> is a full JID of the account.",
)
@on_every_transport
def test_server_generates_a_resource(connect: Connect) -> None:
    session, account = authenticated(connect)
    resource_of(bind_iq(session), account)


@RFC.must("7.6", "7.5", says="Resourceparts that the server generates are random: no two are alike.")
@on_every_transport
def test_generated_resources_differ(connect: Connect) -> None:
    account = connect.account()
    resources = [resource_of(bind_iq(authenticated(connect, account)[0]), account) for _ in range(4)]
    require_equal(len(set(resources)), 4, f"the number of different resourceparts among {resources}:")
    short = [resource for resource in resources if len(resource) < 4]
    require(not short, "resourceparts with room for randomness, of 4 characters or more", ", ".join(resources))


@RFC.should("7.7.1", says="A resourcepart that the client submits is accepted and told back without modification.")
@on_every_transport
def test_submitted_resource_is_accepted(connect: Connect) -> None:
    session, account = authenticated(connect)
    wanted = f"balcony {new_id()}"
    require_equal(resource_of(bind_iq(session, wanted), account), wanted, "the resourcepart")


@RFC.should("7.7.1", says="A resourcepart beyond ASCII is accepted and told back without modification.")
@on_every_transport
def test_submitted_resource_beyond_ascii_is_accepted(connect: Connect) -> None:
    session, account = authenticated(connect)
    wanted = f"\u0431\u0430\u043b\u043a\u043e\u043d \u00e9 {new_id()}"
    require_equal(resource_of(bind_iq(session, wanted), account), wanted, "the resourcepart")


@RFC.should("7.7.2.1", says="A resourcepart of zero length is replaced by one that the server generates.")
@on_every_transport
def test_empty_resource_is_replaced(connect: Connect) -> None:
    session, account = authenticated(connect)
    resource_of(bind_iq(session, ""), account)


UNFIT = [
    pytest.param("x" * 1024, id="too-long"),
    pytest.param("a\u0080b", id="control-character"),
    pytest.param("a\ue000b", id="private-use"),
    pytest.param("a\ufdd0b", id="no-character"),
]


@RFC.should("7.7.2.1", says="A resourcepart that violates the rules for addresses is brought into conformance.")
@pytest.mark.parametrize("unfit", UNFIT)
@on_every_transport
def test_unfit_resource_is_made_fit(connect: Connect, unfit: str) -> None:
    session, account = authenticated(connect)
    resource = resource_of(bind_iq(session, unfit), account)
    require(fits(resource), "a resourcepart within the rules of RFC 6122", ascii(resource))


@RFC.must(
    "4.3.6", "7.7.2.1", says="A resourcepart that violates the rules for addresses is never bound as it stands."
)
@pytest.mark.parametrize("unfit", UNFIT)
@on_every_transport
def test_unfit_resource_is_never_bound_as_it_stands(connect: Connect, unfit: str) -> None:
    session, account = authenticated(connect)
    answer = bind_iq(session, unfit)
    if answer.get("type") == "error":
        require_error(answer)
        resource_of(bind_iq(session, "fit"), account)
    else:
        resource = resource_of(answer, account)
        require(fits(resource), "a resourcepart within the rules of RFC 6122", ascii(resource))


def fits(resource: str) -> bool:
    """Whether a resourcepart is short enough, and free of what both resourceprep and PRECIS forbid."""
    forbidden = {"Cc", "Co", "Cs", "Cn"}
    return len(resource.encode()) <= 1023 and not any(unicodedata.category(c) in forbidden for c in resource)


@RFC.should("7.7.2.1", says="A resourcepart that is not normalised is brought into conformance (RFC 6122 §2.4).")
@pytest.mark.parametrize(
    ("submitted", "canonical"),
    [
        pytest.param("e\u0301", "\u00e9", id="decomposed"),
        pytest.param("a\u00a0b", "a b", id="no-break-space"),
    ],
)
@on_every_transport
def test_resource_is_normalised(connect: Connect, submitted: str, canonical: str) -> None:
    session, account = authenticated(connect)
    resource = resource_of(bind_iq(session, submitted), account)
    if resource.isascii() and resource != canonical:
        unsupported("resourceparts of the client's choice: the server generates its own")
    require_equal(ascii(resource), ascii(canonical), "the resourcepart")


@RFC.must(
    "7.6.2.2",
    "7.1",
    says="A second bind on a bound stream leaves the client with an address that is consistent.",
)
def test_second_bind_on_a_stream_is_consistent(connect: Connect) -> None:
    session, account = authenticated(connect)
    jids = [f"{account.jid}/{resource_of(bind_iq(session, 'first'), account)}"]
    answer = bind_iq(session, "second")
    if answer.get("type") == "error":
        require_error(answer)
    else:
        jids = [f"{account.jid}/{resource_of(answer, account)}"]
    bob = connect(label="bob")
    mark = new_id()
    session.send(f"<message to='{bob.jid}' id='{mark}' type='chat'><body>{mark}</body></message>")
    message = bob.expect(mark)
    require_equal(message.get("from"), jids[0], "the address that messages come from")


@RFC.must_not("7.1", says="A stanza to somebody else, sent before a resource is bound, is not processed.")
@on_every_transport
def test_stanza_before_binding_is_not_delivered(connect: Connect) -> None:
    bob = connect(label="bob")
    session, account = authenticated(connect)
    mark = new_id()
    session.send(f"<message to='{bob.jid}' id='{mark}' type='chat'><body>{mark}</body></message>")
    settle(session)
    bob.expect_nothing(
        f"<message from='{account.jid}' id='{mark}' type='chat'><body>{mark}</body></message>",
        lambda e: localname(e) == "message" and mark in (e.get("id"), e.findtext("{*}body")),
        "the message of a client without a resource",
    )


def settle(session: Session) -> None:
    """Wait until the server has dealt with what was sent: an answer to a ping, an error, or the end of the stream."""
    try:
        session.sentinel()
    except PeerError:
        return  # how it ends is the matter of another check


@RFC.must("6.3.1", "7.4", says="A resource is not bound before the client has authenticated.")
@on_every_transport
def test_no_binding_before_authentication(connect: Connect) -> None:
    session = connect(Stage.SECURED)
    try:
        answer = bind_iq(session, "early")
    except (StreamFailed, StreamEnded, ConnectionLost, NoAnswer):
        return  # nothing is bound, and no more is asked here
    require_error(answer)


@RFC.must("6.3.1", says="A stanza that is sent before authentication is not processed.")
@on_every_transport
def test_stanza_before_authentication_is_not_delivered(connect: Connect) -> None:
    bob = connect(label="bob")
    session = connect(Stage.SECURED)
    mark = new_id()
    session.send(f"<message to='{bob.jid}' id='{mark}' type='chat'><body>{mark}</body></message>")
    settle(session)
    bob.expect_nothing(
        f"<message from='{session.domain}' id='{mark}' type='chat'><body>{mark}</body></message>",
        lambda e: localname(e) == "message" and mark in (e.get("id"), e.findtext("{*}body")),
        "the message of a client who has not authenticated",
    )


@RFC.must_not("7.3.2", says="After binding there is no restart: stanzas go on at once, on the same stream.")
@on_every_transport
def test_no_restart_after_binding(connect: Connect) -> None:
    session, account = authenticated(connect)
    resource_of(bind_iq(session), account)
    answer = session.iq("get", "<ping xmlns='urn:xmpp:ping'/>", to=session.domain)
    require_equal(answer.get("from"), session.domain, "who answers")
    require(answer.get("type") in {"result", "error"}, "an answer", answer)
