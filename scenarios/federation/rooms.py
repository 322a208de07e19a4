"""Rooms over the border (XEP-0045): entered, spoken in and left by a guest from abroad."""

from __future__ import annotations

import pytest

from lab.plugin import Specification, require, require_equal, require_error
from lab.plugin.border import Federation
from lab.wire.namespaces import DISCO_INFO, LAB, NS
from lab.wire.session import localname, new_id
from scenarios.federation._place import with_guest, with_room
from scenarios.server._caps import identities
from scenarios.server.xep0045._occupant import UNAVAILABLE, codes_of, is_subject, item_of, said
from scenarios.server.xep0045._rooms import enter, entrance

MUC = Specification("XEP-0045")


@MUC.must(
    "7.1",
    "7.2.2",
    "7.2.15",
    says="Who enters over the border is told who is there, then of itself, then the subject.",
)
def test_guest_enters_from_abroad(federation: Federation) -> None:
    owner = with_room(federation, moderatedroom=False)
    alice = federation.alice()
    came = entrance(alice, owner.room, "guest")
    with federation.there.writes():
        presences = [e.get("from", "") for e in came if localname(e) == "presence"]
        presences = [jid for jid in presences if "/" in jid]  # a room may show a picture of its own
        require_equal(presences, [owner.jid, f"{owner.room}/guest"], "presence of each occupant, the own one last:")
        own = next(e for e in came if e.get("from") == f"{owner.room}/guest")
        require("110" in codes_of(own), "status code 110", own)
        require_equal((item_of(own).get("affiliation"), item_of(own).get("role")), ("none", "participant"), "it is")
        require(is_subject(came[-1]), "the subject, last of all", came[-1])


@MUC.must("7.2.2", says="The occupants are told of one who enters over the border.")
def test_occupants_are_told_of_a_guest_from_abroad(federation: Federation) -> None:
    owner = with_room(federation, moderatedroom=False)
    guest = enter(federation.alice(), owner.room, "guest")
    with federation.there.blamed():
        owner.sees(guest.jid, affiliation="none", role="participant")


@MUC.must("7.4", says="What is said in a room comes to all in it, on either side of the border.")
@pytest.mark.parametrize("speaker", ["owner", "guest"])
def test_words_reach_both_sides(federation: Federation, speaker: str) -> None:
    place = with_guest(federation)
    text = f"hello {new_id()}"
    one = place.owner if speaker == "owner" else place.guest
    one.says(text, inside=f"<x xmlns='{LAB}'><y/></x>")
    with place.side.writes():
        for listener in (place.owner, place.guest):
            heard = listener.hears(text, by=one.jid)
            require(heard.find("lab:x/lab:y", NS) is not None, "what else the message held", heard)


@MUC.must("7.4", says="What is said in a room comes over the border in the order in which it was said.")
def test_words_come_in_order(federation: Federation) -> None:
    place = with_guest(federation)
    texts = [f"{number} {new_id()}" for number in range(20)]
    for text in texts:
        place.owner.says(text)
    place.guest.session.inbox.append(place.guest.hears(texts[-1], by=place.owner.jid))
    heard = [e.findtext("c:body", "", NS) for e in place.guest.session.inbox if e.get("type") == "groupchat"]
    require_equal(heard, texts, "what was heard:")


@MUC.must("7.2.13", says="The history that a guest from abroad is sent is stamped, and names who said what.")
def test_guest_from_abroad_is_sent_the_history(federation: Federation) -> None:
    owner = with_room(federation)
    texts = [f"{number} {new_id()}" for number in range(3)]
    for text in texts:
        owner.says(text)
        owner.hears(text, by=owner.jid)
    came = entrance(federation.alice(), owner.room, "guest")
    history = [e for e in came if localname(e) == "message" and e.find("c:body", NS) is not None]
    with federation.there.writes():
        require_equal([e.findtext("c:body", None, NS) for e in history], texts, "the history:")
        for one in history:
            require_equal(one.get("from"), owner.jid, "the author")
            require(one.find("delay:delay", NS) is not None, "a stamp", one)


@MUC.must("7.2.15", "8.1", says="The subject comes over the border: to who is in the room, and to who enters.")
def test_subject_crosses_the_border(federation: Federation) -> None:
    place = with_guest(federation)
    text = f"about {new_id()}"
    place.owner.session.send(f"<message to='{place.room}' type='groupchat'><subject>{text}</subject></message>")
    changed = place.guest.session.expect(is_subject, "the changed subject")
    later = entrance(federation.here.connect(label="carol"), place.room, "later")
    with place.side.writes():
        for one in (changed, later[-1]):
            require_equal(one.findtext("c:subject", None, NS), text, "the subject")


