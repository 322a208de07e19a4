"""XEP-0352: what a server makes of a client that says whether its user looks at it.

What a server holds back from an inactive client is its own affair (§3.2). These checks ask that nothing is lost that
may not be, that all is there when the client is active again, and that nobody else learns of it.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lab.plugin import Connect, Specification, require, require_equal, unsupported
from lab.wire.namespaces import CLIENT, CSI, NS, PING, ROSTER
from lab.wire.session import Session, localname, new_id
from lab.wire.stream import Element
from scenarios.server._contacts import appear, befriend
from scenarios.server.rfc6120._stanzas import UNKNOWN
from scenarios.server.rfc6121._playing import is_presence
from scenarios.server.rfc6121._roster import interested, item_xml
from scenarios.server.xep0198._managed import make_resumable, over_websocket, resume

STATES = Specification("XEP-0352")

ACTIVE, INACTIVE = f"<active xmlns='{CSI}'/>", f"<inactive xmlns='{CSI}'/>"


def _offered(session: Session) -> None:
    if session.features is None or session.features.find("csi:csi", NS) is None:
        unsupported("client states among the stream features")


def _contacts(connect: Connect, number: int = 1) -> tuple[Session, list[Session]]:
    """A client that can tell its state, and contacts whose presence it sees; all are available."""
    bob = interested(connect, label="bob")
    _offered(bob)
    others = [connect(label=f"contact {count + 1}") for count in range(number)]
    for other in others:
        befriend(bob, other)
    for session in (bob, *others):
        appear(session)
    for other in others:
        bob.expect(is_presence(None, other.jid), f"the presence of {other.label}")
        other.expect(is_presence(None, bob.jid), "the client's presence")
        other.sentinel(bob)
        bob.sentinel(other)
    for session in (bob, *others):
        session.inbox.clear()
    return bob, others


def _becomes(session: Session, state: str) -> None:
    """Tell the state; the server has heard it when this returns."""
    session.send(state)
    session.sentinel()


def _activated(session: Session) -> list[Element]:
    """Become active, with a request behind it (§5.1): what had come by the time that it was answered."""
    identifier = new_id()
    session.send_together([ACTIVE, f"<iq type='get' id='{identifier}'><ping xmlns='{PING}'/></iq>"])
    session.expect(identifier, "the answer to a request behind <active/>")
    return session.inbox


def _shows(sender: Session, elements: list[Element]) -> list[str]:
    """What presence of a contact said in <show/>, in order; `unavailable` for that."""
    return [
        e.findtext(f"{{{CLIENT}}}show") or e.get("type") or ""
        for e in elements
        if localname(e) == "presence" and e.get("from") == sender.jid
    ]


def _show(session: Session, *shows: str) -> None:
    for show in shows:
        session.send(f"<presence><show>{show}</show></presence>")
    session.sentinel()


def _is_showing(session: Session, show: str) -> Callable[[Element], bool]:
    return lambda e: is_presence(None, session.jid)(e) and e.findtext(f"{{{CLIENT}}}show") == show


# --- active until it says otherwise


@over_websocket
@STATES.must("5", says="A client that has said nothing is active: presence of contacts comes by itself.")
def test_client_is_active_at_first(connect: Connect) -> None:
    bob, (carol,) = _contacts(connect)
    _show(carol, "away")
    bob.expect(_is_showing(carol, "away"), "the contact's presence")


@STATES.must("5", says="A client that was inactive and is active again is told of presence at once, as before.")
def test_client_is_active_again(connect: Connect) -> None:
    bob, (carol,) = _contacts(connect)
    _becomes(bob, INACTIVE)
    _show(carol, "away")
    _becomes(bob, ACTIVE)
    _show(carol, "dnd")
    bob.expect(_is_showing(carol, "dnd"), "the contact's presence")


@STATES.must("5", says="The state is one stream's: another one of the account is active until it says otherwise.")
def test_state_is_of_one_stream(connect: Connect) -> None:
    account = connect.account()
    bob, other, carol = (
        connect(account=account, label="bob"),
        connect(account=account, label="other"),
        connect(label="carol"),
    )
    _offered(bob)
    befriend(bob, carol)
    for session in (bob, other, carol):
        appear(session)
    for session in (bob, other):
        session.expect(is_presence(None, carol.jid), "the presence of the contact")
    _becomes(bob, INACTIVE)
    _show(carol, "away")
    other.expect(_is_showing(carol, "away"), "the contact's presence at the active resource")


@STATES.must("5", says="Presence and state are independent: a client that is away, in its presence, is still active.")
def test_away_is_not_inactive(connect: Connect) -> None:
    bob, (carol,) = _contacts(connect)
    for show in ("away", "xa", "dnd"):
        _show(bob, show)
        carol.expect(_is_showing(bob, show), "the client's presence")
        _show(carol, show)
        bob.expect(_is_showing(carol, show), "the contact's presence")


@STATES.must("5", says="Presence and state are independent: an inactive client's presence is broadcast, too.")
def test_presence_of_an_inactive_client_is_broadcast(connect: Connect) -> None:
    bob, (carol,) = _contacts(connect)
    _becomes(bob, INACTIVE)
    bob.send("<presence><show>xa</show></presence>")
    carol.expect(_is_showing(bob, "xa"), "the inactive client's presence")
    bob.send("<presence type='unavailable'/>")
    carol.expect(is_presence("unavailable", bob.jid), "unavailable presence")


# --- nothing of it is shown


@over_websocket
@STATES.must_not("6", "5", says="Nobody is told when a client becomes inactive or active.")
def test_contacts_are_not_told(connect: Connect) -> None:
    bob, (carol,) = _contacts(connect)
    carol.inbox.clear()
    for state in (INACTIVE, ACTIVE, INACTIVE):
        _becomes(bob, state)
    carol.expect_nothing(
        f"<presence from='{bob.jid}' to='{carol.bare_jid}'><show>away</show></presence>",
        lambda e: e.get("from") in {bob.jid, bob.bare_jid},
        "stanza that tells of the state",
        after=bob,
    )


@STATES.must_not("6", says="Other resources of the account are not told when a client becomes inactive or active.")
def test_other_resources_are_not_told(connect: Connect) -> None:
    account = connect.account()
    bob, other = connect(account=account, label="bob"), connect(account=account, label="other")
    _offered(bob)
    for session in (bob, other):
        appear(session)
    other.expect(is_presence(None, bob.jid), "the client's presence")
    other.sentinel()
    other.inbox.clear()
    for state in (INACTIVE, ACTIVE, INACTIVE):
        _becomes(bob, state)
    other.expect_nothing(
        f"<presence from='{bob.jid}' to='{other.jid}'/>",
        lambda e: e.get("from") in {bob.jid, bob.bare_jid},
        "stanza that tells of the state",
        after=bob,
    )


@STATES.must_not("6", says="To a contact who comes, an inactive client's presence is what it was.")
def test_presence_shows_nothing_of_the_state(connect: Connect) -> None:
    bob, (carol,) = _contacts(connect)
    bob.send("<presence><show>chat</show><status>here</status><priority>3</priority></presence>")
    carol.expect(_is_showing(bob, "chat"), "the client's presence")
    _becomes(bob, INACTIVE)
    carol.send("<presence type='unavailable'/>")
    carol.sentinel()
    carol.inbox.clear()
    carol.send("<presence/>")
    presence = carol.expect(is_presence(None, bob.jid), "the inactive client's presence")
    said = [presence.findtext(f"{{{CLIENT}}}{name}") for name in ("show", "status", "priority")]
    require_equal(said, ["chat", "here", "3"], "show, status and priority")


# --- nothing is lost, and all is there when the client is active


SENT: dict[str, str] = {
    "message": "<message type='chat' id='{id}' to='{to}'><body>Hello</body></message>",
    "message-to-account": "<message type='chat' id='{id}' to='{bare}'><body>Hello</body></message>",
    "message-error": "<message type='error' id='{id}' to='{to}'><error type='cancel'>"
    "<service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>",
    "iq-get": f"<iq type='get' id='{{id}}' to='{{to}}'>{UNKNOWN}</iq>",
    "iq-set": f"<iq type='set' id='{{id}}' to='{{to}}'>{UNKNOWN}</iq>",
    "iq-result": "<iq type='result' id='{id}' to='{to}'/>",
    "presence-directed": "<presence id='{id}' to='{to}'><status>directed</status></presence>",
    "presence-unavailable": "<presence type='unavailable' id='{id}' to='{to}'/>",
}


@pytest.mark.parametrize("written", SENT.values(), ids=list(SENT))
@STATES.must("5.1", says="What was held back from an inactive client is there before anything behind <active/>.")
def test_stanza_is_there_when_the_client_is_active(written: str, connect: Connect) -> None:
    bob, (carol,) = _contacts(connect)
    _becomes(bob, INACTIVE)
    identifier = new_id()
    carol.send(written.format(id=identifier, to=bob.jid, bare=bob.bare_jid))
    carol.sentinel()
    came = [e for e in _activated(bob) if _is_the_one(e, written, identifier, carol)]
    require_equal(len(came), 1, "the number of stanzas")


def _is_the_one(element: Element, written: str, identifier: str, sender: Session) -> bool:
    """Servers may leave out the id of presence."""
    if not written.startswith("<presence"):
        return element.get("id") == identifier
    type_ = "unavailable" if "unavailable" in written else None
    return localname(element) == "presence" and element.get("type") == type_ and element.get("from") == sender.jid


@over_websocket
@STATES.should("5.1", says="The last presence of each contact is there before anything behind <active/>.")
def test_last_presence_of_each_contact_is_there(connect: Connect) -> None:
    bob, contacts = _contacts(connect, 3)
    _becomes(bob, INACTIVE)
    for session, shows in zip(contacts, (["away"], ["dnd", "xa"], ["xa", "chat", "away", "dnd"]), strict=True):
        _show(session, *shows)
    came = list(_activated(bob))
    for session, last in zip(contacts, ("away", "xa", "dnd"), strict=True):
        require_equal(_shows(session, came)[-1:], [last], f"the last presence of {session.label}")


@STATES.should("5.1", says="Presence of during inactivity is told in order, some left out or not.")
def test_presence_keeps_its_order(connect: Connect) -> None:
    bob, (carol,) = _contacts(connect)
    _becomes(bob, INACTIVE)
    said = ["away", "dnd", "xa", "chat", "away", "xa"]
    _show(carol, *said)
    shows = _shows(carol, list(_activated(bob)))
    left = iter(said)
    require(
        all(show in left for show in shows) and shows[-1:] == said[-1:], f"some of {said}, with the last", str(shows)
    )


@STATES.should("5.1", says="A contact who went, or went and came, in that time is seen so by then.")
def test_comings_and_goings_are_there(connect: Connect) -> None:
    bob, (carol, dave) = _contacts(connect, 2)
    _becomes(bob, INACTIVE)
    carol.send("<presence type='unavailable'/>")
    dave.send("<presence type='unavailable'/>")
    dave.send("<presence><show>chat</show></presence>")
    carol.sentinel()
    dave.sentinel()
    came = list(_activated(bob))
    require_equal(_shows(carol, came)[-1:], ["unavailable"], "the last presence of who went")
    require_equal(_shows(dave, came)[-1:], ["chat"], "the last presence of who came again")


@STATES.must("5.1", says="Stanzas of one sender are not put out of order by being held back.")
def test_stanzas_of_one_sender_keep_their_order(connect: Connect) -> None:
    bob, (carol,) = _contacts(connect)
    _becomes(bob, INACTIVE)
    identifiers = [new_id() for _ in range(3)]
    for identifier, show in zip(identifiers, ("away", "dnd", "xa"), strict=True):
        carol.send(f"<presence><show>{show}</show></presence>")
        carol.send(f"<message type='chat' id='{identifier}' to='{bob.jid}'><body>{show}</body></message>")
    carol.sentinel()
    came = list(_activated(bob))
    told = [
        e.get("id") if localname(e) == "message" else _shows(carol, [e])[0]
        for e in came
        if e.get("from") == carol.jid
    ]
    messages = [one for one in told if one in identifiers]
    require_equal(messages, identifiers, "messages, in order")
    for number, show in enumerate(("away", "dnd", "xa")):
        if show in told:
            place = told.index(show)
            before = [i for i in identifiers[:number] if told.index(i) > place]
            behind = [i for i in identifiers[number:] if told.index(i) < place]
            require(not before and not behind, "presence between the messages where it was sent", str(told))


@STATES.should("5.1", says="However much came, the last presence is there behind <active/>.")
def test_many_changes_are_held(connect: Connect) -> None:
    bob, (carol,) = _contacts(connect)
    _becomes(bob, INACTIVE)
    carol.send_together(f"<presence><status>{number}</status></presence>" for number in range(300))
    carol.sentinel()
    hers = [e for e in _activated(bob) if localname(e) == "presence" and e.get("from") == carol.jid]
    statuses = [e.findtext(f"{{{CLIENT}}}status") or "" for e in hers]
    left = iter(map(str, range(300)))
    require(all(status in left for status in statuses), "presence, in order", str(statuses[:50]))
    require_equal(statuses[-1:], ["299"], "the last status")


@STATES.must("5.1", says="Requests for subscriptions and changes of the roster are there behind <active/>.")
def test_subscriptions_and_roster_are_there(connect: Connect) -> None:
    account = connect.account()
    bob = interested(connect, account=account, label="bob")
    other, dave = interested(connect, account=account, label="other"), connect(label="dave")
    _offered(bob)
    appear(bob)
    bob.inbox.clear()
    _becomes(bob, INACTIVE)
    jid = f"contact-{new_id()}@{bob.domain}"
    other.iq("set", f"<query xmlns='{ROSTER}'>{item_xml(jid)}</query>")
    dave.send(f"<presence type='subscribe' to='{bob.bare_jid}'/>")
    dave.sentinel()
    came = list(_activated(bob))
    require(any(is_presence("subscribe", dave.bare_jid)(e) for e in came), "the request for a subscription", "none")
    pushed = [e for e in came if e.find(f"roster:query/roster:item[@jid='{jid}']", NS) is not None]
    require_equal(len(pushed), 1, "the number of roster pushes")


@over_websocket
@STATES.must("5.1", says="A client that is inactive is answered all the same.")
def test_inactive_client_is_answered(connect: Connect) -> None:
    bob = connect(label="bob")
    _offered(bob)
    bob.send(INACTIVE)
    require(bob.iq("get", f"<query xmlns='{ROSTER}'/>").get("type") == "result", "a result", "none")
    bob.sentinel()
    alice = connect(label="alice")
    identifier = new_id()
    bob.send(f"<message type='chat' id='{identifier}' to='{alice.jid}'><body>Hello</body></message>")
    alice.expect(identifier, "the inactive client's message")


@over_websocket
@STATES.must_not("5", says="States are taken as often as they are told, and are not answered.")
def test_states_are_not_answered(connect: Connect) -> None:
    bob = connect(label="bob")
    _offered(bob)
    bob.send_together([INACTIVE, INACTIVE, ACTIVE, ACTIVE, INACTIVE, ACTIVE])
    bob.expect_nothing(ACTIVE, lambda e: localname(e) != "iq" or e.get("type") == "error", "answer to a state")


@STATES.must("5", says="A resumed stream (XEP-0198) is active, whatever it was, and what was held back comes.")
def test_resumed_stream_is_active(connect: Connect) -> None:
    account = connect.account()
    bob, carol = connect(account=account, label="bob"), connect(label="carol")
    _offered(bob)
    befriend(bob, carol)
    for session in (bob, carol):
        appear(session)
    bob.expect(is_presence(None, carol.jid), "the contact's presence")
    stream = make_resumable(bob, account)
    _becomes(bob, INACTIVE)
    _show(carol, "away")
    stream.cut()
    resumed, _ = resume(connect, stream)
    resumed.session.expect(_is_showing(carol, "away"), "the presence that was held back")
    _show(carol, "dnd")
    resumed.session.expect(_is_showing(carol, "dnd"), "the contact's presence, at once")
