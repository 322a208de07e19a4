"""XEP-0308: a correction names what it corrects, and corrects what its own sender wrote, nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

import pytest

from lab.agents.agent import Event
from lab.plugin.clients import Arrive
from lab.plugin.judge import require, require_equal
from lab.plugin.requirement import Specification
from lab.wire.namespaces import CLIENT, CORRECTION, MUC_USER, NS
from lab.wire.session import localname, new_id
from lab.wire.stream import Element
from scenarios.client._played import Played, arrived, bare_of

CORRECT = Specification("XEP-0308")


@dataclass(frozen=True)
class _Pair:
    """A message that a client sent, and its correction."""

    first: Element
    second: Element


def _said(played: Played, body: str) -> Element:
    played.client.does("send-message", to=played.contact, body=body, type="chat")
    return _with_body(played, body)


def _with_body(played: Played, body: str) -> Element:
    return played.client.sends(lambda e: e.findtext(f"{{{CLIENT}}}body") == body, f"a message with the body {body!r}")


def _corrected(played: Played, first: Element) -> Element:
    body = f"better {new_id()}"
    known = {"sent": first.get("id")} if first.get("id") else {}
    played.client.does("correct-message", to=played.contact, body=body, type="chat", **known)
    return _with_body(played, body)


def _pair(played: Played) -> _Pair:
    first = _said(played, f"wrong {new_id()}")
    return _Pair(first, _corrected(played, first))


def _replaced(message: Element) -> str | None:
    replace = message.find("correct:replace", NS)
    return None if replace is None else replace.get("id")


@CORRECT.must(
    "4", says="A client that lets its user correct messages sends them with an id, which the correction names."
)
def test_client_correction_names_message(arrive: Arrive) -> None:
    pair = _pair(arrived(arrive))
    require(pair.first.get("id"), "a message with an id", pair.first)
    require(_replaced(pair.second) == pair.first.get("id"), f"<replace id='{pair.first.get('id')}'/>", pair.second)


@CORRECT.must("4", says="A correction has an id of its own.")
def test_client_correction_has_id_of_its_own(arrive: Arrive) -> None:
    pair = _pair(arrived(arrive))
    other = pair.second.get("id") and pair.second.get("id") != pair.first.get("id")
    require(other, f"an id, another than {pair.first.get('id')!r}", pair.second)


@CORRECT.must("4", says="A correction is of the same type, and goes to the same contact, as what it corrects.")
def test_client_correction_keeps_type_and_recipient(arrive: Arrive) -> None:
    pair = _pair(arrived(arrive))
    require_equal(pair.second.get("type", "normal"), pair.first.get("type", "normal"), "the type")
    require_equal(bare_of(pair.second.get("to", "")), bare_of(pair.first.get("to", "")), "the recipient")


@CORRECT.should("4", says="What is corrected again is named by the id of the message that came first.")
def test_client_second_correction_names_first_message(arrive: Arrive) -> None:
    played = arrived(arrive)
    pair = _pair(played)
    third = _corrected(played, pair.first)
    require(_replaced(third) == pair.first.get("id"), f"<replace id='{pair.first.get('id')}'/>", third)


@CORRECT.must("2", says="A client that corrects messages says so in service discovery.")
def test_client_advertises_correction(arrive: Arrive) -> None:
    played = arrived(arrive)
    _pair(played)
    require(CORRECTION in played.features(), f"the feature {CORRECTION}", "an answer without it")


def _replace(identifier: str) -> str:
    return f"<replace xmlns='{CORRECTION}' id={quoteattr(identifier)}/>"


@pytest.mark.parametrize("resource", ["same-resource", "other-resource"])
@CORRECT.should("4", says="A correction is shown, and as one, if it is from the account that sent the message.")
def test_client_shows_correction(arrive: Arrive, resource: str) -> None:
    played = arrived(arrive)
    played.needs(CORRECTION)
    first = played.message(played.device, "first")
    body = f"corrected {new_id()}"
    sender = played.device if resource == "same-resource" else f"{played.contact}/desk"
    played.message(sender, body, _replace(first))
    event = played.client.shows("message", lambda e: e["body"] == body, "the correction")
    require_equal(bare_of(event["from"]), played.contact, "the sender shown")
    require(event.get("corrects") in {"", first}, "a message shown as a correction", str(event))


# Who applies anybody's corrections lets everybody put words into a contact's mouth: CVE-2022-39835 (Gajim).


@CORRECT.must("4", says="A correction by another account than the one that sent the message is not applied to it.")
def test_client_ignores_correction_by_another(arrive: Arrive) -> None:
    played = arrived(arrive)
    first = played.message(played.device, "first")
    body = f"forged {new_id()}"
    played.message(played.stranger, body, _replace(first))
    played.shows_nothing("message", lambda e: _is_applied(e, body, first, played.contact), "a stranger's correction")
    played.needs(CORRECTION)  # whoever knows of no corrections applies none: that is no merit


@CORRECT.must(
    "4", says="A correction by another occupant of a room than the one who sent the message is not applied."
)
def test_client_ignores_correction_by_another_occupant(arrive: Arrive) -> None:
    played = arrived(arrive)
    room = _joined(played)
    first = _in_room(played, f"{room}/juliet", "first")
    body = f"forged {new_id()}"
    _in_room(played, f"{room}/tybalt", body, _replace(first))
    played.shows_nothing(
        "message", lambda e: _is_applied(e, body, first, f"{room}/juliet"), "another occupant's correction"
    )
    played.needs(CORRECTION)


def _is_applied(event: Event, body: str, first: str, author: str) -> bool:
    """Whether a message is shown in the place of the first one, or as its author's, who did not write it."""
    return event["body"] == body and (event.get("corrects") == first or event["from"] in {author, f"{author}/phone"})


