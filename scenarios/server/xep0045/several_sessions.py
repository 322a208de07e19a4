"""XEP-0045 §7.2.8: several resources of one user in a room by one nickname."""

from __future__ import annotations

from lab.plugin import Connect, Specification, require, require_equal, require_result, unsupported
from lab.wire.session import stanza_error_condition
from scenarios.server.xep0045._admin import change_affiliation, change_role
from scenarios.server.xep0045._occupant import Occupant, codes_of, presence_of, said
from scenarios.server.xep0045._rooms import created, fresh_room, quiet, refusal

XEP = Specification("XEP-0045")


def _twice(connect: Connect) -> tuple[Occupant, Occupant, Occupant]:
    """A room's owner, and a user who is in the room with two resources by one nickname; else `unsupported`."""
    owner = created(connect(label="owner"), fresh_room(connect))
    account = connect.account()
    sessions = (connect(account=account, label="first"), connect(account=account, label="second"))
    for session in sessions:
        if stanza_error_condition(refusal(session, owner.room, "twice")):
            unsupported("several sessions by one nickname; another check says that they should be allowed")
    first, second = (Occupant(session, owner.room, "twice") for session in sessions)
    quiet(owner, first, second)
    return owner, first, second


def _removed(occupant: Occupant, code: int) -> None:
    """The session must be told that it is out, by that status code. What else is told of the other one is open."""
    presence = occupant.session.expect(presence_of(occupant.jid, "unavailable"), "word that one is out of the room")
    require(str(code) in codes_of(presence), f"status code {code}", presence)


@XEP.should("7.2.8", says="A nickname is no conflict where its owner enters by it with another resource.")
def test_own_nickname_is_no_conflict(connect: Connect) -> None:
    owner = created(connect(label="owner"), fresh_room(connect))
    account = connect.account()
    for label in ("first", "second"):
        answer = refusal(connect(account=account, label=label), owner.room, "twice")
        require(answer.get("type") is None, "to be let in", answer)
        require_equal(answer.get("from"), f"{owner.room}/twice", "from")
        require("110" in codes_of(answer), "status code 110", answer)


@XEP.must("7.2.8", says="What is said in the room goes to each resource of a user who is there with several.")
def test_each_resource_hears(connect: Connect) -> None:
    owner, *both = _twice(connect)
    owner.says("for both of you")
    for occupant in both:
        occupant.hears("for both of you", owner.jid)


@XEP.must("7.2.8", says="Each resource of a user who is there with several may speak, and all hear it.")
def test_each_resource_speaks(connect: Connect) -> None:
    owner, *both = _twice(connect)
    for number, occupant in enumerate(both):
        occupant.says(f"from resource {number}")
        for listener in (owner, *both):
            listener.hears(f"from resource {number}", occupant.jid)


@XEP.should("7.2.8", says="Private messages go to each resource of a user who is there with several.")
def test_each_resource_gets_private_messages(connect: Connect) -> None:
    owner, *both = _twice(connect)
    owner.whispers("twice", "psst")
    for occupant in both:
        message = occupant.session.expect(said("psst"), "the private message")
        require_equal(message.get("from"), owner.jid, "from")


@XEP.must("8.2", "7.2.8", says="A kick removes each resource of a user who is there with several.")
def test_each_resource_is_kicked(connect: Connect) -> None:
    owner, *both = _twice(connect)
    require_result(change_role(owner.session, owner.room, "twice", "none"))
    for occupant in both:
        _removed(occupant, 307)


@XEP.must("9.1", "7.2.8", says="A ban removes each resource of a user who is there with several.")
def test_each_resource_is_banned(connect: Connect) -> None:
    owner, *both = _twice(connect)
    require_result(change_affiliation(owner.session, owner.room, both[0].session.bare_jid, "outcast"))
    for occupant in both:
        _removed(occupant, 301)


@XEP.must("7.2.8", "7.14", says="Who leaves with one resource is still there with the other one.")
def test_one_resource_leaves(connect: Connect) -> None:
    owner, first, second = _twice(connect)
    second.leaves()
    _removed(second, 110)
    first.says("I am still here")
    for listener in (owner, first):
        listener.hears("I am still here", first.jid)
