"""XEP-0198: when a client enables stream management, what it counts, and what it does with a stream that broke."""

from __future__ import annotations

import contextlib

from lab.errors import PeerError
from lab.plugin.clients import Arrive
from lab.plugin.judge import impossible, require, require_equal
from lab.plugin.requirement import Specification
from lab.wire.namespaces import CLIENT, PING, STREAM, STREAM_MANAGEMENT
from lab.wire.session import localname, new_id, show
from lab.wire.stream import Element
from scenarios.client._acks import SM, Acks, arrived_with_acks
from scenarios.client._played import Played

MANAGED = Specification("XEP-0198")
IMPATIENCE = 5  # a user whose client does not come back by itself does not wait for all of the lab's patience
REQUEST = f"<r xmlns='{STREAM_MANAGEMENT}'/>"


def _is_ack(element: Element) -> bool:
    return element.tag == f"{SM}a"


def _acknowledged(played: Played) -> Element:
    """The client's answer to a request that is sent now; what it acknowledged before is passed over."""
    client = played.client
    before = len(played.sent(_is_ack))
    client.tap.inject(REQUEST)
    for _ in range(before):
        client.sends(_is_ack, "what it acknowledged before")
    return client.sends(_is_ack, "<a/> for <r/>")


@MANAGED.must_not("3", says="A client asks for stream management only when its resource is bound.")
def test_client_enables_after_bind(arrive: Arrive) -> None:
    played, _ = arrived_with_acks(arrive)
    sent = played.client.sent(lambda e: e.tag == f"{SM}enable" or e.find("{*}bind") is not None)
    require(sent[0].tag != f"{SM}enable", "a bound resource first", "; ".join(map(show, sent)))


@MANAGED.must("3", says="A client asks for stream management once at most.")
def test_client_enables_once(arrive: Arrive) -> None:
    played, _ = arrived_with_acks(arrive)
    enables = played.sent(lambda e: e.tag == f"{SM}enable")
    require(len(enables) == 1, "one <enable/>", "; ".join(map(show, enables)))


@MANAGED.must("4", says="A request is acknowledged by <a/> with 'h', a number.")
def test_client_acknowledges(arrive: Arrive) -> None:
    played, _ = arrived_with_acks(arrive)
    ack = _acknowledged(played)
    require((ack.get("h") or "").isdecimal(), "<a/> with a number in 'h'", ack)


@MANAGED.must(
    "4", says="What is acknowledged is how many stanzas were handled: messages, presence and iqs, nothing else."
)
def test_client_counts_stanzas(arrive: Arrive) -> None:
    played, acks = arrived_with_acks(arrive)
    tap = played.client.tap
    played.presence(played.device)
    played.message(played.device, "hello")
    tap.inject(f"<a xmlns='{STREAM_MANAGEMENT}' h='{acks.handled()}'/>")
    tap.inject(REQUEST)
    tap.inject(f"<iq type='get' id='{new_id()}' from='{played.device}' to='{tap.jid}'><ping xmlns='{PING}'/></iq>")
    _counts_right(played, acks)


@MANAGED.must("4", says="The count begins with <enabled/>: what came before is not in it.")
def test_client_counts_from_enabled(arrive: Arrive) -> None:
    early = [
        f"<message from='early@example.test/lab' id='{new_id()}'><body>early {n}</body></message>" for n in range(3)
    ]
    _counts_right(*arrived_with_acks(arrive, early=early))


def _counts_right(played: Played, acks: Acks) -> None:
    played.settled()  # whatever was sent is handled now
    least = acks.reached()
    ack = _acknowledged(played)
    most = acks.reached()
    number = int(ack.get("h") or -1)
    require(least <= number <= most, f"h='{least}'" if least == most else f"'h' from {least} to {most}", ack)


