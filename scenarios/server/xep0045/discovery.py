"""XEP-0045 §6, §16.3, §18.1.1: what the service and its rooms say of themselves, and to whom."""

from __future__ import annotations

import pytest

from lab.plugin import Connect, Specification, require, require_equal, require_error, require_result, unsupported
from lab.wire.namespaces import DISCO_INFO, MUC, NS
from lab.wire.session import Session, stanza_error_condition
from scenarios.server._caps import features, identities
from scenarios.server.xep0045._configuration import Value
from scenarios.server.xep0045._discovery import ask_info, ask_items, info, items, room_info
from scenarios.server.xep0045._occupant import of_the_room, settle
from scenarios.server.xep0045._rooms import created, fresh_room, gather, service_of

XEP = Specification("XEP-0045")
STABLE_ID = f"{MUC}#stable_id"
TRAFFIC = f"{MUC}#traffic"


def _is_a_conference(session: Session, jid: str) -> None:
    kinds = [identity[:2] for identity in identities(info(session, jid))]
    require(("conference", "text") in kinds, "an identity conference/text", str(kinds))


# --- the service


@XEP.must("6.2", "16.2", says="The service has an identity of category conference and type text.")
def test_service_has_its_identity(alice: Session, connect: Connect) -> None:
    _is_a_conference(alice, service_of(connect))


@XEP.must("6.2", "16.3", says="The service lists the feature of Multi-User Chat.")
def test_service_lists_multi_user_chat(alice: Session, connect: Connect) -> None:
    listed = features(info(alice, service_of(connect)))
    require(MUC in listed, f"the feature {MUC}", ", ".join(listed))


@XEP.should("7.4", says="That ids of messages are kept is advertised by the service and by each room.")
@pytest.mark.parametrize("of", ["service", "room"])
def test_stable_ids_are_advertised(connect: Connect, of: str) -> None:
    (owner,) = gather(connect)
    identifier = owner.says("hello")
    if owner.hears("hello", owner.jid).get("id") != identifier:
        unsupported("ids of messages that are kept; another check says whether that is a fault")
    listed = features(info(owner.session, service_of(connect) if of == "service" else owner.room))
    require(STABLE_ID in listed, f"the feature {STABLE_ID}", ", ".join(listed))


@XEP.should("6.3", says="The service lists its public rooms.")
def test_public_room_is_listed(connect: Connect) -> None:
    (owner,) = gather(connect, publicroom=True)
    outsider = connect(label="outsider")
    rooms = [jid for jid, _ in items(outsider, service_of(connect))]
    require(owner.room in rooms, f"the room {owner.room}", f"{len(rooms)} others")


@XEP.should_not("6.3", says="The service does not list hidden rooms.")
def test_hidden_room_is_not_listed(connect: Connect) -> None:
    (owner,) = gather(connect, publicroom=False)
    shown = created(owner.session, fresh_room(connect), publicroom=True)
    outsider = connect(label="outsider")
    rooms = [jid for jid, _ in items(outsider, service_of(connect))]
    require(shown.room in rooms, f"the public room {shown.room}, which shows that the list is there", str(rooms))
    require(owner.room not in rooms, "no hidden room", owner.room)


# --- a room


@XEP.must("6.4", "16.2", says="A room has an identity of category conference and type text.")
def test_room_has_its_identity(connect: Connect) -> None:
    (owner,) = gather(connect)
    _is_a_conference(connect(label="outsider"), owner.room)


@XEP.should("6.4", "16.3", says="A room lists the feature of Multi-User Chat.")
def test_room_lists_multi_user_chat(connect: Connect) -> None:
    (owner,) = gather(connect)
    listed = features(info(connect(label="outsider"), owner.room))
    require(MUC in listed, f"the feature {MUC}", ", ".join(listed))


ROOM_TYPES: dict[str, tuple[dict[str, Value], str]] = {
    "muc_public": ({"publicroom": True}, "muc_hidden"),
    "muc_hidden": ({"publicroom": False}, "muc_public"),
    "muc_membersonly": ({"membersonly": True}, "muc_open"),
    "muc_open": ({"membersonly": False}, "muc_membersonly"),
    "muc_moderated": ({"moderatedroom": True}, "muc_unmoderated"),
    "muc_unmoderated": ({"moderatedroom": False}, "muc_moderated"),
    "muc_nonanonymous": ({"whois": "anyone"}, "muc_semianonymous"),
    "muc_semianonymous": ({"whois": "moderators"}, "muc_nonanonymous"),
    "muc_passwordprotected": ({"passwordprotectedroom": True, "roomsecret": "sesame"}, "muc_unsecured"),
    "muc_unsecured": ({"passwordprotectedroom": False, "roomsecret": ""}, "muc_passwordprotected"),
    "muc_persistent": ({"persistentroom": True}, "muc_temporary"),
    "muc_temporary": ({"persistentroom": False}, "muc_persistent"),
}
"""Feature -> the configuration that it tells, and the feature that would say the opposite (§4.2, §16.3)."""


