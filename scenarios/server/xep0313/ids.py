"""XEP-0313 §3.5, §6.2 with XEP-0359: the ids of archived messages, and how who receives a message learns them."""

from __future__ import annotations

from itertools import pairwise

import pytest

from lab.plugin import Connect, impossible, require, require_equal, require_result, unsupported
from lab.wire.namespaces import CARBONS, HINTS, NS, STANZA_ID
from lab.wire.session import localname, new_id
from lab.wire.stream import Element
from scenarios.server._contacts import appear, log_out
from scenarios.server._discovery import advertises
from scenarios.server._rooms import OWNER
from scenarios.server.xep0313._archive import (
    KINDS,
    MAM,
    Archive,
    Kind,
    awaited,
    exchange,
    filled,
    holds,
    own_archive,
    room_archive,
    send,
)

FORGED = "forged-id"
SPELLINGS = pytest.mark.parametrize("spelling", ["as-it-is", "upper-case"])
FATES = pytest.mark.parametrize("fate", ["archived", "not-archived"])


def stanza_ids(message: Element, by: str) -> list[str]:
    """The ids that a message says it was given by an address, however that is spelt."""
    return [
        found.get("id", "")
        for found in message.iterfind("sid:stanza-id", NS)
        if (found.get("by") or "").lower() == by.lower()
    ]


def _of_account(connect: Connect, content: str = "") -> tuple[Archive, Element]:
    """An archive with one message in it, and that message as it was delivered."""
    archive = own_archive(connect)
    return archive, exchange(connect(label="bob"), archive.session, f"hello {new_id()}", content=content)


def _of_room(connect: Connect, content: str = "") -> tuple[Archive, Element]:
    """The archive of a room with one message in it, and that message as it came to another occupant."""
    archive, room = room_archive(connect)
    listener = connect(label="listener")
    room.enter(listener, "listener")
    text = f"hello {new_id()}"
    room.say(archive.session, OWNER, text, content)
    return archive, room.heard(listener, OWNER, text)


def _delivered(kind: Kind, connect: Connect, content: str = "") -> tuple[Archive, Element]:
    return _of_account(connect, content) if kind == "account" else _of_room(connect, content)


def _forgery(by: str, spelling: str = "as-it-is") -> str:
    localpart, _, domain = by.partition("@")
    by = by if spelling == "as-it-is" else f"{localpart.upper()}@{domain}"
    return f"<stanza-id xmlns='{STANZA_ID}' by='{by}' id='{FORGED}'/>"


# --- what a message says


@KINDS
@MAM.must(
    "3.5", says="A message that is archived bears the archive's id for it, given by the archive's address, once."
)
def test_message_bears_its_id(kind: Kind, connect: Connect) -> None:
    archive, message = _delivered(kind, connect)
    page = awaited(archive, 1)
    require_equal(len(page.results), 1, "the number of messages in the archive")
    require_equal(stanza_ids(message, archive.jid), page.ids, f"the ids that {archive.jid} gave the message")
    given = [found for found in message.iterfind("sid:stanza-id", NS) if found.get("by") == archive.jid]
    require(len(given) == 1, f"'by' as {archive.jid} is spelt", message)
    require(not len(given[0]) and not given[0].text, "nothing within <stanza-id/>", given[0])


@MAM.must("3.5", says="A message that was kept, and comes later, bears the archive's id for it.")
def test_kept_message_bears_its_id(connect: Connect) -> None:
    account = connect.account()
    archive, bob = own_archive(connect, account=account), connect(label="bob")
    log_out(archive.session)
    (identifier,) = send(bob, archive.jid, "hello")
    archive = archive.seen_by(connect(account=account, label="later"))
    archive.session.send("<presence/>")
    archive.session.sentinel()
    came = [e for e in archive.session.inbox if localname(e) == "message" and e.get("id") == identifier]
    if not came:
        impossible("the message is not delivered from what was kept, as is allowed where it is archived")
    require_equal(
        stanza_ids(came[0], archive.jid), awaited(archive, 1).ids, f"the ids that {archive.jid} gave the message"
    )


@MAM.should("3.5", says="The copy of a message that another resource got, or sent (XEP-0280), bears its id.")
@pytest.mark.parametrize("direction", ["received", "sent"])
def test_copy_bears_its_id(direction: str, connect: Connect) -> None:
    account = connect.account()
    archive, bob = own_archive(connect, account=account), connect(label="bob")
    copied = connect(account=account, label="second")
    if not advertises(copied, copied.domain, CARBONS):
        unsupported(CARBONS)
    for session in (archive.session, copied):
        appear(session)
    require_result(copied.iq("set", f"<enable xmlns='{CARBONS}'/>"))
    one, other = (archive.session, bob) if direction == "sent" else (bob, archive.session)
    exchange(one, other, "hello")
    path = f"carbons:{direction}/forward:forwarded/c:message"
    copy = copied.expect(lambda e: e.find(path, NS) is not None, f"a copy of the message {direction}")
    inner = copy.find(path, NS)
    ids = [] if inner is None else stanza_ids(inner, archive.jid)
    require_equal(ids, awaited(archive, 1).ids, f"the ids that {archive.jid} gave the message")


