"""The payload registry: which element travels in which stanza, from whom, to whom.

Read from `payloads/*.toml`, one file a provider. What an element looks like is its schema's to say
(`schemas.catalogue`); what to do with it is nobody's business here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

from schemas import tables
from schemas.tables import Table

FOLDER = Path(__file__).parent / "payloads"


class Carrier(StrEnum):
    """What an element travels in."""

    IQ = "iq"
    MESSAGE = "message"
    PRESENCE = "presence"
    STREAM = "stream"  # a nonza: a child of the stream itself
    FEATURES = "features"  # a stream feature
    ERROR = "error"  # an application-specific condition (RFC 6120 §8.3.4)
    PAYLOAD = "payload"  # only inside another payload: a forwarded stanza, a pubsub item, a page of results
    HTTP = "http"  # a document of its own, or the body of a request (XEP-0124, XEP-0156)


class Party(StrEnum):
    """Who sends."""

    CLIENT = "client"
    SERVER = "server"
    COMPONENT = "component"


class Addressee(StrEnum):
    """To whom an element may be addressed."""

    SERVER = "server"  # the domain
    ACCOUNT = "account"  # the sender's own bare JID, or no `to` at all
    CONTACT = "contact"  # another account or one of its resources: a user's bare or full JID
    MUC = "muc"  # the multi-user chat service
    ROOM = "room"
    OCCUPANT = "occupant"
    PUBSUB = "pubsub"  # the publish-subscribe service
    UPLOAD = "upload"
    PROXY = "proxy"  # a SOCKS5 proxy (XEP-0065)
    COMPONENT = "component"
    PEER = "peer"  # whoever is at the other end of the stream, for a nonza


@dataclass(frozen=True)
class Use:
    """One way to use a payload.

    `types` are those of the stanza (iq: get, set, result; message: chat, normal, …; presence: available for none);
    empty where any will do. `children` are the local names of the first-level children that make sense in this use:
    empty for none at all, None where the schema alone decides.
    """

    stanza: Carrier
    types: tuple[str, ...]
    sender: tuple[Party, ...]
    to: tuple[Addressee, ...]
    children: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Payload:
    """A root element. `element` is its name in Clark notation: `{urn:xmpp:ping}ping`."""

    element: str
    provider: str
    uses: tuple[Use, ...]

    @property
    def namespace(self) -> str:
        return self.element[1:].partition("}")[0]

    @property
    def name(self) -> str:
        return self.element.rpartition("}")[2]

    def uses_of(self, sender: Party) -> tuple[Use, ...]:
        """The uses in which `sender` is who sends it."""
        return tuple(use for use in self.uses if sender in use.sender)


@cache
def load() -> tuple[Payload, ...]:
    """Every payload of the registry, in the order of the providers. Raises UsageError: a file is broken."""
    payloads = [payload for path in sorted(FOLDER.glob("*.toml")) for payload in load_file(path)]
    seen: dict[str, Payload] = {}
    for payload in payloads:
        if payload.element in seen:
            path = FOLDER / f"{payload.provider.lower().replace(' ', '-')}.toml"
            Table(path, {}).fail(payload.element, f"stands under {seen[payload.element].provider} already")
        seen[payload.element] = payload
    return tuple(payloads)


def of_provider(provider: str) -> tuple[Payload, ...]:
    """The payloads that a provider defines; none where it defines no element (XEP-0245, say)."""
    return tuple(payload for payload in load() if payload.provider == provider)


def load_file(path: Path) -> tuple[Payload, ...]:
    """Read one file. Raises UsageError naming the file, and the payload and field that are wrong."""
    top = tables.read(path)
    provider = top.text("provider")
    payloads = tuple(_payload(table, provider) for table in top.tables("payload", "element"))
    top.done()
    return payloads


def _payload(table: Table, provider: str) -> Payload:
    element = table.text("element")
    namespace, brace, name = element.partition("}")
    if not (namespace.startswith("{") and len(namespace) > 1 and brace and name):
        table.fail("element", "must be a name such as {urn:xmpp:ping}ping")
    uses = tuple(_use(use) for use in table.tables("use", "stanza"))
    if not uses:
        table.fail("use", "is missing: say at least one")
    table.done()
    return Payload(element, provider, uses)


def _use(table: Table) -> Use:
    use = Use(
        stanza=table.choice("stanza", Carrier),
        types=table.texts("types"),
        sender=table.choices("from", Party),
        to=table.choices("to", Addressee),
        children=table.texts("children") if "children" in table else None,
    )
    if use.stanza is Carrier.IQ and not (use.types and set(use.types) <= {"get", "set", "result"}):
        table.fail("types", "of an iq are get, set, result: say which")
    if not use.sender:
        table.fail("from", "is missing: say who sends it")
    table.done()
    return use
