"""XEP-0045 §7.5: private messages between occupants."""

from __future__ import annotations

import pytest

from lab.plugin import Connect, Specification, require, require_equal, require_error, require_result, unsupported
from lab.wire.namespaces import LAB, MUC_USER, NS
from lab.wire.session import localname
from lab.wire.stream import Element
from scenarios.server.xep0045._configuration import configuration, configure, offered
from scenarios.server.xep0045._occupant import Occupant, message_example, of_the_room, said
from scenarios.server.xep0045._rooms import gather, quiet

XEP = Specification("XEP-0045")


def _private(listener: Occupant, text: str, by: Occupant) -> Element:
    """The private message must come: from the sender's occupant JID, to the full JID."""
    message = listener.session.expect(said(text), f"the private message {text!r}")
    require_equal(message.get("from"), by.jid, "from")
    require_equal(message.get("to"), listener.session.jid, "to")
    require(message.get("type") != "groupchat", "a type other than groupchat", message)
    return message


def _not_delivered(listener: Occupant, sender: Occupant, text: str) -> None:
    listener.is_spared(
        message_example(sender.jid, listener.session, text, kind="chat"),
        said(text),
        "private message",
        after=sender.session,
    )


@XEP.must(
    "7.5", says="A private message goes to the one occupant, from the sender's occupant JID, its type as it was."
)
@pytest.mark.parametrize("kind", ["chat", "normal", ""], ids=["chat", "normal", "without-type"])
def test_private_message_is_delivered(connect: Connect, kind: str) -> None:
    _owner, guest, other = gather(connect, "none", "none")
    guest.whispers(other.nick, "psst", kind=kind)
    message = _private(other, "psst", guest)
    require_equal(message.get("type") or "normal", kind or "normal", "type")


@XEP.must("7.5", says="A private message is delivered between occupants of any affiliation and role.")
@pytest.mark.parametrize(
    ("sender", "recipient"),
    [
        pytest.param("none", "owner", id="participant-to-owner"),
        pytest.param("owner", "none", id="owner-to-participant"),
        pytest.param("member", "none/visitor", id="member-to-visitor"),
        pytest.param("admin", "member", id="admin-to-member"),
        pytest.param("none/moderator", "none", id="moderator-to-participant"),
    ],
)
def test_private_message_between(connect: Connect, sender: str, recipient: str) -> None:
    _owner, guest, other = gather(connect, sender, recipient)
    guest.whispers(other.nick, "psst")
    _private(other, "psst", guest)


@XEP.must("7.5", says="A private message reaches nobody else.")
def test_private_message_is_private(connect: Connect) -> None:
    owner, guest, other, third = gather(connect, "none", "none", "none")
    guest.whispers(other.nick, "psst")
    _private(other, "psst", guest)
    for occupant in (owner, third):
        _not_delivered(occupant, guest, "psst")


@XEP.should("7.5", says="The service marks a private message by an <x/> of muc#user, where it has none.")
def test_private_message_is_marked(connect: Connect) -> None:
    owner, guest = gather(connect, "none")
    guest.whispers(owner.nick, "psst")
    message = _private(owner, "psst", guest)
    require_equal(len(message.findall("muc-user:x", NS)), 1, "elements <x/> of muc#user:")


@XEP.should("7.5", says="A private message that its sender marked is delivered with just that mark.")
def test_mark_is_not_doubled(connect: Connect) -> None:
    owner, guest = gather(connect, "none")
    guest.whispers(owner.nick, "psst", inside=f"<x xmlns='{MUC_USER}'/>")
    message = _private(owner, "psst", guest)
    require_equal(len(message.findall("muc-user:x", NS)), 1, "elements <x/> of muc#user:")


@XEP.should("17.2", says="Extensions of a private message pass.")
def test_extension_of_private_message_passes(connect: Connect) -> None:
    owner, guest = gather(connect, "none")
    guest.whispers(owner.nick, "psst", inside=f"<note xmlns='{LAB}'>eye of newt</note>")
    message = _private(owner, "psst", guest)
    require_equal(message.findtext("lab:note", None, NS), "eye of newt", "the extension's text:")


@XEP.must("7.5", says="A private message of type groupchat is refused with bad-request.")
def test_private_groupchat_is_refused(connect: Connect) -> None:
    owner, guest = gather(connect, "none")
    error = guest.refused(guest.whispers(owner.nick, "psst", kind="groupchat"))
    require_error(error, "bad-request")