@MANAGED.should(
    "6", says="Where more is acknowledged than was sent, a client closes the stream with an error that says so."
)
def test_client_refuses_acknowledgement_of_what_it_never_sent(arrive: Arrive) -> None:
    played, acks = arrived_with_acks(arrive)
    client = played.client
    client.tap.inject(f"<a xmlns='{STREAM_MANAGEMENT}' h='{acks.handled() + 1000}'/>")
    client.tap.inject(REQUEST)
    sent = client.sends(lambda e: _is_ack(e) or e.tag == f"{{{STREAM}}}error", "a stream error")
    require(sent.find(f"{SM}handled-count-too-high") is not None, "an error with <handled-count-too-high/>", sent)


@MANAGED.should("6", says="A server that fails to enable it is no reason to give up: the client goes on without.")
def test_client_goes_on_without_stream_management(arrive: Arrive) -> None:
    played, _ = arrived_with_acks(arrive, refuses=True)
    played.settled()


@MANAGED.should("4", says="Just before it closes its stream, a client acknowledges what it has received.")
def test_client_acknowledges_before_it_goes(arrive: Arrive) -> None:
    played, _ = arrived_with_acks(arrive)
    before = len(played.sent(_is_ack))
    played.client.does("disconnect")
    played.client.tap.over()
    require(len(played.client.sent(_is_ack)) > before, "<a/> before the end of the stream", "none")


def _resumed(played: Played) -> Element:
    """The client's request to resume its stream, which broke; `impossible` where it makes none.

    It makes it by itself, or as its user has it connect again: that is the client's choice.
    """
    client = played.client
    client.tap.cut()
    client.tap.over()
    patience = client.tap.patience
    client.tap.patience = patience / IMPATIENCE
    try:
        resume = client.sends(_is_resume, "<resume/>")
    except PeerError:
        with contextlib.suppress(PeerError):
            client.does("connect")
        if not client.sent(_is_resume):
            impossible(f"{client.place.title} does not resume a broken stream")
        resume = client.sends(_is_resume, "<resume/>")
    finally:
        client.tap.patience = patience
    client.tap.reaches(lambda e: e.tag == f"{SM}resumed", "<resumed/>")  # what the tap sends now comes behind it
    return resume


def _is_resume(element: Element) -> bool:
    return element.tag == f"{SM}resume"


@MANAGED.must("5", says="A client resumes a stream by the id that the server gave it, with what it had handled.")
def test_client_resumes_by_name_and_number(arrive: Arrive) -> None:
    played, acks = arrived_with_acks(arrive)
    played.settled()
    reached = acks.reached()
    resume = _resumed(played)
    require_equal(resume.get("previd"), acks.name, "'previd'")
    require_equal(resume.get("h"), str(reached), "'h'")


@MANAGED.must("5", says="When its stream is resumed, a client sends again what was not acknowledged.")
def test_client_sends_again_what_was_lost(arrive: Arrive) -> None:
    played, acks = arrived_with_acks(arrive)
    played.settled()
    body = f"lost {new_id()}"

    def is_message(element: Element) -> bool:
        return element.findtext(f"{{{CLIENT}}}body") == body

    acks.lost = is_message
    played.client.does("send-message", to=played.contact, body=body)
    played.client.sends(is_message, "a message")
    _resumed(played)
    played.client.sends(is_message, "the message, sent again")


@MANAGED.should_not(
    "5", says="When its stream is resumed, a client asks for no roster and sends no presence: all is kept."
)
def test_client_begins_nothing_anew_when_resumed(arrive: Arrive) -> None:
    played, _ = arrived_with_acks(arrive)
    played.settled()
    resume = _resumed(played)
    sent = played.sent(lambda _: True)
    later = [
        e
        for e in sent[max(n for n, e in enumerate(sent) if e.tag == resume.tag) :]
        if localname(e) == "presence" or (e.get("type") in {"get", "set"} and e.find("{*}query") is not None)
    ]
    require(not later, "no presence and no roster get behind <resume/>", "; ".join(map(show, later)))
