"""XMPP over BOSH (XEP-0124, XEP-0206): a session whose stanzas travel in HTTP requests and the responses to them.

Requests go out in the order of their `rid`, each on a connection that is free; responses are taken in that order,
too (§14.2). Whenever something is awaited, a request is with the server, so that it has what to answer with (§8).
"""

from __future__ import annotations

import contextlib
import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from secrets import randbelow
from xml.sax.saxutils import quoteattr

from lab.errors import LabError
from lab.wire.framing import BodyStream, root_of, with_namespace
from lab.wire.http import Header, HttpConnection, Response
from lab.wire.namespaces import HTTPBIND, XBOSH
from lab.wire.session import Observer, Session
from lab.wire.stream import Element, PeerViolation, State
from lab.wire.trace import Trace
from lab.wire.transport import ConnectionLost, NoAnswer, Transport

CONTENT_TYPE: Header = ("Content-Type", "text/xml; charset=utf-8")
WAIT = 60  # seconds: more than the patience of any check
REQUESTS = 2  # at a time, before the server has said how many
LARGEST_FIRST_RID = 2**31
_TERMINATES = re.compile(rb"""\s*<body\s[^>]*\btype\s*=\s*["']terminate["']""")
GAP = 0.05  # seconds between two requests, so that they arrive in order: servers stumble over those that do not
CLOSING_SECONDS = 1.0  # for the server to take the last request


class HttpRefused(ConnectionLost):
    """A response whose status is not 200: to a client that said its version, nothing else is due (§17.1)."""

    def __init__(self, response: Response) -> None:
        self.response = response
        status = response.status
        super().__init__(f"the server answered with HTTP status {status}", expected="status 200", seen=str(status))


@dataclass
class _Pending:
    """A request that awaits its response. `again` is whether it may be sent once more on a fresh connection."""

    body: bytes
    connection: HttpConnection
    again: bool
    sent: float = field(default_factory=time.monotonic)


