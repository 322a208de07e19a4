"""XEP-0045 §7.2.13, §7.2.14: what a newcomer is sent of what was said before, and how much of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lab.plugin import Connect, Specification, require, require_equal, unsupported
from lab.wire.namespaces import NS
from lab.wire.session import localname, new_id
from lab.wire.stream import Element
from scenarios.server.xep0045._occupant import Occupant, is_subject
from scenarios.server.xep0045._rooms import entrance, gather, quiet

XEP = Specification("XEP-0045")
SAID = ("first", "second", "third", "fourth")
LINE = 200
"""Characters of what is said where characters are counted."""
CLOCKS = timedelta(minutes=10)
"""How far the clocks of lab and server may be apart."""


def _talk(connect: Connect, texts: tuple[str, ...] = SAID) -> tuple[Occupant, Occupant]:
    """A room in which its owner has said something, and one who has heard it."""
    owner, guest = gather(connect, "none")
    for text in texts:
        owner.says(text)
        guest.hears(text, owner.jid)
    quiet(owner)
    return owner, guest


def _history(connect: Connect, owner: Occupant, asks: str = "") -> list[Element]:
    """The history that a newcomer is sent who asks for it by the attributes `asks` of `<history/>`."""
    inside = f"<history {asks}/>" if asks else ""
    came = entrance(connect(label="newcomer"), owner.room, f"newcomer-{new_id()}", inside=inside)
    return [e for e in came if localname(e) == "message" and not is_subject(e)]


def _needed(connect: Connect, owner: Occupant, texts: tuple[str, ...] = SAID) -> None:
    """Without being asked for less, the room sends all of it: else the check is `unsupported`."""
    if _bodies(_history(connect, owner)) != list(texts):
        unsupported("discussion history")


def _bodies(history: list[Element]) -> list[str]:
    return [e.findtext("c:body", "", NS) for e in history]


def _sent(connect: Connect, owner: Occupant) -> list[Element]:
    history = _history(connect, owner)
    if not history:
        unsupported("discussion history")
    return history


@XEP.must("7.2.13", says="Each message of the history is stamped with the time at which it was sent.")
def test_history_is_stamped(connect: Connect) -> None:
    owner, _ = _talk(connect)
    for message in _sent(connect, owner):
        delays = message.findall("delay:delay", NS)
        require_equal(len(delays), 1, "stamps on a message:")
        stamp = delays[0].get("stamp") or ""
        try:
            when = datetime.fromisoformat(stamp)
        except ValueError:
            when = None
        require(when is not None and when.tzinfo is not None, "a time as of XEP-0082", message)
        near = when is not None and when.tzinfo is not None and abs(datetime.now(UTC) - when) < CLOCKS
        require(near, "the time at which it was said, some moments ago", message)


@XEP.must("7.2.13", says="The stamp on a message of the history is from the room.")
def test_history_is_stamped_by_the_room(connect: Connect) -> None:
    owner, _ = _talk(connect)
    for message in _sent(connect, owner):
        froms = [delay.get("from") for delay in message.iterfind("delay:delay", NS)]
        require_equal(froms, [owner.room], "from of the stamp")


@XEP.must("7.2.13", "7.2.14", says="The history is of whole messages: text, author and type are what they were.")
def test_history_says_what_was_said(connect: Connect) -> None:
    owner, guest = _talk(connect)
    guest.says("and fifth")
    owner.hears("and fifth", guest.jid)
    history = _sent(connect, owner)
    told = [(e.get("from"), e.findtext("c:body", None, NS), e.get("type")) for e in history]
    expected = [*((owner.jid, text, "groupchat") for text in SAID), (guest.jid, "and fifth", "groupchat")]
    require_equal(told, expected[len(expected) - len(told) :], "messages")


@XEP.must("7.2.13", says="What was said by one who has left is in the history by its occupant JID then.")
def test_history_of_one_who_left(connect: Connect) -> None:
    owner, guest = _talk(connect)
    guest.says("farewell")
    owner.hears("farewell", guest.jid)
    guest.leaves()
    owner.sees(guest.jid, "unavailable")
    history = _sent(connect, owner)
    require_equal(_bodies(history)[-1], "farewell", "the last message:")
    require_equal(history[-1].get("from"), guest.jid, "from")


@XEP.must("7.2.13", says="Subjects, the earlier ones and the one that stands, are no part of the history.")
def test_subjects_are_not_in_the_history(connect: Connect) -> None:
    owner, guest = gather(connect, "none")
    for subject in ("fire", "cauldron"):
        owner.session.send(f"<message to='{owner.room}' type='groupchat'><subject>{subject}</subject></message>")
        guest.session.expect(is_subject, "the subject")
        owner.says(f"on {subject}")
        guest.hears(f"on {subject}", owner.jid)
    came = entrance(connect(label="newcomer"), owner.room, "newcomer")
    messages = [e for e in came if localname(e) == "message"]
    subjects = [e.findtext("c:subject", None, NS) for e in messages if is_subject(e)]
    require_equal(subjects, ["cauldron"], "subjects")


@XEP.must("7.5", "7.2.13", says="Private messages are in nobody's history.")
def test_private_messages_are_not_in_the_history(connect: Connect) -> None:
    owner, guest = _talk(connect)
    guest.whispers(owner.nick, "psst")
    owner.session.expect(lambda e: e.findtext("c:body", None, NS) == "psst", "the private message")
    bodies = _bodies(_sent(connect, owner))
    require("psst" not in bodies, "no private message", str(bodies))


# --- as much as one asks for


@XEP.must("7.2.14", says="A newcomer is sent no more messages than it asks for, the latest ones.")
@pytest.mark.parametrize("limit", [0, 1, 2, 3])
def test_maxstanzas(connect: Connect, limit: int) -> None:
    owner, _ = _talk(connect)
    _needed(connect, owner)
    bodies = _bodies(_history(connect, owner, f"maxstanzas='{limit}'"))
    require_equal(bodies, list(SAID[len(SAID) - limit :]), "the history:")


@XEP.must("7.2.14", says="Who asks for no characters is sent no history.")
def test_no_characters(connect: Connect) -> None:
    owner, _ = _talk(connect)
    _needed(connect, owner)
    require_equal(_bodies(_history(connect, owner, "maxchars='0'")), [], "the history:")


@XEP.must("7.2.14", says="A newcomer is sent no more characters than it asks for, and whole messages only.")
@pytest.mark.parametrize("lines", [1, 2, 3])
def test_maxchars(connect: Connect, lines: int) -> None:
    texts = tuple(str(number) * LINE for number in range(4))
    owner, _ = _talk(connect, texts)
    _needed(connect, owner, texts)
    # Whole stanzas are counted: the texts alone are less than that, whoever counts.
    bodies = _bodies(_history(connect, owner, f"maxchars='{lines * LINE + LINE // 2}'"))
    require(len(bodies) <= lines, f"{lines} messages at most", f"{len(bodies)} messages")
    require_equal(bodies, list(texts[len(texts) - len(bodies) :]), "the history:")


@XEP.must("7.2.14", says="What is wide enough does not cut the history.")
@pytest.mark.parametrize(
    "asks",
    [
        pytest.param("maxstanzas='20'", id="maxstanzas"),
        pytest.param("maxchars='65000'", id="maxchars"),
        pytest.param("seconds='3600'", id="seconds"),
        pytest.param("since='2004-09-29T01:54:37Z'", id="since"),
    ],
)
def test_wide_limit(connect: Connect, asks: str) -> None:
    owner, _ = _talk(connect)
    _needed(connect, owner)
    require_equal(_bodies(_history(connect, owner, asks)), list(SAID), "the history:")


@XEP.must("7.2.14", says="What was said before the time that a newcomer names is not sent to it.")
def test_since_a_time_to_come(connect: Connect) -> None:
    owner, _ = _talk(connect)
    _needed(connect, owner)
    later = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    require_equal(_bodies(_history(connect, owner, f"since='{later}'")), [], "the history:")


@XEP.must("7.2.14", says="Where several limits are given, the least that meets one of them is sent.")
@pytest.mark.parametrize(
    ("asks", "number"),
    [
        pytest.param("maxstanzas='1' seconds='3600'", 1, id="maxstanzas-and-seconds"),
        pytest.param("maxstanzas='3' maxchars='0'", 0, id="maxstanzas-and-maxchars"),
        pytest.param("maxstanzas='0' since='2004-09-29T01:54:37Z'", 0, id="maxstanzas-and-since"),
        pytest.param("maxstanzas='2' maxchars='65000' seconds='3600'", 2, id="three"),
    ],
)
def test_several_limits(connect: Connect, asks: str, number: int) -> None:
    owner, _ = _talk(connect)
    _needed(connect, owner)
    require_equal(_bodies(_history(connect, owner, asks)), list(SAID[len(SAID) - number :]), "the history:")


@XEP.must("7.2.15", "7.2.14", says="Who asks for no history is sent the subject all the same.")
@pytest.mark.parametrize("asks", ["maxchars='0'", "maxstanzas='0'"], ids=["maxchars", "maxstanzas"])
def test_subject_without_history(connect: Connect, asks: str) -> None:
    owner, guest = gather(connect, "none")
    owner.session.send(f"<message to='{owner.room}' type='groupchat'><subject>cauldron</subject></message>")
    guest.session.expect(is_subject, "the subject")
    came = entrance(connect(label="newcomer"), owner.room, "newcomer", inside=f"<history {asks}/>")
    require_equal(came[-1].findtext("c:subject", None, NS), "cauldron", "subject")
