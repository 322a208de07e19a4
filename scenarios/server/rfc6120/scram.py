"""RFC 6120 §6.4.3 and §13.8.1: SCRAM's own rules (RFC 5802), which §6.4.3 makes those of challenge and response.

Each check spoils one part of an otherwise right exchange. Channel binding is tried under TLS 1.2, where Python's ssl
has `tls-unique`; it has no `tls-exporter`.
"""

from __future__ import annotations

import ssl

import pytest

from lab.plugin import Connect, Specification, Stage, require, require_equal, unsupported
from lab.wire.sasl import channel_binding
from lab.wire.session import Session
from lab.wire.transport import client_context
from scenarios.server.rfc6120._sasl import (
    Scram,
    auth,
    base64,
    challenge,
    decode,
    is_sasl,
    offered,
    require_failure,
    require_success,
    respond,
    scram_end,
    scram_fields,
    secured,
)

RFC = Specification("RFC 6120")

MECHANISM, PLUS = "SCRAM-SHA-1", "SCRAM-SHA-1-PLUS"
PROOF = "the server's proof that it knows the password, v="


@RFC.must("6.4.3", "6.3.10", says="SCRAM's challenge has a nonce that continues the client's, a salt and a count.")
def test_scram_challenge_has_nonce_salt_and_iterations(connect: Connect) -> None:
    scram = Scram(connect.account())
    fields = scram_fields(challenge(auth(secured(connect, offers=MECHANISM), MECHANISM, scram.first())))
    nonce = fields.get("r", "")
    require(
        nonce.startswith(scram.nonce) and nonce != scram.nonce,
        "the client's nonce, and more behind it",
        str(fields),
    )
    require(fields.get("s"), "a salt", str(fields))
    require(fields.get("i", "").isdigit() and int(fields["i"]) > 0, "an iteration count", str(fields))


@RFC.should(
    "13.9.4",
    "13.8.1",
    says="Weak passwords are made dear to guess: 4,096 iterations, at least (RFC 5802 §5.1).",
)
def test_scram_iterates_often_enough(connect: Connect) -> None:
    scram = Scram(connect.account())
    fields = scram_fields(challenge(auth(secured(connect, offers=MECHANISM), MECHANISM, scram.first())))
    require(int(fields.get("i", "0")) >= 4096, "4096 iterations or more", f"i={fields.get('i')}")


@RFC.must("6.4.3", says="SCRAM's server nonce is new in each handshake, even where the client repeats its own.")
def test_scram_nonce_is_never_the_same(connect: Connect) -> None:
    scram = Scram(connect.account())
    nonces = [
        scram_fields(challenge(auth(secured(connect, offers=MECHANISM), MECHANISM, scram.first()))).get("r", "")
        for _ in range(2)
    ]
    require(
        all(nonce.startswith(scram.nonce) for nonce in nonces),
        "nonces that continue the client's",
        str(nonces),
    )
    require(nonces[0] != nonces[1], "two nonces that differ", str(nonces))


@RFC.must(
    "6.4.6",
    "6.4.3",
    "13.6",
    says="SCRAM authenticates both sides: the server proves that it knows the password.",
)
def test_scram_server_proves_itself(connect: Connect) -> None:
    session = secured(connect, offers=MECHANISM)
    scram = Scram(connect.account())
    answer = respond(session, scram.final(challenge(auth(session, MECHANISM, scram.first()))))
    require(is_sasl(answer, "success") or is_sasl(answer, "challenge"), PROOF, answer)
    require_equal(decode(answer), f"v={base64(scram.server_signature)}", PROOF)
    require_success(scram_end(session, answer))


@RFC.must("6.4.3", "6.4.5", says="A SCRAM response with another nonce than the challenge's fails.")
def test_scram_with_another_nonce_fails(connect: Connect) -> None:
    account = connect.account()
    session = secured(connect, offers=MECHANISM)
    scram = Scram(account)
    first = challenge(auth(session, MECHANISM, scram.first()))
    require_failure(respond(session, scram.final(first, nonce=f"{scram.nonce}stale")))


@RFC.should("13.9.4", "6.4.3", says="A SCRAM response that repeats another header than the server has read fails.")
def test_scram_with_another_header_fails(connect: Connect) -> None:
    # Who changed the client's `y` into `n` on the way would hide -PLUS from it and go unnoticed (RFC 5802 §5.1, §6).
    account = connect.account()
    session = secured(connect, offers=MECHANISM)
    scram = Scram(account)
    first = challenge(auth(session, MECHANISM, scram.first()))
    require_failure(respond(session, scram.final(first, gs2="y,,")))


