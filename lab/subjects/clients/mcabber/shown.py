"""What mcabber shows its user, and how it is told what to do. mcabber runs in a pseudo-terminal and reads a FIFO.

What is told comes from mcabber's own interfaces: its hooks, by the module beside this file (they run once something
is on the screen); its log (`tracelog_level` 1: what its log window shows); its roster, read whenever mcabber painted
anything; its buffers, saved by its own command. Nothing here reads the screen.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import time
from collections.abc import Iterable
from pathlib import Path

from terminal import Failed, Program, TerminalAgent, bare, log, tell

SHOW = {"f": "chat", "d": "dnd", "n": "xa", "a": "away"}
"""mcabber's letter -> <show/>."""
STATE = {"1": "composing", "2": "active", "4": "paused", "8": "inactive", "16": "gone"}
"""ROSTER_EVENT_… of mcabber's roster -> chat state."""
WENT_OFFLINE = re.compile(r"Your status has been set: \[[^_]>_\]")
ASKS = re.compile(r"<(.+)> wants to subscribe to your presence updates$")
WAITS_FOR_RECEIPT = re.compile(r"^.{0,20}r[-~O]> ")


class Shown(TerminalAgent):
    def __init__(self) -> None:
        super().__init__()
        self.online = False
        self._heard = b""
        self.marks: set[str] = set()
        self._count = 0
        self._log_read = 0
        self.log_lines: list[str] = []
        self.jid = ""
        self.sending = 0
        self.painted = self.looking = False
        self._read_now: list[dict[str, str]] = []
        self.buddies: dict[str, dict[str, str]] = {}
        self.resources: dict[tuple[str, str], dict[str, str]] = {}
        self.features: list[str] = []
        self.without_receipt: dict[str, int] = {}
        self._typed_to = ""
        self.leaving = False

    # --- the program

    def start(self) -> None:
        """Start mcabber; it connects by itself."""
        env = os.environ
        folder = self.home / "mcabber"
        folder.mkdir(mode=0o700, exist_ok=True)
        for old in folder.iterdir():
            old.unlink()
        resource = env.get("XMPP_RESOURCE")
        direct = env["XMPP_TLS"] == "direct"
        options = {
            "jid": env["XMPP_JID"],
            "password": env["XMPP_PASSWORD"],
            **({} if direct and _found_at(env["XMPP_HOST"], env["XMPP_JID"]) else {"server": env["XMPP_HOST"]}),
            "port": env["XMPP_PORT"],
            "ssl": int(direct),
            "tls": int(not direct),
            "ssl_ca": env["XMPP_CA"],
            **({"resource": resource, "disable_random_resource": 1} if resource else {}),
            "log_display_sender": 1,
            "fifo_name": folder / "fifo",
            "fifo_hide_commands": 1,
            "tracelog_level": 1,
            "tracelog_file": folder / "log",
            "modules_dir": "/agent/modules",
        }
        lines = [f"set {name} = {quoted(str(value))}" for name, value in options.items()]
        # The FIFO's module is mcabber's own, from where Debian puts it.
        (native,) = Path("/usr/lib").glob("*/mcabber/libfifo.so")
        modules = folder / "modules"
        modules.unlink(missing_ok=True)
        lines += ["module load agent", f"set modules_dir = {native.parent}", "module load fifo"]
        config = folder / "mcabberrc"
        config.write_text("\n".join(lines) + "\n")
        config.chmod(0o600)
        (folder / "log").touch(mode=0o600)
        os.mkfifo(folder / "fifo", mode=0o600)
        self._fifo = os.open(folder / "fifo", os.O_RDWR)  # kept open: mcabber opens it anew whenever nobody writes
        self._log_read, self._heard = 0, b""
        self.log_lines.clear()
        reads, writes = os.pipe()
        os.set_inheritable(writes, True)
        self.program = Program(
            ["mcabber", "-f", str(config)],
            {
                "HOME": str(self.home),
                "PATH": env["PATH"],
                "TERM": "xterm",
                "LANG": "C.UTF-8",
                "AGENT_EVENTS": str(writes),
            },
            rows=50,
            columns=160,
        )
        os.close(writes)
        self._events = reads
        self.watch(reads, self._read_events)
        self.watch(self.program.terminal, self._read_terminal)

    def stop(self) -> None:
        """End mcabber, whatever it is doing."""
        if self.program is None:
            return
        for descriptor in (self._events, self.program.terminal):
            self._forget(descriptor)
        os.close(self._events)
        os.close(self._fifo)
        self.program.end()
        self.program = None
        self.offline()

    def _forget(self, descriptor: int) -> None:
        if descriptor in self._selector.get_map():
            self.unwatch(descriptor)

    def offline(self) -> None:
        self.online = self.looking = self.painted = False
        self.buddies, self.resources = {}, {}
        self.without_receipt.clear()

    def leave(self) -> None:
        self.leaving = True
        if self.program is not None and self.program.running():
            self.order("quit")
            deadline = time.monotonic() + 2.0
            while self.program and self.program.running() and time.monotonic() < deadline:
                self.turn(0.02)
        self.stop()

    def order(self, *lines: str) -> None:
        """Write commands into the FIFO, as they would be typed after a slash."""
        if self.program is not None:
            os.write(self._fifo, "".join(f"{line}\n" for line in lines).encode())

    def ask(self, *lines: str) -> list[str]:
        """The same, and wait until they are done. What the log says meanwhile."""
        if self.program is None or not self.online:
            raise Failed("not connected")
        self._count += 1
        mark = str(self._count)
        before = len(self.log_lines)
        self.order(*lines, f"agent mark {mark}")
        self.until(lambda: mark in self.marks or not self.program, f"the end of {lines[0].split()[0]!r}")
        self.marks.discard(mark)
        self.read_log()
        return self.log_lines[before:]

    # --- what it tells

    def turn(self, seconds: float | None) -> None:
        super().turn(seconds)
        if self.painted and self.online and not self.looking:
            self.painted, self.looking = False, True
            self.order("agent roster", "agent mark look")

    def _read_terminal(self) -> None:
        if self.program is None:
            return
        if self.program.read():
            self.painted = True
            self.read_log()
        else:
            self.read_log()
            self._forget(self.program.terminal)
            if self.online:
                self._lost("mcabber ended")

    def _read_events(self) -> None:
        data = os.read(self._events, 65536)
        if not data:
            self._forget(self._events)
        *lines, self._heard = (self._heard + data).split(b"\n")
        for line in lines:
            self._hear(json.loads(line.decode("utf-8", "replace")))

    def _hear(self, said: dict[str, str]) -> None:
        hook = said.get("hook")
        if "mark" in said:
            self._marked(said["mark"])
        elif hook is None and ("buddy" in said or "of" in said):
            self._read_now.append(said)
        elif hook is None and "feature" in said:
            self.features.append(said["feature"])
        elif hook is None:
            self.jid = said.get("jid", self.jid)
        elif hook == "hook-post-connect":
            self.marks.add("online")
        elif hook == "hook-post-message-in":
            self._message(said)
        elif hook == "hook-message-out":
            self._message_out(said)
        elif hook == "hook-status-change" and said["listed"]:
            tell(
                "presence",
                **{"from": _full(said["jid"], said["resource"])},
                available=said["new_status"] != "_",
                show=SHOW.get(said["new_status"]),
                status=said["message"] or None,
            )
        elif hook == "hook-mdr-received":
            self.order(*self.save(bare(said["jid"])), f"agent mark receipt {said['jid']}")

    def _marked(self, mark: str) -> None:
        if mark == "look":
            self._looked(self._read_now)
            self._read_now = []
            self.looking = False
        elif mark.startswith("receipt "):
            # mcabber took the receipt's `r` off a line, or it did not know the message.
            jid = mark.removeprefix("receipt ")
            had = self.without_receipt.get(bare(jid), 0)
            left = self.count_without_receipt(bare(jid))
            for _ in range(had - left):
                tell("receipt", **{"from": jid})
        else:
            self.marks.add(mark)

    def _message(self, said: dict[str, str]) -> None:
        if said["error"] == "true":
            log(f"shown as an error, from {said['jid']}: {said['message']}")
            return
        stamp = said["delayed"]
        tell(
            "message",
            **{"from": _full(said["jid"], said["resource"])},
            body=said["message"],
            type="groupchat" if said["groupchat"] == "true" else None,
            carbon="received" if said["carbon"] == "true" else None,
            stamp=f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:]}" if stamp else None,
        )

    def _message_out(self, said: dict[str, str]) -> None:
        if self.sending:
            self.sending -= 1
        else:
            tell("message", **{"from": bare(self.jid)}, to=said["jid"], body=said["message"], carbon="sent")

    def _looked(self, lines: Iterable[dict[str, str]]) -> None:
        """Compare the roster as it is shown now with how it was shown before."""
        buddies = {line["buddy"]: line for line in lines if "buddy" in line}
        resources = {(line["of"], line["resource"]): line for line in lines if "resource" in line}
        listed = {jid: contact(line) for jid, line in buddies.items() if line["listed"] and not line["room"]}
        before = {jid: contact(line) for jid, line in self.buddies.items() if line["listed"] and not line["room"]}
        for jid, now in listed.items():
            if before.get(jid) != now:
                tell("contact", **now)
        for jid in before.keys() - listed.keys():
            tell("contact", jid=jid, subscription="remove")
        for (jid, resource), line in resources.items():
            old = self.resources.get((jid, resource), {})
            if buddies[jid]["room"]:
                if (line["status"], line["message"]) != (old.get("status", "_"), old.get("message", "")):
                    self._occupant(jid, resource, line)
            elif line["state"] != old.get("state", "0") and line["state"] in STATE:
                tell("chat-state", **{"from": _full(jid, resource)}, state=STATE[line["state"]])
        for (jid, resource), line in self.resources.items():
            if self.buddies[jid]["room"] and (jid, resource) not in resources and line["status"] != "_":
                self._occupant(jid, resource, {"status": "_", "message": ""})
        self.buddies, self.resources = buddies, resources

    def _occupant(self, room: str, nick: str, line: dict[str, str]) -> None:
        tell(
            "presence",
            **{"from": f"{room}/{nick}"},
            available=line["status"] != "_",
            show=SHOW.get(line["status"]),
            status=line["message"] or None,
        )

    def read_log(self) -> None:
        """Take in what is new in mcabber's log: whole lines."""
        with (self.home / "mcabber" / "log").open("rb") as file:
            file.seek(self._log_read)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._log_read += len(whole)
        for line in whole.decode("utf-8", "replace").splitlines():
            text = re.sub(r"^\[[-0-9: ]+\] ", "", line)
            if " FIFO command: " in text:
                continue
            self.log_lines.append(text)
            log(text)
            if asks := ASKS.search(text):
                tell("subscription-request", **{"from": bare(asks[1])})
            elif WENT_OFFLINE.search(text) and self.online:
                self._lost(text)

    def _lost(self, reason: str) -> None:
        """It is offline. mcabber would connect again by itself in a minute: it is ended instead, outside of this."""
        self.online = False
        self.marks.add("offline")
        if not self.leaving:
            tell("offline", reason=reason)
            self.stop()

    # --- the buffers

    def save(self, jid: str, when: str = "") -> tuple[str, ...]:
        """The commands that save the buffer of a contact or room; mcabber never writes over a file."""
        file = self._file(jid, when)
        file.parent.mkdir(exist_ok=True)
        file.unlink(missing_ok=True)
        return f"agent select {jid}", f"buffer save {file}"

    def _file(self, jid: str, when: str) -> Path:
        return self.home / "saved" / f"{jid.replace('/', '%')}{when}"

    def together(self, *lines: str) -> str:
        """One command that does these without a look at what the server says meanwhile."""
        file = self.home / "together"
        file.write_text("".join(f"{line}\n" for line in lines))
        return f"agent together {file}"

    def saved(self, jid: str, when: str = "") -> list[str]:
        file = self._file(jid, when)
        return file.read_text(errors="replace").splitlines() if file.exists() else []

    def count_without_receipt(self, jid: str, when: str = "") -> int:
        count = sum(1 for line in self.saved(jid, when) if WAITS_FOR_RECEIPT.match(line))
        self.without_receipt[jid] = count
        return count

    def status_buffer(self, *commands: str) -> list[str]:
        """What the status buffer says, once these commands are done."""
        file = self.home / "status"
        file.unlink(missing_ok=True)
        self.ask(*commands, "roster top", f"buffer save {file}")
        return [line.strip() for line in file.read_text(errors="replace").splitlines()] if file.exists() else []


def _found_at(host: str, jid: str) -> bool:
    """Whether the JID's domain leads there by itself: in direct TLS, mcabber holds a certificate against `server`."""
    with contextlib.suppress(OSError):
        return socket.gethostbyname(bare(jid).rpartition("@")[2]) == host
    return False


def contact(line: dict[str, str]) -> dict[str, str]:
    name = {"name": line["name"]} if line["name"] not in ("", line["buddy"]) else {}
    return {"jid": line["buddy"], **name, "subscription": line["subscription"]}


def _full(jid: str, resource: str) -> str:
    return f"{jid}/{resource}" if resource else jid


def quoted(text: str) -> str:
    """A parameter of a command of mcabber's."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
