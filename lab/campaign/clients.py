"""A campaign over a client: batch after batch to one that is logged in behind the tap, provider by provider.

What a contact may send goes through the real server where it lets it pass; the rest, and what servers push, is the
tap's. Stanzas behind which a session may end go alone, for a share of the time: a client takes long to start.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path

from generators.allowed import Reaction
from lab.accounts import Accounts, Comeback
from lab.campaign.batch import Item
from lab.campaign.campaign import REFUSALS, Bounds, Listener
from lab.campaign.client_inquiry import ClientInquiry
from lab.campaign.client_judge import judge
from lab.campaign.client_session import ClientSession, Received, Staging, patience_of_clients
from lab.campaign.incoming import FORGED, RECEIVED
from lab.campaign.maker import Maker, spends
from lab.campaign.tally import Outcome, Tally
from lab.cell import Cell, ClientPlace
from lab.errors import LabError, PeerError, UsageError
from schemas.robustness import Trial

BATCH = 24  # stanzas sent at once: whatever a client shows of them is asked of a program that is slower than a server
SLICE = 0.4  # seconds for one provider, before the next has its turn
ROTATE = 2_000  # stanzas after which a session is dismissed: what a client shows grows
ALONE = 0.35  # share of the time for stanzas that are sent alone, and for the clients that start behind them
NARROWING = 1.0  # seconds for looking into symptoms, for each second of sending; and at least so many:
NARROWING_LEAST = 20.0
MALFORMED = 0.5  # share of the stanzas in bulk


@dataclass
class _Lane:
    """One provider's turn."""

    maker: Maker
    tally: Tally


