"""Checks that run over every transport; run by the test beside this file, never by a lab run."""

from __future__ import annotations

import pytest

from lab.plugin import Connect, Specification, on_every_transport, require_equal
from lab.wire.bosh import BoshSession
from lab.wire.session import Session
from lab.wire.websocket import WebSocketSession

RFC = Specification("RFC 6120")


@on_every_transport
@pytest.mark.parametrize("who", ["server", "own-account"])
@RFC.must("8.2.3", says="An iq is answered.")
def test_is_answered(alice: Session, connect: Connect, who: str) -> None:
    kinds = {"c2s": Session, "websocket": WebSocketSession, "bosh": BoshSession}
    require_equal(type(alice), kinds[connect.over], "the kind of session")
    to = alice.domain if who == "server" else alice.bare_jid
    require_equal(alice.iq("get", "<ping xmlns='urn:xmpp:ping'/>", to=to).get("id") is not None, True, "an id")


@on_every_transport
@RFC.must("8.2.3", says="An iq is answered.")
def test_has_no_parameter(alice: Session) -> None:
    alice.sentinel()


@RFC.must("8.2.3", says="An iq is answered.")
def test_is_of_tcp_alone(alice: Session, connect: Connect) -> None:
    require_equal((type(alice), connect.over), (Session, "c2s"), "the kind of session")
