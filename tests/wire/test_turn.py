"""TURN's client: right credentials get a relayed address, wrong ones and silence are told apart."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
from aioice import stun
from aioice.turn import make_integrity_key

from lab.errors import PeerError
from lab.wire import turn

REALM, NONCE = "lab.test", b"nonce"
NAME, PASSWORD = "1796097983:alice", "c2VjcmV0"
RELAYED = ("192.0.2.7", 49161)


class Relay(threading.Thread):
    """Answers Allocate and Refresh as a TURN server does that knows one user (RFC 8656 §7, RFC 8489 §9.2.4)."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = int(self.socket.getsockname()[1])
        self.lifetimes: list[int] = []

    def run(self) -> None:
        key = make_integrity_key(NAME, REALM, PASSWORD)
        while data := self.socket.recvfrom(2048):
            if not data[0]:
                return
            request = stun.parse_message(data[0])
            known = request.attributes.get("USERNAME") == NAME and request.check_message_integrity(key)
            answer = stun.Message(
                message_method=request.message_method,
                message_class=stun.Class.RESPONSE if known else stun.Class.ERROR,
                transaction_id=request.transaction_id,
            )
            if known:
                self.lifetimes.append(request.attributes["LIFETIME"])
                answer.attributes["LIFETIME"] = request.attributes["LIFETIME"]
                answer.attributes["XOR-MAPPED-ADDRESS"] = data[1]
                answer.attributes["XOR-RELAYED-ADDRESS"] = RELAYED
                answer.add_message_integrity(key)
            else:
                answer.attributes["ERROR-CODE"] = (401, "Unauthorized")
                answer.attributes["REALM"], answer.attributes["NONCE"] = REALM, NONCE
            self.socket.sendto(bytes(answer), data[1])


@pytest.fixture
def relay() -> Iterator[Relay]:
    made = Relay()
    made.start()
    yield made
    made.socket.sendto(b"", ("127.0.0.1", made.port))
    made.join()
    made.socket.close()


def _allocate(port: int, name: str | None, password: str | None, *, patience: float = 10.0) -> tuple[str, int]:
    return turn.allocate("127.0.0.1", port, name, password, over="udp", patience=patience)


def test_right_credentials_get_a_relayed_address_and_give_it_back(relay: Relay) -> None:
    assert _allocate(relay.port, NAME, PASSWORD) == RELAYED
    assert relay.lifetimes == [turn.LIFETIME, 0]


@pytest.mark.parametrize(("name", "password"), [(NAME, "other"), ("other", PASSWORD), (None, None)])
def test_other_credentials_are_refused(relay: Relay, name: str | None, password: str | None) -> None:
    with pytest.raises(turn.Refused) as caught:
        _allocate(relay.port, name, password)
    assert caught.value.code == 401
    assert relay.lifetimes == []


def test_who_does_not_answer_is_no_refusal() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        with pytest.raises(PeerError, match="does not answer over udp") as caught:
            _allocate(silent.getsockname()[1], NAME, PASSWORD, patience=0.3)
    assert not isinstance(caught.value, turn.Refused)