class ClientCampaign:
    """`run` does all, with the client at `place`. `corpus` is the folder for findings, None: they are not kept."""

    def __init__(
        self,
        cell: Cell,
        place: ClientPlace,
        trials: Sequence[Trial],
        seed: int,
        bounds: Bounds,
        listener: Listener,
        run_dir: Path | None = None,
        corpus: Path | None = None,
        patience: float = 0.0,
    ) -> None:
        self._seed, self._bounds, self._listener = seed, bounds, listener
        self._comeback = Comeback(run_dir)
        self._accounts = Accounts(cell, self._comeback)
        self._staging = Staging(cell, place, self._accounts, self._comeback)
        self._patience = patience or patience_of_clients()
        self._inquiry = ClientInquiry(
            cell, place.subject, self._staging, self._patience, seed, corpus, listener.found, self._tell
        )
        self._lanes = [self._lane(number, trial) for number, trial in enumerate(trials)]
        self._session: ClientSession | None = None
        self._random = random.Random(seed)  # noqa: S311 - for tests, not for secrets
        self._begun = self._refusals = 0
        self._began = time.monotonic()
        self._sending = self._alone_seconds = 0.0
        self._stopped = ""

    def run(self) -> Outcome:
        """Fuzz until the bounds, or Ctrl-C; what was found is kept as it is found.

        Raises MachineError: the disk is full; UsageError: the cell gives too few accounts to begin with.
        """
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
            if self._bounds.shrink and not self._stopped:
                self._inquiry.shrink_all(self._bounds.shrink)
        except KeyboardInterrupt:
            interrupted = True
        except UsageError as error:
            if not self._begun:
                raise
            self._stopped = error.message  # accounts that a cell file gives run out, in time
        finally:
            self._dismiss()
            self._staging.close()
            self._accounts.close()
        self._inquiry.give_up()
        return Outcome(
            tallies=tuple(lane.tally for lane in self._lanes),
            findings=tuple(self._inquiry.findings.values()),
            seed=self._seed,
            seconds=time.monotonic() - self._began,
            sending_seconds=self._sending,
            memory=None,
            memory_start=0,
            memory_peak=0,
            exits=0,
            interrupted=interrupted,
            stopped=self._stopped,
        )

    # --- sending

    def _lane(self, number: int, trial: Trial) -> _Lane:
        prefix = f"c{number:x}{self._seed % 0xFFFF:x}x"
        maker = Maker(trial.uses, self._seed + number, prefix, RECEIVED, together={FORGED})
        return _Lane(maker, Tally(trial.provider, "c2s", trial.none))

    def _over(self) -> bool:
        if self._stopped or len(self._inquiry.findings) >= self._bounds.findings:
            return True
        return not self._left or self._sending >= self._bounds.seconds

    @property
    def _left(self) -> int:
        """How many stanzas the next batch may have."""
        return BATCH if self._bounds.stanzas is None else max(0, min(BATCH, self._bounds.stanzas - self._begun))

    def _slice(self, lane: _Lane) -> None:
        """One provider's turn: batches, then one stanza alone, then a look into what they showed."""
        began = time.monotonic()
        lane.tally.turns += 1
        try:
            if lane.maker.has_bulk:
                while time.monotonic() - began < SLICE and not self._over():
                    if not self._bulk(lane):
                        break
            if not self._over() and (not lane.maker.has_bulk or self._alone_seconds <= ALONE * self._sending):
                started = time.monotonic()
                self._alone(lane)
                self._alone_seconds += time.monotonic() - started
            self._refusals = 0
        except PeerError as error:
            self._dismiss()
            self._refused(error)
        except UsageError:
            raise
        except LabError as error:  # the agent broke its contract: what was found so far is kept
            self._dismiss()
            self._stopped = f"{error.message}: {error.cause}"
        self._sending += time.monotonic() - began
        self._tell(f"sending {lane.tally.provider}")
        self._inquire()

    def _refused(self, error: PeerError) -> None:
        """No client came online: it, or the server, is gone for now."""
        self._refusals += 1
        if self._refusals >= REFUSALS:
            self._stopped = f"the client comes online no more: {error.message}: {error.seen}"

    def _bulk(self, lane: _Lane) -> bool:
        """A batch; whether there was one to send."""
        session = self._client()
        items = []
        for _ in range(self._left):
            item = lane.maker.bulk(session.scene, malformed=self._random.random() < MALFORMED)
            if item is not None and not self._avoided(lane, item):
                items.append(item)
        if items:
            self._send(lane, session, items)
        return bool(items)

    def _alone(self, lane: _Lane) -> None:
        session = self._client()
        item = lane.maker.alone(session.scene)
        if item is None or self._avoided(lane, item):
            return
        self._send(lane, session, [item])
        if spends(item.stanza.payload, item.stanza.use):
            self._dismiss()
        self._client()  # the one that takes its place belongs to the price

    def _avoided(self, lane: _Lane, item: Item) -> bool:
        """Whether it is like one that is known to break the client; counted."""
        avoided = self._inquiry.avoids(item)
        lane.tally.avoided += avoided
        return avoided

    def _send(self, lane: _Lane, session: ClientSession, items: Sequence[Item]) -> None:
        self._begun += len(items)
        batch: Received = session.send(items, self._patience)
        lane.tally.count(batch)
        symptoms = judge(session, batch)
        if symptoms:
            self._inquiry.suspect(symptoms, batch, session.scene, lane.tally, None)
        elif batch.ended and len(items) > 1:
            self._find_who_ended(lane, session, batch)
        if not batch.usable or not session.usable or session.sent > ROTATE:
            self._dismiss()

    def _find_who_ended(self, lane: _Lane, session: ClientSession, batch: Received) -> None:
        """A stanza of the batch may end a stream, and one did. If it was no such one, that is a fault."""
        operator = self._inquiry.who_ended(batch, session.scene, None)
        for each in self._lanes:
            each.maker.part(operator)
        kept = [n for n, item in enumerate(batch.items) if not item.allowed.permits(Reaction.STREAM_ERROR)]
        if not operator and kept:
            others = replace(
                batch, items=[batch.items[n] for n in kept], seen=[batch.seen[n] for n in kept], unsent=frozenset()
            )
            self._inquiry.suspect(judge(session, others), others, session.scene, lane.tally, None)

    # --- sessions

    def _client(self) -> ClientSession:
        if self._session is None:
            self._session = self._staging.open()
        return self._session

    def _dismiss(self) -> None:
        if self._session is not None:
            self._staging.end(self._session)
            self._session = None

    # --- symptoms

    def _inquire(self, *, at_the_end: bool = False) -> None:
        """Look into what waits, within a share of the time."""
        most = max(NARROWING_LEAST, NARROWING * (self._bounds.seconds if at_the_end else self._sending))
        while self._inquiry.waiting and self._inquiry.seconds < most and not self._stopped:
            try:
                self._inquiry.look_into_next()
                self._refusals = 0
            except PeerError as error:
                self._refused(error)

    def _tell(self, doing: str) -> None:
        sent = sum(lane.tally.sent for lane in self._lanes)
        rate = sent / self._sending if self._sending else 0.0
        self._listener.fuzzing([lane.tally for lane in self._lanes], time.monotonic() - self._began, rate, doing)
