"""XEP-0045 §7.8.2, §9.5: invitations by way of the room, and what comes back."""

from __future__ import annotations

import pytest

from lab.plugin import Connect, Specification, require, require_equal, require_error, require_result, unsupported
from lab.wire.namespaces import MUC_USER, NS
from lab.wire.session import Session, localname, new_id
from lab.wire.stream import Element
from lab.wire.transport import NoAnswer
from scenarios.server.xep0045._admin import affiliated, affiliation_of
from scenarios.server.xep0045._configuration import PREFIX, Value, configuration, configure, values_of
from scenarios.server.xep0045._occupant import Occupant, bare, spared
from scenarios.server.xep0045._rooms import enter, gather, quiet

XEP = Specification("XEP-0045")
REASON = "Hey Hecate, this is the place for all good witches!"
ALLOWING = ("allowinvites", "allowmemberinvites")
"""The field that says whether others than moderators invite (§16.5.3), and Prosody's name for it."""


def _invites(session: Session, room: str, *jids: str, inside: str = "") -> str:
    """Ask a room to invite somebody. Answers the message's id."""
    identifier = new_id()
    invites = "".join(f"<invite to='{jid}'>{inside}</invite>" for jid in jids)
    session.send(f"<message to='{room}' id='{identifier}'><x xmlns='{MUC_USER}'>{invites}</x></message>")
    return identifier


def _declines(session: Session, room: str, to: str, reason: str = "") -> None:
    said = f"<reason>{reason}</reason>" if reason else ""
    session.send(f"<message to='{room}'><x xmlns='{MUC_USER}'><decline to='{to}'>{said}</decline></x></message>")


def _is(kind: str, room: str, element: Element) -> bool:
    found = element.find(f"muc-user:x/muc-user:{kind}", NS)
    return localname(element) == "message" and bare(element) == room and found is not None


def _child(message: Element, kind: str) -> Element:
    found = message.find(f"muc-user:x/muc-user:{kind}", NS)
    require(found is not None, f"an <{kind}/>", message)
    return message if found is None else found


def _invitee(connect: Connect, label: str = "invitee") -> Session:
    """Somebody available, outside of the room."""
    session = connect(label=label)
    session.send("<presence/>")
    session.sentinel()
    return session


def _invited(session: Session, room: str) -> Element:
    message = session.expect(lambda e: _is("invite", room, e), "the invitation")
    require_equal(message.get("from"), room, "from")
    require(message.get("type") in {None, "normal"}, "a message of type normal", message)
    return message


def _let(owner: Occupant, guest: str, invitee: Session) -> Element:
    """The invitation by such a guest must have come. Answers it.

    §5.1.1: that mere occupants invite is a matter of configuration; where a room offers no choice, they may not.
    """
    try:
        return _invited(invitee, owner.room)
    except NoAnswer:
        if guest in {"owner", "admin"} or _choices(owner):
            raise
        unsupported("invitations by mere occupants")


def _one_of(seen: str | None, occupant: Occupant) -> bool:
    return seen in {occupant.session.bare_jid, occupant.session.jid, occupant.jid}


def _example(room: str, to: Session) -> str:
    return f"<message from='{room}' to='{to.jid}'><x xmlns='{MUC_USER}'><invite from='{room}/owner'/></x></message>"


def _choices(owner: Occupant) -> list[str]:
    """The fields by which the room's configuration says who may invite."""
    offered = values_of(configuration(owner.session, owner.room))
    return [name for name in ALLOWING if PREFIX + name in offered]


def _room(
    connect: Connect, *guests: str, allowing: bool = True, choice: bool = False, **config: Value
) -> list[Occupant]:
    """As `gather`; others than moderators may invite, or may not, where the room offers the choice.

    Without the choice, whoever is to be refused cannot be told from who is not, nor (with `choice`) whoever is to be
    let: `unsupported`.
    """
    owner, *others = gather(connect, *guests, **config)
    if fields := _choices(owner):
        require_result(configure(owner.session, owner.room, **{fields[0]: allowing}))
        quiet(owner, *others)
    elif choice or not allowing:
        unsupported(f"{PREFIX}allowinvites in a room's configuration")
    return [owner, *others]


# --- inviting


@XEP.must("7.8.2", says="The room sends an invitation to whom it is for, and says who invites.")
@pytest.mark.parametrize("guest", ["owner", "admin", "member", "none"])
@pytest.mark.parametrize("to", ["bare", "full"])
def test_invitation_is_sent(connect: Connect, guest: str, to: str) -> None:
    owner, inviter = _room(connect, guest)
    invitee = _invitee(connect)
    _invites(inviter.session, owner.room, invitee.bare_jid if to == "bare" else invitee.jid)
    inviting = _child(_let(owner, guest, invitee), "invite").get("from")
    require(_one_of(inviting, inviter), "the inviter's bare, full or occupant JID", str(inviting))


