"""RFC 6120 §4.3: features behind every header, restarts that make new streams, and the JID that comes of it all."""

from __future__ import annotations

import pytest
from lxml import etree

from lab.cell import Account, Cell
from lab.errors import PeerError
from lab.plugin import Connect, Specification, Stage, impossible, require, require_equal
from lab.wire.namespaces import CLIENT, NS, STREAM
from lab.wire.negotiation import authenticate, bind, header, mechanisms, starttls
from lab.wire.session import Session, new_id
from lab.wire.transport import client_context
from scenarios.server.rfc6120._stanzas import become_available
from scenarios.server.rfc6120._streams import (
    FEATURES,
    Where,
    before_header,
    everywhere,
    expect_features,
    next_header,
    open_with,
)

RFC = Specification("RFC 6120")


@RFC.must(
    "4.3.2",
    "4.3.4",
    says="Features follow each response header, each in a namespace of its own, fit for the moment.",
)
@everywhere
def test_features_follow_the_header(connect: Connect, where: Where) -> None:
    session = before_header(connect, where)
    open_with(session, next_header(session))
    features = expect_features(session)
    for feature in features:
        namespace = etree.QName(feature).namespace
        require(namespace not in {None, STREAM, CLIENT}, "a feature in a namespace of its own", features)
    if where is Where.AFTER_SASL:
        require(features.find("bind:bind", NS) is not None, "bind among the features after SASL", features)
        require(not mechanisms(features), "no SASL mechanisms after SASL", features)
    elif where is Where.AFTER_TLS:
        require(mechanisms(features), "SASL mechanisms after TLS", features)
        require(features.find("tls:starttls", NS) is None, "no STARTTLS after TLS", features)


@RFC.must("4.3.3", "4.7.3", says="After TLS and after SASL the same connection carries a new stream with a new id.")
def test_restart_makes_a_new_stream(connect: Connect, cell: Cell) -> None:
    session = connect(Stage.CONNECTED)
    ids = [open_with(session, next_header(session)).get("id")]
    expect_features(session)
    starttls(session, client_context(cell.ca))
    ids.append(open_with(session, next_header(session)).get("id"))
    expect_features(session)
    authenticate(session, connect.account())
    ids.append(open_with(session, next_header(session)).get("id"))
    expect_features(session)
    require(all(ids) and len(set(ids)) == 3, "three streams with three ids", ", ".join(map(str, ids)))


@RFC.must("4.3.2", says="A client of a newer minor version gets features too: its version is at least 1.0.")
def test_newer_client_gets_features(connect: Connect, cell: Cell) -> None:
    session = connect(Stage.CONNECTED)
    open_with(session, header(to=cell.domain, version="1.7"))
    features = expect_features(session)
    require(len(features), "features that say how to go on", features)


@RFC.must_not("4.3.5", says="Once the stream is negotiated the server sends no more features.")
def test_no_features_after_completion(alice: Session) -> None:
    alice.send("<presence/>")
    alice.expect_nothing("<stream:features/>", lambda e: e.tag == FEATURES, "stream features")


@RFC.must("4.3.6", says="A client's JID is the account that it authenticated as, with the resource that was bound.")
def test_jid_is_account_and_resource(connect: Connect, bob: Session) -> None:
    account = connect.account()
    session = connect(Stage.AUTHENTICATED, account=account)
    jid = bind(session, f"resource-{new_id()}")
    require_equal(jid.partition("/")[0], account.jid, "bare JID")
    become_available(bob)  # whether a client that is not gets messages too is a check of `routing`
    identifier = new_id()
    session.send(f"<message to='{bob.jid}' type='chat' id='{identifier}'><body>Who am I?</body></message>")
    require_equal(bob.expect(identifier).get("from"), jid, "'from' as a contact sees it")


@RFC.must("4.3.6", says="The JID is canonical, however the client wrote its name.")
@pytest.mark.parametrize("mechanism", [pytest.param("PLAIN", id="plain"), pytest.param("SCRAM-SHA-1", id="scram")])
def test_jid_is_canonical(connect: Connect, mechanism: str) -> None:
    account = connect.account()
    session = connect(Stage.SECURED)
    if session.features is None or mechanism not in mechanisms(session.features):
        impossible(f"{mechanism} is not offered")
    shouted = Account(account.localpart.upper(), account.domain, account.password)
    try:
        authenticate(session, shouted, mechanism)
    except PeerError as error:
        impossible(f"the server lets nobody in by a name in capitals ({error.message})")
    open_with(session, next_header(session))
    expect_features(session)
    require_equal(bind(session).partition("/")[0], account.jid, "bare JID")