@RFC.must("6.4.3", "6.4.5", says="A SCRAM response that was right once is no good in a second handshake.")
def test_scram_response_cannot_be_replayed(connect: Connect) -> None:
    account = connect.account()
    scram = Scram(account)
    session = secured(connect, offers=MECHANISM)
    recorded = scram.final(challenge(auth(session, MECHANISM, scram.first())))
    require_success(scram_end(session, respond(session, recorded)))
    replay = secured(connect, offers=MECHANISM)
    challenge(auth(replay, MECHANISM, scram.first()))
    require_failure(respond(replay, recorded))


def bindable(connect: Connect) -> tuple[Session, str, bytes]:
    """A stream over TLS 1.2 that offers -PLUS, with the binding's name and data."""
    session = connect(Stage.SECURED, context=client_context(connect.cell.ca, maximum=ssl.TLSVersion.TLSv1_2))
    if PLUS not in offered(session):
        unsupported(f"the SASL mechanism {PLUS}")
    name, data = channel_binding(session.transport.secured())
    return session, name, data


@RFC.must("13.8.1", "6.4.3", "13.9.4", says="SCRAM-SHA-1-PLUS with the right channel binding ends in success.")
def test_right_channel_binding_is_taken(connect: Connect) -> None:
    account = connect.account()
    session, name, data = bindable(connect)
    scram = Scram(account, gs2=f"p={name},,", binding=data)
    answer = respond(session, scram.final(challenge(auth(session, PLUS, scram.first()))))
    require(is_sasl(answer, "success") or is_sasl(answer, "challenge"), PROOF, answer)
    require_equal(decode(answer), f"v={base64(scram.server_signature)}", PROOF)
    require_success(scram_end(session, answer))


@RFC.must("6.4.3", "13.9.4", "13.8.1", says="SCRAM-SHA-1-PLUS with the binding of another connection is refused.")
def test_channel_binding_of_another_connection_is_refused(connect: Connect) -> None:
    account = connect.account()
    session, name, data = bindable(connect)
    scram = Scram(account, gs2=f"p={name},,", binding=bytes(byte ^ 0xFF for byte in data))
    require_failure(respond(session, scram.final(challenge(auth(session, PLUS, scram.first())))))


@RFC.must("6.4.3", "13.9.4", says="SCRAM-SHA-1-PLUS with a type of binding that nobody knows is refused.")
def test_unknown_channel_binding_is_refused(connect: Connect) -> None:
    account = connect.account()
    session, _, data = bindable(connect)
    scram = Scram(account, gs2="p=tls-stanzalab,,", binding=data)
    answer = auth(session, PLUS, scram.first())
    if is_sasl(answer, "challenge"):
        answer = respond(session, scram.final(challenge(answer)))
    require_failure(answer)


@RFC.must(
    "6.4.3",
    "13.9.4",
    says="A client that was kept from seeing -PLUS, and says so by `y`, is refused (RFC 5802 §6).",
)
@pytest.mark.parametrize(
    "limit", [pytest.param(ssl.TLSVersion.TLSv1_2, id="tls-1.2"), pytest.param(None, id="newest")]
)
def test_downgrade_of_channel_binding_is_refused(connect: Connect, limit: ssl.TLSVersion | None) -> None:
    account = connect.account()
    context = client_context(connect.cell.ca, maximum=limit or ssl.TLSVersion.MAXIMUM_SUPPORTED)
    session = connect(Stage.SECURED, context=context)
    if PLUS not in offered(session) or MECHANISM not in offered(session):
        unsupported(f"both {MECHANISM} and {PLUS}")
    scram = Scram(account, gs2="y,,")
    answer = auth(session, MECHANISM, scram.first())
    if is_sasl(answer, "challenge"):
        answer = respond(session, scram.final(challenge(answer)))
    require_failure(answer)


@RFC.must(
    "6.4.3",
    says="A client that says by `y` that it could bind is let in where no -PLUS is offered (RFC 5802 §6).",
)
def test_client_that_could_bind_is_let_in_without_plus(connect: Connect) -> None:
    account = connect.account()
    session = secured(connect, offers=MECHANISM)
    if any(name.endswith("-PLUS") for name in offered(session)):
        unsupported("SCRAM without -PLUS alone: it is offered with it")
    scram = Scram(account, gs2="y,,")
    answer = respond(session, scram.final(challenge(auth(session, MECHANISM, scram.first()))))
    require_success(scram_end(session, answer))