@XEP.must("7.8.2", says="The reason for an invitation reaches the invitee, where one is given.")
@pytest.mark.parametrize("reason", ["", REASON], ids=["without", "with"])
def test_reason_of_an_invitation(connect: Connect, reason: str) -> None:
    owner, inviter = _room(connect, "none")
    invitee = _invitee(connect)
    _invites(inviter.session, owner.room, invitee.bare_jid, inside=f"<reason>{reason}</reason>" if reason else "")
    invite = _child(_let(owner, "none", invitee), "invite")
    require_equal(invite.findtext("muc-user:reason", "", NS), reason, "reason")


@XEP.should("7.8.2", says="The room adds its password to an invitation, which opens the room.")
def test_password_is_added(connect: Connect) -> None:
    (owner,) = _room(connect, passwordprotectedroom=True, roomsecret="sesame")
    invitee = _invitee(connect)
    _invites(owner.session, owner.room, invitee.bare_jid)
    secret = _invited(invitee, owner.room).findtext("muc-user:x/muc-user:password", None, NS)
    require_equal(secret, "sesame", "password")
    guest = enter(invitee, owner.room, "invitee", inside=f"<password>{secret}</password>")
    owner.sees(guest.jid)


@XEP.must("7.8.2", says="An invitation to a room without a password says none.")
def test_no_password_without_one(connect: Connect) -> None:
    (owner,) = _room(connect)
    invitee = _invitee(connect)
    _invites(owner.session, owner.room, invitee.bare_jid)
    message = _invited(invitee, owner.room)
    require(not message.findtext("muc-user:x/muc-user:password", "", NS), "no password", message)


@XEP.may("7.9", says="That an invitation goes on with a chat of two is passed on, with its thread.")
def test_continuation_is_passed_on(connect: Connect) -> None:
    (owner,) = _room(connect)
    invitee = _invitee(connect)
    _invites(owner.session, owner.room, invitee.bare_jid, inside="<continue thread='e0ffe42b28561960'/>")
    going_on = _child(_invited(invitee, owner.room), "invite").find("muc-user:continue", NS)
    if going_on is None:
        unsupported("passing on that an invitation goes on with a chat of two")
    require_equal(going_on.get("thread"), "e0ffe42b28561960", "the thread")


@XEP.must("7.8.2", says="An invitation reaches nobody in the room, and is no message to all.")
def test_invitation_is_not_for_the_room(connect: Connect) -> None:
    owner, inviter, other = _room(connect, "none", "none")
    invitee = _invitee(connect)
    _invites(inviter.session, owner.room, invitee.bare_jid)
    _let(owner, "none", invitee)
    for occupant in (owner, other):
        occupant.is_spared(
            _example(owner.room, occupant.session),
            lambda e: localname(e) == "message" and bare(e) == owner.room,
            "invitation of somebody else",
        )


@XEP.should_not("5.1.1", "17.2", says="Who is not in the room, and has no affiliation, invites nobody by way of it.")
@pytest.mark.parametrize("kind", ["stranger", "left"])
def test_outsider_invites_nobody(connect: Connect, kind: str) -> None:
    owner, guest = _room(connect, "none")
    session = guest.session
    if kind == "stranger":
        session = connect(label="stranger")
    else:
        guest.leaves()
        guest.sees(guest.jid, "unavailable")
    invitee = _invitee(connect)
    _invites(session, owner.room, invitee.bare_jid)
    spared(
        owner.room,
        invitee,
        _example(owner.room, invitee),
        lambda e: _is("invite", owner.room, e),
        "invitation by one who is not in the room",
        after=session,
    )


@XEP.should("7.8.2", says="An invitation of an account that does not exist is answered by item-not-found.")
def test_invitation_of_nobody(connect: Connect) -> None:
    (owner,) = _room(connect)
    identifier = _invites(owner.session, owner.room, f"nobody-{new_id()}@{connect.cell.domain}")
    error = owner.session.expect(
        lambda e: localname(e) == "message" and e.get("type") == "error" and e.get("id") in {identifier, None},
        "an error for the invitation",
    )
    require_error(error, "item-not-found")


# --- declining


