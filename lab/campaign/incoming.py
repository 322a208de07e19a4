"""What a client may receive: who a stanza is from, how it gets there, and what the client may do with it.

The operators say what RFC 6120 lets a *server* do. A client has fewer excuses in some places (it need not validate,
and should overlook what does not fit a schema: §11.4), and more in others: it may overlook what was forged.
"""

from __future__ import annotations

from collections.abc import Mapping

from generators.allowed import ONE_WAY, OUT_OF_TURN, Allowed, Reaction
from generators.malformations import OPERATORS, Operator
from generators.malformations.tokens import attribute_of, with_attribute
from generators.stanza import Family, Moment, Scene, Stanza
from lab.campaign.batch import Item
from lab.campaign.forging import FORGERIES
from schemas.payloads import Carrier, Party, Use

CLIENTS_WORDS = {"authentication-again", "bind-again", "starttls-again"}
"""Operators that make what a client says to a server."""

FORGED = "spoofed-from"
OFTEN = 5  # times as often as any other operator: whom to believe is for a client to know, and no server helps it

BY_NAME: Mapping[str, Operator] = {**OPERATORS, **{o.name: o for o in FORGERIES}}
"""Every operator that an item may bear, a client's among them."""

RECEIVED: tuple[Operator, ...] = (
    *(o for o in OPERATORS.values() if o.moment is Moment.BOUND and o.name not in CLIENTS_WORDS),
    *(OPERATORS[FORGED] for _ in range(1, OFTEN)),
    *(o for o in FORGERIES for _ in range(OFTEN)),
)
"""The operators whose work may reach a client that is logged in."""

_REPLIES = {"error-without-error", "result-with-two-payloads", "unrequested-error", "unrequested-result"}
_TYPED_ANEW = {"iq-without-type", "iq-of-unknown-type"}  # what it was before does not count
_TAKEN_AS_ANOTHER = {FORGED, "message-of-unknown-type"}  # about them a client has nothing to complain of
_ANSWERED = frozenset({Reaction.RESULT, Reaction.ERROR})
_UNANSWERED = frozenset({Reaction.SILENCE})

REQUEST = Allowed(_ANSWERED, "RFC 6120 §8.2.3")
REPLY = Allowed(_UNANSWERED, "RFC 6120 §8.2.3, §8.3.1")
ANYTHING = Allowed(frozenset(Reaction), "RFC 6120 §11")


def pushed(use: Use) -> bool:
    """Whether it comes from the client's own account, and not from somebody else."""
    return Party.CLIENT not in use.sender


def addressed(stanza: Stanza, operator: Operator | None, scene: Scene) -> Stanza:
    """The stanza with the sender that a server would have put there; without one where a real server is to do it.

    What is malformed beyond its payload is not passed on by a server, or not as it is.
    """
    if stanza.carrier is Carrier.STREAM or (
        not pushed(stanza.use) and _passes(operator.family if operator else None)
    ):
        return stanza
    sender = scene.account if pushed(stanza.use) else scene.own
    return stanza._replace(xml=with_attribute(stanza.xml, "from", sender))


def is_injected(item: Item) -> bool:
    """Whether the tap is to send it, and no other client through the server."""
    if item.stanza.carrier is Carrier.STREAM or not _passes(item.malformed.family if item.malformed else None):
        return True
    return bool(attribute_of(item.stanza.xml, "from"))


def _passes(family: Family | None) -> bool:
    return family in {None, Family.SCHEMA}


def injectable(item: Item, sender: str) -> bytes | None:
    """An item that the server kept for itself, as it would have passed it on. None where it cannot be written."""
    try:
        return with_attribute(item.text, "from", sender).encode()
    except (ValueError, IndexError):
        return None


def is_broken(item: Item) -> bool:
    """Whether its bytes are, so that it is open what a reader makes of it, and of what stands behind."""
    malformed = item.malformed
    return malformed is not None and malformed.family is Family.BYTES and not BY_NAME[item.operator].valid


def for_client(item: Item) -> Item:
    """The item with what a client may do with it."""
    valid = _allowed(item.stanza)
    stanza = item.stanza._replace(allowed=valid)
    if item.malformed is None:
        return item._replace(stanza=stanza)
    operator = BY_NAME[item.operator]
    allowed = valid if operator.valid else _allowed_of_malformed(stanza, operator, item.malformed.allowed)
    return item._replace(stanza=stanza, malformed=item.malformed._replace(base=stanza, allowed=allowed))


def _allowed(stanza: Stanza) -> Allowed:
    if stanza.carrier is Carrier.STREAM:
        return OUT_OF_TURN
    if stanza.type in {"result", "error"}:
        return REPLY
    return REQUEST if stanza.carrier is Carrier.IQ else ONE_WAY


def _allowed_of_malformed(stanza: Stanza, operator: Operator, allowed: Allowed) -> Allowed:
    """What `allowed` says of servers, for clients."""
    if operator.family is Family.BYTES:
        return ANYTHING
    if operator.family is Family.SCHEMA:
        if stanza.carrier is Carrier.STREAM or stanza.type == "error":
            return ANYTHING
        return Allowed(stanza.allowed.reactions, f"{stanza.allowed.where}, RFC 6120 §11.4")
    if operator in FORGERIES:
        return allowed
    reply = stanza.type in {"result", "error"} and operator.name not in _TYPED_ANEW
    if reply or operator.name in _REPLIES:
        return Allowed(_UNANSWERED | (allowed.reactions & {Reaction.STREAM_ERROR}), allowed.where)
    reactions = stanza.allowed.reactions | allowed.reactions | {Reaction.SILENCE, Reaction.ERROR}
    if operator.name in _TAKEN_AS_ANOTHER:
        reactions -= {Reaction.STREAM_ERROR}
    return Allowed(frozenset(reactions), allowed.where)
