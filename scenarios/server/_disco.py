"""What an entity says of itself to whoever asks (XEP-0030), as checks need it to learn whether it has something."""

from __future__ import annotations

from lab.wire.namespaces import DISCO_INFO, NS
from lab.wire.session import Session
from lab.wire.stream import Element
from scenarios.server._caps import features


def info(session: Session, to: str) -> Element:
    """The `<query/>` of a disco#info result, empty of features where there is none."""
    reply = session.iq("get", f"<query xmlns='{DISCO_INFO}'/>", to=to)
    query = reply.find("disco:query", NS)
    return reply if query is None else query


def lists(session: Session, to: str, feature: str) -> bool:
    """Whether an entity lists a feature."""
    return feature in features(info(session, to))
