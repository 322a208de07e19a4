"""The tap: a whole server to a client, a whole client to the server, and every stanza between them in clear.

One thread serves the connections of one account, one after the other (a client comes again to resume a stream). It
passes elements on, or what a filter makes of them; whatever else is to be sent, any other thread hands in. Stream
management is taken out of what the server offers unless asked for: who injects stanzas spoils its counting.
"""

from __future__ import annotations

import contextlib
import copy
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Self, TypeVar

from lab.cell import Account, Cell, Endpoint
from lab.certificates import FLAWS
from lab.errors import PeerError
from lab.tap.greeting import Arrival, Offer, greet
from lab.tap.line import END, Cut, Line, Piece
from lab.tap.script import Script
from lab.tap.witness import Observer, Reader
from lab.wire import namespaces, negotiation
from lab.wire.namespaces import BIND
from lab.wire.negotiation import Stage
from lab.wire.session import Session, StreamEnded, StreamFailed, show
from lab.wire.stream import Element, PeerViolation
from lab.wire.trace import Trace
from lab.wire.transport import ConnectionLost, NoAnswer, Transport

CERTIFICATES = ("right", *FLAWS)
"""What a cell's `tap` has a file for."""

STREAM_MANAGEMENT = f"{{{namespaces.STREAM_MANAGEMENT}}}sm"

_BOUND = f"{{{BIND}}}bind/{{{BIND}}}jid"

Filter = Callable[[Element], Iterable[Piece]]
"""What becomes of an element: itself, another, several, none."""
Matches = Callable[[Element], bool]
_T = TypeVar("_T")

LINGER = 0.5  # seconds for a client to read why its stream was ended, and to close the connection
HEARD_SECONDS = 5.0  # for the tap to hear what has come; a client that is greeted yet keeps it busy


def _is_initial_presence(element: Element) -> bool:
    return element.tag == f"{{{namespaces.CLIENT}}}presence" and {"type", "to"}.isdisjoint(element.keys())


def as_it_is(element: Element) -> Iterable[Piece]:
    """The filter that changes nothing."""
    return (element,)


