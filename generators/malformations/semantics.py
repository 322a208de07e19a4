"""What the schemas cannot say of stanzas: ids, types, and how many children of what kind (RFC 6120 §8.1 to §8.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from generators.allowed import Allowed, Reaction
from generators.malformations.operators import Change, Proof, operator, pick, spliced
from generators.malformations.outcomes import INVALID, for_the_server, is_request, liberal
from generators.malformations.proof import child, children
from generators.malformations.tokens import attribute_of, element_end, inside, tokens, with_attribute
from generators.source import Source
from generators.stanza import Family, Scene, Stanza
from schemas.catalogue import Element
from schemas.payloads import Carrier

_ERROR = (
    "<error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>",
    "<error type='wait'><resource-constraint xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>",
    "<error type='modify'><redirect xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>xmpp:a@b.invalid</redirect></error>",
)
_PING = "<ping xmlns='urn:xmpp:ping'/>"
_TYPES = {
    Carrier.IQ: ("get", "set", "result", "error"),
    Carrier.MESSAGE: ("chat", "normal", "headline", "groupchat", "error"),
    Carrier.PRESENCE: ("unavailable", "subscribe", "subscribed", "unsubscribe", "unsubscribed", "probe", "error"),
}


def _shows(holds: Callable[[Element], bool]) -> Proof:
    """It is one whole stanza, of which that holds."""

    def proof(_: Stanza, change: Change) -> bool:
        element = child(change.data)
        return element is not None and holds(element)

    return proof


def lenient(stanza: Stanza, where: str) -> Allowed:
    """`liberal`; and who is not the sender's own server may keep silent about what it does not understand."""
    allowed = liberal(stanza, where)
    more = frozenset() if for_the_server(stanza) else frozenset({Reaction.SILENCE})
    return Allowed(allowed.reactions | more, where, stream_errors=INVALID)


def unanswerable(stanza: Stanza, where: str, *, broken: bool = False) -> Allowed:
    """A reply: it MUST NOT be answered by another (§8.2.3, §8.3.1).

    Save at somebody who is not there: RFC 6121 §8.5.3.2.3 has each iq answered, and says nothing of its type.
    """
    reactions = {Reaction.SILENCE, Reaction.DELIVERY}
    if broken:
        reactions.add(Reaction.STREAM_ERROR)
    if stanza.carrier is Carrier.IQ and not for_the_server(stanza):
        reactions.add(Reaction.ERROR)
    return Allowed(frozenset(reactions), where, stream_errors=INVALID if broken else frozenset())


def _attribute(
    stanza: Stanza, name: str, value: str | None, allowed: Allowed, *, id_: str | None = None
) -> Iterator[Change]:
    xml = with_attribute(stanza.xml, name, value)
    was = attribute_of(stanza.xml, name)
    yield Change(f"/{stanza.carrier}/@{name}", was, value or "", (xml.encode(),), allowed, id_)


@operator(Family.PROTOCOL, "An iq without an id.", _shows(lambda e: "id" not in e.attrib))
def iq_without_id(_: Source, stanza: Stanza, __: Scene) -> Iterator[Change]:
    if stanza.carrier is Carrier.IQ:
        yield from _attribute(stanza, "id", None, lenient(stanza, "RFC 6120 §8.1.3, §8.2.3"), id_="")


@operator(Family.PROTOCOL, "An iq with an id of no characters.", _shows(lambda e: e.get("id") == ""))
def iq_with_empty_id(_: Source, stanza: Stanza, __: Scene) -> Iterator[Change]:
    if stanza.carrier is Carrier.IQ:
        yield from _attribute(stanza, "id", "", lenient(stanza, "RFC 6120 §8.1.3, §8.2.3"), id_="")


