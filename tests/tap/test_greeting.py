"""What a client does with what the tap offers it, right and wrong: told as facts."""

from __future__ import annotations

import pytest

from lab.errors import PeerError
from lab.tap.greeting import Offer
from lab.tap.tap import CERTIFICATES
from lab.wire.negotiation import Stage
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
