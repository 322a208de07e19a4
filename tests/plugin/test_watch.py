"""The watcher of a check's sessions: what it learns from what is sent, and what it says of what comes."""

from __future__ import annotations

from typing import cast

import pytest

from lab.cell import Cell, Subject
from lab.plugin.client_watch import ClientWatch
from lab.plugin.standing import Watch
from lab.plugin.strictness import KINDS, Strictnesses
from lab.wire.namespaces import CLIENT, COMPONENT, STANZA_ERROR, STREAM, STREAM_MANAGEMENT
from lab.wire.session import Session, parse
from lab.wire.stream import Received
from lab.wire.transport import Transport
from schemas.catalogue import catalogue

DOMAIN = "lab.test"
CELL = Cell(domain=DOMAIN, subject=Subject("s", "1"), endpoints={}, services={"muc": "rooms.lab.test"})
ASK = f"<iq type='get' id='1' to='{DOMAIN}'><ping xmlns='urn:xmpp:ping'/></iq>"
RESULT = f"<iq type='result' id='1' from='{DOMAIN}'/>"
ERROR = f"<error type='cancel'><item-not-found xmlns='{STANZA_ERROR}'/></error>"


class Conversation:
    """Sessions that are not connected to anything: what they send and receive is told to the watcher alone."""

    def __init__(self) -> None:
        self.watch = Watch(CELL)
        self.alice = self.session("alice@lab.test/here")

    def session(self, jid: str, namespace: str = CLIENT) -> Session:
        nowhere = cast("Transport", None)
        session = Session(nowhere, domain=DOMAIN, patience=1.0, label=jid, namespace=namespace)
        session.jid = jid
        return session

    def send(self, xml: str, session: Session | None = None) -> None:
        self.watch.sent(session or self.alice, xml.encode())

    def receive(self, xml: str, session: Session | None = None) -> None:
        to = session or self.alice
        self.watch.received(to, Received(parse(xml, default=to.namespace)))

    @property
    def rules(self) -> list[str]:
        return [fault.rule for fault in self.watch.faults]


@pytest.fixture
def talk() -> Conversation:
    return Conversation()


def test_one_answer_is_right(talk: Conversation) -> None:
    talk.send(ASK)
    talk.receive(RESULT)
    assert talk.rules == []


def test_a_second_answer_is_not(talk: Conversation) -> None:
    talk.send(ASK)
    talk.receive(RESULT)
    talk.receive(RESULT)
    talk.receive(RESULT)
    assert talk.rules == ["answered-once"]
    assert talk.watch.faults[0].seen.startswith("<iq")


def test_an_answer_from_a_stranger(talk: Conversation) -> None:
    talk.send(ASK)
    talk.receive(RESULT.replace(DOMAIN, "stranger.invalid"))
    assert talk.rules == ["reply-from"]


@pytest.mark.parametrize(
    "answer", [RESULT, f"<iq type='error' id='2' from='{DOMAIN}'>{ERROR}</iq>", "<iq type='result'/>"]
)
def test_what_nobody_asked_for(talk: Conversation, answer: str) -> None:
    talk.send(ASK.replace("'1'", "'other'"))
    talk.receive(answer)
    assert talk.rules == ["unasked-reply"]


def test_an_answer_at_another_account(talk: Conversation) -> None:
    talk.send(ASK)
    talk.receive(RESULT, talk.session("bob@lab.test/r"))
    assert talk.rules == ["unasked-reply"]


def test_an_answer_at_another_resource_may_be_of_a_resumed_stream(talk: Conversation) -> None:
    talk.send(ASK)
    talk.receive(RESULT, talk.session("alice@lab.test/again"))
    assert talk.rules == []


def test_several_iqs_in_one_piece_behind_a_header(talk: Conversation) -> None:
    header = f"<?xml version='1.0'?><stream:stream xmlns='{CLIENT}' xmlns:stream='http://etherx.jabber.org/streams'>"
    talk.send(f"{header} {ASK}{ASK.replace('1', '2')}</stream:stream>")
    for number in ("1", "2", "2"):
        talk.receive(RESULT.replace("'1'", f"'{number}'"))
    assert talk.rules == ["answered-once"]


