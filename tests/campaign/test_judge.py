"""Each standing rule of a campaign: batches that break it, with the symptom; and those that look as if they did."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from generators.allowed import ANSWERED, ONE_WAY
from generators.stanza import Family
from lab.campaign.batch import Batch
from lab.campaign.cast import Cast
from lab.campaign.judge import RULES, SEEN, judge
from lab.campaign.pipe import End
from lab.wire.stream import Element
from schemas.payloads import Addressee, Carrier
from tests.campaign.making import (
    CONTACT,
    DOMAIN,
    ENDS,
    REFUSED,
    REFUSED_OR_ENDS,
    batch,
    cast_of,
    error,
    heard,
    malformed,
    result,
    stanza,
    valid,
)

Happens = Callable[[Cast], Batch]
Case = tuple[str, int | None, str, Happens]
"""The rule that is broken, the symptom's place and kind, and what happens."""

OUTSIDE = {"lives", "logs-no-crash", "keeps-its-memory"}
"""Rules that the wire does not show: see test_outside."""

OF_CLIENTS = {"sends-what-is-right", "shows-who-sent-it", "takes-commands"}
"""Rules that servers cannot break: see test_client_judge."""

ENDED = End("not-well-formed", orderly=True, seen="<stream:error/>")
CUT = End()
TO_CONTACT = valid(addressee=Addressee.CONTACT)
BROKEN = malformed(stanza(), ENDS)
MESSAGE = valid(carrier=Carrier.MESSAGE, addressee=Addressee.CONTACT)
MORE = valid("f2")


@pytest.fixture
def cast() -> Iterator[Cast]:
    with cast_of() as made:
        yield made


def strays(cast: Cast, *found: str, who: str = "fuzzer") -> Cast:
    cast.ledger.strays += [(who, heard(xml)) for xml in found]
    return cast


def leaked(cast: Cast, identifier: str) -> Cast:
    attribute = f" id='{identifier}'" if identifier else ""
    cast.ledger.leaks.append(heard(f"<message{attribute}><body>secret</body></message>"))
    return cast


def smuggled(cast: Cast, identifier: str) -> Cast:
    cast.ledger.smuggled.append(("contact", heard(f"<message id='{identifier}'/>")))
    return cast


def witness(cast: Cast, end: End) -> Cast:
    cast.contact.end = end
    return cast


