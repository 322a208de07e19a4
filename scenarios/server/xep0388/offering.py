"""XEP-0388 §2.1 and §3: what is offered, to whom, and when."""

from __future__ import annotations

import ssl

import pytest
from lxml import etree

from lab.plugin import Connect, Specification, Stage, impossible, require, require_equal, unsupported
from lab.wire import negotiation, sasl, sasl2
from lab.wire.namespaces import NS, SASL2, TLS
from lab.wire.negotiation import channel_bindings, open_stream
from lab.wire.sasl2 import Login, UserAgent
from lab.wire.session import Session, StreamEnded, StreamFailed
from lab.wire.stream import Element
from lab.wire.transport import client_context
from scenarios.server._sasl2 import (
    authenticate,
    bindable,
    is_sasl2,
    mechanisms,
    message_of_plain,
    require_failure,
    secured,
)
from scenarios.server.rfc6120._streams import Where, before_header, expect_features, open_with, refused_header

SASL2_PROFILE = Specification("XEP-0388")

NEWEST = ssl.TLSVersion.MAXIMUM_SUPPORTED


def _under_tls(connect: Connect) -> Session:
    """A stream just before the header that is due under TLS; the check is `unsupported` without SASL2."""
    account = connect.account()
    secured(connect, account)
    session = before_header(connect, Where.AFTER_TLS)
    session.sender = account.jid
    return session


def _offer(session: Session) -> Element:
    """Open the stream; answers what is offered of SASL2, which must be something."""
    open_with(session, session.opening())
    features = expect_features(session)
    offer = sasl2.offered(features)
    require(offer is not None, "<authentication/> among the stream features", features)
    return features if offer is None else offer


@SASL2_PROFILE.must("2.1", says="SASL2 is offered as <authentication/> with at least one mechanism in it.")
def test_offer_has_mechanisms(connect: Connect) -> None:
    offer = _offer(_under_tls(connect))
    names = [(m.text or "").strip() for m in offer.iterfind("sasl2:mechanism", NS)]
    require(names and all(names), "at least one mechanism, each with a name", offer)
    require_equal(sorted(set(names)), sorted(names), "mechanisms, each once")


@SASL2_PROFILE.must(
    "2.1", says="What can be asked for inline stands in <inline/>, which is a child of <authentication/>."
)
def test_inline_features_stand_in_the_offer(connect: Connect) -> None:
    session = _under_tls(connect)
    offer = _offer(session)
    inline = offer.findall("sasl2:inline", NS)
    if not inline:
        unsupported("anything inline")
    require_equal(len(inline), 1, "number of <inline/>")
    for feature in inline[0]:
        namespace = etree.QName(feature).namespace
        require(namespace not in {None, SASL2}, "inline features in namespaces of their own", offer)


@SASL2_PROFILE.should(
    "2.1", says="What is offered is the same on each stream of the same 'to', 'from' and encryption."
)
def test_offer_is_stable(connect: Connect) -> None:
    account = connect.account()
    first = secured(connect, account)
    second = before_header(connect, Where.AFTER_TLS)
    second.sender = account.jid
    offer = _offer(second)
    before = sasl2.offered(first.features) if first.features is not None else None
    require_equal(_said(offer), _said(before), "what is offered")


def _said(element: Element | None) -> list[str]:
    """All that an element says, without the order of it."""
    if element is None:
        return []
    return sorted(f"{e.tag} {sorted(e.attrib.items())} {(e.text or '').strip()}" for e in element.iter())


@SASL2_PROFILE.must("2.1", says="A mechanism is offered only where it can be used: an account gets in by each.")
@pytest.mark.parametrize(
    "mechanism",
    [
        *("PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"),
        *("SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-512-PLUS"),
    ],
)
def test_account_gets_in_by_what_is_offered(connect: Connect, mechanism: str) -> None:
    account = connect.account()
    context = bindable(connect) if mechanism.endswith("-PLUS") else None
    session = secured(connect, account, mechanism, context=context)
    login = Login(sasl.mechanism(mechanism, account, tls=session.transport.tls), agent=UserAgent.new())
    success = negotiation.log_in(session, login)
    require_equal(login.jid, account.jid, "the authorization identifier")
    require_equal(len(success.findall("sasl2:authorization-identifier", NS)), 1, "number of identifiers")


@SASL2_PROFILE.should(
    "2.1", says="What is offered to a client that does not say who it is can be used by any account."
)
@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256"])
def test_offer_without_from_holds_for_anybody(connect: Connect, mechanism: str) -> None:
    account = connect.account()
    session = secured(connect, account, mechanism, sender="")
    login = Login(sasl.mechanism(mechanism, account, tls=session.transport.tls), agent=UserAgent.new())
    negotiation.log_in(session, login)
    require_equal(login.jid, account.jid, "the authorization identifier")


