"""Who is under test: one folder is one implementation, its `subject.toml` says all that an engine must know.

This docstring defines the format; `lab.subjects.subject_file` reads it, `lab.subjects.known` reads
`known.toml`; a client's format stands in `lab.subjects.client_file`. Nothing here starts anything. Keys without
"optional" are needed, unknown keys are refused by name.

```toml
name = "prosody"             # the folder's name
title = "Prosody"
role = "server"
homepage = "https://prosody.im/"
engines = ["docker"]         # where it can run, best first: "docker", "local"
default = "13.0"             # the version that `SERVER=prosody` means

[versions."13.0"]            # further keys are free: templates see each under its own name, so every version
base = "trixie"              # has the same ones. The Debian suite; "trixie-backports" has its backports besides
provides = { XEP-0156 = "http_altconnect" }   # optional: laid over [provides]; "" takes a provider away

[ports]                      # transport -> port inside the container; keys are lab.cell.TRANSPORTS.
c2s = 5222                   # The local engine uses the keys alone: it picks free ports

[paths]                      # optional: where these transports lie on the ports https and http
websocket = "/xmpp-websocket"
bosh = "/http-bind"

[ready]                      # ready when this port answers these bytes; engines know no XMPP
port = "c2s"
send = "<stream:stream … to='{domain}' …>"
expect = "<stream:features"
within = 20                  # seconds

[services]                   # optional: muc, pubsub, upload, proxy, mix
muc = "conference.{domain}"

[component]                  # optional: a place for the lab's own XEP-0114 component
domain = "component.{domain}"
secret = "…"

[turn]                       # optional: a TURN server that its settings hand out credentials for (XEP-0215); the
host = "turn.{domain}"       # docker engine starts one in the cell, with that secret
port = 3478                  # optional
secret = "…"

[accounts]                   # how fresh accounts are made
method = "in-band"           # or "command", then with
command = ["prosodyctl", "register", "{user}", "{domain}", "{password}"]   # run in the container

[admin]                      # optional: an account with an administrator's rights
localpart = "admin"
password = "…"
command = ["…", "{user}"]    # optional: how the engine makes it; without, the lab registers it in-band

[container]                  # for the docker engine
command = ["…"]              # optional: the image's own otherwise
user = "prosody"             # optional, as are all that follow
memory = "512m"
pids = 256
capabilities = ["…"]
tmpfs = { "/run/x" = "mode=1777" }
certificates = "/certs"      # where key.pem, chain.pem, all.pem and ca.pem are to be
package = ["dpkg-query", "…"]    # prints the exact version installed

[files]                      # optional: template (jinja2, every name must be defined) in this folder
"prosody.cfg.lua.j2" = "/etc/prosody/prosody.cfg.lua"     # -> path in the container, or in the work folder

[local]                      # for the local engine
requirements = ["pyjabber=={version}"]
command = ["{venv}/bin/pyjabber", "--port", "{port:c2s}"]
package = "pyjabber"         # optional: the distribution whose installed version is the exact one
environment = { KEY = "…" }  # optional
domain = "localhost"         # optional: the only domain that it can serve on this machine

[log]                        # optional
crash = ["Traceback"]        # a line of output that matches one of these tells of a crash inside the subject

[provides]                   # provider -> the module or setting that gives it: the suites want it named
XEP-0030 = "disco"
```

Strings in braces are filled in: `{domain}` and `{version}` everywhere; in `[local]` also `{folder}` (this one),
`{venv}`, `{work}` (the subject's own folder in this run, its working directory), `{certificates}` (a folder with
key.pem, chain.pem, all.pem, ca.pem) and `{port:TRANSPORT}`; in `[container]` also `{certificates}`; in the
commands that make accounts `{user}` and `{password}`. Templates see: `domain`, `version`, the version's own keys,
`services`, `component`, `admin`, `turn`, `ports`, `certificates`, `work`.
"""

from __future__ import annotations

import difflib
from dataclasses import replace
from pathlib import Path

from lab.errors import UsageError
from lab.subjects.client_file import Client, read_client
from lab.subjects.model import (
    AccountCommand,
    Admin,
    Component,
    Container,
    LocalProcess,
    Ready,
    Subject,
    Turn,
    fill,
)
from lab.subjects.subject_file import FILE_NAME, read

__all__ = [
    "AccountCommand",
    "Admin",
    "Client",
    "Component",
    "Container",
    "LocalProcess",
    "Ready",
    "Subject",
    "Turn",
    "all_clients",
    "all_subjects",
    "fill",
    "find",
    "find_client",
    "is_ours",
]

_HERE = Path(__file__).parent


def all_subjects() -> tuple[Subject, ...]:
    """Every server of the project, in its default version, by name."""
    return tuple(read(folder) for folder in _folders("server").values())


def all_clients() -> tuple[Client, ...]:
    """Every client of the project, in its default version, by name."""
    return tuple(read_client(folder) for folder in _folders("client").values())


def find(spec: str, *, image: str | None = None) -> Subject:
    """The server that `NAME`, `NAME:VERSION`, `FOLDER` or `FOLDER:VERSION` means.

    A specification with a slash in it is a folder. `image` is run in place of the one that the folder is built into.
    Raises UsageError with the nearest names.
    """
    subject = read(*_found(spec, "server"))
    return _with_image(subject, image) if image else subject


def find_client(spec: str) -> Client:
    """The client that is meant, as `find`. Raises UsageError."""
    return read_client(*_found(spec, "client"))


def _found(spec: str, role: str) -> tuple[Path, str | None]:
    """The folder, and the version if one is named."""
    name, colon, version = spec.partition(":")
    if "/" in name or name in {".", ".."}:
        folder = Path(name)
        if not (folder / FILE_NAME).is_file():
            raise UsageError(
                f"no subject in {folder}",
                cause=f"there is no {FILE_NAME}",
                hint=f"the format of {FILE_NAME} stands in lab/subjects",
            )
    else:
        folders = _folders(role)
        if name not in folders:
            near = difflib.get_close_matches(name, folders, n=3, cutoff=0.4)
            raise UsageError(
                f"no {role} is called {name!r}",
                cause=f"there are: {', '.join(folders) or 'none'}",
                hint=f"did you mean {' or '.join(near)}?" if near else "a folder of your own works too: ./path",
            )
        folder = folders[name]
    return folder, version if colon else None


def _with_image(subject: Subject, image: str) -> Subject:
    if "docker" not in subject.engines:
        raise UsageError(
            f"{subject.name} runs in no container, so in no image",
            cause=f"it runs in: {', '.join(subject.engines)}",
            hint="name the server whose settings fit the image: --server prosody",
        )
    return replace(subject, image=image, engines=("docker",))


def is_ours(subject: Subject | Client) -> bool:
    """Whether a subject is one of the lab's own, and not somebody's folder."""
    return subject.folder.resolve().is_relative_to(_HERE.resolve())


def _folders(role: str) -> dict[str, Path]:
    return {file.parent.name: file.parent for file in sorted(_HERE.glob(f"{role}s/*/{FILE_NAME}"))}
