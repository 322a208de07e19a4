"""Shapes narrowed to a use: only the first-level children that make sense in it (schemas/payloads.py)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial

from generators import foreign
from generators.compiler import shape_of
from generators.shapes import Child, ElementShape, Group, Order, Particle, Wildcard
from lab.errors import UsageError

Names = frozenset[str]


@cache
def narrowed(shape: ElementShape, children: tuple[str, ...] | None) -> tuple[ElementShape, ...]:
    """The shapes to choose from where only these children (local names) may stand: each has one of them at least.

    What the schema asks for stays whatever the names say. A name that the schema leaves to a wildcard is the payload
    of that name that travels inside others. Raises UsageError: a name is none that may stand there.
    """
    if children is None:
        return (shape,)
    names = frozenset(children)
    content = _only(shape.content, names, shape) if shape.content else None
    known = _names(content)
    for name in children:
        if name not in known:
            raise UsageError(f"{shape.name} has no child {name}", hint="mend the children of its use in the registry")
    if not names or content is None or any(_asks_for(content, name) for name in names):
        return (replace(shape, content=content),)
    return tuple(replace(shape, content=_with(content, name)) for name in children)


def _only(particle: Particle, names: Names, shape: ElementShape) -> Group | None:
    kept = _kept(particle, names, shape)
    return kept if kept is None or isinstance(kept, Group) else Group(Order.SEQUENCE, (kept,), 1, 1)


def _kept(particle: Particle, names: Names, shape: ElementShape) -> Particle | None:
    if isinstance(particle, Child):
        return particle if _local(particle) in names or particle.least else None
    if isinstance(particle, Wildcard):
        let_in = _let_in(particle, names - {_local(child) for child in shape.children})
        if let_in:
            return Group(Order.FREE, let_in, particle.least, particle.most)
        return particle if particle.least else None
    if particle.order is Order.CHOICE:
        return _kept_choice(particle, names, shape)
    inner: list[Particle] = []
    for one in particle.particles:
        if particle.order is Order.FREE and isinstance(one, Wildcard):
            inner += _let_in(one, names - {_local(child) for child in shape.children})
        elif (kept := _kept(one, names, shape)) is not None:
            inner.append(kept)
    if not inner or (not particle.least and particle.order is Order.SEQUENCE and not _named(inner) & names):
        return None
    return replace(particle, particles=tuple(inner))


def _kept_choice(group: Group, names: Names, shape: ElementShape) -> Particle | None:
    """The alternatives that have one of the names; all, where one must be chosen and none has."""
    wanted = [kept for one in group.particles if (kept := _kept(one, names, shape)) and _names(kept) & names]
    if wanted:
        return replace(group, particles=tuple(wanted))
    empty = any(one.least == 0 for one in group.particles)
    return group if group.least and not empty else None


def _let_in(wildcard: Wildcard, names: Names) -> tuple[Child, ...]:
    found = [foreign.named(name, wildcard) for name in sorted(names)]
    return tuple(Child(name, 0, 1, partial(shape_of, name)) for name in found if name is not None)


def _with(particle: Group, name: str) -> Group:
    """The content with that child in it, once at least."""
    forced = _forced(particle, name)
    return forced if isinstance(forced, Group) else Group(Order.SEQUENCE, (forced,), 1, 1)


def _forced(particle: Particle, name: str) -> Particle:
    if isinstance(particle, Child):
        return replace(particle, least=max(1, particle.least))
    if isinstance(particle, Wildcard):
        return particle
    place = next(i for i, one in enumerate(particle.particles) if name in _names(one))
    one = _forced(particle.particles[place], name)
    if particle.order is Order.CHOICE:
        first = replace(particle, particles=(one,), least=1, most=1)
        most = None if particle.most is None else particle.most - 1
        others = replace(particle, least=max(0, particle.least - 1), most=most)
        return first if most == 0 else Group(Order.SEQUENCE, (first, others), 1, 1)
    inner = (*particle.particles[:place], one, *particle.particles[place + 1 :])
    return replace(particle, particles=inner, least=max(1, particle.least))


def _asks_for(particle: Particle, name: str) -> bool:
    """Whether that child stands in every instance."""
    if not particle.least and not (isinstance(particle, Group) and particle.order is Order.FREE):
        return False
    if isinstance(particle, Child):
        return _local(particle) == name
    if isinstance(particle, Wildcard):
        return False
    each = [_asks_for(one, name) for one in particle.particles]
    return all(each) if particle.order is Order.CHOICE else any(each)


def _names(particle: Particle | None) -> Names:
    if isinstance(particle, Child):
        return frozenset({_local(particle)})
    return _named(particle.particles) if isinstance(particle, Group) else frozenset()


def _named(particles: Sequence[Particle]) -> Names:
    return frozenset[str]().union(*map(_names, particles))


def _local(child: Child) -> str:
    return child.name.rpartition("}")[2]
