"""disco#info and disco#items (XEP-0030) as its own checks ask for them: what answers with a result must be one."""

from __future__ import annotations

from lab.plugin import require, require_error, require_result, unsupported
from lab.wire.namespaces import DISCO_INFO, DISCO_ITEMS, NS
from lab.wire.session import Session
from lab.wire.stream import Element


def info(session: Session, to: str, node: str | None = None) -> Element:
    """Ask for disco#info; the reply."""
    return session.iq("get", f"<query xmlns='{DISCO_INFO}'{_node(node)}/>", to=to)


def items(session: Session, to: str, node: str | None = None) -> Element:
    """Ask for disco#items; the reply."""
    return session.iq("get", f"<query xmlns='{DISCO_ITEMS}'{_node(node)}/>", to=to)


def _node(node: str | None) -> str:
    return "" if node is None else f" node='{node}'"


def info_query(reply: Element, sender: str, *, own: bool = False) -> Element:
    """The `<query/>` of a disco#info result of `sender`, which must be one. An account's own may leave `from` out."""
    return _query(reply, "disco", sender, own=own)


def items_query(reply: Element, sender: str, *, own: bool = False) -> Element:
    """The `<query/>` of a disco#items result of `sender`, likewise."""
    return _query(reply, "items", sender, own=own)


def _query(reply: Element, prefix: str, sender: str, *, own: bool) -> Element:
    require_result(reply)
    require(reply.get("from") in ({sender, None} if own else {sender}), f"an answer from {sender}", reply)
    query = reply.find(f"{prefix}:query", NS)
    require(query is not None and len(reply) == 1, f"one query of {NS[prefix]} in the result", reply)
    return reply if query is None else query


def answered(reply: Element, what: str) -> Element:
    """The reply, unless it is an error, which any entity may answer with (§3.1, §4.1)."""
    if reply.get("type") == "error":
        require_error(reply)
        unsupported(what)
    return reply


def info_of(session: Session, jid: str) -> Element:
    """The `<query/>` of disco#info of the server or the own account; where it refuses, the check is `unsupported`."""
    return info_query(answered(info(session, jid), f"disco#info of {jid}"), jid, own=jid == session.bare_jid)


def items_of(session: Session, jid: str) -> Element:
    """The `<query/>` of disco#items, likewise."""
    return items_query(answered(items(session, jid), f"disco#items of {jid}"), jid, own=jid == session.bare_jid)
