"""What a client does with what the tap offers it, right and wrong: told as facts."""

from __future__ import annotations

import pytest

from lab.errors import PeerError
from lab.tap.greeting import Offer
from lab.tap.tap import CERTIFICATES
from lab.wire.negotiation import Stage, expect_header, header
from tests.tap.conftest import Connecting, Tapping


@pytest.mark.parametrize("certificate", CERTIFICATES)
def test_a_careful_client_takes_the_right_certificate_alone(
    tapping: Tapping, connecting: Connecting, certificate: str
) -> None:
    tap = tapping(offer=Offer(certificate=certificate))
    if certificate == "right":
        connecting(tap)
        assert tap.arrivals[0].secured
        return
    with pytest.raises(PeerError):
        connecting(tap)
    arrival = tap.over()
    assert arrival.tls_failure
    assert not arrival.tried


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"])
def test_each_mechanism_logs_in_and_a_wrong_password_does_not(
    tapping: Tapping, connecting: Connecting, mechanism: str
) -> None:
    tap = tapping()
    connecting(tap, mechanism=mechanism)
    assert tap.arrivals[0].tried == [(mechanism, True)]


def test_a_mechanism_that_was_not_offered_is_refused(tapping: Tapping, connecting: Connecting) -> None:
    tap = tapping(offer=Offer(mechanisms=("SCRAM-SHA-256",)))
    with pytest.raises(PeerError, match="PLAIN failed") as caught:
        connecting(tap, mechanism="PLAIN")
    assert "invalid-mechanism" in caught.value.seen


def test_a_server_that_cannot_prove_itself_is_not_believed(tapping: Tapping, connecting: Connecting) -> None:
    tap = tapping(offer=Offer(lies=True, mechanisms=("SCRAM-SHA-1",)))
    with pytest.raises(PeerError):
        connecting(tap, mechanism="SCRAM-SHA-1")


def test_direct_tls(tapping: Tapping, connecting: Connecting) -> None:
    tap = tapping(direct=True)
    connecting(tap, over="c2s-direct-tls").sentinel()


def test_no_starttls_is_seen_in_the_features(tapping: Tapping, connecting: Connecting) -> None:
    tap = tapping(offer=Offer(starttls="absent", before_tls=("PLAIN",)))
    session = connecting(tap, Stage.OPENED)
    assert session.features is not None
    assert session.features.find("{*}starttls") is None


def test_what_a_client_asks_of_tls_and_whom_it_acts_as_is_told(tapping: Tapping, connecting: Connecting) -> None:
    tap = tapping(direct=True)
    session = connecting(tap, over="c2s-direct-tls", mechanism="SCRAM-SHA-1")
    arrival = tap.arrivals[0]
    assert (arrival.server_name, arrival.alpn, arrival.acts_as) == (session.domain, "xmpp-client", [""])
    assert [namespaces[None] for namespaces in arrival.namespaces] == ["jabber:client"] * 2


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-1", "PLAIN"])
def test_every_login_is_refused_where_that_is_offered(
    tapping: Tapping, connecting: Connecting, mechanism: str
) -> None:
    tap = tapping(offer=Offer(refuses="account-disabled"))
    with pytest.raises(PeerError) as caught:
        connecting(tap, mechanism=mechanism)
    assert "account-disabled" in caught.value.seen
    assert tap.over().left


@pytest.mark.parametrize("lie", ["no-proof", "wrong-proof", "at-once"])
def test_no_lie_is_believed(tapping: Tapping, connecting: Connecting, lie: str) -> None:
    offer = Offer(mechanisms=("SCRAM-SHA-1",), lies=True, lie=lie)  # type: ignore[arg-type]
    tap = tapping(offer=offer)
    with pytest.raises(PeerError):
        connecting(tap, mechanism="SCRAM-SHA-1")
    assert not tap.over().restarted


def test_how_a_client_leaves_is_told(tapping: Tapping, connecting: Connecting) -> None:
    tap = tapping()
    connecting(tap).send("</stream:stream>")
    assert tap.over().closed
    connecting(tap).transport.abort()
    gone = tap.over(2)
    assert (gone.closed, gone.left) == (False, True)


def test_the_header_is_for_whom_the_client_says_that_it_is(tapping: Tapping, connecting: Connecting) -> None:
    session = connecting(tapping(), Stage.CONNECTED)
    session.send(header(to="fake.test", attributes="from='me&apos;s@fake.test'"))
    assert expect_header(session).get("to") == "me's@fake.test"
