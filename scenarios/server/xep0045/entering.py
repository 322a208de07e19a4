"""XEP-0045 §7.1, §7.2: entering a room, and the order in which a newcomer and the others are told."""

from __future__ import annotations

import pytest

from lab.plugin import Connect, Specification, require, require_equal, require_error, unsupported
from lab.wire.namespaces import MUC, NS
from lab.wire.session import Session, localname
from lab.wire.stream import Element
from scenarios.server.xep0045._admin import change_affiliation, is_done
from scenarios.server.xep0045._occupant import (
    Occupant,
    bare,
    codes_of,
    is_subject,
    item_of,
    presence_example,
    presence_of,
    spared,
)
from scenarios.server.xep0045._rooms import admitted, enter, entrance, fresh_room, gather, join, quiet, refusal

XEP = Specification("XEP-0045")
AFFILIATIONS = ("owner", "admin", "member", "none")


def _kind(element: Element, own: str) -> str:
    """What part of an entrance a stanza is (§7.1)."""
    if localname(element) == "presence":
        return "self" if element.get("from") == own else "others"
    return "subject" if is_subject(element) else "history" if element.find("delay:delay", NS) is not None else "live"


def _kinds(came: list[Element], own: str) -> list[str]:
    """The parts of an entrance in the order in which they came, each once where it came several times in a row.

    Presence of the room itself, which may have a picture (XEP-0153), is none of them.
    """
    room = own.partition("/")[0]
    kinds = [_kind(e, own) for e in came if localname(e) != "presence" or e.get("from") != room]
    return [kind for place, kind in enumerate(kinds) if place == 0 or kinds[place - 1] != kind]


def _entered(connect: Connect, owner: Occupant, *, nick: str = "newcomer") -> tuple[Occupant, list[Element]]:
    """A newcomer of no affiliation, and what it was sent up to the subject."""
    session = connect(label=nick)
    return Occupant(session, owner.room, nick), entrance(session, owner.room, nick)


def _answered(session: Session, room: str) -> Element:
    """The first presence of somebody in a room, or an error of the room's; the room may have presence of its own."""

    def answers(element: Element) -> bool:
        of_the_room = element.get("from") == room and element.get("type") != "error"
        return localname(element) == "presence" and bare(element) == room and not of_the_room

    return session.expect(answers, f"an answer of {room}")


def _one(came: list[Element], jid: str) -> Element:
    """The one presence of that occupant JID in an entrance."""
    found = [e for e in came if presence_of(jid)(e)]
    require_equal(len(found), 1, f"presences of {jid}:")
    return found[0]


# --- order


@XEP.must(
    "7.1", "7.2.2", "7.2.13", says="A newcomer is sent the others, itself, the history, and the subject, in order."
)
def test_order_of_events(connect: Connect) -> None:
    owner, guest = gather(connect, "none")
    for speaker in (owner, guest):
        speaker.says(f"said by {speaker.nick}")
        speaker.hears(f"said by {speaker.nick}", speaker.jid)
    newcomer, came = _entered(connect, owner)
    kinds = _kinds(came, newcomer.jid)
    if "history" not in kinds:
        unsupported("discussion history")
    require_equal(kinds, ["others", "self", "history", "subject"], "the order")


@XEP.must("7.1", "7.2.2", says="The own presence comes behind that of all others, however many they are.")
def test_self_presence_is_the_last(connect: Connect) -> None:
    owner, *others = gather(connect, "none", "member", "admin", "none")
    newcomer, came = _entered(connect, owner)
    senders = [e.get("from") for e in came if localname(e) == "presence" and e.get("from") != owner.room]
    require_equal(set(senders[:-1]), {one.jid for one in (owner, *others)}, "presences before the own one:")
    require_equal(senders[-1], newcomer.jid, "the last presence is from")


@XEP.must("7.1", "7.2.15", says="Who creates a room is sent the own presence and the subject.")
def test_order_of_events_in_a_new_room(alice: Session, connect: Connect) -> None:
    room = fresh_room(connect)
    came = entrance(alice, room, "alice")
    require_equal(_kinds(came, f"{room}/alice"), ["self", "subject"], "the order")


