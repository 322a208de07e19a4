"""XEP-0045 §10.2: changing a room's configuration, what the room makes of it, and who is told."""

from __future__ import annotations

import pytest

from lab.plugin import Connect, Specification, require, require_equal, require_error, require_result
from lab.wire.namespaces import MUC_USER, NS
from lab.wire.session import Session, localname
from lab.wire.stream import Element
from scenarios.server._caps import form_type
from scenarios.server.xep0045._admin import is_done
from scenarios.server.xep0045._configuration import (
    FORM_TYPE,
    PREFIX,
    TRUE,
    Value,
    ask_for_form,
    cancel,
    configuration,
    configure,
    destroy,
    texts,
    unlock,
    values_of,
)
from scenarios.server.xep0045._occupant import Occupant, bare, codes_of, of_the_room, presence_example, presence_of
from scenarios.server.xep0045._rooms import enter, gather, refusal

XEP = Specification("XEP-0045")

FIELDS: dict[str, Value] = {
    "roomname": "A dark cave",
    "roomdesc": "Where witches meet",
    "publicroom": False,
    "persistentroom": True,
    "membersonly": True,
    "moderatedroom": True,
    "changesubject": True,
    "whois": "anyone",
    "allowinvites": True,
    "roomsecret": "sesame",
}
"""Fields of §16.5.3, and values that a room does not have as it comes."""
STRANGERS = {
    "admin": "admin",
    "member": "member/participant",
    "moderator": "none/moderator",
    "participant": "none/participant",
    "outsider": "",
}


def _stranger(connect: Connect, name: str) -> tuple[Occupant, Session]:
    """A room's owner, and a session of one who is no owner."""
    guest = STRANGERS[name]
    occupants = gather(connect, *([guest] if guest else []))
    return occupants[0], occupants[1].session if guest else connect(label=name)


def _same(seen: list[str], value: Value) -> bool:
    wanted = texts(value)
    return (seen[0] in TRUE) == value if isinstance(value, bool) and len(seen) == 1 else seen == wanted


# --- the form


@XEP.must("10.2", says="An owner is sent the form, in the room or not.")
@pytest.mark.parametrize("present", [True, False], ids=["occupant", "absent"])
def test_owner_is_sent_the_form(connect: Connect, present: bool) -> None:
    owner, guest = gather(connect, "none")
    if not present:
        owner.leaves()
        guest.sees(owner.jid, "unavailable")
    form = configuration(owner.session, owner.room)
    require_equal(form.get("type"), "form", "type of the form:")
    require_equal(form_type(form), FORM_TYPE, "FORM_TYPE")


@XEP.must("10.2", says="What was configured stands in the form that is asked for next.")
@pytest.mark.parametrize("field", FIELDS)
def test_form_has_the_options_as_they_are(connect: Connect, field: str) -> None:
    (owner,) = gather(connect)
    more: dict[str, Value] = {"passwordprotectedroom": True} if field == "roomsecret" else {}
    if field == "allowinvites":
        more = {"membersonly": True}
    require_result(configure(owner.session, owner.room, **more, **{field: FIELDS[field]}))
    seen = values_of(configuration(owner.session, owner.room)).get(PREFIX + field, [])
    require(_same(seen, FIELDS[field]), f"{PREFIX}{field} {FIELDS[field]!r}", f"{seen!r}")


@XEP.must("10.2", says="What was not touched in the form stays as it was.")
def test_other_options_stay(connect: Connect) -> None:
    (owner,) = gather(connect, roomname="A dark cave", moderatedroom=True)
    require_result(configure(owner.session, owner.room, roomdesc="Where witches meet"))
    values = values_of(configuration(owner.session, owner.room))
    require_equal(values.get(f"{PREFIX}roomname"), ["A dark cave"], "roomname")
    require(_same(values.get(f"{PREFIX}moderatedroom", []), True), "moderatedroom: true", str(values))


@XEP.must("10.2", says="Where an owner cancels the configuration, it stays as it was.")
def test_cancelled_configuration_changes_nothing(connect: Connect) -> None:
    owner, guest = gather(connect, "none", roomname="A dark cave")
    before = values_of(configuration(owner.session, owner.room))
    require_result(cancel(owner.session, owner.room))
    require_equal(values_of(configuration(owner.session, owner.room)), before, "the configuration")
    guest.is_spared(
        presence_example(guest.jid, guest.session, "unavailable", role="none"),
        presence_of(guest.jid, "unavailable"),
        "removal from a room whose configuration was left as it was",
        after=owner.session,
    )


