"""From symptoms to findings: what is news and what is known, what is avoided from then on, what comes to nothing."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from generators.allowed import ANSWERED
from generators.stanza import Family, Moment, Stanza
from lab.accounts import Accounts, Comeback
from lab.campaign import corpus
from lab.campaign import inquiry as module
from lab.campaign.batch import Batch, Item
from lab.campaign.cast import Cast, Casting
from lab.campaign.finding import Finding
from lab.campaign.inquiry import COSTLY, FRUITLESS, LEARNING, LIKELY, WAITING, Inquiry
from lab.campaign.judge import Symptom
from lab.campaign.narrow import Prober, Trial
from lab.campaign.outside import Outside
from lab.campaign.pipe import End
from lab.campaign.tally import Tally
from lab.campaign.template import Template
from lab.cell import Cell, Endpoint, Process, Subject
from lab.errors import MachineError, PeerError
from schemas.payloads import Addressee, Carrier
from tests.campaign.making import (
    DOMAIN,
    ENDS,
    REFUSED_OR_ENDS,
    SCENE,
    batch,
    cast_of,
    malformed,
    result,
    stanza,
    valid,
)

Shows = Callable[[Sequence[Template]], Sequence[Symptom]]
CELL = Cell(DOMAIN, Subject("fake", "0"), {"c2s": Endpoint("127.0.0.1", 1)}, patience=0.2)
MISSING = Symptom("answers-each-iq", 0, "an answer", "nothing")
TWICE = Symptom("answers-once", 0, "one reply", "two")
CRASH = Symptom("logs-no-crash", None, "no crash", "Traceback in mod_ping", "Traceback in mod_ping", telling=True)
STUCK = Symptom("answers-the-sentinel", None, "an answer", "nothing", "stuck")


def nothing(_: Sequence[Template]) -> Sequence[Symptom]:
    return ()


class Probed(Prober):
    """Asks a world what it shows, and sends nothing."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._cast = None

    def probe(self, templates: Sequence[Template], *, hurry: bool = False) -> Trial:
        self._world.probed.append(tuple(templates))
        if self._world.away:
            raise PeerError("nobody listens")
        items = tuple(template.item(SCENE, f"p{number}") for number, template in enumerate(templates))
        shown = tuple(self._world.shows(templates))
        return Trial(shown, items, [], ended=any(t.operator in self._world.ending for t in templates))


class World:
    """An inquiry, and a server that shows what it is told to."""

    def __init__(self, cast: Cast, folder: Path) -> None:
        self.shows: Shows = nothing
        self.away = False
        self.ending: set[str] = set()
        self.probed: list[tuple[Template, ...]] = []
        self.found: list[Finding] = []
        self.told: list[str] = []
        self.cast = cast
        self.tally = Tally("RFC 6120")
        self.folder = folder
        self.casting = Casting(CELL, Accounts(CELL), Comeback())
        outside = Outside(Process(), None, None, ())
        self.inquiry = Inquiry(CELL, outside, 7, folder, self.found.append, self.told.append)

    def batch(self, *items: Item, **facts: object) -> Batch:
        return batch(self.cast, *items, **facts)  # type: ignore[arg-type] # as its parameters are

    def suspect(self, symptom: Symptom | Sequence[Symptom], *items: Item, tally: Tally | None = None) -> None:
        symptoms = [symptom] if isinstance(symptom, Symptom) else symptom
        finished = self.batch(*items)
        self.inquiry.suspect(symptoms, finished, SCENE, tally or self.tally, self.casting)

    def look(self) -> None:
        while self.inquiry.waiting:
            self.inquiry.look_into_next()


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with cast_of() as cast:
        made = World(cast, tmp_path / "corpus")
        monkeypatch.setattr(module, "Prober", lambda *_, **__: Probed(made))
        yield made


def when(symptom: Symptom, *operators: str) -> Shows:
    """The symptom shows where a stanza of one of these operators is sent ("": a valid one)."""
    return lambda templates: [symptom] if any(t.operator in operators for t in templates) else []


