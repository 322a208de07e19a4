"""A campaign over a client: batch after batch to one that is logged in behind the tap, provider by provider.

What a contact may send goes through the real server where it lets it pass; the rest, and what servers push, is the
tap's. Stanzas behind which a session may end go alone, for a share of the time: a client takes long to start.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from generators.allowed import Reaction
from lab.accounts import Accounts, Comeback
from lab.agents.agent import AgentFault
from lab.campaign.batch import Item
from lab.campaign.client_inquiry import ClientInquiry
from lab.campaign.client_judge import judge
from lab.campaign.client_session import ClientSession, Received, Staging, patience_of_clients
from lab.campaign.course import REFUSALS, SLICE, Bounds, Course, Listener
from lab.campaign.incoming import FORGED, RECEIVED
from lab.campaign.maker import Maker, spends
from lab.campaign.tally import Tally
from lab.cell import Cell, ClientPlace
from lab.errors import PeerError
from schemas.robustness import Trial

ROTATE = 2_000  # stanzas after which a session is dismissed: what a client shows grows
ALONE = 0.35  # share of the time for stanzas that are sent alone, and for the clients that start behind them
MALFORMED = 0.5  # share of the stanzas in bulk


@dataclass
class _Lane:
    """One provider's turn."""

    maker: Maker
    tally: Tally


class ClientCampaign(Course[_Lane]):
    """`run` does all, with the client at `place`. `corpus` is the folder for findings, None: they are not kept."""

    BATCH = 24  # whatever a client shows of them is asked of a program that is slower than a server
    NARROWING = 1.0
    NARROWING_LEAST = 20.0

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
        self.seed, self.bounds, self.listener = seed, bounds, listener
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
        self._alone_seconds = 0.0

    # --- sending

    def _lane(self, number: int, trial: Trial) -> _Lane:
        prefix = f"c{number:x}{self.seed % 0xFFFF:x}x"
        maker = Maker(trial.uses, self.seed + number, prefix, RECEIVED, together={FORGED})
        return _Lane(maker, Tally(trial.provider, "c2s", trial.none))

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
        except (PeerError, AgentFault) as error:
            self._dismiss()
            self._failed(error)
        self._sending += time.monotonic() - began
        self._tell(f"sending {lane.tally.provider}")
        self._inquire()

    def _failed(self, error: PeerError | AgentFault) -> None:
        """No client came online: it, or the server, is gone for now. Or the agent broke its contract: nothing can be
        said of its client any more, but for what was found so far."""
        if isinstance(error, AgentFault):
            self._stopped = f"{error.message}: {error.cause}"
            return
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

    def _leave(self) -> None:
        self._dismiss()
        self._staging.close()

    def _dismiss(self) -> None:
        if self._session is not None:
            self._staging.end(self._session)
            self._session = None
