"""SASL2 as the initiating entity plays it (XEP-0388), sans I/O: `begin()`, then `take(answer)` until nothing is due.

What SASL says inside is `lab.wire.sasl`'s; what is asked for along with it (XEP-0386, XEP-0198, XEP-0484) is put in
as written. Tasks (§2.6.3) are not played: the lab knows of none.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import dataclass
from uuid import uuid4
from xml.sax.saxutils import escape, quoteattr

from lab.errors import PeerError
from lab.wire.elements import localname, show
from lab.wire.namespaces import NS, SASL, SASL2
from lab.wire.sasl import Mechanism
from lab.wire.stream import Element


class Sasl2Failed(PeerError):
    """The server ended the attempt with <failure/> (§2.6.2); `condition` is RFC 6120's (§6.5), empty for none."""

    def __init__(self, mechanism: str, element: Element) -> None:
        self.element = element
        self.condition = next((localname(c) for c in element if c.tag.startswith(f"{{{SASL}}}")), "")
        super().__init__(f"{mechanism} failed", expected="<success/>", seen=show(element))


@dataclass(frozen=True)
class UserAgent:
    """What a client says of itself (§2.3); `id` is a version 4 UUID, one for each installation. Empty leaves out."""

    id: str = ""
    software: str = ""
    device: str = ""

    @classmethod
    def new(cls) -> UserAgent:
        """An installation that nobody has seen before."""
        return cls(str(uuid4()), "Stanzalab", "a machine of the lab")

    def xml(self) -> str:
        identity = f" id={quoteattr(self.id)}" if self.id else ""
        parts = {"software": self.software, "device": self.device}
        inner = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in parts.items() if text)
        return f"<user-agent{identity}>{inner}</user-agent>"


class Login:
    """One attempt to authenticate. `inline` is put into <authenticate/> behind the user agent, as written.

    Once it has succeeded, `success` is the server's element and `jid` who we are: a full JID where a resource is
    bound, a bare one where none is (§2.6.1).
    """

    def __init__(self, mechanism: Mechanism, *, agent: UserAgent | None = None, inline: str = "") -> None:
        self.mechanism = mechanism
        self.success: Element | None = None
        self.jid = ""
        self._agent = agent
        self._inline = inline

    def begin(self) -> str:
        """What is sent first (§2.3)."""
        agent = self._agent.xml() if self._agent is not None else ""
        return authenticate(self.mechanism.name, self.mechanism.initial(), f"{agent}{self._inline}")

    def take(self, answer: Element) -> str | None:
        """What is sent upon an answer: None once we are in. Raises Sasl2Failed, PeerError (no such answer is due)."""
        if answer.tag == f"{{{SASL2}}}challenge":
            return f"<response xmlns='{SASL2}'>{encode(self.mechanism.respond(decode(answer)))}</response>"
        if answer.tag == f"{{{SASL2}}}failure":
            raise Sasl2Failed(self.mechanism.name, answer)
        if answer.tag != f"{{{SASL2}}}success":
            raise PeerError(
                f"{self.mechanism.name} has no end",
                expected="<challenge/>, <success/> or <failure/>",
                seen=show(answer),
            )
        data = answer.find("sasl2:additional-data", NS)
        self.mechanism.finish(decode(data) if data is not None else None)
        self.success = answer
        self.jid = (answer.findtext("sasl2:authorization-identifier", namespaces=NS) or "").strip()
        return None


def authenticate(mechanism: str, initial: bytes | None, inner: str = "") -> str:
    """<authenticate/> (§2.3): no <initial-response/> for None, an empty one for empty data (§2.2)."""
    response = f"<initial-response>{encode(initial)}</initial-response>" if initial is not None else ""
    return f"<authenticate xmlns='{SASL2}' mechanism={quoteattr(mechanism)}>{response}{inner}</authenticate>"


def encode(data: bytes) -> str:
    """Base64 with nothing for empty data (§2.2)."""
    return b64encode(data).decode()


def decode(element: Element) -> bytes:
    """The data of an element. Raises PeerError where it is not base64."""
    text = (element.text or "").strip()
    try:
        return b64decode(text, validate=True)
    except ValueError as error:
        raise PeerError(f"<{localname(element)}/> is not base64", seen=text[:80]) from error


def offered(features: Element) -> Element | None:
    """What stream features offer of SASL2 (§2.1)."""
    return features.find("sasl2:authentication", NS)


def mechanisms(features: Element) -> list[str]:
    """The mechanisms of SASL2 on offer; none where it is not offered."""
    return [(m.text or "").strip() for m in features.iterfind("sasl2:authentication/sasl2:mechanism", NS)]


def inline(features: Element) -> Element | None:
    """What can be asked for along with the authentication (§2.1)."""
    return features.find("sasl2:authentication/sasl2:inline", NS)
