"""XEP-0045 §7.10, §7.12, §9.9: registering with a room, and the nickname that is reserved by it.

How much of it a service offers is its own choice: where it offers none, it has to say so in the right way.
"""

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
from lab.wire.namespaces import DATA_FORM, NS, REGISTER
from lab.wire.session import Session, localname, new_id, stanza_error_condition
from lab.wire.stream import Element
from scenarios.server._caps import form_type
from scenarios.server.xep0045._admin import affiliation_of, change_affiliation
from scenarios.server.xep0045._discovery import ask_info
from scenarios.server.xep0045._occupant import Occupant, bare, presence_of
from scenarios.server.xep0045._rooms import entrance, fresh_room, gather, refusal

XEP = Specification("XEP-0045")
FORM_TYPE = "http://jabber.org/protocol/muc#register"
NICKNAME = "x-roomuser-item"


def _ask(session: Session, room: str) -> Element:
    return session.iq("get", f"<query xmlns='{REGISTER}'/>", to=room)


def _form(reply: Element) -> Element | None:
    return reply.find("register:query/x:x", NS)


def _submit(session: Session, room: str, nick: str) -> Element:
    """Submit the form with the nickname wished for, and something for whatever else is required."""
    form = _form(_ask(session, room))
    fields = [] if form is None else form.findall("x:field", NS)
    values = {f.get("var", ""): new_id() for f in fields if f.find("x:required", NS) is not None}
    values |= {"muc#register_roomnick": nick}
    sent = "".join(f"<field var='{var}'><value>{value}</value></field>" for var, value in values.items())
    return session.iq(
        "set",
        f"<query xmlns='{REGISTER}'><x xmlns='{DATA_FORM}' type='submit'>"
        f"<field var='FORM_TYPE' type='hidden'><value>{FORM_TYPE}</value></field>{sent}</x></query>",
        to=room,
    )


def _open_to_registration(connect: Connect, *guests: str) -> list[Occupant]:
    """As `gather`: a room with which users without affiliation may register; else `unsupported`."""
    occupants = gather(connect, *guests)
    if stanza_error_condition(_ask(connect(label="asker"), occupants[0].room)):
        unsupported("registering with a room; another check says whether it is refused in the right way")
    return occupants


def _register(session: Session, room: str, nick: str) -> None:
    require_result(_submit(session, room, nick))


def _is_told_so(session: Session, room: str) -> bool:
    return _ask(session, room).find("register:query/register:registered", NS) is not None


def _registered(session: Session, owner: Occupant, nick: str) -> None:
    """Register, where that needs nobody's approval (§7.10: it may); else there is no registration as yet."""
    _register(session, owner.room, nick)
    is_member = affiliation_of(owner.session, owner.room, session.bare_jid) == "member"
    if not is_member and not _is_told_so(session, owner.room):
        unsupported("registration without approval")


# --- asking


@XEP.must(
    "7.10", says="Who asks to register with a room is sent a form, or refused: not-allowed, service-unavailable."
)
@pytest.mark.parametrize("present", [True, False], ids=["occupant", "outsider"])
def test_registration_is_answered(connect: Connect, present: bool) -> None:
    owner, guest = gather(connect, "none")
    reply = _ask(guest.session if present else connect(label="outsider"), owner.room)
    if stanza_error_condition(reply):
        require_error(reply, "not-allowed", "service-unavailable")
        return
    require_result(reply)
    form = _form(reply)
    require(form is not None, "a data form", reply)
    if form is not None:
        require_equal(form_type(form), FORM_TYPE, "FORM_TYPE")


@XEP.must(
    "7.10", says="Who submits a registration to a room that has none is refused: not-allowed, service-unavailable."
)
def test_registration_without_support_is_refused(connect: Connect) -> None:
    (owner,) = gather(connect)
    session = connect(label="outsider")
    if not stanza_error_condition(_ask(session, owner.room)):
        unsupported("refusing registration: the room offers it")
    require_error(_submit(session, owner.room, "thirdwitch"), "not-allowed", "service-unavailable")


@XEP.must(
    "7.10",
    says="Who asks to register with a room that does not exist is refused: item-not-found, service-unavailable.",
)
def test_registration_with_no_room(alice: Session, connect: Connect) -> None:
    require_error(_ask(alice, fresh_room(connect)), "item-not-found", "service-unavailable")


