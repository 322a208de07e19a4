"""Proofs of the misbehaviours that break those who talk to them (`lab.fakes.misbehaviours`)."""

from __future__ import annotations

import time

import pytest

from lab.errors import PeerError
from lab.plugin import Connect, Stage
from lab.wire.stream import PeerViolation
from lab.wire.transport import ConnectionLost, ConnectionRefused, NoAnswer, TlsFailed
from tests.fakes import planted_proofs, web_proofs  # noqa: F401 - importing them puts them into PROOFS
from tests.fakes.proofs import PATIENCE, SHORT, proves, received


@proves("closes-at-once")
def _(connect: Connect) -> None:
    with pytest.raises(ConnectionLost):
        connect(Stage.OPENED)


@proves("hangs-after-connect")
def _(connect: Connect) -> None:
    began = time.monotonic()
    with pytest.raises(NoAnswer):
        connect(Stage.OPENED)
    assert time.monotonic() - began == pytest.approx(PATIENCE, abs=0.5)


@proves("hangs-after-login")
def _(connect: Connect) -> None:
    session = connect()
    session.patience = SHORT
    with pytest.raises(NoAnswer) as caught:
        session.sentinel()
    assert "sentinel" in caught.value.expected
    with pytest.raises(NoAnswer):
        session.expect_closed()


@proves("floods")
def _(connect: Connect) -> None:
    session = connect()
    with pytest.raises(PeerError):  # of patience, or of the bound on the inbox: the machine's load decides
        session.expect("never")
    assert len(session.inbox) > 100
    session.patience = SHORT
    with pytest.raises(NoAnswer, match=r"went on sending|nothing came"):
        session.expect_closed()


@proves("broken-xml")
def _(connect: Connect) -> None:
    with pytest.raises(PeerViolation) as caught:
        connect(Stage.OPENED)
    assert caught.value.condition == "not-well-formed"


@proves("billion-laughs")
def _(connect: Connect) -> None:
    with pytest.raises(PeerViolation) as caught:
        connect(Stage.OPENED)
    assert caught.value.condition == "restricted-xml"


@proves("other-name-certificate")
def _(connect: Connect) -> None:
    with pytest.raises(TlsFailed) as caught:
        connect(Stage.SECURED)
    assert "not valid for 'fake.test'" in caught.value.seen


@proves("expired-certificate")
def _(connect: Connect) -> None:
    with pytest.raises(TlsFailed) as caught:
        connect(Stage.SECURED)
    assert "has expired" in caught.value.seen


@proves("swallows-iq")
def _(connect: Connect) -> None:
    session = connect()
    session.patience = SHORT
    with pytest.raises(NoAnswer):
        session.iq("get", "<ping xmlns='urn:xmpp:ping'/>")
    session.sentinel(session)


@proves("answers-twice")
def _(connect: Connect) -> None:
    session = connect()
    first = session.iq("get", "<ping xmlns='urn:xmpp:ping'/>")
    again = session.expect(first.get("id") or "")
    assert again.get("type") == "result"


@proves("wrong-id")
def _(connect: Connect) -> None:
    session = connect()
    session.patience = SHORT
    with pytest.raises(NoAnswer) as caught:
        session.iq("get", "<ping xmlns='urn:xmpp:ping'/>")
    assert 'id="wrong-' in caught.value.seen


@proves("dies-on-message")
def _(connect: Connect) -> None:
    session = connect()
    with pytest.raises(ConnectionLost):
        session.sentinel(session)
    with pytest.raises(ConnectionRefused):
        connect(Stage.CONNECTED)


@proves("half-a-stanza")
def _(connect: Connect) -> None:
    session = connect()
    session.patience = SHORT
    with pytest.raises(NoAnswer):
        session.sentinel()
    assert received(connect).endswith(">") is False


@proves("slow")
def _(connect: Connect) -> None:
    session = connect()
    began = time.monotonic()
    session.sentinel()
    assert time.monotonic() - began >= 0.2
    session.send("</stream:stream>")
    session.expect_closed()
