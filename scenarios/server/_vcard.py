"""vCards as checks store and fetch them (XEP-0054), and pictures to put into them. Nothing here judges."""

from __future__ import annotations

import binascii
import hashlib
import re
import struct
import zlib
from base64 import b64decode, b64encode
from dataclasses import dataclass
from secrets import token_bytes

from lab.plugin import unsupported
from lab.wire.namespaces import NS, VCARD
from lab.wire.session import Session
from lab.wire.stream import Element
from scenarios.server._discovery import advertises
from scenarios.server._pep import found

PNG = "image/png"
SIDE = 32
"""Pixels of a picture's side: the least that XEP-0153 §4.6 would have."""


@dataclass(frozen=True)
class Picture:
    """An image file."""

    data: bytes
    kind: str = PNG

    @property
    def hash(self) -> str:
        """SHA-1 of the image itself, in lower case: how XEP-0153 and XEP-0084 name it."""
        return hashlib.sha1(self.data, usedforsecurity=False).hexdigest()

    @property
    def base64(self) -> str:
        return b64encode(self.data).decode()

    @property
    def xml(self) -> str:
        """The photo of a vCard."""
        return f"<PHOTO><TYPE>{self.kind}</TYPE><BINVAL>{self.base64}</BINVAL></PHOTO>"


def picture(side: int = SIDE) -> Picture:
    """A square PNG of random greys, which nobody has seen before: some `side`² bytes."""
    rows = b"".join(b"\0" + token_bytes(side) for _ in range(side))
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return Picture(b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_vcard(session: Session) -> Session:
    """The same session, whose server or account says that it has vCards (§4); else the check is `unsupported`."""
    if not advertises(session, session.domain, VCARD) and not advertises(session, session.bare_jid, VCARD):
        unsupported(VCARD)
    return session


def store(session: Session, content: str, *, to: str | None = None) -> Element:
    """Set a vCard of these elements (§3.2). Answers the reply."""
    # A server may publish the image on the way (XEP-0398).
    return found(lambda: session.iq("set", f"<vCard xmlns='{VCARD}'>{content}</vCard>", to=to))


def fetch(session: Session, of: str | None = None) -> Element:
    """Ask for the vCard of a bare JID, or for the own one (§3.1, §3.3). Answers the reply."""
    return session.iq("get", f"<vCard xmlns='{VCARD}'/>", to=of)


def card(reply: Element) -> Element | None:
    """The vCard that an answer carries; what an error sends back of the request is none."""
    return reply.find("vcard:vCard", NS) if reply.get("type") == "result" else None


def photo(reply: Element) -> Picture | None:
    """The image in an answer's vCard, None where there is none, or an empty one."""
    image = None if (vcard := card(reply)) is None else vcard.find("vcard:PHOTO", NS)
    if image is None:
        return None
    data = decoded(image.findtext("vcard:BINVAL", "", NS))
    return Picture(data, image.findtext("vcard:TYPE", "", NS).strip()) if data else None


def decoded(text: str) -> bytes:
    """Base64 with white space in it, which means nothing (XEP-0153 §4.6); what is none is handed back as it is."""
    bare = re.sub(r"\s", "", text)
    try:
        return b64decode(bare, validate=True)
    except binascii.Error:
        return bare.encode()