@MAM.must_not("3.5", says="What is sent to a contact does not bear the id that the sender's archive gave it.")
def test_sent_message_does_not_bear_its_id(connect: Connect) -> None:
    archive, bob = own_archive(connect), connect(label="bob")
    message = exchange(archive.session, bob, "hello")
    holds(archive, ["hello"])
    require_equal(stanza_ids(message, archive.jid), [], f"ids that {archive.jid} gave the message")


# --- forged ids


@KINDS
@SPELLINGS
@FATES
@MAM.must(
    "3.5",
    says="An id that claims to be the archive's is taken out, even where no other takes its place (XEP-0359 §3).",
)
def test_forged_id_is_taken_out(fate: str, spelling: str, kind: Kind, connect: Connect) -> None:
    hint = f"<no-store xmlns='{HINTS}'/>" if fate == "not-archived" else ""
    if kind == "account":
        archive = own_archive(connect)
        bob = connect(label="bob")
        message = exchange(bob, archive.session, "hello", content=_forgery(archive.jid, spelling) + hint)
    else:
        archive, room = room_archive(connect)
        message = room.say(archive.session, OWNER, "hello", _forgery(archive.jid, spelling) + hint)
    require(FORGED not in stanza_ids(message, archive.jid), f"no id that {archive.jid} did not give", message)
    for result in archive.page().results:
        require(FORGED not in stanza_ids(result.message, archive.jid), "nothing forged in the archive", result.stanza)


@FATES
@MAM.must(
    "3.5", says="An id that claims to be the sender's archive's does not leave the sender's server (XEP-0359 §3)."
)
def test_forged_id_of_the_sender_is_taken_out(fate: str, connect: Connect) -> None:
    hint = f"<no-store xmlns='{HINTS}'/>" if fate == "not-archived" else ""
    archive, bob = own_archive(connect), connect(label="bob")
    message = exchange(archive.session, bob, "hello", content=_forgery(archive.jid) + hint)
    require_equal(stanza_ids(message, archive.jid), [], f"ids that {archive.jid} gave the message")


@KINDS
@MAM.should_not("3.5", says="An id that somebody else gave a message is not taken out on its way (XEP-0359 §3).")
def test_id_of_somebody_else_stays(kind: Kind, connect: Connect) -> None:
    by = "room@conference.nowhere.invalid"
    _, message = _delivered(kind, connect, _forgery(by))
    require_equal(stanza_ids(message, by), [FORGED], f"the ids that {by} gave the message")


@KINDS
@MAM.must("3.5", says="The id that a client gave its message stays as it is beside the archive's (XEP-0359 §2.2).")
def test_origin_id_stays(kind: Kind, connect: Connect) -> None:
    archive, message = _delivered(kind, connect, f"<origin-id xmlns='{STANZA_ID}' id='of-the-client'/>")
    require_equal(len(stanza_ids(message, archive.jid)), 1, f"the number of ids that {archive.jid} gave the message")
    origin = [found.get("id") for found in message.iterfind("sid:origin-id", NS)]
    require_equal(origin, ["of-the-client"], "the ids of <origin-id/>")


# --- what ids are


@KINDS
@MAM.must("6.2", "3", says="No two messages of an archive have the same id, though they are alike.")
def test_ids_are_unique(kind: Kind, connect: Connect) -> None:
    if kind == "account":
        archive, bob = own_archive(connect), connect(label="bob")
        same = f"<message type='chat' id='same' to='{bob.jid}'><body>same</body></message>"
        archive.session.send_together([same] * 10)
        archive.session.sentinel()
    else:
        archive, room = room_archive(connect)
        for _ in range(10):
            room.say(archive.session, OWNER, "same")
    page = holds(archive, ["same"] * 10)
    require_equal(len(set(page.ids)), 10, "the number of different ids")


@KINDS
@MAM.must("6.2", says="A message keeps its id: asked for again, and as others come (XEP-0359 §2.1).")
def test_ids_stay(kind: Kind, connect: Connect) -> None:
    archive = filled(connect, kind, 3)
    ids = holds(archive, archive.texts).ids
    require_equal(archive.page().ids, ids, "the ids, asked for again")
    if kind == "account":
        exchange(connect(label="carol"), archive.session, "new")
    else:
        archive.session.send(f"<message type='groupchat' to='{archive.jid}'><body>new</body></message>")
        archive.session.expect(lambda e: e.findtext("{*}body") == "new", "the message from the room")
    page = archive.page()
    require_equal(page.bodies, [*archive.texts, "new"], "the bodies of the messages")
    require_equal(page.ids[:3], ids, "the ids of the older messages")


@KINDS
@MAM.must("3", says="Ids cannot be foretold: they neither count nor tell the time (XEP-0359 §3, §6).")
def test_ids_are_unpredictable(kind: Kind, connect: Connect) -> None:
    archive = filled(connect, kind, 6)
    results = holds(archive, archive.texts).results
    ids = [result.id for result in results]
    if not all(identifier.isascii() and identifier.isdecimal() for identifier in ids):
        require_equal(len({*ids}), len(ids), "the number of different ids")
        return
    numbers = [int(identifier) for identifier in ids]
    steps = {after - before for before, after in pairwise(numbers)}
    require(len(steps) > 1, "ids that do not count", ", ".join(ids))
    for result in results:
        seconds = result.when.timestamp() if result.stamp else 0.0
        near = [unit for unit in (1, 10**3, 10**6, 10**9) if abs(int(result.id) / unit - seconds) < 2]
        require(not near, f"an id that does not tell the time {result.stamp}", result.stanza)
