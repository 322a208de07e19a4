"""RFC 6121 Appendix A as data: what becomes of each subscription stanza in each state, from the user's side.

One line a state: what is done with the stanza, the new state where it changes, what is answered for the user.

    M    it MUST be routed, or delivered         M.N.  it MUST NOT be
    S.N. it SHOULD NOT be                        any   the RFC says both
    /subscribed   the server SHOULD answer so for the user

Where sections and tables differ, either is right, as the notes say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

KINDS = ("subscribe", "unsubscribe", "subscribed", "unsubscribed")


class Passed(StrEnum):
    """Whether the stanza is routed (outbound) or delivered (inbound)."""

    MUST = "M"
    MUST_NOT = "M.N."
    SHOULD_NOT = "S.N."
    EITHER = "any"


@dataclass(frozen=True)
class State:
    """One of the nine states (§A.1). `name` is as checks are called: `none`, `to-in`, `none-out-in`."""

    subscription: str
    out: bool = False
    pending_in: bool = False

    @property
    def name(self) -> str:
        return self.subscription + "-out" * self.out + "-in" * self.pending_in

    @property
    def spoken(self) -> str:
        """As the RFC writes it."""
        pending = "Out+In" if self.out and self.pending_in else "Out" if self.out else "In" if self.pending_in else ""
        return self.subscription.capitalize() + (f" + Pending {pending}" if pending else "")


STATES = {
    state.name: state
    for state in (
        State("none"),
        State("none", out=True),
        State("none", pending_in=True),
        State("none", out=True, pending_in=True),
        State("to"),
        State("to", pending_in=True),
        State("from"),
        State("from", out=True),
        State("both"),
    )
}


@dataclass(frozen=True)
class Line:
    """One line of one table: a stanza of type `kind`, from or to the user, in a state.

    `sections` are where it stands: the table, then the section in words. `reply` is what the server should answer in
    the user's name.
    """

    kind: str
    outbound: bool
    before: State
    passed: Passed
    after: State
    reply: str
    sections: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.kind}:{self.before.name}"

    @property
    def changes(self) -> bool:
        return self.before != self.after


# §3.2.2 has it that nothing is routed where the user is not on the roster, but a request that is refused is such a
# case, and §3.1.4 sends the refusal to who asked: the table is followed.
# §3.3.3 says that the end of a mere request is not delivered, §A.3.2 that it is: `any`.
# §3.2.3 knows no request that is refused, but §A.3.4 and §12 do: the table is followed.
_OUTBOUND = {
    "subscribe": (
        ("A.2.1", "3.1.2", "12"),
        """
        none         M     none-out
        none-out     M     -
        none-in      M     none-out-in
        none-out-in  M     -
        to           M     -
        to-in        M     -
        from         M     from-out
        from-out     M     -
        both         M     -
        """,
    ),
    "unsubscribe": (
        ("A.2.2", "3.3.2", "12"),
        """
        none         M     -
        none-out     M     none
        none-in      M     -
        none-out-in  M     none-in
        to           M     none
        to-in        M     none-in
        from         M     -
        from-out     M     from
        both         M     from
        """,
    ),
    "subscribed": (
        ("A.2.3", "3.1.5", "12"),
        """
        none         M.N.  -
        none-out     M.N.  -
        none-in      M     from
        none-out-in  M     from-out
        to           M.N.  -
        to-in        M     both
        from         M.N.  -
        from-out     M.N.  -
        both         M.N.  -
        """,
    ),
    "unsubscribed": (
        ("A.2.4", "3.2.2", "12"),
        """
        none         S.N.  -
        none-out     S.N.  -
        none-in      M     none
        none-out-in  M     none-out
        to           S.N.  -
        to-in        M     to
        from         M     none
        from-out     M     none-out
        both         M     to
        """,
    ),
}
_INBOUND = {
    "subscribe": (
        ("A.3.1", "3.1.3", "12"),
        """
        none         M     none-in
        none-out     M     none-out-in
        none-in      S.N.  -
        none-out-in  S.N.  -
        to           M     to-in
        to-in        S.N.  -
        from         S.N.  -          /subscribed
        from-out     S.N.  -          /subscribed
        both         S.N.  -          /subscribed
        """,
    ),
    "unsubscribe": (
        ("A.3.2", "3.3.3", "12"),
        """
        none         S.N.  -
        none-out     S.N.  -
        none-in      any   none
        none-out-in  any   none-out
        to           S.N.  -
        to-in        any   to
        from         M     none       /unsubscribed
        from-out     M     none-out   /unsubscribed
        both         M     to         /unsubscribed
        """,
    ),
    "subscribed": (
        ("A.3.3", "3.1.6", "12"),
        """
        none         S.N.  -
        none-out     M     to
        none-in      S.N.  -
        none-out-in  M     to-in
        to           S.N.  -
        to-in        S.N.  -
        from         S.N.  -
        from-out     M     both
        both         S.N.  -
        """,
    ),
    "unsubscribed": (
        ("A.3.4", "3.2.3", "12"),
        """
        none         S.N.  -
        none-out     M     none
        none-in      S.N.  -
        none-out-in  M     none-in
        to           M     none
        to-in        M     none-in
        from         S.N.  -
        from-out     M     from
        both         M     from
        """,
    ),
}


def _lines(tables: Mapping[str, tuple[tuple[str, ...], str]], *, outbound: bool) -> tuple[Line, ...]:
    found = []
    for kind, (sections, table) in tables.items():
        for row in table.strip().splitlines():
            before, passed, after, *reply = row.split()
            was = STATES[before]
            becomes = was if after == "-" else STATES[after]
            answer = reply[0].removeprefix("/") if reply else ""
            found.append(Line(kind, outbound, was, Passed(passed), becomes, answer, sections))
    return tuple(found)


OUTBOUND = _lines(_OUTBOUND, outbound=True)
INBOUND = _lines(_INBOUND, outbound=False)


def line(kind: str, before: State, *, outbound: bool) -> Line:
    """The line of a table."""
    return next(c for c in (OUTBOUND if outbound else INBOUND) if c.kind == kind and c.before == before)
