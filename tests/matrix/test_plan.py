"""Which cells a matrix has, what they are called, and what their command lines are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab.errors import UsageError
from lab.matrix.ledger import Entry
from lab.matrix.plan import (
    LOCAL_MEMORY,
    NONE,
    STANZALAB,
    Asked,
    Cell,
    Party,
    Selection,
    clients_of,
    command,
    federation_of,
    pairs_of,
    planned,
    servers_of,
)
from lab.subjects import all_subjects
from tests.matrix.subjects import client, server

PROSODY = Party("prosody:13.0", "prosody", "13.0")
OLD = Party("prosody:0.12", "prosody", "0.12")
SLIXMPP, PROFANITY, MCABBER = (Party(f"{name}:1", name, "1") for name in ("slixmpp", "profanity", "mcabber"))


def test_every_server_alone_with_every_client_and_with_each_pair() -> None:
    cells = planned([PROSODY, OLD], [SLIXMPP, PROFANITY], [(SLIXMPP, PROFANITY)])
    assert [cell.name for cell in cells if cell.server == PROSODY] == [
        "prosody-13.0",
        "prosody-13.0+slixmpp-1",
        "prosody-13.0+profanity-1",
        "prosody-13.0+slixmpp-1+profanity-1",
    ]
    assert len(cells) == 8
    assert {cell.role for cell in cells} == {"server", "client", "pair"}


def test_no_two_cells_share_a_folder() -> None:
    mine = Party("/somewhere/prosody:13.0", "prosody", "13.0")
    names = [cell.name for cell in planned([PROSODY, mine], [SLIXMPP], [])]
    assert len(set(names)) == len(names) == 4


def test_a_hostile_name_leads_nowhere() -> None:
    (cell,) = planned([Party("x", "../../\x1b[31m\u202e", "/1")], [], [])
    assert "/" not in cell.name
    assert "\x1b" not in cell.name


def test_without_servers_there_is_no_matrix() -> None:
    with pytest.raises(UsageError):
        planned([], [SLIXMPP], [])


def test_pairs_that_nobody_chose_are_those_with_slixmpp() -> None:
    assert pairs_of((), [PROFANITY, SLIXMPP, MCABBER]) == ((SLIXMPP, PROFANITY), (SLIXMPP, MCABBER))
    assert pairs_of((), [PROFANITY, MCABBER]) == ()
    assert pairs_of((NONE,), [PROFANITY, SLIXMPP]) == ()


def test_servers_are_tried_with_each_other_where_they_run_in_containers() -> None:
    servers = servers_of(("prosody", "pyjabber", "ejabberd", "prosody:0.12"))
    names = ["+".join(str(one) for one in two) for two in federation_of((), servers)]
    assert names == [
        "prosody 13.0+ejabberd 24.12",
        "prosody 13.0+prosody 0.12",
        "ejabberd 24.12+prosody 0.12",
    ]
    assert federation_of((NONE,), servers) == ()
    (two,) = federation_of(("prosody+prosody",), ())
    assert two[0] == two[1]
    with pytest.raises(UsageError, match="no two servers"):
        federation_of(("prosody",), ())


def test_two_servers_are_a_cell_of_their_own() -> None:
    alone, cell = planned([PROSODY], [], [], [(PROSODY, OLD)])
    assert (alone.role, cell.role) == ("server", "federation")
    assert cell.name == "prosody-13.0+prosody-0.12"
    assert cell.memory == 2 * PROSODY.memory
    assert command(cell, Selection(), Path("f"))[2:] == (
        *("--server", "prosody:13.0", "--peer", "prosody:0.12", "--out", "f"),
    )
    assert Entry.from_json(json.loads(json.dumps(Entry(cell).as_json()))).cell == cell


def test_pairs_that_are_chosen(tmp_path: Path) -> None:
    first, second = client(tmp_path, "first"), client(tmp_path, "second")
    ((a, b),) = pairs_of((f"{tmp_path}/first+{tmp_path}/second",), [])
    assert (a.spec, b.spec) == (first.spec, second.spec)


@pytest.mark.parametrize("word", ["slixmpp", "slixmpp+", "a+b+c", "+"])
def test_what_is_no_pair_is_said(word: str) -> None:
    with pytest.raises(UsageError, match="no pair"):
        pairs_of((word,), [])


def test_servers_are_all_of_the_labs_or_those_that_are_named_each_once() -> None:
    assert [party.name for party in servers_of(())] == [subject.name for subject in all_subjects()]
    assert [party.spec for party in servers_of(("prosody,prosody:0.12", "prosody:13.0"))] == [
        "prosody:13.0",
        "prosody:0.12",
    ]
    with pytest.raises(UsageError, match="prosdy"):
        servers_of(("prosdy",))


def test_a_folder_is_named_whole_and_its_version_pinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server(tmp_path, "mine")
    monkeypatch.chdir(tmp_path)
    (party,) = servers_of(("./mine",))
    assert party.spec == f"{tmp_path.resolve()}/mine:1"
    assert party.memory == LOCAL_MEMORY


def test_a_container_s_bound_is_the_memory_that_its_cell_needs() -> None:
    prosody, pyjabber = servers_of(("prosody", "pyjabber"))
    assert prosody.memory == 512 * 2**20
    assert Cell("x", prosody, (pyjabber,)).memory == prosody.memory + LOCAL_MEMORY


def test_no_client_is_wanted() -> None:
    assert clients_of((NONE,)) == ()


def test_command_lines() -> None:
    chosen = Selection(2022, ("core/tls",), ("rfc-6120/*",), ("RFC 6120", "XEP-0030"), "0", 7)
    alone, one, pair = planned([PROSODY], [SLIXMPP], [(SLIXMPP, PROFANITY)])
    assert command(alone, chosen, Path("f")) == (
        *(*STANZALAB, "run", "--server", "prosody:13.0", "--row", "core/tls", "--check", "rfc-6120/*"),
        *("--provider", "RFC 6120", "--provider", "XEP-0030"),
        *("--suite", "2022", "--fuzz", "0", "--seed", "7", "--out", "f"),
    )
    assert command(one, Selection(), Path("f"))[2:] == (
        *("--server", "prosody:13.0", "--client", "slixmpp:1", "--out", "f"),
    )
    assert "slixmpp:1,profanity:1" in command(pair, Selection(), Path("f"))


def test_what_was_asked_is_read_back_and_a_resumed_matrix_changes_only_what_is_given() -> None:
    asked = Asked(("prosody",), ("none",), (), Selection(2022, ("core",), fuzz="0"), "1/2", {"prosody-13.0": 3.0})
    assert Asked.from_json(asked.as_json()) == asked
    changed = asked.with_what_is_given(Asked(selection=Selection(rows=("im",))))
    assert changed.selection == Selection(2022, ("im",), fuzz="0")
    assert (changed.servers, changed.shard, changed.durations) == (asked.servers, asked.shard, asked.durations)
