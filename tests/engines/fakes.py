"""What the tests of engines share: a subject whose process misbehaves on purpose, a progress that remembers."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from lab.cell import Endpoint
from lab.subjects import Subject, find

FAKE_SERVER = Path(__file__).with_name("fake_server.py")


@dataclass
class Remembered:
    """A progress display that shows nothing."""

    steps: list[str] = field(default_factory=list)
    details: list[str] = field(default_factory=list)

    def step(self, text: str) -> None:
        self.steps.append(text)

    def detail(self, text: str) -> None:
        self.details.append(text)


def fake_subject(folder: Path, way: str = "well", *, within: float = 5.0, requirements: str = "") -> Subject:
    """A subject that runs `fake_server.py`, which misbehaves as `way` says."""
    place = folder / "fake"
    place.mkdir(parents=True, exist_ok=True)
    (place / "greeting.j2").write_text("{{ domain }} {{ version }} {{ ports.c2s }} {{ flavour }}")
    (place / "subject.toml").write_text(f"""
name = "fake"
title = "Fake"
role = "server"
homepage = "https://fake.example/"
engines = ["local"]
default = "1"
[versions.1]
flavour = "bitter"
[ports]
c2s = 5222
[ready]
port = "c2s"
send = "HELLO"
expect = "READY"
within = {within}
[services]
muc = "rooms.{{domain}}"
[component]
domain = "bridge.{{domain}}"
secret = "hush"
[accounts]
method = "command"
command = ["{{venv}}/bin/python", "add.py", "{{user}}", "{{domain}}", "{{password}}"]
[admin]
localpart = "root"
password = "toor"
[files]
"greeting.j2" = "etc/greeting"
[local]
requirements = [{requirements}]
command = ["{{venv}}/bin/python", "{FAKE_SERVER}", "{{port:c2s}}", "{way}"]
[provides]
"RFC 6120" = "a dozen lines"
""")
    return find(str(place))


def say(endpoint: Endpoint, data: bytes) -> bytes:
    """What the server answers to `data` until it closes; empty also where it is not there."""
    try:
        with socket.create_connection((endpoint.host, endpoint.port), timeout=2) as connection:
            connection.sendall(data)
            return connection.recv(100)
    except OSError:
        return b""


def until(holds: Callable[[], bool], what: str, *, within: float = 10.0) -> None:
    """Wait until something about another process holds; fails when it does not in time (seconds)."""
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline, f"after {within} s still not: {what}"
        time.sleep(0.01)
