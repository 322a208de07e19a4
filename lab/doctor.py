"""What works on this machine, and what to do about the rest. Looks, changes nothing."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lab.engines.provision import engine_state

LEAST_ROOM = 3 * 1024**3  # bytes that a base image and three servers need
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `needed`: the lab cannot do its first job without it."""

    what: str
    works: bool
    seen: str
    advice: str = ""
    needed: bool = False

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def examine() -> tuple[Finding, ...]:
    """Everything that the lab stands on, the needed things first."""
    return (_python(), _engine(), _docker_program(), _base(), _room(), _browser(), _extra_ca())


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("Python", sys.version_info >= (3, 11), version, "the lab needs Python 3.11 or newer", needed=True)


def _engine() -> Finding:
    state = engine_state()
    if state.reachable:
        return Finding("container engine", works=True, seen=f"{state.version} at {state.endpoint}")
    advice = "`make lab SERVER=prosody` installs and starts Docker" if state.root and state.apt else ""
    return Finding(
        "container engine",
        works=False,
        seen=f"{state.endpoint}: {state.problem}",
        advice=advice or "install Docker or Podman and start it; without one, `make lab` runs pyjabber in a process",
    )


def _docker_program() -> Finding:
    path = shutil.which("docker")
    return Finding(
        "docker program",
        works=path is not None,
        seen=path or "not found",
        advice="" if path else "only agents of clients in containers are run by it: install Docker's client",
    )


def _base() -> Finding:
    path = shutil.which("debootstrap")
    return Finding(
        "debootstrap",
        works=path is not None,
        seen=path or "not found",
        advice="" if path else "only needed where no image registry can be reached: apt-get install debootstrap",
    )


def _room() -> Finding:
    free = shutil.disk_usage(Path.cwd()).free
    works = free > LEAST_ROOM
    return Finding("disk", works, f"{free / 1024**3:.1f} GiB free", "" if works else "images need about 3 GiB")


def _browser() -> Finding:
    path = next((found for name in CHROMIUM if (found := shutil.which(name))), None)
    return Finding(
        "Chromium",
        works=path is not None,
        seen=path or "not found",
        advice="" if path else "only the lab's own tests of its pages need it: apt-get install chromium",
    )


def _extra_ca() -> Finding:
    name = os.environ.get("LAB_EXTRA_CA")
    if not name:
        return Finding("LAB_EXTRA_CA", works=True, seen="not set: builds trust Debian's CAs, and this machine's")
    works = Path(name).is_file()
    return Finding("LAB_EXTRA_CA", works, name, "" if works else "no such file: name a PEM file, or unset it")
