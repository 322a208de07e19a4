"""A client from outside the tree is tried against the contract; and what an agent does wrong is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import subjects
from lab.agent_trial import Step, trial
from lab.errors import UsageError

FAKE = Path(__file__).parent / "clients" / "fake-client"


class Quiet:
    def step(self, text: str) -> None: ...
    def detail(self, text: str) -> None: ...


def tried(
    wrong: str, folder: Path, monkeypatch: pytest.MonkeyPatch, patience: float = 60.0, only: str = ""
) -> list[Step]:
    monkeypatch.setenv("FAKE_AGENT", wrong)
    return list(trial(subjects.find_client(str(FAKE)), folder, Quiet(), patience=patience, only=only))


def test_a_client_from_outside_the_tree_keeps_to_the_contract(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = tried("", tmp_path, monkeypatch)
    assert [step for step in steps if step.fault] == []
    assert len(steps) == 11
    notes = {step.asks: step.note for step in steps}
    assert notes["answers every command of the contract"].startswith("done: send-message, ")


@pytest.mark.parametrize(
    ("wrong", "step", "says", "patience"),
    [
        ("rubbish", "tells `ready` first", "a line that is not JSON: 'Welcome to the fake client!'", 60.0),
        ("never-ready", "tells `ready` first", "told nothing of it within", 2.0),
        ("does-anything", "answers `unsupported` to a command that does not exist", "was answered 'done'", 60.0),
        ("hangs", "answers `unsupported` to a command that does not exist", "told nothing of it within", 2.0),
        ("exits", "answers `unsupported` to a command that does not exist", "I do not like you", 60.0),
        ("floods", "answers `unsupported` to a command that does not exist", "more than 10000 events", 60.0),
        ("answers-twice-over", "answers `unsupported` to a command that does not exist", "is answered already", 60.0),
        ("fragile", "survives lines that are no commands", "JSONDecodeError", 60.0),
        ("wrong-jid", "connects, and knows its JID", "answered the JID 'somebody@else'", 60.0),
        ("never-offline", "tells `offline` when the connection is lost", "told nothing of it within", 5.0),
        ("never-ends", "ends with its input, by itself", "does not end it", 60.0),
    ],
)
def test_what_is_wrong_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str, step: str, says: str, patience: float
) -> None:
    (tried_step,) = tried(wrong, tmp_path, monkeypatch, patience, step)
    assert says in tried_step.fault


def test_a_folder_that_is_none_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no subject in"):
        subjects.find_client(str(tmp_path))
    with pytest.raises(UsageError, match="no client is called"):
        subjects.find_client("no-such-client")
