"""The pytest plugin of `make prove`: runs each check once as it is, then again with one damage at a time.

Only what reaches the check itself is damaged: the traffic by which `connect` brings a session up is not, nor
are sentinels. What a check on clients reads of the tap and of the agents stands in `lab.plugin.reading`. The worker
puts the result on a report (`report.stanzalab_proof`).
No assert here: PYTEST_DONT_REWRITE.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, cast

import pytest
from _pytest.nodes import Node
from _pytest.runner import runtestprotocol

from lab.plugin import damage
from lab.plugin.clients import WATCH, Arrivals
from lab.plugin.connections import CONNECT, TRACE, Connect
from lab.plugin.damage import Target
from lab.plugin.hooks import CHECK, PROGRESS
from lab.plugin.reading import INJECTED, Reading
from lab.verdict import Outcome
from lab.wire.session import Session
from lab.wire.stream import Event

MOST_DAMAGES = 40  # to one check, unless --most-damages says otherwise or none was noticed yet
MOST_SECONDS = 45.0  # on one check, once it has noticed something
LAST_SECONDS = 240.0  # on one that has noticed nothing yet
HURRY = 0.25  # seconds to wait for anything once the damage is done
CLIENTS_HURRY = 2.0  # at least, for what a client does: programs are slower than sockets
SLOWER = 3.0  # times the longest wait of the undamaged run, where that is more


@dataclass(frozen=True)
class Attempt:
    """A damage that was done, and what the check made of it.

    `by_rule`: the check itself held, and only a standing rule, which is told the same, was broken.
    """

    damage: str
    what: str
    outcome: str
    noticed: bool
    by_rule: bool = False


@dataclass
class Script:
    """What to do while a check runs: observe (no target), or do one damage. `longest` of its waits for clients."""

    target: Target | None = None
    seen: list[Target] = field(default_factory=list)
    done: bool = False
    longest: float = 0.0
    patience: float = CLIENTS_HURRY
    _events: int = 0
    _forbidden: int = 0
    _sessions: list[Session] = field(default_factory=list)

    def prepare(self, session: Session) -> None:
        session.tamper = self.tamper
        session.inject = self.inject
        session.hurry = HURRY if self.done else None
        self._sessions.append(session)

    def tamper(self, session: Session, event: Event) -> Iterable[Event]:
        if damage.is_sentinel(event):
            return (event,)
        place, self._events = str(self._events), self._events + 1
        if self.target is None:
            what = f"{damage.describe(event)} to {session.label}"
            self.seen += [Target(name, place, what) for name in damage.applicable(event)]
        elif self.target.damage != INJECTED and self.target.place == place:
            damaged = damage.DAMAGES[self.target.damage](event)
            if damaged is not None:
                self.done = True
                for open_session in self._sessions:
                    open_session.hurry = HURRY
                return damaged
        return (event,)

    def inject(self, session: Session, forbidden: str) -> bool:
        place, self._forbidden = str(self._forbidden), self._forbidden + 1
        if self.target is None:
            self.seen.append(Target(INJECTED, place, f"{forbidden[:60]} to {session.label}"))
            return False
        hit = self.target.damage == INJECTED and self.target.place == place
        self.done = self.done or hit
        return hit

    # --- what a client's reading asks and tells

    @property
    def hurry(self) -> float | None:
        return self.patience if self.done else None

    def sees(self, target: Target) -> None:
        self.seen.append(target)

    def does(self) -> None:
        self.done = True

    def waited(self, seconds: float) -> None:
        self.longest = max(self.longest, seconds)


SCRIPT = pytest.StashKey[Script]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("stanzalab").addoption(
        "--most-damages", type=int, default=MOST_DAMAGES, metavar="N", help="damages to one check, at most"
    )


def pytest_lab_connect(item: pytest.Item, connect: Connect) -> None:
    connect.prepare = item.stash[SCRIPT].prepare


def pytest_lab_arrive(item: pytest.Item, arrivals: Arrivals) -> None:
    script = item.stash[SCRIPT]
    arrivals.reading = lambda number, name: Reading(script, number, name)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    """Replaces pytest's own protocol: as many runs of the check as there are damages to try."""
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    report = _prove(item)
    item.session._setupstate.teardown_exact(nextitem)  # what the runs kept alive between them
    item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def _prove(item: pytest.Item) -> pytest.TestReport:
    started = time.monotonic()
    observed = Script()
    report, outcome = _run(item, observed)
    attempts: list[Attempt] = []
    most: int = item.config.getoption("--most-damages")
    cut = again = False
    if outcome is Outcome.PASS:
        plan = _plan(observed.seen, most)
        while plan:
            target = plan.pop(0)
            # Nothing is said to go unnoticed for good before everything was tried.
            seen_to_notice = any(a.noticed and not a.by_rule for a in attempts)
            spent = time.monotonic() - started
            enough = seen_to_notice and (len(attempts) >= most or spent > MOST_SECONDS)
            if enough or spent > LAST_SECONDS:
                cut = True
                break
            script = Script(target, patience=max(CLIENTS_HURRY, SLOWER * observed.longest))
            report, result = _run(item, script)
            if script.done:
                noticed = result in {Outcome.FAIL, Outcome.NON_STRICT}
                by_rule = noticed and item.stash[PROGRESS].by_rule
                attempts.append(Attempt(target.damage, target.what, result.value, noticed, by_rule))
            elif not attempts and not again:
                # What a server asks of a client once only (its caps, say) was counted, and does not come again.
                again = True
                observed = Script()
                _run(item, observed)
                plan = _plan(observed.seen, most)
    report.stanzalab_proof = {  # type: ignore[attr-defined] # xdist carries it
        "check": item.stash[CHECK].name,
        "outcome": outcome.value,
        "attempts": [asdict(a) for a in attempts],
        "cut": cut,
    }
    return report


def _plan(seen: list[Target], most: int) -> list[Target]:
    """What is forbidden first, then damages spread evenly over the check, then all the others."""
    forbidden = [t for t in seen if t.damage == INJECTED]
    others = [t for t in seen if t.damage != INJECTED]
    step = max(len(others) // max(most - len(forbidden), 1), 1)
    spread = others[::step]
    return forbidden + spread + [t for t in others if t not in spread]


def _run(item: pytest.Item, script: Script) -> tuple[pytest.TestReport, Outcome]:
    """Run the check once, with fresh fixtures of its own."""
    item.stash[SCRIPT] = script
    keys: tuple[pytest.StashKey[Any], ...] = (TRACE, CONNECT, WATCH)
    for key in keys:
        if key in item.stash:
            del item.stash[key]
    if hasattr(item, "_request"):
        item._initrequest()  # type: ignore[attr-defined] # as pytest-rerunfailures does
    again = cast("pytest.Item", _Again(item))
    reports = runtestprotocol(item, log=False, nextitem=again)
    return reports[-1], item.stash[PROGRESS].outcome


class _Again:
    """Stands for the next run of the same item: what belongs to the item goes, its module and session stay."""

    def __init__(self, item: pytest.Item) -> None:
        self._item = item

    def listchain(self) -> list[Node]:
        return self._item.listchain()[:-1]


def proof_of(report: Any) -> dict[str, Any] | None:
    """The proof that a report carries, if it carries one."""
    proof: dict[str, Any] | None = getattr(report, "stanzalab_proof", None)
    return proof
