"""XEP-0411 (bookmarks conversion): the list in private storage and the one in PEP are the same, whoever writes it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lab.plugin import Connect, Specification, require, require_equal, require_result, unsupported
from lab.wire.namespaces import BOOKMARKS
from lab.wire.session import Session, show
from lab.wire.stream import Element
from scenarios.server import _bookmarks as bookmarks
from scenarios.server import _pep
from scenarios.server._bookmarks import Room, rooms_in
from scenarios.server._caps import Client
from scenarios.server._contacts import log_out
from scenarios.server._discovery import advertises

XEP = Specification("XEP-0411")

CONVERSION = "urn:xmpp:bookmarks-conversion:0"
PLAY, BALL = Room("play@rooms.example", "The Play", True, "Puck", "sekret"), Room("ball@rooms.example", "The Ball")
LISTS = {"one": [PLAY], "two": [PLAY, BALL], "many": [Room(f"r{n}@rooms.example", f"Room {n}") for n in range(30)]}

Put = Callable[[Session, list[Room]], Element]
Get = Callable[[Session], Element | None]

each_way = pytest.mark.parametrize(
    ("put", "get"),
    [
        pytest.param(bookmarks.put_in_pep, bookmarks.list_in_private, id="pep-to-private"),
        pytest.param(bookmarks.put_in_private, bookmarks.list_in_pep, id="private-to-pep"),
    ],
)


def _converts(session: Session) -> Session:
    """The same session, whose account says that it converts (§2); else the check is `unsupported`."""
    if not advertises(session, session.bare_jid, CONVERSION):
        unsupported(CONVERSION)
    return session


@XEP.must("2", says="Who converts bookmarks says so by a feature of the account.")
@each_way
def test_support_is_advertised(put: Put, get: Get, connect: Connect) -> None:
    alice = _pep.owner(connect)
    if advertises(alice, alice.bare_jid, CONVERSION):
        return
    put(alice, [PLAY])
    require(not rooms_in(get(alice)), f"{CONVERSION} on the account, or no conversion", "converted bookmarks")
    unsupported(CONVERSION)


@each_way
@pytest.mark.parametrize("kind", LISTS)
@XEP.must("3", says="A list that is written in one place is in the other, whole.")
def test_list_is_converted(put: Put, get: Get, kind: str, connect: Connect) -> None:
    alice = _converts(connect(label="alice"))
    require_result(put(alice, LISTS[kind]))
    require_equal(rooms_in(get(alice)), set(LISTS[kind]), "the rooms of the converted list")


@each_way
@pytest.mark.parametrize("newer", [[BALL], [Room(PLAY.jid, "Renamed")], []], ids=["another", "changed", "empty"])
@XEP.must("3", says="A newer list takes the place of the converted one: changed is what changed, gone what is gone.")
def test_newer_list_is_converted(put: Put, get: Get, newer: list[Room], connect: Connect) -> None:
    alice = _converts(connect(label="alice"))
    require_result(put(alice, [PLAY]))
    require_equal(rooms_in(get(alice)), {PLAY}, "the rooms of the converted list")
    require_result(put(alice, newer))
    require_equal(rooms_in(get(alice)), set(newer), "the rooms of the converted list")


@XEP.must("3", says="Lists that are written by turns in both places: the last one is in both.")
def test_places_take_turns(connect: Connect) -> None:
    alice = _converts(connect(label="alice"))
    for put, rooms in (
        (bookmarks.put_in_private, {PLAY}),
        (bookmarks.put_in_pep, {PLAY, BALL}),
        (bookmarks.put_in_private, {BALL}),
    ):
        require_result(put(alice, sorted(rooms, key=str)))
        require_equal(rooms_in(bookmarks.list_in_private(alice)), rooms, "the rooms in private storage")
        require_equal(rooms_in(bookmarks.list_in_pep(alice)), rooms, "the rooms in PEP")


@each_way
@XEP.must("3", says="A converted list is there for a later session.")
def test_converted_list_outlives_the_session(put: Put, get: Get, connect: Connect) -> None:
    account = connect.account()
    alice = _converts(connect(account=account, label="alice"))
    require_result(put(alice, [PLAY, BALL]))
    log_out(alice)
    require_equal(rooms_in(get(connect(account=account, label="alice again"))), {PLAY, BALL}, "the rooms")


@XEP.must("3", says="What is written to private storage is told to those who are subscribed to the node.")
def test_write_to_private_storage_is_notified(connect: Connect) -> None:
    alice, other = _pep.owner_and_resource(connect, BOOKMARKS)
    _converts(alice)
    require_result(bookmarks.put_in_private(alice, [PLAY]))
    other.expect(bookmarks.tells_of_rooms(PLAY), f"a notification of {BOOKMARKS} with the room")
    require_result(bookmarks.put_in_private(alice, [PLAY, BALL]))
    message = other.expect(bookmarks.tells_of_rooms(PLAY, BALL), f"a notification of {BOOKMARKS} with both rooms")
    require_equal(message.get("from"), alice.bare_jid, "from")


@XEP.must("5", says="What is converted from private storage nobody else can retrieve.")
@pytest.mark.parametrize("who", ["contact", "stranger"])
def test_converted_list_is_private(who: str, connect: Connect) -> None:
    alice, bob = _pep.owner_and_contact(connect) if who == "contact" else (_pep.owner(connect), connect(label="bob"))
    _converts(alice)
    require_result(bookmarks.put_in_private(alice, [PLAY]))
    reply = _pep.retrieve(bob, alice.bare_jid, BOOKMARKS)
    require(PLAY.jid not in show(reply), "nothing of the list", reply)


@XEP.must("5", says="Where the node was open before, the list is not converted, or the node is closed.")
@pytest.mark.parametrize("model", ["open", "presence"])
def test_open_node_does_not_show_the_list(model: str, connect: Connect) -> None:
    alice, bob = _pep.owner_and_contact(connect)
    _converts(alice)
    # Servers may refuse to make such a node, or have one already: what then stands there shows whether it is safe.
    _pep.create(alice, BOOKMARKS, {"pubsub#access_model": model})
    _pep.configure(alice, BOOKMARKS, {"pubsub#access_model": model})
    require_result(bookmarks.put_in_private(alice, [PLAY]))
    reply = _pep.retrieve(bob, alice.bare_jid, BOOKMARKS)
    require(PLAY.jid not in show(reply), "nothing of the list", reply)


@XEP.must("5", says="What is written to private storage is not told to contacts, even if the node was open before.")
@pytest.mark.parametrize("model", ["", "presence", "open"], ids=["new-node", "presence-node", "open-node"])
def test_converted_list_is_not_told_to_contacts(model: str, connect: Connect) -> None:
    alice, bob = _pep.owner_and_contact(connect)
    _converts(alice)
    client = Client(bob, BOOKMARKS, _pep.PROBE)
    client.appear()
    _pep.reach(alice, client)
    if model:
        _pep.create(alice, BOOKMARKS, {"pubsub#access_model": model})
        _pep.configure(alice, BOOKMARKS, {"pubsub#access_model": model})
    require_result(bookmarks.put_in_private(alice, [PLAY]))
    client.session.expect_nothing(
        _pep.example(alice, bob, BOOKMARKS).replace("forbidden", PLAY.jid),
        lambda e: _pep.tells_of(BOOKMARKS)(e) and PLAY.jid in show(e),
        "notification of a converted list to a contact",
        after=alice,
    )