@XEP.must(
    "7.2.16", "7.1", "7.2.13", says="What is said while somebody enters comes as history before the subject, or live."
)
def test_live_messages_come_behind_the_subject(connect: Connect) -> None:
    owner, _guest = gather(connect, "none")
    newcomer = connect(label="newcomer")
    texts = [f"line {number}" for number in range(20)]
    lines = [f"<message to='{owner.room}' type='groupchat' id='{t[5:]}'><body>{t}</body></message>" for t in texts]
    owner.session.send_together(lines[:10])
    newcomer.send(join(owner.room, "newcomer"))
    owner.session.send_together(lines[10:])
    came: list[Element] = []
    while not (any(map(is_subject, came)) and any(e.findtext("c:body", "", NS) == texts[-1] for e in came)):
        element = newcomer.receive()
        if bare(element) == owner.room and localname(element) == "message":
            came.append(element)
    (place,) = [n for n, e in enumerate(came) if is_subject(e)] or [-1]
    require(place >= 0, "one subject", f"{len(came)} messages without one, or with more")
    for element in came[:place]:
        require(element.find("delay:delay", NS) is not None, "history alone before the subject", element)
    for element in came[place + 1 :]:
        require(element.find("delay:delay", NS) is None, "live messages behind the subject", element)
    bodies = [e.findtext("c:body", None, NS) for e in came if not is_subject(e)]
    require_equal(bodies, texts[len(texts) - len(bodies) :], "what was said")


# --- presence of others, and of oneself


@XEP.must(
    "7.2.2", "5.1", "5.2", says="A newcomer is told each occupant's affiliation and role, in one <x/> with one item."
)
@pytest.mark.parametrize("affiliation", AFFILIATIONS)
def test_newcomer_is_told_of_an_occupant(connect: Connect, affiliation: str) -> None:
    owner, guest = gather(connect, affiliation)
    _, came = _entered(connect, owner)
    presence = _one(came, guest.jid)
    require_equal(len(presence.findall("muc-user:x", NS)), 1, "elements <x/> of muc#user:")
    item = item_of(presence)
    require_equal(item.get("affiliation"), affiliation, "affiliation")
    require(item.get("role") in {"moderator", "participant", "visitor"}, "a role of one who is in the room", presence)


@XEP.must("7.2.2", "5.1", "5.2", says="All occupants are told of a newcomer, with its affiliation and role.")
@pytest.mark.parametrize("affiliation", AFFILIATIONS)
def test_occupants_are_told_of_a_newcomer(connect: Connect, affiliation: str) -> None:
    owner, guest = gather(connect, "none")
    newcomer = admitted(connect, owner, affiliation, "newcomer")
    role = "moderator" if affiliation in {"owner", "admin"} else "participant"
    for occupant in (owner, guest):
        presence = occupant.sees(newcomer.jid, affiliation=affiliation, role=role)
        require_equal(presence.get("to"), occupant.session.jid, "to")


@XEP.must("7.2.2", says="The own presence of a newcomer bears status code 110, its occupant JID and its full JID.")
@pytest.mark.parametrize("affiliation", AFFILIATIONS)
def test_self_presence_says_so(connect: Connect, affiliation: str) -> None:
    (owner,) = gather(connect)
    session = connect(label="newcomer")
    if affiliation != "none":
        is_done(change_affiliation(owner.session, owner.room, session.bare_jid, affiliation), affiliation)
    presence = _one(entrance(session, owner.room, "newcomer"), f"{owner.room}/newcomer")
    require("110" in codes_of(presence), "status code 110", presence)
    require_equal(item_of(presence).get("affiliation"), affiliation, "affiliation")
    require_equal(presence.get("to"), session.jid, "to")


@XEP.must("7.2.2", says="Status code 110 stands in the own presence alone: others' presence is not about oneself.")
def test_others_are_not_oneself(connect: Connect) -> None:
    owner, guest = gather(connect, "none")
    newcomer, came = _entered(connect, owner)
    for other in (owner, guest):
        presence = _one(came, other.jid)
        require("110" not in codes_of(presence), "no status code 110", presence)
        presence = other.sees(newcomer.jid)
        require("110" not in codes_of(presence), "no status code 110", presence)


