"""One line: a client's connection that was greeted, the server's behind it, and what goes from one to the other.

It runs in the tap's thread until one side is gone. What it reads it tells a `Listener`, which says what is passed on.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from lxml import etree

from lab.errors import PeerError
from lab.tap.greeting import answer_header
from lab.wire.namespaces import CLIENT, STREAM_ERROR
from lab.wire.session import Session, parse, show
from lab.wire.stream import Element, PeerViolation, Received, StreamClosed
from lab.wire.transport import ConnectionLost, NoAnswer

Piece = Element | str | bytes

END = "</stream:stream>"


class Cut(Exception):
    """The connection is to break here and now, on both sides."""


class Listener(Protocol):
    """Who hears what passes. The first two answer what is sent on in its place."""

    def client_says(self, element: Element) -> Iterable[Piece]: ...
    def server_says(self, element: Element) -> Iterable[Piece]: ...
    def client_gets(self, piece: Piece) -> None: ...
    def waiting(self) -> Sequence[threading.Event]:
        """Who waits until all that the client has sent by now is heard; asked once of each."""
        ...

    def handed_in(self) -> Iterable[tuple[bool, Piece]]:
        """What others want to be sent: to the client?, what. Raises Cut."""
        ...


class Line:
    """`client` has sent its header after the login and awaits ours, and `features`; `server` has been logged in to.

    Without a server, whatever the listener passes on to it is said to nobody.
    """

    def __init__(self, client: Session, server: Session | None, features: Element, listener: Listener) -> None:
        self._client, self._server, self._listener = client, server, listener
        self._features = features
        self._sides = (client,) if server is None else (server, client)
        self._closed: set[Session] = set()
        self._told_end: set[Session | None] = (
            set()
        )  # a stream ends once, whoever ended it: a check, or the other side
        self.client_left = False
        """Whether the client's connection ended by itself, in order or not."""

    @property
    def client_closed(self) -> bool:
        """Whether the client closed its stream (RFC 6120 §4.4)."""
        return self._client in self._closed

    def run(self, wake: socket.socket, over: Callable[[], bool], without: frozenset[str]) -> None:
        """Pass on until a side is gone, or it is `over`: something to read on `wake` says that one had better look.

        `without` are the server's stream features that the client is not to see. Raises PeerError: the client sent
        what is no stream, and was told so.
        """
        self._show_features(without)
        with selectors.DefaultSelector() as selector:
            for side in self._sides:
                selector.register(side.transport, selectors.EVENT_READ)
            selector.register(wake, selectors.EVENT_READ)
            # TLS may hold what no socket tells of any more.
            goes_on = self._pass_on([side.transport for side in self._sides])
            while goes_on and not over():
                ready = [key.fileobj for key, _ in selector.select()]
                if wake in ready:
                    wake.recv(4096)
                goes_on = self._pass_on(ready)

    def _show_features(self, without: frozenset[str]) -> None:
        answer_header(self._client)
        for feature in list(self._features):
            if feature.tag in without:
                self._features.remove(feature)
        self._pass_on_element(self._server, self._features)

    def _pass_on(self, ready: Sequence[object]) -> bool:
        """Whatever has come by now; False when a side is gone."""
        waiting = self._listener.waiting()
        if waiting:  # for what the client has sent by now
            ready = (*ready, self._client.transport)
        try:
            for to_client, piece in self._listener.handed_in():
                self._send(to_client, piece)
            alive = [self._read(side) for side in self._sides if side.transport in ready]
            return self._pass_on_events() and all(alive)
        except (ConnectionLost, NoAnswer, Cut) as error:
            if not isinstance(error, Cut):
                self._hear_the_rest()
            self._client.trace.note(self._client.label, f"the tap ends: {error}")
            return False
        finally:
            for heard in waiting:
                heard.set()

    def _hear_the_rest(self) -> None:
        """What the client sent before it went, in a hurry, it has sent all the same."""
        with contextlib.suppress(PeerError):
            self._read(self._client)
        with contextlib.suppress(PeerViolation):
            for event in iter(self._client.stream.next_event, None):
                if isinstance(event, Received):
                    with contextlib.suppress(PeerError):  # the server may be gone, too
                        self._pass_on_element(self._client, event.element)
                elif isinstance(event, StreamClosed):
                    self._closed.add(self._client)

    def _read(self, side: Session) -> bool:
        """Take all that has come from a side; False at its end."""
        data: bytes | None = b""
        try:
            while data := side.transport.try_receive():
                side.trace.received(side.label, data)
                side.stream.receive_data(data)
        finally:  # it may have been reset
            self.client_left = side is self._client and data is not None
        if data == b"":
            side.trace.note(side.label, "closed the connection")
        return data is None

    def _pass_on_events(self) -> bool:
        """Pass on what was read; False once all have closed their streams."""
        for side in self._sides:
            try:
                while (event := side.stream.next_event()) is not None:
                    if isinstance(event, Received):
                        self._pass_on_element(side, event.element)
                    elif isinstance(event, StreamClosed):
                        self._closed.add(side)
                        self._end(side is self._server or self._server is None)
            except PeerViolation as violation:
                side.send(f"<stream:error><{violation.condition} xmlns='{STREAM_ERROR}'/></stream:error>{END}")
                if side is self._client:
                    raise
                return False
        return len(self._closed) < len(self._sides)

    def _pass_on_element(self, side: Session | None, element: Element) -> None:
        if side is self._client:
            for piece in self._listener.client_says(element):
                self._send(False, piece)
        else:
            for piece in self._listener.server_says(element):
                self._send(True, piece)

    def _end(self, to_client: bool) -> None:
        if (self._client if to_client else self._server) not in self._told_end:
            self._send(to_client, END)

    def _send(self, to_client: bool, piece: Piece) -> None:
        side = self._client if to_client else self._server
        if isinstance(piece, str) and piece.endswith(END):
            self._told_end.add(side)
        if to_client:
            self._listener.client_gets(piece)
        if side is None:
            return
        if isinstance(piece, bytes):
            side.send_raw(piece)
        else:
            side.send(piece if isinstance(piece, str) else show(piece))


def element_of(piece: Piece) -> Element | None:
    """The element that whoever is sent a piece reads; None where it is none."""
    if not isinstance(piece, (str, bytes)):
        return piece
    try:
        return parse(piece if isinstance(piece, str) else piece.decode(), default=CLIENT)
    except (ValueError, etree.XMLSyntaxError, IndexError):
        return None
