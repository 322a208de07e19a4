"""RFC 6121 §4.3: presence probes, as the user's server sends them and as it answers them."""

from __future__ import annotations

import pytest

from lab.cell import Account
from lab.plugin import Connect, Specification, impossible, premise, require, require_equal
from lab.wire.namespaces import LAB, NS
from lab.wire.session import Matches, Session, localname, new_id, parse, stanza_error_condition
from lab.wire.stream import Element
from scenarios.server._contacts import appear, disappear, subscribe
from scenarios.server.rfc6120._stanzas import UNKNOWN, same
from scenarios.server.rfc6121._playing import bare, bring, is_presence, stanza, user
from scenarios.server.rfc6121._states import STATES

RFC = Specification("RFC 6121")

SUBSCRIBED = ["from", "from-out", "both"]
OTHERS = ["none", "none-out", "none-in", "none-out-in", "to", "to-in"]


def _probe(contact: Session, to: str) -> str:
    """A probe in the contact's name. Answers its id."""
    xml = stanza("probe", contact.jid, to)
    contact.send(xml)
    return parse(xml).get("id") or ""


def _presence(session: Session, jid: str) -> list[Element]:
    """What came of an account's presence so far."""
    return [e for e in session.inbox if localname(e) == "presence" and bare(e.get("from")) == jid]


# --- sent (§4.3, §4.3.1)


def _came(connect: Connect, contact: Session, state: str) -> Session:
    """A user who has just come, whose contact is in that state."""
    alice = user(connect)
    bring(alice, contact, STATES[state])
    disappear(alice)
    alice.sentinel(contact)
    contact.inbox.clear()
    appear(alice)
    return alice


def _probe_of(contact: Session) -> Element:
    return contact.expect(lambda e: localname(e) == "presence" and e.get("type") == "probe", "a probe of the contact")


@pytest.mark.parametrize("state", ["to", "both"])
@RFC.should("4.3.1", "4.2.2", says="A user's initial presence has the server probe who it is subscribed to.")
def test_initial_presence_probes_contacts(state: str, connect: Connect, contact: Session) -> None:
    alice = _came(connect, contact, state)
    require_equal(bare(_probe_of(contact).get("from")), alice.bare_jid, "'from'")


@RFC.must("4.3", says="A probe bears the bare JID of the user, and is addressed to the bare JID of the contact.")
def test_probe_bears_bare_jids(connect: Connect, contact: Session) -> None:
    alice = _came(connect, contact, "both")
    # SHOULD, and not where the user was away for a moment only (§4.3.1)
    probe = premise(lambda: _probe_of(contact), "no probe comes; another check says whether that is a fault")
    require_equal((probe.get("from"), probe.get("to")), (alice.bare_jid, contact.jid), "'from' and 'to'")


@RFC.must("4.3.1", "4.2.2", "12", says="What a contact answers to a probe reaches the user.")
def test_answer_to_a_probe_reaches_the_user(connect: Connect, contact: Session) -> None:
    alice = _came(connect, contact, "to")
    sender = f"{contact.jid}/garden"
    contact.send(f"<presence from='{sender}' to='{alice.bare_jid}'><show>away</show>{UNKNOWN}</presence>")
    got = alice.expect(is_presence(None, sender), "the contact's presence")
    require_equal(got.findtext("{*}show"), "away", "show")
    require(any(same(child, parse(UNKNOWN)) for child in got), f"with {UNKNOWN}", got)


@RFC.must_not("4.3", says="A client that sends a probe gets no error for that alone.")
def test_client_may_probe(connect: Connect) -> None:
    alice, bob = user(connect, label="alice"), user(connect, label="bob")
    subscribe(alice, bob)
    identifier = new_id()
    alice.send(f"<presence type='probe' id='{identifier}' to='{bob.bare_jid}'/>")
    alice.expect_nothing(
        f"<presence type='error' id='{identifier}' from='{bob.bare_jid}'/>",
        lambda e: bool(stanza_error_condition(e)),
        "error for a probe",
        after=bob,
    )


@RFC.should("4.3", "4.3.2", says="A probe that a client sends to a contact on the same server is processed.")
def test_probe_of_a_client_is_processed(connect: Connect) -> None:
    alice, bob = user(connect, label="alice"), user(connect, label="bob")
    subscribe(alice, bob)
    bob.sentinel(alice)
    alice.inbox.clear()
    alice.send(f"<presence type='probe' id='{new_id()}' to='{bob.bare_jid}'/>")
    alice.expect(is_presence(None, bob.jid), "the contact's presence")


# --- answered (§4.3.2)


