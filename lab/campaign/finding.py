"""A finding: one distinct fault, the smallest stanzas that show it, and what was seen. Facts, and their JSON."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

from generators.stanza import Family, Moment
from lab.campaign.batch import Item
from lab.campaign.judge import RULES, Symptom
from lab.campaign.pipe import Logged
from lab.campaign.template import Template
from lab.record import TraceEntry

FORMAT = 1
CONFIRMATIONS = 3
SHORT = 3  # stanzas of a sequence that are told one by one
SEQUENCE = "a sequence of stanzas"


@dataclass(frozen=True)
class Finding:
    """`fingerprint` tells it from every other; `confirmed` of `CONFIRMATIONS` tries on fresh sessions showed it.

    `templates` is the shortest sequence that does. `role` is the subject's: of a client, they are what it received.
    `shrunk` says that the last of them was made as small as may be.
    """

    fingerprint: str
    rule: str
    expected: str
    seen: str
    provider: str
    templates: tuple[Template, ...]
    confirmed: int
    subject: str
    version: str
    seed: int
    role: Literal["server", "client"] = "server"
    shrunk: bool = False
    trace: tuple[TraceEntry, ...] = ()

    @property
    def flaky(self) -> bool:
        return self.confirmed < CONFIRMATIONS

    @property
    def name(self) -> str:
        """A file's name: readable, and unlike every other."""
        words = re.sub(r"[^a-z0-9]+", "-", self.fingerprint.lower()).strip("-")[:80]
        return f"{words}-{hashlib.sha256(self.fingerprint.encode()).hexdigest()[:8]}"

    @property
    def where(self) -> str:
        return RULES[self.rule].where if self.rule in RULES else ""

    @property
    def says(self) -> str:
        return RULES[self.rule].says if self.rule in RULES else ""

    @property
    def text(self) -> str:
        """What is sent, as a person reads it."""
        return "\n".join(template.text for template in self.templates)

    def as_json(self) -> dict[str, Any]:
        data = {**asdict(self), "format": FORMAT, "where": self.where, "says": self.says}
        data["templates"] = [template.as_json() for template in self.templates]
        data["trace"] = [[e.at, e.session, e.direction, e.text] for e in self.trace]
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Raises KeyError, TypeError, ValueError where it is none."""
        fields = dict(data)
        if fields.pop("format", None) != FORMAT:
            raise ValueError(f"this lab reads findings of format {FORMAT}")
        fields.pop("where", None)
        fields.pop("says", None)
        fields["templates"] = tuple(Template.from_json(t) for t in fields["templates"])
        fields["trace"] = tuple(TraceEntry(*entry) for entry in fields["trace"])
        if not fields["templates"]:
            raise ValueError("it names no stanza")
        texts = ("fingerprint", "rule", "expected", "seen", "provider", "subject", "version")
        if not all(isinstance(fields[name], str) for name in texts) or not isinstance(fields["confirmed"], int):
            raise TypeError("a field has another type than it had when it was written")
        if fields.get("role", "server") not in {"server", "client"}:
            raise ValueError(f"nobody is a {fields['role']}")
        found = cls(**fields)
        found.fingerprint.encode()  # of which its name is made
        return found


def fingerprint(symptom: Symptom, items: Sequence[Item]) -> str:
    """What makes a fault distinct: the rule, how the stanza was malformed, and as far as that matters which it was.

    What is wrong with the bytes is so in any stanza; what is wrong with the protocol depends on kind and addressee;
    what is wrong with a payload, or shown by a valid one, on that payload.
    """
    rule = f"{symptom.rule}={symptom.kind}" if symptom.kind else symptom.rule
    if symptom.telling:
        return rule  # of a crash, the line says where it was, and that is what it is known by
    if len(items) > SHORT or not items:  # which stanzas stand in a long sequence is chance
        return f"{rule} by {SEQUENCE}"
    if len(items) > 1:
        return f"{rule} by {' then '.join(_source(item) for item in items)}"
    if (
        symptom.rule == "reply-is-right"
    ):  # how a reply looks depends on what is answered, not on what is wrong with it
        return f"{rule} by {_valid_source(items[0])}"
    return f"{rule} by {_source(items[0])}"


def _source(item: Item) -> str:
    stanza, malformed = item.stanza, item.malformed
    kind = f"{stanza.carrier} {stanza.type}".strip()
    if malformed is None:
        return f"valid {_valid_source(item)}"
    if malformed.family is Family.BYTES:
        return malformed.operator
    if malformed.moment is not Moment.BOUND:
        return f"{malformed.operator} in {stanza.carrier}"
    if malformed.family is Family.PROTOCOL:
        return f"{malformed.operator} in {kind} to {stanza.addressee}"
    place = re.sub(r"\[\d+\]| \(byte \d+\)", "", malformed.place)
    return f"{malformed.operator} {stanza.payload.element} in {kind} to {stanza.addressee} at {place}"


def _valid_source(item: Item) -> str:
    stanza = item.stanza
    return f"{stanza.payload.element} in {stanza.carrier} {stanza.type}".strip() + f" to {stanza.addressee}"


def trace(log: list[Logged]) -> tuple[TraceEntry, ...]:
    """What went over the wire, for the evidence."""
    return tuple(TraceEntry(e.at, e.label, e.direction, e.data.decode("utf-8", "backslashreplace")) for e in log)