RENAMED = malformed(stanza(), ANSWERED, operator="renamed", family=Family.SCHEMA)
NUL = malformed(stanza("f2"), ENDS)


def test_what_is_confirmed_is_found_told_and_kept(world: World) -> None:
    world.shows = when(TWICE, "")
    world.suspect(TWICE, valid())
    assert world.found == []
    world.look()
    (found,) = world.found
    assert found.fingerprint == "answers-once by valid {urn:xmpp:ping}ping in iq get to server"
    assert (found.confirmed, found.provider, found.seed, found.subject) == (3, "RFC 6120", 7, "fake")
    assert world.tally.findings == [found.fingerprint]
    assert list(world.inquiry.findings.values()) == corpus.load(world.folder)[0] == [found]
    assert world.told == ["narrowing down answers-once"]
    assert world.inquiry.seconds > 0


def test_what_is_known_is_counted_and_not_looked_into_again(world: World) -> None:
    world.shows = when(TWICE, "")
    world.suspect(TWICE, valid())
    world.look()
    probed = len(world.probed)
    other = Tally("XEP-0199")
    world.suspect(TWICE, valid("f2"))
    world.suspect(TWICE, valid("f3"), tally=other)
    assert world.inquiry.waiting == []
    assert (world.tally.repeated, other.repeated, len(world.probed)) == (1, 1, probed)
    assert other.findings == world.tally.findings == [world.found[0].fingerprint]
    assert len(world.found) == 1


def test_two_suspicions_of_one_fault_are_one_finding(world: World) -> None:
    world.shows = when(TWICE, "")
    world.suspect(TWICE, valid())
    world.suspect(TWICE, valid("f2"))
    assert len(world.inquiry.waiting) == 2
    world.look()
    assert len(world.found) == 1
    assert world.tally.repeated == 1


def test_what_costs_time_is_avoided_and_what_does_not_is_sent_on(world: World) -> None:
    assert {"answers-each-iq", "answers-the-sentinel", "lives"} <= COSTLY
    assert "answers-once" not in COSTLY
    other = valid("f9", element="{urn:x}query")
    world.shows = when(TWICE, "")
    world.suspect(TWICE, valid())
    world.look()
    assert not world.inquiry.avoids(valid("f2"))
    world.shows = when(MISSING, "")
    world.suspect(MISSING, valid())
    world.look()
    assert world.inquiry.avoids(valid("f2"))
    for different in (other, valid("f3", type_="set"), valid("f4", addressee=Addressee.CONTACT), RENAMED):
        assert not world.inquiry.avoids(different)


def test_broken_bytes_are_avoided_whatever_they_stand_in_but_not_to_others(world: World) -> None:
    world.shows = when(MISSING, "nul")
    world.suspect(MISSING, NUL)
    world.look()
    assert world.found[0].fingerprint == "answers-each-iq by nul"
    assert world.inquiry.avoids(malformed(stanza(element="{urn:x}query", type_="set"), ENDS))
    assert not world.inquiry.avoids(malformed(stanza(addressee=Addressee.CONTACT), ENDS))
    assert not world.inquiry.avoids(malformed(stanza(carrier=Carrier.MESSAGE), ENDS))


def test_what_comes_before_its_time_is_avoided_whatever_it_is(world: World) -> None:
    def sent(base: Stanza, moment: Moment = Moment.SECURED) -> Item:
        return malformed(base, ENDS, operator="too-early", family=Family.PROTOCOL, moment=moment)

    world.shows = when(MISSING, "too-early")
    world.suspect(MISSING, sent(stanza()))
    world.look()
    assert world.inquiry.avoids(sent(stanza(element="{urn:x}query", addressee=Addressee.CONTACT)))
    assert not world.inquiry.avoids(sent(stanza(carrier=Carrier.MESSAGE)))
    assert not world.inquiry.avoids(sent(stanza(), Moment.BOUND))


