"""Messages over the border: to a resource, to an account, to nobody; in order, unchanged, and bounced."""

from __future__ import annotations

from xml.sax.saxutils import escape

import pytest

from lab.plugin import Specification, require, require_equal, require_error
from lab.plugin.border import Federation
from lab.wire.namespaces import CHAT_STATES, CORRECTION, HINTS, LAB, MARKERS, NS, PING, RECEIPTS, XML_LANG
from lab.wire.session import localname, new_id, parse
from lab.wire.stream import Element
from lab.wire.transport import NoAnswer
from scenarios.federation._border import crosses, friends, message, strangers
from scenarios.server._contacts import disappear

CORE = Specification("RFC 6120")
IM = Specification("RFC 6121")

MANY = 100
NOBODY = "nobody-has-this-name"
TEXT = "Grüße, <b>&amp;</b> 漢字 ☃ 🎈 \"quoted\" 'too'\n\tindented"

PAYLOADS = {
    "chat-state": f"<composing xmlns='{CHAT_STATES}'/>",
    "receipt-request": f"<request xmlns='{RECEIPTS}'/>",
    "receipt": f"<received xmlns='{RECEIPTS}' id='of-that'/>",
    "correction": f"<replace xmlns='{CORRECTION}' id='of-that'/>",
    "marker": f"<displayed xmlns='{MARKERS}' id='of-that'/>",
    "hint": f"<no-copy xmlns='{HINTS}'/>",
    "unknown": f"<a xmlns='{LAB}' one='1' zwei='ä'>text<b xmlns='urn:stanzalab:1'><c/>tail</b><b/> </a>",
}


@IM.must(
    "8.5.3.1", "5.2.2", says="A message of any type to a full JID over the border reaches that resource as it is."
)
@pytest.mark.parametrize("kind", ["chat", "normal", "headline", ""], ids=lambda kind: kind or "none")
def test_message_crosses_the_border(federation: Federation, kind: str) -> None:
    alice, bob = strangers(federation)
    content = "<subject>of it</subject><body>hello</body><thread parent='older'>newer</thread>"
    came = crosses(federation, alice, bob, *message(bob.jid, content, typed=kind))
    require_equal(came.get("to"), bob.jid, "the recipient")
    # A server may leave out what is the default (§5.2.2).
    require_equal(came.get("type") or "normal", kind or "normal", "the type")
    for name, text in (("subject", "of it"), ("body", "hello"), ("thread", "newer")):
        require_equal(came.findtext(f"c:{name}", None, NS), text, f"the {name}")
    thread = came.find("c:thread", NS)
    require(thread is not None and thread.get("parent") == "older", "the parent of the thread", came)


@IM.must("8.5.2.1.1", says="A chat message to a bare JID over the border reaches the one available resource.")
def test_message_to_an_account_crosses_the_border(federation: Federation) -> None:
    alice, bob = strangers(federation)
    came = crosses(federation, alice, bob, *message(bob.bare_jid))
    require_equal(came.findtext("c:body", None, NS), "hello", "the body")


@IM.must("8.5.2.1.1", says="A headline to a bare JID over the border reaches every available resource.")
def test_headline_to_an_account_crosses_the_border(federation: Federation) -> None:
    account = federation.there.connect.account()
    resources = [federation.there.connect(account=account, label=label) for label in ("bob", "bob's other")]
    for bob in resources:
        bob.send("<presence/>")
        bob.sentinel()
    xml, identifier = message(resources[0].bare_jid, typed="headline")
    federation.alice().send(xml)
    for bob in resources:
        bob.expect(identifier, f"the headline at {bob.jid}")


@CORE.must("8.4", says="A payload that a server knows nothing of is passed on over the border, unchanged.")
@pytest.mark.parametrize("name", PAYLOADS)
def test_payload_crosses_the_border(federation: Federation, name: str) -> None:
    alice, bob = strangers(federation)
    came = crosses(federation, alice, bob, *message(bob.jid, f"<body>hello</body>{PAYLOADS[name]}"))
    sent = parse(PAYLOADS[name])
    found = came.find(sent.tag)
    require(found is not None, f"the element {sent.tag}", came)
    if found is not None:
        require_equal(_content(found), _content(sent), "the payload")


