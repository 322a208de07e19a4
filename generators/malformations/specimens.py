"""A few valid stanzas, written by hand: what the tables of the documentation are made from, and the tests' first."""

from __future__ import annotations

from types import MappingProxyType

from generators.allowed import ANSWERED, ANSWERED_OR_DELIVERED, ONE_WAY, Allowed, Reaction
from generators.stanza import Scene, Stanza
from schemas.payloads import Addressee, Carrier, Party, Payload, Use

SCENE = Scene(
    own="alice@lab.example/a",
    domain="lab.example",
    addresses=MappingProxyType(
        {
            Addressee.SERVER: ("lab.example",),
            Addressee.ACCOUNT: ("", "alice@lab.example"),
            Addressee.CONTACT: ("bob@lab.example", "bob@lab.example/b"),
            Addressee.PEER: ("",),
        }
    ),
)

_NONZA = Allowed(frozenset({Reaction.SILENCE, Reaction.STREAM_ERROR}), "XEP-0198 §3")


def _stanza(carrier: Carrier, element: str, to: str, addressee: Addressee, inner: str, kind: str = "") -> Stanza:
    use = Use(carrier, (kind,) if kind else (), (Party.CLIENT,), (addressee,))
    allowed = ONE_WAY
    if kind in {"get", "set"}:
        allowed = ANSWERED if addressee in {Addressee.SERVER, Addressee.ACCOUNT} else ANSWERED_OR_DELIVERED
    attributes = "".join(f" {n}='{v}'" for n, v in (("type", kind), ("id", "s1"), ("to", to)) if v)
    xml = f"<{carrier}{attributes}>{inner}</{carrier}>" if inner else f"<{carrier}{attributes}/>"
    return Stanza(Payload(element, "", (use,)), use, addressee, carrier, kind, "s1", to, xml, allowed)


_INFO = "http://jabber.org/protocol/disco#info"
_BODY = "{jabber:client}body"

STANZAS: tuple[Stanza, ...] = (
    _stanza(Carrier.IQ, f"{{{_INFO}}}query", "lab.example", Addressee.SERVER, f"<query xmlns='{_INFO}'/>", "get"),
    _stanza(
        Carrier.IQ,
        f"{{{_INFO}}}query",
        "bob@lab.example/b",
        Addressee.CONTACT,
        f"<query xmlns='{_INFO}' node='n'><identity category='client' type='pc' name='é'/><feature var='a'/></query>",
        "result",
    ),
    _stanza(
        Carrier.IQ,
        "{jabber:iq:roster}query",
        "",
        Addressee.ACCOUNT,
        "<query xmlns='jabber:iq:roster'><item jid='bob@lab.example' name='Bob'><group>x</group></item></query>",
        "set",
    ),
    _stanza(
        Carrier.IQ, f"{{{_INFO}}}query", "bob@lab.example/b", Addressee.CONTACT, f"<query xmlns='{_INFO}'/>", "get"
    ),
    _stanza(
        Carrier.IQ,
        "{http://jabber.org/protocol/commands}command",
        "lab.example",
        Addressee.SERVER,
        "<command xmlns='http://jabber.org/protocol/commands' node='list' action='execute'>"
        "<x xmlns='jabber:x:data' type='submit'><field var='a' type='text-single'><value>1</value></field></x>"
        "</command>",
        "set",
    ),
    _stanza(
        Carrier.IQ,
        "{jabber:client}error",
        "bob@lab.example/b",
        Addressee.CONTACT,
        "<error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
        "<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas' xml:lang='en'>none</text>"
        "<x xmlns='urn:stanzalab:0'/></error>",
        "error",
    ),
    _stanza(Carrier.MESSAGE, _BODY, "bob@lab.example", Addressee.CONTACT, "<body>good &amp; döner 🥙</body>", "chat"),
    _stanza(
        Carrier.MESSAGE,
        "{urn:xmpp:receipts}received",
        "bob@lab.example/b",
        Addressee.CONTACT,
        "<received xmlns='urn:xmpp:receipts' id='x'/><subject>a</subject><body>b</body>",
    ),
    _stanza(
        Carrier.MESSAGE,
        "{urn:xmpp:delay}delay",
        "",
        Addressee.ACCOUNT,
        "<delay xmlns='urn:xmpp:delay' stamp='2002-09-10T23:08:25Z' from='lab.example'>late</delay>",
    ),
    _stanza(
        Carrier.MESSAGE,
        "{jabber:x:data}x",
        "bob@lab.example",
        Addressee.CONTACT,
        "<x xmlns='jabber:x:data' type='result'><reported><field var='a' type='text-single'/></reported>"
        "<item><field var='a'><value>1</value></field></item></x>",
        "normal",
    ),
    _stanza(
        Carrier.PRESENCE, "{jabber:client}show", "", Addressee.ACCOUNT, "<show>away</show><priority>1</priority>"
    ),
    _stanza(Carrier.PRESENCE, "{jabber:client}presence", "bob@lab.example", Addressee.CONTACT, "", "subscribe"),
    Stanza(
        Payload("{urn:xmpp:sm:3}a", "XEP-0198", ()),
        Use(Carrier.STREAM, (), (Party.CLIENT,), (Addressee.PEER,)),
        Addressee.PEER,
        Carrier.STREAM,
        "",
        "",
        "",
        "<a xmlns='urn:xmpp:sm:3' h='1'/>",
        _NONZA,
    ),
)
"""Requests, replies, messages, presences and a nonza: what every operator finds something in."""
