"""What an entity says of itself (XEP-0030), asked by checks of other specifications. Nothing here judges."""

from __future__ import annotations

from collections.abc import Callable

from lab.plugin import impossible
from lab.wire.namespaces import DISCO_INFO, NS
from lab.wire.session import Session
from lab.wire.stream import Element
from lab.wire.transport import NoAnswer
from scenarios.server._caps import features


def info(session: Session, to: str) -> Element:
    """The `<query/>` of a disco#info result; where there is none, the reply, in which nothing is found."""
    reply = session.iq("get", f"<query xmlns='{DISCO_INFO}'/>", to=to)
    query = reply.find("disco:query", NS)
    return reply if query is None else query


def advertises(session: Session, to: str, feature: str) -> bool:
    """Whether an entity lists a feature."""
    return feature in features(info(session, to))


def answered(ask: Callable[[], Element]) -> Element:
    """The reply to a request for what need not be there; the check is `impossible` where none comes.

    That any request is answered is a matter of RFC 6120 (§8.2.3), which has checks of its own.
    """
    try:
        return ask()
    except NoAnswer:
        return impossible("the request is not answered; checks of RFC 6120 say whether that is a fault")
