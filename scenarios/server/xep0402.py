"""XEP-0402 (PEP native bookmarks): an item a room, and what becomes of bookmarks of the older ways."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from lab.plugin import Connect, Specification, require, require_equal, require_error, require_result, unsupported
from lab.wire.namespaces import NATIVE_BOOKMARKS, NS
from lab.wire.session import Session, new_id, show
from lab.wire.stream import Element
from scenarios.server import _bookmarks as bookmarks
from scenarios.server import _pep
from scenarios.server._bookmarks import Room, native_rooms, rooms_in
from scenarios.server._caps import Client
from scenarios.server._contacts import log_out
from scenarios.server._discovery import advertises

XEP = Specification("XEP-0402")

PLAY = Room("play@rooms.example", "The Play", True, "Puck", "sekret")
BALL = Room("ball@rooms.example", "The Ball")
TOMB = Room("tomb@rooms.example", nick="Puck")
STATE = "<extensions><state xmlns='urn:stanzalab:client' minimized='true'><pin/></state></extensions>"


@dataclass(frozen=True)
class Older:
    """An older way to keep bookmarks: what says that it is unified with this one, and how it is used."""

    feature: str
    put: Callable[..., Element]
    get: Callable[[Session], Element | None]


OLDER = {
    "private": Older(f"{NATIVE_BOOKMARKS}#compat", bookmarks.put_in_private, bookmarks.list_in_private),
    "pep": Older(f"{NATIVE_BOOKMARKS}#compat-pep", bookmarks.put_in_pep, bookmarks.list_in_pep),
}
each_older = pytest.mark.parametrize("older", [pytest.param(older, id=name) for name, older in OLDER.items()])


def _supports(session: Session) -> Session:
    """The same session, whose account has what §3.3 publishes with; else the check is `unsupported`."""
    _pep.with_publish_options(session)
    if not _pep.advertised(session, "config-node-max"):
        unsupported("pubsub#config-node-max")
    return session


def _owner(connect: Connect) -> Session:
    return _supports(connect(label="alice"))


def _unifies(session: Session, older: Older) -> Session:
    """The same session, whose account says that it unifies (§5.3); else the check is `unsupported`."""
    if not advertises(session, session.bare_jid, older.feature):
        unsupported(older.feature)
    return session


def _add(session: Session, *rooms: Room) -> None:
    for room in rooms:
        require_result(bookmarks.publish_native(session, room))


def _has(session: Session, *rooms: Room) -> None:
    require_equal(bookmarks.natives(session), set(rooms), "the native bookmarks")


# --- adding, editing, removing


@XEP.must("3.3", "5.1", says="The node that a first bookmark makes is configured as its publish-options say.")
def test_node_is_configured(connect: Connect) -> None:
    alice = _owner(connect)
    _add(alice, PLAY)
    access, last, persist = (
        _pep.configured(alice, NATIVE_BOOKMARKS, field)
        for field in ("access_model", "send_last_published_item", "persist_items")
    )
    require_equal(access, ["whitelist"], "pubsub#access_model")
    require_equal(last, ["never"], "pubsub#send_last_published_item")
    require(persist in (["1"], ["true"]), "pubsub#persist_items: true", str(persist))


@XEP.must("3.3", says="As many bookmarks as are added are kept.")
@pytest.mark.parametrize("number", [1, 2, 40])
def test_bookmarks_are_kept(number: int, connect: Connect) -> None:
    alice = _owner(connect)
    rooms = [Room(f"room{n}@rooms.example", f"Room {n}", n % 2 == 0, "Puck") for n in range(number)]
    _add(alice, *rooms)
    _has(alice, *rooms)


@XEP.must("3.3", says="A bookmark without any attribute or child is kept, too.")
def test_smallest_bookmark_is_kept(connect: Connect) -> None:
    alice = _owner(connect)
    _add(alice, Room("play@rooms.example"))
    _has(alice, Room("play@rooms.example"))


@XEP.must("3.4", says="A bookmark published again under its room's JID takes the place of the former one.")
def test_bookmark_is_edited(connect: Connect) -> None:
    alice = _owner(connect)
    _add(alice, PLAY, BALL)
    changed = Room(PLAY.jid, "Another name", False, "Oberon")
    _add(alice, changed)
    _has(alice, changed, BALL)


@XEP.must("3.4", says="The extensions of a bookmark, unknown elements among them, come back as they were published.")
def test_extensions_are_kept(connect: Connect) -> None:
    alice = _owner(connect)
    require_result(bookmarks.publish_native(alice, PLAY, STATE))
    require_result(bookmarks.publish_native(alice, BALL))
    reply = _pep.retrieve(alice, alice.bare_jid, NATIVE_BOOKMARKS)
    state = reply.find(".//native-bookmarks:extensions/{urn:stanzalab:client}state", NS)
    require(state is not None, "the extension that was published", reply)
    if state is not None:
        kept = (state.get("minimized"), [child.tag for child in state])
        require_equal(kept, ("true", ["{urn:stanzalab:client}pin"]), "the extension's attribute and child")


@pytest.mark.parametrize(
    "rooms",
    [
        pytest.param([BALL], id="adding", marks=XEP.must("3.3", says="Publish-options are held against the node.")),
        pytest.param([PLAY], id="editing", marks=XEP.must("3.4", says="Publish-options are held against the node.")),
    ],
)
@XEP.must("3.3", "3.4", says="Where others can read the node, a bookmark that is to be private is refused.")
def test_publication_to_an_open_node_is_refused(rooms: list[Room], connect: Connect) -> None:
    alice = _owner(connect)
    _pep.with_access(alice, NATIVE_BOOKMARKS, "open")
    _pep.stored(alice, NATIVE_BOOKMARKS, Room(PLAY.jid).native(), item=PLAY.jid)
    for room in rooms:
        _pep.refused_by_precondition(bookmarks.publish_native(alice, room))
    _has(alice, Room(PLAY.jid))


@XEP.must("3.5", says="A bookmark is removed by retracting its item; the others stay.")
def test_bookmark_is_removed(connect: Connect) -> None:
    alice = _owner(connect)
    _add(alice, PLAY, BALL)
    require_result(_pep.retract(alice, NATIVE_BOOKMARKS, PLAY.jid))
    _has(alice, BALL)


@XEP.must("3.5", says="The account lists the pubsub feature delete-items.")
def test_removal_is_advertised(connect: Connect) -> None:
    alice = _owner(connect)
    require(_pep.advertised(alice, "delete-items"), "the feature pubsub#delete-items", "it is not listed")


@XEP.must("5.1", says="Bookmarks outlive the session in which they were added.")
def test_bookmarks_outlive_the_session(connect: Connect) -> None:
    account = connect.account()
    alice = _supports(connect(account=account, label="alice"))
    _add(alice, PLAY, BALL)
    log_out(alice)
    _has(connect(account=account, label="alice again"), PLAY, BALL)


# --- who is told


@XEP.must("5.1", "3.3", says="The account's resources that ask for it are told of bookmarks added and changed.")
def test_other_resource_is_told(connect: Connect) -> None:
    alice, other = _owner_and_resource(connect)
    for room in (PLAY, BALL, Room(PLAY.jid, "Another name")):
        _add(alice, room)
        message = other.expect(_pep.tells_of(NATIVE_BOOKMARKS, room.jid), f"the notification of {room.jid}")
        require_equal(message.get("from"), alice.bare_jid, "from")
        require_equal(native_rooms(message), {room}, "the bookmark in the notification")


@XEP.must("3.5", says="They are told of bookmarks removed, where the retraction asks for it.")
def test_other_resource_is_told_of_a_removal(connect: Connect) -> None:
    alice, other = _owner_and_resource(connect)
    _add(alice, PLAY)
    other.expect(_pep.tells_of(NATIVE_BOOKMARKS, PLAY.jid), "the notification of the bookmark")
    require_result(_pep.retract(alice, NATIVE_BOOKMARKS, PLAY.jid))
    _expect_retraction(other, PLAY)


@XEP.must("5.1", says="Contacts and strangers can neither retrieve the bookmarks nor subscribe to them.")
@pytest.mark.parametrize("who", ["contact", "stranger"])
def test_bookmarks_are_private(who: str, connect: Connect) -> None:
    alice, bob = _pep.owner_and_contact(connect) if who == "contact" else (_pep.owner(connect), connect(label="bob"))
    _supports(alice)
    _add(alice, PLAY)
    reply = _pep.retrieve(bob, alice.bare_jid, NATIVE_BOOKMARKS)
    require(PLAY.jid not in show(reply), "nothing of the bookmarks", reply)
    require_error(reply)
    require_error(_pep.subscription(bob, "subscribe", alice.bare_jid, NATIVE_BOOKMARKS, bob.bare_jid))


@XEP.must("5.1", says="Contacts are not told of bookmarks, whatever their caps ask for.")
def test_contact_is_not_told(connect: Connect) -> None:
    alice, bob = _pep.owner_and_contact(connect)
    _supports(alice)
    client = Client(bob, NATIVE_BOOKMARKS, _pep.PROBE)
    client.appear()
    _pep.reach(alice, client)
    _add(alice, PLAY)
    require_result(_pep.retract(alice, NATIVE_BOOKMARKS, PLAY.jid))
    _pep.not_notified(client, alice, NATIVE_BOOKMARKS, "of bookmarks to a contact")


def _owner_and_resource(connect: Connect) -> tuple[Session, Client]:
    alice, other = _pep.owner_and_resource(connect, NATIVE_BOOKMARKS)
    _supports(alice)
    return alice, other


def _expect_retraction(client: Client, room: Room) -> None:
    client.expect(
        lambda e: (
            e.find(f"event:event/event:items[@node='{NATIVE_BOOKMARKS}']/event:retract[@id='{room.jid}']", NS)
            is not None
        ),
        f"the notification that {room.jid} was retracted",
    )


# --- unification with the older ways


@each_older
@XEP.should("5.3", says="Who unifies them with those of an older way says so by a feature of the account.")
def test_unification_is_announced(older: Older, connect: Connect) -> None:
    alice = _owner(connect)
    if advertises(alice, alice.bare_jid, older.feature):
        return
    _add(alice, PLAY)
    require(not rooms_in(older.get(alice)), f"{older.feature}, or no unification", "bookmarks in the older place")
    unsupported(older.feature)


@each_older
@XEP.should("5.3", "5.3.1", says="Bookmarks that are added are in the older list, each with its JID and all it has.")
def test_added_bookmarks_are_in_the_older_list(older: Older, connect: Connect) -> None:
    alice = _unifies(_owner(connect), older)
    _add(alice, PLAY)
    require_equal(rooms_in(older.get(alice)), {PLAY}, "the rooms of the older list")
    _add(alice, BALL, TOMB)
    require_equal(rooms_in(older.get(alice)), {PLAY, BALL, TOMB}, "the rooms of the older list")


@each_older
@XEP.should("5.3", "5.3.1", says="Bookmarks that are changed or removed are so in the older list, too.")
def test_changes_are_in_the_older_list(older: Older, connect: Connect) -> None:
    alice = _unifies(_owner(connect), older)
    _add(alice, PLAY, BALL)
    changed = Room(BALL.jid, "Another name", True)
    _add(alice, changed)
    require_equal(rooms_in(older.get(alice)), {PLAY, changed}, "the rooms of the older list")
    require_result(_pep.retract(alice, NATIVE_BOOKMARKS, PLAY.jid))
    require_equal(rooms_in(older.get(alice)), {changed}, "the rooms of the older list")


@each_older
@XEP.should("5.3", "5.3.2", says="A list that is stored the older way is there as native bookmarks.")
def test_older_list_is_native(older: Older, connect: Connect) -> None:
    alice = _unifies(_owner(connect), older)
    require_result(older.put(alice, [PLAY, BALL]))
    _has(alice, PLAY, BALL)


@each_older
@XEP.should("5.3", "5.3.2", says="A newer list adds, changes and removes native bookmarks as it differs.")
def test_newer_older_list_is_native(older: Older, connect: Connect) -> None:
    alice = _unifies(_owner(connect), older)
    require_result(older.put(alice, [PLAY, BALL]))
    changed = Room(BALL.jid, "Another name", True)
    require_result(older.put(alice, [changed, TOMB]))
    _has(alice, changed, TOMB)


@each_older
@XEP.should("5.3", "5.3.2", says="An empty list removes all native bookmarks.")
def test_empty_older_list_removes_all(older: Older, connect: Connect) -> None:
    alice = _unifies(_owner(connect), older)
    _add(alice, PLAY, BALL)
    require_result(older.put(alice, []))
    _has(alice)


@each_older
@XEP.should("5.3", says="A list that is stored the older way stays private as native bookmarks.")
def test_native_bookmarks_of_an_older_list_are_private(older: Older, connect: Connect) -> None:
    alice, bob = _pep.owner_and_contact(connect)
    _unifies(alice, older)
    require_result(older.put(alice, [PLAY]))
    _has(alice, PLAY)
    reply = _pep.retrieve(bob, alice.bare_jid, NATIVE_BOOKMARKS)
    require(PLAY.jid not in show(reply), "nothing of the bookmarks", reply)


@each_older
@XEP.should("5.3.2", says="Who is told of native bookmarks is told of what a list of the older way adds and removes.")
def test_changes_of_an_older_list_are_told(older: Older, connect: Connect) -> None:
    alice, other = _owner_and_resource(connect)
    _unifies(alice, older)
    require_result(older.put(alice, [PLAY]))
    message = other.expect(_pep.tells_of(NATIVE_BOOKMARKS, PLAY.jid), "the notification of the bookmark")
    require_equal(native_rooms(message), {PLAY}, "the bookmark in the notification")
    require_result(older.put(alice, [BALL]))
    other.expect(_pep.tells_of(NATIVE_BOOKMARKS, BALL.jid), "the notification of the other bookmark")
    _expect_retraction(other, PLAY)


@each_older
@XEP.should_not("5.3.2", says="They are not told of bookmarks that a newer list leaves as they are.")
def test_unchanged_bookmarks_are_not_told(older: Older, connect: Connect) -> None:
    alice, other = _owner_and_resource(connect)
    _unifies(alice, older)
    require_result(older.put(alice, [PLAY]))
    other.expect(_pep.tells_of(NATIVE_BOOKMARKS, PLAY.jid), "the notification of the bookmark")
    require_result(older.put(alice, [PLAY, BALL]))
    other.expect(_pep.tells_of(NATIVE_BOOKMARKS, BALL.jid), "the notification of the new bookmark")
    other.session.expect_nothing(
        _notification(alice, other.session, PLAY),
        _pep.tells_of(NATIVE_BOOKMARKS, PLAY.jid),
        "notification of a bookmark that nobody changed",
        after=alice,
    )


def _notification(publisher: Session, recipient: Session, room: Room) -> str:
    return (
        f"<message from='{publisher.bare_jid}' to='{recipient.jid}' type='headline' id='{new_id()}'>"
        f"<event xmlns='{NS['event']}'><items node='{NATIVE_BOOKMARKS}'><item id='{room.jid}'>{room.native()}</item>"
        f"</items></event></message>"
    )
