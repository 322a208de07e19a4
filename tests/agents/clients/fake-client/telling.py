"""What the fake client tells the lab, what it can do, and the one thing that it does wrong (FAKE_AGENT)."""

from __future__ import annotations

import json
import os
import sys
import threading
from typing import Any

WRONG = os.environ.get("FAKE_AGENT", "")
FEATURES: list[str] = ["http://jabber.org/protocol/disco#info", "urn:xmpp:ping"]
"""What it says in service discovery; each module adds its own."""
_LOCK = threading.Lock()


class Failed(Exception):
    """A command was tried, and did not succeed."""


def tell(event: str, **facts: Any) -> None:
    """Write an event."""
    with _LOCK:
        sys.stdout.write(json.dumps({"event": event, **facts}) + "\n")
        sys.stdout.flush()
