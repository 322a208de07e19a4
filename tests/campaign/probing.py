"""A prober that sends nothing: what a server would show is asked of a function."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lab.campaign.judge import Symptom
from lab.campaign.narrow import Prober, Trial, filled
from lab.campaign.template import Template
from tests.campaign.making import SCENE, valid

Numbers = tuple[int, ...]
SYMPTOM = Symptom("answers-once", None, "one", "two")


def templates(count: int) -> list[Template]:
    """So many stanzas; each is known by its number, which is its one choice."""
    return [Template.of(valid(f"f{number}", (number,)), SCENE) for number in range(count)]


def numbers(sent: Sequence[Template]) -> Numbers:
    return tuple(template.choices[0] for template in sent)


class Scripted(Prober):
    """`shows` says for the numbers of the stanzas (and how often was tried before) what is seen then."""

    def __init__(self, shows: Callable[[Numbers, int], Sequence[Symptom]]) -> None:
        self._shows = shows
        self._cast = None
        self.tries: list[Numbers] = []
        self.hurried: list[bool] = []

    def probe(self, templates: Sequence[Template], *, hurry: bool = False) -> Trial:
        found = tuple(self._shows(numbers(templates), len(self.tries)))
        self.tries.append(numbers(templates))
        self.hurried.append(hurry)
        return Trial(found, tuple(filled(template, SCENE) for template in templates), [])


def caused_by(*culprits: int, symptom: Symptom = SYMPTOM) -> Scripted:
    """The symptom shows where all of these are sent, in this order, whatever stands between."""

    def shows(sent: Numbers, _: int) -> Sequence[Symptom]:
        left = iter(sent)
        return [symptom] if all(culprit in left for culprit in culprits) else []

    return Scripted(shows)
