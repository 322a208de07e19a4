"""Stream management (XEP-0198), as the fake client does it."""

from __future__ import annotations

from typing import Any

from telling import WRONG

from lab.wire.namespaces import CLIENT, STREAM_MANAGEMENT
from lab.wire.session import Session

SM = f"{{{STREAM_MANAGEMENT}}}"
_STANZAS = {f"{{{CLIENT}}}{kind}" for kind in ("iq", "message", "presence")}


class Acks:
    """What it has handled, and what it has sent that is not acknowledged."""

    def __init__(self) -> None:
        self.counting, self.asked, self.name = False, False, ""
        self.handled = self.number = self.acknowledged = 0
        self.kept: list[str] = []  # of what was sent, not acknowledged yet

    def begin(self, session: Session) -> None:
        """Enable it where it is offered."""
        offered = session.features is not None and session.features.find(f"{SM}sm") is not None
        if offered and WRONG != "never-enables":
            for _ in range(2 if WRONG == "enables-twice" else 1):
                session.send(f"<enable xmlns='{STREAM_MANAGEMENT}' resume='true'/>")
            self.asked = True
            self.counting = WRONG == "counts-from-enable"

    def sent(self, _: Session, data: bytes) -> None:
        """Note what is sent (as the observer of sessions)."""
        if self.asked and data.startswith((b"<iq", b"<message", b"<presence")):
            self.number += 1
            self.kept.append(data.decode())

    def received(self, _: Session, __: object) -> None:
        """What is received is heard later."""

    def heard(self, session: Session, element: Any) -> bool:
        """Deal with what is no stanza; count what is one."""
        if element.tag in _STANZAS:
            self.handled += self.counting
            return False
        if not str(element.tag).startswith(SM):
            return False
        match element.tag.removeprefix(SM):
            case "enabled":
                self.counting, self.name = True, element.get("id", "")
            case "failed" if WRONG == "gives-up":
                session.close()
            case "r" if WRONG != "never-acknowledges":
                more = {"counts-wrong": 1, "counts-requests": 0}.get(WRONG, 0)
                self.handled += WRONG == "counts-requests"
                session.send(f"<a xmlns='{STREAM_MANAGEMENT}' h='{self.handled + more}'/>")
            case "a":
                self._acknowledge(session, int(element.get("h", "0")))
        return True

    def _acknowledge(self, session: Session, number: int) -> None:
        if number > self.number and WRONG != "believes-any-count":
            session.send(
                "<stream:error><undefined-condition xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
                f"<handled-count-too-high xmlns='{STREAM_MANAGEMENT}' h='{number}' send-count='{self.number}'/>"
                "</stream:error></stream:stream>"
            )
            return
        del self.kept[: max(0, number - self.acknowledged)]
        self.acknowledged = max(number, self.acknowledged)

    def resume(self, session: Session) -> None:
        """Ask for the stream that broke."""
        name, number = self.name, self.handled + (WRONG == "resumes-wrong")
        session.send(f"<resume xmlns='{STREAM_MANAGEMENT}' previd='{name}' h='{number}'/>")
        resumed = session.expect(lambda e: e.tag == f"{SM}resumed", "<resumed/>")
        self._acknowledge(session, int(resumed.get("h", "0")))
        if WRONG == "begins-anew":
            session.send("<iq type='get' id='anew'><query xmlns='jabber:iq:roster'/></iq>")
        if WRONG != "forgets-what-was-lost":
            self.asked = False  # they are counted already
            for stanza in self.kept:
                session.send(stanza)
            self.asked = True

    def end(self, session: Session) -> None:
        """Acknowledge what was received, before the stream is closed."""
        if self.counting and WRONG != "leaves-unacknowledged":
            session.send(f"<a xmlns='{STREAM_MANAGEMENT}' h='{self.handled}'/>")
