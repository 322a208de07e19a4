"""Stanzas, casts and batches made by hand, for tests of what looks at them: nobody is connected to anything."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from generators.allowed import ANSWERED, ANSWERED_OR_DELIVERED, ONE_WAY, Allowed, Reaction
from generators.stanza import Family, Malformed, Moment, Scene, Stanza
from lab.campaign.batch import Batch, Item
from lab.campaign.cast import Cast, Seen
from lab.campaign.pipe import End, Pipe
from lab.wire.namespaces import PING
from lab.wire.session import Session, parse
from lab.wire.stream import Element
from lab.wire.transport import Transport
from schemas.payloads import Addressee, Carrier, Party, Payload, Use

DOMAIN = "lab.test"
OWN = f"romeo@{DOMAIN}/orchard"
CONTACT = f"juliet@{DOMAIN}/balcony"
SCENE = Scene(
    OWN,
    DOMAIN,
    {
        Addressee.SERVER: (DOMAIN,),
        Addressee.ACCOUNT: ("", f"romeo@{DOMAIN}"),
        Addressee.CONTACT: (CONTACT, f"juliet@{DOMAIN}"),
    },
)
ENDS = Allowed(frozenset({Reaction.STREAM_ERROR}), "RFC 6120 §11", stream_errors=frozenset({"not-well-formed"}))
REFUSED = Allowed(frozenset({Reaction.ERROR}), "RFC 6120 §8.3", errors=frozenset({"bad-request"}))
REFUSED_OR_ENDS = Allowed(frozenset({Reaction.ERROR, Reaction.STREAM_ERROR}), "RFC 6120 §8")

_ALLOWED = {Carrier.IQ: ANSWERED, Carrier.MESSAGE: ONE_WAY, Carrier.PRESENCE: ONE_WAY}


def stanza(
    identifier: str = "f1",
    *,
    carrier: Carrier = Carrier.IQ,
    type_: str = "",
    addressee: Addressee = Addressee.SERVER,
    to: str | None = None,
    element: str = f"{{{PING}}}ping",
    allowed: Allowed | None = None,
) -> Stanza:
    """A stanza with an empty payload; an iq is a get."""
    if to is None:
        to = {Addressee.SERVER: DOMAIN, Addressee.CONTACT: CONTACT}.get(addressee, "")
    type_ = type_ or ("get" if carrier is Carrier.IQ else "")
    kind, whom = (f" type='{type_}'" if type_ else ""), (f" to='{to}'" if to else "")
    namespace, _, name = element[1:].partition("}")
    xml = f"<{carrier}{kind} id='{identifier}'{whom}><{name} xmlns='{namespace}'/></{carrier}>"
    use = Use(carrier, (type_,) if type_ else (), (Party.CLIENT,), (addressee,))
    if allowed is None:
        to_others = carrier is Carrier.IQ and addressee in {Addressee.CONTACT, Addressee.OCCUPANT}
        allowed = ANSWERED_OR_DELIVERED if to_others else _ALLOWED[carrier]
    payload = Payload(element, "RFC 6120", (use,))
    return Stanza(payload, use, addressee, carrier, type_, identifier, to, xml, allowed)


def valid(identifier: str = "f1", choices: tuple[int, ...] = (), **facts: Any) -> Item:
    return Item(stanza(identifier, **facts), None, choices)


def malformed(
    base: Stanza,
    allowed: Allowed,
    *,
    operator: str = "nul",
    family: Family = Family.BYTES,
    place: str = "iq",
    chunks: tuple[bytes, ...] = (),
    identifier: str | None = None,
    moment: Moment = Moment.BOUND,
    was: str = "",
    became: str = "",
) -> Item:
    """An item that is said to be malformed, whatever its bytes are."""
    made = Malformed(
        base,
        operator,
        family,
        place,
        was,
        became,
        base.id if identifier is None else identifier,
        chunks or (base.xml.encode(),),
        allowed,
        moment,
    )
    return Item(base, made, ())


# --- what came


def heard(xml: str) -> Element:
    return parse(xml, default="jabber:client")


def result(identifier: str = "f1", sender: str = DOMAIN) -> Element:
    return heard(f"<iq type='result' id='{identifier}' from='{sender}' to='{OWN}'/>")


def error(
    identifier: str = "f1",
    condition: str = "bad-request",
    *,
    kind: str = "modify",
    sender: str = DOMAIN,
    name: str = "iq",
) -> Element:
    said = f"<{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>" if condition else ""
    about = f"type='error' id='{identifier}' from='{sender}' to='{OWN}'"
    return heard(f"<{name} {about}><error type='{kind}'>{said}</error></{name}>")


# --- who was there


def session(label: str = "fuzzer", jid: str = OWN, sock: socket.socket | None = None) -> Session:
    """A session whose stream is open; without a socket of yours, on one that is connected to nobody."""
    made = Session(Transport(sock or socket.socket()), domain=DOMAIN, patience=2.0, label=label)
    made.jid = jid
    made.stream.receive_data(b"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>")
    made.stream.next_event()
    return made


@contextmanager
def cast_of(*scenes: Scene) -> Iterator[Cast]:
    """A cast that nobody plays in: one fuzzer a scene, a contact, a bystander."""
    scenes = scenes or (SCENE,)
    pipes = [Pipe(session("fuzzer" if not n else f"fuzzer-{n}", scene.own)) for n, scene in enumerate(scenes)]
    contact, bystander = Pipe(session("contact", CONTACT)), Pipe(session("bystander", f"nurse@{DOMAIN}/house"))
    cast = Cast(pipes, contact, bystander, list(scenes))
    try:
        yield cast
    finally:
        for pipe in cast.pipes:
            pipe.session.transport.close()


def batch(
    cast: Cast,
    *items: Item,
    replies: Mapping[int, Sequence[Element]] | None = None,
    deliveries: Mapping[int, Sequence[tuple[str, Element]]] | None = None,
    end: End | None = None,
    **facts: Any,
) -> Batch:
    """A finished batch: everything that was to come behind the items came, but for what `facts` say."""
    fuzzer = cast.fuzzers[0]
    fuzzer.end = end
    seen = [cast.ledger.expect(item.id) if item.id else Seen() for item in items]
    for place, elements in (replies or {}).items():
        seen[place].replies.extend(elements)
    for place, found in (deliveries or {}).items():
        seen[place].deliveries.extend(found)
    facts = {"sentinel": end is None, "witnesses": True, "witness_marks": ("one", "two"), "took": 0.5, **facts}
    return Batch(fuzzer, items, seen, "mark", **facts)
