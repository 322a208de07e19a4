"""XEP-0280 §7, §8, §10.3: the form of a copy, who gets one and who does not, and copies that bounce."""

from __future__ import annotations

import pytest

from lab.plugin import Connect, impossible, require, require_equal
from lab.wire.namespaces import CARBONS, CLIENT, FORWARD, NS, STANZA_ID
from lab.wire.session import Session, localname, new_id, parse, show
from lab.wire.stream import Element
from scenarios.server._contacts import log_out
from scenarios.server.rfc6120._stanzas import UNKNOWN, same
from scenarios.server.xep0280._carbons import (
    CARBON,
    WAYS,
    Users,
    Way,
    copied,
    is_copy,
    message,
    not_copied,
    original,
    resource,
    say,
    switched_on,
    users,
    wrapped,
)

EACH_WAY = pytest.mark.parametrize("way", WAYS)
RICH = (
    "<subject>About</subject><body>Hello &amp; goodbye ☃</body><body xml:lang='de'>Hallo</body>"
    f"<thread>t</thread>{UNKNOWN}"
)


# --- form


@EACH_WAY
@CARBON.must("7", "8", says="A copy is from the own bare JID, and holds the message within <forwarded/>.")
def test_copy_has_its_form(way: Way, connect: Connect) -> None:
    there = users(connect)
    copy = copied(there, way, say(*there.ends(way)))
    require_equal(copy.get("from"), there.account.jid, "'from' of the copy")
    carbons = [child for child in copy if child.tag.startswith(f"{{{CARBONS}}}")]
    require_equal([localname(child) for child in carbons], [way], "the elements of carbons in the copy")
    require_equal([child.tag for child in carbons[0]], [f"{{{FORWARD}}}forwarded"], "what the element holds")
    require_equal(len(carbons[0].findall("forward:forwarded/c:message", NS)), 1, "the number of messages in it")


@CARBON.must("7", says="The copy of a received message is to the full JID of the resource that gets it.")
def test_copy_of_received_is_to_the_resource(connect: Connect) -> None:
    there = users(connect)
    copy = copied(there, "received", say(*there.ends("received")))
    require_equal(copy.get("to"), there.copied.jid, "'to' of the copy")


@CARBON.should("8", says="The copy of a sent message is to the full JID of the resource that gets it.")
def test_copy_of_sent_is_to_the_resource(connect: Connect) -> None:
    there = users(connect)
    copy = copied(there, "sent", say(*there.ends("sent")))
    require_equal(copy.get("to"), there.copied.jid, "'to' of the copy")


@EACH_WAY
@pytest.mark.parametrize("type_", ["chat", "normal", ""], ids=["chat", "normal", "no-type"])
@CARBON.should("7", "8", says="A copy has the type of the message.")
def test_copy_has_the_type(type_: str, way: Way, connect: Connect) -> None:
    there = users(connect)
    copy = copied(there, way, say(*there.ends(way), type_=type_))
    require_equal(copy.get("type", "normal"), type_ or "normal", "'type' of the copy")


@EACH_WAY
@CARBON.must("7", "8", says="A copy holds the message itself: its addresses, id and type, and all that stood in it.")
def test_copy_holds_the_message(way: Way, connect: Connect) -> None:
    there = users(connect)
    sender, recipient = there.ends(way)
    inner = original(copied(there, way, say(sender, recipient, RICH)), way)
    if inner is None:
        return
    attributes = {name: inner.get(name) for name in ("from", "to", "type")}
    require_equal(attributes, {"from": sender.jid, "to": recipient.jid, "type": "chat"}, "attributes of the message")
    left = list(inner)
    for child in parse(f"<message>{RICH}</message>", default=CLIENT):
        found = next((other for other in left if same(child, other)), None)
        require(found is not None, f"<{localname(child)}/> as it was sent", inner)
        if found is not None:
            left.remove(found)
    added = [child for child in left if not child.tag.startswith(f"{{{STANZA_ID}}}")]
    require(all(not child.tag.startswith(f"{{{CLIENT}}}") for child in added), "nothing added but extensions", inner)


