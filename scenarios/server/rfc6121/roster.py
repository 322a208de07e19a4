"""RFC 6121 §2.1 to §2.5: the roster is answered, changed, pushed, and nobody else's matter."""

from __future__ import annotations

from contextlib import suppress

import pytest

from lab.plugin import Connect, Specification, impossible, require, require_equal, require_error, require_result
from lab.wire.namespaces import NS, ROSTER
from lab.wire.session import Session, new_id, show, stanza_error_condition
from lab.wire.transport import NoAnswer
from scenarios.server._contacts import appear, log_out, subscribe
from scenarios.server.rfc6121._roster import (
    Item,
    added,
    change,
    example,
    get,
    interested,
    is_push,
    item_xml,
    not_pushed,
    noted,
    push,
    pushed,
    removal,
    require_item,
    roster,
)

RFC = Specification("RFC 6121")

LONG = 2 * 1024
"""Characters of a name that some limits forbid, and that no stanza limit of these days does."""


def _jid(session: Session) -> str:
    """A contact of whom nobody has heard."""
    return f"contact-{new_id()}@{session.domain}"


# --- get (§2.1.3, §2.1.4)


@RFC.must("2.1.4", says="An empty roster is answered by a result with a query that has no item.")
def test_empty_roster_is_an_empty_query(alice: Session) -> None:
    reply = get(alice)
    require_result(reply)
    query = reply.find("roster:query", NS)
    require(query is not None and len(query) == 0, "an empty query", reply)


@pytest.mark.parametrize("to", ["nobody", "own-account"])
@RFC.must("2", "2.1.4", "2.1.3", says="A roster get is answered with all that is stored, each contact once.")
def test_roster_is_answered(to: str, alice: Session) -> None:
    wanted = {jid: Item(jid, "Nurse", ("Servants",)) for jid in (_jid(alice) for _ in range(3))}
    for jid in wanted:
        added(alice, item_xml(jid, "Nurse", ("Servants",)))
    if to == "nobody":
        require_equal(roster(alice), wanted, "the roster")
        return
    reply = alice.iq("get", f"<query xmlns='{ROSTER}'/>", to=alice.bare_jid)
    require_result(reply)
    items = [e.get("jid") for e in reply.iterfind("roster:query/roster:item", NS)]
    require_equal(sorted(map(str, items)), sorted(wanted), "contacts")


@RFC.must("2", "2.1.4", says="The roster is answered to a later session of the account as it was stored.")
def test_roster_outlives_the_session(connect: Connect) -> None:
    account = connect.account()
    first = connect(account=account, label="first")
    jid = _jid(first)
    added(first, item_xml(jid, "Nurse", ("Servants", "Friends")))
    log_out(first)
    second = connect(account=account, label="second")
    require_equal(roster(second), {jid: Item(jid, "Nurse", ("Friends", "Servants"))}, "the roster")


TEXTS = {
    "unicode": "Żółć \U0001f98a नमस्ते",
    "markup": "<nurse> & 'co' \"ltd\"",
    "inner-space": "Nurse  of  Juliet",
    "outer-space": " Nurse ",
    "case": "nUrSe",
}


@pytest.mark.parametrize("text", TEXTS)
@RFC.should("2", says="Names and groups are stored as they are, and answered so.")
def test_texts_are_stored_unmodified(text: str, alice: Session) -> None:
    jid, wanted = _jid(alice), TEXTS[text]
    added(alice, item_xml(jid, wanted, (wanted,)))
    require_item(roster(alice).get(jid), Item(jid, wanted, (wanted,)))


# --- whose roster it is (§2, §2.1.5, §2.3.3)


@RFC.must("2", says="Nobody is shown the roster of somebody else.")
def test_roster_is_not_shown_to_others(alice: Session, bob: Session) -> None:
    jid = _jid(alice)
    added(alice, item_xml(jid, "Nurse"))
    reply = bob.iq("get", f"<query xmlns='{ROSTER}'/>", to=alice.bare_jid)
    require(jid not in show(reply), "nothing of the roster", reply)


@pytest.mark.parametrize("what", ["add", "update", "remove"])
@RFC.must("2", "2.1.5", says="A roster set of somebody else is answered by an error, and changes nothing.")
def test_roster_is_not_changed_by_others(what: str, connect: Connect, bob: Session) -> None:
    alice = interested(connect)
    jid = _jid(alice)
    if what != "add":
        added(alice, item_xml(jid, "Nurse"))
        noted(alice, jid)
    before = roster(alice)
    reply = change(bob, removal(jid) if what == "remove" else item_xml(jid, "Mallory"), to=alice.bare_jid)
    require_error(reply)
    not_pushed(alice, jid, "for what somebody else asked")
    require_equal(roster(alice), before, "the roster")


@RFC.must("2.1.5", "2.3.3", says="A roster set by whoever may not update the roster is answered by forbidden.")
def test_roster_set_of_others_is_forbidden(alice: Session, bob: Session) -> None:
    reply = change(bob, item_xml(_jid(alice)), to=alice.bare_jid)
    require_error(reply, "forbidden")


# --- adding (§2.3)


