"""The agent of mcabber: the program itself in a pseudo-terminal, driven by its FIFO, as its manual says.

What is told comes from mcabber's own interfaces: its hooks, by the module beside this file (they run once something is
on the screen); its log (`tracelog_level` 1: what its log window shows); its roster, read whenever it painted anything;
its buffers, saved by its own command. Nothing here reads the screen.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from terminal import Failed, Program, TerminalAgent, Unsupported, bare, log, tell

STATUS = {None: "online", "chat": "free", "dnd": "dnd", "xa": "notavail", "away": "away"}
"""<show/> -> what mcabber calls it."""
SHOW = {"f": "chat", "d": "dnd", "n": "xa", "a": "away"}
STATE = {"1": "composing", "2": "active", "4": "paused", "8": "inactive", "16": "gone"}
"""ROSTER_EVENT_… of mcabber's roster -> chat state."""
GAVE_UP = re.compile(
    r"There was an error while connecting|Authentication failed|Failed to |\*\* Error|Disconnected\.$"
)
REFUSED = re.compile(r"Certificate |No certificate found!|SSL error")
"""What mcabber says of a certificate. In STARTTLS it says no more then, and stays as it is, for ever."""
AT_START = re.compile(r"New trace log started|-+$|Loaded |FIFO initialized")
WENT_OFFLINE = re.compile(r"Your status has been set: \[[^_]>_\]")
CAME_ONLINE = re.compile(r"Your status has been set: \[_>[^_]\]")
ASKS = re.compile(r"<(.+)> wants to subscribe to your presence updates$")
WAITS_FOR_RECEIPT = re.compile(r"^.{0,20}r[-~O]> ")
PAUSES_AFTER = 8.0  # seconds without a key, after which mcabber tells `paused` (it says 6)
ROSTER_WITHIN = 3.0  # seconds that `connect` waits for the roster, once online
ANSWER_WITHIN = 10.0  # seconds for an entity to answer an iq
CLEAR_LINE = "\x15"


