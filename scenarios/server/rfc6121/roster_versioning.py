"""RFC 6121 §2.6: versions of the roster, as a client that keeps a copy of it needs them.

Two answers are allowed to whoever names the version that it has: the whole roster, or nothing and then a push for
each change. So what is checked is the copy: whatever the server chose, it must be the roster in the end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from lab.plugin import Connect, Specification, impossible, require, require_equal, require_result, unsupported
from lab.wire.namespaces import NS
from lab.wire.session import Session, new_id
from lab.wire.stream import Element
from lab.wire.transport import NoAnswer
from scenarios.server._contacts import appear, subscribe
from scenarios.server.rfc6121._roster import (
    VERSIONING,
    Item,
    added,
    change,
    get,
    is_push,
    item_of,
    item_xml,
    removal,
    roster,
)

RFC = Specification("RFC 6121")

FEW = 3
MANY = 12
"""Contacts: where there are few, the whole roster may be cheaper to send than what changed (§2.6.3)."""


def _versioned(session: Session) -> Session:
    """The session of a server that offers roster versions; else the check is `unsupported`."""
    if session.features is None or session.features.find(VERSIONING) is None:
        unsupported("the stream feature of roster versions")
    return session


def _version(stanza: Element) -> str | None:
    query = stanza.find("roster:query", NS)
    return None if query is None else query.get("ver")


@dataclass
class Copy:
    """What a client keeps of its roster."""

    ver: str = ""
    items: dict[str, Item] = field(default_factory=dict)

    def take(self, query: Element) -> None:
        """A whole roster."""
        self.items = {item.jid: item for item in map(item_of, query)}
        self.ver = query.get("ver") or ""

    def change(self, query: Element) -> None:
        """A push."""
        item = item_of(query[0])
        if item.subscription == "remove":
            self.items.pop(item.jid, None)
        else:
            self.items[item.jid] = item
        self.ver = query.get("ver") or ""


def _copied(session: Session, contacts: int = FEW) -> Copy:
    """A copy of a roster with some contacts in it."""
    for number in range(contacts):
        added(session, item_xml(f"contact-{number}@{session.domain}", f"Contact {number}", ("Friends",)))
    reply = get(session, ver="")
    require_result(reply)
    query = reply.find("roster:query", NS)
    copy = Copy()
    if query is None:
        impossible("no whole roster came for an empty version; another check says whether that is a fault")
    copy.take(query)
    session.sentinel()
    session.inbox.clear()  # pushes of what is in the copy
    return copy


def _synchronise(session: Session, copy: Copy) -> list[Element]:
    """Ask for the roster with the version of the copy, and bring the copy up to date. Answers the pushes."""
    reply = get(session, ver=copy.ver)
    require_result(reply)
    query = reply.find("roster:query", NS)
    if query is not None:
        require(query.get("ver") is not None, "a whole roster with its version", reply)
        copy.take(query)
    session.sentinel()
    wanted, pushes = roster(session), []
    while copy.items != wanted or any(map(is_push(), session.inbox)):
        try:  # nothing says when all pushes have come (§2.6.3)
            push = session.expect(is_push())
        except NoAnswer:
            break
        require(push[0].get("ver") is not None, "a push with its version", push)
        copy.change(push[0])
        pushes.append(push)
    return pushes


@RFC.must("12", "2.6.1", says="A server supports roster versions, and says so in its stream features.")
def test_roster_versioning_is_offered(alice: Session) -> None:
    features = alice.features
    require(features is not None and features.find(VERSIONING) is not None, "the feature 'ver'", features)
    added(alice, item_xml(_nobody(alice)))
    reply = get(alice, ver="")
    require_result(reply)
    require(_version(reply), "a roster with its version", reply)


@RFC.should("2.6.3", "2.1.1", says="A roster has a version, though the client has not named one.")
def test_roster_has_a_version(alice: Session) -> None:
    reply = get(_versioned(alice))
    require(_version(reply) is not None, "a roster with 'ver'", reply)


@pytest.mark.parametrize("contacts", [0, FEW], ids=["none", "few"])
@RFC.must("2.6.3", "2.6.2", says="Whoever has no version yet gets the whole roster with its version.")
def test_empty_version_gets_the_whole_roster(contacts: int, alice: Session) -> None:
    _versioned(alice)
    wanted = {f"contact-{number}@{alice.domain}" for number in range(contacts)}
    for jid in wanted:
        added(alice, item_xml(jid))
    reply = get(alice, ver="")
    require_result(reply)
    query = reply.find("roster:query", NS)
    if not contacts and query is None:
        return  # nothing was changed since there was nothing
    require(query is not None and query.get("ver") is not None, "a roster with its version", reply)
    require_equal({e.get("jid") for e in reply.iterfind("roster:query/roster:item", NS)}, wanted, "contacts")


@RFC.must("2.6.3", says="A version that is current is answered by an empty result, or by the whole roster.")
def test_current_version_leaves_the_copy_right(connect: Connect) -> None:
    account = connect.account()
    copy = _copied(_versioned(connect(account=account, label="alice")))
    later = connect(account=account, label="later")
    _synchronise(later, copy)
    require_equal(copy.items, roster(later), "the copy")


@RFC.should("2.6.3", says="A version that is current is answered by an empty result where the roster is not small.")
def test_current_version_is_answered_by_an_empty_result(alice: Session) -> None:
    copy = _copied(_versioned(alice), MANY)
    reply = get(alice, ver=copy.ver)
    require_result(reply)
    require(len(reply) == 0, "an empty result", reply)
    alice.expect_nothing(
        f"<iq type='set' id='p' to='{alice.jid}'><query xmlns='jabber:iq:roster'><item jid='a@b'/></query></iq>",
        is_push(),
        "push where nothing changed",
    )


def _nobody(session: Session) -> str:
    return f"new-{new_id()}@{session.domain}"


CHANGES: dict[str, Callable[[Session], str]] = {
    "added": lambda session: item_xml(_nobody(session), "New"),
    "renamed": lambda session: item_xml(f"contact-0@{session.domain}", "Renamed", ("Friends",)),
    "regrouped": lambda session: item_xml(f"contact-1@{session.domain}", "Contact 1"),
    "removed": lambda session: removal(f"contact-2@{session.domain}"),
}


@pytest.mark.parametrize("what", [*CHANGES, "all", "twice", "back"])
@RFC.must("2.6.3", says="Whoever names an older version learns of each change since then.")
def test_changes_since_a_version_are_told(what: str, connect: Connect) -> None:
    account = connect.account()
    alice = _versioned(connect(account=account, label="alice"))
    copy = _copied(alice)
    if what in CHANGES:
        steps = [CHANGES[what](alice)]
    elif what == "all":
        steps = [make(alice) for make in CHANGES.values()]
    else:  # something comes and goes; something goes and comes
        gone = f"contact-0@{alice.domain}" if what == "back" else _nobody(alice)
        steps = [item_xml(gone, "First"), removal(gone)]
        steps += [item_xml(gone, "Contact 0", ("Friends",))] if what == "back" else []
    for step in steps:
        require_result(change(alice, step))
    later = connect(account=account, label="later")
    _synchronise(later, copy)
    require_equal(copy.items, roster(later), "the copy")


@RFC.must("2.6.3", says="A subscription that changed since a version is told like any other change.")
def test_subscription_since_a_version_is_told(connect: Connect, bob: Session) -> None:
    account = connect.account()
    alice = _versioned(connect(account=account, label="alice"))
    copy = _copied(alice)
    for session in (alice, bob):
        appear(session)
    subscribe(alice, bob)
    later = connect(account=account, label="later")
    _synchronise(later, copy)
    require_equal(copy.items.get(bob.bare_jid), Item(bob.bare_jid, subscription="to"), "the new contact in the copy")


@RFC.must("2.6.3", says="A version that the server never gave is answered by the whole roster.")
def test_unknown_version_leaves_the_copy_right(alice: Session) -> None:
    copy = _copied(_versioned(alice))
    copy.ver = f"unheard-of-{new_id()}"
    copy.items = {}
    _synchronise(alice, copy)
    require_equal(copy.items, roster(alice), "the copy")


@RFC.must("2.6.3", says="Each roster push has a version, and no two have the same.")
def test_pushes_have_versions_of_their_own(alice: Session) -> None:
    copy = _copied(_versioned(alice))
    versions = [copy.ver]
    for make in CHANGES.values():
        require_result(change(alice, make(alice)))
        push = alice.expect(is_push(), "a roster push")
        version = _version(push)
        require(version, "a push with a version", push)
        versions.append(str(version))
    require_equal(len(set(versions)), len(versions), "the number of different versions")
    require_equal(_version(get(alice, ver="")), versions[-1], "the roster's version, which is the last push's")


@RFC.should("2.6.3", says="A roster push has a version, though the client has never named one.")
def test_push_has_a_version_unasked(alice: Session) -> None:
    roster(_versioned(alice))
    added(alice, item_xml(_nobody(alice)))
    push = alice.expect(is_push(), "a roster push")
    require(_version(push) is not None, "a push with 'ver'", push)


@RFC.must("2.6.3", says="Pushes come in the order in which the roster was changed.")
def test_pushes_come_in_order(connect: Connect) -> None:
    account = connect.account()
    alice, other = connect(account=account, label="alice"), _versioned(connect(account=account, label="other"))
    roster(other)
    wanted = [_nobody(alice) for _ in range(MANY)]
    alice.send(
        "".join(
            f"<iq type='set' id='{new_id()}'><query xmlns='jabber:iq:roster'>{item_xml(jid)}</query></iq>"
            for jid in wanted
        )
    )
    alice.sentinel()
    pushes = [other.expect(is_push(), "a roster push") for _ in wanted]
    require_equal([push[0][0].get("jid") for push in pushes], wanted, "the contacts pushed")


@RFC.must("2.1.1", says="The server makes the versions: one that a client put into a roster set is none.")
def test_version_of_a_client_is_not_taken(alice: Session) -> None:
    roster(_versioned(alice))
    made_up = f"made-up-{new_id()}"
    jid = _nobody(alice)
    alice.iq("set", f"<query xmlns='jabber:iq:roster' ver='{made_up}'>{item_xml(jid)}</query>")
    push = alice.expect(is_push(jid), "a roster push")
    for stanza in (push, get(alice, ver="")):
        require(_version(stanza) != made_up, "a version of the server's own", stanza)
