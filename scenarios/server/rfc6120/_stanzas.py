"""What several modules on stanzas share: delivering one, and comparing what came with what was sent.

Comparing is done on the XML information, not on its spelling: prefixes and quotes may differ.
"""

from __future__ import annotations

import pytest
from lxml import etree

from lab.plugin import require, require_equal
from lab.plugin.judge import Missed
from lab.wire.namespaces import CLIENT, LAB, XML_LANG
from lab.wire.session import Session, localname, new_id, parse, show
from lab.wire.stream import Element

UNKNOWN = f"<unheard-of xmlns='{LAB}'><detail of='it'>text</detail></unheard-of>"
"""A payload that no server knows."""

KINDS = {
    "message": f"<message type='chat' {{attributes}}><body>Hello</body>{UNKNOWN}</message>",
    "presence": f"<presence {{attributes}}><status>Hello</status>{UNKNOWN}</presence>",
    "iq": f"<iq type='get' {{attributes}}>{UNKNOWN}</iq>",
}
"""One stanza of each kind, to be given its attributes."""


def stanza(kind: str, to: str | None, attributes: str = "") -> str:
    """A stanza of `kind` with a fresh id; no `to` where it is None."""
    address = "" if to is None else f"to='{to}'"
    return KINDS[kind].format(attributes=f"{address} id='{new_id()}' {attributes}")


def identifier(xml: str) -> str:
    """The id of a stanza that was written."""
    return parse(xml, default=CLIENT).get("id") or ""


def become_available(session: Session) -> None:
    """Send initial presence and wait until the server has taken it in."""
    session.send("<presence/>")
    session.sentinel()


@pytest.fixture(name="bob")
def available_bob(bob: Session) -> Session:
    """`bob`, available, where it is imported: whether a client that is not gets stanzas is a check of `routing`."""
    become_available(bob)
    return bob


def share_presence(session: Session, other: Session) -> None:
    """Let `other` know that `session` is there, by directed presence (RFC 6121 §4.6).

    A get or set is for whom its recipient shares presence with: from others, a server should refuse it (§8.5.3.1).
    """
    if session.namespace != CLIENT:
        return  # nobody keeps a component's requests from it
    session.send(f"<presence to='{other.jid}'/>")
    session.sentinel()


def deliver(sender: Session, recipient: Session, xml: str) -> Element:
    """Send a stanza that bears an id; answers the one copy of it that the recipient gets."""
    wanted = parse(xml, default=sender.namespace)
    if wanted.get("type") in {"get", "set"} and sender.bare_jid != recipient.bare_jid:
        share_presence(recipient, sender)
    sender.send(xml)
    got = recipient.expect(
        lambda e: e.get("id") == wanted.get("id") and localname(e) == localname(wanted),
        f"the {localname(wanted)} with id {wanted.get('id')!r}",
    )
    require_no_copy(sender, recipient, got)
    return got


def require_no_copy(sender: Session, recipient: Session, got: Element) -> None:
    """The check fails where `got` comes a second time."""
    sender.sentinel(recipient)
    marks = ("id", "from", "type")  # a server may drop the id, and what else is there has none either
    copies = [e for e in recipient.inbox if e.tag == got.tag and all(e.get(m) == got.get(m) for m in marks)]
    require(not copies, "one copy of the stanza", copies[0] if copies else None)


def require_delivered(got: Element, xml: str, sender: str, *, namespace: str = CLIENT) -> None:
    """The check fails unless `got` is the stanza `xml` as `sender` sent it, unmodified (RFC 6120 §8.4).

    Allowed: a language is added (§8.1.5), extension elements are added; the order of children is the matter of
    one check alone. `namespace` is the content namespace of the recipient's stream.
    """
    sent = parse(xml, default=namespace)
    require_equal(got.tag, sent.tag, "a stanza named")
    require(got.get("from") == sender, f"'from' is {sender}", got)
    added = set(got.attrib) - set(sent.attrib) - {"from", XML_LANG}
    require(not added, "no attribute besides the sent ones", got)
    for name, value in sent.attrib.items():
        require(name == "from" or got.get(name) == value, f"{name!s} is {value!r}, as sent", got)
    left = list(got)
    for child in sent:
        found = next((other for other in left if same(child, other)), None)
        if found is None:
            raise Missed(f"unmodified: {show(child)}", show(got))
        left.remove(found)
    require(all(etree.QName(e).namespace != namespace for e in left), "nothing added but extensions", got)


def same(one: Element, other: Element) -> bool:
    """Whether two elements say the same: names, attributes, text, children in their order."""
    return (
        one.tag == other.tag
        and sorted(one.items()) == sorted(other.items())
        and (one.text or "") == (other.text or "")
        and len(one) == len(other)
        and all(same(a, b) and (a.tail or "") == (b.tail or "") for a, b in zip(one, other, strict=True))
    )


def require_reply(reply: Element, xml_id: str, *senders: str | None) -> None:
    """The check fails unless `reply` is an iq of that id from one of `senders` (None: no 'from')."""
    require(localname(reply) == "iq" and reply.get("id") == xml_id, f"an iq with id {xml_id!r}", reply)
    require(reply.get("from") in senders, f"'from' is {' or '.join(str(s) for s in senders)}", reply)


def answers(session: Session, xml: str) -> list[Element]:
    """Send a stanza that bears an id; answers all that comes back with that id before a later stanza's answer."""
    wanted = identifier(xml)
    session.send(xml)
    session.sentinel()
    found = [e for e in session.inbox if e.get("id") == wanted]
    session.inbox[:] = [e for e in session.inbox if e.get("id") != wanted]
    return found
