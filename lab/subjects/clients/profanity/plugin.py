"""A plugin of profanity: tells the agent, as lines of JSON, what profanity has just shown.

It only listens. The hooks that run after something was displayed say that it was; the stanza that came before it
lends what they leave out (its id, its stamp). No stanza is changed, kept back or sent. Lines go to the descriptor
that AGENT_EVENTS names.
"""

# ruff: noqa: ARG001 - a hook takes what profanity gives

import json
import os
import xml.etree.ElementTree as ET

import prof

_events = os.fdopen(int(os.environ["AGENT_EVENTS"]), "w", encoding="utf-8")
_last = {}


def _say(**facts):
    _events.write(json.dumps(facts) + "\n")
    _events.flush()


def _child(element, name, namespace):
    """A child by its name in a namespace; profanity's text has none for what stands in the stream's own."""
    for child in element if element is not None else ():
        if child.tag == (f"{{{namespace}}}{name}" if namespace else name):
            return child
        if not namespace and child.tag.rpartition("}")[2] == name and child.tag.startswith("{jabber:client}"):
            return child
    return None


def _attribute(element, name):
    return element.get(name) if element is not None else None


def _parsed(stanza):
    try:
        return ET.fromstring(stanza)  # noqa: S314 - profanity has parsed it, and wrote it anew
    except ET.ParseError:
        return None


# --- hooks


def prof_init(version, status, account_name, fulljid):
    prof.register_command("/agent", 1, 1, ["/agent <mark>"], "Tells the agent a mark.", [["<mark>", "It"]], [], _mark)


def _mark(mark):
    prof.cons_show(f"mark {mark}")
    _say(hook="mark", mark=mark)


def prof_on_start():
    _say(hook="start")


def prof_on_connect(account_name, fulljid):
    _say(hook="connect", jid=fulljid)


def prof_on_message_stanza_receive(stanza):
    message = _parsed(stanza)
    _last.clear()
    if message is None:
        return True
    inner, carbon = message, None
    for way in ("received", "sent"):
        forwarded = _child(_child(message, way, "urn:xmpp:carbons:2"), "forwarded", "urn:xmpp:forward:0")
        found = _child(forwarded, "message", "")
        if found is None:
            found = _child(forwarded, "message", "urn:xmpp:forward:0")
        if found is not None:
            inner, carbon = found, way
    body = inner.find("{*}body")
    _last.update(
        id=inner.get("id"),
        type=inner.get("type"),
        carbon=carbon,
        stamp=_attribute(_child(inner, "delay", "urn:xmpp:delay"), "stamp"),
        replace=_attribute(_child(inner, "replace", "urn:xmpp:message-correct:0"), "id"),
        archived=_child(message, "result", "urn:xmpp:mam:2") is not None,
    )
    receipt = _attribute(_child(inner, "received", "urn:xmpp:receipts"), "id")
    if receipt:
        _say(hook="receipt", jid=message.get("from"), sent=receipt)
    if carbon == "sent" and body is not None:
        _say(hook="sent-carbon", jid=inner.get("from"), to=inner.get("to"), body=body.text or "", **_last)
    return True


def prof_on_presence_stanza_receive(stanza):
    presence = _parsed(stanza)
    if presence is not None and presence.get("type") in (None, "unavailable"):
        _say(
            hook="occupant",
            jid=presence.get("from"),
            available=presence.get("type") is None,
            show=presence.findtext("{*}show"),
            status=presence.findtext("{*}status"),
            codes=[status.get("code") for status in presence.iter("{http://jabber.org/protocol/muc#user}status")],
        )
    return True


def prof_on_iq_stanza_receive(stanza):
    iq = _parsed(stanza)
    if iq is not None and iq.find("{jabber:iq:roster}query") is not None:
        _say(hook="roster")
    elif iq is not None and iq.get("id") == "roster" and iq.get("type") == "error":
        _say(hook="no-roster")  # profanity does nothing then, and sends no presence either
    return True


def prof_on_iq_stanza_send(stanza):
    iq = _parsed(stanza)
    if iq is not None and iq.find("{jabber:iq:roster}query") is not None:
        _say(hook="roster-sent")


def prof_on_message_stanza_send(stanza):
    message = _parsed(stanza)
    if message is not None:
        state = [
            child.tag.rpartition("}")[2]
            for child in message
            if child.tag.startswith("{http://jabber.org/protocol/chatstates}")
        ]
        _say(
            hook="sent",
            to=message.get("to"),
            id=message.get("id"),
            state=state[0] if state else None,
            body=message.findtext("{*}body"),
            asks=message.find("{urn:xmpp:receipts}request") is not None,
        )


def prof_on_presence_stanza_send(stanza):
    presence = _parsed(stanza)
    if presence is not None:
        _say(hook="presence-sent", to=presence.get("to"), type=presence.get("type"))


def prof_post_chat_message_display(barejid, resource, message):
    _say(hook="chat", jid=barejid, resource=resource, body=message, **_last)


def prof_post_priv_message_display(barejid, nick, message):
    _say(hook="private", jid=barejid, resource=nick, body=message, **_last)


def prof_post_room_message_display(barejid, nick, message):
    _say(hook="room", jid=barejid, resource=nick, body=message, **_last)


def prof_on_room_history_message(barejid, nick, message, timestamp):
    _say(hook="history", jid=barejid, resource=nick, body=message, **_last)


def prof_on_contact_presence(barejid, resource, presence, status, priority):
    _say(hook="presence", jid=barejid, resource=resource, show=presence, status=status)


def prof_on_contact_offline(barejid, resource, status):
    _say(hook="presence", jid=barejid, resource=resource, show="offline", status=status)
