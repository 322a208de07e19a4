"""Questions that the fake client asks: an iq is sent, and its answer waited for."""

from __future__ import annotations

import queue
from typing import Any

from lab.wire.session import Session, localname, new_id

PATIENCE = 60.0
_AWAITED: dict[str, queue.SimpleQueue[Any]] = {}


def ask(session: Session, kind: str, payload: str, to: str = "") -> Any:
    """The answer, result or error. Not to be called where answers are read."""
    identifier = new_id()
    answer = _AWAITED[identifier] = queue.SimpleQueue()
    to = f" to='{to}'" if to else ""
    session.send(f"<iq type='{kind}' id='{identifier}'{to}>{payload}</iq>")
    return answer.get(timeout=PATIENCE)


def heard(stanza: Any) -> bool:
    """Take an answer; whether it is one."""
    if localname(stanza) != "iq" or stanza.get("type") not in {"result", "error"}:
        return False
    awaited = _AWAITED.pop(stanza.get("id", ""), None)
    if awaited is not None:
        awaited.put(stanza)
    return True
