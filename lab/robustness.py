"""What a campaign leaves in the run record: each provider's robustness, each finding, and the campaign itself. Facts.

Robustness stands beside conformance: rows are computed from checks alone, and show both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

from lab.verdict import Expectation


class Robust(StrEnum):
    """What came of fuzzing with a provider's payloads."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"  # at least one finding
    FLAKY = "flaky"  # findings, but none that showed each time
    NOT_TESTED = "not tested"


@dataclass(frozen=True)
class Robustness:
    """One provider: how much was sent, with how many operators and payloads; `findings` are fingerprints.

    `reason` says why nothing was sent. `unconfirmed` symptoms did not show again, or there was no time for them;
    `avoided` stanzas were not sent, as they are like one that is known to break the server.
    """

    provider: str
    outcome: Robust
    over: str = "c2s"
    valid: int = 0
    malformed: int = 0
    payloads: int = 0
    operators: int = 0
    unconfirmed: int = 0
    avoided: int = 0
    findings: tuple[str, ...] = ()
    reason: str = ""

    def to_event(self) -> dict[str, Any]:
        return {"event": "robustness", **asdict(self), "findings": list(self.findings)}

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Self:
        """Raises KeyError, TypeError, ValueError where the event is not one of ours."""
        fields = {**event, "outcome": Robust(event["outcome"]), "findings": tuple(event["findings"])}
        return cls(**fields)


@dataclass(frozen=True)
class Found:
    """One finding: the rule that it breaks, what is sent (the smallest that was found), what came.

    `operator` is empty for a valid stanza; `was` and `became` say what is wrong with a malformed one, at `place`.
    `confirmed` of `tries` fresh sessions showed it. `replay` is the command that sends it again.
    """

    fingerprint: str
    name: str
    rule: str
    where: str
    says: str
    expected: str
    seen: str
    sent: str
    provider: str
    confirmed: int
    tries: int
    expectation: Expectation
    replay: str
    operator: str = ""
    place: str = ""
    was: str = ""
    became: str = ""
    shrunk: bool = False
    known_reason: str = ""
    trace: tuple[tuple[float, str, str, str], ...] = ()

    @property
    def flaky(self) -> bool:
        return self.confirmed < self.tries

    def to_event(self) -> dict[str, Any]:
        return {"event": "finding", **asdict(self), "trace": [list(entry) for entry in self.trace]}

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Self:
        """Raises KeyError, TypeError, ValueError where the event is not one of ours."""
        fields = {
            **event,
            "expectation": Expectation(event["expectation"]),
            "trace": tuple((float(at), str(who), str(way), str(text)) for at, who, way, text in event["trace"]),
        }
        return cls(**fields)


@dataclass(frozen=True)
class CampaignFacts:
    """The campaign as a whole: `rate` in stanzas a second while sending, memory in bytes (0: nobody could tell).

    `memory` says that the bound was passed, `stopped` why it ended before its time; both are empty where all is well.
    `not_seen` are the patterns of listed findings that did not show this time: that is chance, not a repair.
    """

    seed: int
    seconds: float
    sent: int
    rate: float
    memory_start: int = 0
    memory_peak: int = 0
    exits: int = 0
    memory: str = ""
    stopped: str = ""
    replay: str = ""
    not_seen: tuple[str, ...] = ()

    def to_event(self) -> dict[str, Any]:
        return {"event": "campaign", **asdict(self), "not_seen": list(self.not_seen)}

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Self:
        """Raises TypeError where the event is not one of ours."""
        return cls(**{**event, "not_seen": tuple(event.get("not_seen", ()))})
