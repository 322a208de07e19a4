"""RFC 6120 §6: how SASL goes when both sides do right, with every mechanism that the lab can play.

Failures stand in `sasl_failures`, SCRAM's own rules in `scram`, EXTERNAL in `external`.
"""

from __future__ import annotations

import re
import ssl
from contextlib import suppress

import pytest

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
from lab.wire.namespaces import NS, SASL, STREAM
from lab.wire.negotiation import authenticate, bind, expect_header, header, mechanisms, open_stream, starttls
from lab.wire.session import Session, StreamEnded, StreamFailed
from lab.wire.transport import ConnectionLost, client_context
from scenarios.server.rfc6120._sasl import (
    Scram,
    auth,
    base64,
    challenge,
    decode,
    is_sasl,
    offered,
    plain,
    require_failure,
    require_success,
    respond,
    rest_of,
    scram_end,
    secure,
    secured,
)

RFC = Specification("RFC 6120")

PLAYED = ("PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS")


@RFC.must(
    "6.4.1",
    "6.2",
    "6.3.1",
    says="<mechanisms/> has one <mechanism/> for each mechanism on offer, by its name.",
)
def test_mechanisms_are_listed_once_each(connect: Connect) -> None:
    features = secure(connect).features
    names = mechanisms(features) if features is not None else []
    require(names, "<mechanisms/> with at least one <mechanism/>", features)
    wrong = [name for name in names if not re.fullmatch(r"[A-Z0-9_-]{1,20}", name)]
    require(not wrong, "names of mechanisms as RFC 4422 §3.1 spells them", features)
    require_equal(len(names), len(set(names)), "the number of mechanisms, each counted once,")


@RFC.must("13.8.3", "13.8.1", "6.3.4", says="SCRAM-SHA-1 is supported: a client with a password is offered it.")
def test_scram_sha_1_is_offered(connect: Connect) -> None:
    names = offered(secure(connect))
    require("SCRAM-SHA-1" in names, "SCRAM-SHA-1 among the mechanisms", ", ".join(names))


@RFC.must("13.8.3", "13.8.1", says="SCRAM-SHA-1-PLUS, with channel binding, is supported: it is offered over TLS.")
def test_scram_sha_1_plus_is_offered(connect: Connect) -> None:
    names = offered(secure(connect))
    if "SCRAM-SHA-1-PLUS" not in names:
        # TLS 1.3 came later and took tls-unique away, the binding that RFC 5802 asks for: TLS 1.2 has it.
        older = client_context(connect.cell.ca, maximum=ssl.TLSVersion.TLSv1_2)
        names = offered(connect(Stage.SECURED, context=older))
    require("SCRAM-SHA-1-PLUS" in names, "SCRAM-SHA-1-PLUS among the mechanisms", ", ".join(names))


@RFC.must_not("13.8.3", "6.3.4", says="PLAIN is not offered before TLS protects the stream.")
def test_plain_is_not_offered_before_tls(connect: Connect) -> None:
    session = connect(Stage.CONNECTED)
    features = open_stream(session)
    require_equal(features.tag, f"{{{STREAM}}}features", "the first element")
    require("PLAIN" not in mechanisms(features), "no PLAIN among the mechanisms without TLS", features)


@RFC.should("6.3.3", says="Mechanisms are listed in the order of their strength: PLAIN stands behind every SCRAM.")
def test_plain_is_listed_behind_scram(connect: Connect) -> None:
    names = offered(secure(connect))
    if "PLAIN" not in names:
        unsupported("PLAIN")
    behind = [name for name in names[names.index("PLAIN") :] if name.startswith("SCRAM-")]
    require(not behind, "no SCRAM behind PLAIN in the list", ", ".join(names))


@RFC.should(
    "13.9.4", says="Of a mechanism with channel binding and its sister without, the one with it is preferred."
)
def test_channel_binding_is_preferred(connect: Connect) -> None:
    names = offered(secure(connect))
    bound = [name for name in names if name.endswith("-PLUS")]
    if not bound:
        unsupported("a mechanism with channel binding")
    late = [n for n in bound if n.removesuffix("-PLUS") in names[: names.index(n)]]
    require(not late, "each -PLUS before its sister in the list", ", ".join(names))


