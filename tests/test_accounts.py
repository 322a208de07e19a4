"""Accounts that a command makes, while the subject is being restarted; and what is not waited for."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from lab.accounts import Accounts, Comeback, CommandFailed
from lab.cell import AccountMaking, Cell, Subject
from lab.engines import EXITS_FILE, exit_since
from lab.wire.transport import ConnectionRefused, NoAnswer


def accounts(folder: Path, script: str) -> Accounts:
    making = AccountMaking("command", argv=("sh", "-c", script, "{user}", str(folder)))
    return Accounts(Cell("lab.test", Subject("a-server", "1"), {}, accounts=making), Comeback(folder))


def test_a_command_that_finds_no_server_is_called_again_once_it_is_back(tmp_path: Path) -> None:
    (tmp_path / EXITS_FILE).write_text(json.dumps({"at": time.time(), "why": "exited", "restarted": True}) + "\n")
    made = accounts(tmp_path, 'echo "$0" >> "$1/made"; test $(wc -l < "$1/made") = 3').fresh()
    assert (tmp_path / "made").read_text().splitlines() == [made.localpart] * 3


def test_an_exit_may_be_noticed_a_while_after_the_command_has_failed(tmp_path: Path) -> None:
    (tmp_path / "later").write_text(json.dumps({"at": time.time(), "why": "exited", "restarted": True}) + "\n")
    noticed = f'cp "$1/later" "$1/{EXITS_FILE}"'
    accounts(
        tmp_path, f'sleep 0.4; echo >> "$1/tries"; n=$(wc -l < "$1/tries"); test $n = 3 && {noticed}; test $n = 4'
    ).fresh()
    assert len((tmp_path / "tries").read_text()) == 4, "more than half a second behind the first"


def test_no_further_exit_is_waited_for_of_a_subject_that_is_gone_for_good(tmp_path: Path) -> None:
    began, at = time.monotonic(), time.time()
    (tmp_path / EXITS_FILE).write_text(json.dumps({"at": at, "why": "exited", "restarted": False}) + "\n")
    assert exit_since(at + 1.0, tmp_path, within=60.0) is None
    found = exit_since(at, tmp_path, within=60.0)
    assert found is not None
    assert not found.restarted
    assert time.monotonic() - began < 30.0


def test_a_command_that_fails_for_good_is_an_error_of_the_machine(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="makes accounts failed") as failed:
        accounts(tmp_path, "echo no such user >&2; exit 1").fresh()
    assert failed.value.cause == "no such user"


@pytest.mark.parametrize(
    "error", [NoAnswer("nothing came"), ConnectionRefused("nobody listens"), CommandFailed("no")]
)
def test_a_subject_that_is_gone_for_good_is_not_waited_for(tmp_path: Path, error: Exception) -> None:
    told = [json.dumps({"at": time.time(), "why": "exited", "restarted": restarted}) for restarted in (True, False)]
    (tmp_path / EXITS_FILE).write_text("\n".join(told) + "\n")
    tries: list[None] = []

    def connect() -> None:
        tries.append(None)
        raise error

    with pytest.raises(type(error)):
        Comeback(tmp_path).open(connect)
    assert len(tries) == 1
