"""Pipes, against sockets on loopback: writing in parts and apart, and every way in which a stream ends."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Iterator

import pytest

from lab.campaign.pipe import LOG_BYTES, LOG_ENTRIES, End, Logged, Pipe, pump
from lab.wire.session import localname
from lab.wire.stream import Element
from tests.campaign.making import session

BOUND = 10.0  # seconds for anything that must happen
STREAMS = "urn:ietf:params:xml:ns:xmpp-streams"


class Line:
    """A pipe, and the socket at the other end of it."""

    def __init__(self, near: socket.socket, far: socket.socket) -> None:
        self.log: list[Logged] = []
        self.pipe = Pipe(session(sock=near), log=self.log)
        self.far = far
        self.came: list[Element] = []
        self.pipe.receive = self.came.append

    def says(self, text: str | bytes) -> None:
        self.far.sendall(text if isinstance(text, bytes) else text.encode())

    def until(self, happened: Callable[[], object]) -> None:
        deadline = time.monotonic() + BOUND
        while not happened():
            assert time.monotonic() < deadline, "it did not happen in time"
            pump([self.pipe], 0.05)

    def end(self) -> End:
        """How the pipe ended, which it must."""
        self.until(lambda: self.pipe.closed)
        assert self.pipe.end is not None
        return self.pipe.end

    def take(self, count: int) -> bytes:
        """So many bytes at the other end, while the pipe writes."""
        got = b""
        while len(got) < count:
            pump([self.pipe], 0.0)
            got += self.far.recv(min(64 * 1024, count - len(got)))
        return got


@pytest.fixture
def line() -> Iterator[Line]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        near = socket.create_connection(server.getsockname())
        far, _ = server.accept()
    far.settimeout(BOUND)
    made = Line(near, far)
    yield made
    made.pipe.session.transport.close()
    far.close()


def test_elements_come_in_their_order_however_the_bytes_are_cut(line: Line) -> None:
    for byte in b"<message id='1'/> \n<iq id='2'><x xmlns='urn:x'>text</x></iq>":
        line.says(bytes([byte]))
        pump([line.pipe], 0.0)
    line.until(lambda: len(line.came) == 2)
    assert [(localname(e), e.get("id")) for e in line.came] == [("message", "1"), ("iq", "2")]
    assert not line.pipe.closed


def test_what_the_peer_does_not_take_yet_waits(line: Line) -> None:
    large = bytes(range(256)) * 64 * 1024  # 16 MiB: more than the kernel holds
    line.pipe.write(large)
    assert line.pipe.wants_to_write
    line.pipe.write(b"<behind/>")
    assert line.take(len(large) + 9) == large + b"<behind/>"
    assert not line.pipe.wants_to_write


def test_chunks_go_apart_and_in_order(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bytes] = []
    send = line.pipe.session.transport.try_send

    def counted(data: bytes | memoryview) -> int:
        written.append(bytes(data))
        return send(data)

    monkeypatch.setattr(line.pipe.session.transport, "try_send", counted)
    line.pipe.write(b"<a/>")
    line.pipe.write_apart([b"<b", b" c='", b"'/>"])
    line.pipe.write(b"<d/>")
    assert written == [b"<a/>", b"<b", b" c='", b"'/>", b"<d/>"]
    assert line.take(17) == b"<a/><b c=''/><d/>"


def test_what_is_written_behind_chunks_that_wait_stays_behind_them(line: Line) -> None:
    large = b"x" * 16 * 2**20
    line.pipe.write_apart([large, b"<b/>"])
    line.pipe.write(b"<c/>")
    line.pipe.write_apart([b"<d/>", b"<e/>"])
    assert line.take(len(large) + 16)[-16:] == b"<b/><c/><d/><e/>"


def test_a_stream_error_is_told_by_its_condition(line: Line) -> None:
    line.says(f"<message/><stream:error><policy-violation xmlns='{STREAMS}'/></stream:error></stream:stream>")
    end = line.end()
    assert (end.condition, end.orderly, end.violation, end.limit) == ("policy-violation", True, "", False)
    assert "policy-violation" in end.seen
    assert len(line.came) == 1, "what came before it is not lost"


def test_a_stream_error_without_a_closing_tag_is_still_one(line: Line) -> None:
    line.says(f"<stream:error><reset xmlns='{STREAMS}'/></stream:error>")
    line.far.close()
    end = line.end()
    assert (end.condition, end.orderly) == ("reset", False)


def test_a_closing_tag_alone_is_an_orderly_end(line: Line) -> None:
    line.says("</stream:stream>")
    assert line.end() == End(orderly=True)


def test_a_connection_that_is_closed_without_one_is_not(line: Line) -> None:
    line.says("<message/>")
    line.far.close()
    assert line.end() == End()
    assert len(line.came) == 1


def test_a_reset_is_an_end(line: Line) -> None:
    line.far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.far.close()
    end = line.end()
    assert (end.condition, end.orderly, end.violation) == ("", False, "")
    assert "reset" in end.seen.lower()


def test_what_the_server_said_before_it_closed_is_read_though_we_wrote(line: Line) -> None:
    line.says(f"<stream:error><not-well-formed xmlns='{STREAMS}'/></stream:error></stream:stream>")
    line.far.close()
    deadline = time.monotonic() + BOUND
    while not line.pipe.closed and time.monotonic() < deadline:
        line.pipe.write(b" " * 64 * 1024)  # until the far end's refusal is noticed
    assert line.end().condition == "not-well-formed"
    assert not line.pipe.wants_to_write


@pytest.mark.parametrize(
    "sent", ["<message></iq>", "<m/>text<m/>", "<!-- no -->", "<m a='1' a='2'/>", "<a:b/>", "<m>\x00</m>", "&nbsp;"]
)
def test_what_is_no_xmpp_is_a_violation(line: Line, sent: str) -> None:
    line.says(sent)
    end = line.end()
    assert end.violation
    assert not end.limit
    assert not end.orderly


@pytest.mark.parametrize("sent", ["<d>" * 250, "<m>" + "x" * (17 * 2**20)], ids=["deep", "large"])
def test_more_than_we_read_is_a_limit_of_ours(line: Line, sent: str) -> None:
    line.far.setblocking(False)
    left = memoryview(sent.encode())
    while left and not line.pipe.closed:
        try:
            left = left[line.far.send(left) :]
        except BlockingIOError:
            pump([line.pipe], 0.05)
    end = line.end()
    assert end.limit
    assert end.violation == ""


def test_a_pipe_that_ended_takes_no_more_and_says_nothing_more(line: Line) -> None:
    line.says("</stream:stream><message/>")
    first = line.end()
    line.pipe.write(b"<message/>")
    line.pipe.write_apart([b"<a/>", b"<b/>"])
    assert line.pipe.read() is False
    assert not line.pipe.wants_to_write
    line.pipe.close()
    assert line.pipe.end is first
    assert line.came == []
    pump([line.pipe], 0.0)


def test_closing_says_farewell_where_that_can_be_said(line: Line) -> None:
    line.pipe.close()
    assert line.pipe.end == End(seen="closed by us")
    assert line.far.recv(100) == b""  # no header was exchanged here, so there is no stream to close


def test_what_goes_over_the_wire_is_logged_within_bounds(line: Line) -> None:
    line.pipe.write(b"<a/>")
    line.pipe.write_apart([b"<b", b"/>"])
    line.says("<message/>")
    line.until(lambda: line.came)
    assert [(e.label, e.direction, e.data) for e in line.log] == [
        ("fuzzer", "sent", b"<a/>"),
        ("fuzzer", "sent", b"<b/>"),
        ("fuzzer", "received", b"<message/>"),
    ]
    line.pipe.write(b"y" * (LOG_BYTES + 1))
    assert len(line.log[-1].data) == LOG_BYTES
    for _ in range(LOG_ENTRIES):
        line.pipe.write(b" ")
    assert len(line.log) == LOG_ENTRIES


def test_nothing_happens_for_no_longer_than_was_said(line: Line) -> None:
    began = time.monotonic()
    pump([line.pipe], 0.02)
    assert time.monotonic() - began >= 0.015
    pump([], 0.0)
    assert line.pipe.read() is False
