"""Whom a client trusts: RFC 6120 §13.7.2, RFC 7590 §3.4, and the same over direct TLS (XEP-0368 §3)."""

from __future__ import annotations

import pytest

from lab.plugin import Specification, require, require_equal
from lab.plugin.clients import Arrivals
from lab.tap.greeting import ALPN, Offer
from scenarios.client.rfc6120._login import arrived, logs_in, require_refused

RFC = Specification("RFC 6120")
TLS_USE = Specification("RFC 7590")
DIRECT = Specification("XEP-0368")

wrong = pytest.mark.parametrize("certificate", ["untrusted", "wrong-name", "expired"])


@RFC.must("13.7.2", "5.4.3.1", says="A client takes a certificate that is right, and logs in over TLS.")
def test_client_accepts_the_right_certificate(arrive: Arrivals) -> None:
    arrival = arrived(arrive())
    require(arrival.secured and arrival.authenticated, "a login over TLS", str(arrival))


@wrong
@RFC.must(
    "13.7.2", "13.9.5", says="A client ends the session where the server's certificate cannot be validated: no login."
)
def test_client_refuses_a_wrong_certificate(arrive: Arrivals, certificate: str) -> None:
    require_refused(arrive(online=False, offer=Offer(certificate=certificate)))


@TLS_USE.must("3.4", says="A client authenticates its server: it sends no login to one that anybody could be.")
def test_client_authenticates_its_server(arrive: Arrivals) -> None:
    # PLAIN alone: whoever stood between would have the password itself.
    require_refused(arrive(online=False, offer=Offer(certificate="untrusted", mechanisms=("PLAIN",))))


@wrong
@DIRECT.must("3", says="Over direct TLS a client validates certificates as over STARTTLS: no login with a wrong one.")
def test_client_refuses_a_wrong_certificate_over_direct_tls(arrive: Arrivals, certificate: str) -> None:
    require_refused(arrive(online=False, direct=True, offer=Offer(certificate=certificate)))


@DIRECT.must("3", says="A client logs in over TLS that begins with the first byte, without STARTTLS in it.")
def test_client_logs_in_over_direct_tls(arrive: Arrivals) -> None:
    client = arrive(online=False, direct=True)
    online = logs_in(client)
    require(client.tap.arrivals, "a connection", "none")
    arrival = arrived(client)
    require(arrival.secured, "direct TLS", arrival.tls_failure)
    require(online and arrival.authenticated, "a login over direct TLS", str(arrival))


@DIRECT.must("3", says="Over direct TLS a client names the domain of its JID in the TLS extension for it (SNI).")
def test_client_names_the_domain_in_direct_tls(arrive: Arrivals) -> None:
    client = arrive(online=False, direct=True)
    logs_in(client)
    require(client.tap.arrivals, "a connection", "none")
    require_equal(arrived(client).server_name, client.domain, "server name")


@DIRECT.should("3", says="Over direct TLS a client asks for the application protocol xmpp-client (ALPN).")
def test_client_names_the_protocol_in_direct_tls(arrive: Arrivals) -> None:
    client = arrive(online=False, direct=True)
    logs_in(client)
    require(client.tap.arrivals and arrived(client).secured, "direct TLS", "none")
    require_equal(arrived(client).alpn, ALPN, "application protocol")
