"""XEP-0045 §7.2.15, §8.1: the room's subject: who is told it, who may change it, and what changes it."""

from __future__ import annotations

import pytest

from lab.plugin import Connect, Specification, require, require_equal, require_error, unsupported
from lab.wire.namespaces import LAB, NS
from lab.wire.session import localname, new_id
from lab.wire.stream import Element
from scenarios.server.xep0045._occupant import Occupant, bare, is_subject, of_the_room, settle
from scenarios.server.xep0045._rooms import entrance, gather, quiet

XEP = Specification("XEP-0045")


def _says_subject(occupant: Occupant, subject: str, *, beside: str = "") -> str:
    """Say a subject to the room; an empty one clears it. Answers the message's id."""
    identifier = new_id()
    occupant.session.send(
        f"<message to='{occupant.room}' type='groupchat' id='{identifier}'>"
        f"<subject>{subject}</subject>{beside}</message>"
    )
    return identifier


def _is_told(occupant: Occupant, subject: str, by: Occupant) -> Element:
    """A change of the subject must come: from the room, or from whoever made it."""
    message = occupant.session.expect(is_subject, f"the subject {subject!r}")
    require_equal(message.findtext("c:subject", None, NS) or "", subject, "subject")
    require(message.get("from") in {by.room, by.jid}, f"from {by.room} or {by.jid}", message)
    require_equal(message.get("to"), occupant.session.jid, "to")
    return message


def _found(connect: Connect, room: str) -> Element:
    """The subject that a newcomer is sent."""
    came = entrance(connect(label="newcomer"), room, f"newcomer-{new_id()}")
    require(came and is_subject(came[-1]), "a subject without a body, behind all else", came[-1] if came else None)
    return came[-1]


def _stands(connect: Connect, room: str, subject: str) -> None:
    require_equal(_found(connect, room).findtext("c:subject", None, NS) or "", subject, "the subject that stands:")


def _example(room: str, to: Occupant, subject: str) -> str:
    return f"<message from='{room}' to='{to.session.jid}' type='groupchat'><subject>{subject}</subject></message>"


# --- on entering


@XEP.must("7.2.15", says="A newcomer is sent the subject, from the room or from who set it.")
def test_newcomer_is_sent_the_subject(connect: Connect) -> None:
    owner, guest = gather(connect, "none")
    _says_subject(owner, "Fire burn")
    _is_told(guest, "Fire burn", owner)
    message = _found(connect, owner.room)
    require_equal(message.findtext("c:subject", None, NS), "Fire burn", "subject")
    require(message.get("from") in {owner.room, owner.jid}, f"from {owner.room} or {owner.jid}", message)
    require_equal(message.get("type"), "groupchat", "type")


@XEP.must("7.2.15", says="Where no subject is set, a newcomer is sent an empty one.")
def test_newcomer_is_sent_an_empty_subject(connect: Connect) -> None:
    (owner,) = gather(connect)
    message = _found(connect, owner.room)
    require_equal(message.findtext("c:subject", "", NS), "", "subject")


@XEP.should("7.2.15", says="The subject on entering is stamped with the time at which it was changed.")
@pytest.mark.parametrize("kind", ["set", "cleared"])
def test_subject_is_stamped(connect: Connect, kind: str) -> None:
    owner, guest = gather(connect, "none")
    for subject in ("Fire burn", "") if kind == "cleared" else ("Fire burn",):
        _says_subject(owner, subject)
        _is_told(guest, subject, owner)
    message = _found(connect, owner.room)
    require(message.find("delay:delay[@stamp]", NS) is not None, "a stamp", message)


@XEP.must("7.2.15", says="The stamp of a subject, where there is one, is from the room.")
def test_subject_is_stamped_by_the_room(connect: Connect) -> None:
    owner, guest = gather(connect, "none")
    _says_subject(owner, "Fire burn")
    _is_told(guest, "Fire burn", owner)
    delay = _found(connect, owner.room).find("delay:delay", NS)
    if delay is None:
        unsupported("a stamp on the subject; another check says that there should be one")
    require_equal(delay.get("from"), owner.room, "from of the stamp")


@XEP.must("7.2.15", says="A newcomer is sent the latest subject alone, even if who set it has left.")
def test_latest_subject_stands(connect: Connect) -> None:
    owner, guest = gather(connect, "none/moderator")
    for subject in ("Fire burn", "Cauldron bubble"):
        _says_subject(guest, subject)
        _is_told(owner, subject, guest)
    guest.leaves()
    owner.sees(guest.jid, "unavailable")
    came = entrance(connect(label="newcomer"), owner.room, "newcomer")
    require_equal([e.findtext("c:subject", None, NS) for e in came if is_subject(e)], ["Cauldron bubble"], "subjects")


# --- changing it


@XEP.must("8.1", says="Whoever is a moderator changes the subject, and all are told.")
@pytest.mark.parametrize(
    "guest",
    [
        pytest.param("owner", id="owner"),
        pytest.param("admin", id="admin"),
        pytest.param("none/moderator", id="moderator"),
        pytest.param("member/moderator", id="member-as-moderator"),
    ],
)
def test_moderator_changes_the_subject(connect: Connect, guest: str) -> None:
    owner, moderator, other = gather(connect, guest, "none")
    _says_subject(moderator, "Double, double")
    for occupant in (owner, moderator, other):
        _is_told(occupant, "Double, double", moderator)
    _stands(connect, owner.room, "Double, double")