class BoshSession(Session):
    """A session over BOSH. `send` wraps a stanza in a <body/>, `send_raw` posts a whole one as written.

    `dial` opens a connection to the server. With `whole`, events are whole bodies: for checks of BOSH itself.
    `attributes` are put over those of the session creation request; None takes one away.
    """

    def __init__(
        self,
        dial: Callable[[], Transport],
        *,
        host: str,
        path: str,
        domain: str,
        patience: float,
        trace: Trace | None = None,
        label: str = "session",
        observer: Observer | None = None,
        whole: bool = False,
        attributes: Mapping[str, str | None] | None = None,
    ) -> None:
        first = dial()
        super().__init__(first, domain=domain, patience=patience, trace=trace, label=label, observer=observer)
        self.stream = BodyStream(whole=whole)
        self._whole = whole
        self.created: Element | None = None
        """The <body/> of the session creation response."""
        self.last: Response | None = None
        """The response that was taken last."""
        self.most_requests: int | None = REQUESTS
        """How many requests are sent at a time; None: as many as a check likes."""
        self.content_type = CONTENT_TYPE
        self.keys: list[str] = []
        """Keys that are left to protect the session by, one for each request (§15.4)."""
        self.attributes = dict(attributes or {})
        self.rid = randbelow(LARGEST_FIRST_RID)
        self._dial, self._host, self._path = dial, host, path
        self._idle: list[HttpConnection] = [HttpConnection(first, host)]
        self._pending: deque[_Pending] = deque()
        self._arrived: deque[bytes] = deque()
        self._refused: HttpRefused | None = None
        self._terminated = False

    @property
    def sid(self) -> str:
        """The session's id; empty before it is created."""
        return self.created.get("sid", "") if self.created is not None else ""

    @property
    def pending(self) -> int:
        """How many requests await their response."""
        return len(self._pending)

    # --- what is sent

    def body(self, payload: str = "", attributes: Mapping[str, str | None] | None = None) -> str:
        """A <body/> with the next rid. `attributes` go over the usual ones; None takes one away."""
        self.rid += 1
        usual: dict[str, str | None] = {"rid": str(self.rid), "sid": self.sid or None}
        if self.keys:
            usual["key"] = self.keys.pop(0)
        written = "".join(f" {k}={quoteattr(v)}" for k, v in {**usual, **(attributes or {})}.items() if v is not None)
        prefix = f" xmlns:xmpp='{XBOSH}'" if "xmpp:" in written else ""
        start = f"<body xmlns='{HTTPBIND}'{prefix}{written}"
        return f"{start}>{payload}</body>" if payload else f"{start}/>"

    def opening(self) -> str:
        """The session creation request (§7.1), or a restart request (XEP-0206 §5)."""
        if self.header is not None:
            return self.body("", {"to": self.domain, "xml:lang": "en", "xmpp:restart": "true"})
        asked: dict[str, str | None] = {
            "to": self.domain,
            "xml:lang": "en",
            "ver": "1.6",
            "wait": str(WAIT),
            "hold": "1",
            "xmpp:version": "1.0",
        }
        return self.body("", asked | self.attributes)

    def closing(self) -> str:
        return self.body("", {"type": "terminate"})

    def dressed(self, xml: str) -> str:
        """In a <body/> of its own, with the namespaces that a stream would have declared (XEP-0206 §2)."""
        return self.body(with_namespace(xml))

    def send_together(self, stanzas: Iterable[str]) -> None:
        self.send_raw(self.body("".join(with_namespace(stanza) for stanza in stanzas)).encode())

    def _transmit(self, data: bytes) -> None:
        while self.most_requests is not None and len(self._pending) >= self.most_requests:
            self._arrived.append(self._collect(self.patience))
        if self._pending and not self._whole:
            self._let_it_arrive(self._pending[-1])
        self._post(data)

    def _let_it_arrive(self, last: _Pending) -> None:
        """Two connections race: leave the request before this one a moment, in which its answer is welcome, too."""
        left = last.sent + GAP - time.monotonic()
        if left > 0:
            with contextlib.suppress(NoAnswer):
                self._arrived.append(self._collect(left))

    def _post(self, data: bytes) -> None:
        reused = [connection for connection in self._idle if connection.reusable]
        self._idle = [connection for connection in self._idle if connection in reused]
        connection = self._idle.pop(0) if self._idle else HttpConnection(self._dial(), self._host)
        self._ask(_Pending(data, connection, again=bool(reused)))

    def _ask(self, pending: _Pending) -> None:
        try:
            pending.connection.ask(
                "POST", self._path, pending.body, headers=[self.content_type], timeout=self.patience
            )
        except ConnectionLost:
            if not pending.again:
                raise
            self._redial(pending)
        else:
            self._pending.append(pending)

    def _redial(self, pending: _Pending) -> None:
        """The server has closed a connection that was kept: the same request goes out once more (§14.3)."""
        pending.connection.close()
        self._ask(_Pending(pending.body, HttpConnection(self._dial(), self._host), again=False))

    # --- what comes

    def _fetch(self, timeout: float) -> bytes:
        if self._arrived:
            return self._arrived.popleft()
        if self.stream.state is State.CLOSED:
            return b""
        if self._refused is not None:
            raise self._refused
        if not self._pending and self._terminated:
            return b""
        if not self._pending:
            poll = self.body().encode()
            self.trace.sent(self.label, poll)
            self._post(poll)
        return self._collect(timeout)

    def _collect(self, timeout: float) -> bytes:
        """The body of the response to the oldest request. Raises NoAnswer, ConnectionLost, HttpRefused."""
        pending = self._pending[0]
        try:
            response = pending.connection.answer(timeout=timeout)
        except NoAnswer:
            raise
        except LabError as error:
            self._pending.popleft()
            pending.connection.close()
            if not pending.again or not isinstance(error, ConnectionLost):
                raise
            others = list(self._pending)
            self._pending.clear()
            self._redial(pending)
            self._pending.extend(others)
            return self._collect(timeout)
        self._pending.popleft()
        self._idle.append(pending.connection)
        self.last = response
        if response.status != 200:
            self.trace.note(self.label, f"HTTP status {response.status}: {response.body[:500]!r}")
            self._refused = HttpRefused(response)
            raise self._refused
        if self.created is None:
            self._learn(response.body)
        self._terminated = self._terminated or _TERMINATES.match(response.body) is not None
        return response.body

    def _learn(self, body: bytes) -> None:
        try:
            created = root_of(body)
        except PeerViolation:
            return  # the stream's reader says so
        if created.get("sid"):
            self.created = created
            asked = created.get("requests", "")
            if self.most_requests is not None and asked.isascii() and asked.isdigit():
                self.most_requests = max(int(asked), 1)

    def close(self, *, farewell: float = 0.0) -> None:
        try:
            if self.sid and not self._terminated and self._refused is None:
                goodbye = self.closing().encode()
                self.trace.sent(self.label, goodbye)
                self._post(goodbye)
                while self._pending:  # closed sooner, the request might be lost with its connection
                    self._collect(CLOSING_SECONDS)
        except LabError as error:
            self.trace.note(self.label, f"closing: {error.message}")
        finally:
            self.abandon()

    def abandon(self) -> None:
        for pending in self._pending:
            pending.connection.close()
        for connection in self._idle:
            connection.close()
        self.transport.close()
