"""What a campaign did, provider by provider: how much was sent, what came, what was found. Counters, no verdicts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from lab.campaign.batch import Finished
from lab.campaign.finding import Finding
from lab.campaign.judge import Symptom
from lab.cell import Transport


@dataclass
class Tally:
    """The counters of one provider. `none` says why nothing was sent for it.

    `avoided` stanzas were not sent, `repeated` symptoms not looked into, since a finding says the same already;
    `unconfirmed` symptoms did not show again, or there was no time to look into them.
    """

    provider: str
    over: Transport = "c2s"
    none: str = ""
    valid: int = 0
    malformed: int = 0
    seconds: float = 0.0
    turns: int = 0
    avoided: int = 0
    repeated: int = 0
    unconfirmed: int = 0
    operators: set[str] = field(default_factory=set)
    payloads: set[str] = field(default_factory=set)
    answers: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)

    @property
    def sent(self) -> int:
        return self.valid + self.malformed

    def count(self, batch: Finished) -> None:
        """Add a finished batch."""
        for item, seen in zip(batch.items, batch.seen, strict=True):
            if item.malformed is None:
                self.valid += 1
            else:
                self.malformed += 1
                self.operators.add(item.operator)
            self.payloads.add(item.stanza.payload.element)
            for reply in seen.replies:
                self.answers["error" if reply.get("type") == "error" else "result"] += 1
            if seen.deliveries:
                self.answers["delivery"] += 1
            if not seen.replies and not seen.deliveries:
                self.answers["stream-error" if batch.ended else "silence"] += 1
        self.seconds += batch.took


@dataclass(frozen=True)
class Outcome:
    """What a campaign came to. `rate` is stanzas a second while stanzas were sent; `stopped` why it ended early."""

    tallies: tuple[Tally, ...]
    findings: tuple[Finding, ...]
    seed: int
    seconds: float
    sending_seconds: float
    memory: Symptom | None
    memory_start: int
    memory_peak: int
    exits: int
    damaged: tuple[str, ...] = ()
    interrupted: bool = False
    stopped: str = ""

    @property
    def sent(self) -> int:
        return sum(tally.sent for tally in self.tallies)

    @property
    def rate(self) -> float:
        return self.sent / self.sending_seconds if self.sending_seconds else 0.0