@MUC.must("7.5", says="Private messages between occupants cross the border both ways, from the occupant's JID.")
@pytest.mark.parametrize("speaker", ["owner", "guest"])
def test_private_message_crosses_the_border(federation: Federation, speaker: str) -> None:
    place = with_guest(federation)
    one, other = (place.owner, place.guest) if speaker == "owner" else (place.guest, place.owner)
    text = f"for you {new_id()}"
    one.whispers(other.nick, text)
    came = other.session.expect(said(text), "the private message")
    with place.side.writes():
        require_equal(came.get("from"), one.jid, "the sender")
        require_equal(came.get("to"), other.session.jid, "the recipient")
        require_equal(came.get("type"), "chat", "the type")


@MUC.must(
    "7.5", says="A private message to a nickname that nobody has is refused over the border with item-not-found."
)
def test_private_message_to_nobody_from_abroad(federation: Federation) -> None:
    place = with_guest(federation)
    refused = place.guest.refused(place.guest.whispers("nobody", "hello"))
    with place.side.writes():
        require_error(refused, "item-not-found")
        require_equal(refused.get("from"), f"{place.room}/nobody", "the sender of the error")


@MUC.must("7.6", says="A guest from abroad changes the nickname: status code 303, and the new one, on both sides.")
def test_guest_from_abroad_changes_the_nickname(federation: Federation) -> None:
    place = with_guest(federation)
    place.guest.updates(nick="renamed")
    with place.side.writes():
        for one in (place.guest, place.owner):
            left = one.sees(place.guest.jid, UNAVAILABLE, codes=(303,))
            require_equal(item_of(left).get("nick"), "renamed", "the new nickname")
            one.sees(f"{place.room}/renamed")


@MUC.must("17.3", "7.7", says="Presence that an occupant changes comes over the border, as from the occupant's JID.")
@pytest.mark.parametrize("who", ["owner", "guest"])
def test_occupants_presence_crosses_the_border(federation: Federation, who: str) -> None:
    place = with_guest(federation)
    one, other = (place.owner, place.guest) if who == "owner" else (place.guest, place.owner)
    one.updates("<show>away</show><status>tea</status>")
    seen = other.sees(one.jid)
    with place.side.writes():
        require_equal(seen.findtext("c:show", None, NS), "away", "show")
        require_equal(seen.findtext("c:status", None, NS), "tea", "status")


@MUC.must("7.14", says="A guest from abroad that leaves is told so, and so are the others.")
def test_guest_from_abroad_leaves(federation: Federation) -> None:
    place = with_guest(federation)
    place.guest.leaves("<status>bye</status>")
    with place.side.writes():
        place.guest.sees(place.guest.jid, UNAVAILABLE, role="none", codes=(110,))
        left = place.owner.sees(place.guest.jid, UNAVAILABLE, role="none")
        require_equal(left.findtext("c:status", None, NS), "bye", "status")


@MUC.must("7.14", says="A guest from abroad whose session ends has left the room.")
@pytest.mark.parametrize("politely", [True, False], ids=["stream-closed", "connection-cut"])
def test_guest_from_abroad_is_gone(federation: Federation, politely: bool) -> None:
    place = with_guest(federation)
    if politely:
        place.guest.session.send("</stream:stream>")
    else:
        place.guest.session.abandon()
    place.owner.sees(place.guest.jid, UNAVAILABLE, role="none")


@MUC.must(
    "7.2.3",
    "7.2.2",
    says="In a non-anonymous room all are told the full JID of a guest from abroad; code 100 says so.",
)
def test_full_jid_of_a_guest_from_abroad(federation: Federation) -> None:
    owner = with_room(federation, whois="anyone")
    alice = federation.alice()
    came = entrance(alice, owner.room, "guest")
    with federation.there.writes():
        own = next(e for e in came if e.get("from") == f"{owner.room}/guest")
        require("100" in codes_of(own), "status code 100", own)
        seen = owner.sees(f"{owner.room}/guest")
        require_equal(item_of(seen).get("jid"), alice.jid, "the guest's full JID")


@MUC.must("7.2.4", "7.2.2", says="In a semi-anonymous room moderators are told the full JID of a guest from abroad.")
def test_full_jid_is_for_moderators(federation: Federation) -> None:
    owner = with_room(federation, whois="moderators")
    guest = enter(federation.alice(), owner.room, "guest")
    other = federation.here.connect(label="carol")
    came = entrance(other, owner.room, "other")
    with federation.there.writes():
        require_equal(item_of(owner.sees(guest.jid)).get("jid"), guest.session.jid, "the full JID, for a moderator")
        seen = next(e for e in came if e.get("from") == guest.jid)
        require(item_of(seen).get("jid") is None, "no JID for who is no moderator", seen)


@MUC.must("6.4", says="One from abroad asks a room what it is.")
def test_room_is_discovered_from_abroad(federation: Federation) -> None:
    owner = with_room(federation)
    reply = federation.alice().iq("get", f"<query xmlns='{DISCO_INFO}'/>", to=owner.room)
    with federation.there.writes():
        query = reply.find("disco:query", NS)
        require(query is not None, "an answer", reply)
        found = [] if query is None else identities(query)
        require("conference" in [i[0] for i in found], "an identity of the category conference", reply)
