"""Messages, presence, rosters, archives and the like, as the fake client does them.

`DOES` has its commands: each takes the session and the command, and answers what `done` brings with it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from telling import tell

from lab.wire.session import Session, localname

DOES: dict[str, Callable[[Session, dict[str, Any]], dict[str, Any]]] = {}


def heard(session: Session, stanza: Any) -> bool:
    """Deal with a stanza; whether it is dealt with."""
    body = stanza.findtext("{*}body")
    if localname(stanza) != "message" or body is None or not session.jid:
        return False
    tell("message", **{"from": stanza.get("from", ""), "body": body, "id": stanza.get("id", "")})
    return True
