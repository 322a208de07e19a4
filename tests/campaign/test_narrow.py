"""Narrowing down: from a batch to the stanza, or the shortest sequence, that shows a symptom; within bounds."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace

import pytest

from lab.accounts import Accounts, Comeback
from lab.campaign import narrow as module
from lab.campaign.cast import Casting
from lab.campaign.judge import Symptom
from lab.campaign.narrow import PROBES, SECONDS, TRIES, Prober, narrow
from lab.campaign.outside import Outside
from lab.fakes import FakeServer
from tests.campaign.probing import SYMPTOM, Numbers, Scripted, caused_by, numbers, templates


def test_the_stanza_that_is_blamed_is_tried_alone_and_confirmed() -> None:
    prober = caused_by(5)
    found = narrow(prober, templates(64), replace(SYMPTOM, place=5))
    assert found is not None
    assert (numbers(found.templates), found.times, found.symptom) == ((5,), 3, SYMPTOM)
    assert prober.tries == [(5,)] * 4
    assert prober.hurried == [True, False, False, False], "what counts is seen with all patience"
    assert found.fingerprint == "answers-once by valid {urn:xmpp:ping}ping in iq get to server"


def test_where_nobody_is_blamed_the_likely_ones_are_tried_first() -> None:
    prober = caused_by(40)
    found = narrow(prober, templates(64), SYMPTOM, likely=(39, 40, 41))
    assert found is not None
    assert numbers(found.templates) == (40,)
    assert prober.tries == [(39,), (40,)] + [(40,)] * 3


@pytest.mark.parametrize("culprit", [0, 1, 31, 62, 63])
def test_one_of_many_is_found_by_halving(culprit: int) -> None:
    prober = caused_by(culprit)
    found = narrow(prober, templates(64), SYMPTOM)
    assert found is not None
    assert numbers(found.templates) == (culprit,)
    assert len(prober.tries) <= 1 + 6 + 1 + 3


@pytest.mark.parametrize("culprits", [(3, 9), (0, 63), (10, 11, 12), (1, 30, 50)])
def test_what_takes_several_is_shortened_to_just_those(culprits: Numbers) -> None:
    found = narrow(caused_by(*culprits), templates(64), SYMPTOM)
    assert found is not None
    assert numbers(found.templates) == culprits
    assert found.times == 3


def test_what_must_show_alone_is_not_looked_for_in_sequences() -> None:
    both, last = caused_by(3, 5), caused_by(5)
    assert narrow(both, templates(8), replace(SYMPTOM, place=5, alone=True)) is None
    assert both.tries == [(5,)]
    found = narrow(last, templates(8), replace(SYMPTOM, place=5, alone=True))
    assert found is not None
    assert numbers(found.templates) == (5,)


def test_what_never_shows_again_is_nothing() -> None:
    prober = Scripted(lambda _, __: [])
    assert narrow(prober, templates(4), SYMPTOM, likely=(1,)) is None
    assert prober.tries == [(1,), (0, 1, 2, 3)]
    assert narrow(prober, templates(4), replace(SYMPTOM, place=2)) is None


def test_another_symptom_or_the_same_rule_broken_in_another_way_is_not_it() -> None:
    for other in (Symptom("answers-each-iq", 0, "", ""), replace(SYMPTOM, kind="stuck")):
        assert narrow(caused_by(1, symptom=other), templates(2), SYMPTOM) is None


def test_what_shows_now_and_then_is_counted() -> None:
    often = Scripted(lambda _, tried: [SYMPTOM] if tried in {0, 2} else [])
    found = narrow(often, templates(1), replace(SYMPTOM, place=0))
    assert found is not None
    assert found.times == 1
    once = Scripted(lambda _, tried: [SYMPTOM] if tried == 0 else [])
    assert narrow(once, templates(1), replace(SYMPTOM, place=0)) is None


def test_once_more_is_enough_to_learn() -> None:
    prober = caused_by(2)
    found = narrow(prober, templates(4), SYMPTOM, likely=(2,), confirm=False)
    assert found is not None
    assert found.times == 1
    assert prober.tries == [(2,), (2,)]


def test_a_missing_answer_is_told_better_by_the_one_that_bears_another_id() -> None:
    missing = Symptom("answers-each-iq", 0, "", "")
    stray = Symptom("answers-what-was-sent", 0, "", "<iq id='another'/>")
    prober = Scripted(lambda _, __: [missing, stray])
    found = narrow(prober, templates(1), missing)
    assert found is not None
    assert found.symptom == stray
    assert found.fingerprint.startswith("answers-what-was-sent by valid")


def test_a_search_ends_after_so_many_tries_and_what_it_has_is_confirmed() -> None:
    def whole_or_nothing(sent: Numbers, _: int) -> Sequence[Symptom]:
        return [SYMPTOM] if len(sent) > 150 else []

    prober = Scripted(whole_or_nothing)
    found = narrow(prober, templates(200), SYMPTOM)
    assert found is not None
    assert len(found.templates) == 151
    assert found.times == 3
    assert len(prober.tries) == TRIES + 3


@pytest.mark.parametrize(("each", "most"), [(0.25, SECONDS), (3.0, PROBES * 3.0)])
def test_a_search_ends_when_its_time_is_up(monkeypatch: pytest.MonkeyPatch, each: float, most: float) -> None:
    """A try costs `each` seconds; on a slow server the search has longer, but not for ever."""
    now = itertools.count()
    prober = Scripted(lambda sent, _: [SYMPTOM] if len(sent) > 150 else [])
    clock = SimpleNamespace(monotonic=lambda: len(prober.tries) * each + next(now) * 1e-6)
    monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(module, "crowd", lambda: 1.0)
    found = narrow(prober, templates(200), SYMPTOM)
    assert found is not None
    assert found.times == 3
    searched = prober.hurried.count(True)
    assert searched * each <= most + each
    assert searched * each >= most - each


# --- the prober itself, on fakes


def probed(misbehaviour: str, *, frugal: bool, times: int) -> tuple[list[list[str]], int]:
    """The rules that a ping shows broken, each time; and how many resources were bound for it."""
    server = FakeServer(misbehaviour)
    with server as cell:
        accounts, before = Accounts(cell), len(server.router.passwords)
        with Outside(cell.process, None, None, ()) as outside:
            prober = Prober(Casting(cell, accounts, Comeback(fruitless=2)), cell.patience, outside, frugal=frugal)
            trials = [prober.probe(templates(1)) for _ in range(times)]
            prober.close()
        accounts.close()
        made = len(server.router.passwords) - before
    assert all(trial.log for trial in trials[:1])
    return [[symptom.rule for symptom in trial.symptoms] for trial in trials], made


def test_each_try_has_people_of_its_own() -> None:
    assert probed("", frugal=False, times=2) == ([[], []], 6)


def test_a_frugal_prober_keeps_people_who_saw_nothing() -> None:
    assert probed("", frugal=True, times=3) == ([[], [], []], 3)
    assert probed("answers-twice", frugal=True, times=2) == ([["answers-once"], ["answers-once"]], 6)


def test_a_server_that_takes_no_session_is_a_symptom() -> None:
    with FakeServer() as cell:
        accounts = Accounts(cell)
        accounts.close()
    with Outside(cell.process, None, None, ()) as outside:
        prober = Prober(Casting(cell, accounts, Comeback(fruitless=2)), cell.patience, outside)
        trial = prober.probe(templates(1))
    (symptom,) = trial.symptoms
    assert (symptom.rule, symptom.kind, symptom.place) == ("answers-others", "refused", None)
    assert "nobody listens" in symptom.seen
    assert trial.items == ()
