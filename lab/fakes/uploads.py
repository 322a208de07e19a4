"""The fake server's upload service (XEP-0363): slots over XMPP, and what its HTTPS port makes of their addresses."""

from __future__ import annotations

from dataclasses import dataclass
from secrets import token_urlsafe
from typing import TYPE_CHECKING
from urllib.parse import quote
from xml.sax.saxutils import escape

from lab.fakes.stanzas import error_reply, reply
from lab.wire.namespaces import DATA_FORM, DISCO_INFO, UPLOAD
from lab.wire.stream import Element

if TYPE_CHECKING:
    from lab.fakes.behaviour import Behaviour

PATH = "/upload/"
LARGEST = 1024 * 1024
OCTETS = "application/octet-stream"


@dataclass
class UploadSlot:
    """A place for one file. `content` is None until it was put there."""

    path: str
    size: int
    kind: str
    token: str
    content: bytes | None = None


@dataclass(frozen=True)
class Put:
    """A file on its way: to which path, what it is, and the Authorization that came with it."""

    path: str
    content: bytes
    kind: str
    authorization: str


@dataclass(frozen=True)
class Answer:
    """What HTTP answers."""

    status: int
    content: bytes = b""
    kind: str = "text/plain"


class Uploads:
    """The slots of one server, whose service is at `domain`, and whose files are at `host`."""

    def __init__(self, behaviour: Behaviour, domain: str, host: str) -> None:
        self.behaviour = behaviour
        self.domain = domain
        self.host = host
        self.slots: dict[str, UploadSlot] = {}

    def answer_iq(self, iq: Element) -> str:
        """The reply to an iq of type get or set to the service."""
        match f"{iq.get('type')} {iq[0].tag}":
            case "get {http://jabber.org/protocol/disco#info}query":
                return reply(iq, "result", _info())
            case "get {urn:xmpp:http:upload:0}request":
                return self._grant(iq, iq[0])
            case _:
                return error_reply(iq, "service-unavailable")

    def _grant(self, iq: Element, request: Element) -> str:
        name, size = request.get("filename"), request.get("size", "")
        if not name or not size.isdigit():
            return error_reply(iq, "bad-request")
        if int(size) > LARGEST:
            return error_reply(iq, "not-acceptable")
        path = f"{PATH}{token_urlsafe(24)}/{quote(name, safe='')}"
        slot = UploadSlot(path, int(size), request.get("content-type", OCTETS), f"Bearer {token_urlsafe(24)}")
        self.slots[path] = slot
        url = f"https://{self.host}{path}"
        header = f"<header name='Authorization'>{escape(slot.token)}</header>"
        addresses = f"<put url='{url}'>{header}</put><get url='{url}'/>"
        return reply(iq, "result", f"<slot xmlns='{UPLOAD}'>{addresses}</slot>")

    def serve(self, method: str, put: Put) -> Answer:
        """The answer to a request for a path of the service."""
        slot = self.slots.get(put.path)
        if method == "OPTIONS":
            return Answer(200)
        if method == "PUT":
            status = self.behaviour.takes_upload(slot, put)
            if status == 201:
                slot = self.slots.setdefault(put.path, UploadSlot(put.path, len(put.content), put.kind, ""))
                slot.content = self.behaviour.kept_upload(slot, put.content)
            return Answer(status)
        return self.behaviour.served_upload(slot)


def judged(slot: UploadSlot | None, put: Put) -> int:
    """The status for a file put to a slot, or to none, by a service that does as it should."""
    if slot is None:
        return 404
    if put.authorization != slot.token:
        return 403
    if slot.content is not None:
        return 409
    if len(put.content) != slot.size:
        return 413
    return 201 if put.kind == slot.kind else 415


def served(slot: UploadSlot | None) -> Answer:
    """The file that was put to a slot, if any was."""
    return Answer(404) if slot is None or slot.content is None else Answer(200, slot.content, slot.kind)


def _info() -> str:
    form = (
        f"<x xmlns='{DATA_FORM}' type='result'><field var='FORM_TYPE' type='hidden'><value>{UPLOAD}</value></field>"
        f"<field var='max-file-size'><value>{LARGEST}</value></field></x>"
    )
    identity = "<identity category='store' type='file' name='fake'/>"
    features = "".join(f"<feature var='{feature}'/>" for feature in (DISCO_INFO, UPLOAD))
    return f"<query xmlns='{DISCO_INFO}'>{identity}{features}{form}</query>"