@CORE.must("8.4", says="A message without a body is passed on over the border.")
def test_message_without_a_body_crosses_the_border(federation: Federation) -> None:
    alice, bob = strangers(federation)
    came = crosses(federation, alice, bob, *message(bob.jid, PAYLOADS["chat-state"]))
    require(came.find("chatstates:composing", NS) is not None, "the chat state", came)


@IM.must("8.5.3.1", "5.2.3", says="The text of a message over the border is what was written, in any script.")
def test_text_crosses_the_border_unchanged(federation: Federation) -> None:
    alice, bob = strangers(federation)
    came = crosses(federation, alice, bob, *message(bob.jid, f"<body>{escape(TEXT)}</body>"))
    require_equal(came.findtext("c:body", None, NS), TEXT, "the body")


@CORE.must("8.1.5", says="The language of a stanza is not changed over the border.")
def test_language_crosses_the_border(federation: Federation) -> None:
    alice, bob = strangers(federation)
    content = "<body>salut</body><body xml:lang='cy'>helo</body>"
    came = crosses(federation, alice, bob, *message(bob.jid, content, more=" xml:lang='fr'"))
    require_equal(came.get(XML_LANG), "fr", "the stanza's xml:lang")
    # The default of whoever is within it (RFC 6120 §8.1.5).
    seen = {body.get(XML_LANG) or "fr": body.text for body in came.iterfind("c:body", NS)}
    require_equal(seen, {"fr": "salut", "cy": "helo"}, "the bodies by language:")


@CORE.must("13.12", says="A stanza of ten thousand bytes crosses the border: no limit is lower.")
def test_ten_thousand_bytes_cross_the_border(federation: Federation) -> None:
    alice, bob = strangers(federation)
    head, identifier = message(bob.jid, "<body></body>")
    text = "x" * (9_500 - len(head))  # the border adds addresses of its own
    came = crosses(federation, alice, bob, head.replace("<body>", f"<body>{text}"), identifier)
    require_equal(len(came.findtext("c:body", "", NS)), len(text), "characters of the body:")


@CORE.must("10.1", says="Messages from one entity to another arrive over the border in the order of their sending.")
def test_messages_cross_the_border_in_order(federation: Federation) -> None:
    alice, bob = strangers(federation)
    wanted = [new_id() for _ in range(MANY)]
    alice.send_together(
        f"<message to='{bob.jid}' id='{identifier}' type='chat'><body>{place}</body></message>"
        for place, identifier in enumerate(wanted)
    )
    bob.inbox.append(bob.expect(wanted[-1], "the last of the messages"))
    came = [e.get("id", "") for e in bob.inbox if e.get("id") in set(wanted)]
    require_equal(came, wanted, "messages in order:")


@CORE.must("10.1", says="Stanzas of all kinds from one entity to another arrive over the border in their order.")
def test_kinds_of_stanzas_cross_the_border_in_order(federation: Federation) -> None:
    alice, bob = friends(federation)  # of strangers, a server should refuse the iqs (RFC 6121 §8.5.3.1)
    kinds = ["message", "presence", "iq"] * 5
    wanted = [new_id() for _ in kinds]
    written = {
        "message": "<message to='{to}' id='{id}'><body>hello</body></message>",
        "presence": "<presence to='{to}' id='{id}'><status>{id}</status></presence>",
        "iq": "<iq type='get' to='{to}' id='{id}'><ping xmlns='urn:xmpp:ping'/></iq>",
    }
    alice.send_together(written[kind].format(to=bob.jid, id=one) for kind, one in zip(kinds, wanted, strict=True))
    alice.sentinel(bob)
    came = [e.get("id", "") for e in bob.inbox if e.get("id") in set(wanted)]
    require_equal(came, wanted, "stanzas in order:")
    for identifier in wanted[2::3]:
        bob.send(f"<iq type='result' id='{identifier}' to='{alice.jid}'/>")
        alice.expect(identifier, "the answer")