@XEP.must("10.1.1", "7.2.2", says="Status code 201 tells of a room's creation: who enters later is not told it.")
def test_second_entrance_creates_nothing(connect: Connect) -> None:
    (owner,) = gather(connect)
    newcomer, came = _entered(connect, owner)
    presence = _one(came, newcomer.jid)
    require("201" not in codes_of(presence), "no status code 201", presence)


# --- the nickname


@XEP.must("7.2.1", says="Who says no nickname is refused with jid-malformed.")
@pytest.mark.parametrize("room", ["there", "not-there"])
def test_nickname_is_needed(connect: Connect, room: str) -> None:
    jid = gather(connect)[0].room if room == "there" else fresh_room(connect)
    session = connect(label="newcomer")
    session.send(f"<presence to='{jid}' id='no-nick'><x xmlns='{MUC}'/></presence>")
    reply = _answered(session, jid)
    require_error(reply, "jid-malformed")


@XEP.must_not("17.1", says="No nickname is let in that is empty or made of spaces.")
@pytest.mark.parametrize(
    "nick",
    [pytest.param(" ", id="space"), pytest.param("   ", id="spaces"), pytest.param("\u00ad", id="soft-hyphen")],
)
def test_invisible_nickname_is_refused(connect: Connect, nick: str) -> None:
    (owner,) = gather(connect)
    session = connect(label="newcomer")
    session.send(join(owner.room, nick))
    jid = f"{owner.room}/{nick}"
    owner.is_spared(
        presence_example(jid, owner.session),
        lambda e: localname(e) == "presence" and bare(e) == owner.room,
        "presence of one whose nickname cannot be seen",
        after=session,
    )
    session.expect_nothing(
        presence_example(jid, session, more="<status code='110'/>"),
        lambda e: localname(e) == "presence" and e.get("type") is None and bare(e) == owner.room,
        "word that one is in the room by a nickname that cannot be seen",
    )


@XEP.must(
    "17.1", "7.2.2", says="A nickname that is let in is kept, whatever it holds: spaces within, signs, other scripts."
)
@pytest.mark.parametrize(
    "nick",
    [
        pytest.param("the third witch", id="spaces-within"),
        pytest.param("a/b@c", id="separators"),
        pytest.param("Третья ведьма", id="cyrillic"),
        pytest.param("魔女", id="han"),
        pytest.param("x" * 200, id="long"),
    ],
)
def test_nickname_of_many_kinds(connect: Connect, nick: str) -> None:
    (owner,) = gather(connect)
    session = connect(label="newcomer")
    answer = refusal(session, owner.room, nick)
    # §17.1: a service may restrict nicknames further; §7.2.2: it may rewrite them.
    if answer.get("type") == "error" or "210" in codes_of(answer):
        unsupported("nicknames of that kind")
    newcomer = Occupant(session, owner.room, nick)
    owner.sees(newcomer.jid)
    newcomer.says("hello")
    owner.hears("hello", newcomer.jid)


# --- what is no wish to enter


@XEP.should("7.2.18", says="Presence of one who is not in the room, without the word of MUC, is answered by a kick.")
def test_presence_without_muc_is_kicked(connect: Connect) -> None:
    (owner,) = gather(connect)
    session, jid = connect(label="lost"), f"{owner.room}/lost"
    session.send(f"<presence to='{jid}'/>")
    answer = _answered(session, owner.room)
    require_equal(answer.get("type"), "unavailable", "type")
    require_equal(answer.get("from"), jid, "from")


@XEP.must("7.2.18", says="Where presence without the word of MUC is answered by a kick, it bears 110, 307 and 333.")
def test_kick_of_the_lost_says_why(connect: Connect) -> None:
    (owner,) = gather(connect)
    session = connect(label="lost")
    session.send(f"<presence to='{owner.room}/lost'/>")
    answer = _answered(session, owner.room)
    if answer.get("type") != "unavailable":
        unsupported("kicking whoever sends presence without the word of MUC")
    require({"110", "307", "333"} <= codes_of(answer), "status codes 110, 307 and 333", answer)


