"""The agent of profanity: the program itself in a pseudo-terminal, driven by what a user types.

What is told comes from profanity's own interfaces: its plugin hooks (plugin.py; the display hooks say what is shown),
its log and its archive of messages where no hook says it, and its console window for what stands nowhere else.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from console import COLUMNS, ROWS, Console
from terminal import TICK, Failed, Program, TerminalAgent, Unsupported, bare, log, tell

SETTINGS = """\
[plugins]
load=plugin.py

[ui]
splash=false
roster=false
wrap=false
time.console=off

[connection]
reconnect=0
tls.certpath={certificates}
"""
"""The console is all the screen's, without times; a lost connection stays lost; one certificate authority is trusted."""

STILL = 0.02  # seconds without paint, after which the screen is read
ANSWER_WITHIN = 10.0  # seconds for an entity to answer
ROSTER_WITHIN = 3.0  # seconds that `connect` waits for the roster, once logged in
PAUSED_WITHIN = 15.0  # seconds: profanity tells `paused` after 10 without a key
PASTE, PASTED, CLEAR_LINE = "\x1b[200~", "\x1b[201~", "\x15"
SHOWS = {"online": None, "chat": "chat", "away": "away", "xa": "xa", "dnd": "dnd"}
CONTACT = re.compile(r"^-? *(\S+@\S+|\S+\.\S+)(?: \((.*)\))? - (none|to|from|both)\b")
TYPES = re.compile(r"!! (.+) is typing a message")
ASKS = re.compile(r"Received authorization request from (\S+)$")
BAD_CERTIFICATE = "TLS certificate verification failed"
GAVE_UP = ("Login failed.", "Connection attempt for", "Aborting connection.")

Facts = dict[str, Any]