@XEP.must("10.2", says="Nobody but an owner is sent the form: forbidden.")
@pytest.mark.parametrize("who", STRANGERS)
def test_form_is_refused(connect: Connect, who: str) -> None:
    owner, session = _stranger(connect, who)
    reply = ask_for_form(session, owner.room)
    require_error(reply, "forbidden")
    of_the_room(reply, owner.room)


@XEP.must("10.2", "5.2.1", says="Nobody but an owner changes the configuration.")
@pytest.mark.parametrize("who", STRANGERS)
def test_configuration_is_refused(connect: Connect, who: str) -> None:
    owner, session = _stranger(connect, who)
    before = values_of(configuration(owner.session, owner.room))
    require_error(unlock(session, owner.room), "forbidden")
    require_equal(values_of(configuration(owner.session, owner.room)), before, "the configuration")


@XEP.must("10.9", "5.2.1", says="Nobody but an owner destroys a room: forbidden, and it stays.")
@pytest.mark.parametrize("who", STRANGERS)
def test_destruction_is_refused(connect: Connect, who: str) -> None:
    owner, session = _stranger(connect, who)
    require_error(destroy(session, owner.room), "forbidden")
    owner.is_spared(
        presence_example(owner.jid, owner.session, "unavailable", role="none", more="<destroy/>"),
        presence_of(owner.jid, "unavailable"),
        "removal from a room that an owner did not destroy",
        after=session,
    )
    owner.says("still here")
    owner.hears("still here", owner.jid)


# --- what follows


@XEP.must("10.2", says="A room that becomes members-only removes who is no member: status code 322, the role none.")
@pytest.mark.parametrize("at", ["removed", "another"])
def test_non_members_are_removed(connect: Connect, at: str) -> None:
    owner, guest, member = gather(connect, "none", "member", membersonly=False)
    require_result(configure(owner.session, owner.room, membersonly=True))
    viewer = guest if at == "removed" else member
    viewer.sees(guest.jid, "unavailable", affiliation="none", role="none", codes=[322])


@XEP.must("10.2", says="A room that becomes members-only keeps members, admins and owners.")
@pytest.mark.parametrize("affiliation", ["member", "admin", "owner"])
def test_members_are_kept(connect: Connect, affiliation: str) -> None:
    owner, guest = gather(connect, affiliation, membersonly=False)
    require_result(configure(owner.session, owner.room, membersonly=True))
    owner.is_spared(
        presence_example(guest.jid, owner.session, "unavailable", affiliation=affiliation, role="none"),
        presence_of(guest.jid, "unavailable"),
        "removal of a member",
    )
    guest.says("still here")
    owner.hears("still here", guest.jid)


@XEP.must("10.2", "7.2.6", says="A room that becomes members-only refuses who is no member; opened, it lets in.")
def test_room_is_closed_and_opened(connect: Connect) -> None:
    (owner,) = gather(connect, membersonly=False)
    session = connect(label="newcomer")
    require_result(configure(owner.session, owner.room, membersonly=True))
    require_error(refusal(session, owner.room, "newcomer"), "registration-required")
    require_result(configure(owner.session, owner.room, membersonly=False))
    newcomer = enter(session, owner.room, "newcomer")
    owner.sees(newcomer.jid)


@XEP.should(
    "5.1.2", "10.2", says="A room that becomes moderated keeps the voice of whom a moderator would give it to."
)
@pytest.mark.parametrize("affiliation", ["member", "admin", "owner"])
def test_members_speak_in_a_room_that_becomes_moderated(connect: Connect, affiliation: str) -> None:
    owner, guest = gather(connect, affiliation, moderatedroom=False)
    require_result(configure(owner.session, owner.room, moderatedroom=True))
    guest.says("still heard")
    owner.hears("still heard", guest.jid)


# --- who is told


def _is_note(room: str, element: Element) -> bool:
    return localname(element) == "message" and bare(element) == room and bool(codes_of(element))


def _noted(occupant: Occupant, code: int) -> Element:
    """The room must tell the occupant by that status code, and by nothing but status codes."""
    message = occupant.session.expect(
        lambda e: _is_note(occupant.room, e) and str(code) in codes_of(e), f"a message with status code {code}"
    )
    require_equal(message.get("from"), occupant.room, "from")
    require(message.find("c:body", NS) is None, "no body", message)
    others = [child for child in message.iterfind("muc-user:x/*", NS) if localname(child) != "status"]
    require_equal(others, [], "what stands beside the status in <x/>:")
    return message


