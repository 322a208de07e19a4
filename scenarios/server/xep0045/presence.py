"""XEP-0045 §7.7, §17.3: presence within a room, what of it is passed on, and what only the service may say."""

from __future__ import annotations

import pytest

from lab.plugin import Connect, Specification, require, require_equal, require_result
from lab.wire.namespaces import LAB, MUC, MUC_USER, NS, XML_LANG
from lab.wire.session import localname
from scenarios.server.xep0045._admin import change_affiliation, change_role
from scenarios.server.xep0045._discovery import ask_info
from scenarios.server.xep0045._occupant import codes_of, item_of, presence_example, presence_of, told_of
from scenarios.server.xep0045._rooms import admitted, enter, entrance, gather, join, quiet

XEP = Specification("XEP-0045")

FORGERIES = {
    "owner": "<item affiliation='owner' role='moderator' jid='mallory@stranger.invalid/lab'/>",
    "self": "<status code='110'/>",
    "destroyed": "<destroy><reason>mallory was here</reason></destroy>",
    "non-anonymous": "<status code='100'/><status code='201'/>",
}
"""What only the service may say in muc#user (§17.3)."""


@XEP.should("17.3", says="A change of availability is passed on to every occupant, the one who changed it included.")
@pytest.mark.parametrize("show", ["away", "chat", "dnd", "xa"])
def test_availability_is_passed_on(connect: Connect, show: str) -> None:
    owner, guest, other = gather(connect, "none", "member")
    guest.updates(f"<show>{show}</show>")
    for occupant in (owner, guest, other):
        presence = occupant.sees(guest.jid, affiliation="none", role="participant")
        require_equal(presence.findtext("c:show", None, NS), show, "show")
        require_equal(presence.get("to"), occupant.session.jid, "to")


@XEP.should("17.3", says="The text and the priority of a presence are passed on.")
@pytest.mark.parametrize(
    ("name", "value"), [("status", "gone where the woodbine twineth"), ("priority", "7")], ids=["status", "priority"]
)
def test_plain_presence_is_passed_on(connect: Connect, name: str, value: str) -> None:
    owner, guest = gather(connect, "none")
    guest.updates(f"<{name}>{value}</{name}>")
    presence = owner.sees(guest.jid)
    require_equal(presence.findtext(f"c:{name}", None, NS), value, name)


@XEP.should("17.3", says="What else a newcomer's presence says beside the wish to enter is passed on, too.")
def test_presence_on_entering_is_passed_on(connect: Connect) -> None:
    (owner,) = gather(connect)
    newcomer = enter(
        connect(label="newcomer"), owner.room, "newcomer", beside="<show>dnd</show><status>busy</status>"
    )
    presence = owner.sees(newcomer.jid)
    require_equal(presence.findtext("c:show", None, NS), "dnd", "show")
    require_equal(presence.findtext("c:status", None, NS), "busy", "status")


@XEP.should("17.3", "7.2.2", says="A newcomer is sent the presence of each occupant as it was last.")
def test_newcomer_is_sent_the_latest_presence(connect: Connect) -> None:
    owner, guest = gather(connect, "none")
    for show in ("away", "xa"):
        guest.updates(f"<show>{show}</show>")
        owner.sees(guest.jid)
    came = entrance(connect(label="newcomer"), owner.room, "newcomer")
    found = [e for e in came if presence_of(guest.jid)(e)]
    require_equal([e.findtext("c:show", None, NS) for e in found], ["xa"], "show")


@XEP.should("13", says="Texts of several languages in a presence keep them.")
def test_languages_of_presence_are_kept(connect: Connect) -> None:
    owner, guest = gather(connect, "none")
    guest.updates("<status xml:lang='en'>witch</status><status xml:lang='de'>Hexe</status>")
    presence = owner.sees(guest.jid)
    texts = {status.get(XML_LANG): status.text for status in presence.iterfind("c:status", NS)}
    require_equal(texts.get("de"), "Hexe", "the German text:")


@XEP.should(
    "17.3", "18.1.1", "18.1", says="An extension of a presence passes, or the room tells what it lets through."
)
def test_extension_of_presence_passes(connect: Connect) -> None:
    owner, guest = gather(connect, "none")
    guest.updates(f"<note xmlns='{LAB}'>eye of newt</note>")
    presence = owner.sees(guest.jid)
    if presence.find("lab:note", NS) is None:
        require_result(ask_info(owner.session, owner.room, node=f"{MUC}#traffic"))
    else:
        require_equal(presence.findtext("lab:note", None, NS), "eye of newt", "the extension's text:")


# --- affiliation and role


@XEP.must("5.1", "5.2", "17.3", says="Each presence that is passed on tells the occupant's affiliation and role.")
@pytest.mark.parametrize(
    ("guest", "affiliation", "role"),
    [
        pytest.param("owner", "owner", "moderator", id="owner"),
        pytest.param("admin", "admin", "moderator", id="admin"),
        pytest.param("member", "member", "participant", id="member"),
        pytest.param("none", "none", "participant", id="participant"),
        pytest.param("none/moderator", "none", "moderator", id="moderator"),
        pytest.param("none/visitor", "none", "visitor", id="visitor"),
        pytest.param("member/visitor", "member", "visitor", id="member-as-visitor"),
    ],
)
def test_update_tells_affiliation_and_role(connect: Connect, guest: str, affiliation: str, role: str) -> None:
    owner, occupant, other = gather(connect, guest, "none")
    occupant.updates("<show>away</show>")
    for viewer in (owner, other):
        viewer.sees(occupant.jid, affiliation=affiliation, role=role)


