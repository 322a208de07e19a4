"""Two users of one server as a model: what each step does to the subscriptions between them (RFC 6121 §3, §A).

Each side has a state of Appendix A. What one sends goes through the outbound table of its own side and, where it is
routed, through the inbound table of the other's. Nothing here opens a socket.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from scenarios.server.rfc6121._states import STATES, Passed, State, line

SIDES = ("alice", "bob")


@dataclass(frozen=True)
class Step:
    """What a side does: sends presence of a type, `remove`s the other from its roster, `leave`s or `come`s back."""

    side: str
    what: str

    def __str__(self) -> str:
        return f"{self.side} {self.what}"


@dataclass
class Side:
    """One user: its state towards the other, whether it is available, whether a request came while it was not."""

    state: State = STATES["none"]
    available: bool = True
    kept: bool = False


@dataclass(frozen=True)
class Told:
    """What a step must bring: presence of a type to a side, or None where nothing has to come."""

    side: str
    kind: str | None
    forbidden: bool = False
    """Whether it is forbidden, instead."""


@dataclass
class Pair:
    """The two of them. `apply` makes a step; `allows` says whether the RFC leaves no doubt what comes of it."""

    sides: dict[str, Side] = field(default_factory=lambda: {name: Side() for name in SIDES})

    @staticmethod
    def other(side: str) -> str:
        return SIDES[1 - SIDES.index(side)]

    def allows(self, step: Step) -> bool:
        """And whether it is worth a step: what changes nothing is tried once, by the checks of the tables.

        Pre-approval has checks of its own; what becomes of requests when an item is removed is not said.
        """
        mine = self.sides[step.side]
        state = mine.state
        if step.what == "remove":
            return state.subscription != "none" and not state.out and not state.pending_in
        if step.what in {"leave", "come"}:
            return mine.available is (step.what == "leave")
        return line(step.what, state, outbound=True).changes

    def apply(self, step: Step) -> tuple[Told, ...]:
        """Make the step. Answers what it must bring."""
        mine = self.sides[step.side]
        if step.what == "leave":
            mine.available = False
            return ()
        if step.what == "come":
            mine.available = True
            kept, mine.kept = mine.kept and mine.state.pending_in, False
            if kept or not mine.state.pending_in:  # one that was delivered before may come again (§3.1.3)
                return (Told(step.side, "subscribe", forbidden=not kept),)
            return ()
        if step.what == "remove":
            subscription, mine.state = mine.state.subscription, STATES["none"]
            kinds = {"to": ("unsubscribe",), "from": ("unsubscribed",), "both": ("unsubscribe", "unsubscribed")}
            return tuple(told for kind in kinds[subscription] for told in self._arrive(step.side, kind))
        out = line(step.what, mine.state, outbound=True)
        mine.state = out.after
        # Where it should not be routed, it may be: it changes nothing on the other side then.
        return self._arrive(step.side, step.what) if out.passed is Passed.MUST else ()

    def _arrive(self, sender: str, kind: str) -> tuple[Told, ...]:
        receiver = self.other(sender)
        theirs = self.sides[receiver]
        inbound = line(kind, theirs.state, outbound=False)
        theirs.state = inbound.after
        if kind == "subscribe" and inbound.changes and not theirs.available:
            theirs.kept = True
        must = inbound.passed is Passed.MUST and theirs.available
        return (Told(receiver, kind),) if must else ()


def way_to(state: State) -> tuple[Step, ...]:
    """The steps that bring alice, who has nothing to do with bob yet, into a state."""
    steps: list[Step] = []
    if state.subscription in {"from", "both"}:
        steps += [Step("bob", "subscribe"), Step("alice", "subscribed")]
    if state.out or state.subscription in {"to", "both"}:
        steps.append(Step("alice", "subscribe"))
    if state.subscription in {"to", "both"}:
        steps.append(Step("bob", "subscribed"))
    if state.pending_in:
        steps.append(Step("bob", "subscribe"))
    return tuple(steps)
