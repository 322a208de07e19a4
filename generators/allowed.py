"""What the specifications let a receiver do with a stanza, valid or malformed. Facts; who judges stands elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Reaction(StrEnum):
    """The kinds of answer that a sender and bystanders can see."""

    RESULT = "result"  # an iq of type result
    ERROR = "error"  # a stanza of type error
    STREAM_ERROR = "stream-error"  # and the stream is closed
    SILENCE = "silence"  # nothing comes back
    DELIVERY = "delivery"  # it reaches whom it was addressed to (or who subscribed, or is in the room)


@dataclass(frozen=True)
class Allowed:
    """The reactions that may follow, and no others.

    `errors` and `stream_errors` are the defined conditions that are allowed; empty for any defined one. `where` says
    where the specifications say so. SILENCE together with nothing else means that no answer may come.
    """

    reactions: frozenset[Reaction]
    where: str
    errors: frozenset[str] = frozenset()
    stream_errors: frozenset[str] = frozenset()

    def permits(self, reaction: Reaction) -> bool:
        return reaction in self.reactions

    @property
    def ends_stream(self) -> bool:
        """Whether nothing but the end of the stream is allowed."""
        return self.reactions == {Reaction.STREAM_ERROR}

    @property
    def must_answer(self) -> bool:
        """Whether something must come back."""
        return Reaction.SILENCE not in self.reactions and Reaction.DELIVERY not in self.reactions


ANSWERED = Allowed(frozenset({Reaction.RESULT, Reaction.ERROR}), "RFC 6120 §8.2.3")
"""A request: one result or one error."""

ANSWERED_OR_DELIVERED = Allowed(
    frozenset({Reaction.RESULT, Reaction.ERROR, Reaction.DELIVERY}), "RFC 6120 §8.2.3, §10.5.4"
)
"""A request to somebody else: whoever it is delivered to answers it."""

ONE_WAY = Allowed(
    frozenset({Reaction.ERROR, Reaction.SILENCE, Reaction.DELIVERY, Reaction.RESULT}), "RFC 6120 §8.2.1, §8.2.2"
)
"""A message, a presence, an iq that is itself a reply: delivered, refused or dropped."""

OUT_OF_TURN = Allowed(frozenset({*ONE_WAY.reactions, Reaction.STREAM_ERROR}), "RFC 6120 §4.9.3.12, §4.9.3.24")
"""A nonza, which nobody answers by an id: it may come when it is not expected, or was not agreed on."""
