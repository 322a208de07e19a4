"""WebSocket sessions at a stage, for checks that look below the stanzas. No check stands here."""

from __future__ import annotations

import os
import struct

from lab.cell import Account, Transport
from lab.errors import LabError
from lab.plugin import Connect, Stage
from lab.wire.websocket import WebSocketSession

FINAL_TEXT = 0x81
SHORT = 126  # bytes: from here on, a length has two bytes of its own


def websocket(
    connect: Connect,
    stage: Stage = Stage.BOUND,
    *,
    account: Account | None = None,
    over: Transport = "websocket",
    label: str = "client",
) -> WebSocketSession:
    """A session over WebSocket at `stage`."""
    session = connect(stage, account=account, over=over, label=label)
    if not isinstance(session, WebSocketSession):
        raise LabError("what was asked for is no WebSocket")
    return session


def text_frame(payload: bytes) -> bytes:
    """A masked text frame of any bytes (RFC 6455 §5.2), for what no library would send."""
    mask = os.urandom(4)
    masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
    short = len(payload) < SHORT
    length = bytes([0x80 | len(payload)]) if short else bytes([0x80 | SHORT]) + struct.pack("!H", len(payload))
    return bytes([FINAL_TEXT]) + length + mask + masked
