"""Checks that come to each outcome on purpose; run by the tests beside this file, never by a lab run."""

from __future__ import annotations

import pytest

from lab.errors import MachineError
from lab.plugin import (
    Connect,
    Specification,
    impossible,
    proved_by,
    require,
    require_error,
    require_result,
    unsupported,
)
from lab.wire.namespaces import NS
from lab.wire.session import Session, localname

RFC = Specification("RFC 6120")
PING = f"<ping xmlns='{NS['ping']}'/>"


@RFC.must("8.2.3", says="An iq is answered.")
def test_passes(alice: Session) -> None:
    reply = alice.iq("get", PING, to=alice.domain)
    require_result(reply)
    require(reply.get("from") == alice.domain, f"from {alice.domain}", reply)


@RFC.must("8.2.3", says="A MUST that is missed.")
def test_misses_a_must(alice: Session) -> None:
    require_error(alice.iq("get", PING, to=alice.domain), "gone")


@RFC.should("8.2.3", says="A SHOULD that is missed.")
def test_misses_a_should(alice: Session) -> None:
    require_error(alice.iq("get", PING, to=alice.domain), "gone")


@RFC.must("8.2.3", says="An answer that never comes.")
def test_waits_in_vain(alice: Session) -> None:
    alice.expect("never", timeout=0.1)


@RFC.must("8.2.3", says="Something that is not offered.")
def test_is_not_offered() -> None:
    unsupported("the feature")


@RFC.must("8.2.3", says="Something that cannot be tried here.")
def test_is_impossible() -> None:
    impossible("no such thing here")


@RFC.must("8.2.3", says="A check that is broken.")
def test_is_broken() -> None:
    raise ZeroDivisionError("ours")


@RFC.must("8.2.3", says="A machine that gives way.")
def test_loses_the_machine() -> None:
    raise MachineError("the disk is full", hint="make room")


@RFC.must("8.2.3", says="A set-up that the peer spoils.")
def test_cannot_even_begin(connect: Connect, spoiled: Session) -> None:
    require(connect, "never reached", spoiled.jid)


@pytest.fixture
def spoiled(alice: Session) -> Session:
    alice.expect("never", timeout=0.1)
    return alice


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("get", id="get"),
        pytest.param("set", id="set", marks=RFC.should("8.2.2", says="Another requirement.")),
    ],
)
@RFC.must("8.2.3", says="One of each kind.")
def test_has_parameters(alice: Session, kind: str) -> None:
    require_error(alice.iq(kind, "<x xmlns='urn:stanzalab:0'/>", to=alice.domain), "service-unavailable")


@RFC.must("8.2.3", says="A check that looks at nothing.")
def test_looks_at_nothing(alice: Session) -> None:
    alice.send("<presence/>")


@RFC.must_not("8.1.2.1", says="A stanza that must not come.")
def test_nothing_comes(alice: Session, bob: Session) -> None:
    bob.expect_nothing(
        "<message><body>leak</body></message>",
        lambda e: localname(e) == "message" and e.findtext("{*}body") == "leak",
        "leak",
        after=alice,
    )


@proved_by("never-closes-tcp")
@RFC.must("4.4", says="The TCP connection is closed behind the stream.")
def test_tcp_is_closed(alice: Session) -> None:
    alice.send_raw(b"</stream:stream>")
    alice.expect_closed()
