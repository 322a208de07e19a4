"""Service discovery of the room service, of rooms and of occupants (§6)."""

from __future__ import annotations

from xml.sax.saxutils import escape

from lab.plugin import impossible, require, require_result
from lab.wire.namespaces import DISCO_INFO, DISCO_ITEMS, NS, RSM
from lab.wire.session import Session, stanza_error_condition
from lab.wire.stream import Element
from scenarios.server._caps import form_type

ROOM_INFO = "http://jabber.org/protocol/muc#roominfo"


def ask_info(session: Session, to: str, *, node: str = "") -> Element:
    """disco#info. Answers the reply."""
    at = f" node='{node}'" if node else ""
    return session.iq("get", f"<query xmlns='{DISCO_INFO}'{at}/>", to=to)


def ask_items(session: Session, to: str) -> Element:
    """disco#items. Answers the reply."""
    return session.iq("get", f"<query xmlns='{DISCO_ITEMS}'/>", to=to)


def info(session: Session, to: str) -> Element:
    """The `<query/>` of a disco#info result. The check fails where there is none."""
    return _query(ask_info(session, to), "disco:query")


def items(session: Session, to: str) -> list[tuple[str, str]]:
    """Address and name of each item of a disco#items result. The check fails where there is none.

    A long list may come in pages (§6.3); all are read.
    """
    query = _query(ask_items(session, to), "items:query")
    found = page = _items(query)
    while page and (last := query.findtext("rsm:set/rsm:last", "", NS)):
        within = f"<set xmlns='{RSM}'><after>{escape(last)}</after></set>"
        reply = session.iq("get", f"<query xmlns='{DISCO_ITEMS}'>{within}</query>", to=to)
        if stanza_error_condition(reply):
            impossible("the list is in pages, and the next one is not to be had")
        query = _query(reply, "items:query")
        page = [item for item in _items(query) if item not in found]
        found += page
    return found


def _items(query: Element) -> list[tuple[str, str]]:
    return [(item.get("jid", ""), item.get("name", "")) for item in query.iterfind("items:item", NS)]


def room_info(session: Session, room: str) -> dict[str, list[str]] | None:
    """The values of the fields of muc#roominfo (§6.4), None where the room does not tell them."""
    for form in info(session, room).iterfind("x:x", NS):
        if form_type(form) == ROOM_INFO:
            return {
                field.get("var", ""): [value.text or "" for value in field.iterfind("x:value", NS)]
                for field in form.iterfind("x:field", NS)
            }
    return None


def _query(reply: Element, path: str) -> Element:
    require_result(reply)
    query = reply.find(path, NS)
    require(query is not None, f"a result with <{path.partition(':')[2]}/>", reply)
    return reply if query is None else query
