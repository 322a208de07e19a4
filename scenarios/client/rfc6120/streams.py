"""RFC 6120 §4.4, §4.9: how a client's stream ends, whoever ends it."""

from __future__ import annotations

import pytest

from lab.plugin import Specification, require
from lab.plugin.clients import ClientUnderTest
from lab.wire.namespaces import LAB, STREAM_ERROR

RFC = Specification("RFC 6120")

CONDITIONS = {
    "system-shutdown": f"<system-shutdown xmlns='{STREAM_ERROR}'/>",
    "policy-violation": f"<policy-violation xmlns='{STREAM_ERROR}'/><text xmlns='{STREAM_ERROR}'>Go away.</text>",
    "unheard-of": f"<stanzalab-unheard-of xmlns='{STREAM_ERROR}'/>",
    "of-an-application": f"<undefined-condition xmlns='{STREAM_ERROR}'/><lab xmlns='{LAB}'/>",
}


@pytest.mark.parametrize("condition", CONDITIONS)
@RFC.must("4.9.1.1", "4.9.2", says="A client that gets a stream error closes its stream, whatever the condition.")
def test_client_closes_after_a_stream_error(client: ClientUnderTest, condition: str) -> None:
    client.tap.inject(f"<stream:error>{CONDITIONS[condition]}</stream:error></stream:stream>")
    arrival = client.tap.over()
    require(arrival.closed, "</stream:stream> from the client", "the end of the connection, with its stream open")


@RFC.must("4.9.1.1", says="A client whose stream failed is offline, and lives on.")
def test_client_is_offline_after_a_stream_error(client: ClientUnderTest) -> None:
    client.tap.inject(f"<stream:error>{CONDITIONS['policy-violation']}</stream:error></stream:stream>")
    client.shows("offline", lambda _: True, "that it is offline")


@RFC.should("4.4", says="Where the server closes the stream, a client closes its own or ends the connection.")
def test_client_closes_when_the_server_does(client: ClientUnderTest) -> None:
    # §4.4 obliges whoever closes first, and takes the "reciprocal closing stream tag" of the other for granted.
    client.tap.inject("</stream:stream>")
    arrival = client.tap.over()
    require(arrival.closed or arrival.left, "the end of the client's stream or connection", "it stayed")
    client.shows("offline", lambda _: True, "that it is offline")


@RFC.must("4.4", says="A client that logs out closes its stream, and sends nothing behind that.")
def test_client_closes_its_stream_on_logout(client: ClientUnderTest) -> None:
    client.does("disconnect")
    arrival = client.tap.over()
    require(arrival.closed, "</stream:stream> from the client", "the end of the connection without it")
    faults = "; ".join(f"{fault.message}: {fault.seen}" for fault in client.tap.faults)
    require(not faults, "nothing behind </stream:stream>", faults)
