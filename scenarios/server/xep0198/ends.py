"""XEP-0198 §4, §5: a stream that is not resumed: what was not handled goes elsewhere, and its resource goes offline.

A stream that can be resumed is kept for as long as `max` says: these checks ask for a second, and can be tried only
where that is granted.
"""

from __future__ import annotations

import contextlib
import time

import pytest

from lab.plugin import Connect, Specification, impossible, premise, require, require_equal, require_error, unsupported
from lab.wire.namespaces import ARCHIVE, NS
from lab.wire.session import Session, localname, new_id
from lab.wire.stream import Element
from lab.wire.transport import NoAnswer
from scenarios.server._contacts import appear
from scenarios.server.rfc6120._stanzas import UNKNOWN
from scenarios.server.xep0198._managed import (
    SM,
    Managed,
    ask_to_resume,
    is_unavailable,
    make_resumable,
    manage,
    tell,
    watched,
)

MANAGED = Specification("XEP-0198")

ROUND = 0.1  # seconds between two looks for a message
SHORT = 1
LONGEST = 3
"""Seconds: what is asked for, and what a check still waits for."""

resumption = pytest.mark.parametrize("kept", [False, True], ids=["without-resumption", "with-resumption"])


def _watched(connect: Connect, *, kept: bool) -> tuple[Managed, Session]:
    """An available stream of bob's, and carol, who sees it end. With `kept` it can be resumed for a short time."""
    account, bob, carol = watched(connect)
    if not kept:
        return manage(bob, account), carol
    stream = make_resumable(bob, account, longest=SHORT)
    longest = stream.longest_break
    if longest is None or longest > LONGEST:
        impossible(
            f"a broken stream is kept for {longest or 'an unknown number of'} seconds, though {SHORT} was asked for"
        )
    return stream, carol


def _ends(stream: Managed, contact: Session) -> None:
    """Break the stream, and wait until it has ended for good."""
    stream.cut()
    _left(stream, contact)


def _left(stream: Managed, contact: Session) -> None:
    wait = (stream.longest_break or 0) + contact.patience
    contact.expect(is_unavailable(stream.session.jid), "unavailable presence of the stream that ended", timeout=wait)


def _over(stream: Managed, contact: Session) -> None:
    """The same where it is no more than the premise: any stream may be kept for a while (§7)."""
    premise(lambda: _ends(stream, contact), "the broken stream is kept for longer than a check waits")


@resumption
@MANAGED.may("4", "5", says="A stream that broke and was not resumed in time is over: contacts see it leave.")
def test_stream_that_is_not_resumed_leaves(kept: bool, connect: Connect) -> None:
    _ends(*_watched(connect, kept=kept))


@MANAGED.must("5", says="A stream that was not resumed in time is not resumed later.")
def test_stream_is_not_resumed_too_late(connect: Connect) -> None:
    stream, carol = _watched(connect, kept=True)
    _over(stream, carol)
    _, answer = ask_to_resume(connect, stream)
    require(answer.tag == f"{SM}failed", "<failed/>", answer)


@MANAGED.may("5", says="<failed/> for a stream that was not resumed in time may say how much of it was handled.")
def test_late_resumption_is_told_what_was_handled(connect: Connect) -> None:
    stream, carol = _watched(connect, kept=True)
    tell(stream.session, carol.jid, 3)
    stream.session.sentinel(carol)
    _over(stream, carol)
    _, answer = ask_to_resume(connect, stream)
    said = answer.get("h")
    if said is None:
        unsupported("'h' in <failed/>")
    require_equal(said, str(stream.tally.sent_stanzas), "'h'")


# --- what was not handled


def _read_unacknowledged(stream: Managed, sender: Session, count: int = 1) -> list[str]:
    """Messages to the stream's full JID that it has had, and says nothing of."""
    identifiers = tell(sender, stream.session.jid, count)
    stream.read(*identifiers)
    return identifiers


class Fate:
    """What became of messages that a stream did not handle before it ended: looked for at all who may have them.

    That is their sender, to whom errors go, a later resource of the account, and its archive (XEP-0313), with which
    servers keep messages that would else be kept for later.
    """

    def __init__(self, connect: Connect, stream: Managed, sender: Session, other: Session | None = None) -> None:
        self.sender = sender
        self.later = other or connect(account=stream.account, label="later")
        if other is None:
            self.later.send("<presence/>")

    def of(self, identifier: str) -> Element:
        """The error, or the message wherever it is now. Fails where there is none in the end."""
        deadline = time.monotonic() + self.later.patience
        while (found := self._found(identifier)) is None:
            require(time.monotonic() < deadline, "an error, or the message later or in the archive", "neither")
            with contextlib.suppress(NoAnswer):
                self.sender.inbox.append(self.sender.expect(identifier, timeout=ROUND))
        return found

    def _found(self, identifier: str) -> Element | None:
        self.sender.sentinel()
        self.later.sentinel()
        for element in (*self.sender.inbox, *self.later.inbox):
            if localname(element) == "message" and element.get("id") == identifier:
                return element
        return self._archived(identifier)

    def _archived(self, identifier: str) -> Element | None:
        reply = self.later.iq("set", f"<query xmlns='{ARCHIVE}'/>")
        if reply.get("type") != "result":
            return None
        message = f"mam:result/forward:forwarded/c:message[@id='{identifier}']"
        return next((found for e in self.later.inbox for found in e.iterfind(message, NS)), None)


