"""Reads a client's `subject.toml` into a `Client`: strict, as `lab.subjects.subject_file` does a server's.

```toml
name = "slixmpp"             # the folder's name
title = "slixmpp"
role = "client"
homepage = "https://codeberg.org/poezio/slixmpp"
engines = ["docker"]         # where its agent can run, best first: "docker", "local"
default = "1.17"             # the version that `CLIENT=slixmpp` means

[versions."1.17"]            # `base` is the Debian suite of the image; further keys are free: the Dockerfile has
base = "trixie"              # each as a build argument, in capitals (`package = …` is ${PACKAGE})

[agent]
command = ["/agent/agent.py"]    # in the container; or on this machine, with {folder} and {venv} filled in
requirements = ["…"]             # optional: for the local engine, what goes into {venv}

[container]                  # optional, as for servers: user, memory, pids, tmpfs, package
package = ["…"]              # prints the exact version installed

[provides]                   # provider -> what in the client gives it
XEP-0030 = "xep_0030"
```
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.subjects.model import Container, EngineName
from lab.subjects.subject_file import Table, container_of, open_subject, provides_of

NO_CONTAINER = Container(
    command=(), user="", memory="512m", pids=256, capabilities=(), tmpfs={}, certificates="/lab", package=()
)


@dataclass(frozen=True)
class Client:
    """One client in one version. `command` starts its agent; `{folder}` and `{venv}` are still in it."""

    name: str
    title: str
    homepage: str
    folder: Path
    engines: tuple[EngineName, ...]
    version: str
    default: str
    versions: tuple[str, ...]
    options: Mapping[str, Any]  # the version's own free keys
    command: tuple[str, ...]
    requirements: tuple[str, ...]
    container: Container
    provides: Mapping[str, str]
    role: str = "client"


def read_client(folder: Path, version: str | None = None) -> Client:
    """The client of a folder, in the version asked for or in its default one. Raises UsageError."""
    opened = open_subject(folder, version, "client")
    top = opened.top
    agent: Table = top.needed_table("agent")
    command = agent.strings("command", needed=True)
    requirements = agent.strings("requirements")
    agent.done()
    client = Client(
        name=opened.name,
        title=top.take("title", str),
        homepage=top.take("homepage", str),
        folder=opened.folder,
        engines=opened.engines,
        version=opened.version,
        default=opened.default,
        versions=opened.versions,
        provides=provides_of(top, opened.own),
        options=opened.own.rest(),
        command=command,
        requirements=requirements,
        container=container_of(top.table("container")) or NO_CONTAINER,
    )
    top.done()
    return client
