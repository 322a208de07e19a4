"""Sequences of what two users do, drawn by Hypothesis and played on the wire beside a model of them (`_pair`).

Outcomes repeat: the sequences are always the same ones. What fails is made as short as may be, within bounds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from lab.errors import PeerError
from lab.plugin import Connect, require, require_result
from lab.plugin.judge import Missed
from lab.wire.session import Session
from lab.wire.trace import Trace
from scenarios.server._contacts import appear, disappear
from scenarios.server.rfc6121._pair import SIDES, Pair, Step, Told, way_to
from scenarios.server.rfc6121._playing import is_presence, require_state, send, user
from scenarios.server.rfc6121._roster import change, removal
from scenarios.server.rfc6121._states import KINDS, STATES

EXAMPLES, STEPS = 12, 8
SHORTER = 20
"""Sequences that are tried in search of a shorter one that fails."""


@dataclass
class Search:
    """What the sequences of one search share. A sequence that failed is not tried again: it fails as it did."""

    connect: Connect
    failures: dict[tuple[Step, ...], tuple[Missed | PeerError, Trace]] = field(default_factory=dict)
    left: int = SHORTER

    def spent(self) -> bool:
        """Whether one more sequence would be too much."""
        if self.failures:
            self.left -= 1
        return self.left < 0


class Users(RuleBasedStateMachine):
    """The two of them on the wire, beside the model. Sessions are opened by the first step."""

    def __init__(self, search: Search) -> None:
        super().__init__()
        self._search = search
        self._model = Pair()
        self._steps: tuple[Step, ...] = ()
        self._idle = search.spent()
        self._sessions: dict[str, Session] = {}
        self._trace = Trace()

    def teardown(self) -> None:
        for session in self._sessions.values():
            session.close()
            self._search.connect.open.remove(session)

    @initialize(name=st.sampled_from(list(STATES)))
    def begin(self, name: str) -> None:
        """Come to one of the nine states first: left to chance, few sequences would get far."""
        for step in way_to(STATES[name]):
            self._do(step)

    def _do(self, step: Step) -> None:
        told = self._model.apply(step)
        self._steps += (step,)
        known = self._search.failures.get(self._steps)
        if known is not None:
            raise known[0]
        if self._idle:
            return
        try:
            self._play(step, told)
        except (Missed, PeerError) as error:
            error.expected = f"behind [{'; '.join(map(str, self._steps))}]: {error.expected}"
            self._search.failures[self._steps] = error, self._trace
            raise

    def _play(self, step: Step, told: tuple[Told, ...]) -> None:
        connect = self._search.connect
        if not self._sessions:
            connect.trace = self._trace
            self._sessions = {name: user(connect, label=name) for name in SIDES}
        mine, other = self._sessions[step.side], self._sessions[Pair.other(step.side)]
        for session in (mine, other):
            session.inbox.clear()
        if step.what == "leave":
            disappear(mine)
        elif step.what == "come":
            appear(mine)
        elif step.what == "remove":
            require_result(change(mine, removal(other.bare_jid)))
        else:
            send(mine, step.what, other.bare_jid)
        mine.sentinel(other)
        other.sentinel(mine)
        for one in told:
            self._require(one)
        for name, session in self._sessions.items():
            peer = self._sessions[Pair.other(name)]
            require_state(session, peer.bare_jid, self._model.sides[name].state, f"at {name}")

    def _require(self, told: Told) -> None:
        session = self._sessions[told.side]
        sender = self._sessions[Pair.other(told.side)].bare_jid
        came = [e for e in session.inbox if is_presence(told.kind, sender)(e)]
        many = f"{'no' if told.forbidden else 'one'} {told.kind!r} at {told.side}"
        require(len(came) == (0 if told.forbidden else 1), many, f"{len(came)} of them")


def _rule(step: Step) -> object:
    def act(self: Users) -> None:
        self._do(step)

    act.__name__ = act.__qualname__ = f"{step.side}_{step.what}"
    return precondition(lambda self: self._model.allows(step))(rule()(act))


for _step in (Step(side, what) for side in SIDES for what in (*KINDS, "remove", "leave", "come")):
    setattr(Users, f"{_step.side}_{_step.what}", _rule(_step))


def search_for_a_failure(search: Search) -> None:
    """Try the sequences. Raises the failure of the shortest one that fails (Missed, PeerError)."""
    run_state_machine_as_test(
        cast("type[Users]", lambda: Users(search)),  # whatever makes one will do
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            derandomize=True,
            database=None,
            deadline=None,
            report_multiple_bugs=False,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        ),
    )
