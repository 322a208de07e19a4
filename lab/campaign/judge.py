"""The standing rules of a campaign: what a batch's answers say about the server. Facts in, symptoms out.

A symptom is a suspicion: `lab.campaign.narrow` finds the stanza that causes it and confirms it. When in doubt a
symptom is not raised: one false accusation costs more than ten missed faults.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from generators.allowed import Reaction
from generators.stanza import Family
from lab.campaign.batch import Batch, Item, must_answer
from lab.campaign.cast import WITHIN, Cast, Seen
from lab.standing import Request, faults_of_reply, faults_of_stanza
from lab.wire.session import localname, show, stanza_error_condition
from lab.wire.stream import Element
from schemas.payloads import Addressee, Carrier

SEEN = 600  # characters of a stanza that a symptom shows

ERROR_RULES = {"error-child", "error-type", "error-condition"}
"""The rules of `lab.standing` for how an error looks."""

OWN = {
    Addressee.SERVER,
    Addressee.ACCOUNT,
    Addressee.MUC,
    Addressee.PUBSUB,
    Addressee.UPLOAD,
    Addressee.PROXY,
    Addressee.COMPONENT,
}
"""What is addressed to these is nobody else's to see."""


@dataclass(frozen=True)
class Rule:
    """A standing rule: its name, where it stands, and what it asks."""

    name: str
    where: str
    says: str


RULES = {
    rule.name: rule
    for rule in (
        Rule("answers-each-iq", "RFC 6120 §8.2.3", "A request is answered by a result or an error."),
        Rule("answers-once", "RFC 6120 §8.2.3", "A request is answered once."),
        Rule(
            "reply-is-right",
            "RFC 6120 §8.1, §8.2.3, §8.3",
            "A reply bears id and sender, an error type and condition.",
        ),
        Rule("answers-what-was-sent", "RFC 6120 §8.2.3", "A reply answers a request."),
        Rule("keeps-the-stream", "RFC 6120 §4.9", "A stanza that nothing is wrong with does not end the stream."),
        Rule("ends-the-stream", "RFC 6120 §4.9.1, §11", "What is no XMPP stream is ended by a stream error."),
        Rule("reacts-as-allowed", "RFC 6120 §8", "What a specification forbids to do with a stanza is not done."),
        Rule(
            "splits-as-sent", "RFC 6120 §4.8, §11.3", "What stands within a stanza is not taken for one of its own."
        ),
        Rule("keeps-to-itself", "RFC 6120 §10.5", "A stanza reaches nobody but whom it is addressed to."),
        Rule("passes-on-no-malformed", "RFC 6120 §11", "Nothing malformed reaches another user."),
        Rule("speaks-xmpp", "RFC 6120 §4, §11", "What is sent is an XMPP stream."),
        Rule("answers-the-sentinel", "RFC 6120 §8.2.3", "The session still answers behind the stanza."),
        Rule("answers-others", "the lab", "Other sessions are answered within their bound all the while."),
        Rule("lives", "the lab", "The process lives."),
        Rule("logs-no-crash", "the lab", "The server's log has no crash and no traceback."),
        Rule("keeps-its-memory", "the lab", "The server's memory stays within its bound."),
        Rule("sends-what-is-right", "RFC 6120 §8", "A stanza that a client sends is right by itself."),
        Rule("shows-who-sent-it", "RFC 6120 §8.1.2", "A client shows nothing as somebody's who did not send it."),
        Rule("takes-commands", "the lab", "A client goes on doing what its user asks."),
    )
}


@dataclass(frozen=True)
class Symptom:
    """A rule that seems broken. `place` is the item's number in the batch, None where it could be any.

    `kind` tells apart what breaks the same rule in another way: the reaction, or the rule of `lab.standing`. Where it
    is `telling`, it says alone which fault it is, whatever stanza shows it: a place in the source, for example.
    """

    rule: str
    place: int | None
    expected: str
    seen: str
    kind: str = ""
    telling: bool = False
    alone: bool = False


def judge(cast: Cast, batch: Batch) -> list[Symptom]:
    """Every symptom of a finished batch; none for most."""
    symptoms = [
        symptom
        for place, (item, seen) in enumerate(zip(batch.items, batch.seen, strict=True))
        for symptom in _of_item(batch, place, item, seen)
    ]
    symptoms += _of_stream(batch)
    symptoms += _of_witnesses(cast, batch)
    return symptoms


