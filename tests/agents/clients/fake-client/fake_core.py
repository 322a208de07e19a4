"""RFC 6120, discovery and capabilities, as the fake client does them.

`DOES` has its commands: each takes the session and the command, and answers what `done` brings with it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from telling import FEATURES, WRONG

from lab.wire.namespaces import DISCO_INFO, NS
from lab.wire.session import Session, localname

DOES: dict[str, Callable[[Session, dict[str, Any]], dict[str, Any]]] = {}


def heard(session: Session, stanza: Any) -> bool:
    """Deal with a stanza; whether it is dealt with."""
    if localname(stanza) != "iq" or stanza.get("type") not in {"get", "set"}:
        return False
    answer(session, stanza)
    if WRONG == "answers-twice":
        answer(session, stanza)
    return True


def answer(session: Session, stanza: Any) -> None:
    """Answer an iq: a ping and service discovery by a result, what it does not know by an error."""
    to = f" to='{stanza.get('from')}'" if stanza.get("from") else ""
    if stanza.find("ping:ping", NS) is not None:
        session.send(f"<iq type='result' id='{stanza.get('id')}'{to}/>")
        return
    query = stanza.find("disco:query", NS)
    if stanza.get("type") == "get" and query is not None and not query.get("node"):
        features = "".join(f"<feature var='{feature}'/>" for feature in FEATURES)
        info = f"<query xmlns='{DISCO_INFO}'><identity category='client' type='bot'/>{features}</query>"
        session.send(f"<iq type='result' id='{stanza.get('id')}'{to}>{info}</iq>")
        return
    error = "<service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
    if WRONG != "ignores-iq":
        session.send(f"<iq type='error' id='{stanza.get('id')}'{to}><error type='cancel'>{error}</error></iq>")