@XEP.must("7.5", says="A private message of type groupchat is not delivered.")
def test_private_groupchat_is_not_delivered(connect: Connect) -> None:
    owner, guest, other = gather(connect, "none", "none")
    guest.whispers(other.nick, "psst", kind="groupchat")
    for occupant in (other, owner):
        _not_delivered(occupant, guest, "psst")


@XEP.must("7.5", says="A private message to a nickname that nobody has is refused with item-not-found.")
def test_private_message_to_nobody(connect: Connect) -> None:
    (owner,) = gather(connect)
    error = owner.refused(owner.whispers("nobody", "psst"))
    require_error(error, "item-not-found")
    of_the_room(error, owner.room)


@XEP.must("7.5", says="A private message to a nickname whose owner has left is refused with item-not-found.")
def test_private_message_to_one_who_left(connect: Connect) -> None:
    owner, guest = gather(connect, "none")
    guest.leaves()
    owner.sees(guest.jid, "unavailable")
    require_error(owner.refused(owner.whispers(guest.nick, "psst")), "item-not-found")


OUTSIDE = ("stranger", "left")


def _outside(connect: Connect, kind: str) -> tuple[Occupant, Occupant]:
    owner, guest = gather(connect, "none")
    if kind == "stranger":
        return owner, Occupant(connect(label="stranger"), owner.room, "stranger")
    guest.leaves()
    guest.sees(guest.jid, "unavailable")
    return owner, guest


@XEP.must(
    "7.5", "17.2", says="A private message of one who is not in the room is refused: not-acceptable, or forbidden."
)
@pytest.mark.parametrize("kind", OUTSIDE)
def test_private_message_from_outside_is_refused(connect: Connect, kind: str) -> None:
    owner, guest = _outside(connect, kind)
    require_error(guest.refused(guest.whispers(owner.nick, "psst")), "not-acceptable", "forbidden")


@XEP.must_not("17.2", "7.5", says="A private message of one who is not in the room is not delivered.")
@pytest.mark.parametrize("kind", OUTSIDE)
def test_private_message_from_outside_is_not_delivered(connect: Connect, kind: str) -> None:
    owner, guest = _outside(connect, kind)
    guest.whispers(owner.nick, "psst")
    owner.is_spared(
        message_example(guest.jid, owner.session, "psst", kind="chat"),
        lambda e: localname(e) == "message" and e.findtext("c:body", None, NS) == "psst",
        "private message of one who is not in the room",
        after=guest.session,
    )


# --- rooms that let only some send them

LEAST = {
    "anyone": ("anyone", "visitor"),
    "participants": ("participants", "participant"),
    "moderators": ("moderators", "moderator"),
    "none": ("none",),
}
"""Who may send private messages at least -> the options that say so: the text has but an example (§10.1.3)."""


@XEP.may("7.5", says="Where a room lets only some send private messages, those are delivered and others refused.")
@pytest.mark.parametrize(
    ("least", "sender", "delivered"),
    [
        pytest.param("anyone", "none/participant", True, id="anyone-participant"),
        pytest.param("participants", "none/participant", True, id="participants-participant"),
        pytest.param("participants", "none/visitor", False, id="participants-visitor"),
        pytest.param("moderators", "none/moderator", True, id="moderators-moderator"),
        pytest.param("moderators", "none/participant", False, id="moderators-participant"),
        pytest.param("none", "none/participant", False, id="none-participant"),
    ],
)
def test_private_messages_can_be_restricted(connect: Connect, least: str, sender: str, delivered: bool) -> None:
    owner, guest, other = gather(connect, sender, "none/participant")
    options = [one for one in offered(configuration(owner.session, owner.room), "allowpm") if one in LEAST[least]]
    if not options:
        unsupported(f"{' or '.join(LEAST[least])} as muc#roomconfig_allowpm in a room's configuration")
    require_result(configure(owner.session, owner.room, allowpm=options[0]))
    quiet(owner, guest, other)
    identifier = guest.whispers(other.nick, "psst")
    if delivered:
        _private(other, "psst", guest)
        return
    require_error(guest.refused(identifier))
    _not_delivered(other, guest, "psst")
