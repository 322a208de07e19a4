"""Named ways to make a valid stanza wrong, each with what RFC 6120 lets a server do with it.

`malform` picks one that fits and proves its work; `OPERATORS` has all of them by name, the control group (`valid`)
among them: those change nothing that a reader may see, and are what the others are measured against.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from generators.malformations import (
    addressing,
    encoding,
    extremes,
    framing,
    markup,
    namespaces,
    negotiation,
    restricted,
    schema,
    semantics,
    smuggling,
    values,
)
from generators.malformations.operators import Operator, operators_of
from generators.source import Source
from generators.stanza import Malformed, Moment, Scene, Stanza

__all__ = ["OPERATORS", "Operator", "choosable", "malform"]

_MODULES = (
    encoding,
    markup,
    restricted,
    smuggling,
    extremes,
    schema,
    values,
    namespaces,
    semantics,
    addressing,
    negotiation,
    framing,
)
_SELDOM = 64  # one draw in so many is of the heavy operators


def _by_name(operators: Iterable[Operator]) -> Mapping[str, Operator]:
    return MappingProxyType({operator.name: operator for operator in operators})


OPERATORS: Mapping[str, Operator] = _by_name(o for module in _MODULES for o in operators_of(module))
"""Every operator by its name, in the order of their families."""


def _choosable(moment: Moment, *, heavy: bool) -> tuple[Operator, ...]:
    return tuple(
        o for o in OPERATORS.values() if not (o.valid or o.spoils) and o.moment is moment and o.heavy is heavy
    )


_LIGHT = {moment: _choosable(moment, heavy=False) for moment in Moment}
_HEAVY = {moment: _choosable(moment, heavy=True) for moment in Moment}


def choosable(moment: Moment = Moment.BOUND) -> tuple[Operator, ...]:
    """The operators that `malform` picks from, at that moment of a stream: not the control group, nor what spoils."""
    return _LIGHT[moment] + _HEAVY[moment]


def malform(
    source: Source, stanza: Stanza, scene: Scene, operator: Operator | None = None, *, moment: Moment = Moment.BOUND
) -> Malformed | None:
    """The stanza, made wrong in one way and proved so: by `operator`, or by one that fits. None where none does."""
    if operator is not None:
        return operator.apply(source, stanza, scene)
    heavy = _HEAVY[moment]
    operators = heavy if heavy and source.integer(_SELDOM - 1) == _SELDOM - 1 else _LIGHT[moment]
    first = source.integer(max(len(operators) - 1, 0))
    for candidate in operators[first:] + operators[:first]:
        malformed = candidate.apply(source, stanza, scene)
        if malformed is not None:
            return malformed
    return None