@XEP.should("7.8.2", says="Who declines an invitation has the inviter told by the room, with the reason.")
@pytest.mark.parametrize("reason", ["", "Sorry, I'm too busy right now."], ids=["without-a-reason", "with-a-reason"])
def test_invitation_is_declined(connect: Connect, reason: str) -> None:
    owner, inviter = _room(connect, "none")
    invitee = _invitee(connect)
    _invites(inviter.session, owner.room, invitee.bare_jid)
    by = _child(_let(owner, "none", invitee), "invite").get("from") or ""
    _declines(invitee, owner.room, by, reason)
    message = inviter.session.expect(lambda e: _is("decline", owner.room, e), "the word that it was declined")
    require_equal(message.get("from"), owner.room, "from")
    decline = _child(message, "decline")
    require(decline.get("from") in {invitee.bare_jid, invitee.jid}, f"from {invitee.bare_jid}", message)
    require_equal(decline.findtext("muc-user:reason", "", NS), reason, "reason")


@XEP.must("7.8.2", says="That an invitation was declined is told to the inviter alone.")
def test_declining_is_not_for_the_room(connect: Connect) -> None:
    owner, inviter, other = _room(connect, "none", "none")
    invitee = _invitee(connect)
    _invites(inviter.session, owner.room, invitee.bare_jid)
    by = _child(_let(owner, "none", invitee), "invite").get("from") or ""
    _declines(invitee, owner.room, by)
    inviter.session.expect(lambda e: _is("decline", owner.room, e), "the word that it was declined")
    for occupant in (owner, other):
        occupant.is_spared(
            f"<message from='{owner.room}' to='{occupant.session.jid}'><x xmlns='{MUC_USER}'>"
            f"<decline from='{invitee.bare_jid}'/></x></message>",
            lambda e: localname(e) == "message" and bare(e) == owner.room,
            "word of an invitation that somebody else made",
        )


# --- members-only rooms


@XEP.must(
    "9.5", "7.8.2", says="Where members may not invite, a member of a members-only room is refused with forbidden."
)
def test_member_is_refused(connect: Connect) -> None:
    owner, member = _room(connect, "member", membersonly=True, allowing=False)
    invitee = _invitee(connect)
    identifier = _invites(member.session, owner.room, invitee.bare_jid)
    require_error(member.refused(identifier), "forbidden")


@XEP.must("9.5", "7.8.2", says="An invitation of a member who may not invite is not sent, and makes nobody a member.")
def test_invitation_of_a_member_is_not_sent(connect: Connect) -> None:
    owner, member = _room(connect, "member", membersonly=True, allowing=False)
    invitee = _invitee(connect)
    _invites(member.session, owner.room, invitee.bare_jid)
    spared(
        owner.room,
        invitee,
        _example(owner.room, invitee),
        lambda e: _is("invite", owner.room, e),
        "invitation by one who may not invite",
        after=member.session,
    )
    require_equal(affiliation_of(owner.session, owner.room, invitee.bare_jid), "none", "affiliation")


@XEP.must("7.8.2", "9.5", says="An admin or owner invites to a members-only room.")
@pytest.mark.parametrize("guest", ["admin", "owner"])
def test_admin_invites_to_a_members_only_room(connect: Connect, guest: str) -> None:
    owner, inviter = _room(connect, guest, membersonly=True)
    invitee = _invitee(connect)
    _invites(inviter.session, owner.room, invitee.bare_jid)
    _invited(invitee, owner.room)


@XEP.should(
    "9.5", says="Where members may invite to a members-only room, whom they invite is put on the member list."
)
def test_member_who_may_invite_makes_members(connect: Connect) -> None:
    owner, member = _room(connect, "member", choice=True, membersonly=True)
    invitee = _invitee(connect)
    _invites(member.session, owner.room, invitee.bare_jid)
    _invited(invitee, owner.room)
    members = affiliated(owner.session, owner.room, "member")
    require(invitee.bare_jid in members, f"{invitee.bare_jid} on the member list", ", ".join(members))
    guest = enter(invitee, owner.room, "invitee")
    owner.sees(guest.jid, affiliation="member")


@XEP.must_not("9.5", says="An invitation to an open room makes nobody a member.")
@pytest.mark.parametrize("guest", ["owner", "admin", "member", "none"])
def test_invitation_to_an_open_room_makes_no_member(connect: Connect, guest: str) -> None:
    owner, inviter = _room(connect, guest, membersonly=False)
    invitee = _invitee(connect)
    _invites(inviter.session, owner.room, invitee.bare_jid)
    _let(owner, guest, invitee)
    require_equal(affiliation_of(owner.session, owner.room, invitee.bare_jid), "none", "affiliation")
