"""XEP-0410 (MUC self-ping): what a room answers to whoever asks whether it is still in it."""

from __future__ import annotations

import pytest

from lab.plugin import (
    Connect,
    Specification,
    impossible,
    require,
    require_equal,
    require_error,
    require_result,
    unsupported,
)
from lab.wire.namespaces import DATA_FORM, MUC, PING
from lab.wire.session import Matches, Session, localname, new_id
from lab.wire.stream import Element
from scenarios.server._contacts import log_out
from scenarios.server._discovery import advertises

XEP = Specification("XEP-0410")

OPTIMIZATION = f"{MUC}#self-ping-optimization"


def _room(connect: Connect, owner: Session, nick: str = "owner") -> str:
    """A room that answers self-pings itself, as it says, with its owner in it; else the check is `unsupported`."""
    service = connect.cell.services.get("muc")
    if service is None:
        impossible("the cell has no MUC service")
    room = f"self-ping-{new_id()}@{service}"
    _join(owner, room, nick)
    require_result(_unlock(owner, room))
    if not advertises(owner, room, OPTIMIZATION):
        unsupported(OPTIMIZATION)
    return room


def _unlock(owner: Session, room: str) -> Element:
    """Make a new room an instant one (XEP-0045 §10.1.2). Answers the reply."""
    return owner.iq("set", f"<query xmlns='{MUC}#owner'><x xmlns='{DATA_FORM}' type='submit'/></query>", to=room)


def _join(session: Session, room: str, nick: str) -> None:
    """Enter a room, and wait for the own presence, which comes last (XEP-0045 §7.2.2)."""
    session.send(f"<presence/><presence to='{room}/{nick}'><x xmlns='{MUC}'/></presence>")
    session.expect(_own_presence(room), f"the own presence in {room}")


def _join_if_let(session: Session, room: str, nick: str, what: str) -> None:
    """Enter likewise; where the room refuses it, `what` is unsupported."""
    session.send(f"<presence/><presence to='{room}/{nick}'><x xmlns='{MUC}'/></presence>")
    came = session.expect(
        lambda e: localname(e) == "presence" and (e.get("type") == "error" or _own_presence(room)(e)),
        "the own presence, or an error",
    )
    if came.get("type") == "error":
        unsupported(what)


def _leave(session: Session, room: str, nick: str) -> None:
    session.send(f"<presence to='{room}/{nick}' type='unavailable'/>")
    session.expect(_own_presence(room, "unavailable"), f"the own presence as {room} was left")


def _own_presence(room: str, kind: str | None = None) -> Matches:
    """Matches the presence that a room sends of the recipient itself (status 110)."""

    def matches(element: Element) -> bool:
        told = localname(element) == "presence" and element.get("type") == kind
        mine = element.find(f"{{{MUC}#user}}x/{{{MUC}#user}}status[@code='110']") is not None
        return told and mine and (element.get("from") or "").startswith(f"{room}/")

    return matches


def _ping(session: Session, room: str, nick: str) -> Element:
    return session.iq("get", f"<ping xmlns='{PING}'/>", to=f"{room}/{nick}")


def _asks(element: Element) -> bool:
    return localname(element) == "iq" and element.get("type") == "get"


def _not_forwarded(recipient: Session, room: str, nick: str) -> None:
    """No ping came from the room to this session."""
    recipient.expect_nothing(
        f"<iq type='get' id='{new_id()}' from='{room}/{nick}' to='{recipient.jid}'><ping xmlns='{PING}'/></iq>",
        lambda e: _asks(e) and (e.get("from") or "").startswith(f"{room}/"),
        "forwarded ping",
    )


