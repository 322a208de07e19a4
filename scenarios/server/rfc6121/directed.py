"""RFC 6121 §4.6: presence that a client sends to somebody, and what the server owes whoever got it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lab.plugin import Connect, Specification, premise, require, require_equal
from lab.wire.session import Session, localname, parse
from lab.wire.stream import Element
from scenarios.server._contacts import appear, disappear, subscribe
from scenarios.server.rfc6120._stanzas import UNKNOWN, same
from scenarios.server.rfc6121._playing import bare, is_presence, send, user

RFC = Specification("RFC 6121")

ENDS: dict[str, Callable[[Session], None]] = {
    "unavailable": lambda s: s.send("<presence type='unavailable'/>"),
    "stream-closed": lambda s: s.send("</stream:stream>"),
    "connection-lost": lambda s: s.transport.close(),
}

every_end = pytest.mark.parametrize("end", ENDS)


def _of(jid: str) -> Callable[[Element], bool]:
    return lambda e: localname(e) == "presence" and e.get("from") == jid


def _direct(alice: Session, bob: Session, *, to: str = "", kind: str | None = None) -> None:
    """Alice sends presence to Bob, who gets it whole."""
    type_ = f" type='{kind}'" if kind else ""
    alice.send(f"<presence{type_} to='{to or bob.jid}'><status>For you</status>{UNKNOWN}</presence>")
    got = bob.expect(_of(alice.jid), "directed presence")
    require_equal(got.get("type"), kind, "the type")
    require_equal(got.findtext("{*}status"), "For you", "the status")
    require(any(same(child, parse(UNKNOWN)) for child in got), f"with {UNKNOWN}", got)
    require_equal(bare(got.get("to")), bob.bare_jid, "the account in 'to'")


def _told(alice: Session, bob: Session, *, to: str = "", kind: str | None = None) -> None:
    """As `_direct`, on the way to something else: the check is `impossible` where the presence does not come."""
    premise(
        lambda: _direct(alice, bob, to=to, kind=kind),
        "directed presence does not come; another check says whether that is a fault",
    )


def _strangers(connect: Connect) -> tuple[Session, Session]:
    """Two available users who know nothing of each other."""
    return user(connect, label="alice"), user(connect, label="bob")


@pytest.mark.parametrize("to", ["bare", "full"])
@pytest.mark.parametrize("kind", ["available", "unavailable"])
@RFC.must("4.6.3", says="Presence for somebody who is not subscribed is delivered whole.")
def test_directed_presence_is_delivered(kind: str, to: str, connect: Connect) -> None:
    alice, bob = _strangers(connect)
    _direct(
        alice,
        bob,
        to=bob.bare_jid if to == "bare" else bob.jid,
        kind="unavailable" if kind == "unavailable" else None,
    )


@pytest.mark.parametrize("when", ["before-initial", "after-unavailable"])
@RFC.must("4.6.3", says="Presence for somebody is delivered though its sender is not available.")
def test_directed_presence_needs_no_broadcast(when: str, connect: Connect) -> None:
    alice, bob = connect(label="alice"), user(connect, label="bob")
    if when == "after-unavailable":
        appear(alice)
        disappear(alice)
    _direct(alice, bob)


@pytest.mark.parametrize("when", ["available", "connected"])
@RFC.must_not("4.6.3", says="Whoever got directed presence and is not subscribed has no part in later broadcasts.")
def test_directed_presence_makes_no_subscriber(when: str, connect: Connect) -> None:
    alice, bob = connect(label="alice"), user(connect, label="bob")
    if when == "available":
        appear(alice)
    _told(alice, bob)
    alice.send("<presence><show>away</show></presence>")
    bob.expect_nothing(
        f"<presence from='{alice.jid}' to='{bob.jid}'><show>away</show></presence>",
        _of(alice.jid),
        "broadcast for whoever is not subscribed",
        after=alice,
    )


@every_end
@pytest.mark.parametrize("when", ["available", "connected"])
@RFC.must("4.6.3", says="Whoever got directed presence is told when that resource becomes unavailable, in any way.")
def test_receiver_is_told_of_the_end(when: str, end: str, connect: Connect) -> None:
    alice, bob = connect(label="alice"), user(connect, label="bob")
    if when == "available":
        appear(alice)
    _told(alice, bob)
    ENDS[end](alice)
    got = bob.expect(_of(alice.jid), "unavailable presence")
    require_equal(got.get("type"), "unavailable", "the type")


@pytest.mark.parametrize("to", ["bare", "full"])
@RFC.must("4.6.3", says="That goes for each of several receivers, and for bare JIDs as for full ones.")
def test_each_receiver_is_told_of_the_end(to: str, connect: Connect) -> None:
    alice, bob = _strangers(connect)
    carol = user(connect, label="carol")
    for receiver in (bob, carol):
        _told(alice, receiver, to=receiver.bare_jid if to == "bare" else receiver.jid)
    ENDS["stream-closed"](alice)
    for receiver in (bob, carol):
        receiver.expect(is_presence("unavailable", alice.jid), f"unavailable presence at {receiver.label}")


@every_end
@RFC.must("4.6.1", "4.6.3", says="Whoever got directed unavailable presence is not told of the end once more.")
def test_receiver_of_unavailable_presence_is_not_told_again(end: str, connect: Connect) -> None:
    alice, bob, carol = *_strangers(connect), user(connect, label="carol")
    _told(alice, bob)
    _told(alice, carol)
    _told(alice, bob, kind="unavailable")
    ENDS[end](alice)
    carol.expect(is_presence("unavailable", alice.jid), "unavailable presence at who still waits for it")
    bob.expect_nothing(
        f"<presence type='unavailable' from='{alice.jid}' to='{bob.jid}'/>",
        _of(alice.jid),
        "unavailable presence for the second time",
        after=carol,
    )


@RFC.should("4.6.1", says="Whoever sent unavailable presence itself is not told of the end.")
def test_receiver_that_went_away_is_not_told(connect: Connect) -> None:
    alice, bob, carol = *_strangers(connect), user(connect, label="carol")
    _told(alice, bob)
    _told(bob, alice)
    _told(alice, carol)
    _told(bob, alice, kind="unavailable")
    ENDS["unavailable"](alice)
    carol.expect(is_presence("unavailable", alice.jid), "unavailable presence at who still waits for it")
    bob.expect_nothing(
        f"<presence type='unavailable' from='{alice.jid}' to='{bob.jid}'/>",
        _of(alice.jid),
        "unavailable presence for whoever went away",
        after=carol,
    )


@RFC.must("4.6.3", "4.6.1", says="Directed presence is one resource's: the end of another is not told.")
def test_end_of_another_resource_is_not_told(connect: Connect) -> None:
    account = connect.account()
    alice, other = user(connect, account=account, label="alice"), user(connect, account=account, label="other")
    bob = user(connect, label="bob")
    _told(alice, bob)
    disappear(other)
    bob.expect_nothing(
        f"<presence type='unavailable' from='{other.jid}' to='{bob.jid}'/>",
        lambda e: localname(e) == "presence" and bare(e.get("from")) == alice.bare_jid,
        "presence of a resource that sent none",
        after=other,
    )


# --- between contacts


def _subscribed(connect: Connect) -> tuple[Session, Session]:
    """Two, the second of whom is subscribed, and has got the presence of the first, be it once or twice."""
    alice, bob = _strangers(connect)
    subscribe(bob, alice)
    premise(
        lambda: bob.expect(_of(alice.jid)),
        "no presence comes behind the approval; another check says whether that is a fault",
    )
    alice.sentinel(bob)
    bob.inbox.clear()
    return alice, bob


@pytest.mark.parametrize("kind", ["available", "unavailable"])
@RFC.must("4.6.3", says="Presence for a contact who is subscribed is delivered whole, too.")
def test_directed_presence_reaches_a_subscriber(kind: str, connect: Connect) -> None:
    alice, bob = _subscribed(connect)
    _direct(alice, bob, kind="unavailable" if kind == "unavailable" else None)


@pytest.mark.parametrize("kind", ["available", "unavailable"])
@RFC.should("4.6.3", says="A subscriber who got directed presence has part in later broadcasts as before.")
def test_directed_presence_leaves_a_subscriber_subscribed(kind: str, connect: Connect) -> None:
    alice, bob = _subscribed(connect)
    _told(alice, bob, kind="unavailable" if kind == "unavailable" else None)
    alice.send("<presence><show>away</show></presence>")
    got = bob.expect(_of(alice.jid), "the broadcast")
    require_equal(got.findtext("{*}show"), "away", "show")


@RFC.must(
    "4.6.1", says="A subscription takes precedence: whoever had directed presence gets broadcasts once subscribed."
)
def test_subscription_behind_directed_presence_counts(connect: Connect) -> None:
    alice, bob = _strangers(connect)
    _told(alice, bob)
    subscribe(bob, alice)
    alice.sentinel(bob)
    bob.inbox.clear()
    alice.send("<presence><show>away</show></presence>")
    got = bob.expect(_of(alice.jid), "the broadcast")
    require_equal(got.findtext("{*}show"), "away", "show")


@RFC.must("4.6.1", "3.2.2", says="A cancelled contact is told unavailable presence, though it had directed presence.")
def test_cancellation_behind_directed_presence_counts(connect: Connect) -> None:
    alice, bob = _subscribed(connect)
    _told(alice, bob)
    send(alice, "unsubscribed", bob.bare_jid)
    bob.expect(is_presence("unavailable", alice.jid), "unavailable presence")