@resumption
@MANAGED.should(
    "4", says="A message that was not handled when its stream ended is returned, kept or delivered elsewhere."
)
def test_message_that_was_not_handled_is_not_lost(kept: bool, connect: Connect) -> None:
    stream, carol = _watched(connect, kept=kept)
    alice = connect(label="alice")
    (identifier,) = _read_unacknowledged(stream, alice)
    _over(stream, carol)
    found = Fate(connect, stream, alice).of(identifier)
    if found.get("type") == "error":
        require_error(found)


@MANAGED.should("4", says="A message of during a break that has no end is returned, kept or delivered elsewhere.")
def test_message_of_during_the_break_is_not_lost(connect: Connect) -> None:
    stream, carol = _watched(connect, kept=True)
    alice = connect(label="alice")
    stream.session.sentinel()
    stream.cut()
    (identifier,) = tell(alice, stream.session.jid, 1)
    alice.sentinel()
    _left(stream, carol)
    found = Fate(connect, stream, alice).of(identifier)
    if found.get("type") == "error":
        require_error(found)


@resumption
@MANAGED.should(
    "4", says="With another resource there, a message that was not handled is returned, kept or delivered to it."
)
def test_message_goes_to_another_resource(kept: bool, connect: Connect) -> None:
    stream, carol = _watched(connect, kept=kept)
    other, alice = connect(account=stream.account, label="other"), connect(label="alice")
    appear(other)
    (identifier,) = _read_unacknowledged(stream, alice)
    _over(stream, carol)
    found = Fate(connect, stream, alice, other).of(identifier)
    if found.get("type") == "error":
        require_error(found)


@resumption
@MANAGED.should("4", says="A request that was not handled when its stream ended is returned with an error.")
def test_request_that_was_not_handled_is_returned(kept: bool, connect: Connect) -> None:
    stream, carol = _watched(connect, kept=kept)
    identifier = new_id()
    carol.send(f"<iq type='get' id='{identifier}' to='{stream.session.jid}'>{UNKNOWN}</iq>")
    stream.read(identifier)
    _over(stream, carol)
    answer = carol.expect(identifier, "an error for the request")
    require_error(answer)
    require_equal(answer.get("from"), stream.session.jid, "'from'")


@MANAGED.should(
    "4", says="A message that was kept because its stream ended says by <delay/> when it was first delivered."
)
def test_message_that_was_kept_is_delayed(connect: Connect) -> None:
    stream, carol = _watched(connect, kept=False)
    alice = connect(label="alice")
    (identifier,) = _read_unacknowledged(stream, alice)
    _over(stream, carol)
    fate = Fate(connect, stream, alice)
    found = fate.of(identifier)
    if found not in fate.later.inbox:
        unsupported("delivering such a message: it is returned, or in the archive")
    require(found.find("delay:delay", NS) is not None, "<delay/>", found)


@MANAGED.should("4", says="What was acknowledged is not kept: it does not come a second time, nor an error for it.")
def test_acknowledged_message_does_not_come_again(connect: Connect) -> None:
    stream, carol = _watched(connect, kept=False)
    alice = connect(label="alice")
    (handled,) = _read_unacknowledged(stream, alice)
    stream.acknowledge()
    stream.session.sentinel()
    (lost,) = _read_unacknowledged(stream, alice)
    _over(stream, carol)
    fate = Fate(connect, stream, alice)
    fate.of(lost)
    for session in (alice, fate.later):
        session.expect_nothing(
            f"<message id='{handled}' from='{alice.jid}' to='{session.jid}'><body>{handled}</body></message>",
            lambda e: e.get("id") == handled,
            "message that was acknowledged, or error for it",
        )


@MANAGED.should("4", says="Many messages that were not handled are all returned or kept, in order.")
def test_messages_that_were_not_handled_keep_their_order(connect: Connect) -> None:
    stream, carol = _watched(connect, kept=False)
    alice = connect(label="alice")
    identifiers = _read_unacknowledged(stream, alice, 5)
    _over(stream, carol)
    fate = Fate(connect, stream, alice)
    for identifier in reversed(identifiers):
        fate.of(identifier)
    for session in (alice, fate.later):
        came = [e.get("id") for e in session.inbox if e.get("id") in identifiers]
        if came:
            require_equal(came, identifiers, "messages, in order")