@XEP.should("3.3", says="A room that answers self-pings itself says so by a feature.")
def test_optimization_is_advertised(connect: Connect) -> None:
    service = connect.cell.services.get("muc")
    if service is None:
        impossible("the cell has no MUC service")
    alice, room = connect(label="alice"), f"self-ping-{new_id()}@{service}"
    _join(alice, room, "owner")
    require_result(_unlock(alice, room))
    if advertises(alice, room, OPTIMIZATION):
        return
    mark = new_id()
    alice.send(f"<iq type='get' id='{mark}' to='{room}/owner'><ping xmlns='{PING}'/></iq>")
    answer = alice.expect(lambda e: _asks(e) or e.get("id") == mark, "the ping, or an answer to it")
    if answer.get("type") == "error":  # a room need not let iqs pass (§3.2: any other error)
        unsupported(OPTIMIZATION)
    require(_asks(answer), f"{OPTIMIZATION} in disco#info, or the ping itself", answer)
    alice.send(f"<iq type='result' id='{answer.get('id')}' to='{answer.get('from')}'/>")
    require_result(alice.expect(lambda e: e.get("id") == mark and not _asks(e), "an answer to the ping"))
    unsupported(OPTIMIZATION)


@XEP.must("3.3", says="Who is in the room gets a result for a ping to the own nickname, from there.")
@pytest.mark.parametrize("times", [1, 3], ids=["once", "several-times"])
def test_occupant_gets_a_result(times: int, connect: Connect) -> None:
    alice, bob = connect(label="alice"), connect(label="bob")
    room = _room(connect, alice)
    _join(bob, room, "bob")
    for _ in range(times):
        reply = _ping(bob, room, "bob")
        require_result(reply)
        require_equal(reply.get("from"), f"{room}/bob", "from")


@XEP.must("3.3", says="The room answers by itself: the ping comes back to no client.")
def test_ping_is_not_forwarded(connect: Connect) -> None:
    alice, bob = connect(label="alice"), connect(label="bob")
    room = _room(connect, alice)
    _join(bob, room, "bob")
    require_result(_ping(bob, room, "bob"))
    _not_forwarded(bob, room, "bob")
    _not_forwarded(alice, room, "bob")


@XEP.must("3.3", says="Who never was in the room gets not-acceptable.")
def test_outsider_is_told(connect: Connect) -> None:
    alice, bob = connect(label="alice"), connect(label="bob")
    room = _room(connect, alice)
    require_error(_ping(bob, room, "bob"), "not-acceptable")


@XEP.must("3.3", says="Who pings an occupant's nickname from outside gets not-acceptable, and the occupant nothing.")
def test_outsider_pings_an_occupant(connect: Connect) -> None:
    alice, bob = connect(label="alice"), connect(label="bob")
    room = _room(connect, alice, "bob")
    require_error(_ping(bob, room, "bob"), "not-acceptable")
    _not_forwarded(alice, room, "bob")


@XEP.must("3.3", says="Another resource of an occupant's account, which is not in the room, gets not-acceptable.")
def test_other_resource_is_told(connect: Connect) -> None:
    account = connect.account()
    alice, bob = connect(label="alice"), connect(account=account, label="bob")
    other = connect(account=account, label="bob's other")
    room = _room(connect, alice)
    _join(bob, room, "bob")
    require_error(_ping(other, room, "bob"), "not-acceptable")
    require_result(_ping(bob, room, "bob"))


@XEP.must("3.3", says="Who left the room gets not-acceptable, and a result again once it is back.")
def test_who_left_is_told(connect: Connect) -> None:
    alice, bob = connect(label="alice"), connect(label="bob")
    room = _room(connect, alice)
    _join(bob, room, "bob")
    require_result(_ping(bob, room, "bob"))
    _leave(bob, room, "bob")
    require_error(_ping(bob, room, "bob"), "not-acceptable")
    _join(bob, room, "bob")
    require_result(_ping(bob, room, "bob"))


