"""From symptoms to findings, of a client: stanzas are tried again, and what is found is confirmed on fresh processes.

What is news, what is known and what is avoided, is `lab.campaign.inquiry`'s to know, as it is of servers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from lab.campaign.batch import Finished
from lab.campaign.cast import Casting
from lab.campaign.client_judge import judge
from lab.campaign.client_session import CROWDED, ClientSession, Staging
from lab.campaign.finding import Finding
from lab.campaign.inquiry import Inquiry
from lab.campaign.judge import Symptom
from lab.campaign.narrow import Prober, Trial, filled
from lab.campaign.pipe import Logged
from lab.campaign.template import Template
from lab.cell import Cell, Subject
from lab.machine import crowd

HURRY = 0.6  # seconds of patience while searching, on a machine that is not crowded
WORN = 500  # stanzas after which a client is not asked again


class Unwatched:
    """A client has no log that is watched, and whether its process lives is seen at once."""

    def since(self, moment: float, *, wait: float = 0.0) -> Symptom | None:
        """Nothing."""
        return None


class ClientProber(Prober):
    """Sends templates to a client: to a fresh one, or in a hurry to one that showed nothing so far."""

    def __init__(self, staging: Staging, patience: float, *, frugal: bool = False) -> None:
        self._staging, self.patience, self._frugal = staging, patience, frugal
        self._session: ClientSession | None = None

    def probe(self, templates: Sequence[Template], *, hurry: bool = False) -> Trial:
        """One try. Raises PeerError: no client comes online; AgentFault."""
        again = hurry or self._frugal
        if not again:
            self.close()
        session = self._session or self._staging.open()
        self._session = session
        before = len(session.trace.entries)
        items = tuple(filled(template, session.scene) for template in templates)
        patience = min(self.patience, HURRY * min(crowd(), CROWDED)) if hurry else self.patience
        try:
            batch = session.send(items, patience)
            symptoms = judge(session, batch)
        except BaseException:
            self.close()
            raise
        log = [
            Logged(entry.at, entry.session, entry.direction, entry.text.encode("utf-8", "backslashreplace"))
            for entry in session.trace.entries[before:]
        ]
        if symptoms or not again or not batch.usable or not session.usable or session.sent > WORN:
            self.close()
        return Trial(tuple(symptoms), items, log, batch.ended)

    def close(self) -> None:
        if self._session is not None:
            self._staging.end(self._session)
            self._session = None


class ClientInquiry(Inquiry):
    """Holds what is suspected of a client, and what was found."""

    role = "client"

    def __init__(
        self,
        cell: Cell,
        subject: Subject,
        staging: Staging,
        patience: float,
        seed: int,
        folder: Path | None,
        found: Callable[[Finding], None],
        tell: Callable[[str], None],
    ) -> None:
        super().__init__(cell, Unwatched(), seed, folder, found, tell, subject)
        self._staging, self._patience = staging, patience

    def _enders(self, batch: Finished) -> Sequence[int]:
        return range(len(batch.items))

    def _prober(self, casting: Casting | None, patience: float | None = None, *, frugal: bool = False) -> Prober:
        return ClientProber(self._staging, self._patience, frugal=frugal)
