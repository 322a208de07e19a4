"""Shapes: what a schema says of an element, as plain facts that a walk can follow. Made by `generators.compiler`.

An element has attributes and either a value, or content: particles in order, by choice, or in no order. Shapes refer
to each other by `Child.shape`, so that they may be recursive; they are equal only to themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property


@dataclass(frozen=True)
class Value:
    """A text with a meaning: the nearest type of types.xsd (`jid`), or else of XSD itself (`unsignedInt`).

    `plain` says that this is that very type, with no restriction of its own. `patterns` are in XSD's own language:
    those of one step of derivation are alternatives, and each step must be met. `low` and `high` are inclusive. A
    list has `items`, a union has `members`. `place` says where it stands: file, element, attribute. `accepts` asks
    the schema.
    """

    meaning: str
    place: str
    plain: bool
    enumeration: tuple[str, ...] = ()
    patterns: tuple[tuple[str, ...], ...] = ()
    min_length: int = 0
    max_length: int | None = None
    low: int | None = None
    high: int | None = None
    items: Value | None = None
    members: tuple[Value, ...] = ()
    accepts: Callable[[str], bool] = field(default=lambda _: True, repr=False, compare=False)


@dataclass(frozen=True)
class Attribute:
    """`name` in Clark notation, without a namespace for most. `fixed` is the only value that it may have, if any."""

    name: str
    value: Value
    required: bool
    fixed: str | None = None


@dataclass(frozen=True)
class Wildcard:
    """Anything of some namespaces. `strict` says that only what a schema declares may stand there."""

    least: int
    most: int | None
    strict: bool
    allows: Callable[[str], bool] = field(repr=False, compare=False)


@dataclass(frozen=True)
class Child:
    """An element in the content of another. `most` is None for any number."""

    name: str
    least: int
    most: int | None
    resolve: Callable[[], ElementShape] = field(repr=False, compare=False)

    @property
    def shape(self) -> ElementShape:
        return self.resolve()


class Order(StrEnum):
    """How the particles of a group follow each other."""

    SEQUENCE = "sequence"  # all, in order
    CHOICE = "choice"  # one of them, each time
    FREE = "free"  # in any order; each particle says how often it may stand, whatever stands between


@dataclass(frozen=True)
class Group:
    """Particles together. `least` and `most` count the whole group; in a FREE one, the particles altogether."""

    order: Order
    particles: tuple[Particle, ...]
    least: int
    most: int | None


Particle = Child | Group | Wildcard


@dataclass(frozen=True, eq=False)
class ElementShape:
    """An element: `name` in Clark notation.

    `text` is its value, where it has no children; `fixed` the only one, if any. `mixed` says that text may stand
    between the children of `content`.
    """

    name: str
    attributes: tuple[Attribute, ...]
    any_attribute: Wildcard | None
    text: Value | None
    fixed: str | None
    mixed: bool
    content: Group | None

    @property
    def namespace(self) -> str:
        return self.name[1:].partition("}")[0] if self.name[0] == "{" else ""

    @property
    def local(self) -> str:
        return self.name.rpartition("}")[2]

    @cached_property
    def children(self) -> tuple[Child, ...]:
        """The children that the content names, wherever in it."""
        return tuple(_children(self.content)) if self.content else ()

    @property
    def open(self) -> bool:
        """Whether the content admits elements that the schema does not name."""
        return bool(self.content) and any(isinstance(p, Wildcard) for p in _leaves(self.content))


def _children(group: Group) -> list[Child]:
    return [leaf for leaf in _leaves(group) if isinstance(leaf, Child)]


def _leaves(particle: Particle | None) -> list[Child | Wildcard]:
    if particle is None:
        return []
    if isinstance(particle, Group):
        return [leaf for inner in particle.particles for leaf in _leaves(inner)]
    return [particle]


def weight(shape: ElementShape) -> float:
    """How many attributes and elements the smallest instance has; infinite where there is none that ends."""
    return _weight(shape, ())


def least_weight(particle: Particle) -> float:
    """The same of a particle: what it adds at least."""
    return _particle_weight(particle, ())


def _weight(shape: ElementShape, above: tuple[ElementShape, ...]) -> float:
    if shape in above:
        return float("inf")
    attributes = sum(1 for attribute in shape.attributes if attribute.required)
    return 1 + attributes + (_particle_weight(shape.content, (*above, shape)) if shape.content else 0)


def _particle_weight(particle: Particle, above: tuple[ElementShape, ...]) -> float:
    if isinstance(particle, Group) and particle.order is Order.FREE:
        return max(particle.least, sum(_particle_weight(inner, above) for inner in particle.particles))
    return particle.least * _once(particle, above) if particle.least else 0


def _once(particle: Particle, above: tuple[ElementShape, ...]) -> float:
    if isinstance(particle, Wildcard):
        return 1
    if isinstance(particle, Child):
        return _weight(particle.shape, above)
    inner = [_particle_weight(one, above) for one in particle.particles]
    return min(inner, default=0) if particle.order is Order.CHOICE else sum(inner)
