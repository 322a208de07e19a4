"""XEP-0280 §6, §9: which messages are copied, by the table of rules, and which are kept from it by their sender.

A check is called by the kind of message and the way it goes: `…/normal-with-body:sent`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import pytest

from lab.plugin import Connect, require, require_equal, unsupported
from lab.wire.namespaces import CARBONS, CHAT_STATES, CONFERENCE, HINTS, LAB, MARKERS, MUC_USER, NS, RECEIPTS
from lab.wire.session import new_id
from scenarios.server._discovery import advertises
from scenarios.server._rooms import OWNER, Room, room
from scenarios.server.xep0280._carbons import (
    CARBON,
    RULES,
    WAYS,
    Users,
    Way,
    copied,
    is_copy,
    message,
    not_copied,
    resource,
    say,
    users,
)

BODY = "<body>Hello</body>"
UNKNOWN = f"<unheard-of xmlns='{LAB}'/>"
PRIVATE = f"<private xmlns='{CARBONS}'/>"
NO_COPY = f"<no-copy xmlns='{HINTS}'/>"
INVITATION = f"<x xmlns='{CONFERENCE}' jid='room@conference.nowhere.invalid'/>"
MEDIATED = f"<x xmlns='{MUC_USER}'><invite {{who}}='{{jid}}'/></x>"


@dataclass(frozen=True)
class Rule:
    """A kind of message: its name, type and content, and whether it is copied."""

    name: str
    type: str
    content: str
    copied: bool = True

    @property
    def says(self) -> str:
        return f"A message of the kind {self.name} is {'copied' if self.copied else 'not copied'}."


# Those of type error and of rooms need somebody to play with, and stand below.
ELIGIBLE = (
    Rule("chat-with-body", "chat", BODY),
    Rule("chat-without-body", "chat", UNKNOWN),
    Rule("chat-state", "chat", f"<composing xmlns='{CHAT_STATES}'/>"),
    Rule("normal-with-body", "normal", BODY),
    Rule("no-type-with-body", "", BODY),
    Rule("normal-receipt", "normal", f"<received xmlns='{RECEIPTS}' id='a'/>"),
    Rule("no-type-receipt", "", f"<received xmlns='{RECEIPTS}' id='a'/>"),
    Rule("normal-chat-state", "normal", f"<composing xmlns='{CHAT_STATES}'/>"),
    Rule("normal-chat-marker", "normal", f"<displayed xmlns='{MARKERS}' id='a'/>"),
    Rule("invitation", "normal", INVITATION),
    Rule("invitation-of-no-type", "", INVITATION),
    Rule("normal-without-body", "normal", UNKNOWN, copied=False),
    Rule("headline", "headline", BODY, copied=False),
)


def _param(rule: Rule, way: Way) -> object:
    requires = CARBON.should if rule.copied else CARBON.should_not
    return pytest.param(rule, way, id=f"{rule.name}:{way}", marks=requires("6.1", "6", says=rule.says))


@pytest.mark.parametrize(("rule", "way"), [_param(rule, way) for rule in ELIGIBLE for way in WAYS])
def test_message(rule: Rule, way: Way, connect: Connect) -> None:
    there = users(connect)
    sender, recipient = there.ends(way)
    identifier = say(sender, recipient, rule.content, type_=rule.type)
    if rule.copied:
        copied(there, way, identifier)
    else:
        not_copied(there.copied, identifier, f"copy of a message that is {rule.name}", after=sender)


@pytest.mark.parametrize("way", WAYS)
@CARBON.must("6.2", "6.1", says="Who advertises urn:xmpp:carbons:rules:0 keeps each of the rules.")
def test_advertised_rules_are_kept(way: Way, connect: Connect) -> None:
    there = users(connect)
    if not advertises(there.one, there.one.domain, RULES):
        unsupported(RULES)
    sender, recipient = there.ends(way)
    rules = {say(sender, recipient, rule.content, type_=rule.type): rule for rule in ELIGIBLE}
    sender.sentinel(there.copied)
    got = [
        rule.name
        for identifier, rule in rules.items()
        if any(is_copy(identifier, way)(e) for e in there.copied.inbox)
    ]
    require_equal(got, [rule.name for rule in ELIGIBLE if rule.copied], "the kinds of message that were copied")


# --- errors


def _answered_by_an_error(there: Users, way: Way, content: str, type_: str) -> str:
    """A message, and the error that answers it; its id. `way` is that of the error."""
    receiver, sender = there.ends(way)  # of the message; the error goes back
    identifier = say(sender, receiver, content, type_=type_)
    error = f"<error type='cancel'><service-unavailable xmlns='{NS['stanzas']}'/></error>"
    receiver.send(f"<message type='error' id='{identifier}' to='{sender.jid}'>{error}</message>")
    sender.expect(lambda e: e.get("type") == "error" and e.get("id") == identifier, "the error")
    return identifier


@pytest.mark.parametrize("way", WAYS)
@CARBON.should("6.1", says="An error in answer to a message that was to be copied is copied.")
def test_error_is_copied(way: Way, connect: Connect) -> None:
    there = users(connect)
    identifier = _answered_by_an_error(there, way, BODY, "chat")
    path = f"carbons:{way}/forward:forwarded/c:message[@type='error']"
    there.copied.expect(
        lambda e: is_copy(identifier, way)(e) and e.find(path, NS) is not None, f"a copy of the error {way}"
    )


@pytest.mark.parametrize("way", WAYS)
@CARBON.should_not("6.1", "6", says="An error in answer to a message that was not to be copied is not copied.")
def test_error_of_what_is_not_copied_is_not_copied(way: Way, connect: Connect) -> None:
    there = users(connect)
    identifier = _answered_by_an_error(there, way, UNKNOWN, "normal")
    sender, _ = there.ends(way)
    not_copied(there.copied, identifier, "copy of an error that answers no instant message", after=sender)


# --- what its sender keeps from being copied

HINTED = {"private-and-no-copy": PRIVATE + NO_COPY, "private": PRIVATE, "no-copy": NO_COPY}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "hints",
    [
        pytest.param(
            hints,
            marks=requires(says="A message marked as private is not copied; and it is delivered."),
        )
        # §9 has both marks; of <private/> alone there is the rule of §6.1.
        for hints, requires in (
            ("private-and-no-copy", partial(CARBON.must_not, "9", "6.1")),
            ("private", partial(CARBON.should_not, "6.1")),
        )
    ],
)
@pytest.mark.parametrize("type_", ["chat", "normal"])
def test_private_message_is_not_copied(type_: str, hints: str, way: Way, connect: Connect) -> None:
    _is_not_copied(HINTED[hints], type_, way, connect)


@pytest.mark.parametrize("way", WAYS)
@CARBON.should_not("9", says="A message with the hint no-copy (XEP-0334 §4.3) is not copied; and it is delivered.")
def test_message_with_the_hint_no_copy_is_not_copied(way: Way, connect: Connect) -> None:
    _is_not_copied(HINTED["no-copy"], "chat", way, connect)


def _is_not_copied(hints: str, type_: str, way: Way, connect: Connect) -> None:
    there = users(connect)
    sender, recipient = there.ends(way)
    identifier = say(sender, recipient, BODY + hints, type_=type_)
    not_copied(there.copied, identifier, "copy of a private message", after=sender)
    copied(there, way, say(sender, recipient))


@CARBON.must_not("9", says="A private message from one resource of an account to another is not copied to a third.")
def test_private_message_within_the_account_is_not_copied(connect: Connect) -> None:
    there = users(connect)
    second = resource(connect, there.account, "second")
    identifier = say(there.one, second, BODY + PRIVATE + NO_COPY)
    not_copied(there.copied, identifier, "copy of a private message", after=there.one)
    there.copied.expect(is_copy(say(there.one, second)), "a copy of a message that is not private")


@pytest.mark.parametrize("hints", HINTED)
@CARBON.must("9", says="Marking a message as private does not keep it from the account that it is addressed to.")
def test_private_message_to_an_account_is_delivered(hints: str, connect: Connect) -> None:
    there = users(connect)
    xml, identifier = message(there.account.jid, BODY + HINTED[hints])
    there.other.send(xml)
    there.other.sentinel()
    seen = 0
    for session in (there.one, there.copied):
        there.other.sentinel(session)
        seen += sum(element.get("id") == identifier for element in session.inbox)
    require(seen, "the message itself at one resource at least", "none")


# --- rooms


def _room(connect: Connect) -> tuple[Users, Room]:
    """A room in which `one` and `other` are; `copied`, with carbons, is not."""
    there = users(connect)
    made = room(connect, there.other)
    made.enter(there.one, "one")
    return there, made


@CARBON.should_not(
    "6.1", says="What a resource says to a room, or hears there, is not copied to a resource that is not in it."
)
def test_groupchat_is_not_copied(connect: Connect) -> None:
    there, made = _room(connect)
    identifier = new_id()
    there.one.send(f"<message type='groupchat' id='{identifier}' to='{made.jid}'><body>{identifier}</body></message>")
    made.heard(there.one, "one", identifier)
    not_copied(there.copied, identifier, "copy of a message to a room", after=there.one)
    made.say(there.other, OWNER, "from the owner")
    heard = made.heard(there.one, OWNER, "from the owner")
    not_copied(there.copied, heard.get("id", ""), "copy of a message from a room", after=there.one)


@CARBON.should_not(
    "6.1", says="A private message from a room's occupant is not copied: the room sends it to who is in it."
)
def test_private_message_from_an_occupant_is_not_copied(connect: Connect) -> None:
    there, made = _room(connect)
    identifier = new_id()
    there.other.send(
        f"<message type='chat' id='{identifier}' to='{made.occupant('one')}'><body>Hello</body>"
        f"<x xmlns='{MUC_USER}'/></message>"
    )
    got = there.one.expect(lambda e: e.get("from") == made.occupant(OWNER) and e.findtext("{*}body") == "Hello", "it")
    not_copied(there.copied, got.get("id", ""), "copy of a private message from a room", after=there.one)


@CARBON.should("6.1", says="A private message to a room's occupant is copied to who shares the nickname.")
def test_private_message_to_an_occupant_is_copied(connect: Connect) -> None:
    there, made = _room(connect)
    made.enter(there.copied, "one")
    identifier = new_id()
    there.one.send(
        f"<message type='chat' id='{identifier}' to='{made.occupant(OWNER)}'><body>Hello</body>"
        f"<x xmlns='{MUC_USER}'/></message>"
    )
    copied(there, "sent", identifier)


@CARBON.should("6.1", says="The invitation that somebody sends by way of a room is copied.")
def test_mediated_invitation_is_copied_where_it_is_sent(connect: Connect) -> None:
    there, made = _room(connect)
    guest = connect(label="guest")
    identifier = new_id()
    invitation = MEDIATED.format(who="to", jid=guest.bare_jid)
    there.one.send(f"<message id='{identifier}' to='{made.jid}'>{invitation}</message>")
    copied(there, "sent", identifier)


@CARBON.should(
    "6.1", says="The invitation that a room passes on is copied to a resource that does not get it itself."
)
def test_mediated_invitation_is_copied_where_it_comes(connect: Connect) -> None:
    there = users(connect)
    made = room(connect, there.other)
    # A message to the account does not go to a resource below zero.
    there.copied.send("<presence><priority>-1</priority></presence>")
    there.copied.sentinel()
    invitation = MEDIATED.format(who="to", jid=there.account.jid)
    there.other.send(f"<message to='{made.jid}'>{invitation}</message>")
    path = f"{{{MUC_USER}}}x/{{{MUC_USER}}}invite"
    there.one.expect(lambda e: e.find(path) is not None, "the invitation")
    there.copied.expect(
        lambda e: e.find(f"carbons:received/forward:forwarded/c:message/{path}", NS) is not None,
        "a copy of the invitation",
    )