NOTES: dict[str, tuple[dict[str, Value], dict[str, Value], int]] = {
    "logging-enabled": ({"enablelogging": False}, {"enablelogging": True}, 170),
    "logging-disabled": ({"enablelogging": True}, {"enablelogging": False}, 171),
    "non-anonymous": ({"whois": "moderators"}, {"whois": "anyone"}, 172),
    "semi-anonymous": ({"whois": "anyone"}, {"whois": "moderators"}, 173),
}
"""Configuration before and behind a change of privacy, and the status code for it (§10.2.1)."""


@XEP.must(
    "10.2.1", "14.3", "14.5", says="A change that bears on privacy is told to all occupants by its status code."
)
@pytest.mark.parametrize("guest", ["none", "member"])
@pytest.mark.parametrize("note", NOTES)
def test_change_of_privacy_is_told(connect: Connect, note: str, guest: str) -> None:
    before, after, code = NOTES[note]
    owner, occupant = gather(connect, guest, **before)
    require_result(configure(owner.session, owner.room, **after))
    for one in (owner, occupant):
        _noted(one, code)


@XEP.should("10.2.1", says="Any other change of the configuration is told to the occupants by status code 104.")
@pytest.mark.parametrize(
    ("field", "value"),
    [("roomname", "A dark cave"), ("roomdesc", "Where witches meet"), ("publicroom", False)],
    ids=["name", "description", "hidden"],
)
def test_other_change_is_told(connect: Connect, field: str, value: Value) -> None:
    # Where rooms are hidden as they come, hiding one changes nothing.
    owner, guest = gather(connect, "none", **({"publicroom": True} if field == "publicroom" else {}))
    require_result(configure(owner.session, owner.room, **{field: value}))
    for occupant in (owner, guest):
        _noted(occupant, 104)


@XEP.must(
    "10.2.1", says="That a room is now non-anonymous, or semi-anonymous, is not told where that did not change."
)
def test_privacy_is_not_told_without_a_change(connect: Connect) -> None:
    owner, guest = gather(connect, "none", whois="anyone")
    require_result(configure(owner.session, owner.room, roomname="A dark cave"))
    guest.is_spared(
        f"<message from='{owner.room}' to='{guest.session.jid}' type='groupchat'>"
        f"<x xmlns='{MUC_USER}'><status code='172'/></x></message>",
        lambda e: localname(e) == "message" and bool(codes_of(e) & {"172", "173"}),
        "word of a change of privacy",
        after=owner.session,
    )


# --- logging


@XEP.must("7.2.12", "14.3", says="Who enters a room that is logged is warned by status code 170.")
def test_logged_room_warns(connect: Connect) -> None:
    (owner,) = gather(connect, enablelogging=True)
    session = connect(label="newcomer")
    answer = refusal(session, owner.room, "newcomer")
    require(answer.get("type") is None, "to be let in", answer)
    require({"110", "170"} <= codes_of(answer), "status codes 110 and 170", answer)


# --- owners and admins by way of the form


@XEP.must("10.2", says="Who becomes admin or owner by the configuration is shown so to all, an admin as a moderator.")
@pytest.mark.parametrize(("field", "affiliation"), [("roomadmins", "admin"), ("roomowners", "owner")])
def test_promoted_by_the_form(connect: Connect, field: str, affiliation: str) -> None:
    owner, guest, other = gather(connect, "none", "none")
    jids = [guest.session.bare_jid, *([owner.session.bare_jid] if affiliation == "owner" else [])]
    is_done(configure(owner.session, owner.room, **{field: jids}), affiliation)
    for occupant in (owner, guest, other):
        # That a new owner is a moderator is but recommended.
        occupant.sees(guest.jid, affiliation=affiliation, role="moderator" if affiliation == "admin" else None)


@XEP.must("10.2", says="Who loses the rank of admin or owner by the configuration is shown so to all.")
@pytest.mark.parametrize(("field", "affiliation"), [("roomadmins", "admin"), ("roomowners", "owner")])
def test_demoted_by_the_form(connect: Connect, field: str, affiliation: str) -> None:
    owner, guest, other = gather(connect, affiliation, "none")
    jids = [owner.session.bare_jid] if affiliation == "owner" else []
    is_done(configure(owner.session, owner.room, **{field: jids}), "none", before=affiliation)
    for occupant in (owner, guest, other):
        presence = occupant.session.expect(presence_of(guest.jid), "presence of who lost the rank")
        told = [item.get("affiliation") for item in presence.iterfind("muc-user:x/muc-user:item", NS)]
        require(told and affiliation not in told, f"an affiliation other than {affiliation}", presence)