UNASKED = "<iq type='result' id='another'/>"
BROKEN_BY: dict[str, list[tuple[int | None, str, Happens]]] = {
    "answers-each-iq": [
        (1, "", lambda c: batch(c, valid(), MORE, replies={0: [result()]})),
        (0, "", lambda c: batch(c, TO_CONTACT, deliveries={0: [("contact", heard("<iq type='get' id='f1'/>"))]})),
        (0, "", lambda c: batch(c, malformed(stanza(), REFUSED, family=Family.SCHEMA))),
    ],
    "answers-once": [
        (0, "", lambda c: batch(c, valid(), replies={0: [result(), result()]})),
        (
            0,
            "",  # an id that was sent twice may be answered twice, not more often
            lambda c: batch(
                c, malformed(stanza(), ANSWERED, chunks=(b"<iq id='f1'/>" * 2,)), replies={0: [result()] * 3}
            ),
        ),
    ],
    "reply-is-right": [
        (0, "error-type", lambda c: batch(c, valid(), replies={0: [error(kind="wrong")]})),
        (0, "error-condition", lambda c: batch(c, valid(), replies={0: [error(condition="")]})),
        (0, "error-condition", lambda c: batch(c, valid(), replies={0: [error(condition="no-such-thing")]})),
        (0, "error-child", lambda c: batch(c, valid(), replies={0: [heard("<iq type='error' id='f1'/>")]})),
        (
            1,
            "reply-from",
            lambda c: batch(c, MORE, valid(), replies={0: [result("f2")], 1: [result(sender=CONTACT)]}),
        ),
        (
            0,
            "error-type",
            lambda c: batch(c, malformed(stanza(), ANSWERED), replies={0: [error(kind="wrong")]}),
        ),
    ],
    "answers-what-was-sent": [
        (0, "", lambda c: batch(strays(c, UNASKED), valid(), replies={0: [result()]})),
        (None, "", lambda c: batch(strays(c, UNASKED), valid(), MORE, replies={0: [result()], 1: [result("f2")]})),
    ],
    "keeps-the-stream": [
        (0, "not-well-formed", lambda c: batch(c, valid(), end=ENDED)),
        (None, "", lambda c: batch(c, valid(), MESSAGE, end=CUT)),
    ],
    "ends-the-stream": [
        (0, "", lambda c: batch(c, BROKEN)),
        (1, "", lambda c: batch(c, MORE, BROKEN, replies={0: [result("f2")]})),
        (0, "", lambda c: batch(c, BROKEN, early=True, sentinel=False)),
        # Before it is ready, a stream that only ends when we close ours was left open, too.
        (0, "", lambda c: batch(c, BROKEN, early=True, closed_by_us=True, end=End(orderly=True))),
    ],
    "reacts-as-allowed": [
        (0, "result", lambda c: batch(c, malformed(stanza(), REFUSED), replies={0: [result()]})),
        (
            0,
            "forbidden",
            lambda c: batch(c, malformed(stanza(), REFUSED), replies={0: [error(condition="forbidden")]}),
        ),
        (
            0,
            "delivery",
            lambda c: batch(
                c,
                malformed(stanza(addressee=Addressee.CONTACT), REFUSED),
                replies={0: [error()]},
                deliveries={0: [("contact", heard("<iq type='get' id='f1'/>"))]},
            ),
        ),
        (0, "host-gone", lambda c: batch(c, BROKEN, end=End("host-gone", seen="<stream:error/>"))),
    ],
    "splits-as-sent": [
        (0, "", lambda c: batch(smuggled(c, "f1-within"), valid(), replies={0: [result()]})),
    ],
    "keeps-to-itself": [
        (
            0,
            "",
            lambda c: batch(
                c, valid(), replies={0: [result()]}, deliveries={0: [("contact", heard("<iq type='get' id='f1'/>"))]}
            ),
        ),
        (1, "bystander", lambda c: batch(leaked(c, "f1"), MORE, MESSAGE, replies={0: [result("f2")]})),
        (None, "bystander", lambda c: batch(leaked(c, ""), MORE, MESSAGE, replies={0: [result("f2")]})),
        (0, "bystander", lambda c: batch(leaked(c, ""), MESSAGE)),
    ],
    "passes-on-no-malformed": [
        (0, "", lambda c: batch(witness(c, End(violation="a comment")), MESSAGE)),
        (
            None,
            "",
            lambda c: batch(witness(c, End(violation="a comment")), MESSAGE, MORE, replies={1: [result("f2")]}),
        ),
    ],
    "speaks-xmpp": [
        (0, "", lambda c: batch(c, valid(), end=End(violation="not well-formed"))),
        (None, "", lambda c: batch(c, valid(), MORE, end=End(violation="not well-formed"))),
        (0, "", lambda c: batch(c, BROKEN, end=End(violation="not well-formed"))),
    ],
    "answers-the-sentinel": [
        (0, "stuck", lambda c: batch(c, valid(), sentinel=False)),
        (None, "stuck", lambda c: batch(c, valid(), MORE, sentinel=False)),
        (0, "stuck", lambda c: batch(c, BROKEN, sentinel=False, closed_by_us=True)),
        (0, "", lambda c: batch(c, valid(), closed_by_us=True, end=End(orderly=True))),
    ],
    "answers-others": [
        (0, "", lambda c: batch(witness(c, CUT), valid(), replies={0: [result()]})),
        (None, "", lambda c: batch(c, valid(), MORE, replies={0: [result()], 1: [result("f2")]}, witnesses=False)),
        (0, "", lambda c: batch(c, BROKEN, end=ENDED, witnesses=False)),
    ],
}

CASES = [(rule, *case) for rule, cases in BROKEN_BY.items() for case in cases]


