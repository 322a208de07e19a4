"""What lets a client's connection of the fake live within HTTP: it writes a stream of bytes, as over TCP, and what
carries it takes that apart, into header, elements and end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from lab.wire.session import show
from lab.wire.stream import Element, Received, Stream, StreamClosed, StreamOpened


class CarriedTransport(asyncio.Transport):
    """The transport of a `ClientConnection` within HTTP. The callbacks take what it sends."""

    def __init__(
        self,
        *,
        on_header: Callable[[StreamOpened], None],
        on_element: Callable[[str], None],
        on_end: Callable[[], None],
        on_close: Callable[[], None],
    ) -> None:
        super().__init__()
        self._on_header, self._on_element, self._on_end, self._on_close = on_header, on_element, on_end, on_close
        self._stream = Stream()
        self._closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        written = bytes(data)
        if b"<stream:stream" in written:  # a header begins the stream anew, with nothing before it
            self._stream.restart()
        self._stream.receive_data(written)
        while (event := self._stream.next_event()) is not None:
            match event:
                case StreamOpened():
                    self._on_header(event)
                case Received():
                    self._on_element(as_document(event.element))
                case StreamClosed():
                    self._on_end()

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._on_close()

    def abort(self) -> None:
        self.close()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default


def as_document(element: Element) -> str:
    """An element with all its namespaces declared."""
    return show(element)