def _of_item(batch: Batch, place: int, item: Item, seen: Seen) -> Iterator[Symptom]:
    if not seen.replies and must_answer(item) and batch.sentinel and not batch.ended:
        came = (
            "it was delivered and answered, but no reply came back"
            if seen.deliveries
            else "nothing came, while a sentinel behind it was answered"
        )
        # Who leaves a room, by another stanza, gets no answers from it any more.
        in_room = item.stanza.addressee is Addressee.OCCUPANT
        yield Symptom("answers-each-iq", place, reactions(item), came, alone=in_room)
    for reply in seen.replies:
        yield from _of_reply(batch, place, item, reply)
    request = item.stanza.carrier is Carrier.IQ and item.stanza.type in {"get", "set"}
    if request and len(seen.replies) > 1 and len(seen.replies) > _requests(item):
        yield Symptom("answers-once", place, "one reply", shown(*seen.replies[:3]))
    for who, element in seen.deliveries:
        if who == "contact":
            yield from _of_delivery(place, item, element)


def _requests(item: Item) -> int:
    """How many requests it is: a malformed one may hold its id twice."""
    return 2 if item.malformed and b"".join(item.chunks).count(item.id.encode()) > 1 else 1


def _of_reply(batch: Batch, place: int, item: Item, reply: Element) -> Iterator[Symptom]:
    allowed = item.allowed
    error = reply.get("type") == "error"
    reaction = Reaction.ERROR if error else Reaction.RESULT
    condition = stanza_error_condition(reply) if error else ""
    if not allowed.permits(reaction) and not allowed.ends_stream:
        yield Symptom("reacts-as-allowed", place, reactions(item), shown(reply), reaction)
    elif error and allowed.errors and condition not in allowed.errors:
        yield Symptom("reacts-as-allowed", place, reactions(item), shown(reply), condition)
    session = batch.fuzzer.session
    faults = faults_of_stanza(reply, session.jid, session.domain)
    if item.malformed is None and item.stanza.carrier is Carrier.IQ:
        request = Request(item.id, item.stanza.to or None, session.jid, session.domain)
        faults = (*faults_of_reply(request, reply), *faults)
    if item.malformed is not None:
        # Whoever is told a wrong sender may answer to it; how an error looks is no matter of what it answers.
        faults = tuple(fault for fault in faults if fault.rule in ERROR_RULES)
    for fault in faults[:1]:
        yield Symptom("reply-is-right", place, f"{fault.says} ({fault.where})", shown(reply), fault.rule)


def _of_delivery(place: int, item: Item, element: Element) -> Iterator[Symptom]:
    addressee, carrier = item.stanza.addressee, item.stanza.carrier
    malformed = item.malformed
    if item.allowed.ends_stream:
        return  # that the stream goes on is the fault, or that it ended behind what was delivered is none
    if (
        addressee in OWN
        and carrier is not Carrier.PRESENCE
        and (malformed is None or malformed.family is Family.SCHEMA)
    ):
        yield Symptom(
            "keeps-to-itself", place, f"nobody but {addressee} gets it", f"the contact got {shown(element)}"
        )
    elif malformed is not None and not item.allowed.permits(Reaction.DELIVERY) and addressee not in OWN:
        yield Symptom("reacts-as-allowed", place, reactions(item), f"the contact got {shown(element)}", "delivery")


def _of_stream(batch: Batch) -> Iterator[Symptom]:
    end = batch.fuzzer.end
    alone = 0 if len(batch.items) == 1 else None
    if end is not None and end.limit:
        return
    if end is not None and end.violation:
        yield Symptom("speaks-xmpp", alone, "an XMPP stream", f"{end.violation}: {end.seen}"[:SEEN])
    elif (batch.closed_by_us or (end is None and not batch.sentinel)) and not (end and end.condition):
        yield from _of_silence(batch, alone)
    elif end is None:
        for place, item in enumerate(batch.items):
            if item.allowed.ends_stream and batch.sentinel:
                seen = "the stream goes on: a sentinel behind it was answered"
                yield Symptom("ends-the-stream", place, reactions(item), seen)
    elif not any(item.allowed.permits(Reaction.STREAM_ERROR) for item in batch.items):
        seen = end.seen[:SEEN] or "the connection was closed"
        yield Symptom("keeps-the-stream", alone, "the stream goes on", seen, end.condition)
    elif len(batch.items) == 1:
        item = batch.items[0]
        if end.condition and item.allowed.stream_errors and end.condition not in item.allowed.stream_errors:
            yield Symptom("reacts-as-allowed", 0, reactions(item), end.seen[:SEEN], end.condition)


