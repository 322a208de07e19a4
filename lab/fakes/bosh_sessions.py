"""The fake server's side of BOSH (XEP-0124, XEP-0206): sessions, and a `ClientConnection` behind each."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from secrets import token_hex
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

from lab.fakes.carried import CarriedTransport, as_document
from lab.fakes.client_connection import ClientConnection
from lab.wire.framing import root_of
from lab.wire.namespaces import CLIENT, HTTPBIND, STREAM, XBOSH
from lab.wire.stream import Element, PeerViolation

if TYPE_CHECKING:
    from lab.fakes.server import FakeServer
    from lab.fakes.web_connection import WebConnection

INACTIVITY, MOST_PAUSE, POLLING, MOST_WAIT = 30, 60, 2, 60  # seconds
KEPT = 5  # responses that can be asked for again


@dataclass
class _Held:
    """A request that awaits its response."""

    rid: int
    web: WebConnection


class BoshSessions:
    """All of a server's sessions."""

    def __init__(self, server: FakeServer) -> None:
        self._server = server
        self._sessions: dict[str, BoshPeer] = {}

    def take(self, web: WebConnection, data: bytes) -> None:
        """A request came."""
        try:
            body = root_of(data)
        except PeerViolation:
            web.respond_bosh(_terminate("bad-request"))
            return
        rid = body.get("rid", "")
        if body.tag != f"{{{HTTPBIND}}}body" or not (rid.isascii() and rid.isdigit()):
            web.respond_bosh(_terminate("bad-request"))
            return
        if body.get("sid") is None:
            self._create(web, body, int(rid))
            return
        session = self._sessions.get(body.get("sid", ""))
        if session is None:
            web.respond_bosh(_terminate("item-not-found"))
        elif session.secure and not web.tls and not self._server.behaviour.on_plain_request(web):
            return
        else:
            session.take(web, body, int(rid))

    def _create(self, web: WebConnection, body: Element, rid: int) -> None:
        if body.get("to") != self._server.domain:
            condition = "host-unknown" if body.get("to") else "improper-addressing"
            web.respond_bosh(_terminate(condition), body.get("content", ""))
            return
        session = BoshPeer(self._server, body, rid, self._sessions, secure=web.tls)
        self._sessions[session.sid] = session
        session.take(web, body, rid)

    def end(self) -> None:
        """Forget all of them: the server stops."""
        for session in list(self._sessions.values()):
            session.end()

    def end_secure(self) -> None:
        """End all sessions that began under TLS: a misbehaviour."""
        for session in list(self._sessions.values()):
            session.end()


