"""What profanity shows its user, and how it is told what to do: it runs in a pseudo-terminal, and keys are typed.

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
from typing import Any, NoReturn

from console import COLUMNS, ROWS, Console
from terminal import Failed, Program, TerminalAgent, bare, log, tell

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
"""The console has all the screen, without times; a lost connection stays lost; one authority is trusted."""

SAID = 65536  # characters of its log that are remembered
MARK = "mark "  # what the plugin shows at a mark, before its number
STILL = 0.02  # seconds without paint, after which the screen is read
START_WITHIN = 50.0  # seconds for profanity to start: the lab waits 60 for an agent
ANSWER_WITHIN = 15.0  # seconds for an entity to answer: the lab waits 20
PASTE, PASTED, CLEAR_LINE = "\x1b[200~", "\x1b[201~", "\x15"
SHOWS = {"online": None, "chat": "chat", "away": "away", "xa": "xa", "dnd": "dnd"}
CONTACT = re.compile(r"^-? *(\S+@\S+|\S+\.\S+)(?: \((.*)\))? - (none|to|from|both)\b")
TYPES = re.compile(r"!! (.+) is typing a message")
ASKS = re.compile(r"Received authorization request from (\S+)$")
HEADLINE = re.compile(r"Headline from (\S+): (.*)")

Facts = dict[str, Any]


class Shown(TerminalAgent):
    def __init__(self) -> None:
        super().__init__()
        self.online = self.leaving = False
        self.jid = ""
        self._heard = b""
        self._said = ""
        self.facts: list[Facts] = []
        self.shown: list[str] = []
        self._painted_at = 0.0
        self._marks = self._marks_shown = 0
        self._console = Console()
        self.log_read = 0
        self.rooms: dict[str, str] = {}
        self.sent: dict[str, str] = {}
        self._awaited: dict[str, str] = {}
        self._contacts: dict[str, Facts] = {}
        self.roster_changed = self._busy = False
        self._copies: list[tuple[float, Facts]] = []

    # --- the program

    def start(self) -> None:
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
        self.log = self.home / "log"
        self.log.write_text("")
        self.log_read, self._heard, self._console = 0, b"", Console()
        self.facts.clear()
        self.shown.clear()
        reads, writes = os.pipe()
        os.set_inheritable(writes, True)
        self.program = Program(
            ["profanity", "--log", "DEBUG", "--logfile", str(self.log)],
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
        self.told(lambda fact: fact["hook"] == "start", "that profanity has started", 0, START_WITHIN)

    def stop(self) -> None:
        if self.program is None:
            return
        for descriptor in (self._events, self.program.terminal):
            if descriptor in self._selector.get_map():
                self.unwatch(descriptor)
        os.close(self._events)
        self.program.end()
        self.program = None
        self.offline()

    def offline(self) -> None:
        self.online = self.roster_changed = False
        for known in (self.rooms, self.sent, self._awaited, self._contacts):
            known.clear()

    def leave(self) -> None:
        self.leaving = True
        if self.program is not None and self.program.running():
            self.type("/quit")
            deadline = time.monotonic() + 2.0
            while self.program and self.program.running() and time.monotonic() < deadline:
                self.turn(0.02)
        self.stop()

    def type(self, line: str) -> None:
        """Paste a line and press Enter."""
        self.keys(f"{CLEAR_LINE}{PASTE}{line}{PASTED}\r")

    def do(self, *lines: str) -> int:
        """Type lines and wait until profanity has carried them out. Where its facts stood before."""
        if not self.online:
            raise Failed("not connected")
        since = len(self.facts)
        self._marks += 1
        for line in (*lines, "/win 1", f"/agent {self._marks}"):
            self.type(line)
        mark = str(self._marks)
        self.told(lambda fact: fact["hook"] == "mark" and fact["mark"] == mark, f"the end of {[*lines][:1]}", since)
        return since

    def told(self, fits: Callable[[Facts], bool], what: str, since: int, seconds: float = ANSWER_WITHIN) -> Facts:
        """The first fact that the plugin told since then and that fits."""
        return self.until(lambda: next(filter(fits, self.facts[since:]), None), what, seconds)  # type: ignore[no-any-return]

    def line(self, fits: Callable[[str], bool], what: str, since: int, seconds: float = ANSWER_WITHIN) -> str:
        """The first line of the console since then that fits."""
        return self.until(lambda: next(filter(fits, self.shown[since:]), None), what, seconds)  # type: ignore[no-any-return]

    # --- what it tells

    def turn(self, seconds: float | None) -> None:
        waits = seconds
        if self._painted_at or self._copies:
            waits = STILL if seconds is None else min(seconds, STILL)
        super().turn(waits)
        if self._painted_at and time.monotonic() - self._painted_at >= STILL and self._console.painted():
            self._look()
        self._look_for_copies()
        if self.roster_changed and self.online and not self._busy:
            self.roster_changed = False
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
        elif not self.leaving:
            self._died()
        else:
            self.unwatch(self.program.terminal)

    def _died(self) -> NoReturn:
        """profanity ended, and was not asked to: so does the agent, whose end is told of its client's."""
        pid, self.program = self.program.pid, None
        _, status = os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        sys.exit(f"profanity {f'was killed by signal {-code}' if code < 0 else f'exited with code {code}'}")

    def _look(self) -> None:
        self._painted_at = 0.0
        for line in self._console.new_lines():
            if line.startswith(MARK):
                self._marks_shown = int(line.removeprefix(MARK))
                continue
            self.shown.append(line)
            log(line)
            if asks := ASKS.search(line):
                tell("subscription-request", **{"from": asks[1]})
            elif headline := HEADLINE.search(line):
                tell("message", **{"from": headline[1]}, body=headline[2], type="headline")
            elif types := TYPES.search(line):
                name = types[1]
                named = (jid for jid, contact in self._contacts.items() if contact.get("name") == name)
                tell("chat-state", **{"from": next(named, name)}, state="composing")
            elif "Lost connection." in line and self.online:
                self._lost(line)

    def _lost(self, reason: str) -> None:
        self.offline()
        if not self.leaving:
            tell("offline", reason=reason)

    def _read_events(self) -> None:
        data = os.read(self._events, 65536)
        if not data:
            self.unwatch(self._events)
        *lines, self._heard = (self._heard + data).split(b"\n")
        for line in lines:
            self._hear(json.loads(line))

    def _hear(self, fact: Facts) -> None:
        self.facts.append(fact)
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
        elif hook == "occupant" and bare(fact["jid"] or "") in self.rooms:
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
            self.roster_changed = True

    def _message(self, fact: Facts) -> None:
        if fact.get("archived"):  # the hook is called, though such a message is not printed: it goes into the archive
            log(f"a result of an archive, which profanity does not print: {fact['body']}")
            return
        groupchat = fact["hook"] in ("room", "history")
        corrects = fact.get("replace") if fact["hook"] in ("chat", "room") else None
        self._said = (self._said + self.new_log())[-SAID:]  # of several messages, maybe: each names the body
        if corrects and re.search(f"Illicit LMC attempt .* with: {re.escape(fact['body'])}", self._said):
            log(f"a correction that profanity does not show: {fact['body']}")
            return
        if corrects and f"Replace ID {corrects} could not be found in buffer. Message: {fact['body']}" in self._said:
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

    def new_log(self) -> str:
        with self.log.open("rb") as file:
            file.seek(self.log_read)
            data = file.read()
        self.log_read += len(data)
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
        listed = self.read_roster()
        for jid, contact in listed.items():
            if self._contacts.get(jid) != contact:
                tell("contact", **contact)
        for jid in self._contacts.keys() - listed.keys():
            tell("contact", jid=jid, subscription="remove")
        self._contacts = listed

    def read_roster(self) -> dict[str, Facts]:
        """What /roster lists now."""
        since = len(self.shown)
        self.do("/roster")
        self.settle()
        lines = self.shown[since:]
        found = (CONTACT.match(line) for line in lines)
        return {
            one[1]: {"jid": one[1], **({"name": one[2]} if one[2] else {}), "subscription": one[3]}
            for one in found
            if one
        }

    def settle(self) -> None:
        """Wait until all is on the screen that the commands so far have shown."""
        self.do()
        self.until(lambda: self._marks_shown >= self._marks, "a still screen", ANSWER_WITHIN)


def _full(jid: str, resource: str | None) -> str:
    return f"{jid}/{resource}" if resource else jid
