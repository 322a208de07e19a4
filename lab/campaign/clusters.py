"""Where servers differ, put together so that a person can read it: by what each answered, then by what was sent.

Facts in, facts out; a difference is information and no verdict.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from generators.stanza import Family
from lab.campaign.answers import Answer
from lab.campaign.batch import Item
from lab.campaign.template import Template

IETF = "urn:ietf:params:xml:ns:"
GOES_ON = "the stream goes on"


class Status(StrEnum):
    """How sure a difference is."""

    ALONE = "alone"  # the stanza, sent alone to fresh sessions of each server, is answered in these kinds
    SEQUENCE = "in a sequence"  # alone, it is answered alike; behind others it was not
    UNCHECKED = "unchecked"  # there was no time, or no way, to send it alone


@dataclass(frozen=True)
class Example:
    """A stanza, and what came of it, a server each. `template` has blanks for whom it names."""

    template: Template
    answers: tuple[Answer, ...]

    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(answer.kind for answer in self.answers)

    @property
    def outline(self) -> tuple[str, ...]:
        """The kinds; but where only some servers end the stream, what the others do is told as going on."""
        if not any(answer.ends for answer in self.answers):
            return self.kinds
        return tuple(answer.kind if answer.ends else GOES_ON for answer in self.answers)

    @property
    def text(self) -> str:
        return self.template.text

    def as_json(self, servers: Sequence[str]) -> dict[str, Any]:
        template = self.template
        return {
            "sent": self.text,
            "element": template.element,
            "carrier": template.carrier,
            "type": template.type,
            "addressee": template.addressee,
            "operator": template.operator,
            "place": template.place,
            "was": template.was,
            "became": template.became,
            "choices": list(template.choices),
            "answers": dict(zip(servers, self.kinds, strict=True)),
            "came": dict(zip(servers, (answer.shown for answer in self.answers), strict=True)),
        }


@dataclass
class Group:
    """Stanzas of one kind that were answered alike: `count` were sent, the shortest is the example."""

    what: str
    element: str
    operator: str
    count: int
    example: Example

    def as_json(self, servers: Sequence[str]) -> dict[str, Any]:
        return {
            "what": self.what,
            "element": self.element,
            "operator": self.operator,
            "count": self.count,
            "example": self.example.as_json(servers),
        }


@dataclass
class Cluster:
    """All that was answered in these kinds, a server each (`Example.outline`)."""

    answers: tuple[str, ...]
    status: Status
    groups: list[Group] = field(default_factory=list)

    @property
    def count(self) -> int:
        return sum(group.count for group in self.groups)

    def summary(self) -> list[tuple[str, int]]:
        """What was sent, and how often, the most often first: all that one operator made together."""
        counts: Counter[str] = Counter()
        kinds: Counter[str] = Counter()
        for group in self.groups:
            name = group.operator or group.what
            counts[name] += group.count
            kinds[name] += 1
        whole = {group.operator or group.what: group.what for group in self.groups}
        return [(whole[name] if kinds[name] == 1 else name, count) for name, count in counts.most_common()]

    @property
    def example(self) -> Example:
        """The shortest of all."""
        return min((group.example for group in self.groups), key=lambda e: (len(e.text), e.text))

    def as_json(self, servers: Sequence[str]) -> dict[str, Any]:
        return {
            "answers": dict(zip(servers, self.answers, strict=True)),
            "status": self.status.value,
            "count": self.count,
            "example": self.example.as_json(servers),
            "groups": [group.as_json(servers) for group in self.groups],
        }


def what(item: Item) -> str:
    """What kind of stanza an item is, in words: as far as that matters for what is wrong with it."""
    stanza, malformed = item.stanza, item.malformed
    kind = f"{stanza.carrier} {stanza.type}".strip()
    payload = f"{_short(stanza.payload.namespace)} <{stanza.payload.name}/>"
    if malformed is None:
        return f"{payload} in {kind} to {stanza.addressee}"
    if malformed.family is Family.BYTES:
        return malformed.operator
    if malformed.family is Family.PROTOCOL:
        return f"{malformed.operator} in {kind} to {stanza.addressee}"
    return f"{malformed.operator} in {payload} in {kind} to {stanza.addressee}"


def _short(namespace: str) -> str:
    """What tells a namespace from others: `disco#info`, `xmpp:ping`, `jabber:iq:roster`."""
    return namespace.rpartition("/")[2] if "/" in namespace else namespace.removeprefix(IETF).removeprefix("urn:")


def clustered(found: Iterable[tuple[Status, Group]]) -> list[Cluster]:
    """The clusters, those that are sure first, then the largest; in each the largest groups first."""
    clusters: dict[tuple[Status, tuple[str, ...]], dict[str, Group]] = {}
    for status, group in found:
        groups = clusters.setdefault((status, group.example.outline), {})
        before = groups.get(group.what)
        if before is None:
            groups[group.what] = group
            continue
        shorter = min(before.example, group.example, key=lambda e: (len(e.text), e.text))
        groups[group.what] = replace(before, count=before.count + group.count, example=shorter)
    made = [
        Cluster(answers, status, sorted(groups.values(), key=lambda g: (-g.count, g.what)))
        for (status, answers), groups in clusters.items()
    ]
    order = list(Status)
    return sorted(made, key=lambda c: (order.index(c.status), -c.count, c.answers))


def by_status(clusters: Iterable[Cluster]) -> Mapping[Status, int]:
    """How many stanzas there are of each status."""
    counts = dict.fromkeys(Status, 0)
    for cluster in clusters:
        counts[cluster.status] += cluster.count
    return counts
