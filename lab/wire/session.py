"""A blocking session: one entity's connection, as scenarios use it.

Sends anything (a stanza, or raw bytes), and waits for what must come. Elements that a wait passes over stay in
the inbox for later waits. Negotiation (header, TLS, SASL, bind) stands in `lab.wire.negotiation`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Protocol

from lxml import etree

from lab.errors import LabError, PeerError
from lab.wire.elements import localname, new_id, parse, show, stanza_error_condition, stream_error_condition
from lab.wire.header import DECLARATION, header
from lab.wire.namespaces import CLIENT, COMPONENT, LAB, PING, SERVER, STREAM
from lab.wire.stream import Element, Event, Reader, Received, Stream, StreamClosed, StreamOpened
from lab.wire.trace import Trace
from lab.wire.transport import ConnectionLost, NoAnswer, Transport

INBOX = 10_000
QUIET_SECONDS = 0.03  # for what was sent on this machine before, and is in the socket by now

Matches = Callable[[Element], bool]
Tamper = Callable[["Session", Event], Iterable[Event]]
"""What `make prove` puts between the wire and a check: an event in, the events that the check sees out."""


class Observer(Protocol):
    """Is told of all that a session sends, once it is on its way, and of each event as the check sees it."""

    def sent(self, session: Session, data: bytes) -> None: ...
    def received(self, session: Session, event: Event) -> None: ...


class StreamFailed(PeerError):
    """The peer sent a stream error while something else was awaited (RFC 6120 §4.9)."""

    def __init__(self, element: Element) -> None:
        self.element = element
        self.condition = stream_error_condition(element)
        super().__init__(f"the peer ended the stream with {self.condition}", seen=show(element))


class StreamEnded(PeerError):
    """The peer closed its stream while something else was awaited (RFC 6120 §4.4).

    `condition` is BOSH's reason for it (XEP-0124 §17.2), empty where there is none.
    """

    def __init__(self, condition: str = "") -> None:
        self.condition = condition
        super().__init__(f"the peer closed its stream{f': {condition}' if condition else ''}")


class Session:
    """One connection and the stream on it. `jid` is the full JID once bound, before that empty."""

    def __init__(
        self,
        transport: Transport,
        *,
        domain: str,
        patience: float,
        trace: Trace | None = None,
        label: str = "session",
        namespace: str = CLIENT,
        observer: Observer | None = None,
    ) -> None:
        self.transport = transport
        self.domain = domain
        self.patience = patience
        self.namespace = namespace
        self.observer = observer
        self.trace = trace or Trace()
        self.label = self.trace.label(label)
        self.stream: Reader = Stream()
        self.jid = ""
        self.sender = ""
        """Who the next stream header says to be (RFC 6120 §4.7.1), empty for nobody: SASL2 hangs on it."""
        self.header: StreamOpened | None = None
        self.features: Element | None = None
        self.inbox: list[Element] = []
        self.tamper: Tamper | None = None
        self.inject: Callable[[Session, str], bool] | None = None
        self.hurry: float | None = None
        """The longest wait, in seconds, once `make prove` has done its damage: what still comes is on its way."""
        self._ready: list[Event] = []

    def __repr__(self) -> str:
        return f"<Session {self.label} {self.jid or 'unbound'}>"

    @property
    def bare_jid(self) -> str:
        return self.jid.partition("/")[0]

    @property
    def resource(self) -> str:
        return self.jid.partition("/")[2]

    # --- what depends on what carries the stream

    def opening(self) -> str:
        """What opens a stream, or begins the next one.

        A restart leaves out the XML declaration, which only SHOULD be there (§11.4): some servers choke on a second
        one, and every check beyond login would fail for that alone. A check of its own sends it.
        """
        declaration = DECLARATION if self.header is None else ""
        attributes = f"from={_quoted(self.sender)}" if self.sender else ""
        return header(to=self.domain, namespace=self.namespace, declaration=declaration, attributes=attributes)

    def closing(self) -> str:
        """What closes the stream (RFC 6120 §4.4)."""
        return "</stream:stream>"

    def dressed(self, xml: str) -> str:
        """`xml` as this transport carries a first-level element: within a stream, just as it is."""
        return xml

    def _transmit(self, data: bytes) -> None:
        """Raises ConnectionLost, NoAnswer."""
        self.transport.send(data, timeout=self.patience)

    def _fetch(self, timeout: float) -> bytes:
        """What came next, or b"" when the peer has closed. Raises NoAnswer, ConnectionLost."""
        return self.transport.receive(timeout=timeout)

    # --- sending

    def send(self, xml: str | Element) -> None:
        """Send a stanza or any other XML, as written."""
        self.send_raw(self.dressed(xml if isinstance(xml, str) else etree.tostring(xml, encoding="unicode")).encode())

    def send_together(self, stanzas: Iterable[str]) -> None:
        """Send several stanzas without waiting between them, in as few pieces as this transport allows."""
        self.send("".join(stanzas))

    def send_raw(self, data: bytes) -> None:
        """Send bytes, whatever they are. Raises ConnectionLost, NoAnswer."""
        self.trace.sent(self.label, data)
        try:
            self._transmit(data)
        finally:  # a part may have gone; and while the peer works, there is time to observe
            if self.observer is not None:
                self.observer.sent(self, data)

    # --- receiving

    def next_event(self, *, timeout: float | None = None) -> Event:
        """The next event of the stream. Raises NoAnswer, ConnectionLost, PeerViolation."""
        limit = self.patience if timeout is None else timeout
        deadline = time.monotonic() + limit
        while not self._ready:
            if self.hurry is not None:
                deadline = min(deadline, time.monotonic() + self.hurry)
            event = self._read_event(deadline, limit)
            arrived = tuple(self.tamper(self, event)) if self.tamper else (event,)
            self._ready.extend(arrived)
            if self.observer is not None:
                for one in arrived:
                    self.observer.received(self, one)
        return self._ready.pop(0)

    def _read_event(self, deadline: float, limit: float) -> Event:
        while (event := self.stream.next_event()) is None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise NoAnswer(f"nothing came within {limit:.1f} s")
            data = self._fetch(left)
            if not data:
                self.trace.note(self.label, "the peer closed the connection")
                raise ConnectionLost("the peer closed the connection without closing its stream")
            self.trace.received(self.label, data)
            self.stream.receive_data(data)
        return event

    def receive(self, *, timeout: float | None = None) -> Element:
        """The next element, in the order of arrival.

        Raises StreamFailed on a stream error, StreamEnded on a closing tag, and what `next_event` raises.
        """
        if self.inbox:
            return self.inbox.pop(0)
        return self._receive_new(timeout)

    def _receive_new(self, timeout: float | None = None) -> Element:
        event = self.next_event(timeout=timeout)
        if isinstance(event, StreamClosed):
            raise StreamEnded(event.condition)
        if isinstance(event, StreamOpened):
            raise PeerError("the peer sent a stream header where a stanza was awaited")
        if event.element.tag == f"{{{STREAM}}}error":
            raise StreamFailed(event.element)
        return event.element

    def expect(self, matches: str | Matches, what: str = "", *, timeout: float | None = None) -> Element:
        """The next element that fits; the ones before it stay in the inbox.

        `matches` is a predicate, or the id of the awaited stanza. `what` says in words what is awaited.
        Raises PeerError with what was awaited and what came instead.
        """
        if isinstance(matches, str):
            wanted = matches
            what = what or f"a stanza with id {wanted!r}"
            matches = lambda element: element.get("id") == wanted  # noqa: E731 - one predicate, named above
        for place, element in enumerate(self.inbox):
            if matches(element):
                return self.inbox.pop(place)
        limit = self.patience if timeout is None else timeout
        deadline = time.monotonic() + limit
        first_passed = len(self.inbox)
        try:
            while not matches(element := self._receive_new(max(deadline - time.monotonic(), 0))):
                self._keep(element)
        except PeerError as error:
            passed = "; ".join(show(e) for e in self.inbox[first_passed:][:5])
            if isinstance(error, NoAnswer):
                error.seen = passed or f"nothing within {limit:.1f} s"
            elif passed:
                error.seen += f" (before it: {passed})"
            error.expected = error.expected or what or "an answer"
            raise
        return element

    def _keep(self, element: Element) -> None:
        if len(self.inbox) >= INBOX:
            raise PeerError(f"the peer sent {INBOX} stanzas that nobody awaited", seen=show(element))
        self.inbox.append(element)

    # --- exchanges

    def iq(self, kind: str, payload: str, *, to: str | None = None, attributes: str = "") -> Element:
        """Send an iq of type `kind` and answer the stanza of the same id that comes back, result or error.

        `attributes` is put into the start tag as written.
        """
        identifier = new_id()
        target = f" to={_quoted(to)}" if to is not None else ""
        self.send(f"<iq type='{kind}' id='{identifier}'{target}{attributes}>{payload}</iq>")
        return self.expect(
            lambda e: e.get("id") == identifier and localname(e) == "iq" and e.get("type") in {"result", "error"},
            f"a result or error for the iq {kind} with id {identifier!r}",
        )

    def sentinel(self, recipient: Session | None = None) -> None:
        """Send something behind all that was sent before, and wait until it has come.

        Alone: an iq to the own server, which must answer it (RFC 6120 §8.2.3). With `recipient`: a message to
        its full JID; XMPP delivers in order between two entities (§10.1), so what had to come before it is in
        the recipient's inbox now. Never damaged by `make prove`.
        """
        mark = f"sentinel-{new_id()}"
        waits = recipient or self
        # A component's or a server's stanzas bear an address of its own (XEP-0114 §3); a client's are stamped.
        sender = f" from={_quoted(self.jid)}" if self.namespace in {COMPONENT, SERVER} else ""
        if recipient is None:
            self.send(f"<iq type='get' id='{mark}' to={_quoted(self.domain)}{sender}><ping xmlns='{PING}'/></iq>")
        else:
            self.send(
                f"<message to={_quoted(recipient.jid)} id='{mark}' type='chat'{sender}><body>{mark}</body>"
                f"<sentinel xmlns='{LAB}' id='{mark}'/></message>"
            )

        def is_mark(element: Element) -> bool:
            return mark in (element.get("id"), element.findtext("{*}body"))

        waits.expect(is_mark, f"the sentinel {mark} that was sent behind")

    def expect_nothing(self, forbidden: str, matches: Matches, what: str, *, after: Session | None = None) -> None:
        """Show that nothing comes that fits `matches`: whatever came before a sentinel of `after` is looked at.

        `forbidden` is an example, in XML, of just what must not come: `make prove` puts it into the inbox to
        see that this check notices. Raises PeerError with the stanza that came.
        """
        (after or self).sentinel(self if after and after is not self else None)
        self.forbid(forbidden, matches, what)

    def forbid(self, forbidden: str, matches: Matches, what: str) -> None:
        """As `expect_nothing`, of what is in the inbox already."""
        if self.inject and self.inject(self, forbidden):
            self.inbox.append(parse(forbidden, default=self.namespace))
        for place, element in enumerate(self.inbox):
            if matches(element):
                self.inbox.pop(place)
                raise PeerError(f"{what} came", expected=f"no {what}", seen=show(element))

    def nothing_by_now(self, forbidden: str, matches: Matches, what: str) -> None:
        """As `expect_nothing`, where no sentinel can come this way: what has come is looked at.

        It is the caller who has made sure that the peer is through with all that might make it send.
        """
        try:
            self.expect(lambda _: False, timeout=QUIET_SECONDS)
        except PeerError as error:
            self.trace.note(self.label, f"looked at what has come: {error.message}")
        self.forbid(forbidden, matches, what)

    def expect_stream_error(self, *conditions: str) -> Element:
        """Wait for a stream error with one of `conditions` (any, when none is given); stanzas are passed over.

        Raises PeerError where the stream ends, or patience does, without it.
        """
        expected = f"a stream error: {' or '.join(conditions) or 'any condition'}"
        deadline = time.monotonic() + self.patience
        try:
            while True:
                self._keep(self._receive_new(max(deadline - time.monotonic(), 0)))
        except StreamFailed as error:
            if conditions and error.condition not in conditions:
                error.expected = expected
                raise
            return error.element
        except PeerError as error:
            error.expected = expected
            if isinstance(error, NoAnswer):
                error.seen = f"{error.message}; before: {'; '.join(show(e) for e in self.inbox[-3:]) or 'nothing'}"
            raise

    def expect_closed(self, *, stream: bool = True) -> None:
        """Wait until the peer closes its stream (unless `stream` is False) and then the TCP connection (§4.4).

        Raises PeerError where it does not.
        """
        closed = False
        deadline = time.monotonic() + self.patience
        try:
            while (left := deadline - time.monotonic()) > 0:
                closed = isinstance(self.next_event(timeout=left), StreamClosed) or closed
        except ConnectionLost as error:
            if stream and not closed:
                error.expected = "</stream:stream>, then the end of the connection"
                raise
            return
        except NoAnswer as error:
            error.expected = "the end of the connection"
            error.seen = f"{'the stream was closed, but ' if closed else ''}{error.message}"
            raise
        raise NoAnswer("the peer went on sending", expected="the end of the connection")

    def close(self, *, farewell: float = 0.0) -> None:
        """Close politely as far as the connection allows; never raises.

        `farewell` is how many seconds to wait until the peer has closed too: then it has forgotten this entity.
        """
        try:
            if self.header is not None:
                self.send_raw(self.closing().encode())
            deadline = time.monotonic() + farewell
            while (left := deadline - time.monotonic()) > 0 and self._fetch(left):
                continue
        except LabError as error:
            self.trace.note(self.label, f"closing: {error.message}")
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Drop the connection without a word; never raises."""
        self.transport.close()


def _quoted(text: str) -> str:
    """An attribute value in quotes, escaped."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace("'", "&apos;")
    return f"'{escaped}'"


__all__ = [
    "NoAnswer",
    "Received",
    "Session",
    "StreamEnded",
    "StreamFailed",
    "localname",
    "new_id",
    "parse",
    "show",
    "stanza_error_condition",
    "stream_error_condition",
]
