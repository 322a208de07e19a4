"""XEP-0045 §7.13, §8.6: a visitor asks for a voice, and moderators decide."""

from __future__ import annotations

import pytest

from lab.plugin import Connect, Specification, require, require_equal, unsupported
from lab.wire.namespaces import DATA_FORM, NS
from lab.wire.session import localname
from lab.wire.stream import Element
from scenarios.server._caps import form_type
from scenarios.server._forms import submit
from scenarios.server.xep0045._occupant import Occupant, bare, presence_example, presence_of, settle
from scenarios.server.xep0045._rooms import gather

XEP = Specification("XEP-0045")
REQUEST = "http://jabber.org/protocol/muc#request"


def _field(var: str, value: str, kind: str = "") -> str:
    typed = f" type='{kind}'" if kind else ""
    return f"<field var='{var}'{typed}><value>{value}</value></field>"


def _ask(guest: Occupant) -> None:
    """Ask for a voice (§7.13)."""
    fields = _field("FORM_TYPE", REQUEST, "hidden") + _field("muc#role", "participant", "list-single")
    guest.session.send(f"<message to='{guest.room}'><x xmlns='{DATA_FORM}' type='submit'>{fields}</x></message>")


def _is_form(element: Element) -> bool:
    form = element.find("x:x", NS)
    return localname(element) == "message" and form is not None and form_type(form) == REQUEST


def _form_example(to: Occupant) -> str:
    fields = _field("FORM_TYPE", REQUEST, "hidden")
    return (
        f"<message from='{to.room}' to='{to.session.jid}'><x xmlns='{DATA_FORM}' type='form'>{fields}</x></message>"
    )


def _decide(moderator: Occupant, request: Element, allow: bool) -> None:
    """Answer a request: submit the form that came with it, with the decision filled in (§8.6)."""
    values = {
        field.get("var", ""): [value.text or "" for value in field.iterfind("x:value", NS)]
        for field in request.iterfind("x:x/x:field", NS)
        if field.get("var") not in {None, "FORM_TYPE"}
    }
    values["muc#request_allow"] = ["true" if allow else "false"]
    moderator.session.send(f"<message to='{moderator.room}'>{submit(REQUEST, values)}</message>")


def _asked(connect: Connect, *guests: str) -> tuple[Element, list[Occupant]]:
    """The request for a voice as it came to the owner of a moderated room, and who is there.

    The owner comes first, the visitor who asked second.
    """
    occupants = gather(connect, "none/visitor", *guests, moderatedroom=True)
    owner, visitor = occupants[:2]
    _ask(visitor)
    settle(owner.room, visitor.session, owner.session)
    if not any(map(_is_form, owner.session.inbox)):
        unsupported("requests for a voice; another check says that moderators should be asked")
    return owner.session.expect(_is_form, "the request for a voice"), occupants


@XEP.should(
    "8.6", "7.13", says="A visitor's request for a voice is put before the moderators, by a form of the room's."
)
@pytest.mark.parametrize("guest", ["admin", "none/moderator"], ids=["admin", "moderator"])
def test_moderators_are_asked(connect: Connect, guest: str) -> None:
    owner, visitor, moderator = gather(connect, "none/visitor", guest, moderatedroom=True)
    _ask(visitor)
    for occupant in (owner, moderator):
        message = occupant.session.expect(_is_form, "the request for a voice")
        require_equal(message.get("from"), owner.room, "from")


@XEP.should(
    "8.6", says="The form put before the moderators tells the role, the nickname and the JID, and asks for a yes."
)
def test_form_tells_who_asks(connect: Connect) -> None:
    owner, visitor = gather(connect, "none/visitor", moderatedroom=True)
    _ask(visitor)
    message = owner.session.expect(_is_form, "the request for a voice")
    fields = {f.get("var"): f.findtext("x:value", None, NS) for f in message.iterfind("x:x/x:field", NS)}
    require_equal(fields.get("muc#role"), "participant", "muc#role")
    require_equal(fields.get("muc#roomnick"), visitor.nick, "muc#roomnick")
    jid = fields.get("muc#jid") or ""
    require(jid in {visitor.session.jid, visitor.session.bare_jid}, f"muc#jid {visitor.session.jid}", message)
    require("muc#request_allow" in fields, "the field muc#request_allow", message)


@XEP.must_not("8.6", "7.2.4", says="Nobody but moderators is asked.")
def test_others_are_not_asked(connect: Connect) -> None:
    _, (_owner, visitor, other) = _asked(connect, "none/participant")
    for occupant in (visitor, other):
        occupant.is_spared(_form_example(occupant), _is_form, "request for a voice", after=visitor.session)


@XEP.must("8.6", "8.3", says="Where a moderator agrees, the visitor is given a voice, and all are told.")
def test_approval_gives_a_voice(connect: Connect) -> None:
    request, (owner, visitor, other) = _asked(connect, "member")
    _decide(owner, request, allow=True)
    for occupant in (owner, visitor, other):
        occupant.sees(visitor.jid, role="participant")
    visitor.says("at last")
    other.hears("at last", visitor.jid)


@XEP.must("8.6", says="Where a moderator does not agree, the visitor stays one.")
def test_denial_gives_none(connect: Connect) -> None:
    request, (owner, visitor) = _asked(connect)
    _decide(owner, request, allow=False)
    visitor.is_spared(
        presence_example(visitor.jid, visitor.session), presence_of(visitor.jid), "a voice", after=owner.session
    )


@XEP.must_not("8.6", "8", says="Who is no moderator gives nobody a voice by the moderators' form.")
@pytest.mark.parametrize("who", ["visitor", "participant", "outsider"])
def test_approval_of_who_may_not(connect: Connect, who: str) -> None:
    request, (owner, visitor, other) = _asked(connect, "none/participant")
    actor = {"visitor": visitor, "participant": other}.get(who)
    if actor is None:
        actor = Occupant(connect(label="outsider"), owner.room, "outsider")
    _decide(actor, request, allow=True)
    owner.is_spared(
        presence_example(visitor.jid, owner.session),
        lambda e: localname(e) == "presence" and bare(e) == owner.room,
        "a voice that nobody gave who may",
        after=actor.session,
    )
