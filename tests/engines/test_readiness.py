"""The probe against ports that behave in all the ways in which ports behave."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from lab.cell import Endpoint
from lab.engines.ports import LOOPBACK, free_ports
from lab.engines.readiness import probe


@contextmanager
def port_that(behaves: Callable[[socket.socket], object]) -> Iterator[Endpoint]:
    """A port whose one connection is handed to `behaves`, then closed."""
    with socket.create_server((LOOPBACK, 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                behaves(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield Endpoint(LOOPBACK, listener.getsockname()[1])
        thread.join(5)
        assert not thread.is_alive()


def answer_slowly(connection: socket.socket) -> None:
    assert connection.recv(100) == b"HELLO"
    with suppress(OSError):  # the probe hangs up when it has seen enough
        for byte in b"well, READY then":
            connection.sendall(bytes([byte]))


def answer_something_else(connection: socket.socket) -> None:
    connection.recv(100)
    connection.sendall(b"<other/>")


def answer_something_else_and_wait(connection: socket.socket) -> None:
    answer_something_else(connection)
    connection.recv(100)


def flood(connection: socket.socket) -> None:
    with pytest.raises(OSError):  # noqa: PT012 - the probe hangs up, at which block nobody can tell
        while True:
            connection.sendall(b"x" * 65536)


def wait_for_the_end(connection: socket.socket) -> None:
    while connection.recv(100):
        pass


def test_the_expected_answer_makes_it_ready() -> None:
    with port_that(answer_slowly) as endpoint:
        assert probe(endpoint, b"HELLO", b"READY", 5) is None


@pytest.mark.parametrize(
    ("behaves", "why"),
    [
        (lambda connection: connection.close(), "accepts and closes at once"),
        (answer_something_else, "closed after it had answered b'<other/>'"),
        (answer_something_else_and_wait, "answered only b'<other/>'"),
        (wait_for_the_end, "does not answer"),
        (flood, "bytes without b'READY' in them"),
    ],
)
def test_anything_else_is_told(behaves: Callable[[socket.socket], object], why: str) -> None:
    with port_that(behaves) as endpoint:
        assert why in (probe(endpoint, b"HELLO", b"READY", 0.3) or "")


def test_a_port_where_nobody_listens_is_told() -> None:
    (port,) = free_ports(1)
    assert probe(Endpoint(LOOPBACK, port), b"HELLO", b"READY", 0.3) == "cannot be reached (Connection refused)"