@XEP.should("6.4", "16.3", says="A room's features tell what kind of room it is, as it was configured.")
@pytest.mark.parametrize("feature", ROOM_TYPES)
def test_room_tells_its_kind(connect: Connect, feature: str) -> None:
    config, opposite = ROOM_TYPES[feature]
    (owner,) = gather(connect, **config)
    listed = features(info(connect(label="outsider"), owner.room))
    require(feature in listed, f"the feature {feature}", ", ".join(listed))
    require(opposite not in listed, f"no feature {opposite}", ", ".join(listed))


@XEP.must("6", "6.4", says="Anybody may ask what a room is, whoever may enter it.")
@pytest.mark.parametrize("kind", ["members-only", "with-a-password"])
def test_closed_room_answers_discovery(connect: Connect, kind: str) -> None:
    closed: dict[str, Value] = (
        {"membersonly": True} if kind == "members-only" else {"passwordprotectedroom": True, "roomsecret": "sesame"}
    )
    (owner,) = gather(connect, **closed)
    _is_a_conference(connect(label="outsider"), owner.room)


@XEP.may("6.4", says="Where a room tells how many are in it, it is how many there are.")
def test_number_of_occupants_is_right(connect: Connect) -> None:
    owner, *_ = gather(connect, "none", "none")
    fields = room_info(connect(label="outsider"), owner.room)
    if fields is None or "muc#roominfo_occupants" not in fields:
        unsupported("muc#roominfo_occupants")
    require_equal(fields["muc#roominfo_occupants"], ["3"], "muc#roominfo_occupants")


@XEP.may("6.4", says="Where a room tells its description, it is the one that was configured.")
def test_description_is_the_configured_one(connect: Connect) -> None:
    (owner,) = gather(connect, roomdesc="Where witches meet")
    fields = room_info(connect(label="outsider"), owner.room)
    if fields is None or "muc#roominfo_description" not in fields:
        unsupported("muc#roominfo_description")
    require_equal(fields["muc#roominfo_description"], ["Where witches meet"], "muc#roominfo_description")


@XEP.may("6.4", says="Where a room tells its subject, it is the one that was set last.")
def test_subject_in_room_information(connect: Connect) -> None:
    (owner,) = gather(connect)
    owner.session.send(f"<message to='{owner.room}' type='groupchat'><subject>Fire and cauldron</subject></message>")
    settle(owner.room, owner.session)
    fields = room_info(connect(label="outsider"), owner.room)
    if fields is None or not fields.get("muc#roominfo_subject"):
        unsupported("muc#roominfo_subject")
    require_equal(fields["muc#roominfo_subject"], ["Fire and cauldron"], "muc#roominfo_subject")


@XEP.must("6.5", says="A room's items are its occupants, or none: an empty query where they are private.")
@pytest.mark.parametrize("asker", ["outsider", "occupant"])
def test_items_are_occupants_or_none(connect: Connect, asker: str) -> None:
    owner, guest = gather(connect, "none")
    session = guest.session if asker == "occupant" else connect(label="outsider")
    listed = {jid for jid, _ in items(session, owner.room)}
    require(listed in (set(), {owner.jid, guest.jid}), "no items, or the occupants", ", ".join(sorted(listed)))


@XEP.must("6.5", says="Where the occupants of a room are told, one who has left is not among them.")
def test_items_follow_who_leaves(connect: Connect) -> None:
    owner, guest = gather(connect, "none")
    guest.leaves()
    settle(owner.room, guest.session)
    listed = {jid for jid, _ in items(owner.session, owner.room)}
    require(listed in (set(), {owner.jid}), "no items, or the one occupant left", ", ".join(sorted(listed)))


# --- an occupant


@XEP.must("6.6", says="A disco request to an occupant from who is none is refused with bad-request.")
@pytest.mark.parametrize("what", ["info", "items"])
def test_outsider_cannot_query_an_occupant(connect: Connect, what: str) -> None:
    _owner, guest = gather(connect, "none")
    outsider = connect(label="outsider")
    reply = (ask_info if what == "info" else ask_items)(outsider, guest.jid)
    require_error(reply, "bad-request")
    of_the_room(reply, guest.room)


@XEP.must("6.6", says="Who asks an occupant's address from outside does not reach the occupant.")
def test_query_of_an_outsider_does_not_reach_the_occupant(connect: Connect) -> None:
    _owner, guest = gather(connect, "none")
    outsider = connect(label="outsider")
    require_error(ask_info(outsider, guest.jid))
    guest.is_spared(
        f"<iq from='{outsider.jid}' to='{guest.session.jid}' type='get' id='q'><query xmlns='{DISCO_INFO}'/></iq>",
        lambda e: e.get("type") == "get" and e.find("disco:query", NS) is not None,
        "disco request of an outsider",
    )


# --- allowable traffic


@XEP.must(
    "18.1.1", says="What extensions a room lets through is told at the node for it, or refused in one of two ways."
)
@pytest.mark.parametrize("asker", ["occupant", "outsider"])
def test_allowable_traffic_is_answered(connect: Connect, asker: str) -> None:
    (owner,) = gather(connect)
    session = owner.session if asker == "occupant" else connect(label="outsider")
    reply = ask_info(session, owner.room, node=TRAFFIC)
    if stanza_error_condition(reply):
        require_error(reply, "service-unavailable", "feature-not-implemented")
        return
    require_result(reply)
    query = reply.find("disco:query", NS)
    require(query is not None and query.get("node") == TRAFFIC, f"a query of the node {TRAFFIC}", reply)