def test_an_id_that_was_used_before_is_ambiguous(talk: Conversation) -> None:
    talk.send(ASK + ASK)
    talk.receive(RESULT)
    talk.receive(RESULT)
    assert talk.rules == []


def test_an_iq_of_no_type_or_id_is_answered_somehow(talk: Conversation) -> None:
    talk.send("<iq id='1'/><iq type='get'/>")
    for answer in ("<iq type='error' id='1'>", "<iq type='error'>", "<iq type='error' id=''>"):
        talk.receive(f"{answer}{ERROR}</iq>")
    assert talk.rules == []


def test_a_forged_sender_may_be_answered_anyhow(talk: Conversation) -> None:
    talk.send(ASK.replace("type=", "from='bob@lab.test/r' type="))
    talk.receive(RESULT.replace(DOMAIN, "bob@lab.test"))
    assert talk.rules == []


def test_what_our_own_sessions_answer_is_not_judged(talk: Conversation) -> None:
    bob = talk.session("bob@lab.test/r")
    talk.send(f"<iq type='get' id='1' to='{bob.jid}'><x xmlns='urn:stanzalab:0'/></iq>")
    talk.send(f"<iq type='error' id='1' to='{talk.alice.jid}'><error/></iq>", bob)
    for _ in range(2):
        talk.receive(f"<iq type='error' id='1' from='{bob.jid}' to='{talk.alice.jid}'><error/></iq>")
    assert talk.rules == []


@pytest.mark.parametrize("raw", [b"<iq", b"<iq id='\xff'/>", b"text", b"<!-- comment -->", b"<a/>" * 100_000])
def test_what_cannot_be_read_makes_nobody_guilty(talk: Conversation, raw: bytes) -> None:
    talk.watch.sent(talk.alice, raw)
    talk.receive(RESULT)
    assert talk.rules == []
    talk.receive("<message to='bob@lab.test'/>")
    assert talk.rules == ["to-own"], "a stanza by itself is judged all the same"


def test_a_component_asks_from_any_address_of_its_own(talk: Conversation) -> None:
    component = talk.session("component.lab.test", COMPONENT)
    asker = f"any@{component.jid}"
    talk.send(ASK.replace("type=", f"from='{asker}' type="), component)
    talk.receive(RESULT.replace("type=", f"to='{asker}' type="), component)
    assert talk.rules == []
    talk.send(ASK.replace("type=", f"from='{asker}' type=").replace("'1'", "'2'"), component)
    talk.receive(RESULT.replace("type=", f"to='{component.jid}' type=").replace("'1'", "'2'"), component)
    assert talk.rules == ["reply-to"]


# --- strictness

NO_ID = "Element '{jabber:client}iq': The attribute 'id' is required but missing."


@pytest.fixture
def strictnesses() -> Strictnesses:
    return Strictnesses(catalogue(), {DOMAIN, "rooms.lab.test"})


def messages(strictnesses: Strictnesses, *stanzas: str) -> list[str]:
    for stanza in stanzas:
        strictnesses.look(parse(stanza, default=CLIENT))
    return [one.message for one in strictnesses.found]


def test_a_mismatch_is_kept_once_and_counted(strictnesses: Strictnesses) -> None:
    assert messages(strictnesses, *["<iq type='result'/>"] * 3) == [NO_ID]
    (found,) = strictnesses.found
    assert (found.element, found.count) == ("{jabber:client}iq", 3)
    assert found.seen.startswith("<iq")


@pytest.mark.parametrize("sender", [DOMAIN, "bob@lab.test", "rooms.lab.test", "room@rooms.lab.test"])
def test_who_speaks_for_the_subject(strictnesses: Strictnesses, sender: str) -> None:
    assert messages(strictnesses, f"<iq type='result' from='{sender}'/>") == [NO_ID]


