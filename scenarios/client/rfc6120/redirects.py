"""RFC 6120 §4.9.3.19: a client that is sent to another address, by a server that the tap plays alone.

The other address is another port of the tap's. Nobody need follow a redirect.
"""

from __future__ import annotations

from lab.plugin import Specification, impossible, require, unsupported
from lab.plugin.clients import Arrivals, ClientUnderTest
from lab.tap.script import Script, asks_for, fails
from lab.wire.stream import Element
from scenarios.client.rfc6120._login import logs_in

RFC = Specification("RFC 6120")
FOLLOWS_WITHIN = 1.0  # seconds: one that tells of the failure first may follow yet
REDIRECTS = 10  # in a row, which nobody follows who counts them; the RFC says 2 to 5


def redirected(arrive: Arrivals, times: int) -> tuple[ClientUnderTest, int]:
    """A client that was redirected so often as it asked for a resource, and how often it followed.

    The check is `unsupported` where it never does.
    """
    server = Script()
    client = arrive(online=False, alone=server)
    other = arrive.other_way_to(client)

    def is_to_go(element: Element) -> bool:
        return asks_for("bind:bind")(element) and len(client.tap.arrivals) <= times

    there = f"{other.endpoint.host}:{other.endpoint.port}"
    server.when(is_to_go, fails("see-other-host", there))
    logs_in(client)
    require(client.tap.arrivals, "a connection", "none")
    return client, other.waits(FOLLOWS_WITHIN) or unsupported(f"{client.place.title} follows no redirect")


@RFC.must("4.9.3.19", says="A client that is sent to another host asks there for the same domain, and over TLS.")
def test_client_asks_the_other_host_for_the_same_domain(arrive: Arrivals) -> None:
    client, _ = redirected(arrive, 1)
    there = [arrival for arrival in client.tap.arrivals[1:] if arrival.headers]
    if not there:
        impossible("the client went there, and asked for nothing")
    for arrival in there:
        asked = {header.get("to") for header in arrival.headers}
        require(asked <= {client.domain}, f"headers to {client.domain}", str(asked))
        clear = [mechanism for mechanism, secured in arrival.tried if not secured]
        require(not clear, "no login without TLS", str(clear))


@RFC.should("4.9.3.19", says="A client that is sent on and on gives up after some redirects: two to five, say.")
def test_client_does_not_follow_redirects_for_ever(arrive: Arrivals) -> None:
    _, followed = redirected(arrive, REDIRECTS + 1)
    require(followed <= REDIRECTS, f"no more than {REDIRECTS} redirects followed", f"{followed} followed")