def test_the_valid_stanza_is_told_where_it_shows_the_same(world: World) -> None:
    world.shows = when(TWICE, "", "renamed", "removed")
    world.suspect(TWICE, RENAMED)
    world.look()
    (found,) = world.found
    assert found.fingerprint == "answers-once by valid {urn:xmpp:ping}ping in iq get to server"
    assert found.templates[0].operator == ""
    # What was made of its like is no news then, however it is malformed.
    probed = len(world.probed)
    world.suspect(TWICE, malformed(stanza("f5"), ANSWERED, operator="removed", family=Family.SCHEMA))
    assert world.inquiry.waiting == []
    assert (world.tally.repeated, len(world.probed)) == (1, probed)


def test_the_malformed_stanza_is_told_where_only_it_shows_it(world: World) -> None:
    world.shows = when(TWICE, "renamed")
    world.suspect(TWICE, RENAMED)
    world.look()
    (found,) = world.found
    assert found.templates[0].operator == "renamed"
    assert found.fingerprint.startswith("answers-once by renamed")


def test_a_crash_explains_what_else_is_seen(world: World) -> None:
    world.shows = lambda _: [CRASH, MISSING]
    world.suspect(MISSING, valid())
    world.look()
    (found,) = world.found
    assert (found.rule, found.fingerprint) == ("logs-no-crash", "logs-no-crash=Traceback in mod_ping")
    assert found.seen == CRASH.seen
    # The missing answer is known from then on as what the crash looks like.
    world.suspect(MISSING, valid("f2"))
    assert world.inquiry.waiting == []
    assert world.tally.repeated == 1


def test_what_follows_a_crash_that_is_known_is_not_looked_into(world: World) -> None:
    world.shows = when(CRASH, "nul")
    world.suspect(CRASH, valid(), NUL)
    world.look()
    assert [f.rule for f in world.found] == ["logs-no-crash"]
    for number in range(LEARNING):
        world.suspect([CRASH, MISSING], valid(f"l{number}"))
        assert [s.learning for s in world.inquiry.waiting] == [True]
        world.inquiry.waiting.clear()
    world.suspect([CRASH, MISSING], valid("m1"))
    assert world.inquiry.waiting == [], "what else causes it is looked into so many times only"
    assert world.tally.repeated == LEARNING + 1


def test_what_else_causes_a_known_crash_is_learned_and_avoided(world: World) -> None:
    comment = malformed(stanza("f3"), ENDS, operator="comment")
    world.shows = when(CRASH, "nul", "comment")
    world.suspect(CRASH, valid(), NUL)
    world.look()
    assert world.inquiry.avoids(NUL)
    assert not world.inquiry.avoids(comment)
    world.suspect(CRASH, valid("f4"), comment)
    world.look()
    assert world.inquiry.avoids(comment)
    assert len(world.found) == 1
    assert world.tally.unconfirmed == 0


def test_nobody_to_blame_is_known_once_what_was_sent_is_avoided(world: World) -> None:
    """A batch that was under way when its like began to be avoided."""
    world.shows = when(STUCK, "nul")
    world.suspect(STUCK, valid(), NUL)
    world.suspect(STUCK, valid("f3"), malformed(stanza("f4"), ENDS))
    world.look()
    assert len(world.found) == 1
    assert world.inquiry.left_lying, "that a server leaves lying what nothing follows is known"
    assert world.tally.unconfirmed == 0


def test_what_does_not_show_again_is_unconfirmed_and_given_up_after_a_while(world: World) -> None:
    for number in range(FRUITLESS):
        world.suspect(TWICE, valid(f"u{number}"))
        world.look()
    assert (world.found, world.tally.unconfirmed) == ([], FRUITLESS)
    world.suspect(TWICE, valid("last"))
    assert world.inquiry.waiting == []
    assert world.tally.unconfirmed == FRUITLESS + 1
    world.suspect(MISSING, valid("other"))
    assert len(world.inquiry.waiting) == 1, "another rule has chances of its own"


