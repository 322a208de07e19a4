"""The agent of mcabber: the program itself in a pseudo-terminal, driven by its FIFO, as its manual says.

The contract's commands, as mcabber's own. What it shows meanwhile is told by shown.py.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import time
from typing import Any, ClassVar

from shown import STATE, Shown, contact, quoted
from terminal import Failed, Unsupported, bare, tell

STATUS = {None: "online", "chat": "free", "dnd": "dnd", "xa": "notavail", "away": "away"}
"""<show/> -> what mcabber calls it."""
GAVE_UP = re.compile(
    r"There was an error while connecting|Authentication failed|Failed to |\*\* Error|Disconnected\.$"
)
REFUSED = re.compile(r"Certificate |No certificate found!|SSL error")
"""What mcabber says of a certificate. In STARTTLS it says no more then, and stays as it is, for ever."""
AT_START = re.compile(r"New trace log started|-+$|Loaded |FIFO initialized")
CAME_ONLINE = re.compile(r"Your status has been set: \[_>[^_]\]")
PAUSES_AFTER = 8.0  # seconds without a key, after which mcabber tells `paused` (it says 6)
ROSTER_WITHIN = 3.0  # seconds that `connect` waits for the roster, once online
LEARNS_WITHIN = 5.0  # seconds for a contact to tell what it can do
ANSWER_WITHIN = 10.0  # seconds for an entity to answer an iq
RECEIPTS = "urn:xmpp:receipts"
SENT = "%%sent"  # what a buffer is saved as when a message has just gone; no bare JID has it
CLEAR_LINE = "\x15"


class Mcabber(Shown):
    commands: ClassVar = {
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
        "features-of": ("features_of", "jid"),
        "ping": ("ping", "jid"),
        "join": ("join", "room nick"),
        "leave": ("leave_room", "room"),
        "enable-carbons": ("enable_carbons", ""),
    }

    def connect(self) -> dict[str, Any]:
        if self.online:
            raise Failed("connected already")
        self.marks.clear()
        before = 0
        if self.program is None:
            self.start()
        else:
            before = len(self.log_lines)
            self.order("connect")

        def outcome() -> str:
            # Its presence is sent; the roster comes after it, unless the server has none.
            if "online" in self.marks or any(CAME_ONLINE.search(line) for line in self.log_lines[before:]):
                return "online"
            if any(GAVE_UP.search(line) or REFUSED.match(line) for line in self.log_lines[before:]):
                return "gave up"
            return "" if self.program and self.program.running() else "ended"

        try:
            how = self.until(outcome, "that mcabber has connected")
        except Failed as why:
            self.stop()
            said = [line for line in self.log_lines[before:] if not AT_START.match(line)]
            raise Failed("; ".join([str(why), *said])) from None
        if how != "online":
            self.read_log()
            reason = "; ".join(line for line in self.log_lines[before:] if not AT_START.match(line))
            self.stop()
            raise Failed(reason or f"mcabber {how}")
        self.online = True
        with contextlib.suppress(Failed):
            self.until(
                lambda: "online" in self.marks or any("rror packet" in line for line in self.log_lines[before:]),
                "the roster",
                ROSTER_WITHIN,
            )
        self.ask("agent chat", "agent jid")
        tell("online", jid=self.jid)
        return {"jid": self.jid}

    def disconnect(self) -> None:
        if not self.online:
            raise Failed("not connected")
        self.leaving = True
        self.marks.discard("offline")
        try:
            self.order("disconnect")
            self.until(lambda: "offline" in self.marks, "that mcabber is offline")
        finally:
            self.leaving = False
        self.offline()

    def send_message(self, to: str, body: str, kind: str = "chat", receipt: bool = False) -> None:
        self._check(to)
        room = self._is_room(bare(to))
        if (kind == "groupchat") != (room and "/" not in to):
            raise Unsupported(f"mcabber sends {'groupchat to rooms' if room else kind + ' to rooms alone'}")
        if receipt:
            self._learns_of_receipts(to)
        file = self.home / "body"
        file.write_text(body)
        self.sending += 1
        says = f"say_to {'-n ' if kind == 'normal' else ''}-f {file} {quoted(to)}"
        # A receipt may be here in a millisecond, and takes its mark off the line: the buffer is saved before that.
        said = self.ask(says) if room else self.ask(self.together(says, *self.save(bare(to), SENT)))
        if self.sending:
            self.sending = 0
            if not room:
                raise Failed("; ".join(said) or "mcabber did not send it")
        if not room:
            had = self.without_receipt.get(bare(to), 0)
            if self.count_without_receipt(bare(to), SENT) <= had and receipt:
                raise Failed("mcabber sent it, but asks nobody for receipts who does not announce them")

    def _learns_of_receipts(self, to: str) -> None:
        """Wait until it knows that they are sent there: it asks for what a presence announces by itself."""
        self._look_now()
        known = [to] if "/" in to else [f"{jid}/{resource}" for jid, resource in self.resources if jid == to]
        with contextlib.suppress(Failed):
            self.until(
                lambda: any(RECEIPTS in self._features(jid) for jid in known),
                "that receipts are sent there",
                LEARNS_WITHIN,
                slowly=True,
            )

    def _features(self, jid: str) -> list[str]:
        self.features = []
        self.ask(f"agent features {jid}")
        return self.features

    def send_chat_state(self, to: str, state: str) -> None:
        self._check(to)
        if state not in {"active", "composing", "paused"}:
            raise Unsupported(f"mcabber never tells {state!r}")
        self._look_now()
        if not any(line["state"] in STATE for (jid, _), line in self.resources.items() if jid == bare(to)):
            raise Failed("mcabber tells its states only to somebody who told theirs")
        if self._typed_to and self._typed_to != bare(to):
            self.ask(f"agent select {self._typed_to}")
            self._type(CLEAR_LINE)
        self.ask(f"agent select {bare(to)}")
        self._type(CLEAR_LINE if state == "active" else "x")
        self._typed_to = "" if state == "active" else bare(to)
        if state == "paused":
            end = time.monotonic() + PAUSES_AFTER
            self.until(lambda: time.monotonic() > end, "the pause")
        self.ask("agent jid")

    def _type(self, keys: str) -> None:
        """Keys; mcabber has read them when it has painted something, which the input line always does."""
        self.painted = False
        self.keys(keys)
        end = time.monotonic() + 0.3  # nothing is painted where the line was empty already
        self.until(lambda: self.painted or time.monotonic() > end, "the keys")

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
        said = self.ask(*lines, f"{f'status_to {quoted(to)}' if to else 'status'} {STATUS[show]} {status or '-'}")
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
        if not self.ask(f"{command} {quoted(bare(jid))}"):
            raise Failed(f"mcabber did not take {command!r}")

    def remove_contact(self, jid: str) -> None:
        self._look_now()
        if not self.buddies.get(bare(jid), {}).get("listed"):
            raise Failed("not on the roster")
        self.ask(f"agent select {bare(jid)}", "del")

    def roster(self) -> dict[str, Any]:
        self._look_now()
        return {"contacts": [contact(line) for line in self.buddies.values() if line["listed"] and not line["room"]]}

    def _look_now(self) -> None:
        self.until(lambda: not self.looking or not self.online, "the roster")
        self.looking = True
        self.ask("agent roster", "agent mark look")

    def features_of(self, jid: str) -> dict[str, Any]:
        self._check(jid)
        if not (features := self._features(jid)):
            raise Failed("mcabber knows nothing of its capabilities")
        return {"features": features}

    def ping(self, jid: str) -> None:
        self._check(jid)
        before = self._lengths()
        said = len(self.log_lines)
        self.ask(f"request ping {quoted(jid)}")

        def answered() -> bool:
            if errors := [line for line in self.log_lines[said:] if "error packet" in line and bare(jid) in line]:
                raise Failed("; ".join(errors))
            return self._lengths().get(bare(jid), 0) > before.get(bare(jid), 0)

        self.until(answered, "mcabber's line on the ping", ANSWER_WITHIN, slowly=True)

    def _lengths(self) -> dict[str, int]:
        """The number of lines in each buffer."""
        lines = self.status_buffer("buffer list")
        start = max((n for n, line in enumerate(lines) if line.endswith("Buffer list:")), default=len(lines))
        found = (re.search(r"(\S+)  \((\d+)/\d+\)$", line) for line in lines[start:])
        return {one[1]: int(one[2]) for one in found if one}

    def join(self, room: str, nick: str) -> None:
        self._check(room)
        self._room("room join", f"room join {quoted(room)} {quoted(nick)}", room, f"You have joined {room} ")

    def leave_room(self, room: str) -> None:
        if not self._is_room(room):
            raise Failed("not in that room")
        self._room("room leave", f"agent select {room}\nroom leave", room, f"You have left {room}")

    def _room(self, what: str, lines: str, room: str, sign: str) -> None:
        before = len(self.log_lines)
        self.ask(*lines.split("\n"))

        def seen() -> bool:
            news = self.log_lines[before:]
            if any(line.startswith(f"Error presence packet from <{room}") for line in news):
                raise Failed("; ".join(line for line in news if "rror" in line))
            return any(line.startswith(sign) for line in news)

        self.until(seen, f"{what}: {sign!r}")
        self._look_now()

    def enable_carbons(self) -> None:
        def state() -> str:
            said = [line for line in self.status_buffer("carbons info") if "Carbons " in line]
            return said[-1] if said else ""

        try:  # mcabber asks the server what it can do as it connects: the answer may be on its way
            self.until(
                lambda: not state().endswith("not available."), "that the server offers carbons", 3.0, slowly=True
            )
        except Failed:
            raise Failed(state()) from None
        if not state().endswith("Carbons enabled."):
            self.ask("carbons enable")
            self.until(lambda: state().endswith("Carbons enabled."), "'Carbons enabled.'", ANSWER_WITHIN, slowly=True)

    # ---

    def _is_room(self, jid: str) -> bool:
        return bool(self.buddies.get(jid, {}).get("inside"))

    def _check(self, jid: str) -> None:
        if not self.online:
            raise Failed("not connected")
        if re.search(r"[\x00-\x1f]", jid):
            raise Failed("no JID that could be typed")


def version() -> str:
    said = subprocess.run(["mcabber", "-V"], check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    found = re.search(r"MCabber (\S+)", said.stdout)
    return found[1] if found else "unknown"


if __name__ == "__main__":
    agent = Mcabber()
    tell("ready", client="mcabber", version=version())
    sys.exit(agent.run())
