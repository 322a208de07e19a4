"""Proofs of `lab.fakes.stream_misbehaviours`."""

from __future__ import annotations

import ssl

import pytest

from lab.cell import Account
from lab.errors import PeerError
from lab.plugin import Connect, Stage
from lab.wire.negotiation import (
    authenticate,
    channel_bindings,
    header,
    mechanisms,
)
from lab.wire.transport import ConnectionLost, NoAnswer
from tests.fakes import planted_proofs, web_proofs  # noqa: F401 - importing them puts them into PROOFS
from tests.fakes.proofs import PATIENCE, SHORT, proves

# --- SASL and bind


@proves("offers-plain-before-tls")
def _(connect: Connect) -> None:
    session = connect(Stage.OPENED)
    assert session.features is not None
    assert mechanisms(session.features) == ["SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"]
    assert channel_bindings(session.features) is None
    authenticate(session, connect.account(), "PLAIN")


@proves("accepts-auth-before-tls")
def _(connect: Connect) -> None:
    session = connect(Stage.OPENED)
    assert session.features is not None
    assert mechanisms(session.features) == []
    authenticate(session, connect.account(), "SCRAM-SHA-256")


@proves("authenticates-anyone")
def _(connect: Connect) -> None:
    account = connect.account()
    liar = Account(account.localpart, account.domain, "wrong")
    connect(account=liar, mechanism="PLAIN")
    with pytest.raises(PeerError, match="no proof"):
        connect(account=liar, mechanism="SCRAM-SHA-256")


@proves("predictable-resource")
def _(connect: Connect) -> None:
    assert [connect().resource, connect().resource] == ["1", "2"]


# --- streams and their end


@proves("same-stream-id")
def _(connect: Connect) -> None:
    headers = [connect(Stage.OPENED).header, connect(Stage.SECURED).header]
    first, second = (h.get("id") for h in headers if h is not None)
    assert first == second


@proves("never-closes-tcp")
def _(connect: Connect) -> None:
    session = connect()
    session.patience = SHORT
    session.send("</stream:stream>")
    with pytest.raises(NoAnswer) as caught:
        session.expect_closed()
    assert "the stream was closed, but" in caught.value.seen


@proves("closes-tcp-without-stream-close")
def _(connect: Connect) -> None:
    session = connect()
    session.send("</stream:stream>")
    with pytest.raises(ConnectionLost) as caught:
        session.expect_closed()
    assert "</stream:stream>" in caught.value.expected


@proves("keeps-stream-after-error")
def _(connect: Connect) -> None:
    session = connect()
    session.send("<message from='somebody@else.test'/>")
    session.expect_stream_error("invalid-from")
    session.sentinel()


@proves("undefined-condition-alone")
def _(connect: Connect) -> None:
    session = connect()
    session.send("<message from='somebody@else.test'/>")
    assert len(session.expect_stream_error("undefined-condition")) == 1
    session.expect_closed()


@proves("no-close-notify")
def _(connect: Connect) -> None:
    session = connect()
    session.send("</stream:stream>")
    session.expect_closed()
    tls = session.transport.secured()
    setattr(tls, "suppress_ragged_eofs", False)  # noqa: B010 - typeshed does not know it
    with pytest.raises(ssl.SSLEOFError):
        tls.recv(1)


def opening(connect: Connect) -> bytes:
    session = connect(Stage.CONNECTED)
    session.send(header(to=session.domain))
    return session.transport.receive(timeout=PATIENCE)


@proves("no-xml-declaration")
def _(connect: Connect) -> None:
    assert opening(connect).startswith(b"<stream:stream")


@proves("declares-standalone")
def _(connect: Connect) -> None:
    assert opening(connect).startswith(b"<?xml version='1.0' standalone='yes'?>")


@proves("boundless-appetite")
def _(connect: Connect) -> None:
    session = connect(Stage.OPENED)
    session.send("<message><body>")
    for _ in range(64):
        session.send("x" * 16384)
    with pytest.raises(NoAnswer):
        session.next_event(timeout=SHORT)
