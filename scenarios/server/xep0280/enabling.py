"""XEP-0280 §4, §5, §10.1: switching copies on and off, for one resource and one session of it."""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

import pytest

from lab.plugin import Connect, Stage, impossible, require, require_error, require_result, unsupported
from lab.wire.namespaces import CARBONS, NS, STREAM_MANAGEMENT
from lab.wire.session import Session, localname
from lab.wire.stream import Element
from scenarios.server._contacts import appear, log_out
from scenarios.server.xep0280._carbons import (
    CARBON,
    WAYS,
    Users,
    copied,
    not_copied,
    resource,
    say,
    switched_on,
    toggle,
    users,
)

WHAT = pytest.mark.parametrize("what", ["enable", "disable"])


def _is_granted(reply: Element, session: Session) -> None:
    require_result(reply)
    require(reply.get("from") in {session.bare_jid, session.domain, None}, "an answer of the own account", reply)
    require(not len(reply), "nothing in the result", reply)


def _copies(there: Users, *, wanted: bool) -> None:
    """A message either way is copied, or is not."""
    for way in WAYS:
        sender, recipient = there.ends(way)
        identifier = say(sender, recipient)
        if wanted:
            copied(there, way, identifier)
        else:
            not_copied(there.copied, identifier, "copy at a resource that wants none", after=sender)


@pytest.mark.parametrize("addressed", ["to-nobody", "to-own-bare-jid"])
@CARBON.must("2", "4", says="Who enables carbons is answered by a result, and has copies from then on.")
def test_copies_are_enabled(addressed: str, connect: Connect) -> None:
    there = users(connect)
    third = resource(connect, there.account, "third")
    _is_granted(toggle(third, "enable", to=third.bare_jid if addressed == "to-own-bare-jid" else None), third)
    _copies(Users(there.account, there.one, third, there.other), wanted=True)


@CARBON.must_not(
    "2", says="A resource that has not asked for them gets no copies, though another one of the account has."
)
def test_copies_are_enabled_for_one_resource(connect: Connect) -> None:
    there = users(connect)
    plain = resource(connect, there.account, "plain")
    _copies(Users(there.account, there.one, plain, there.other), wanted=False)


@CARBON.must("10.1", "5", says="Who disables carbons is answered by a result, and has no copies from then on.")
def test_copies_are_disabled(connect: Connect) -> None:
    there = users(connect)
    _copies(there, wanted=True)
    _is_granted(toggle(there.copied, "disable"), there.copied)
    _copies(there, wanted=False)


@CARBON.must("10.1", says="Copies are enabled and disabled as often as a client likes, and each time it holds.")
def test_copies_are_enabled_and_disabled_again(connect: Connect) -> None:
    there = users(connect)
    for _ in range(2):
        _is_granted(toggle(there.copied, "disable"), there.copied)
        _copies(there, wanted=False)
        _is_granted(toggle(there.copied, "enable"), there.copied)
        _copies(there, wanted=True)


@CARBON.must("10.1", "5", says="Disabling in one resource leaves the others their copies.")
def test_copies_are_disabled_for_one_resource(connect: Connect) -> None:
    there = users(connect)
    third = switched_on(resource(connect, there.account, "third"))
    _is_granted(toggle(third, "disable"), third)
    _copies(there, wanted=True)


@CARBON.should("10.1", says="Enabling what is enabled is no error, and changes nothing: one copy each.")
def test_copies_are_enabled_twice(connect: Connect) -> None:
    there = users(connect)
    _is_granted(toggle(there.copied, "enable"), there.copied)
    sender, recipient = there.ends("received")
    identifier = say(sender, recipient)
    copied(there, "received", identifier)
    not_copied(there.copied, identifier, "second copy", after=sender)


@pytest.mark.parametrize("before", ["enabled", "never-enabled"])
@CARBON.should("10.1", says="Disabling what is disabled is no error, and changes nothing.")
def test_copies_are_disabled_twice(before: str, connect: Connect) -> None:
    there = users(connect)
    plain = there.copied if before == "enabled" else resource(connect, there.account, "plain")
    for _ in range(2):
        _is_granted(toggle(plain, "disable"), plain)
    _copies(Users(there.account, there.one, plain, there.other), wanted=False)


@CARBON.must_not("2", says="What a session enabled is not enabled in the next one, though it has the same resource.")
def test_copies_are_enabled_for_one_session(connect: Connect) -> None:
    there = users(connect)
    log_out(there.copied)
    again = connect(account=there.account, resource=there.copied.resource, label="copied again")
    appear(again)
    _copies(Users(there.account, there.one, again, there.other), wanted=False)


# --- those of others


@WHAT
@CARBON.must("2", "4", "5", says="Nobody switches the copies of somebody else's resources, which stay as they were.")
def test_copies_of_others_are_not_switched(what: str, connect: Connect) -> None:
    there = users(connect)
    plain = resource(connect, there.account, "plain")
    toggle(there.other, what, to=there.account.jid)  # an error is not asked for: it may be taken as for one's own
    _copies(there, wanted=True)
    _copies(Users(there.account, there.one, plain, there.other), wanted=False)


@CARBON.should("4.1", says="Who is no client of this server cannot enable carbons: not-allowed.")
def test_enabling_from_elsewhere_is_not_allowed(component_session: Session, connect: Connect) -> None:
    _is_not_allowed(component_session, "enable", connect)


@CARBON.should("5.1", says="Who is no client of this server cannot disable carbons: not-allowed.")
def test_disabling_from_elsewhere_is_not_allowed(component_session: Session, connect: Connect) -> None:
    _is_not_allowed(component_session, "disable", connect)


def _is_not_allowed(component: Session, what: str, connect: Connect) -> None:
    there = users(connect)
    sender = f"somebody@{component.jid}/there"
    reply = component.iq("set", f"<{what} xmlns='{CARBONS}'/>", to=there.account.jid, attributes=f" from='{sender}'")
    require_error(reply, "not-allowed")


# --- and a session that is resumed


@CARBON.must("2", says="A client that resumes its stream (XEP-0198 §5) still has the copies that it asked for.")
def test_copies_stay_enabled_in_a_resumed_stream(connect: Connect) -> None:
    there = users(connect)
    _copies(_resumed(there, connect), wanted=True)


def _resumed(there: Users, connect: Connect) -> Users:
    """The same users, the stream of the copied resource broken and resumed."""
    session = there.copied
    if session.features is None or session.features.find("sm:sm", NS) is None:
        unsupported(STREAM_MANAGEMENT)
    session.send(f"<enable xmlns='{STREAM_MANAGEMENT}' resume='true'/>")
    enabled = session.expect(lambda e: localname(e) in {"enabled", "failed"}, "<enabled/>")
    if enabled.get("resume") not in {"true", "1"}:
        unsupported("the resumption of streams")
    session.abandon()
    again = connect(Stage.AUTHENTICATED, account=there.account, label="copied again")
    # Nothing was read since: what is sent a second time does no harm here.
    again.send(f"<resume xmlns='{STREAM_MANAGEMENT}' previd={quoteattr(enabled.get('id', ''))} h='0'/>")
    answer = again.expect(lambda e: localname(e) in {"resumed", "failed"}, "<resumed/>")
    if localname(answer) == "failed":
        impossible("the stream cannot be resumed; checks of XEP-0198 say whether that is a fault")
    again.jid = session.jid
    return Users(there.account, there.one, again, there.other)
