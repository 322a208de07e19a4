"""XEP-0114 §3: several connections of a component, and none."""

from __future__ import annotations

import time

import pytest

from lab.plugin import Connect, Specification, impossible, require, require_equal, require_error
from lab.wire.component import open_component_stream, shake_hands
from lab.wire.namespaces import COMPONENT
from lab.wire.session import Session, StreamEnded, StreamFailed, new_id
from lab.wire.stream import Element
from lab.wire.transport import ConnectionLost, NoAnswer
from scenarios.server._contacts import leave
from scenarios.server.rfc6120._stanzas import (
    UNKNOWN,
    deliver,
    identifier,
    require_delivered,
    stanza,
)
from scenarios.server.xep0114._component import secret

XEP = Specification("XEP-0114")
RFC = Specification("RFC 6120")

pytestmark = pytest.mark.xdist_group("component")


# --- several connections, and none


@XEP.must(
    "3", says="A second connection for a name is refused with a stream error or served; stanzas come to one of them."
)
def test_second_connection_is_refused_or_served(alice: Session, component_session: Session, connect: Connect) -> None:
    second = connect.component(ready=False)
    sessions = [component_session]
    try:
        shake_hands(second, open_component_stream(second), secret(connect))
        sessions.append(second)
    except StreamFailed as error:
        require_equal(error.condition, "conflict", "a stream error")
    sent = [stanza("message", f"u{number}@{component_session.jid}") for number in range(12)]
    alice.send("".join(sent))
    ids = sorted(map(identifier, sent))
    got = _collect(sessions, ids, len(sent), alice.patience)
    alice.sentinel()
    got += _collect(sessions, ids, 1, 0.2)
    require_equal(sorted(map(_id, got)), ids, "ids")
    for element, xml in zip(sorted(got, key=_id), sorted(sent, key=identifier), strict=True):
        require_delivered(element, xml, alice.jid, namespace=COMPONENT)


def _id(element: Element) -> str:
    return element.get("id") or ""


def _collect(sessions: list[Session], ids: list[str], number: int, seconds: float) -> list[Element]:
    """What comes of these ids on any of the connections, up to so many stanzas and so long; one may be gone.

    The server may ask the component something, too.
    """
    got: list[Element] = []
    left = list(sessions)
    deadline = time.monotonic() + seconds
    while len(got) < number and left and time.monotonic() < deadline:
        for session in tuple(left):
            try:
                element = session.receive(timeout=0.02)
            except NoAnswer:
                continue
            except (StreamFailed, StreamEnded, ConnectionLost):
                left.remove(session)  # the older connection gave way to the newer one
                continue
            if _id(element) in ids:
                got.append(element)
    return got


@pytest.mark.parametrize("since", ["never-there", "gone"])
@RFC.must("8.2.3", "10.5", says="An iq to a component that is not connected comes back as an error.")
def test_iq_to_an_absent_component_is_refused(since: str, alice: Session, connect: Connect) -> None:
    if connect.cell.component is None:
        impossible("the cell has no place for a component")
    if since == "gone":
        session = connect.component()
        request = stanza("iq", session.jid)
        require_delivered(deliver(alice, session, request), request, alice.jid, namespace=COMPONENT)
        leave(session)
    asked = new_id()
    target = connect.cell.component.domain
    alice.send(f"<iq type='get' id='{asked}' to='{target}'>{UNKNOWN}</iq>")
    reply = alice.expect(asked, timeout=15.0)
    require_error(reply)
    require(reply.get("from") == target, f"'from' is {target}", reply)
    require(reply.get("to") in {None, alice.jid}, f"'to' is {alice.jid}", reply)


@RFC.must("4.4", says="When a component closes its stream, the server closes its own, and the connection.")
def test_stream_closed_by_the_component_is_closed_by_the_server(component_session: Session) -> None:
    component_session.send("</stream:stream>")
    component_session.expect_closed()
