"""XEP-0368: direct TLS, as a client that has found the port sees it (SRV records are the resolver's affair).

What RFC 6120 asks of any stream is asked here once more where direct TLS might make a difference.
"""

from __future__ import annotations

import ssl

import pytest

from lab.cell import Transport
from lab.plugin import Connect, Specification, Stage, proved_by, require, require_equal, unsupported
from lab.wire.namespaces import NS, STREAM, TLS
from lab.wire.negotiation import authenticate, bind, mechanisms, open_stream
from lab.wire.session import Session, StreamFailed, new_id
from lab.wire.stream import Element
from lab.wire.transport import client_context
from scenarios.server._hello import CBC, TLS_1_0, TLS_1_1, Refused, at_the_handshake, client_hello, say_hello
from scenarios.server.rfc6120._sasl import auth, log_in, offered, plain, require_failure

XEP = Specification("XEP-0368")

DIRECT: Transport = "c2s-direct-tls"


def direct(
    connect: Connect, *alpn: str, maximum: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED
) -> tuple[Session, Element]:
    """A stream over direct TLS, opened within the check, and its features."""
    context = client_context(connect.cell.ca, alpn=alpn, maximum=maximum)
    session = connect(Stage.CONNECTED, over=DIRECT, context=context)
    return session, open_stream(session)


@XEP.must("3", says="TLS begins at once on this port, and a stream opens within it.")
def test_stream_opens_within_tls(connect: Connect) -> None:
    session, features = direct(connect, "xmpp-client")
    require_equal(features.tag, f"{{{STREAM}}}features", "the element behind the stream header")
    require(session.header is not None and session.header.get("id"), "an id in the stream header", "none")
    sender = session.header.get("from") if session.header else None
    require_equal(sender, session.domain, "the sender of the stream header")
    require(mechanisms(features), "<mechanisms/> at once, as TLS is there already", features)


@XEP.must_not("3", says="STARTTLS is not offered within direct TLS.")
def test_starttls_is_not_offered(connect: Connect) -> None:
    _, features = direct(connect, "xmpp-client")
    require(len(features), "features of the stream", features)
    require(features.find("tls:starttls", NS) is None, "no <starttls/> in the features", features)


@XEP.must_not("3", says="STARTTLS is not used within direct TLS: a client that asks for it gets no <proceed/>.")
def test_starttls_is_refused(connect: Connect) -> None:
    session, _ = direct(connect, "xmpp-client")
    session.send(f"<starttls xmlns='{TLS}'/>")
    try:
        answer = session.receive()
    except StreamFailed:
        return  # by which condition is another check's matter
    require_equal(answer.tag, f"{{{TLS}}}failure", "the answer to <starttls/>")


@XEP.must("3", says="The certificate is one that validates as for STARTTLS: trusted, valid, of the domain's name.")
@proved_by("other-name-certificate")
def test_certificate_is_for_the_domain(connect: Connect) -> None:
    session = connect(Stage.CONNECTED, over=DIRECT)
    certificate = session.transport.secured().getpeercert() or {}
    names = [name[1] for name in certificate.get("subjectAltName", ())]
    require(connect.cell.domain in names, f"a certificate for {connect.cell.domain}", f"names: {names}")


@XEP.must("3", says="Where ALPN is used for clients, the protocol is xmpp-client and no other that is on offer.")
@proved_by("wrong-alpn")
@pytest.mark.parametrize("order", ["first", "last"])
def test_alpn_agrees_on_nothing_else(connect: Connect, order: str) -> None:
    names = ["xmpp-client", "x-stanzalab"]
    context = client_context(connect.cell.ca, alpn=names if order == "first" else names[::-1])
    session = connect(Stage.CONNECTED, over=DIRECT, context=context)
    require(session.transport.alpn in {"xmpp-client", None}, "xmpp-client", str(session.transport.alpn))
    features = open_stream(session)
    require(mechanisms(features), "a client's stream with <mechanisms/>", features)


@XEP.should("3", says="ALPN is the client's to use or not: without it, the stream works all the same.")
def test_stream_works_without_alpn(connect: Connect) -> None:
    account = connect.account()
    session, features = direct(connect)
    require(mechanisms(features), "<mechanisms/> in the features", features)
    log_in(session, account)