@XEP.should("8.1", says="As rooms come, nobody but moderators changes the subject.")
@pytest.mark.parametrize("guest", ["none", "member"])
def test_subject_is_the_moderators_by_default(connect: Connect, guest: str) -> None:
    _owner, participant = gather(connect, guest)
    identifier = _says_subject(participant, "Toil and trouble")
    error = participant.session.expect(
        lambda e: e.get("id") == identifier or is_subject(e), "an answer to the wish for another subject"
    )
    require_error(error, "forbidden")


@XEP.must("8.1", says="Who may not change the subject is refused with forbidden.")
@pytest.mark.parametrize("guest", ["none/participant", "member", "none/visitor"])
def test_subject_is_refused(connect: Connect, guest: str) -> None:
    owner, occupant = gather(connect, guest, changesubject=False)
    error = occupant.refused(_says_subject(occupant, "Toil and trouble"))
    require_error(error, "forbidden")
    of_the_room(error, owner.room)


@XEP.must("8.1", says="A subject that was refused is told to nobody, and does not stand.")
@pytest.mark.parametrize("guest", ["none/participant", "none/visitor"])
def test_refused_subject_does_not_stand(connect: Connect, guest: str) -> None:
    owner, occupant = gather(connect, guest, changesubject=False)
    _says_subject(owner, "Fire burn")
    _is_told(occupant, "Fire burn", owner)
    quiet(owner)
    _says_subject(occupant, "Toil and trouble")
    owner.is_spared(
        _example(owner.room, owner, "Toil and trouble"),
        is_subject,
        "subject of one who may not",
        after=occupant.session,
    )
    _stands(connect, owner.room, "Fire burn")


@XEP.must("8.1", "17.2", says="Who is not in the room does not change the subject.")
@pytest.mark.parametrize("kind", ["stranger", "left"])
def test_subject_from_outside(connect: Connect, kind: str) -> None:
    owner, guest = gather(connect, "none", changesubject=True)
    if kind == "left":
        guest.leaves()
        owner.sees(guest.jid, "unavailable")
        outsider = guest
    else:
        outsider = Occupant(connect(label="stranger"), owner.room, "stranger")
    require_error(outsider.refused(_says_subject(outsider, "Toil and trouble")), "forbidden", "not-acceptable")
    owner.is_spared(
        _example(owner.room, owner, "Toil and trouble"), is_subject, "subject from outside", after=outsider.session
    )


@XEP.may("8.1", says="Where the room lets occupants change the subject, a participant does.")
@pytest.mark.parametrize("guest", ["none", "member"])
def test_participant_may_be_allowed(connect: Connect, guest: str) -> None:
    owner, participant = gather(connect, guest, changesubject=True)
    _says_subject(participant, "Toil and trouble")
    for occupant in (owner, participant):
        _is_told(occupant, "Toil and trouble", participant)


@XEP.must("8.1", "7.2.15", says="An empty subject takes the subject away, for those who are there and who come.")
@pytest.mark.parametrize("form", ["<subject/>", "<subject></subject>"], ids=["empty-element", "two-tags"])
def test_subject_is_cleared(connect: Connect, form: str) -> None:
    owner, guest = gather(connect, "none")
    _says_subject(owner, "Fire burn")
    _is_told(guest, "Fire burn", owner)
    owner.session.send(f"<message to='{owner.room}' type='groupchat'>{form}</message>")
    _is_told(guest, "", owner)
    _stands(connect, owner.room, "")


@XEP.must_not(
    "8.1", "7.2.15", says="A message with a body, or a thread, beside its subject does not change the subject."
)
@pytest.mark.parametrize("beside", ["<body>about that</body>", "<thread>t1</thread>"], ids=["body", "thread"])
def test_more_than_a_subject_is_no_change(connect: Connect, beside: str) -> None:
    owner, guest = gather(connect, "none")
    _says_subject(owner, "Fire burn")
    _is_told(guest, "Fire burn", owner)
    _says_subject(owner, "not this one", beside=beside)
    settle(owner.room, owner.session)
    _stands(connect, owner.room, "Fire burn")


@XEP.must("7.4", "8.1", says="A message with a subject and a body is passed on as a message.")
def test_message_with_subject_and_body(connect: Connect) -> None:
    owner, guest = gather(connect, "none")
    _says_subject(owner, "of mice", beside="<body>and men</body>")
    message = guest.session.expect(lambda e: localname(e) == "message" and bare(e) == owner.room, "the message")
    require_equal(message.findtext("c:body", None, NS), "and men", "body")
    require_equal(message.get("from"), owner.jid, "from")


@XEP.must("8.1", says="Other extensions beside a subject do not keep it from being a change.")
def test_subject_with_an_extension(connect: Connect) -> None:
    owner, guest = gather(connect, "none")
    _says_subject(owner, "Fire burn", beside=f"<note xmlns='{LAB}'/>")
    _is_told(guest, "Fire burn", owner)
    _stands(connect, owner.room, "Fire burn")


@XEP.must("8.1", says="A subject holds what XML has to escape, and other scripts, as it was set.")
@pytest.mark.parametrize(
    ("written", "subject"),
    [
        pytest.param("Fire &amp; &lt;cauldron&gt;", "Fire & <cauldron>", id="escaped"),
        pytest.param("Котёл 釜", "Котёл 釜", id="scripts"),
        pytest.param("x" * 300, "x" * 300, id="long"),
    ],
)
def test_subject_is_kept_as_it_is(connect: Connect, written: str, subject: str) -> None:
    owner, guest = gather(connect, "none")
    _says_subject(owner, written)
    _is_told(guest, subject, owner)
    _stands(connect, owner.room, subject)
