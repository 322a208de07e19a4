"""RFC 6121 §4.2, §4.4, §4.5: presence as it is broadcast, first, later and last, to whom and to whom not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lab.plugin import Connect, Specification, require, require_equal, require_error
from lab.wire.namespaces import CLIENT, XML_LANG
from lab.wire.session import Session, localname, new_id, parse
from lab.wire.stream import Element
from scenarios.server._contacts import appear, disappear, subscribe
from scenarios.server.rfc6120._stanzas import UNKNOWN, same
from scenarios.server.rfc6121._playing import (
    bare,
    bring,
    is_presence,
    user,
)
from scenarios.server.rfc6121._roster import added, item_xml
from scenarios.server.rfc6121._states import STATES

RFC = Specification("RFC 6121")

STATUSES = {"en": "Wooing Juliet", "cs": "Dvořím se Julii"}
WHOLE = (
    "<show>dnd</show><status>Wooing Juliet</status><status xml:lang='cs'>Dvořím se Julii</status>"
    f"<priority>1</priority>{UNKNOWN}"
)
"""All that presence may hold."""


def _pair(connect: Connect, state: str = "from") -> tuple[Session, Session]:
    """An owner and a watcher, who is available: the owner has the watcher on its roster as `from` or as `both`."""
    owner, watcher = user(connect, label="owner"), user(connect, label="watcher")
    subscribe(watcher, owner)
    if state == "both":
        subscribe(owner, watcher)
    disappear(owner)
    owner.sentinel(watcher)
    for session in (owner, watcher):
        session.inbox.clear()
    return owner, watcher


def _require_whole(got: Element, kind: str | None = None) -> None:
    """The check fails unless presence says all of `WHOLE`, but for the priority: it may be another (§4.7.2.3)."""
    require(got.get("type") == kind, f"presence of type {kind}", got)
    require_equal([e.text for e in got.findall(f"{{{CLIENT}}}show")], ["dnd"], "show")
    statuses = {e.get(XML_LANG) or got.get(XML_LANG) or "en": e.text for e in got.findall(f"{{{CLIENT}}}status")}
    require_equal(statuses, STATUSES, "statuses by language")
    require(any(same(child, parse(UNKNOWN)) for child in got), f"with {UNKNOWN}", got)


def _from(jid: str) -> Callable[[Element], bool]:
    return lambda e: localname(e) == "presence" and e.get("from") == jid


def _none_more(sender: Session, recipient: Session, jid: str) -> None:
    sender.sentinel(recipient)
    more = [e for e in recipient.inbox if _from(jid)(e)]
    require(not more, "one stanza of presence", more[0] if more else None)


# --- to contacts (§4.2.2, §4.2.3, §4.4.2, §4.4.3)


@pytest.mark.parametrize("state", ["from", "both"])
@pytest.mark.parametrize("when", ["initial", "subsequent", "after-unavailable"])
@RFC.must(
    "4.2.2", "4.4.2", "4.2.3", "4.5.2", "12", says="Presence is broadcast whole to those who are subscribed to it."
)
def test_presence_is_broadcast_to_subscribers(when: str, state: str, connect: Connect) -> None:
    owner, watcher = _pair(connect, state)
    if when != "initial":
        appear(owner)
        watcher.expect(is_presence(None, owner.jid), "initial presence")
    if when == "after-unavailable":
        disappear(owner)
        watcher.expect(is_presence("unavailable", owner.jid), "unavailable presence")
    owner.send(f"<presence xml:lang='en'>{WHOLE}</presence>")
    got = watcher.expect(_from(owner.jid), "the owner's presence")
    _require_whole(got)
    require_equal(bare(got.get("to")), watcher.bare_jid, "'to'")
    _none_more(owner, watcher, owner.jid)


@pytest.mark.parametrize("kind", ["initial", "subsequent", "unavailable"])
@RFC.must("4.2.3", "4.4.3", "4.5.3", "12", says="Presence is delivered to all of a contact's available resources.")
def test_presence_reaches_all_resources_of_a_contact(kind: str, connect: Connect) -> None:
    account = connect.account()
    owner, first = user(connect, label="owner"), user(connect, account=account, label="first")
    subscribe(first, owner)
    second = user(connect, account=account, label="second")
    negative = connect(account=account, label="negative")
    negative.send("<presence><priority>-5</priority></presence>")
    negative.sentinel()
    if kind == "initial":
        disappear(owner)
    watchers = (first, second, negative)
    for watcher in watchers:
        owner.sentinel(watcher)
        watcher.inbox.clear()
    gone = kind == "unavailable"
    owner.send("<presence type='unavailable'/>" if gone else "<presence><show>away</show></presence>")
    for watcher in watchers:
        got = watcher.expect(_from(owner.jid), f"the owner's presence at {watcher.label}")
        require_equal(got.get("type"), "unavailable" if gone else None, "the type")
        _none_more(owner, watcher, owner.jid)


STRANGERS = ["none", "none-out", "none-in", "none-out-in", "to", "to-in"]


@pytest.mark.parametrize("state", STRANGERS)
@RFC.must_not("11", "4.2.2", says="Presence is not broadcast to those who are not subscribed to it.")
def test_presence_is_kept_from_others(state: str, connect: Connect, contact: Session) -> None:
    alice = user(connect)
    if state == "none":
        added(alice, item_xml(contact.jid, "Nurse"))
    else:
        bring(alice, contact, STATES[state])
    disappear(alice)
    for presence in ("<presence/>", "<presence><show>away</show></presence>", "<presence type='unavailable'/>"):
        alice.send(presence)
    contact.expect_nothing(
        f"<presence from='{alice.jid}' to='{contact.jid}'/>",
        lambda e: _from(alice.jid)(e) and e.get("type") in {None, "unavailable"},  # a probe tells nothing
        "presence for whoever is not subscribed",
        after=alice,
    )


# That available resources get it is a MUST; that no other does is RFC 6120 §10.5.3.2, a SHOULD.
@RFC.should("4.5.3", says="A contact's resource that is connected, and not available, is no part of the broadcast.")
def test_unavailable_resource_is_not_told(connect: Connect) -> None:
    owner, watcher = _pair(connect)
    disappear(watcher)
    owner.send("<presence><show>away</show></presence>")
    watcher.expect_nothing(
        f"<presence from='{owner.jid}' to='{watcher.bare_jid}'/>",
        _from(owner.jid),
        "presence at a resource that is not available",
        after=owner,
    )


@pytest.mark.parametrize("order", ["contact-first", "user-first"])
@RFC.must(
    "4.2.2", "4.3.2", "4.3.1", says="Whoever comes learns of the contacts that are there, and they of who comes."
)
def test_newcomer_and_contacts_learn_of_each_other(order: str, connect: Connect) -> None:
    owner, watcher = _pair(connect, "both")
    disappear(watcher)
    first, second = (owner, watcher) if order == "user-first" else (watcher, owner)
    first.send(f"<presence xml:lang='en'>{WHOLE}</presence>")
    first.sentinel()
    second.sentinel()
    second.inbox.clear()  # what it was told when the watcher left
    second.send("<presence/>")
    _require_whole(second.expect(_from(first.jid), "presence of who was there"))
    first.expect(is_presence(None, second.jid), "presence of who came")


# --- to the own resources (§4.2.2, §4.4.2, §4.5.2)


@pytest.mark.parametrize("kind", ["initial", "subsequent"])
@RFC.must("4.2.2", "4.4.2", says="Presence comes to all of the own available resources, the sender's included.")
def test_presence_reaches_the_own_resources(kind: str, connect: Connect) -> None:
    account = connect.account()
    alice, other = connect(account=account, label="alice"), connect(account=account, label="other")
    appear(other)
    if kind == "subsequent":
        appear(alice)
    for session in (alice, other):
        # Whether one that is not available gets messages is a check of RFC 6120.
        if session is other or kind == "subsequent":
            alice.sentinel(session)
        session.inbox.clear()
    alice.send(f"<presence xml:lang='en'>{WHOLE}</presence>")
    for session in (alice, other):
        got = session.expect(_from(alice.jid), f"the own presence at {session.label}")
        _require_whole(got)
        _none_more(alice, session, alice.jid)


# The section has a newcomer's presence sent to the others; that it gets theirs is only to be inferred.
@RFC.should("4.2.2", says="A resource that comes learns of the own resources that are there.")
def test_newcomer_learns_of_the_own_resources(connect: Connect) -> None:
    account = connect.account()
    alice, other = connect(account=account, label="alice"), connect(account=account, label="other")
    alice.send(f"<presence xml:lang='en'>{WHOLE}</presence>")
    alice.sentinel()
    other.send("<presence/>")
    _require_whole(other.expect(_from(alice.jid), "presence of the resource that was there"))


@RFC.must(
    "4.5.2", says="Unavailable presence comes to the own available resources, and to the resource that sent it."
)
def test_unavailable_presence_reaches_the_own_resources(connect: Connect) -> None:
    account = connect.account()
    alice, other = connect(account=account, label="alice"), connect(account=account, label="other")
    appear(alice)
    appear(other)
    alice.send("<presence type='unavailable'><status>Gone</status></presence>")
    for session in (other, alice):
        got = session.expect(is_presence("unavailable", alice.jid), f"unavailable presence at {session.label}")
        require_equal(got.findtext(f"{{{CLIENT}}}status"), "Gone", "the status")


# --- unavailable (§4.5.2, §4.5.3)

ENDS: dict[str, Callable[[Session], None]] = {
    "unavailable": lambda s: s.send("<presence type='unavailable'/>"),
    "stream-closed": lambda s: s.send("</stream:stream>"),
    "connection-lost": lambda s: s.transport.close(),
    "stream-error": lambda s: s.send("<presence></iq>"),
}


@pytest.mark.parametrize("end", ENDS)
@RFC.must("4.5.2", "4.5.3", says="However a resource ends, its contacts are told once that it is unavailable.")
def test_end_of_a_resource_is_told(end: str, connect: Connect) -> None:
    owner, watcher = _pair(connect)
    appear(owner)
    watcher.expect(is_presence(None, owner.jid), "the owner's presence")
    ENDS[end](owner)
    got = watcher.expect(_from(owner.jid), "unavailable presence")
    require_equal(got.get("type"), "unavailable", "the type")
    watcher.sentinel()
    more = [e for e in watcher.inbox if _from(owner.jid)(e)]
    require(not more, "unavailable presence once", more[0] if more else None)


@pytest.mark.parametrize("end", ["stream-closed", "connection-lost"])
@RFC.must("4.5.2", says="The own resources are told of one that ends without a word.")
def test_end_of_a_resource_is_told_to_the_own(end: str, connect: Connect) -> None:
    account = connect.account()
    alice, other = connect(account=account, label="alice"), connect(account=account, label="other")
    appear(other)
    appear(alice)
    ENDS[end](alice)
    other.expect(is_presence("unavailable", alice.jid), "unavailable presence of the own resource")


@RFC.must("4.5.2", says="Unavailable presence that a client sent is broadcast whole.")
def test_unavailable_presence_is_broadcast_whole(connect: Connect) -> None:
    owner, watcher = _pair(connect)
    appear(owner)
    watcher.expect(is_presence(None, owner.jid), "the owner's presence")
    owner.send(f"<presence type='unavailable'><status>On vacation</status>{UNKNOWN}</presence>")
    got = watcher.expect(is_presence("unavailable", owner.jid), "unavailable presence")
    require_equal(got.findtext(f"{{{CLIENT}}}status"), "On vacation", "the status")
    require(any(same(child, parse(UNKNOWN)) for child in got), f"with {UNKNOWN}", got)


@RFC.must("4.5.2", says="One resource's end is told as that resource's: another stays available.")
def test_end_of_one_resource_is_not_that_of_another(connect: Connect) -> None:
    account = connect.account()
    owner, watcher = user(connect, account=account, label="owner"), user(connect, label="watcher")
    subscribe(watcher, owner)
    second = user(connect, account=account, label="second")
    watcher.expect(is_presence(None, second.jid), "presence of the second resource")
    watcher.inbox.clear()  # §3.1.3: a request may be acknowledged by unavailable presence of the bare JID
    disappear(second)
    watcher.expect(is_presence("unavailable", second.jid), "unavailable presence of the second resource")
    watcher.expect_nothing(
        f"<presence type='unavailable' from='{owner.jid}' to='{watcher.bare_jid}'/>",
        lambda e: e.get("type") == "unavailable" and e.get("from") in {owner.jid, owner.bare_jid},
        "unavailable presence of a resource that is there",
        after=owner,
    )


# --- syntax (§4.7)


# Of presence for somebody the section lets the recipient say so as well.
@RFC.should("4.7.1", says="Presence of a type that is not defined, for nobody, is answered by bad-request.")
def test_undefined_type_is_a_bad_request(connect: Connect) -> None:
    owner, _ = _pair(connect, "both")
    appear(owner)
    identifier = new_id()
    owner.send(f"<presence type='stanzalab-unheard-of' id='{identifier}'/>")
    require_error(owner.expect(identifier, "an error for the presence"), "bad-request")


@pytest.mark.parametrize("priority", [-128, -1, 0, 1, 127])
@RFC.must(
    "4.7.2.3", says="A priority from -128 to 127 is told as it is, or as the server has changed it to all alike."
)
def test_priority_is_told(priority: int, connect: Connect) -> None:
    owner, watcher = _pair(connect)
    owner.send(f"<presence><priority>{priority}</priority></presence>")
    own, fits = [], is_presence(None, owner.jid)
    owner.sentinel()
    if any(fits(element) for element in owner.inbox):  # that it comes to the sender is another check's matter
        own = [owner.expect(fits)]
    presences = [watcher.expect(fits, f"the presence at {watcher.label}"), *own]
    told = [presence.findtext(f"{{{CLIENT}}}priority", "0") for presence in presences]
    require_equal(len(set(told)), 1, "the number of priorities told")
    require(-128 <= int(told[0]) <= 127, "a priority from -128 to 127", told[0])


@RFC.must("4.7.2.3", says="Without a priority it is zero: messages to the account come to that resource.")
def test_no_priority_is_zero(connect: Connect) -> None:
    account = connect.account()
    alice, below = connect(account=account, label="alice"), connect(account=account, label="below")
    bob = connect(label="bob")
    appear(alice)
    below.send("<presence><priority>-1</priority></presence>")
    below.sentinel()
    identifier = new_id()
    bob.send(f"<message type='chat' id='{identifier}' to='{alice.bare_jid}'><body>Hello</body></message>")
    got = alice.expect(identifier, "the message")
    require_equal(got.get("from"), bob.jid, "'from'")
