"""What an entity says of itself (XEP-0030), asked by checks of other specifications. Nothing here judges."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from lab.cell import Cell
from lab.plugin import Connect, premise
from lab.wire.namespaces import DISCO_INFO, DISCO_ITEMS, NS
from lab.wire.session import Session
from lab.wire.stream import Element
from scenarios.server._caps import features

T = TypeVar("T")


def info(session: Session, to: str) -> Element:
    """The `<query/>` of a disco#info result; where there is none, the reply, in which nothing is found."""
    reply = session.iq("get", f"<query xmlns='{DISCO_INFO}'/>", to=to)
    query = reply.find("disco:query", NS)
    return reply if query is None else query


def advertises(session: Session, to: str, feature: str) -> bool:
    """Whether an entity lists a feature."""
    return feature in features(info(session, to))


def services(session: Session, connect: Connect) -> list[str]:
    """What the server's disco#items list, as `listed`; nothing where there is no result."""
    query = session.iq("get", f"<query xmlns='{DISCO_ITEMS}'/>", to=session.domain).find("items:query", NS)
    return [] if query is None else listed(query, connect.cell)


def listed(query: Element, cell: Cell) -> list[str]:
    """The JIDs in a `<query/>` of disco#items, but for the lab's own component, in which nobody may be there."""
    jids = [item.get("jid", "") for item in query.iterfind("items:item", NS)]
    return [jid for jid in jids if cell.component is None or jid != cell.component.domain]


def answered(ask: Callable[[], T]) -> T:
    """The reply to a request for what need not be there; the check is `impossible` where none comes.

    That any request is answered is a matter of RFC 6120 (§8.2.3), which has checks of its own.
    """
    return premise(ask, "the request is not answered; checks of RFC 6120 say whether that is a fault")
