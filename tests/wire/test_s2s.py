"""Streams between servers (`lab.wire.s2s`): both ends are ours here, and meet on loopback."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.cell import Cell, Endpoint, Subject
from lab.certificates import CertificateAuthority
from lab.errors import PeerError
from lab.wire import s2s
from lab.wire.namespaces import NS, SERVER
from lab.wire.negotiation import Stage
from lab.wire.s2s import Door, ServerSession
from lab.wire.transport import NoAnswer

PATIENCE = 20.0

Meet = Callable[..., tuple[ServerSession, ServerSession]]


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    return CertificateAuthority(tmp_path)


class Ends:
    """`one.test` calls `two.test`, which receives it in another thread."""

    def __init__(self, authority: CertificateAuthority) -> None:
        self.door = Door("127.0.0.1")
        self.authority = authority
        self.cell = Cell(
            domain="two.test",
            subject=Subject("us", "1"),
            endpoints={"s2s": Endpoint("127.0.0.1", self.door.port)},
            ca=authority.ca,
            patience=PATIENCE,
        )
        self.certificates = {name: authority.server_certificate(name).all for name in ("one.test", "two.test")}

    def meet(self, stage: Stage, *, caller: Path | None = None) -> tuple[ServerSession, ServerSession]:
        """Both ends of a stream, brought up to `stage`."""
        received: list[ServerSession] = []

        def receive() -> None:
            received.append(
                s2s.receive(
                    self.door.accept(PATIENCE),
                    stage,
                    jid="two.test",
                    domain="one.test",
                    certificate=self.certificates["two.test"],
                    ca=self.authority.ca,
                    patience=PATIENCE,
                )
            )

        thread = threading.Thread(target=receive)
        thread.start()
        try:
            shown = self.certificates["one.test"] if caller is None else caller
            called = s2s.call(self.cell, stage, jid="one.test", certificate=shown)
        finally:
            thread.join(PATIENCE)
        return called, received[0]


@pytest.fixture
def meet(authority: CertificateAuthority) -> Iterator[Meet]:
    ends = Ends(authority)
    yield ends.meet
    ends.door.close()


def test_a_login_by_certificate_goes_through_and_stanzas_follow(meet: Meet) -> None:
    out, into = meet(Stage.AUTHENTICATED)
    try:
        out.send("<message from='a@one.test' to='b@two.test' id='1'><body>hello</body></message>")
        got = into.receive()
        assert (got.tag, got.get("id"), got.findtext("s:body", namespaces=NS)) == (
            f"{{{SERVER}}}message",
            "1",
            "hello",
        )
        certificate = into.transport.secured().getpeercert()
        assert certificate is not None
        assert ("DNS", "one.test") in certificate["subjectAltName"]
        assert into.stream_id == out.stream_id != ""
        assert into.server_name == "two.test"
        assert out.header is not None
        assert out.header.get("to") == "one.test"
    finally:
        out.abandon()
        into.abandon()


def test_dialback_is_believed(meet: Meet) -> None:
    out, into = meet(Stage.SECURED)
    try:
        out.send(s2s.dialback("result", out, "key"))
        assert s2s.receive_login(into) == "dialback"
        answer = out.receive()
        assert s2s.is_dialback(answer, "result")
        assert (answer.get("type"), answer.get("from"), answer.get("to")) == ("valid", "two.test", "one.test")
    finally:
        out.abandon()
        into.abandon()


@pytest.mark.parametrize("says", ["valid", "invalid"])
def test_a_login_by_dialback_vouches_for_its_own_key(meet: Meet, says: str) -> None:
    """The subject, which has `into` and `asking`, proves its own name on the stream before it asks there."""
    (out, into), (asking, asked) = meet(Stage.SECURED), meet(Stage.SECURED)
    told: list[tuple[str | None, str | None]] = []

    def subject() -> None:
        key = into.receive().text or ""
        asking.send(s2s.dialback("result", asking, "a key of its own"))
        asking.send(s2s.dialback("verify", asking, key, stream_id="7"))
        told.extend((answer.get("type"), answer.get("id")) for answer in (asking.receive(), asking.receive()))
        into.send(s2s.dialback("result", into, kind=says))

    thread = threading.Thread(target=subject)
    thread.start()
    try:
        if says == "valid":
            assert s2s.log_in_by_dialback(out, lambda: asked) is asked
        else:
            with pytest.raises(PeerError, match="dialback failed"):
                s2s.log_in_by_dialback(out, lambda: asked)
        assert told == [("valid", None), ("valid", "7")]
        assert asked.proved
    finally:
        thread.join(PATIENCE)
        for session in (out, into, asking, asked):
            session.abandon()


def test_what_is_no_login_is_refused(meet: Meet) -> None:
    out, into = meet(Stage.SECURED)
    try:
        out.send("<message from='a@one.test' to='b@two.test'/>")
        with pytest.raises(PeerError, match="did not log in"):
            s2s.receive_login(into)
    finally:
        out.abandon()
        into.abandon()


def test_nobody_at_the_door_is_no_answer() -> None:
    door = Door("127.0.0.1")
    try:
        with pytest.raises(NoAnswer, match="did not connect"):
            door.accept(0.01)
    finally:
        door.close()
