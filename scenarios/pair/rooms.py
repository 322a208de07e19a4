"""Both clients in a room (XEP-0045)."""

from __future__ import annotations

from secrets import token_hex

from lab.cell import Cell
from lab.plugin.clients import ElementMatches
from lab.plugin.judge import impossible
from lab.plugin.pairs import Pair
from lab.plugin.requirement import Specification
from lab.wire.session import localname, new_id
from scenarios.pair._texts import body_is, shown

XEP = Specification("XEP-0045")
UNLOCK = (
    "<iq type='set' id='{id}' to='{room}'><query xmlns='http://jabber.org/protocol/muc#owner'>"
    "<x xmlns='jabber:x:data' type='submit'/></query></iq>"
)


def _enter(pair: Pair, room: str) -> None:
    """Both enter; the first one owns the room, and the tap has it opened where it is locked (§10.1.2)."""
    for side, nick in ((pair.one, "one"), (pair.other, "other")):
        side.does("join", room=room, nick=nick)
        side.sends(_presence_to(f"{room}/{nick}"), "presence to the room with the nickname")
        side.gets(_presence_from(f"{room}/{nick}"), "its own presence from the room")
        if side is pair.one:
            side.client.tap.send_as_client(UNLOCK.format(id=f"unlock-{room}", room=room))
            side.gets(lambda e: e.get("id") == f"unlock-{room}", "an answer to the request for an instant room")


def _presence_to(jid: str) -> ElementMatches:
    return lambda e: localname(e) == "presence" and e.get("to") == jid and e.get("type") is None


def _presence_from(jid: str) -> ElementMatches:
    return lambda e: localname(e) == "presence" and e.get("from") == jid and e.get("type") is None


def _said(text: str) -> ElementMatches:
    same = body_is(text)
    return lambda element: element.get("type") == "groupchat" and same(element)


@XEP.must("7.4", says="What one occupant says to a room is sent to every occupant, and each client shows it.")
def test_room_message_reaches_both(pair: Pair, cell: Cell) -> None:
    if "muc" not in cell.services:
        impossible("the cell has no room service")
    room = f"r{token_hex(4)}@{cell.services['muc']}"
    _enter(pair, room)
    for speaker, listener, nick in ((pair.one, pair.other, "one"), (pair.other, pair.one, "other")):
        text = f"hello, all of you {new_id()}"
        speaker.does("send-message", to=room, body=text, type="groupchat")
        speaker.sends(_said(text), "a message of type groupchat to the room")
        listener.gets(_said(text), "the message from the room")
        listener.shows(
            "message",
            shown(text, f"{room}/{nick}"),
            f"the message as said by {nick}",
        )