@XEP.must("17.3", says="Once a role or an affiliation has changed, all later presence tells the new one.")
@pytest.mark.parametrize("change", ["role", "affiliation"])
def test_later_presence_tells_the_change(connect: Connect, change: str) -> None:
    owner, guest, other = gather(connect, "none", "none")
    if change == "role":
        require_result(change_role(owner.session, owner.room, guest.nick, "visitor"))
    else:
        require_result(change_affiliation(owner.session, owner.room, guest.session.bare_jid, "member"))
    quiet(owner, guest, other)
    wanted = ("none", "visitor") if change == "role" else ("member", "participant")
    guest.updates("<show>away</show>")
    other.sees(guest.jid, affiliation=wanted[0], role=wanted[1])
    guest.leaves()
    other.sees(guest.jid, "unavailable", affiliation=wanted[0], role="none")


@XEP.must("17.3", says="Who enters behind a change of somebody's role or affiliation is told the new one.")
@pytest.mark.parametrize("change", ["role", "affiliation"])
def test_newcomer_is_told_the_change(connect: Connect, change: str) -> None:
    owner, guest = gather(connect, "none")
    if change == "role":
        require_result(change_role(owner.session, owner.room, guest.nick, "moderator"))
    else:
        require_result(change_affiliation(owner.session, owner.room, guest.session.bare_jid, "admin"))
    came = entrance(connect(label="newcomer"), owner.room, "newcomer")
    (presence,) = [e for e in came if presence_of(guest.jid)(e)] or [came[-1]]
    told = (item_of(presence).get("affiliation"), item_of(presence).get("role"))
    require_equal(told, ("none" if change == "role" else "admin", "moderator"), "affiliation and role")


# --- what only the service says


@XEP.must_not("17.3", says="What an occupant's own presence says in muc#user is not passed on.")
@pytest.mark.parametrize("forgery", FORGERIES)
def test_forged_update_is_not_passed_on(connect: Connect, forgery: str) -> None:
    owner, guest, other = gather(connect, "none", "none")
    guest.updates(f"<show>away</show><x xmlns='{MUC_USER}'>{FORGERIES[forgery]}</x>")
    for viewer in (owner, other):
        presence = viewer.sees(guest.jid, affiliation="none", role="participant")
        require_equal(codes_of(presence), set(), "status codes:")
        require(told_of(presence).find("muc-user:destroy", NS) is None, "no <destroy/>", presence)


@XEP.must_not("17.3", says="What a newcomer's presence says in muc#user is not passed on.")
@pytest.mark.parametrize("forgery", FORGERIES)
def test_forged_entrance_is_not_passed_on(connect: Connect, forgery: str) -> None:
    (owner,) = gather(connect)
    session = connect(label="newcomer")
    session.send(join(owner.room, "newcomer", beside=f"<x xmlns='{MUC_USER}'>{FORGERIES[forgery]}</x>"))
    presence = owner.sees(f"{owner.room}/newcomer", affiliation="none", role="participant")
    require_equal(codes_of(presence), set(), "status codes:")
    require(told_of(presence).find("muc-user:destroy", NS) is None, "no <destroy/>", presence)


@XEP.must_not("17.3", says="What a leaving occupant says in muc#user is not passed on.")
def test_forged_exit_is_not_passed_on(connect: Connect) -> None:
    owner, guest = gather(connect, "none")
    guest.leaves(f"<x xmlns='{MUC_USER}'><item affiliation='owner' role='none'/><status code='301'/></x>")
    presence = owner.sees(guest.jid, "unavailable", affiliation="none", role="none")
    require_equal(codes_of(presence), set(), "status codes:")


# --- what does not end a visit


@XEP.must_not("17.3", says="Presence of a type other than unavailable is no wish to leave.")
@pytest.mark.parametrize("kind", ["probe", "subscribe", "subscribed", "unsubscribe", "unsubscribed"])
def test_presence_with_a_type_does_not_leave(connect: Connect, kind: str) -> None:
    owner, guest = gather(connect, "none")
    guest.session.send(f"<presence to='{guest.jid}' type='{kind}'/>")
    owner.is_spared(
        presence_example(guest.jid, owner.session, "unavailable", role="none"),
        presence_of(guest.jid, "unavailable"),
        f"word that one who sent presence of type {kind} has left",
        after=guest.session,
    )
    guest.says("still here")
    owner.hears("still here", guest.jid)


# --- rooms that tell of some roles only


@XEP.may(
    "7.2.2", "5.1", "5.2", says="Where a room tells of moderators alone, nobody is told of a participant's coming."
)
def test_presence_of_participants_can_be_withheld(connect: Connect) -> None:
    owner, guest = gather(connect, "none", presencebroadcast=["moderator"])
    session = connect(label="newcomer")
    jid = f"{owner.room}/newcomer"
    came = entrance(session, owner.room, "newcomer")
    require(jid in [e.get("from") for e in came if localname(e) == "presence"], "the own presence", came[-1])
    guest.is_spared(
        presence_example(jid, guest.session), presence_of(jid), "presence of a participant", after=session
    )


@XEP.must("7.2.2", "5.1", "5.2", says="Where a room tells of moderators alone, all are told of an admin's coming.")
def test_presence_of_moderators_is_told(connect: Connect) -> None:
    owner, guest = gather(connect, "none", presencebroadcast=["moderator"])
    newcomer = admitted(connect, owner, "admin", "newcomer")
    for occupant in (owner, guest):
        occupant.sees(newcomer.jid, affiliation="admin", role="moderator")
