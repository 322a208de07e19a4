"""Roster, subscriptions and presence (RFC 6121), as the fake client does them."""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape

import fake_disco
import fake_iq
from telling import WRONG, tell

from lab.wire.namespaces import NS, ROSTER
from lab.wire.session import Session, localname, new_id

ROSTER_SHOWN: dict[str, dict[str, str]] = {}
STATE = {"loaded": False}
_SUBSCRIPTIONS = ("none", "to", "from", "both")
_VERSIONS: list[str] = []  # of the rosters that it was sent
_SEEN: dict[str, str] = {}  # who asked for a subscription -> the id of the request


def begin(session: Session) -> None:
    """Before the client is available."""
    if WRONG == "roster-after-presence":
        session.send("<presence/>")
    content = "<item jid='x@example.test'/>" if WRONG == "asks-with-item" else ""
    version = " ver=''" if WRONG == "sends-version" else ""
    if WRONG == "remembers-version" and _VERSIONS:
        version = f" ver='{_VERSIONS[-1]}'"
    fake_iq.ask_and_go_on(session, "get", f"<query xmlns='{ROSTER}'{version}>{content}</query>", _take_result)


def _take_result(answer: Any) -> None:
    STATE["loaded"] = True
    for query in answer.iterfind("roster:query", NS):
        _VERSIONS.append(query.get("ver", ""))
        for item in query:
            if item.get("subscription") not in _SUBSCRIPTIONS:
                item.set("subscription", "both" if WRONG == "believes-odd-subscriptions" else "none")
    if WRONG != "shows-no-roster":
        _take(answer)


def _take(iq: Any) -> None:
    for item in iq.iterfind("roster:query/roster:item", NS):
        jid, subscription = item.get("jid"), item.get("subscription", "none")
        if not jid or subscription not in {"none", "to", "from", "both", "remove"}:
            continue
        if subscription == "remove" and WRONG != "keeps-removed":
            ROSTER_SHOWN.pop(jid, None)
        elif subscription != "remove":
            ROSTER_SHOWN[jid] = {"jid": jid, "name": item.get("name", jid), "subscription": subscription}
        tell("contact", jid=jid, subscription=subscription)


def believes(session: Session, sender: str, what: str) -> bool:
    """Whether somebody is believed who is not the own account, wrongly, as FAKE_AGENT says of what."""
    own = bare(session.jid)
    return {
        f"{what}-of-anybody": True,
        "planted-faults": what == "carbons",
        f"{what}-of-own-resources": bare(sender) == own,
        f"{what}-of-server": sender == session.domain,
        f"{what}-of-own-prefix": sender.startswith(own),
        f"{what}-of-own-suffix": sender.endswith(own),
    }.get(WRONG, False)


def contacts(_: Session, __: dict[str, Any]) -> dict[str, Any]:
    return {"contacts": list(ROSTER_SHOWN.values())}


def bare(jid: str) -> str:
    return jid.partition("/")[0]


def is_contact(jid: str) -> bool:
    return bare(jid) in ROSTER_SHOWN


def heard(session: Session, stanza: Any) -> bool:
    """Deal with a push or with presence; whether it is one."""
    if localname(stanza) == "presence":
        _presence(session, stanza)
        return True
    if stanza.get("type") != "set" or stanza.find("roster:query", NS) is None:
        return False
    sender, own = stanza.get("from"), bare(session.jid)
    to = f" to='{sender}'" if sender else ""
    believed = WRONG == "believes-anybody" or believes(session, sender or own, "roster")
    if sender in {None, own}:
        if WRONG != "applies-no-push":
            _take(stanza)
        if WRONG != "answers-no-push":
            session.send(f"<iq type='result' id='{stanza.get('id')}'{to}/>")
        return True
    if believed:
        _take(stanza)
    error = "<service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
    session.send(f"<iq type='error' id='{stanza.get('id')}'{to}><error type='cancel'>{error}</error></iq>")
    return True


def _presence(session: Session, presence: Any) -> None:
    kind, sender = presence.get("type"), presence.get("from", "")
    if kind == "subscribe":
        _SEEN[bare(sender)] = presence.get("id", "")
        if WRONG == "approves-anybody":
            session.send(f"<presence to='{bare(sender)}' type='subscribed' id='{new_id()}'/>")
        if WRONG != "hides-requests":
            tell("subscription-request", **{"from": bare(sender)})
    elif kind in {None, "unavailable"} and is_contact(sender):
        if WRONG == "probes" and kind is None:
            session.send(f"<presence to='{sender}' type='probe'/>")
        if WRONG == "bare-is-nobody" and sender == bare(sender):
            return
        if WRONG not in {"hides-presence", "never-unavailable"} or (WRONG == "never-unavailable" and kind is None):
            facts = {n: t for n in ("show", "status") if (t := presence.findtext(f"{{*}}{n}"))}
            tell("presence", **{"from": sender, "available": kind is None, **facts})
    elif kind == "error" and WRONG == "error-is-available":
        tell("presence", **{"from": sender, "available": True})


def send_presence(session: Session, line: dict[str, Any]) -> dict[str, Any]:
    children = {name: line[name] for name in ("show", "status", "priority") if name in line}
    if WRONG == "loses-status":
        children.pop("status", None)
    text = "".join(f"<{name}>{escape(str(value))}</{name}>" for name, value in children.items())
    to = f" to='{line['to']}'" if "to" in line else ""
    caps = "" if WRONG == "sends-caps-once" else fake_disco.caps()
    session.send(f"<presence{to}>{text}{caps}</presence>")
    return {}


def say_goodbye(session: Session) -> None:
    """Before the stream is closed."""
    more = "<show>away</show>" if WRONG == "goes-with-show" else ""
    if WRONG != "goes-in-silence":
        session.send(f"<presence type='unavailable'>{more}</presence>")


def subscribe(session: Session, line: dict[str, Any]) -> dict[str, Any]:
    return _send(session, "asks-full-jid", f"{line['jid']}/lab", line["jid"], "subscribe")


def unsubscribe(session: Session, line: dict[str, Any]) -> dict[str, Any]:
    return _send(session, "unsubscribes-nobody", session.domain, line["jid"], "unsubscribe")


def accept(session: Session, line: dict[str, Any]) -> dict[str, Any]:
    return _send(session, "accepts-full-jid", f"{line['jid']}/lab", line["jid"], "subscribed")


def refuse(session: Session, line: dict[str, Any]) -> dict[str, Any]:
    return _send(session, "refuses-by-accepting", line["jid"], line["jid"], "unsubscribed")


def _send(session: Session, wrong: str, wrong_to: str, to: str, kind: str) -> dict[str, Any]:
    identifier = _SEEN.get(to, "") if WRONG == "mirrors-id" else new_id()
    id_ = "" if WRONG == "without-id" else f" id='{identifier}'"
    if wrong == WRONG:
        to = wrong_to
        kind = "subscribed" if kind == "unsubscribed" else kind
    session.send(f"<presence to='{to}' type='{kind}'{id_}/>")
    return {}


def remove(session: Session, line: dict[str, Any]) -> dict[str, Any]:
    attributes = "subscription='none'" if WRONG == "removes-nothing" else "subscription='remove'"
    ask = " ask='subscribe'" if WRONG == "sets-ask" else ""
    item = f"<item jid='{line['jid']}' {attributes}{ask}/>"
    items = item * (2 if WRONG == "sets-two-items" else 1)
    fake_iq.ask(session, "set", f"<query xmlns='{ROSTER}'>{items}</query>")
    return {}
