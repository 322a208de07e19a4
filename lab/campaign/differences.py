"""What was answered differently, until it has been sent alone: kept by kind, and looked into one kind at a time.

Who sends is handed in; so nothing here knows a server.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from generators.stanza import Moment
from lab.campaign.batch import Item
from lab.campaign.clusters import Example, Group, Status, what
from schemas.robustness import Trial

CANDIDATES = 3  # stanzas of a kind that are kept, the shortest, and tried alone until one shows the difference

Key = tuple[tuple[str, ...], str]
"""The kinds of answer, a server each, and what kind of stanza had them."""

Again = Callable[[Item, Trial], Example | None]
"""Who sends a stanza alone to fresh casts; None where its answers cannot be told."""


class Candidate(NamedTuple):
    """A stanza that was answered differently, and in which trial it was sent."""

    item: Item
    example: Example
    trial: Trial


@dataclass
class Suspicion:
    """All stanzas of a kind that were answered in the same kinds; the shortest are kept."""

    what: str
    count: int = 0
    candidates: list[Candidate] = field(default_factory=list)

    def add(self, candidate: Candidate) -> None:
        self.count += 1
        self.candidates.append(candidate)
        self.candidates.sort(key=lambda c: (len(c.example.text), c.example.text))
        del self.candidates[CANDIDATES:]

    @property
    def malformed(self) -> bool:
        return self.candidates[0].item.malformed is not None

    @property
    def as_seen(self) -> Group:
        """What is said of it as long as it has not been sent alone."""
        return self.group(self.candidates[0].example)

    def group(self, example: Example, name: str = "") -> Group:
        template = example.template
        return Group(name or self.what, template.element, template.operator, self.count, example)


def in_order(suspicions: Mapping[Key, Suspicion]) -> list[Key]:
    """One for each set of answers comes first, so that a short time tells of all of them; then the most frequent.

    Valid stanzas before malformed ones: what they show is no news of those that were made from their like.
    """
    keys = sorted(suspicions, key=lambda key: (suspicions[key].malformed, -suspicions[key].count, key))
    firsts = list({key[0]: key for key in reversed(keys)}.values())
    return [*firsts, *(key for key in keys if key not in set(firsts))]


class Inquiry:
    """Looks into suspicions. `sent` is how often a stanza was sent alone."""

    def __init__(self, again: Again) -> None:
        self._again = again
        self._valid: dict[Key, Example] = {}
        self.sent = 0

    def check(self, suspicion: Suspicion, key: Key) -> tuple[Status, Group]:
        """Send its candidates alone, until one shows that servers differ; then its valid stanza, where it has one."""
        status = Status.UNCHECKED
        for candidate in suspicion.candidates:
            item = candidate.item
            plain = item._replace(malformed=None)
            name = what(plain)
            if known := self._valid.get((key[0], name)):
                return Status.ALONE, suspicion.group(known, name)
            seen = self._send(item, candidate.trial)
            if seen is None:
                continue
            if len(set(seen.kinds)) == 1 or not self._is_steady(seen, key[0], candidate):
                status = Status.SEQUENCE
                continue
            if item.malformed is not None:
                # Not what is wrong with it, if the servers differ in the same way over what it was made from.
                valid = self._send(plain, candidate.trial) if item.malformed.moment is Moment.BOUND else None
                if valid is None or valid.kinds != seen.kinds:
                    return Status.ALONE, suspicion.group(seen)
                seen = valid
            self._valid[seen.kinds, name] = seen
            return Status.ALONE, suspicion.group(seen, name)
        return status, suspicion.as_seen

    def _is_steady(self, seen: Example, before: tuple[str, ...], candidate: Candidate) -> bool:
        """Whether a stanza was answered in these kinds twice: behind others and alone, or else twice alone."""
        if seen.kinds == before:
            return True
        again = self._send(candidate.item, candidate.trial)
        return again is not None and again.kinds == seen.kinds

    def _send(self, item: Item, trial: Trial) -> Example | None:
        self.sent += 1
        return self._again(item, trial)
