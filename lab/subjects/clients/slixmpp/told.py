"""What the agent tells the lab: one JSON object a line on standard output, and nothing else there."""

from __future__ import annotations

import json
import sys
from typing import Any


class Unsupported(Exception):
    """The client cannot do what was asked."""


class Failed(Exception):
    """It tried, and did not succeed; the words are the client's."""


def tell(event: str, **facts: Any) -> None:
    """Write one event; facts that are None are left out."""
    line = {"event": event, **{name: fact for name, fact in facts.items() if fact is not None}}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