@XEP.must(
    "3", says="The name in SNI is the domain of the JID, and a client that sends it gets that domain's service."
)
def test_sni_of_the_domain_is_served(connect: Connect) -> None:
    session, _ = direct(connect, "xmpp-client")
    require_equal(
        session.header.get("from") if session.header else None, session.domain, "the service behind the port"
    )
    log_in(session, connect.account())


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"])
@XEP.must("3", says="Authentication works over direct TLS as over STARTTLS, channel binding with it.")
def test_mechanism_works_over_direct_tls(connect: Connect, mechanism: str) -> None:
    account = connect.account()
    newest = ssl.TLSVersion.TLSv1_2 if mechanism.endswith("-PLUS") else ssl.TLSVersion.MAXIMUM_SUPPORTED
    session, features = direct(connect, "xmpp-client", maximum=newest)
    if mechanism not in mechanisms(features):
        unsupported(f"the SASL mechanism {mechanism}")
    authenticate(session, account, mechanism)
    require(open_stream(session).find("bind:bind", NS) is not None, "<bind/> in the features", session.features)
    bound = bind(session)
    require(bound.startswith(f"{account.jid}/"), f"a resource of {account.jid}", f"bound as {bound}")


@XEP.must("3", says="A wrong password opens nothing over direct TLS.")
def test_wrong_password_is_refused(connect: Connect) -> None:
    account = connect.account()
    session, features = direct(connect, "xmpp-client")
    if "PLAIN" not in mechanisms(features):
        unsupported("the SASL mechanism PLAIN")
    require_failure(auth(session, "PLAIN", plain(account, password="wrong")), "not-authorized")


@XEP.must("3", says="Each stream over direct TLS has an id of its own, before and after authentication.")
def test_stream_ids_differ(connect: Connect) -> None:
    session, _ = direct(connect, "xmpp-client")
    before = session.header.get("id") if session.header else None
    authenticate(session, connect.account())
    open_stream(session)
    after = session.header.get("id") if session.header else None
    require(before and after and before != after, "two ids that differ", f"{before!r} and {after!r}")


@XEP.must("3", says="Both ports are one service: clients on either exchange stanzas with each other.")
def test_both_ports_are_one_service(connect: Connect) -> None:
    over_direct = connect(over=DIRECT, label="direct")
    over_starttls = connect(label="starttls")
    for sender, recipient in ((over_direct, over_starttls), (over_starttls, over_direct)):
        mark = new_id()
        sender.send(f"<message to='{recipient.jid}' id='{mark}' type='chat'><body>{mark}</body></message>")
        message = recipient.expect(mark)
        require_equal(message.get("from"), sender.jid, "the sender")
        require_equal(message.findtext("{*}body"), mark, "the body")


@XEP.must("3", says="Both ports know the same accounts: one account has a resource on each at once.")
def test_one_account_on_both_ports(connect: Connect) -> None:
    account = connect.account()
    sessions = [
        connect(account=account, over=DIRECT, label="direct"),
        connect(account=account, label="starttls"),
    ]
    require(sessions[0].jid != sessions[1].jid, "two full JIDs", sessions[0].jid)
    for session in sessions:
        answer = session.iq("get", "<query xmlns='jabber:iq:roster'/>")
        require_equal(answer.get("type"), "result", "the answer to a roster get")
        require(answer.find("roster:query", NS) is not None, "a roster", answer)


@XEP.should("6", says="Security set-up is shared with STARTTLS: the same mechanisms are on offer on both ports.")
def test_same_mechanisms_as_over_starttls(connect: Connect) -> None:
    _, features = direct(connect, "xmpp-client")
    over_starttls = offered(connect(Stage.SECURED))
    require_equal(sorted(mechanisms(features)), sorted(over_starttls), "the mechanisms over direct TLS")


@XEP.should("6", says="Security set-up is shared with STARTTLS: both ports agree on the same TLS version and suite.")
@proved_by("weak-direct-tls")
def test_same_tls_as_over_starttls(connect: Connect) -> None:
    seen = []
    for session in (connect(Stage.SECURED), connect(Stage.CONNECTED, over=DIRECT)):
        tls = session.transport.secured()
        seen.append((tls.version(), (tls.cipher() or ("none",))[0]))
    require_equal(seen[1], seen[0], "the TLS version and suite of direct TLS")


@XEP.should_not("6", says="Versions before TLS 1.2, which RFC 7590 rules out for STARTTLS, are refused here too.")
@proved_by("tls-1.1")
@pytest.mark.parametrize("version", [pytest.param(TLS_1_0, id="tls-1.0"), pytest.param(TLS_1_1, id="tls-1.1")])
def test_tls_before_1_2_is_refused(connect: Connect, version: int) -> None:
    session = at_the_handshake(connect, DIRECT)
    answer = say_hello(session, client_hello(session.domain, version=version, ciphers=CBC))
    require(isinstance(answer, Refused), "an alert, or the end of the connection", str(answer))
