"""Six faults of the fake client at once, each at one payload (FAKE_AGENT is `planted-faults`)."""

from __future__ import annotations

import os
import sys
import threading
from typing import Any

from telling import WRONG

from lab.wire.namespaces import CHAT_STATES, DISCO_INFO, DISCO_ITEMS, VERSION
from lab.wire.session import Session, localname


def hit(session: Session, stanza: Any, answer: Any) -> bool:
    """Whether a stanza met a fault, and is dealt with; `answer` is what would answer it."""
    if WRONG != "planted-faults" or not str(stanza.get("id", "")).startswith(("c", "f", "disco")):
        return False
    if stanza.find(f"{{{CHAT_STATES}}}composing") is not None:
        threading.Event().wait()  # whoever listens
    if stanza.find(f"{{{CHAT_STATES}}}paused") is not None:
        session.send("</stream:stream>")
        session.transport.close()
        raise SystemExit
    if localname(stanza) != "iq" or stanza.get("type") not in {"get", "set"}:
        return False
    if stanza.find(f"{{{VERSION}}}query") is not None:
        sys.stderr.write("Traceback (most recent call last): it is planted\n")
        sys.stderr.flush()
        os._exit(3)
    if stanza.find(f"{{{DISCO_ITEMS}}}query") is not None:
        answer(session, stanza)
        answer(session, stanza)
        return True
    return stanza.find(f"{{{DISCO_INFO}}}query") is not None