def test_every_rule_that_the_wire_shows_is_broken_here() -> None:
    assert set(BROKEN_BY) | OUTSIDE | OF_CLIENTS == set(RULES)
    assert all(rule.says.endswith(".") and rule.where for rule in RULES.values())


@pytest.mark.parametrize(
    ("rule", "place", "kind", "happens"), CASES, ids=[f"{c[0]}-{n}" for n, c in enumerate(CASES)]
)
def test_a_broken_rule_is_one_symptom_with_its_place_and_kind(
    cast: Cast, rule: str, place: int | None, kind: str, happens: Happens
) -> None:
    symptoms = judge(cast, happens(cast))
    assert [(s.rule, s.place, s.kind) for s in symptoms] == [(rule, place, kind)], symptoms
    assert symptoms[0].expected
    assert symptoms[0].seen


PARTED = stanza(carrier=Carrier.MESSAGE, addressee=Addressee.CONTACT)
SHOWN_TO_CONTACT = {0: [("contact", heard("<iq type='get' id='f1'/>"))]}
GOOD: dict[str, Happens] = {
    "all is as it should be": lambda c: batch(
        c,
        valid(),
        TO_CONTACT._replace(stanza=stanza("f2", addressee=Addressee.CONTACT)),
        MESSAGE._replace(stanza=stanza("f3", carrier=Carrier.MESSAGE, addressee=Addressee.CONTACT)),
        replies={0: [result()], 1: [error("f2", "service-unavailable", kind="cancel", sender=CONTACT)]},
        deliveries={
            1: [("contact", heard("<iq type='get' id='f2'/>"))],
            2: [("contact", heard("<message id='f3'/>"))],
        },
    ),
    "what must end the stream ends it": lambda c: batch(c, BROKEN, end=ENDED),
    "what may end the stream ends it, and those before it are not answered": lambda c: batch(
        c, MORE, malformed(stanza(), REFUSED_OR_ENDS), end=End("policy-violation")
    ),
    "a message needs no answer": lambda c: batch(c, MESSAGE),
    "a stanza whose id was taken away cannot be answered by it": lambda c: batch(
        c, malformed(stanza(), REFUSED, identifier="")
    ),
    "without a sentinel, a missing answer is the sentinel's to tell": lambda c: batch(
        c, malformed(stanza(), ANSWERED), closed_by_us=True, end=End(orderly=True)
    ),
    "an id that was sent twice is answered twice": lambda c: batch(
        c,
        malformed(stanza(), ANSWERED, chunks=(b"<iq id='f1'/>", b"<iq id='f1'/>")),
        replies={0: [result(), result()]},
    ),
    "a message may be answered by two errors": lambda c: batch(
        c, MESSAGE, replies={0: [error(name="message"), error(name="message")]}
    ),
    "whoever is told a wrong sender may answer to it": lambda c: batch(
        c, malformed(stanza(), ANSWERED), replies={0: [heard("<iq type='result' id='f1' to='another@lab.test'/>")]}
    ),
    "a reply to a stanza that must end the stream may come before its end": lambda c: batch(
        c, BROKEN, replies={0: [result()]}, end=ENDED
    ),
    "broken bytes that reach the contact before the stream ends are no matter of delivery": lambda c: batch(
        c, malformed(PARTED, ENDS), deliveries={0: [("contact", heard("<message id='f1'/>"))]}, end=ENDED
    ),
    "presence to the server may be passed on": lambda c: batch(
        c, valid(carrier=Carrier.PRESENCE), deliveries={0: [("contact", heard("<presence id='f1'/>"))]}
    ),
    "an address in broken bytes may be another": lambda c: batch(
        c, malformed(stanza(), ANSWERED), replies={0: [result()]}, deliveries=SHOWN_TO_CONTACT
    ),
    "what comes back to the sender itself is no delivery to another": lambda c: batch(
        c, valid(), replies={0: [result()]}, deliveries={0: [("sender", heard("<iq type='get' id='f1'/>"))]}
    ),
    "a stray behind malformed stanzas may be their answer": lambda c: batch(
        strays(c, UNASKED), malformed(stanza(), ONE_WAY)
    ),
    "an error to a message may bear any id": lambda c: batch(
        strays(c, "<message type='error' id='another'/>"), valid(), replies={0: [result()]}
    ),
    "what is more than we read is no fault": lambda c: batch(c, valid(), end=End(limit=True)),
    "what is more than the contact reads is no fault": lambda c: batch(
        witness(c, End(limit=True)), MESSAGE, witnesses=False
    ),
    "an early stanza to which nothing must come": lambda c: batch(
        c, malformed(PARTED, ONE_WAY), early=True, sentinel=False
    ),
    "an early stanza that is answered by a stream error, behind our own close": lambda c: batch(
        c, BROKEN, early=True, closed_by_us=True, end=ENDED
    ),
    "an unfinished element is waited for until we close": lambda c: batch(
        c, BROKEN, closed_by_us=True, end=End(orderly=True)
    ),
    "which of several stanzas ended the stream with which error cannot be told": lambda c: batch(
        c, BROKEN, malformed(stanza("f2"), ENDS), end=End("host-gone")
    ),
    "witnesses whom nothing was asked of": lambda c: batch(c, BROKEN, end=ENDED, witnesses=False, witness_marks=()),
    "witnesses that are not answered while nobody is": lambda c: batch(
        c, malformed(PARTED, ONE_WAY), early=True, sentinel=False, witnesses=False
    ),
}


