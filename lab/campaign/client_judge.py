"""The standing rules of a campaign over a client: what it did with a batch says something of it. Symptoms out.

When in doubt a symptom is not raised, as in `lab.campaign.judge`, which has the rules themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from generators.allowed import Reaction
from generators.malformations.tokens import attribute_of
from generators.stanza import Family
from lab.campaign import incoming
from lab.campaign.batch import Item, must_answer
from lab.campaign.cast import Seen
from lab.campaign.client_session import MARK, ClientSession, Received
from lab.campaign.judge import ERROR_RULES, SEEN, Symptom, reactions, shown
from lab.campaign.outside import gist_of
from lab.campaign.recorded import Came
from lab.standing import IQ, Request, faults_of_client, faults_of_reply, kind_of
from lab.wire.namespaces import ROSTER
from lab.wire.session import show
from lab.wire.stream import Element
from schemas.payloads import Carrier

LAST_WORDS = 800  # characters that are shown

_CRASH = re.compile(r"Traceback|^panic:|^fatal error:|[Ee]xception\b|Assertion|[Ss]egmentation fault|^\w*Error\b")
"""A line that says that a program crashed, in the languages of clients."""

SHOWN_FROM = {"message", "receipt", "chat-state", "presence", "subscription-request", "nick"}
"""The events that tell whom something is from."""


def judge(session: ClientSession, batch: Received) -> list[Symptom]:
    """Every symptom of a batch; none for most. A process that is gone explains all else."""
    alone = 0 if len(batch.items) == 1 else None
    if batch.gone:
        return [_death(batch, alone)]
    found = [
        symptom
        for place, (item, seen) in enumerate(zip(batch.items, batch.seen, strict=True))
        if place not in batch.unsent
        for symptom in _of_item(session, batch, place, item, seen)
    ]
    return [*found, *_of_stream(batch, alone), *_of_sent(session, batch, alone), *_of_events(session, batch)]


def _death(batch: Received, alone: int | None) -> Symptom:
    """How its process ended, and where that was if it says so."""
    lines = batch.last_words.splitlines()
    crash = next((n for n, line in enumerate(lines) if _CRASH.search(line)), None)
    said = f"{batch.gone}; its last words:\n{batch.last_words[-LAST_WORDS:]}" if lines else batch.gone
    if crash is None:
        return Symptom("lives", alone, "the process lives", said, batch.gone)
    where = gist_of(lines[crash], lines[crash + 1 :])
    return Symptom("lives", alone, "the process lives", said, f"{batch.gone}: {where}", telling=True)


def _of_item(session: ClientSession, batch: Received, place: int, item: Item, seen: Seen) -> Iterator[Symptom]:
    if not seen.replies:
        if must_answer(item) and batch.sentinel and not batch.ended:
            yield Symptom(
                "answers-each-iq", place, reactions(item), "nothing came, while a sentinel behind it was answered"
            )
        return
    for reply in seen.replies:
        reaction = Reaction.ERROR if reply.get("type") == "error" else Reaction.RESULT
        if kind_of(reply) == IQ and not item.allowed.permits(reaction):
            yield Symptom("reacts-as-allowed", place, reactions(item), shown(reply), reaction)
        yield from _of_reply(session, place, item, reply)
    request = item.stanza.carrier is Carrier.IQ and item.stanza.type in {"get", "set"}
    twice = item.operator == "repeated-id" or incoming.is_broken(item)
    if request and not twice and len(seen.replies) > 1:
        yield Symptom("answers-once", place, "one reply", shown(*seen.replies[:3]))


def _of_reply(session: ClientSession, place: int, item: Item, reply: Element) -> Iterator[Symptom]:
    """Whether a reply bears the id of what was sent, and goes to whoever asked."""
    if item.stanza.carrier is not Carrier.IQ or _is_protocol(item) or incoming.is_broken(item):
        return
    asked = attribute_of(item.stanza.xml, "from") or session.contact
    own = asked in {session.account, session.domain}
    request = Request(item.id, None, asked, session.domain)
    faults = [f for f in faults_of_reply(request, reply) if f.rule in {"reply-id", "reply-to", "reply-type"}]
    if faults:
        yield Symptom("reply-is-right", place, f"{faults[0].says} ({faults[0].where})", shown(reply), faults[0].rule)
    elif reply.get("to") is None and not own:
        says = "The answer goes to whoever asked (RFC 6120 §8.1.1.1, §8.2.3)"
        yield Symptom("reply-is-right", place, says, shown(reply), "reply-to")


def _of_stream(batch: Received, alone: int | None) -> Iterator[Symptom]:
    may_end = any(item.allowed.permits(Reaction.STREAM_ERROR) for item in batch.items)
    if batch.violation:
        yield Symptom("speaks-xmpp", alone, "an XMPP stream", batch.violation[:SEEN], batch.wrong, telling=True)
    elif batch.ended:
        if batch.left and not may_end:
            seen = f"the client ended it with <{batch.condition}/>" if batch.condition else "the client ended it"
            yield Symptom("keeps-the-stream", alone, "the stream goes on", seen, batch.condition)
    elif not batch.commands:
        seen = "a command is not answered any more"
        yield Symptom("takes-commands", alone, "the client does what its user asks", seen)
    elif not (batch.sentinel or batch.withheld or (alone is not None and incoming.is_broken(batch.items[alone]))):
        seen = f"nothing within {batch.took:.1f} s, while the connection stands"
        yield Symptom("answers-the-sentinel", alone, "an answer to the iq behind it", seen, "stuck")


def _of_sent(session: ClientSession, batch: Received, alone: int | None) -> Iterator[Symptom]:
    """Whether what it sent is right by itself, and answers what was asked."""
    if any(incoming.is_broken(item) for item in batch.items):
        return  # what it made of that is not known
    places = {item.id: place for place, item in enumerate(batch.items) if item.id}
    plain = not any(_is_protocol(item) for item in batch.items)
    for element in batch.sent:
        identifier = element.get("id", "")
        place = places.get(identifier, alone)
        faults = faults_of_client(element, session.jid)
        if place is not None and _is_protocol(batch.items[place]):
            # Whoever was told a wrong address may answer with it, as a server may.
            faults = tuple(fault for fault in faults if fault.rule in ERROR_RULES)
        for fault in faults[:1]:
            yield Symptom(
                "sends-what-is-right", place, f"{fault.says} ({fault.where})", show(element)[:SEEN], fault.rule
            )
        reply = kind_of(element) == IQ and element.get("type") in {"result", "error"}
        if plain and reply and identifier not in places and identifier not in session.recorded.arrived:
            yield Symptom("answers-what-was-sent", alone, "replies to what was asked", shown(element))


def _is_protocol(item: Item) -> bool:
    """Whether what is wrong with it is its addresses, its type, its id, or what it is at all."""
    return item.malformed is not None and item.malformed.family is Family.PROTOCOL


# --- what it shows


def _of_events(session: ClientSession, batch: Received) -> Iterator[Symptom]:
    """Whether whatever is shown as somebody's came from them, or as a copy or an old one from the own account."""
    if any(incoming.is_broken(item) for item in batch.items):
        return
    came = session.recorded.came
    places = {item.id: place for place, item in enumerate(batch.items) if item.id}
    alone = 0 if len(batch.items) == 1 else None
    for event in batch.events:
        if event["event"] in SHOWN_FROM:
            blamed = _forged(session, event, came)
        elif event["event"] == "contact":
            blamed = _contact_forged(session, event, came)
        else:
            continue
        place = None if blamed is None else places.get(blamed.id, alone)
        if blamed is None or place is None:
            continue  # what a stanza of an earlier batch shows, it shows again
        yield Symptom(
            "shows-who-sent-it",
            place,
            f"nothing is shown as {event.get('from') or event.get('jid')}'s that they did not send",
            f"{event}, of {show(blamed.element)}"[:SEEN],
            f"{event['event']} by {batch.items[place].operator or 'a valid stanza'}",
            telling=bool(batch.items[place].operator),
        )