@RFC.must("2.3.2", "2.1.5", says="A roster set that adds an item is answered by a result, and the item is there.")
def test_item_is_added(alice: Session) -> None:
    jid = _jid(alice)
    require_result(change(alice, item_xml(jid, "Nurse", ("Servants",))))
    require_equal(roster(alice), {jid: Item(jid, "Nurse", ("Servants",))}, "the roster")


@RFC.must("2.3.2", "2.1.6", says="The resource that added an item gets a roster push with it.")
def test_new_item_is_pushed_to_who_added_it(connect: Connect) -> None:
    alice = interested(connect)
    jid = _jid(alice)
    added(alice, item_xml(jid, "Nurse", ("Servants",)))
    pushed(alice, Item(jid, "Nurse", ("Servants",)))
    not_pushed(alice, jid, "for the second time")


@pytest.mark.parametrize("presence", ["connected", "available", "negative", "gone-unavailable"])
@RFC.must("2.2", "2.3.2", "12", says="Each interested resource gets the roster push, whatever its presence.")
def test_new_item_is_pushed_to_interested_resources(presence: str, connect: Connect) -> None:
    account = connect.account()
    alice, other = connect(account=account, label="alice"), interested(connect, account=account, label="other")
    if presence != "connected":
        priority = "<priority>-1</priority>" if presence == "negative" else ""
        other.send(f"<presence>{priority}</presence>")
        other.sentinel()
    if presence == "gone-unavailable":
        other.send("<presence type='unavailable'/>")
        other.sentinel()
    jid = _jid(alice)
    added(alice, item_xml(jid, "Nurse"))
    pushed(other, Item(jid, "Nurse"))
    alice.sentinel(other)
    require(not any(map(is_push(jid), other.inbox)), "one push for one change", "another")


@RFC.should("2.1.6", says="A client that answers a push by an error goes on to be pushed to, and is not answered.")
def test_error_for_a_push_is_ignored(connect: Connect) -> None:
    alice = interested(connect)
    first, second = _jid(alice), _jid(alice)
    added(alice, item_xml(first))
    stanza = alice.expect(is_push(first), "a roster push")
    asked = stanza.get("id", "")
    condition = f"<error type='cancel'><service-unavailable xmlns='{NS['stanzas']}'/></error>"
    alice.send(f"<iq type='error' id='{asked}'>{condition}</iq>")
    alice.expect_nothing(
        f"<iq type='error' id='{asked}' to='{alice.jid}'>{condition}</iq>",
        lambda e: e.get("id") == asked,
        "answer to the error",
    )
    added(alice, item_xml(second))
    pushed(alice, Item(second))


# --- what is wrong with a roster set (§2.3.3)

WRONG: dict[str, tuple[str, tuple[str, ...], str]] = {
    "two-items": ("{one}{two}", ("bad-request",), "A roster set with two items is answered by bad-request."),
    "group-twice": (
        "<item jid='{jid}'><group>Servants</group><group>Servants</group></item>",
        ("bad-request",),
        "A roster set with a group that stands there twice is answered by bad-request.",
    ),
    "empty-group": (
        "<item jid='{jid}'><group></group></item>",
        ("not-acceptable",),
        "A roster set with an empty group is answered by not-acceptable.",
    ),
    "no-item": ("", (), "A roster set without an item is answered by an error."),
    "no-jid": ("<item name='Nurse'/>", (), "A roster set with an item without a jid is answered by an error."),
}
SECTIONS = {"no-item": ("2.1.5", "2.3.3"), "no-jid": ("2.1.2.3", "2.3.3")}


@pytest.mark.parametrize(
    "wrong",
    [pytest.param(n, marks=RFC.must(*SECTIONS.get(n, ("2.3.3",)), says=says)) for n, (_, _, says) in WRONG.items()],
)
def test_wrong_roster_set_is_refused(wrong: str, alice: Session) -> None:
    jid, other = _jid(alice), _jid(alice)
    template, conditions, _ = WRONG[wrong]
    reply = change(alice, template.format(jid=jid, one=item_xml(jid), two=item_xml(other)))
    require_error(reply, *conditions)


@pytest.mark.parametrize("wrong", [name for name in WRONG if name != "no-item"])
@RFC.must("2.3.3", "2.3.2", says="A roster set that is answered by an error changes nothing, and nothing is pushed.")
def test_refused_roster_set_changes_nothing(wrong: str, connect: Connect) -> None:
    alice = interested(connect)
    jid, other = _jid(alice), _jid(alice)
    template, _, _ = WRONG[wrong]
    reply = change(alice, template.format(jid=jid, one=item_xml(jid), two=item_xml(other)))
    if reply.get("type") == "result":
        impossible("it is not answered by an error; another check says whether that is a fault")
    alice.expect_nothing(example(alice, jid), is_push(), "roster push for a refused roster set")
    require_equal(roster(alice), {}, "the roster")


