"""RFC 6120 §5: STARTTLS, as the client that begins it sees it. What TLS itself agrees on is judged in `rfc7590`."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from lab.cell import Account
from lab.plugin import (
    Connect,
    Specification,
    Stage,
    impossible,
    proved_by,
    require,
    require_equal,
    unsupported,
)
from lab.wire.namespaces import NS, PING, SASL, STREAM, STREAM_LIMITS, TLS
from lab.wire.negotiation import authenticate as authenticate_rightly
from lab.wire.negotiation import begin_tls, bind, expect_header, header, mechanisms, open_stream
from lab.wire.session import Session, StreamEnded, StreamFailed, new_id
from lab.wire.stream import Element
from lab.wire.transport import ConnectionLost, TlsFailed, client_context
from scenarios.server._hello import (
    CERTIFICATE_REQUEST,
    ServerHello,
    at_the_handshake,
    client_hello,
    say_hello,
)
from scenarios.server.rfc6120._sasl import plain, rest_of, secure

RFC = Specification("RFC 6120")

STARTTLS = f"<starttls xmlns='{TLS}'/>"
PROCEED = f"{{{TLS}}}proceed"
FAILURE = f"{{{TLS}}}failure"


def opened(connect: Connect) -> tuple[Session, Element]:
    """A plain stream, opened within the check, and its features."""
    session = connect(Stage.CONNECTED)
    return session, open_stream(session)


def proceed(session: Session, behind: str = "") -> None:
    """Ask for TLS, with `behind` in the same segment, and wait for <proceed/>."""
    session.send(STARTTLS + behind)
    answer = session.receive()
    require(answer.tag == PROCEED, "<proceed/>", answer)


@RFC.must(
    "5.4.1",
    "5.2",
    "13.4",
    says="Who supports TLS, as every server must, advertises STARTTLS in the features.",
)
def test_starttls_is_advertised(connect: Connect) -> None:
    _, features = opened(connect)
    require(features.find("tls:starttls", NS) is not None, "<starttls/> in the stream features", features)


@RFC.must("5.4.1", "5.3.1", says="Where TLS must come first, <starttls/> has an empty <required/> in its namespace.")
def test_mandatory_tls_is_said_to_be_required(connect: Connect) -> None:
    _, features = opened(connect)
    if mechanisms(features):
        unsupported("TLS before SASL as mandatory: mechanisms are offered without")
    starttls = features.find("tls:starttls", NS)
    require(starttls is not None, "<starttls/> in the stream features", features)
    required = starttls.find("tls:required", NS) if starttls is not None else None
    empty = required is not None and len(required) == 0 and not (required.text or "").strip()
    require(empty, f"an empty <required/> in {TLS} within <starttls/>", features)


@RFC.should_not("5.3.1", says="While TLS must come first, no feature but STARTTLS is advertised.")
def test_nothing_but_starttls_is_advertised_while_it_is_required(connect: Connect) -> None:
    _, features = opened(connect)
    if mechanisms(features):
        unsupported("TLS before SASL as mandatory: mechanisms are offered without")
    # XEP-0478 has its limits told from the start of the stream; they are nothing to negotiate.
    names = [str(feature.tag) for feature in features if feature.tag != f"{{{STREAM_LIMITS}}}limits"]
    require_equal(names, [f"{{{TLS}}}starttls"], "the features before TLS")


@RFC.must(
    "5.4.2.3",
    "5.4.2.1",
    says="STARTTLS is answered by <proceed/> in its namespace, and TLS can begin at once.",
)
def test_starttls_is_answered_with_proceed(connect: Connect) -> None:
    session = connect(Stage.OPENED)
    proceed(session)
    begin_tls(session, client_context(connect.cell.ca))
    features = open_stream(session)
    require(features.tag == f"{{{STREAM}}}features", "stream features over TLS", features)


@RFC.must_not("5.3.3", says="No white space is sent between the elements of STARTTLS, up to the end of <proceed/>.")
@proved_by("space-around-proceed")
def test_no_white_space_around_proceed(connect: Connect) -> None:
    session = connect(Stage.OPENED)
    mark = len(connect.trace.entries)
    proceed(session)
    came = "".join(e.text for e in connect.trace.entries[mark:] if e.direction == "received")
    require(re.fullmatch(r"<[^\s].*>", came, re.DOTALL), "<proceed/> and nothing around it", repr(came))


@RFC.must("5.4.3.3", "6.4.1", says="The stream that follows TLS has an id of its own, not the one from before.")
def test_stream_after_tls_has_a_new_id(connect: Connect) -> None:
    session, _ = opened(connect)
    before = session.header.get("id") if session.header else None
    proceed(session)
    begin_tls(session, client_context(connect.cell.ca))
    open_stream(session)
    after = session.header.get("id") if session.header else None
    require(before and after, "an id in both stream headers", f"before TLS {before!r}, after it {after!r}")
    require(before != after, "two ids that differ", f"{after!r} before and after TLS")


@RFC.must_not("5.4.3.3", says="The features of the stream that follows TLS do not offer STARTTLS again.")
def test_starttls_is_not_offered_over_tls(connect: Connect) -> None:
    features = secure(connect).features
    require(features is not None and len(features), "features of the stream over TLS", features)
    require(features is not None and features.find("tls:starttls", NS) is None, "no <starttls/>", features)


@RFC.should("5.4.3.3", "6.4.1", says="The features of the stream that follows TLS offer SASL mechanisms.")
def test_sasl_is_offered_over_tls(connect: Connect) -> None:
    features = secure(connect).features
    require(
        features is not None and mechanisms(features),
        "<mechanisms/> with at least one <mechanism/>",
        features,
    )


@RFC.must(
    "5.4.2.2",
    "5.4.2.1",
    says="STARTTLS where it was not offered, as over TLS, is refused and ends the stream.",
)
def test_starttls_over_tls_fails_and_ends_the_stream(connect: Connect) -> None:
    session = connect(Stage.SECURED)
    session.send(STARTTLS)
    answer = session.receive()
    require(answer.tag == FAILURE, f"<failure/> in {TLS}", answer)
    session.expect_closed()


def a_stanza(mark: str, domain: str, _: Account) -> str:
    return f"<iq type='get' id='{mark}' to='{domain}'><ping xmlns='{PING}'/></iq>"


def a_login(_mark: str, _domain: str, account: Account) -> str:
    return f"<auth xmlns='{SASL}' mechanism='PLAIN'>{plain(account)}</auth>"


def a_stream(mark: str, domain: str, account: Account) -> str:
    return header(to=domain) + a_login(mark, domain, account)


@RFC.must(
    "5.4.3.3",
    "5.4.3.1",
    "5.3.4",
    says="What came in plain behind STARTTLS, in the same segment, is discarded: it has no effect over TLS.",
)
@pytest.mark.parametrize(
    "inject",
    [
        pytest.param(a_stanza, id="stanza"),
        pytest.param(a_login, id="login"),
        pytest.param(a_stream, id="stream"),
    ],
)
def test_plain_text_behind_starttls_is_discarded(
    connect: Connect, inject: Callable[[str, str, Account], str]
) -> None:
    account, victim = connect.account(), connect.account()
    session = connect(Stage.OPENED)
    mark = new_id()
    session.send(STARTTLS + inject(mark, session.domain, victim))
    if not tls_begins(session, connect):
        return
    require(
        session.features is not None and session.features.find("bind:bind", NS) is None,
        "no login",
        session.features,
    )
    authenticate_rightly(session, account)
    open_stream(session)
    bound = bind(session)
    require(bound.startswith(f"{account.jid}/"), f"a resource of {account.jid}", f"bound as {bound}")
    session.expect_nothing(
        f"<iq type='result' id='{mark}' from='{session.domain}'/>",
        lambda e: e.get("id") == mark or str(e.tag).startswith(f"{{{SASL}}}"),
        "answer to what was injected in plain",
    )


def tls_begins(session: Session, connect: Connect) -> bool:
    """Whether a stream over TLS comes about although there was something behind <starttls/>.

    Refusing it in any way protects as well; to act on it does not.
    """
    mark = len(connect.trace.entries)
    try:
        answer = session.receive()
        require(answer.tag in {PROCEED, FAILURE}, "<proceed/>, or a refusal", answer)
        if answer.tag == FAILURE:
            return False
        behind = behind_proceed(connect, mark)
        require(not behind or "error>" in behind, "nothing in plain behind <proceed/>, at most an error", behind)
        if behind:
            return False
        begin_tls(session, client_context(connect.cell.ca))
        open_stream(session)
    except TlsFailed as error:
        in_plain = "WRONG_VERSION" in error.seen or "record layer" in error.seen
        require(not in_plain, "TLS, or its end, behind <proceed/>", f"something that is no TLS: {error.seen}")
        return False
    except (ConnectionLost, StreamFailed, StreamEnded):
        return False
    return True


def behind_proceed(connect: Connect, mark: int) -> str:
    """What came in plain behind <proceed/>, since the trace was `mark` entries long."""
    came = "".join(e.text for e in connect.trace.entries[mark:] if e.direction == "received")
    return re.sub(r".*<(\w+:)?proceed[^>]*>(</[^>]*>)?", "", came, flags=re.DOTALL)


@RFC.must_not("5.4.3.1", "5.4.2.3", says="Behind <proceed/> no XML is sent in plain, whatever stood there.")
@proved_by("answers-plain-behind-proceed")
def test_no_xml_between_proceed_and_tls(connect: Connect) -> None:
    session = connect(Stage.OPENED)
    mark = len(connect.trace.entries)
    try:
        proceed(session, behind=a_stanza(new_id(), session.domain, connect.account()))
    except (ConnectionLost, StreamEnded, StreamFailed):
        impossible("the server refuses <starttls/> with something behind it")
    behind = behind_proceed(connect, mark)
    require(not behind, "nothing in plain behind <proceed/>", behind)
    say_hello(session, client_hello(session.domain))  # answered by TLS or not at all, or this raises


@RFC.must("5.4.3.3", says="What the client said in plain, such as its `from`, is forgotten once TLS has begun.")
@proved_by("remembers-plain-from")
def test_from_in_plain_is_forgotten(connect: Connect) -> None:
    claimed = f"claimed@{connect.cell.domain}"
    session = connect(Stage.CONNECTED)
    session.send(header(to=session.domain, attributes=f"from='{claimed}'"))
    expect_header(session)
    session.expect(lambda e: e.tag == f"{{{STREAM}}}features", "stream features")
    proceed(session)
    begin_tls(session, client_context(connect.cell.ca))
    open_stream(session)
    to = session.header.get("to") if session.header else None
    require(to != claimed, "a header without the address that was claimed in plain", f"to={to!r}")


@RFC.must("5.3.2", "5.4.3.3", says="The stream from before TLS is over: without a new header nothing is negotiated.")
@proved_by("needs-no-restart")
def test_stream_must_be_restarted_after_tls(connect: Connect) -> None:
    account = connect.account()
    session = connect(Stage.OPENED)
    proceed(session)
    begin_tls(session, client_context(connect.cell.ca))
    session.send(f"<auth xmlns='{SASL}' mechanism='PLAIN'>{plain(account)}</auth>")
    came, _ = rest_of(session)
    require(b"<success" not in came, "no <success/> without a stream", repr(came))


@RFC.must("5.4.3.2", says="When the TLS handshake fails, the server closes the connection, and sends no </stream>.")
@proved_by("answers-garbage-in-plain")
@pytest.mark.parametrize(
    "garbage",
    [
        pytest.param(b"<presence/>", id="xml"),
        pytest.param(b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\xff", id="broken-hello"),
    ],
)
def test_failed_handshake_ends_the_connection(connect: Connect, garbage: bytes) -> None:
    session = connect(Stage.OPENED)
    proceed(session)
    session.send_raw(garbage)
    came, ended = rest_of(session)
    require(ended, "the end of the TCP connection", f"it stays open; before: {came!r}")
    require(b"stream" not in came, "at most a TLS alert, then the end of the connection", repr(came))


@RFC.must("5.4.3.1", "13.7.2", says="The server presents a certificate, which a client can validate for the domain.")
@proved_by("other-name-certificate")
def test_certificate_is_for_the_domain(connect: Connect) -> None:
    session = connect(Stage.OPENED)
    proceed(session)
    begin_tls(session, client_context(connect.cell.ca))
    certificate = session.transport.secured().getpeercert() or {}
    names = [name[1] for name in certificate.get("subjectAltName", ())]
    require(connect.cell.domain in names, f"a certificate for {connect.cell.domain}", f"names: {names}")


@RFC.should("5.4.3.1", says="The server asks for the client's certificate, so that both sides can authenticate.")
@proved_by("asks-for-no-certificate")
def test_client_certificate_is_requested(connect: Connect) -> None:
    session = at_the_handshake(connect, "c2s")
    answer = say_hello(session, client_hello(session.domain))
    if not isinstance(answer, ServerHello):
        impossible(f"no TLS 1.2, in which the request can be read: {answer}")
    asked = CERTIFICATE_REQUEST in answer.messages
    require(asked, "a CertificateRequest in the handshake", f"handshake messages {answer.messages}")


@RFC.must_not("13.9.5", says="SSL 2.0 is not used: a hello of that version is answered by no hello of its kind.")
@proved_by("echoes-any-hello")
def test_ssl_2_0_is_refused(connect: Connect) -> None:
    session = at_the_handshake(connect, "c2s")
    # CLIENT-HELLO: version 0.2, three suites of three bytes, no session, a challenge of 16 bytes.
    session.send_raw(b"\x80\x22\x01\x00\x02\x00\x09\x00\x00\x00\x10" + b"\x01\0\x80\x03\0\x80\x07\0\xc0" + bytes(16))
    came, _ = rest_of(session)
    require(not (len(came) > 2 and came[0] & 0x80 and came[2] == 4), "no SERVER-HELLO of SSL 2.0", repr(came))