@pytest.mark.parametrize("mechanism", PLAYED)
@RFC.must("6.4.6", "6.4.2", "6.3.10", says="A mechanism on offer works: right credentials in it end in <success/>.")
def test_mechanism_on_offer_works(connect: Connect, mechanism: str) -> None:
    account = connect.account()
    context = None
    if mechanism.endswith("-PLUS"):
        # Under TLS 1.2 both sides have tls-unique; which bindings there are under TLS 1.3 is not said by RFC 6120.
        context = client_context(connect.cell.ca, maximum=ssl.TLSVersion.TLSv1_2)
    session = connect(Stage.SECURED, context=context)
    if mechanism not in offered(session):
        unsupported(f"the SASL mechanism {mechanism}")
    authenticate(session, account, mechanism)
    features = open_stream(session)
    require(not mechanisms(features), "features of an authenticated stream, without <mechanisms/>", features)
    bound = bind(session)
    require(bound.startswith(f"{account.jid}/"), f"a resource of {account.jid}", f"bound as {bound}")


@RFC.must("6.3.10", "6.4.3", says="A client may leave the initial response out: an empty challenge asks for it.")
@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-1"])
def test_initial_response_can_come_later(connect: Connect, mechanism: str) -> None:
    account = connect.account()
    session = secured(connect, offers=mechanism)
    empty = challenge(auth(session, mechanism))
    require(not empty, "a challenge without data, as the client speaks first", empty)
    if mechanism == "PLAIN":
        require_success(respond(session, plain(account)))
    else:
        scram = Scram(account)
        first = challenge(respond(session, scram.first()))
        require_success(scram_end(session, respond(session, scram.final(first))))


@RFC.should("6.3.10", says="SCRAM's last server message travels with <success/>, which saves a round trip.")
def test_server_proof_comes_with_success(connect: Connect) -> None:
    account = connect.account()
    session = secured(connect, offers="SCRAM-SHA-1")
    scram = Scram(account)
    first = challenge(auth(session, "SCRAM-SHA-1", scram.first()))
    answer = respond(session, scram.final(first))
    require_success(answer)
    require_equal(decode(answer), f"v={base64(scram.server_signature)}", "the data with <success/>")


@RFC.must("6.4.2", says="A second <auth/> in the middle of a handshake discards that one and begins anew.")
@pytest.mark.parametrize("second", ["PLAIN", "SCRAM-SHA-1"])
def test_second_auth_begins_anew(connect: Connect, second: str) -> None:
    account = connect.account()
    session = secured(connect, offers=second)
    if "SCRAM-SHA-1" not in offered(session):
        unsupported("a mechanism with a challenge that the lab can play")
    old = Scram(connect.account())
    challenge(auth(session, "SCRAM-SHA-1", old.first()))
    authenticate(session, account, second)
    open_stream(session)
    bound = bind(session)
    require(bound.startswith(f"{account.jid}/"), f"a resource of {account.jid}", f"bound as {bound}")


@RFC.must("6.4.4", says="<abort/> in the middle of a handshake is answered by <failure/> with <aborted/>.")
def test_abort_is_answered_with_aborted(connect: Connect) -> None:
    session = secured(connect, offers="SCRAM-SHA-1")
    challenge(auth(session, "SCRAM-SHA-1", Scram(connect.account()).first()))
    session.send(f"<abort xmlns='{SASL}'/>")
    require_failure(session.receive(), "aborted")


@RFC.must("6.4.4", "6.4.3", says="An aborted handshake is over: a response that comes late counts no more.")
def test_aborted_handshake_is_over(connect: Connect) -> None:
    account = connect.account()
    session = secured(connect, offers="SCRAM-SHA-1")
    scram = Scram(account)
    first = challenge(auth(session, "SCRAM-SHA-1", scram.first()))
    session.send(f"<abort xmlns='{SASL}'/>")
    require_failure(session.receive(), "aborted")
    with suppress(StreamFailed, StreamEnded, ConnectionLost):  # no retry is owed to who aborts
        require_failure(respond(session, scram.final(first)))


