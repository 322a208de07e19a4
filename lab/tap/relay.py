"""A relay: bytes from a client to a server and back, untouched. For logins that nobody is to stand between."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from types import TracebackType
from typing import Self

from lab.cell import Endpoint

CHUNK = 64 * 1024
CONNECT_SECONDS = 10.0


class Relay:
    """Listens on a free port of `host` and passes each connection on to `target`, until the block is left.

    `connections` is how many there have been.
    """

    def __init__(self, host: str, target: Endpoint) -> None:
        self._listener = socket.create_server((host, 0))
        self.endpoint = Endpoint(*self._listener.getsockname())
        self._target = target
        self.connections = 0
        self._came = threading.Event()
        self._wake, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._wake.close()
        self._thread.join()
        self._listener.close()

    def waits(self, seconds: float) -> int:
        """How many connections there have been, once there is one, or after so long."""
        self._came.wait(seconds)
        return self.connections

    def _run(self) -> None:
        others: dict[socket.socket, socket.socket] = {}
        ended: set[socket.socket] = set()  # they say no more; what the other side says still goes to them
        with selectors.DefaultSelector() as selector, self._woken:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    ready = key.fileobj
                    if ready is self._woken:
                        for sock in others:
                            sock.close()
                        return
                    if ready is self._listener:
                        self._begin(selector, others)
                    elif isinstance(ready, socket.socket) and ready in others and not _passed(ready, others[ready]):
                        selector.unregister(ready)
                        ended.add(ready)
                        other = others[ready]
                        if other in ended:
                            for sock in (other, ready):
                                sock.close()
                                ended.discard(sock)
                                del others[sock]

    def _begin(self, selector: selectors.BaseSelector, others: dict[socket.socket, socket.socket]) -> None:
        client, _ = self._listener.accept()
        self.connections += 1
        self._came.set()
        try:
            server = socket.create_connection((self._target.host, self._target.port), CONNECT_SECONDS)
        except OSError:  # as the client sees it: it is hung up on
            client.close()
            return
        for one, other in ((client, server), (server, client)):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            others[one] = other
            selector.register(one, selectors.EVENT_READ)


def _passed(source: socket.socket, target: socket.socket) -> bool:
    """Pass on what has come; False at the end, of which the target is told."""
    try:
        data = source.recv(CHUNK)
        if data:
            target.sendall(data)
    except OSError:
        data = b""
    if not data:
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)
    return bool(data)
