"""Bookmarks as checks write and read them: a list (XEP-0048), or one an item (XEP-0402). Nothing here judges."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from lab.wire.namespaces import BOOKMARKS, NATIVE_BOOKMARKS, NS
from lab.wire.session import Matches, Session
from lab.wire.stream import Element
from scenarios.server import _pep, _private

CURRENT = "current"
LIST = f"<storage xmlns='{BOOKMARKS}'/>"
LIST_OPTIONS = {"pubsub#persist_items": "true", "pubsub#access_model": "whitelist"}
"""What XEP-0048 §3.1 would have of its node."""
NATIVE_OPTIONS = {
    "pubsub#persist_items": "true",
    "pubsub#max_items": "max",
    "pubsub#send_last_published_item": "never",
    "pubsub#access_model": "whitelist",
}
"""What XEP-0402 §3.3 would have of its node."""


@dataclass(frozen=True)
class Room:
    """A bookmarked room. An absent name, nick or password is empty."""

    jid: str
    name: str = ""
    autojoin: bool = False
    nick: str = ""
    password: str = ""

    @property
    def _children(self) -> str:
        nick = f"<nick>{escape(self.nick)}</nick>" if self.nick else ""
        return nick + (f"<password>{escape(self.password)}</password>" if self.password else "")

    @property
    def _attributes(self) -> str:
        name = f" name={quoteattr(self.name)}" if self.name else ""
        return name + (" autojoin='true'" if self.autojoin else "")

    @property
    def listed(self) -> str:
        """The room as it stands in a list."""
        return f"<conference jid={quoteattr(self.jid)}{self._attributes}>{self._children}</conference>"

    def native(self, extensions: str = "") -> str:
        """The payload of the room's item."""
        return f"<conference xmlns='{NATIVE_BOOKMARKS}'{self._attributes}>{self._children}{extensions}</conference>"


def room_list(rooms: Iterable[Room], more: str = "") -> str:
    """A list of bookmarks, `more` standing behind the rooms."""
    return f"<storage xmlns='{BOOKMARKS}'>{''.join(room.listed for room in rooms)}{more}</storage>"


def rooms_in(storage: Element | None) -> set[Room]:
    """The rooms of a list."""
    return (
        set()
        if storage is None
        else {_room(c, c.get("jid", "")) for c in storage.iterfind("bookmarks:conference", NS)}
    )


def native_rooms(reply: Element) -> set[Room]:
    """The rooms among the items of an answer or a notification."""
    return {
        _room(conference, identifier)
        for identifier, item in _pep.items(reply).items()
        for conference in item.iterfind("native-bookmarks:conference", NS)
    }


def _room(conference: Element, jid: str) -> Room:
    space = conference.tag.partition("}")[0] + "}"
    return Room(
        jid,
        conference.get("name", ""),
        conference.get("autojoin", "false") in {"true", "1"},
        conference.findtext(f"{space}nick", ""),
        conference.findtext(f"{space}password", ""),
    )


def tells_of_rooms(*rooms: Room) -> Matches:
    """Matches a notification of a list with just these rooms: servers may push older ones before."""
    tells = _pep.tells_of(BOOKMARKS)
    return lambda element: tells(element) and rooms_in(list_of(element)) == set(rooms)


# --- where they are kept


def list_in_private(session: Session) -> Element | None:
    """The list in private storage (XEP-0049), None where an error came, or no list."""
    return next(
        (e for e in _private.contents(_private.fetch(session, LIST)) if e.tag == f"{{{BOOKMARKS}}}storage"), None
    )


def list_in_pep(session: Session, *, of: Session | None = None) -> Element | None:
    """The list in an account's node storage:bookmarks, None where an error came, or no item."""
    return list_of(_pep.retrieve(session, (of or session).bare_jid, BOOKMARKS))


def list_of(reply: Element) -> Element | None:
    """The list in an answer or a notification."""
    found = [item.find("bookmarks:storage", NS) for item in _pep.items(reply).values()]
    return next((storage for storage in found if storage is not None), None)


def put_in_private(session: Session, rooms: Iterable[Room], more: str = "") -> Element:
    """Store a list in private storage. Answers the reply."""
    content = room_list(rooms, more)
    return _pep.found(lambda: _private.store(session, content))


def put_in_pep(session: Session, rooms: Iterable[Room], more: str = "") -> Element:
    """Publish a list at storage:bookmarks (XEP-0048 §3.1). Answers the reply."""
    content = room_list(rooms, more)
    return _pep.found(lambda: _pep.publish_payload(session, BOOKMARKS, content, item=CURRENT, options=LIST_OPTIONS))


def publish_native(session: Session, room: Room, extensions: str = "") -> Element:
    """Publish a room as an item of its own (XEP-0402 §3.3). Answers the reply."""
    payload = room.native(extensions)
    return _pep.found(
        lambda: _pep.publish_payload(session, NATIVE_BOOKMARKS, payload, item=room.jid, options=NATIVE_OPTIONS)
    )


def natives(session: Session, *, of: Session | None = None) -> set[Room]:
    """The rooms in an account's native bookmarks, none where an error came."""
    return native_rooms(_pep.retrieve(session, (of or session).bare_jid, NATIVE_BOOKMARKS))
