"""The standing rules: each one's good and bad stanzas, and the liberties that the RFCs give."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import pytest

from lab.standing import RULES, Fault, Request, faults_of_reply, faults_of_stanza, kind_of
from lab.wire.namespaces import CARBONS, CLIENT, COMPONENT, FORWARD, STANZA_ERROR
from lab.wire.session import parse

DOMAIN = "lab.test"
BARE = "alice@lab.test"
ME = f"{BARE}/here"
CONDITION = f"<item-not-found xmlns='{STANZA_ERROR}'/>"
ERROR = f"<error type='cancel'>{CONDITION}</error>"
PAYLOAD = "<query xmlns='urn:stanzalab:0'/>"


def stanza(xml: str, *, own_jid: str = ME, namespace: str = CLIENT) -> list[str]:
    """The rules that a stanza breaks."""
    return _rules(faults_of_stanza(parse(xml, default=namespace), own_jid, DOMAIN))


def reply(xml: str, *, to: str | None = None, sender: str = ME, namespace: str = CLIENT) -> list[str]:
    """The rules that a reply to the iq `7` breaks."""
    return _rules(faults_of_reply(Request("7", to, sender, DOMAIN), parse(xml, default=namespace)))


def _rules(faults: Sequence[Fault]) -> list[str]:
    for fault in faults:
        assert (fault.where, fault.says) == RULES[fault.rule]
        assert fault.seen.startswith("<")
    return [fault.rule for fault in faults]


def answer(type_: str, **attributes: str | None) -> str:
    """A reply to the iq `7`."""
    given = "".join(f" {name.rstrip('_')}='{value}'" for name, value in attributes.items() if value is not None)
    return f"<iq id='7' type='{type_}'{given}>{ERROR if type_ == 'error' else ''}</iq>"


# --- a stanza by itself


@pytest.mark.parametrize(
    "xml",
    [
        f"<iq type='result' id='1' from='{DOMAIN}' to='{ME}'/>",
        f"<iq type='result' id='1'>{PAYLOAD}</iq>",
        f"<iq type='set' id='1' to='{BARE}'>{PAYLOAD}</iq>",
        f"<iq type='error' id='1' from='{DOMAIN}'>{ERROR}</iq>",
        f"<iq type='error' from='{DOMAIN}'>{PAYLOAD}{ERROR}</iq>",
        "<message><body>hello</body></message>",
        f"<message type='headline' from='{BARE}' to='{BARE}'/>",
        f"<message type='error' from='bob@lab.test'>{ERROR}</message>",
        "<presence/>",
        f"<presence type='subscribe' from='bob@lab.test' to='{BARE}'/>",
        f"<presence type='unavailable' from='{ME}' to='{BARE}/elsewhere'/>",
        "<stranger xmlns='urn:stanzalab:0' to='bob@lab.test' type='nonsense'/>",
        "<features xmlns='http://etherx.jabber.org/streams'/>",
    ],
)
def test_good_stanzas(xml: str) -> None:
    assert stanza(xml) == []


@pytest.mark.parametrize(
    ("xml", "rule"),
    [
        ("<message to='bob@lab.test'/>", "to-own"),
        ("<message to='bob@lab.test/here' from='carol@lab.test/x'/>", "to-own"),
        (f"<presence to='{DOMAIN}'/>", "to-own"),
        (f"<iq type='get' from='{DOMAIN}'>{PAYLOAD}</iq>", "iq-id"),
        (f"<iq id='1' from='{DOMAIN}'>{PAYLOAD}</iq>", "iq-type"),
        (f"<iq id='1' type='request'>{PAYLOAD}</iq>", "iq-type"),
        ("<iq id='1' type='get'/>", "iq-payload"),
        (f"<iq id='1' type='set'>{PAYLOAD}{PAYLOAD}</iq>", "iq-payload"),
        (f"<iq id='1' type='result'>{PAYLOAD}{PAYLOAD}</iq>", "iq-payload"),
        ("<message type='text'/>", "message-type"),
        (f"<message type='' from='{DOMAIN}'/>", "message-type"),
        ("<presence type='available'/>", "presence-type"),
        ("<iq id='1' type='error'/>", "error-child"),
        (f"<iq id='1' type='error'>{PAYLOAD}</iq>", "error-child"),
        ("<message type='error'><error xmlns='urn:stanzalab:0'/></message>", "error-child"),
        (f"<iq id='1' type='result'>{ERROR}</iq>", "error-child"),
        (f"<message type='chat'>{ERROR}</message>", "error-child"),
        (f"<presence type='error'><error>{CONDITION}</error></presence>", "error-type"),
        (f"<iq id='1' type='error'><error type='fatal'>{CONDITION}</error></iq>", "error-type"),
        ("<iq id='1' type='error'><error type='cancel'/></iq>", "error-condition"),
        (f"<iq id='1' type='error'><error type='wait'>{CONDITION}{CONDITION}</error></iq>", "error-condition"),
        (
            f"<iq id='1' type='error'><error type='wait'><too-lazy xmlns='{STANZA_ERROR}'/></error></iq>",
            "error-condition",
        ),
        (
            f"<iq id='1' type='error'><error type='wait'><text xmlns='{STANZA_ERROR}'/></error></iq>",
            "error-condition",
        ),
        ("<iq id='1' type='error'><error type='wait'><gone/></error></iq>", "error-condition"),
    ],
)
def test_bad_stanzas(xml: str, rule: str) -> None:
    assert stanza(xml) == [rule]


@pytest.mark.parametrize(
    "xml",
    [
        "<iq type='request' id='1' from='bob@lab.test/r'/>",
        "<iq type='get' from='bob@lab.test/r'/>",
        "<message type='text' from='bob@lab.test/r'/>",
        "<message type='error' from='room@rooms.lab.test/bob'/>",
        "<presence type='available' from='bob@lab.test/r'/>",
        "<iq type='error' id='1' from='x@component.lab.test'><error/></iq>",
        f"<presence type='subscribe' from='bob@lab.test'>{ERROR}</presence>",
    ],
)
def test_what_others_wrote_is_not_the_servers_fault(xml: str) -> None:
    assert stanza(xml) == []


@pytest.mark.parametrize(
    "error",
    [
        f"<error type='cancel' code='404' by='{DOMAIN}'>{CONDITION}<text xmlns='{STANZA_ERROR}'>no</text></error>",
        f"<error type='modify'><x xmlns='urn:stanzalab:0'/>{CONDITION}</error>",
        f"<error type='cancel'><gone xmlns='{STANZA_ERROR}'>xmpp:other@lab.test</gone></error>",
        f"<error type='auth'><payment-required xmlns='{STANZA_ERROR}'/></error>",
        f"<error type='nonsense'/>{ERROR}",  # what was sent had an <error/> and comes back with it
        f"{ERROR}<error/>",
    ],
)
def test_liberties_of_errors(error: str) -> None:
    assert stanza(f"<message type='error'>{error}</message>") == []


@pytest.mark.parametrize("way", ["received", "sent"])
def test_the_copy_of_an_error_bears_its_type_alone(way: str) -> None:
    copy = (
        f"<message from='{BARE}' type='error'><{way} xmlns='{CARBONS}'><forwarded xmlns='{FORWARD}'>"
        f"<message xmlns='{CLIENT}' type='{{}}'>{ERROR}</message></forwarded></{way}></message>"
    )
    assert stanza(copy.format("error")) == []
    assert stanza(copy.format("chat")) == ["error-child"]


@pytest.mark.parametrize(
    "to", ["Alice@LAB.test", "alice@lab.test.", "\uff41lice@lab.test/x", f"{BARE}/other"], ids=ascii
)
def test_an_account_is_addressed_in_any_spelling(to: str) -> None:
    assert stanza(f"<message to='{to}'/>") == []


def test_domains_in_unicode_and_in_a_labels_are_not_told_apart() -> None:
    assert stanza("<message to='a@xn--mnchen-3ya.test'/>", own_jid="a@m\u00fcnchen.test/r") == []
    assert stanza("<message to='b@xn--mnchen-3ya.test'/>", own_jid="a@m\u00fcnchen.test/r") == ["to-own"]


def test_before_bind_nobody_has_an_address() -> None:
    assert stanza("<message to='bob@lab.test'/>", own_jid="") == []


def test_a_component_gets_what_is_for_its_domain() -> None:
    component = "component.lab.test"
    for to in (component, f"any@{component}", f"any@{component.upper()}/r"):
        assert stanza(f"<message to='{to}'/>", own_jid=component, namespace=COMPONENT) == []
    assert stanza(f"<message to='{BARE}'/>", own_jid=component, namespace=COMPONENT) == ["to-own"]


# --- replies


@pytest.mark.parametrize(
    ("to", "senders"),
    [
        (None, [None, BARE, DOMAIN, "ALICE@lab.test"]),
        (DOMAIN, [DOMAIN, None, "LAB.test"]),
        (BARE, [BARE, None]),
        (ME, [ME, BARE, None]),
        ("bob@lab.test", ["bob@lab.test"]),
        ("BOB@Lab.Test", ["bob@lab.test", "BOB@Lab.Test"]),
        ("bob@lab.test/r", ["bob@lab.test/r", "bob@lab.test"]),
        ("rooms.lab.test", ["rooms.lab.test"]),
        ("@lab.test", [DOMAIN, "@lab.test", None]),
        ("", [DOMAIN, BARE, None]),
        ("b\u00f6b@lab.test", ["elsewhere.test"]),
    ],
)
def test_who_may_answer(to: str | None, senders: list[str | None]) -> None:
    for sender in senders:
        assert reply(answer("result", from_=sender), to=to) == [], sender
        assert reply(answer("error", from_=sender), to=to) == [], sender


@pytest.mark.parametrize("to", ["bob@elsewhere.test/r", "bob@lab.test", "bob@lab.test/r", DOMAIN, BARE])
@pytest.mark.parametrize("sender", [DOMAIN, BARE, None])
def test_an_error_may_come_from_the_way_there(to: str, sender: str | None) -> None:
    assert reply(answer("error", from_=sender), to=to) == []


def test_an_error_may_come_from_the_other_server() -> None:
    assert reply(answer("error", from_="elsewhere.test"), to="bob@elsewhere.test") == []


@pytest.mark.parametrize(
    ("to", "sender"),
    [
        (None, "mallory@stranger.invalid/lab"),
        (None, "bob@lab.test"),
        (None, ME),
        (DOMAIN, "stranger.invalid"),
        (DOMAIN, "bob@lab.test"),
        ("bob@lab.test", "carol@lab.test"),
        ("bob@lab.test", "bob@lab.test/r"),
        ("rooms.lab.test", "room@rooms.lab.test"),
    ],
)
@pytest.mark.parametrize("type_", ["result", "error"])
def test_who_may_not_answer(to: str | None, sender: str, type_: str) -> None:
    assert reply(answer(type_, from_=sender), to=to) == ["reply-from"]


def test_a_result_for_somebody_else_comes_from_them() -> None:
    assert reply(answer("result"), to="bob@lab.test") == ["reply-from"]
    assert reply(answer("result", from_=DOMAIN), to="bob@lab.test") == ["reply-from"]


def test_errors_come_back_to_components_and_servers_from_whomever_they_are() -> None:
    """Swapping the addresses SHOULD be, no more (§8.3.1), and §8.1 speaks of clients."""
    asked = Request("7", "bob@lab.test", "nobody@component.lab.test", DOMAIN, of_client=False)
    unswapped = {"from_": asked.sender, "to": asked.to}
    assert _rules(faults_of_reply(asked, parse(answer("error", **unswapped), default=CLIENT))) == []
    wrong = _rules(faults_of_reply(asked, parse(answer("result", **unswapped), default=CLIENT)))
    assert wrong == ["reply-from", "reply-to"]


def test_a_reply_is_for_who_asked() -> None:
    assert reply(answer("result", to=ME)) == []
    assert reply(answer("result", to="Alice@lab.test/here")) == []
    assert reply(answer("result", to=f"{BARE}/there")) == ["reply-to"]
    assert reply(answer("result", to=BARE)) == ["reply-to"]


def test_a_reply_has_the_id_and_a_type_of_replies() -> None:
    assert reply("<iq id='8' type='result'/>") == ["reply-id"]
    assert reply("<iq type='result'/>") == ["reply-id"]
    assert reply(f"<iq id='7' type='get'>{PAYLOAD}</iq>") == ["reply-type"]
    assert reply("<message id='7'/>") == ["reply-type"]


def test_a_reply_before_bind_may_bear_any_address() -> None:
    assert reply(answer("result", from_="anybody", to="temporary@lab.test/1"), sender="") == []


def test_errors_of_services_are_judged_as_replies() -> None:
    broken = "<iq id='7' type='error' from='bob@lab.test/r'><error type='cancel'/></iq>"
    assert reply(broken, to="bob@lab.test/r") == ["error-condition"]
    assert reply(broken.replace("/r", ""), to="bob@lab.test") == [], "of the server's own, faults_of_stanza speaks"


def test_a_component_is_answered_at_the_address_that_asked() -> None:
    asked, server = "any@component.lab.test/r", answer("result", from_=DOMAIN, to="any@component.lab.test/r")
    assert reply(server, to=DOMAIN, sender=asked, namespace=COMPONENT) == []
    other = answer("result", from_=DOMAIN, to="component.lab.test")
    assert reply(other, to=DOMAIN, sender=asked, namespace=COMPONENT) == ["reply-to"]


def test_kinds() -> None:
    assert kind_of(parse("<iq/>", default=CLIENT)) == "iq"
    assert kind_of(parse("<presence/>", default=COMPONENT)) == "presence"
    assert kind_of(parse("<iq/>", default="urn:stanzalab:0")) == ""


def test_a_good_stanza_costs_little() -> None:
    good = parse(f"<iq type='result' id='7' from='{DOMAIN}' to='{ME}'>{PAYLOAD}</iq>", default=CLIENT)
    request = Request("7", DOMAIN, ME, DOMAIN)
    best = min(
        _seconds(lambda: (faults_of_stanza(good, ME, DOMAIN), faults_of_reply(request, good))) for _ in range(5)
    )
    assert best / 1_000 < 50e-6, "a few microseconds; the bound leaves room for a slow machine"


def _seconds(call: Callable[[], object]) -> float:
    """For a thousand calls."""
    start = time.perf_counter()
    for _ in range(1_000):
        call()
    return time.perf_counter() - start