@pytest.mark.parametrize("sender", ["bob@lab.test/r", "component.lab.test", "room@rooms.lab.test/bob"])
def test_who_does_not(strictnesses: Strictnesses, sender: str) -> None:
    assert messages(strictnesses, f"<iq type='result' from='{sender}'/>") == []


def test_what_an_error_brings_back_is_not_looked_at(strictnesses: Strictnesses) -> None:
    wrong = "<query xmlns='http://jabber.org/protocol/disco#info'><identity/></query>"
    assert messages(strictnesses, f"<iq type='error' id='1'>{wrong}{ERROR}</iq>") == []
    assert messages(strictnesses, f"<iq type='result' id='1'>{wrong}</iq>") != []


def test_an_application_condition_may_come_first(strictnesses: Strictnesses) -> None:
    first = "<closed-node xmlns='http://jabber.org/protocol/pubsub#errors'/>"
    text = f"<text xmlns='{STANZA_ERROR}'>no</text>"
    condition = f"<not-allowed xmlns='{STANZA_ERROR}'/>"
    error = f"<iq type='error' id='1'><error type='cancel'>{text}{first}{condition}</error></iq>"
    assert messages(strictnesses, error) == []


def test_what_is_forwarded_or_was_published_is_not_looked_at(strictnesses: Strictnesses) -> None:
    forwarded = "<message type='nonsense'><body>a</body><body>b</body><subject/></message>"
    sent = "<sent xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>{}</forwarded></sent>"
    before = parse(
        f"<message>{sent.format(forwarded.replace(' type=', f' xmlns={CLIENT!r} type='))}</message>", default=CLIENT
    )
    strictnesses.look(before)
    assert not [one for one in strictnesses.found if "body" in one.message]
    assert before.find(".//{*}body") is not None, "what the check sees is left alone"
    published = "<query xmlns='http://jabber.org/protocol/disco#info'><identity/></query>"
    items = f"<items node='n'><item>{published}</item></items>"
    event = f"<event xmlns='http://jabber.org/protocol/pubsub#event'>{items}</event>"
    strictnesses.look(parse(f"<message from='bob@lab.test'>{event}</message>", default=CLIENT))
    assert not [one for one in strictnesses.found if "identity" in one.message]


def test_mismatches_are_bounded(strictnesses: Strictnesses) -> None:
    many = (f"<iq type='t{n}' id='1'/>" for n in range(100))
    assert len(messages(strictnesses, *many)) == KINDS


def answering_twice(behind: str) -> list[str]:
    """The rules that a client breaks which answers an iq, gets this, and sends the same answer again."""
    watch = ClientWatch(CELL)
    answer = parse("<iq type='result' id='1' to='lab.test'/>", default=CLIENT)
    watch.to_client("<iq type='get' id='1' from='lab.test'><ping xmlns='urn:xmpp:ping'/></iq>")
    watch.from_client(answer, "alice@lab.test/here")
    watch.to_client(parse(f"<features xmlns='{STREAM}'/>"))
    if behind:
        watch.to_client(behind)
    watch.from_client(answer, "alice@lab.test/here")
    return [fault.rule for fault in watch.faults]


def test_a_client_may_send_an_answer_again_where_its_stream_is_resumed() -> None:
    resumed = f"<resumed xmlns='{STREAM_MANAGEMENT}' previd='one' h='0'/>"
    assert answering_twice(resumed) == []
    assert answering_twice("") == ["unasked-reply"]


def test_a_component_that_plays_one_contact_is_asked_in_its_own_name(talk: Conversation) -> None:
    """A server may ask who just came what it is; another domain's stanzas are still none of its."""
    contact = talk.session("contact@component.lab.test", COMPONENT)
    talk.receive(f"<iq type='get' id='9' to='component.lab.test' from='{DOMAIN}'><a xmlns='b'/></iq>", contact)
    assert talk.rules == []
    talk.receive("<message to='contact@elsewhere.lab.test'/>", contact)
    assert talk.rules == ["to-own"]
