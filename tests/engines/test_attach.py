"""Attaching to what runs already, by cell files written by hand."""

from __future__ import annotations

import json
import re
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

import lab.cell
from lab.engines import alive
from lab.engines.attach import attach
from lab.engines.ports import LOOPBACK, free_ports
from lab.errors import MachineError, UsageError
from tests.engines.fakes import Remembered

DOCS = Path(__file__).parents[2] / "docs" / "cell.md"


def cell_file(folder: Path, endpoints: dict[str, Any]) -> Path:
    file = folder / "mine.json"
    file.write_text(
        json.dumps(
            {
                "format": 1,
                "domain": "example.test",
                "subject": {"name": "mine", "version": "2.0"},
                "endpoints": endpoints,
            }
        )
    )
    return file


@pytest.mark.parametrize("transport", ["c2s", "c2s-direct-tls"])
def test_a_server_that_waits_for_its_client_is_attached_to(tmp_path: Path, transport: str) -> None:
    with socket.create_server((LOOPBACK, 0)) as listener:
        file = cell_file(tmp_path, {transport: {"host": LOOPBACK, "port": listener.getsockname()[1]}})
        with attach(file, Remembered()) as running:
            assert running.cell.domain == "example.test"
            assert running.cell.subject == lab.cell.Subject("mine", "2.0")
            assert running.cell_file == file
            assert running.log_file is None
            assert alive(running.cell.process) is None


def test_nobody_there_is_the_machines_fault(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    file = cell_file(tmp_path, {"c2s": {"host": LOOPBACK, "port": port}})
    with pytest.raises(MachineError) as caught, attach(file, Remembered()):
        pytest.fail("nobody was there")
    assert str(port) in caught.value.message
    assert caught.value.cause == "Connection refused"
    assert str(file) in caught.value.hint


def test_a_port_that_closes_at_once_is_the_machines_fault(tmp_path: Path) -> None:
    with socket.create_server((LOOPBACK, 0)) as listener:

        def close_at_once() -> None:
            listener.accept()[0].close()

        thread = threading.Thread(target=close_at_once)
        thread.start()
        file = cell_file(tmp_path, {"c2s": {"host": LOOPBACK, "port": listener.getsockname()[1]}})
        with pytest.raises(MachineError) as caught, attach(file, Remembered()):
            pytest.fail("nobody was there")
        thread.join()
    assert caught.value.cause == "it accepts the connection and closes at once"


def test_a_cell_without_a_port_for_clients_is_refused(tmp_path: Path) -> None:
    file = cell_file(tmp_path, {"s2s": {"host": LOOPBACK, "port": 5269}})
    with pytest.raises(UsageError, match="no port for clients"), attach(file, Remembered()):
        pytest.fail("there was no port")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("{", "is not JSON"),
        ("{}", "is not a cell file"),
        ('{"format": 2}', "is not a cell file"),
        ("[]", "cell file"),
    ],
)
def test_what_is_no_cell_file_is_refused_by_name(tmp_path: Path, text: str, what: str) -> None:
    file = tmp_path / "broken.json"
    file.write_text(text)
    with pytest.raises(UsageError) as caught, attach(file, Remembered()):
        pytest.fail("it is no cell")
    assert str(file) in caught.value.message
    assert what in caught.value.message


def test_a_missing_cell_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read the cell file"), attach(tmp_path / "none.json", Remembered()):
        pytest.fail("there is none")


def test_the_examples_of_the_documentation_are_cells_and_name_every_field(tmp_path: Path) -> None:
    examples = re.findall(r"```json\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    assert len(examples) == 2
    for number, example in enumerate(examples):
        file = tmp_path / f"{number}.json"
        file.write_text(example)
        cell = lab.cell.read(file)
        assert cell.accounts.given
        lab.cell.write(cell, file)
        assert lab.cell.read(file) == cell
    written = json.loads((tmp_path / "1.json").read_text())
    documented = set(re.findall(r"^\| `([a-z_]+)", DOCS.read_text(encoding="utf-8"), re.MULTILINE))
    assert set(written) == documented


@pytest.mark.parametrize(
    ("accounts", "said"),
    [
        ({"method": "magic"}, "unknown way to make accounts 'magic'; known: in-band, ad-hoc, command, given"),
        ({"method": "ad-hoc"}, "needs an admin"),
        ({"method": "command"}, "needs an argv"),
        ({"method": "given", "given": []}, "needs a list of the accounts given"),
    ],
)
def test_a_way_to_make_accounts_has_what_it_needs(tmp_path: Path, accounts: object, said: str) -> None:
    file = cell_file(tmp_path, {"c2s": {"host": LOOPBACK, "port": 5222}})
    file.write_text(json.dumps({**json.loads(file.read_text()), "accounts": accounts}))
    with pytest.raises(UsageError) as caught:
        lab.cell.read(file)
    assert said in caught.value.cause
