"""Messages, presence, rosters, archives and the like, as the fake client does them.

`DOES` has its commands: each takes the session and the command, and answers what `done` brings with it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lab.wire.session import Session

DOES: dict[str, Callable[[Session, dict[str, Any]], dict[str, Any]]] = {}


def heard(session: Session, stanza: Any) -> bool:
    """Deal with a stanza; whether it is dealt with."""
    return False
