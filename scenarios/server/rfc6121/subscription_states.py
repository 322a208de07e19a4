"""RFC 6121 Appendix A: each subscription stanza in each of the nine states, sent by the user and by the contact.

The contact is a component's, so that there is one server between: the user's. Checks are called by the stanza and
the state in which it comes: `…/subscribe:none-in`.
"""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from _pytest.mark import ParameterSet

from lab.plugin import Connect, Specification, require, require_equal
from lab.wire.session import Session, localname, new_id
from lab.wire.stream import Element
from scenarios.server.rfc6121._playing import (
    bring,
    is_presence,
    require_request,
    require_state,
    send,
    stanza,
    user,
)
from scenarios.server.rfc6121._states import INBOUND, OUTBOUND, Line, Passed

RFC = Specification("RFC 6121")


def _becomes(line: Line) -> str:
    return f"the state becomes {line.after.spoken!r}" if line.changes else "the state stays"


def _param(line: Line) -> ParameterSet:
    """A line of a table with its requirement, as far as it is an absolute one."""
    way, whose = ("routed", "user's") if line.outbound else ("delivered", "contact's")
    says = f"The {whose} {line.kind!r} in the state {line.before.spoken!r}: "
    if line.passed is Passed.MUST_NOT:
        mark = RFC.must_not(*line.sections, says=f"{says}not {way}, {_becomes(line)}.")
    elif line.passed is Passed.MUST:
        mark = RFC.must(*line.sections, says=f"{says}{way}, {_becomes(line)}.")
    else:
        mark = RFC.must(*line.sections, says=f"{says}{_becomes(line)}.")
    return pytest.param(line, id=line.name, marks=mark)


def _should_not(lines: Iterable[Line], way: str) -> list[ParameterSet]:
    return [
        pytest.param(
            line,
            id=line.name,
            marks=RFC.should_not(
                *line.sections, says=f"The {line.kind!r} is not {way} in the state {line.before.spoken!r}."
            ),
        )
        for line in lines
        if line.passed is Passed.SHOULD_NOT
    ]


def _of(element: Element, kind: str) -> bool:
    return localname(element) == "presence" and element.get("type") == kind


def _example(line: Line, sender: str, to: str) -> str:
    return f"<presence type='{line.kind}' id='{new_id()}' from='{sender}' to='{to}'/>"


# --- outbound (§A.2)


@pytest.mark.parametrize("line", [_param(line) for line in OUTBOUND])
def test_outbound(line: Line, connect: Connect, contact: Session) -> None:
    alice = user(connect)
    bring(alice, contact, line.before)
    send(alice, line.kind, contact.jid)
    if line.passed is Passed.MUST:
        got = contact.expect(lambda e: _of(e, line.kind), f"the user's {line.kind!r}")
        _require_passed(got, alice.bare_jid, contact.jid)
    elif line.passed is Passed.MUST_NOT:
        _require_not_routed(line, alice, contact)
    alice.sentinel(contact)
    again = [e for e in contact.inbox if _of(e, line.kind)] if line.passed is Passed.MUST else []
    require(not again, f"one {line.kind!r}", again[0] if again else None)
    require_state(alice, contact.jid, line.after)
    require_request(connect, alice, contact, line.after)


@pytest.mark.parametrize("line", _should_not(OUTBOUND, "routed"))
def test_outbound_is_not_routed(line: Line, connect: Connect, contact: Session) -> None:
    alice = user(connect)
    bring(alice, contact, line.before)
    send(alice, line.kind, contact.jid)
    _require_not_routed(line, alice, contact)


def _require_not_routed(line: Line, alice: Session, contact: Session) -> None:
    contact.expect_nothing(
        _example(line, alice.bare_jid, contact.jid),
        lambda e: _of(e, line.kind),
        f"{line.kind!r} in the state {line.before.spoken!r}",
        after=alice,
    )


def _require_passed(got: Element, sender: str, to: str) -> None:
    """From the bare JID (§3), for the bare JID. That a server keeps its id is said of no stanza but iqs."""
    require_equal(got.get("from"), sender, "'from'")
    require_equal(got.get("to"), to, "'to'")


# --- inbound (§A.3)


@pytest.mark.parametrize("line", [_param(line) for line in INBOUND])
def test_inbound(line: Line, connect: Connect, contact: Session) -> None:
    alice = user(connect)
    bring(alice, contact, line.before)
    contact.send(stanza(line.kind, contact.jid, alice.bare_jid))
    if line.passed is Passed.MUST:
        got = alice.expect(lambda e: _of(e, line.kind), f"the contact's {line.kind!r}")
        require_equal(got.get("from"), contact.jid, "'from'")
    contact.sentinel(alice)
    again = [e for e in alice.inbox if _of(e, line.kind)] if line.passed is Passed.MUST else []
    require(not again, f"one {line.kind!r}", again[0] if again else None)
    require_state(alice, contact.jid, line.after)
    require_request(connect, alice, contact, line.after)


@pytest.mark.parametrize("line", _should_not(INBOUND, "delivered"))
def test_inbound_is_not_delivered(line: Line, connect: Connect, contact: Session) -> None:
    alice = user(connect)
    bring(alice, contact, line.before)
    contact.send(stanza(line.kind, contact.jid, alice.bare_jid))
    alice.expect_nothing(
        _example(line, contact.jid, alice.bare_jid),
        lambda e: _of(e, line.kind),
        f"{line.kind!r} in the state {line.before.spoken!r}",
        after=contact,
    )


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(
            line,
            id=line.name,
            marks=RFC.should(
                *line.sections,
                says=f"The server answers {line.reply!r} to {line.kind!r} in the state {line.before.spoken!r}.",
            ),
        )
        for line in INBOUND
        if line.reply
    ],
)
def test_inbound_is_answered(line: Line, connect: Connect, contact: Session) -> None:
    alice = user(connect)
    bring(alice, contact, line.before)
    contact.send(stanza(line.kind, contact.jid, alice.bare_jid))
    got = contact.expect(is_presence(line.reply, alice.bare_jid), f"{line.reply!r} for the user")
    require_equal(got.get("from"), alice.bare_jid, "'from'")
    require_equal(got.get("to"), contact.jid, "'to'")