@XEP.must_not("17.3", "7.2.1", says="Presence with a type is no wish to enter.")
@pytest.mark.parametrize("kind", ["unavailable", "probe", "subscribe", "unsubscribe", "error"])
def test_presence_with_a_type_does_not_enter(connect: Connect, kind: str) -> None:
    (owner,) = gather(connect)
    session, jid = connect(label="stranger"), f"{owner.room}/stranger"
    session.send(f"<presence to='{jid}' type='{kind}'><x xmlns='{MUC}'/></presence>")
    spared(
        owner.room,
        owner.session,
        presence_example(jid, owner.session),
        presence_of(jid),
        f"presence of who sent one of type {kind}",
        after=session,
    )
    session.expect_nothing(presence_example(jid, session), presence_of(jid), "the own presence in the room")


# --- entering once more


@XEP.must("17.3", says="A join of one who is in the room already is answered by all that a newcomer is sent.")
def test_second_join_synchronises(connect: Connect) -> None:
    owner, guest, other = gather(connect, "none", "member")
    came = entrance(guest.session, guest.room, guest.nick)
    kinds = [kind for kind in _kinds(came, guest.jid) if kind != "history"]
    require_equal(kinds, ["others", "self", "subject"], "the order")
    for occupant, affiliation in ((owner, "owner"), (other, "member")):
        require_equal(item_of(_one(came, occupant.jid)).get("affiliation"), affiliation, "affiliation")
    require("110" in codes_of(_one(came, guest.jid)), "status code 110", _one(came, guest.jid))


@XEP.should("7.2.1", says="A join of one who is in the room already brings the history, and the subject as it is.")
def test_second_join_brings_history_and_subject(connect: Connect) -> None:
    owner, guest = gather(connect, "none")
    owner.says("said before")
    owner.hears("said before", owner.jid)
    owner.session.send(f"<message to='{owner.room}' type='groupchat'><subject>Cauldrons</subject></message>")
    owner.session.expect(is_subject, "the subject")
    quiet(guest)
    _, first = _entered(connect, owner)
    if "said before" not in [e.findtext("c:body", None, NS) for e in first]:
        unsupported("discussion history")
    came = entrance(guest.session, guest.room, guest.nick)
    require("said before" in [e.findtext("c:body", None, NS) for e in came], "what was said before", came[-1])
    require_equal(came[-1].findtext("c:subject", None, NS), "Cauldrons", "subject")


@XEP.must("17.3", says="A join of one who is in the room already is no leaving and no other occupant.")
def test_second_join_is_no_leaving(connect: Connect) -> None:
    owner, guest = gather(connect, "none")
    entrance(guest.session, guest.room, guest.nick)
    owner.is_spared(
        presence_example(guest.jid, owner.session, "unavailable", role="none"),
        presence_of(guest.jid, "unavailable"),
        "word that one who entered once more has left",
    )
    guest.says("still here")
    owner.hears("still here", guest.jid)


@XEP.should("17.3", says="Where a second join differs from the presence before, the others are told.")
def test_second_join_with_another_presence_is_told(connect: Connect) -> None:
    owner, guest = gather(connect, "none")
    entrance(guest.session, guest.room, guest.nick, beside="<show>away</show>")
    presence = owner.sees(guest.jid)
    require_equal(presence.findtext("c:show", None, NS), "away", "show")


@XEP.must("7.2.2", says="Two resources of one account that enter by two nicknames are two occupants.")
def test_other_resource_enters_by_itself(connect: Connect) -> None:
    (owner,) = gather(connect)
    account = connect.account()
    first = enter(connect(account=account, label="first"), owner.room, "first")
    second = enter(connect(account=account, label="second"), owner.room, "second")
    for occupant in (first, second):
        owner.sees(occupant.jid)
    second.says("from the second")
    first.hears("from the second", second.jid)


@XEP.should("7.2.11", says="Who enters a room that does not exist creates it.")
def test_room_is_created_on_entering(alice: Session, connect: Connect) -> None:
    room = fresh_room(connect)
    answer = refusal(alice, room, "alice")
    require(answer.get("type") is None, "to be in the room", answer)
    require("201" in codes_of(answer), "status code 201", answer)