class Mcabber(TerminalAgent):
    commands = {
        "connect": ("connect", ""),
        "disconnect": ("disconnect", ""),
        "send-message": ("send_message", "to body type receipt"),
        "send-chat-state": ("send_chat_state", "to state"),
        "send-presence": ("send_presence", "show status priority to"),
        "subscribe": ("subscribe", "jid"),
        "accept": ("accept", "jid"),
        "refuse": ("refuse", "jid"),
        "unsubscribe": ("unsubscribe", "jid"),
        "remove-contact": ("remove_contact", "jid"),
        "roster": ("roster", ""),
        "ping": ("ping", "jid"),
        "join": ("join", "room nick"),
        "leave": ("leave_room", "room"),
        "enable-carbons": ("enable_carbons", ""),
    }

    def __init__(self) -> None:
        super().__init__()
        self.program: Program | None = None
        self.online = False
        self._heard = b""
        self._marks: set[str] = set()
        self._count = 0
        self._log_read = 0
        self._log_lines: list[str] = []
        self._jid = ""
        self._sending = 0
        self._painted = self._looking = False
        self._read_now: list[dict[str, str]] = []
        self._buddies: dict[str, dict[str, str]] = {}
        self._resources: dict[tuple[str, str], dict[str, str]] = {}
        self._without_receipt: dict[str, int] = {}
        self._typed_to = ""
        self._leaving = False

    # --- the program

    def _start(self) -> None:
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
        lines = [f"set {name} = {_quoted(str(value))}" for name, value in options.items()]
        # The FIFO's module is mcabber's own, from where Debian puts it.
        (native,) = Path("/usr/lib").glob("*/mcabber/libfifo.so")
        modules = folder / "modules"
        modules.unlink(missing_ok=True)
        lines += ["module load agent", f"set modules_dir = {native.parent}", "module load fifo"]
        config = folder / "mcabberrc"
        config.write_text("\n".join(lines) + "\n")
        config.chmod(0o600)
        (folder / "log").touch(mode=0o600)
        self._log_read, self._heard = 0, b""
        self._log_lines.clear()
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

    def _stop(self) -> None:
        """End mcabber, whatever it is doing."""
        if self.program is None:
            return
        for descriptor in (self._events, self.program.terminal):
            self._forget(descriptor)
        os.close(self._events)
        self.program.end()
        self.program = None
        self._offline()

    def _forget(self, descriptor: int) -> None:
        if descriptor in self._selector.get_map():
            self.unwatch(descriptor)

    def _offline(self) -> None:
        self.online = self._looking = self._painted = False
        self._buddies, self._resources = {}, {}
        self._without_receipt.clear()

    def leave(self) -> None:
        self._leaving = True
        if self.program is not None and self.program.running():
            self._order("quit")
            deadline = time.monotonic() + 2.0
            while self.program and self.program.running() and time.monotonic() < deadline:
                self.turn(0.02)
        self._stop()

    def _order(self, *lines: str) -> None:
        """Write commands into the FIFO, as they would be typed after a slash."""
        channel = os.open(self.home / "mcabber" / "fifo", os.O_WRONLY | os.O_NONBLOCK)
        with os.fdopen(channel, "w") as fifo:
            fifo.write("".join(f"{line}\n" for line in lines))

    def _ask(self, *lines: str) -> list[str]:
        """The same, and wait until they are done. What the log says meanwhile."""
        if self.program is None or not self.online:
            raise Failed("not connected")
        self._count += 1
        mark = str(self._count)
        before = len(self._log_lines)
        self._order(*lines, f"agent mark {mark}")
        self.until(lambda: mark in self._marks or not self.program, f"the end of {lines[0].split()[0]!r}")
        self._marks.discard(mark)
        self._read_log()
        return self._log_lines[before:]

    # --- what it tells

    def turn(self, seconds: float | None) -> None:
        super().turn(seconds)
        if self._painted and self.online and not self._looking:
            self._painted, self._looking = False, True
            self._order("agent roster", "agent mark look")

    def _read_terminal(self) -> None:
        if self.program is None:
            return
        if self.program.read():
            self._painted = True
            self._read_log()
        else:
            self._read_log()
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
        elif hook is None:
            self._jid = said.get("jid", self._jid)
        elif hook == "hook-post-connect":
            self._marks.add("online")
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
            self._order(*self._save(bare(said["jid"])), f"agent mark receipt {said['jid']}")

    def _marked(self, mark: str) -> None:
        if mark == "look":
            self._looked(self._read_now)
            self._read_now = []
            self._looking = False
        elif mark.startswith("receipt "):
            # mcabber took the receipt's `r` off a line, or it did not know the message.
            jid = mark.removeprefix("receipt ")
            had = self._without_receipt.get(bare(jid), 0)
            left = self._count_without_receipt(bare(jid))
            for _ in range(had - left):
                tell("receipt", **{"from": jid})
        else:
            self._marks.add(mark)

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
        if self._sending:
            self._sending -= 1
        else:
            tell("message", **{"from": bare(self._jid)}, to=said["jid"], body=said["message"], carbon="sent")

    def _looked(self, lines: Iterable[dict[str, str]]) -> None:
        """Compare the roster as it is shown now with how it was shown before."""
        buddies = {line["buddy"]: line for line in lines if "buddy" in line}
        resources = {(line["of"], line["resource"]): line for line in lines if "resource" in line}
        listed = {jid: _contact(line) for jid, line in buddies.items() if line["listed"] and not line["room"]}
        before = {jid: _contact(line) for jid, line in self._buddies.items() if line["listed"] and not line["room"]}
        for jid, contact in listed.items():
            if before.get(jid) != contact:
                tell("contact", **contact)
        for jid in before.keys() - listed.keys():
            tell("contact", jid=jid, subscription="remove")
        for (jid, resource), line in resources.items():
            old = self._resources.get((jid, resource), {})
            if buddies[jid]["room"]:
                if (line["status"], line["message"]) != (old.get("status", "_"), old.get("message", "")):
                    self._occupant(jid, resource, line)
            elif line["state"] != old.get("state", "0") and line["state"] in STATE:
                tell("chat-state", **{"from": _full(jid, resource)}, state=STATE[line["state"]])
        for (jid, resource), line in self._resources.items():
            if self._buddies[jid]["room"] and (jid, resource) not in resources and line["status"] != "_":
                self._occupant(jid, resource, {"status": "_", "message": ""})
        self._buddies, self._resources = buddies, resources

    def _occupant(self, room: str, nick: str, line: dict[str, str]) -> None:
        tell(
            "presence",
            **{"from": f"{room}/{nick}"},
            available=line["status"] != "_",
            show=SHOW.get(line["status"]),
            status=line["message"] or None,
        )

    def _read_log(self) -> None:
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
            self._log_lines.append(text)
            log(text)
            if asks := ASKS.search(text):
                tell("subscription-request", **{"from": bare(asks[1])})
            elif WENT_OFFLINE.search(text) and self.online:
                self._lost(text)

    def _lost(self, reason: str) -> None:
        """It is offline. mcabber would connect again by itself in a minute: it is ended instead, outside of this."""
        self.online = False
        self._marks.add("offline")
        if not self._leaving:
            tell("offline", reason=reason)
            self._stop()

    # --- the buffers

    def _save(self, jid: str) -> tuple[str, ...]:
        """The commands that save the buffer of a contact or room; mcabber never writes over a file."""
        file = self.home / "saved" / jid.replace("/", "%")
        file.parent.mkdir(exist_ok=True)
        file.unlink(missing_ok=True)
        return f"agent select {jid}", f"buffer save {file}"

    def _saved(self, jid: str) -> list[str]:
        file = self.home / "saved" / jid.replace("/", "%")
        return file.read_text(errors="replace").splitlines() if file.exists() else []

    def _count_without_receipt(self, jid: str) -> int:
        count = sum(1 for line in self._saved(jid) if WAITS_FOR_RECEIPT.match(line))
        self._without_receipt[jid] = count
        return count

    def _status_buffer(self, *commands: str) -> list[str]:
        """What the status buffer says, once these commands are done."""
        file = self.home / "status"
        file.unlink(missing_ok=True)
        self._ask(*commands, "roster top", f"buffer save {file}")
        return [line.strip() for line in file.read_text(errors="replace").splitlines()] if file.exists() else []

    # --- the commands

    def connect(self) -> dict[str, Any]:
        if self.online:
            raise Failed("connected already")
        self._marks.clear()
        before = 0
        if self.program is None:
            self._start()
        else:
            before = len(self._log_lines)
            self._order("connect")

        def outcome() -> str:
            # Its presence is sent; the roster comes after it, unless the server has none.
            if "online" in self._marks or any(CAME_ONLINE.search(line) for line in self._log_lines[before:]):
                return "online"
            if any(GAVE_UP.search(line) or REFUSED.match(line) for line in self._log_lines[before:]):
                return "gave up"
            return "" if self.program and self.program.running() else "ended"

        try:
            how = self.until(outcome, "that mcabber has connected")
        except Failed as why:
            self._stop()
            said = [line for line in self._log_lines[before:] if not AT_START.match(line)]
            raise Failed("; ".join([str(why), *said])) from None
        if how != "online":
            self._read_log()
            reason = "; ".join(line for line in self._log_lines[before:] if not AT_START.match(line))
            self._stop()
            raise Failed(reason or f"mcabber {how}")
        self.online = True
        with contextlib.suppress(Failed):
            self.until(
                lambda: "online" in self._marks or any("rror packet" in line for line in self._log_lines[before:]),
                "the roster",
                ROSTER_WITHIN,
            )
        self._ask("agent chat", "agent jid")
        tell("online", jid=self._jid)
        return {"jid": self._jid}

    def disconnect(self) -> None:
        if not self.online:
            raise Failed("not connected")
        self._leaving = True
        self._marks.discard("offline")
        try:
            self._order("disconnect")
            self.until(lambda: "offline" in self._marks, "that mcabber is offline")
        finally:
            self._leaving = False
        self._offline()

    def send_message(self, to: str, body: str, type: str = "chat", receipt: bool = False) -> None:
        self._check(to)
        room = self._is_room(bare(to))
        if (type == "groupchat") != (room and "/" not in to):
            raise Unsupported(f"mcabber sends {'groupchat to rooms' if room else type + ' to rooms alone'}")
        file = self.home / "body"
        file.write_text(body)
        self._sending += 1
        said = self._ask(f"say_to {'-n ' if type == 'normal' else ''}-f {file} {_quoted(to)}")
        if self._sending:
            self._sending = 0
            if not room:
                raise Failed("; ".join(said) or "mcabber did not send it")
        if not room:
            had = self._without_receipt.get(bare(to), 0)
            self._ask(*self._save(bare(to)))
            if self._count_without_receipt(bare(to)) <= had and receipt:
                raise Failed("mcabber sent it, but asks nobody for receipts who does not announce them")

    def send_chat_state(self, to: str, state: str) -> None:
        self._check(to)
        if state not in {"active", "composing", "paused"}:
            raise Unsupported(f"mcabber never tells {state!r}")
        if not any(line["state"] in STATE for (jid, _), line in self._resources.items() if jid == bare(to)):
            raise Failed("mcabber tells its states only to somebody who told theirs")
        if self._typed_to and self._typed_to != bare(to):
            self._ask(f"agent select {self._typed_to}")
            self._type(CLEAR_LINE)
        self._ask(f"agent select {bare(to)}")
        self._type(CLEAR_LINE if state == "active" else "x")
        self._typed_to = "" if state == "active" else bare(to)
        if state == "paused":
            end = time.monotonic() + PAUSES_AFTER
            self.until(lambda: time.monotonic() > end, "the pause")
        self._ask("agent jid")

    def _type(self, keys: str) -> None:
        """Keys; mcabber has read them when it has painted something, which the input line always does."""
        assert self.program is not None
        self._painted = False
        self.program.type(keys)
        end = time.monotonic() + 0.3  # nothing is painted where the line was empty already
        self.until(lambda: self._painted or time.monotonic() > end, "the keys")

    def send_presence(
        self, show: str | None = None, status: str = "-", priority: int | None = None, to: str | None = None
    ) -> None:
        if status.strip() != status or "\n" in status:
            raise Unsupported("a status of mcabber's is one line")
        lines = []
        if priority is not None:
            if to:
                raise Unsupported("mcabber has one priority for everybody")
            lines.append(f"set priority = {priority}")
        said = self._ask(*lines, f"{f'status_to {_quoted(to)}' if to else 'status'} {STATUS[show]} {status or '-'}")
        if not said:
            raise Failed("mcabber says nothing of a status")

    def subscribe(self, jid: str) -> None:
        self._say("authorization request", jid)

    def accept(self, jid: str) -> None:
        self._say("authorization allow", jid)

    def refuse(self, jid: str) -> None:
        self._say("authorization cancel", jid)

    def unsubscribe(self, jid: str) -> None:
        self._say("authorization request_unsubscribe", jid)

    def _say(self, command: str, jid: str) -> None:
        self._check(jid)
        if not self._ask(f"{command} {_quoted(bare(jid))}"):
            raise Failed(f"mcabber did not take {command!r}")

    def remove_contact(self, jid: str) -> None:
        self._look_now()
        if not self._buddies.get(bare(jid), {}).get("listed"):
            raise Failed("not on the roster")
        self._ask(f"agent select {bare(jid)}", "del")

    def roster(self) -> dict[str, Any]:
        self._look_now()
        return {
            "contacts": [_contact(line) for line in self._buddies.values() if line["listed"] and not line["room"]]
        }

    def _look_now(self) -> None:
        self.until(lambda: not self._looking or not self.online, "the roster")
        self._looking = True
        self._ask("agent roster", "agent mark look")

    def ping(self, jid: str) -> None:
        self._check(jid)
        before = self._lengths()
        said = len(self._log_lines)
        self._ask(f"request ping {_quoted(jid)}")

        def answered() -> bool:
            if errors := [line for line in self._log_lines[said:] if "error packet" in line and bare(jid) in line]:
                raise Failed("; ".join(errors))
            return self._lengths().get(bare(jid), 0) > before.get(bare(jid), 0)

        self.until(answered, "mcabber's line on the ping", ANSWER_WITHIN, slowly=True)

    def _lengths(self) -> dict[str, int]:
        """The number of lines in each buffer."""
        lines = self._status_buffer("buffer list")
        start = max((n for n, line in enumerate(lines) if line.endswith("Buffer list:")), default=len(lines))
        found = (re.search(r"(\S+)  \((\d+)/\d+\)$", line) for line in lines[start:])
        return {one[1]: int(one[2]) for one in found if one}

    def join(self, room: str, nick: str) -> None:
        self._check(room)
        self._room("room join", f"room join {_quoted(room)} {_quoted(nick)}", room, f"You have joined {room} ")

    def leave_room(self, room: str) -> None:
        if not self._is_room(room):
            raise Failed("not in that room")
        self._room("room leave", f"agent select {room}\nroom leave", room, f"You have left {room}")

    def _room(self, what: str, lines: str, room: str, sign: str) -> None:
        before = len(self._log_lines)
        self._ask(*lines.split("\n"))

        def seen() -> bool:
            news = self._log_lines[before:]
            if any(line.startswith(f"Error presence packet from <{room}") for line in news):
                raise Failed("; ".join(line for line in news if "rror" in line))
            return any(line.startswith(sign) for line in news)

        self.until(seen, f"{what}: {sign!r}")
        self._look_now()

    def enable_carbons(self) -> None:
        def state() -> str:
            said = [line for line in self._status_buffer("carbons info") if "Carbons " in line]
            return said[-1] if said else ""

        try:  # mcabber asks the server what it can do as it connects: the answer may be on its way
            self.until(
                lambda: not state().endswith("not available."), "that the server offers carbons", 3.0, slowly=True
            )
        except Failed:
            raise Failed(state()) from None
        if not state().endswith("Carbons enabled."):
            self._ask("carbons enable")
            self.until(lambda: state().endswith("Carbons enabled."), "'Carbons enabled.'", ANSWER_WITHIN, slowly=True)

    # ---

    def _is_room(self, jid: str) -> bool:
        return bool(self._buddies.get(jid, {}).get("inside"))

    def _check(self, jid: str) -> None:
        if not self.online:
            raise Failed("not connected")
        if re.search(r"[\x00-\x1f]", jid):
            raise Failed("no JID that could be typed")


def _found_at(host: str, jid: str) -> bool:
    """Whether the JID's domain leads there by itself: in direct TLS, mcabber holds the certificate against `server`."""
    with contextlib.suppress(OSError):
        return socket.gethostbyname(bare(jid).rpartition("@")[2]) == host
    return False


def _contact(line: dict[str, str]) -> dict[str, str]:
    name = {"name": line["name"]} if line["name"] not in ("", line["buddy"]) else {}
    return {"jid": line["buddy"], **name, "subscription": line["subscription"]}


def _full(jid: str, resource: str) -> str:
    return f"{jid}/{resource}" if resource else jid


def _quoted(text: str) -> str:
    """A parameter of a command of mcabber's."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def version() -> str:
    said = subprocess.run(["mcabber", "-V"], check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    found = re.search(r"MCabber (\S+)", said.stdout)
    return found[1] if found else "unknown"


if __name__ == "__main__":
    agent = Mcabber()
    tell("ready", client="mcabber", version=version())
    sys.exit(agent.run())
