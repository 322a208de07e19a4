"""XEP-0424 (message retraction), as far as servers have a part in it: what archives and rooms do with messages that
their authors take back, and with those who take back what is not theirs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from lab.plugin import Connect, Specification, require, require_equal, unsupported
from lab.wire.namespaces import ARCHIVE, HINTS, MODERATE, NS, RETRACT
from lab.wire.session import Session, new_id, show
from lab.wire.stream import Element
from scenarios.server._discovery import advertises
from scenarios.server._retraction import (
    FULL,
    GUEST,
    OTHER,
    SEARCHES,
    Scene,
    announced,
    history,
    moderate,
    retraction,
    say,
    scene,
    takes_back,
)
from scenarios.server.xep0313._archive import DATE_TIME, Archive, Result, own_archive

XEP = Specification("XEP-0424")
TOMBSTONE = f"{RETRACT}#tombstone"

CLOCKS = timedelta(minutes=10)
"""How far the clocks of lab and server may be apart."""

CONTENTS = {"full": FULL, "store-hint": f"<store xmlns='{HINTS}'/>", "bare": ""}
"""What may stand in a retraction besides (§3); however it is, it is kept (§5)."""


@dataclass(frozen=True)
class Sent:
    """A message from alice to bob. `id` is her own."""

    alice: Session
    bob: Session
    id: str
    text: str

    def archives(self) -> dict[str, Archive]:
        return {s.label: Archive(s, s.bare_jid, "account") for s in (self.alice, self.bob)}


def _supports(session: Session) -> bool:
    """§2 does not say which of its addresses a server lists the feature for."""
    return any(advertises(session, jid, RETRACT) for jid in (session.domain, session.bare_jid))


def _sent(connect: Connect) -> Sent:
    """A message that has arrived, and that both archives have; `unsupported` where the server knows no retraction."""
    alice, bob = own_archive(connect).session, connect(label="bob")
    if not _supports(alice):
        unsupported(RETRACT)
    return _message(alice, bob)


def _message(alice: Session, bob: Session) -> Sent:
    sent = Sent(alice, bob, new_id(), f"said {new_id()}")
    alice.send(f"<message type='chat' id='{sent.id}' to='{bob.jid}'><body>{sent.text}</body></message>")
    bob.expect(sent.id, "the message")
    return sent


def _take_back(sent: Sent, by: Session, to: Session, content: str = FULL) -> str:
    """Somebody takes it back. Answers the retraction's id, once it has arrived."""
    identifier = new_id()
    by.send(f"<message type='chat' id='{identifier}' to='{to.jid}'>{retraction(sent.id, content)}</message>")
    to.expect(identifier, "the retraction", timeout=SEARCHES * to.patience)
    return identifier


def _of(archive: Archive, identifier: str) -> list[Result]:
    """What the archive has of the messages with that id."""
    return [result for result in archive.page().results if result.message.get("id") == identifier]


# --- support


@XEP.must("2", "4", says="Who puts tombstones in the place of messages lists urn:xmpp:message-retract:1.")
def test_support_is_advertised(connect: Connect) -> None:
    alice, bob = own_archive(connect).session, connect(label="bob")
    sent = _message(alice, bob)
    _take_back(sent, alice, bob)
    if _supports(alice):
        return
    for kept in sent.archives()["alice"].page().results:
        require(_tombstone_in(kept) is None, f"{RETRACT} in disco#info", kept.stanza)
    unsupported(RETRACT)


# --- conversations of two


@XEP.must("5", says="A retraction is kept in the archives of both sides, whatever stands in it besides.")
@pytest.mark.parametrize("content", CONTENTS)
def test_retraction_is_archived(content: str, connect: Connect) -> None:
    sent = _sent(connect)
    identifier = _take_back(sent, sent.alice, sent.bob, CONTENTS[content])
    for side, archive in sent.archives().items():
        kept = _of(archive, identifier)
        require(len(kept) == 1, f"the retraction, once, in the archive of {side}", f"it is there {len(kept)} times")
        require(takes_back(sent.id)(kept[0].message), f"<retract/> with the id {sent.id}", kept[0].stanza)