# --- registering


@XEP.must("7.10", says="A registration that is in order is confirmed, and makes a member, unless it awaits approval.")
def test_registration_is_confirmed(connect: Connect) -> None:
    (owner,) = _open_to_registration(connect)
    session = connect(label="registering")
    _register(session, owner.room, "thirdwitch")
    affiliation = affiliation_of(owner.session, owner.room, session.bare_jid)
    require(affiliation in {"member", "none"}, "member, or none as yet", affiliation)


@XEP.must("7.10", "5.2.2", says="An occupant who becomes a member by registering is shown so to all.")
def test_registration_is_told(connect: Connect) -> None:
    owner, guest, other = _open_to_registration(connect, "none", "none")
    _register(guest.session, owner.room, guest.nick)
    if affiliation_of(owner.session, owner.room, guest.session.bare_jid) != "member":
        unsupported("membership by registration without approval")
    for occupant in (owner, guest, other):
        occupant.sees(guest.jid, affiliation="member")


@XEP.must("7.10", says="Who is registered is told so when asking again, by <registered/>.")
def test_registered_is_told_so(connect: Connect) -> None:
    (owner,) = _open_to_registration(connect)
    session = connect(label="registering")
    _registered(session, owner, "thirdwitch")
    reply = _ask(session, owner.room)
    require_result(reply)
    require(reply.find("register:query/register:registered", NS) is not None, "<registered/>", reply)


@XEP.should("7.10", says="Who is registered is told the registered nickname, by <username/>.")
def test_registered_is_told_the_nickname(connect: Connect) -> None:
    (owner,) = _open_to_registration(connect)
    session = connect(label="registering")
    _registered(session, owner, "thirdwitch")
    reply = _ask(session, owner.room)
    require_result(reply)
    require_equal(reply.findtext("register:query/register:username", None, NS), "thirdwitch", "username")


@XEP.must("7.10", says="A nickname that another one has registered is refused with conflict.")
def test_registered_nickname_is_refused(connect: Connect) -> None:
    (owner,) = _open_to_registration(connect)
    _registered(connect(label="first"), owner, "thirdwitch")
    require_error(_submit(connect(label="second"), owner.room, "thirdwitch"), "conflict")


@XEP.must("7.10", says="A registration without a valid form is refused with bad-request.")
@pytest.mark.parametrize(
    "form",
    [
        pytest.param("", id="no-form"),
        pytest.param(
            f"<x xmlns='{DATA_FORM}' type='submit'><field var='FORM_TYPE' type='hidden'>"
            "<value>urn:other</value></field></x>",
            id="form-of-something-else",
        ),
    ],
)
def test_registration_without_a_form(connect: Connect, form: str) -> None:
    (owner,) = _open_to_registration(connect)
    session = connect(label="registering")
    require_error(session.iq("set", f"<query xmlns='{REGISTER}'>{form}</query>", to=owner.room), "bad-request")


@XEP.should_not("5.2.1", "7.10", says="An outcast does not register with a room.")
def test_outcast_does_not_register(connect: Connect) -> None:
    (owner,) = _open_to_registration(connect)
    session = connect(label="outcast")
    require_result(change_affiliation(owner.session, owner.room, session.bare_jid, "outcast"))
    require_error(_submit(session, owner.room, "thirdwitch"))
    require_equal(affiliation_of(owner.session, owner.room, session.bare_jid), "outcast", "affiliation")


# --- the reserved nickname


@XEP.must("7.2.8", "7.12", "7.10", says="A nickname that somebody has registered lets in nobody else: conflict.")
def test_registered_nickname_is_reserved(connect: Connect) -> None:
    (owner,) = _open_to_registration(connect)
    _registered(connect(label="registered"), owner, "thirdwitch")
    require_error(refusal(connect(label="other"), owner.room, "thirdwitch"), "conflict")