class Profanity(TerminalAgent):
    commands = {
        "connect": ("connect", ""),
        "disconnect": ("disconnect", ""),
        "send-message": ("send_message", "to body type receipt"),
        "correct-message": ("correct_message", "to body sent type"),
        "send-chat-state": ("send_chat_state", "to state"),
        "send-presence": ("send_presence", "show status priority"),
        "subscribe": ("subscribe", "jid"),
        "accept": ("accept", "jid"),
        "refuse": ("refuse", "jid"),
        "remove-contact": ("remove_contact", "jid"),
        "roster": ("roster", ""),
        "discover": ("discover", "jid"),
        "features-of": ("features_of", "jid"),
        "ping": ("ping", "jid"),
        "join": ("join", "room nick"),
        "leave": ("leave_room", "room"),
        "enable-carbons": ("enable_carbons", ""),
    }

    def __init__(self) -> None:
        super().__init__()
        self.program: Program | None = None
        self.online = self._leaving = False
        self._jid = ""
        self._heard = b""
        self._facts: list[Facts] = []
        self._shown: list[str] = []
        self._painted_at = 0.0
        self._marks = 0
        self._console = Console()
        self._log_read = 0
        self._rooms: dict[str, str] = {}
        self._sent: dict[str, str] = {}
        self._awaited: dict[str, str] = {}
        self._contacts: dict[str, Facts] = {}
        self._roster_changed = self._busy = False
        self._copies: list[tuple[float, Facts]] = []

    # --- the program

    def _start(self) -> None:
        env = os.environ
        config, data = self.home / "config" / "profanity", self.home / "data" / "profanity"
        certificates = self.home / "certificates"
        for folder in (config, data / "plugins", certificates):
            folder.mkdir(parents=True, exist_ok=True)
        (certificates / "ca.pem").write_bytes(Path(env["XMPP_CA"]).read_bytes())
        subprocess.run(["openssl", "rehash", certificates], check=True, stdout=subprocess.DEVNULL)
        (data / "plugins" / "plugin.py").write_bytes((Path(__file__).parent / "plugin.py").read_bytes())
        (config / "profrc").write_text(SETTINGS.format(certificates=certificates))
        resource = env.get("XMPP_RESOURCE")
        account = {
            "enabled": "true",
            "jid": env["XMPP_JID"],
            "password": env["XMPP_PASSWORD"].replace("\\", "\\\\"),
            "server": env["XMPP_HOST"],
            "port": env["XMPP_PORT"],
            "tls.policy": "legacy" if env["XMPP_TLS"] == "direct" else "force",
            **({"resource": resource} if resource else {}),
        }
        accounts = data / "accounts"
        accounts.write_text("[lab]\n" + "".join(f"{name}={value}\n" for name, value in account.items()))
        accounts.chmod(0o600)
        self._log = self.home / "log"
        self._log.write_text("")
        self._log_read, self._heard, self._console = 0, b"", Console()
        self._facts.clear()
        self._shown.clear()
        reads, writes = os.pipe()
        os.set_inheritable(writes, True)
        self.program = Program(
            ["profanity", "--log", "DEBUG", "--logfile", str(self._log)],
            {
                "HOME": str(self.home),
                "XDG_CONFIG_HOME": str(self.home / "config"),
                "XDG_DATA_HOME": str(self.home / "data"),
                "PATH": env["PATH"],
                "TERM": "linux",  # what pyte understands
                "LANG": "C.UTF-8",
                "AGENT_EVENTS": str(writes),
            },
            rows=ROWS,
            columns=COLUMNS,
        )
        os.close(writes)
        self._events = reads
        self.watch(reads, self._read_events)
        self.watch(self.program.terminal, self._read_terminal)
        self._await(lambda fact: fact["hook"] == "start", "that profanity has started", 0)

    def _stop(self) -> None:
        if self.program is None:
            return
        for descriptor in (self._events, self.program.terminal):
            if descriptor in self._selector.get_map():
                self.unwatch(descriptor)
        os.close(self._events)
        self.program.end()
        self.program = None
        self._offline()

    def _offline(self) -> None:
        self.online = self._roster_changed = False
        for known in (self._rooms, self._sent, self._awaited, self._contacts):
            known.clear()

    def leave(self) -> None:
        self._leaving = True
        if self.program is not None and self.program.running():
            self._type("/quit")
            deadline = time.monotonic() + 2.0
            while self.program and self.program.running() and time.monotonic() < deadline:
                self.turn(0.02)
        self._stop()

    def _type(self, line: str) -> None:
        """Paste a line and press Enter."""
        if self.program is None:
            raise Failed("profanity has ended")
        self.program.type(f"{CLEAR_LINE}{PASTE}{line}{PASTED}\r")

    def _do(self, *lines: str) -> int:
        """Type lines and wait until profanity has carried them out. Where its facts stood before."""
        if not self.online:
            raise Failed("not connected")
        since = len(self._facts)
        self._marks += 1
        for line in (*lines, "/win 1", f"/agent {self._marks}"):
            self._type(line)
        mark = str(self._marks)
        self._await(lambda fact: fact["hook"] == "mark" and fact["mark"] == mark, f"the end of {lines[0]!r}", since)
        return since

    def _await(self, fits: Callable[[Facts], bool], what: str, since: int, seconds: float = ANSWER_WITHIN) -> Facts:
        """The first fact that the plugin told since then and that fits."""
        return self.until(lambda: next(filter(fits, self._facts[since:]), None), what, seconds)  # type: ignore[no-any-return]

    def _await_line(self, fits: Callable[[str], bool], what: str, since: int, seconds: float = ANSWER_WITHIN) -> str:
        """The first line of the console since then that fits."""
        return self.until(lambda: next(filter(fits, self._shown[since:]), None), what, seconds)  # type: ignore[no-any-return]

    # --- what it tells

    def turn(self, seconds: float | None) -> None:
        waits = seconds
        if self._painted_at or self._copies:
            waits = STILL if seconds is None else min(seconds, STILL)
        super().turn(waits)
        if self._painted_at and time.monotonic() - self._painted_at >= STILL:
            self._look()
        self._look_for_copies()
        if self._roster_changed and self.online and not self._busy:
            self._roster_changed = False
            with contextlib.suppress(Failed):
                self._compare_roster()

    def _answer(self, line: bytes) -> None:
        self._busy = True
        try:
            super()._answer(line)
        finally:
            self._busy = False

    def _read_terminal(self) -> None:
        if self.program is None:
            return
        if data := self.program.read():
            self._console.paint(data)
            self._painted_at = time.monotonic()
        else:
            self.unwatch(self.program.terminal)
            if self.online:
                self._lost("profanity ended")

    def _look(self) -> None:
        self._painted_at = 0.0
        for line in self._console.new_lines():
            self._shown.append(line)
            log(line)
            if asks := ASKS.search(line):
                tell("subscription-request", **{"from": asks[1]})
            elif types := TYPES.search(line):
                name = types[1]
                named = (jid for jid, contact in self._contacts.items() if contact.get("name") == name)
                tell("chat-state", **{"from": next(named, name)}, state="composing")
            elif "Lost connection." in line and self.online:
                self._lost(line)

    def _lost(self, reason: str) -> None:
        self._offline()
        if not self._leaving:
            tell("offline", reason=reason)

    def _read_events(self) -> None:
        data = os.read(self._events, 65536)
        if not data:
            self.unwatch(self._events)
        *lines, self._heard = (self._heard + data).split(b"\n")
        for line in lines:
            self._hear(json.loads(line))

    def _hear(self, fact: Facts) -> None:
        self._facts.append(fact)
        hook = fact["hook"]
        if hook in ("chat", "private", "room", "history"):
            self._message(fact)
        elif hook == "presence":
            available = fact["show"] != "offline"
            tell(
                "presence",
                **{"from": _full(fact["jid"], fact["resource"])},
                available=available,
                show=SHOWS.get(fact["show"]),
                status=fact["status"],
            )
        elif hook == "occupant" and bare(fact["jid"] or "") in self._rooms:
            tell(
                "presence",
                **{"from": fact["jid"]},
                available=fact["available"],
                show=fact["show"],
                status=fact["status"],
            )
        elif hook == "sent" and fact["body"] is not None and fact["asks"]:
            self._awaited[fact["id"]] = bare(fact["to"])
        elif hook == "receipt" and self._awaited.get(fact["sent"]) == bare(fact["jid"] or ""):
            # profanity takes the mark off the line of that id, in the window of whoever sends the receipt.
            del self._awaited[fact["sent"]]
            tell("receipt", **{"from": fact["jid"]}, sent=fact["sent"])
        elif hook == "sent-carbon":
            self._copies.append((time.monotonic() + 2.0, fact))
        elif hook == "roster":
            self._roster_changed = True

    def _message(self, fact: Facts) -> None:
        groupchat = fact["hook"] in ("room", "history")
        corrects = fact.get("replace") if fact["hook"] in ("chat", "room") else None
        said = self._new_log()
        if corrects and "Illicit LMC attempt" in said:
            log(f"a correction that profanity does not show: {fact['body']}")
            return
        if corrects and f"Replace ID {corrects} could not be found" in said:
            corrects = None
        tell(
            "message",
            **{"from": _full(fact["jid"], fact["resource"])},
            body=fact["body"],
            id=fact.get("id"),
            type="groupchat" if groupchat else None,
            carbon=fact.get("carbon"),
            stamp=fact.get("stamp"),
            corrects=corrects,
        )

    def _new_log(self) -> str:
        with self._log.open("rb") as file:
            file.seek(self._log_read)
            data = file.read()
        self._log_read += len(data)
        return data.decode("utf-8", "replace")

    def _look_for_copies(self) -> None:
        """Copies of messages that another client of the account sent: no hook tells that they are shown, but what
        profanity prints into a chat's window it writes into its archive in the next step."""
        for until, fact in list(self._copies):
            if self._archived(fact):
                tell(
                    "message",
                    **{"from": fact["jid"]},
                    to=fact["to"],
                    body=fact["body"],
                    id=fact["id"],
                    carbon="sent",
                    stamp=fact["stamp"],
                    corrects=fact["replace"],
                )
            elif time.monotonic() < until:
                continue
            self._copies.remove((until, fact))

    def _archived(self, fact: Facts) -> bool:
        for file in (self.home / "data" / "profanity" / "database").glob("*/chatlog.db"):
            with (
                contextlib.suppress(sqlite3.Error),
                contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as db,
            ):
                found = db.execute(
                    "SELECT 1 FROM ChatLogs WHERE message = ? AND to_jid = ? AND stanza_id IS ? LIMIT 1",
                    (fact["body"], bare(fact["to"]), fact["id"]),
                ).fetchone()
                return found is not None
        return False

    def _compare_roster(self) -> None:
        listed = self._read_roster()
        for jid, contact in listed.items():
            if self._contacts.get(jid) != contact:
                tell("contact", **contact)
        for jid in self._contacts.keys() - listed.keys():
            tell("contact", jid=jid, subscription="remove")
        self._contacts = listed

    def _read_roster(self) -> dict[str, Facts]:
        """What /roster lists now."""
        since = len(self._shown)
        self._do("/roster")
        self._settle()
        lines = self._shown[since:]
        found = (CONTACT.match(line) for line in lines)
        return {
            one[1]: {"jid": one[1], **({"name": one[2]} if one[2] else {}), "subscription": one[3]}
            for one in found
            if one
        }

    def _settle(self) -> None:
        """Wait until the screen is read."""
        deadline = time.monotonic() + TICK * 2
        self.until(lambda: not self._painted_at and time.monotonic() > deadline, "a still screen")

    # --- the commands

    def connect(self) -> Facts:
        if self.online:
            raise Failed("connected already")
        if self.program is None or not self.program.running():
            self._stop()
            self._start()
        since, facts = len(self._shown), len(self._facts)
        self._log_read = self._log.stat().st_size
        self._type("/connect lab")
        said = ""

        def outcome() -> str:
            nonlocal said
            said += self._new_log()
            if "logged in successfully" in said:
                return "online"
            if any(BAD_CERTIFICATE in line for line in self._shown[since:]):
                return "bad certificate"
            if any(word in line for line in self._shown[since:] for word in GAVE_UP):
                return "gave up"
            return "" if self.program and self.program.running() else "ended"

        try:
            how = self.until(outcome, "that profanity has connected")
            if how == "bad certificate":
                self._type("/tls deny")
                self.until(
                    lambda: any("Login failed." in line for line in self._shown[since:]), "that it gave up", 5.0
                )
        except Failed as why:
            how = str(why)
        if how != "online":
            lines = [line.strip() for line in self._shown[since:]]
            start = next((n for n, line in enumerate(lines) if line.startswith("Connecting with account")), 0)
            reason = "; ".join(lines[start:])
            self._stop()
            raise Failed(reason or how)
        self.online = True
        with contextlib.suppress(Failed):
            self._await(lambda fact: fact["hook"] in ("connect", "no-roster"), "the roster", facts, ROSTER_WITHIN)
        found = re.search(r"jid: (\S+@\S+/\S+)|<jid>([^<]+)</jid>", said + self._new_log())
        connected = [fact["jid"] for fact in self._facts[facts:] if fact["hook"] == "connect"]
        self._jid = connected[-1] if connected else (found[1] or found[2]) if found else ""
        tell("online", jid=self._jid)
        return {"jid": self._jid}

    def disconnect(self) -> None:
        if not self.online:
            raise Failed("not connected")
        self._leaving = True
        since = len(self._shown)
        try:
            self._type("/disconnect")
            self._await_line(lambda line: "logged out successfully" in line, "'logged out successfully'", since)
        finally:
            self._leaving = False
        self._offline()

    def send_message(self, to: str, body: str, type: str = "chat", receipt: bool = False) -> Facts:
        self._check(to)
        if type == "normal":
            raise Unsupported("profanity sends chat messages")
        if type == "groupchat":
            if body.startswith("/"):
                raise Unsupported("a line that begins with a slash is a command")
            self._in_room(to)
            lines = (f"/win {to}", body)
        else:
            lines = (f"/receipts request {'on' if receipt else 'off'}", "/win 1", f'/msg "{to}" {body}')
        return self._sends(lines, to)

    def correct_message(self, to: str, body: str, sent: str | None = None, type: str = "chat") -> Facts:
        self._check(to)
        if type == "groupchat":
            self._in_room(to)
        last = self._sent.get(to)
        if last is None:
            raise Failed("nothing was sent there")
        if sent not in (None, last):
            raise Unsupported("profanity corrects the last message alone")
        answer = self._sends((f"/win {to}", f"/correct {body}"), to)
        self._sent[to] = last
        return answer

    def _sends(self, lines: tuple[str, ...], to: str) -> Facts:
        since = self._do(*lines)
        said = [fact for fact in self._facts[since:] if fact["hook"] == "sent" and fact["body"] is not None]
        if not said:
            self._settle()
            raise Failed("profanity sent nothing: " + "; ".join(self._shown[-2:]))
        self._sent[to] = said[-1]["id"]
        return {"sent": said[-1]["id"]}

    def send_chat_state(self, to: str, state: str) -> None:
        self._check(to)
        if state not in ("composing", "paused", "gone"):
            raise Unsupported(f"no key makes profanity tell {state!r}")
        since = len(self._facts)

        def told(seconds: float) -> None:
            self._await(
                lambda fact: fact["hook"] == "sent" and fact["state"] == state, f"the state {state!r}", since, seconds
            )

        if state == "gone":
            self._do(f"/close {to}")
            told(1.0)
            return
        self._type(f'/msg "{to}"')
        assert self.program is not None
        self.program.type("typing")
        try:
            told(PAUSED_WITHIN if state == "paused" else 3.0)
        finally:
            self._do("/win 1")

    def send_presence(self, show: str | None = None, status: str | None = None, priority: int | None = None) -> None:
        if status is not None and ('"' in status or "\n" in status):
            raise Unsupported("a status that cannot be typed in quotes")
        since = len(self._facts)
        if priority is not None:
            self._do(f"/priority {priority}")
        if show or status is not None or priority is None:
            self._do(f"/status set {show or 'online'}" + (f' "{status}"' if status else ""))
        self._await(lambda fact: fact["hook"] == "presence-sent", "its presence", since)

    def subscribe(self, jid: str) -> None:
        self._says(f"/sub request {jid}", jid, "Sent subscription request to")

    def accept(self, jid: str) -> None:
        self._says(f"/sub allow {jid}", jid, "Accepted subscription for")

    def refuse(self, jid: str) -> None:
        self._says(f"/sub deny {jid}", jid, "Deleted/denied subscription for")

    def remove_contact(self, jid: str) -> None:
        self._says(f"/roster remove {jid}", jid, "Roster item removed:")
        self._roster_changed = True

    def _says(self, line: str, jid: str, sign: str) -> None:
        self._check(jid)
        since = len(self._shown)
        self._do(line)
        with contextlib.suppress(Failed):
            self._await_line(lambda line: sign in line, sign, since, 3.0)
            return
        raise Failed("; ".join(self._shown[since:]) or f"not shown: {sign}")

    def roster(self) -> Facts:
        return {"contacts": list(self._read_roster().values())}

    def discover(self, jid: str) -> Facts:
        self._check(jid)
        since = len(self._shown)
        self._do(f"/disco info {jid}")
        head = f"Service discovery info for {jid}"

        def seen(line: str) -> bool:
            return line.endswith(head) or "Service discovery failed" in line

        if "failed" in (line := self._await_line(seen, head, since)):
            raise Failed(line)
        self._settle()
        lines = self._shown[self._shown.index(line, since) + 1 :]
        identities, features = [], []
        into: list[str] | None = None
        for line in lines:
            if line.strip() in ("Identities", "Features:"):
                into = identities if line.strip() == "Identities" else features
            elif into is not None and line.startswith("    "):
                into.append(line.strip())
            else:
                break
        return {"features": features, "identities": [_identity(line) for line in identities]}

    def features_of(self, jid: str) -> Facts:
        self._check(jid)
        since = len(self._shown)
        self._do(f"/caps {jid}")
        self._settle()
        lines = self._shown[since:]
        if not any(line.endswith("Features:") for line in lines):
            raise Failed("; ".join(lines) or "profanity shows nothing")
        start = next(n for n, line in enumerate(lines) if line.endswith("Features:"))
        return {"features": [line.strip() for line in lines[start + 1 :] if line.startswith(" ")]}

    def ping(self, jid: str) -> None:
        self._check(jid)
        since = len(self._shown)
        self._do(f"/ping {jid}")

        def seen(line: str) -> bool:
            return "Ping response from" in line or "Error returned from pinging" in line or "not support ping" in line

        if "Ping response" not in (line := self._await_line(seen, "a line on the ping", since)):
            raise Failed(line)

    def join(self, room: str, nick: str) -> None:
        self._check(room)
        if '"' in nick or "\n" in nick:
            raise Unsupported("a nickname that cannot be typed in quotes")
        if room in self._rooms:
            raise Failed("in that room already")
        since = len(self._shown)
        self._rooms[room] = nick
        facts = len(self._facts)
        try:
            self._do("/win 1", f'/join {room} nick "{nick}"')

            def inside() -> bool:
                if failed := next((line for line in self._shown[since:] if "Error joining room" in line), ""):
                    raise Failed(failed)
                return "110" in codes()

            def codes() -> list[str]:
                own = (fact for fact in self._facts[facts:] if fact["hook"] == "occupant")
                return [code for fact in own if bare(fact["jid"]) == room for code in fact["codes"]]

            self.until(inside, "that profanity is in the room", ANSWER_WITHIN)
            # A new room is locked, and profanity asks its user whether to take it as it is.
            self._do(*([f"/win {room}", "/room accept"] if "201" in codes() else []), "/win 1")
        except Failed:
            del self._rooms[room]
            raise

    def leave_room(self, room: str) -> None:
        self._in_room(room)
        since = self._do(f"/close {room}")
        self._await(
            lambda fact: fact["hook"] == "presence-sent" and fact["type"] == "unavailable", "that it left", since
        )
        self._rooms.pop(room, None)

    def enable_carbons(self) -> None:
        since = len(self._shown)
        self._do("/carbons on")
        self._await_line(lambda line: "arbons" in line, "a line on carbons", since)

    # ---

    def _in_room(self, room: str) -> None:
        if room not in self._rooms:
            raise Failed("not in that room")

    def _check(self, jid: str) -> None:
        if not self.online:
            raise Failed("not connected")
        if re.search(r'[\x00-\x1f"]', jid):
            raise Failed("no JID that could be typed")


def _identity(line: str) -> Facts:
    """An identity as the console shows it: the name, if any, the type and the category, with spaces between."""
    *name, type_, category = line.split(" ") if " " in line else ["", line]
    return {"category": category, "type": type_, **({"name": " ".join(name)} if any(name) else {})}


def _full(jid: str, resource: str | None) -> str:
    return f"{jid}/{resource}" if resource else jid


def version() -> str:
    said = subprocess.run(
        ["profanity", "--version"], check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    found = re.search(r"version (\S+)", said.stdout)
    return found[1] if found else "unknown"


if __name__ == "__main__":
    agent = Profanity()
    tell("ready", client="profanity", version=version())
    sys.exit(agent.run())
