"""Where choices come from: a random generator that writes them down, a list of written ones, or Hypothesis.

Every choice is an integer from 0 to some `most`, and 0 is always the simplest: so one walk over a shape serves all
three, the same choices make the same stanza, and what the quick source found Hypothesis can shrink.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache
from typing import Protocol

from hypothesis import strategies as st

BEGIN, END = -1, -2
"""No choices, but said like one: between them stands a part that shrinking may take away as a whole."""


class Source(Protocol):
    """One question: `integer(most)` answers an integer from 0 to `most`. With `most` 0 or less there is no choice."""

    def integer(self, most: int) -> int: ...


class RandomSource:
    """A seeded random generator. `choices` are those made since `begin`, each as it was answered."""

    __slots__ = ("_random", "choices")

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed).random  # noqa: S311 - for tests, not for secrets
        self.choices: list[int] = []

    def begin(self) -> None:
        """Forget the choices so far: what is drawn next is a thing of its own."""
        self.choices = []

    def integer(self, most: int) -> int:
        if most <= 0:
            return 0
        choice = int(self._random() * (most + 1))
        self.choices.append(choice)
        return choice


class ReplaySource:
    """Answers written choices, in order; what is out of range or missing becomes the simplest, 0."""

    __slots__ = ("_choices", "_place")

    def __init__(self, choices: Sequence[int]) -> None:
        self._choices = choices
        self._place = 0

    def integer(self, most: int) -> int:
        if most <= 0:
            return 0
        place = self._place
        self._place = place + 1
        choice = self._choices[place] if place < len(self._choices) else 0
        return choice if choice <= most else 0


class HypothesisSource:
    """Asks Hypothesis, through the `draw` of a composite strategy: each choice is one of its own.

    Parts become Hypothesis's spans. It has no public word for them but nested strategies, which a walk cannot be cut
    into; so they are asked of the data behind `draw`, and left out where that has none: what fails shrinks less then.
    """

    __slots__ = ("_data", "_draw")

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw
        self._data = getattr(draw, "__self__", None)
        if not hasattr(self._data, "start_span"):
            self._data = None

    def integer(self, most: int) -> int:
        if most > 0:
            return self._draw(_integers(most))
        if most < 0 and self._data is not None:
            if most == BEGIN:
                self._data.start_span(_PART)
            else:
                self._data.stop_span()
        return 0


_PART = 0x57A42A1AB  # a label as Hypothesis has them: any number, the same for all parts


@cache
def _integers(most: int) -> st.SearchStrategy[int]:
    return st.integers(0, most)