@pytest.mark.parametrize("where", ["name", "group"])
@RFC.must("2.3.3", says="A name or group too long is answered by not-acceptable; else it is stored whole.")
def test_long_text_is_stored_or_not_acceptable(where: str, alice: Session) -> None:
    jid, text = _jid(alice), "n" * LONG
    name, groups = (text, ()) if where == "name" else ("", (text,))
    reply = change(alice, item_xml(jid, name, groups))
    if stanza_error_condition(reply):
        require_error(reply, "not-acceptable")
        require_equal(roster(alice), {}, "the roster")
    else:
        require_result(reply)
        require(roster(alice).get(jid) == Item(jid, name, groups), f"{where} of {LONG} characters", "another item")


# --- what a set cannot change (§2.1.2.5)


@pytest.mark.parametrize("value", ["none", "to", "from", "both", "unheard-of"])
@RFC.must(
    "2.1.2.5", "2.1.5", says="A subscription in a roster set is ignored, unless it is 'remove': for a new item."
)
def test_subscription_in_a_new_item_is_ignored(value: str, connect: Connect) -> None:
    alice = interested(connect)
    jid = _jid(alice)
    require_result(change(alice, item_xml(jid, "Nurse", attributes=f"subscription='{value}'")))
    with suppress(NoAnswer):  # that it is pushed at all is the matter of another check
        pushed(alice, Item(jid, "Nurse"))
    require_equal(roster(alice), {jid: Item(jid, "Nurse")}, "the roster")


@pytest.mark.parametrize("value", ["none", "from", "both"])
@RFC.must("2.1.2.5", "2.1.5", says="A subscription in a roster set is ignored: one that there is stays as it is.")
def test_subscription_in_an_update_is_ignored(value: str, connect: Connect, bob: Session) -> None:
    alice = interested(connect)
    for session in (alice, bob):
        appear(session)
    subscribe(alice, bob)
    require_result(change(alice, item_xml(bob.bare_jid, "Bob", attributes=f"subscription='{value}'")))
    require_equal(roster(alice), {bob.bare_jid: Item(bob.bare_jid, "Bob", subscription="to")}, "the roster")


# --- updating (§2.4)

UPDATES: dict[str, tuple[str, Item]] = {
    "group-added": ("<item jid='{jid}' name='N'><group>A</group><group>B</group></item>", Item("", "N", ("A", "B"))),
    "group-replaced": ("<item jid='{jid}' name='N'><group>B</group></item>", Item("", "N", ("B",))),
    "groups-gone": ("<item jid='{jid}' name='N'/>", Item("", "N")),
    "renamed": ("<item jid='{jid}' name='M'><group>A</group></item>", Item("", "M", ("A",))),
    "name-emptied": ("<item jid='{jid}' name=''><group>A</group></item>", Item("", "", ("A",))),
    "name-gone": ("<item jid='{jid}'><group>A</group></item>", Item("", "", ("A",))),
    "all-gone": ("<item jid='{jid}'/>", Item("")),
    "unchanged": ("<item jid='{jid}' name='N'><group>A</group></item>", Item("", "N", ("A",))),
}


@pytest.mark.parametrize("update", UPDATES)
@RFC.must("2.4.1", "2.4.2", says="An item is updated exactly as the roster set has it, and pushed so.")
def test_item_is_updated(update: str, connect: Connect) -> None:
    account = connect.account()
    alice, other = interested(connect, account=account), interested(connect, account=account, label="other")
    jid = _jid(alice)
    added(alice, item_xml(jid, "N", ("A",)))
    for session in (alice, other):
        noted(session, jid)
    xml, new = UPDATES[update]
    wanted = Item(jid, new.name, new.groups)
    require_result(change(alice, xml.format(jid=jid)))
    if update != "unchanged":  # nothing says that what does not change is pushed
        for session in (alice, other):
            pushed(session, wanted)
    require_equal(roster(other), {jid: wanted}, "the roster")


# --- deleting (§2.5)


@RFC.must("2.5.2", says="An item is removed by a roster set, which is answered by a result.")
def test_item_is_removed(alice: Session) -> None:
    kept, gone = _jid(alice), _jid(alice)
    for jid in (kept, gone):
        added(alice, item_xml(jid))
    require_result(change(alice, removal(gone)))
    require_equal(roster(alice), {kept: Item(kept)}, "the roster")


@RFC.must("2.5.2", "2.2", says="A removal is pushed to each interested resource, with the subscription 'remove'.")
def test_removal_is_pushed(connect: Connect) -> None:
    account = connect.account()
    alice, other = interested(connect, account=account), interested(connect, account=account, label="other")
    jid = _jid(alice)
    added(alice, item_xml(jid, "Nurse"))
    for session in (alice, other):
        noted(session, jid)
    require_result(change(alice, removal(jid)))
    for session in (alice, other):
        stanza = push(session, jid)
        require_equal(stanza[0][0].get("subscription"), "remove", "the subscription")


@pytest.mark.parametrize("when", ["never-there", "removed"])
@RFC.must("2.5.3", says="The removal of an item that is not on the roster is answered by item-not-found.")
def test_removal_of_nobody_is_not_found(when: str, alice: Session) -> None:
    jid = _jid(alice)
    if when == "removed":
        added(alice, item_xml(jid))
        require_result(change(alice, removal(jid)))
    require_error(change(alice, removal(jid)), "item-not-found")