def _of_silence(batch: Batch, alone: int | None) -> Iterator[Symptom]:
    """Nothing came, not even for the sentinel, until we closed the stream (and perhaps not then)."""
    silence = f"nothing within {batch.took:.1f} s"
    if batch.early:
        item = batch.items[0]
        if item.allowed.ends_stream:
            replies = batch.seen[0].replies
            came = f"after {shown(*replies[:1])}" if replies else silence
            yield Symptom("ends-the-stream", 0, reactions(item), f"the stream was left open: {came}")
    elif batch.fuzzer.end is None:
        yield Symptom(
            "answers-the-sentinel", alone, "an answer to the iq behind it", f"{silence}, nor any end", "stuck"
        )
    elif not any(item.malformed and item.malformed.family is Family.BYTES for item in batch.items):
        # Broken bytes may leave a parser waiting for their end: only a close shows it that there is none.
        yield Symptom("answers-the-sentinel", alone, "an answer to the iq behind it", silence)


def _of_witnesses(cast: Cast, batch: Batch) -> Iterator[Symptom]:
    alone = 0 if len(batch.items) == 1 else None
    places = {item.id: place for place, item in enumerate(batch.items) if item.id}
    yield from _of_smuggled(cast, places)
    for leak in [leak for leak in cast.ledger.leaks if leak.get("id") in places or not leak.get("id")]:
        cast.ledger.leaks.remove(leak)
        place = places.get(leak.get("id", ""), alone)
        seen = f"the bystander got {shown(leak)}"
        yield Symptom("keeps-to-itself", place, "a bystander gets nothing", seen, "bystander")
    for pipe in (cast.contact, cast.bystander):
        if pipe.end is not None and pipe.end.violation:
            seen = f"the {pipe.label} was sent {pipe.end.violation}: {pipe.end.seen}"
            yield Symptom("passes-on-no-malformed", alone, "well-formed XML reaches others", seen[:SEEN])
        elif pipe.end is not None and not pipe.end.limit:
            yield Symptom(
                "answers-others", alone, f"the {pipe.label} stays connected", pipe.end.seen[:SEEN] or "closed"
            )
    if (
        batch.witness_marks
        and not batch.witnesses
        and cast.contact.end is None
        and cast.bystander.end is None
        and (batch.sentinel or batch.ended)
    ):
        yield Symptom(
            "answers-others", alone, "the contact and the bystander are answered", f"not within {batch.took:.1f} s"
        )
    strays = [element for who, element in cast.ledger.strays if who == batch.fuzzer.label]
    cast.ledger.strays[:] = [stray for stray in cast.ledger.strays if stray[0] != batch.fuzzer.label]
    if strays and all(item.malformed is None for item in batch.items):
        # A message or presence error may bear any id; an iq's reply may not.
        for stray in strays:
            if localname(stray) == "iq":
                yield Symptom("answers-what-was-sent", alone, "replies to what was asked", shown(stray))


def reactions(item: Item) -> str:
    """What is allowed, in words."""
    allowed = item.allowed
    words = [str(r) for r in Reaction if r in allowed.reactions]
    said = " or ".join(words)
    if allowed.errors and Reaction.ERROR in allowed.reactions:
        said += f" (error: {', '.join(sorted(allowed.errors))})"
    if allowed.stream_errors:
        said += f" (stream error: {', '.join(sorted(allowed.stream_errors))})"
    return f"{said}; {allowed.where}"


def shown(*elements: Element) -> str:
    return " ".join(show(element) for element in elements)[:SEEN]


def _of_smuggled(cast: Cast, places: Mapping[str, int]) -> Iterator[Symptom]:
    """A stanza that stood within another's bytes, and was taken for one of its own by the server."""
    for who, element in list(cast.ledger.smuggled):
        place = places.get(element.get("id", "").removesuffix(WITHIN))
        if place is not None:
            cast.ledger.smuggled.remove((who, element))
            yield Symptom("splits-as-sent", place, "one stanza, or the end of the stream", f"{who}: {shown(element)}")
