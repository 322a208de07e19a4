"""A room's configuration: the form, what is submitted, and the room's end (§10.1, §10.2, §10.9)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lab.plugin import require, require_result, unsupported
from lab.wire.namespaces import DATA_FORM, MUC_OWNER, NS
from lab.wire.session import Session
from lab.wire.stream import Element

PREFIX = "muc#roomconfig_"
FORM_TYPE = "http://jabber.org/protocol/muc#roomconfig"
TRUE = {"1", "true"}

Value = bool | str | Sequence[str]

USUAL: dict[str, Value] = {"moderatedroom": False, "membersonly": False, "allowpm": "anyone"}
"""What checks take rooms for unless they say otherwise. The default is a service's own (§10.1.2)."""


def ask_for_form(session: Session, room: str) -> Element:
    """Ask for the configuration form (§10.1.3, §10.2). Answers the reply."""
    return session.iq("get", f"<query xmlns='{MUC_OWNER}'/>", to=room)


def form_of(reply: Element) -> Element | None:
    """The form in a reply."""
    return reply.find("muc-owner:query/x:x", NS)


def values_of(form: Element) -> dict[str, list[str]]:
    """The values of each field that has a name."""
    return {
        field.get("var", ""): [value.text or "" for value in field.iterfind("x:value", NS)]
        for field in form.iterfind("x:field", NS)
        if field.get("var")
    }


def configuration(session: Session, room: str) -> Element:
    """The form with the configuration as it is."""
    reply = ask_for_form(session, room)
    require_result(reply)
    form, query = form_of(reply), reply.find("muc-owner:query", NS)
    if query is not None and not len(query):
        unsupported("options of a room's configuration: the query is empty (§10.2)")
    require(form is not None, "a configuration form", reply)
    return reply if form is None else form


def offered(form: Element, name: str) -> list[str]:
    """The options of a field, by its name without the prefix; empty where it lists none."""
    field = form.find(f"x:field[@var='{PREFIX}{name}']", NS)
    return [] if field is None else [option.findtext("x:value", "", NS) for option in field.iterfind("x:option", NS)]


def texts(value: Value) -> list[str]:
    """A value as a form carries it."""
    if isinstance(value, bool):
        return ["1" if value else "0"]
    return [value] if isinstance(value, str) else list(value)


def filled(form: Element, changes: Mapping[str, Value]) -> dict[str, list[str]]:
    """The form's values with some changed. A field or an option that the form does not offer is `unsupported`.

    That a password is needed may be said by the password alone, without the field that says so (§16.5.3 has both).
    """
    values = values_of(form)
    for name, value in changes.items():
        var = PREFIX + name
        if name == "passwordprotectedroom" and var not in values:
            continue
        if var not in values:
            unsupported(f"{var} in a room's configuration")
        options, wanted = offered(form, name), texts(value)
        if options and not set(wanted) <= set(options):
            unsupported(f"{', '.join(wanted)} as {var} in a room's configuration")
        values[var] = wanted
    return values


def unusual(form: Element) -> dict[str, Value]:
    """The changes that make a room a usual one; none where it is one as it comes."""
    values = values_of(form)
    return {
        name: value
        for name, value in USUAL.items()
        if (now := values.get(PREFIX + name))
        and (now[0] in TRUE if isinstance(value, bool) else now[0]) != value
        and (not offered(form, name) or set(texts(value)) <= set(offered(form, name)))
    }


def submit(session: Session, room: str, values: Mapping[str, Sequence[str]]) -> Element:
    """Submit a configuration. Answers the reply."""
    fields = "".join(
        f"<field var='{var}'>{''.join(f'<value>{_escaped(one)}</value>' for one in several)}</field>"
        for var, several in values.items()
        if var != "FORM_TYPE"
    )
    return _send_form(
        session, room, "submit", f"<field var='FORM_TYPE' type='hidden'><value>{FORM_TYPE}</value></field>{fields}"
    )


def configure(session: Session, room: str, **changes: Value) -> Element:
    """Change some fields of the configuration, by their names without the prefix. Answers the reply."""
    return submit(session, room, filled(configuration(session, room), changes))


def have_usual(session: Session, room: str, **changes: Value) -> Element:
    """Configure a new room: a usual one (`USUAL`) but for these changes. Answers the reply."""
    if changes:
        form = configuration(session, room)
        return submit(session, room, filled(form, {**unusual(form), **changes}))
    found = form_of(ask_for_form(session, room))
    usual = {} if found is None else unusual(found)
    return unlock(session, room) if found is None or not usual else submit(session, room, filled(found, usual))


def unlock(session: Session, room: str) -> Element:
    """Have the room as it comes: an instant room (§10.1.2). Answers the reply."""
    return _send_form(session, room, "submit", "")


def cancel(session: Session, room: str) -> Element:
    """Cancel the configuration (§10.1.3, §10.2). Answers the reply."""
    return _send_form(session, room, "cancel", "")


def destroy(session: Session, room: str, inside: str = "", *, jid: str = "") -> Element:
    """Destroy the room (§10.9), with another venue where `jid` names one. Answers the reply."""
    venue = f" jid='{jid}'" if jid else ""
    return session.iq("set", f"<query xmlns='{MUC_OWNER}'><destroy{venue}>{inside}</destroy></query>", to=room)


def _send_form(session: Session, room: str, kind: str, fields: str) -> Element:
    form = f"<x xmlns='{DATA_FORM}' type='{kind}'>{fields}</x>"
    return session.iq("set", f"<query xmlns='{MUC_OWNER}'>{form}</query>", to=room)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