def test_that_a_server_died_is_a_finding_even_if_it_does_not_again(world: World) -> None:
    world.suspect(Symptom("lives", None, "the process lives", "exit code 139"), valid(), NUL)
    world.look()
    (found,) = world.found
    assert (found.rule, found.confirmed, found.flaky, len(found.templates)) == ("lives", 0, True, 2)
    assert world.tally.unconfirmed == 0


def test_only_so_many_wait_and_those_that_never_have_a_turn_are_counted(world: World) -> None:
    for number in range(WAITING + 3):
        world.suspect(TWICE, valid(f"w{number}"))
    assert len(world.inquiry.waiting) == WAITING
    assert world.tally.unconfirmed == 3
    world.inquiry.give_up()
    assert world.inquiry.waiting == []
    assert world.tally.unconfirmed == WAITING + 3


def test_behind_a_symptom_of_nobody_in_particular_the_rest_may_follow_from_it(world: World) -> None:
    world.suspect([TWICE, STUCK, MISSING], valid(), valid("f2"))
    assert [s.symptom for s in world.inquiry.waiting] == [TWICE, STUCK]


def test_who_is_likely_stands_where_it_broke_off_or_has_no_answer(world: World) -> None:
    items = [valid(f"b{number}") for number in range(12)]
    answered = {n: [result(f"b{n}")] for n in range(3)}
    broken_off = world.batch(*items, replies=answered, end=End())
    world.inquiry.suspect([STUCK], broken_off, SCENE, world.tally, world.casting)
    silent = {4, 9}
    others = [valid(f"c{number}") for number in range(12)]
    gone_on = world.batch(*others, replies={n: [result(f"c{n}")] for n in range(12) if n not in silent})
    world.inquiry.suspect([STUCK], gone_on, SCENE, world.tally, world.casting)
    first, second = world.inquiry.waiting
    assert first.likely == tuple(range(3, 3 + LIKELY))
    assert set(second.likely) == silent


def test_what_names_its_addressee_in_another_encoding_is_sent_valid_instead(world: World) -> None:
    utf16 = malformed(stanza(), ENDS, operator="utf-16", chunks=(stanza().xml.encode("utf-16"),))
    world.suspect(MISSING, utf16)
    (suspicion,) = world.inquiry.waiting
    assert suspicion.items[0].malformed is None
    assert suspicion.templates[0].operator == ""


def test_a_server_that_is_away_is_said_and_the_time_counted(world: World) -> None:
    world.away = True
    world.suspect(TWICE, valid())
    with pytest.raises(PeerError):
        world.inquiry.look_into_next()
    assert world.inquiry.seconds > 0
    assert world.found == []


def test_a_full_disk_ends_it_but_what_was_found_is_known(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    world.shows = when(TWICE, "")
    world.suspect(TWICE, valid())
    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(MachineError, match="cannot keep a finding"):
        world.look()
    assert len(world.inquiry.findings) == 1


def test_who_ended_a_stream_as_it_may_is_found_out_by_sending_it_alone(world: World) -> None:
    may = [malformed(stanza(f"e{n}"), REFUSED_OR_ENDS, operator=name) for n, name in enumerate(("a", "b", "c"))]
    ended = world.batch(valid(), *may, replies={0: [result()]}, end=End("policy-violation"))
    world.ending = {"b", "c"}
    assert world.inquiry.who_ended(ended, SCENE, world.casting) == "b"
    assert [t.operator for sent in world.probed for t in sent] == ["a", "b"]
    world.ending = set()
    assert world.inquiry.who_ended(ended, SCENE, world.casting) == ""
    world.away = True
    assert world.inquiry.who_ended(ended, SCENE, world.casting) == ""


def test_what_cannot_be_made_smaller_now_stays_as_it_is(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens on the port of this cell."""
    world.shows = when(TWICE, "")
    world.suspect(TWICE, valid())
    world.look()
    monkeypatch.undo()
    world.inquiry.shrink_all(1.0)
    assert list(world.inquiry.findings.values()) == world.found
    assert world.told[-1] == "shrinking answers-once"