@RFC.must("6.4.6", "6.3.2", says="The stream that follows SASL has an id of its own, not the one from before.")
def test_stream_after_sasl_has_a_new_id(connect: Connect) -> None:
    session = secure(connect)
    before = session.header.get("id") if session.header else None
    authenticate(session, connect.account())
    open_stream(session)
    after = session.header.get("id") if session.header else None
    require(before and after, "an id in both stream headers", f"before SASL {before!r}, after it {after!r}")
    require(before != after, "two ids that differ", f"{after!r} before and after SASL")


@RFC.must("6.3.2", "6.4.6", says="The stream from before SASL is over: without a new header no resource is bound.")
@proved_by("needs-no-restart")
def test_stream_must_be_restarted_after_sasl(connect: Connect) -> None:
    session = connect(Stage.SECURED)
    authenticate(session, connect.account())
    session.send(f"<iq type='set' id='early'><bind xmlns='{NS['bind']}'/></iq>")
    came, _ = rest_of(session)
    require(b"<jid" not in came, "no resource without a new stream", repr(came))


@RFC.must_not(
    "6.3.5", says="The server puts no white space between the elements of SASL, up to the end of <success/>."
)
@proved_by("space-around-sasl")
def test_no_white_space_in_sasl(connect: Connect) -> None:
    account = connect.account()
    session = connect(Stage.SECURED)
    mark = len(connect.trace.entries)
    authenticate(session, account)
    came = "".join(e.text for e in connect.trace.entries[mark:] if e.direction == "received")
    require(
        came.strip() == came and not re.search(r">\s+<", came),
        "elements without white space between",
        repr(came),
    )


@RFC.must(
    "6.3.5",
    "13.9.1",
    "6.4.3",
    says="What the server sends in SASL is base64, all pads there, padding bits zero.",
)
def test_server_writes_right_base64(connect: Connect) -> None:
    account = connect.account()
    session = secured(connect, offers="SCRAM-SHA-1")
    scram = Scram(account)
    first = challenge(auth(session, "SCRAM-SHA-1", scram.first()))
    answer = respond(session, scram.final(first))
    require(
        is_sasl(answer, "success") or is_sasl(answer, "challenge"),
        "<success/>, or a last <challenge/>",
        answer,
    )
    require(decode(answer).startswith("v="), "the server's proof in base64", answer)


@RFC.should("6.4.6", "13.7.2", says="Who opens a stream as one account and authenticates as another is turned away.")
def test_from_that_does_not_match_is_turned_away(connect: Connect) -> None:
    account, other = connect.account(), connect.account()
    session = opened_as(connect, other.jid)
    if "PLAIN" not in offered(session):
        impossible("no PLAIN, in which one step says who authenticates")
    try:
        answer = auth(session, "PLAIN", plain(account))
        if is_sasl(answer, "failure"):
            return
        require_success(answer)
        open_as(session, other.jid)
    except (StreamFailed, StreamEnded, ConnectionLost):
        return
    require(
        False,
        "a failure, or the end of the stream",
        f"{account.jid} is let in on the stream from {other.jid}",
    )


@RFC.should("6.4.6", says="A stream opened as the very account that authenticates then is let in.")
def test_from_that_matches_is_let_in(connect: Connect) -> None:
    account = connect.account()
    session = opened_as(connect, account.jid)
    authenticate(session, account)
    open_as(session, account.jid)
    bound = bind(session)
    require(bound.startswith(f"{account.jid}/"), f"a resource of {account.jid}", f"bound as {bound}")


def opened_as(connect: Connect, jid: str) -> Session:
    """A secured stream with `from` in its header."""
    session = connect(Stage.OPENED)
    starttls(session, client_context(connect.cell.ca))
    open_as(session, jid)
    return session


def open_as(session: Session, jid: str) -> None:
    """Open the stream, anew if need be, with `from`."""
    session.stream.restart()
    session.send(header(to=session.domain, attributes=f"from='{jid}'"))
    expect_header(session)
    session.features = session.expect(lambda e: e.tag == f"{{{STREAM}}}features", "stream features")
