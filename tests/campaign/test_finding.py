"""Fingerprints and names of findings: what makes two faults one, and that names stay what they are."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from generators.allowed import ANSWERED
from generators.malformations import OPERATORS
from generators.source import RandomSource
from generators.stanza import Family, Moment
from generators.stanzas import Generator, client_uses
from lab.campaign.batch import Item
from lab.campaign.finding import CONFIRMATIONS, SHORT, Finding, fingerprint, trace
from lab.campaign.judge import Symptom
from lab.campaign.maker import drawn
from lab.campaign.pipe import Logged
from lab.campaign.template import Template
from schemas.payloads import Addressee, Carrier
from tests.campaign.making import ENDS, SCENE, malformed, stanza, valid

PINGED = stanza(element="{urn:x}ping")
TO_CONTACT = stanza(element="{urn:x}ping", addressee=Addressee.CONTACT)
SET = stanza(element="{urn:x}ping", type_="set")
OTHER = stanza(element="{urn:y}query")


def named(item: Item, rule: str = "answers-each-iq", kind: str = "") -> str:
    return fingerprint(Symptom(rule, 0, "", "", kind), [item])


def test_broken_bytes_are_the_same_in_every_stanza() -> None:
    names = {named(malformed(base, ENDS)) for base in (PINGED, TO_CONTACT, SET, OTHER)}
    assert names == {"answers-each-iq by nul"}
    assert named(malformed(PINGED, ENDS, operator="comment")) == "answers-each-iq by comment"


def test_a_broken_protocol_depends_on_kind_and_addressee() -> None:
    def of(base: Item) -> str:
        return named(malformed(base.stanza, ENDS, operator="no-id", family=Family.PROTOCOL))

    assert of(Item(PINGED, None, ())) == of(Item(OTHER, None, ())) == "answers-each-iq by no-id in iq get to server"
    assert of(Item(TO_CONTACT, None, ())) == "answers-each-iq by no-id in iq get to contact"
    assert of(Item(SET, None, ())) == "answers-each-iq by no-id in iq set to server"


def test_before_the_stream_is_ready_only_operator_and_carrier_count() -> None:
    early = [
        malformed(base, ENDS, operator="too-soon", family=Family.PROTOCOL, moment=Moment.OPENED)
        for base in (PINGED, TO_CONTACT, SET)
    ]
    assert {named(item) for item in early} == {"answers-each-iq by too-soon in iq"}


def test_a_broken_payload_depends_on_payload_and_place_but_not_on_numbers() -> None:
    def at(place: str, base: Item) -> str:
        return named(malformed(base.stanza, ENDS, operator="renamed", family=Family.SCHEMA, place=place))

    ping, other = Item(PINGED, None, ()), Item(OTHER, None, ())
    assert (
        at("ping/item[2]/@jid", ping)
        == "answers-each-iq by renamed {urn:x}ping in iq get to server at ping/item/@jid"
    )
    assert at("ping/item[2]/@jid", ping) == at("ping/item[11]/@jid", ping) == at("ping/item/@jid", ping)
    assert at("ping (byte 71)", ping) == at("ping (byte 85)", ping) == at("ping", ping)
    assert len({at("ping/item", ping), at("ping/value", ping), at("ping/item", other)}) == 3


def test_a_valid_stanza_is_told_by_payload_kind_and_addressee() -> None:
    assert named(Item(PINGED, None, ())) == "answers-each-iq by valid {urn:x}ping in iq get to server"
    message = stanza(carrier=Carrier.MESSAGE, addressee=Addressee.CONTACT, element="{urn:x}ping")
    assert named(Item(message, None, ())) == "answers-each-iq by valid {urn:x}ping in message to contact"
    assert len({named(Item(base, None, ())) for base in (PINGED, TO_CONTACT, SET, OTHER)}) == 4


def test_how_a_rule_is_broken_makes_another_fault() -> None:
    item = malformed(PINGED, ENDS)
    assert named(item, kind="stuck") == "answers-each-iq=stuck by nul"
    assert len({named(item), named(item, kind="stuck"), named(item, rule="answers-once")}) == 3


def test_a_short_sequence_is_told_one_by_one() -> None:
    two = [valid(element="{urn:x}ping"), malformed(OTHER, ENDS)]
    wanted = "answers-once by valid {urn:x}ping in iq get to server then nul"
    assert fingerprint(Symptom("answers-once", None, "", ""), two) == wanted


def test_which_stanzas_stand_in_a_long_sequence_is_chance() -> None:
    symptom = Symptom("answers-once", None, "", "")
    names = {fingerprint(symptom, [valid()] * count) for count in (SHORT + 1, 30)} | {fingerprint(symptom, [])}
    assert names == {"answers-once by a sequence of stanzas"}


def test_a_crash_is_known_by_its_line_whoever_caused_it() -> None:
    crash = Symptom("logs-no-crash", None, "", "", "error in mod_ping", telling=True)
    every = [[], [valid()], [malformed(OTHER, ENDS)], [valid(), valid()]]
    assert {fingerprint(crash, items) for items in every} == {"logs-no-crash=error in mod_ping"}


def test_a_reply_is_told_by_what_it_answers() -> None:
    broken = malformed(PINGED, ANSWERED, operator="long-value", family=Family.SCHEMA, place="ping/@x")
    wanted = "reply-is-right=error-type by {urn:x}ping in iq get to server"
    assert named(broken, "reply-is-right", "error-type") == wanted
    assert named(Item(PINGED, None, ()), "reply-is-right", "error-type") == wanted


def test_what_is_drawn_again_by_others_has_the_same_fingerprint() -> None:
    """Addresses, ids and contents differ in length from one draw to the next; the fault is the same."""
    longer = replace(SCENE, own=f"a-much-longer-name-{SCENE.own}")
    for operator in OPERATORS.values():
        names = set()
        for scene, identifier in ((SCENE, "f1"), (longer, "f123456789")):
            source = RandomSource(4)
            generator = Generator(client_uses(["XEP-0199"]), scene)
            source.begin()
            item = drawn(generator, operator, source, scene, identifier)
            if item is not None:
                names.add(named(item))
        assert len(names) <= 1, names


# --- findings


def finding(text: str = "answers-once by nul", confirmed: int = 3) -> Finding:
    item = malformed(PINGED, ENDS)
    return Finding(
        text, "answers-once", "one", "two", "RFC 6120", (Template.of(item, SCENE),), confirmed, "s", "1", 7
    )


def test_names_are_for_files_and_stay_what_they_are() -> None:
    # A name is in people's scripts and reports: should this fail, old corpora are no longer found by name.
    assert finding().name == "answers-once-by-nul-531d77c0"
    assert finding(f"lives by {{urn:x}}{'y' * 300}").name.startswith("lives-by-urn-x-yyy")
    assert len(finding("x" * 1000).name) == 80 + 9
    assert finding("../../etc/passwd\n\0").name.startswith("etc-passwd-")
    assert len({finding(text).name for text in ("a b", "a-b", "A b", "ä b")}) == 4


def test_what_did_not_show_each_time_is_flaky() -> None:
    assert [finding(confirmed=times).flaky for times in range(CONFIRMATIONS + 1)] == [True, True, True, False]


def test_a_rule_explains_itself_and_one_of_another_lab_has_nothing_to_say() -> None:
    assert finding().where == "RFC 6120 §8.2.3"
    assert finding().says == "A request is answered once."
    other = replace(finding(), rule="sings")
    assert (other.where, other.says) == ("", "")


def test_a_finding_survives_its_file() -> None:
    log = [Logged(1.5, "fuzzer", "sent", b"<iq>\xff\xed\xa0\x80")]
    whole = replace(finding(), trace=trace(log), shrunk=True, seen="\ud800")
    again = Finding.from_json(json.loads(json.dumps(whole.as_json())))
    assert again == whole
    assert again.trace[0].text == "<iq>\\xff\\xed\\xa0\\x80"
    assert again.text == whole.text


@pytest.mark.parametrize(
    "damage",
    [
        {"format": 2},
        {"templates": []},
        {"templates": ["x"]},
        {"templates": None},
        {"fingerprint": 5},
        {"fingerprint": "\ud800"},
        {"confirmed": "3"},
        {"provider": ["RFC 6120"]},
        {"trace": [1]},
        {"trace": [[1]]},
        {"surprise": 1},
    ],
    ids=str,
)
def test_damaged_data_is_refused(damage: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        Finding.from_json({**finding().as_json(), **damage})


def test_every_field_that_has_no_default_must_be_there() -> None:
    data = finding().as_json()
    for name in ("format", "fingerprint", "rule", "templates", "confirmed", "subject", "seed"):
        with pytest.raises((KeyError, TypeError, ValueError)):
            Finding.from_json({key: value for key, value in data.items() if key != name})
