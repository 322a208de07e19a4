"""Questions that the fake client asks: an iq is sent, and its answer waited for."""

from __future__ import annotations

import queue
from collections.abc import Callable
from typing import Any

from lab.wire.session import Session, localname, new_id

PATIENCE = 60.0
_AWAITED: dict[str, Callable[[Any], None]] = {}


def ask(session: Session, kind: str, payload: str, to: str = "") -> Any:
    """The answer, result or error. Not to be called where answers are read."""
    answer: queue.SimpleQueue[Any] = queue.SimpleQueue()
    ask_and_go_on(session, kind, payload, answer.put, to)
    return answer.get(timeout=PATIENCE)


def ask_and_go_on(session: Session, kind: str, payload: str, take: Callable[[Any], None], to: str = "") -> None:
    """Have the answer taken where answers are read."""
    identifier = new_id()
    _AWAITED[identifier] = take
    to = f" to='{to}'" if to else ""
    session.send(f"<iq type='{kind}' id='{identifier}'{to}>{payload}</iq>")


def heard(stanza: Any) -> bool:
    """Take an answer; whether it is one."""
    if localname(stanza) != "iq" or stanza.get("type") not in {"result", "error"}:
        return False
    awaited = _AWAITED.pop(stanza.get("id", ""), None)
    if awaited is not None:
        awaited(stanza)
    return True
