"""The agent of profanity: the program itself in a pseudo-terminal, driven by what a user types.

The contract's commands, as profanity's own. What it shows meanwhile is told by shown.py.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
from typing import ClassVar

from shown import ANSWER_WITHIN, Facts, Shown
from terminal import Failed, Unsupported, bare, tell

ROSTER_WITHIN = 3.0  # seconds that `connect` waits for the roster, once logged in
PAUSED_WITHIN = 15.0  # seconds: profanity tells `paused` after 10 without a key
BAD_CERTIFICATE = "TLS certificate verification failed"
GAVE_UP = ("Login failed.", "Connection attempt for", "Aborting connection.")


class Profanity(Shown):
    commands: ClassVar = {
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
        "archive": ("archive", "with max"),
    }

    def connect(self) -> Facts:
        if self.online:
            raise Failed("connected already")
        if self.program is None or not self.program.running():
            self.stop()
            self.start()
        since, facts = len(self.shown), len(self.facts)
        self.log_read = self.log.stat().st_size
        self.type("/connect lab")
        said = ""

        def outcome() -> str:
            nonlocal said
            said += self.new_log()
            if "logged in successfully" in said:
                return "online"
            if any(BAD_CERTIFICATE in line for line in self.shown[since:]):
                return "bad certificate"
            if any(word in line for line in self.shown[since:] for word in GAVE_UP):
                return "gave up"
            return ""

        try:
            how = self.until(outcome, "that profanity has connected")
            if how == "bad certificate":
                self.type("/tls deny")
                self.until(
                    lambda: any("Login failed." in line for line in self.shown[since:]), "that it gave up", 5.0
                )
        except Failed as why:
            how = str(why)
        if how != "online":
            lines = [line.strip() for line in self.shown[since:]]
            start = next((n for n, line in enumerate(lines) if line.startswith("Connecting with account")), 0)
            reason = "; ".join(lines[start:])
            self.stop()
            raise Failed(reason or how)
        self.online = True
        with contextlib.suppress(Failed):
            self.told(lambda fact: fact["hook"] in ("connect", "no-roster"), "the roster", facts, ROSTER_WITHIN)
        found = re.search(r"jid: (\S+@\S+/\S+)|<jid>([^<]+)</jid>", said + self.new_log())
        connected = [fact["jid"] for fact in self.facts[facts:] if fact["hook"] == "connect"]
        # Where its stream was resumed, nothing says the JID again: it is the same.
        self.jid = connected[-1] if connected else (found[1] or found[2]) if found else self.jid
        tell("online", jid=self.jid)
        return {"jid": self.jid}

    def disconnect(self) -> None:
        if not self.online:
            raise Failed("not connected")
        self.leaving = True
        since = len(self.shown)
        try:
            self.type("/disconnect")
            self.line(lambda line: "logged out successfully" in line, "'logged out successfully'", since)
        finally:
            self.leaving = False
        self.offline()

    def send_message(self, to: str, body: str, kind: str = "chat", receipt: bool = False) -> Facts:
        self._check(to)
        if kind == "normal":
            raise Unsupported("profanity sends chat messages")
        if kind == "groupchat":
            self._in_room(to)
        if kind == "groupchat" and body.startswith("/"):
            raise Unsupported("a line that begins with a slash is a command")
        receipts = f"/receipts request {'on' if receipt else 'off'}"
        if kind == "groupchat":
            return self._sends(to, f"/win {to}", body)
        if body.startswith('"'):  # in a command, a text that begins so would end at the next quote
            return self._sends(to, receipts, f'/msg "{to}"', body)
        return self._sends(to, receipts, f'/msg "{to}" {body}')

    def correct_message(self, to: str, body: str, sent: str | None = None, kind: str = "chat") -> Facts:
        self._check(to)
        if kind == "groupchat":
            self._in_room(to)
        last = self.sent.get(to)
        if last is None:
            raise Failed("nothing was sent there")
        if sent not in (None, last):
            raise Unsupported("profanity corrects the last message alone")
        answer = self._sends(to, f"/win {to}", f"/correct {body}")
        self.sent[to] = last
        return answer

    def _sends(self, to: str, *lines: str) -> Facts:
        since = self.do(*lines)
        said = [fact for fact in self.facts[since:] if fact["hook"] == "sent" and fact["body"] is not None]
        if not said:
            self.settle()
            raise Failed("profanity sent nothing: " + "; ".join(self.shown[-2:]))
        self.sent[to] = said[-1]["id"]
        return {"sent": said[-1]["id"]}

    def send_chat_state(self, to: str, state: str) -> None:
        self._check(to)
        if state not in ("composing", "paused", "gone"):
            raise Unsupported(f"no key makes profanity tell {state!r}")
        since = len(self.facts)

        def told(seconds: float) -> None:
            self.told(
                lambda fact: fact["hook"] == "sent" and fact["state"] == state, f"the state {state!r}", since, seconds
            )

        if state == "gone":
            self.do(f"/close {to}")
            told(1.0)
            return
        self.type(f'/msg "{to}"')
        self.keys("typing")
        try:
            told(PAUSED_WITHIN if state == "paused" else 3.0)
        finally:
            self.do("/win 1")

    def send_presence(self, show: str | None = None, status: str | None = None, priority: int | None = None) -> None:
        if status is not None and ('"' in status or "\n" in status):
            raise Unsupported("a status that cannot be typed in quotes")
        since = len(self.facts)
        if priority is not None:
            self.do(f"/priority {priority}")
        if show or status is not None or priority is None:
            self.do(f"/status set {show or 'online'}" + (f' "{status}"' if status else ""))
        self.told(lambda fact: fact["hook"] == "presence-sent", "its presence", since)

    def subscribe(self, jid: str) -> None:
        self._says(f"/sub request {jid}", jid, "Sent subscription request to")

    def accept(self, jid: str) -> None:
        self._says(f"/sub allow {jid}", jid, "Accepted subscription for")

    def refuse(self, jid: str) -> None:
        self._says(f"/sub deny {jid}", jid, "Deleted/denied subscription for")

    def remove_contact(self, jid: str) -> None:
        since = self.do(f"/roster remove {bare(jid)}")
        if not any(fact["hook"] == "roster-sent" for fact in self.facts[since:]):
            self.settle()
            raise Failed("; ".join(self.shown[-1:]) or "profanity did not ask the server")

    def _says(self, line: str, jid: str, sign: str) -> None:
        self._check(jid)
        since = len(self.shown)
        self.do(line)
        with contextlib.suppress(Failed):
            self.line(lambda line: sign in line, sign, since, 3.0)
            return
        raise Failed("; ".join(self.shown[since:]) or f"not shown: {sign}")

    def roster(self) -> Facts:
        return {"contacts": list(self.read_roster().values())}

    def discover(self, jid: str) -> Facts:
        self._check(jid)
        since = len(self.shown)
        self.do(f"/disco info {jid}")
        head = "Service discovery info for "

        def seen(line: str) -> bool:
            return head in line or "Service discovery failed" in line

        if not (line := self.line(seen, head, since)).endswith(head + jid):  # it failed, or somebody else answered
            raise Failed(line)
        self.settle()
        lines = self.shown[self.shown.index(line, since) + 1 :]
        identities: list[str] = []
        features: list[str] = []
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
        since = len(self.shown)
        self.do(f"/caps {jid}")
        self.settle()
        lines = self.shown[since:]
        if not any(line.endswith("Features:") for line in lines):
            raise Failed("; ".join(lines) or "profanity shows nothing")
        start = next(n for n, line in enumerate(lines) if line.endswith("Features:"))
        return {"features": [line.strip() for line in lines[start + 1 :] if line.startswith(" ")]}

    def ping(self, jid: str) -> None:
        self._check(jid)
        since = len(self.shown)
        self.do(f"/ping {jid}")

        def seen(line: str) -> bool:
            return "Ping response from" in line or "Error returned from pinging" in line or "not support ping" in line

        if "Ping response" not in (line := self.line(seen, "a line on the ping", since)):
            raise Failed(line)

    def join(self, room: str, nick: str) -> None:
        self._check(room)
        if '"' in nick or "\n" in nick:
            raise Unsupported("a nickname that cannot be typed in quotes")
        if room in self.rooms:
            raise Failed("in that room already")
        since = len(self.shown)
        self.rooms[room] = nick
        facts = len(self.facts)
        try:
            self.do("/win 1", f'/join {room} nick "{nick}"')

            def inside() -> bool:
                if failed := next((line for line in self.shown[since:] if "Error joining room" in line), ""):
                    raise Failed(failed)
                return "110" in codes()

            def codes() -> list[str]:
                own = (fact for fact in self.facts[facts:] if fact["hook"] == "occupant")
                return [code for fact in own if bare(fact["jid"]) == room for code in fact["codes"]]

            self.until(inside, "that profanity is in the room", ANSWER_WITHIN)
            # A new room is locked, and profanity asks its user whether to take it as it is.
            self.do(*([f"/win {room}", "/room accept"] if "201" in codes() else []), "/win 1")
        except Failed:
            del self.rooms[room]
            raise

    def leave_room(self, room: str) -> None:
        self._in_room(room)
        since = self.do(f"/close {room}")
        self.told(
            lambda fact: fact["hook"] == "presence-sent" and fact["type"] == "unavailable", "that it left", since
        )
        self.rooms.pop(room, None)

    def enable_carbons(self) -> None:
        since = len(self.shown)
        self.do("/carbons on")
        self.line(lambda line: "arbons" in line, "a line on carbons", since)

    def archive(self, **_: object) -> None:
        # With /mam on, a chat's window shows of the archive what it has room for: nobody tells what came from there.
        raise Unsupported("profanity asks the archive for what a chat's window shows, and for no messages by number")

    # ---

    def _in_room(self, room: str) -> None:
        if room not in self.rooms:
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


def version() -> str:
    said = subprocess.run(
        ["profanity", "--version"], check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    found = re.search(r"version (\S+)", said.stdout)
    return found[1] if found else "unknown"


if __name__ == "__main__":
    agent = Profanity()
    agent.start()  # before the lab waits for anything that the client is to do: it takes a second, or ten
    tell("ready", client="profanity", version=version())
    sys.exit(agent.run())