@XEP.should("5", says="The archives do not give anybody what its author took back.")
def test_archive_does_not_give_it(connect: Connect) -> None:
    sent = _sent(connect)
    _take_back(sent, sent.alice, sent.bob)
    for archive in sent.archives().values():
        for result in archive.page().results:
            require(sent.text not in show(result.message), f"nothing of {sent.text!r}", result.stanza)


@XEP.must("5", says="Only its author takes a message back: it stays in the archives, whoever else tries.")
@pytest.mark.parametrize("who", ["recipient", "stranger-to-recipient", "stranger-to-author"])
def test_others_take_nothing_back(who: str, connect: Connect) -> None:
    sent = _sent(connect)
    if who == "recipient":
        _take_back(sent, sent.bob, sent.alice)
    else:
        _take_back(sent, connect(label="stranger"), sent.bob if who.endswith("recipient") else sent.alice)
    for side, archive in sent.archives().items():
        kept = _of(archive, sent.id)
        whole = len(kept) == 1 and kept[0].body == sent.text and _tombstone_in(kept[0]) is None
        require(whole, f"the message in the archive of {side}", _shown(kept))


@XEP.must("5", says="Only the message that is named is taken back.")
def test_other_messages_stay(connect: Connect) -> None:
    sent = _sent(connect)
    other = _message(sent.alice, sent.bob)
    _take_back(sent, sent.alice, sent.bob)
    for side, archive in sent.archives().items():
        kept = _of(archive, other.id)
        require([one.body for one in kept] == [other.text], f"the other in the archive of {side}", _shown(kept))


def _shown(results: list[Result]) -> str:
    return "; ".join(show(result.stanza) for result in results) or "nothing"


# --- tombstones


def _tombstone_in(result: Result) -> Element | None:
    return result.message.find("retract:retracted", NS)


@XEP.must("4", says="Archives that have tombstones say so, and those that say so have them.")
def test_tombstones_are_advertised(connect: Connect) -> None:
    sent = _sent(connect)
    _take_back(sent, sent.alice, sent.bob)
    for side, archive in sent.archives().items():
        session = archive.session
        said = any(advertises(session, jid, TOMBSTONE) for jid in (session.domain, session.bare_jid))
        kept = _of(archive, sent.id)
        found = bool(kept) and _tombstone_in(kept[0]) is not None
        if not said and not found:
            unsupported(TOMBSTONE)
        require_equal(found, said, f"tombstones of {side} are advertised:")


def _tombstone(connect: Connect) -> tuple[Sent, str, Result, Result, Element]:
    """A message, the id of its retraction, its place in the archive before and after, and the tombstone there."""
    sent = _sent(connect)
    archive = sent.archives()["bob"]
    before = _of(archive, sent.id)
    require(len(before) == 1, "the message in the archive", _shown(before))
    identifier = _take_back(sent, sent.alice, sent.bob)
    after = [result for result in archive.page().results if result.id == before[0].id]
    found = _tombstone_in(after[0]) if after else None
    if found is None:
        unsupported(TOMBSTONE)
    return sent, identifier, before[0], after[0], found


@XEP.must("4", says="A tombstone has the id of the retraction, and nothing of what was taken back.")
def test_tombstone_names_the_retraction(connect: Connect) -> None:
    sent, identifier, _, after, retracted = _tombstone(connect)
    require_equal(retracted.get("id"), identifier, "id")
    require(sent.text not in show(after.message), f"nothing of {sent.text!r}", after.stanza)


@XEP.must("4", says="A tombstone stands where the message stood: with its id in the archive, and its time.")
def test_tombstone_stands_in_its_place(connect: Connect) -> None:
    _, _, before, after, _ = _tombstone(connect)
    require_equal((after.id, after.stamp), (before.id, before.stamp), "id, stamp")