@pytest.mark.parametrize("state", SUBSCRIBED)
@RFC.must(
    "4.3.2", "12", says="A subscriber's probe is answered by the last presence of each available resource, whole."
)
def test_probe_is_answered_by_each_resource(state: str, connect: Connect, contact: Session) -> None:
    account = connect.account()
    first, second = user(connect, account=account, label="first"), user(connect, account=account, label="second")
    bring(first, contact, STATES[state])
    first.send("<presence><show>xa</show></presence>")
    first.send(f"<presence><show>dnd</show><status>Busy</status><priority>2</priority>{UNKNOWN}</presence>")
    first.sentinel(contact)
    contact.inbox.clear()
    _probe(contact, first.bare_jid)
    got = contact.expect(is_presence(None, first.jid), "presence of the first resource")
    told = {name: got.findtext(f"{{*}}{name}") for name in ("show", "status")}
    require_equal(told, {"show": "dnd", "status": "Busy"}, "what it says")  # the priority may be another (§4.7.2.3)
    require(any(same(child, parse(UNKNOWN)) for child in got), f"with {UNKNOWN}", got)
    other = contact.expect(is_presence(None, second.jid), "presence of the second resource")
    require(other.find("{*}show") is None, "the second resource's own presence", other)
    for one in (got, other):
        require_equal(one.get("to"), contact.jid, "'to'")


@RFC.must("4.3.2", "4.6.6", says="Directed presence is not what a probe is answered with: the last broadcast is.")
def test_probe_is_not_answered_by_directed_presence(connect: Connect, contact: Session) -> None:
    alice = user(connect)
    bring(alice, contact, STATES["from"])
    alice.send("<presence><show>dnd</show></presence>")
    alice.send(f"<presence to='somebody@{alice.domain}'><show>chat</show></presence>")
    alice.sentinel(contact)
    contact.inbox.clear()
    _probe(contact, alice.bare_jid)
    got = contact.expect(is_presence(None, alice.jid), "presence of the resource")
    require_equal(got.findtext("{*}show"), "dnd", "show")


@pytest.mark.parametrize("state", OTHERS)
@pytest.mark.parametrize("to", ["bare", "full"])
@RFC.must_not("11", "4.3.2", says="A probe of whoever is not subscribed is told nothing of the user's presence.")
def test_probe_of_others_tells_nothing(to: str, state: str, connect: Connect, contact: Session) -> None:
    alice = user(connect)
    bring(alice, contact, STATES[state])
    _probe(contact, alice.bare_jid if to == "bare" else alice.jid)
    contact.expect_nothing(
        f"<presence from='{alice.jid}' to='{contact.jid}'/>",
        lambda e: localname(e) == "presence" and e.get("from") == alice.jid,
        "presence for whoever is not subscribed",
        after=alice,
    )


@RFC.should("4.3.2", says="A probe of whoever is not subscribed is answered by 'unsubscribed'.")
def test_probe_of_others_is_answered_by_unsubscribed(connect: Connect, contact: Session) -> None:
    to = user(connect).bare_jid
    _probe(contact, to)
    got = contact.expect(lambda e: localname(e) == "presence" and bare(e.get("from")) == to, "an answer to the probe")
    require_equal(got.get("type"), "unsubscribed", "the type")


@RFC.must(
    "4.3.2",
    "11",
    says="The 'unsubscribed' that answers a probe bears the bare JID: another would tell of a resource.",
)
def test_answer_to_others_bears_the_bare_jid(connect: Connect, contact: Session) -> None:
    alice = user(connect)
    for to in (alice.bare_jid, alice.jid):
        _probe(contact, to)
    alice.sentinel(contact)
    contact.sentinel(alice)
    alice.sentinel(contact)
    answers = _presence(contact, alice.bare_jid)
    if not answers:
        impossible("no probe was answered; another check says whether that is a fault")
    for answer in answers:
        require_equal(answer.get("from"), alice.bare_jid, "'from'")


@RFC.should("4.3.2.1", says="The 'unsubscribed' that answers a probe bears the id of the probe.")
def test_answer_to_others_bears_the_id(connect: Connect, contact: Session) -> None:
    alice = user(connect)
    identifier = _probe(contact, alice.bare_jid)
    got = _answered(contact, is_presence("unsubscribed", alice.bare_jid))
    require_equal(got.get("id"), identifier, "'id'")


def _answered(contact: Session, matches: Matches) -> Element:
    """The answer to a probe, or the check is `impossible`: that there is one is the matter of others."""
    return premise(
        lambda: contact.expect(matches), "the probe is not answered; another check says whether that is a fault"
    )


def _absent(connect: Connect, contact: Session) -> str:
    """The bare JID of a user who is subscribed to by the contact, and is not there."""
    alice = user(connect)
    bring(alice, contact, STATES["from"])
    disappear(alice)
    alice.sentinel(contact)
    contact.inbox.clear()
    return alice.bare_jid


