"""XEP-0048 (bookmarks) as a server keeps them: in private storage, and in the node storage:bookmarks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from lab.plugin import Connect, Specification, require, require_equal, require_error, require_result
from lab.wire.namespaces import BOOKMARKS, NS
from lab.wire.session import Session, show
from lab.wire.stream import Element
from scenarios.server import _bookmarks as bookmarks
from scenarios.server import _pep
from scenarios.server._bookmarks import Room, rooms_in
from scenarios.server._caps import Client
from scenarios.server._contacts import log_out
from scenarios.server._private import with_private_storage

XEP = Specification("XEP-0048")


@dataclass(frozen=True)
class Place:
    """Where a list is kept: who has such a place, how it is put there, and how it is asked for."""

    owner: Callable[[Session], Session]
    put: Callable[..., Element]
    get: Callable[[Session], Element | None]


PLACES = {
    "private": Place(with_private_storage, bookmarks.put_in_private, bookmarks.list_in_private),
    "pep": Place(_pep.with_publish_options, bookmarks.put_in_pep, bookmarks.list_in_pep),
}
each_place = pytest.mark.parametrize("place", [pytest.param(place, id=name) for name, place in PLACES.items()])

ROOMS: dict[str, list[Room]] = {
    "jid-alone": [Room("play@rooms.example")],
    "name": [Room("play@rooms.example", name="The Play's the Thing")],
    "autojoin": [Room("play@rooms.example", autojoin=True)],
    "nick": [Room("play@rooms.example", nick="Puck")],
    "password": [Room("play@rooms.example", password="sekret & <more>")],
    "everything": [Room("play@rooms.example", "The Play", True, "Puck", "sekret")],
    "beyond-ascii": [Room("spiel@räume.example", name="Ωμέγα \U0001f3ad", nick="日本")],
    "same-service": [Room(f"room{n}@rooms.example", name=f"Room {n}", autojoin=n % 2 == 0) for n in range(5)],
    "many": [
        Room(f"room{n}@rooms.example", name=f"Room {n}", nick="Puck") for n in range(20)
    ],  # a server may write them one by one,
}
PLAY, BALL = Room("play@rooms.example", "The Play", True, "Puck"), Room("ball@rooms.example", "The Ball")
NEWER = {"another": [BALL], "more": [PLAY, BALL], "changed": [Room(PLAY.jid, "Another name")], "empty": []}


def _holds(session: Session, place: Place, rooms: list[Room]) -> None:
    require_equal(rooms_in(place.get(session)), set(rooms), "the rooms of the list")


@each_place
@pytest.mark.parametrize("kind", ROOMS)
@XEP.should("2.1", "3", says="The rooms of a list that was stored come back, each with all that it had.")
def test_rooms_come_back(place: Place, kind: str, connect: Connect) -> None:
    alice = place.owner(connect(label="alice"))
    require_result(place.put(alice, ROOMS[kind]))
    _holds(alice, place, ROOMS[kind])


@each_place
@XEP.should("2.2", says="Bookmarks of web pages come back, as many as there are, beside those of rooms.")
def test_pages_come_back(place: Place, connect: Connect) -> None:
    alice = place.owner(connect(label="alice"))
    pages = {"https://one.example/?a=1&b=2": "One", "https://two.example/": "Two"}
    urls = "".join(f"<url name='{name}' url='{url.replace('&', '&amp;')}'/>" for url, name in pages.items())
    require_result(place.put(alice, [PLAY], urls))
    _holds(alice, place, [PLAY])
    storage = place.get(alice)
    found = {} if storage is None else {u.get("url"): u.get("name") for u in storage.iterfind("bookmarks:url", NS)}
    require_equal(found, pages, "the pages of the list")


@each_place
@XEP.should("3", says="A list takes the place of the one before: what it does not have is gone.")
@pytest.mark.parametrize("newer", NEWER.values(), ids=NEWER)
def test_newer_list_replaces_the_older(place: Place, newer: list[Room], connect: Connect) -> None:
    alice = place.owner(connect(label="alice"))
    require_result(place.put(alice, [PLAY]))
    _holds(alice, place, [PLAY])
    require_result(place.put(alice, newer))
    _holds(alice, place, newer)


@each_place
@XEP.should("3", says="A list outlives the session in which it was stored.")
def test_list_outlives_the_session(place: Place, connect: Connect) -> None:
    account = connect.account()
    alice = place.owner(connect(account=account, label="alice"))
    require_result(place.put(alice, [PLAY, BALL]))
    log_out(alice)
    _holds(connect(account=account, label="alice again"), place, [PLAY, BALL])


@XEP.should("3", "3.2", says="A list that is published is pushed to the account's resources that ask for it.")
def test_list_is_pushed_to_other_resources(connect: Connect) -> None:
    alice, other = _owner_and_resource(connect)
    require_result(bookmarks.put_in_pep(alice, [PLAY, BALL]))
    message = other.expect(bookmarks.tells_of_rooms(PLAY, BALL), f"a notification of {BOOKMARKS} with both rooms")
    require_equal(message.get("from"), alice.bare_jid, "from")


@XEP.should("3", says="A list that was published is nobody else's: contacts and strangers cannot retrieve it.")
@pytest.mark.parametrize("who", ["contact", "stranger"])
def test_list_is_private(who: str, connect: Connect) -> None:
    alice, bob = _pep.owner_and_contact(connect) if who == "contact" else (_pep.owner(connect), connect(label="bob"))
    _pep.with_publish_options(alice)
    require_result(bookmarks.put_in_pep(alice, [PLAY]))
    _holds(alice, PLACES["pep"], [PLAY])
    reply = _pep.retrieve(bob, alice.bare_jid, BOOKMARKS)
    require(PLAY.jid not in show(reply), "nothing of the list", reply)
    require_error(reply)


@XEP.should("3", says="A list that is published is not pushed to contacts, whatever their caps ask for.")
def test_list_is_not_pushed_to_contacts(connect: Connect) -> None:
    alice, bob = _pep.owner_and_contact(connect)
    _pep.with_publish_options(alice)
    client = Client(bob, BOOKMARKS, _pep.PROBE)
    client.appear()
    _pep.reach(alice, client)
    require_result(bookmarks.put_in_pep(alice, [PLAY]))
    _pep.not_notified(client, alice, BOOKMARKS, "of a list of bookmarks to a contact")


def _owner_and_resource(connect: Connect) -> tuple[Session, Client]:
    alice, other = _pep.owner_and_resource(connect, BOOKMARKS)
    _pep.with_publish_options(alice)
    return alice, other