@EACH_WAY
@CARBON.must("7", "8", says="Copies come in the order of the messages, one of each.")
def test_copies_are_in_order(way: Way, connect: Connect) -> None:
    there = users(connect)
    sender, recipient = there.ends(way)
    sent = [message(recipient.jid) for _ in range(5)]
    sender.send_together(xml for xml, _ in sent)
    wanted = [identifier for _, identifier in sent]
    copied(there, way, wanted[-1])
    sender.sentinel(there.copied)
    inners = [original(element, way) for element in there.copied.inbox]
    seen = [inner.get("id") for inner in inners if inner is not None and inner.get("id") in wanted]
    require_equal(seen, wanted[:-1], "the copies before the last message's, by id")


# --- to whom


@EACH_WAY
@CARBON.must("7", "8", "2", says="Each resource that has enabled carbons gets one copy.")
def test_each_enabled_resource_gets_a_copy(way: Way, connect: Connect) -> None:
    there = users(connect)
    others = [there.copied, *(switched_on(resource(connect, there.account, f"more {n}")) for n in range(2))]
    sender, recipient = there.ends(way)
    identifier = say(sender, recipient)
    for session in others:
        session.expect(is_copy(identifier, way), f"a copy of the message {way}")
        not_copied(session, identifier, "second copy", after=sender, ways=(way,))


@CARBON.must("8", says="What a resource sends is copied whether or not it has enabled carbons itself.")
@pytest.mark.parametrize("enabled", [True, False], ids=["enabled", "not-enabled"])
def test_sent_message_is_copied_whoever_sent_it(enabled: bool, connect: Connect) -> None:
    there = users(connect)
    if enabled:
        switched_on(there.one)
    copied(there, "sent", say(there.one, there.other))


@CARBON.must_not("7", says="The resource that a message is addressed to gets the message itself, and no copy.")
def test_recipient_gets_no_copy(connect: Connect) -> None:
    there = users(connect)
    switched_on(there.one)
    identifier = say(there.other, there.one)
    copied(there, "received", identifier)
    not_copied(there.one, identifier, "copy at the addressee", after=there.other)


@CARBON.should_not("8", says="The resource that sends a message gets no copy of it.")
def test_sender_gets_no_copy(connect: Connect) -> None:
    there = users(connect)
    switched_on(there.one)
    identifier = say(there.one, there.other)
    copied(there, "sent", identifier)
    not_copied(there.one, identifier, "copy at the sender", after=there.other, ways=("sent", "received"))


@EACH_WAY
@CARBON.must_not("2", says="Who talks with the account gets no copy, though carbons are enabled there.")
def test_other_side_gets_no_copy(way: Way, connect: Connect) -> None:
    there = users(connect)
    switched_on(there.other)
    sender, recipient = there.ends(way)
    identifier = say(sender, recipient)
    copied(there, way, identifier)
    not_copied(there.other, identifier, "copy at the other side", after=there.one)


PRIORITIES = {
    "all-alike": (0, 0, 0),
    "one-above": (5, 0, 1),
    "one-below-zero": (1, 0, -1),
}


@pytest.mark.parametrize("priorities", PRIORITIES)
@pytest.mark.parametrize("to", ["bare", "full", "absent"])
@CARBON.must(
    "7", "2", says="Each enabled resource sees a received message once: itself (RFC 6121 §8.5), or as a copy."
)
def test_each_resource_sees_a_message_once(to: str, priorities: str, connect: Connect) -> None:
    account, other = connect.account(), connect(label="other")
    sessions = []
    for number, priority in enumerate(PRIORITIES[priorities]):
        session = switched_on(resource(connect, account, f"resource {number}"))
        session.send(f"<presence><priority>{priority}</priority></presence>")
        session.sentinel()
        sessions.append(session)
    address = {"bare": account.jid, "full": sessions[0].jid, "absent": f"{account.jid}/{new_id()}"}[to]
    xml, identifier = message(address)
    other.send(xml)
    other.sentinel()
    if any(e.get("id") == identifier for e in other.inbox):
        impossible("the message is refused; checks of RFC 6121 say whether that is a fault")
    for session in sessions:
        other.sentinel(session)  # whoever gets the message itself may be the one that makes the copies
    seen = []
    for session in sessions:
        other.sentinel(session)
        fits = is_copy(identifier)
        seen.append(sum(element.get("id") == identifier or fits(element) for element in session.inbox))
    if to == "absent" and not any(seen):
        impossible("the message is delivered to nobody; checks of RFC 6121 say whether that is a fault")
    require_equal(seen, [1] * len(sessions), "how often each resource sees the message")


