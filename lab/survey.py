"""What is asked of a server once, before the checks: how fast it answers, and what it claims to be.

The round trip sets the one timeout of the run (DESIGN, rule 4); the claims are the *advertised* column, set
beside what is measured (rule 3).
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

from lab.accounts import Accounts
from lab.cell import Cell
from lab.errors import MachineError, PeerError
from lab.machine import crowd
from lab.wire import negotiation, sasl2
from lab.wire.framing import root_of
from lab.wire.namespaces import DISCO_INFO, NS
from lab.wire.negotiation import Stage
from lab.wire.session import Session
from lab.wire.stream import Element
from lab.wire.within_http import request
from schemas.advertised import advertised

ROUND_TRIPS = 30
LEAST_PATIENCE = 2.0  # seconds: a server that collects garbage, on two cores that the lab needs too, takes one
MOST_PATIENCE = 10.0
PATIENCE_FACTOR = 1000  # round trips that an answer may take


@dataclass(frozen=True)
class Survey:
    """`round_trip` and `patience` in seconds; `advertised` as the record's header has it; `problem` is what
    stopped the survey, empty where nothing did."""

    round_trip: float
    patience: float
    advertised: dict[str, list[str]]
    problem: str = ""


def survey(cell: Cell) -> Survey:
    """Log in once and ask. A server that cannot even do that is no reason to stop: the checks will say so."""
    accounts = Accounts(cell)
    claims: list[str] = []
    round_trip = 0.0
    problem = ""
    try:
        opened = negotiation.connect(cell, Stage.OPENED, label="survey")
        claims += _features("opened", opened)
        opened.close()
        account = accounts.fresh()
        session = negotiation.connect(cell, Stage.SECURED, sender=account.jid, label="survey")
        claims += _features("secured", session)
        claims += _inline(session)
        negotiation.authenticate(session, account)
        negotiation.open_stream(session)
        claims += _features("stream", session)
        negotiation.bind(session)
        round_trip = _round_trip(session)
        claims += _disco("server", session.iq("get", f"<query xmlns='{DISCO_INFO}'/>", to=cell.domain))
        claims += _disco("account", session.iq("get", f"<query xmlns='{DISCO_INFO}'/>", to=session.bare_jid))
        session.close()
        claims += _host_meta(cell)
    except PeerError as error:
        problem = str(error)
    finally:
        accounts.close()
    patience = min(max(LEAST_PATIENCE * crowd(), PATIENCE_FACTOR * round_trip), MOST_PATIENCE)
    return Survey(round_trip, patience, advertised(claims), problem)


def _host_meta(cell: Cell) -> list[str]:
    """The link relations of host-meta; none where there is no host-meta, or no HTTPS port."""
    if cell.endpoint("https") is None:
        return []
    try:
        response = request(cell, "https", "GET", "/.well-known/host-meta")
        links = root_of(response.body).iterfind("xrd:Link", NS) if response.status == 200 else ()
        return [f"host-meta {link.get('rel')}" for link in links]
    except (PeerError, MachineError):
        return []


def _round_trip(session: Session) -> float:
    """The time in seconds within which nine of ten pings are answered, by a result or an error."""
    times = []
    for _ in range(ROUND_TRIPS):
        start = time.perf_counter()
        session.sentinel()
        times.append(time.perf_counter() - start)
    return statistics.quantiles(times, n=10)[-1]


def _features(place: str, session: Session) -> list[str]:
    return [f"{place} {child.tag}" for child in session.features] if session.features is not None else []


def _inline(session: Session) -> list[str]:
    """What SASL2 offers inline (XEP-0388 §2.1)."""
    offer = sasl2.inline(session.features) if session.features is not None else None
    return [f"inline {child.tag}" for child in offer] if offer is not None else []


def _disco(place: str, reply: Element) -> list[str]:
    features = [f"{place} {f.get('var')}" for f in reply.iterfind("disco:query/disco:feature", NS)]
    identities = reply.iterfind("disco:query/disco:identity", NS)
    return features + [f"{place} identity {i.get('category')}/{i.get('type')}" for i in identities]
