"""What the fake client tells the lab, and the one thing that it does wrong (the variable FAKE_AGENT)."""

from __future__ import annotations

import json
import os
import sys
import threading
from typing import Any

WRONG = os.environ.get("FAKE_AGENT", "")
_LOCK = threading.Lock()


def tell(event: str, **facts: Any) -> None:
    """Write an event."""
    with _LOCK:
        sys.stdout.write(json.dumps({"event": event, **facts}) + "\n")
        sys.stdout.flush()