@CARBON.must(
    "7", "8", says="What a resource sends to another one of its account is seen there once, and copied to a third."
)
def test_message_to_an_own_resource(connect: Connect) -> None:
    there = users(connect)
    second = switched_on(resource(connect, there.account, "second"))
    identifier = say(there.one, second)
    there.copied.expect(is_copy(identifier), "a copy at the third resource")
    not_copied(second, identifier, "copy at the addressee", after=there.one, ways=("received",))


@pytest.mark.parametrize("way", WAYS)
@CARBON.must("7", "8", says="Messages from and to another domain are copied like those within the own one.")
def test_message_across_domains_is_copied(way: Way, component_session: Session, connect: Connect) -> None:
    there = users(connect)
    contact = f"contact@{component_session.jid}/there"
    identifier = new_id()
    if way == "received":
        addresses = f"from='{contact}' to='{there.one.jid}'"
        component_session.send(f"<message type='chat' id='{identifier}' {addresses}><body>Hello</body></message>")
        there.one.expect(identifier, "the message itself")
    else:
        there.one.send(f"<message type='chat' id='{identifier}' to='{contact}'><body>Hello</body></message>")
        component_session.expect(identifier, "the message itself")
    inner = original(copied(there, way, identifier), way)
    require(inner is not None and contact in {inner.get("from"), inner.get("to")}, f"a message of {contact}", inner)


@CARBON.must(
    "11", "7", says="What somebody wraps up as a copy comes as that one's message, and not as the account's."
)
def test_forged_copy_bears_its_senders_address(connect: Connect) -> None:
    there = users(connect)
    identifier = new_id()
    there.other.send(f"<message to='{there.copied.jid}' type='chat'>{wrapped(identifier, 'received')}</message>")
    there.other.sentinel(there.copied)
    came = [e for e in there.copied.inbox if is_copy(identifier)(e)]
    for element in came:
        require_equal(element.get("from"), there.other.jid, "'from' of the forged copy")
    there.copied.inbox.clear()
    copied(there, "received", say(there.other, there.one))


# --- bounces


def _bounce(copy: Element, *, whole: bool) -> str:
    """An error for a copy, to its sender, with or without what it holds."""
    held = "".join(show(child) for child in copy) if whole else ""
    identifier = f" id='{copy.get('id')}'" if copy.get("id") else ""
    return (
        f"<message type='error' to='{copy.get('from')}'{identifier}>{held}<error type='cancel'>"
        f"<service-unavailable xmlns='{NS['stanzas']}'/></error></message>"
    )


@EACH_WAY
@pytest.mark.parametrize("whole", [True, False], ids=["with-the-message", "without"])
@CARBON.must_not("10.3", says="The error that a copy bounces with is not sent on to who sent the message.")
def test_bounce_of_a_copy_is_not_sent_on(whole: bool, way: Way, connect: Connect) -> None:
    there = users(connect)
    copy = copied(there, way, say(*there.ends(way)))
    there.copied.send(_bounce(copy, whole=whole))
    there.copied.sentinel()
    sender, _ = there.ends(way)
    sender.expect_nothing(
        f"<message type='error' from='{there.copied.jid}' to='{sender.jid}'>"
        f"<error type='cancel'><service-unavailable xmlns='{NS['stanzas']}'/></error></message>",
        lambda e: localname(e) == "message" and e.get("type") == "error",
        "the error of a copy",
        after=there.copied,
    )


@CARBON.must("7", says="Who is not available any more gets no copies, and whoever is left gets them.")
def test_copies_go_on_without_a_resource_that_left(connect: Connect) -> None:
    there = users(connect)
    gone = switched_on(resource(connect, there.account, "gone"))
    log_out(gone)
    _seen_once(there)


def _seen_once(there: Users) -> None:
    for way in WAYS:
        sender, recipient = there.ends(way)
        identifier = say(sender, recipient)
        copied(there, way, identifier)
        not_copied(there.copied, identifier, "second copy", after=sender)
