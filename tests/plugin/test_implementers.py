"""The fixtures in a project that is not ours: the example, copied elsewhere, with pytest as its owner runs it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import docker
import pytest
from docker.errors import NotFound

from lab.fakes import FakeServer

EXAMPLE = Path(__file__).parents[2] / "examples" / "my-server"
BOUND = 300.0  # seconds for anything that must happen
FAILING = """
from lab.plugin import Stage, impossible, require, unsupported


def test_fails(alice):
    reply = alice.iq("get", "<ping xmlns='urn:xmpp:ping'/>", to=alice.domain)
    require(reply.get("type") == "magic", "magic", reply)


def test_is_impossible(connect):
    connect(over="s2s")


def test_is_unsupported(alice):
    unsupported("urn:example:shop")


def test_has_a_fixture_of_its_own(cell, accounts, component_session):
    assert accounts.fresh().domain == cell.domain
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "my-server"
    shutil.copytree(EXAMPLE, folder)
    return folder


@pytest.fixture
def cell_file(tmp_path: Path) -> Iterator[str]:
    with FakeServer(run_dir=tmp_path):
        yield str(tmp_path / "cell.json")


def run(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", *words],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=BOUND,
    )


@pytest.mark.parametrize("spread", [(), ("-n", "2")])
def test_the_example_passes(project: Path, cell_file: str, spread: tuple[str, ...]) -> None:
    done = run(project, f"--cell={cell_file}", *spread)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


def test_the_examples_cell_file_is_one(project: Path) -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "stanzalab", "attach", "cell.json", "--look"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "my-server dev, example.test" in done.stdout


def test_a_failure_shows_what_went_over_the_wire_and_what_cannot_be_tried_is_skipped(
    project: Path, cell_file: str
) -> None:
    (project / "test_more.py").write_text(FAILING, encoding="utf-8")
    done = run(project, f"--cell={cell_file}", "-rs", "test_more.py")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed, 1 passed, 2 skipped" in done.stdout
    assert "expected magic; seen: <iq" in done.stdout
    assert "what went over the wire" in done.stdout
    assert "alice      sent     <iq" in done.stdout
    assert "the cell has no s2s port" in done.stdout
    assert "urn:example:shop" in done.stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 2, "which server is to be tested?"),
        (("-n", "2"), 2, "which server is to be tested?"),
        (("--cell", "none.json"), 1, "cannot read the cell file"),
        (("--server", "prosdy"), 2, "did you mean prosody"),
        (("--cell", "cell.json", "--server", "prosody"), 4, "do not go together"),
        (("--collect-only", "-q"), 0, "3 tests collected"),
    ],
)
def test_what_cannot_work_is_said(project: Path, words: tuple[str, ...], code: int, said: str) -> None:
    done = run(project, *words)
    assert done.returncode == code, done.stdout + done.stderr
    assert said in done.stdout + done.stderr
    assert "INTERNALERROR" not in done.stdout + done.stderr


@pytest.mark.engine
@pytest.mark.parametrize("spread", [(), ("-n", "2")])
def test_the_example_passes_with_a_server_that_it_starts(project: Path, spread: tuple[str, ...]) -> None:
    (project / "test_where.py").write_text(
        "import json\n\ndef test_where(cell_file):\n    open('where.txt', 'a').write(cell_file.read_text() + '\\n')\n"
    )
    done = run(project, "--server", "prosody", *spread)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout
    cell = json.loads((project / "where.txt").read_text())
    assert cell["subject"]["name"] == "prosody"
    with closing(docker.from_env()) as client, pytest.raises(NotFound):
        client.containers.get(cell["process"]["id"])