@pytest.mark.parametrize("what", GOOD)
def test_what_only_looks_like_a_fault_is_none(cast: Cast, what: str) -> None:
    assert judge(cast, GOOD[what](cast)) == []


@pytest.mark.parametrize("deliveries", [{}, SHOWN_TO_CONTACT], ids=["unseen", "delivered"])
def test_that_an_occupant_does_not_answer_must_show_alone_for_who_leaves_a_room_gets_no_answers(
    cast: Cast, deliveries: dict[int, list[tuple[str, Element]]]
) -> None:
    asked = valid(addressee=Addressee.OCCUPANT, to="room@muc/juliet")
    leaving = valid("f2", carrier=Carrier.PRESENCE)
    (symptom,) = judge(cast, batch(cast, asked, leaving, deliveries=deliveries))
    assert (symptom.rule, symptom.place, symptom.alone) == ("answers-each-iq", 0, True)
    (other,) = judge(cast, batch(cast, TO_CONTACT, leaving, deliveries=deliveries))
    assert not other.alone


def test_what_belongs_to_another_batch_is_left_to_it(cast: Cast) -> None:
    strays(leaked(smuggled(cast, "f9-within"), "f9"), UNASKED, who="fuzzer-1")
    assert judge(cast, batch(cast, valid(), replies={0: [result()]})) == []
    assert [len(left) for left in (cast.ledger.strays, cast.ledger.leaks, cast.ledger.smuggled)] == [1, 1, 1]
    assert [s.rule for s in judge(cast, batch(cast, valid("f9"), replies={0: [result("f9")]}))] == [
        "splits-as-sent",
        "keeps-to-itself",
    ]
    assert (cast.ledger.leaks, cast.ledger.smuggled) == ([], [])


def test_what_was_told_of_is_not_told_again(cast: Cast) -> None:
    finished = batch(strays(leaked(smuggled(cast, "f1-within"), "f1"), UNASKED), valid(), replies={0: [result()]})
    assert len(judge(cast, finished)) == 3
    assert judge(cast, finished) == []


def test_a_symptom_says_what_was_allowed_and_shows_what_came_shortened(cast: Cast) -> None:
    long = f"<x xmlns='urn:x'>{'y' * 5_000}</x>"
    came = heard(f"<iq type='result' id='f1' from='{DOMAIN}'>{long}</iq>")
    (symptom,) = judge(cast, batch(cast, malformed(stanza(), REFUSED), replies={0: [came]}))
    assert symptom.expected == "error (error: bad-request); RFC 6120 §8.3"
    assert symptom.seen.startswith("<iq ")
    assert len(symptom.seen) == SEEN
    (ending,) = judge(cast, batch(cast, malformed(stanza("f2"), ENDS)))
    assert ending.expected == "stream-error (stream error: not-well-formed); RFC 6120 §11"
