"""RFC 6120 §6, §13.8: which mechanism a client takes, whom it believes, and when it gives up."""

from __future__ import annotations

import pytest

from lab.plugin import Specification, require, require_equal, unsupported
from lab.plugin.clients import Arrivals, ClientUnderTest
from lab.tap.greeting import Arrival, Offer
from scenarios.client.rfc6120._login import arrived, fails_to_log_in, logs_in

RFC = Specification("RFC 6120")
WRONG_LOGINS = 1 + 5  # §6.4.5: one, and the most retries that a server should allow


def offered(arrive: Arrivals, *mechanisms: str) -> tuple[ClientUnderTest, Arrival]:
    """A client that was offered these mechanisms over TLS, and what its first connection came to."""
    client = arrive(online=False, offer=Offer(mechanisms=mechanisms))
    logs_in(client)
    require(client.tap.arrivals, "a connection", "none")
    return client, arrived(client)


@pytest.mark.parametrize("mechanisms", ["SCRAM-SHA-1:PLAIN", "PLAIN:SCRAM-SHA-1", "PLAIN:SCRAM-SHA-256:SCRAM-SHA-1"])
@RFC.must("13.8.3", "6.3.3", says="A client prefers SCRAM to PLAIN, in whatever order they are offered.")
def test_client_prefers_scram(arrive: Arrivals, mechanisms: str) -> None:
    _, arrival = offered(arrive, *mechanisms.split(":"))
    require(arrival.tried, "a login", str(arrival))
    first = arrival.tried[0][0]
    if not first.startswith("SCRAM-") and not offered(arrive, "SCRAM-SHA-1")[1].tried:
        unsupported("a login by SCRAM-SHA-1")  # nobody prefers what is not on the own list (§6.3.3)
    require(first.startswith("SCRAM-"), "SCRAM first", f"tried: {arrival.tried}")


@RFC.must("13.8.1", "13.8.3", says="A client can log in by SCRAM-SHA-1, which every server has.")
def test_client_logs_in_by_scram(arrive: Arrivals) -> None:
    _, arrival = offered(arrive, "SCRAM-SHA-1")
    require(arrival.authenticated, "a login by SCRAM-SHA-1", str(arrival))


@RFC.should("13.8.3", says="A client can log in by PLAIN over TLS, for servers that have nothing better.")
def test_client_logs_in_by_plain_over_tls(arrive: Arrivals) -> None:
    _, arrival = offered(arrive, "PLAIN")
    require(arrival.authenticated, "a login by PLAIN", str(arrival))


@RFC.must("6.3.3", "6.4.1", says="A client tries no mechanism that the server does not offer.")
def test_client_tries_offered_mechanisms_alone(arrive: Arrivals) -> None:
    client = arrive(online=False, offer=Offer(mechanisms=("X-STANZALAB",)))
    fails_to_log_in(client)
    tried = [login for arrival in client.tap.arrivals for login in arrival.tried]
    require(not tried, "no login, as nothing is offered that it can do", f"tried: {tried}")


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-1", "PLAIN"])
@RFC.must_not("6.3.8", says="A client that acts for nobody else sends no authorization identity.")
def test_client_sends_no_authorization_identity(arrive: Arrivals, mechanism: str) -> None:
    _, arrival = offered(arrive, mechanism)
    if (mechanism, True) not in arrival.tried:
        unsupported(f"a login by {mechanism}")
    require_equal(arrival.acts_as[0], "", "authorization identity")


@pytest.mark.parametrize("lie", ["no-proof", "wrong-proof", "at-once"])
@RFC.must(
    "13.8.1",
    "6.4.6",
    says="A client believes no success of SCRAM without the proof that the server knows the password.",
)
def test_client_asks_the_server_for_proof(arrive: Arrivals, lie: str) -> None:
    # RFC 5802 §5: "the client then authenticates the server"; if it does not match, it MUST treat it as a failure.
    offer = Offer(mechanisms=("SCRAM-SHA-1",), lies=True, lie=lie)  # type: ignore[arg-type]
    client = arrive(online=False, offer=offer)
    online = logs_in(client)
    require(client.tap.arrivals, "a connection", "none")
    if not arrived(client).tried:
        unsupported("a login by SCRAM-SHA-1")
    believed = online or any(arrival.restarted for arrival in client.tap.arrivals)
    require(not believed, "a client that goes no further", "it took the server's word and began a new stream")


@pytest.mark.parametrize(
    "condition", ["not-authorized", "account-disabled", "temporary-auth-failure", "stanzalab-unheard-of"]
)
@RFC.should("6.4.5", says="A client whose every login fails closes the stream, and does not try for ever.")
def test_client_gives_up_a_login_that_fails(arrive: Arrivals, condition: str) -> None:
    # One mechanism alone: each may be tried "a reasonable number" of times before the next.
    client = arrive(online=False, offer=Offer(mechanisms=("SCRAM-SHA-1",), refuses=condition))
    arrival = fails_to_log_in(client)
    if not arrival.tried:
        unsupported("a login by SCRAM-SHA-1")
    require(len(arrival.tried) <= WRONG_LOGINS, f"{WRONG_LOGINS} logins at most", f"tried: {arrival.tried}")
    require(arrival.left, "a client that ends the connection by itself", "it waited until the lab ended it")


@RFC.must("6.4.6", "6.3.2", "4.3.3", says="After a successful login a client begins a new stream on the connection.")
def test_client_restarts_the_stream_after_sasl(arrive: Arrivals) -> None:
    client = arrive(online=False)
    logs_in(client)
    require(client.tap.arrivals and arrived(client).authenticated, "a login", "none")
    require(arrived(client).restarted, "a new stream header", str(arrived(client)))