@XEP.should("4", says="A tombstone says when the message was taken back.")
def test_tombstone_is_stamped(connect: Connect) -> None:
    _, _, _, after, retracted = _tombstone(connect)
    stamp = retracted.get("stamp") or ""
    require(DATE_TIME.fullmatch(stamp), "a stamp in the DateTime profile of XEP-0082", after.stanza)
    late = abs(datetime.fromisoformat(stamp) - datetime.now(UTC))
    require(late < CLOCKS, "a stamp of just now", after.stanza)


# --- rooms


def _room(connect: Connect, *features: str) -> tuple[Scene, Archive]:
    at = scene(connect, ARCHIVE, *features)
    return at, Archive(at.room.owner, at.room.jid, "room")


def _take_back_there(at: Scene, session: Session, nick: str, content: str = FULL) -> str:
    """An occupant takes the guest's message back, by the id that the room gave to it. Answers the retraction's id."""
    identifier = new_id()
    session.send(
        f"<message type='groupchat' id='{identifier}' to='{at.room.jid}'>{retraction(at.said.id, content)}</message>"
    )
    session.expect(
        lambda e: e.get("id") == identifier and e.get("from") == at.room.occupant(nick),
        "the retraction, from the room",
    )
    return identifier


@XEP.must("5", "3", says="A room keeps a retraction in its archive, whatever stands in it besides.")
@pytest.mark.parametrize("content", CONTENTS)
def test_room_archives_the_retraction(content: str, connect: Connect) -> None:
    at, archive = _room(connect, RETRACT)
    identifier = _take_back_there(at, at.guest, GUEST, CONTENTS[content])
    kept = _of(archive, identifier)
    require(len(kept) == 1, "the retraction in the room's archive", f"it is there {len(kept)} times")
    require(takes_back(at.said.id)(kept[0].message), f"<retract/> with the id {at.said.id}", kept[0].stanza)


@XEP.must("5", says="What a moderator had taken back stands as a retraction in the room's archive.")
def test_room_archives_a_moderators_retraction(connect: Connect) -> None:
    at, archive = _room(connect, MODERATE)
    if moderate(at.room.owner, at.room.jid, at.said.id).get("type") != "result":
        unsupported("retraction by the room's owner")
    announced(at.guest, at.said.id)
    kept = [result for result in archive.page().results if takes_back(at.said.id)(result.message)]
    require(len(kept) == 1, "the retraction in the room's archive", f"it is there {len(kept)} times")


@XEP.should("5", says="A room does not send newcomers what its author took back.")
def test_newcomer_is_not_sent_it(connect: Connect) -> None:
    at, _ = _room(connect, RETRACT)
    behind = say(at.room, at.guest, GUEST)
    _take_back_there(at, at.guest, GUEST)
    sent = history(connect, at.room)
    if behind.text not in sent:
        unsupported("discussion history")
    require(at.said.text not in sent, f"a history without {at.said.text!r}", str(sent))


@XEP.should("5", says="The archive of a room does not give anybody what its author took back.")
def test_room_archive_does_not_give_it(connect: Connect) -> None:
    at, archive = _room(connect, RETRACT)
    _take_back_there(at, at.guest, GUEST)
    for result in archive.page().results:
        require(at.said.text not in show(result.message), f"nothing of {at.said.text!r}", result.stanza)


@XEP.must("5", says="In a room, too, only its author takes a message back: others change nothing of it.")
def test_others_take_nothing_back_in_a_room(connect: Connect) -> None:
    at, archive = _room(connect, RETRACT)
    _take_back_there(at, at.other, OTHER)
    kept = [result for result in archive.page().results if result.id == at.said.id]
    whole = len(kept) == 1 and kept[0].body == at.said.text and _tombstone_in(kept[0]) is None
    require(whole, "the message in the room's archive", _shown(kept))
    sent = history(connect, at.room)
    require(at.said.text in sent or not sent, "the message in the history", str(sent))
