"""Checks of what no server at hand supports: each passes on a fake that does, and notices when it does otherwise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lab import cell as cells
from lab.fakes import FakeServer
from lab.verdict import Outcome
from tests.scenarios.proving import Proved, proved
from tests.scenarios.search_service import SearchService

OPTIMIZED = {"xep-0390/first-presence-has-the-hashes", "xep-0390/change-of-hashes-is-told"}
"""Asked of servers that leave out hashes which have not changed: the fake has no subscriptions."""
UNSEEN = {"xep-0433/content-of-items/description", "xep-0433/content-of-items/language"}
"""What the fake service says nothing of."""


def _held(found: dict[str, Proved], unsupported: set[str]) -> None:
    other = {name: one.outcome for name, one in found.items() if one.outcome is not Outcome.PASS}
    assert other == dict.fromkeys(unsupported, Outcome.UNSUPPORTED)
    assert [name for name, one in found.items() if one.outcome is Outcome.PASS and not one.noticed] == []


def test_entity_capabilities_of_a_server(tmp_path: Path) -> None:
    with FakeServer(run_dir=tmp_path, patience=2.0):
        found = proved(tmp_path / "cell.json", "xep-0390/*")
    assert len(found) == 14
    _held(found, OPTIMIZED)


def test_channel_search(tmp_path: Path) -> None:
    with FakeServer(run_dir=tmp_path, patience=2.0) as cell, SearchService(cell):
        cells.write(replace(cell, component=None), tmp_path / "cell.json")  # the lab's own is not asked
        found = proved(tmp_path / "cell.json", "xep-0433/*")
    assert len(found) > 30
    _held(found, UNSEEN)