@XEP.must("7.6", "7.10", says="Nobody changes the nickname to one that another has registered: conflict.")
def test_registered_nickname_is_not_taken(connect: Connect) -> None:
    owner, guest = _open_to_registration(connect, "none")
    _registered(connect(label="registered"), owner, "thirdwitch")
    guest.updates(nick="thirdwitch")
    answer = guest.session.expect(
        lambda e: localname(e) == "presence" and bare(e) == guest.room, "an answer to the wish for another nickname"
    )
    require_error(answer, "conflict")


@XEP.must("7.12", "7.10", says="Who has registered a nickname enters by it.")
def test_registered_nickname_lets_in_its_owner(connect: Connect) -> None:
    (owner,) = _open_to_registration(connect)
    session = connect(label="registered")
    _registered(session, owner, "thirdwitch")
    came = entrance(session, owner.room, "thirdwitch")
    own = [e for e in came if presence_of(f"{owner.room}/thirdwitch")(e)]
    require_equal(len(own), 1, "presences of one's own:")


@XEP.should("7.12", says="Who has registered a nickname may enter by another one, or is given the registered one.")
def test_other_nickname_than_the_registered(connect: Connect) -> None:
    (owner,) = _open_to_registration(connect)
    session = connect(label="registered")
    _registered(session, owner, "thirdwitch")
    answer = refusal(session, owner.room, "another")
    require(answer.get("type") is None, "to be let in", answer)


@XEP.should("9.2", "17.4", says="Who is banned loses the reserved nickname.")
def test_banned_loses_the_nickname(connect: Connect) -> None:
    (owner,) = _open_to_registration(connect)
    session = connect(label="registered")
    _registered(session, owner, "thirdwitch")
    if stanza_error_condition(refusal(connect(label="other"), owner.room, "thirdwitch")) != "conflict":
        impossible("the nickname is not reserved; another check says whether that is a fault")
    require_result(change_affiliation(owner.session, owner.room, session.bare_jid, "outcast"))
    answer = refusal(connect(label="third"), owner.room, "thirdwitch")
    require(answer.get("type") is None, "to be let in by the nickname that is free again", answer)


@XEP.must("7.12", says="Who has no reserved nickname is sent an empty query, or feature-not-implemented.")
@pytest.mark.parametrize("present", [True, False], ids=["occupant", "outsider"])
def test_no_reserved_nickname(connect: Connect, present: bool) -> None:
    owner, guest = gather(connect, "none")
    reply = ask_info(guest.session if present else connect(label="outsider"), owner.room, node=NICKNAME)
    if stanza_error_condition(reply):
        require_error(reply, "feature-not-implemented")
        return
    require_result(reply)
    query = reply.find("disco:query", NS)
    require(query is not None and not len(query), "an empty query", reply)


@XEP.must("7.12", says="Who has registered a nickname is told it as the name of an identity, in the room or not.")
@pytest.mark.parametrize("present", [True, False], ids=["occupant", "outsider"])
def test_reserved_nickname_is_told(connect: Connect, present: bool) -> None:
    (owner,) = _open_to_registration(connect)
    session = connect(label="registered")
    _registered(session, owner, "thirdwitch")
    reply = ask_info(session, owner.room, node=NICKNAME)
    if stanza_error_condition(reply):
        unsupported(f"the node {NICKNAME}; another check says whether it is refused in the right way")
    if present:
        entrance(session, owner.room, "thirdwitch")
        reply = ask_info(session, owner.room, node=NICKNAME)
    require_result(reply)
    names = [identity.get("name") for identity in reply.iterfind("disco:query/disco:identity", NS)]
    require_equal(names, ["thirdwitch"], "names of identities")


# --- approval


@XEP.should("9.9", "7.10", says="Where a registration awaits approval, admins are sent a form to decide by.")
def test_admins_are_asked_for_approval(connect: Connect) -> None:
    owner, *_ = _open_to_registration(connect)
    session = connect(label="registering")
    _register(session, owner.room, "thirdwitch")
    if _is_told_so(session, owner.room) or affiliation_of(owner.session, owner.room, session.bare_jid) == "member":
        unsupported("approval of registrations")
    message = owner.session.expect(
        lambda e: localname(e) == "message" and bare(e) == owner.room and e.find("x:x", NS) is not None,
        "a form that asks for the approval of the registration",
    )
    form = message.find("x:x", NS)
    require(form is not None and form.get("type") == "form", "a form to fill in", message)
