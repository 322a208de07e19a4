"""What the fake server answers of its own: ping, disco, session, registration, its administrator's Add User.

Anything else is unavailable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

from lab.fakes import capabilities
from lab.fakes.stanzas import Jid, error_reply, reply
from lab.wire.administration import ADD_USER
from lab.wire.namespaces import COMMANDS, DATA_FORM, DISCO_INFO, DISCO_ITEMS, NS, REGISTER
from lab.wire.stream import Element

if TYPE_CHECKING:
    from lab.fakes.routing import Router

ADMIN, ADMIN_PASSWORD = "admin", "fake-admin-password"
ADMIN_FORM = "http://jabber.org/protocol/admin"


def answer_iq(router: Router, iq: Element) -> str:
    """The reply to an iq of type get or set with one payload, to the server or to an account."""
    to = Jid.parse(iq.get("to") or "") or Jid("", router.domain)
    if to.localpart and _sender(iq).bare != to.bare:
        return error_reply(iq, "service-unavailable")  # nobody is told which accounts there are
    account, query = bool(to.localpart), iq[0]
    match f"{iq.get('type')} {query.tag}":
        case "get {urn:xmpp:ping}ping" | "set {urn:ietf:params:xml:ns:xmpp-session}session" | "set {urn:xmpp:caps}c":
            answer = reply(iq, "result", "")
        case "get {http://jabber.org/protocol/disco#info}query":
            answer = _info(iq, query, account=account)
        case "get {http://jabber.org/protocol/disco#items}query":
            answer = _items(router, iq, query, account=account)
        case "set {http://jabber.org/protocol/commands}command":
            answer = _command(router, iq, query)
        case "set {urn:ietf:params:xml:ns:xmpp-bind}bind":
            answer = error_reply(iq, "not-allowed")  # one resource a stream
        case _:
            answer = error_reply(iq, "service-unavailable")
    return answer


def register(router: Router, iq: Element) -> str:
    """In-band registration before authentication; one stream may make many accounts (XEP-0077 §3.1)."""
    if iq.get("type") == "get":
        fields = "<instructions>Choose both.</instructions><username/><password/>"
        return reply(iq, "result", f"<query xmlns='{REGISTER}'>{fields}</query>")
    localpart = (iq.findtext(f"{{{REGISTER}}}query/{{{REGISTER}}}username") or "").lower()
    password = iq.findtext(f"{{{REGISTER}}}query/{{{REGISTER}}}password")
    if not password or Jid.parse(f"{localpart}@{router.domain}") is None:
        return error_reply(iq, "not-acceptable")
    if localpart in router.passwords:
        return error_reply(iq, "conflict")
    router.passwords[localpart] = password
    return reply(iq, "result", "")


def _command(router: Router, iq: Element, command: Element) -> str:
    """The command Add User, for the administrator alone (XEP-0133 §4.1)."""
    if command.get("node") != ADD_USER:
        return error_reply(iq, "item-not-found")
    if _sender(iq).bare != f"{ADMIN}@{router.domain}":
        return error_reply(iq, "forbidden")
    form = command.find("x:x", NS)
    if form is None:
        fields = "".join(f"<field var='{name}'><required/></field>" for name in ("accountjid", "password"))
        hidden = f"<field var='FORM_TYPE' type='hidden'><value>{ADMIN_FORM}</value></field>"
        asked = f"<x xmlns='{DATA_FORM}' type='form'>{hidden}{fields}<field var='email'/></x>"
        return reply(iq, "result", _command_element("executing", asked))
    values = {field.get("var"): field.findtext("x:value", "", NS) for field in form.iterfind("x:field", NS)}
    jid = Jid.parse(values.get("accountjid", ""))
    if jid is None or not values.get("password") or values.get("FORM_TYPE") != ADMIN_FORM:
        return error_reply(iq, "bad-request")
    if jid.localpart in router.passwords:
        return reply(iq, "result", _command_element("completed", "<note type='error'>It is there.</note>"))
    router.passwords[jid.localpart] = values["password"]
    return reply(iq, "result", _command_element("completed", ""))


def _command_element(status: str, content: str) -> str:
    attributes = f"node='{ADD_USER}' sessionid='one' status='{status}'"
    return f"<command xmlns='{COMMANDS}' {attributes}>{content}</command>"


def _sender(iq: Element) -> Jid:
    return Jid.parse(iq.get("from") or "") or Jid("", "")


def _info(iq: Element, query: Element, *, account: bool) -> str:
    at = query.get("node")
    if at and (account or at not in capabilities.nodes()):
        return error_reply(iq, "item-not-found")
    own = f"<identity category='account' type='registered'/><feature var='{DISCO_INFO}'/>"
    node = f" node={quoteattr(at)}" if at else ""
    return reply(iq, "result", f"<query xmlns='{DISCO_INFO}'{node}>{own if account else capabilities.INFO}</query>")


def _items(router: Router, iq: Element, query: Element, *, account: bool) -> str:
    if query.get("node"):
        return error_reply(iq, "item-not-found")
    jids = [] if account else [router.uploads.domain, *([router.component_domain] if router.component else ())]
    listed = "".join(f"<item jid='{jid}'/>" for jid in jids)
    return reply(iq, "result", f"<query xmlns='{DISCO_ITEMS}'>{listed}</query>")