class Tap:
    """`with Tap(cell, account, host) as tap:` the client of `account` can connect to `tap.endpoint`.

    `from_client` and `from_server` are filters, to be set at any time; the second sees the server's stream features,
    too. `arrivals` has what each connection came to, `jid` the full JID once bound, `faults` what the client sent
    that is no XML stream. With a script, the tap is `alone`: it plays the server, and nobody is behind it. Every wait
    is at most `patience` seconds.
    """

    def __init__(
        self,
        cell: Cell,
        account: Account,
        host: str,
        *,
        patience: float,
        offer: Offer | None = None,
        direct: bool = False,
        without: Sequence[str] = (STREAM_MANAGEMENT,),
        trace: Trace | None = None,
        label: str = "client",
        observer: Observer | None = None,
        reader: Reader | None = None,
        alone: Script | None = None,
    ) -> None:
        self.patience = patience
        self.trace = trace or Trace()
        self.jid = ""
        self.faults: list[PeerError] = []
        self.from_client: Filter = as_it_is if alone is None else self._plays
        self.from_server: Filter = as_it_is
        self._cell, self._account, self._label = cell, account, label
        self._observer, self._reader, self._script = observer, reader, alone
        self._offer, self._direct, self._without = offer or Offer(), direct, frozenset(without)
        self._changed = threading.Condition()
        self._arrivals: list[Arrival] = []
        self._available = False
        self._sent: list[Element] = []  # by the client, as it came
        self._reached: list[Element] = []  # the client, as it was passed on
        self._taken: set[tuple[int, int]] = set()  # list and place in it that somebody waited for
        self._got: list[Piece] = []  # the client, whatever it was
        self._handed_in: deque[tuple[bool, Piece] | None] = deque()  # None: cut
        self._waiting: list[threading.Event] = []  # for what the client has sent by now
        self._ended = 0  # connections
        self._why = ""  # the last one ended
        self._broken: Exception | None = None
        self._over = False
        self._client: Session | None = None  # whose connection is served now
        self._listener = socket.create_server((host, 0))
        self._listener.setblocking(False)
        self.endpoint = Endpoint(*self._listener.getsockname()[:2])
        self._wake, self._woken = socket.socketpair()
        self._woken.setblocking(False)
        self._thread = threading.Thread(target=self._serve, name="tap", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over = True
        self._rouse()
        if (client := self._client) is not None:
            client.transport.abort()
        self._thread.join()
        for sock in (self._listener, self._wake, self._woken):
            sock.close()

    # --- what a check does with it

    def inject(self, *pieces: Piece) -> None:
        """Send something to the client, as if the server had: it stands behind all that was passed on before.

        Nothing comes between pieces that are handed in together.
        """
        self._hand_in(*((True, piece) for piece in pieces))

    def send_as_client(self, piece: Piece) -> None:
        """Send something to the server, as if the client had."""
        self._hand_in((False, piece))

    def cut(self) -> None:
        """Break the connection on both sides; no stream is closed."""
        self._hand_in(None)

    def expect(self, matches: Matches, what: str) -> Element:
        """The next element of the client's that fits; each counts once. Raises NoAnswer with what came instead."""
        return self._next(self._sent, matches, what)

    def expect_or_end(self, matches: Matches, what: str) -> Element | None:
        """As `expect`, or None where the client's last connection ended without it."""

        def found() -> tuple[Element | None] | None:
            element = self._take(self._sent, matches)
            ended = self._ended == len(self._arrivals)
            return (element,) if element is not None or ended else None

        return self._wait(found, what, self._sent)[0]

    def reaches(self, matches: Matches, what: str) -> Element:
        """The next element that reached the client and that fits; each counts once. Raises NoAnswer."""
        return self._next(self._reached, matches, what)

    def _next(self, elements: list[Element], matches: Matches, what: str) -> Element:
        return self._wait(lambda: self._take(elements, matches), what, elements)

    def _take(self, elements: list[Element], matches: Matches) -> Element | None:
        for place, element in enumerate(elements):
            if (id(elements), place) not in self._taken and matches(element):
                self._taken.add((id(elements), place))
                return self._looked_at(element)
        return None

    def _looked_at(self, element: Element) -> Element:
        if self._reader is not None:
            self._reader.looked_at(element)
        return element

    def sent(self, matches: Matches = lambda _: True) -> list[Element]:
        """All that the client sent so far and that fits: what is on its way to the tap is waited for.

        Not by a filter: it is asked in the tap's own thread, which would wait for itself.
        """
        heard = threading.Event()
        with self._changed:
            serving = self._client is not None and threading.current_thread() is not self._thread
            if serving:
                self._waiting.append(heard)
        if serving:
            self._rouse()
            heard.wait(HEARD_SECONDS)
        with self._changed:
            return [self._looked_at(element) for element in self._sent if matches(element)]

    def reached(self, matches: Matches = lambda _: True) -> list[Element]:
        """All that reached the client so far and that fits."""
        with self._changed:
            return [self._looked_at(element) for element in self._reached if matches(element)]

    def got(self) -> tuple[Piece, ...]:
        """All that the client was sent since its first login, in order: what the tap injected, too."""
        with self._changed:
            return tuple(self._got)

    @property
    def serving(self) -> bool:
        """Whether a client is connected now."""
        with self._changed:
            return self._client is not None

    def bound(self) -> str:
        """Wait until the client has bound a resource: its full JID."""
        return self._wait(lambda: self.jid or None, "a bound resource")

    def available(self) -> None:
        """Wait until the client has sent its initial presence, which then counts as seen."""
        self._wait(lambda: self._available or None, "initial presence", self._sent)

    @property
    def arrivals(self) -> Sequence[Arrival]:
        """What each connection came to so far."""
        if self._reader is None:
            return self._arrivals
        return [self._reader.login(number, arrival) for number, arrival in enumerate(self._arrivals)]

    def over(self, number: int = 1) -> Arrival:
        """Wait until the client's connection of that number (the first is 1) has ended; what it came to."""
        self._wait(lambda: self._ended >= number or None, "the end of the connection")
        return self.arrivals[number - 1]

    def pretend(self, element: Element) -> None:
        """Put into the record what the client did not send (`make prove`)."""
        with self._changed:
            self._sent.append(element)

    def _wait(self, found: Callable[[], _T | None], what: str, elements: Sequence[Element] = ()) -> _T:
        began = time.monotonic()
        deadline = began + self.patience
        with self._changed:
            while (made := found()) is None:
                if self._broken is not None:
                    raise self._broken
                now = time.monotonic()
                if self._reader is not None and self._reader.hurry is not None:
                    deadline = min(deadline, now + self._reader.hurry)
                left = deadline - now
                if left <= 0:
                    rest = [show(e) for n, e in enumerate(elements) if (id(elements), n) not in self._taken]
                    came = rest[-3:]
                    raise NoAnswer(
                        f"nothing like it passed the tap within {self.patience:.0f} s",
                        expected=what,
                        seen="; ".join(came) or self._why or "nothing that was not expected before",
                    )
                self._changed.wait(left)
            if self._reader is not None:
                self._reader.waited(time.monotonic() - began)
            return made

    def _hand_in(self, *pieces: tuple[bool, Piece] | None) -> None:
        self._handed_in.extend(pieces)  # all at once, for the thread that takes them
        self._rouse()

    def _rouse(self) -> None:
        self._wake.send(b".")

    # --- the thread

    def _serve(self) -> None:
        with selectors.DefaultSelector() as selector:
            for readable in (self._listener, self._woken):
                selector.register(readable, selectors.EVENT_READ)
            while not self._over:
                ready = [key.fileobj for key, _ in selector.select()]
                if self._woken in ready:  # first: a connection's line reads what is there, too
                    self._woken.recv(4096)
                if self._listener in ready:
                    with contextlib.suppress(OSError):  # it went away again
                        self._connection(Transport(self._listener.accept()[0]))

    def _connection(self, transport: Transport) -> None:
        arrival, why = Arrival(), "the connection ended"
        broken: Exception | None = None
        client = self._client = Session(
            transport,
            domain=self._cell.domain,
            patience=self.patience,
            trace=self.trace,
            label=self._label,
        )
        server = None
        with self._changed:
            self._handed_in.clear()  # it was for the connection before this one
            self._arrivals.append(arrival)
            self._available = False
        try:
            certificate = self._cell.tap[self._offer.certificate]
            greet(client, self._offer, arrival, self._account, certificate, direct=self._direct)
            if self._script is None:
                server = negotiation.connect(
                    self._cell, Stage.AUTHENTICATED, account=self._account, trace=self.trace, label="server"
                )
            line = Line(client, server, self._features(server), self)
            try:
                line.run(self._woken, lambda: self._over, self._without)
            finally:
                arrival.closed, arrival.left = line.client_closed, line.client_left
        except PeerError as error:
            why = f"{error.message}: {error.seen}"
            arrival.closed = isinstance(error, StreamEnded)
            arrival.left = arrival.left or isinstance(error, StreamEnded | StreamFailed | ConnectionLost)
            if isinstance(error, PeerViolation):
                self.faults.append(error)
        except Exception as error:  # noqa: BLE001 - a filter's, an observer's: raised again where somebody waits
            why, broken = str(error), error
        finally:
            client.trace.note(client.label, f"the tap: {why}")
            if self._got and self._got[-1] == END:  # the client has to read why
                client.transport.finish(LINGER)
            else:
                client.transport.close()
            if server is not None:
                server.transport.close()
            with self._changed:
                self._client, self._why, self._ended = None, why, self._ended + 1
                self._broken = self._broken or broken
                for heard in self._waiting:
                    heard.set()
                self._waiting.clear()
                self._changed.notify_all()

    def _features(self, server: Session | None) -> Element:
        features = server.features if server is not None else None
        if self._script is not None:
            features = self._script.features(len(self._arrivals))
        if features is None:
            raise PeerError("the server behind the tap showed no features")
        return features

    def _plays(self, element: Element) -> Iterable[Piece]:
        """What the client says is the script's to answer; nobody else hears of it."""
        assert self._script is not None  # noqa: S101 - else this is no filter
        for piece in self._script.says(element, self._account, len(self._arrivals)):
            self._hand_in(None if piece is None else (True, piece))
        return ()

    # --- what a line tells

    def client_says(self, element: Element) -> Iterable[Piece]:
        told = self._told(element, by_client=True)
        if self._observer is not None:  # first: who waits for the element may be done with all once it is there
            for one in told:
                self._observer.from_client(one, self.jid)
        with self._changed:
            if not self._available and _is_initial_presence(element):
                self._available = True
                self._taken.update((id(self._sent), len(self._sent) + n) for n in range(len(told)))
            self._sent += told
            self._changed.notify_all()
        return self.from_client(element)

    def _told(self, element: Element, *, by_client: bool) -> Sequence[Element]:
        """What is kept for the check to read: a copy, or what `make prove` makes of it."""
        kept = copy.deepcopy(element)
        return (kept,) if self._reader is None else tuple(self._reader.passed(kept, by_client=by_client))

    def server_says(self, element: Element) -> Iterable[Piece]:
        return self.from_server(element)

    def client_gets(self, piece: Piece) -> None:
        with self._changed:
            self._got.append(piece)
            if not isinstance(piece, str | bytes):
                if piece.get("type") == "result" and (jid := piece.findtext(_BOUND)):
                    self.jid = jid  # the client is who it was told to be
                self._reached += self._told(piece, by_client=False)
            self._changed.notify_all()
        if self._observer is not None:
            self._observer.to_client(piece)

    def waiting(self) -> Sequence[threading.Event]:
        with self._changed:
            waiting, self._waiting = self._waiting, []
        return waiting

    def handed_in(self) -> Iterable[tuple[bool, Piece]]:
        while self._handed_in:
            piece = self._handed_in.popleft()
            if piece is None:
                raise Cut("it was cut")
            yield piece