@RFC.should(
    "4.3.2", says="A probe of a user without available resources is answered by 'unavailable', from the bare JID."
)
def test_probe_of_the_absent_is_answered(connect: Connect, contact: Session) -> None:
    jid = _absent(connect, contact)
    _probe(contact, jid)
    got = contact.expect(
        lambda e: localname(e) == "presence" and bare(e.get("from")) == jid, "an answer to the probe"
    )
    require_equal((got.get("type"), got.get("from")), ("unavailable", jid), "type and 'from'")


@RFC.should("4.3.2", says="It says when the last resource became unavailable.")
def test_answer_for_the_absent_says_since_when(connect: Connect, contact: Session) -> None:
    jid = _absent(connect, contact)
    _probe(contact, jid)
    got = _answered(contact, is_presence("unavailable", jid))
    delay = got.find("delay:delay", NS)
    require(delay is not None and delay.get("stamp"), "a <delay/> with a stamp", got)


@RFC.should("4.3.2.1", says="It bears the id of the probe.")
def test_answer_for_the_absent_bears_the_id(connect: Connect, contact: Session) -> None:
    jid = _absent(connect, contact)
    identifier = _probe(contact, jid)
    got = _answered(contact, is_presence("unavailable", jid))
    require_equal(got.get("id"), identifier, "'id'")


@RFC.should("4.3.2.1", says="The presence that answers a probe keeps the id that the client gave it.")
def test_answer_keeps_the_id_of_the_presence(connect: Connect, contact: Session) -> None:
    alice = user(connect)
    bring(alice, contact, STATES["from"])
    alice.send("<presence id='pres1'><show>dnd</show></presence>")
    alice.sentinel(contact)
    contact.inbox.clear()
    _probe(contact, alice.bare_jid)
    got = contact.expect(is_presence(None, alice.jid), "an answer to the probe")
    require_equal(got.get("id"), "pres1", "'id'")


# --- of one resource


@RFC.must("4.3.2", says="A subscriber's probe of one resource is answered by presence of that resource alone.")
def test_probe_of_a_resource_is_answered_by_it_alone(connect: Connect, contact: Session) -> None:
    account = connect.account()
    first, second = user(connect, account=account, label="first"), user(connect, account=account, label="second")
    bring(first, contact, STATES["from"])
    second.sentinel(contact)
    contact.inbox.clear()
    _probe(contact, first.jid)
    contact.expect(is_presence(None, first.jid), "presence of the resource")
    contact.expect_nothing(
        f"<presence from='{second.jid}' to='{contact.jid}'/>",
        is_presence(None, second.jid),
        "presence of another resource",
        after=second,
    )


@RFC.should("4.3.2", says="A probe of one resource is answered by mere presence, without what else it says.")
def test_probe_of_a_resource_is_answered_by_mere_presence(connect: Connect, contact: Session) -> None:
    alice = user(connect)
    bring(alice, contact, STATES["from"])
    alice.send("<presence><show>dnd</show><status>Busy</status><priority>2</priority></presence>")
    alice.sentinel(contact)
    contact.inbox.clear()
    _probe(contact, alice.jid)
    got = contact.expect(is_presence(None, alice.jid), "presence of the resource")
    told = [str(child.tag) for child in got if localname(child) in {"show", "status", "priority"}]
    require(not told and got.find(f"{{{LAB}}}*") is None, "no show, status or priority", got)


# --- whoever got directed presence (§4.6.6)


def _directed(connect: Connect, contact: Session, *, account: Account | None = None) -> Session:
    """A user who is available and sent the contact, who is not subscribed, directed presence."""
    alice = user(connect, account=account)
    send_presence = f"<presence to='{contact.jid}'><show>chat</show><status>Secret</status></presence>"
    alice.send(send_presence)
    contact.expect(is_presence(None, alice.jid), "directed presence")
    return alice


@RFC.should("4.6.6", says="Whoever got directed presence has its probe of that resource answered by mere presence.")
def test_probe_behind_directed_presence_is_answered(connect: Connect, contact: Session) -> None:
    alice = _directed(connect, contact)
    _probe(contact, alice.jid)
    got = contact.expect(
        lambda e: localname(e) == "presence" and bare(e.get("from")) == alice.bare_jid, "an answer to the probe"
    )
    require_equal((got.get("type"), got.get("from")), (None, alice.jid), "type and 'from'")
    require(got.find("{*}status") is None and got.find("{*}show") is None, "mere presence", got)


@RFC.must("4.6.6", "11", says="Whoever got directed presence from one resource is told of no other.")
def test_probe_behind_directed_presence_tells_of_no_other_resource(connect: Connect, contact: Session) -> None:
    account = connect.account()
    alice = _directed(connect, contact, account=account)
    other = user(connect, account=account, label="other")
    for to in (alice.bare_jid, alice.jid, other.jid):
        _probe(contact, to)
    contact.expect_nothing(
        f"<presence from='{other.jid}' to='{contact.jid}'/>",
        lambda e: localname(e) == "presence" and e.get("from") == other.jid,
        "presence of a resource that sent none",
        after=other,
    )