@XEP.must("3.3", says="Who was put out of the room gets not-acceptable.")
@pytest.mark.parametrize(
    ("item", "how"), [("role='none'", "kicked"), ("affiliation='outcast'", "banned")], ids=["kicked", "banned"]
)
def test_who_was_put_out_is_told(item: str, how: str, connect: Connect) -> None:
    alice, bob = connect(label="alice"), connect(label="bob")
    room = _room(connect, alice)
    _join(bob, room, "bob")
    whom = "nick='bob'" if how == "kicked" else f"jid='{bob.bare_jid}'"
    require_result(alice.iq("set", f"<query xmlns='{MUC}#admin'><item {whom} {item}/></query>", to=room))
    bob.expect(
        lambda e: localname(e) == "presence" and e.get("type") == "unavailable" and e.get("from") == f"{room}/bob",
        f"the presence that says that Bob was {how}",
    )
    require_error(_ping(bob, room, "bob"), "not-acceptable")


@XEP.must("3.3", says="Whose session ended and began again without joining gets not-acceptable.")
def test_who_came_back_without_joining_is_told(connect: Connect) -> None:
    account = connect.account()
    alice, bob = connect(label="alice"), connect(account=account, resource="one", label="bob")
    room = _room(connect, alice)
    _join(bob, room, "bob")
    log_out(bob)
    alice.expect(
        lambda e: localname(e) == "presence" and e.get("type") == "unavailable" and e.get("from") == f"{room}/bob",
        "the presence that says that Bob is gone",
    )
    again = connect(account=account, resource="one", label="bob again")
    require_error(_ping(again, room, "bob"), "not-acceptable")


@XEP.must("3.3", says="Who is in no room at all, as the room is gone, gets an error.")
def test_room_is_gone(connect: Connect) -> None:
    alice, bob = connect(label="alice"), connect(label="bob")
    room = _room(connect, alice)
    _join(bob, room, "bob")
    require_result(alice.iq("set", f"<query xmlns='{MUC}#owner'><destroy/></query>", to=room))
    bob.expect(lambda e: localname(e) == "presence" and e.get("type") == "unavailable", "the end of the room")
    require_error(_ping(bob, room, "bob"))


@XEP.must("3.3", says="Behind a change of nickname, a ping to the new one gets a result.")
def test_new_nickname_gets_a_result(connect: Connect) -> None:
    alice, bob = connect(label="alice"), connect(label="bob")
    room = _room(connect, alice)
    _join(bob, room, "bob")
    bob.send(f"<presence to='{room}/robert'/>")
    bob.expect(
        lambda e: _own_presence(room)(e) and e.get("from") == f"{room}/robert", "the presence under the new nickname"
    )
    reply = _ping(bob, room, "robert")
    require_result(reply)
    require_equal(reply.get("from"), f"{room}/robert", "from")
    _not_forwarded(bob, room, "robert")


@XEP.must("3.3", says="Of two clients under one nickname, each is told of itself: whether it is in the room.")
def test_clients_of_one_nickname_are_told_apart(connect: Connect) -> None:
    account = connect.account()
    alice, one = connect(label="alice"), connect(account=account, label="bob")
    other = connect(account=account, label="bob's other")
    room = _room(connect, alice)
    _join(one, room, "bob")
    _join_if_let(other, room, "bob", "several clients under one nickname")
    require_result(_ping(one, room, "bob"))
    require_result(_ping(other, room, "bob"))
    _leave(one, room, "bob")
    require_error(_ping(one, room, "bob"), "not-acceptable")
    require_result(_ping(other, room, "bob"))


@XEP.must("3.3", says="A nickname with more than letters in it is pinged like any other.")
@pytest.mark.parametrize("nick", ["the bob", "Ωμέγα", "b/o/b", "b@b"], ids=["space", "greek", "slashes", "at-sign"])
def test_odd_nickname_gets_a_result(nick: str, connect: Connect) -> None:
    alice, bob = connect(label="alice"), connect(label="bob")
    room = _room(connect, alice)
    _join_if_let(bob, room, nick, "such nicknames")
    require_result(_ping(bob, room, nick))
