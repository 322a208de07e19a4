"""Requests of moderators, admins and owners: roles, affiliations and their lists (§8, §9, §10.3 to §10.8)."""

from __future__ import annotations

from lab.plugin import require_result, unsupported
from lab.wire.namespaces import MUC_ADMIN, NS
from lab.wire.session import Session, stanza_error_condition
from lab.wire.stream import Element


def item(
    *,
    nick: str | None = None,
    jid: str | None = None,
    role: str | None = None,
    affiliation: str | None = None,
    reason: str = "",
) -> str:
    """An `<item/>` of muc#admin."""
    named = {"nick": nick, "jid": jid, "role": role, "affiliation": affiliation}
    attributes = "".join(f" {name}='{value}'" for name, value in named.items() if value is not None)
    return f"<item{attributes}>{f'<reason>{reason}</reason>' if reason else ''}</item>"


def admin(session: Session, room: str, kind: str, *items: str) -> Element:
    """A request of muc#admin, of type get or set. Answers the reply."""
    return session.iq(kind, f"<query xmlns='{MUC_ADMIN}'>{''.join(items)}</query>", to=room)


def change_role(session: Session, room: str, nick: str, role: str, *, reason: str = "") -> Element:
    """Give an occupant another role; `none` kicks. Answers the reply."""
    return admin(session, room, "set", item(nick=nick, role=role, reason=reason))


def change_affiliation(session: Session, room: str, jid: str, affiliation: str, *, reason: str = "") -> Element:
    """Give an account another affiliation. Answers the reply."""
    return admin(session, room, "set", item(jid=jid, affiliation=affiliation, reason=reason))


def is_done(reply: Element, after: str, *, before: str = "none") -> None:
    """The change of affiliation must have been made.

    To make owners is a service's own choice (§10.3, §10.5), and so is to unmake them: not-authorized (§10.4).
    """
    refused = stanza_error_condition(reply)
    if before == "owner" and refused == "not-authorized":
        unsupported("owners who revoke another one's ownership")
    if after == "owner" and refused:
        unsupported("owners who make others owners")
    require_result(reply)


def items_of(reply: Element) -> list[Element]:
    """The items of a list."""
    return reply.findall("muc-admin:query/muc-admin:item", NS)


def affiliated(session: Session, room: str, affiliation: str) -> list[str]:
    """The bare JIDs on one of the lists of affiliations; empty where it was not given."""
    reply = admin(session, room, "get", item(affiliation=affiliation))
    return [(one.get("jid") or "").partition("/")[0] for one in items_of(reply)]


def affiliation_of(session: Session, room: str, jid: str) -> str:
    """An account's affiliation as the lists tell it to an owner: `none` where it is on no list."""
    for affiliation in ("owner", "admin", "member", "outcast"):
        if jid in affiliated(session, room, affiliation):
            return affiliation
    return "none"