@SASL2_PROFILE.should(
    "2.1", says="A 'from' of another domain than the 'to' is answered by the stream error invalid-from."
)
@pytest.mark.parametrize(
    "sender",
    [
        pytest.param("juliet@elsewhere.example", id="account-of-another-domain"),
        pytest.param("elsewhere.example", id="another-domain"),
        pytest.param("juliet@sub.{domain}", id="account-of-a-subdomain"),
    ],
)
def test_from_of_another_domain_is_invalid(connect: Connect, sender: str) -> None:
    session = _under_tls(connect)
    session.sender = sender.format(domain=session.domain)
    refused_header(session, session.opening(), "invalid-from")


@SASL2_PROFILE.must(
    "2.1",
    says="Where channel binding is offered, XEP-0440 says which types the server knows.",
)
@pytest.mark.parametrize(
    "limit", [pytest.param(ssl.TLSVersion.TLSv1_2, id="tls-1.2"), pytest.param(NEWEST, id="newest")]
)
def test_channel_bindings_are_announced(connect: Connect, limit: ssl.TLSVersion) -> None:
    account = connect.account()
    secured(connect, account)
    session = connect(Stage.OPENED)
    negotiation.starttls(session, client_context(connect.cell.ca, maximum=limit))
    session.sender = account.jid
    open_with(session, session.opening())
    features = expect_features(session)
    if not any(name.endswith("-PLUS") for name in mechanisms(session)):
        unsupported("a mechanism that binds the channel")
    types = channel_bindings(features)
    require(types and all(types), "<sasl-channel-binding/> with at least one type", features)


# --- before TLS


@SASL2_PROFILE.must_not("3", says="SASL2 is not offered before TLS.")
def test_nothing_is_offered_before_tls(connect: Connect) -> None:
    account = connect.account()
    secured(connect, account)
    session = connect(Stage.CONNECTED)
    session.sender = account.jid
    features = open_stream(session)
    require(sasl2.offered(features) is None, "no SASL2 before TLS", features)
    require(features.find("tls:starttls", NS) is not None, "STARTTLS, by which it can be had", features)


@SASL2_PROFILE.must_not("3", says="Nobody gets in before TLS, however right the password.")
def test_nobody_gets_in_before_tls(connect: Connect) -> None:
    account = connect.account()
    secured(connect, account)
    session = connect(Stage.CONNECTED)
    session.sender = account.jid
    open_stream(session)
    response = f"<initial-response>{message_of_plain(account)}</initial-response>"
    session.send(f"<authenticate xmlns='{SASL2}' mechanism='PLAIN'>{response}{UserAgent.new().xml()}</authenticate>")
    session.send(f"<starttls xmlns='{TLS}'/>")  # behind whose answer nothing of the other is on its way
    try:
        session.expect(lambda e: e.tag == f"{{{TLS}}}proceed", "<proceed/>")
    except (StreamFailed, StreamEnded):
        session.trace.note(session.label, "the server has ended the stream")
    let_in = [element for element in session.inbox if is_sasl2(element, "success")]
    require(not let_in, "no success before TLS", let_in[0] if let_in else None)


@SASL2_PROFILE.should_not("3", says="PLAIN is not offered: whoever comes between learns the password.")
def test_plain_is_not_offered(connect: Connect) -> None:
    session = _under_tls(connect)
    _offer(session)
    require("PLAIN" not in mechanisms(session), "mechanisms without PLAIN", ", ".join(mechanisms(session)))


@SASL2_PROFILE.must_not(
    "3", says="The stream's 'from' proves nothing: who names another account is not let in as it."
)
def test_from_is_not_trusted(connect: Connect) -> None:
    account, other = connect.account(), connect.account()
    session = secured(connect, account, "PLAIN", sender=other.jid)
    answer = authenticate(session, "PLAIN", message_of_plain(account), UserAgent.new().xml())
    if not is_sasl2(answer, "success"):
        require_failure(answer)
        return
    jid = answer.findtext("sasl2:authorization-identifier", namespaces=NS) or ""
    require_equal(jid.strip(), account.jid, "the authorization identifier")


@SASL2_PROFILE.must_not(
    "3", says="The stream's 'from' proves nothing: who names an account still needs its password."
)
def test_from_is_no_password(connect: Connect) -> None:
    account, other = connect.account(), connect.account()
    session = secured(connect, account, "PLAIN", sender=other.jid)
    if account.password == other.password:
        impossible("the accounts have the same password")
    answer = authenticate(session, "PLAIN", message_of_plain(other, password=account.password))
    require_failure(answer)
