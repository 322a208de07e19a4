"""A subject's folder of one's own: what tests of its file and of its list begin with."""

from __future__ import annotations

from pathlib import Path

SUBJECT = """\
name = "mine"
title = "Mine"
role = "server"
homepage = "https://mine.example/"
engines = ["docker", "local"]
default = "2.0"

[versions."2.0"]
base = "trixie"
provides = { XEP-0156 = "altconnect" }

[versions."1.0"]
base = "bookworm"
provides = { XEP-0198 = "", XEP-0030 = "old disco" }

[ports]
c2s = 5222
https = 5281

[ready]
port = "c2s"
send = "<stream to='{domain}'>"
expect = "<features"
within = 7

[services]
muc = "rooms.{domain}"

[component]
domain = "bridge.{domain}"
secret = "hush"

[accounts]
method = "command"
command = ["add", "{user}", "{domain}", "{password}"]

[admin]
localpart = "root"
password = "toor"
command = ["promote", "{user}"]

[container]
command = ["serve"]
memory = "64m"
tmpfs = { "/run" = "mode=1777" }

[files]
"mine.conf.j2" = "/etc/mine.conf"

[local]
requirements = ["mine=={version}"]
command = ["{venv}/bin/mine"]

[provides]
XEP-0030 = "disco"
XEP-0198 = "smacks"
"""
TEMPLATE = "{{ domain }} {{ version }} {{ base }} {{ services.muc }} {{ component.domain }} {{ admin.password }}"


def subject_folder(tmp_path: Path) -> Path:
    """A new folder under `tmp_path` with a subject file and the one template that it names."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "subject.toml").write_text(SUBJECT)
    (folder / "mine.conf.j2").write_text(TEMPLATE)
    return folder
