"""The external component's side of XEP-0114, against the fake server's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.cell import Cell, Component
from lab.errors import UsageError
from lab.plugin import Connect
from lab.wire import component, negotiation
from lab.wire.namespaces import COMPONENT
from lab.wire.session import StreamFailed


def test_digest() -> None:
    """The example of XEP-0114 §3."""
    assert component.digest("3BF96D32", "test") == "aaee83c26aeeafcbabeabfcbcd50df997e0a2a1e"


def test_a_component_is_ready_for_stanzas(connect: Connect) -> None:
    session = connect.component()
    assert session.jid == "component.fake.test"
    assert session.namespace == COMPONENT
    assert session.header is not None
    assert session.header.content_namespace == COMPONENT
    assert session.header.get("from") == "component.fake.test"
    alice = connect()
    alice.send(f"<message to='anyone@{session.jid}/x' id='1'/>")
    assert session.expect("1").tag == f"{{{COMPONENT}}}message"


def test_step_by_step(connect: Connect) -> None:
    session = connect.component(ready=False)
    assert session.header is None
    stream_id = component.open_component_stream(session)
    assert stream_id
    component.shake_hands(session, stream_id, "fake-secret")


def test_a_wrong_secret(cell: Cell) -> None:
    wrong = replace(cell, component=Component("component.fake.test", "guess"))
    with pytest.raises(StreamFailed) as caught:
        component.connect(wrong)
    assert caught.value.condition == "not-authorized"


def test_a_domain_that_is_not_served(cell: Cell) -> None:
    with pytest.raises(StreamFailed) as caught:
        component.connect(cell, domain="other.test")
    assert caught.value.condition == "host-unknown"


def test_a_stanza_before_the_handshake(connect: Connect) -> None:
    session = connect.component(ready=False)
    component.open_component_stream(session)
    session.send("<message from='component.fake.test' to='fake.test'/>")
    session.expect_stream_error("not-authorized")
    session.expect_closed()


def test_a_cell_without_a_component(cell: Cell) -> None:
    with pytest.raises(UsageError, match="no place for a component"):
        negotiation.connect_component(replace(cell, component=None))
