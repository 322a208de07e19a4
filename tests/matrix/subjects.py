"""Subjects of the tests: folders that name a behaviour of the fake lab, and need nothing to be made ready."""

from __future__ import annotations

import sys
from pathlib import Path

from lab.matrix.plan import Cell, Party

FAKE = (sys.executable, str(Path(__file__).with_name("fake_lab.py")))
ROOT = Path(__file__).parents[2]

SERVER = """
name = "{name}"
title = "A fake"
role = "server"
homepage = "https://example.org/"
engines = ["local"]
default = "1"
[versions."1"]
[ports]
c2s = 5222
[ready]
port = "c2s"
send = "x"
expect = "x"
[local]
command = ["true"]
requirements = [{requirements}]
"""
CLIENT = """
name = "{name}"
title = "A fake"
role = "client"
homepage = "https://example.org/"
engines = ["local"]
default = "1"
[versions."1"]
[agent]
command = ["true"]
"""


def server(folder: Path, behaviour: str, *, requirements: str = "") -> Party:
    """A server of that behaviour; `requirements` that nobody has make it one that cannot be made ready."""
    return _made(folder, behaviour, SERVER.format(name=behaviour, requirements=requirements))


def client(folder: Path, name: str) -> Party:
    return _made(folder, name, CLIENT.format(name=name))


def alone(*servers: Party) -> tuple[Cell, ...]:
    return tuple(Cell(f"{party.name}-{party.version}", party) for party in servers)


def _made(folder: Path, name: str, text: str) -> Party:
    (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / name / "subject.toml").write_text(text)
    return Party(f"{(folder / name).resolve()}:1", name, "1")
