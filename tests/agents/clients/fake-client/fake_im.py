"""Messages and what travels in them, archives and publishing, as the fake client does them.

`DOES` has its commands: each takes the session and the command, and answers what `done` brings with it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any
from xml.sax.saxutils import escape

import fake_acks
import fake_iq
import fake_roster
from fake_roster import bare, believes
from telling import FEATURES, WRONG, Failed, tell

from lab.wire.namespaces import (
    ARCHIVE,
    CARBONS,
    CHAT_STATES,
    CLIENT,
    CORRECTION,
    DISCO_INFO,
    MUC,
    NICK,
    NS,
    PUBSUB,
    RECEIPTS,
)
from lab.wire.session import Session, localname, new_id

RSM = "http://jabber.org/protocol/rsm"
ACKS = fake_acks.Acks()
_TYPES = {"chat", "normal", "groupchat", "headline"}
_BODY, _DELAY = f"{{{CLIENT}}}body", "{urn:xmpp:delay}delay"
_AUTHORS: dict[str, str] = {}  # id of a message -> who wrote it
_QUERIES: dict[str, list[Any]] = {}  # id of an open query -> its results so far
FEATURES += [RECEIPTS, CORRECTION, f"{NICK}+notify"]
if WRONG == "claims-no-receipts":
    FEATURES.remove(RECEIPTS)
if WRONG == "claims-no-correction":
    FEATURES.remove(CORRECTION)


def begin(session: Session) -> None:
    """Once a resource is bound, before the client is available."""
    ACKS.begin(session)
    fake_roster.begin(session)


def end(session: Session) -> None:
    """Before the stream is closed."""
    if WRONG == "says-gone":
        session.send(f"<message to='{session.domain}' type='chat'><gone xmlns='{CHAT_STATES}'/></message>")
    fake_roster.say_goodbye(session)
    ACKS.end(session)


def heard(session: Session, stanza: Any) -> bool:
    """Deal with a stanza; whether it is dealt with."""
    if ACKS.heard(session, stanza) or fake_iq.heard(stanza) or fake_roster.heard(session, stanza):
        return True
    if localname(stanza) != "message":
        return False
    _message(session, stanza)
    return True


def _message(session: Session, stanza: Any) -> None:
    sender, own = stanza.get("from") or bare(session.jid), bare(session.jid)
    copy, result = stanza.find("carbons:*", NS), stanza.find("mam:result", NS)
    if copy is not None:
        if sender == own or believes(session, sender, "carbons"):
            _copied(session, copy)
    elif result is not None:
        if _is_asked_for(session, result, sender):
            _QUERIES[_opened(result)].append(result)
        elif WRONG in {"shows-any-result", "shows-results-unasked"}:
            _show(session, result.find("forward:forwarded/c:message", NS))
    elif stanza.get("type") != "error" or WRONG in {"shows-errors", "answers-errors", "receipts-for-errors"}:
        _plain(session, stanza, sender)


def _copied(session: Session, copy: Any) -> None:
    kind, message = localname(copy), copy.find("forward:forwarded/c:message", NS)
    if f"hides-{kind}" == WRONG or message is None:
        return
    if f"answers-{kind}" == WRONG:
        _acknowledge(session, message.get("from"), message.get("id", ""), "chat")
    if WRONG == "sent-as-received":
        kind, message = "received", message.__copy__()
        message.set("from", message.get("to"))
    _show(session, message, carbon=kind)


def _opened(result: Any) -> str:
    """The open query that a result is of; one alone where it says nothing that is known."""
    name = result.get("queryid", "")
    return name if name in _QUERIES else next(iter(_QUERIES), "")


def _is_asked_for(session: Session, result: Any, sender: str) -> bool:
    if not _QUERIES or (result.get("queryid") not in _QUERIES and WRONG != "any-query"):
        return False
    return sender == bare(session.jid) or believes(session, sender, "results")


def _plain(session: Session, stanza: Any, sender: str) -> None:
    received = stanza.find("receipts:received", NS)
    if received is not None and WRONG != "hides-receipts":
        if fake_roster.is_contact(sender):
            tell("receipt", **{"from": sender, "sent": received.get("id", "")})
        elif WRONG == "receipts-of-anybody":
            tell("receipt", **{"from": next(iter(fake_roster.ROSTER_SHOWN)), "sent": received.get("id", "")})
    nick = stanza.find("event:event/event:items/event:item/nick:nick", NS)
    if nick is not None:
        _nick(stanza, nick, sender)
    _show(session, stanza)
    _answer(session, stanza, sender, received is not None)


def _nick(stanza: Any, nick: Any, sender: str) -> None:
    publisher = stanza.find("event:event/event:items/event:item", NS).get("publisher")
    replyto = stanza.find("{*}addresses/{*}address")
    if WRONG == "believes-publisher" and publisher:
        sender = publisher
    elif WRONG == "believes-replyto" and replyto is not None:
        sender = replyto.get("jid")
    elif WRONG == "believes-resource" and "/" in sender:
        sender = sender.partition("/")[2]
    if WRONG != "hides-nicks" and fake_roster.is_contact(sender):
        tell("nick", **{"from": bare(sender), "nick": nick.text or ""})


def _answer(session: Session, stanza: Any, sender: str, is_receipt: bool) -> None:
    if WRONG == "answers-errors" and stanza.get("type") == "error":
        session.send(f"<message to='{sender}' type='error' id='{new_id()}'><body>What?</body></message>")
    asks = stanza.find("receipts:request", NS) is not None
    asks = asks or (WRONG == "receipts-unasked" and (stanza.find(_BODY) is not None or is_receipt))
    known = fake_roster.is_contact(sender) or WRONG == "receipts-for-strangers"
    content = not is_receipt or WRONG in {"receipts-for-receipts", "receipts-unasked"}
    if asks and known and content and (stanza.get("type") != "error" or WRONG == "receipts-for-errors"):
        _acknowledge(session, sender, stanza.get("id", ""), stanza.get("type", "normal"))


def _acknowledge(session: Session, to: str, identifier: str, kind: str) -> None:
    if WRONG == "never-acknowledges-messages":
        return
    identifier = "another" if WRONG == "receipts-another" else identifier
    to = session.domain if WRONG == "receipts-elsewhere" else to
    more = {"receipt-asks": f"<request xmlns='{RECEIPTS}'/>", "receipt-stores": "<store xmlns='urn:xmpp:hints'/>"}
    kind = kind if kind in _TYPES else "chat"
    received = f"<received xmlns='{RECEIPTS}' id='{identifier}'/>"
    session.send(f"<message to='{to}' type='{kind}' id='{new_id()}'>{received}{more.get(WRONG, '')}</message>")


def _show(session: Session, message: Any, *, carbon: str = "") -> None:
    """Show a message that has a body, as far as there is nothing against it."""
    if message is None or (WRONG == "mute-before-roster" and not fake_roster.STATE["loaded"]):
        return
    kind, sender = message.get("type", "normal"), message.get("from") or bare(session.jid)
    bodies = [body.text or "" for body in message.iterfind(_BODY)]
    if not bodies and WRONG == "shows-empty":
        bodies = [""]
    for body in bodies if WRONG == "shows-all-bodies" else bodies[:1]:
        facts = {"from": sender, "body": body, "id": message.get("id", ""), "to": message.get("to", "")}
        facts |= {"carbon": carbon} if carbon else {}
        facts |= _correction(message, kind, sender)
        if f"hides-{kind}-messages" == WRONG or (WRONG == "hides-unknown" and message.get("type") not in _TYPES):
            continue
        shown = kind if kind in _TYPES else "normal"
        shown = "chat" if WRONG == "all-is-chat" else shown
        tell("message", **facts, type=shown)
    _AUTHORS[message.get("id", "")] = sender


def _correction(message: Any, kind: str, sender: str) -> dict[str, str]:
    replace = message.find("correct:replace", NS)
    if replace is None or WRONG == "knows-no-correction":
        return {}
    replaced = replace.get("id", "")
    if replaced == message.get("id") and WRONG == "dies-of-itself":
        os._exit(1)
    author = _AUTHORS.get(replaced, "")
    same = author == sender if kind == "groupchat" or WRONG == "same-resource-only" else bare(author) == bare(sender)
    if WRONG == "corrects-in-rooms" and kind == "groupchat":
        same = bare(author) == bare(sender)
    return {"corrects": replaced} if same or WRONG == "corrects-anybody" else {}


# --- what its user does


def send_message(session: Session, line: dict[str, Any]) -> dict[str, Any]:
    return _send(session, line, f"<request xmlns='{RECEIPTS}'/>" if line.get("receipt") else "")


def correct_message(session: Session, line: dict[str, Any]) -> dict[str, Any]:
    last = _LAST.get(line["to"], "")
    first = line.get("sent", last)
    identifier = {"corrects-another": "another", "corrects-last": last}.get(WRONG, first)
    if WRONG == "corrects-elsewhere":
        line = {**line, "to": session.domain}
    if WRONG == "corrects-as-normal":
        line = {**line, "type": "normal"}
    return _send(session, line, f"<replace xmlns='{CORRECTION}' id='{identifier}'/>", first)


_LAST: dict[str, str] = {}


def _send(session: Session, line: dict[str, Any], content: str, corrected: str = "") -> dict[str, Any]:
    identifier = corrected if WRONG == "corrects-with-same-id" and corrected else f"m{line['id']}"
    body = escape(line["body"]).replace("1", "2" if WRONG == "garbles" else "1")
    body = body.replace("&gt;", ">") if WRONG == "leaves-cdata-end" else body
    to = f"{line['to']}/phone" if WRONG == "guesses-resource" else line["to"]
    kind = line.get("type", "chat")
    kind = "headline" if WRONG == "sends-headlines" else kind
    id_ = "" if WRONG == "messages-without-id" else f" id='{identifier}'"
    threads = "<thread>a</thread><thread>b</thread>" if WRONG == "two-threads" else ""
    stanza = f"<message to='{to}' type='{kind}'{id_}><body>{body}</body>{threads}{content}</message>"
    session.send(stanza)
    _LAST[line["to"]] = identifier
    return {"sent": identifier}


def enable_carbons(session: Session, _: dict[str, Any]) -> dict[str, Any]:
    to = session.domain if WRONG == "enables-elsewhere" else ""
    _done(fake_iq.ask(session, "set", f"<enable xmlns='{CARBONS}'/>", to))
    return {}


def publish_nick(session: Session, line: dict[str, Any]) -> dict[str, Any]:
    if WRONG != "discovers-nothing":
        fake_iq.ask(session, "get", f"<query xmlns='{DISCO_INFO}'/>", bare(session.jid))
    to = session.domain if WRONG == "publishes-elsewhere" else ""
    nick = f"<nick xmlns='{NICK}'>{escape(line['nick'])}</nick>"
    items = f"<item>{nick}</item>" * (2 if WRONG == "publishes-twice" else 1)
    publish = f"<pubsub xmlns='{PUBSUB}'><publish node='{NICK}'>{items}</publish></pubsub>"
    _done(fake_iq.ask(session, "set", publish, to))
    return {}


def archive(session: Session, line: dict[str, Any]) -> dict[str, Any]:
    query = new_id()
    _QUERIES[query] = []
    fields = {"with": line.get("with", "")}
    fields |= {"include-groupchat": "false"} if WRONG == "asks-for-groupchat" else {}
    fields |= {"ids": "one"} if WRONG == "asks-for-ids" else {}
    form_type = "<field var='FORM_TYPE' type='hidden'><value>urn:xmpp:mam:2</value></field>"
    form_type = "" if WRONG == "form-without-type" else form_type
    texts = "".join(f"<field var='{name}'><value>{value}</value></field>" for name, value in fields.items() if value)
    form = f"<x xmlns='jabber:x:data' type='submit'>{form_type}{texts}</x>" if texts else ""
    rsm = f"<set xmlns='{RSM}'><max>{line.get('max', 50)}</max><before/></set>" if WRONG != "no-rsm" else ""
    to = session.domain if WRONG == "asks-server" else ""
    answer = fake_iq.ask(session, "set", f"<query xmlns='{ARCHIVE}' queryid='{query}'>{form}{rsm}</query>", to)
    results = _QUERIES.pop(query)
    _done(answer)
    return {"messages": [_archived(session, r) for r in (reversed(results) if WRONG == "backwards" else results)]}


def _archived(session: Session, result: Any) -> dict[str, Any]:
    message = result.find("forward:forwarded/c:message", NS)
    if WRONG == "receipts-for-archived" and message.find("receipts:request", NS) is not None:
        _acknowledge(session, message.get("from"), message.get("id", ""), "chat")
    facts = {"from": message.get("from"), "body": message.findtext(_BODY, ""), "id": result.get("id", "")}
    delay = result.find(f"forward:forwarded/{_DELAY}", NS)
    return facts | ({"stamp": delay.get("stamp")} if delay is not None else {})


def join(session: Session, line: dict[str, Any]) -> dict[str, Any]:
    session.send(f"<presence to='{line['room']}/{line['nick']}'><x xmlns='{MUC}'/></presence>")
    return {}


def _done(answer: Any) -> None:
    if answer.get("type") == "error":
        raise Failed(localname(answer.find("{*}error/*")))


DOES: dict[str, Callable[[Session, dict[str, Any]], dict[str, Any]]] = {
    "send-message": send_message,
    "correct-message": correct_message,
    "enable-carbons": enable_carbons,
    "publish-nick": publish_nick,
    "archive": archive,
    "join": join,
    "roster": fake_roster.contacts,
    "send-presence": fake_roster.send_presence,
    "subscribe": fake_roster.subscribe,
    "unsubscribe": fake_roster.unsubscribe,
    "accept": fake_roster.accept,
    "refuse": fake_roster.refuse,
    "remove-contact": fake_roster.remove,
}
if WRONG == "shows-results-unasked":
    del DOES["archive"]