class BoshPeer:
    """One session."""

    def __init__(
        self, server: FakeServer, asked: Element, rid: int, others: dict[str, BoshPeer], *, secure: bool
    ) -> None:
        self.sid = token_hex(16)
        self.secure = secure
        self._behaviour = server.behaviour
        self._others = others
        self._server = server
        self._content = asked.get("content", "")
        self._wait = min(_number(asked.get("wait"), MOST_WAIT), MOST_WAIT)
        self._hold = min(_number(asked.get("hold"), 1), 2)
        self._polls = not (self._wait and self._hold)
        self._requests = self._hold + 1
        self._expected = rid
        self._key = asked.get("newkey", "").lower()
        self._early: dict[int, tuple[WebConnection, Element]] = {}
        self._held: list[_Held] = []
        self._out: list[str] = []
        self._responses: dict[int, str] = {}
        self._first = True
        self._over = False
        self._error = False
        self._pause = 0
        self._empty_at: float | None = None
        self._loop = asyncio.get_running_loop()
        self._waiting: asyncio.TimerHandle | None = None
        self._silence: asyncio.TimerHandle | None = None
        self.client = ClientConnection(server, tls=True)
        self.client.connection_made(
            CarriedTransport(
                on_header=lambda _: None, on_element=self._send, on_end=lambda: None, on_close=self._close
            )
        )
        self._server = server

    # --- requests

    def take(self, web: WebConnection, body: Element, rid: int) -> None:
        """A request of this session (§14.2, §14.3)."""
        if rid in self._responses:
            web.respond_bosh(self._responses[rid], self._content)
            return
        again = next((held for held in self._held if held.rid == rid), None)
        if again is not None:
            again.web.respond_bosh(f"<body xmlns='{HTTPBIND}' type='error'/>", self._content)
            again.web = web
        elif self._expected < rid < self._expected + self._requests:
            self._early[rid] = (web, body)
        elif rid != self._expected:
            web.respond_bosh(_terminate("item-not-found"), self._content)
            self.end()
        else:
            self._serve(web, body, rid)
            while not self._over and self._expected in self._early:
                early_web, early = self._early.pop(self._expected)
                self._serve(early_web, early, self._expected)

    def _serve(self, web: WebConnection, body: Element, rid: int) -> None:
        if not self._first and self._refused(body):
            return self._terminate(web, rid, "item-not-found")
        if self._polls and self._too_often(body):
            return self._terminate(web, rid, "policy-violation")
        self._expected = rid + 1
        self._held.append(_Held(rid, web))
        if self._silence:
            self._silence.cancel()
        if self._first or body.get(f"{{{XBOSH}}}restart") in {"true", "1"}:
            header = (
                f"<stream:stream xmlns='{CLIENT}' xmlns:stream='{STREAM}' to='{self._server.domain}' version='1.0'>"
            )
            self.client.data_received(header.encode())
        else:
            for child in body:
                self.client.data_received(as_document(child).encode())
        if body.get("type") == "terminate":
            self._over = True
            self.client.data_received(b"</stream:stream>")
            self._flush()
            return None
        if body.get("pause"):
            self._pause = _number(body.get("pause"), 0)
            while self._held:
                self._respond("")
        else:
            self._pause = 0
        self._settle()
        return None

    def _refused(self, body: Element) -> bool:
        """Whether the key of this request is not the next one (§15.4)."""
        if not self._key:
            return False
        key = body.get("key", "")
        right = hashlib.sha1(key.encode()).hexdigest() == self._key  # noqa: S324 - the protocol says SHA-1
        self._key = body.get("newkey", key).lower()
        return not right

    def _too_often(self, body: Element) -> bool:
        """Whether this is the second empty request within the polling interval (§12)."""
        if self._first or len(body) or body.get("type"):
            self._empty_at = None
            return False
        before, self._empty_at = self._empty_at, self._loop.time()
        return before is not None and self._empty_at - before < POLLING

    def _terminate(self, web: WebConnection, rid: int, condition: str) -> None:
        self._held.append(_Held(rid, web))
        self._others.pop(self.sid, None)
        while self._held:
            self._held.pop(0).web.respond_bosh(_terminate(condition), self._content)
        self.end()

    # --- responses

    def _send(self, xml: str) -> None:
        """The server has something for the client."""
        self._error = self._error or xml.startswith("<stream:error")
        self._out.append(xml)
        self._loop.call_soon(self._settle)

    def _settle(self) -> None:
        """Answer what has to be answered now, and hold the rest (§8)."""
        if self._over:
            self._flush()
            return
        if self._held and self._out and not self._pause:
            self._respond("".join(self._out))
        while len(self._held) > self._behaviour.hold(self._hold):
            self._respond("")
        if self._held and not self._behaviour.wait(self._wait):
            self._respond("")
        if self._waiting:
            self._waiting.cancel()
        if self._held:
            self._waiting = self._loop.call_later(self._behaviour.wait(self._wait), self._waited)
        elif not self._polls or self._pause:
            allowed = self._behaviour.inactivity(self._pause or INACTIVITY)
            self._silence = self._loop.call_later(allowed, self.end)

    def _waited(self) -> None:
        if self._held:
            self._respond("")
        self._settle()

    def _respond(self, payload: str, *, ends: bool = False) -> None:
        """Answer the oldest request; whatever was to be sent is, if it is told."""
        held = self._held.pop(self._behaviour.next_held(len(self._held)))
        if payload:
            self._out.clear()
        attributes = self._created() if self._first else ""
        self._first = False
        if ends:
            attributes += " type='terminate'" + (" condition='remote-stream-error'" if self._error else "")
        streams = f" xmlns:stream='{STREAM}'" if "stream:" in payload else ""
        text = f"<body xmlns='{HTTPBIND}'{streams}{attributes}>{payload}</body>"
        if not self._pause:
            self._responses[held.rid] = text
            for old in sorted(self._responses)[:-KEPT]:
                del self._responses[old]
        held.web.respond_bosh(text, self._content)

    def _created(self) -> str:
        told = {
            "sid": self.sid,
            "wait": self._wait,
            "requests": self._requests,
            "hold": self._hold,
            "ver": "1.6",
            "polling": POLLING,
            "inactivity": INACTIVITY,
            "maxpause": MOST_PAUSE,
            "from": self._server.domain,
            "xmpp:version": "1.0",
            "xmpp:restartlogic": "true",
        }
        return f" xmlns:xmpp='{XBOSH}'" + "".join(f" {name}={quoteattr(str(value))}" for name, value in told.items())

    # --- the end

    def _close(self) -> None:
        self._over = True
        self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        """Tell the oldest request of the end, and all others nothing (§13)."""
        self._others.pop(self.sid, None)
        if self._held:
            self._respond("".join(self._out), ends=True)
        while self._held:
            self._respond("")
        self.end()

    def end(self) -> None:
        """Forget the session: nobody is told."""
        self._over = True
        self._others.pop(self.sid, None)
        for timer in (self._waiting, self._silence):
            if timer:
                timer.cancel()
        self.client.connection_lost(None)


def _terminate(condition: str) -> str:
    return f"<body xmlns='{HTTPBIND}' type='terminate' condition='{condition}'/>"


def _number(text: str | None, default: int) -> int:
    return int(text) if text and text.isascii() and text.isdigit() else default
