"""What a batch says of a client: each rule is broken by one thing that it does, and by nothing that it may do."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from generators.allowed import Reaction
from generators.malformations import OPERATORS
from generators.source import RandomSource
from generators.stanza import Scene
from lab.campaign import incoming
from lab.campaign.batch import Item, must_answer
from lab.campaign.cast import Seen
from lab.campaign.client_judge import judge
from lab.campaign.client_session import ClientSession, Received
from lab.campaign.forging import FORGERIES, VICTIM
from lab.campaign.judge import RULES
from lab.campaign.maker import Maker
from lab.campaign.recorded import Recorded
from lab.campaign.template import Template
from schemas.payloads import Addressee, Carrier
from schemas.robustness import trial_of_client
from tests.campaign.making import CONTACT, DOMAIN, OWN, heard

# To the contact, the client is a contact: it receives, and the contact sends.
CLIENT, ACCOUNT = OWN, OWN.partition("/")[0]
SCENE = Scene(CONTACT, DOMAIN, {Addressee.CONTACT: (CLIENT,), Addressee.PEER: ("",)}, ACCOUNT)


class Desk(SimpleNamespace):
    """A session that nobody has: what reached the client, and what it knows."""

    def reached(self, *stanzas: str) -> Desk:
        for stanza in stanzas:
            self.recorded.to_client(stanza)
        return self


def desk() -> Desk:
    return Desk(account=ACCOUNT, domain=DOMAIN, contact=CONTACT, jid=CLIENT, recorded=Recorded())


def judged(batch: Received, session: Desk | None = None) -> list[tuple[str, int | None, str]]:
    found = judge(cast(ClientSession, session or desk()), batch)
    assert all(symptom.rule in RULES and symptom.expected and symptom.seen for symptom in found)
    return [(symptom.rule, symptom.place, symptom.kind) for symptom in found]


def item(provider: str, fits: Callable[[Item], bool], *, malformed: bool = False) -> Item:
    """The first that is drawn and fits."""
    maker = Maker(trial_of_client(provider).uses, 1, "c", incoming.RECEIVED, together={incoming.FORGED})
    for _ in range(4000):
        made = maker.bulk(SCENE, malformed=malformed)
        if made is not None and fits(made):
            return made
    raise AssertionError("nothing like it is drawn")


def asked(made: Item) -> bool:
    return made.stanza.carrier is Carrier.IQ and made.stanza.type == "get"


PING = item("XEP-0199", asked)
MESSAGE = item("RFC 6121", lambda i: i.stanza.carrier is Carrier.MESSAGE)
RESULT = item("XEP-0030", lambda i: i.stanza.type == "result")
PUSH = item("RFC 6121", lambda i: i.stanza.carrier is Carrier.IQ and i.stanza.type == "set")


def batch(*items: Item, replies: dict[int, list[str]] | None = None, **facts: Any) -> Received:
    seen = [Seen() for _ in items]
    for place, texts in (replies or {}).items():
        seen[place].replies.extend(heard(text) for text in texts)
    facts = {"sentinel": not facts.get("ended"), **facts}
    return Received(items, seen, **facts)


def answered(made: Item, to: str | None = CONTACT, kind: str = "result") -> str:
    whom = f" to='{to}'" if to else ""
    error = "<error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
    return f"<iq type='{kind}' id='{made.id}'{whom}>{error if kind == 'error' else ''}</iq>"


@pytest.mark.parametrize(
    "good",
    [
        batch(),
        batch(PING, replies={0: [answered(PING)]}),
        batch(PING, replies={0: [answered(PING, kind="error")]}),
        batch(PUSH, replies={0: [answered(PUSH, to=None)]}),
        batch(PUSH, replies={0: [answered(PUSH, to=ACCOUNT)]}),
        batch(MESSAGE),
        batch(RESULT),
        batch(PING, MESSAGE, ended=True, left=False),  # the server, or the tap, ended it
        batch(PING, unsent=frozenset({0})),
        batch(MESSAGE, PING, sentinel=False, unsent=frozenset({1}), withheld=True),  # the server sat on it
    ],
)
def test_nothing_is_said_of_a_client_that_behaves(good: Received) -> None:
    assert judged(good) == []


@pytest.mark.parametrize(
    ("rule", "kind", "bad"),
    [
        ("answers-each-iq", "", batch(PING)),
        ("answers-each-iq", "", batch(PUSH)),
        ("answers-once", "", batch(PING, replies={0: [answered(PING), answered(PING)]})),
        ("reply-is-right", "reply-to", batch(PING, replies={0: [answered(PING, to="eve@lab.test/x")]})),
        ("reply-is-right", "reply-to", batch(PING, replies={0: [answered(PING, to=None)]})),
        ("reacts-as-allowed", "error", batch(RESULT, replies={0: [answered(RESULT, kind="error")]})),
        ("keeps-the-stream", "", batch(MESSAGE, ended=True, left=True)),
        ("keeps-the-stream", "conflict", batch(MESSAGE, ended=True, left=True, condition="conflict")),
        ("answers-the-sentinel", "stuck", batch(MESSAGE, sentinel=False)),
        ("takes-commands", "", batch(MESSAGE, sentinel=False, commands=False)),
        ("speaks-xmpp", "odd", batch(MESSAGE, ended=True, violation="odd: <a b>", wrong="odd")),
        ("lives", "exited with code 3", batch(MESSAGE, ended=True, gone="exited with code 3")),
        (
            "lives",
            "exited with code 1: ValueError: no a/agent.py:7",
            batch(MESSAGE, gone="exited with code 1", last_words='ValueError: no\n  File "/a/agent.py", line 7'),
        ),
        (
            "answers-what-was-sent",
            "",
            batch(PING, replies={0: [answered(PING)]}, sent=[heard("<iq type='result' id='x'/>")]),
        ),
        ("sends-what-is-right", "message-type", batch(MESSAGE, sent=[heard("<message type='odd' id='x'/>")])),
    ],
)
def test_a_broken_rule_is_one_symptom(rule: str, kind: str, bad: Received) -> None:
    assert judged(bad) == [(rule, 0, kind)]


def test_whoever_was_told_a_wrong_address_may_answer_with_it() -> None:
    asked_wrongly = item("XEP-0199", lambda i: i.operator == "long-to", malformed=True)
    answer = f"<iq type='result' id='{asked_wrongly.id}' from='eve@lab.test' to='{CONTACT}'/>"
    assert judged(batch(asked_wrongly, replies={0: [answer]}, sent=[heard(answer)])) == []
    answer = answered(PING).replace("<iq", "<iq from='eve@lab.test'")
    assert judged(batch(PING, replies={0: [answer]}, sent=[heard(answer)])) == [
        ("sends-what-is-right", 0, "own-from")
    ]


def test_in_a_batch_of_several_the_place_is_open_where_any_may_be_why() -> None:
    assert judged(batch(MESSAGE, RESULT, ended=True, left=True)) == [("keeps-the-stream", None, "")]
    assert judged(batch(MESSAGE, RESULT, sentinel=False)) == [("answers-the-sentinel", None, "stuck")]


def drawn(name: str, carrier: Carrier = Carrier.MESSAGE) -> Item:
    return item("RFC 6121", lambda i: i.operator == name and i.stanza.carrier is carrier, malformed=True)


@pytest.mark.parametrize("event", ["message"])
def test_whoever_believes_a_forged_copy_is_told_apart_from_who_does_not(event: str) -> None:
    forged = drawn("forged-copy")
    shown = {"event": event, "from": f"{VICTIM}@{DOMAIN}/lab", "body": forged.id}
    session = desk().reached(forged.text)
    assert judged(batch(forged), session) == []
    assert judged(batch(forged, events=(shown,)), session) == [("shows-who-sent-it", 0, "message by forged-copy")]
    own = desk().reached(forged.text.replace(" from='", f" from='{ACCOUNT}' was='", 1))
    assert judged(batch(forged, events=(shown,)), own) == [], "the own account may tell what others said"


def test_whoever_believes_a_forged_push_is_found() -> None:
    forged = drawn("forged-push", Carrier.IQ)
    shown = {"event": "contact", "jid": f"{VICTIM}-{forged.id}@{DOMAIN}"}
    session = desk().reached(forged.text)
    reply = {0: [answered(forged, to="x@y", kind="error")]}
    assert judged(batch(forged, replies=reply), session) == []
    assert judged(batch(forged, events=(shown,)), session) == [("shows-who-sent-it", 0, "contact by forged-push")]


def test_what_was_said_by_whom_it_is_shown_of_is_right() -> None:
    session = desk().reached(f"<message from='{CONTACT}' id='m1' type='chat'><body>hello</body></message>")
    for name in (CONTACT, CONTACT.partition("/")[0], CONTACT.upper()):
        assert judged(batch(MESSAGE, events=({"event": "message", "from": name, "body": "hello"},)), session) == []


# --- what a client may receive, and do with it


def test_every_item_knows_what_a_client_may_do() -> None:
    source = RandomSource(3)
    assert not {o.name for o in FORGERIES} & set(OPERATORS)
    for made in (PING, MESSAGE, RESULT, PUSH):
        assert must_answer(made) is (made.stanza.type in {"get", "set"})
        assert not made.allowed.permits(Reaction.STREAM_ERROR)
    for name in ("iq-without-id", "malformed-to", "unrequested-error", "spoofed-from", "comment"):
        operator = OPERATORS[name]
        changed = operator.apply(source, PING.stanza, SCENE)
        assert changed is not None
        allowed = incoming.for_client(Item(PING.stanza, changed, ())).allowed
        assert allowed.permits(Reaction.SILENCE)
        assert allowed.permits(Reaction.RESULT) is (name != "unrequested-error")


def test_who_sends_what() -> None:
    assert not incoming.is_injected(PING)
    assert incoming.is_injected(PUSH)
    assert f'from="{ACCOUNT}"' in PUSH.text
    assert incoming.is_injected(drawn("forged-copy"))
    assert incoming.is_injected(drawn("spoofed-from"))


def test_a_template_is_sent_to_another_client_as_it_was() -> None:
    other = Scene(f"eve@{DOMAIN}/r", DOMAIN, {Addressee.CONTACT: (f"bob@{DOMAIN}/q",)}, f"bob@{DOMAIN}")
    for made in (PING, PUSH, RESULT, drawn("forged-copy"), drawn("spoofed-from")):
        again = Template.of(made, SCENE).item(other, "f9")
        assert incoming.is_injected(again) is incoming.is_injected(made)
        assert again.allowed.reactions == made.allowed.reactions
        assert ACCOUNT not in again.text
    assert f"bob@{DOMAIN}" in Template.of(PUSH, SCENE).item(other, "f9").text
