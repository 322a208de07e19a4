"""`action.yml` and the workflows: YAML that says what the lab's own commands take, and hands on no input unquoted."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from lab import cli
from lab.fakes import FakeServer
from tests.test_runs import BOUND, FEW

ROOT = Path(__file__).parent.parent
FILES = [ROOT / "action.yml", *sorted((ROOT / ".github" / "workflows").glob("*.yml"))]
COMMANDS = getattr(typer.main.get_command(cli.app), "commands", {})
_COMMAND = re.compile(r"\bstanzalab\"? ([a-z]+)")
_MAKE = re.compile(r"^\s*make (.*)$", re.MULTILINE)


def loaded(file: Path) -> dict[str, Any]:
    data = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert isinstance(data, dict)
    return data


def steps(file: Path) -> Iterator[dict[str, Any]]:
    data = loaded(file)
    for part in [data["runs"]] if "runs" in data else data["jobs"].values():
        yield from part["steps"]


SCRIPTS = [(file.name, step["run"]) for file in FILES for step in steps(file) if "run" in step]


def options_of(command: str) -> set[str]:
    return {option for parameter in COMMANDS[command].params for option in parameter.opts}


@pytest.mark.parametrize(("file", "script"), SCRIPTS)
def test_every_command_exists_with_its_options(file: str, script: str) -> None:
    """Options in a script belong to the one command that it calls, but for those of make."""
    named = _COMMAND.findall(script)
    assert [name for name in named if name not in COMMANDS] == [], file
    assert len(set(named)) <= 1, "one command of the lab a step, so that it is plain whose the options are"
    lines = [line for line in script.splitlines() if "stanzalab" in line or "options" in line]
    used = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", "\n".join(lines)))
    assert [option for name in named for option in used if option not in options_of(name)] == []


@pytest.mark.parametrize(
    ("file", "line"), [(file, line) for file, script in SCRIPTS for line in _MAKE.findall(script)]
)
def test_every_make_target_exists(file: str, line: str) -> None:
    words = [word for word in shlex.split(line) if not word.startswith(("--", "$"))]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert [word for word in words if "=" in word and f"$({word.partition('=')[0]})" not in makefile] == [], file
    targets = [word for word in words if "=" not in word]
    done = subprocess.run(["make", "-n", *targets], cwd=ROOT, capture_output=True, text=True, check=False)
    assert targets
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_no_script_has_an_expression_in_it(file: Path) -> None:
    """What comes from outside is a variable of the environment: put into a script, it could be any command."""
    assert [step["run"] for step in steps(file) if "${{" in step.get("run", "")] == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_scripts_are_bash_that_parses(file: Path) -> None:
    for step in steps(file):
        if "run" in step:
            done = subprocess.run(["bash", "-n"], input=step["run"], capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr


def test_every_input_of_the_action_is_used() -> None:
    text = (ROOT / "action.yml").read_text(encoding="utf-8")
    assert [name for name in loaded(ROOT / "action.yml")["inputs"] if f"inputs.{name} }}}}" not in text] == []


@pytest.mark.parametrize(("misbehaviour", "code"), [("", 0), ("swallows-iq", 1)])
def test_the_action_runs_the_checks_and_sums_up_what_is_new(tmp_path: Path, misbehaviour: str, code: int) -> None:
    """The action's own script, as a runner calls it."""
    (script,) = (step["run"] for step in steps(ROOT / "action.yml") if step.get("id") == "run")
    lab = tmp_path / "lab" / ".venv" / "bin"
    lab.mkdir(parents=True)
    (lab / "stanzalab").symlink_to(Path(sys.executable).parent / "stanzalab")
    fake = tmp_path / "fake"
    fake.mkdir()
    with FakeServer(misbehaviour, run_dir=fake):
        environment = {
            "LAB": str(tmp_path / "lab"),
            "STANZALAB_RUNS": str(tmp_path / "runs"),
            "CELL": str(fake / "cell.json"),
            "CHECKS": FEW[1],
            "FUZZ": "0",
            "GITHUB_OUTPUT": str(tmp_path / "output"),
            "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
            **dict.fromkeys(("SERVER", "IMAGE", "ROWS", "KNOWN", "AGAINST"), ""),
        }
        done = subprocess.run(
            ["bash", "-e", "-c", script],
            cwd=tmp_path,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=BOUND,
        )
    assert done.returncode == code, done.stdout + done.stderr
    output = dict(line.split("=", 1) for line in (tmp_path / "output").read_text().splitlines())
    assert output["exit"] == str(code)
    assert (Path(output["report"]) / "junit.xml").is_file()
    summary = (tmp_path / "summary").read_text()
    assert ("nothing new" in summary) is (code == 0)
    assert ("### New failures" in summary) is (code == 1)
