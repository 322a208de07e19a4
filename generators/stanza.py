"""Facts about what is drawn: the scene that addresses come from, a stanza, a malformed one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from generators.allowed import Allowed
from schemas.payloads import Addressee, Carrier, Payload, Use


@dataclass(frozen=True)
class Scene:
    """Whom a drawn stanza may name. `own` is the sender's full JID.

    `addresses` has for each addressee the values of `to` to choose from ("" for none at all); an addressee without
    any is not drawn. Two scenes with as many values each make the same stanza from the same choices, but for these.
    `account` is the bare JID of whoever receives, where that is a client; empty where it is a server.
    """

    own: str
    domain: str
    addresses: Mapping[Addressee, tuple[str, ...]]
    account: str = ""

    @property
    def own_bare(self) -> str:
        return self.own.partition("/")[0]


class Stanza(NamedTuple):
    """A whole, valid stanza (or nonza) as text. `to` and `type` are empty where the attribute is absent."""

    payload: Payload
    use: Use
    addressee: Addressee
    carrier: Carrier
    type: str
    id: str
    to: str
    xml: str
    allowed: Allowed


class Family(StrEnum):
    """The kinds of malformation."""

    BYTES = "bytes"
    SCHEMA = "schema"
    PROTOCOL = "protocol"


class Moment(StrEnum):
    """When, in the life of a stream, it is sent: the names of `lab.wire.negotiation.Stage`, in lower case."""

    OPENED = "opened"
    SECURED = "secured"
    AUTHENTICATED = "authenticated"
    BOUND = "bound"


class Malformed(NamedTuple):
    """One thing wrong with a stanza. `chunks` are what is sent, one write (and one TLS record) each.

    `place` says where in it (a path, or a byte), `was` and `became` what stood and what stands there. `id` is the
    stanza's, "" where it was taken away. `ends` says that the stream cannot go on behind it.
    """

    base: Stanza
    operator: str
    family: Family
    place: str
    was: str
    became: str
    id: str
    chunks: tuple[bytes, ...]
    allowed: Allowed
    moment: Moment = Moment.BOUND

    @property
    def data(self) -> bytes:
        return b"".join(self.chunks)