@CORRECT.should("4", says="A correction that names its own id harms nobody: the client goes on.")
def test_client_survives_correction_of_itself(arrive: Arrive) -> None:
    # CVE-2021-41055: such a message ended Gajim.
    played = arrived(arrive)
    identifier = new_id()
    played.client.tap.inject(
        f"<message from={quoteattr(played.device)} to={quoteattr(played.client.jid)} id='{identifier}' type='chat'>"
        f"<body>itself</body>{_replace(identifier)}</message>"
    )
    played.settled()
    played.needs(CORRECTION)


def _joined(played: Played) -> str:
    """A room that the tap plays, with two occupants besides the client."""
    service = f"rooms.{played.client.domain}"
    room = f"room-{new_id()}@{service}"
    tap, others = played.client.tap, played.client.tap.from_client

    def occupant(nick: str, *codes: str) -> str:
        statuses = "".join(f"<status code='{code}'/>" for code in codes)
        return (
            f"<presence from={quoteattr(f'{room}/{nick}')} to={quoteattr(played.client.jid)}>"
            f"<x xmlns='{MUC_USER}'><item affiliation='none' role='participant'/>{statuses}</x></presence>"
        )

    def with_room(element: Element) -> object:
        to = element.get("to", "")
        if localname(element) == "iq" and bare_of(to) in {room, service} and element.get("type") in {"get", "set"}:
            tap.inject(played.answers_as_room(element))
            return ()
        if bare_of(to) != room:
            return others(element)
        if localname(element) == "presence" and element.get("type") is None:
            nick = to.partition("/")[2]
            for piece in (occupant("juliet"), occupant("tybalt"), occupant(nick, "110")):
                tap.inject(piece)
            tap.inject(
                f"<message from='{room}' to={quoteattr(played.client.jid)} type='groupchat'><subject/></message>"
            )
        return ()

    tap.from_client = with_room  # type: ignore[assignment]
    played.client.does("join", room=room, nick="romeo")
    return room


def _in_room(played: Played, sender: str, body: str, content: str = "") -> str:
    return played.message(sender, body, content, kind="groupchat")
