"""What kind of answer a server gives to a stanza, in words that can be compared: no texts, no ids, no addresses.

Facts in, facts out. Whether an answer is right is not asked here.
"""

from __future__ import annotations

from dataclasses import dataclass

from generators.allowed import Reaction
from lab.campaign.batch import Batch, Item
from lab.campaign.cast import Cast, Seen
from lab.wire.session import localname, show, stanza_error_condition
from lab.wire.stream import Element
from schemas.payloads import Carrier

SHOWN = 500  # characters of what came
SILENCE = "silence"
CONTACT_SAYS = ("cancel", "service-unavailable")
"""The error with which the contact itself answers whatever request reaches it (`lab.campaign.cast`)."""


@dataclass(frozen=True)
class Answer:
    """`kind` is what is compared; `shown` is what came, for people. `ends`: nothing can follow on that stream."""

    kind: str
    shown: str = ""
    ends: bool = False


def answer_of(cast: Cast, batch: Batch, place: int) -> Answer | None:
    """What kind of answer an item of a finished batch had. None where that cannot be told from this batch.

    That is so where the stream ended, or went silent, and other stanzas of the batch may have been why.
    """
    item, seen = batch.items[place], batch.seen[place]
    alone = len(batch.items) == 1
    parts = [*_reached(cast, item, seen), *_replied(item, seen)]
    came = [element for _, element in seen.deliveries] + seen.replies
    ending: list[str] = []
    if alone:
        strays = [element for _, element in cast.ledger.strays]
        if not seen.replies and any(localname(element) == "iq" for element in strays):
            parts.append("a reply with another id" if item.id else "a reply without an id")
            came += strays
        ending = _stream(batch)
        parts += [*_witnesses(cast), *ending]
    elif not parts and (not item.id or batch.ended or not batch.sentinel):
        return None
    shown = " ".join(show(element) for element in came)
    if alone and batch.fuzzer.end is not None and batch.fuzzer.end.seen:
        shown = f"{shown} {batch.fuzzer.end.seen}".strip()
    return Answer(", then ".join(parts) or SILENCE, shown[:SHOWN], bool(ending))


def _reached(cast: Cast, item: Item, seen: Seen) -> list[str]:
    """Whom the stanza reached."""
    who = {name for name, _ in seen.deliveries}
    parts = []
    if "contact" in who:
        parts.append("delivered")
    if "sender" in who:
        parts.append("sent back to its sender")
    if item.id and any(leak.get("id") == item.id for leak in cast.ledger.leaks):
        parts.append("delivered to a bystander")
    if _is_request(item) and parts == ["delivered"] and not seen.replies:
        return ["delivered, whose answer is lost"]
    return parts


def _replied(item: Item, seen: Seen) -> list[str]:
    """The replies; but not the one that the contact gave, who has no choice."""
    replies = [_reply(reply) for reply in seen.replies]
    if any(name == "contact" for name, _ in seen.deliveries) and _error(*CONTACT_SAYS) in replies:
        replies.remove(_error(*CONTACT_SAYS))
    different = list(dict.fromkeys(replies))
    if len(different) == 1 and len(replies) > 1 and item.stanza.carrier is Carrier.IQ:
        return [f"{different[0]}, {'twice' if len(replies) == 2 else f'{len(replies)} times'}"]
    return different


def _is_request(item: Item) -> bool:
    return item.malformed is None and item.stanza.carrier is Carrier.IQ and item.stanza.type in {"get", "set"}


def _reply(reply: Element) -> str:
    if reply.get("type") != "error":
        return "result"
    error = reply.find("{*}error")
    return _error("no type" if error is None else error.get("type", "no type"), stanza_error_condition(reply))


def _error(kind: str, condition: str) -> str:
    return f"error {condition or 'without condition'} ({kind})"


def _witnesses(cast: Cast) -> list[str]:
    """What others came to see of a stanza that was sent alone, beside deliveries."""
    return [
        f"the {pipe.label} {'gets what is no XMPP' if pipe.end.violation else 'is cut off'}"
        for pipe in (cast.contact, cast.bystander)
        if pipe.end is not None and not pipe.end.limit
    ]


def _stream(batch: Batch) -> list[str]:
    """What became of the stream of a stanza that was sent alone."""
    end = batch.fuzzer.end
    early = batch.early and batch.closed_by_us  # nothing says that we were to get an answer before
    waited = ["waits for more"] if batch.closed_by_us and not early else []
    if end is None:
        silent = not batch.sentinel and not batch.early
        return ["nothing is answered any more"] if silent else []
    if end.violation:
        return [*waited, "what is no XMPP stream"]
    if end.limit:
        return [*waited, "more than the lab reads"]
    if end.condition:
        return [*waited, f"stream error {end.condition}"]
    return waited if batch.closed_by_us else ["the stream is closed without an error"]


def who_ended(batch: Batch) -> int | None:
    """Which stanza of a batch ended its stream, most likely: one behind the last answer. None where it goes on."""
    if not batch.ended:
        return None
    answered = [place for place, seen in enumerate(batch.seen) if seen.replies or seen.deliveries]
    behind = range(answered[-1] + 1 if answered else 0, len(batch.items))
    may = [place for place in behind if batch.items[place].allowed.permits(Reaction.STREAM_ERROR)]
    malformed = [place for place in behind if batch.items[place].malformed is not None]
    return next(iter(may or malformed or behind), None)
