"""Whole stanzas, valid: the uses of the registry drawn in a scene, each with what may come back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from generators import escape, walk
from generators.allowed import ANSWERED, ANSWERED_OR_DELIVERED, ONE_WAY, OUT_OF_TURN, Allowed
from generators.compiler import shape_of
from generators.foreign import Writer
from generators.narrowing import narrowed
from generators.source import ReplaySource, Source
from generators.stanza import Scene, Stanza
from lab.errors import UsageError
from schemas import payloads, tables
from schemas.payloads import Addressee, Carrier, Party, Payload, Use

LIMIT = 10_000
"""Bytes: a server takes stanzas up to this size at least (RFC 6120 §13.12). No valid stanza here is larger."""

_TRIES = 3  # draws that may be too large, before the simplest is taken
_STANZAS = (Carrier.IQ, Carrier.MESSAGE, Carrier.PRESENCE)
_SENT = (*_STANZAS, Carrier.STREAM, Carrier.ERROR)
_ANY_TYPE = {Carrier.MESSAGE: ("normal", "chat", "headline"), Carrier.PRESENCE: ("available", "unavailable")}
_OTHERS = frozenset({Addressee.CONTACT, Addressee.OCCUPANT, Addressee.COMPONENT})
_CONDITIONS = "urn:ietf:params:xml:ns:xmpp-stanzas"
_CONTENT = "jabber:client"


def client_uses(providers: Iterable[str] | None = None) -> tuple[tuple[Payload, Use], ...]:
    """Everything that a client may send by itself, of some providers or of all.

    Not what travels inside other payloads only, and not what ends a stream as an error. Raises UsageError: a provider
    has no payload in the registry.
    """
    every = payloads.load()
    known = sorted({payload.provider for payload in every})
    wanted = set(known if providers is None else providers)
    for provider in sorted(wanted.difference(known)):
        raise UsageError(f"the registry has no payload of {provider}", hint=tables.nearest(provider, known))
    return tuple(
        (payload, use)
        for payload in every
        if payload.provider in wanted
        for use in payload.uses_of(Party.CLIENT)
        if use.stanza in _SENT and not (use.stanza is Carrier.ERROR and set(use.to) == {Addressee.PEER})
    )


@dataclass(frozen=True)
class _Head:
    """What stands around a payload; the id comes between `start` and `middle`."""

    addressee: Addressee
    type: str
    to: str
    start: str
    middle: str
    end: str
    allowed: Allowed


@dataclass(frozen=True)
class _Plan:
    payload: Payload
    use: Use
    heads: tuple[_Head, ...]
    writers: tuple[Writer, ...]


class Generator:
    """Draws from some uses, in one scene. `uses` are those for which the scene has an address.

    Raises UsageError where a schema has what cannot be drawn, or where no use is left.
    """

    def __init__(self, uses: Sequence[tuple[Payload, Use]], scene: Scene) -> None:
        self.scene = scene
        self._addresses = walk.addresses_of(scene)
        self._plans = [plan for payload, use in uses if (plan := _plan(payload, use, scene)).heads]
        if not self._plans:
            raise UsageError("nothing can be drawn", hint="give uses, and a scene with addresses for them")
        self.uses = tuple((plan.payload, plan.use) for plan in self._plans)

    def draw(self, source: Source, id_: str) -> Stanza:
        """One valid stanza with that id. The same choices make the same stanza."""
        ask = source.integer
        plan = self._plans[ask(len(self._plans) - 1)]
        head = plan.heads[ask(len(plan.heads) - 1)]
        around = f"{head.start}{escape.attribute(id_)}{head.middle}" if head.middle else ""
        for _ in range(_TRIES):
            write = plan.writers[ask(len(plan.writers) - 1)]
            xml = f"{around}{walk.text_of(write, ask, self._addresses)}{head.end}"
            if len(xml) <= LIMIT // 4 or len(xml.encode()) <= LIMIT:
                break
        else:
            xml = f"{around}{walk.text_of(plan.writers[0], ReplaySource(()).integer, self._addresses)}{head.end}"
        return Stanza(
            plan.payload, plan.use, head.addressee, plan.use.stanza, head.type, id_, head.to, xml, head.allowed
        )


def _plan(payload: Payload, use: Use, scene: Scene) -> _Plan:
    shapes = narrowed(shape_of(payload.element), use.children)
    around = "" if use.stanza in (Carrier.STREAM, Carrier.ERROR) else _CONTENT
    return _Plan(
        payload, use, tuple(_heads(payload, use, scene)), tuple(walk.writer(shape, around) for shape in shapes)
    )


def _heads(payload: Payload, use: Use, scene: Scene) -> Iterable[_Head]:
    if use.stanza is Carrier.STREAM:
        yield _Head(Addressee.PEER, "", "", "", "", "", OUT_OF_TURN)
        return
    name = Carrier.IQ if use.stanza is Carrier.ERROR else use.stanza
    start, end = ("", "") if use.stanza is not Carrier.ERROR else _error(payload, use)
    for addressee, to in _recipients(use, scene):
        for type_ in _types(use):
            kind = f" type='{type_}'" if type_ else ""
            whom = f" to='{escape.attribute(to)}'" if to else ""
            yield _Head(
                addressee,
                type_,
                to,
                f"<{name}{kind} id='",
                f"'{whom}>{start}",
                f"{end}</{name}>",
                _allowed(name, type_, addressee),
            )


def _recipients(use: Use, scene: Scene) -> Iterable[tuple[Addressee, str]]:
    """Whom a stanza may go to. Where the registry names nobody, it has no `to`."""
    if not use.to:
        yield Addressee.ACCOUNT, ""
    for addressee in use.to:
        for to in scene.addresses.get(addressee, ()):
            yield addressee, to


def _types(use: Use) -> Iterable[str]:
    """The values of `type`, "" for none: available presence has none, and a normal message need not say it."""
    if use.stanza is Carrier.ERROR:
        yield "error"
        return
    for type_ in use.types or _ANY_TYPE.get(use.stanza, ()):
        if type_ in ("available", "normal"):
            yield ""
        if type_ != "available":
            yield type_


def _error(payload: Payload, use: Use) -> tuple[str, str]:
    """What stands around an application's own condition: an error, and the defined condition (RFC 6120 §8.3.4)."""
    defined = payload.namespace == _CONDITIONS and payload.name != "text"
    condition = "" if defined else f"<undefined-condition xmlns='{_CONDITIONS}'/>"
    return f"<error type='{use.types[0] if use.types else 'cancel'}'>{condition}", "</error>"


def _allowed(name: Carrier, type_: str, addressee: Addressee) -> Allowed:
    if name is not Carrier.IQ or type_ not in ("get", "set"):
        return ONE_WAY
    return ANSWERED_OR_DELIVERED if addressee in _OTHERS else ANSWERED
