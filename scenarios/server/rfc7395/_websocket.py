"""WebSocket sessions at a stage, for checks that look below the stanzas. No check stands here."""

from __future__ import annotations

import os
import struct

from lab.cell import Account, Transport
from lab.errors import LabError
from lab.plugin import Connect, Stage
from lab.wire.websocket import WebSocketSession

FINAL_TEXT = 0x81


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
    return bytes([FINAL_TEXT, 0x80 | 126]) + struct.pack("!H", len(payload)) + mask + masked
