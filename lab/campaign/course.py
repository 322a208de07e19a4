"""The course that every campaign takes, over a server or a client: provider by provider, in turns, within bounds.

What the turns send and how sessions are kept is each campaign's own.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import ClassVar, Generic, Protocol, TypeVar

from lab.accounts import Accounts
from lab.agents.agent import AgentFault
from lab.campaign.finding import Finding
from lab.campaign.inquiry import Inquiry
from lab.campaign.maker import Maker
from lab.campaign.tally import Outcome, Tally
from lab.errors import PeerError, UsageError

SLICE = 0.4  # seconds for one provider, before the next has its turn
REFUSALS = 4  # times in a row that no session can be opened, after which the campaign is given up


class Listener(Protocol):
    """Who is told of the course of a campaign."""

    def fuzzing(self, tallies: Sequence[Tally], elapsed: float, rate: float, doing: str) -> None: ...
    def found(self, finding: Finding) -> None: ...


@dataclass(frozen=True)
class Bounds:
    """Where a campaign ends: after `seconds` of sending or so many `stanzas`, whichever is first.

    What they show is looked into besides, within a bound of its own; `shrink` is seconds for each finding.
    """

    seconds: float = 60.0
    stanzas: int | None = None
    shrink: float = 10.0
    findings: int = 100


class Lane(Protocol):
    """One provider's turn."""

    maker: Maker
    tally: Tally


_Lane = TypeVar("_Lane", bound=Lane)


class Course(ABC, Generic[_Lane]):
    """`run` does all. Who inherits it sets what is declared here, and says what a turn is."""

    BATCH: ClassVar[int]
    """Stanzas sent at once."""
    NARROWING: ClassVar[float]
    """Seconds for looking into symptoms, for each second of sending; and at least so many:"""
    NARROWING_LEAST: ClassVar[float]

    seed: int
    bounds: Bounds
    listener: Listener
    _accounts: Accounts
    _inquiry: Inquiry
    _lanes: Sequence[_Lane]

    _began = 0.0
    _begun = 0  # stanzas, those of batches under way among them
    _sending = 0.0
    _refusals = 0
    _stopped = ""

    def run(self) -> Outcome:
        """Fuzz until the bounds, or Ctrl-C; what was found is kept as it is found.

        Raises MachineError: the disk is full; UsageError: the cell gives too few accounts to begin with.
        """
        self._began = time.monotonic()
        interrupted = False
        try:
            lanes = [lane for lane in self._lanes if not lane.tally.none]
            self._tell("preparing")
            for lane in lanes:
                lane.maker.prepare()
            self._began = time.monotonic()
            for lane in cycle(lanes):
                if self._over():
                    break
                self._slice(lane)
            self._inquire(at_the_end=True)
            if self.bounds.shrink and not self._stopped:
                self._inquiry.shrink_all(self.bounds.shrink)
        except KeyboardInterrupt:
            interrupted = True
        except UsageError as error:
            if not self._begun:
                raise
            self._stopped = error.message  # accounts that a cell file gives run out, in time
        finally:
            self._leave()
            self._accounts.close()
        self._inquiry.give_up()
        return self._outcome(interrupted=interrupted)

    def _outcome(self, *, interrupted: bool) -> Outcome:
        return Outcome(
            tallies=tuple(lane.tally for lane in self._lanes),
            findings=tuple(self._inquiry.findings.values()),
            seed=self.seed,
            seconds=time.monotonic() - self._began,
            sending_seconds=self._sending,
            memory=None,
            memory_start=0,
            memory_peak=0,
            exits=0,
            interrupted=interrupted,
            stopped=self._stopped,
        )

    @abstractmethod
    def _slice(self, lane: _Lane) -> None:
        """One provider's turn: batches, then stanzas alone, then a look into what they showed."""

    @abstractmethod
    def _leave(self) -> None:
        """End all sessions."""

    @abstractmethod
    def _failed(self, error: PeerError | AgentFault) -> None:
        """No session could be opened, or what drives it is broken."""

    def _over(self) -> bool:
        if self._stopped or len(self._inquiry.findings) >= self.bounds.findings:
            return True
        return not self._left or self._sending >= self.bounds.seconds

    @property
    def _left(self) -> int:
        """How many stanzas the next batch may have."""
        return (
            self.BATCH if self.bounds.stanzas is None else max(0, min(self.BATCH, self.bounds.stanzas - self._begun))
        )

    def _inquire(self, *, at_the_end: bool = False) -> None:
        """Look into what waits, within a share of the time."""
        share = self.NARROWING * (self.bounds.seconds if at_the_end else self._sending)
        most = max(self.NARROWING_LEAST, share)
        while self._inquiry.waiting and self._inquiry.seconds < most and not self._stopped:
            try:
                self._inquiry.look_into_next()
                self._refusals = 0
            except (PeerError, AgentFault) as error:
                self._failed(error)

    def _tell(self, doing: str) -> None:
        sent = sum(lane.tally.sent for lane in self._lanes)
        rate = sent / self._sending if self._sending else 0.0
        self.listener.fuzzing([lane.tally for lane in self._lanes], time.monotonic() - self._began, rate, doing)
