"""XEP-0198 §4: what the server counts of what a client sends, and when it says so."""

from __future__ import annotations

import pytest

from lab.errors import PeerError
from lab.plugin import Connect, Specification, impossible, require, require_equal, unsupported
from lab.wire.namespaces import CSI, NS, PING, STREAM_MANAGEMENT
from lab.wire.session import StreamFailed, new_id
from scenarios.server.rfc6120._stanzas import UNKNOWN
from scenarios.server.xep0198._counting import acknowledged, require_acknowledged
from scenarios.server.xep0198._managed import (
    REQUEST,
    SM,
    Managed,
    acknowledgement,
    is_one_of,
    managed,
    message,
    over_websocket,
    tell,
)

MANAGED = Specification("XEP-0198")
ERROR = f"<error type='cancel'><service-unavailable xmlns='{NS['stanzas']}'/></error>"


@over_websocket
@MANAGED.must("4", says="A request is acknowledged by <a/>, with a number in 'h'.")
def test_request_is_acknowledged(connect: Connect) -> None:
    stream = managed(connect)
    acknowledged(stream)
    stream.session.sentinel()


@over_websocket
@MANAGED.must("4", says="The count begins at zero with stream management: what was sent before is not in it.")
def test_count_begins_at_zero(connect: Connect) -> None:
    account = connect.account()
    stream = managed(connect, account=account, online=True)
    require_acknowledged(stream, 0)


COUNTED = {
    "message-to-resource": "<message id='{id}' to='{other}/{resource}'><body>Hello</body></message>",
    "message-to-account": "<message type='chat' id='{id}' to='{other}'><body>Hello</body></message>",
    "message-to-self": "<message type='chat' id='{id}' to='{own}'><body>Hello</body></message>",
    "message-without-to": "<message id='{id}'><body>Hello</body></message>",
    "message-to-nobody": "<message type='chat' id='{id}' to='nobody-{id}@{server}'><body>Hello</body></message>",
    "message-of-type-error": f"<message type='error' id='{{id}}' to='{{other}}/{{resource}}'>{ERROR}</message>",
    "message-without-body": f"<message id='{{id}}' to='{{other}}/{{resource}}'>{UNKNOWN}</message>",
    "presence": "<presence/>",
    "presence-unavailable": "<presence type='unavailable'/>",
    "presence-directed": "<presence to='{other}/{resource}'/>",
    "presence-subscribe": "<presence type='subscribe' to='{other}'/>",
    "iq-get": f"<iq type='get' id='{{id}}'><ping xmlns='{PING}'/></iq>",
    "iq-set": f"<iq type='set' id='{{id}}' to='{{server}}'>{UNKNOWN}</iq>",
    "iq-get-to-resource": f"<iq type='get' id='{{id}}' to='{{other}}/{{resource}}'>{UNKNOWN}</iq>",
    "iq-result": "<iq type='result' id='{id}' to='{other}/{resource}'/>",
    "iq-error": f"<iq type='error' id='{{id}}' to='{{other}}/{{resource}}'>{ERROR}</iq>",
    "iq-result-to-server": "<iq type='result' id='{id}' to='{server}'/>",
}


def _written(template: str, bob: Managed, alice: Managed) -> str:
    """A stanza of bob's, for alice where it is for somebody else."""
    other, own = alice.session, bob.session
    return template.format(id=new_id(), other=other.bare_jid, resource=other.resource, own=own.jid, server=own.domain)


@pytest.mark.parametrize("template", COUNTED.values(), ids=list(COUNTED))
@MANAGED.must(
    "4", says="Each message, presence and iq raises the count by one, whatever it is and whoever it is for."
)
def test_stanza_is_counted(template: str, connect: Connect) -> None:
    bob, alice = managed(connect), managed(connect, label="alice")
    bob.session.send(_written(template, bob, alice))
    require_acknowledged(bob, 1)
    bob.session.send(message(alice.session.jid, new_id()))
    require_acknowledged(bob, 2)


REFUSED = {
    "iq-without-payload": "<iq type='get' id='{id}'/>",
    "message-to-no-jid": "<message id='{id}' to='a@b@c'><body>Hello</body></message>",
    "iq-to-no-jid": f"<iq type='get' id='{{id}}' to='a@b@c'>{UNKNOWN}</iq>",
}


@pytest.mark.parametrize("template", REFUSED.values(), ids=list(REFUSED))
@MANAGED.must("4", says="A stanza that the server answers with an error is handled by that, and counted.")
def test_refused_stanza_is_counted(template: str, connect: Connect) -> None:
    stream, identifier = managed(connect), new_id()
    session = stream.session
    session.send(template.format(id=identifier))
    try:
        session.sentinel()
    except StreamFailed:
        unsupported("an error for this stanza alone: it ends the stream")
    answers = [e for e in session.inbox if e.get("id") == identifier]
    if not answers:
        unsupported("an error that bears the stanza's id")
    require_acknowledged(stream, 2)  # the sentinel is one, too


NOT_COUNTED = {
    "acknowledgement": acknowledgement(0),
    "request": REQUEST,
    "client-state": f"<inactive xmlns='{CSI}'/><active xmlns='{CSI}'/>",
    "white-space": " \n ",
}


@pytest.mark.parametrize("xml", NOT_COUNTED.values(), ids=list(NOT_COUNTED))
@MANAGED.must("4", says="What is no stanza is not counted.")
def test_other_things_are_not_counted(xml: str, connect: Connect) -> None:
    stream = managed(connect)
    session = stream.session
    if CSI in xml and (session.features is None or session.features.find(f"{{{CSI}}}csi") is None):
        unsupported("client states (XEP-0352)")
    tell(session, session.domain, 1)
    session.send(xml)
    session.sentinel()
    tell(session, session.domain, 1)
    session.inbox.clear()  # the answer to a request among them
    require_acknowledged(stream, 3)


