"""HTTP/1.1 as a client speaks it, over a transport that is there already (frames by h11): one exchange after another.

What carries BOSH, host-meta and uploads; knows no XMPP. Anything else can be sent below it, on the transport itself.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import h11

from lab.errors import PeerError
from lab.wire.transport import ConnectionLost, NoAnswer, Transport

Header = tuple[str, str]
BODY_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class Response:
    """`headers` have their names in lower case, in the order of arrival."""

    status: int
    headers: tuple[Header, ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """The first value of a header."""
        return next((value for key, value in self.headers if key == name.lower()), None)


class HttpConnection:
    """One connection to `host` (as the Host header has it). `ask`, then `answer`, then again."""

    def __init__(self, transport: Transport, host: str) -> None:
        self.transport = transport
        self._host = host
        self._h11 = h11.Connection(our_role=h11.CLIENT, max_incomplete_event_size=BODY_BYTES)
        self._head: h11.Response | None = None
        self._body = bytearray()

    def ask(
        self, method: str, path: str, body: bytes = b"", *, headers: Sequence[Header] = (), timeout: float
    ) -> None:
        """Send a request. Raises ConnectionLost, NoAnswer."""
        fields = [("Host", self._host), *headers]
        if method in {"POST", "PUT"}:
            fields.append(("Content-Length", str(len(body))))
        events = [h11.Request(method=method, target=path, headers=fields), h11.Data(body), h11.EndOfMessage()]
        self.transport.send(b"".join(self._h11.send(event) or b"" for event in events), timeout=timeout)

    def answer(self, *, timeout: float) -> Response:
        """The response to what was asked. After NoAnswer it can be waited for again.

        Raises NoAnswer, ConnectionLost, PeerError where what came is no HTTP.
        """
        deadline = time.monotonic() + timeout
        while True:
            try:
                event = self._h11.next_event()
            except h11.RemoteProtocolError as error:
                raise PeerError("what came is no HTTP response", seen=str(error)) from error
            if event is h11.NEED_DATA:
                self._read(deadline)
            elif isinstance(event, h11.Response):
                self._head = event
            elif isinstance(event, h11.Data):
                self._body += event.data
                if len(self._body) > BODY_BYTES:
                    raise PeerError(f"an HTTP response of more than {BODY_BYTES} bytes")
            elif isinstance(event, h11.EndOfMessage):
                return self._ended()
            else:  # the end, or an upgrade that nobody asked for
                raise ConnectionLost("the HTTP connection came to nothing", seen=str(event))

    @property
    def reusable(self) -> bool:
        """Whether another request can be sent."""
        return self._h11.our_state is h11.IDLE

    def close(self) -> None:
        self.transport.close()

    def _read(self, deadline: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise NoAnswer("no HTTP response came in time")
        data = self.transport.receive(timeout=left)
        if not data and self._head is None:
            raise ConnectionLost("the peer closed the HTTP connection without an answer")
        self._h11.receive_data(data)

    def _ended(self) -> Response:
        head, body = self._head, bytes(self._body)
        if head is None:  # h11 gives the head first
            raise PeerError("an HTTP response without a head")
        self._head, self._body = None, bytearray()
        if self._h11.our_state is h11.DONE and self._h11.their_state is h11.DONE:
            self._h11.start_next_cycle()
        headers = tuple((name.decode().lower(), value.decode("latin-1")) for name, value in head.headers)
        return Response(head.status_code, headers, body)