@CORE.must("8.3.1", says="An error that a client returns crosses the border: same id, same condition, same text.")
def test_error_is_bounced_over_the_border(federation: Federation) -> None:
    alice, bob = strangers(federation)
    sent, identifier = message(bob.jid)
    alice.send(sent)
    bob.expect(identifier, "the message")
    bob.send(
        f"<message type='error' id='{identifier}' to='{alice.jid}'><error type='modify'>"
        f"<policy-violation xmlns='{NS['stanzas']}'/><text xmlns='{NS['stanzas']}' xml:lang='en'>No, thanks</text>"
        f"<extra xmlns='{LAB}'/></error></message>"
    )
    came = alice.expect(identifier, "the error")
    with federation.there.writes():
        require_equal(came.get("from"), bob.jid, "the sender of the error")
    require_error(came, "policy-violation", kind="modify")
    require_equal(came.findtext("c:error/stanzas:text", None, NS), "No, thanks", "the text")
    require(came.find("c:error/lab:extra", NS) is not None, "the condition of the application", came)


@IM.must("8.5.1", says="A message to nobody over the border is ignored, or refused as service-unavailable.")
@pytest.mark.parametrize("to", ["bare", "full"])
def test_message_to_nobody_over_the_border(federation: Federation, to: str) -> None:
    alice = federation.alice()
    address = f"{NOBODY}@{federation.there.domain}{'/nowhere' if to == 'full' else ''}"
    sent, identifier = message(address)
    alice.send(sent)
    alice.iq("get", f"<ping xmlns='{PING}'/>", to=federation.there.domain)  # behind it, the same way
    for came in [e for e in alice.inbox if e.get("id") == identifier]:
        with federation.there.writes():
            require_error(came, "service-unavailable")
            require_equal(came.get("from"), address, "the sender of the error")


@IM.should("8.5.2.2.1", says="A chat message to an account that is offline is kept over the border, or refused.")
def test_message_to_one_who_is_offline_over_the_border(federation: Federation) -> None:
    account = federation.there.connect.account()
    alice = federation.alice()
    sent, identifier = message(account.jid)
    alice.send(sent)
    alice.iq("get", f"<ping xmlns='{PING}'/>", to=federation.there.domain)  # behind it, the same way
    refusals = [e for e in alice.inbox if e.get("id") == identifier]
    with federation.there.blamed():
        if refusals:
            require_error(refusals[0], "service-unavailable")
            return
        bob = federation.there.connect(account=account, label="bob")
        bob.send("<presence/>")
        try:
            came = bob.expect(identifier, "the message that was kept")
        except NoAnswer:  # its refusal is not from who answered the ping, and may have come behind that (§10.1)
            alice.sentinel()
            refusals = [e for e in alice.inbox if e.get("id") == identifier]
            if not refusals:
                raise
            require_error(refusals[0], "service-unavailable")
            return
        require_equal(came.get("from"), alice.jid, "the sender")


@IM.must("8.5.3.2.1", says="A headline over the border to a resource that is gone is not given to others.")
def test_headline_to_a_resource_that_is_gone(federation: Federation) -> None:
    alice, bob = strangers(federation)
    sent, identifier = message(f"{bob.bare_jid}/gone", typed="headline")
    alice.send(sent)
    forbidden = sent.replace("<message ", f"<message from='{alice.jid}' ")
    with federation.there.blamed():
        bob.expect_nothing(
            forbidden, lambda e: e.get("id") == identifier, "headline for another resource", after=alice
        )


@CORE.must("10.1", says="Where neither sees the other any more, messages still cross the border both ways.")
def test_messages_cross_while_unavailable(federation: Federation) -> None:
    alice, bob = friends(federation)
    disappear(alice)
    crosses(federation, alice, bob, *message(bob.jid))
    answer, identifier = message(alice.jid)
    bob.send(answer)
    alice.expect(lambda e: localname(e) == "message" and e.get("id") == identifier, "the message to a full JID")


def _content(element: Element) -> tuple[object, ...]:
    """All that a payload says, whatever the prefixes."""
    attributes = sorted(element.attrib.items())
    inside = [(_content(child), child.tail or "") for child in element]
    return element.tag, attributes, element.text or "", inside
