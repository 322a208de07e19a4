"""The tables of XEP-0045 that its checks hold as data: as the specification has them."""

from __future__ import annotations

import re
from functools import cache

from lxml import etree

from scenarios.server.xep0045.affiliations import ALL, STEPS
from scenarios.server.xep0045.configuring import FIELDS
from scenarios.server.xep0045.discovery import ROOM_TYPES
from scenarios.server.xep0045.roles import DEFAULT_ROLES, PRIVILEGES
from tests.schemas.reference import shared

PRIVILEGE = {
    "receive-messages": "Receive Messages",
    "receive-presence": "Receive Occupant Presence",
    "broadcast-presence": "Broadcast Presence to All Occupants",
    "change-nickname": "Change Room Nickname",
    "send-private-messages": "Send Private Messages",
    "invite": "Invite Other Users",
    "send-messages-to-all": "Send Messages to All",
}
"""Our name of a privilege -> that of §5.1.1."""


@cache
def _source() -> str:
    return (shared("reference") / "xeps" / "xep-0045.xml").read_text(encoding="utf-8")


@cache
def _tables(*, marked: bool = False) -> dict[str, list[list[str]]]:
    """Caption of each table -> its rows, marks of footnotes left out unless `marked`."""
    parser = etree.XMLParser(resolve_entities=False, load_dtd=False, recover=True)
    root = etree.fromstring(_source().encode(), parser)
    return {
        table.get("caption", ""): [[_text(cell, marked) for cell in row] for row in table.iter("tr")]
        for table in root.iter("table")
    }


def _text(cell: etree._Element, marked: bool) -> str:
    text = " ".join("".join(map(str, cell.itertext())).split())
    return text if marked else text.rstrip("* ")


def test_default_roles_are_those_of_the_table() -> None:
    head, *rows = _tables()["Initial Role Based on Affiliation"]
    affiliations = [cell.lower() for cell in head[1:]]
    told = {
        (row[0].lower(), affiliation): role.lower()
        for row in rows
        for affiliation, role in zip(affiliations, row[1:], strict=True)
        if role != "N/A"
    }
    assert told == DEFAULT_ROLES


def test_privileges_are_those_of_the_table() -> None:
    """Those alone that "configuration settings" may not modify, which is what a mark says."""
    head, *rows = _tables(marked=True)["Privileges Associated With Roles"]
    roles = [cell.lower() for cell in head[1:]]
    told = {row[0]: dict(zip(roles, row[1:], strict=True)) for row in rows}
    for name, (_, granted) in PRIVILEGES.items():
        assert {role for role, word in told[PRIVILEGE[name]].items() if word == "Yes"} == set(granted), name


def test_steps_are_all_between_the_affiliations() -> None:
    head, *rows = _tables()["Affiliation State Chart"]
    assert tuple(cell.lower() for cell in head[1:]) == ALL
    described = {
        (row[0].lower(), after)
        for row in rows
        for after, action in zip(ALL, row[1:], strict=True)
        if action.strip("-")
    }
    assert {(step.before, step.after) for step in STEPS} == described


def test_features_and_fields_are_registered() -> None:
    features = set(re.findall(r"<name>(muc_[a-z]+)</name>", _source()))
    for feature, (config, opposite) in ROOM_TYPES.items():
        assert {feature, opposite} <= features
        for field in config:
            assert f"muc#roomconfig_{field}'" in _source(), field
    for field in FIELDS:
        assert f"muc#roomconfig_{field}'" in _source(), field