@operator(Family.PROTOCOL, "An id of thousands of characters.", _shows(lambda e: len(e.get("id", "")) >= 1_000))
def long_id(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    if stanza.id:
        long = stanza.id + "x" * pick(source, (1_000, 4_000, 8_000))
        yield from _attribute(stanza, "id", long, lenient(stanza, "RFC 6120 §8.1.3, §13.12"), id_=long)


def _twice(stanza: Stanza, change: Change) -> bool:
    return [element.get("id") for element in children(change.data)] == [stanza.id] * 2


@operator(Family.PROTOCOL, "The same stanza, with the same id, twice in a row.", _twice)
def repeated_id(_: Source, stanza: Stanza, __: Scene) -> Iterator[Change]:
    if stanza.id:
        data = stanza.xml.encode()
        allowed = Allowed(stanza.allowed.reactions | _refusal(stanza), "RFC 6120 §8.1.3, §8.2.3")
        yield Change("the whole stanza", "once", "twice", (data, data), allowed)


def _refusal(stanza: Stanza) -> set[Reaction]:
    return {Reaction.ERROR} if is_request(stanza) else set()


def _not_a_request(stanza: Stanza) -> Allowed:
    """§8.2.3: whoever gets an iq of no known type MUST answer <bad-request/>; or §4.9.3.11 ends the stream."""
    where = "RFC 6120 §8.2.3, §4.9.3.11"
    if not for_the_server(stanza):
        return lenient(stanza, where)
    reactions = frozenset({Reaction.ERROR, Reaction.STREAM_ERROR})
    return Allowed(reactions, where, errors=frozenset({"bad-request"}), stream_errors=INVALID)


@operator(Family.PROTOCOL, "An iq without a type.", _shows(lambda e: "type" not in e.attrib))
def iq_without_type(_: Source, stanza: Stanza, __: Scene) -> Iterator[Change]:
    if stanza.carrier is Carrier.IQ:
        yield from _attribute(stanza, "type", None, _not_a_request(stanza))


@operator(Family.PROTOCOL, "An iq of a type that is none.", _shows(lambda e: e.get("type") not in _TYPES[Carrier.IQ]))
def iq_of_unknown_type(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    if stanza.carrier is Carrier.IQ:
        kind = pick(source, ("stanzalab", "", "GET", "Set", " get", "chat", "subscribe", "unavailable", "x" * 3_000))
        yield from _attribute(stanza, "type", kind, _not_a_request(stanza))


@operator(
    Family.PROTOCOL,
    "A message of a type that is none: a receiver takes it for a normal one.",
    _shows(lambda e: e.get("type") not in _TYPES[Carrier.MESSAGE]),
)
def message_of_unknown_type(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    if stanza.carrier is Carrier.MESSAGE:
        kind = pick(source, ("stanzalab", "", "CHAT", " chat", "get", "result", "subscribe", "x" * 3_000))
        yield from _attribute(stanza, "type", kind, lenient(stanza, "RFC 6121 §5.2.2, RFC 6120 §4.9.3.11"))


@operator(
    Family.PROTOCOL,
    "A presence of a type that is none.",
    _shows(lambda e: e.get("type") not in _TYPES[Carrier.PRESENCE]),
)
def presence_of_unknown_type(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    if stanza.carrier is Carrier.PRESENCE:
        kind = pick(source, ("stanzalab", "", "available", "SUBSCRIBE", " unavailable", "get", "chat", "x" * 3_000))
        allowed = lenient(stanza, "RFC 6121 §4.7.1, RFC 6120 §4.9.3.11")
        reactions = allowed.reactions | {Reaction.SILENCE}
        yield from _attribute(stanza, "type", kind, Allowed(reactions, allowed.where, stream_errors=INVALID))


@operator(Family.PROTOCOL, "A request with two children.", _shows(lambda e: len(e) > 1))
def request_with_two_payloads(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    if is_request(stanza):
        found = tokens(stanza.xml)
        number = next((n for n, tag in enumerate(found.tags) if tag.depth == 1), None)
        if number is not None:
            start, end = found.tags[number].start, element_end(found.tags, number)
            new = pick(source, (stanza.xml[start:end], _PING, _ERROR[0], "<query xmlns='jabber:iq:roster'/>"))
            at = pick(source, (end, start))
            yield spliced(stanza, at, at, new, "/iq", lenient(stanza, "RFC 6120 §8.2.3, §8.3.3.1"))


@operator(Family.PROTOCOL, "A request without a child.", _shows(lambda e: len(e) == 0))
def request_without_payload(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    if is_request(stanza):
        root = tokens(stanza.xml).tags[0]
        start, end = root.end, stanza.xml.rindex("<")
        if root.kind == "start":
            new = pick(source, ("", "x", " "))
            yield spliced(stanza, start, end, new, "/iq", lenient(stanza, "RFC 6120 §8.2.3, §8.3.3.1"))


@operator(Family.PROTOCOL, "A result with two children.", _shows(lambda e: e.get("type") == "result" and len(e) > 1))
def result_with_two_payloads(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    if stanza.carrier is Carrier.IQ:
        yield _held(stanza, "result", pick(source, (_PING, "<x xmlns='urn:stanzalab:0'/>")), broken=True)


@operator(Family.PROTOCOL, "A result that nobody asked for.", _shows(lambda e: e.get("type") == "result"))
def unrequested_result(_: Source, stanza: Stanza, __: Scene) -> Iterator[Change]:
    if is_request(stanza):
        yield from _attribute(stanza, "type", "result", unanswerable(stanza, "RFC 6120 §8.2.3, §10.3.3"))


@operator(
    Family.PROTOCOL, "An error that answers nothing.", _shows(lambda e: e.get("type") == "error" and len(e) > 0)
)
def unrequested_error(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    if stanza.carrier in _TYPES and stanza.type != "error":
        yield _held(stanza, "error", pick(source, _ERROR), broken=False)


@operator(
    Family.PROTOCOL,
    "An error that does not say which.",
    _shows(lambda e: e.get("type") == "error" and e.find("{jabber:client}error") is None),
)
def error_without_error(_: Source, stanza: Stanza, __: Scene) -> Iterator[Change]:
    if stanza.carrier in _TYPES and stanza.type != "error":
        allowed = unanswerable(stanza, "RFC 6120 §8.3.1, §8.3.2, §4.9.3.11", broken=True)
        yield from _attribute(stanza, "type", "error", allowed)


@operator(
    Family.PROTOCOL,
    "An error child in what is no error.",
    _shows(lambda e: e.get("type") != "error" and e.find("{jabber:client}error") is not None),
)
def error_in_no_error(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    if stanza.carrier in _TYPES and stanza.type != "error":
        tag = tokens(stanza.xml).tags[0]
        start, end, new = inside(stanza.xml, tag, pick(source, _ERROR))
        yield spliced(stanza, start, end, new, tag.place, lenient(stanza, "RFC 6120 §8.3.1, §8.3.3.1"))


def _held(stanza: Stanza, kind: str, inner: str, *, broken: bool) -> Change:
    """The stanza as a reply of that type, with something more in it."""
    xml = with_attribute(stanza.xml, "type", kind)
    start, end, new = inside(xml, tokens(xml).tags[0], inner)
    data = (xml[:start] + new + xml[end:]).encode()
    where = "RFC 6120 §8.2.3, §8.3.1" + (", §4.9.3.11" if broken else "")
    was, allowed = stanza.type, unanswerable(stanza, where, broken=broken)
    return Change(f"/{stanza.carrier}", was, f"{kind}, {inner}", (data,), allowed)
