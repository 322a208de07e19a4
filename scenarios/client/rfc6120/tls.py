"""RFC 6120 §5, RFC 7590: TLS comes before the login, and what came before TLS is forgotten."""

from __future__ import annotations

import pytest

from lab.plugin import Specification, impossible, require
from lab.plugin.clients import Arrivals, ClientUnderTest
from lab.tap.greeting import Offer
from lab.wire.namespaces import CLIENT, SASL, STREAM
from scenarios.client.rfc6120._login import arrived, logs_in

RFC = Specification("RFC 6120")
TLS_USE = Specification("RFC 7590")
SCRAM = ("SCRAM-SHA-256", "SCRAM-SHA-1")


def logins_in_clear(client: ClientUnderTest) -> list[str]:
    """The mechanisms that it tried without TLS, on any connection."""
    return [mechanism for arrival in client.tap.arrivals for mechanism, secured in arrival.tried if not secured]


@pytest.mark.parametrize("starttls", ["absent", "optional"])
@RFC.must_not("13.8.3", says="A client sends no PLAIN login over a stream without TLS, whatever is offered there.")
def test_client_sends_no_plain_in_the_clear(arrive: Arrivals, starttls: str) -> None:
    # A man in the middle takes STARTTLS out of the features, or its <required/>, and waits for the password.
    client = arrive(online=False, offer=Offer(starttls=starttls, before_tls=("PLAIN",)))  # type: ignore[arg-type]
    logs_in(client)
    require(client.tap.arrivals, "a connection", "none")
    require("PLAIN" not in logins_in_clear(client), "no PLAIN without TLS", str(logins_in_clear(client)))


@RFC.should("13.9.4", "5.3.4", says="A client that is offered TLS and a login takes TLS first.")
def test_client_takes_tls_before_the_login(arrive: Arrivals) -> None:
    client = arrive(online=False, offer=Offer(starttls="optional", before_tls=SCRAM))
    logs_in(client)
    require(client.tap.arrivals, "a connection", "none")
    require(not logins_in_clear(client), "no login without TLS", str(logins_in_clear(client)))
    require(arrived(client).secured, "TLS", "none")


@RFC.should("13.9.4", "13.8.1", says="A client that is not offered TLS logs in by no other mechanism either.")
def test_client_does_not_log_in_without_tls(arrive: Arrivals) -> None:
    client = arrive(online=False, offer=Offer(starttls="absent", before_tls=SCRAM))
    logs_in(client)
    require(client.tap.arrivals, "a connection", "none")
    require(not logins_in_clear(client), "no login without TLS", str(logins_in_clear(client)))


@TLS_USE.should("3.1", says="A client tries TLS even where the server does not advertise it: it may be stripped out.")
def test_client_tries_tls_that_is_not_advertised(arrive: Arrivals) -> None:
    client = arrive(online=False, offer=Offer(starttls="absent", before_tls=SCRAM))
    logs_in(client)
    require(client.tap.arrivals, "a connection", "none")
    require(any(arrival.secured for arrival in client.tap.arrivals), "an attempt at TLS", "none")


@RFC.must("5.4.3.3", "4.3.3", says="After TLS a client begins a new stream on the same connection.")
def test_client_restarts_the_stream_after_tls(arrive: Arrivals) -> None:
    client = arrive(online=False)
    logs_in(client)
    require(client.tap.arrivals, "a connection", "none")
    if not arrived(client).secured:
        impossible(f"TLS did not come about: {arrived(client).tls_failure}")
    require(len(arrived(client).headers) > 1, "a second stream header", str(arrived(client)))


@RFC.must("5.4.3.3", says="A client forgets what it got before TLS: no features from before it decide on the login.")
def test_client_forgets_what_came_before_tls(arrive: Arrivals) -> None:
    # Response injection, the client's side of CVE-2011-0411: who stands in between adds to <proceed/> what is read
    # as if it had come over TLS. TLS that fails for these bytes is a right answer, too.
    forged = (
        f"<stream:stream xmlns='{CLIENT}' xmlns:stream='{STREAM}' id='forged' version='1.0'>"
        f"<stream:features><mechanisms xmlns='{SASL}'><mechanism>PLAIN</mechanism></mechanisms></stream:features>"
    )
    client = arrive(online=False, offer=Offer(mechanisms=SCRAM, after_proceed=forged))
    logs_in(client)
    require(client.tap.arrivals, "a connection", "none")
    tried = [login for arrival in client.tap.arrivals for login in arrival.tried]
    require("PLAIN" not in {mechanism for mechanism, _ in tried}, "no PLAIN, which TLS did not offer", str(tried))
