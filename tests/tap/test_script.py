"""The tap as a server that exists nowhere else: what the script says, and nothing more."""

from __future__ import annotations

import pytest

from lab.tap.script import Script, answer, asks_for, close, fails, hang_up, refuse, send
from lab.wire.namespaces import BIND, PING, ROSTER, STREAM_ERROR
from lab.wire.negotiation import Stage
from lab.wire.session import StreamEnded, show, stanza_error_condition
from lab.wire.transport import ConnectionLost
from tests.tap.conftest import Connecting, Tapping

ROSTER_GET = f"<query xmlns='{ROSTER}'/>"
PINGED = f"<ping xmlns='{PING}'/>"


def test_a_polite_server_binds_and_refuses(tapping: Tapping, connecting: Connecting) -> None:
    tap = tapping(alone=Script())
    client = connecting(tap)
    assert tap.bound() == client.jid == f"{client.bare_jid}/lab-1"
    assert len(client.iq("get", ROSTER_GET)[0]) == 0
    assert stanza_error_condition(client.iq("get", PINGED, to=client.domain)) == "service-unavailable"
    assert tap.reaches(lambda e: e.get("type") == "error", "the refusal").get("from") == client.domain
    assert {entry.session for entry in tap.trace.entries} == {"client"}, "no session with a server"


def test_lines_come_before_the_polite_ones_and_names_are_filled_in(tapping: Tapping, connecting: Connecting) -> None:
    server = Script()
    tap = tapping(alone=server)
    server.when(
        asks_for("bind:bind"),
        answer(f"<bind xmlns='{BIND}'><jid>$account/given</jid></bind>"),
        send("<message id='besides' from='$domain'><body>$connection</body></message>"),
    )
    server.when(asks_for("roster:query"))
    server.when(asks_for("ping:ping"), refuse("gone", "modify"))
    client = connecting(tap)
    assert client.resource == "given"
    assert client.expect("besides").findtext("{*}body") == "1"
    client.send(f"<iq type='get' id='unanswered'>{ROSTER_GET}</iq>")
    assert stanza_error_condition(client.iq("get", PINGED)) == "gone"
    assert not client.inbox, "nothing was said to the roster get"


def test_features_can_be_others_on_each_connection(tapping: Tapping, connecting: Connecting) -> None:
    tap = tapping(alone=Script("<one xmlns='urn:stanzalab:0'/>", "<two xmlns='urn:stanzalab:0'/>"))
    for name in ("one", "two", "two"):
        client = connecting(tap, Stage.AUTHENTICATED)
        assert client.features is not None
        assert f"<{name} " in show(client.features)
        client.close()


def test_a_stream_fails_and_the_connection_ends(tapping: Tapping, connecting: Connecting) -> None:
    server = Script()
    tap = tapping(alone=server)
    server.when(asks_for("ping:ping"), fails("see-other-host", "[::1]:5222"))
    client = connecting(tap)
    client.send(f"<iq type='get' id='1'>{PINGED}</iq>")
    error = client.expect_stream_error("see-other-host")
    assert error.findtext(f"{{{STREAM_ERROR}}}see-other-host") == "[::1]:5222"
    client.expect_closed()
    tap.over()


@pytest.mark.parametrize(("step", "end"), [(close, StreamEnded), (hang_up, ConnectionLost)])
def test_a_stream_is_closed_or_breaks(tapping: Tapping, connecting: Connecting, step: object, end: type) -> None:
    server = Script()
    tap = tapping(alone=server)
    server.when(asks_for("ping:ping"), step)  # type: ignore[arg-type]
    client = connecting(tap)
    client.send(f"<iq type='get' id='1'>{PINGED}</iq>")
    with pytest.raises(end):
        client.receive()
    client.close()
    tap.over()


def test_a_client_that_closes_is_answered_in_kind(tapping: Tapping, connecting: Connecting) -> None:
    tap = tapping(alone=Script())
    client = connecting(tap)
    client.send("</stream:stream>")
    client.expect_closed()
    assert tap.over().closed
