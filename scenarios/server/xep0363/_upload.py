"""An upload service as checks use it: slots, and what is sent to their addresses. Only `granted` and
`stored` judge.
"""

from __future__ import annotations

from dataclasses import dataclass
from string import punctuation
from urllib.parse import quote, urlsplit
from xml.sax.saxutils import quoteattr

import pytest

from lab.plugin import Connect, impossible, require, require_result, unsupported
from lab.wire.http import Header, Response
from lab.wire.namespaces import NS, UPLOAD
from lab.wire.session import Session
from lab.wire.stream import Element
from scenarios.server._caps import form_type
from scenarios.server._discovery import advertises, info, services

NAME = "note.txt"
TEXT = "text/plain"
ALLOWED = ("authorization", "cookie", "expires")
"""The headers that a slot may hold (§4), in lower case."""

NAMES: dict[str, str] = {
    "plain": "note.txt",
    "spaces-and-accents": "très cool.jpg",
    "other-scripts": "日本の写真.png",
    "beyond-the-first-plane": "\U0001f3ad.gif",
    "delimiters": "50% #1? [a+b]&c=d;e.pdf",
    "quotes": 'it\'s "quoted" <so>.txt',
    "two-endings": "archive.tar.gz",
    "no-ending": "README",
    "hidden": ".profile",
    "long": f"{'n' * 150}.txt",
}
odd_names = pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)


@dataclass(frozen=True)
class Slot:
    """Where a file goes, with which headers, and where it can then be had."""

    put: str
    get: str
    headers: tuple[Header, ...]

    @property
    def allowed(self) -> tuple[Header, ...]:
        """The headers that a client sends on, in their order."""
        return tuple(header for header in self.headers if header[0].lower() in ALLOWED)


def service(session: Session, connect: Connect) -> str:
    """The address of the upload service, which says that it is one (§3); else the check is `unsupported`.

    Where the cell names none, the services that the server lists are looked through.
    """
    named = connect.cell.services.get("upload")
    found = [jid for jid in ([named] if named else services(session, connect)) if advertises(session, jid, UPLOAD)]
    if not found:
        unsupported(UPLOAD)
    return found[0]


def largest(session: Session, jid: str) -> str | None:
    """What the service tells of the largest file that it takes, None where it tells nothing."""
    for form in info(session, jid).iterfind("x:x", NS):
        if form_type(form) == UPLOAD:
            return form.findtext("x:field[@var='max-file-size']/x:value", None, NS)
    return None


def ask(
    session: Session, jid: str, name: str = NAME, size: int | str = 1, kind: str | None = None, inner: str = ""
) -> Element:
    """Ask for a slot. Answers the reply."""
    typed = f" content-type={quoteattr(kind)}" if kind is not None else ""
    request = f"<request xmlns='{UPLOAD}' filename={quoteattr(name)} size='{size}'{typed}>{inner}</request>"
    return session.iq("get", request, to=jid)


def granted(reply: Element) -> Slot:
    """The slot of a result, which must be one with both addresses."""
    require_result(reply)
    put, get = reply.find("upload:slot/upload:put", NS), reply.find("upload:slot/upload:get", NS)
    require(put is not None and get is not None, "a slot with put and get", reply)
    if put is None or get is None:
        return Slot("", "", ())
    headers = tuple((h.get("name", ""), (h.text or "").strip()) for h in put.iterfind("upload:header", NS))
    require(put.get("url") and get.get("url"), "the addresses of put and get", reply)
    return Slot(put.get("url", ""), get.get("url", ""), headers)


def slot(session: Session, connect: Connect, content: bytes, name: str = NAME, kind: str | None = TEXT) -> Slot:
    """A slot for a file."""
    return granted(ask(session, service(session, connect), name, len(content), kind))


def request(
    connect: Connect, method: str, url: str, *, body: bytes = b"", headers: tuple[Header, ...] = ()
) -> Response:
    """What the address answers; the check is `impossible` where that is no host of the cell."""
    parts = urlsplit(url)
    hosts = {connect.cell.domain, *connect.cell.services.values()}
    if parts.hostname not in hosts:
        impossible(f"files are kept at {parts.hostname}, which is not in the cell")
    # The port is that of the server's own network, and the cell's is where this machine reaches it.
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    # HTTP has none but visible ones of ASCII; that an address must have no others, another check says.
    path = quote(path, safe=punctuation)
    return connect.http(path, method=method, body=body, headers=headers, authority=parts.netloc)


def put(
    connect: Connect, where: Slot, content: bytes, kind: str | None = TEXT, more: tuple[Header, ...] = ()
) -> Response:
    """Send a file to a slot as a client does (§7). Answers the response."""
    typed = (("Content-Type", kind),) if kind is not None else ()
    return request(connect, "PUT", where.put, body=content, headers=(*typed, *where.allowed, *more))


def stored(connect: Connect, where: Slot, content: bytes, kind: str | None = TEXT) -> None:
    """Send a file to a slot, which must take it: 201 says that it can be had (§7)."""
    response = put(connect, where, content, kind)
    require(response.status == 201, "the status 201", told(response))


def fetch(connect: Connect, where: Slot, more: tuple[Header, ...] = ()) -> Response:
    """Ask for the file. Answers the response."""
    return request(connect, "GET", where.get, headers=more)


def refused(response: Response) -> bool:
    """Whether the client is told that the fault is its own (4xx)."""
    return 400 <= response.status < 500


def told(response: Response) -> str:
    """A response in a few words."""
    return f"{response.status} {response.body[:200]!r}"