@over_websocket
@MANAGED.must("4", says="The count goes up by one with each stanza: 'h' is exact at any time.")
def test_count_is_exact_at_any_time(connect: Connect) -> None:
    stream, alice = managed(connect), managed(connect, label="alice")
    for count in range(1, 8):
        tell(stream.session, alice.session.jid, 1)
        require_acknowledged(stream, count)
        require_acknowledged(stream, count)  # asking does not change it
    require_acknowledged(alice, 0)  # each stream has a count of its own


@over_websocket
@MANAGED.must("4", says="Stanzas of all kinds, many and at once, are counted all, and nothing else is.")
def test_count_of_many_is_exact(connect: Connect) -> None:
    stream, alice = managed(connect), managed(connect, label="alice")
    kinds = [_written(template, stream, alice) for _ in range(4) for template in COUNTED.values()]
    session = stream.session
    session.send_together([one for xml in kinds for one in (xml, REQUEST)])
    session.sentinel()
    session.inbox.clear()  # what each request brought; behind the sentinel, one is told of all
    require_acknowledged(stream, len(kinds) + 1)


@MANAGED.must("4", says="Requests without anything between them are acknowledged each.")
def test_each_request_is_acknowledged(connect: Connect) -> None:
    stream = managed(connect)
    session = stream.session
    session.send_together([REQUEST] * 3)
    for number in ("first", "second", "third"):
        require_equal(session.expect(is_one_of("a"), f"the {number} <a/>").get("h"), "0", "'h'")


@MANAGED.must("4", says="A request is acknowledged while the client owes acknowledgements itself.")
def test_request_is_acknowledged_while_others_are_owed(connect: Connect) -> None:
    bob, alice = managed(connect, online=True), managed(connect, label="alice")
    bob.read(*tell(alice.session, bob.session.jid, 5))
    require_acknowledged(bob)
    bob.read(*tell(alice.session, bob.session.jid, 5))
    require_acknowledged(bob)


@MANAGED.must_not("4", says="An acknowledgement is not withheld from a client that says that it is inactive.")
def test_request_of_an_inactive_client_is_acknowledged(connect: Connect) -> None:
    stream = managed(connect)
    session = stream.session
    if session.features is None or session.features.find(f"{{{CSI}}}csi") is None:
        unsupported("client states (XEP-0352)")
    session.send(f"<inactive xmlns='{CSI}'/>")
    tell(session, session.domain, 1)
    require_acknowledged(stream, 1)


@over_websocket
@MANAGED.may("4", says="A client sends acknowledgements that nobody asked for, as often as it likes.")
def test_unasked_acknowledgements_are_taken(connect: Connect) -> None:
    bob, alice = managed(connect, online=True), managed(connect, label="alice")
    bob.acknowledge()
    for identifier in tell(alice.session, bob.session.jid, 3):
        bob.read(identifier)
        bob.acknowledge()
        bob.acknowledge()
    bob.session.sentinel()
    require_acknowledged(bob)


@MANAGED.must_not("4", says="What is no request is not answered: <a/> is for <r/>, or for what was handled.")
def test_acknowledgement_is_not_answered(connect: Connect) -> None:
    stream = managed(connect)
    before = acknowledged(stream)
    require_equal(before, 0, "'h'")
    stream.acknowledge()
    stream.acknowledge()
    stream.session.expect_nothing(
        f"<failed xmlns='{STREAM_MANAGEMENT}'/>",
        is_one_of("failed", "enabled", "resumed"),
        "answer to an acknowledgement",
    )


@MANAGED.should("6", says="Acknowledging more than was sent ends the stream with undefined-condition.")
def test_acknowledging_too_much_ends_the_stream(connect: Connect) -> None:
    stream = managed(connect, online=True)
    stream.session.sentinel()
    stream.acknowledge(stream.tally.handled + 1000)
    stream.session.expect_stream_error("undefined-condition")


@MANAGED.should("6", says="The stream error for acknowledging too much says so: handled-count-too-high.")
def test_error_for_acknowledging_too_much_says_so(connect: Connect) -> None:
    stream = managed(connect, online=True)
    stream.session.sentinel()
    claimed = stream.tally.handled + 1000
    stream.acknowledge(claimed)
    try:
        error = stream.session.expect_stream_error()
    except PeerError:
        impossible("the stream is not ended by an error; another check judges that")
    said = error.find(f"{SM}handled-count-too-high")
    require(said is not None, "<handled-count-too-high/>", error)
    if said is None:
        return
    require(said.get("h") in {None, str(claimed)}, f"h='{claimed}'", error)
    least = stream.tally.handled
    sent = said.get("send-count")
    require(sent is None or (sent.isdecimal() and least <= int(sent) < claimed), f"send-count='{least}'", error)


@MANAGED.should("6", says="One more than was sent is too much, and no less is.")
def test_acknowledging_is_exact(connect: Connect) -> None:
    bob, alice = managed(connect), managed(connect, label="alice")
    bob.read(*tell(alice.session, bob.session.jid, 4))
    bob.session.sentinel()
    bob.acknowledge()
    bob.session.sentinel()
    bob.acknowledge()
    bob.acknowledge(bob.tally.handled + 1)
    bob.session.expect_stream_error("undefined-condition")