def _forged(session: ClientSession, event: Mapping[str, Any], came: list[Came]) -> Came | None:
    """The stanza that says somebody else's words, where the client believes it; None where nothing is wrong."""
    name, body = _bare(event["from"]), event.get("body")
    if name in {_bare(session.account), ""} or str(body).startswith(MARK):
        return None
    holding = [one for one in came if _names(one.element, event["from"], body)]
    if any(_trusted(session, one) or _bare(one.sender or "") == name for one in holding):
        return None
    # Without words to know it by, it may tell of any stanza of theirs.
    known = not body and any(_bare(one.sender or "") == name for one in came)
    return holding[-1] if holding and not known else None


def _contact_forged(session: ClientSession, event: Mapping[str, Any], came: list[Came]) -> Came | None:
    name = _bare(event["jid"])
    holding = [one for one in came if _names(one.element, event["jid"], None)]
    if any(_trusted(session, one) or _bare(one.sender or "") == name for one in holding):
        return None
    return next((one for one in reversed(holding) if one.element.find(f"{{{ROSTER}}}query") is not None), None)


def _trusted(session: ClientSession, one: Came) -> bool:
    """Whether it is from the client's own account or server, who may speak of others."""
    return one.sender is None or _bare(one.sender) in {_bare(session.account), _bare(session.domain)}


def _names(element: Element, jid: str, body: str | None) -> bool:
    """Whether a stanza holds these words and, in an attribute or a text, that address."""
    if body and not any(one.text == body for one in element.iter("{*}body")):
        return False
    name = _bare(jid)
    return any(
        name == _bare(text)
        for node in element.iter("{*}*", "*")
        for text in (*map(str, node.attrib.values()), (node.text or "").strip())
    )


def _bare(jid: str) -> str:
    return jid.partition("/")[0].lower()
